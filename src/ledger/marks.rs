//! Places in a ledger that are asked about together: which of them an entry knows. Kept by chains, as what entries know
//! is, so that only those are looked at of whose chains something is known. Knows nothing of what stands there.

use serde::{Deserialize, Serialize};

/// Places, each with what it is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Marks<T> {
    /// In order.
    marks: Vec<Mark<T>>,
}

/// A statement's place in the chains of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark<T> {
    /// Its entry's chain.
    pub(super) chain: u32,
    /// The entry's position in it, from 0.
    pub(super) position: u32,
    /// The statement's number in the entry.
    pub(super) statement: usize,
    /// What the place is for.
    pub(super) what: T,
}

impl<T> Mark<T> {
    fn rank(&self) -> (u32, u32, usize) {
        (self.chain, self.position, self.statement)
    }
}

impl<T> Default for Marks<T> {
    fn default() -> Self {
        Self { marks: Vec::new() }
    }
}

impl<T> Marks<T> {
    /// Adds a place. Chains are numbered as they begin, so it mostly belongs at the end.
    pub(super) fn add(&mut self, mark: Mark<T>) {
        let place = self
            .marks
            .partition_point(|other| other.rank() <= mark.rank());
        self.marks.insert(place, mark);
    }

    /// All places, in the order of chains and, in a chain, of statements.
    pub(super) fn in_order(&self) -> &[Mark<T>] {
        &self.marks
    }

    /// What the places are for, in the same order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.marks.iter().map(|mark| &mark.what)
    }

    /// Those on a chain.
    pub(super) fn on(&self, chain: u32) -> &[Mark<T>] {
        let first = self.marks.partition_point(|mark| mark.chain < chain);
        let last = self.marks.partition_point(|mark| mark.chain <= chain);
        self.marks.get(first..last).unwrap_or_default()
    }
}
