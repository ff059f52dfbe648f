//! Compares every decision with its votes and its commits. Reads entries and objects, no refs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::charter::MemberName;
use crate::consensus::{Subject, Tally};
use crate::id::{EntryId, Oid};
use crate::repo::Objects;
use crate::store::{BindingError, check_binding};

/// A decision, compared with the commits that it is about.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct DecisionAudit {
    /// The proposal.
    pub proposal: EntryId,
    /// What the decision is about.
    pub subject: Subject,
    /// The proposal's title.
    pub title: String,
    /// Who made the proposal.
    pub proposer: MemberName,
    /// The charter under which the proposal was decided.
    pub charter: EntryId,
    /// The round in which the proposal was decided.
    pub round: u32,
    /// The entries with the precommits that decided it, by member.
    pub precommits: BTreeMap<MemberName, EntryId>,
    /// Members whose approvals counted.
    pub approvals: Vec<MemberName>,
    /// The ref's value before the decision.
    pub from: Option<Oid>,
    /// The ref's value after the decision.
    pub to: Option<Oid>,
    /// How the commits differ from what was decided. `None` if they agree or could not be read.
    pub problem: Option<String>,
    /// Why the commits could not be read. After a rewrite or a deletion, old commits may be gone.
    pub unchecked: Option<String>,
}

/// Checks every decision.
///
/// The decisions of the chains of `subjects` come first, in order. All others follow: those of chains
/// that have ended, and those of slots with several decisions. Before each decision, `progress` gets
/// the number of decisions that are done, and of all.
pub fn audit_decisions(
    tally: &Tally,
    objects: &Objects,
    subjects: &[Subject],
    progress: impl Fn(usize, usize),
) -> Vec<DecisionAudit> {
    let chains = subjects.iter().filter_map(|subject| tally.chain(subject));
    let mut ids: Vec<EntryId> = chains.flat_map(|chain| chain.decided).collect();
    let of_chains: BTreeSet<EntryId> = ids.iter().copied().collect();
    let decided = tally
        .proposals()
        .map(|proposal| proposal.id)
        .filter(|id| tally.is_decided(*id));
    ids.extend(decided.filter(|id| !of_chains.contains(id)));
    let all = ids.len();
    let audit = |(done, id)| {
        progress(done, all);
        audit_decision(tally, objects, id)
    };
    ids.into_iter().enumerate().filter_map(audit).collect()
}

fn audit_decision(tally: &Tally, objects: &Objects, id: EntryId) -> Option<DecisionAudit> {
    let (proposal, decision) = (tally.proposal(id)?, tally.decision(id)?);
    let content = tally.content(proposal);
    let change = content.as_ref_change();
    let (problem, unchecked) = match change.map(|change| check_binding(tally, objects, change)) {
        Some(Err(error @ BindingError::Differs(_))) => (Some(error.to_string()), None),
        Some(Err(error @ BindingError::Objects(_))) => (None, Some(error.to_string())),
        Some(Ok(())) | None => (None, None),
    };
    let approvals = tally.approvers(decision.charter, id);
    Some(DecisionAudit {
        proposal: id,
        subject: proposal.slot.subject.clone(),
        title: content.title().to_owned(),
        proposer: proposal.proposer.clone(),
        charter: decision.charter,
        round: decision.round,
        precommits: decision.precommits,
        approvals: approvals.into_iter().cloned().collect(),
        from: change.and_then(|change| change.from),
        to: change.and_then(|change| change.to),
        problem,
        unchecked,
    })
}
