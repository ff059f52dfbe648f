//! Tests one member in several clones, lost answers, and clones or sign states that were rolled
//! back. A key never votes twice, and work continues.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::world::{Seat, Team, id};

const FOUR: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Joins the same member in another clone.
fn second(seat: &Seat, team: &Team, member: &str, same_machine: bool) -> Seat {
    let name = format!("{member}-{same_machine}");
    let other = seat.elsewhere(&name, &team.server, same_machine);
    other.join(member);
    other
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

#[test]
fn a_member_works_in_two_clones_at_once() {
    for same_machine in [true, false] {
        let team = Team::with_seats(&FOUR, 3);
        team.patience("20ms");
        let [alice, bob, carol] = team.seats.as_slice() else {
            panic!()
        };
        let other = second(bob, &team, "bob", same_machine);
        let proposal = alice.propose("one");
        // Both approve without seeing each other; the second one builds on the sign state, if there is one.
        bob.ok(&["sync"]);
        other.ok(&["sync"]);
        bob.ok(&["review", &proposal, "--approve", "--local", "-m", "here"]);
        other.ok(&["review", &proposal, "--approve", "--local", "-m", "there"]);
        bob.sync();
        other.sync();
        carol.approve(&proposal);
        for _ in 0..2 {
            bob.sync();
            other.sync();
            alice.sync();
        }
        assert_eq!(other.state(&proposal), "decided");
        let loaded = team.world.load(&team.server);
        assert_eq!(
            loaded.tally.dag().tips(&crate::lab::name("bob")).len(),
            1,
            "the fork is joined"
        );
        for seat in [alice, bob, &other] {
            seat.sync();
            assert_eq!(seat.ok(&["status"])["forks"], json!([]));
        }
        team.assert_honest();
        alice.ok(&["land"]);
        // A sync with nothing to say, from the clone that is behind.
        bob.sync();
        other.sync();
        assert_eq!(
            bob.tried(),
            {
                bob.sync();
                bob.tried()
            },
            "nothing is pushed where nothing is new"
        );
        let next = other.propose("two");
        bob.approve(&next);
        team.assert_honest();
    }
}

#[test]
fn a_restored_clone_goes_on_from_the_sign_state() {
    let team = Team::with_seats(&FOUR, 3);
    let [alice, bob, carol] = team.seats.as_slice() else {
        panic!()
    };
    let backup = team.world.path("backup");
    let proposal = alice.propose("one");
    bob.sync();
    copy(&bob.dir, &backup);
    bob.approve(&proposal);
    carol.approve(&proposal);
    bob.sync();
    copy(&backup, &bob.dir);
    bob.sync();
    bob.sync();
    alice.sync();
    assert_eq!(alice.state(&proposal), "decided");
    assert_eq!(
        bob.ok(&["review", &proposal, "--approve"])["entries"],
        json!([]),
        "it knows what it has said"
    );

    // Nobody but the sign state has the last entries: not the server, not the clone.
    let next = id(&bob.ok(&["propose", "-m", "delete", "--delete", "--local"]));
    copy(&backup, &bob.dir);
    let (_, noted) = bob.noted(&["sync"]);
    assert!(noted.contains("restored from the sign state"), "{noted}");
    alice.sync();
    assert_eq!(
        alice.state(&next),
        "open",
        "what was signed is published after all"
    );
    bob.ok(&["withdraw", &next]);
    team.assert_honest();
    assert!(!alice.ok(&["status"]).to_string().contains("SECOND_VOTE"));
}

#[test]
fn a_push_whose_answer_was_lost_is_not_signed_again() {
    let team = Team::with_seats(&FOUR, 2);
    let [alice, bob] = team.seats.as_slice() else {
        panic!()
    };
    let proposal = alice.propose("one");
    // The server takes everything and dies before it can say so.
    let killer = "cat >/dev/null; kill -9 $PPID; echo push >> accepted";
    team.world
        .script(team.server.join("hooks/post-receive"), killer);
    let run = bob.run(&["review", &proposal, "--approve", "--json"]);
    let lane = team.ledger_ref("lane/bob");
    let tip = bob.git(&["rev-parse", &lane]);
    assert_eq!(
        team.world.git(&team.server, &["rev-parse", &lane]),
        tip,
        "{run:?}"
    );
    assert_eq!(
        (run.code, run.out.contains("UNREACHABLE")),
        (4, true),
        "{run:?}"
    );
    team.world.script(
        team.server.join("hooks/post-receive"),
        "cat >/dev/null; echo push >> accepted",
    );
    assert_eq!(
        bob.ok(&["review", &proposal, "--approve"])["entries"],
        json!([])
    );
    assert_eq!(bob.git(&["rev-parse", &lane]), tip);

    // The push never arrives: the next run sends the same entry.
    team.world.script(
        team.server.join("hooks/pre-receive"),
        "cat >/dev/null; kill -9 $PPID",
    );
    bob.no(
        4,
        "UNREACHABLE",
        &["review", &proposal, "--abstain", "-m", "on second thoughts"],
    );
    let tip = bob.git(&["rev-parse", &lane]);
    assert_ne!(team.world.git(&team.server, &["rev-parse", &lane]), tip);
    std::fs::remove_file(team.server.join("hooks/pre-receive")).unwrap();
    let said = ["review", &proposal, "--abstain", "-m", "on second thoughts"];
    assert_eq!(bob.ok(&said)["entries"], json!([]));
    assert_eq!(team.world.git(&team.server, &["rev-parse", &lane]), tip);
    assert_eq!(bob.git(&["rev-parse", &lane]), tip);

    // A refusal is told with the server's words, and what was signed is kept.
    team.world.script(
        team.server.join("hooks/pre-receive"),
        "cat >/dev/null; echo 'not today' >&2; exit 1",
    );
    let refused = bob.no(6, "REFUSED", &["review", &proposal, "--reject", "-m", "no"]);
    assert!(
        refused["message"].as_str().unwrap().contains("not today"),
        "{refused}"
    );
    std::fs::remove_file(team.server.join("hooks/pre-receive")).unwrap();
    bob.sync();
    alice.sync();
    assert_eq!(
        alice.ok(&["show", &proposal])["proposal"]["rejections"],
        json!(["bob"])
    );
    team.assert_honest();
}

#[test]
fn nothing_is_signed_where_what_was_signed_builds_on_what_is_not_here() {
    let team = Team::with_seats(&FOUR, 2);
    let [alice, bob] = team.seats.as_slice() else {
        panic!()
    };
    let empty = team.world.path("empty.git");
    copy(&team.server, &empty);
    let proposal = alice.propose("one");
    bob.approve(&proposal);
    let signed = std::fs::read_dir(&bob.state)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("signed.log");
    let before = std::fs::read(&signed).unwrap();

    // A server that was rolled back to the genesis, and a new clone of it on the same machine.
    let lost = bob.elsewhere("lost", &empty, true);
    let behind = {
        lost.ok(&["join"]);
        lost.git(&["config", "quorum.member", "bob"]);
        lost.git(&[
            "config",
            "quorum.key",
            team.world.key("bob").to_str().unwrap(),
        ]);
        lost.no(4, "SIGN_STATE_AHEAD", &["sync"])
    };
    assert!(
        behind["hint"].as_str().unwrap().contains("--remote"),
        "{behind}"
    );
    assert_eq!(
        std::fs::read(&signed).unwrap(),
        before,
        "nothing was signed"
    );
    lost.no(4, "SIGN_STATE_AHEAD", &["propose", "--delete", "-m", "x"]);
    lost.git(&["remote", "add", "good", team.server.to_str().unwrap()]);
    lost.ok(&["sync", "--remote", "good"]);
    lost.sync();
    team.assert_honest();

    // A damaged sign state signs nothing either, and says so.
    std::fs::write(&signed, [b"x", before.as_slice()].concat()).unwrap();
    bob.no(1, "SIGN_STATE", &["review", &proposal, "--abstain"]);
    std::fs::write(&signed, &before[..before.len() - 7]).unwrap();
    let (_, noted) = bob.noted(&["review", &proposal, "--abstain"]);
    assert!(noted.contains("half-written"), "{noted}");
    bob.with("GIT_QUORUM_STATE", "relative")
        .no(1, "SIGN_STATE", &["sync"]);
    team.assert_honest();
}

#[test]
fn a_proposal_that_was_signed_when_its_refs_could_not_move_gets_its_ref_afterwards() {
    let team = Team::with_seats(&FOUR, 2);
    let [alice, bob] = team.seats.as_slice() else {
        panic!()
    };
    alice.git(&["checkout", "-q", "--detach", "origin/main"]);
    alice.commit("change", "change");
    // As if it had been killed between the two: the entry is remembered, no ref has moved.
    let hook = alice.dir.join(".git/hooks/reference-transaction");
    team.world
        .script(&hook, "[ \"$1\" != prepared ] || ! grep -q /proposal/");
    assert_ne!(alice.run(&["propose", "-m", "change"]).code, 0);
    std::fs::remove_file(hook).unwrap();
    alice.sync();
    bob.sync();
    let proposal = id(&bob.ok(&["status"])["proposals"]["shown"][0]);
    let its_ref = team.ledger_ref(&format!("proposal/{proposal}"));
    assert_eq!(
        team.world.git(&team.server, &["rev-parse", &its_ref]),
        alice.git(&["rev-parse", "HEAD"])
    );
    bob.approve(&proposal);
}
