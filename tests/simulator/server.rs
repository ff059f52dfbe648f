//! Simulates a server that holds lanes: with the gate, without it, or lying. Knows who asks, but
//! not the content of entries.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::{Archive, No};
use crate::plan::Kind;
use crate::rng::Rng;

/// The last entry of each lane, by member.
pub type Lanes = BTreeMap<usize, No>;

/// A server.
pub struct Server {
    pub kind: Kind,
    /// What it shows to some and, once forked, to others.
    pub sides: Vec<Lanes>,
    /// On which side a seat is.
    side: Vec<usize>,
    /// How the first side was before, for rolling it back.
    past: Vec<Lanes>,
    /// Lanes that some are not shown.
    hidden: BTreeSet<(usize, usize)>,
}

/// What a server was caught doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mischief {
    Forked,
    RolledBack,
    Hid,
}

impl Server {
    pub fn new(kind: Kind, seats: usize) -> Server {
        Server {
            kind,
            sides: vec![Lanes::new()],
            side: vec![0; seats],
            past: vec![],
            hidden: BTreeSet::new(),
        }
    }

    /// The lanes that a seat is shown.
    pub fn shown(&self, seat: usize) -> Lanes {
        let lanes = &self.sides[self.side[seat]];
        lanes
            .iter()
            .filter(|(lane, _)| !self.hidden.contains(&(seat, **lane)))
            .map(|(l, no)| (*l, *no))
            .collect()
    }

    pub fn side_of(&self, seat: usize) -> usize {
        self.side[seat]
    }

    /// Takes lanes in: each forward, or anywhere if the push is forced and there is no gate.
    pub fn receive(&mut self, archive: &Archive, side: usize, lanes: &[(usize, No)], forced: bool) {
        let anywhere = forced && self.kind != Kind::Gated;
        let Some(here) = self.sides.get_mut(side) else {
            return;
        };
        for (lane, tip) in lanes {
            if here
                .get(lane)
                .is_none_or(|old| anywhere || archive.reaches(*old, *tip))
            {
                here.insert(*lane, *tip);
            }
        }
    }

    /// Remembers how it is, to go back to.
    pub fn remember(&mut self) {
        self.past.push(self.sides[0].clone());
    }

    /// From now on shows one thing to some and another to others; whether there are any of both.
    pub fn fork(&mut self, side: Vec<usize>) -> bool {
        self.sides.push(self.sides[0].clone());
        self.side = side;
        self.side.contains(&0) && self.side.contains(&1)
    }

    /// Does one thing that no honest server does; none if there is nothing to do it with.
    pub fn misbehave(
        &mut self,
        rng: &mut Rng,
        (members, side): (usize, Vec<usize>),
        lies: bool,
    ) -> Option<Mischief> {
        match if lies { rng.below(4) } else { 1 } {
            0 if self.sides.len() == 1 => self.fork(side).then_some(Mischief::Forked),
            1 if !self.past.is_empty() => {
                let back = rng.pick(&self.past);
                let side = rng.below(self.sides.len());
                let differs = self.sides[side] != back;
                self.sides[side] = back;
                differs.then_some(Mischief::RolledBack)
            }
            2 => {
                let hide = (rng.below(self.side.len()), rng.below(members));
                (self.hidden.insert(hide) && self.sides[0].contains_key(&hide.1))
                    .then_some(Mischief::Hid)
            }
            3 => {
                self.hidden.clear();
                None
            }
            _ => None,
        }
    }

    /// Tells the truth from now on: all see one side, with the furthest of each lane.
    pub fn repent(&mut self, archive: &Archive) {
        self.hidden.clear();
        self.side.iter_mut().for_each(|side| *side = 0);
        for other in self.sides.split_off(1) {
            let lanes: Vec<_> = other.into_iter().collect();
            self.receive(archive, 0, &lanes, false);
        }
    }
}
