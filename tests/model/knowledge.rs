//! The search without its reduction: every vote builds on a chosen part of the ledger, which contains its author's lane,
//! and liars do what they like. There are too many such ledgers to have all, so these are walks, by seed. They hold the
//! reduction to its word: what honest members get to say on a walk, the reduced search must have reached. And with more
//! than f liars they look for broken slots, which must name whose fault it is.
//!
//! `MODEL_WALKS=100000` walks more.

use std::collections::{BTreeSet, HashSet};

use git_quorum::consensus::Slot;
use git_quorum::id::EntryId;
use git_quorum::ledger::EntryIndex;

use crate::lab::{approve, propose};
use crate::long;
use crate::reduced::{HONEST, ROUNDS, Row, Setup, Way, each_state, said_key};
use crate::rng::{Rng, cases};
use crate::table::{NAMES, Phase, Table, distinct, main_slot, vote};

struct Walk<'a> {
    setup: &'a Setup,
    rng: Rng,
    table: Table,
    slot: Slot,
    rivals: Vec<EntryId>,
    /// Entries of each member: its approvals, and its votes, with what they are for.
    said: Vec<Vec<(EntryIndex, Option<usize>)>>,
    votes: HashSet<(usize, (Phase, usize, usize))>,
    rows: [Row; HONEST],
}

impl Walk<'_> {
    fn start(setup: &Setup, seed: u64) -> Walk<'_> {
        let mut table = Table::found(setup.n);
        let (ledger, genesis) = (table.tally.dag().ledger(), table.genesis());
        let mut last = genesis;
        let mut rivals = vec![];
        for number in 0..setup.rivals {
            last = table.say(0, ledger, &[last], vec![propose(ledger, number as u8 + 1)]);
            rivals.push(table.id(last));
        }
        let proposed = last;
        let mut said = vec![];
        for member in 0..setup.n {
            let first = if member == 0 { proposed } else { genesis };
            let parents: Vec<_> = distinct([first, last, proposed]);
            last = table.say(
                member,
                ledger,
                &parents,
                rivals.iter().map(|p| approve(*p)).collect(),
            );
            said.push(vec![(last, None)]);
        }
        let slot = main_slot(ledger);
        let rows = [[[0; 2]; ROUNDS]; HONEST];
        Walk {
            setup,
            rng: Rng::new(seed),
            table,
            slot,
            rivals,
            said,
            votes: HashSet::new(),
            rows,
        }
    }

    /// Some member says something that counts and that it has not said; whether one was found.
    fn step(&mut self) -> bool {
        let all = |rounds: usize, rivals: usize| {
            (0..rounds).flat_map(move |round| {
                (0..rivals).flat_map(move |rival| {
                    [Phase::Prevote, Phase::Precommit].map(|phase| (phase, rival, round))
                })
            })
        };
        for _ in 0..4 * self.setup.n {
            let member = self.rng.below(self.setup.n);
            let mut votes: Vec<_> = all(self.setup.rounds, self.setup.rivals).collect();
            self.rng.shuffle(&mut votes);
            for cast in votes.into_iter().take(6) {
                if self.may(member, cast) && self.cast(member, cast) {
                    return true;
                }
            }
        }
        false
    }

    fn may(&self, member: usize, cast: (Phase, usize, usize)) -> bool {
        let (phase, _, round) = cast;
        let honest = member < self.setup.n - self.setup.liars;
        let out_of_order = honest && phase == Phase::Prevote && self.rows[member][round][1] != 0;
        !out_of_order && !self.votes.contains(&(member, cast))
    }

    /// What a vote builds on. An honest member builds on its last entry, a liar on any of its own; of other lanes each
    /// knows the beginning, mostly all of it, and of liars' branches some: mostly those for the same rival, or no two
    /// rivals would ever be decided.
    fn knowledge(&mut self, member: usize, rival: usize) -> Vec<EntryIndex> {
        let honest = self.setup.n - self.setup.liars;
        let (said, rng) = (&self.said, &mut self.rng);
        let own = &said[member];
        let is_near = |of: &Option<usize>| of.is_none_or(|r| r == rival);
        let near: Vec<_> = own.iter().filter(|(_, of)| is_near(of)).collect();
        let first = match member < honest {
            true => own[own.len() - 1].0,
            false if rng.chance(80) => rng.pick(&near).0,
            false => rng.pick(own).0,
        };
        let mut parents = vec![first];
        for (other, entries) in said
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != member)
        {
            if other < honest {
                let place = if rng.chance(70) {
                    entries.len() - 1
                } else {
                    rng.below(entries.len())
                };
                parents.push(entries[place].0);
            } else {
                let known = entries
                    .iter()
                    .filter(|(_, of)| rng.chance(if is_near(of) { 80 } else { 25 }));
                parents.extend(known.map(|(entry, _)| *entry));
            }
        }
        distinct(parents)
    }

    /// The vote, if it counts.
    fn cast(&mut self, member: usize, (phase, rival, round): (Phase, usize, usize)) -> bool {
        let honest = self.setup.n - self.setup.liars;
        let parents = self.knowledge(member, rival);
        let said = vote(phase, self.rivals[rival], round as u32);
        let mut table = self.table.clone();
        let entry = table.say(
            member,
            self.table.tally.dag().ledger(),
            &parents,
            vec![said],
        );
        if !table.counts(entry) {
            return false;
        }
        self.table = table;
        self.said[member].push((entry, Some(rival)));
        self.votes.insert((member, (phase, rival, round)));
        if member < honest {
            self.rows[member][round][phase as usize] = rival as u8 + 1;
        }
        true
    }

    /// Members that evidence names.
    fn convicted(&self) -> BTreeSet<usize> {
        let place = |e: &str| NAMES.iter().position(|name| *name == e).unwrap();
        self.table
            .tally
            .evidence()
            .iter()
            .map(|e| place(e.member.as_str()))
            .collect()
    }

    fn decided(&self) -> usize {
        self.table.tally.decided_in(&self.slot).len()
    }
}

#[test]
fn what_can_be_said_with_any_knowledge_the_reduced_search_reaches() {
    for (n, rounds) in [(4, 1), (4, 2)] {
        let setup = Setup {
            way: Way::Free,
            ..Setup::new(n, 1, 2, rounds)
        };
        let mut reached = HashSet::new();
        let found = each_state(&setup, |_, state| {
            reached.insert(said_key(&setup, &state.rows));
            true
        });
        assert!(found.violation.is_none() && found.whole);
        let (mut seen, mut decided) = (HashSet::new(), 0);
        let walks = cases("MODEL_WALKS", if long() { 4000 } else { 30 });
        for seed in 0..walks {
            let mut walk = Walk::start(&setup, seed);
            while walk.step() {
                let key = said_key(&setup, &walk.rows);
                seen.insert(key);
                assert!(
                    reached.contains(&key),
                    "seed {seed}: not reached: {:?}",
                    walk.rows
                );
            }
            assert!(walk.decided() <= 1, "seed {seed}: two decisions");
            assert!(
                walk.convicted().iter().all(|m| *m >= n - 1),
                "seed {seed}: an honest member is convicted"
            );
            decided += walk.decided();
        }
        println!(
            "n = {n}, {rounds} rounds: {walks} walks saw {} of {} states; {decided} decided",
            seen.len(),
            reached.len()
        );
        assert!(decided > 0 && seen.len() > 5);
    }
}

#[test]
fn a_broken_slot_names_at_least_2q_less_n_and_nobody_honest() {
    let mut total = 0;
    let bounds = [
        (4, 2, 3, 1),
        (4, 2, 3, 2),
        (6, 2, 4, 1),
        (5, 3, 4, 2),
        (7, 3, 5, 2),
    ];
    for (n, liars, q, rounds) in bounds.into_iter().take(if long() { 5 } else { 2 }) {
        let setup = Setup::new(n, liars, 2, rounds);
        let (mut broken, mut least) = (0, n);
        let walks = cases("MODEL_WALKS", if long() { 4000 } else { 30 });
        for seed in 0..walks {
            let mut walk = Walk::start(&setup, seed);
            while walk.decided() < 2 && walk.step() {}
            let convicted = walk.convicted();
            assert!(
                convicted.iter().all(|m| *m >= n - liars),
                "n = {n}, seed {seed}: {convicted:?}"
            );
            if walk.decided() > 1 {
                broken += 1;
                least = least.min(convicted.len());
                assert!(
                    convicted.len() >= 2 * q - n,
                    "n = {n}, seed {seed}: only {convicted:?}"
                );
            }
        }
        println!(
            "n = {n}, {liars} liars, {rounds} round(s): {broken} of {walks} slots broken, at least {least} convicted, {} claimed",
            2 * q - n
        );
        total += broken;
    }
    assert!(total > 0, "no slot was broken");
}
