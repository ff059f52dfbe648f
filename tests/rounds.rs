//! Honest members that do what is due, with one that lies: they never cast a vote that does not count, are
//! never convicted, decide one thing, and decide soon after messages flow again. Time is a number here.
//!
//! `ROUNDS_SEEDS=200 cargo test --release --test rounds` runs more.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "common/lab.rs"]
mod lab;
#[path = "common/rng.rs"]
mod rng;

use std::collections::{BTreeMap, BTreeSet};

use git_quorum::charter::ProposedCharter;
use git_quorum::consensus::{Patience, Slot, Step, Subject, Tally, Timer, TimerEvent, Trial};
use git_quorum::id::EntryId;
use git_quorum::ledger::{CharterProposal, EntryIndex, Prevote, Statement, parse};
use lab::*;
use rng::{Rng, cases};

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// The unit of patience; how often a member looks; how long a message takes, at most, once all is calm.
const UNIT: u64 = 100;
const TICK: u64 = 25;
const DELAY: usize = 50;

/// What the liar does, who is always the last member.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lie {
    /// Nothing: it is honest.
    None,
    /// It says nothing.
    Silent,
    /// It votes for everything in every round, on separate branches, and shows each to others.
    Both,
    /// It does what is due, and shows it to one other.
    Selective,
}

struct Seat {
    name: &'static str,
    tally: Tally,
    timers: BTreeMap<Timer, u64>,
    inbox: Vec<(u64, EntryId)>,
    /// With so many entries known there was nothing to say, and will not be until then.
    quiet: (usize, u64),
}

struct Sim {
    /// Everything that anyone has said.
    lab: Lab,
    seats: Vec<Seat>,
    rng: Rng,
    now: u64,
    /// When messages begin to arrive in time.
    calm: u64,
    /// From when on a member approves everything, not only what it saw first.
    mild: u64,
    lie: Lie,
    /// Slots and rounds in which the liar has voted.
    lied: BTreeSet<(Slot, u32, bool)>,
    seed: u64,
}

impl Sim {
    /// A ledger of `n` voting members; `more` sit at the table who may become members.
    fn new(n: usize, more: usize, lie: Lie, seed: u64) -> Sim {
        let lab = Lab::new(&NAMES[..n]);
        let seat = |name: &&'static str| Seat {
            name,
            tally: lab.tally.clone(),
            timers: BTreeMap::new(),
            inbox: vec![],
            quiet: (0, 0),
        };
        let seats = NAMES[..n + more].iter().map(seat).collect();
        let (calm, mild) = (1500, 1000);
        Sim { lab, seats, rng: Rng::new(seed), now: 0, calm, mild, lie, lied: BTreeSet::new(), seed }
    }

    fn liar(&self) -> Option<usize> {
        let voters = self.lab.tally.dag().charter(self.lab.ledger).unwrap().charter.members().len();
        (self.lie != Lie::None).then_some(voters - 1)
    }

    fn honest(&self) -> impl Iterator<Item = &Seat> {
        let liar = self.liar();
        self.seats.iter().enumerate().filter(move |(i, _)| Some(*i) != liar).map(|(_, seat)| seat)
    }

    /// When a message that is sent now arrives.
    fn arrival(&mut self) -> u64 {
        let soon = self.rng.below(DELAY) as u64;
        if self.now >= self.calm {
            self.now + soon
        } else {
            (self.now + self.rng.below(3000) as u64).min(self.calm + soon)
        }
    }

    fn send(&mut self, entry: EntryId, to: impl Fn(usize) -> bool) {
        for seat in 0..self.seats.len() {
            if to(seat) {
                let arrival = self.arrival();
                self.seats[seat].inbox.push((arrival, entry));
            }
        }
    }

    /// Takes in an entry with all that it builds on, as a fetch does.
    fn deliver(&mut self, seat: usize, entry: EntryId) {
        if self.seats[seat].tally.dag().find(entry).is_some() {
            return;
        }
        let dag = self.lab.tally.dag();
        let parents: Vec<_> = dag.entry(dag.find(entry).unwrap()).parents.iter().map(|p| dag.entry(*p).id).collect();
        for parent in parents {
            self.deliver(seat, parent);
        }
        let made = self.lab.made.iter().find(|m| m.id == entry).unwrap();
        self.seats[seat].tally.insert_checked(parse(&made.raw).unwrap(), made.oid).unwrap();
    }

    fn receive(&mut self, seat: usize) {
        let now = self.now;
        let (arrived, later) = std::mem::take(&mut self.seats[seat].inbox).into_iter().partition(|m| m.0 <= now);
        self.seats[seat].inbox = later;
        let arrived: Vec<(u64, EntryId)> = arrived;
        for (_, entry) in arrived {
            self.deliver(seat, entry);
        }
    }

    /// Says something as it is, above all that the seat knows.
    fn say(&mut self, seat: usize, said: Vec<Statement>) -> EntryId {
        let (tally, name) = (&self.seats[seat].tally, self.seats[seat].name);
        let parents: Vec<_> = above_all(tally, name).iter().map(|p| tally.dag().entry(*p).id).collect();
        let entry = self.lab.entry(name, tally.charter_in_force(), &parents, said);
        self.deliver(seat, entry);
        entry
    }

    /// What an honest member says now: what its agent approves, then what is due.
    fn act(&mut self, seat: usize) -> Option<EntryId> {
        let (known, until) = self.seats[seat].quiet;
        if known == self.seats[seat].tally.dag().entries().len() && self.now < until {
            return None;
        }
        let likes = self.likes(seat);
        let Seat { name: who, tally, .. } = &self.seats[seat];
        let (who, charter) = (*who, tally.charter_in_force());
        tally.dag().charter(charter)?.charter.member(&name(who))?;
        let mut trial = Trial::new(tally, &name(who), charter, &above_all(tally, who));
        for proposal in likes {
            trial.say(approve(proposal)).unwrap();
        }
        let (left, tell) = loop {
            let timers = &self.seats[seat].timers;
            let elapsed = timers.iter().map(|(timer, start)| (timer.clone(), self.now - start)).collect();
            let due = trial.due(&Patience { unit: UNIT, elapsed });
            let waiting = due.waiting.iter().map(|w| w.left).min().unwrap_or(u64::MAX);
            for timer in due.start {
                self.seats[seat].timers.entry(timer).or_insert(self.now);
            }
            let said = match due.step {
                Some(Step::Prevote(proposal, round)) => Statement::Prevote(Prevote { proposal, round }),
                Some(Step::Precommit(proposal, round)) => self.lab.precommit(who, charter, proposal, round),
                None => break (waiting, due.tell),
            };
            trial.say(said).unwrap_or_else(|why| panic!("seed {}: {who} says what does not count: {why:?}", self.seed));
        };
        let said = trial.statements().to_vec();
        if said.is_empty() && !tell {
            let mild = if self.now < self.mild { self.mild } else { u64::MAX };
            let known = self.seats[seat].tally.dag().entries().len();
            self.seats[seat].quiet = (known, self.now.saturating_add(left).min(mild));
            return None;
        }
        let entry = self.say(seat, said);
        assert!(self.lab.verdicts(entry).iter().all(Option::is_none), "seed {}: {who}", self.seed);
        Some(entry)
    }

    /// Proposals for open slots that the member's agent has not approved under the charter in force and
    /// likes: at first only one of a slot, its own or the first that it sees; later all.
    fn likes(&self, seat: usize) -> Vec<EntryId> {
        let Seat { name: who, tally, .. } = &self.seats[seat];
        let charter = tally.charter_in_force();
        let approved = |p: EntryId| tally.approvers(charter, p).contains(&name(who));
        let open = tally.proposals().filter(|p| tally.chain(&p.slot.subject).is_some_and(|c| c.next == p.slot));
        let mut taken: BTreeSet<&Slot> = tally.proposals().filter(|p| approved(p.id)).map(|p| &p.slot).collect();
        let mild = self.now >= self.mild;
        open.filter(|p| !approved(p.id) && (taken.insert(&p.slot) || mild)).map(|p| p.id).collect()
    }

    fn tick(&mut self) {
        self.now += TICK;
        let mut order: Vec<_> = (0..self.seats.len()).collect();
        self.rng.shuffle(&mut order);
        for seat in order {
            self.receive(seat);
            match self.lie {
                lie if Some(seat) != self.liar() || lie == Lie::None => {
                    if let Some(entry) = self.act(seat) {
                        self.send(entry, |other| other != seat);
                    }
                }
                Lie::Selective => {
                    let (only, entry) = (self.rng.below(self.seats.len()), self.act(seat));
                    if let Some(entry) = entry {
                        self.send(entry, |other| other == only && other != seat);
                    }
                }
                Lie::Both => self.vote_both_ways(seat),
                _ => {}
            }
        }
    }

    /// The liar knows everything at once, and votes wherever a vote would count.
    fn vote_both_ways(&mut self, seat: usize) {
        for made in self.lab.made.iter().map(|m| m.id).collect::<Vec<_>>() {
            self.deliver(seat, made);
        }
        for proposal in self.likes(seat) {
            let entry = self.say(seat, vec![approve(proposal)]);
            self.send(entry, |_| true);
        }
        let tally = self.seats[seat].tally.clone();
        let slots: BTreeSet<_> = tally.proposals().map(|p| p.slot.clone()).collect();
        for slot in slots.iter().filter(|s| tally.chain(&s.subject).is_some_and(|c| c.next == **s)) {
            for (round, precommit) in (0..6).flat_map(|r| [(r, false), (r, true)]) {
                self.lie_about(&tally, seat, slot, round, precommit);
            }
        }
    }

    fn lie_about(&mut self, tally: &Tally, seat: usize, slot: &Slot, round: u32, precommit: bool) {
        let (charter, liar) = (tally.charter_in_force(), self.seats[seat].name);
        let key = (slot.clone(), round, precommit);
        if self.lied.contains(&key) {
            return;
        }
        let parents = above_all(tally, liar);
        let ids: Vec<_> = parents.iter().map(|p| tally.dag().entry(*p).id).collect();
        let rivals: Vec<_> = tally.rivals(slot).map(|p| p.id).collect();
        let mut branches = vec![];
        for proposal in rivals {
            let vote =
                if precommit { self.lab.precommit(liar, charter, proposal, round) } else { prevote(proposal, round) };
            let counts = Trial::new(tally, &name(liar), charter, &parents).say(vote.clone()).is_ok();
            if counts {
                branches.push(self.lab.entry(liar, charter, &ids, vec![vote]));
            }
        }
        for (n, entry) in branches.iter().enumerate() {
            let ways = branches.len().max(2);
            self.send(*entry, |other| other % ways == n);
            self.lied.insert(key.clone());
        }
    }

    /// Runs until every honest member knows the slot decided; how long that took.
    fn run(&mut self, subject: &Subject, wanted: usize, most: u64) -> u64 {
        let knows = |seat: &Seat| seat.tally.chain(subject).is_some_and(|c| c.decided.len() >= wanted);
        while !self.honest().all(knows) {
            assert!(
                self.now < most,
                "seed {}: {:?}: no decision after {most} ms: {}",
                self.seed,
                self.lie,
                self.tell()
            );
            self.tick();
        }
        self.now
    }

    /// Where everybody is.
    fn tell(&self) -> String {
        let report = |p: &git_quorum::consensus::Proposal| format!("{:#?}", self.lab.tally.report(p.id));
        self.lab.tally.proposals().map(report).collect()
    }

    /// What holds whatever happens.
    fn check(&self) {
        let tally = &self.lab.tally;
        let honest: BTreeSet<_> = self.honest().map(|seat| name(seat.name)).collect();
        let convicted: Vec<_> = tally.evidence().into_iter().filter(|e| honest.contains(&e.member)).collect();
        assert!(convicted.is_empty(), "seed {}: {convicted:?}", self.seed);
        for proposal in tally.proposals() {
            assert!(tally.decided_in(&proposal.slot).len() <= 1, "seed {}: two decisions", self.seed);
        }
    }

    /// The highest round that anyone voted in.
    fn last_round(&self) -> u32 {
        let rounds = |p: &git_quorum::consensus::Proposal| self.lab.tally.report(p.id).unwrap().rounds;
        self.lab.tally.proposals().flat_map(rounds).map(|r| r.round).max().unwrap_or(0)
    }
}

fn above_all(tally: &Tally, who: &str) -> Vec<EntryIndex> {
    let dag = tally.dag();
    let own = dag.tips(&name(who)).last().copied().or_else(|| dag.find(dag.ledger()));
    let genesis = dag.find(dag.ledger());
    let others = dag.childless().filter(|t| Some(*t) != own && Some(*t) != genesis);
    own.into_iter().chain(others).collect()
}

fn main_ref() -> Subject {
    Subject::Ref("refs/heads/main".parse().unwrap())
}

/// Two members propose at the same time, and messages are slow: each half votes for what it saw first.
fn split(n: usize, lie: Lie, seed: u64) -> Sim {
    let mut sim = Sim::new(n, 0, lie, seed);
    for (seat, number) in [(0, 1), (1, 2)] {
        let entry = sim.say(seat, vec![propose(sim.lab.ledger, number)]);
        sim.send(entry, |other| other != seat);
    }
    sim.run(&main_ref(), 1, sim.calm + 20 * UNIT);
    assert!(sim.last_round() <= 5, "seed {seed}: {lie:?}: {} rounds", sim.last_round());
    sim.check();
    sim
}

fn seeds() -> std::ops::Range<u64> {
    0..cases("ROUNDS_SEEDS", 2)
}

#[test]
fn a_split_vote_is_decided_in_a_later_round() {
    for n in [4, 5, 7] {
        let later = seeds().filter(|seed| split(n, Lie::None, *seed).last_round() > 0).count();
        assert!(later > 0, "n = {n}: no vote was split");
    }
}

#[test]
fn a_silent_member_costs_time_only() {
    for n in [4, 5, 7] {
        seeds().for_each(|seed| drop(split(n, Lie::Silent, seed)));
    }
}

#[test]
fn one_that_shows_its_votes_to_some_costs_time_only() {
    for n in [4, 5, 7] {
        seeds().for_each(|seed| drop(split(n, Lie::Selective, seed)));
    }
}

#[test]
fn one_that_votes_both_ways_is_convicted_and_stops_nobody() {
    let (mut guided, mut convicted) = (0, 0);
    for n in [4, 5, 7] {
        for seed in seeds() {
            let sim = split(n, Lie::Both, seed);
            let slot = Slot { subject: main_ref(), base: sim.lab.ledger };
            let number = u64::from_be_bytes(slot.id().bytes()[..8].try_into().unwrap());
            let guide = |round: u32| ((u128::from(number) + u128::from(round)) % n as u128) as usize;
            guided += usize::from((1..=sim.last_round()).any(|round| guide(round) == n - 1));
            convicted += usize::from(!sim.lab.tally.evidence().is_empty());
        }
    }
    assert!(convicted > 0 && guided > 0, "convicted in {convicted} runs, the liar was a guide in {guided}");
}

#[test]
fn a_charter_change_while_a_slot_is_open_lets_both_finish() {
    for (n, lie) in [(4, Lie::None), (4, Lie::Silent), (4, Lie::Both), (5, Lie::Selective), (7, Lie::Both)] {
        for seed in seeds() {
            let mut sim = Sim::new(n, 1, lie, seed);
            for (seat, number) in [(0, 1), (1, 2)] {
                let entry = sim.say(seat, vec![propose(sim.lab.ledger, number)]);
                sim.send(entry, |other| other != seat);
            }
            let start = sim.rng.below(2500) as u64;
            while sim.now < start {
                sim.tick();
            }
            let charter = ProposedCharter::Known(Box::new(charter(&NAMES[..n + 1])));
            let base = sim.lab.ledger;
            let change = CharterProposal { base, charter, text: String::new(), title: "one more".into() };
            let entry = sim.say(2, vec![Statement::ProposeCharter(change)]);
            sim.send(entry, |other| other != 2);
            sim.run(&Subject::Charter, 1, sim.calm + 40 * UNIT);
            sim.run(&main_ref(), 1, sim.calm + 60 * UNIT);
            sim.check();
        }
    }
}

/// Rule 5e: d shows its precommit to `a` alone, which then knows the decision and has nothing left to vote.
/// The others go on without it; `a` tells them, once.
#[test]
fn who_knows_a_decision_that_others_miss_tells_them() {
    let mut lab = Lab::new(&["a", "b", "c", "d"]);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let q = lab.say("b", vec![propose(lab.ledger, 2)]);
    for (member, choice) in [("a", q), ("b", p), ("c", p), ("d", p)] {
        lab.say(member, vec![approve(p), approve(q), prevote(choice, 0)]);
    }
    let tells = |lab: &Lab| {
        let trial = Trial::new(&lab.tally, &name("a"), lab.ledger, &above_all(&lab.tally, "a"));
        trial.due(&Patience::default()).tell
    };
    for member in ["b", "c", "d"] {
        assert!(!tells(&lab));
        let vote = lab.precommit(member, lab.ledger, p, 0);
        lab.say(member, vec![vote]);
    }
    assert!(lab.tally.is_decided(p) && !tells(&lab), "nobody misses it yet");
    let without_d = lab.above("b", &[lab.tip("c")]);
    lab.entry("b", lab.ledger, &without_d, vec![prevote(p, 1)]);
    assert!(tells(&lab));
    lab.say("a", vec![]);
    assert!(!tells(&lab), "it is told");
}

/// Without rivals and delays: a proposes, approves and prevotes; b the same; c too, and precommits in the
/// same entry; a precommits; b precommits.
#[test]
fn five_pushes_decide() {
    let mut sim = Sim::new(4, 0, Lie::None, 0);
    let push = |sim: &mut Sim, seat: usize| {
        sim.lab.made.iter().map(|m| m.id).collect::<Vec<_>>().into_iter().for_each(|id| sim.deliver(seat, id));
        sim.act(seat).map(|entry| sim.lab.tally.dag().entry(sim.lab.tally.dag().find(entry).unwrap()).statements.len())
    };
    let p = sim.say(0, vec![propose(sim.lab.ledger, 1)]);
    assert_eq!([0, 1, 2, 0].map(|seat| push(&mut sim, seat)), [Some(2), Some(2), Some(3), Some(1)]);
    assert!(!sim.lab.tally.is_decided(p));
    assert_eq!(push(&mut sim, 1), Some(1));
    assert!(sim.lab.tally.is_decided(p));
    sim.check();
}

/// a precommits p, and learns late that the others, who did not hear of it, have gone on and prevoted q. It precommits q, and says
/// nothing that convicts it beside its precommit of p.
#[test]
fn who_precommits_in_a_round_prevotes_no_more_in_it() {
    let mut lab = Lab::new(&["a", "b", "c", "d"]);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let q = lab.say("b", vec![propose(lab.ledger, 2)]);
    for (member, choice) in [("b", p), ("c", p), ("d", q)] {
        lab.say(member, vec![approve(p), approve(q), prevote(choice, 0)]);
    }
    let others = lab.tally.dag().childless().map(|t| lab.tally.dag().entry(t).id).collect::<Vec<_>>();
    let own = lab.above("a", &[lab.tip("b"), lab.tip("c")]);
    let precommit = |lab: &Lab, proposal, round| lab.precommit("a", lab.ledger, proposal, round);
    let said = vec![approve(p), prevote(p, 0), precommit(&lab, p, 0)];
    let late = lab.entry("a", lab.ledger, &own, said);
    for member in ["b", "c", "d"] {
        let parents = lab.above(member, &others);
        lab.entry(member, lab.ledger, &parents, vec![prevote(q, 1)]);
    }
    let parents = above_all(&lab.tally, "a");
    let mut trial = Trial::new(&lab.tally, &name("a"), lab.ledger, &parents);
    // It has been in round 1 for long, and has only now seen a quorum vote there.
    let slot = Slot { subject: main_ref(), base: lab.ledger };
    let timer = Timer { charter: lab.ledger, slot, round: 1, event: TimerEvent::Entered };
    let patience = Patience { unit: UNIT, elapsed: BTreeMap::from([(timer, u64::MAX)]) };
    while let Some(step) = trial.due(&patience).step {
        trial
            .say(match step {
                Step::Prevote(proposal, round) => prevote(proposal, round),
                Step::Precommit(proposal, round) => precommit(&lab, proposal, round),
            })
            .unwrap();
    }
    let said = trial.statements().to_vec();
    assert_eq!(said, [precommit(&lab, q, 1)]);
    lab.say("a", said);
    assert!([late, lab.tip("a")].iter().all(|entry| lab.verdicts(*entry).iter().all(Option::is_none)));
    assert_eq!(lab.tally.evidence(), []);
}
