//! Sentences for faults: how members broke the rules. The sentences name members and ids. They
//! repeat no free text of members.

use crate::consensus::{BrokenSlot, Fault, FaultKind, Phase, VoteRef};
use crate::id::EntryId;

use super::discount::discount_reason;

/// Returns the kind of a fault in one or two words.
pub fn fault_kind(kind: FaultKind) -> String {
    kind.code().replace('-', " ")
}

/// Returns the name of the rule that a fault broke, such as "rule 7 (i)" or "section 3".
pub fn fault_rule(fault: &Fault) -> String {
    if fault.rule.starts_with("section") {
        fault.rule.to_owned()
    } else {
        format!("rule {}", fault.rule)
    }
}

/// Returns a sentence that says what the member did and why it is a fault.
pub fn fault_sentence(fault: &Fault) -> String {
    let subject = match &fault.subject {
        Some(subject) => subject.to_string(),
        None => "no proposal that it knows".to_owned(),
    };
    let votes: Vec<_> = fault.votes.iter().map(cast_vote).collect();
    let first = votes.first().cloned().unwrap_or_default();
    let last = votes.last().cloned().unwrap_or_default();
    let why = match fault.kind {
        FaultKind::Equivocation => format!(" and {last}"),
        FaultKind::LockViolation => {
            format!(", and {last}, to which no quorum of prevotes had released it")
        }
        FaultKind::FreezeViolation => {
            format!(", which changes the charter, and beside that, under the old one, {last}")
        }
        FaultKind::UncitedVote | FaultKind::ImpossibleOrder | FaultKind::BadAgreementSignature => {
            format!(", though {}", fault.code.map_or("", discount_reason))
        }
    };
    format!("{subject}: {} {first}{why}", fault.member)
}

/// Returns what a vote did, without its author.
fn cast_vote(vote: &VoteRef) -> String {
    let did = match vote.phase {
        Phase::Prevote => "prevoted",
        Phase::Precommit => "precommitted",
    };
    format!("{did} {} in round {}", vote.proposal.short(), vote.round)
}

/// Returns a line that says that a slot has several decisions, and who is convicted of it.
pub fn broken_slot(slot: &BrokenSlot) -> String {
    let decisions: Vec<_> = slot.decisions.iter().map(EntryId::short).collect();
    let convicted: Vec<_> = slot.convicted.iter().map(ToString::to_string).collect();
    format!(
        "{}: {} decisions for one slot ({}): agreement is broken; n = {}, q = {}, so at least {} members voted against \
         the rules; convicted of it: {}",
        slot.subject,
        decisions.len(),
        decisions.join(", "),
        slot.n,
        slot.quorum,
        slot.least,
        convicted.join(", ")
    )
}
