//! Charter changes in flight: a slot that stays open while the charter changes, once or twice.
//!
//! Hand-over and freeze are not monotone: who knows more may do less, or something else. So here knowledge is explicit.
//! A vote in the slot builds on its author's lane and on just those votes that it needs; a precommit of the change builds
//! on that, or on everything that exists; a member's first entry under the next charter knows its lane and q precommits of
//! the change, any q of them. Of several such sets those that let the member prevote the same proposals count as one, and
//! the first of them is taken.
//!
//! **Order.** A member that went to the next charter does not come back (CHARTER_WENT_BACK), and nothing under a charter
//! reads votes under a later one; so all votes under the first charter come first. That later charters do not know all of
//! them is what the explicit knowledge is for.
//!
//! **The liars** have every prevote for every rival, each precommit that counts, and precommits of the change that know
//! nothing but it, or one prevote quorum of the slot.
//!
//! **Keys that leak.** Once q precommits of the change exist, the keys of [`Stage::leaked`] may leak: from then on they do
//! under that charter what a liar's does, on branches that know nothing of what their owners said. Members that have not
//! precommitted the change yet may go on, and see that.
//!
//! **Walks.** Where there is too much to search, [`walk`] goes one way through it, by a seed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

use git_quorum::charter::{Charter, CharterRules, MemberName, ProposedCharter, Removal, Threshold};
use git_quorum::consensus::{Draft, Slot};
use git_quorum::id::EntryId;
use git_quorum::ledger::{CharterProposal, EntryIndex, Prevote, Statement};

use crate::lab::{approve, name, propose, public_key, voter};
use crate::reduced::{Violation, orders};
use crate::rng::Rng;
use crate::table::{NAMES, Phase, Table, distinct, main_slot, vote};

/// Who votes under a charter, and for how many rounds in the slot.
#[derive(Debug, Clone)]
pub struct Stage {
    pub honest: Vec<usize>,
    pub liars: Vec<usize>,
    /// Honest members whose keys leak when the charter has been changed.
    pub leaked: Vec<usize>,
    pub rounds: usize,
}

impl Stage {
    fn members(&self) -> BTreeSet<usize> {
        self.honest.iter().chain(&self.liars).copied().collect()
    }

    fn quorum(&self) -> usize {
        Threshold::of(self.members().len()).q
    }
}

/// Lines of who, and votes by member, phase, round and rival.
type Said = Vec<(usize, Vec<(usize, usize, usize, usize)>)>;

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Ledgers at the end of a charter's votes that were looked at whole.
    pub ledgers: usize,
    /// Decisions seen, by the charter's number.
    pub decided: BTreeMap<usize, usize>,
    pub judged: usize,
    pub time: Duration,
    pub whole: bool,
    pub violation: Option<(Violation, Vec<String>)>,
    /// Whom the evidence names in the ledger of the violation.
    pub convicted: BTreeSet<MemberName>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome {
            ledgers,
            decided,
            judged,
            time,
            whole,
            violation,
            convicted: _,
        } = self;
        let whole = if *whole { "" } else { " (cut short)" };
        write!(
            f,
            "{ledgers} ledgers{whole}, decided under {decided:?}, {judged} votes judged, {:.1} s: ",
            time.as_secs_f64()
        )?;
        match violation {
            None => f.write_str("no violation"),
            Some((what, path)) => write!(f, "{what:?} after {}", path.join(", ")),
        }
    }
}

/// A vote in the slot under the charter of the stage.
#[derive(Clone, Copy)]
struct Cast {
    member: usize,
    phase: Phase,
    rival: usize,
    round: usize,
    entry: EntryIndex,
    /// Cast by a liar, or with a key that leaked.
    lies: bool,
}

#[derive(Clone)]
struct State {
    table: Table,
    lanes: BTreeMap<usize, EntryIndex>,
    /// Under the stage's charter: first entries, votes in the slot, and precommits of its change.
    firsts: Vec<EntryIndex>,
    casts: Vec<Cast>,
    changes: Vec<(usize, EntryIndex)>,
    change: Option<EntryIndex>,
    /// Members whose keys have leaked.
    leaked: BTreeSet<usize>,
}

pub struct Search<'a> {
    stages: &'a [Stage],
    rivals: Vec<EntryId>,
    roots: Vec<EntryIndex>,
    slot: Slot,
    ledger: EntryId,
    seek: Option<Violation>,
    most: usize,
    /// Only the order in which things are tried.
    votes_first: bool,
    /// Goes one way only, which this chooses.
    walk: Option<Rng>,
    /// By stage.
    charters: Vec<EntryId>,
    path: Vec<String>,
    seen: HashSet<Said>,
    handed: HashSet<(usize, Vec<EntryId>, BTreeSet<Vec<u32>>)>,
    outcome: Outcome,
}

/// Searches what members may do under these charters.
pub fn search(
    stages: &[Stage],
    rivals: usize,
    votes_first: bool,
    seek: Option<Violation>,
    most: usize,
) -> Outcome {
    run(stages, rivals, votes_first, seek, most, None)
}

/// Goes one way through it.
pub fn walk(stages: &[Stage], rivals: usize, seed: u64) -> Outcome {
    run(stages, rivals, true, None, usize::MAX, Some(Rng::new(seed)))
}

fn run(
    stages: &[Stage],
    rivals: usize,
    votes_first: bool,
    seek: Option<Violation>,
    most: usize,
    walk: Option<Rng>,
) -> Outcome {
    let start = Instant::now();
    let first = &stages[0];
    let mut table = Table::found(first.members().len());
    let ledger = table.tally.dag().ledger();
    let mut last = table.genesis();
    let mut proposals = vec![];
    for number in 0..rivals {
        last = table.say(
            first.honest[0],
            ledger,
            &[last],
            vec![propose(ledger, number as u8 + 1)],
        );
        proposals.push(table.id(last));
    }
    let lanes = BTreeMap::from([(first.honest[0], last)]);
    let mut search = Search {
        stages,
        rivals: proposals,
        roots: vec![last],
        slot: main_slot(ledger),
        ledger,
        seek,
        most,
        votes_first,
        walk,
        charters: vec![ledger],
        path: vec![],
        seen: HashSet::new(),
        handed: HashSet::new(),
        outcome: Outcome {
            whole: true,
            ..Outcome::default()
        },
    };
    let state = State {
        table,
        lanes,
        firsts: vec![],
        casts: vec![],
        changes: vec![],
        change: None,
        leaked: BTreeSet::new(),
    };
    search.begin(0, state, &[]);
    search.outcome.time = start.elapsed();
    search.outcome
}

impl Search<'_> {
    fn is_over(&mut self) -> bool {
        self.outcome.whole &= self.outcome.ledgers < self.most;
        self.outcome.violation.is_some() || !self.outcome.whole
    }

    fn charter_of(&self, stage: usize) -> Charter {
        let members = self.stages[stage].members();
        let before: BTreeSet<_> = self.stages[..stage]
            .iter()
            .flat_map(Stage::members)
            .collect();
        let gone = before.difference(&members);
        let removed = gone
            .map(|m| Removal {
                key: public_key(NAMES[*m]),
                last: None,
                name: name(NAMES[*m]),
            })
            .collect();
        let rules = CharterRules {
            allow_concentrated_domains: true,
            own_approval_counts: true,
            quorum: Threshold::of(members.len()).q,
        };
        let members = members.iter().map(|m| voter(NAMES[*m])).collect();
        Charter::new(
            members,
            vec!["refs/heads/main".parse().unwrap()],
            removed,
            rules,
        )
        .unwrap()
    }

    /// A charter comes into force for those who know q precommits of it. One of them proposes the next, if there is one.
    fn begin(&mut self, stage: usize, mut state: State, certificates: &[Vec<EntryIndex>]) {
        if stage + 1 < self.stages.len() {
            // A liar proposes it, if there is one, from a branch of its own that knows as little as can be.
            let Stage { honest, liars, .. } = &self.stages[stage];
            let proposer = *liars.first().unwrap_or(&honest[0]);
            let charter = ProposedCharter::Known(Box::new(self.charter_of(stage + 1)));
            let (base, title) = (self.charters[stage], format!("charter {}", stage + 1));
            let said = Statement::ProposeCharter(CharterProposal {
                base,
                charter,
                text: String::new(),
                title,
            });
            let least = certificates
                .iter()
                .min_by_key(|c| self.knowledge(&state, c))
                .cloned()
                .unwrap_or_default();
            let parents = self.branch(&state, proposer, &least);
            let entry = state.table.say(proposer, base, &parents, vec![said]);
            assert!(
                state.table.counts(entry),
                "{:?}",
                state.table.tally.discounted()
            );
            self.charters.truncate(stage + 1);
            self.charters.push(state.table.id(entry));
            state.change = Some(entry);
            if self.stages[stage].liars.is_empty() {
                state.lanes.insert(proposer, entry);
            }
        }
        let members: Vec<_> = self.stages[stage].honest.clone();
        let state = State {
            firsts: vec![],
            casts: vec![],
            changes: vec![],
            ..state
        };
        self.first_entries(stage, state, &members, certificates);
    }

    fn knowledge(&self, state: &State, entries: &[EntryIndex]) -> usize {
        let added = entries
            .iter()
            .flat_map(|e| state.table.tally.dag().added(*e, None));
        added.collect::<BTreeSet<_>>().len()
    }

    /// Parents for a new branch of a liar: what is among them of its own comes first.
    fn branch(&self, state: &State, liar: usize, known: &[EntryIndex]) -> Vec<EntryIndex> {
        let dag = state.table.tally.dag();
        let is_own =
            |e: &EntryIndex| dag.entry(*e).member == name(NAMES[liar]) && dag.entry(*e).seq > 0;
        let known: Vec<_> = self.roots.iter().chain(known).copied().collect();
        let own: Vec<_> = known.iter().copied().filter(is_own).collect();
        let others = known.iter().copied().filter(|e| !is_own(e));
        let first = if own.is_empty() {
            vec![state.table.genesis()]
        } else {
            own
        };
        distinct(first.into_iter().chain(others))
    }

    /// Each honest member approves all under the charter, and prevotes its change; it knows q precommits of the charter.
    fn first_entries(
        &mut self,
        stage: usize,
        state: State,
        left: &[usize],
        certificates: &[Vec<EntryIndex>],
    ) {
        let Some((member, left)) = left.split_first() else {
            let state = self.liars_begin(stage, state, certificates);
            return self.turn(stage, state, 0);
        };
        let mut seen = BTreeSet::new();
        let none = vec![vec![]];
        let mut options: Vec<_> = if stage == 0 { &none } else { certificates }
            .iter()
            .collect();
        if let Some(rng) = &mut self.walk {
            rng.shuffle(&mut options);
        }
        for known in options {
            let mut next = state.clone();
            let charter = self.charters[stage];
            let parents = self.above(&next, *member, known.iter().copied().chain(next.change));
            let mut said: Vec<_> = self.rivals.iter().map(|p| approve(*p)).collect();
            if stage + 1 < self.stages.len() {
                let change = self.charters[stage + 1];
                said.extend([
                    approve(change),
                    Statement::Prevote(Prevote {
                        proposal: change,
                        round: 0,
                    }),
                ]);
            }
            let entry = next.table.say(*member, charter, &parents, said);
            if !next.table.counts(entry) {
                continue;
            }
            next.lanes.insert(*member, entry);
            next.firsts.push(entry);
            let lets: Vec<_> = (0..self.rivals.len())
                .filter(|v| self.would_count(&next, stage, *member, *v))
                .collect();
            if seen.insert(lets) {
                self.first_entries(stage, next, left, certificates);
            }
            if self.is_over() || self.walk.is_some() {
                return;
            }
        }
    }

    fn would_count(&self, state: &State, stage: usize, member: usize, rival: usize) -> bool {
        let parents = [state.lanes[&member]];
        let said = vote(Phase::Prevote, self.rivals[rival], 0);
        Draft::new(
            &state.table.tally,
            &name(NAMES[member]),
            self.charters[stage],
            &parents,
        )
        .add(said)
        .is_ok()
    }

    /// The liars approve all, and prevote all and the change, on branches of their own.
    fn liars_begin(
        &mut self,
        stage: usize,
        state: State,
        certificates: &[Vec<EntryIndex>],
    ) -> State {
        let none = vec![vec![]];
        let options = if stage == 0 { &none } else { certificates };
        let liars = &self.stages[stage].liars;
        liars.iter().fold(state, |state, liar| {
            self.begin_lying(stage, state, *liar, options)
        })
    }

    fn begin_lying(
        &self,
        stage: usize,
        mut state: State,
        liar: usize,
        options: &[Vec<EntryIndex>],
    ) -> State {
        for rival in 0..self.rivals.len() {
            for known in options {
                let mut next = state.table.clone();
                let known: Vec<_> = known.iter().copied().chain(state.change).collect();
                let parents = self.branch(&state, liar, &known);
                let mut said = vec![approve(self.rivals[rival])];
                if let Some(change) = state.change.map(|c| state.table.id(c)) {
                    said.extend([
                        approve(change),
                        Statement::Prevote(Prevote {
                            proposal: change,
                            round: 0,
                        }),
                    ]);
                }
                said.push(vote(Phase::Prevote, self.rivals[rival], 0));
                let entry = next.say(liar, self.charters[stage], &parents, said);
                if next.counts(entry) {
                    state.table = next;
                    state.casts.push(Cast {
                        member: liar,
                        phase: Phase::Prevote,
                        rival,
                        round: 0,
                        entry,
                        lies: true,
                    });
                    break;
                }
            }
        }
        state
    }

    /// The keys that may leak have leaked, if q members can have precommitted the change by now.
    fn leak(&self, stage: usize, state: &State) -> Option<State> {
        let Stage { leaked, liars, .. } = &self.stages[stage];
        let changed: BTreeSet<_> = state.changes.iter().map(|(m, _)| m).chain(liars).collect();
        let has_leaked = leaked.iter().any(|m| state.leaked.contains(m));
        if leaked.is_empty() || has_leaked || changed.len() < self.stages[stage].quorum() {
            return None;
        }
        let mut next = state.clone();
        next.leaked.extend(leaked);
        Some(leaked.iter().fold(next, |state, member| {
            self.begin_lying(stage, state, *member, &[vec![]])
        }))
    }

    /// An entry that builds on its author's lane, and on these.
    fn above(
        &self,
        state: &State,
        member: usize,
        known: impl IntoIterator<Item = EntryIndex>,
    ) -> Vec<EntryIndex> {
        let own = state.lanes.get(&member).copied();
        let first = own.unwrap_or_else(|| state.table.genesis());
        distinct(
            [first]
                .into_iter()
                .chain(self.roots.iter().copied())
                .chain(known),
        )
    }

    fn turn(&mut self, stage: usize, mut state: State, turn: usize) {
        if self.is_over() {
            return;
        }
        let honest = self.stages[stage].honest.len();
        let (round, is_last) = (
            turn / honest / 2,
            turn / honest / 2 == self.stages[stage].rounds,
        );
        let all_changed = turn / honest % 2 == 1 || stage + 1 == self.stages.len();
        if is_last && all_changed {
            return self.leak_or_end(stage, state);
        }
        if turn.is_multiple_of(2 * honest) && !is_last {
            state = self.liars_prevote(stage, state, round);
        }
        let mut ways = self.ways(stage, &state, turn);
        let pass = (None, state, turn + 1);
        match self
            .walk
            .as_mut()
            .map(|rng| (rng.chance(10), rng.below(ways.len())))
        {
            None => ways.push(pass),
            Some((false, place)) if place < ways.len() => ways = vec![ways.swap_remove(place)],
            Some(_) => ways = vec![pass],
        }
        for (what, next, turn) in ways {
            let depth = self.path.len();
            self.path.extend(what);
            self.turn(stage, next, turn);
            self.path.truncate(depth);
        }
    }

    /// Everybody had a turn. If keys leak now, those that have not gone on to the next charter have another.
    fn leak_or_end(&mut self, stage: usize, state: State) {
        let leaked = self.leak(stage, &state);
        let walks = self.walk.as_mut().map(|rng| rng.chance(50));
        if let Some(next) = leaked.filter(|_| walks != Some(false)) {
            self.path.push(format!("keys of {stage} leak"));
            self.turn(stage, next, 0);
            self.path.pop();
            if walks.is_some() || self.is_over() {
                return;
            }
        }
        self.end(stage, state);
    }

    /// What the member whose turn it is may do: what it is, where that leads, and whose turn it is then.
    fn ways(
        &mut self,
        stage: usize,
        state: &State,
        turn: usize,
    ) -> Vec<(Option<String>, State, usize)> {
        let honest = &self.stages[stage].honest;
        let (round, phase) = (turn / honest.len() / 2, turn / honest.len() % 2);
        let member = honest[turn % honest.len()];
        let phase = if phase == 0 {
            Phase::Prevote
        } else {
            Phase::Precommit
        };
        let precommitted = state.changes.iter().any(|(m, _)| *m == member);
        if state.leaked.contains(&member) {
            return vec![];
        }
        let changes = match !precommitted && stage + 1 < self.stages.len() {
            true => self.precommit_change(stage, state, member, turn),
            false => vec![],
        };
        let said = |rival: usize| {
            let mut votes = state
                .casts
                .iter()
                .map(|c| (c.member, c.phase, c.rival, c.round));
            votes.any(|vote| vote == (member, phase, rival, round))
        };
        let rounds = self.stages[stage].rounds;
        let mut votes = vec![];
        for rival in (0..self.rivals.len()).filter(|rival| round < rounds && !said(*rival)) {
            self.outcome.judged += 1;
            let Some(next) = self.cast(stage, state, (member, phase, rival, round)) else {
                continue;
            };
            let verb = if phase == Phase::Prevote {
                "prevotes"
            } else {
                "precommits"
            };
            votes.push((
                Some(format!(
                    "{} {verb} P{rival} in {round} under {stage}",
                    NAMES[member]
                )),
                next,
                turn + 1,
            ));
        }
        let [first, then] = if self.votes_first {
            [votes, changes]
        } else {
            [changes, votes]
        };
        first.into_iter().chain(then).collect()
    }

    /// The member precommits the change, knowing little or all; then it is its turn again.
    fn precommit_change(
        &mut self,
        stage: usize,
        state: &State,
        member: usize,
        turn: usize,
    ) -> Vec<(Option<String>, State, usize)> {
        let quorum: Vec<_> = state.firsts.clone();
        let all: Vec<_> = state
            .lanes
            .values()
            .copied()
            .chain(state.casts.iter().map(|c| c.entry))
            .collect();
        let mut ways = vec![];
        for (known, much) in [(vec![], ""), (all, ", knowing all")] {
            let mut next = state.clone();
            let parents = self.above(
                &next,
                member,
                quorum
                    .iter()
                    .copied()
                    .chain(state.liar_firsts(self, stage))
                    .chain(known),
            );
            let said = vec![vote(Phase::Precommit, self.charters[stage + 1], 0)];
            self.outcome.judged += 1;
            let entry = next.table.say(member, self.charters[stage], &parents, said);
            if next.table.counts(entry) {
                next.lanes.insert(member, entry);
                next.changes.push((member, entry));
                // Where nothing freezes it, it goes on where it stands; else it has nothing more to say here.
                ways.push((
                    Some(format!(
                        "{} precommits the change of {stage}{much}",
                        NAMES[member]
                    )),
                    next,
                    turn,
                ));
            }
        }
        ways
    }

    /// Who lies under the charter: the liars, and keys that have leaked.
    fn lying(&self, stage: usize, state: &State) -> BTreeSet<usize> {
        let leaked = self.stages[stage]
            .leaked
            .iter()
            .filter(|m| state.leaked.contains(m));
        self.stages[stage]
            .liars
            .iter()
            .chain(leaked)
            .copied()
            .collect()
    }

    /// What liars may prevote in a round, each on a branch of its own.
    fn liars_prevote(&self, stage: usize, mut state: State, round: usize) -> State {
        for liar in self.lying(stage, &state) {
            for rival in 0..self.rivals.len() {
                let is_there = |c: &Cast| {
                    (c.member, c.phase, c.rival, c.round) == (liar, Phase::Prevote, rival, round)
                        && c.lies
                };
                if !state.casts.iter().any(is_there) {
                    state = self
                        .cast(stage, &state, (liar, Phase::Prevote, rival, round))
                        .unwrap_or(state);
                }
            }
        }
        state
    }

    /// The state with the vote, if it counts. It builds on the votes of its kind that it may need, and no others.
    fn cast(
        &self,
        stage: usize,
        state: &State,
        (member, phase, rival, round): (usize, Phase, usize, usize),
    ) -> Option<State> {
        let needed = |c: &&Cast| match phase {
            Phase::Prevote => c.round + 1 == round,
            Phase::Precommit => c.phase == Phase::Prevote && (c.rival, c.round) == (rival, round),
        };
        let approvals = state
            .firsts
            .iter()
            .copied()
            .filter(|_| phase == Phase::Prevote && round > 0);
        let known: Vec<_> = state
            .casts
            .iter()
            .filter(needed)
            .map(|c| c.entry)
            .chain(approvals)
            .collect();
        let liar = self.lying(stage, state).contains(&member);
        if liar && known.is_empty() {
            return None;
        }
        let parents = if liar {
            self.branch(state, member, &known)
        } else {
            self.above(state, member, known)
        };
        let mut next = state.clone();
        let said = vec![vote(phase, self.rivals[rival], round as u32)];
        let entry = next.table.say(member, self.charters[stage], &parents, said);
        if !next.table.counts(entry) {
            return None;
        }
        if !liar {
            next.lanes.insert(member, entry);
        }
        next.casts.push(Cast {
            member,
            phase,
            rival,
            round,
            entry,
            lies: liar,
        });
        Some(next)
    }

    /// All have voted under the charter who will. The liars precommit; what must hold is looked at; the next one begins.
    fn end(&mut self, stage: usize, mut state: State) {
        for liar in self.lying(stage, &state) {
            for rival in 0..self.rivals.len() {
                for round in 0..self.stages[stage].rounds {
                    state = self
                        .cast(stage, &state, (liar, Phase::Precommit, rival, round))
                        .unwrap_or(state);
                }
            }
        }
        self.outcome.ledgers += 1;
        if !state.table.tally.decided_in(&self.slot).is_empty() {
            *self.outcome.decided.entry(stage).or_default() += 1;
        }
        if let Some(violation) = self.violation(stage, &state) {
            self.outcome.violation = Some((violation, self.path.clone()));
            self.outcome.convicted = state
                .table
                .tally
                .evidence()
                .into_iter()
                .map(|e| e.member)
                .collect();
            return;
        }
        if stage + 1 < self.stages.len() {
            let state = self.liars_change(stage, state);
            let certificates = self.certificates(stage, &state);
            if !certificates.is_empty() && self.is_new(stage, &state, &certificates) {
                self.begin(stage + 1, state, &certificates);
            }
        }
    }

    /// Whether what comes next has not been searched from a ledger that is the same up to names, or that hands the same
    /// down. The second only before the last charter, if it has one round: there a prevote reads nothing of the slot but
    /// what its author's first entry knows, and whoever is let to say the same is in the same place.
    fn is_new(&mut self, stage: usize, state: &State, certificates: &[Vec<EntryIndex>]) -> bool {
        if stage == 0 && !self.seen.insert(self.said(state)) {
            return false;
        }
        if stage + 2 != self.stages.len() || self.stages[stage + 1].rounds > 1 {
            return true;
        }
        let handed: BTreeSet<_> = certificates
            .iter()
            .map(|known| self.lets(stage + 1, state, known))
            .collect();
        self.handed
            .insert((stage, state.table.tally.decided_in(&self.slot), handed))
    }

    /// What a set of precommits of a charter lets each of its members prevote, as bits.
    fn lets(&self, stage: usize, state: &State, known: &[EntryIndex]) -> Vec<u32> {
        let lets = |member: &usize| {
            let said = |rival: usize| {
                vec![
                    approve(self.rivals[rival]),
                    vote(Phase::Prevote, self.rivals[rival], 0),
                ]
            };
            let parents = self.above(state, *member, known.iter().copied());
            let member = name(NAMES[*member]);
            let counts = |rival: &usize| {
                let mut draft =
                    Draft::new(&state.table.tally, &member, self.charters[stage], &parents);
                said(*rival).into_iter().all(|s| draft.add(s).is_ok())
            };
            (0..self.rivals.len())
                .filter(counts)
                .map(|rival| 1 << rival)
                .sum()
        };
        self.stages[stage].honest.iter().map(lets).collect()
    }

    /// Who said what in the slot, and what each precommit of the change knows of that; the least of all renamings of
    /// rivals, and of members that the charters treat alike.
    fn said(&self, state: &State) -> Said {
        let dag = state.table.tally.dag();
        let members = &self.stages[0].honest;
        let same = |of: &[usize], a: usize, b: usize| of.contains(&a) == of.contains(&b);
        let alike = |a, b| {
            self.stages
                .iter()
                .all(|s| same(&s.honest, a, b) && same(&s.leaked, a, b))
        };
        let same_kind = |order: &Vec<usize>| {
            order
                .iter()
                .enumerate()
                .all(|(a, b)| alike(members[a], members[*b]))
        };
        let mut all = vec![];
        for order in orders(members.len()).into_iter().filter(same_kind) {
            let renamed = |m: usize| {
                members
                    .iter()
                    .position(|other| *other == m)
                    .map_or(m, |place| members[order[place]])
            };
            for rivals in orders(self.rivals.len()) {
                let tell = |c: &Cast| {
                    (
                        renamed(c.member),
                        c.phase as usize,
                        c.round,
                        rivals[c.rival],
                    )
                };
                let known = |entry: Option<EntryIndex>| {
                    let knows = |c: &&Cast| entry.is_none_or(|e| dag.reaches(c.entry, e));
                    let mut known: Vec<_> = state.casts.iter().filter(knows).map(tell).collect();
                    known.sort_unstable();
                    known
                };
                let mut lines = vec![(usize::MAX, known(None))];
                lines.extend(
                    state
                        .changes
                        .iter()
                        .map(|(m, entry)| (renamed(*m), known(Some(*entry)))),
                );
                lines.sort_unstable();
                all.push(lines);
            }
        }
        all.into_iter().min().unwrap_or_default()
    }

    /// Liars precommit the change: knowing nothing else, or one prevote quorum.
    fn liars_change(&self, stage: usize, mut state: State) -> State {
        let quorums = (0..self.stages[stage].rounds)
            .flat_map(|r| (0..self.rivals.len()).map(move |v| (v, r)));
        let votes_for = |state: &State, (v, r): (usize, usize)| -> Vec<EntryIndex> {
            let votes = state
                .casts
                .iter()
                .filter(|c| c.phase == Phase::Prevote && (c.rival, c.round) == (v, r));
            votes.map(|c| c.entry).collect()
        };
        let options: Vec<_> = [vec![]]
            .into_iter()
            .chain(quorums.map(|q| votes_for(&state, q)))
            .collect();
        for liar in self.lying(stage, &state) {
            for known in &options {
                let firsts = state
                    .firsts
                    .iter()
                    .copied()
                    .chain(state.liar_firsts(self, stage));
                let known: Vec<_> = firsts.chain(known.iter().copied()).collect();
                let parents = self.branch(&state, liar, &known);
                let mut table = state.table.clone();
                let said = vec![vote(Phase::Precommit, self.charters[stage + 1], 0)];
                let entry = table.say(liar, self.charters[stage], &parents, said);
                if table.counts(entry) {
                    state.table = table;
                    state.changes.push((liar, entry));
                }
            }
        }
        state
    }

    /// All sets of q precommits of the change by different members.
    fn certificates(&self, stage: usize, state: &State) -> Vec<Vec<EntryIndex>> {
        let q = self.stages[stage].quorum();
        let mut sets: Vec<Vec<(usize, EntryIndex)>> = vec![vec![]];
        for (member, entry) in &state.changes {
            let longer: Vec<_> = sets
                .iter()
                .filter(|set| set.len() < q && set.iter().all(|(m, _)| m != member))
                .map(|set| set.iter().copied().chain([(*member, *entry)]).collect())
                .collect();
            sets.extend(longer);
        }
        let full = sets.into_iter().filter(|set| set.len() == q);
        full.map(|set| set.into_iter().map(|(_, entry)| entry).collect())
            .collect()
    }

    fn violation(&self, stage: usize, state: &State) -> Option<Violation> {
        let tally = &state.table.tally;
        let honest = self
            .stages
            .iter()
            .flat_map(|s| &s.honest)
            .filter(|m| !state.leaked.contains(m));
        let honest: BTreeSet<_> = honest.map(|m| name(NAMES[*m])).collect();
        let decided = tally.decided_in(&self.slot);
        let approved = |p: &EntryId| {
            let charters = self.charters[..=stage].iter().zip(self.stages);
            charters
                .into_iter()
                .any(|(charter, s)| tally.approvers(*charter, *p).len() >= s.quorum())
        };
        let checks = [
            (Violation::TwoDecisions, decided.len() > 1),
            (Violation::Unapproved, !decided.iter().all(approved)),
            (
                Violation::HonestConvicted,
                tally.evidence().iter().any(|e| honest.contains(&e.member)),
            ),
        ];
        debug_assert_eq!(self.ledger, tally.dag().ledger());
        let found = checks
            .into_iter()
            .filter(|(_, found)| *found)
            .map(|(violation, _)| violation);
        found
            .into_iter()
            .find(|v| self.seek.is_none_or(|sought| sought == *v))
    }
}

impl State {
    /// First entries of liars under the charter: they prevote its change.
    fn liar_firsts(&self, search: &Search<'_>, stage: usize) -> Option<EntryIndex> {
        let liars = &search.stages[stage].liars;
        self.casts
            .iter()
            .find(|c| liars.contains(&c.member) && c.round == 0)
            .map(|c| c.entry)
            .filter(|_| self.firsts.len() < search.stages[stage].quorum())
    }
}
