//! Time as a value that the caller provides.
//!
//! Rules of deciding never read a clock. A member's tool needs one for two things: the time that
//! an entry claims, and how long it has waited for others.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ledger::limits;

/// Where a [`Writer`](super::Writer) gets the time from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970. A wrong clock may return a negative number.
    fn now(&self) -> i64;

    /// The time that a new entry claims, in seconds since 1970.
    fn entry_time(&self) -> u64 {
        u64::try_from(self.now() / 1000)
            .unwrap_or(0)
            .min(limits::TIME)
    }

    /// Waits for this long.
    fn sleep(&self, pause: Duration);
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock {
    /// The time that entries claim, in seconds since 1970, for runs that must be repeatable.
    /// `None` means the time of the clock.
    pub fixed_entry_time: Option<u64>,
}

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        }
    }

    fn entry_time(&self) -> u64 {
        let now = u64::try_from(self.now() / 1000).unwrap_or(0);
        self.fixed_entry_time.unwrap_or(now).min(limits::TIME)
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}
