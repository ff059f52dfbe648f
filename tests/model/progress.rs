//! Progress: from what the agreement search reaches, honest members who see each other decide within so many rounds,
//! whatever the liar shows to whom and when.
//!
//! **Start.** A ledger that [`crate::reduced`] reached, written again so that each honest vote knows the honest votes
//! before it, and of the liar's only what it needs to count: the rest the liar still has in its hand. Two proposals have
//! q approvals. The honest members know all that is said by each other, and what that builds on; their timers begin.
//!
//! **The game.** Members do what `Draft::due` says, by their own clocks, one after the other; each sees at once what
//! another said. Of those whose time has come at the same moment, the guide speaks last. Before each of these turns the
//! liar may show a vote to any of them (to some, not only to all), at most [`Game::shows`] times while the honest votes
//! are of the same highest round. Its votes are those for every rival in every round and phase, made as soon as they would
//! count, each on a branch of its own; it shows those of the round that members have gone to, of the one before (or
//! [`Game::behind`]), and of later ones. All that it can do so is searched; a position that was there before is not
//! searched again.
//!
//! **Lost** is a position in which nobody waits for anything and somebody knows no decision, or in which somebody has
//! voted in a round above those that a decision may take ([`Game::guided`]), or above the next one if somebody knows a
//! decision, who tells of it when it sees such a vote.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use git_quorum::charter::Threshold;
use git_quorum::consensus::{Draft, DueVote, Patience, Slot, Timer, TimerEvent};
use git_quorum::id::EntryId;
use git_quorum::ledger::{EntryIndex, Statement};

use crate::lab::{approve, name, propose};
use crate::reduced::{Vote, orders};
use crate::table::{Made, NAMES, Phase, Table, main_slot, vote};

/// The unit of patience; the clock of a game counts in it.
const UNIT: Duration = Duration::from_millis(1);

/// What is played.
#[derive(Debug, Clone)]
pub struct Game {
    pub n: usize,
    pub liars: usize,
    pub rivals: usize,
    /// A decision is made in this one, at the latest, of the rounds beyond the start's highest that an honest member guides.
    pub guided: usize,
    /// How many votes the liar shows, to some or all, in one round at most.
    pub shows: usize,
    /// How many rounds behind the one that members have gone to a vote may be that it shows.
    pub behind: usize,
    pub most: usize,
}

/// How a game went.
#[derive(Debug, Clone, Default)]
pub struct Played {
    pub positions: usize,
    pub decided: usize,
    /// The most rounds beyond the start's highest until all knew the decision.
    pub rounds: usize,
    pub time: Duration,
    pub whole: bool,
    pub lost: Option<Vec<String>>,
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Played {
            positions,
            decided,
            rounds,
            time,
            whole,
            lost,
        } = self;
        let whole = if *whole { "" } else { " (cut short)" };
        write!(
            f,
            "{positions} positions{whole}, {decided} decided, {rounds} rounds at most, {:.1} s",
            time.as_secs_f64()
        )?;
        match lost {
            None => f.write_str(": never lost"),
            Some(moves) => write!(f, ": LOST after {}", moves.join("; ")),
        }
    }
}

/// A vote of a liar: who, phase, rival, round.
type Lie = (usize, Phase, usize, usize);

#[derive(Clone)]
struct Seat {
    table: Table,
    timers: BTreeMap<Timer, u64>,
    left: Option<u64>,
}

#[derive(Clone)]
struct Position {
    seats: Vec<Seat>,
    /// All there is, and what of it the liars have made.
    all: Table,
    held: BTreeMap<Lie, EntryId>,
    /// Votes of honest members.
    said: BTreeSet<Vote>,
    /// For each of them, the rounds in which its last entry builds on votes of a quorum, which nobody need tell then (5e).
    tells: Vec<BTreeSet<usize>>,
    now: u64,
    /// How many votes were shown since the highest round of honest votes was the one it is.
    shown: usize,
}

/// What a member did in its turn.
enum Act {
    Said,
    Started,
    Nothing,
}

pub struct Arena<'a> {
    game: &'a Game,
    ledger: EntryId,
    slot: Slot,
    rivals: Vec<EntryId>,
    /// Every entry by its id, for those who do not have it yet.
    made: HashMap<EntryId, Made>,
    seen: HashSet<u64>,
    moves: Vec<String>,
    limit: usize,
    first_round: usize,
    played: Played,
}

/// Plays from these votes, with the guides beginning at this place, and rivals and members in these orders. Nothing is
/// played if one of the votes does not count.
pub fn play(
    game: &Game,
    votes: &[Vote],
    offset: usize,
    rivals: &[usize],
    members: &[usize],
) -> Option<Played> {
    let start = Instant::now();
    let (mut arena, mut position) = Arena::seat(game, offset);
    let votes: Vec<_> = votes
        .iter()
        .map(|v| Vote {
            member: members[v.member],
            rival: rivals[v.rival],
            ..*v
        })
        .collect();
    let mut round = 0;
    arena.hold(&mut position, round);
    for vote in &votes {
        if vote.round > round {
            round = vote.round;
        }
        arena.hold(&mut position, round);
        if !arena.replay(&mut position, *vote) {
            return None;
        }
    }
    arena.hold(&mut position, round);
    arena.first_round = round;
    arena.limit = (round + 1..)
        .filter(|r| arena.guide(*r) < arena.honest())
        .nth(game.guided - 1)
        .unwrap();
    for seat in 0..arena.honest() {
        position.seats[seat].table = arena.known_to_all(&position);
    }
    arena.explore(position);
    arena.played.time = start.elapsed();
    arena.played.whole = arena.played.positions < game.most;
    Some(arena.played)
}

/// All places of guides, orders of rivals and orders of honest members.
pub fn variants(game: &Game) -> Vec<(usize, Vec<usize>, Vec<usize>)> {
    let mut all = vec![];
    for offset in 0..game.n {
        for rivals in orders(game.rivals) {
            for members in orders(game.n - game.liars) {
                all.push((offset, rivals.clone(), members));
            }
        }
    }
    all
}

impl<'a> Arena<'a> {
    fn honest(&self) -> usize {
        self.game.n - self.game.liars
    }

    /// Members, rivals and approvals. Which ledger it is decides who guides; one with the guides wanted is looked for.
    fn seat(game: &'a Game, offset: usize) -> (Self, Position) {
        let guide = |table: &Table| {
            let id = main_slot(table.tally.dag().ledger()).id();
            (u64::from_be_bytes(id.bytes()[..8].try_into().unwrap()) % game.n as u64) as usize
        };
        let mut salts = 0..;
        let mut all = salts
            .find_map(|salt| Some(Table::found_at(game.n, salt)).filter(|t| guide(t) == offset))
            .unwrap();
        let (genesis, ledger) = (all.genesis(), all.tally.dag().ledger());
        let mut made = HashMap::new();
        let mut last = genesis;
        let mut say =
            |all: &mut Table, who: usize, parents: &[EntryIndex], said: Vec<Statement>| {
                let (entry, bytes) = all.make(who, ledger, parents, said);
                made.insert(all.id(entry), bytes);
                entry
            };
        let mut rivals = vec![];
        for number in 0..game.rivals {
            last = say(
                &mut all,
                0,
                &[last],
                vec![propose(ledger, number as u8 + 1)],
            );
            rivals.push(all.id(last));
        }
        rivals.sort_unstable();
        let mut own = Some(last);
        for member in 0..game.n {
            let first = own.take().unwrap_or(genesis);
            let parents: Vec<_> = [first]
                .into_iter()
                .chain(Some(last).filter(|l| *l != first))
                .collect();
            last = say(
                &mut all,
                member,
                &parents,
                rivals.iter().map(|p| approve(*p)).collect(),
            );
        }
        let seat = Seat {
            table: all.clone(),
            timers: BTreeMap::new(),
            left: None,
        };
        let seats = vec![seat; game.n - game.liars];
        let arena = Arena {
            game,
            ledger,
            slot: main_slot(ledger),
            rivals,
            made,
            seen: HashSet::new(),
            moves: vec![],
            limit: 0,
            first_round: 0,
            played: Played::default(),
        };
        let tells = vec![BTreeSet::new(); arena.honest()];
        let position = Position {
            seats,
            all,
            held: BTreeMap::new(),
            said: BTreeSet::new(),
            tells,
            now: 0,
            shown: 0,
        };
        (arena, position)
    }

    fn say(
        &mut self,
        table: &mut Table,
        who: usize,
        parents: &[EntryIndex],
        said: Vec<Statement>,
    ) -> EntryIndex {
        let (entry, bytes) = table.make(who, self.ledger, parents, said);
        self.made.insert(table.id(entry), bytes);
        entry
    }

    /// Takes in an entry, with what it builds on.
    fn deliver(&self, table: &mut Table, entry: EntryId) {
        if table.tally.dag().find(entry).is_some() {
            return;
        }
        let made = &self.made[&entry];
        for parent in &made.parents {
            self.deliver(table, *parent);
        }
        table.take(made);
    }

    /// The liars make every vote that would count now and that they do not have yet.
    fn hold(&mut self, position: &mut Position, rounds: usize) {
        for round in 0..=rounds {
            for phase in [Phase::Prevote, Phase::Precommit] {
                for rival in 0..self.rivals.len() {
                    for liar in self.honest()..self.game.n {
                        self.hold_one(position, (liar, phase, rival, round));
                    }
                }
            }
        }
    }

    fn hold_one(&mut self, position: &mut Position, lie: Lie) {
        let (liar, phase, rival, round) = lie;
        if position.held.contains_key(&lie) || !self.could_count(position, lie) {
            return;
        }
        let own = |p, v, r| position.held.get(&(liar, p, v, r)).copied();
        let below =
            (0..self.rivals.len()).filter_map(|v| own(Phase::Prevote, v, round.checked_sub(1)?));
        let branches = own(Phase::Prevote, rival, round).into_iter().chain(below);
        let branches: Vec<_> = [self.ledger].into_iter().chain(branches).collect();
        let said = vote(phase, self.rivals[rival], round as u32);
        for branch in branches {
            let dag = position.all.tally.dag();
            let first = dag.find(branch).unwrap();
            let honest =
                (0..self.honest()).filter_map(|m| dag.tips(&name(NAMES[m])).last().copied());
            let parents: Vec<_> = [first].into_iter().chain(honest).collect();
            let mut table = position.all.clone();
            let entry = self.say(&mut table, liar, &parents, vec![said.clone()]);
            if table.counts(entry) {
                position.held.insert(lie, table.id(entry));
                position.all = table;
                return;
            }
        }
    }

    /// Whether enough honest members have voted for it to count with all liars: what is asked for before an entry is made.
    fn could_count(&self, position: &Position, (_, phase, rival, round): Lie) -> bool {
        let honest = |votes: &dyn Fn(&&Vote) -> bool| {
            let members: BTreeSet<_> = position
                .said
                .iter()
                .filter(votes)
                .map(|v| v.member)
                .collect();
            members.len() + self.game.liars >= Threshold::of(self.game.n).q
        };
        let entered = round == 0 || honest(&|v| v.round + 1 == round);
        entered
            && (phase == Phase::Prevote
                || honest(&|v| (v.phase, v.rival, v.round) == (Phase::Prevote, rival, round)))
    }

    /// A vote of the start: it knows the honest ones before it, and as few of the liars' as it can. False if it does not
    /// count whatever it knows.
    fn replay(&mut self, position: &mut Position, cast: Vote) -> bool {
        let held: Vec<_> = position
            .held
            .iter()
            .filter(|(lie, _)| lie.1 == Phase::Prevote)
            .map(|(_, id)| *id)
            .collect();
        let singles = held.iter().map(|id| vec![*id]);
        let pairs = held.iter().flat_map(|a| held.iter().map(|b| vec![*a, *b]));
        let choices: Vec<_> = [vec![]]
            .into_iter()
            .chain(singles)
            .chain(pairs)
            .chain([held.clone()])
            .collect();
        for known in choices {
            let mut table = position.all.clone();
            let dag = table.tally.dag();
            let own = dag.tips(&name(NAMES[cast.member])).last().copied().unwrap();
            let others =
                (0..self.honest()).filter_map(|m| dag.tips(&name(NAMES[m])).last().copied());
            let others: Vec<_> = others
                .chain(known.iter().filter_map(|id| dag.find(*id)))
                .collect();
            let parents = distinct(own, &others);
            let entry = self.say(
                &mut table,
                cast.member,
                &parents,
                vec![vote(cast.phase, self.rivals[cast.rival], cast.round as u32)],
            );
            if table.counts(entry) {
                let id = table.id(entry);
                position.all = table;
                position.said.insert(cast);
                self.note_entry(position, cast.member, &builds_on(position, id));
                return true;
            }
        }
        false
    }

    /// What honest members have said, with what that builds on.
    fn known_to_all(&self, position: &Position) -> Table {
        let dag = position.all.tally.dag();
        let mut table = position.seats[0].table.clone();
        for member in &NAMES[..self.honest()] {
            for tip in dag.tips(&name(member)) {
                self.deliver(&mut table, dag.entry(tip).id);
            }
        }
        table
    }

    /// Somebody does what is due now; false if nothing is due. The guide of the round that comes is the last.
    fn step(&mut self, position: &mut Position) -> bool {
        loop {
            let guide = self.guide(self.gone_to(position));
            let mut order: Vec<_> = (0..self.honest()).collect();
            order.sort_by_key(|m| (*m == guide, *m));
            let mut started = false;
            for seat in order {
                match self.act(position, seat) {
                    Act::Said => {
                        let rounds = self.highest(position);
                        self.hold(position, rounds + 1);
                        return true;
                    }
                    Act::Started => started = true,
                    Act::Nothing => {}
                }
            }
            if !started {
                return false;
            }
        }
    }

    /// The guide of the round.
    fn guide(&self, round: usize) -> usize {
        let number = u64::from_be_bytes(self.slot.id().bytes()[..8].try_into().unwrap());
        ((number % self.game.n as u64) as usize + round) % self.game.n
    }

    /// The highest round that an honest member has gone to.
    fn gone_to(&self, position: &Position) -> usize {
        let timers = position.seats.iter().flat_map(|s| s.timers.keys());
        let entered = timers
            .filter(|t| t.event == TimerEvent::Entered)
            .map(|t| t.round as usize)
            .max();
        entered.unwrap_or(0).max(self.highest(position))
    }

    fn highest(&self, position: &Position) -> usize {
        position.said.iter().map(|v| v.round).max().unwrap_or(0)
    }

    fn act(&mut self, position: &mut Position, member: usize) -> Act {
        let seat = &mut position.seats[member];
        let dag = seat.table.tally.dag();
        let own = dag.tips(&name(NAMES[member])).last().copied().unwrap();
        let parents = distinct(own, &dag.childless().collect::<Vec<_>>());
        let elapsed = seat
            .timers
            .iter()
            .map(|(timer, start)| (timer.clone(), Duration::from_millis(position.now - start)))
            .collect();
        let draft = Draft::new(
            &seat.table.tally,
            &name(NAMES[member]),
            self.ledger,
            &parents,
        );
        let due = draft.due(&Patience {
            unit: UNIT,
            elapsed,
        });
        let started = !due.start.is_empty();
        for timer in due.start {
            seat.timers.entry(timer).or_insert(position.now);
        }
        seat.left = due
            .waiting
            .iter()
            .map(|w| w.left.as_millis() as u64)
            .filter(|left| *left > 0)
            .min();
        let cast = due.vote.map(|vote| match vote {
            DueVote::Prevote(proposal, round) => (Phase::Prevote, proposal, round),
            DueVote::Precommit(proposal, round) => (Phase::Precommit, proposal, round),
        });
        if cast.is_none() && !due.tell {
            return if started { Act::Started } else { Act::Nothing };
        }
        let said = cast
            .map(|(phase, proposal, round)| vote(phase, proposal, round))
            .into_iter()
            .collect();
        let mut table = seat.table.clone();
        let entry = self.say(&mut table, member, &parents, said);
        assert!(
            table.counts(entry),
            "what is due does not count: {:?}",
            table.tally.discounted()
        );
        let id = table.id(entry);
        self.moves.push(match cast {
            None => format!("{} tells", NAMES[member]),
            Some((phase, proposal, round)) => {
                let rival = self.rivals.iter().position(|p| *p == proposal).unwrap();
                format!("{} {phase:?}s P{rival} in {round}", NAMES[member])
            }
        });
        if let Some((phase, proposal, round)) = cast {
            let rival = self.rivals.iter().position(|p| *p == proposal).unwrap();
            let before = self.highest(position);
            position.said.insert(Vote {
                member,
                phase,
                rival,
                round: round as usize,
            });
            if self.highest(position) > before {
                position.shown = 0;
            }
        }
        for seat in &mut position.seats {
            self.deliver(&mut seat.table, id);
        }
        self.deliver(&mut position.all, id);
        let known = self.known(position);
        self.note_entry(position, member, &known[member]);
        Act::Said
    }

    /// The member's last entry builds on these votes of liars and on what all honest members have said.
    fn note_entry(&self, position: &mut Position, member: usize, lies: &BTreeSet<Lie>) {
        let honest = position.said.iter().map(|v| (v.round, v.member));
        let voters: BTreeSet<_> = honest
            .chain(lies.iter().map(|lie| (lie.3, lie.0)))
            .collect();
        let quorum = |round: &usize| {
            voters.iter().filter(|v| v.0 == *round).count() >= Threshold::of(self.game.n).q
        };
        let rounds = 0..=self.highest(position);
        position.tells[member] = rounds.filter(quorum).collect();
    }

    fn explore(&mut self, position: Position) {
        if self.played.lost.is_some() || self.played.positions >= self.game.most {
            return;
        }
        let key = self.key(&position, position.shown, &self.known(&position));
        if !self.seen.insert(key) {
            return;
        }
        self.played.positions += 1;
        let decisions: Vec<_> = position
            .seats
            .iter()
            .map(|s| s.table.tally.decided_in(&self.slot))
            .collect();
        if decisions.iter().all(|d| d.len() == 1) {
            assert!(
                decisions.iter().all(|d| *d == decisions[0]),
                "they decided different things"
            );
            self.played.decided += 1;
            self.played.rounds = self
                .played
                .rounds
                .max(self.highest(&position).saturating_sub(self.first_round));
            return;
        }
        let is_known = decisions.iter().any(|d| !d.is_empty());
        if self.highest(&position) > self.limit + usize::from(is_known) {
            self.played.lost = Some(self.moves.clone());
            return;
        }
        self.show_something(&position);
        if self.played.lost.is_some() {
            return;
        }
        let mut next = position.clone();
        if self.step(&mut next) {
            self.explore(next);
            self.moves.pop();
        } else {
            self.let_time_pass(next);
        }
    }

    fn show_something(&mut self, position: &Position) {
        if position.shown >= self.game.shows {
            return;
        }
        let known = self.known(position);
        let round = self.gone_to(position);
        let at_hand = position
            .held
            .iter()
            .filter(|(lie, _)| lie.3 + self.game.behind >= round);
        for (lie, id) in at_hand {
            let others: Vec<_> = (0..self.honest())
                .filter(|m| !known[*m].contains(lie))
                .collect();
            let brings = builds_on(position, *id);
            for subset in 1..1usize << others.len() {
                let to: Vec<_> = (0..others.len())
                    .filter(|i| subset >> i & 1 == 1)
                    .map(|i| others[i])
                    .collect();
                let mut then = known.clone();
                to.iter().for_each(|m| then[*m].extend(&brings));
                if self
                    .seen
                    .contains(&self.key(position, position.shown + 1, &then))
                {
                    continue;
                }
                let mut next = position.clone();
                for member in &to {
                    self.deliver(&mut next.seats[*member].table, *id);
                }
                next.shown += 1;
                let names: Vec<_> = to.iter().map(|m| NAMES[*m]).collect();
                let (liar, phase, rival, round) = *lie;
                self.moves.push(format!(
                    "{} shows {phase:?} of P{rival} in {round} to {}",
                    NAMES[liar],
                    names.join("")
                ));
                self.explore(next);
                self.moves.pop();
                if self.played.lost.is_some() {
                    return;
                }
            }
        }
    }

    fn let_time_pass(&mut self, mut position: Position) {
        let Some(left) = position.seats.iter().filter_map(|s| s.left).min() else {
            self.moves.push("nobody waits for anything".into());
            self.played.lost = Some(self.moves.clone());
            return;
        };
        position.now += left;
        position.seats.iter_mut().for_each(|seat| seat.left = None);
        self.moves.push(format!("{left} pass"));
        self.explore(position);
        self.moves.pop();
    }

    /// Which votes of liars each member knows.
    fn known(&self, position: &Position) -> Vec<BTreeSet<Lie>> {
        let known = |seat: &Seat| {
            let dag = seat.table.tally.dag();
            position
                .held
                .iter()
                .filter(|(_, id)| dag.find(**id).is_some())
                .map(|(lie, _)| *lie)
                .collect()
        };
        position.seats.iter().map(known).collect()
    }

    /// What the game can still depend on: honest votes, what last entries tell, which votes of liars each member knows, and what its timers show.
    fn key(&self, position: &Position, shown: usize, known: &[BTreeSet<Lie>]) -> u64 {
        let mut hasher = DefaultHasher::new();
        position.said.hash(&mut hasher);
        position.tells.hash(&mut hasher);
        shown.hash(&mut hasher);
        for (seat, known) in position.seats.iter().zip(known) {
            known.hash(&mut hasher);
            for (timer, start) in &seat.timers {
                let patience = Patience {
                    unit: UNIT,
                    ..Patience::default()
                };
                let enough = 2 * patience.of(timer.round).as_millis() as u64;
                let event = timer.event == TimerEvent::Voted;
                (timer.round, event, (position.now - start).min(enough)).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

/// The votes of liars that come with this one, itself among them. (What honest members said is known to all.)
fn builds_on(position: &Position, id: EntryId) -> BTreeSet<Lie> {
    let dag = position.all.tally.dag();
    let shown = dag.find(id).unwrap();
    let is_below = |other: &EntryId| {
        dag.find(*other)
            .is_some_and(|other| dag.reaches(other, shown))
    };
    position
        .held
        .iter()
        .filter(|(_, other)| is_below(other))
        .map(|(lie, _)| *lie)
        .collect()
}

fn distinct(own: EntryIndex, others: &[EntryIndex]) -> Vec<EntryIndex> {
    let mut parents = vec![own];
    for other in others {
        if !parents.contains(other) {
            parents.push(*other);
        }
    }
    parents
}
