//! The story that each transport test tells, from the first push to a verified landing. Knows only
//! the addresses that members push to.

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use serde_json::json;

use crate::world::{Seat, Team, World, id};

pub const MEMBERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Creates a gated server, and a clone for each of the first members with its own address.
pub fn found(
    world: Arc<World>,
    server: PathBuf,
    seated: usize,
    url: impl Fn(&str) -> String,
) -> Team {
    let founder = world.seat(MEMBERS[0], &url(MEMBERS[0]));
    founder.commit("readme", "readme");
    founder.git(&["push", "-q", "origin", "HEAD:main"]);
    let flags: Vec<_> = MEMBERS
        .iter()
        .map(|m| format!("{m}={}.pub", world.key(m).display()))
        .collect();
    let key = world.key(MEMBERS[0]);
    let mut args = vec![
        "init",
        "--protect",
        "main",
        "--as",
        MEMBERS[0],
        "--key",
        key.to_str().unwrap(),
    ];
    args.extend(flags.iter().flat_map(|flag| ["--member", flag]));
    founder.ok(&args);
    let mut seats = vec![founder];
    let team = Team {
        world: world.clone(),
        server,
        seats: vec![],
    };
    host(&team).ok(&["install", "--server"]);
    for member in &MEMBERS[1..seated] {
        let seat = world.seat(member, &url(member));
        seat.join(member);
        seats.push(seat);
    }
    Team { seats, ..team }
}

/// Returns a seat for the operator of the server, in its repository.
pub fn host(team: &Team) -> Seat {
    Seat {
        world: team.world.clone(),
        dir: team.server.clone(),
        state: team.world.path("state-host"),
        env: vec![],
    }
}

/// Returns the value of main on the server.
pub fn main_of(team: &Team) -> String {
    team.world
        .git(&team.server, &["rev-parse", "refs/heads/main"])
}

/// Pushes with plain git, as a member.
pub fn push(seat: &Seat, args: &[&str]) -> Output {
    let mut command = seat.world.command("git", &seat.dir);
    command
        .arg("push")
        .args(args)
        .envs(seat.env.iter().cloned())
        .output()
        .unwrap()
}

/// Makes a push that must be refused, must change nothing, and must print these words.
pub fn refused(team: &Team, seat: &Seat, args: &[&str], says: &[&str]) {
    let refs = || team.world.git(&team.server, &["for-each-ref"]);
    let before = refs();
    let output = push(seat, args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{args:?} went through: {text}");
    assert_eq!(refs(), before, "{args:?}: {text}");
    for words in says {
        assert!(
            text.contains(words),
            "{args:?}: {words:?} is not in: {text}"
        );
    }
}

/// Tells the whole story, except for authentication.
pub fn tell(team: &Team, observers_url: &str) {
    refuse_what_nobody_decided(team);
    let landed = land_by_hand(team);
    refuse_forged_lanes(team);
    let moved = land_by_itself(team);
    verify_from_a_fresh_clone(team, observers_url, [&landed, &moved]);
    assert_eq!(
        team.world
            .git(&team.server, &["fsck", "--strict", "--no-dangling"]),
        ""
    );
    team.assert_honest();
}

fn refuse_what_nobody_decided(team: &Team) {
    let alice = &team.seats[0];
    alice.commit("hasty", "hasty");
    refused(
        team,
        alice,
        &["origin", "HEAD:main"],
        &[
            "[NO_PROPOSAL]",
            "remote: refs/heads/main:",
            "git quorum propose",
        ],
    );
    refused(
        team,
        alice,
        &[
            "--force",
            "origin",
            "HEAD:main",
            "HEAD:refs/heads/other",
            "--atomic",
        ],
        &["[NO_PROPOSAL]"],
    );
    refused(team, alice, &["origin", ":main"], &["[NO_PROPOSAL]"]);
    assert!(
        push(alice, &["origin", "HEAD:refs/heads/alice/other"])
            .status
            .success(),
        "other branches work as ever"
    );
    alice.git(&["reset", "-q", "--hard", "origin/main"]);
}

/// A lane accepts neither an unsigned entry nor an entry of another member, and no entry can be
/// removed from it.
fn refuse_forged_lanes(team: &Team) {
    let [alice, bob, ..] = team.seats.as_slice() else {
        panic!()
    };
    let lane = |member: &str| team.ledger_ref(&format!("lane/{member}"));
    let tip = lane("bob");
    let unsigned = bob.git(&[
        "commit-tree",
        "-m",
        "approve",
        "-p",
        &tip,
        &format!("{tip}^{{tree}}"),
    ]);
    refused(
        team,
        bob,
        &["origin", &format!("{unsigned}:{tip}")],
        &["[BAD_ENTRY]", "remote: "],
    );
    refused(
        team,
        alice,
        &["--force", "origin", &format!("{}:{tip}", lane("alice"))],
        &["[BAD_ENTRY]", "the entry is alice's"],
    );
    refused(
        team,
        bob,
        &["--force", "origin", &format!("{tip}~1:{tip}")],
        &["[LANE_WENT_BACK]"],
    );
    refused(
        team,
        bob,
        &["origin", &format!(":{tip}")],
        &["[LANE_DELETED]"],
    );
    refused(
        team,
        bob,
        &["origin", &format!(":{}", team.ledger_ref("genesis"))],
        &["[IMMUTABLE]"],
    );
}

/// Creates a proposal that all members except dave have approved, and whose last vote is missing.
fn nearly_decide(team: &Team, title: &str) -> (String, String) {
    let [alice, bob, carol, _] = team.seats.as_slice() else {
        panic!()
    };
    alice.git(&["fetch", "-q", "origin"]);
    alice.git(&["checkout", "-q", "--detach", "origin/main"]);
    let commit = alice.commit(title, title);
    let proposal = id(&alice.ok(&["propose", "-m", title]));
    refused(
        team,
        alice,
        &["origin", "HEAD:main"],
        &["[NOT_DECIDED]", "remote: ", "git quorum status"],
    );
    bob.ok(&[
        "review",
        &proposal,
        "--approve",
        "-m",
        "fine",
        "--evidence",
        "make test",
    ]);
    assert_eq!(carol.approve(&proposal)["proposal"]["state"], "approved");
    alice.sync();
    (proposal, commit)
}

fn land_by_hand(team: &Team) -> String {
    let [_, bob, _, dave] = team.seats.as_slice() else {
        panic!()
    };
    let (proposal, commit) = nearly_decide(team, "by hand");
    assert_eq!(bob.sync()["proposals"]["shown"][0]["state"], "decided");
    assert_ne!(main_of(team), commit);
    assert_eq!(
        dave.ok(&["land", &proposal])["landed"][0]["to"],
        json!(commit)
    );
    assert_eq!(main_of(team), commit);
    proposal
}

fn land_by_itself(team: &Team) -> String {
    host(team).ok(&["install", "--server", "--auto-land"]);
    let bob = &team.seats[1];
    let (proposal, commit) = nearly_decide(team, "by itself");
    bob.sync();
    assert_eq!(
        main_of(team),
        commit,
        "the push that brings the decision moves main"
    );
    bob.sync();
    assert_eq!(bob.state(&proposal), "landed");
    proposal
}

fn verify_from_a_fresh_clone(team: &Team, url: &str, decided: [&str; 2]) {
    let observer = team.world.seat("observer", url);
    let ledger = team.seats[0].git(&["config", "quorum.ledger"]);
    observer.ok(&["join", "--genesis", &ledger]);
    let verified = observer.ok(&["verify", "--backed", "main", "--at", "origin/main"]);
    assert_eq!(
        (
            &verified["pinned"],
            &verified["refs"]["shown"][0]["backing"]
        ),
        (&json!(true), &json!("backed"))
    );
    let found: Vec<_> = verified["decisions"]["shown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["proposal"].clone())
        .collect();
    assert_eq!(found, [json!(decided[0]), json!(decided[1])]);
    observer.verify();
}
