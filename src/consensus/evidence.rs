//! Evidence: pairs of votes that convict their author (rule 7). Evidence names a member and changes
//! no verdict.

use serde::Serialize;

use super::slot::Slot;
use super::tally::{Phase, Tally, Vote, change_of};
use crate::charter::MemberName;
use crate::id::EntryId;
use crate::ledger::{Common, EntryIndex, Marks};

/// The part of rule 7 that a pair of votes breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceRule {
    /// Rule 7 (i): votes for two proposals under one charter, in one slot, round and phase.
    Equivocation,
    /// Rule 7 (ii): a precommit, and a later prevote for a rival that nothing released.
    LockViolation,
    /// Rule 7 (iii): a precommit of a charter change, and a vote in another slot that it does not
    /// know.
    FreezeViolation,
}

impl EvidenceRule {
    /// Returns the rule's number in `ledger-spec/deciding.md`.
    pub fn number(self) -> &'static str {
        match self {
            Self::Equivocation => "7 (i)",
            Self::LockViolation => "7 (ii)",
            Self::FreezeViolation => "7 (iii)",
        }
    }
}

/// Two votes of one member that an honest tool never casts both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Evidence {
    /// The member that the votes convict.
    pub member: MemberName,
    /// The part of rule 7 that the votes break.
    pub rule: EvidenceRule,
    /// The charter that the votes were cast under.
    pub charter: EntryId,
    /// The id of the slot of the votes. For a freeze violation, it is the slot of the vote outside
    /// the charter's slot.
    pub slot: crate::id::Digest,
    /// The entries that hold the votes, in the rule's order.
    pub entries: [EntryId; 2],
}

/// The votes of an [`Evidence`], in the rule's order.
pub(super) struct Pair {
    pub(super) member: MemberName,
    pub(super) rule: EvidenceRule,
    pub(super) charter: EntryId,
    pub(super) slot: Slot,
    pub(super) votes: [Vote; 2],
}

/// The first precommits of a member for changes of a charter, and the entries that all of them
/// know. A vote of the member in another slot is no fault only if all these precommits know it.
struct Freeze {
    changes: Vec<Vote>,
    /// The places that all precommits know. `None` unless there are several precommits, as after a
    /// fork.
    common: Option<Common>,
}

impl Tally {
    /// Returns all evidence in the ledger, sorted. One pair is reported for each round and phase in
    /// (i), each prevote in (ii), and each slot in (iii).
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

    /// Returns the pairs of votes that convict, among the votes in wanted entries.
    ///
    /// A vote whose charter is not decided by votes known to it is not considered. Under such a
    /// charter, somebody's name can be beside anybody's key.
    pub(super) fn pairs(&self, wanted: impl Fn(EntryIndex) -> bool) -> Vec<Pair> {
        let mut found = Vec::new();
        // The freeze is computed once for all slots of a member and charter. These slots are
        // adjacent in the table.
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

    /// Returns the votes in a fixed order, so that the report does not depend on the order of
    /// arrival.
    fn in_fixed_order<'a>(&self, votes: impl Iterator<Item = &'a Vote>) -> Vec<Vote> {
        let mut votes: Vec<_> = votes.cloned().collect();
        let id = |vote: &Vote| self.dag.entry(vote.place.entry).id;
        votes.sort_by_cached_key(|v| (v.phase, v.round, v.proposal, id(v), v.place.statement));
        votes
    }

    /// Returns each prevote that violates a lock, with the precommit that it violates.
    ///
    /// For each prevote, only the precommit of another proposal in the highest round below it is
    /// checked. A quorum that releases this precommit also releases every earlier one.
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

    /// Returns whether the ancestors of `prevote` release its proposal: they contain q prevotes for
    /// it, of one round strictly between the lock's and the prevote's.
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

    /// Returns the first precommits of the member for changes of the charter.
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

    /// Returns a vote in another slot, with a precommit of the charter change that does not know
    /// it. Returns `None` if there is no such pair.
    ///
    /// There can be any number of votes and precommits. So they are not compared pair by pair.
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

    /// Returns the precommits that build on no other one of them. Later precommits know everything
    /// that these know.
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

/// Returns for each vote the index of the last vote before it that is for another proposal. The
/// value is `None` if there is no such vote.
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

/// Returns two votes for each round and phase in which the member voted for several proposals: the
/// first vote, and the first one for another proposal.
///
/// `votes` must be in the fixed order, so that the votes of a round and phase are adjacent.
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
