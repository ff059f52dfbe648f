//! The votes that are due: what an honest member signs next, given what it knows (rule 5). Elapsed
//! time is an input. The caller keeps the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::discount::Discount;
use super::judge::Inheritance;
use super::slot::Slot;
use super::tally::{Phase, Proposal, Signatures, Tally};
use crate::charter::{MemberName, Threshold};
use crate::id::EntryId;
use crate::ledger::{EntryIndex, Payload, Place, Prevote, Statement, Verdict};
use crate::mutation::Mutation;

/// A vote that is due now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueVote {
    /// A prevote for the proposal in the round.
    Prevote(EntryId, u32),
    /// A precommit of the proposal in the round.
    Precommit(EntryId, u32),
}

/// The event at which a timer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerEvent {
    /// The member first saw votes by a quorum in the round.
    Voted,
    /// The member went to the round.
    Entered,
}

/// A timer of one member, for one round of a slot under one charter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// The charter of the votes.
    pub charter: EntryId,
    /// The slot.
    pub slot: Slot,
    /// The round.
    pub round: u32,
    /// The event at which the timer starts.
    pub event: TimerEvent,
}

/// The patience of a member, and how long its timers have run.
#[derive(Debug, Clone, Default)]
pub struct Patience {
    /// The unit of patience: how long the member waits in round 0.
    pub unit: Duration,
    /// How long each started timer has run.
    pub elapsed: BTreeMap<Timer, Duration>,
}

impl Patience {
    /// Returns how long the member waits in round r: 1 + r (r + 1) / 2 units.
    ///
    /// Round r gets r units more than the round before. A guide waits for members that are still in
    /// the round before, and for their messages (`ledger-spec/deciding.md`, section 8).
    pub fn of(&self, round: u32) -> Duration {
        let round = u64::from(round);
        times(self.unit, 1 + round * (round + 1) / 2)
    }
}

/// Multiplies a duration. Returns the longest duration if the result is longer.
fn times(unit: Duration, factor: u64) -> Duration {
    const NANOS_PER_SECOND: u128 = 1_000_000_000;
    let nanos = unit.as_nanos().saturating_mul(u128::from(factor));
    match u64::try_from(nanos / NANOS_PER_SECOND) {
        Ok(seconds) => Duration::new(seconds, (nanos % NANOS_PER_SECOND) as u32),
        Err(_) => Duration::MAX,
    }
}

/// What a member waits for before it votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The slot.
    pub slot: Slot,
    /// The round.
    pub round: u32,
    /// The guide whose prevote the member waits for. `None` if it waits for something else.
    pub guide: Option<MemberName>,
    /// How much longer the member waits.
    pub left: Duration,
}

/// What a member must do next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// The next vote, if one is due now.
    pub vote: Option<DueVote>,
    /// The timers to start at the moment of the call.
    pub start: Vec<Timer>,
    /// What the member waits for, in slots without a vote that is due.
    pub waiting: Vec<Waiting>,
    /// Whether an entry is due even if it has no statements. The entry relays a decision, or votes
    /// that let the member go on (rule 5e).
    pub tell: bool,
}

/// An unsigned entry on a copy of a tally. Each statement gets the verdict that it will have in the
/// signed entry.
#[derive(Debug, Clone)]
pub struct Draft {
    tally: Tally,
    member: MemberName,
    charter: EntryId,
    entry: EntryIndex,
}

impl Draft {
    /// Starts a draft by `member`, under `charter`, with these parents. The draft knows its parents
    /// and their ancestors, and nothing else.
    pub fn new(
        tally: &Tally,
        member: &MemberName,
        charter: EntryId,
        parents: &[EntryIndex],
    ) -> Self {
        let mut tally = tally.clone();
        let payload = Payload {
            charter,
            ledger: tally.dag.ledger(),
            member: member.clone(),
            parents: parents.iter().map(|p| tally.dag.entry(*p).id).collect(),
            seq: u64::MAX,
            statements: Vec::new(),
            v: crate::charter::FORMAT_VERSION,
        };
        let entry = tally.dag.draft(payload, parents);
        Self {
            tally,
            member: member.clone(),
            charter,
            entry,
        }
    }

    /// Returns the statements so far.
    pub fn statements(&self) -> &[Statement] {
        &self.tally.dag.entry(self.entry).statements
    }

    /// Adds a statement and judges it. Returns an error if the statement would not count. After an
    /// error the draft must not be used any more.
    pub fn add(&mut self, statement: Statement) -> Result<(), Discount> {
        let place = self.place();
        self.tally.dag.draft_statement(statement);
        self.tally.record(place, Signatures::Unchecked)
    }

    /// Returns the tally with the statements so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Returns the next vote that is due, the timers to start, and what the member waits for.
    pub fn due(&self, patience: &Patience) -> Due {
        let mut due = Due::default();
        let electorate = self.tally.dag.charter(self.charter).map(|n| &n.charter);
        due.tell = self.has_news() && !Mutation::Telling.is_active();
        let Some(electorate) = electorate.filter(|e| e.votes(&self.member)) else {
            return due;
        };
        let guides: Vec<_> = electorate.voters().map(|m| m.name.clone()).collect();
        for slot in self.open_slots() {
            let view = SlotView {
                draft: self,
                view: self.view(&slot),
                slot,
                threshold: electorate.threshold(),
                guides: &guides,
                patience,
            };
            due.vote = view.next(&mut due);
            if due.vote.is_some() {
                break;
            }
        }
        due
    }

    /// Rule 5e: returns whether others lack a decision that the member's own last entry does not
    /// build on.
    ///
    /// A member that knows a decision votes no more in its slot. A faulty member could show its
    /// precommit to this member alone. Without the relay nobody else would learn of the decision.
    fn has_news(&self) -> bool {
        let tally = &self.tally;
        let Some(own) = self.own_last() else {
            return false;
        };
        let lane = Place {
            entry: own,
            statement: usize::MAX,
        };
        let mut chains = tally.subjects().filter_map(|subject| tally.chain(subject));
        chains.any(|chain| {
            let mut news = chain
                .decided
                .iter()
                .rev()
                .take_while(|p| !tally.decided_before(**p, lane));
            news.any(|p| self.is_missed(*p))
        })
    }

    /// Returns whether another member voted later than the decision without knowing it: under a
    /// later charter, or in a later round.
    fn is_missed(&self, proposal: EntryId) -> bool {
        let tally = &self.tally;
        let depth = |charter: EntryId| tally.dag.charter(charter).map(|node| node.depth);
        let Some(decision) = tally.decision(proposal) else {
            return false;
        };
        let Some(ballots) = tally
            .proposal(proposal)
            .and_then(|p| tally.ballots.get(&p.slot))
        else {
            return false;
        };
        let after = (depth(decision.charter), decision.round);
        let votes = ballots
            .iter()
            .flat_map(|(charter, ballot)| ballot.iter().map(|(round, v)| ((*charter, *round), v)));
        let later = votes
            .filter(|((charter, round), _)| (depth(*charter), *round) > after)
            .map(|(_, votes)| votes);
        let mut casts = later.flat_map(|v| v.prevotes.iter().chain(v.precommits.iter()));
        casts.any(|c| *c.member != self.member && !tally.decided_before(proposal, c.place))
    }

    /// Returns the member's own last entry. Returns `None` if the draft has no parents.
    fn own_last(&self) -> Option<EntryIndex> {
        self.tally.dag.entry(self.entry).parents.first().copied()
    }

    fn place(&self) -> Place {
        Place {
            entry: self.entry,
            statement: self.statements().len(),
        }
    }

    /// Returns the slots that are next in their chains and have proposals.
    ///
    /// The slot of the charter comes last, because a precommit of a charter change ends the
    /// member's other votes under that charter (rule 6). A frozen member votes only in the slot of
    /// the charter.
    fn open_slots(&self) -> Vec<Slot> {
        let tally = &self.tally;
        let subjects: Vec<_> = tally.subjects().collect();
        let chains = subjects
            .into_iter()
            .rev()
            .filter_map(|subject| tally.chain(subject));
        let next = chains
            .filter(|chain| chain.rivals.is_empty())
            .map(|chain| chain.next);
        let is_frozen = tally.is_frozen(&self.member, self.charter, self.place());
        next.filter(|slot| tally.rivals(slot).next().is_some())
            .filter(|slot| !is_frozen || slot.subject.is_charter())
            .collect()
    }

    /// Returns the votes of a slot under the charter that the draft knows.
    fn view(&self, slot: &Slot) -> KnownVotes {
        let at = self.place();
        let ballot = self
            .tally
            .ballots
            .get(slot)
            .and_then(|b| b.get(&self.charter));
        let mut view = KnownVotes::default();
        for (round, votes) in ballot.into_iter().flatten() {
            for phase in [Phase::Prevote, Phase::Precommit] {
                for cast in votes.phase(phase).known(&self.tally.dag, at) {
                    let seen = view.rounds.entry(*round).or_default();
                    seen.voters.insert(cast.member.clone());
                    let by_phase = match phase {
                        Phase::Prevote => &mut seen.prevotes,
                        Phase::Precommit => &mut seen.precommits,
                    };
                    by_phase
                        .entry(cast.proposal)
                        .or_default()
                        .insert(cast.member.clone());
                }
            }
        }
        view
    }
}

/// The known votes of a slot under one charter.
#[derive(Default)]
struct KnownVotes {
    rounds: BTreeMap<u32, Seen>,
}

#[derive(Default)]
struct Seen {
    voters: BTreeSet<MemberName>,
    prevotes: BTreeMap<EntryId, BTreeSet<MemberName>>,
    precommits: BTreeMap<EntryId, BTreeSet<MemberName>>,
}

impl Seen {
    /// Returns the proposal that a quorum has prevoted. Returns `None` if there is none.
    fn prevote_quorum(&self, quorum: usize) -> Option<EntryId> {
        self.prevotes
            .iter()
            .find(|(_, members)| members.len() >= quorum)
            .map(|(id, _)| *id)
    }

    fn voted(&self, phase: Phase, member: &MemberName) -> bool {
        let votes = match phase {
            Phase::Prevote => &self.prevotes,
            Phase::Precommit => &self.precommits,
        };
        votes.values().any(|members| members.contains(member))
    }
}

/// What one member knows about one slot.
struct SlotView<'a> {
    draft: &'a Draft,
    view: KnownVotes,
    slot: Slot,
    threshold: Threshold,
    guides: &'a [MemberName],
    patience: &'a Patience,
}

impl SlotView<'_> {
    fn next(&self, due: &mut Due) -> Option<DueVote> {
        let inheritance =
            self.draft
                .tally
                .inheritance(self.draft.charter, &self.slot, self.draft.place());
        if matches!(inheritance, Inheritance::Decided(_)) {
            return None;
        }
        let reached = self.reached();
        self.precommit(reached).or_else(|| {
            let round = self.enter(reached, due);
            due.tell |= self.went_unseen(round) && !Mutation::TellingOfVotes.is_active();
            self.prevote(round, inheritance, due)
        })
    }

    /// Returns the highest round that the member has voted in or gone to.
    fn reached(&self) -> u32 {
        let member = &self.draft.member;
        let voted = self
            .view
            .rounds
            .iter()
            .rev()
            .find(|(_, seen)| seen.voters.contains(member))
            .map(|(r, _)| *r);
        let mine = |t: &&Timer| t.charter == self.draft.charter && t.slot == self.slot;
        let entered = self
            .patience
            .elapsed
            .keys()
            .filter(mine)
            .filter(|t| t.event == TimerEvent::Entered);
        let entered = entered.filter(|t| self.is_open_to_all(t.round));
        voted
            .unwrap_or(0)
            .max(entered.map(|t| t.round).max().unwrap_or(0))
    }

    /// Returns whether q members have voted in the round before.
    ///
    /// A command can start the timer of a round and die before it signs the last vote that was
    /// needed. Then the timer names a round that nobody else could enter.
    fn is_open_to_all(&self, round: u32) -> bool {
        round
            .checked_sub(1)
            .is_none_or(|before| self.quorum_voted(before))
    }

    /// Returns whether q members have voted in the round.
    fn quorum_voted(&self, round: u32) -> bool {
        self.view
            .rounds
            .get(&round)
            .is_some_and(|seen| seen.voters.len() >= self.threshold.q)
    }

    /// Rules 2 and 5d: returns the precommit that is due, or `None` if there is none.
    ///
    /// The round is the highest one, from `reached` on, that has a prevote quorum and no precommit
    /// by the member.
    fn precommit(&self, reached: u32) -> Option<DueVote> {
        let (round, proposal) =
            self.view
                .rounds
                .range(reached..)
                .rev()
                .find_map(|(round, seen)| {
                    let value = seen.prevote_quorum(self.threshold.q)?;
                    (!seen.voted(Phase::Precommit, &self.draft.member)).then_some((*round, value))
                })?;
        let Draft {
            tally,
            member,
            charter,
            ..
        } = self.draft;
        let judged = tally.judge_precommit(member, *charter, (proposal, round), self.draft.place());
        judged
            .is_ok()
            .then_some(DueVote::Precommit(proposal, round))
    }

    /// Rule 5a: returns the round to be in. The member goes on as long as the rule permits.
    fn enter(&self, reached: u32, due: &mut Due) -> u32 {
        let mut round = reached;
        while let Some(next) = round.checked_add(1) {
            if !self.quorum_voted(round) {
                break;
            }
            let waited = self.elapsed(round, TimerEvent::Voted, due);
            let patience = self.patience.of(round);
            if !(self.many_above(round) || self.is_stuck(round) || waited >= patience) {
                self.wait(round, None, patience.saturating_sub(waited), due);
                break;
            }
            round = next;
            self.elapsed(round, TimerEvent::Entered, due);
        }
        round
    }

    /// Rule 5e: returns whether others may lack the votes that let the member go to the round.
    ///
    /// They may lack these votes if neither the member's own last entry builds on votes of q
    /// members in the round before, nor entries of f + 1 other members do. One of f + 1 members is
    /// honest.
    fn went_unseen(&self, round: u32) -> bool {
        let Some(before) = round.checked_sub(1) else {
            return false;
        };
        let Draft { tally, member, .. } = self.draft;
        if !self.quorum_voted(before)
            || self
                .draft
                .own_last()
                .is_none_or(|own| self.tells_of_quorum(own, before))
        {
            return false;
        }
        let tells = |m: &&MemberName| {
            tally
                .own_tips_under(self.draft.charter, m)
                .into_iter()
                .any(|tip| self.tells_of_quorum(tip, before))
        };
        self.guides
            .iter()
            .filter(|m| *m != member)
            .filter(tells)
            .count()
            <= self.threshold.f
    }

    /// Returns whether the entry builds on votes of q members in the round.
    fn tells_of_quorum(&self, entry: EntryIndex, round: u32) -> bool {
        let Draft { tally, charter, .. } = self.draft;
        let at = Place {
            entry,
            statement: usize::MAX,
        };
        let votes = tally
            .ballots
            .get(&self.slot)
            .and_then(|b| b.get(charter))
            .and_then(|b| b.get(&round));
        votes.is_some_and(|votes| votes.voters_before(&tally.dag, at) >= self.threshold.q)
    }

    /// Returns whether f + 1 members have voted above the round. One of them is honest.
    fn many_above(&self, round: u32) -> bool {
        let above = self.view.rounds.iter().filter(|(r, _)| **r > round);
        let members: BTreeSet<_> = above.flat_map(|(_, seen)| &seen.voters).collect();
        members.len() > self.threshold.f
    }

    /// Returns whether no proposal can reach q prevotes in the round any more.
    fn is_stuck(&self, round: u32) -> bool {
        let Some(seen) = self.view.rounds.get(&round) else {
            return false;
        };
        let prevoted: BTreeSet<_> = seen.prevotes.values().flatten().collect();
        let most = seen.prevotes.values().map(BTreeSet::len).max().unwrap_or(0);
        most + self.threshold.n.saturating_sub(prevoted.len()) < self.threshold.q
    }

    fn prevote(&self, round: u32, inheritance: Inheritance, due: &mut Due) -> Option<DueVote> {
        let seen = self.view.rounds.get(&round);
        // The member must not prevote in a round in which it has precommitted. The prevote could
        // count because of the new lock, although nothing released the member from an older lock.
        // Then the pair would convict the member (rule 7 (ii)).
        if seen.is_some_and(|s| s.voters.contains(&self.draft.member)) {
            return None;
        }
        let candidates = match round {
            0 => self.first_choice(inheritance).into_iter().collect(),
            _ => self.guided_choice(round, inheritance, due)?,
        };
        let allowed = |id: &EntryId| {
            let Draft {
                tally,
                member,
                charter,
                ..
            } = self.draft;
            tally
                .judge_prevote(
                    member,
                    *charter,
                    &Prevote {
                        proposal: *id,
                        round,
                    },
                    self.draft.place(),
                )
                .is_ok()
        };
        candidates
            .into_iter()
            .find(allowed)
            .map(|id| DueVote::Prevote(id, round))
    }

    /// Returns what the member prevotes in round 0, or `None` if it does not prevote yet.
    ///
    /// The member prevotes the first of these that exists:
    ///
    /// 1. the handed-down proposal;
    /// 2. of the proposals with q approvals, the one with the lowest id;
    /// 3. the only open proposal, if the member's last review approves it.
    fn first_choice(&self, inheritance: Inheritance) -> Option<EntryId> {
        if let Inheritance::Bound(value) = inheritance {
            return Some(value);
        }
        self.approved().next().or_else(|| {
            let mut open = self
                .draft
                .tally
                .rivals(&self.slot)
                .filter(|p| self.is_open(p));
            let only = open.next().filter(|_| open.next().is_none())?;
            self.draft.stands_behind(only.id).then_some(only.id)
        })
    }

    /// Rule 5c: returns the proposals to try, in order: those that the guide prevoted, then the
    /// member's own preference. Returns `None` while the member must wait.
    fn guided_choice(
        &self,
        round: u32,
        inheritance: Inheritance,
        due: &mut Due,
    ) -> Option<Vec<EntryId>> {
        let waited = self.elapsed(round, TimerEvent::Entered, due);
        let patience = self.patience.of(round);
        let own = self.preference(round, inheritance);
        let guide = self
            .guides
            .get(self.slot.guide_place(round, self.guides.len()))?;
        if *guide == self.draft.member || Mutation::Guide.is_active() {
            return self
                .unless_early(waited, patience, round, None, due)
                .then(|| own.into_iter().collect());
        }
        let prevotes = self
            .view
            .rounds
            .get(&round)
            .into_iter()
            .flat_map(|seen| &seen.prevotes);
        let guided: Vec<_> = prevotes
            .filter(|(_, members)| members.contains(guide))
            .map(|(id, _)| *id)
            .collect();
        // The guide itself waits for one patience. The others wait for two.
        let longer = patience.saturating_mul(if Mutation::TwoPatiences.is_active() {
            1
        } else {
            2
        });
        let ready =
            !guided.is_empty() || self.unless_early(waited, longer, round, Some(guide), due);
        ready.then(|| guided.into_iter().chain(own).collect())
    }

    fn unless_early(
        &self,
        waited: Duration,
        needed: Duration,
        round: u32,
        guide: Option<&MemberName>,
        due: &mut Due,
    ) -> bool {
        if waited < needed {
            self.wait(round, guide.cloned(), needed.saturating_sub(waited), due);
        }
        waited >= needed
    }

    /// Rule 5b: returns the member's preference, or `None` if there is none.
    ///
    /// The preference is the first of these that exists:
    ///
    /// 1. the proposal of the prevote quorum of the highest round; the own lock comes
    ///    before others of its round;
    /// 2. the handed-down proposal;
    /// 3. of the proposals with q approvals, the one with the lowest id.
    fn preference(&self, below: u32, inheritance: Inheritance) -> Option<EntryId> {
        let highest = self.view.rounds.range(..below).rev().find_map(|(_, seen)| {
            let own = seen
                .precommits
                .iter()
                .find(|(_, members)| members.contains(&self.draft.member));
            own.map(|(id, _)| *id)
                .or_else(|| seen.prevote_quorum(self.threshold.q))
        });
        let handed_down = match inheritance {
            Inheritance::Bound(value) => Some(value),
            _ => None,
        };
        highest.or(handed_down).or_else(|| self.approved().next())
    }

    /// Returns the proposals of the slot with q approvals, the lowest id first.
    fn approved(&self) -> impl Iterator<Item = EntryId> {
        let Draft { tally, charter, .. } = self.draft;
        let enough = |id: &EntryId| {
            let casts = tally.approvals.get(&(*charter, *id));
            let at = self.draft.place();
            casts.is_some_and(|c| {
                c.supporters_before(&tally.dag, *id, at).count() >= self.threshold.q
            })
        };
        tally.rivals(&self.slot).map(|p| p.id).filter(enough)
    }

    /// Returns whether a proposal is open: it is not withdrawn, and not rejected by so many voting
    /// members that q cannot approve it.
    fn is_open(&self, proposal: &Proposal) -> bool {
        let tally = &self.draft.tally;
        !tally.withdrawals.contains_key(&proposal.id)
            && !tally.is_rejected(self.draft.charter, proposal.id)
    }

    /// Returns how long the timer has run. Requests its start if it is not running.
    fn elapsed(&self, round: u32, event: TimerEvent, due: &mut Due) -> Duration {
        let timer = Timer {
            charter: self.draft.charter,
            slot: self.slot.clone(),
            round,
            event,
        };
        let running = self.patience.elapsed.get(&timer).copied();
        if running.is_none() && !due.start.contains(&timer) {
            due.start.push(timer);
        }
        running.unwrap_or_default()
    }

    fn wait(&self, round: u32, guide: Option<MemberName>, left: Duration, due: &mut Due) {
        due.waiting.push(Waiting {
            slot: self.slot.clone(),
            round,
            guide,
            left,
        });
    }
}

impl Draft {
    /// Returns whether the member's approval counts and its last review is an approval.
    fn stands_behind(&self, proposal: EntryId) -> bool {
        self.tally
            .approvers(self.charter, proposal)
            .contains(&self.member)
            && self.tally.opinion(&self.member, proposal) == Some(Verdict::Approve)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Patience;

    fn patience_of(unit: Duration, round: u32) -> Duration {
        let patience = Patience {
            unit,
            ..Patience::default()
        };
        patience.of(round)
    }

    #[test]
    fn patience_outgrows_that_of_the_round_before_by_more_each_time() {
        let rounds = [0, 1, 2, 3, 4].map(|round| patience_of(Duration::from_millis(10), round));
        assert_eq!(rounds, [10, 20, 40, 70, 110].map(Duration::from_millis));
    }

    #[test]
    fn the_last_round_has_a_patience_too() {
        let factor = 1 + (u64::from(u32::MAX) << 31);
        let of_seconds = patience_of(Duration::from_secs(1), u32::MAX);
        assert_eq!(of_seconds, Duration::from_secs(factor));
        assert_eq!(patience_of(Duration::MAX, u32::MAX), Duration::MAX);
    }
}
