//! Ledgers that several tests start from.
#![allow(dead_code, reason = "each test uses a part of it")]

use git_quorum::charter::{Charter, ProposedCharter, Removal};
use git_quorum::id::EntryId;
use git_quorum::ledger::{CharterProposal, Statement};

use crate::lab::*;

pub const FOUR: [&str; 4] = ["a", "b", "c", "d"];
pub const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Each member prevotes with full knowledge, and the prevote counts.
pub fn prevotes(lab: &mut Lab, members: &[&str], p: EntryId, round: u32) {
    for member in members {
        let entry = lab.say(member, vec![prevote(p, round)]);
        assert_eq!(
            lab.verdicts(entry),
            [None],
            "{member} prevotes in round {round}"
        );
    }
}

pub fn precommits(lab: &mut Lab, members: &[&str], p: EntryId, round: u32) {
    for member in members {
        let entry = precommit(lab, member, p, round);
        assert_eq!(
            lab.verdicts(entry),
            [None],
            "{member} precommits in round {round}"
        );
    }
}

/// Adds a precommit with full knowledge, under the charter in force.
pub fn precommit(lab: &mut Lab, member: &str, p: EntryId, round: u32) -> EntryId {
    let charter = lab.tally.charter_in_force();
    let vote = lab.precommit(member, charter, p, round);
    lab.say(member, vec![vote])
}

/// Returns a ledger of four members with a proposal of `a` that nobody has approved.
pub fn proposed() -> (Lab, EntryId) {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    (lab, p)
}

/// Returns a ledger of four members with two rivals that all have approved. Nobody has voted.
pub fn rivals() -> (Lab, EntryId, EntryId) {
    let (mut lab, p) = proposed();
    let q = lab.say("b", vec![propose(lab.ledger, 2)]);
    for member in FOUR {
        lab.say(member, vec![approve(p), approve(q)]);
    }
    (lab, p, q)
}

/// Returns a ledger where three members prevote P in round 0 and `a` precommits it. Then the others
/// prevote Q in round 1.
pub fn locked() -> (Lab, EntryId, EntryId) {
    let (mut lab, p, q) = rivals();
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    precommits(&mut lab, &["a"], p, 0);
    prevotes(&mut lab, &["d"], q, 0);
    prevotes(&mut lab, &["b", "c", "d"], q, 1);
    (lab, p, q)
}

pub fn propose_charter(base: EntryId, charter: impl Into<Box<Charter>>) -> Statement {
    let charter = ProposedCharter::Known(charter.into());
    Statement::ProposeCharter(CharterProposal {
        base,
        charter,
        text: String::new(),
        title: "charter".into(),
    })
}

/// `a` proposes this charter as the successor of the charter in force.
pub fn with_charter(mut lab: Lab, next: Charter) -> (Lab, EntryId) {
    let base = lab.tally.charter_in_force();
    let x = lab.say("a", vec![propose_charter(base, next)]);
    (lab, x)
}

/// Each member approves, prevotes and precommits in round 0, which decides the proposal.
pub fn decide(lab: &mut Lab, members: &[&str], p: EntryId) {
    for member in members {
        lab.say(member, vec![approve(p), prevote(p, 0)]);
    }
    precommits(lab, members, p, 0);
    assert!(lab.tally.is_decided(p));
}

/// Changes the charter, decided by a, b and c.
pub fn changed(lab: Lab, next: Charter) -> (Lab, EntryId) {
    let (mut lab, x) = with_charter(lab, next);
    decide(&mut lab, &["a", "b", "c"], x);
    (lab, x)
}

/// Returns a charter of five members that protects this ref instead of main.
pub fn protecting(name: &str) -> Charter {
    let five = charter(&FIVE);
    Charter::new(
        five.members().to_vec(),
        vec![name.parse().unwrap()],
        vec![],
        five.rules().clone(),
    )
    .unwrap()
}

/// Returns a charter of the first three members, with `d` as a former member.
pub fn without_d() -> Charter {
    let three = charter(&FOUR[..3]);
    let removed = vec![Removal {
        key: public_key("d"),
        last: None,
        name: name("d"),
    }];
    Charter::new(
        three.members().to_vec(),
        three.protected().to_vec(),
        removed,
        three.rules().clone(),
    )
    .unwrap()
}

/// Returns a ledger where `d` does not vote and a member's approval of its own proposal does not
/// count.
pub fn with_observer() -> Lab {
    let four = charter(&FOUR);
    let mut members = four.members().to_vec();
    members[3].vote = false;
    let mut rules = four.rules().clone();
    (rules.quorum, rules.own_approval_counts) = (2, false);
    Lab::found(
        "a",
        Charter::new(members, four.protected().to_vec(), vec![], rules).unwrap(),
    )
}
