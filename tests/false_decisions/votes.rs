//! Tests votes and signatures in places where they do not belong.

use git_quorum::charter::{Charter, ProposedCharter, Removal};
use git_quorum::consensus::{
    Draft, DueVote, Patience, agreement_statement, pre_authentication_encoding,
};
use git_quorum::id::EntryId;
use git_quorum::ledger::{CharterProposal, Precommit, RejectReason, Statement, Verdict, Withdraw};

use crate::FOUR;
use crate::lab::*;

/// Four members and two rivals that all approve; a, b and c prevote P in round 0.
fn rivals() -> (Lab, EntryId, EntryId) {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let q = lab.say("b", vec![propose(lab.ledger, 2)]);
    for member in FOUR {
        lab.say(member, vec![approve(p), approve(q)]);
    }
    for member in ["a", "b", "c"] {
        lab.say(member, vec![prevote(p, 0)]);
    }
    (lab, p, q)
}

/// The same, decided for P.
fn decided() -> (Lab, EntryId, EntryId) {
    let (mut lab, p, q) = rivals();
    for member in ["a", "b", "c"] {
        let vote = lab.precommit(member, lab.ledger, p, 0);
        lab.say(member, vec![vote]);
    }
    assert!(lab.tally.is_decided(p));
    (lab, p, q)
}

fn signature_of(vote: &Statement) -> [u8; 64] {
    let Statement::Precommit(vote) = vote else {
        panic!("{vote:?}")
    };
    vote.signature
}

/// The charter without the last of these members, or with some more.
fn change(lab: &Lab, members: &[&str], removed: &[(&str, Option<EntryId>)]) -> Statement {
    let base = lab.tally.charter_in_force();
    let removal = |(m, last): &(&str, Option<EntryId>)| Removal {
        key: public_key(m),
        last: *last,
        name: name(m),
    };
    let plain = charter(members);
    let removed = removed.iter().map(removal).collect();
    let charter = Charter::new(
        plain.members().to_vec(),
        plain.protected().to_vec(),
        removed,
        plain.rules().clone(),
    )
    .unwrap();
    let charter = ProposedCharter::Known(Box::new(charter));
    Statement::ProposeCharter(CharterProposal {
        base,
        charter,
        text: String::new(),
        title: "members".into(),
    })
}

fn decide(lab: &mut Lab, members: &[&str], proposal: EntryId) {
    for member in members {
        lab.say(member, vec![approve(proposal), prevote(proposal, 0)]);
    }
    let charter = lab.tally.charter_in_force();
    for member in members {
        let vote = lab.precommit(member, charter, proposal, 0);
        let entry = lab.say(member, vec![vote]);
        assert_eq!(lab.verdicts(entry), [None]);
    }
    assert!(lab.tally.is_decided(proposal));
}

/// A signature that somebody gave for something else: another member's, of another round, another proposal,
/// another charter, another ledger.
#[test]
fn an_agreement_signature_counts_only_for_what_it_was_given_for() {
    let (lab, p, q) = rivals();
    let mut elsewhere = Lab::new(&["a", "b", "c", "d", "e"]);
    let same = elsewhere.say("a", vec![propose(elsewhere.ledger, 1)]);
    let others = [
        ("of another member", lab.precommit("b", lab.ledger, p, 0)),
        ("of another round", lab.precommit("a", lab.ledger, p, 1)),
        ("of another proposal", lab.precommit("a", lab.ledger, q, 0)),
        (
            "of another ledger",
            elsewhere.precommit("a", elsewhere.ledger, same, 0),
        ),
        (
            "of nothing",
            Statement::Precommit(Precommit {
                proposal: p,
                round: 0,
                signature: [0; 64],
            }),
        ),
    ];
    for (what, other) in others {
        let mut lab = lab.clone();
        let vote = Precommit {
            proposal: p,
            round: 0,
            signature: signature_of(&other),
        };
        let entry = lab.say("a", vec![Statement::Precommit(vote)]);
        assert_eq!(
            lab.verdicts(entry),
            [Some("BAD_AGREEMENT_SIGNATURE")],
            "{what}"
        );
        assert!(
            lab.tally.evidence().is_empty(),
            "{what}: nobody is convicted by it"
        );
    }
}

#[test]
fn an_agreement_signature_of_an_earlier_charter_does_not_count_under_the_next() {
    let (mut lab, p, _) = rivals();
    let first = lab.ledger;
    let more = change(&lab, &["a", "b", "c", "d", "e"], &[]);
    let x = lab.say("a", vec![more]);
    decide(&mut lab, &["a", "b", "c"], x);
    for member in ["a", "b", "c", "d"] {
        lab.say(member, vec![prevote(p, 0)]);
    }
    let signature = signature_of(&lab.precommit("a", first, p, 0));
    let entry = lab.say(
        "a",
        vec![Statement::Precommit(Precommit {
            proposal: p,
            round: 0,
            signature,
        })],
    );
    assert_eq!(lab.verdicts(entry), [Some("BAD_AGREEMENT_SIGNATURE")]);
    let good = lab.precommit("b", x, p, 0);
    let entry = lab.say("b", vec![good]);
    assert_eq!(lab.verdicts(entry), [None], "the right one counts");
}

/// A certificate is q signatures over one statement. Those of two rounds, of two proposals, or one member's twice
/// make none: no statement has q of them.
#[test]
fn no_certificate_is_put_together_from_parts() {
    let (lab, p, q) = rivals();
    let charter = lab.tally.dag().charter(lab.ledger).unwrap().charter.clone();
    let signed =
        |member: &str, v, round| signature_of(&lab.precommit(member, lab.ledger, v, round));
    let signers = |signatures: &[[u8; 64]], v, round| {
        let body = pre_authentication_encoding(
            &agreement_statement(&lab.tally, lab.ledger, v, round).unwrap(),
        );
        let signed_by = |key: &git_quorum::charter::PublicKey| {
            signatures.iter().any(|s| key.verifies(&body, s))
        };
        charter
            .voters()
            .filter(|member| signed_by(&member.key))
            .count()
    };
    let whole = [signed("a", p, 0), signed("b", p, 0), signed("c", p, 0)];
    assert_eq!(signers(&whole, p, 0), 3);
    let parts = [
        [signed("a", p, 0), signed("b", p, 0), signed("c", p, 1)],
        [signed("a", p, 0), signed("b", q, 0), signed("c", q, 0)],
        [signed("a", p, 0), signed("b", p, 0), signed("a", p, 0)],
    ];
    for parts in parts {
        for (v, round) in [(p, 0), (p, 1), (q, 0), (q, 1)] {
            assert!(signers(&parts, v, round) < 3);
        }
    }
}

/// Three branches of one member's lane, each with all its votes, count as one member.
#[test]
fn one_member_on_many_branches_is_one_voice() {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let parents = lab.above_all("d");
    for branch in 0..3u8 {
        let said = vec![review(p, Verdict::Approve), prevote(p, 0)];
        let entry = lab.entry("d", lab.ledger, &parents, said);
        assert_eq!(lab.verdicts(entry), [None, None], "branch {branch}");
    }
    lab.say("a", vec![approve(p), prevote(p, 0)]);
    let vote = lab.precommit("a", lab.ledger, p, 0);
    let entry = lab.say("a", vec![vote]);
    assert_eq!(lab.verdicts(entry), [Some("NO_PREVOTE_QUORUM")]);
    assert_eq!(lab.tally.approvers(lab.ledger, p).len(), 2);
}

/// No later statement of any member undoes a decision.
#[test]
fn nothing_that_is_said_later_undoes_a_decision() {
    let (mut lab, p, q) = decided();
    let decision = lab.tally.decision(p);
    lab.say("a", vec![Statement::Withdraw(Withdraw { proposal: p })]);
    for member in FOUR {
        lab.say(member, vec![review(p, Verdict::Reject)]);
    }
    // d has voted for P's rival everywhere, and all evidence is in.
    let parents = [lab.ledger, q];
    let lying = lab.above("d", &parents[1..]);
    lab.entry("d", lab.ledger, &lying, vec![prevote(q, 0)]);
    lab.say("d", vec![prevote(p, 0), prevote(q, 0)]);
    let fewer = change(&lab, &["b", "c", "d"], &[("a", None)]);
    let x = lab.say("b", vec![fewer]);
    decide(&mut lab, &["b", "c", "d"], x);
    assert_eq!(lab.tally.decision(p), decision);
    assert!(lab.tally.is_decided(p) && !lab.tally.is_decided(q));
}

/// Under an old charter no quorum can be had any more: those that decided its change are done there, and f leaked
/// keys are too few.
#[test]
fn an_old_charter_decides_nothing_after_its_change() {
    let (mut lab, p, q) = rivals();
    let old = lab.ledger;
    let fewer = change(&lab, &["a", "b", "c"], &[("d", None)]);
    let x = lab.say("a", vec![fewer]);
    decide(&mut lab, &["a", "b", "c"], x);
    for member in ["a", "b", "c"] {
        for v in [p, q] {
            let entry = lab.entry(member, old, &lab.above_all(member), vec![prevote(v, 0)]);
            assert_eq!(lab.verdicts(entry), [Some("FROZEN")], "{member}");
        }
    }
    // The removed member's key still signs under the charter that had it, and is one of four.
    let parents = lab.above_all("d");
    let entry = lab.entry("d", old, &parents, vec![prevote(q, 0)]);
    assert_eq!(lab.verdicts(entry), [None]);
    let vote = lab.precommit("d", old, q, 0);
    let entry = lab.entry("d", old, &lab.above_all("d"), vec![vote]);
    assert_eq!(lab.verdicts(entry), [Some("NO_PREVOTE_QUORUM")]);
}

/// A member that its own entries do not convict is not convicted by entries of others.
#[test]
fn what_others_write_convicts_nobody() {
    let (mut lab, p, q) = decided();
    assert!(lab.tally.evidence().is_empty());
    // d writes entries that name a's proposals, votes and signatures in every way that it can.
    for said in [
        vec![review(q, Verdict::Approve), prevote(q, 0)],
        vec![lab.precommit("a", lab.ledger, p, 0)],
        vec![lab.precommit("a", lab.ledger, q, 0)],
        vec![prevote(p, 1), prevote(q, 1)],
    ] {
        let parents = lab.above("d", &[p, q]);
        lab.entry("d", lab.ledger, &parents, said);
    }
    assert!(
        lab.tally.evidence().iter().all(|e| e.member == name("d")),
        "{:?}",
        lab.tally.evidence()
    );
    // In a's name it cannot write at all.
    let payload = lab.payload("a", lab.ledger, &lab.above_all("a"), vec![prevote(q, 0)]);
    let forged = lab.make_by(&payload, "d");
    assert_eq!(
        lab.take(forged).unwrap_err().reason,
        RejectReason::BadSignature
    );
}

/// One vote at the end of all rounds neither counts nor takes anybody there.
#[test]
fn a_vote_in_the_last_round_moves_nobody() {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    for member in FOUR {
        lab.say(member, vec![approve(p)]);
    }
    let entry = lab.say("d", vec![prevote(p, u32::MAX)]);
    assert_eq!(lab.verdicts(entry), [Some("ROUND_NOT_ENTERED")]);
    let ids = lab.above_all("a");
    let parents: Vec<_> = ids
        .iter()
        .map(|id| lab.tally.dag().find(*id).unwrap())
        .collect();
    let due = Draft::new(&lab.tally, &name("a"), lab.ledger, &parents).due(&Patience::default());
    assert_eq!(due.vote, Some(DueVote::Prevote(p, 0)));
    for member in ["a", "b", "c"] {
        lab.say(member, vec![prevote(p, 0)]);
    }
    for member in ["a", "b", "c"] {
        let vote = lab.precommit(member, lab.ledger, p, 0);
        lab.say(member, vec![vote]);
    }
    assert!(lab.tally.is_decided(p));
}
