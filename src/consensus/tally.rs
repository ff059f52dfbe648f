//! The tally: what the entries of a ledger amount to. Statements are judged once, when their entry
//! comes in, which is after its ancestors; what comes later changes no verdict on them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::discount::{Discount, DiscountReason};
use super::slot::{Slot, Subject};
use crate::charter::{MemberName, ProposedCharter};
use crate::frozen::{Freezer, Map, Thawer};
use crate::id::{EntryId, Oid};
use crate::ledger::{
    CharterProposal, Dag, EntryIndex, ParsedEntry, Place, RefProposal, Reject, Review, Statement, Verdict,
};
use crate::lifted::Rule;

/// The two phases of a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// A member's voice for a proposal, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cast {
    /// Whose.
    pub member: MemberName,
    /// For what.
    pub proposal: EntryId,
    /// Where.
    pub place: Place,
}

/// Valid votes of one round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Round {
    pub(super) prevotes: Vec<Cast>,
    pub(super) precommits: Vec<Cast>,
}

impl Round {
    pub(super) fn phase(&self, phase: Phase) -> &Vec<Cast> {
        match phase {
            Phase::Prevote => &self.prevotes,
            Phase::Precommit => &self.precommits,
        }
    }
}

/// Valid votes of one slot under one charter, by round.
pub(super) type Ballot = BTreeMap<u32, Round>;

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
    proposals: Map<EntryId, Proposal>,
    pub(super) by_slot: Map<Slot, BTreeSet<EntryId>>,
    broken: BTreeSet<Slot>,
    pub(super) approvals: Map<(EntryId, EntryId), Vec<Cast>>,
    pub(super) reviews: Map<EntryId, Vec<(MemberName, Place, Verdict)>>,
    pub(super) withdrawals: Map<EntryId, Place>,
    pub(super) ballots: Map<Slot, BTreeMap<EntryId, Ballot>>,
    /// Every vote whose slot is known, by member, charter and slot: what evidence is made of.
    pub(super) cast: Map<(MemberName, EntryId, Slot), Vec<Vote>>,
    /// For each decided proposal, the charters and rounds in which it was.
    sources: Map<EntryId, BTreeSet<(EntryId, u32)>>,
    discounted: Vec<Discounted>,
    /// Where the chains had got to when the tally was written, by subject and root.
    walked: BTreeMap<(Subject, EntryId), Vec<EntryId>>,
}

impl Tally {
    /// The tally of a ledger that has nothing but its genesis entry.
    pub fn found(genesis: ParsedEntry, oid: Oid) -> Result<Self, Reject> {
        Ok(Self {
            dag: Dag::found(genesis, oid)?,
            proposals: Map::default(),
            by_slot: Map::default(),
            broken: BTreeSet::new(),
            approvals: Map::default(),
            reviews: Map::default(),
            withdrawals: Map::default(),
            ballots: Map::default(),
            cast: Map::default(),
            sources: Map::default(),
            discounted: Vec::new(),
            walked: BTreeMap::new(),
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
        let Some(statement) = entry.statements.get(place.statement).cloned() else { return Ok(()) };
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
                self.record_vote((member, charter), (Phase::Prevote, vote.round, vote.proposal), place, verdict)
            }
            Statement::Precommit(vote) => {
                let verdict =
                    self.judge_precommit(&member, charter, (vote.proposal, vote.round), place).and_then(|()| {
                        match signatures {
                            Signatures::Good => Ok(()),
                            Signatures::Unchecked => self.check_agreement_signature(&member, charter, &vote),
                        }
                    });
                self.record_vote((member, charter), (Phase::Precommit, vote.round, vote.proposal), place, verdict)
            }
        }
    }

    fn record_proposal(&mut self, place: Place) -> Result<(), Discount> {
        let proposal = self.judge_proposal(place)?;
        self.by_slot.or_default(proposal.slot.clone()).insert(proposal.id);
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
        self.reviews.or_default(proposal).push((member.clone(), place, review.verdict));
        if review.verdict == Verdict::Approve {
            self.judge_approval(&member, charter, proposal, place)?;
            let casts = self.approvals.or_default((charter, proposal));
            file(&self.dag, casts, Cast { member, proposal, place });
        }
        Ok(())
    }

    fn record_vote(
        &mut self,
        (member, charter): (MemberName, EntryId),
        (phase, round, proposal): (Phase, u32, EntryId),
        place: Place,
        verdict: Result<(), Discount>,
    ) -> Result<(), Discount> {
        // A vote for something that is no proposal has no slot: it can neither count nor convict.
        let Ok(slot) = self.known_proposal(proposal, place).map(|p| p.slot.clone()) else { return verdict };
        let vote = Vote { phase, round, proposal, place, counts: verdict.is_ok() };
        self.cast.or_default((member.clone(), charter, slot.clone())).push(vote);
        verdict?;
        let ballot = self.ballots.or_default(slot.clone()).entry(charter).or_default();
        let votes = ballot.entry(round).or_default();
        let cast = Cast { member, proposal, place };
        match phase {
            Phase::Prevote => file(&self.dag, &mut votes.prevotes, cast),
            Phase::Precommit => {
                file(&self.dag, &mut votes.precommits, cast);
                let precommitted = supporters(precommits_of(ballot, round), proposal).len();
                if precommitted >= self.quorum(charter) {
                    self.sources.or_default(proposal).insert((charter, round));
                    if self.decided_in(&slot).len() > 1 {
                        self.broken.insert(slot);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a precommit of the entry does not count for its signature.
    pub fn has_bad_agreement_signature(&self, entry: EntryIndex) -> bool {
        let of_entry = self.discounted.iter().rev().take_while(|d| d.place.entry >= entry);
        let mut of_entry = of_entry.filter(|d| d.place.entry == entry);
        of_entry.any(|d| d.discount.reason == DiscountReason::BadAgreementSignature)
    }

    /// All that is known, as bytes that [`Tally::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut freezer = Freezer::new();
        self.freeze(&mut freezer);
        freezer.finish()
    }

    /// Reads what [`Tally::to_bytes`] wrote; none if the bytes are not as they were written. The verdicts in them are
    /// taken over as they are: whoever keeps such bytes answers for them.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let mut thawer = Thawer::new(bytes.into())?;
        Self::thaw(&mut thawer).filter(|_| thawer.is_at_end())
    }

    /// Writes all that is known.
    pub(crate) fn freeze(&self, freezer: &mut Freezer) {
        self.dag.freeze(freezer);
        freezer.map(&self.proposals);
        freezer.map(&self.by_slot);
        freezer.value(&self.broken);
        freezer.map(&self.approvals);
        freezer.map(&self.reviews);
        freezer.map(&self.withdrawals);
        freezer.map(&self.ballots);
        freezer.map(&self.cast);
        freezer.map(&self.sources);
        freezer.value(&self.discounted);
        let chains = self.subjects().filter_map(|subject| Some((subject, self.chain(subject)?)));
        let walked = chains.map(|(subject, chain)| ((subject, chain.root), chain.decided));
        freezer.value(&walked.collect::<BTreeMap<_, _>>());
    }

    /// Reads what was written.
    pub(crate) fn thaw(thawer: &mut Thawer) -> Option<Self> {
        Some(Self {
            dag: Dag::thaw(thawer)?,
            proposals: thawer.map()?,
            by_slot: thawer.map()?,
            broken: thawer.value()?,
            approvals: thawer.map()?,
            reviews: thawer.map()?,
            withdrawals: thawer.map()?,
            ballots: thawer.map()?,
            cast: thawer.map()?,
            sources: thawer.map()?,
            discounted: thawer.value()?,
            walked: thawer.value()?,
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
        self.by_slot.get(slot).into_iter().flatten().filter_map(|id| self.proposals.get(id))
    }

    /// What a proposal would change.
    #[allow(clippy::unreachable, reason = "a Proposal is made from a propose statement, and entries do not change")]
    pub fn content(&self, proposal: &Proposal) -> Content<'_> {
        match self.dag.entry(proposal.place.entry).statements.first() {
            Some(Statement::Propose(content)) => Content::Ref(content),
            Some(Statement::ProposeCharter(content)) => Content::Charter(content),
            _ => unreachable!("a proposal's entry begins with its propose statement"),
        }
    }

    /// Statements that do not count, in the order in which they were taken in.
    pub fn discounted(&self) -> &[Discounted] {
        &self.discounted
    }

    /// How many members make a quorum under a charter; more than there are when it is not known.
    pub(super) fn quorum(&self, charter: EntryId) -> usize {
        self.dag.charter(charter).map_or(usize::MAX, |node| node.charter.threshold().q)
    }

    /// Members whose approvals of a proposal count under a charter.
    pub fn approvers(&self, charter: EntryId, proposal: EntryId) -> BTreeSet<&MemberName> {
        self.approvals.get(&(charter, proposal)).map(|casts| supporters(casts, proposal)).unwrap_or_default()
    }

    /// Whether a proposal is decided.
    pub fn is_decided(&self, proposal: EntryId) -> bool {
        self.sources.contains_key(&proposal)
    }

    /// Whether q precommits of one round for the proposal are among the ancestors of `at`.
    pub(super) fn decided_before(&self, proposal: EntryId, at: Place) -> bool {
        let Some(proposed) = self.proposals.get(&proposal) else { return false };
        let Some(ballots) = self.ballots.get(&proposed.slot) else { return false };
        let reached = |(charter, round): &(EntryId, u32)| {
            let votes = ballots.get(charter).into_iter().flat_map(|ballot| precommits_of(ballot, *round));
            self.supporters_before(votes, proposal, at).len() >= self.quorum(*charter)
        };
        self.sources.get(&proposal).into_iter().flatten().any(reached)
    }

    /// The members with a voice for the proposal among the ancestors of `at`: a set, never a count of votes.
    pub(super) fn supporters_before<'a>(
        &self,
        casts: impl IntoIterator<Item = &'a Cast>,
        proposal: EntryId,
        at: Place,
    ) -> BTreeSet<&'a MemberName> {
        let counted = casts.into_iter().filter(|c| c.proposal == proposal && self.dag.precedes(c.place, at));
        counted.map(|c| &c.member).collect()
    }

    /// How a proposal was decided.
    pub fn decision(&self, proposal: EntryId) -> Option<Decision> {
        let depth = |charter: &EntryId| self.dag.charter(*charter).map_or(usize::MAX, |node| node.depth);
        let sources = self.sources.get(&proposal)?;
        let (charter, round) = *sources.iter().min_by_key(|(charter, round)| (depth(charter), *round))?;
        let slot = &self.proposals.get(&proposal)?.slot;
        let votes = self.ballots.get(slot)?.get(&charter)?.get(&round)?;
        let mut precommits = BTreeMap::new();
        for cast in votes.precommits.iter().filter(|cast| cast.proposal == proposal) {
            // The lowest id of several equal votes, so that the order of arrival does not show.
            let id = self.dag.entry(cast.place.entry).id;
            precommits
                .entry(cast.member.clone())
                .and_modify(|known: &mut EntryId| *known = id.min(*known))
                .or_insert(id);
        }
        Some(Decision { proposal, charter, round, precommits })
    }

    /// All decided proposals of a slot: one, or none; more only if agreement was broken.
    pub fn decided_in(&self, slot: &Slot) -> Vec<EntryId> {
        self.rivals(slot).map(|p| p.id).filter(|id| self.is_decided(*id)).collect()
    }

    /// Slots with more than one decision, wherever they are: there agreement was broken.
    pub fn broken_slots(&self) -> impl Iterator<Item = &Slot> {
        self.broken.iter()
    }

    /// What valid proposals are about, in order.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        // A slot's base only counts among slots of one subject, so the next subject is beyond the highest base.
        let after = |subject: &Subject| Slot { subject: subject.clone(), base: EntryId::new([0xff; 32]) };
        let first = self.by_slot.iter().next().map(|(slot, _)| &slot.subject);
        std::iter::successors(first, move |subject| self.by_slot.key_after(&after(subject)).map(|slot| &slot.subject))
    }

    /// The chain of charter decisions; the last decided one is in force.
    pub fn charter_chain(&self) -> Chain {
        self.walk(Subject::Charter, self.dag.ledger())
    }

    /// The charter in force: the last of its chain.
    pub fn charter_in_force(&self) -> EntryId {
        self.charter_chain().next.base
    }

    /// The chain of decisions of a subject under the charter in force; none if it does not protect the ref.
    pub fn chain(&self, subject: &Subject) -> Option<Chain> {
        let root = match subject {
            Subject::Charter => self.dag.ledger(),
            Subject::Ref(_) => self.root(self.charter_in_force(), subject)?,
        };
        Some(self.walk(subject.clone(), root))
    }

    fn walk(&self, subject: Subject, root: EntryId) -> Chain {
        let known = (subject, root);
        // A decision stays one, and the only one for its slot until the slot is broken.
        let decided = self.walked.get(&known).filter(|_| self.broken.is_empty()).cloned().unwrap_or_default();
        let next = Slot { subject: known.0, base: decided.last().copied().unwrap_or(root) };
        let mut chain = Chain { root, decided, next, rivals: Vec::new() };
        loop {
            let decided = self.decided_in(&chain.next);
            match decided.as_slice() {
                [] => return chain,
                [one] => {
                    chain.decided.push(*one);
                    chain.next.base = *one;
                }
                _ => return Chain { rivals: decided, ..chain },
            }
        }
    }

    /// The charter at which a subject's chain starts, seen from `charter`: the first of those that
    /// protect the ref without a gap up to `charter`. The charter's own chain starts at the genesis.
    pub(super) fn root(&self, charter: EntryId, subject: &Subject) -> Option<EntryId> {
        match subject {
            Subject::Charter => Some(self.dag.ledger()),
            Subject::Ref(name) => {
                let protecting = self.dag.lineage(charter).take_while(|(_, node)| node.charter.protects(name));
                protecting.last().map(|(id, _)| id)
            }
        }
    }

    /// The format version that a decided charter asks for, if it is one that this program does not
    /// know: then no verdict may be given (UPGRADE_NEEDED).
    pub fn upgrade_needed(&self) -> Option<u64> {
        let asked = |id: &EntryId| match self.content(self.proposals.get(id)?) {
            Content::Charter(CharterProposal { charter: ProposedCharter::Newer { version, .. }, .. }) => Some(*version),
            _ => None,
        };
        let slots = self.by_slot.iter().take_while(|(slot, _)| slot.subject == Subject::Charter);
        slots.flat_map(|(_, rivals)| rivals).filter(|id| self.is_decided(**id)).find_map(asked)
    }

    /// Places of the member's precommits of a change of this charter.
    pub(super) fn freezes<'a>(&'a self, member: &MemberName, charter: EntryId) -> impl Iterator<Item = Place> + 'a {
        let slot = Slot { subject: Subject::Charter, base: charter };
        let votes = self.cast.get(&(member.clone(), charter, slot)).into_iter().flatten();
        votes.filter(|v| v.phase == Phase::Precommit).map(|v| v.place)
    }
}

/// Files a voice, unless the member raised it before: whoever knows this one knows that one. So saying it
/// again and again makes no work.
fn file(dag: &Dag, casts: &mut Vec<Cast>, cast: Cast) {
    let is_same = |c: &Cast| c.member == cast.member && c.proposal == cast.proposal;
    if !casts.iter().any(|c| is_same(c) && dag.precedes(c.place, cast.place)) {
        casts.push(cast);
    }
}

/// The precommits that count together: those of one round (rule 3).
fn precommits_of(ballot: &Ballot, round: u32) -> impl Iterator<Item = &Cast> {
    let one = ballot.range(round..=round);
    let rounds = if Rule::PrecommitsOfOneRound.is_lifted() { ballot.range(..) } else { one };
    rounds.flat_map(|(_, votes)| &votes.precommits)
}

/// The members among `casts` with a voice for the proposal.
pub(super) fn supporters<'a>(casts: impl IntoIterator<Item = &'a Cast>, proposal: EntryId) -> BTreeSet<&'a MemberName> {
    casts.into_iter().filter(|c| c.proposal == proposal).map(|c| &c.member).collect()
}

impl From<DiscountReason> for Result<(), Discount> {
    fn from(reason: DiscountReason) -> Self {
        Err(reason.into())
    }
}
