//! Two gated servers, each with a part of the ledger. Members that sync with both carry the entries
//! across.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::story::{self, MEMBERS};
use crate::world::{Seat, Team, World, id};

/// Alice and carol know both servers, bob only the first, and dave only the second.
struct Pair {
    world: Arc<World>,
    a: Team,
    b: Team,
}

impl Pair {
    fn new() -> Pair {
        let world = World::new();
        let (first, second) = (world.server("a.git"), world.server("b.git"));
        let url = |server: &PathBuf| server.to_str().unwrap().to_owned();
        let mut a = story::found(world.clone(), first.clone(), 2, |_| url(&first));
        let alice = &a.seats[0];
        alice.git(&["remote", "add", "b", &url(&second)]);
        let b = Team {
            world: world.clone(),
            server: second.clone(),
            seats: vec![],
        };
        let ledger = alice.git(&["config", "quorum.ledger"]);
        story::host(&b).ok(&["install", "--server", "--genesis", &ledger]);
        alice.git(&["push", "-q", "b", "HEAD:main"]);
        alice.ok(&["sync", "--remote", "b"]);
        for member in &MEMBERS[2..] {
            let seat = world.seat(member, &url(&second));
            seat.join(member);
            a.seats.push(seat);
        }
        a.seats[2].git(&["remote", "add", "a", &url(&first)]);
        Pair { world, a, b }
    }

    fn seats(&self) -> [&Seat; 4] {
        [
            &self.a.seats[0],
            &self.a.seats[1],
            &self.a.seats[2],
            &self.a.seats[3],
        ]
    }

    /// Every member syncs with all servers that it knows.
    fn sync(&self) {
        let [alice, bob, carol, dave] = self.seats();
        for (seat, remote) in [
            (alice, "b"),
            (carol, "a"),
            (alice, "origin"),
            (bob, "origin"),
            (carol, "origin"),
            (dave, "origin"),
        ] {
            seat.ok(&["sync", "--remote", remote]);
        }
    }

    /// Syncs until all members know which of these proposals is decided. Returns that proposal.
    fn settle(&self, proposals: &[&str]) -> String {
        let decided = |seat: &Seat| {
            let mut found = proposals
                .iter()
                .filter(|p| ["decided", "landed"].contains(&seat.state(p).as_str()));
            let one = found.next().map(|p| (*p).to_owned());
            assert_eq!(found.next(), None, "two rivals are decided");
            one
        };
        for _ in 0..30 {
            self.sync();
            let found: Vec<_> = self.seats().iter().map(|seat| decided(seat)).collect();
            let known: std::collections::BTreeSet<_> = found.iter().flatten().collect();
            assert!(known.len() < 2, "{known:?}");
            if found.iter().all(Option::is_some) {
                return found[0].clone().unwrap();
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{}", self.seats()[0].ok(&["status"]));
    }

    fn mains(&self) -> [String; 2] {
        [story::main_of(&self.a), story::main_of(&self.b)]
    }
}

#[test]
fn entries_cross_with_those_who_sync_with_both_and_the_decision_lands_at_both() {
    let pair = Pair::new();
    let [alice, bob, carol, dave] = pair.seats();
    let commit = alice.commit("x", "x");
    let proposal = id(&alice.ok(&["propose", "-m", "x"]));
    bob.approve(&proposal);
    // The second server gets the proposal and bob's approval from alice.
    alice.ok(&["sync"]);
    alice.ok(&["sync", "--remote", "b"]);
    dave.sync();
    assert_eq!(
        dave.ok(&["status", &proposal])["proposal"]["approvals"],
        json!(["alice", "bob"])
    );
    dave.approve(&proposal);
    assert_eq!(pair.settle(&[&proposal]), proposal);

    let first = pair.mains()[0].clone();
    assert_eq!(pair.mains()[1], first, "decided, and landed nowhere");
    bob.ok(&["land"]);
    assert_eq!(pair.mains(), [commit.clone(), first]);
    // The proposal has landed on the first server and not on the second.
    assert_eq!(bob.state(&proposal), "landed");
    carol.sync();
    assert_eq!(carol.state(&proposal), "decided");
    dave.ok(&["land"]);
    assert_eq!(pair.mains(), [commit.clone(), commit.clone()]);
    for (name, server) in [("one", "a.git"), ("two", "b.git")] {
        let observer = pair
            .world
            .seat(name, pair.world.path(server).to_str().unwrap());
        observer.ok(&[
            "join",
            "--genesis",
            &alice.git(&["config", "quorum.ledger"]),
        ]);
        observer.ok(&["verify", "--backed", "main", "--at", &commit]);
    }
    story::refused(
        &pair.b,
        alice,
        &["b", "HEAD~1:main", "--force"],
        &["[NO_PROPOSAL]"],
    );
}

#[test]
fn a_server_that_is_rolled_back_is_noticed_and_brought_up_again_by_its_members() {
    let pair = Pair::new();
    let [alice, bob, carol, dave] = pair.seats();
    let first = id(&{
        alice.commit("x", "x");
        alice.ok(&["propose", "-m", "x"])
    });
    bob.approve(&first);
    alice.ok(&["sync", "--remote", "b"]);
    pair.sync();
    let backup = pair.world.path("backup");
    let copy = |from: &PathBuf, to: &PathBuf| {
        let _ = std::fs::remove_dir_all(to);
        assert!(
            pair.world
                .command("cp", &pair.world.path(""))
                .arg("-R")
                .args([from, to])
                .status()
                .unwrap()
                .success()
        );
    };
    copy(&pair.b.server, &backup);
    carol.approve(&first);
    dave.approve(&first);
    pair.settle(&[&first]);
    dave.ok(&["land"]);
    carol.sync();
    let landed = story::main_of(&pair.b);

    copy(&backup, &pair.b.server);
    let (_, noted) = carol.noted(&["sync"]);
    assert!(noted.contains("had shown"), "{noted}");
    assert_ne!(story::main_of(&pair.b), landed);
    // Nothing was forgotten. The sync restored her own lane and the lanes of the others.
    assert_eq!(carol.state(&first), "decided");
    let stranger = pair.world.seat("stranger", pair.b.server.to_str().unwrap());
    stranger.ok(&["join"]);
    assert_eq!(stranger.state(&first), "decided");
    dave.ok(&["land"]);
    assert_eq!(story::main_of(&pair.b), landed);
    let observer = pair.world.seat("observer", pair.b.server.to_str().unwrap());
    observer.ok(&[
        "join",
        "--genesis",
        &alice.git(&["config", "quorum.ledger"]),
    ]);
    observer.ok(&["verify", "--backed", "main", "--at", "origin/main"]);
}

#[test]
fn a_lane_that_is_forked_between_the_servers_is_joined_by_its_owner() {
    let pair = Pair::new();
    let [alice, bob, carol, _] = pair.seats();
    let proposal = id(&{
        alice.commit("x", "x");
        alice.ok(&["propose", "-m", "x"])
    });
    alice.ok(&["sync", "--remote", "b"]);
    // Bob's key on a machine that knows only the other server, and nothing that bob has signed.
    let double = bob.elsewhere("double", &pair.b.server, false);
    double.join("bob");
    bob.ok(&["review", &proposal, "--approve", "-m", "here"]);
    double.ok(&["review", &proposal, "--approve", "-m", "there"]);
    let lane = pair.a.ledger_ref("lane/bob");
    let on = |team: &Team| pair.world.git(&team.server, &["rev-parse", &lane]);
    assert_ne!(on(&pair.a), on(&pair.b));

    // A member that syncs with both servers has both ends of the lane, and counts bob once.
    carol.ok(&["sync"]);
    let (_, noted) = carol.noted(&["sync", "--remote", "a"]);
    let status = carol.ok(&["status", &proposal]);
    assert_eq!(
        status["proposal"]["approvals"],
        json!(["alice", "bob"]),
        "{noted}"
    );
    assert_eq!(
        carol.ok(&["status"])["evidence"]["shown"],
        json!([]),
        "the same vote twice convicts nobody"
    );

    bob.git(&["remote", "add", "b", pair.b.server.to_str().unwrap()]);
    bob.ok(&["sync", "--remote", "b"]);
    bob.ok(&["sync"]);
    assert_eq!(on(&pair.a), on(&pair.b), "the joined lane goes on at both");
    carol.approve(&proposal);
    assert_eq!(pair.settle(&[&proposal]), proposal);
    pair.a.assert_honest();
}

#[test]
fn of_rivals_on_two_servers_at_most_one_is_decided_and_it_lands_at_both() {
    let pair = Pair::new();
    let [alice, bob, carol, dave] = pair.seats();
    pair.a.patience("20ms");
    let one = alice.propose("one");
    let two = dave.propose("two");
    bob.approve(&one);
    carol.approve(&two);
    for proposal in [&one, &two] {
        pair.sync();
        assert!(
            pair.seats()
                .iter()
                .all(|seat| seat.state(proposal) != "decided"),
            "two of four decide nothing"
        );
    }
    for seat in pair.seats() {
        seat.approve(&one);
        seat.approve(&two);
    }
    let decided = pair.settle(&[&one, &two]);
    bob.ok(&["land"]);
    dave.ok(&["land"]);
    let [a, b] = pair.mains();
    assert_eq!(a, b);
    let wanted = alice.ok(&["show", &decided])["proposal"]["to"]
        .as_str()
        .map(str::to_owned);
    assert_eq!(Some(a), wanted);
    let loser = if decided == one { &two } else { &one };
    for (team, remote) in [(&pair.a, "origin"), (&pair.b, "b")] {
        let lost = alice.ok(&["show", loser])["proposal"]["to"]
            .as_str()
            .unwrap()
            .to_owned();
        story::refused(
            team,
            alice,
            &["--force", remote, &format!("{lost}:main")],
            &["[SUPERSEDED]"],
        );
    }
    pair.a.assert_honest();
}
