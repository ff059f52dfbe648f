//! Counts in how many runs each event happened. An adversary that never acts is a defect.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Things that happened, by name.
pub type Seen = BTreeSet<&'static str>;

/// In how many schedules each thing happened.
#[derive(Debug, Default)]
pub struct Coverage {
    pub schedules: u64,
    pub entries: u64,
    /// The longest time from calm to the last decision.
    pub slowest: (u64, u64),
    /// The highest round, and a seed that came to it.
    pub rounds: (u32, u64),
    counts: BTreeMap<&'static str, u64>,
}

impl Coverage {
    pub fn add(&mut self, seed: u64, seen: &Seen, entries: usize, took: u64, round: u32) {
        self.schedules += 1;
        self.entries += entries as u64;
        self.slowest = self.slowest.max((took, seed));
        self.rounds = self.rounds.max((round, seed));
        for what in seen {
            *self.counts.entry(what).or_default() += 1;
        }
    }

    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} schedules, {} entries", self.schedules, self.entries)?;
        writeln!(
            f,
            "slowest: {} ms after calm (seed {})",
            self.slowest.0, self.slowest.1
        )?;
        writeln!(
            f,
            "highest round: {} (seed {})",
            self.rounds.0, self.rounds.1
        )?;
        for (what, count) in &self.counts {
            writeln!(f, "{count:>9}  {what}")?;
        }
        Ok(())
    }
}
