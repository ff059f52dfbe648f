//! Votes or approvals that are counted together: the approvals of a proposal, or the votes of one
//! round and phase. A member may vote on any number of separate branches. The index finds the
//! members whose votes an entry knows, without reading every vote. It does not know what the votes
//! are counted for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::charter::MemberName;
use crate::id::EntryId;
use crate::ledger::{Dag, Marks, Place};

/// A member's vote or approval for a proposal, and its position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast<'a> {
    pub(super) member: &'a MemberName,
    pub(super) proposal: EntryId,
    pub(super) place: Place,
}

/// The proposal of a vote or approval, and its position.
type Voice = (EntryId, Place);

/// Votes or approvals that count together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Casts {
    by_member: BTreeMap<MemberName, Marks<Voice>>,
    /// The members that support each proposal, on whatever branch.
    supporters: BTreeMap<EntryId, BTreeSet<MemberName>>,
}

impl Casts {
    /// Adds a vote or approval, unless it builds on the same one by the same member. Whoever knows
    /// the new one also knows the earlier one. So repeated statements cost nothing.
    pub(super) fn file(&mut self, dag: &Dag, member: MemberName, proposal: EntryId, place: Place) {
        if !self.is_raised(dag, &member, place, |other| other == proposal) {
            self.supporters
                .entry(proposal)
                .or_default()
                .insert(member.clone());
            dag.mark(
                self.by_member.entry(member).or_default(),
                place,
                (proposal, place),
            );
        }
    }

    /// Returns all votes or approvals.
    pub(super) fn iter(&self) -> impl Iterator<Item = Cast<'_>> {
        self.by_member.iter().flat_map(|(member, marks)| {
            marks.iter().map(move |(proposal, place)| Cast {
                member,
                proposal: *proposal,
                place: *place,
            })
        })
    }

    /// Returns the votes or approvals that are known to the statement at `at`.
    pub(super) fn known<'a>(&'a self, dag: &'a Dag, at: Place) -> impl Iterator<Item = Cast<'a>> {
        self.iter().filter(move |cast| dag.precedes(cast.place, at))
    }

    /// Returns whether the statement at `at` knows a vote or approval of the member for a proposal
    /// that `wanted` accepts.
    pub(super) fn is_raised(
        &self,
        dag: &Dag,
        member: &MemberName,
        at: Place,
        wanted: impl Fn(EntryId) -> bool,
    ) -> bool {
        self.by_member
            .get(member)
            .is_some_and(|marks| dag.knows(at, marks, |(proposal, _)| wanted(*proposal)))
    }

    /// Returns the members with any vote or approval.
    pub(super) fn members(&self) -> impl Iterator<Item = &MemberName> {
        self.by_member.keys()
    }

    /// Returns the proposals that the member supports, by id.
    pub(super) fn raised_by<'a>(
        &'a self,
        member: &'a MemberName,
    ) -> impl Iterator<Item = EntryId> + 'a {
        self.supporters
            .iter()
            .filter(|(_, members)| members.contains(member))
            .map(|(proposal, _)| *proposal)
    }

    /// Returns the members that support the proposal. Each member is returned once, however often
    /// it voted.
    pub(super) fn supporters(&self, proposal: EntryId) -> impl Iterator<Item = &MemberName> {
        self.supporters.get(&proposal).into_iter().flatten()
    }

    /// Returns the members whose support of the proposal is known to the statement at `at`.
    pub(super) fn supporters_before<'a>(
        &'a self,
        dag: &'a Dag,
        proposal: EntryId,
        at: Place,
    ) -> impl Iterator<Item = &'a MemberName> {
        self.supporters(proposal)
            .filter(move |member| self.is_raised(dag, member, at, |other| other == proposal))
    }

    /// Returns the proposal that `quorum` members support, by votes that are known to the statement
    /// at `at`. Returns the lowest id of several, and `None` if there is none.
    pub(super) fn quorum_value(&self, dag: &Dag, quorum: usize, at: Place) -> Option<EntryId> {
        let could = self
            .supporters
            .iter()
            .filter(|(_, members)| members.len() >= quorum)
            .map(|(proposal, _)| *proposal);
        could
            .into_iter()
            .find(|proposal| self.supporters_before(dag, *proposal, at).count() >= quorum)
    }
}
