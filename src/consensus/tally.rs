//! The tally of a ledger: all its entries with the verdicts on their statements. A statement is
//! judged once, when its entry is inserted. The entry's ancestors are inserted before it. Later
//! entries change no verdict.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::casts::Casts;
use super::discount::{Discount, DiscountReason};
use super::slot::{Slot, Subject};
use crate::charter::{MemberName, ProposedCharter};
use crate::id::{EntryId, Oid};
use crate::lazy_table::{LazyList, LazyMap, TableReader, TableWriter};
use crate::ledger::{
    CharterProposal, Dag, EntryIndex, Marks, ParsedEntry, Place, RefProposal, Reject, Review,
    Statement, Verdict,
};
use crate::mutation::Mutation;

/// The phase of a vote.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The first phase.
    Prevote,
    /// The second phase. Precommits for one proposal by q members, all of one round, decide it.
    Precommit,
}

/// A valid proposal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proposal {
    /// The id of the proposal: the id of its entry.
    pub id: EntryId,
    /// The member whose entry makes the proposal.
    pub proposer: MemberName,
    /// The charter under which the proposal is made.
    pub charter: EntryId,
    /// The slot in which the proposal competes with its rivals.
    pub slot: Slot,
    /// The charter at which the chain of the slot starts.
    pub root: EntryId,
    /// The position of the statement in the ledger.
    pub place: Place,
}

/// The content of a proposal.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// The proposed move of a ref.
    Ref(&'a RefProposal),
    /// The proposed charter.
    Charter(&'a CharterProposal),
}

impl<'a> Content<'a> {
    /// Returns the proposal's title.
    pub fn title(self) -> &'a str {
        match self {
            Self::Ref(change) => &change.title,
            Self::Charter(change) => &change.title,
        }
    }

    /// Returns the proposal's description.
    pub fn text(self) -> &'a str {
        match self {
            Self::Ref(change) => &change.text,
            Self::Charter(change) => &change.text,
        }
    }

    /// Returns the proposed move of a ref, or `None` if the proposal changes the charter.
    pub fn as_ref_change(self) -> Option<&'a RefProposal> {
        match self {
            Self::Ref(change) => Some(change),
            Self::Charter(_) => None,
        }
    }

    /// Returns the proposed charter, or `None` if the proposal changes a ref.
    pub fn as_charter_change(self) -> Option<&'a CharterProposal> {
        match self {
            Self::Charter(change) => Some(change),
            Self::Ref(_) => None,
        }
    }
}

/// The last review of a member on a proposal. Of several reviews, the one of the highest rank is
/// the last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LatestReview {
    /// The entry's sequence number, the entry's id, and the statement's number in the entry.
    pub(super) rank: (u64, EntryId, usize),
    pub(super) verdict: Verdict,
}

/// The valid votes of one round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct RoundVotes {
    pub(super) prevotes: Casts,
    pub(super) precommits: Casts,
}

impl RoundVotes {
    pub(super) fn phase(&self, phase: Phase) -> &Casts {
        match phase {
            Phase::Prevote => &self.prevotes,
            Phase::Precommit => &self.precommits,
        }
    }

    /// Returns whether a vote of the member, of either phase, is known to the statement at `at`.
    pub(super) fn has_voted(&self, dag: &Dag, member: &MemberName, at: Place) -> bool {
        [&self.prevotes, &self.precommits]
            .iter()
            .any(|casts| casts.is_raised(dag, member, at, |_| true))
    }

    /// Returns how many members have a vote, of either phase, that is known to the statement at
    /// `at`.
    pub(super) fn voters_before(&self, dag: &Dag, at: Place) -> usize {
        let voters: BTreeSet<_> = self
            .prevotes
            .members()
            .chain(self.precommits.members())
            .collect();
        voters
            .into_iter()
            .filter(|member| self.has_voted(dag, member, at))
            .count()
    }
}

/// The valid votes of one slot under one charter, by round.
pub(super) type Ballot = BTreeMap<u32, RoundVotes>;

/// A vote that was cast, whether or not it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The phase of the vote.
    pub phase: Phase,
    /// The round of the vote.
    pub round: u32,
    /// The proposal that the vote is for.
    pub proposal: EntryId,
    /// The position of the statement in the ledger.
    pub place: Place,
    /// Whether the vote counts.
    pub counts: bool,
}

/// A decision, and the votes that make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The decided proposal.
    pub proposal: EntryId,
    /// The earliest charter under which the proposal is decided: the one of the shortest lineage.
    pub charter: EntryId,
    /// The lowest round in which the proposal is decided under this charter.
    pub round: u32,
    /// The entries of the precommits for the proposal in this round, by member. They are at least a
    /// quorum.
    pub precommits: BTreeMap<MemberName, EntryId>,
}

/// A statement that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discounted {
    /// The position of the statement in the ledger.
    pub place: Place,
    /// The reason why the statement does not count.
    pub discount: Discount,
}

/// The decided proposals of a subject, in order, and the end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The charter at which the chain starts.
    pub root: EntryId,
    /// The decided proposals, the first one first.
    pub decided: Vec<EntryId>,
    /// The first slot that does not have exactly one decision.
    pub next: Slot,
    /// The decisions of the next slot if there are several: agreement is broken there. Otherwise
    /// the list is empty.
    pub rivals: Vec<EntryId>,
}

/// Whether the agreement signatures of an entry's precommits are already checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signatures {
    /// The signatures are not checked yet.
    Unchecked,
    /// The signatures were checked before, and they verify.
    Good,
}

/// A ledger with the verdicts on all its statements.
#[derive(Debug, Clone)]
pub struct Tally {
    pub(super) dag: Dag,
    proposals: LazyMap<EntryId, Proposal>,
    pub(super) by_slot: LazyMap<Slot, BTreeSet<EntryId>>,
    broken: BTreeSet<Slot>,
    /// The approvals that count, by charter and proposal.
    pub(super) approvals: LazyMap<(EntryId, EntryId), Casts>,
    /// The last review of each member on each proposal.
    pub(super) reviews: LazyMap<EntryId, BTreeMap<MemberName, LatestReview>>,
    pub(super) withdrawals: LazyMap<EntryId, Place>,
    pub(super) ballots: LazyMap<Slot, BTreeMap<EntryId, Ballot>>,
    /// Every vote whose slot is known, by member, charter and slot. Evidence consists of these
    /// votes, whether or not they count.
    pub(super) cast: LazyMap<(MemberName, EntryId, Slot), Vec<Vote>>,
    /// The places at which a member precommitted a change of a charter, whether or not the
    /// precommits count.
    changes: LazyMap<(MemberName, EntryId), Marks<()>>,
    /// The charters and rounds in which each decided proposal is decided.
    pub(super) sources: LazyMap<EntryId, BTreeSet<(EntryId, u32)>>,
    discounted: LazyList<Discounted>,
    /// The decided proposals of each slot that has one.
    decided: LazyMap<Slot, BTreeSet<EntryId>>,
    /// The last decision of each chain, or its root, by subject and root. To find the decision
    /// before it, look up the base of its slot.
    heads: LazyMap<(Subject, EntryId), EntryId>,
}

impl Tally {
    /// Returns the tally of a ledger that contains only its genesis.
    pub fn found(genesis: ParsedEntry, oid: Oid) -> Result<Self, Reject> {
        Ok(Self {
            dag: Dag::found(genesis, oid)?,
            proposals: LazyMap::default(),
            by_slot: LazyMap::default(),
            broken: BTreeSet::new(),
            approvals: LazyMap::default(),
            reviews: LazyMap::default(),
            withdrawals: LazyMap::default(),
            ballots: LazyMap::default(),
            cast: LazyMap::default(),
            changes: LazyMap::default(),
            sources: LazyMap::default(),
            discounted: LazyList::default(),
            decided: LazyMap::default(),
            heads: LazyMap::default(),
        })
    }

    /// Checks the signature of an entry, inserts the entry and judges its statements. The parents
    /// must be inserted before. An entry that is already inserted is not judged again.
    pub fn insert(&mut self, parsed: ParsedEntry, oid: Oid) -> Result<EntryIndex, Reject> {
        let known = self.dag.find(parsed.id).is_some();
        let index = self.dag.insert(parsed, oid)?;
        if !known {
            self.judge_entry(index, Signatures::Unchecked);
        }
        Ok(index)
    }

    /// Inserts and judges an entry whose signatures were checked before.
    ///
    /// Both the signature of the entry and those of its precommits must have verified. The result
    /// of these checks depends only on the entry's bytes and the ancestors that they name.
    pub fn insert_checked(&mut self, parsed: ParsedEntry, oid: Oid) -> Result<EntryIndex, Reject> {
        let known = self.dag.find(parsed.id).is_some();
        let index = self.dag.insert_checked(parsed, oid)?;
        if !known {
            self.judge_entry(index, Signatures::Good);
        }
        Ok(index)
    }

    fn judge_entry(&mut self, entry: EntryIndex, signatures: Signatures) {
        for statement in 0..self.dag.entry(entry).statements.len() {
            let place = Place { entry, statement };
            if let Err(discount) = self.record(place, signatures) {
                self.discounted.push(Discounted { place, discount });
            }
        }
    }

    /// Judges the statement at a place and records it. Returns an error if the statement does not
    /// count.
    pub(super) fn record(&mut self, place: Place, signatures: Signatures) -> Result<(), Discount> {
        let entry = self.dag.entry(place.entry);
        let (member, charter) = (entry.member.clone(), entry.charter);
        let Some(statement) = entry.statements.get(place.statement).cloned() else {
            return Ok(());
        };
        match statement {
            Statement::Propose(_) | Statement::ProposeCharter(_) => self.record_proposal(place),
            Statement::Review(review) => self.record_review(member, charter, &review, place),
            Statement::Withdraw(withdraw) => {
                self.judge_withdrawal(&member, withdraw.proposal, place)?;
                if !self.withdrawals.contains_key(&withdraw.proposal) {
                    self.withdrawals.insert(withdraw.proposal, place);
                }
                Ok(())
            }
            Statement::Prevote(vote) => {
                let verdict = self.judge_prevote(&member, charter, &vote, place);
                self.record_vote(
                    (member, charter),
                    (Phase::Prevote, vote.round, vote.proposal),
                    place,
                    verdict,
                )
            }
            Statement::Precommit(vote) => {
                let verdict = self
                    .judge_precommit(&member, charter, (vote.proposal, vote.round), place)
                    .and_then(|()| match signatures {
                        Signatures::Good => Ok(()),
                        Signatures::Unchecked => {
                            self.check_agreement_signature(&member, charter, &vote)
                        }
                    });
                self.record_vote(
                    (member, charter),
                    (Phase::Precommit, vote.round, vote.proposal),
                    place,
                    verdict,
                )
            }
        }
    }

    fn record_proposal(&mut self, place: Place) -> Result<(), Discount> {
        let proposal = self.judge_proposal(place)?;
        self.by_slot
            .or_default(proposal.slot.clone())
            .insert(proposal.id);
        self.proposals.insert(proposal.id, proposal);
        Ok(())
    }

    fn record_review(
        &mut self,
        member: MemberName,
        charter: EntryId,
        review: &Review,
        place: Place,
    ) -> Result<(), Discount> {
        let proposal = review.proposal;
        self.judge_review(charter, proposal, place)?;
        self.record_latest_review(&member, review, place);
        if review.verdict == Verdict::Approve {
            self.judge_approval(&member, charter, proposal, place)?;
            self.approvals
                .or_default((charter, proposal))
                .file(&self.dag, member, proposal, place);
        }
        Ok(())
    }

    fn record_latest_review(&mut self, member: &MemberName, review: &Review, place: Place) {
        let entry = self.dag.entry(place.entry);
        let word = LatestReview {
            rank: (entry.seq, entry.id, place.statement),
            verdict: review.verdict,
        };
        let words = self.reviews.or_default(review.proposal);
        if words.get(member).is_none_or(|known| known.rank < word.rank) {
            words.insert(member.clone(), word);
        }
    }

    fn record_vote(
        &mut self,
        (member, charter): (MemberName, EntryId),
        (phase, round, proposal): (Phase, u32, EntryId),
        place: Place,
        verdict: Result<(), Discount>,
    ) -> Result<(), Discount> {
        // A vote for an unknown proposal has no slot. It can neither count nor convict by a pair.
        let Ok(slot) = self.known_proposal(proposal, place).map(|p| p.slot.clone()) else {
            return verdict;
        };
        let vote = Vote {
            phase,
            round,
            proposal,
            place,
            counts: verdict.is_ok(),
        };
        self.cast
            .or_default((member.clone(), charter, slot.clone()))
            .push(vote);
        if phase == Phase::Precommit && slot == change_of(charter) {
            self.record_change(&member, charter, place);
        }
        verdict?;
        let ballot = self
            .ballots
            .or_default(slot.clone())
            .entry(charter)
            .or_default();
        let votes = ballot.entry(round).or_default();
        match phase {
            Phase::Prevote => votes.prevotes.file(&self.dag, member, proposal, place),
            Phase::Precommit => {
                votes.precommits.file(&self.dag, member, proposal, place);
                let all = precommits_of(ballot, round).flat_map(|casts| casts.supporters(proposal));
                let precommitted = all.collect::<BTreeSet<_>>().len();
                if precommitted >= self.quorum(charter) {
                    self.sources.or_default(proposal).insert((charter, round));
                    self.record_decision(slot, proposal);
                }
            }
        }
        Ok(())
    }

    fn record_change(&mut self, member: &MemberName, charter: EntryId, place: Place) {
        let places = self.changes.or_default((member.clone(), charter));
        if !self.dag.knows(place, places, |()| true) {
            self.dag.mark(places, place, ());
        }
    }

    fn record_decision(&mut self, slot: Slot, proposal: EntryId) {
        let Some(root) = self.proposals.get(&proposal).map(|p| p.root) else {
            return;
        };
        let decided = self.decided.or_default(slot.clone());
        if !decided.insert(proposal) {
            return;
        }
        let is_alone = decided.len() == 1;
        let (chain, next) = (
            (slot.subject.clone(), root),
            self.next_in(slot.subject.clone(), root),
        );
        if is_alone {
            self.heads.insert(chain, self.advanced(next).base);
            return;
        }
        if self.behind(next).any(|p| p.slot == slot) {
            // The chain ends before the broken slot.
            self.heads.insert(chain, slot.base);
        }
        self.broken.insert(slot);
    }

    /// Follows the chain from this slot, as long as a slot has exactly one decision. Returns the
    /// slot at which the chain ends.
    fn advanced(&self, mut slot: Slot) -> Slot {
        while let Some(only) = self
            .decided
            .get(&slot)
            .filter(|all| all.len() == 1)
            .and_then(BTreeSet::first)
        {
            slot.base = *only;
        }
        slot
    }

    /// Returns the decided proposals of the chain before a slot, the latest first.
    ///
    /// The root ends the chain. The root may be a proposal too, but a proposal of a charter.
    fn behind(&self, slot: Slot) -> impl Iterator<Item = &Proposal> {
        let proposal = move |id: EntryId| {
            self.proposals
                .get(&id)
                .filter(|p| p.slot.subject == slot.subject)
        };
        std::iter::successors(proposal(slot.base), move |at| proposal(at.slot.base))
    }

    /// Returns whether the entry has a precommit that does not count because of its agreement
    /// signature.
    pub fn has_bad_agreement_signature(&self, entry: EntryIndex) -> bool {
        let of_entry = self
            .discounted
            .iter()
            .rev()
            .take_while(|d| d.place.entry >= entry);
        let mut of_entry = of_entry.filter(|d| d.place.entry == entry);
        of_entry.any(|d| d.discount.reason == DiscountReason::BadAgreementSignature)
    }

    /// Serializes the tally for [`Tally::from_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = TableWriter::new();
        self.write_to(&mut writer);
        writer.finish()
    }

    /// Reads what [`Tally::to_bytes`] wrote. Returns `None` if the bytes are malformed.
    ///
    /// The verdicts in the bytes are not checked. The caller must trust whoever stored the bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let mut reader = TableReader::new(bytes.into())?;
        Self::read_from(&mut reader).filter(|_| reader.is_at_end())
    }

    /// Writes all tables of the tally.
    pub(crate) fn write_to(&self, writer: &mut TableWriter) {
        self.dag.write_to(writer);
        writer.map(&self.proposals);
        writer.map(&self.by_slot);
        writer.value(&self.broken);
        writer.map(&self.approvals);
        writer.map(&self.reviews);
        writer.map(&self.withdrawals);
        writer.map(&self.ballots);
        writer.map(&self.cast);
        writer.map(&self.changes);
        writer.map(&self.sources);
        writer.list(&self.discounted);
        writer.map(&self.decided);
        writer.map(&self.heads);
    }

    /// Reads the tables of a tally. Returns `None` if they are malformed.
    pub(crate) fn read_from(reader: &mut TableReader) -> Option<Self> {
        Some(Self {
            dag: Dag::read_from(reader)?,
            proposals: reader.map()?,
            by_slot: reader.map()?,
            broken: reader.value()?,
            approvals: reader.map()?,
            reviews: reader.map()?,
            withdrawals: reader.map()?,
            ballots: reader.map()?,
            cast: reader.map()?,
            changes: reader.map()?,
            sources: reader.map()?,
            discounted: reader.list()?,
            decided: reader.map()?,
            heads: reader.map()?,
        })
    }

    /// Returns the entries of the ledger.
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// Returns the valid proposal with this id. Returns `None` if there is none.
    pub fn proposal(&self, id: EntryId) -> Option<&Proposal> {
        self.proposals.get(&id)
    }

    /// Returns all valid proposals, by id.
    pub fn proposals(&self) -> impl Iterator<Item = &Proposal> {
        self.proposals.values()
    }

    /// Returns the valid proposals of a slot, by id.
    pub fn rivals(&self, slot: &Slot) -> impl Iterator<Item = &Proposal> {
        self.by_slot
            .get(slot)
            .into_iter()
            .flatten()
            .filter_map(|id| self.proposals.get(id))
    }

    /// Returns how many valid proposals a slot has.
    pub fn rival_count(&self, slot: &Slot) -> usize {
        self.by_slot.get(slot).map_or(0, BTreeSet::len)
    }

    /// Returns the content of a proposal.
    #[allow(
        clippy::unreachable,
        reason = "a Proposal is made from a propose statement, and entries do not change"
    )]
    pub fn content(&self, proposal: &Proposal) -> Content<'_> {
        match self.dag.entry(proposal.place.entry).statements.first() {
            Some(Statement::Propose(content)) => Content::Ref(content),
            Some(Statement::ProposeCharter(content)) => Content::Charter(content),
            _ => unreachable!("a proposal's entry begins with its propose statement"),
        }
    }

    /// Returns the content of the valid proposal with this id.
    pub fn content_of(&self, id: EntryId) -> Option<Content<'_>> {
        self.proposal(id).map(|proposal| self.content(proposal))
    }

    /// Returns the ref move that the valid proposal with this id proposes. Returns `None` if there
    /// is no such proposal, or if it changes the charter.
    pub fn ref_change(&self, id: EntryId) -> Option<&RefProposal> {
        self.content_of(id)?.as_ref_change()
    }

    /// Returns the charter that the valid proposal with this id proposes. Returns `None` if there
    /// is no such proposal, or if it changes a ref.
    pub fn charter_change(&self, id: EntryId) -> Option<&CharterProposal> {
        self.content_of(id)?.as_charter_change()
    }

    /// Returns the statements that do not count, in the order in which they were judged.
    pub fn discounted(&self) -> &LazyList<Discounted> {
        &self.discounted
    }

    /// Returns the threshold q of a charter. Returns `usize::MAX` if the charter is not known, so
    /// that nothing reaches the quorum.
    pub(super) fn quorum(&self, charter: EntryId) -> usize {
        self.dag
            .charter(charter)
            .map_or(usize::MAX, |node| node.charter.threshold().q)
    }

    /// Returns the members whose approvals of a proposal count under a charter.
    pub fn approvers(&self, charter: EntryId, proposal: EntryId) -> BTreeSet<&MemberName> {
        self.approvals
            .get(&(charter, proposal))
            .into_iter()
            .flat_map(|casts| casts.supporters(proposal))
            .collect()
    }

    /// Returns whether a proposal is decided.
    pub fn is_decided(&self, proposal: EntryId) -> bool {
        self.sources.contains_key(&proposal)
    }

    /// Returns whether the ancestors of `at` decide the proposal: they contain precommits for it by
    /// q members, of one round and charter.
    pub(super) fn decided_before(&self, proposal: EntryId, at: Place) -> bool {
        let Some(proposed) = self.proposals.get(&proposal) else {
            return false;
        };
        let Some(ballots) = self.ballots.get(&proposed.slot) else {
            return false;
        };
        let reached = |(charter, round): &(EntryId, u32)| {
            let votes = ballots
                .get(charter)
                .into_iter()
                .flat_map(|ballot| precommits_of(ballot, *round));
            let known: BTreeSet<_> = votes
                .flat_map(|casts| casts.supporters_before(&self.dag, proposal, at))
                .collect();
            known.len() >= self.quorum(*charter)
        };
        self.sources
            .get(&proposal)
            .into_iter()
            .flatten()
            .any(reached)
    }

    /// Returns the decision of a proposal, by the earliest charter and its lowest round. Returns
    /// `None` if the proposal is not decided.
    pub fn decision(&self, proposal: EntryId) -> Option<Decision> {
        let depth = |charter: &EntryId| {
            self.dag
                .charter(*charter)
                .map_or(usize::MAX, |node| node.depth)
        };
        let sources = self.sources.get(&proposal)?;
        let (charter, round) = *sources
            .iter()
            .min_by_key(|(charter, round)| (depth(charter), *round))?;
        let slot = &self.proposals.get(&proposal)?.slot;
        let votes = self.ballots.get(slot)?.get(&charter)?.get(&round)?;
        let mut precommits = BTreeMap::new();
        for cast in votes
            .precommits
            .iter()
            .filter(|cast| cast.proposal == proposal)
        {
            // Of several equal votes the lowest id is taken. So the order of arrival does not
            // matter.
            let id = self.dag.entry(cast.place.entry).id;
            precommits
                .entry(cast.member.clone())
                .and_modify(|known: &mut EntryId| *known = id.min(*known))
                .or_insert(id);
        }
        Some(Decision {
            proposal,
            charter,
            round,
            precommits,
        })
    }

    /// Returns the decided proposals of a slot. There are several only if agreement is broken.
    pub fn decided_in(&self, slot: &Slot) -> Vec<EntryId> {
        self.decided
            .get(slot)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    /// Returns whether a slot has a decision.
    pub fn has_decision(&self, slot: &Slot) -> bool {
        self.decided.contains_key(slot)
    }

    /// Returns the slots with more than one decision, on whatever chain. Agreement is broken there.
    pub fn broken_slots(&self) -> impl Iterator<Item = &Slot> {
        self.broken.iter()
    }

    /// Returns the subjects of all valid proposals, in order.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        // Slots are sorted by subject, then by base. So the slot after the highest base has the
        // next subject.
        let after = |subject: &Subject| Slot {
            subject: subject.clone(),
            base: EntryId::new([0xff; 32]),
        };
        let first = self.by_slot.iter().next().map(|(slot, _)| &slot.subject);
        std::iter::successors(first, move |subject| {
            self.by_slot
                .key_after(&after(subject))
                .map(|slot| &slot.subject)
        })
    }

    /// Returns the chain of the charter. The last charter of this chain is in force.
    pub fn charter_chain(&self) -> Chain {
        self.walk(Subject::Charter, self.dag.ledger())
    }

    /// Returns the charter in force: the last charter of the charter's chain.
    pub fn charter_in_force(&self) -> EntryId {
        self.next_in(Subject::Charter, self.dag.ledger()).base
    }

    /// Returns the tips of a member's lane that the member's key in this charter signed. Returns
    /// all tips if the name is no member of the charter.
    ///
    /// Why: anybody can propose a charter that puts somebody's name beside a key of their own.
    /// Entries signed with that key are not the member's.
    pub fn own_tips_under(&self, charter: EntryId, member: &MemberName) -> Vec<EntryIndex> {
        let key = |charter| {
            self.dag
                .charter(charter)
                .and_then(|node| node.charter.member(member))
                .map(|m| m.key)
        };
        let own = key(charter);
        let tips = self.dag.tips(member).into_iter();
        tips.filter(|tip| own.is_none() || key(self.dag.entry(*tip).charter) == own)
            .collect()
    }

    /// Returns the chain of a subject under the charter in force. Returns `None` if that charter
    /// does not protect the ref.
    pub fn chain(&self, subject: &Subject) -> Option<Chain> {
        Some(self.walk(
            subject.clone(),
            self.root(self.charter_in_force(), subject)?,
        ))
    }

    /// Returns the slot at which [`Tally::chain`] ends. Returns `None` if the charter in force does
    /// not protect the ref.
    pub fn next_slot(&self, subject: &Subject) -> Option<Slot> {
        Some(self.next_in(
            subject.clone(),
            self.root(self.charter_in_force(), subject)?,
        ))
    }

    /// Returns the decided proposals of [`Tally::chain`], the last one first. The iterator looks
    /// each proposal up only when it reaches it. Returns `None` if the charter in force does not
    /// protect the ref.
    pub fn decisions_back(&self, subject: &Subject) -> Option<impl Iterator<Item = EntryId>> {
        Some(self.behind(self.next_slot(subject)?).map(|p| p.id))
    }

    fn next_in(&self, subject: Subject, root: EntryId) -> Slot {
        let chain = (subject, root);
        let base = self.heads.get(&chain).copied().unwrap_or(root);
        Slot {
            subject: chain.0,
            base,
        }
    }

    fn walk(&self, subject: Subject, root: EntryId) -> Chain {
        let next = self.next_in(subject, root);
        let mut decided: Vec<_> = self.behind(next.clone()).map(|p| p.id).collect();
        decided.reverse();
        // The chain goes past a slot with one decision. So these are none or several.
        let rivals = self.decided_in(&next);
        Chain {
            root,
            decided,
            next,
            rivals,
        }
    }

    /// Returns the root of a subject under `charter`, or `None` if `charter` does not protect the
    /// ref.
    ///
    /// The root of a ref is the first charter of the lineage that has protected the ref without a
    /// gap up to `charter`. The root of the charter's own chain is the first charter.
    pub(super) fn root(&self, charter: EntryId, subject: &Subject) -> Option<EntryId> {
        match subject {
            Subject::Charter => Some(self.dag.ledger()),
            Subject::Ref(name) => {
                let protecting = self
                    .dag
                    .lineage(charter)
                    .take_while(|(_, node)| node.charter.protects(name));
                protecting.last().map(|(id, _)| id)
            }
        }
    }

    /// Returns the format version of a decided charter that this program does not know. Returns
    /// `None` if there is no such charter. If there is one, no verdict may be given
    /// (UPGRADE_NEEDED).
    pub fn upgrade_needed(&self) -> Option<u64> {
        let asked = |id: &EntryId| match &self.charter_change(*id)?.charter {
            ProposedCharter::Newer { version, .. } => Some(*version),
            ProposedCharter::Known(_) => None,
        };
        let slots = self
            .by_slot
            .iter()
            .take_while(|(slot, _)| slot.subject.is_charter());
        slots
            .flat_map(|(_, rivals)| rivals)
            .filter(|id| self.is_decided(**id))
            .find_map(asked)
    }

    /// Returns whether the member is frozen: its precommit of a change of this charter is known to
    /// the statement at `at` (rule 6).
    pub(super) fn is_frozen(&self, member: &MemberName, charter: EntryId, at: Place) -> bool {
        self.changes
            .get(&(member.clone(), charter))
            .is_some_and(|places| self.dag.knows(at, places, |()| true))
    }
}

/// Returns the slot of the changes of a charter.
pub(super) fn change_of(charter: EntryId) -> Slot {
    Slot {
        subject: Subject::Charter,
        base: charter,
    }
}

/// Returns the precommits that count together: those of one round (rule 3).
fn precommits_of(ballot: &Ballot, round: u32) -> impl Iterator<Item = &Casts> {
    let one = ballot.range(round..=round);
    let rounds = if Mutation::PrecommitsOfOneRound.is_active() {
        ballot.range(..)
    } else {
        one
    };
    rounds.map(|(_, votes)| &votes.precommits)
}

impl From<DiscountReason> for Result<(), Discount> {
    fn from(reason: DiscountReason) -> Self {
        Err(reason.into())
    }
}
