//! The rules of deciding, one case a rule: kept, and broken.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "common/lab.rs"]
mod lab;
#[path = "common/scenes.rs"]
mod scenes;

use std::collections::BTreeSet;

use git_quorum::charter::{Charter, Member, ProposedCharter, Removal};
use git_quorum::consensus::{DiscountReason, EvidenceRule, Slot, Subject};
use git_quorum::id::EntryId;
#[cfg(debug_assertions)]
use git_quorum::ledger::lookups;
use git_quorum::ledger::{CharterProposal, RefProposal, Statement, Verdict, Withdraw, parse};
use lab::*;
use scenes::{
    FIVE, FOUR, locked, precommit, precommits, prevotes, propose_charter, proposed, rivals,
    with_observer,
};

type Codes = Vec<Option<&'static str>>;

/// The verdicts on the last entry of a ledger that `make` builds.
fn check(rule: &str, expected: &[Option<&str>], make: impl Fn() -> (Lab, EntryId)) -> Codes {
    let (lab, last) = make();
    let verdicts = lab.verdicts(last);
    assert_eq!(verdicts, expected, "{rule}");
    verdicts
}

fn approvals(lab: &mut Lab, members: &[&str], p: EntryId) {
    for member in members {
        lab.say(member, vec![approve(p)]);
    }
}

/// Approves, prevotes and precommits in round 0.
fn decide(lab: &mut Lab, members: &[&str], p: EntryId) {
    approvals(lab, members, p);
    prevotes(lab, members, p, 0);
    precommits(lab, members, p, 0);
    assert!(lab.tally.is_decided(p));
}

fn charter_of(members: Vec<Member>, protect: &[&str], removed: &[&str], quorum: usize) -> Charter {
    let removal = |m: &&str| Removal {
        key: public_key(m),
        last: None,
        name: name(m),
    };
    let mut rules = charter(&FOUR).rules().clone();
    rules.quorum = quorum;
    let protect = protect.iter().map(|p| p.parse().unwrap()).collect();
    Charter::new(
        members,
        protect,
        removed.iter().map(removal).collect(),
        rules,
    )
    .unwrap()
}

fn voters(members: &[&str]) -> Vec<Member> {
    members.iter().map(|m| voter(m)).collect()
}

/// A charter that nobody has voted on: the four and `e`.
fn with_charter(lab: Lab) -> (Lab, EntryId) {
    scenes::with_charter(lab, charter(&FIVE))
}

/// The same, decided by a, b and c.
fn with_new_charter(lab: Lab) -> (Lab, EntryId) {
    let (mut lab, x) = with_charter(lab);
    decide(&mut lab, &["a", "b", "c"], x);
    (lab, x)
}

/// P has a prevote quorum under the first charter, of a, b and c, and the charter has changed since.
fn handed_down() -> (Lab, EntryId, EntryId) {
    let (mut lab, p, q) = rivals();
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    let (lab, _) = with_new_charter(lab);
    (lab, p, q)
}

/// P is decided under the first charter, but nobody who knows it tells; the charter has changed since.
fn decided_and_changed() -> (Lab, EntryId, EntryId) {
    let (mut lab, p, q) = rivals();
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    precommits(&mut lab, &["a", "b", "c"], p, 0);
    let (lab, _) = with_new_charter(lab);
    (lab, p, q)
}

fn propose_ref(base: EntryId, name: &str) -> Statement {
    let Statement::Propose(proposal) = propose(base, 9) else {
        unreachable!()
    };
    Statement::Propose(RefProposal {
        name: name.parse().unwrap(),
        ..proposal
    })
}

fn withdraw(proposal: EntryId) -> Statement {
    Statement::Withdraw(Withdraw { proposal })
}

#[test]
fn a_proposal_without_rival_is_decided_by_three_of_four() {
    let (mut lab, p) = proposed();
    for member in ["a", "b", "c"] {
        lab.say(member, vec![approve(p), prevote(p, 0)]);
    }
    precommits(&mut lab, &["c", "a"], p, 0);
    assert!(!lab.tally.is_decided(p));
    precommits(&mut lab, &["b"], p, 0);
    assert!(lab.tally.is_decided(p));
    assert_eq!(lab.tally.decision(p).unwrap().precommits.len(), 3);
    assert!(lab.tally.discounted().is_empty() && lab.tally.evidence().is_empty());
}

fn proposals() -> Codes {
    let mut codes = check(
        "a ref that nobody protects",
        &[Some("NOT_PROTECTED")],
        || {
            let (mut lab, _) = proposed();
            let last = lab.say("a", vec![propose_ref(lab.ledger, "refs/heads/other")]);
            (lab, last)
        },
    );
    codes.extend(check(
        "a base that is no proposal",
        &[Some("WRONG_BASE")],
        || {
            let (mut lab, _) = proposed();
            let last = lab.say("a", vec![propose(EntryId::of(b"nothing"), 2)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "a base that is a charter's proposal",
        &[Some("WRONG_BASE")],
        || {
            let (mut lab, x) = with_new_charter(Lab::new(&FOUR));
            let last = lab.say("a", vec![propose(x, 2)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "a base that is not decided",
        &[Some("BASE_NOT_DECIDED")],
        || {
            let (mut lab, p) = proposed();
            let last = lab.say("a", vec![propose(p, 2)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "a base whose decision is not known",
        &[Some("BASE_NOT_DECIDED")],
        || {
            let (mut lab, p) = proposed();
            decide(&mut lab, &["a", "b", "c"], p);
            let last = lab.entry("d", lab.ledger, &[lab.ledger, p], vec![propose(p, 2)]);
            (lab, last)
        },
    ));
    codes.extend(check("a decided base", &[None], || {
        let (mut lab, p) = proposed();
        decide(&mut lab, &["a", "b", "c"], p);
        let last = lab.say("d", vec![propose(p, 2)]);
        (lab, last)
    }));
    codes.extend(check(
        "a charter that forgets a member",
        &[Some("NOT_A_SUCCESSOR")],
        || {
            let mut lab = Lab::new(&FOUR);
            let last = lab.say(
                "a",
                vec![propose_charter(lab.ledger, charter(&["a", "b", "c"]))],
            );
            (lab, last)
        },
    ));
    codes
}

fn judgements() -> Codes {
    let mut codes = check(
        "a proposal that is not among the ancestors",
        &[Some("UNKNOWN_PROPOSAL"); 4],
        || {
            let (mut lab, p) = proposed();
            let vote = lab.precommit("b", lab.ledger, p, 0);
            let said = vec![approve(p), withdraw(p), prevote(p, 0), vote];
            let last = lab.entry("b", lab.ledger, &[lab.ledger], said);
            (lab, last)
        },
    );
    codes.extend(check(
        "an invalid proposal",
        &[Some("UNKNOWN_PROPOSAL"); 2],
        || {
            let (mut lab, p) = proposed();
            let invalid = lab.say("b", vec![propose(p, 2)]);
            let last = lab.say("b", vec![approve(invalid), prevote(invalid, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "another's proposal, withdrawn",
        &[Some("NOT_THE_PROPOSER")],
        || {
            let (mut lab, p) = proposed();
            let last = lab.say("b", vec![withdraw(p)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "an observer has views",
        &[Some("NOT_A_VOTER"), None, Some("NOT_A_VOTER")],
        || {
            let mut lab = with_observer();
            let p = lab.say("a", vec![propose(lab.ledger, 1)]);
            let last = lab.say(
                "d",
                vec![approve(p), review(p, Verdict::Reject), prevote(p, 0)],
            );
            (lab, last)
        },
    ));
    codes.extend(check(
        "the proposer's own approval",
        &[Some("OWN_APPROVAL"), Some("NOT_APPROVED")],
        || {
            let mut lab = with_observer();
            let p = lab.say("a", vec![propose(lab.ledger, 1)]);
            let last = lab.say("a", vec![approve(p), prevote(p, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "all kinds under a charter that is not decided",
        &[Some("CHARTER_NOT_DECIDED"); 6],
        || {
            let (lab, p) = proposed();
            let (mut lab, x) = with_charter(lab);
            let vote = lab.precommit("a", x, p, 0);
            let views = [approve(p), review(p, Verdict::Reject), withdraw(p)];
            let said = [
                &[propose(lab.ledger, 3)],
                &views[..],
                &[prevote(p, 0), vote],
            ]
            .concat();
            let last = lab.entry("a", x, &lab.above_all("a"), said);
            (lab, last)
        },
    ));
    codes
}

fn approvals_needed() -> Codes {
    let mut codes = check(
        "the own approval is enough in round 0",
        &[None, None],
        || {
            let (mut lab, p) = proposed();
            let last = lab.say("b", vec![approve(p), prevote(p, 0)]);
            (lab, last)
        },
    );
    codes.extend(check(
        "an approval comes before the vote",
        &[Some("NOT_APPROVED"), None],
        || {
            let (mut lab, p) = proposed();
            let last = lab.say("b", vec![prevote(p, 0), approve(p)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "a rejection is no approval",
        &[None, Some("NOT_APPROVED")],
        || {
            let (mut lab, p) = proposed();
            let last = lab.say("b", vec![review(p, Verdict::Reject), prevote(p, 0)]);
            (lab, last)
        },
    ));
    for (approving, expected) in [(2, Some("NOT_APPROVED")), (3, None)] {
        codes.extend(check(
            "a quorum of others' approvals is enough",
            &[expected],
            || {
                let (mut lab, p) = proposed();
                approvals(&mut lab, &FOUR[..approving], p);
                let last = lab.say("d", vec![prevote(p, 0)]);
                (lab, last)
            },
        ));
    }
    for (approving, expected) in [(2, Some("NOT_APPROVED")), (3, None)] {
        codes.extend(check(
            "in a later round only a quorum of approvals is enough",
            &[expected],
            || {
                let (mut lab, p) = proposed();
                let q = lab.say("b", vec![propose(lab.ledger, 2)]);
                approvals(&mut lab, &FOUR[..approving], p);
                approvals(&mut lab, &["d"], q);
                prevotes(&mut lab, &["a", "b"], p, 0);
                prevotes(&mut lab, &["d"], q, 0);
                let last = lab.say("a", vec![prevote(p, 1)]);
                (lab, last)
            },
        ));
    }
    codes
}

fn precommits_needed() -> Codes {
    let mut codes = Codes::new();
    for (prevoting, expected) in [(2, Some("NO_PREVOTE_QUORUM")), (3, None)] {
        codes.extend(check(
            "rule 2: a precommit needs a prevote quorum",
            &[expected],
            || {
                let (mut lab, p, _) = rivals();
                prevotes(&mut lab, &FOUR[..prevoting], p, 0);
                let last = precommit(&mut lab, "d", p, 0);
                (lab, last)
            },
        ));
    }
    codes.extend(check(
        "rule 2: prevotes of several rounds make no quorum",
        &[Some("NO_PREVOTE_QUORUM")],
        || {
            let (mut lab, p, q) = rivals();
            prevotes(&mut lab, &["a", "b"], p, 0);
            prevotes(&mut lab, &["c"], q, 0);
            prevotes(&mut lab, &["c", "d"], p, 1);
            let last = precommit(&mut lab, "c", p, 1);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 2: a member's prevotes count once",
        &[Some("NO_PREVOTE_QUORUM")],
        || {
            let (mut lab, p, _) = rivals();
            prevotes(&mut lab, &["a", "b", "b", "b"], p, 0);
            let last = precommit(&mut lab, "a", p, 0);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 2: the signature is of this round",
        &[Some("BAD_AGREEMENT_SIGNATURE"), None],
        || {
            let (mut lab, p, _) = rivals();
            prevotes(&mut lab, &["a", "b", "c"], p, 0);
            let (good, other) = (
                lab.precommit("a", lab.ledger, p, 0),
                lab.precommit("a", lab.ledger, p, 1),
            );
            let (Statement::Precommit(mut vote), Statement::Precommit(other)) =
                (good.clone(), other)
            else {
                unreachable!()
            };
            vote.signature = other.signature;
            let last = lab.say("a", vec![Statement::Precommit(vote), good]);
            (lab, last)
        },
    ));
    codes
}

#[test]
fn rule_3_precommits_of_several_rounds_decide_nothing() {
    let (mut lab, p, _) = rivals();
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    precommits(&mut lab, &["a", "b"], p, 0);
    prevotes(&mut lab, &["a", "b", "c", "d"], p, 1);
    precommits(&mut lab, &["c", "d"], p, 1);
    assert!(
        !lab.tally.is_decided(p),
        "two of round 0 and two of round 1"
    );
    precommits(&mut lab, &["a"], p, 1);
    assert_eq!(lab.tally.decision(p).unwrap().round, 1);
}

fn own_order() -> Codes {
    let mut codes = check(
        "rule 4: no round below one voted in",
        &[Some("ROUND_WENT_BACK"); 2],
        || {
            let (mut lab, p, _) = rivals();
            prevotes(&mut lab, &["a", "b", "c"], p, 0);
            prevotes(&mut lab, &["d"], p, 1);
            let vote = lab.precommit("d", lab.ledger, p, 0);
            let last = lab.say("d", vec![prevote(p, 0), vote]);
            (lab, last)
        },
    );
    codes.extend(check(
        "rule 4: going back is told before voting twice",
        &[Some("ROUND_WENT_BACK")],
        || {
            let (mut lab, p, q) = rivals();
            prevotes(&mut lab, &["a", "b", "c"], p, 0);
            prevotes(&mut lab, &["a"], p, 1);
            let last = lab.say("a", vec![prevote(q, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 4: one prevote a round",
        &[None, Some("SECOND_VOTE"), None],
        || {
            let (mut lab, p, q) = rivals();
            let last = lab.say("a", vec![prevote(p, 0), prevote(q, 0), prevote(p, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 4: of one round both phases",
        &[None, None],
        || {
            let (mut lab, p, _) = rivals();
            prevotes(&mut lab, &["b", "c", "d"], p, 0);
            let vote = lab.precommit("a", lab.ledger, p, 0);
            let last = lab.say("a", vec![vote, prevote(p, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 4: only votes that count are looked at",
        &[Some("ROUND_NOT_ENTERED"), None],
        || {
            let (mut lab, p, _) = rivals();
            let last = lab.say("a", vec![prevote(p, 1), prevote(p, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 4: the lock binds",
        &[Some("LOCKED"), None],
        || {
            let (mut lab, p, q) = locked();
            let last = lab.say("a", vec![prevote(q, 1), prevote(p, 1)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 4: a quorum of a round between releases",
        &[None],
        || {
            let (mut lab, _, q) = locked();
            let last = lab.say("a", vec![prevote(q, 2)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 4: a quorum of the lock's own round does not release",
        &[Some("LOCKED")],
        || {
            let (mut lab, p, q) = locked();
            precommits(&mut lab, &["a"], p, 0);
            let last = lab.say("a", vec![prevote(q, 1)]);
            (lab, last)
        },
    ));
    codes
}

fn entering() -> Codes {
    let mut codes = Codes::new();
    for (voting, expected) in [(2, Some("ROUND_NOT_ENTERED")), (3, None)] {
        codes.extend(check(
            "rule 5a: a quorum has voted in the round before",
            &[expected],
            || {
                let (mut lab, p, q) = rivals();
                prevotes(&mut lab, &["a", "b"][..voting - 1], p, 0);
                prevotes(&mut lab, &["c"], q, 0);
                let last = lab.say("d", vec![prevote(p, 1)]);
                (lab, last)
            },
        ));
    }
    codes.extend(check(
        "rule 5a: both phases in a round, then the next round",
        &[None, None],
        || {
            let (mut lab, p, _) = rivals();
            prevotes(&mut lab, &["a", "b", "c"], p, 0);
            prevotes(&mut lab, &["a", "b", "c"], p, 1);
            precommits(&mut lab, &["d"], p, 0);
            let vote = lab.precommit("d", lab.ledger, p, 1);
            let last = lab.say("d", vec![vote, prevote(p, 2)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 5a: the last round there is",
        &[Some("ROUND_NOT_ENTERED"); 2],
        || {
            let (mut lab, p, _) = rivals();
            prevotes(&mut lab, &["a", "b", "c"], p, 0);
            let vote = lab.precommit("a", lab.ledger, p, u32::MAX);
            let last = lab.say("a", vec![prevote(p, u32::MAX), vote]);
            (lab, last)
        },
    ));
    codes
}

fn charter_changes() -> Codes {
    let mut codes = check(
        "rule 6: a precommit of the change freezes",
        &[Some("FROZEN"); 2],
        || {
            let (mut lab, p, _) = rivals();
            prevotes(&mut lab, &["a", "b", "c"], p, 0);
            let (mut lab, x) = with_charter(lab);
            approvals(&mut lab, &FOUR, x);
            prevotes(&mut lab, &FOUR, x, 0);
            precommits(&mut lab, &["a"], x, 0);
            let vote = lab.precommit("a", lab.ledger, p, 0);
            let last = lab.say("a", vec![vote, prevote(p, 1)]);
            (lab, last)
        },
    );
    codes.extend(check(
        "rule 6: a prevote of the change does not freeze",
        &[None, None],
        || {
            let (lab, p, _) = rivals();
            let (mut lab, x) = with_charter(lab);
            let last = lab.say("a", vec![approve(x), prevote(p, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 6: what was handed down needs no approval",
        &[None, Some("HANDED_DOWN"), None],
        || {
            let (mut lab, p, q) = handed_down();
            let last = lab.say("e", vec![approve(q), prevote(q, 0), prevote(p, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 6: approvals do not carry over",
        &[Some("NOT_APPROVED")],
        || {
            let (lab, p, _) = rivals();
            let (mut lab, _) = with_new_charter(lab);
            let last = lab.say("a", vec![prevote(p, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 6: rounds start at 0",
        &[Some("ROUND_NOT_ENTERED"), None, None],
        || {
            let (mut lab, p, q) = rivals();
            prevotes(&mut lab, &["a", "b"], p, 0);
            prevotes(&mut lab, &["c"], q, 0);
            prevotes(&mut lab, &["a", "b"], p, 1);
            let (mut lab, _) = with_new_charter(lab);
            let last = lab.say("a", vec![prevote(p, 1), approve(p), prevote(p, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "rule 6: a decision under an earlier charter stands",
        &[Some("SLOT_DECIDED"); 2],
        || {
            let (mut lab, _, q) = decided_and_changed();
            let charter = lab.tally.charter_in_force();
            let vote = lab.precommit("d", charter, q, 0);
            let last = lab.say("d", vec![prevote(q, 0), vote]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "a vote about a charter is made under it",
        &[Some("WRONG_BASE")],
        || {
            let (lab, x) = with_new_charter(Lab::new(&FOUR));
            let mut lab = lab;
            let last = lab.say("a", vec![prevote(x, 0)]);
            (lab, last)
        },
    ));
    codes.extend(check(
        "a vote about a ref that is no longer protected",
        &[Some("NOT_PROTECTED")],
        || {
            let (mut lab, p, _) = rivals();
            let x = lab.say(
                "a",
                vec![propose_charter(
                    lab.ledger,
                    charter_of(voters(&FOUR), &["refs/heads/x"], &[], 3),
                )],
            );
            decide(&mut lab, &["a", "b", "c"], x);
            let last = lab.say("a", vec![prevote(p, 0)]);
            (lab, last)
        },
    ));
    codes
}

fn main_slot(lab: &Lab) -> Slot {
    Slot {
        subject: Subject::Ref("refs/heads/main".parse().unwrap()),
        base: lab.ledger,
    }
}

/// Every code is given somewhere, so none is forgotten and none is dead.
#[test]
fn every_rule_kept_and_broken() {
    let groups = [
        proposals,
        judgements,
        approvals_needed,
        precommits_needed,
        own_order,
        entering,
        charter_changes,
    ];
    let seen: BTreeSet<_> = groups.iter().flat_map(|group| group()).flatten().collect();
    assert_eq!(seen, DiscountReason::ALL.iter().map(|r| r.code()).collect());
}

/// Another value gets a quorum under the new charter (and so releases) only where its voters did not know the old
/// quorum: `rule-6-release` among the vectors.
#[test]
fn a_value_handed_down_is_decided_under_the_new_charter() {
    let (mut lab, p, q) = handed_down();
    let x = lab.tally.charter_in_force();
    for member in ["a", "b", "c", "d", "e"] {
        let entry = lab.say(member, vec![prevote(p, 0)]);
        assert_eq!(lab.verdicts(entry), [None], "{member}");
    }
    let entry = lab.say("a", vec![prevote(q, 1)]);
    assert_eq!(lab.verdicts(entry), [Some("NOT_APPROVED")]);
    precommits(&mut lab, &["a", "b", "c", "e"], p, 0);
    let decision = lab.tally.decision(p).unwrap();
    assert_eq!((decision.charter, decision.precommits.len()), (x, 4));
}

#[test]
fn two_charter_changes_in_a_row_hand_the_value_on() {
    let (mut lab, p, q) = handed_down();
    let x = lab.tally.charter_in_force();
    let six = charter(&["a", "b", "c", "d", "e", "f"]);
    let y = lab.say("a", vec![propose_charter(x, six)]);
    decide(&mut lab, &["a", "b", "c", "d"], y);
    assert_eq!(lab.tally.charter_chain().decided, [x, y]);
    let last = lab.say("e", vec![approve(q), prevote(q, 0)]);
    assert_eq!(lab.verdicts(last), [None, Some("HANDED_DOWN")]);
    prevotes(&mut lab, &["a", "b", "c", "f"], p, 0);
    precommits(&mut lab, &["a", "b", "c", "f"], p, 0);
    assert!(lab.tally.is_decided(p) && lab.tally.evidence().is_empty());
}

#[test]
fn a_removed_member_speaks_under_its_old_charters_only() {
    let (mut lab, p) = proposed();
    let three = charter_of(voters(&["a", "b", "c"]), &["refs/heads/main"], &["d"], 2);
    let x = lab.say("a", vec![propose_charter(lab.ledger, three)]);
    decide(&mut lab, &["a", "b", "c"], x);
    let payload = lab.payload("d", x, &lab.above_all("d"), vec![approve(p)]);
    let made = lab.make(&payload);
    assert_eq!(lab.take(made).unwrap_err().reason.code(), "NOT_A_MEMBER");
    let old = lab.entry(
        "d",
        lab.ledger,
        &lab.above_all("d"),
        vec![approve(p), prevote(p, 0)],
    );
    assert_eq!(lab.verdicts(old), [None, None]);
    decide(&mut lab, &["a", "b"], p);
    assert_eq!(lab.tally.decision(p).unwrap().charter, x);
}

#[test]
fn a_newer_charter_is_agreed_on_and_not_understood() {
    let mut lab = Lab::new(&FOUR);
    let charter = ProposedCharter::Newer {
        version: 2,
        value: serde_json::json!({"v": 2, "tribes": []}),
    };
    let base = lab.ledger;
    let newer = CharterProposal {
        base,
        charter,
        text: String::new(),
        title: "v2".into(),
    };
    let x = lab.say("a", vec![Statement::ProposeCharter(newer)]);
    for member in ["a", "b", "c"] {
        let entry = lab.entry(
            member,
            base,
            &lab.above_all(member),
            vec![approve(x), prevote(x, 0)],
        );
        assert_eq!(lab.verdicts(entry), [None, None]);
    }
    for member in ["a", "b", "c"] {
        assert_eq!(lab.tally.upgrade_needed(), None);
        let vote = lab.precommit(member, base, x, 0);
        let entry = lab.entry(member, base, &lab.above_all(member), vec![vote]);
        assert_eq!(lab.verdicts(entry), [None]);
    }
    assert_eq!(lab.tally.upgrade_needed(), Some(2));
    assert!(
        lab.tally
            .chain(&Subject::Ref("refs/heads/main".parse().unwrap()))
            .is_none()
    );
}

#[test]
fn a_ref_that_was_unprotected_starts_anew() {
    let (mut lab, p) = proposed();
    decide(&mut lab, &["a", "b", "c"], p);
    let other = charter_of(voters(&FOUR), &["refs/heads/x"], &[], 3);
    let x = lab.say("a", vec![propose_charter(lab.ledger, other)]);
    decide(&mut lab, &["a", "b", "c"], x);
    let y = lab.say("a", vec![propose_charter(x, charter(&FOUR))]);
    decide(&mut lab, &["a", "b", "c"], y);
    let on_old = lab.say("a", vec![propose(p, 2)]);
    let on_first = lab.say("a", vec![propose(lab.ledger, 3)]);
    let anew = lab.say("a", vec![propose(y, 4)]);
    let verdicts = [on_old, on_first, anew].map(|e| lab.verdicts(e)[0]);
    assert_eq!(verdicts, [Some("WRONG_BASE"), Some("WRONG_BASE"), None]);
    decide(&mut lab, &["a", "b", "c"], anew);
    let chain = lab.tally.chain(&main_slot(&lab).subject).unwrap();
    assert_eq!((chain.root, chain.decided), (y, vec![anew]));
}

#[test]
fn as_many_decide_as_the_charter_says() {
    let all = ["a", "b", "c", "d", "e", "f", "g"];
    for (n, q) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5)] {
        let mut lab = Lab::new(&all[..n]);
        let p = lab.say("a", vec![propose(lab.ledger, 1)]);
        approvals(&mut lab, &all[..n], p);
        prevotes(&mut lab, &all[..q - 1], p, 0);
        let early = precommit(&mut lab, "a", p, 0);
        assert_eq!(lab.verdicts(early), [Some("NO_PREVOTE_QUORUM")], "n = {n}");
        prevotes(&mut lab, &all[q - 1..q], p, 0);
        precommits(&mut lab, &all[..q - 1], p, 0);
        assert!(!lab.tally.is_decided(p), "n = {n}");
        precommits(&mut lab, &all[q - 1..q], p, 0);
        assert!(lab.tally.is_decided(p), "n = {n}");
    }
}

/// Who is convicted of what.
fn convicted(lab: &Lab) -> Vec<(String, EvidenceRule)> {
    lab.tally
        .evidence()
        .into_iter()
        .map(|e| (e.member.to_string(), e.rule))
        .collect()
}

#[test]
fn votes_on_separate_branches_count_and_convict() {
    let (mut lab, p, q) = rivals();
    let parents = lab.above_all("d");
    let both = [p, q].map(|v| lab.entry("d", lab.ledger, &parents, vec![prevote(v, 0)]));
    assert_eq!(both.map(|e| lab.verdicts(e)), [vec![None], vec![None]]);
    assert_eq!(
        convicted(&lab),
        [("d".to_owned(), EvidenceRule::Equivocation)]
    );
    let named: BTreeSet<_> = lab.tally.evidence()[0].entries.into();
    assert_eq!(named, both.into());
    // Each is a prevote towards a quorum of its own.
    prevotes(&mut lab, &["a", "b"], p, 0);
    precommits(&mut lab, &["a"], p, 0);
    prevotes(&mut lab, &["c"], q, 0);
    let last = precommit(&mut lab, "c", q, 0);
    assert_eq!(lab.verdicts(last), [Some("NO_PREVOTE_QUORUM")]);
    assert_eq!(convicted(&lab).len(), 1);
}

#[test]
fn two_locks_of_one_round_bind_alike_in_either_order_of_arrival() {
    // Three members tolerate no liar: with one, both rivals get a prevote quorum.
    let mut lab = Lab::new(&["a", "b", "c"]);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let q = lab.say("b", vec![propose(lab.ledger, 2)]);
    for proposal in [p, q] {
        approvals(&mut lab, &["a", "b", "c"], proposal);
    }
    prevotes(&mut lab, &["a"], p, 0);
    prevotes(&mut lab, &["b"], q, 0);
    let parents = lab.above_all("c");
    let tips = [p, q].map(|v| {
        let vote = lab.precommit("c", lab.ledger, v, 0);
        let entry = lab.entry("c", lab.ledger, &parents, vec![prevote(v, 0), vote]);
        assert_eq!(lab.verdicts(entry), [None, None]);
        entry
    });
    let joined = lab.entry("c", lab.ledger, &tips, vec![prevote(p, 1), prevote(q, 1)]);
    assert_eq!(lab.verdicts(joined), [Some("LOCKED"), Some("LOCKED")]);
}

#[test]
fn votes_that_do_not_count_convict_too() {
    let (mut lab, p, q) = rivals();
    lab.say("a", vec![prevote(p, 0), prevote(q, 0)]);
    assert_eq!(
        convicted(&lab),
        [("a".to_owned(), EvidenceRule::Equivocation)]
    );
}

#[test]
fn a_prevote_against_the_lock_convicts_and_a_released_one_does_not() {
    let (mut lab, _, q) = locked();
    let mut released = lab.clone();
    lab.say("a", vec![prevote(q, 1)]);
    assert_eq!(
        convicted(&lab),
        [("a".to_owned(), EvidenceRule::LockViolation)]
    );
    prevotes(&mut released, &["a", "b", "c", "d"], q, 2);
    precommits(&mut released, &["a", "b", "c"], q, 2);
    assert!(released.tally.is_decided(q) && convicted(&released).is_empty());
}

#[test]
fn a_vote_beside_the_freeze_convicts_and_one_before_it_does_not() {
    let (mut lab, p, _) = rivals();
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    let (mut lab, x) = with_charter(lab);
    approvals(&mut lab, &FOUR, x);
    prevotes(&mut lab, &FOUR, x, 0);
    let parents = lab.above_all("a");
    precommits(&mut lab, &FOUR[..3], x, 0);
    assert!(convicted(&lab).is_empty(), "a, b and c prevoted P before");
    let vote = lab.precommit("a", lab.ledger, p, 0);
    let beside = lab.entry("a", lab.ledger, &parents, vec![vote]);
    assert_eq!(
        lab.verdicts(beside),
        [None],
        "on its branch it is a good vote"
    );
    assert_eq!(
        convicted(&lab),
        [("a".to_owned(), EvidenceRule::FreezeViolation)]
    );
}

#[test]
fn honest_sequences_convict_nobody() {
    let (mut lab, p, q) = locked();
    // a stays with its lock; the same votes twice, on two branches; then the release.
    let parents = lab.above_all("a");
    let first = lab.entry("a", lab.ledger, &parents, vec![prevote(p, 1)]);
    let parents = lab.above_all("a");
    let again = lab.entry("a", lab.ledger, &parents, vec![prevote(p, 1)]);
    assert_eq!([first, again].map(|e| lab.verdicts(e)), [[None], [None]]);
    precommits(&mut lab, &["b", "c"], q, 1);
    prevotes(&mut lab, &["a", "b", "c", "d"], q, 2);
    precommits(&mut lab, &["a"], q, 2);
    // Votes under the next charter are a matter of their own.
    let (mut lab, _) = with_new_charter(lab);
    approvals(&mut lab, &FIVE, q);
    prevotes(&mut lab, &FIVE, q, 0);
    assert!(convicted(&lab).is_empty());
}

#[test]
fn identical_votes_on_two_branches_are_no_fault() {
    let (mut lab, p, _) = rivals();
    let parents = lab.above_all("a");
    let twins = [0, 1].map(|_| lab.entry("a", lab.ledger, &parents, vec![prevote(p, 0)]));
    let joined = lab.entry("a", lab.ledger, &twins, vec![prevote(p, 0)]);
    assert_eq!(lab.verdicts(joined), [None]);
    prevotes(&mut lab, &["b"], p, 0);
    let early = precommit(&mut lab, "b", p, 0);
    assert_eq!(
        lab.verdicts(early),
        [Some("NO_PREVOTE_QUORUM")],
        "three entries, one voice"
    );
    assert!(lab.tally.evidence().is_empty());
}

#[test]
fn a_late_entry_counts_as_if_it_had_come_in_time() {
    let (mut lab, p, q) = rivals();
    let late = lab.entry("d", lab.ledger, &lab.above_all("d"), vec![prevote(q, 0)]);
    let parents = lab.above("a", &[lab.tip("b"), lab.tip("c")]);
    lab.entry("a", lab.ledger, &parents, vec![prevote(p, 0)]);
    prevotes(&mut lab, &["b", "c"], p, 0);
    precommits(&mut lab, &["a", "b", "c"], p, 0);
    let mut other =
        git_quorum::consensus::Tally::found(parse(&lab.made[0].raw).unwrap(), lab.made[0].oid)
            .unwrap();
    let mut waiting: Vec<_> = lab.made[1..].to_vec();
    waiting.sort_by_key(|made| made.id == late);
    // The late one comes last of all that do not build on it; again and again what can go in goes in.
    while !waiting.is_empty() {
        waiting.retain(|made| other.insert(parse(&made.raw).unwrap(), made.oid).is_err());
    }
    assert_eq!(other.is_decided(p), lab.tally.is_decided(p));
    assert_eq!(other.decision(p), lab.tally.decision(p));
    assert_eq!(
        (other.discounted().len(), other.evidence()),
        (lab.tally.discounted().len(), lab.tally.evidence())
    );
}

/// A slot that was broken stays broken, also when its ref is no longer protected.
#[test]
fn a_broken_slot_is_told_of_for_ever() {
    let mut lab = Lab::new(&["a"]);
    let genesis = lab.ledger;
    let first = lab.entry("a", genesis, &[genesis], vec![propose(genesis, 1)]);
    let second = lab.entry("a", genesis, &[first], vec![propose(genesis, 2)]);
    let branches = [first, second].map(|p| {
        let votes = lab.entry("a", genesis, &[second], vec![approve(p), prevote(p, 0)]);
        let vote = lab.precommit("a", genesis, p, 0);
        lab.entry("a", genesis, &[votes], vec![vote])
    });
    assert_eq!(lab.tally.broken_slots().count(), 1);

    let mut rules = lab.tally.dag().charter(genesis).unwrap().charter.clone();
    rules = git_quorum::charter::Charter::new(
        rules.members().to_vec(),
        vec!["refs/heads/dev".parse().unwrap()],
        vec![],
        rules.rules().clone(),
    )
    .unwrap();
    let change = lab.entry(
        "a",
        genesis,
        &branches,
        vec![propose_charter(genesis, rules)],
    );
    let votes = lab.entry(
        "a",
        genesis,
        &[change],
        vec![approve(change), prevote(change, 0)],
    );
    let vote = lab.precommit("a", genesis, change, 0);
    lab.entry("a", genesis, &[votes], vec![vote]);
    assert_eq!(lab.tally.charter_in_force(), change);
    assert_eq!(lab.tally.broken_slots().count(), 1);
    assert_eq!(convicted(&lab).len(), 2, "by prevote and precommit");
}

/// What was decided when a tally was written is in dispute when a rival is decided later.
#[test]
fn a_slot_can_be_broken_after_the_tally_was_written() {
    let mut lab = Lab::new(&["a"]);
    let genesis = lab.ledger;
    let first = lab.entry("a", genesis, &[genesis], vec![propose(genesis, 1)]);
    let second = lab.entry("a", genesis, &[first], vec![propose(genesis, 2)]);
    let subject = lab.tally.proposal(first).unwrap().slot.subject.clone();
    let mut chains = [first, second].map(|p| {
        let votes = lab.entry("a", genesis, &[second], vec![approve(p), prevote(p, 0)]);
        let vote = lab.precommit("a", genesis, p, 0);
        lab.entry("a", genesis, &[votes], vec![vote]);
        lab.tally = git_quorum::consensus::Tally::from_bytes(lab.tally.to_bytes()).unwrap();
        lab.tally.chain(&subject).unwrap()
    });
    chains[1].rivals.sort_by_key(|id| *id == second);
    let found = chains.map(|chain| (chain.decided, chain.rivals));
    assert_eq!(
        found,
        [(vec![first], vec![]), (vec![], vec![first, second])]
    );
}

/// Steps that it takes to judge a vote on each of so many forks of d's lane.
#[cfg(debug_assertions)]
fn steps_for(forks: usize) -> u64 {
    let (mut lab, p) = proposed();
    approvals(&mut lab, &["b"], p);
    let (base, charter) = (lab.above_all("d"), lab.ledger);
    let root = lab.entry("d", charter, &base, vec![]);
    let before = lookups::made();
    for _ in 0..forks {
        let entry = lab.entry("d", charter, &[root], vec![approve(p), prevote(p, 0)]);
        assert_eq!(lab.verdicts(entry), [None, None]);
    }
    lookups::made() - before
}

/// Votes of one slot on twice as many separate branches are twice the work, and not four times.
#[cfg(debug_assertions)]
#[test]
fn votes_on_many_forks_cost_in_proportion_to_them() {
    let [few, many] = [100, 400].map(steps_for);
    println!("{few} steps for 100, {many} for 400");
    assert!(
        few > 100 && many < 6 * few,
        "{few} steps for 100, {many} for 400"
    );
}

/// A change of the charter that is precommitted on many branches costs the votes on others no more than on one.
#[cfg(debug_assertions)]
#[test]
fn freezes_on_many_forks_cost_in_proportion_to_them() {
    let steps = |forks: usize| {
        let (mut lab, p) = proposed();
        let change = propose_charter(lab.ledger, charter(&FIVE));
        let change = lab.say("a", vec![change]);
        let (base, charter) = (lab.above_all("d"), lab.ledger);
        let root = lab.entry("d", charter, &base, vec![]);
        for _ in 0..forks {
            let vote = lab.precommit("d", charter, change, 0);
            let entry = lab.entry("d", charter, &[root], vec![vote]);
            assert_eq!(lab.verdicts(entry), [Some("NO_PREVOTE_QUORUM")]);
        }
        let before = lookups::made();
        for _ in 0..forks {
            let entry = lab.entry("d", charter, &[root], vec![approve(p), prevote(p, 0)]);
            assert_eq!(lab.verdicts(entry), [None, None]);
        }
        lookups::made() - before
    };
    let [few, many] = [50, 200].map(steps);
    println!("{few} steps for 50, {many} for 200");
    assert!(
        few > 50 && many < 6 * few,
        "{few} steps for 50, {many} for 200"
    );
}

/// Each vote stands before each precommit of the change, so that no pair convicts: all would have to be looked at.
#[test]
#[cfg(debug_assertions)]
fn evidence_of_many_votes_and_freezes_costs_in_proportion_to_them() {
    let steps = |forks: usize, knows_all: bool| {
        let (mut lab, p) = proposed();
        let change = propose_charter(lab.ledger, charter(&FIVE));
        let change = lab.say("a", vec![change]);
        let (base, charter) = (lab.above_all("d"), lab.ledger);
        let root = lab.entry("d", charter, &base, vec![]);
        let votes: Vec<_> = (0..forks)
            .map(|_| lab.entry("d", charter, &[root], vec![approve(p), prevote(p, 0)]))
            .collect();
        let mut top = root;
        for some in votes.chunks(200) {
            top = lab.entry("d", charter, &[&[top], some].concat(), vec![]);
        }
        for number in 0..forks {
            let vote = lab.precommit("d", charter, change, 0);
            let last = number + 1 == forks;
            lab.entry(
                "d",
                charter,
                &[if last && !knows_all { root } else { top }],
                vec![vote],
            );
        }
        let before = lookups::made();
        let rules: Vec<_> = lab
            .tally
            .evidence()
            .iter()
            .map(|evidence| evidence.rule)
            .collect();
        assert_eq!(
            rules,
            if knows_all {
                vec![]
            } else {
                vec![EvidenceRule::FreezeViolation]
            }
        );
        lookups::made() - before
    };
    for knows_all in [true, false] {
        let [few, many] = [50, 200].map(|forks| steps(forks, knows_all));
        println!("{few} steps for 50, {many} for 200");
        assert!(
            few > 50 && many < 6 * few,
            "{few} steps for 50, {many} for 200"
        );
    }
}
