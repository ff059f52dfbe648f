//! Tests servers that hide entries or show other values than before, with and without a member's
//! help.

use serde_json::json;

use ed25519_dalek::Signer as _;
use git_quorum::consensus::{Content, agreement_statement, pre_authentication_encoding};
use git_quorum::id::{Digest, EntryId};
use git_quorum::ledger::{Precommit, RefProposal, Statement, Verdict};

use crate::lab::{approve, name, prevote, review, signing_key};
use crate::world::{Seat, Team, id};

const MEMBERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Makes one landed decision by alice, bob and carol.
fn decided() -> (Team, String) {
    let team = Team::with_seats(&MEMBERS, 3);
    let proposal = team.decide("one");
    team.sync(1);
    (team, proposal)
}

fn newcomer(team: &Team, name: &str) -> Seat {
    let seat = team.world.seat(name, team.server.to_str().unwrap());
    seat.ok(&["join"]);
    seat
}

/// Moves every lane on the server back to its last entry that does not know this entry.
fn hide(team: &Team, hidden: EntryId) {
    let tally = team.world.load(&team.server).tally;
    let dag = tally.dag();
    let hidden = dag.find(hidden).unwrap();
    for member in &MEMBERS[..3] {
        let mut tip = dag.tips(&name(member))[0];
        while dag.reaches(hidden, tip) {
            tip = dag.entry(tip).parents[0];
        }
        team.place(member, dag.entry(tip).oid);
    }
}

/// The server hides a precommit and all entries that know it, so the decision is not visible. A
/// clone that saw the decision keeps it. A clone that did not sees that no decision backs main. The
/// next member that syncs restores the entries.
#[test]
fn a_lane_that_is_cut_takes_no_decision_from_who_saw_it() {
    let (team, proposal) = decided();
    let decision = team
        .world
        .load(&team.server)
        .tally
        .decision(proposal.parse().unwrap())
        .unwrap();
    hide(&team, decision.precommits[&name("carol")]);

    let late = newcomer(&team, "late");
    assert_eq!(
        late.state(&proposal),
        "stale",
        "main moved past it, for all that can be seen"
    );
    let found = late.no(7, "VERIFICATION_FAILED", &["verify", "--backed"]);
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("refs/heads/main"),
        "{found}"
    );

    let alice = &team.seats[0];
    let (_, noted) = alice.noted(&["sync"]);
    assert!(noted.contains("lane of carol"), "{noted}");
    assert_eq!(alice.state(&proposal), "landed");
    late.ok(&["sync"]);
    late.verify();
}

/// Dave's lane held a vote. The server removes the vote, and Dave grows another branch. A clone
/// that saw the vote keeps both branches, and no decision is in doubt.
#[test]
fn a_lane_that_is_cut_and_regrown_is_seen_as_both() {
    let (team, proposal) = decided();
    let (world, server) = (&team.world, &team.server);
    let next = team.seats[0].propose("two");
    let voted: EntryId = next.parse().unwrap();
    let genesis = world.load(server).tally.dag().ledger();
    let (_, first) = world.forge(
        server,
        "dave",
        &[genesis, voted],
        vec![approve(voted), prevote(voted, 0)],
    );
    team.place("dave", first);
    team.seats[1].sync();
    let (_, second) = world.forge(
        server,
        "dave",
        &[genesis, voted],
        vec![review(voted, Verdict::Reject)],
    );
    team.place("dave", second);

    let bob = &team.seats[1];
    let (_, noted) = bob.noted(&["sync"]);
    assert!(noted.contains("The lane of dave is forked"), "{noted}");
    assert_eq!(
        bob.ok(&["status"])["forks"],
        json!([{"member": "dave", "tips": 2}])
    );
    assert_eq!(
        bob.ok(&["status"])["evidence"]["shown"],
        json!([]),
        "two reviews are no fault"
    );
    assert_eq!(bob.state(&proposal), "landed");
    let late = newcomer(&team, "late");
    assert_eq!(late.state(&proposal), "landed");
    assert_eq!(
        late.ok(&["show", &next])["id"],
        json!(id(&bob.ok(&["show", &next])))
    );
}

/// The server hides the charter's change: a newcomer takes the old charter for the one in force, and sees that what
/// was decided since is not backed.
#[test]
fn an_old_charter_that_is_shown_as_the_new_one_backs_nothing_new() {
    let (team, _) = decided();
    let lanes = team.ledger_ref("lane/");
    let listing = |team: &Team| {
        team.world.git(
            &team.server,
            &["for-each-ref", "--format=%(refname) %(objectname)", &lanes],
        )
    };
    let before = listing(&team);
    let alice = &team.seats[0];
    let shown = alice.run(&["charter", "show", "--toml"]).out;
    let file = team.world.path("charter.toml");
    std::fs::write(
        &file,
        shown.replace("protect = [", "protect = [\"refs/tags/v*\", "),
    )
    .unwrap();
    let change = id(&alice.ok(&[
        "charter",
        "propose",
        "--file",
        file.to_str().unwrap(),
        "-m",
        "tags",
    ]));
    team.seats[1..]
        .iter()
        .for_each(|seat| drop(seat.approve(&change)));
    team.settle(&change);
    let two = team.decide("two");
    for line in before.lines() {
        let (name, oid) = line.split_once(' ').unwrap();
        team.world.git(&team.server, &["update-ref", name, oid]);
    }
    let late = newcomer(&team, "late");
    late.no(7, "VERIFICATION_FAILED", &["verify"]);
    // Who saw the change knows better, and tells.
    let (_, noted) = alice.noted(&["sync"]);
    assert!(noted.contains("lane of"), "{noted}");
    assert_ne!(
        alice.ok(&["status"])["charter"],
        late.ok(&["status"])["charter"]
    );
    assert_eq!(alice.state(&two), "landed");
    late.ok(&["sync"]);
    late.verify();
    assert_eq!(
        late.state(&two),
        "landed",
        "a member that has the entries brings them back"
    );
}

/// Members whose tools look at nothing decide a proposal that says something else than its commits hold.
#[test]
fn a_decision_about_other_content_than_it_says_is_told() {
    let team = Team::with_seats(&MEMBERS, 1);
    let (world, server) = (&team.world, &team.server);
    let alice = &team.seats[0];
    let honest = alice.propose("one");
    alice.sync();
    let shown = alice.ok(&["show", &honest]);
    let loaded = world.load(server);
    let Content::Ref(content) = loaded
        .tally
        .content(loaded.tally.proposal(honest.parse().unwrap()).unwrap())
    else {
        panic!("{shown}")
    };
    let false_one = RefProposal {
        change: Digest::new([7; 32]),
        ..content.clone()
    };
    let forge = |member: &str, parents: &[EntryId], said| {
        let (id, oid) = world.forge(server, member, parents, said);
        team.place(member, oid);
        id
    };
    let genesis = loaded.tally.dag().ledger();
    let p = forge("bob", &[genesis], vec![Statement::Propose(false_one)]);
    let mut last = [("bob", p), ("carol", genesis), ("dave", genesis)].map(|(member, first)| {
        let parents = if first == p { vec![p] } else { vec![first, p] };
        forge(member, &parents, vec![approve(p), prevote(p, 0)])
    });
    let tally = world.load(server).tally;
    let body = pre_authentication_encoding(&agreement_statement(&tally, genesis, p, 0).unwrap());
    for (number, member) in ["bob", "carol", "dave"].into_iter().enumerate() {
        let signature = signing_key(member).sign(&body).to_bytes();
        let said = Statement::Precommit(Precommit {
            proposal: p,
            round: 0,
            signature,
        });
        last.rotate_left(number);
        forge(member, &last, vec![said]);
        last.rotate_right(number);
    }
    alice.sync();
    let found = alice.no(7, "VERIFICATION_FAILED", &["verify"]);
    let message = found["message"].as_str().unwrap();
    assert!(
        message.contains(&p.to_string()[..8]) && message.contains("change digest"),
        "{found}"
    );
}
