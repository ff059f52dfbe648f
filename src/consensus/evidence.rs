//! Pairs of votes that convict their author (rule 7). Evidence names members; it changes no verdict.

use serde::Serialize;

use super::slot::Slot;
use super::tally::{Phase, Tally, Vote, change_of};
use crate::charter::MemberName;
use crate::id::EntryId;
use crate::ledger::{Common, EntryIndex, Marks};

/// What a pair of votes shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceRule {
    /// Rule 7 (i): two proposals in one charter, slot, round and phase.
    Equivocation,
    /// Rule 7 (ii): a prevote against an earlier precommit, with nothing that released it.
    LockViolation,
    /// Rule 7 (iii): a vote under a charter beside the member's precommit of its change.
    FreezeViolation,
}

impl EvidenceRule {
    /// The rule's number in `ledger-spec/deciding.md`.
    pub fn number(self) -> &'static str {
        match self {
            Self::Equivocation => "7 (i)",
            Self::LockViolation => "7 (ii)",
            Self::FreezeViolation => "7 (iii)",
        }
    }
}

/// Two votes of one member that no honest tool casts both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Evidence {
    /// Who is convicted.
    pub member: MemberName,
    /// Of what.
    pub rule: EvidenceRule,
    /// The charter that the votes were cast under.
    pub charter: EntryId,
    /// The slot's id.
    pub slot: crate::id::Digest,
    /// The entries that hold the votes, in the rule's order.
    pub entries: [EntryId; 2],
}

/// The votes behind [`Evidence`], in the rule's order.
pub(super) struct Pair {
    pub(super) member: MemberName,
    pub(super) rule: EvidenceRule,
    pub(super) charter: EntryId,
    pub(super) slot: Slot,
    pub(super) votes: [Vote; 2],
}

/// The first precommits of a member to a change of a charter, and what all of them know: outside the slot of the change it
/// may have voted for that, and for nothing else.
struct Freeze {
    changes: Vec<Vote>,
    /// Where there are several, as there are for a member that has forked its lane.
    common: Option<Common>,
}

impl Tally {
    /// All evidence in the ledger, sorted; one pair for each rule, round and phase broken.
    pub fn evidence(&self) -> Vec<Evidence> {
        let id = |vote: &Vote| self.dag.entry(vote.place.entry).id;
        let evidence = |Pair {
                            member,
                            rule,
                            charter,
                            slot,
                            votes: [first, second],
                        }| Evidence {
            member,
            rule,
            charter,
            slot: slot.id(),
            entries: [id(&first), id(&second)],
        };
        let mut found: Vec<_> = self.pairs(|_| true).into_iter().map(evidence).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The pairs of votes that convict, among those that stand in entries that are wanted and whose charter is decided:
    /// in one that is not, anybody's key may go by anybody's name.
    pub(super) fn pairs(&self, wanted: impl Fn(EntryIndex) -> bool) -> Vec<Pair> {
        let mut found = Vec::new();
        // Found once for all slots of a member and charter, which stand together.
        let mut frozen: Option<(&MemberName, EntryId, Freeze)> = None;
        for ((member, charter, slot), votes) in self.cast.iter() {
            let bears =
                |vote: &&Vote| wanted(vote.place.entry) && self.is_decided_at(*charter, vote.place);
            let votes = &self.in_fixed_order(votes.iter().filter(bears));
            if votes.is_empty() {
                continue;
            }
            let mut convict = |rule, first: &Vote, second: &Vote| {
                let (member, slot, votes) = (
                    member.clone(),
                    slot.clone(),
                    [first.clone(), second.clone()],
                );
                found.push(Pair {
                    member,
                    rule,
                    charter: *charter,
                    slot,
                    votes,
                });
            };
            for (first, second) in equivocations(votes) {
                convict(EvidenceRule::Equivocation, first, second);
            }
            for (first, second) in self.lock_violations(*charter, slot, votes) {
                convict(EvidenceRule::LockViolation, first, second);
            }
            if *slot == change_of(*charter) {
                continue;
            }
            let known = frozen
                .take()
                .filter(|(of, under, _)| *of == member && *under == *charter);
            let (.., freeze) =
                frozen.insert(known.unwrap_or_else(|| {
                    (member, *charter, self.freeze_of(member, *charter, &wanted))
                }));
            if let Some((first, second)) = self.freeze_violation(votes, freeze) {
                convict(EvidenceRule::FreezeViolation, first, second);
            }
        }
        found
    }

    /// The order of arrival must not show in what is reported.
    fn in_fixed_order<'a>(&self, votes: impl Iterator<Item = &'a Vote>) -> Vec<Vote> {
        let mut votes: Vec<_> = votes.cloned().collect();
        let id = |vote: &Vote| self.dag.entry(vote.place.entry).id;
        votes.sort_by_cached_key(|v| (v.phase, v.round, v.proposal, id(v), v.place.statement));
        votes
    }

    /// For each prevote the precommit of another proposal in the highest round below it, if nothing released
    /// it: what releases that one releases every earlier one too.
    fn lock_violations<'a>(
        &self,
        charter: EntryId,
        slot: &Slot,
        votes: &'a [Vote],
    ) -> Vec<(&'a Vote, &'a Vote)> {
        let (prevotes, locks) =
            votes.split_at(votes.partition_point(|v| v.phase == Phase::Prevote));
        let before_it = other_before(locks);
        let hardest = |prevote: &Vote| {
            let last = locks
                .partition_point(|lock| lock.round < prevote.round)
                .checked_sub(1)?;
            let differs = locks.get(last)?.proposal != prevote.proposal;
            locks.get(if differs {
                last
            } else {
                (*before_it.get(last)?)?
            })
        };
        let broken = |prevote: &'a Vote| {
            let lock = hardest(prevote)?;
            (!self.released_between(charter, slot, lock.round, prevote)).then_some((lock, prevote))
        };
        prevotes.iter().filter_map(broken).collect()
    }

    /// Whether q prevotes for what `prevote` is for, of one round strictly between, are among its ancestors.
    fn released_between(&self, charter: EntryId, slot: &Slot, lock: u32, prevote: &Vote) -> bool {
        let Some(ballot) = self
            .ballots
            .get(slot)
            .and_then(|ballots| ballots.get(&charter))
        else {
            return false;
        };
        let between = ballot
            .iter()
            .filter(|(round, _)| **round > lock && **round < prevote.round);
        let quorum = self.quorum(charter);
        between
            .into_iter()
            .map(|(_, votes)| {
                votes
                    .prevotes
                    .supporters_before(&self.dag, prevote.proposal, prevote.place)
            })
            .any(|members| members.count() >= quorum)
    }

    /// The first precommits of the member to a change of the charter.
    fn freeze_of(
        &self,
        member: &MemberName,
        charter: EntryId,
        wanted: impl Fn(EntryIndex) -> bool,
    ) -> Freeze {
        let cast = self
            .cast
            .get(&(member.clone(), charter, change_of(charter)));
        let bears =
            |vote: &&Vote| wanted(vote.place.entry) && self.is_decided_at(charter, vote.place);
        let changes = self.first_precommits(cast.into_iter().flatten().filter(bears));
        let common =
            (changes.len() > 1).then(|| self.dag.common(changes.iter().map(|change| change.place)));
        Freeze { changes, common }
    }

    /// A vote outside the slot of the change that is no ancestor of a precommit of it. There may be any number of either,
    /// so they are not compared with each other.
    fn freeze_violation<'a>(
        &self,
        votes: &'a [Vote],
        freeze: &'a Freeze,
    ) -> Option<(&'a Vote, &'a Vote)> {
        let Freeze { changes, common } = freeze;
        let is_free = |vote: &Vote| match (common, changes.first()) {
            (Some(common), _) => self.dag.is_common(vote.place, common),
            (None, Some(only)) => self.dag.precedes(vote.place, only.place),
            (None, None) => true,
        };
        let vote = votes.iter().find(|vote| !is_free(vote))?;
        Some((
            changes
                .iter()
                .find(|change| !self.dag.precedes(vote.place, change.place))?,
            vote,
        ))
    }

    /// The precommits that no other of these precedes: what these know, the later ones know too.
    fn first_precommits<'a>(&self, votes: impl Iterator<Item = &'a Vote>) -> Vec<Vote> {
        let (mut first, mut places): (Vec<Vote>, Marks<()>) = (Vec::new(), Marks::default());
        let mut in_order: Vec<_> = votes.filter(|v| v.phase == Phase::Precommit).collect();
        in_order.sort_by_key(|v| v.place);
        for vote in in_order {
            if !self.dag.knows(vote.place, &places, |()| true) {
                self.dag.mark(&mut places, vote.place, ());
                first.push(vote.clone());
            }
        }
        self.in_fixed_order(first.iter())
    }
}

/// For each vote the last one before it that is for another proposal.
fn other_before(votes: &[Vote]) -> Vec<Option<usize>> {
    let mut found: Vec<Option<usize>> = Vec::with_capacity(votes.len());
    for (place, pair) in std::iter::once(None)
        .chain(votes.windows(2).map(Some))
        .take(votes.len())
        .enumerate()
    {
        found.push(match pair {
            Some([before, vote]) if before.proposal != vote.proposal => Some(place - 1),
            Some(_) => found.last().copied().flatten(),
            None => None,
        });
    }
    found
}

/// For each round and phase in which the member voted for several proposals, the first two votes; `votes`
/// are in their fixed order, so that those of a round and phase stand together.
fn equivocations(votes: &[Vote]) -> Vec<(&Vote, &Vote)> {
    let together = votes.chunk_by(|a, b| (a.phase, a.round) == (b.phase, b.round));
    let other =
        |votes: &[Vote], first: &Vote| votes.iter().position(|v| v.proposal != first.proposal);
    let pairs = together.filter_map(|votes| {
        let first = votes.first()?;
        Some((first, votes.get(other(votes, first)?)?))
    });
    pairs.collect()
}
