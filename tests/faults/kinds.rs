//! Tests each kind of fault and each code: one scene that breaks the rule, and the same scene that
//! keeps the rule.

use std::collections::BTreeSet;

use git_quorum::charter::{Charter, Member};
use git_quorum::consensus::{DiscountReason, Evidence, Fault, FaultKind, Tally};
use git_quorum::id::EntryId;
use git_quorum::ledger::{Precommit, Statement, Verdict, Withdraw, parse};

use crate::lab::*;
use crate::scenes::*;

/// A fault without ids: member, kind, rule, code.
type Shape = (String, FaultKind, &'static str, Option<&'static str>);

fn shape(fault: &Fault) -> Shape {
    (
        fault.member.to_string(),
        fault.kind,
        fault.rule,
        fault.code.map(DiscountReason::code),
    )
}

fn shapes(lab: &Lab) -> Vec<Shape> {
    lab.tally.faults().iter().map(shape).collect()
}

/// The expected member, kind, rule and code.
type Expected = (&'static str, FaultKind, &'static str, &'static str);

/// A vote in a scene, whether the rule is kept in it or broken.
type Scene = fn(broken: bool) -> Lab;

fn equivocation(broken: bool) -> Lab {
    let (mut lab, p, q) = rivals();
    let parents = lab.above_all("d");
    lab.entry("d", lab.ledger, &parents, vec![prevote(p, 0)]);
    lab.entry(
        "d",
        lab.ledger,
        &parents,
        vec![prevote(if broken { q } else { p }, 0)],
    );
    lab
}

fn equivocation_in_precommits(broken: bool) -> Lab {
    let (mut lab, p, q) = rivals();
    let before = lab.above_all("d");
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    let first = lab.above_all("d");
    let vote = lab.precommit("d", lab.ledger, p, 0);
    lab.entry("d", lab.ledger, &first, vec![vote]);
    let vote = lab.precommit("d", lab.ledger, if broken { q } else { p }, 0);
    lab.entry(
        "d",
        lab.ledger,
        &if broken { before } else { first },
        vec![vote],
    );
    lab
}

fn lock_violation(broken: bool) -> Lab {
    let (mut lab, p, q) = rivals();
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    let unlocked = lab.tip("a");
    precommits(&mut lab, &["a"], p, 0);
    prevotes(&mut lab, &["d"], q, 0);
    let others = [lab.tip("b"), lab.tip("c"), lab.tip("d")];
    if broken {
        // `d` knows the precommit, so the branch must do without d's entry.
        let parents: Vec<_> = [unlocked, others[0], others[1]].to_vec();
        lab.entry("a", lab.ledger, &parents, vec![prevote(q, 1)]);
    } else {
        prevotes(&mut lab, &["b", "c", "d"], q, 1);
        prevotes(&mut lab, &["a"], q, 2);
    }
    lab
}

fn freeze_violation(broken: bool) -> Lab {
    let (mut lab, p, _) = rivals();
    let before = lab.tip("a");
    if !broken {
        prevotes(&mut lab, &["a"], p, 0);
    }
    let (mut lab, x) = with_charter(lab, charter(&FIVE));
    for member in ["a", "b", "c"] {
        lab.say(member, vec![approve(x), prevote(x, 0)]);
    }
    precommits(&mut lab, &["a"], x, 0);
    if broken {
        let parents = [before, lab.tip("d")];
        lab.entry("a", lab.ledger, &parents, vec![prevote(p, 0)]);
    }
    lab
}

fn unknown_proposal(broken: bool) -> Lab {
    let (mut lab, p) = proposed();
    let parents = if broken {
        vec![lab.ledger]
    } else {
        lab.above_all("b")
    };
    lab.entry("b", lab.ledger, &parents, vec![approve(p), prevote(p, 0)]);
    lab
}

fn not_protected(broken: bool) -> Lab {
    let (lab, p, _) = rivals();
    let next = if broken {
        protecting("refs/heads/other")
    } else {
        charter(&FIVE)
    };
    let (mut lab, _) = changed(lab, next);
    lab.say("d", vec![approve(p), prevote(p, 0)]);
    lab
}

fn wrong_base(broken: bool) -> Lab {
    let (lab, _) = proposed();
    let (lab, late) = with_charter(lab, charter(&["a", "b", "c", "d", "f"]));
    let mut lab = if broken {
        changed(lab, charter(&FIVE)).0
    } else {
        lab
    };
    lab.say("d", vec![approve(late), prevote(late, 0)]);
    lab
}

fn not_a_voter(broken: bool) -> Lab {
    let mut lab = with_observer();
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    lab.say("b", vec![approve(p)]);
    lab.say("c", vec![approve(p)]);
    lab.say(if broken { "d" } else { "c" }, vec![prevote(p, 0)]);
    lab
}

fn round_not_entered(broken: bool) -> Lab {
    let (mut lab, p, q) = rivals();
    prevotes(
        &mut lab,
        if broken {
            &["a", "b"]
        } else {
            &["a", "b", "c"]
        },
        p,
        0,
    );
    lab.say("d", vec![prevote(q, 1)]);
    lab
}

fn not_approved(broken: bool) -> Lab {
    let (mut lab, p) = proposed();
    let votes = [approve(p), prevote(p, 0)];
    lab.say("b", votes[usize::from(broken)..].to_vec());
    lab
}

fn no_prevote_quorum(broken: bool) -> Lab {
    let (mut lab, p, _) = rivals();
    prevotes(
        &mut lab,
        if broken {
            &["a", "b"]
        } else {
            &["a", "b", "c"]
        },
        p,
        0,
    );
    precommit(&mut lab, "d", p, 0);
    lab
}

fn round_went_back(broken: bool) -> Lab {
    let (mut lab, _, q) = locked();
    lab.say("d", vec![prevote(q, u32::from(!broken))]);
    lab
}

fn second_vote(broken: bool) -> Lab {
    let (mut lab, p, q) = rivals();
    prevotes(&mut lab, &["d"], p, 0);
    lab.say("d", vec![prevote(if broken { q } else { p }, 0)]);
    lab
}

fn locked_vote(broken: bool) -> Lab {
    let (mut lab, _, q) = locked();
    lab.say("a", vec![prevote(q, if broken { 1 } else { 2 })]);
    lab
}

fn frozen(broken: bool) -> Lab {
    let (lab, p, _) = rivals();
    let (mut lab, x) = with_charter(lab, charter(&FIVE));
    for member in ["a", "b", "c"] {
        lab.say(member, vec![approve(x), prevote(x, 0)]);
    }
    precommits(&mut lab, &["a"], x, 0);
    lab.say(if broken { "a" } else { "b" }, vec![prevote(p, 0)]);
    lab
}

fn slot_decided(broken: bool) -> Lab {
    let (mut lab, p, q) = rivals();
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    precommits(&mut lab, &["a", "b", "c"], p, 0);
    let (mut lab, _) = changed(lab, charter(&FIVE));
    let voted = if broken { q } else { p };
    lab.say("d", vec![approve(voted), prevote(voted, 0)]);
    lab
}

fn handed_down(broken: bool) -> Lab {
    let (mut lab, p, q) = rivals();
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    let (mut lab, _) = changed(lab, charter(&FIVE));
    let voted = if broken { q } else { p };
    lab.say("d", vec![approve(voted), prevote(voted, 0)]);
    lab
}

fn bad_agreement_signature(broken: bool) -> Lab {
    let (mut lab, p, _) = rivals();
    prevotes(&mut lab, &["a", "b", "c"], p, 0);
    let (good, other) = (
        lab.precommit("d", lab.ledger, p, 0),
        lab.precommit("d", lab.ledger, p, 1),
    );
    let (Statement::Precommit(vote), Statement::Precommit(other)) = (good.clone(), other) else {
        panic!()
    };
    let bad = Statement::Precommit(Precommit {
        signature: other.signature,
        ..vote
    });
    lab.say("d", vec![if broken { bad } else { good }]);
    lab
}

/// The expected convictions of each scene. A vote that knows the member's other vote convicts in
/// both ways.
const SCENES: [(Scene, &[Expected]); 18] = {
    use FaultKind::*;
    [
        (equivocation, &[("d", Equivocation, "7 (i)", "")]),
        (
            equivocation_in_precommits,
            &[
                ("d", Equivocation, "7 (i)", ""),
                ("d", UncitedVote, "2", "NO_PREVOTE_QUORUM"),
            ],
        ),
        (lock_violation, &[("a", LockViolation, "7 (ii)", "")]),
        (freeze_violation, &[("a", FreezeViolation, "7 (iii)", "")]),
        (
            unknown_proposal,
            &[("b", UncitedVote, "section 3", "UNKNOWN_PROPOSAL")],
        ),
        (
            not_protected,
            &[("d", UncitedVote, "section 3", "NOT_PROTECTED")],
        ),
        (wrong_base, &[("d", UncitedVote, "section 3", "WRONG_BASE")]),
        (
            not_a_voter,
            &[("d", UncitedVote, "section 3", "NOT_A_VOTER")],
        ),
        (
            round_not_entered,
            &[("d", UncitedVote, "5a", "ROUND_NOT_ENTERED")],
        ),
        (not_approved, &[("b", UncitedVote, "1", "NOT_APPROVED")]),
        (
            no_prevote_quorum,
            &[("d", UncitedVote, "2", "NO_PREVOTE_QUORUM")],
        ),
        (
            round_went_back,
            &[("d", ImpossibleOrder, "4", "ROUND_WENT_BACK")],
        ),
        (
            second_vote,
            &[
                ("d", Equivocation, "7 (i)", ""),
                ("d", ImpossibleOrder, "4", "SECOND_VOTE"),
            ],
        ),
        (
            locked_vote,
            &[
                ("a", LockViolation, "7 (ii)", ""),
                ("a", ImpossibleOrder, "4", "LOCKED"),
            ],
        ),
        (
            frozen,
            &[
                ("a", FreezeViolation, "7 (iii)", ""),
                ("a", ImpossibleOrder, "6", "FROZEN"),
            ],
        ),
        (slot_decided, &[("d", ImpossibleOrder, "6", "SLOT_DECIDED")]),
        (handed_down, &[("d", ImpossibleOrder, "6", "HANDED_DOWN")]),
        (
            bad_agreement_signature,
            &[("d", BadAgreementSignature, "2", "BAD_AGREEMENT_SIGNATURE")],
        ),
    ]
};

/// The ledgers of all scenes in which a rule is broken.
pub fn broken_scenes() -> Vec<Lab> {
    SCENES.iter().map(|(scene, _)| scene(true)).collect()
}

#[test]
fn each_fault_is_found_by_its_rule_and_the_same_scene_without_it_accuses_nobody() {
    for (place, (scene, expected)) in SCENES.iter().enumerate() {
        let found = shapes(&scene(true));
        let text = |code: Option<&'static str>| code.unwrap_or_default();
        let found: Vec<_> = found
            .iter()
            .map(|(m, kind, rule, code)| (m.as_str(), *kind, *rule, text(*code)))
            .collect();
        assert_eq!(found, *expected, "scene {place}");
        assert_eq!(shapes(&scene(false)), [], "scene {place}, the rule kept");
    }
    let seen: BTreeSet<_> = SCENES
        .iter()
        .flat_map(|(_, expected)| expected.iter().map(|e| e.1))
        .collect();
    assert_eq!(seen, BTreeSet::from(FaultKind::ALL));
}

/// Every code of a vote has a scene, but one that no vote can have: a valid proposal knows its base decided, and who
/// votes for it knows that with it.
#[test]
fn every_code_of_a_vote_is_a_fault_and_has_its_scene() {
    let seen: BTreeSet<_> = SCENES
        .iter()
        .flat_map(|(_, expected)| expected.iter().map(|e| e.3))
        .collect();
    for reason in DiscountReason::ALL {
        let nobodys = reason == DiscountReason::CharterNotDecided;
        let judgement = nobodys
            || matches!(
                reason.code(),
                "NOT_A_SUCCESSOR" | "NOT_THE_PROPOSER" | "OWN_APPROVAL"
            );
        assert_eq!(FaultKind::of_vote(reason).is_none(), judgement, "{reason}");
        let unreachable = reason == DiscountReason::BaseNotDecided;
        assert_eq!(
            seen.contains(reason.code()),
            !judgement && !unreachable,
            "{reason}"
        );
    }
}

#[test]
fn judgements_that_do_not_count_are_no_faults() {
    let mut lab = with_observer();
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let nothing = EntryId::of(b"nothing");
    lab.say("a", vec![approve(p)]);
    lab.say(
        "d",
        vec![
            approve(p),
            review(nothing, Verdict::Reject),
            Statement::Withdraw(Withdraw { proposal: p }),
        ],
    );
    lab.say("b", vec![propose(p, 2)]);
    lab.say("b", vec![propose(nothing, 2)]);
    lab.say(
        "c",
        vec![propose_charter(lab.ledger, charter(&["a", "b", "c"]))],
    );
    let (mut lab, x) = with_charter(lab, protecting("refs/heads/other"));
    let parents = lab.above_all("b");
    lab.entry("b", x, &parents, vec![approve(p)]);
    let codes: BTreeSet<_> = lab
        .tally
        .discounted()
        .iter()
        .map(|d| d.discount.reason.code())
        .collect();
    let all = [
        "BASE_NOT_DECIDED",
        "CHARTER_NOT_DECIDED",
        "NOT_A_SUCCESSOR",
        "NOT_A_VOTER",
        "NOT_THE_PROPOSER",
    ];
    let all = [
        &all[..],
        &["OWN_APPROVAL", "UNKNOWN_PROPOSAL", "WRONG_BASE"],
    ]
    .concat();
    assert_eq!(codes, BTreeSet::from_iter(all));
    assert_eq!(shapes(&lab), []);
}

/// What a member that was removed says under the charters that it belonged to, without knowing of its removal, is no fault.
#[test]
fn a_former_member_that_has_not_heard_of_it_is_not_accused() {
    let (mut lab, p, _) = rivals();
    let before = lab.above_all("d");
    let (mut lab, x) = {
        let next = lab.say("a", vec![propose_charter(lab.ledger, without_d())]);
        decide(&mut lab, &["a", "b", "c"], next);
        (lab, next)
    };
    assert_eq!(lab.tally.charter_in_force(), x);
    let entry = lab.entry("d", lab.ledger, &before, vec![prevote(p, 0)]);
    assert_eq!(lab.verdicts(entry), [None]);
    assert_eq!(shapes(&lab), []);
}

/// In any part of a ledger that holds its votes a fault has the same name, and a part names nothing that the whole does not.
#[test]
fn a_fault_is_the_same_in_every_part_that_holds_its_votes() {
    for lab in broken_scenes() {
        let whole = lab.tally.faults();
        assert_eq!(
            evidence_of(&whole),
            lab.tally.evidence(),
            "faults and evidence are one piece"
        );
        for fault in &whole {
            let part = below(&lab, &fault.entries());
            let found = part.faults_in(&fault.entries());
            assert!(
                found
                    .iter()
                    .any(|f| f.id == fault.id && f.member == fault.member),
                "{fault:?} in {found:?}"
            );
            assert!(
                found.iter().all(|f| whole.iter().any(|w| w.id == f.id)),
                "{found:?}"
            );
            assert!(
                git_quorum::wording::fault_sentence(fault).contains(fault.member.as_str())
                    && !git_quorum::wording::fault_rule(fault).is_empty()
            );
        }
        let ids: BTreeSet<_> = whole.iter().map(|fault| fault.id).collect();
        assert_eq!(ids.len(), whole.len(), "no two have one name");
    }
}

/// The evidence among faults, as the tally orders it.
pub fn evidence_of(faults: &[Fault]) -> Vec<Evidence> {
    faults
        .iter()
        .filter_map(Fault::evidence)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// Returns the tally of these entries and their ancestors.
pub fn below(lab: &Lab, tips: &BTreeSet<EntryId>) -> Tally {
    let dag = lab.tally.dag();
    let tips: Vec<_> = tips.iter().map(|id| dag.find(*id).unwrap()).collect();
    let mut tally = Tally::found(parse(&lab.made[0].raw).unwrap(), lab.made[0].oid).unwrap();
    for made in &lab.made[1..] {
        let index = dag.find(made.id).unwrap();
        if tips.iter().any(|tip| dag.reaches(index, *tip)) {
            tally.insert(parse(&made.raw).unwrap(), made.oid).unwrap();
        }
    }
    tally
}

/// A fault is named for what was done: other votes that show the same come and go as its proof.
#[test]
fn more_votes_that_show_the_same_do_not_change_a_faults_name() {
    let mut lab = equivocation(true);
    let first = lab.tally.faults();
    let [one, two] = [0, 1].map(|n| first[0].votes[n].proposal);
    let parents = lab
        .tally
        .dag()
        .entry(lab.tally.dag().find(first[0].votes[0].entry).unwrap())
        .parents
        .clone();
    let parents: Vec<_> = parents
        .iter()
        .map(|p| lab.tally.dag().entry(*p).id)
        .collect();
    let mut shown = BTreeSet::from([first[0].entries()]);
    for n in 0..8 {
        lab.entry(
            "d",
            lab.ledger,
            &parents,
            vec![prevote(if n % 2 == 0 { one } else { two }, 0)],
        );
        let faults = lab.tally.faults();
        assert_eq!((faults.len(), faults[0].id), (1, first[0].id));
        shown.insert(faults[0].entries());
    }
    assert!(shown.len() > 1, "other entries are shown for it in the end");
}

/// d proposes a charter in which a key of its own goes by the name of e, and votes under it as e, both ways. It is never
/// decided; e joins by another one, and is neither accused nor kept from speaking.
#[test]
fn who_takes_a_members_name_in_a_charter_of_its_own_accuses_nobody() {
    let (mut lab, p, q) = rivals();
    let thief = Member {
        key: public_key("thief"),
        ..voter("e")
    };
    let members = charter(&["a", "b", "c", "d"])
        .members()
        .iter()
        .cloned()
        .chain([thief])
        .collect();
    let plain = charter(&FIVE);
    let taken = Charter::new(
        members,
        plain.protected().to_vec(),
        vec![],
        plain.rules().clone(),
    )
    .unwrap();
    let never = lab.say("d", vec![propose_charter(lab.ledger, taken)]);
    for v in [p, q] {
        let payload = lab.payload("e", never, &[lab.ledger, never, p, q], vec![prevote(v, 0)]);
        let made = lab.make_by(&payload, "thief");
        let entry = lab.take(made).unwrap();
        assert_eq!(lab.verdicts(entry), [Some("CHARTER_NOT_DECIDED")]);
    }
    lab.say("d", vec![]);
    let x = lab.say("a", vec![propose_charter(lab.ledger, charter(&FIVE))]);
    decide(&mut lab, &["a", "b", "c"], x);
    assert_eq!(shapes(&lab), []);
    assert!(lab.tally.evidence().is_empty());

    let parents = git_quorum::consensus::parents_for(&lab.tally, &name("e"));
    let parents: Vec<_> = parents
        .iter()
        .map(|at| lab.tally.dag().entry(*at).id)
        .collect();
    let payload = git_quorum::ledger::Payload {
        seq: 1,
        ..lab.payload("e", x, &parents, vec![approve(p)])
    };
    let made = lab.make(&payload);
    let entry = lab.take(made).unwrap();
    assert_eq!(lab.verdicts(entry), [None]);
}
