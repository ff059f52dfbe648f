//! Tests that a slot with two decisions convicts at least 2q - n members. A coalition of exactly
//! this size shows two halves of the honest members two worlds. It votes in each world as an honest
//! member would.

use std::collections::{BTreeMap, BTreeSet};

use git_quorum::charter::{Charter, Threshold};
use git_quorum::consensus::Subject;
use git_quorum::id::EntryId;
use git_quorum::ledger::Statement;

use crate::lab::*;
use crate::rng::{Rng, cases};
use crate::scenes::propose_charter;

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// How the two worlds differ.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Story {
    /// Both decide in round 0.
    SameRound,
    /// One decides in round 0, the other in a later round.
    LaterRound,
    /// One changes the charter, once or twice, and decides then.
    ChangedCharter,
    /// Each changes the charter in its own way, and decides then.
    TwoCharters,
}

/// What those who share a world know: its last entry builds on all the others.
#[derive(Clone)]
struct World {
    last: EntryId,
    own: BTreeMap<&'static str, EntryId>,
    charter: EntryId,
    members: Vec<&'static str>,
}

struct Play {
    lab: Lab,
    rng: Rng,
    seed: u64,
}

impl Play {
    fn say(&mut self, world: &mut World, member: &'static str, said: Vec<Statement>) -> EntryId {
        let own = world.own.get(member).copied().unwrap_or(self.lab.ledger);
        let mut parents = vec![own];
        parents.extend(Some(world.last).filter(|last| *last != own && *last != self.lab.ledger));
        let entry = self.lab.entry(member, world.charter, &parents, said);
        assert!(
            self.lab.verdicts(entry).iter().all(Option::is_none),
            "seed {}: {member}",
            self.seed
        );
        world.own.insert(member, entry);
        world.last = entry;
        entry
    }

    fn all(&mut self, world: &mut World, said: impl Fn(&Lab, &str) -> Vec<Statement>) {
        let mut members = world.members.clone();
        self.rng.shuffle(&mut members);
        for member in members {
            let said = said(&self.lab, member);
            self.say(world, member, said);
        }
    }

    /// All prevote and precommit in this round.
    fn decide(&mut self, world: &mut World, proposal: EntryId, round: u32) {
        let charter = world.charter;
        self.all(world, |_, _| vec![prevote(proposal, round)]);
        self.all(world, |lab, member| {
            vec![lab.precommit(member, charter, proposal, round)]
        });
    }

    /// All approve and decide another charter: the same members, and one more ref.
    fn change(&mut self, world: &mut World, name: &str) {
        let now = self
            .lab
            .tally
            .dag()
            .charter(world.charter)
            .unwrap()
            .charter
            .clone();
        let mut refs = now.protected().to_vec();
        refs.push(name.parse().unwrap());
        refs.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        let next = Charter::new(now.members().to_vec(), refs, vec![], now.rules().clone()).unwrap();
        let proposal = self.say(
            world,
            world.members[0],
            vec![propose_charter(world.charter, next)],
        );
        self.all(world, |_, _| vec![approve(proposal)]);
        self.decide(world, proposal, 0);
        world.charter = proposal;
    }

    /// A round in which all vote and nothing comes of it, since one prevotes the other proposal.
    fn lose(&mut self, world: &mut World, (most, other): (EntryId, EntryId), round: u32) {
        let odd = world.members[0];
        self.all(world, |_, member| {
            vec![prevote(if member == odd { other } else { most }, round)]
        });
    }
}

/// A ledger with a broken slot, and those who broke it.
fn play(seed: u64, story: Story) -> (Lab, BTreeSet<String>) {
    let mut rng = Rng::new(seed);
    let n = 4 + rng.below(6);
    let q = Threshold::of(n).q;
    let (honest, liars) = NAMES[..n].split_at(2 * (n - q));
    let (some, others) = honest.split_at(n - q);
    let lab = Lab::new(&NAMES[..n]);
    let ledger = lab.ledger;
    let mut play = Play { lab, rng, seed };
    let mut both = World {
        last: ledger,
        own: BTreeMap::new(),
        charter: ledger,
        members: NAMES[..n].to_vec(),
    };
    let p = play.say(&mut both, "a", vec![propose(ledger, 1)]);
    let r = play.say(&mut both, "b", vec![propose(ledger, 2)]);
    play.all(&mut both, |_, _| vec![approve(p), approve(r)]);
    let mut round = 0;
    if story == Story::LaterRound {
        play.all(&mut both, |_, member| {
            vec![prevote(if others.contains(&member) { r } else { p }, 0)]
        });
    }
    let split = |both: &World, half: &[&'static str]| World {
        members: [half, liars].concat(),
        ..both.clone()
    };
    let (mut one, mut two) = (split(&both, some), split(&both, others));
    match story {
        Story::SameRound => play.decide(&mut one, p, 0),
        Story::LaterRound => {
            play.all(&mut one, |lab, member| {
                vec![lab.precommit(member, ledger, p, 0)]
            });
            for _ in 0..play.rng.below(3) {
                round += 1;
                play.lose(&mut two, (r, p), round);
            }
            round += 1;
        }
        Story::ChangedCharter => {
            play.decide(&mut one, p, 0);
            play.change(&mut two, "refs/heads/x");
            if play.rng.chance(50) {
                play.change(&mut two, "refs/heads/y");
            }
        }
        Story::TwoCharters => {
            play.change(&mut one, "refs/heads/x");
            play.change(&mut two, "refs/heads/y");
            play.all(&mut one, |_, _| vec![approve(p)]);
            play.decide(&mut one, p, 0);
        }
    }
    if two.charter != ledger {
        play.all(&mut two, |_, _| vec![approve(r)]);
    }
    play.decide(&mut two, r, round);
    (play.lab, liars.iter().map(ToString::to_string).collect())
}

#[test]
fn a_broken_slot_names_at_least_twice_q_less_n_members_and_only_those_who_broke_it() {
    let mut kinds = BTreeSet::new();
    for seed in 0..cases("FAULTS_CASES", 12) {
        for story in [
            Story::SameRound,
            Story::LaterRound,
            Story::ChangedCharter,
            Story::TwoCharters,
        ] {
            let (lab, liars) = play(seed, story);
            let faults = lab.tally.faults();
            let broken = lab.tally.broken(&faults);
            let slots = if story == Story::TwoCharters { 2 } else { 1 };
            assert_eq!(broken.len(), slots, "seed {seed}, {story:?}");
            assert_eq!(
                broken[0].subject == Subject::Charter,
                slots == 2,
                "seed {seed}, {story:?}: charters first"
            );
            for slot in &broken {
                let convicted: BTreeSet<_> =
                    slot.convicted.iter().map(ToString::to_string).collect();
                assert_eq!(
                    (slot.least, slot.decisions.len()),
                    (2 * slot.quorum - slot.n, 2)
                );
                assert!(
                    convicted.len() >= slot.least,
                    "seed {seed}, {story:?}: {slot:?}"
                );
                assert!(
                    convicted.is_subset(&liars),
                    "seed {seed}, {story:?}: {slot:?}"
                );
            }
            let named: BTreeSet<_> = faults
                .iter()
                .map(|fault| fault.member.to_string())
                .collect();
            assert_eq!(named, liars, "seed {seed}, {story:?}");
            kinds.extend(faults.iter().map(|fault| fault.kind.code()));
            // The other way: with what convicts one of them left out, the count falls short.
            let spared: Vec<_> = faults
                .iter()
                .filter(|f| f.member.as_str() != *liars.first().unwrap())
                .cloned()
                .collect();
            assert!(
                lab.tally
                    .broken(&spared)
                    .iter()
                    .all(|slot| slot.convicted.len() < slot.least),
                "seed {seed}"
            );
        }
    }
    assert_eq!(
        kinds,
        BTreeSet::from(["equivocation", "freeze-violation", "lock-violation"])
    );
}
