//! One proposal from the founding of a ledger to its landing, with the answer of every command.

use insta::assert_snapshot;

use crate::stage::{MEMBERS, Stage};
use crate::world::Seat;

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// A ledger of four members, and a clone for each.
pub fn team(stage: &Stage) -> Vec<Seat> {
    let alice = stage.seat("alice");
    alice.ok(&words(&stage.init_args()));
    let mut seats = vec![alice];
    for member in &MEMBERS[1..] {
        let seat = stage.seat(member);
        seat.ok(&["join", "--as", member, "--key", &stage.key(member)]);
        seats.push(seat);
    }
    seats
}

#[test]
fn every_command_of_a_decision_answers_in_text_and_json() {
    let mut stage = Stage::new();
    let alice = stage.seat("alice");
    let init = stage.init_args();
    assert_snapshot!("init", stage.show(&alice, &words(&init)));
    let bob = stage.seat("bob");
    let key = stage.key("bob");
    assert_snapshot!(
        "join",
        stage.show(&bob, &["join", "--as", "bob", "--key", &key])
    );
    let carol = stage.seat("carol");
    carol.ok(&["join", "--as", "carol", "--key", &stage.key("carol")]);
    let observer = stage.seat("observer");
    assert_snapshot!("join_as_observer", stage.show(&observer, &["join"]));

    stage.commit(&alice, "main.rs", "fn main() { println!(\"hello\"); }\n");
    let propose = ["propose", "-m", "Say hello", "--description", "It greets."];
    assert_snapshot!("propose", stage.show(&alice, &propose));
    let id = alice.ok(&propose)["id"].as_str().unwrap().to_owned();
    let short = &id[..12];

    let status = |stage: &mut Stage, seat| stage.show(seat, &["status"]);
    assert_snapshot!("sync", stage.show(&bob, &["sync"]));
    assert_snapshot!("status", status(&mut stage, &bob));
    assert_snapshot!(
        "wait_timeout",
        stage.show(&observer, &["wait", short, "--timeout", "0"])
    );
    assert_snapshot!("land_too_early", stage.show(&bob, &["land", short]));
    let review = [
        "review",
        short,
        "--approve",
        "-m",
        "It says hello.",
        "--evidence",
        "cargo run: hello",
    ];
    assert_snapshot!("review", stage.show(&bob, &review));
    assert_snapshot!("status_of_proposal", stage.show(&bob, &["status", short]));
    carol.ok(&["review", short, "--approve"]);
    for seat in [&alice, &bob, &carol, &alice, &bob] {
        seat.ok(&["sync"]);
    }
    assert_snapshot!("wait", stage.show(&bob, &["wait", short]));
    assert_snapshot!("land", stage.show(&bob, &["land"]));
    assert_snapshot!("land_again", stage.show(&bob, &["land", short]));
    assert_snapshot!("status_landed", status(&mut stage, &bob));
    assert_snapshot!("show", stage.show(&bob, &["show", short]));
    assert_snapshot!("log", stage.show(&bob, &["log", "-n", "4"]));
    assert_snapshot!("log_graph", stage.show(&bob, &["log", "--graph"]));
    assert_snapshot!("verify", stage.show(&bob, &["verify"]));
    assert_snapshot!("faults", stage.show(&bob, &["faults"]));
}

#[test]
fn charters_are_shown_and_proposed() {
    let mut stage = Stage::new();
    let seats = team(&stage);
    let alice = &seats[0];
    assert_snapshot!("charter_show", stage.show(alice, &["charter", "show"]));
    assert_snapshot!("allowed_signers", stage.show(alice, &["allowed-signers"]));
    let toml = alice.run(&["charter", "show", "--toml"]);
    assert_snapshot!("charter_show_toml", stage.readable(&toml.out));
    let next = toml
        .out
        .replace("own_approval_counts = true", "own_approval_counts = false");
    std::fs::write(alice.dir.join("next.toml"), next).unwrap();
    let propose = [
        "charter",
        "propose",
        "--file",
        "next.toml",
        "-m",
        "Ask others",
    ];
    assert_snapshot!("charter_propose", stage.show(alice, &propose));
    let id = alice.ok(&propose)["id"].as_str().unwrap().to_owned();
    assert_snapshot!("withdraw", stage.show(alice, &["withdraw", &id[..12]]));
}

#[test]
fn answers_that_depend_on_the_machine_follow_their_schema() {
    let stage = Stage::new();
    let seats = team(&stage);
    let alice = &seats[0];
    stage.answer(alice, &["keygen", "erin"]);
    stage.answer(alice, &["install"]);
    stage.answer(alice, &["doctor"]);
    stage.answer(alice, &["uninstall"]);
    let server = alice.at(stage.server.clone());
    stage.answer(&server, &["install", "--server"]);
    stage.answer(&server, &["doctor"]);
    stage.answer(&server, &["uninstall", "--server", "--yes"]);
    stage.answer(alice, &["schema", "status"]);
}
