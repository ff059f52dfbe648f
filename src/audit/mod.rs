//! Provenance: whether what the refs hold is backed by decisions, and by which. Reads entries and
//! objects; does not know how its findings are printed.

pub mod proof;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::charter::{MemberName, RefName};
use crate::consensus::landing::{RefMove, landed_count};
use crate::consensus::{Content, Subject, Tally};
use crate::id::{EntryId, Oid};
use crate::repo::Objects;
use crate::store::{BindingError, check_binding};

/// What is found about a value of a protected ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backing {
    /// A decision leads to it.
    Backed,
    /// Nothing was decided about the ref yet, so nothing vouches for its value.
    NothingDecided,
    /// It is where the first decisions start; none has landed.
    NothingLanded,
    /// No decision leads to it.
    NotBacked,
    /// Two decisions stand for one slot of the ref.
    AgreementBroken,
}

/// A value of a protected ref, checked.
#[derive(Debug, Clone, Serialize)]
pub struct RefAudit {
    /// The ref.
    #[serde(rename = "ref")]
    pub name: RefName,
    /// Where the value was found.
    pub place: String,
    /// The value; none when the ref is absent.
    pub value: Option<Oid>,
    /// What was found.
    pub backing: Backing,
    /// The decision that leads to it.
    pub decision: Option<EntryId>,
    /// Decisions of the ref that have landed with it.
    pub landed: usize,
    /// All decisions of the ref.
    pub decided: usize,
}

/// A decision, checked.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionAudit {
    /// The proposal.
    pub proposal: EntryId,
    /// What it is about.
    pub subject: Subject,
    /// Its title.
    pub title: String,
    /// Who proposed it.
    pub proposer: MemberName,
    /// The charter that it was decided under.
    pub charter: EntryId,
    /// The round in which it was decided.
    pub round: u32,
    /// The precommits that decided it, by member, with their entries.
    pub precommits: BTreeMap<MemberName, EntryId>,
    /// Members whose approvals counted.
    pub approvals: Vec<MemberName>,
    /// The value before.
    pub from: Option<Oid>,
    /// The value after.
    pub to: Option<Oid>,
    /// What about its commits is not as it was decided, if anything.
    pub problem: Option<String>,
    /// Why its commits could not be compared, if they could not: what a rewrite or a deletion left
    /// behind may be gone.
    pub unchecked: Option<String>,
}

/// Checks a value of a ref against the ref's chain of decisions.
pub fn audit_ref(
    tally: &Tally,
    name: &RefName,
    place: &str,
    value: Option<Oid>,
) -> Option<RefAudit> {
    let chain = tally.chain(&Subject::Ref(name.clone()))?;
    let steps = steps(tally, &chain.decided);
    let landed = landed_count(&steps, value);
    let backing = match landed {
        _ if !chain.rivals.is_empty() => Backing::AgreementBroken,
        0 if steps.is_empty() => Backing::NothingDecided,
        0 if steps.iter().any(|step| step.from == value) => Backing::NothingLanded,
        0 => Backing::NotBacked,
        _ => Backing::Backed,
    };
    let decision = landed
        .checked_sub(1)
        .and_then(|last| chain.decided.get(last))
        .copied();
    let (name, place, decided) = (name.clone(), place.to_owned(), chain.decided.len());
    Some(RefAudit {
        name,
        place,
        value,
        backing,
        decision,
        landed,
        decided,
    })
}

/// Checks every decision: those of the chains of these subjects, in order, then all others, of chains that
/// have ended and of slots with several. For those of a ref, whether their commits are what was decided.
/// Before each, `tell` is told how many are done, of how many.
pub fn audit_decisions(
    tally: &Tally,
    objects: &Objects,
    subjects: &[Subject],
    tell: impl Fn(usize, usize),
) -> Vec<DecisionAudit> {
    let chains = subjects.iter().filter_map(|subject| tally.chain(subject));
    let mut ids: Vec<EntryId> = chains.flat_map(|chain| chain.decided).collect();
    let of_chains: BTreeSet<EntryId> = ids.iter().copied().collect();
    ids.extend(
        tally
            .proposals()
            .map(|p| p.id)
            .filter(|id| tally.is_decided(*id) && !of_chains.contains(id)),
    );
    let all = ids.len();
    let audit = |(done, id)| {
        tell(done, all);
        audit_decision(tally, objects, id)
    };
    ids.into_iter().enumerate().filter_map(audit).collect()
}

fn audit_decision(tally: &Tally, objects: &Objects, id: EntryId) -> Option<DecisionAudit> {
    let (proposal, decision) = (tally.proposal(id)?, tally.decision(id)?);
    let (title, change) = match tally.content(proposal) {
        Content::Ref(change) => (&change.title, Some(change)),
        Content::Charter(change) => (&change.title, None),
    };
    let (problem, unchecked) = match change.map(|c| check_binding(tally, objects, c)) {
        Some(Err(error @ BindingError::Differs(_))) => (Some(error.to_string()), None),
        Some(Err(error @ BindingError::Objects(_))) => (None, Some(error.to_string())),
        Some(Ok(())) | None => (None, None),
    };
    Some(DecisionAudit {
        proposal: id,
        subject: proposal.slot.subject.clone(),
        title: title.clone(),
        proposer: proposal.proposer.clone(),
        charter: decision.charter,
        round: decision.round,
        precommits: decision.precommits,
        approvals: tally
            .approvers(decision.charter, id)
            .into_iter()
            .cloned()
            .collect(),
        from: change.and_then(|c| c.from),
        to: change.and_then(|c| c.to),
        problem,
        unchecked,
    })
}

/// From and to of each decision of a ref's chain.
pub fn steps(tally: &Tally, decided: &[EntryId]) -> Vec<RefMove> {
    let step = |id: &EntryId| match tally.content(tally.proposal(*id)?) {
        Content::Ref(change) => Some(RefMove {
            from: change.from,
            to: change.to,
        }),
        Content::Charter(_) => None,
    };
    decided.iter().filter_map(step).collect()
}
