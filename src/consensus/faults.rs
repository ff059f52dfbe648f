//! Faults of members (`ledger-spec/faults.md`): the pairs of rule 7, and single votes that do not
//! count and that no honest tool casts. Any part of the ledger that contains the votes and their
//! ancestors shows the same fault. A fault changes no verdict. Knows nothing of remotes, files or
//! output.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::discount::DiscountReason;
use super::evidence::{Evidence, EvidenceRule, Pair};
use super::slot::{Slot, Subject};
use super::tally::{Discounted, Phase, Tally};
use crate::charter::MemberName;
use crate::id::{Digest, EntryId, Oid};
use crate::ledger::{EntryIndex, Place, Statement};

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Votes for two proposals under one charter, in one slot, round and phase.
    Equivocation,
    /// A precommit, and a later prevote for a rival that nothing released.
    LockViolation,
    /// A precommit of a charter change, and a vote in another slot that it does not know.
    FreezeViolation,
    /// A vote that does not count because its ancestors lack what the vote needs.
    UncitedVote,
    /// A vote that does not count because statements that it knows exclude it: the member's own
    /// votes, or votes under an earlier charter.
    ImpossibleOrder,
    /// A precommit whose agreement signature does not verify.
    BadAgreementSignature,
}

impl FaultKind {
    /// All kinds of faults.
    pub const ALL: [FaultKind; 6] = [
        Self::Equivocation,
        Self::LockViolation,
        Self::FreezeViolation,
        Self::UncitedVote,
        Self::ImpossibleOrder,
        Self::BadAgreementSignature,
    ];

    /// Returns the code as it is in JSON and in the spec.
    pub fn code(self) -> &'static str {
        match self {
            Self::Equivocation => "equivocation",
            Self::LockViolation => "lock-violation",
            Self::FreezeViolation => "freeze-violation",
            Self::UncitedVote => "uncited-vote",
            Self::ImpossibleOrder => "impossible-order",
            Self::BadAgreementSignature => "bad-agreement-signature",
        }
    }

    /// Returns the part of rule 7 that a pair of this kind breaks. Returns `None` if a single vote
    /// convicts.
    pub fn pair_rule(self) -> Option<EvidenceRule> {
        match self {
            Self::Equivocation => Some(EvidenceRule::Equivocation),
            Self::LockViolation => Some(EvidenceRule::LockViolation),
            Self::FreezeViolation => Some(EvidenceRule::FreezeViolation),
            _ => None,
        }
    }

    /// Returns the fault that a vote commits if it does not count for this reason, and the number
    /// of the broken rule. Returns `None` if the reason convicts no voter.
    pub fn of_vote(reason: DiscountReason) -> Option<(FaultKind, &'static str)> {
        use DiscountReason as Code;
        Some(match reason {
            Code::UnknownProposal
            | Code::NotProtected
            | Code::WrongBase
            | Code::BaseNotDecided
            | Code::NotAVoter => (Self::UncitedVote, "section 3"),
            Code::RoundNotEntered => (Self::UncitedVote, "5a"),
            Code::NotApproved => (Self::UncitedVote, "1"),
            Code::NoPrevoteQuorum => (Self::UncitedVote, "2"),
            Code::RoundWentBack | Code::SecondVote | Code::Locked => (Self::ImpossibleOrder, "4"),
            Code::Frozen | Code::SlotDecided | Code::HandedDown => (Self::ImpossibleOrder, "6"),
            Code::BadAgreementSignature => (Self::BadAgreementSignature, "2"),
            // Anybody can propose a charter that puts somebody's name beside a key of their own.
            Code::CharterNotDecided => return None,
            Code::NotASuccessor | Code::NotTheProposer | Code::OwnApproval => return None,
        })
    }
}

impl From<EvidenceRule> for FaultKind {
    fn from(rule: EvidenceRule) -> Self {
        match rule {
            EvidenceRule::Equivocation => Self::Equivocation,
            EvidenceRule::LockViolation => Self::LockViolation,
            EvidenceRule::FreezeViolation => Self::FreezeViolation,
        }
    }
}

/// A vote that convicts, and its position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct VoteRef {
    /// The entry that contains the vote.
    pub entry: EntryId,
    /// A commit that contains the entry.
    pub commit: Oid,
    /// The statement's number in the entry, from 0.
    pub statement: usize,
    /// The phase of the vote.
    pub phase: Phase,
    /// The round of the vote.
    pub round: u32,
    /// The proposal that the vote is for.
    pub proposal: EntryId,
}

/// An act of a member that an honest tool never commits, with the votes that convict the member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Fault {
    /// The member that the votes convict.
    pub member: MemberName,
    /// The kind of the fault.
    pub kind: FaultKind,
    /// The charter that the votes were cast under.
    pub charter: EntryId,
    /// The subject of the votes. `None` if they name no valid proposal that they know.
    pub subject: Option<Subject>,
    /// The base of the slot. `None` if there is no subject.
    pub base: Option<EntryId>,
    /// The id of the slot. `None` if there is no subject.
    pub slot: Option<Digest>,
    /// The votes: two for a pair of rule 7, in the rule's order, and otherwise one.
    pub votes: Vec<VoteRef>,
    /// The number of the broken rule in `ledger-spec/deciding.md`, or the section if the condition
    /// has no number.
    pub rule: &'static str,
    /// The reason why the single vote does not count. `None` for a pair.
    #[serde(serialize_with = "as_code")]
    #[schemars(with = "Option<String>")]
    pub code: Option<DiscountReason>,
    /// The id of the fault. It does not depend on which votes were found for the fault, so more
    /// entries do not change it.
    pub id: Digest,
}

/// A slot with two decisions. Agreement is broken there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct BrokenSlot {
    /// The subject of the slot.
    pub subject: Subject,
    /// The base of the slot.
    pub base: EntryId,
    /// The id of the slot.
    pub slot: Digest,
    /// The decided proposals of the slot.
    pub decisions: Vec<EntryId>,
    /// The charter under which the decisions part. Its honest members alone cannot make both
    /// decisions.
    pub charter: EntryId,
    /// The number of voting members of that charter.
    pub n: usize,
    /// The threshold q of that charter.
    pub quorum: usize,
    /// The least number of members that are convicted: 2q - n.
    pub least: usize,
    /// The members that pairs of rule 7 convict.
    pub convicted: BTreeSet<MemberName>,
}

impl Tally {
    /// Returns all faults in the ledger, sorted.
    pub fn faults(&self) -> Vec<Fault> {
        self.faults_among(|_| true)
    }

    /// Returns the faults whose votes are all in these entries.
    pub fn faults_in(&self, entries: &BTreeSet<EntryId>) -> Vec<Fault> {
        let wanted: BTreeSet<_> = entries.iter().filter_map(|id| self.dag.find(*id)).collect();
        self.faults_among(|entry| wanted.contains(&entry))
    }

    fn faults_among(&self, wanted: impl Fn(EntryIndex) -> bool) -> Vec<Fault> {
        let pairs = self
            .pairs(&wanted)
            .into_iter()
            .map(|pair| self.fault_of_pair(pair));
        let single = self.discounted().iter().filter(|d| wanted(d.place.entry));
        let mut found: Vec<_> = pairs
            .chain(single.filter_map(|d| self.fault_of_vote(d)))
            .collect();
        found.sort();
        found
    }

    fn fault_of_pair(
        &self,
        Pair {
            member,
            rule,
            charter,
            slot,
            votes,
        }: Pair,
    ) -> Fault {
        let said = votes
            .iter()
            .filter_map(|vote| self.said(vote.place))
            .collect::<Vec<_>>();
        let last = said.last();
        // Rule 7 permits to report one of several pairs. This value is equal for all of them.
        let what = match rule {
            EvidenceRule::Equivocation => {
                last.map(|said| format!("{} {}", word(said.phase), said.round))
            }
            EvidenceRule::LockViolation => {
                last.map(|said| format!("{} {}", said.entry, said.statement))
            }
            EvidenceRule::FreezeViolation => None,
        };
        self.fault(
            member,
            (rule.into(), rule.number(), None),
            (charter, Some(slot)),
            said,
            &what.unwrap_or_default(),
        )
    }

    fn fault_of_vote(&self, discounted: &Discounted) -> Option<Fault> {
        let said = self.said(discounted.place)?;
        let (kind, rule) = FaultKind::of_vote(discounted.discount.reason)?;
        let entry = self.dag.entry(discounted.place.entry);
        let slot = self
            .known_proposal(said.proposal, discounted.place)
            .ok()
            .map(|p| p.slot.clone());
        let what = format!("{} {}", said.entry, said.statement);
        let why = (kind, rule, Some(discounted.discount.reason));
        Some(self.fault(
            entry.member.clone(),
            why,
            (entry.charter, slot),
            vec![said],
            &what,
        ))
    }

    fn fault(
        &self,
        member: MemberName,
        (kind, rule, code): (FaultKind, &'static str, Option<DiscountReason>),
        (charter, slot): (EntryId, Option<Slot>),
        votes: Vec<VoteRef>,
        what: &str,
    ) -> Fault {
        let (id_of_slot, subject, base) = match slot {
            Some(slot) => (Some(slot.id()), Some(slot.subject), Some(slot.base)),
            None => (None, None, None),
        };
        let of_slot = id_of_slot.map_or("none".to_owned(), |id| id.to_string());
        let named = format!(
            "git-quorum fault v1\n{}\n{member}\n{charter}\n{of_slot}\n{what}\n",
            kind.code()
        );
        let id = Digest::of(named.as_bytes());
        Fault {
            member,
            kind,
            charter,
            subject,
            base,
            slot: id_of_slot,
            votes,
            rule,
            code,
            id,
        }
    }

    /// Returns the vote at a place. Returns `None` if the statement there is no vote.
    fn said(&self, place: Place) -> Option<VoteRef> {
        let entry = self.dag.entry(place.entry);
        let (phase, round, proposal) = match entry.statements.get(place.statement)? {
            Statement::Prevote(vote) => (Phase::Prevote, vote.round, vote.proposal),
            Statement::Precommit(vote) => (Phase::Precommit, vote.round, vote.proposal),
            _ => return None,
        };
        Some(VoteRef {
            entry: entry.id,
            commit: entry.oid,
            statement: place.statement,
            phase,
            round,
            proposal,
        })
    }

    /// Returns the slots with two decisions, and who is convicted for each.
    pub fn broken(&self, faults: &[Fault]) -> Vec<BrokenSlot> {
        let mut broken: Vec<_> = self
            .broken_slots()
            .filter_map(|slot| self.broken_slot(slot, faults))
            .collect();
        broken.sort();
        broken
    }

    /// Returns the report on a slot with two decisions.
    ///
    /// Each two decisions convict at least 2q - n members under the charter at which they part. The
    /// charter with the highest such number is reported.
    fn broken_slot(&self, slot: &Slot, faults: &[Fault]) -> Option<BrokenSlot> {
        let decisions = self.decided_in(slot);
        let charters = |id: &EntryId| {
            self.sources
                .get(id)
                .into_iter()
                .flatten()
                .map(|(charter, _)| *charter)
        };
        let mut partings: BTreeSet<(EntryId, Slot)> = BTreeSet::new();
        for (place, one) in decisions.iter().enumerate() {
            for other in decisions.iter().skip(place + 1) {
                let all = charters(one).flat_map(|a| charters(other).map(move |b| (a, b)));
                partings.extend(all.filter_map(|(a, b)| self.parting(slot, a, b)));
            }
        }
        let slots: BTreeSet<_> = partings
            .iter()
            .map(|(_, slot)| slot.id())
            .chain([slot.id()])
            .collect();
        let threshold = |charter: EntryId| {
            self.dag
                .charter(charter)
                .map(|node| node.charter.threshold())
        };
        let most = partings
            .iter()
            .filter_map(|(charter, _)| Some((*charter, threshold(*charter)?)));
        let (charter, t) = most.max_by_key(|(_, t)| (2 * t.q).saturating_sub(t.n))?;
        let convicts = |f: &&Fault| {
            f.kind.pair_rule().is_some() && f.slot.is_some_and(|id| slots.contains(&id))
        };
        Some(BrokenSlot {
            subject: slot.subject.clone(),
            base: slot.base,
            slot: slot.id(),
            decisions,
            charter,
            n: t.n,
            quorum: t.q,
            least: (2 * t.q).saturating_sub(t.n),
            convicted: faults
                .iter()
                .filter(convicts)
                .map(|f| f.member.clone())
                .collect(),
        })
    }

    /// Returns the charter and the slot at which two decisions under these charters part.
    ///
    /// If one charter follows from the other, this is the slot itself, under the earlier charter.
    /// Otherwise it is the charter's slot at the last charter that both follow from. That slot then
    /// has two decisions as well.
    fn parting(&self, slot: &Slot, one: EntryId, other: EntryId) -> Option<(EntryId, Slot)> {
        let before = |charter| {
            self.dag
                .lineage(charter)
                .map(|(id, _)| id)
                .collect::<Vec<_>>()
        };
        let (of_one, of_other) = (before(one), before(other));
        let shared = of_one.iter().find(|id| of_other.contains(id))?;
        let same_line = *shared == one || *shared == other;
        let slot = if same_line {
            slot.clone()
        } else {
            Slot {
                subject: Subject::Charter,
                base: *shared,
            }
        };
        Some((*shared, slot))
    }
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Prevote => "prevote",
        Phase::Precommit => "precommit",
    }
}

impl Fault {
    /// Returns the pair as [`Tally::evidence`] reports it. Returns `None` if a single vote
    /// convicts.
    pub fn evidence(&self) -> Option<Evidence> {
        let (rule, slot) = self.kind.pair_rule().zip(self.slot)?;
        let [first, second] = self.votes.as_slice() else {
            return None;
        };
        let entries = [first.entry, second.entry];
        Some(Evidence {
            member: self.member.clone(),
            rule,
            charter: self.charter,
            slot,
            entries,
        })
    }

    /// Returns the entries that contain the votes.
    pub fn entries(&self) -> BTreeSet<EntryId> {
        self.votes.iter().map(|said| said.entry).collect()
    }
}

fn as_code<S: Serializer>(
    reason: &Option<DiscountReason>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    reason.map(DiscountReason::code).serialize(serializer)
}
