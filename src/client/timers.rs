//! The timers of rule 5: when each was started, and how long it has run. Pure; a
//! [`Workspace`](super::Workspace) stores them. Losing them costs patience, never safety.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::consensus::{Patience, Tally, Timer};
use crate::id::EntryId;

/// Started timers of one member of one ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timers {
    unit: u64,
    started: BTreeMap<Timer, i64>,
}

impl Timers {
    /// Timers that were started before, by the clock's milliseconds. `unit` is the patience for
    /// round 0, in milliseconds.
    pub fn new(unit: u64, started: BTreeMap<Timer, i64>) -> Self {
        Self { unit, started }
    }

    /// When each timer was started, in milliseconds since 1970.
    pub fn started(&self) -> &BTreeMap<Timer, i64> {
        &self.started
    }

    /// How long each timer has run at this moment.
    pub fn patience(&self, now: i64) -> Patience {
        let ran = |(timer, at): (&Timer, &i64)| (timer.clone(), ran_for(*at, now));
        Patience {
            unit: Duration::from_millis(self.unit),
            elapsed: self.started.iter().map(ran).collect(),
        }
    }

    /// Starts the timers that have not been started.
    pub fn start(&mut self, timers: &[Timer], now: i64) {
        for timer in timers {
            self.started.entry(timer.clone()).or_insert(now);
        }
    }

    /// A clock that was set back must not make anybody wait until it has caught up: timers that
    /// start in the future start now.
    pub fn not_after(&mut self, now: i64) {
        for started in self.started.values_mut() {
            *started = now.min(*started);
        }
    }

    /// Forgets the timers of slots that are no longer open under the charter.
    pub fn keep_open(&mut self, tally: &Tally, charter: EntryId) {
        self.started.retain(|timer, _| {
            let chain = tally.chain(&timer.slot.subject);
            timer.charter == charter && chain.is_some_and(|chain| chain.next == timer.slot)
        });
    }
}

/// How long a timer has run. Zero if the clock was set back since.
fn ran_for(started: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(now.saturating_sub(started)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_runs_by_any_clock() {
        for (started, now, ran) in [
            (5, 7, 2),
            (7, 5, 0),
            (-9, -4, 5),
            (-9, 4, 13),
            (i64::MIN, i64::MAX, i64::MAX as u64),
        ] {
            assert_eq!(
                ran_for(started, now),
                Duration::from_millis(ran),
                "{started} {now}"
            );
        }
    }
}
