//! Tests split votes, members that are silent, late or lying, and a charter change in between.

use git_quorum::ledger::Verdict;
use serde_json::{Value, json};

use crate::lab::{approve, prevote, review};
use crate::world::{Seat, Team, id};

const FOUR: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn propose_offline(seat: &Seat, title: &str) -> String {
    seat.git(&["checkout", "-q", "--detach", "origin/main"]);
    seat.commit(title, title);
    id(&seat.ok(&["propose", "-m", title, "--local"]))
}

fn decided(team: &Team, proposals: &[String; 2]) -> (usize, Value) {
    for _ in 0..40 {
        team.sync(1);
        let states: Vec<_> = proposals.iter().map(|p| team.seats[0].state(p)).collect();
        if let Some(winner) = states.iter().position(|s| s == "decided") {
            team.sync(1);
            let shown = team.seats[3 % team.seats.len()].ok(&["show", &proposals[winner]]);
            assert_eq!(team.seats[0].state(&proposals[1 - winner]), "superseded");
            return (winner, shown["decision"].clone());
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    panic!("{}", team.seats[0].ok(&["show", &proposals[0]]));
}

#[test]
fn two_against_two_is_decided_in_a_later_round() {
    let team = Team::new(&FOUR);
    team.patience("50ms");
    let [alice, bob, carol, dave] = team.seats.as_slice() else {
        panic!()
    };
    let first = propose_offline(alice, "first");
    let second = propose_offline(bob, "second");
    alice.sync();
    carol.approve(&first);
    // Dave exchanges with Bob's clone, which does not know of the first proposal.
    dave.git(&["remote", "add", "bob", bob.dir.to_str().unwrap()]);
    dave.ok(&["review", &second, "--approve", "--remote", "bob"]);
    team.sync(2);
    // All approve both, so either can win; round 0 is stuck at two against two.
    for seat in [alice, bob, carol, dave] {
        seat.approve_rival(&first);
        seat.approve_rival(&second);
    }
    let round = &alice.ok(&["status", &first])["rounds"]["shown"][0];
    assert_eq!(round["prevotes"][&first], json!(["alice", "carol"]));
    assert_eq!(round["prevotes"][&second], json!(["bob", "dave"]));
    let (winner, decision) = decided(&team, &[first, second]);
    assert!(
        winner < 2 && decision["round"].as_u64().unwrap() >= 1,
        "{decision}"
    );
    team.assert_honest();
    team.seats[0].verify();
}

#[test]
fn a_silent_member_stops_nobody() {
    let team = Team::with_seats(&FOUR, 3);
    team.patience("20ms");
    let [alice, bob, carol] = team.seats.as_slice() else {
        panic!()
    };
    let first = propose_offline(alice, "first");
    let second = propose_offline(bob, "second");
    for seat in [alice, bob, carol] {
        seat.sync();
    }
    for seat in [alice, bob, carol] {
        seat.approve_rival(&first);
        seat.approve_rival(&second);
    }
    let (_, decision) = decided(&team, &[first, second]);
    assert!(
        decision["round"].as_u64().unwrap() >= 1,
        "one against one against nobody: {decision}"
    );
    team.assert_honest();
    alice.ok(&["land"]);
    team.decide("next");
}

#[test]
fn a_liar_and_an_entry_that_arrives_late_change_nothing() {
    let team = Team::with_seats(&FOUR, 3);
    team.patience("20ms");
    let [alice, bob, carol] = team.seats.as_slice() else {
        panic!()
    };
    let first = propose_offline(alice, "first");
    let second = propose_offline(bob, "second");
    alice.sync();
    bob.sync();
    // Dave prevotes both rivals, on two branches that do not know each other. He shows one to all.
    let ids = [&first, &second].map(|text| text.parse().unwrap());
    let genesis = team.world.load(&team.server).tally.dag().ledger();
    let lies = ids.map(|id| {
        let said = vec![approve(id), prevote(id, 0)];
        team.world.forge(&team.server, "dave", &[genesis, id], said)
    });
    team.place("dave", lies[0].1);
    carol.approve(&second);
    for seat in [alice, bob] {
        seat.approve_rival(&first);
        seat.approve_rival(&second);
    }
    carol.approve_rival(&first);
    let (winner, _) = decided(&team, &[first.clone(), second.clone()]);
    let decision = alice.ok(&["show", [&first, &second][winner]])["decision"].clone();

    // The other branch turns up late: it convicts Dave and undoes nothing.
    team.place("dave", lies[1].1);
    let (_, noted) = carol.noted(&["sync"]);
    assert!(noted.contains("The lane of dave is forked"), "{noted}");
    team.sync(1);
    for seat in &team.seats {
        let status = seat.ok(&["status"]);
        let evidence = status["evidence"]["shown"].as_array().unwrap();
        assert!(
            !evidence.is_empty() && evidence.iter().all(|e| e["member"] == "dave"),
            "{status}"
        );
        assert_eq!(
            seat.ok(&["show", [&first, &second][winner]])["decision"],
            decision
        );
    }
    // It is named, and a verifier is none the less content.
    alice.ok(&["land"]);
    assert_eq!(alice.verify()["evidence"]["shown"][0]["member"], "dave");
    // A vote that knows its rival is worth nothing.
    let both = vec![
        prevote(ids[0], 0),
        prevote(ids[1], 0),
        review(ids[0], Verdict::Reject),
    ];
    let parents = [lies[1].0, ids[0]];
    let (late, oid) = team.world.forge(&team.server, "dave", &parents, both);
    team.place("dave", oid);
    carol.sync();
    let shown = carol.ok(&["show", &late.to_string()]);
    assert!(
        shown["discounted"].to_string().contains("SECOND_VOTE"),
        "{shown}"
    );
    team.decide("next");
}

fn charter_without(team: &Team, leave_out: &str, add: &str) -> String {
    let text = team.seats[0].run(&["charter", "show", "--toml"]).out;
    let mut tables: Vec<_> = text.split("\n[[members]]\n").map(str::to_owned).collect();
    tables.retain(|table| !table.contains(&format!("name = \"{leave_out}\"")));
    tables[0] = tables[0]
        .lines()
        .filter(|line| !line.starts_with("quorum"))
        .collect::<Vec<_>>()
        .join("\n");
    if !add.is_empty() {
        tables.push(format!(
            "name = \"{add}\"\nkey_file = \"{}.pub\"\n",
            team.world.key(add).display()
        ));
    }
    let path = team.world.path("next.toml");
    std::fs::write(&path, tables.join("\n[[members]]\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_charter_changes_while_a_slot_is_open() {
    let mut team = Team::new(&FOUR);
    team.patience("20ms");
    let proposal = team.seats[0].propose("open");
    team.seats[1].approve(&proposal);

    // Erin comes in while the proposal has two prevotes.
    let file = charter_without(&team, "", "erin");
    let change =
        id(&team.seats[0].ok(&["charter", "propose", "--file", &file, "-m", "erin comes in"]));
    let again = team.seats[0].ok(&["charter", "propose", "--file", &file, "-m", "erin comes in"]);
    assert_eq!(
        (id(&again), &again["existing"]),
        (change.clone(), &json!(true))
    );
    for seat in &team.seats[1..] {
        seat.approve(&change);
    }
    team.settle(&change);
    assert_eq!(team.seats[2].ok(&["charter", "show"])["id"], json!(change));
    assert_eq!(team.seats[2].ok(&["status"])["n"], 5);

    let erin = team.world.seat("erin", team.server.to_str().unwrap());
    erin.join("erin");
    erin.git(&["config", "quorum.patience", "20ms"]);
    team.seats.push(erin);
    // Approvals count under their charter, so those that stand for it renew theirs.
    for seat in &team.seats {
        seat.approve(&proposal);
    }
    team.settle(&proposal);
    team.seats[4].ok(&["land"]);
    team.seats[4].verify();

    // Dave goes; what he says afterwards is not taken in.
    let open = team.seats[1].propose("second");
    team.seats[3].approve(&open);
    team.sync(1);
    let file = charter_without(&team, "dave", "");
    let change = id(&team.seats[1].ok(&["charter", "propose", "--file", &file, "-m", "dave goes"]));
    let dave = team.seats.remove(3);
    for seat in &team.seats {
        seat.approve(&change);
    }
    team.settle(&change);
    dave.no(6, "NOT_A_MEMBER", &["review", &open, "--approve"]);
    for seat in &team.seats {
        seat.approve(&open);
    }
    team.settle(&open);
    let seen = team.seats[0].git(&["rev-parse", &team.ledger_ref("remote/origin/dave")]);
    let loaded = team.world.load(&team.server);
    let dag = loaded.tally.dag();
    let tip = dag.entry(dag.tips(&crate::lab::name("dave"))[0]).id;
    let said = vec![review(open.parse().unwrap(), Verdict::Reject)];
    let charter = dag
        .lineage(loaded.tally.charter_in_force())
        .nth(1)
        .unwrap()
        .0;
    let (_, oid) = team
        .world
        .forge_under(&team.server, "dave", charter, &[tip], said);
    team.place("dave", oid);
    let (_, noted) = team.seats[0].noted(&["sync"]);
    assert!(noted.contains("former member dave"), "{noted}");
    assert_eq!(
        team.seats[0].git(&["rev-parse", &team.ledger_ref("remote/origin/dave")]),
        seen
    );
    team.assert_honest();
    team.seats[0].ok(&["land"]);
    team.seats[0].verify();
}

/// Dave's own vote decides the charter that removes him, and his command dies before anybody gets
/// the vote. His tool still hands the vote over, although he is no longer a member.
#[test]
fn who_votes_itself_out_hands_its_vote_over() {
    let team = Team::new(&FOUR);
    team.patience("3600");
    let file = charter_without(&team, "dave", "");
    let change = id(&team.seats[0].ok(&["charter", "propose", "--file", &file, "-m", "dave goes"]));
    let dave = &team.seats[3];
    dave.approve(&change);
    team.seats[1].approve(&change);
    team.seats[0].sync();
    let mut command = dave
        .world
        .command(env!("CARGO_BIN_EXE_git-quorum"), &dave.dir);
    command
        .env("GIT_QUORUM_STATE", &dave.state)
        .envs(dave.env.iter().cloned());
    let died = command
        .env("GIT_QUORUM_FAULT", "append.moved")
        .arg("sync")
        .status()
        .unwrap();
    assert!(!died.success());
    let is_decided = || {
        team.world
            .load(&team.server)
            .tally
            .is_decided(change.parse().unwrap())
    };
    assert!(!is_decided(), "nobody else has the deciding vote");
    dave.no(6, "NOT_A_MEMBER", &["sync"]);
    assert!(is_decided());
    team.assert_honest();
}
