//! Votes or approvals that are counted together: the approvals of a proposal, or the votes of one round
//! and phase. A member may vote on any number of separate branches. The index finds which members'
//! votes an entry knows without a look at every vote. Does not know what the votes are counted for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::charter::MemberName;
use crate::id::EntryId;
use crate::ledger::{Dag, Marks, Place};

/// A member's voice for a proposal, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast<'a> {
    pub(super) member: &'a MemberName,
    pub(super) proposal: EntryId,
    pub(super) place: Place,
}

/// What a voice is for, and where it stands.
type Voice = (EntryId, Place);

/// Voices that count together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Casts {
    by_member: BTreeMap<MemberName, Marks<Voice>>,
    /// Who raised a voice for each proposal, on whatever branch.
    supporters: BTreeMap<EntryId, BTreeSet<MemberName>>,
}

impl Casts {
    /// Files a voice, unless the member raised it before: whoever knows this one knows that one. So saying it
    /// again and again makes no work.
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

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Cast<'_>> {
        self.by_member.iter().flat_map(|(member, marks)| {
            marks.iter().map(move |(proposal, place)| Cast {
                member,
                proposal: *proposal,
                place: *place,
            })
        })
    }

    /// Those that are known to the statement at `at`.
    pub(super) fn known<'a>(&'a self, dag: &'a Dag, at: Place) -> impl Iterator<Item = Cast<'a>> {
        self.iter().filter(move |cast| dag.precedes(cast.place, at))
    }

    /// Whether a voice of the member for what is wanted is known to the statement at `at`.
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

    /// The members with any voice.
    pub(super) fn members(&self) -> impl Iterator<Item = &MemberName> {
        self.by_member.keys()
    }

    /// The proposals that the member has raised a voice for, by id.
    pub(super) fn raised_by<'a>(
        &'a self,
        member: &'a MemberName,
    ) -> impl Iterator<Item = EntryId> + 'a {
        self.supporters
            .iter()
            .filter(|(_, members)| members.contains(member))
            .map(|(proposal, _)| *proposal)
    }

    /// The members with a voice for the proposal: a set, never a count of votes.
    pub(super) fn supporters(&self, proposal: EntryId) -> impl Iterator<Item = &MemberName> {
        self.supporters.get(&proposal).into_iter().flatten()
    }

    /// Those of them whose voice is known to the statement at `at`.
    pub(super) fn supporters_before<'a>(
        &'a self,
        dag: &'a Dag,
        proposal: EntryId,
        at: Place,
    ) -> impl Iterator<Item = &'a MemberName> {
        self.supporters(proposal)
            .filter(move |member| self.is_raised(dag, member, at, |other| other == proposal))
    }

    /// The proposal that so many members support by voices known to the statement at `at`; the lowest id of several.
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
