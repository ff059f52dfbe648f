//! Tests the whole story, from keys to a verified landing.

use serde_json::json;

use crate::world::{Daemon, Seat, Team, World, id};

/// Runs one decision, counts its steps, and checks each answer.
fn tell(team: &Team) {
    let [alice, bob, carol, dave] = team.seats.as_slice() else {
        panic!()
    };
    let before = team.world.accepted(&team.server);
    let commit = alice.commit("f", "two");
    let proposed = alice.ok(&[
        "propose",
        "-m",
        "Second line",
        "--description",
        "Why: because.",
    ]);
    let proposal = id(&proposed);
    assert_eq!(proposed["existing"], false);
    assert_eq!(proposed["proposal"]["state"], "open");
    assert_eq!(proposed["proposal"]["to"], json!(commit));
    assert_eq!(
        proposed["entries"].as_array().unwrap().len(),
        2,
        "the proposal, and its author's vote"
    );

    let reviewed = bob.ok(&[
        "review",
        &proposal[..6],
        "--approve",
        "-m",
        "fine",
        "--evidence",
        "make test",
    ]);
    assert_eq!(reviewed["proposal"]["approvals"], json!(["alice", "bob"]));
    let approved = carol.ok(&["review", &proposal[..4], "--approve"]);
    assert_eq!(approved["proposal"]["state"], "approved");
    assert_eq!(approved["proposal"]["needs"], "precommits");
    // Carol has precommitted; two more do so by syncing. Dave has said nothing at all.
    alice.sync();
    assert_eq!(
        bob.ok(&["sync"])["proposals"]["shown"][0]["state"],
        "decided"
    );
    assert_eq!(
        team.world.accepted(&team.server) - before,
        5,
        "five pushes make a decision"
    );
    assert_eq!(
        alice.tried() + bob.tried() + carol.tried() + dave.tried() - 2,
        5,
        "and none was tried in vain"
    );

    dave.sync();
    assert_eq!(dave.state(&proposal), "decided");
    assert_eq!(
        dave.ok(&["wait", &proposal])["proposal"]["state"],
        "decided"
    );
    assert_eq!(
        dave.ok(&["verify"])["refs"]["shown"][0]["backing"],
        "nothing-landed"
    );
    let landed = dave.ok(&["land", &proposal[..8]]);
    assert_eq!(landed["landed"][0]["to"], json!(commit));
    assert_eq!(team.world.git(&team.server, &["rev-parse", "main"]), commit);
    assert_eq!(dave.state(&proposal), "landed");
    assert_eq!(
        dave.ok(&["land"])["landed"],
        json!([]),
        "landing again is no error"
    );
    dave.ok(&["land", &proposal]);

    let shown = dave.ok(&["show", &proposal[..8]]);
    assert_eq!(
        shown["decision"]["precommits"].as_object().unwrap().len(),
        3
    );
    assert!(
        dave.run(&["show", &proposal])
            .out
            .contains("| Why: because.")
    );
    let log = dave.ok(&["log", "-n", "3"]);
    assert_eq!(log["entries"].as_array().unwrap().len(), 3);
    observe(team, &proposal);
}

/// A stranger verifies from a fresh clone.
fn observe(team: &Team, proposal: &str) {
    let url = team.seats[1].git(&["remote", "get-url", "origin"]);
    let observer = team.world.seat("observer", &url);
    observer.no(3, "NO_LEDGER", &["verify"]);
    let ledger = team.seats[0].git(&["config", "quorum.ledger"]);
    let pinned = observer.ok(&["join", "--genesis", &ledger]);
    assert_eq!(
        (&pinned["pinned"], &pinned["member"]),
        (&json!("given"), &json!(null))
    );
    let verified = observer.ok(&["verify"]);
    assert_eq!(verified["pinned"], true);
    assert!(
        verified["refs"]["shown"]
            .as_array()
            .unwrap()
            .iter()
            .all(|r| r["backing"] == "backed"),
        "{verified}"
    );
    assert_eq!(
        verified["decisions"]["shown"][0]["proposal"],
        json!(proposal)
    );
    assert_eq!(observer.state(proposal), "landed");
    observer.no(2, "NO_MEMBER", &["review", proposal, "--approve"]);

    let unpinned = team.world.seat("unpinned", &url);
    unpinned.ok(&["join"]);
    unpinned.git(&["config", "--unset", "quorum.ledger"]);
    let found = unpinned.no(7, "UNPINNED", &["verify"]);
    assert!(found["hint"].as_str().unwrap().contains(&ledger));
    unpinned.ok(&["verify", "--genesis", &ledger]);
    unpinned.no(7, "UNPINNED", &["verify", "--genesis", &ledger[..8]]);
    unpinned.no(7, "OTHER_LEDGER", &["verify", "--genesis", &"0".repeat(64)]);
}

#[test]
fn the_whole_story_over_a_path() {
    let team = Team::new(&["alice", "bob", "carol", "dave"]);
    tell(&team);
    stock_git_agrees(&team);
}

#[test]
fn the_whole_story_over_a_daemon() {
    let world = World::new();
    let daemon = Daemon::new(&world);
    tell(&Team::behind(
        world,
        &daemon,
        &["alice", "bob", "carol", "dave"],
    ));
}

/// Checks that stock Git verifies every entry with the ledger's signers, and finds no fault in the
/// repositories.
fn stock_git_agrees(team: &Team) {
    let seat = &team.seats[3];
    let signers = seat.dir.join(".git/signers");
    std::fs::write(&signers, seat.run(&["allowed-signers"]).out).unwrap();
    let setting = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    let log = seat.ok(&["log", "-n", "1000"]);
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(
        entries.len(),
        7,
        "genesis, proposal, three reviews with votes, two precommits"
    );
    for entry in entries {
        let commit = entry["commit"].as_str().unwrap();
        seat.git(&["-c", &setting, "verify-commit", commit]);
        let raw = seat.git(&["cat-file", "commit", commit]) + "\n";
        let tampered = raw.replace("\"v\":1}", "\"v\":2}");
        assert_ne!(raw, tampered);
        let forged = team
            .world
            .store(&seat.dir.join(".git"), "commit", tampered.as_bytes());
        let mut command = team.world.command("git", &seat.dir);
        assert!(
            !command
                .args(["-c", &setting, "verify-commit", &forged])
                .output()
                .unwrap()
                .status
                .success()
        );
    }
    let shown = seat.git(&[
        "-c",
        &setting,
        "log",
        "--show-signature",
        &team.ledger_ref("remote/origin/carol"),
    ]);
    assert!(
        shown.contains("Good \"git\" signature for carol@git-quorum.invalid"),
        "{shown}"
    );
    assert!(!shown.contains("No principal matched"));
    for dir in team.seats.iter().map(|s| &s.dir).chain([&team.server]) {
        let found = team.world.git(dir, &["fsck", "--strict", "--no-dangling"]);
        assert_eq!(found, "", "{}", dir.display());
    }
}

fn errors_of_identity(team: &Team, proposal: &str) {
    let [_, bob, ..] = team.seats.as_slice() else {
        panic!()
    };
    let key = |member: &str| team.world.key(member).to_str().unwrap().to_owned();
    bob.no(
        6,
        "NOT_A_MEMBER",
        &[
            "review",
            proposal,
            "--approve",
            "--as",
            "mallory",
            "--key",
            &key("mallory"),
        ],
    );
    bob.no(
        2,
        "WRONG_KEY",
        &["review", proposal, "--approve", "--key", &key("mallory")],
    );
    bob.no(
        2,
        "WRONG_KEY",
        &["review", proposal, "--approve", "--as", "alice"],
    );
    bob.no(
        2,
        "BAD_NAME",
        &["review", proposal, "--approve", "--as", "Bob"],
    );
    bob.no(
        1,
        "KEY",
        &["review", proposal, "--approve", "--key", "/nowhere"],
    );
    bob.no(3, "NOT_FOUND", &["review", "00000000", "--approve"]);
    bob.no(2, "BAD_ID", &["review", "abc", "--approve"]);
    bob.no(2, "USAGE", &["review", proposal]);
    bob.no(6, "WOULD_NOT_COUNT", &["withdraw", proposal]);
}

#[test]
fn states_from_open_to_superseded() {
    let team = Team::new(&["alice", "bob", "carol", "dave"]);
    let [alice, bob, carol, _] = team.seats.as_slice() else {
        panic!()
    };
    let first = alice.propose("first");
    let again = alice.ok(&["propose", "-m", "first"]);
    assert_eq!(
        (id(&again), &again["existing"], &again["entries"]),
        (first.clone(), &json!(true), &json!([]))
    );
    errors_of_identity(&team, &first);
    let short = alice.ok(&["status"])["proposals"]["shown"][0]["id"]
        .as_str()
        .unwrap()
        .len();
    assert_eq!(short, 64, "ids are whole in JSON");
    assert!(
        alice.run(&["status"]).out.contains(&first[..12])
            && !alice.run(&["status"]).out.contains(&first)
    );

    // Rejected by so many that it cannot be approved any more.
    bob.ok(&["review", &first, "--reject", "-m", "no"]);
    assert_eq!(
        carol.ok(&["review", &first, "--reject"])["proposal"]["state"],
        "rejected"
    );
    bob.no(6, "NOT_DECIDED", &["wait", &first, "--timeout", "1"]);
    let undecided = bob.no(6, "NOT_DECIDED", &["land", &first]);
    assert_eq!(undecided["data"]["approvals"], json!(["alice"]));

    let second = bob.propose("second");
    bob.no(6, "TIMEOUT", &["wait", &second, "--timeout", "1"]);
    assert_eq!(
        bob.ok(&["withdraw", &second])["proposal"]["state"],
        "withdrawn"
    );
    assert_eq!(
        bob.ok(&["withdraw", &second])["entries"],
        json!([]),
        "the same request twice adds nothing"
    );

    // The first two were prevoted by their authors, so the third is decided in a later round.
    team.patience("20ms");
    let third = carol.propose("third");
    alice.approve(&third);
    assert_eq!(bob.approve(&third)["proposal"]["state"], "approved");
    team.settle(&third);
    assert_eq!(
        bob.ok(&["wait", &third, "--timeout", "5"])["proposal"]["state"],
        "decided"
    );
    assert_eq!(alice.state(&first), "superseded");
    let too_late = bob.no(6, "SUPERSEDED", &["review", &first, "--approve"]);
    assert!(
        too_late["message"]
            .as_str()
            .unwrap()
            .starts_with(&third[..12]),
        "{too_late}"
    );
    assert_eq!(alice.state(&third), "decided");
    bob.ok(&["land"]);
    assert_eq!(bob.state(&third), "landed");
    assert_eq!(bob.approve(&third)["entries"], json!([]));

    // Main moved by another way: what expects the old value is stale.
    let fourth = alice.propose("fourth");
    let tree = alice.git(&[
        "commit-tree",
        "-m",
        "aside",
        "-p",
        "origin/main",
        "origin/main^{tree}",
    ]);
    alice.git(&["push", "-q", "origin", &format!("{tree}:refs/heads/main")]);
    alice.sync();
    assert_eq!(alice.state(&fourth), "stale");
    team.assert_honest();
}

#[test]
fn a_merge_is_built_beside_the_working_tree_and_refused_on_conflict() {
    let team = Team::with_seats(&["alice", "bob"], 2);
    let [alice, bob] = team.seats.as_slice() else {
        panic!()
    };
    let base = alice.git(&["rev-parse", "origin/main"]);
    let mine = bob.commit("other", "bob's");
    let first = alice.propose("first");
    bob.approve(&first);
    team.sync(1);
    alice.ok(&["land"]);
    let behind = bob.no(4, "NOT_DESCENDANT", &["propose", "-m", "late"]);
    assert!(behind["hint"].as_str().unwrap().contains("--merge"));

    std::fs::write(bob.dir.join("untracked"), "u").unwrap();
    std::fs::write(bob.dir.join("other"), "changed").unwrap();
    let look = Look::at(bob);
    let merged = bob.ok(&["propose", "-m", "late", "--merge"]);
    look.assert_same(bob);
    let to = merged["proposal"]["to"].as_str().unwrap();
    assert_eq!(
        bob.git(&["rev-parse", &format!("{to}^1"), &format!("{to}^2")]),
        { format!("{}\n{mine}", alice.git(&["rev-parse", "HEAD"])) }
    );
    assert_eq!(
        bob.ok(&["propose", "-m", "late", "--merge"])["existing"],
        true,
        "a merge made twice is one"
    );

    bob.git(&["reset", "-q", "--hard", &base]);
    bob.commit("first", "something else");
    let look = Look::at(bob);
    let conflict = bob.no(4, "MERGE_CONFLICT", &["propose", "-m", "clash", "--merge"]);
    assert_eq!(conflict["data"]["paths"], json!(["first"]));
    look.assert_same(bob);
}

/// The parts of a clone that an append must not change.
#[derive(PartialEq, Debug)]
pub struct Look {
    status: String,
    index: Vec<u8>,
    written: std::time::SystemTime,
    head: String,
    signing_key: String,
}

impl Look {
    pub fn at(seat: &Seat) -> Look {
        let status = seat.git(&["--no-optional-locks", "status", "--porcelain=v2"]);
        let index = seat.dir.join(".git/index");
        let written = std::fs::metadata(&index).unwrap().modified().unwrap();
        let head = std::fs::read_to_string(seat.dir.join(".git/HEAD")).unwrap();
        let signing_key = std::fs::read_to_string(seat.world.path("gitconfig")).unwrap();
        Look {
            status,
            index: std::fs::read(index).unwrap(),
            written,
            head,
            signing_key,
        }
    }

    pub fn assert_same(&self, seat: &Seat) {
        assert_eq!(*self, Look::at(seat));
    }
}
