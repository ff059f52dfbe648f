//! Ledgers that several tests begin with.
#![allow(dead_code, reason = "each test uses a part of it")]

use git_quorum::charter::{Charter, ProposedCharter, Removal};
use git_quorum::id::EntryId;
use git_quorum::ledger::{CharterProposal, Statement};

use crate::lab::*;

pub const FOUR: [&str; 4] = ["a", "b", "c", "d"];
pub const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Each says this vote above everything, and it counts.
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

/// A precommit above everything, under the charter in force.
pub fn precommit(lab: &mut Lab, member: &str, p: EntryId, round: u32) -> EntryId {
    let charter = lab.tally.charter_in_force();
    let vote = lab.precommit(member, charter, p, round);
    lab.say(member, vec![vote])
}

/// Four members, and a proposal of `a` that nobody has approved.
pub fn proposed() -> (Lab, EntryId) {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    (lab, p)
}

/// Four members, and two rivals that all approve; nobody has voted.
pub fn rivals() -> (Lab, EntryId, EntryId) {
    let (mut lab, p) = proposed();
    let q = lab.say("b", vec![propose(lab.ledger, 2)]);
    for member in FOUR {
        lab.say(member, vec![approve(p), approve(q)]);
    }
    (lab, p, q)
}

/// Three prevote P in round 0 and `a` precommits it; then the others choose Q in round 1.
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

/// `a` proposes this charter after the one in force.
pub fn with_charter(mut lab: Lab, next: Charter) -> (Lab, EntryId) {
    let base = lab.tally.charter_in_force();
    let x = lab.say("a", vec![propose_charter(base, next)]);
    (lab, x)
}

/// Approves, prevotes and precommits in round 0.
pub fn decide(lab: &mut Lab, members: &[&str], p: EntryId) {
    for member in members {
        lab.say(member, vec![approve(p), prevote(p, 0)]);
    }
    precommits(lab, members, p, 0);
    assert!(lab.tally.is_decided(p));
}

/// The same, decided by a, b and c.
pub fn changed(lab: Lab, next: Charter) -> (Lab, EntryId) {
    let (mut lab, x) = with_charter(lab, next);
    decide(&mut lab, &["a", "b", "c"], x);
    (lab, x)
}

/// The charter of five that protects this ref instead of main.
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

/// A charter of the first three, in which `d` is a former member.
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

/// A ledger in which `d` is an observer and nobody's own approval counts.
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
