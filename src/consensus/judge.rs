//! Verdicts: whether a statement counts. Each check reads only the statement, its entry's charter,
//! and the ancestors of the statement. So later entries change no verdict.

use std::collections::BTreeSet;
use std::ops::Range;

use super::agreement::{agreement_statement, pre_authentication_encoding};
use super::discount::{Discount, DiscountReason};
use super::slot::{Slot, Subject};
use super::tally::{Ballot, Phase, Proposal, RoundVotes, Tally};
use crate::charter::{Charter, MemberName, ProposedCharter};
use crate::id::EntryId;
use crate::ledger::{CharterProposal, Place, Precommit, Prevote, RefProposal, Statement};
use crate::mutation::Mutation;

/// The result of the hand-over: how earlier charters bind votes in a slot (rule 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inheritance {
    /// Earlier charters bind nothing in this slot.
    Nothing,
    /// A handed-down proposal. It binds like a lock below round 0.
    Bound(EntryId),
    /// A decision that stands.
    Decided(EntryId),
}

/// A vote with the data that its checks read.
pub(super) struct Case<'a> {
    member: &'a MemberName,
    charter: EntryId,
    electorate: &'a Charter,
    proposal: &'a Proposal,
    ballot: Option<&'a Ballot>,
    inheritance: Inheritance,
    at: Place,
}

impl Tally {
    /// Returns the valid proposal with this id, if it is among the ancestors of `at`. Returns
    /// UNKNOWN_PROPOSAL otherwise.
    pub(super) fn known_proposal(&self, id: EntryId, at: Place) -> Result<&Proposal, Discount> {
        let known = self.proposal(id).filter(|p| self.dag.precedes(p.place, at));
        known.ok_or_else(|| Discount::new(DiscountReason::UnknownProposal, id.to_string()))
    }

    /// Returns whether the charter is decided among the ancestors of `at`.
    pub(super) fn is_decided_at(&self, charter: EntryId, at: Place) -> bool {
        charter == self.dag.ledger() || self.decided_before(charter, at)
    }

    /// Returns the charter with this id, if it is decided among the ancestors of `at`. Returns
    /// CHARTER_NOT_DECIDED otherwise.
    fn electorate(&self, charter: EntryId, at: Place) -> Result<&Charter, Discount> {
        let node = self
            .dag
            .charter(charter)
            .filter(|_| self.is_decided_at(charter, at));
        node.map(|n| &n.charter)
            .ok_or_else(|| DiscountReason::CharterNotDecided.into())
    }

    pub(super) fn judge_proposal(&self, at: Place) -> Result<Proposal, Discount> {
        let entry = self.dag.entry(at.entry);
        let electorate = self.electorate(entry.charter, at)?;
        let (slot, root) = match entry.statements.first() {
            Some(Statement::Propose(proposal)) => {
                self.judge_ref_proposal(entry.charter, proposal, at)?
            }
            Some(Statement::ProposeCharter(proposal)) => {
                self.judge_charter_proposal(electorate, proposal)?
            }
            _ => return Err(DiscountReason::UnknownProposal.into()),
        };
        let (proposer, charter) = (entry.member.clone(), entry.charter);
        Ok(Proposal {
            id: entry.id,
            proposer,
            charter,
            slot,
            root,
            place: at,
        })
    }

    fn judge_ref_proposal(
        &self,
        charter: EntryId,
        proposal: &RefProposal,
        at: Place,
    ) -> Result<(Slot, EntryId), Discount> {
        let slot = Slot {
            subject: Subject::Ref(proposal.name.clone()),
            base: proposal.base,
        };
        let root = self
            .root(charter, &slot.subject)
            .ok_or(DiscountReason::NotProtected)?;
        if proposal.base != root {
            let base = self
                .known_proposal(proposal.base, at)
                .map_err(|_| DiscountReason::WrongBase)?;
            if base.slot.subject != slot.subject || base.root != root {
                return Err(DiscountReason::WrongBase.into());
            }
            if !self.decided_before(base.id, at) {
                return Err(DiscountReason::BaseNotDecided.into());
            }
        }
        Ok((slot, root))
    }

    fn judge_charter_proposal(
        &self,
        electorate: &Charter,
        proposal: &CharterProposal,
    ) -> Result<(Slot, EntryId), Discount> {
        if let ProposedCharter::Known(next) = &proposal.charter {
            next.check_follows(electorate)
                .map_err(|e| Discount::new(DiscountReason::NotASuccessor, e.to_string()))?;
        }
        Ok((
            Slot {
                subject: Subject::Charter,
                base: proposal.base,
            },
            self.dag.ledger(),
        ))
    }

    pub(super) fn judge_withdrawal(
        &self,
        member: &MemberName,
        proposal: EntryId,
        at: Place,
    ) -> Result<(), Discount> {
        self.electorate(self.dag.entry(at.entry).charter, at)?;
        let proposed = self.known_proposal(proposal, at)?;
        if proposed.proposer != *member {
            return DiscountReason::NotTheProposer.into();
        }
        Ok(())
    }

    /// Checks what every review needs: its charter is decided, and its proposal is valid and known.
    pub(super) fn judge_review(
        &self,
        charter: EntryId,
        proposal: EntryId,
        at: Place,
    ) -> Result<(), Discount> {
        self.electorate(charter, at)?;
        self.known_proposal(proposal, at).map(|_| ())
    }

    pub(super) fn judge_approval(
        &self,
        member: &MemberName,
        charter: EntryId,
        proposal: EntryId,
        at: Place,
    ) -> Result<(), Discount> {
        let electorate = self.electorate(charter, at)?;
        let proposed = self.known_proposal(proposal, at)?;
        if !electorate.votes(member) {
            return DiscountReason::NotAVoter.into();
        }
        if proposed.proposer == *member && !electorate.rules().own_approval_counts {
            return DiscountReason::OwnApproval.into();
        }
        Ok(())
    }

    /// Checks a prevote (rules 1, 4, 5a and 6).
    pub(super) fn judge_prevote(
        &self,
        member: &MemberName,
        charter: EntryId,
        vote: &Prevote,
        at: Place,
    ) -> Result<(), Discount> {
        let case = self.open_case(member, charter, vote.proposal, at)?;
        self.check_own_order(&case, Phase::Prevote, vote.round)?;
        self.check_entered(&case, vote.round)?;
        self.check_approved(&case, vote.round)?;
        self.check_lock(&case, vote.round)?;
        self.check_inheritance(&case, vote.round)
    }

    /// Checks a precommit (rules 2, 4, 5a and 6), except for its agreement signature.
    pub(super) fn judge_precommit(
        &self,
        member: &MemberName,
        charter: EntryId,
        (proposal, round): (EntryId, u32),
        at: Place,
    ) -> Result<(), Discount> {
        let case = self.open_case(member, charter, proposal, at)?;
        self.check_own_order(&case, Phase::Precommit, round)?;
        self.check_entered(&case, round)?;
        if !self.has_prevote_quorum(&case, round) && !Mutation::PrevoteQuorum.is_active() {
            return DiscountReason::NoPrevoteQuorum.into();
        }
        Ok(())
    }

    pub(super) fn check_agreement_signature(
        &self,
        member: &MemberName,
        charter: EntryId,
        vote: &Precommit,
    ) -> Result<(), Discount> {
        if Mutation::AgreementSignature.is_active() {
            return Ok(());
        }
        let key = self
            .dag
            .charter(charter)
            .and_then(|n| n.charter.member(member))
            .map(|m| m.key);
        let statement = agreement_statement(self, charter, vote.proposal, vote.round);
        let verifies = key.zip(statement).is_some_and(|(key, body)| {
            key.verifies(&pre_authentication_encoding(&body), &vote.signature)
        });
        if verifies {
            Ok(())
        } else {
            DiscountReason::BadAgreementSignature.into()
        }
    }

    /// Checks what votes of both phases need, and collects the data for further checks.
    ///
    /// The charter is decided, and the proposal is valid and known. The charter decides the slot,
    /// and the base of the slot is decided. The member votes under the charter and is not frozen.
    /// No decision under an earlier charter is for another proposal.
    fn open_case<'a>(
        &'a self,
        member: &'a MemberName,
        charter: EntryId,
        proposal: EntryId,
        at: Place,
    ) -> Result<Case<'a>, Discount> {
        let electorate = self.electorate(charter, at)?;
        let proposal = self.known_proposal(proposal, at)?;
        let slot = &proposal.slot;
        if self.root(charter, &slot.subject) != Some(proposal.root) {
            return Err(DiscountReason::NotProtected.into());
        }
        self.check_base(charter, proposal, at)?;
        if !electorate.votes(member) {
            return Err(DiscountReason::NotAVoter.into());
        }
        let is_charter_slot = slot.subject.is_charter();
        if !is_charter_slot && !Mutation::Freeze.is_active() && self.is_frozen(member, charter, at)
        {
            return Err(DiscountReason::Frozen.into());
        }
        let inheritance = self.inheritance(charter, slot, at);
        if matches!(inheritance, Inheritance::Decided(value) if value != proposal.id) {
            return Err(DiscountReason::SlotDecided.into());
        }
        let ballot = self
            .ballots
            .get(slot)
            .and_then(|ballots| ballots.get(&charter));
        Ok(Case {
            member,
            charter,
            electorate,
            proposal,
            ballot,
            inheritance,
            at,
        })
    }

    /// Checks that the base of the slot is decided among the ancestors of the vote. The slot of a
    /// charter change must have the vote's charter as its base.
    fn check_base(&self, charter: EntryId, proposal: &Proposal, at: Place) -> Result<(), Discount> {
        let base = proposal.slot.base;
        if proposal.slot.subject.is_charter() {
            return if base == charter {
                Ok(())
            } else {
                DiscountReason::WrongBase.into()
            };
        }
        // The root is a charter of the lineage. It is decided, because the vote's charter is.
        if base == proposal.root || self.decided_before(base, at) {
            return Ok(());
        }
        DiscountReason::BaseNotDecided.into()
    }

    /// Checks the order of the member's own votes (rule 4). None is of a higher round, and none of
    /// the same round and phase is for another proposal.
    fn check_own_order(&self, case: &Case<'_>, phase: Phase, round: u32) -> Result<(), Discount> {
        let voted_in = |votes: &RoundVotes| votes.has_voted(&self.dag, case.member, case.at);
        let mut later = case
            .ballot
            .into_iter()
            .flatten()
            .filter(|(voted, _)| **voted > round);
        if let Some((voted, _)) = later.find(|(_, votes)| voted_in(votes))
            && !Mutation::MonotoneRounds.is_active()
        {
            let detail = format!("round {voted} before round {round}");
            return Err(Discount::new(DiscountReason::RoundWentBack, detail));
        }
        let votes = case
            .ballot
            .and_then(|b| b.get(&round))
            .map(|votes| votes.phase(phase));
        let is_second = votes.is_some_and(|v| {
            v.is_raised(&self.dag, case.member, case.at, |p| p != case.proposal.id)
        });
        if is_second && !Mutation::OneVoteARound.is_active() {
            DiscountReason::SecondVote.into()
        } else {
            Ok(())
        }
    }

    /// Checks that q members have voted in the round before (rule 5a).
    fn check_entered(&self, case: &Case<'_>, round: u32) -> Result<(), Discount> {
        let Some(before) = round.checked_sub(1) else {
            return Ok(());
        };
        let votes = case.ballot.and_then(|b| b.get(&before));
        let voters = votes.map_or(0, |votes| votes.voters_before(&self.dag, case.at));
        if voters >= case.electorate.threshold().q || Mutation::Entering.is_active() {
            return Ok(());
        }
        let detail = format!("{voters} voted in round {before}");
        Err(Discount::new(DiscountReason::RoundNotEntered, detail))
    }

    /// Checks that a prevote has one of the supports of rule 1: approvals, or what replaces them.
    /// The member's own approval alone is enough in round 0 only.
    fn check_approved(&self, case: &Case<'_>, round: u32) -> Result<(), Discount> {
        let id = case.proposal.id;
        let casts = self.approvals.get(&(case.charter, id));
        let approvers: BTreeSet<_> = casts
            .into_iter()
            .flat_map(|casts| casts.supporters_before(&self.dag, id, case.at))
            .collect();
        let vouched = approvers.len() >= case.electorate.threshold().q
            || self.has_quorum_within(case, 0..round)
            || (round == 0 && approvers.contains(case.member))
            || self
                .own_lock(case)
                .is_some_and(|(_, locked)| locked.contains(&id))
            || case.inheritance == Inheritance::Bound(id)
            || case.inheritance == Inheritance::Decided(id);
        if vouched || Mutation::Approvals.is_active() {
            return Ok(());
        }
        Err(Discount::new(
            DiscountReason::NotApproved,
            format!("{} approvals", approvers.len()),
        ))
    }

    /// Returns the member's lock and its round, or `None` if the member has not precommitted.
    ///
    /// The lock is the proposal of the precommit of the highest round. If the member precommitted
    /// several proposals in that round, on separate branches, each of them is its lock.
    fn own_lock(&self, case: &Case<'_>) -> Option<(u32, BTreeSet<EntryId>)> {
        let own = |votes: &RoundVotes| -> BTreeSet<EntryId> {
            let is_known = |id: &EntryId| {
                votes
                    .precommits
                    .is_raised(&self.dag, case.member, case.at, |p| p == *id)
            };
            votes
                .precommits
                .raised_by(case.member)
                .filter(is_known)
                .collect()
        };
        let mut rounds = case
            .ballot
            .into_iter()
            .flatten()
            .rev()
            .map(|(round, votes)| (*round, own(votes)));
        rounds.find(|(_, locked)| !locked.is_empty())
    }

    /// Checks that each lock of the member permits the prevote (rule 4). A lock on another proposal
    /// is released by q prevotes for this proposal, all of one round above the lock's and below the
    /// vote's.
    fn check_lock(&self, case: &Case<'_>, round: u32) -> Result<(), Discount> {
        let Some((locked_in, locked)) = self.own_lock(case) else {
            return Ok(());
        };
        let Some(other) = locked.iter().find(|l| **l != case.proposal.id) else {
            return Ok(());
        };
        let from = match () {
            () if Mutation::UnlockByLater.is_active() => Some(0),
            () if Mutation::UnlockByOneRound.is_active() => Some(locked_in),
            () => locked_in.checked_add(1),
        };
        if from.is_some_and(|from| self.quorum_in_rounds(case, from, round))
            || Mutation::Lock.is_active()
        {
            return Ok(());
        }
        let detail = format!("precommit of {} in round {locked_in}", other.short());
        Err(Discount::new(DiscountReason::Locked, detail))
    }

    /// Checks that the hand-over permits the prevote (rule 6). A handed-down proposal binds like a
    /// lock below round 0.
    fn check_inheritance(&self, case: &Case<'_>, round: u32) -> Result<(), Discount> {
        match case.inheritance {
            Inheritance::Bound(value)
                if value != case.proposal.id && !self.quorum_in_rounds(case, 0, round) =>
            {
                Err(Discount::new(DiscountReason::HandedDown, value.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether q prevotes for the proposal, all of one round in `from..below`, are among
    /// the ancestors. A mutation can weaken this check.
    fn quorum_in_rounds(&self, case: &Case<'_>, from: u32, below: u32) -> bool {
        let Some(ballot) = case.ballot.filter(|_| from < below) else {
            return false;
        };
        if Mutation::UnlockByQuorum.is_active() || Mutation::UnlockByOneRound.is_active() {
            return self.has_weak_release(case, ballot.range(from..below).map(|(_, votes)| votes));
        }
        self.has_quorum_within(case, from..below)
    }

    /// Returns whether one of these rounds has a prevote quorum for the proposal among the
    /// ancestors. No mutation weakens this check.
    fn has_quorum_within(&self, case: &Case<'_>, rounds: Range<u32>) -> bool {
        case.ballot.is_some_and(|b| {
            b.range(rounds)
                .any(|(round, _)| self.has_prevote_quorum(case, *round))
        })
    }

    /// Returns whether the prevotes of these rounds release a lock while a mutation weakens rule 4.
    fn has_weak_release<'a>(
        &self,
        case: &Case<'_>,
        rounds: impl Iterator<Item = &'a RoundVotes>,
    ) -> bool {
        let by_round = rounds.map(|votes| {
            votes
                .prevotes
                .supporters_before(&self.dag, case.proposal.id, case.at)
        });
        let by_round: Vec<BTreeSet<_>> = by_round.map(Iterator::collect).collect();
        let together = by_round.iter().flatten().collect::<BTreeSet<_>>().len();
        let most = by_round.iter().map(BTreeSet::len).max().unwrap_or(0);
        let q = case.electorate.threshold().q - usize::from(Mutation::UnlockByQuorum.is_active());
        most >= q || (Mutation::UnlockByOneRound.is_active() && together >= q)
    }

    /// Returns whether q prevotes for the proposal in this round are among the ancestors.
    fn has_prevote_quorum(&self, case: &Case<'_>, round: u32) -> bool {
        let votes = case.ballot.and_then(|b| b.get(&round));
        votes.is_some_and(|v| {
            let prevoted = v
                .prevotes
                .supporters_before(&self.dag, case.proposal.id, case.at);
            prevoted.count() >= case.electorate.threshold().q
        })
    }

    /// Returns how earlier charters bind votes in a slot, by the ancestors of `at` (rule 6).
    ///
    /// A decision comes first: the one of the latest charter and, within it, of the lowest round.
    /// If there is no decision, the prevote quorum of the latest charter and, within it, of the
    /// highest round is handed down. Of several in one round, the lowest id is taken.
    pub(super) fn inheritance(&self, charter: EntryId, slot: &Slot, at: Place) -> Inheritance {
        let Some(ballots) = self.ballots.get(slot) else {
            return Inheritance::Nothing;
        };
        if Mutation::HandOver.is_active() {
            return Inheritance::Nothing;
        }
        let earlier = || {
            self.dag
                .lineage(charter)
                .skip(1)
                .filter_map(|(id, _)| Some((id, ballots.get(&id)?)))
        };
        for (id, ballot) in earlier() {
            for votes in ballot.values() {
                if let Some(value) = votes
                    .precommits
                    .quorum_value(&self.dag, self.quorum(id), at)
                {
                    return Inheritance::Decided(value);
                }
            }
        }
        for (id, ballot) in earlier() {
            for votes in ballot.values().rev() {
                if let Some(value) = votes.prevotes.quorum_value(&self.dag, self.quorum(id), at) {
                    return Inheritance::Bound(value);
                }
            }
        }
        Inheritance::Nothing
    }
}
