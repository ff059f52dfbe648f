//! One slot under one charter, searched whole: agreement, validity and evidence.
//!
//! **What a state is.** Within one charter every guard of `ledger-spec/deciding.md` that looks at others asks that
//! entries *exist* among the vote's ancestors: approvals, prevotes of q members, votes of the round before, prevotes that
//! release a lock. None asks that something is *not* there, but for the member's own votes, all of which its own lane
//! knows. So a member that saw less could do no more, and it is enough that each honest vote builds on everything that
//! exists. Any order and any loss of messages is then some order of votes: what a member had not seen yet is what had
//! not been said yet, or what it could have known without harm. A state is the set of honest votes.
//!
//! **The liars.** All that they could sign stands there as soon as it would count: every approval from the start, a
//! prevote for every rival in every round, on a branch of its own, built on everything honest; and every precommit, which
//! nobody builds on (no guard within a charter reads another's precommit but as a vote of the round, and its prevote is
//! one too). A liar that does less only takes away from what others may do.
//!
//! **Order.** No guard of a vote of round r reads votes above r but the member's own, and its own rounds do not go down
//! (rule 4). So every ledger can be had with all votes of round 0 first, then those of round 1: the search goes by
//! rounds. Where a mutation switches the rule off, it does not: [`Setup::layered`].
//!
//! **Symmetry.** Judging compares names and ids for equality only, and counts sets of members (ids are ordered only
//! where more than f lied). So states that differ by a renaming of honest members or of rivals are one.
//!
//! **Fold.** With [`Setup::folded`] a state forgets of the rounds behind it all but what later votes can depend on: each
//! member's lock, the highest round with a prevote quorum for each rival, and what is decided. That this is all is
//! checked, not believed: [`Setup::check_fold`] asserts in a search without folding that states which fold alike let
//! the same votes count.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

use git_quorum::consensus::{Draft, Slot, agreement_statement};
use git_quorum::id::EntryId;
use git_quorum::ledger::EntryIndex;

use crate::lab::{approve, name, propose};
use crate::table::{NAMES, Phase, Table, main_slot, vote};

/// Most honest members and most rounds that a key has place for.
pub const HONEST: usize = 6;
pub const ROUNDS: usize = 4;

/// In which order honest votes are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Any vote at any time, also of rounds behind: nothing is taken for granted.
    Free,
    /// Any vote of the round at any time.
    Steps,
    /// In each round the prevotes, member by member, then the precommits. A member may withhold each.
    Turns,
    /// The same, and nobody withholds a prevote that counts.
    Eager,
}

/// What is searched.
#[derive(Debug, Clone)]
pub struct Setup {
    pub n: usize,
    pub liars: usize,
    pub rivals: usize,
    pub rounds: usize,
    /// How many honest members approve each rival (the liars approve all); all approve where it says nothing.
    pub approvals: BTreeMap<usize, usize>,
    pub way: Way,
    pub folded: bool,
    pub check_fold: bool,
    /// Votes of whole rounds that are cast first.
    pub first: Vec<Vote>,
    /// What it looks for; anything when there is nothing here.
    pub seek: Option<Violation>,
    /// Stops after so many states.
    pub most: usize,
}

impl Setup {
    pub fn new(n: usize, liars: usize, rivals: usize, rounds: usize) -> Setup {
        Setup {
            n,
            liars,
            rivals,
            rounds,
            approvals: BTreeMap::new(),
            way: Way::Eager,
            folded: false,
            check_fold: false,
            first: vec![],
            seek: None,
            most: usize::MAX,
        }
    }

    fn honest(&self) -> usize {
        self.n - self.liars
    }
}

/// An honest member's vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vote {
    pub member: usize,
    pub phase: Phase,
    pub rival: usize,
    pub round: usize,
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = if self.phase == Phase::Prevote {
            "prevotes"
        } else {
            "precommits"
        };
        write!(
            f,
            "{} {phase} P{} in {}",
            NAMES[self.member], self.rival, self.round
        )
    }
}

/// What must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A slot with two decisions.
    TwoDecisions,
    /// A decision without q approvals.
    Unapproved,
    /// Evidence against a member that only did what counts.
    HonestConvicted,
    /// q agreement signatures under one statement, which no round's precommits decided.
    FalseCertificate,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub states: usize,
    /// Ledgers that were looked at whole.
    pub ledgers: usize,
    /// Votes put before the judge.
    pub judged: usize,
    pub depth: usize,
    pub time: Duration,
    pub violation: Option<(Violation, Vec<Vote>)>,
    /// Whether it came to an end.
    pub whole: bool,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome {
            states,
            ledgers,
            judged,
            depth,
            time,
            violation,
            whole,
        } = self;
        let whole = if *whole { "" } else { " (cut short)" };
        write!(
            f,
            "{states} states{whole}, {ledgers} ledgers, {judged} votes judged, depth {depth}, {:.1} s: ",
            time.as_secs_f64()
        )?;
        match violation {
            None => f.write_str("no violation"),
            Some((what, votes)) => {
                let votes: Vec<_> = votes.iter().map(Vote::to_string).collect();
                write!(f, "{what:?} after {}", votes.join(", "))
            }
        }
    }
}

/// What each honest member said, by round and phase: 0 for nothing, else the rival's number and 1.
pub type Row = [[u8; 2]; ROUNDS];

#[derive(Clone)]
pub struct State {
    pub table: Table,
    pub rows: [Row; HONEST],
    pub round: usize,
    /// The last entry of each honest member, and the last of all, which knows everything but the fresh ones.
    lanes: [Option<EntryIndex>; HONEST],
    last: EntryIndex,
    /// Prevotes of liars that nobody builds on yet.
    fresh: Vec<EntryIndex>,
    /// Precommits of liars that are there, by rival and round.
    precommits: BTreeSet<(usize, usize)>,
    decided: u8,
}

/// A search, and what does not change in it.
pub struct Search<'a> {
    pub setup: &'a Setup,
    pub ledger: EntryId,
    pub slot: Slot,
    pub rivals: Vec<EntryId>,
    quorum: usize,
    /// Rounds whose agreement statements are the same bytes, by rival.
    certificates: Vec<Vec<Vec<usize>>>,
    seen: HashSet<u128>,
    fold_allows: HashMap<u128, u64>,
    pub path: Vec<Vote>,
    outcome: Outcome,
    start: Instant,
    orders: Vec<Vec<usize>>,
}

/// Searches everything that honest members may do.
pub fn search(setup: &Setup) -> Outcome {
    each_state(setup, |_, _| true)
}

/// The same, and shows each new state; the search goes on from it if it is told so.
pub fn each_state(setup: &Setup, mut visit: impl FnMut(&Search<'_>, &State) -> bool) -> Outcome {
    let (mut search, mut state) = Search::start(setup);
    for vote in &setup.first {
        if vote.round > state.round {
            state = search.advance(&search.inspect(state).0);
        }
        state = search
            .cast(&state, *vote)
            .unwrap_or_else(|| panic!("{vote} does not count"));
        search.path.push(*vote);
    }
    if !setup.first.is_empty() {
        state = search.advance(&search.inspect(state).0);
    }
    search.explore(state, &mut visit);
    search.outcome.time = search.start.elapsed();
    search.outcome
}

impl<'a> Search<'a> {
    fn start(setup: &'a Setup) -> (Self, State) {
        assert!(setup.honest() <= HONEST && setup.rounds <= ROUNDS && setup.rivals <= 3);
        let mut table = Table::found(setup.n);
        let (genesis, ledger) = (table.genesis(), table.tally.dag().ledger());
        let mut lanes = [None; HONEST];
        let mut last = genesis;
        let mut rivals = vec![];
        for number in 0..setup.rivals {
            last = table.say(0, ledger, &[last], vec![propose(ledger, number as u8 + 1)]);
            rivals.push(table.id(last));
        }
        lanes[0] = Some(last);
        for liar in setup.honest()..setup.n {
            let all = rivals.iter().map(|p| approve(*p)).collect();
            last = table.say(liar, ledger, &[genesis, last], all);
        }
        for (member, lane) in lanes.iter_mut().enumerate().take(setup.honest()) {
            let approves = |v: &usize| setup.approvals.get(v).is_none_or(|count| member < *count);
            let said = (0..setup.rivals)
                .filter(approves)
                .map(|v| approve(rivals[v]))
                .collect();
            let own = lane.unwrap_or(genesis);
            last = table.say(member, ledger, &[own, last], said);
            *lane = Some(last);
        }
        let quorum = table
            .tally
            .dag()
            .charter(ledger)
            .unwrap()
            .charter
            .threshold()
            .q;
        let certificates = rivals
            .iter()
            .map(|p| same_statements(&table, ledger, *p, setup.rounds))
            .collect();
        let outcome = Outcome {
            states: 0,
            ledgers: 0,
            judged: 0,
            depth: 0,
            time: Duration::ZERO,
            violation: None,
            whole: true,
        };
        let search = Search {
            setup,
            ledger,
            slot: main_slot(ledger),
            rivals,
            quorum,
            certificates,
            seen: HashSet::new(),
            fold_allows: HashMap::new(),
            path: vec![],
            outcome,
            start: Instant::now(),
            orders: orders(setup.rivals),
        };
        let state = State {
            table,
            rows: [[[0; 2]; ROUNDS]; HONEST],
            round: 0,
            lanes,
            last,
            fresh: vec![],
            precommits: BTreeSet::new(),
            decided: 0,
        };
        let state = search.liars_prevote(state);
        (search, state)
    }

    fn explore(&mut self, state: State, visit: &mut impl FnMut(&Search<'_>, &State) -> bool) {
        if matches!(self.setup.way, Way::Turns | Way::Eager) {
            return self.explore_turn(state, 0, visit);
        }
        let (state, violation) = self.inspect(state);
        if !self
            .seen
            .insert(self.key(&state.rows, state.round, state.decided))
        {
            return;
        }
        self.outcome.states += 1;
        self.outcome.ledgers += 1;
        self.outcome.depth = self.outcome.depth.max(self.path.len());
        if let Some(violation) = violation {
            self.outcome.violation = Some((violation, self.path.clone()));
        }
        if self.outcome.states >= self.setup.most {
            self.outcome.whole = false;
        }
        if self.is_over() || !visit(self, &state) {
            return;
        }
        let from = if self.setup.way == Way::Steps {
            state.round
        } else {
            0
        };
        let mut allowed = 0;
        for round in from..=state.round {
            for candidate in self.candidates(round) {
                if !self.may(&state, candidate) {
                    continue;
                }
                let next = self.try_vote(&state, candidate);
                allowed = allowed << 1 | u64::from(next != Tried::Refused);
                let Tried::New(next) = next else { continue };
                self.path.push(candidate);
                self.explore(*next, visit);
                self.path.pop();
                if self.is_over() {
                    return;
                }
            }
        }
        if self.setup.check_fold {
            self.compare_fold(&state, allowed);
        }
        if state.round + 1 < self.setup.rounds {
            let next = self.advance(&state);
            self.explore(next, visit);
        }
    }

    /// A round in a fixed order. Prevotes of a round do not read each other, nor the precommits; so this order is as good
    /// as any.
    fn explore_turn(
        &mut self,
        state: State,
        turn: usize,
        visit: &mut impl FnMut(&Search<'_>, &State) -> bool,
    ) {
        let honest = self.setup.honest();
        if turn == 2 * honest {
            return self.end_round(state, visit);
        }
        if turn == 0 {
            if !self
                .seen
                .insert(self.key(&state.rows, state.round, state.decided))
            {
                return;
            }
            self.outcome.states += 1;
            self.outcome.whole &= self.outcome.states < self.setup.most;
            if self.setup.check_fold {
                let prevotes = self
                    .candidates(state.round)
                    .filter(|c| c.phase == Phase::Prevote);
                let allowed = prevotes.fold(0, |all, c| {
                    all << 1 | u64::from(self.cast(&state, c).is_some())
                });
                self.compare_fold(&state, allowed);
            }
        }
        let phase = if turn < honest {
            Phase::Prevote
        } else {
            Phase::Precommit
        };
        let (member, round) = (turn % honest, state.round);
        let mut withhold = true;
        for rival in 0..self.setup.rivals {
            let cast = Vote {
                member,
                phase,
                rival,
                round,
            };
            self.outcome.judged += 1;
            let Some(next) = self.cast(&state, cast) else {
                continue;
            };
            withhold &= phase == Phase::Precommit || self.setup.way == Way::Turns;
            self.path.push(cast);
            self.explore_turn(next, turn + 1, visit);
            self.path.pop();
            if self.is_over() {
                return;
            }
        }
        if withhold {
            self.explore_turn(state, turn + 1, visit);
        }
    }

    /// All have voted in the round who will.
    fn end_round(&mut self, state: State, visit: &mut impl FnMut(&Search<'_>, &State) -> bool) {
        let (state, violation) = self.inspect(state);
        self.outcome.ledgers += 1;
        self.outcome.depth = self.outcome.depth.max(self.path.len());
        if let Some(violation) = violation {
            self.outcome.violation = Some((violation, self.path.clone()));
        }
        if !self.is_over() && visit(self, &state) && state.round + 1 < self.setup.rounds {
            let next = self.advance(&state);
            self.explore_turn(next, 0, visit);
        }
    }

    /// An honest member says nothing twice, and does not prevote where it has precommitted (section 5). Nothing else
    /// binds it here but the judge: agreement must not hang on what is a tool's duty.
    fn may(&self, state: &State, candidate: Vote) -> bool {
        let [prevoted, precommitted] = state.rows[candidate.member][candidate.round];
        let said = [prevoted, precommitted][candidate.phase as usize];
        let again = said == candidate.rival as u8 + 1;
        !again && (candidate.phase == Phase::Precommit || precommitted == 0)
    }

    fn is_over(&self) -> bool {
        self.outcome.violation.is_some() || !self.outcome.whole
    }

    fn candidates(&self, round: usize) -> impl Iterator<Item = Vote> + use<> {
        let (honest, rivals) = (self.setup.honest(), self.setup.rivals);
        (0..honest).flat_map(move |member| {
            [Phase::Precommit, Phase::Prevote]
                .into_iter()
                .flat_map(move |phase| {
                    (0..rivals).map(move |rival| Vote {
                        member,
                        phase,
                        rival,
                        round,
                    })
                })
        })
    }

    fn try_vote(&mut self, state: &State, candidate: Vote) -> Tried {
        let mut rows = state.rows;
        rows[candidate.member][candidate.round][candidate.phase as usize] =
            candidate.rival as u8 + 1;
        let is_known = |search: &Self| {
            search
                .seen
                .contains(&search.key(&rows, state.round, state.decided))
        };
        if !self.setup.check_fold && is_known(self) {
            return Tried::Known;
        }
        self.outcome.judged += 1;
        match self.cast(state, candidate) {
            Some(next) => Tried::New(Box::new(next)),
            None => Tried::Refused,
        }
    }

    /// The state with the vote, if it counts.
    pub fn cast(&self, state: &State, cast: Vote) -> Option<State> {
        let parents = self.parents(state, cast.member);
        let said = vote(cast.phase, self.rivals[cast.rival], cast.round as u32);
        if cast.phase == Phase::Prevote {
            let draft = Draft::new(
                &state.table.tally,
                &name(NAMES[cast.member]),
                self.ledger,
                &parents,
            )
            .add(said.clone());
            draft.ok()?;
        }
        let mut next = state.clone();
        let entry = next
            .table
            .say(cast.member, self.ledger, &parents, vec![said]);
        if !next.table.counts(entry) {
            return None;
        }
        next.lanes[cast.member] = Some(entry);
        next.last = entry;
        next.fresh.clear();
        next.rows[cast.member][cast.round][cast.phase as usize] = cast.rival as u8 + 1;
        Some(next)
    }

    /// What an honest vote builds on: everything.
    pub fn parents(&self, state: &State, member: usize) -> Vec<EntryIndex> {
        let own = state.lanes[member].unwrap_or_else(|| state.table.genesis());
        let last = Some(state.last).filter(|last| *last != own);
        [own]
            .into_iter()
            .chain(last)
            .chain(state.fresh.iter().copied())
            .collect()
    }

    /// The next round begins: the liars have prevoted everything.
    fn advance(&self, state: &State) -> State {
        let next = State {
            round: state.round + 1,
            fresh: vec![],
            ..state.clone()
        };
        self.liars_prevote(next)
    }

    fn liars_prevote(&self, mut state: State) -> State {
        for rival in 0..self.setup.rivals {
            let round = state.round;
            let entries = self.liars_vote(&mut state, Phase::Prevote, rival, round);
            state.fresh.extend(entries);
        }
        state
    }

    /// The liars vote, each on a branch that knows no other vote of its author but what honest members know.
    fn liars_vote(
        &self,
        state: &mut State,
        phase: Phase,
        rival: usize,
        round: usize,
    ) -> Vec<EntryIndex> {
        let said = vote(phase, self.rivals[rival], round as u32);
        let parents = [state.table.genesis(), state.last];
        let mut entries = vec![];
        for liar in self.setup.honest()..self.setup.n {
            let mut table = state.table.clone();
            let entry = table.say(liar, self.ledger, &parents, vec![said.clone()]);
            if table.counts(entry) {
                state.table = table;
                entries.push(entry);
            }
        }
        entries
    }

    /// The liars precommit what they can, and all that must hold is looked at.
    fn inspect(&self, mut state: State) -> (State, Option<Violation>) {
        for rival in 0..self.setup.rivals {
            for round in 0..=state.round {
                let honest =
                    (0..self.setup.honest()).any(|m| state.rows[m][round][1] == rival as u8 + 1);
                if honest && !state.precommits.contains(&(rival, round)) {
                    let entries = self.liars_vote(&mut state, Phase::Precommit, rival, round);
                    if !entries.is_empty() {
                        state.precommits.insert((rival, round));
                    }
                }
            }
        }
        let decided = state.table.tally.decided_in(&self.slot);
        state.decided = (0..self.setup.rivals)
            .filter(|v| decided.contains(&self.rivals[*v]))
            .map(|v| 1 << v)
            .sum();
        let mut violations = self.violations(&state, &decided).into_iter();
        let violation =
            violations.find(|found| self.setup.seek.is_none_or(|sought| sought == *found));
        (state, violation)
    }

    fn violations(&self, state: &State, decided: &[EntryId]) -> Vec<Violation> {
        let tally = &state.table.tally;
        assert_eq!(tally.broken_slots().count(), usize::from(decided.len() > 1));
        let honest = |member: &str| NAMES[..self.setup.honest()].contains(&member);
        let certified = |v: usize| {
            self.certificates[v]
                .iter()
                .any(|rounds| self.signers(state, v, rounds) >= self.quorum)
        };
        let false_one =
            (0..self.setup.rivals).any(|v| certified(v) && !decided.contains(&self.rivals[v]));
        let checks = [
            (Violation::TwoDecisions, decided.len() > 1),
            (
                Violation::Unapproved,
                decided
                    .iter()
                    .any(|p| tally.approvers(self.ledger, *p).len() < self.quorum),
            ),
            (
                Violation::HonestConvicted,
                tally.evidence().iter().any(|e| honest(e.member.as_str())),
            ),
            (Violation::FalseCertificate, false_one),
        ];
        checks
            .into_iter()
            .filter(|(_, found)| *found)
            .map(|(violation, _)| violation)
            .collect()
    }

    /// Members whose agreement signatures under the statement of these rounds can be had: the liars sign what they like.
    fn signers(&self, state: &State, rival: usize, rounds: &[usize]) -> usize {
        let signed = |m: &usize| {
            rounds
                .iter()
                .any(|round| state.rows[*m][*round][1] == rival as u8 + 1)
        };
        (0..self.setup.honest()).filter(signed).count() + self.setup.liars
    }

    fn key(&self, rows: &[Row; HONEST], round: usize, decided: u8) -> u128 {
        let keys = self.orders.iter().map(|order| match self.setup.folded {
            true => self.folded_key(rows, round, decided, order, true),
            false => whole_key(self.setup, rows, round, order),
        });
        keys.min().unwrap_or(0)
    }

    /// What votes of the round and later ones can depend on.
    fn folded_key(
        &self,
        rows: &[Row; HONEST],
        round: usize,
        decided: u8,
        order: &[usize],
        sorted: bool,
    ) -> u128 {
        let honest = 0..self.setup.honest();
        let mut lines: Vec<u128> = honest
            .clone()
            .map(|m| {
                let lock = (0..round).rev().find(|r| rows[m][*r][1] != 0);
                let lock = lock.map_or(0, |r| (r as u128) << 2 | renamed(rows[m][r][1], order));
                let approved = (0..self.setup.rivals)
                    .filter(|v| self.setup.approvals.get(v).is_none_or(|c| m < *c));
                let mask: u128 = approved.map(|v| 1 << order[v]).sum();
                rows[m][round].iter().fold(mask << 4 | lock, |line, cell| {
                    line << 2 | renamed(*cell, order)
                })
            })
            .collect();
        if sorted {
            lines.sort_unstable();
        }
        let highest = |v: usize| {
            let prevoters = |r: usize| {
                honest
                    .clone()
                    .filter(|m| rows[*m][r][0] == v as u8 + 1)
                    .count()
            };
            let found = (0..round)
                .rev()
                .find(|r| prevoters(*r) + self.setup.liars >= self.quorum);
            found.map_or(0, |r| r as u128 + 1)
        };
        let voters =
            |r: usize| honest.clone().filter(|m| rows[*m][r] != [0, 0]).count() + self.setup.liars;
        let entered = round == 0 || voters(round - 1) >= self.quorum;
        let mut values = [0; 3];
        for (v, place) in order.iter().enumerate() {
            values[*place] = highest(v) << 1 | u128::from(decided >> v & 1);
        }
        let head = values
            .iter()
            .fold((round as u128) << 1 | u128::from(entered), |key, value| {
                key << 4 | value
            });
        lines.iter().fold(head, |key, line| key << 11 | line)
    }

    /// States that fold alike let the same votes count.
    fn compare_fold(&mut self, state: &State, allowed: u64) {
        let same: Vec<_> = (0..self.setup.rivals).collect();
        let key = self.folded_key(&state.rows, state.round, state.decided, &same, false);
        let before = *self.fold_allows.entry(key).or_insert(allowed);
        assert_eq!(
            before, allowed,
            "states that fold alike differ in what counts: {:?}",
            self.path
        );
    }
}

#[derive(PartialEq)]
enum Tried {
    Refused,
    Known,
    New(Box<State>),
}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        (self.rows, self.round) == (other.rows, other.round)
    }
}

/// What honest members have said, up to renaming.
pub fn said_key(setup: &Setup, rows: &[Row; HONEST]) -> u128 {
    orders(setup.rivals)
        .iter()
        .map(|order| whole_key(setup, rows, 0, order))
        .min()
        .unwrap_or(0)
}

fn whole_key(setup: &Setup, rows: &[Row; HONEST], round: usize, order: &[usize]) -> u128 {
    let mut lines: Vec<u128> = (0..setup.honest())
        .map(|m| {
            let approved =
                (0..setup.rivals).filter(|v| setup.approvals.get(v).is_none_or(|c| m < *c));
            let mask: u128 = approved.map(|v| 1 << order[v]).sum();
            rows[m]
                .iter()
                .flatten()
                .fold(mask, |line, cell| line << 2 | renamed(*cell, order))
        })
        .collect();
    lines.sort_unstable();
    lines
        .iter()
        .fold(round as u128, |key, line| key << 19 | line)
}

fn renamed(cell: u8, order: &[usize]) -> u128 {
    cell.checked_sub(1)
        .map_or(0, |rival| order[rival as usize] as u128 + 1)
}

/// All orders of so many things.
pub fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let mut all = vec![];
    for order in orders(n - 1) {
        for place in 0..n {
            let mut longer = order.clone();
            longer.insert(place, n - 1);
            all.push(longer);
        }
    }
    all
}

/// Rounds whose agreement statements are the same bytes.
fn same_statements(
    table: &Table,
    ledger: EntryId,
    proposal: EntryId,
    rounds: usize,
) -> Vec<Vec<usize>> {
    let mut by_bytes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for round in 0..rounds {
        let body = agreement_statement(&table.tally, ledger, proposal, round as u32).unwrap();
        by_bytes.entry(body).or_default().push(round);
    }
    by_bytes.into_values().collect()
}
