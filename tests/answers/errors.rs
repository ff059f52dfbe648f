//! Errors that users meet: what happened, why, and the next command.

use insta::assert_snapshot;

use crate::stage::Stage;
use crate::story::team;

#[test]
fn an_error_names_the_next_command() {
    let mut stage = Stage::new();
    let seats = team(&stage);
    let (alice, bob) = (&seats[0], &seats[1]);
    let outside = alice.at(stage.world.path("home"));
    let no_ledger = alice.at(stage.world.path("first"));
    let stranger = stage.seat("stranger");
    stranger.ok(&["join"]);
    let mut errors = |name: &str, seat: &crate::world::Seat, args: &[&str]| {
        let shown = stage.show(seat, args);
        assert!(shown.contains("\"ok\": false"), "{shown}");
        assert_snapshot!(name, shown);
    };
    errors("no_repository", &outside, &["status"]);
    errors("no_ledger", &no_ledger, &["status"]);
    errors("bad_id", alice, &["status", "xyz"]);
    errors("not_found", alice, &["status", "0123456789ab"]);
    errors("nothing_to_propose", alice, &["propose", "-m", "Nothing"]);
    errors(
        "not_protected",
        alice,
        &["propose", "-m", "x", "--onto", "topic"],
    );
    errors("no_member", &stranger, &["propose", "-m", "x"]);
    errors("no_such_remote", alice, &["sync", "--remote", "nowhere"]);
    errors(
        "ledger_exists",
        alice,
        &[
            "init",
            "--as",
            "erin",
            "--key",
            "x",
            "--protect",
            "main",
            "--member",
            "erin=../keys/bob.pub",
        ],
    );
    errors("no_such_folder", alice, &["status", "-C", "nowhere"]);
    errors("usage", alice, &["propose"]);
    errors("checked_out", bob, &["install", "--server"]);
}

#[test]
fn a_value_that_no_decision_backs_fails_verification() {
    let mut stage = Stage::new();
    let seats = team(&stage);
    let alice = &seats[0];
    stage.commit(alice, "main.rs", "fn main() { hello() }\n");
    let first = alice.ok(&["propose", "-m", "Call hello"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for seat in &seats[1..] {
        seat.ok(&["review", &first, "--approve"]);
    }
    for seat in seats.iter().chain(&seats) {
        seat.ok(&["sync"]);
    }
    alice.ok(&["land"]);
    // The server has no gate, so anybody can push to main.
    stage.commit(alice, "main.rs", "fn main() { evil() }\n");
    alice.git(&["push", "-q", "origin", "HEAD:main"]);
    alice.ok(&["sync"]);
    assert_snapshot!("verification_failed", stage.show(alice, &["verify"]));
    let clone = stage.seat("unpinned");
    clone.git(&["fetch", "-q", "origin", "refs/quorum/*:refs/quorum/*"]);
    assert_snapshot!("unpinned", stage.show(&clone, &["verify"]));
}
