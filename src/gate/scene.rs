//! What a push is judged by, as plain data, and lookups in it.
//!
//! Reads no repository and decides nothing: [`super::judge()`] applies the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::checked_proposals::CheckedProposals;
use super::commands::PushedRef;
use super::links::Links;
use crate::charter::{Charter, MemberName, RefName};
use crate::consensus::{Admission, Chain, Content, Slot, Subject, Tally};
use crate::id::{EntryId, Oid};
use crate::ledger::{EntryIndex, LedgerRefs, RefProposal};
use crate::store::LaneProblem;

/// Everything that a push is judged by.
pub struct Scene<'a> {
    /// The charter in force before the push. `None` before the genesis.
    pub charter_before: Option<&'a Charter>,
    /// Slots that had several decisions before the push.
    pub broken_before: &'a BTreeSet<Slot>,
    /// The ledger, including the entries of the push.
    pub tally: &'a Tally,
    /// Which members' entries are still admitted, by that ledger.
    pub admission: Admission<'a>,
    /// The names of the ledger's refs.
    pub refs: &'a LedgerRefs,
    /// The present values of all pushed refs, all refs of the ledger, and all refs that proposals
    /// are about. A ref that does not exist is missing.
    pub values: &'a BTreeMap<String, Oid>,
    /// The pushed refs.
    pub pushed: &'a [PushedRef],
    /// The symbolic refs that the push could meet.
    pub links: &'a Links,
    /// The positions of refs that the push names more than once.
    pub named_twice: &'a BTreeSet<usize>,
    /// For each pushed lane the entry at its tip, or what is wrong with the lane.
    pub lane_tips: &'a BTreeMap<String, Result<EntryIndex, LaneProblem>>,
    /// What was found of the objects of proposals.
    pub checked: &'a CheckedProposals,
}

/// The decisions of one ref, oldest first, with the proposals that they decide.
pub(super) struct Decisions<'a> {
    /// The ids of the decided proposals.
    pub ids: Vec<EntryId>,
    /// The proposals, in the same order.
    pub proposals: Vec<&'a RefProposal>,
}

/// A ref's whole chain of decisions, with the proposals that they decide.
pub(super) struct RefChain<'a> {
    /// The chain, oldest decision first.
    pub chain: Chain,
    /// The proposals, in the same order.
    pub proposals: Vec<&'a RefProposal>,
}

impl Scene<'_> {
    /// Returns the present value of a ref. `None` if the ref does not exist.
    pub(super) fn value(&self, name: &str) -> Option<Oid> {
        self.values.get(name).copied()
    }

    /// Returns the value that the push gives a ref. `None` if the push deletes it or leaves it out.
    pub(super) fn pushed_value(&self, name: &str) -> Option<Oid> {
        let pushed = self.pushed.iter().find(|pushed| pushed.name == name);
        pushed.and_then(|pushed| pushed.new)
    }

    /// Returns the charter in force once the push's entries count.
    pub(super) fn charter_in_force(&self) -> Option<&Charter> {
        let dag = self.tally.dag();
        dag.charter(self.tally.charter_in_force())
            .map(|node| &node.charter)
    }

    /// Names the members that the evidence convicts in a slot, as a phrase for people.
    pub(super) fn culprits(&self, slot: &Slot) -> String {
        let evidence = self.tally.evidence().into_iter();
        let in_slot = evidence.filter(|evidence| evidence.slot == slot.id());
        let members: BTreeSet<String> = in_slot
            .map(|evidence| evidence.member.to_string())
            .collect();
        if members.is_empty() {
            return "more members broke the rules than the charter tolerates".to_owned();
        }
        let members: Vec<_> = members.into_iter().collect();
        format!(
            "members convicted by their own votes: {}",
            members.join(", ")
        )
    }

    /// Returns a ref's whole chain of decisions. `None` if the charter in force does not protect
    /// the ref.
    pub(super) fn chain(&self, name: &RefName) -> Option<RefChain<'_>> {
        let chain = self.tally.chain(&Subject::Ref(name.clone()))?;
        let proposals: Option<Vec<_>> = chain
            .decided
            .iter()
            .map(|id| self.ref_proposal(*id))
            .collect();
        let proposals = proposals?;
        Some(RefChain { chain, proposals })
    }

    /// Returns the decisions that come after the last one that leads to `value`.
    ///
    /// Reads the chain from its end and stops there, because nearly all of a long chain has landed.
    /// `None` if the charter in force does not protect the ref.
    pub(super) fn decisions_after(
        &self,
        name: &RefName,
        value: Option<Oid>,
    ) -> Option<Decisions<'_>> {
        let mut ids = Vec::new();
        let mut proposals = Vec::new();
        for id in self.tally.decisions_back(&Subject::Ref(name.clone()))? {
            let proposal = self.ref_proposal(id)?;
            if proposal.to == value {
                break;
            }
            ids.push(id);
            proposals.push(proposal);
        }
        ids.reverse();
        proposals.reverse();
        Some(Decisions { ids, proposals })
    }

    /// Whether a ref that has this value is at this decision or at a later one of its chain.
    pub(super) fn has_landed(&self, name: &RefName, value: Option<Oid>, id: EntryId) -> bool {
        let subject = Subject::Ref(name.clone());
        let decisions = self.tally.decisions_back(&subject).into_iter().flatten();
        let mut is_at_or_past = false;
        for decision in decisions {
            let proposal = self.ref_proposal(decision);
            is_at_or_past |= proposal.is_some_and(|proposal| proposal.to == value);
            if decision == id {
                return is_at_or_past;
            }
        }
        false
    }

    /// Returns a valid proposal about a ref. `None` for other entries and charter proposals.
    pub(super) fn ref_proposal(&self, id: EntryId) -> Option<&RefProposal> {
        ref_proposal(self.tally, id)
    }

    /// Names a proposal with its title, for people.
    pub(super) fn titled(&self, id: EntryId) -> String {
        let proposal = self.ref_proposal(id);
        let title = proposal.map(|p| p.title.as_str()).unwrap_or_default();
        let short: String = title.chars().take(MAX_TITLE).collect();
        if title.is_empty() {
            format!("proposal {}", id.short())
        } else if short.len() < title.len() {
            format!("proposal {} \"{short}...\"", id.short())
        } else {
            format!("proposal {} \"{title}\"", id.short())
        }
    }

    /// Says how many approvals a proposal has, and which it needs, for people.
    pub(super) fn approvals(&self, id: EntryId) -> String {
        let Some(report) = self.tally.report(id) else {
            return String::new();
        };
        let count = report.approvals.len();
        let mut has = format!("it has {count} of {} approvals", report.quorum);
        if !report.approvals.is_empty() {
            has = format!("{has} ({})", list(&report.approvals));
        }
        if report.missing.is_empty() {
            return has;
        }
        let missing = list(&report.missing);
        format!("{has}\nit needs {}, possible from {missing}", report.needs)
    }
}

/// Returns a valid proposal about a ref. `None` for other entries and charter proposals.
pub(super) fn ref_proposal(tally: &Tally, id: EntryId) -> Option<&RefProposal> {
    match tally.content(tally.proposal(id)?) {
        Content::Ref(proposal) => Some(proposal),
        Content::Charter(_) => None,
    }
}

/// Returns the slots with more than one decision.
pub(super) fn broken_slots(tally: &Tally) -> BTreeSet<Slot> {
    tally.broken_slots().cloned().collect()
}

/// The most characters of a title that a refusal shows.
const MAX_TITLE: usize = 40;
/// The most members that a refusal lists.
const MAX_MEMBERS: usize = 8;

fn list(members: &BTreeSet<MemberName>) -> String {
    let shown = members.iter().take(MAX_MEMBERS);
    let shown: Vec<_> = shown.map(ToString::to_string).collect();
    let shown_count = shown.len();
    let shown = shown.join(", ");
    match members.len() - shown_count {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The command that shows more about a proposal.
pub(super) fn status_command(id: EntryId) -> String {
    format!("git quorum status {}", id.short())
}

/// A ref's value, for people.
pub(super) fn short_value(value: Option<Oid>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |oid| oid.short())
}
