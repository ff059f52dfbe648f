//! The tally: what the entries of a ledger amount to. Statements are judged once, when their entry
//! comes in, which is after its ancestors; what comes later changes no verdict on them.

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

/// The two phases of a vote.
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
    /// The first.
    Prevote,
    /// The second; q of one round decide.
    Precommit,
}

/// A valid proposal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proposal {
    /// Its id.
    pub id: EntryId,
    /// Who made it.
    pub proposer: MemberName,
    /// The charter it was made under.
    pub charter: EntryId,
    /// What it competes for.
    pub slot: Slot,
    /// The charter at which the chain of its slot starts.
    pub root: EntryId,
    /// Where it stands.
    pub place: Place,
}

/// What a proposal would change.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// A ref.
    Ref(&'a RefProposal),
    /// The charter.
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

    /// Returns the proposed move of a ref, or `None` if the proposal changes something else.
    pub fn as_ref_change(self) -> Option<&'a RefProposal> {
        match self {
            Self::Ref(change) => Some(change),
            Self::Charter(_) => None,
        }
    }

    /// Returns the proposed charter, or `None` if the proposal changes something else.
    pub fn as_charter_change(self) -> Option<&'a CharterProposal> {
        match self {
            Self::Charter(change) => Some(change),
            Self::Ref(_) => None,
        }
    }
}

/// What a member thinks of a proposal. Of several words the one of the highest rank is the last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LatestReview {
    /// The entry's sequence number and id, and the statement's number.
    pub(super) rank: (u64, EntryId, usize),
    pub(super) verdict: Verdict,
}

/// Valid votes of one round.
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

    /// Whether a vote of the member, of either phase, is known to the statement at `at`.
    pub(super) fn has_voted(&self, dag: &Dag, member: &MemberName, at: Place) -> bool {
        [&self.prevotes, &self.precommits]
            .iter()
            .any(|casts| casts.is_raised(dag, member, at, |_| true))
    }

    /// How many members have a vote, of either phase, that is known to the statement at `at`.
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

/// Valid votes of one slot under one charter, by round.
pub(super) type Ballot = BTreeMap<u32, RoundVotes>;

/// A vote that was cast, whether or not it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Its phase.
    pub phase: Phase,
    /// Its round.
    pub round: u32,
    /// What it is for.
    pub proposal: EntryId,
    /// Where it stands.
    pub place: Place,
    /// Whether it counts.
    pub counts: bool,
}

/// That a proposal is decided, and by which votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The proposal.
    pub proposal: EntryId,
    /// The charter it was decided under (the first in which it was, by depth).
    pub charter: EntryId,
    /// The round (the first one).
    pub round: u32,
    /// The precommits of that round for it, by member; at least a quorum.
    pub precommits: BTreeMap<MemberName, EntryId>,
}

/// A statement that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discounted {
    /// Where it stands.
    pub place: Place,
    /// Why.
    pub discount: Discount,
}

/// The decided proposals of a subject, in order, and how the chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The charter at which it starts.
    pub root: EntryId,
    /// The decided proposals.
    pub decided: Vec<EntryId>,
    /// The slot that is next.
    pub next: Slot,
    /// Rival decisions of that slot: agreement is broken, and nothing follows. Empty otherwise.
    pub rivals: Vec<EntryId>,
}

/// What is known of the signatures of an entry's precommits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signatures {
    /// Nothing.
    Unchecked,
    /// They were checked before, and good.
    Good,
}

/// A ledger, judged.
#[derive(Debug, Clone)]
pub struct Tally {
    pub(super) dag: Dag,
    proposals: LazyMap<EntryId, Proposal>,
    pub(super) by_slot: LazyMap<Slot, BTreeSet<EntryId>>,
    broken: BTreeSet<Slot>,
    /// Approvals that count, by charter and proposal.
    pub(super) approvals: LazyMap<(EntryId, EntryId), Casts>,
    /// The last word of each member on each proposal.
    pub(super) reviews: LazyMap<EntryId, BTreeMap<MemberName, LatestReview>>,
    pub(super) withdrawals: LazyMap<EntryId, Place>,
    pub(super) ballots: LazyMap<Slot, BTreeMap<EntryId, Ballot>>,
    /// Every vote whose slot is known, by member, charter and slot: what evidence is made of.
    pub(super) cast: LazyMap<(MemberName, EntryId, Slot), Vec<Vote>>,
    /// Where a member precommitted a change of a charter, whether or not it counts.
    changes: LazyMap<(MemberName, EntryId), Marks<()>>,
    /// For each decided proposal, the charters and rounds in which it was.
    pub(super) sources: LazyMap<EntryId, BTreeSet<(EntryId, u32)>>,
    discounted: LazyList<Discounted>,
    /// The decided proposals of each slot that has one.
    decided: LazyMap<Slot, BTreeSet<EntryId>>,
    /// The last decision of each chain, or its root, by subject and root. Those before it are the bases of its slot and of theirs.
    heads: LazyMap<(Subject, EntryId), EntryId>,
}

impl Tally {
    /// The tally of a ledger that has nothing but its genesis entry.
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

    /// Takes in an entry, whose parents must be in, checks its signature, and judges its statements.
    pub fn insert(&mut self, parsed: ParsedEntry, oid: Oid) -> Result<EntryIndex, Reject> {
        let known = self.dag.find(parsed.id).is_some();
        let index = self.dag.insert(parsed, oid)?;
        if !known {
            self.judge_entry(index, Signatures::Unchecked);
        }
        Ok(index)
    }

    /// The same for bytes whose signatures, the one of the entry and those of its precommits, were
    /// checked before and good. That they verify hangs on these bytes and the ancestors that they name.
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

    /// Judges the statement at a place and files it.
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
        // A vote for something that is no proposal has no slot: it can neither count nor convict.
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
            // The chain ends before what is in dispute.
            self.heads.insert(chain, slot.base);
        }
        self.broken.insert(slot);
    }

    /// The slot that is reached from this one by all the decisions that stand alone in theirs.
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

    /// The proposal that a slot of this chain begins with, and those below it, the latest first; up to the root, which
    /// may be a proposal too, but of a charter.
    fn behind(&self, slot: Slot) -> impl Iterator<Item = &Proposal> {
        let proposal = move |id: EntryId| {
            self.proposals
                .get(&id)
                .filter(|p| p.slot.subject == slot.subject)
        };
        std::iter::successors(proposal(slot.base), move |at| proposal(at.slot.base))
    }

    /// Whether a precommit of the entry does not count for its signature.
    pub fn has_bad_agreement_signature(&self, entry: EntryIndex) -> bool {
        let of_entry = self
            .discounted
            .iter()
            .rev()
            .take_while(|d| d.place.entry >= entry);
        let mut of_entry = of_entry.filter(|d| d.place.entry == entry);
        of_entry.any(|d| d.discount.reason == DiscountReason::BadAgreementSignature)
    }

    /// All that is known, as bytes that [`Tally::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = TableWriter::new();
        self.write_to(&mut writer);
        writer.finish()
    }

    /// Reads what [`Tally::to_bytes`] wrote; none if the bytes are not as they were written. The verdicts in them are
    /// taken over as they are: whoever keeps such bytes answers for them.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let mut reader = TableReader::new(bytes.into())?;
        Self::read_from(&mut reader).filter(|_| reader.is_at_end())
    }

    /// Writes all that is known.
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

    /// Reads what was written.
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

    /// The entries.
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// A valid proposal.
    pub fn proposal(&self, id: EntryId) -> Option<&Proposal> {
        self.proposals.get(&id)
    }

    /// All valid proposals, by id.
    pub fn proposals(&self) -> impl Iterator<Item = &Proposal> {
        self.proposals.values()
    }

    /// The valid proposals of a slot, by id.
    pub fn rivals(&self, slot: &Slot) -> impl Iterator<Item = &Proposal> {
        self.by_slot
            .get(slot)
            .into_iter()
            .flatten()
            .filter_map(|id| self.proposals.get(id))
    }

    /// How many these are.
    pub fn rival_count(&self, slot: &Slot) -> usize {
        self.by_slot.get(slot).map_or(0, BTreeSet::len)
    }

    /// What a proposal would change.
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

    /// Returns the ref move that the valid proposal with this id proposes. Returns `None` if there is
    /// no such proposal, or if it changes something else.
    pub fn ref_change(&self, id: EntryId) -> Option<&RefProposal> {
        self.content_of(id)?.as_ref_change()
    }

    /// Returns the charter that the valid proposal with this id proposes. Returns `None` if there is
    /// no such proposal, or if it changes something else.
    pub fn charter_change(&self, id: EntryId) -> Option<&CharterProposal> {
        self.content_of(id)?.as_charter_change()
    }

    /// Statements that do not count, in the order in which they were taken in.
    pub fn discounted(&self) -> &LazyList<Discounted> {
        &self.discounted
    }

    /// How many members make a quorum under a charter; more than there are when it is not known.
    pub(super) fn quorum(&self, charter: EntryId) -> usize {
        self.dag
            .charter(charter)
            .map_or(usize::MAX, |node| node.charter.threshold().q)
    }

    /// Members whose approvals of a proposal count under a charter.
    pub fn approvers(&self, charter: EntryId, proposal: EntryId) -> BTreeSet<&MemberName> {
        self.approvals
            .get(&(charter, proposal))
            .into_iter()
            .flat_map(|casts| casts.supporters(proposal))
            .collect()
    }

    /// Whether a proposal is decided.
    pub fn is_decided(&self, proposal: EntryId) -> bool {
        self.sources.contains_key(&proposal)
    }

    /// Whether q precommits of one round for the proposal are among the ancestors of `at`.
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

    /// How a proposal was decided.
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
            // The lowest id of several equal votes, so that the order of arrival does not show.
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

    /// All decided proposals of a slot: one, or none; more only if agreement was broken.
    pub fn decided_in(&self, slot: &Slot) -> Vec<EntryId> {
        self.decided
            .get(slot)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    /// Whether a slot has a decision.
    pub fn has_decision(&self, slot: &Slot) -> bool {
        self.decided.contains_key(slot)
    }

    /// Slots with more than one decision, wherever they are: there agreement was broken.
    pub fn broken_slots(&self) -> impl Iterator<Item = &Slot> {
        self.broken.iter()
    }

    /// What valid proposals are about, in order.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        // A slot's base only counts among slots of one subject, so the next subject is beyond the highest base.
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

    /// The chain of charter decisions; the last decided one is in force.
    pub fn charter_chain(&self) -> Chain {
        self.walk(Subject::Charter, self.dag.ledger())
    }

    /// The charter in force: the last of its chain.
    pub fn charter_in_force(&self) -> EntryId {
        self.next_in(Subject::Charter, self.dag.ledger()).base
    }

    /// The tips of a member's lane: those that its key signed, as this charter has it. Whoever proposes a charter can have a
    /// key of their own go by anybody's name in it, and sign entries under it that nobody counts; they are not the member's.
    /// Of who is no member under the charter, all tips.
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

    /// The chain of decisions of a subject under the charter in force; none if it does not protect the ref.
    pub fn chain(&self, subject: &Subject) -> Option<Chain> {
        Some(self.walk(
            subject.clone(),
            self.root(self.charter_in_force(), subject)?,
        ))
    }

    /// The slot that is next in that chain.
    pub fn next_slot(&self, subject: &Subject) -> Option<Slot> {
        Some(self.next_in(
            subject.clone(),
            self.root(self.charter_in_force(), subject)?,
        ))
    }

    /// The decided proposals of that chain, the last one first. Those before it are looked up one by one.
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
        // One decision would have been gone past.
        let rivals = self.decided_in(&next);
        Chain {
            root,
            decided,
            next,
            rivals,
        }
    }

    /// The charter at which a subject's chain starts, seen from `charter`: the first of those that
    /// protect the ref without a gap up to `charter`. The charter's own chain starts at the genesis.
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

    /// The format version that a decided charter asks for, if it is one that this program does not
    /// know: then no verdict may be given (UPGRADE_NEEDED).
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

    /// Whether a precommit by the member of a change of this charter is known to the statement at `at`.
    pub(super) fn is_frozen(&self, member: &MemberName, charter: EntryId, at: Place) -> bool {
        self.changes
            .get(&(member.clone(), charter))
            .is_some_and(|places| self.dag.knows(at, places, |()| true))
    }
}

/// The slot of a charter's change.
pub(super) fn change_of(charter: EntryId) -> Slot {
    Slot {
        subject: Subject::Charter,
        base: charter,
    }
}

/// The precommits that count together: those of one round (rule 3).
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
