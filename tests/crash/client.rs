//! A member's command killed at each write. The next command goes on, and publishes what was
//! signed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use git_quorum::ledger::Verdict;
use serde_json::{Value, json};

use crate::harness::{
    FOUR, Mode, Snapshot, assert_no_evidence, assert_published, assert_sound, assert_whole,
    crash_everywhere, crash_in, faulty, signed, text,
};
use crate::lab::review as review_of;
use crate::world::{Seat, Team, World};

/// Crashes the seat's command everywhere. After each crash, the command `again` must go on, and
/// `goal` must hold.
fn crash(
    mode: Mode,
    team: &Team,
    seat: &Seat,
    args: &[&str],
    again: &[&str],
    goal: impl Fn(),
) -> BTreeSet<String> {
    let member = seat.git(&["config", "quorum.member"]);
    let before = signed(seat);
    crash_everywhere(mode, seat, args, |place| {
        assert_sound(team);
        let at_crash = signed(seat);
        assert!(
            at_crash.starts_with(&before),
            "{place:?}: the sign state only grows"
        );
        seat.ok(again);
        let after = signed(seat);
        assert!(
            after.starts_with(&at_crash),
            "{place:?}: what was signed stays"
        );
        assert_published(team, seat, &member);
        assert_sound(team);
        assert_no_evidence(seat);
        goal();
    })
}

/// A proposal of alice that the other members know.
fn proposed() -> (Team, String) {
    let team = Team::with_seats(&FOUR, 3);
    let proposal = team.seats[0].propose("one");
    team.sync(1);
    (team, proposal)
}

/// A proposal that bob's next sync decides.
pub fn nearly_decided() -> (Team, String) {
    let (team, proposal) = proposed();
    team.seats[1].approve(&proposal);
    team.seats[2].approve(&proposal);
    team.seats[0].sync();
    assert_ne!(team.seats[0].state(&proposal), "decided");
    (team, proposal)
}

pub fn propose(mode: Mode) -> BTreeSet<String> {
    let team = Team::with_seats(&FOUR, 2);
    let alice = &team.seats[0];
    alice.git(&["checkout", "-q", "--detach", "origin/main"]);
    let commit = alice.commit("one", "one");
    let args = ["propose", "-m", "one"];
    crash(mode, &team, alice, &args, &args, || {
        let loaded = team.world.load(&team.server);
        let proposals: Vec<_> = loaded.tally.proposals().map(|p| p.id).collect();
        assert_eq!(proposals.len(), 1, "it was proposed once");
        let kept = team.ledger_ref(&format!("proposal/{}", proposals[0]));
        assert_eq!(team.world.git(&team.server, &["rev-parse", &kept]), commit);
    })
}

pub fn review(mode: Mode) -> BTreeSet<String> {
    let (team, proposal) = proposed();
    let args = [
        "review",
        &proposal,
        "--approve",
        "-m",
        "good",
        "--evidence",
        "read it",
    ];
    crash(mode, &team, &team.seats[1], &args, &args, || {
        let tally = team.world.load(&team.server).tally;
        let approvers = tally.approvers(tally.charter_in_force(), proposal.parse().unwrap());
        assert_eq!(approvers.len(), 2);
    })
}

/// A sync that fetches lanes and casts the votes that become due.
pub fn sync(mode: Mode) -> BTreeSet<String> {
    let (team, proposal) = nearly_decided();
    crash(mode, &team, &team.seats[1], &["sync"], &["sync"], || {
        assert_eq!(team.seats[1].state(&proposal), "decided");
        assert_eq!(signed(&team.seats[1]).len(), 2, "each vote was signed once");
    })
}

pub fn land(mode: Mode) -> BTreeSet<String> {
    let (team, proposal) = nearly_decided();
    team.seats[1].sync();
    let alice = &team.seats[0];
    let commit = alice.git(&["rev-parse", "HEAD"]);
    crash(
        mode,
        &team,
        alice,
        &["land", &proposal],
        &["land", &proposal],
        || {
            assert_eq!(
                team.world
                    .git(&team.server, &["rev-parse", "refs/heads/main"]),
                commit
            );
            assert_eq!(alice.state(&proposal), "landed");
            alice.verify();
        },
    )
}

/// A clone that lost entries gets them back from the sign state.
pub fn restore(mode: Mode) -> BTreeSet<String> {
    let (team, proposal) = proposed();
    let bob = &team.seats[1];
    let backup = team.world.path("backup");
    copy(&bob.dir, &backup);
    bob.ok(&["review", &proposal, "--approve", "--local"]);
    copy(&backup, &bob.dir);
    std::fs::remove_dir_all(backup).unwrap();
    crash(mode, &team, bob, &["sync"], &["sync"], || {
        assert_eq!(signed(bob).len(), 1)
    })
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(
        Command::new("cp")
            .arg("-rp")
            .args([from, to])
            .status()
            .unwrap()
            .success()
    );
}

/// Another machine of the member has forked the lane. The command loads, keeps and joins both ends.
pub fn join_a_fork(mode: Mode) -> BTreeSet<String> {
    let (team, proposal) = proposed();
    let bob = &team.seats[1];
    let other = bob.elsewhere("other", &team.server, false);
    other.join("bob");
    other.ok(&["review", &proposal, "--approve", "--local", "-m", "there"]);
    bob.ok(&["review", &proposal, "--approve", "-m", "here"]);
    let before = signed(&other);
    crash_everywhere(mode, &other, &["sync"], |_| {
        assert_sound(&team);
        other.sync();
        assert!(signed(&other).starts_with(&before));
        let loaded = team.world.load(&team.server);
        assert_eq!(
            loaded.tally.dag().tips(&crate::lab::name("bob")).len(),
            1,
            "the fork is joined"
        );
        let known: Vec<_> = loaded
            .tally
            .dag()
            .entries()
            .map(|(_, e)| json!(e.id))
            .collect();
        let lost = signed(&other)
            .into_iter()
            .chain(signed(bob))
            .find(|record| !known.contains(&record["id"]));
        assert_eq!(
            lost, None,
            "what either machine has signed is on the server"
        );
        assert_whole(&team.world, &other.dir);
        assert_sound(&team);
        bob.sync();
        assert_eq!(bob.ok(&["status"])["forks"], json!([]));
        assert_no_evidence(bob);
    })
}

/// The first round cannot decide, so the command starts timers.
pub fn patience(mode: Mode) -> BTreeSet<String> {
    let team = Team::with_seats(&FOUR, 4);
    let [alice, bob, carol, dave] = team.seats.as_slice() else {
        panic!()
    };
    let rival = alice.propose("one");
    bob.git(&["checkout", "-q", "--detach", "origin/main"]);
    bob.commit("two", "two");
    bob.ok(&["propose", "-m", "two", "--local"]);
    bob.sync();
    carol.approve(&rival);
    crash(mode, &team, dave, &["sync"], &["sync"], || {})
}

pub fn init(mode: Mode) -> BTreeSet<String> {
    let world = World::new();
    let server = world.server("server.git");
    let alice = world.seat("alice", server.to_str().unwrap());
    alice.commit("readme", "readme");
    alice.git(&["push", "-q", "origin", "HEAD:main"]);
    let key = world.key("alice");
    let member = format!("alice={}.pub", key.display());
    let args = [
        "init",
        "--protect",
        "main",
        "--as",
        "alice",
        "--key",
        key.to_str().unwrap(),
        "--member",
        &member,
    ];
    crash_everywhere(mode, &alice, &args, |_| {
        assert_whole(&world, &alice.dir);
        assert_whole(&world, &server);
        alice.ok(&args);
        let pinned = alice.git(&["config", "quorum.ledger"]);
        assert_eq!(world.load(&server).tally.dag().ledger().to_string(), pinned);
        assert_eq!(
            world
                .git(&server, &["for-each-ref", "--count=9", "refs/quorum"])
                .lines()
                .count(),
            1
        );
        alice.ok(&["propose", "--delete", "-m", "work goes on"]);
        alice.verify();
    })
}

pub fn join(mode: Mode) -> BTreeSet<String> {
    let team = Team::with_seats(&FOUR, 2);
    let carol = team.world.seat("carol", team.server.to_str().unwrap());
    let key = team.world.key("carol");
    let args = ["join", "--as", "carol", "--key", key.to_str().unwrap()];
    crash_everywhere(mode, &carol, &args, |_| {
        assert_whole(&team.world, &carol.dir);
        carol.ok(&args);
        assert_eq!(carol.git(&["config", "quorum.member"]), "carol");
        carol.sync();
        assert_sound(&team);
    })
}

/// A private key without its public key stays, and is not replaced.
pub fn keygen(mode: Mode) -> BTreeSet<String> {
    let world = World::new();
    let args = ["keygen", "erin", "--dir", "new"];
    crash_in(mode, &world, &world.path(""), &args, |(_, time)| {
        let private = world.path("new/erin");
        let public = private.with_extension("pub");
        let run = || {
            let mut command = world.command(env!("CARGO_BIN_EXE_git-quorum"), &world.path(""));
            crate::harness::text(&command.args(args).output().unwrap())
        };
        if *time > 0 {
            let before = std::fs::read(&private).ok();
            let said = run();
            match before {
                Some(_) => assert!(said.contains("ssh-keygen -y") && !public.exists(), "{said}"),
                None => assert!(public.exists(), "{said}"),
            }
            assert!(before.is_none() || std::fs::read(&private).ok() == before);
        }
        assert!(
            std::fs::read_to_string(&private)
                .unwrap()
                .ends_with("-----END OPENSSH PRIVATE KEY-----\n")
        );
    })
}

/// So many entries are new that the command writes a snapshot.
pub fn snapshot(mode: Mode) -> BTreeSet<String> {
    let (team, proposal) = proposed();
    let proposal = proposal.parse().unwrap();
    let first = team.world.forge(
        &team.server,
        "dave",
        &[],
        vec![review_of(proposal, Verdict::Abstain)],
    );
    let mut last = first;
    for n in 0..70 {
        let verdict = if n % 2 == 0 {
            Verdict::Reject
        } else {
            Verdict::Abstain
        };
        team.place("dave", last.1);
        last = team.world.forge(
            &team.server,
            "dave",
            &[last.0],
            vec![review_of(proposal, verdict)],
        );
    }
    team.place("dave", last.1);
    let bob = &team.seats[1];
    bob.git(&["fetch", "-q", "origin", "+refs/quorum/*:refs/quorum/*"]);
    crash_everywhere(mode, bob, &["status"], |_| {
        assert_whole(&team.world, &bob.dir);
        let known = bob.ok(&["status"]);
        assert_eq!(bob.ok(&["status"]), known, "with a snapshot and without");
        bob.sync();
        bob.verify();
        assert_no_evidence(bob);
    })
}

/// All commands that are killed in these tests.
pub const COMMANDS: [fn(Mode) -> BTreeSet<String>; 11] = [
    propose,
    review,
    sync,
    land,
    restore,
    join_a_fork,
    patience,
    init,
    join,
    keygen,
    snapshot,
];

/// The places where the system can refuse to write, and whether a review then fails. A failure to
/// record a signature stops the review. A failure to write a cache does not.
#[test]
fn a_write_that_fails() {
    let (team, proposal) = proposed();
    let bob = &team.seats[1];
    let start = Snapshot::of(&team.world);
    for (point, stops) in [
        ("state.write", true),
        ("state.sync", true),
        ("cache.append", false),
        ("cache.persist", false),
    ] {
        start.restore();
        if point == "cache.persist" {
            std::fs::remove_file(bob.dir.join(".git/quorum/verified")).unwrap();
        }
        let output = faulty(
            bob,
            &format!("{point}=error"),
            &["review", &proposal, "--approve"],
        );
        assert_eq!(
            output.status.success(),
            !stops,
            "{point}: {}",
            text(&output)
        );
        if stops {
            assert!(
                text(&output).contains("SIGN_STATE"),
                "{point}: {}",
                text(&output)
            );
            assert_eq!(
                signed(bob),
                Vec::<Value>::new(),
                "{point}: what may not be on disk is taken back"
            );
        }
        bob.approve(&proposal);
        assert_eq!(signed(bob).len(), 1);
        assert_published(&team, bob, "bob");
        assert_sound(&team);
    }
}

/// A power cut can leave a part of a record. Its entry was never published, so another one may be
/// signed. A record that only lacks its newline is kept.
#[test]
fn a_record_that_is_torn() {
    let (team, proposal) = proposed();
    let bob = &team.seats[1];
    let start = Snapshot::of(&team.world);
    for (torn, kept) in [(0, true), (1, true), (2, false), (500, false)] {
        start.restore();
        faulty(bob, "state.sync", &["review", &proposal, "--approve"]);
        let folder = std::fs::read_dir(&bob.state)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(folder.join("signed.log"))
            .unwrap();
        let whole = signed(bob);
        file.set_len(file.metadata().unwrap().len() - torn).unwrap();
        let (_, noted) = bob.noted(&["review", &proposal, "--approve"]);
        assert_eq!(noted.contains("half-written"), !kept, "{torn}: {noted}");
        assert_eq!(signed(bob).len(), 1);
        assert!(!kept || signed(bob) == whole, "{torn}");
        assert_published(&team, bob, "bob");
        assert_sound(&team);
    }
}

macro_rules! tests {
    ($($name:ident),*) => { mod tests { use crate::harness::Mode; $(#[test] fn $name() { super::$name(Mode::Crash); })* } };
}
tests!(
    propose,
    review,
    sync,
    land,
    restore,
    join_a_fork,
    patience,
    init,
    join,
    keygen,
    snapshot
);
