//! Faults of members (`ledger-spec/faults.md`): the pairs of rule 7, and single votes that do not count, which no
//! tool casts. Each is found again in any part of the ledger that holds its votes. Knows nothing of remotes, files
//! or output; a fault changes no verdict.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::discount::DiscountReason;
use super::evidence::{Evidence, EvidenceRule, Pair};
use super::slot::{Slot, Subject};
use super::tally::{Discounted, Phase, Tally};
use crate::charter::MemberName;
use crate::id::{Digest, EntryId, Oid};
use crate::ledger::{EntryIndex, Place, Statement};

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Votes for two proposals in one charter, slot, round and phase.
    Equivocation,
    /// A prevote against an earlier precommit that nothing had released.
    LockViolation,
    /// A vote under a charter beside the member's precommit of its change.
    FreezeViolation,
    /// A vote whose own ancestors do not carry it.
    UncitedVote,
    /// A vote that what the member or a charter before had said, and that it knew of, ruled out.
    ImpossibleOrder,
    /// A precommit whose agreement signature does not verify.
    BadAgreementSignature,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 6] = [
        Self::Equivocation,
        Self::LockViolation,
        Self::FreezeViolation,
        Self::UncitedVote,
        Self::ImpossibleOrder,
        Self::BadAgreementSignature,
    ];

    /// As it stands in JSON and in the spec.
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

    /// The part of rule 7 that it is; none if it takes one vote only.
    pub fn pair_rule(self) -> Option<EvidenceRule> {
        match self {
            Self::Equivocation => Some(EvidenceRule::Equivocation),
            Self::LockViolation => Some(EvidenceRule::LockViolation),
            Self::FreezeViolation => Some(EvidenceRule::FreezeViolation),
            _ => None,
        }
    }

    /// What a vote that does not count for this reason is, and the rule that it broke. Codes of other statements have
    /// none.
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
            // Under a charter that is not decided a name is anybody's who proposed it.
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

/// A vote that convicts, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct VoteRef {
    /// The entry.
    pub entry: EntryId,
    /// A commit that holds it.
    pub commit: Oid,
    /// The statement's number in it, from 0.
    pub statement: usize,
    /// The phase of the vote.
    pub phase: Phase,
    /// Its round.
    pub round: u32,
    /// What it is for.
    pub proposal: EntryId,
}

/// What a member did that no honest tool does, with the votes that convict it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Fault {
    /// Who is convicted.
    pub member: MemberName,
    /// Of what.
    pub kind: FaultKind,
    /// The charter that the votes were cast under.
    pub charter: EntryId,
    /// What the votes were about; none if they were for nothing that is a proposal.
    pub subject: Option<Subject>,
    /// The decision that the slot follows.
    pub base: Option<EntryId>,
    /// The slot's id.
    pub slot: Option<Digest>,
    /// The votes, in the rule's order: two for rule 7, otherwise one.
    pub votes: Vec<VoteRef>,
    /// The rule that was broken, by its number in `ledger-spec/deciding.md`: a section's where the condition has none.
    pub rule: &'static str,
    /// Why the one vote does not count; none for a pair.
    #[serde(serialize_with = "as_code")]
    #[schemars(with = "Option<String>")]
    pub code: Option<DiscountReason>,
    /// Names the fault, not the votes that were found for it: more entries do not change it.
    pub id: Digest,
}

/// A slot with two decisions: agreement was broken there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct BrokenSlot {
    /// What it is about.
    pub subject: Subject,
    /// The decision that it follows.
    pub base: EntryId,
    /// Its id.
    pub slot: Digest,
    /// Its decisions.
    pub decisions: Vec<EntryId>,
    /// The charter under which the decisions cannot both be honest.
    pub charter: EntryId,
    /// Its voting members.
    pub n: usize,
    /// Its quorum.
    pub quorum: usize,
    /// So many members at least are convicted: 2q - n.
    pub least: usize,
    /// Who is, by pairs of rule 7.
    pub convicted: BTreeSet<MemberName>,
}

impl Tally {
    /// All faults in the ledger, sorted.
    pub fn faults(&self) -> Vec<Fault> {
        self.faults_among(|_| true)
    }

    /// The faults whose votes all stand in these entries.
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
        // What rule 7 tells apart: one pair is named of several.
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

    /// The vote at a place; none if what stands there is none.
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

    /// The slots with two decisions, and who is convicted for each.
    pub fn broken(&self, faults: &[Fault]) -> Vec<BrokenSlot> {
        let mut broken: Vec<_> = self
            .broken_slots()
            .filter_map(|slot| self.broken_slot(slot, faults))
            .collect();
        broken.sort();
        broken
    }

    /// Every two decisions convict so many under the charter at which their ways part; what asks for most is told.
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

    /// Where two decisions of a slot under these charters part: in the slot itself, under the earlier charter; or
    /// in the slot of the last charter that both follow from, which then has two decisions as well.
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
    /// The same as [`Tally::evidence`] gives it, if it is a pair.
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

    /// The entries that convict, each once.
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
