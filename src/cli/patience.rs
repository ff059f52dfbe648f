//! The clock of rule 5: when each timer was started, kept in the clone's git directory. Losing it
//! costs patience, never safety.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::charter::MemberName;
use crate::consensus::{Patience, Slot, Subject, Timer, TimerEvent};
use crate::fault;
use crate::id::EntryId;
use crate::repo::Repo;

/// Patience for round 0 when nothing is configured, in milliseconds.
const DEFAULT_UNIT: u64 = 60_000;

/// A started timer, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    ledger: EntryId,
    member: MemberName,
    charter: EntryId,
    subject: String,
    base: EntryId,
    round: u32,
    entered: bool,
    started: i64,
}

/// Started timers of one member of one ledger.
pub struct Timers {
    path: PathBuf,
    unit: u64,
    ledger: EntryId,
    member: MemberName,
    started: BTreeMap<Timer, i64>,
    others: Vec<Stored>,
}

impl Timers {
    /// Reads the timers; a file that cannot be read is as good as none.
    pub fn open(repo: &Repo, ledger: EntryId, member: &MemberName) -> Result<Self, Failure> {
        let path = repo.git_dir().join("quorum").join("timers.json");
        let stored: Vec<Stored> = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let unit = match repo.config("quorum.patience")? {
            Some(text) => parse_unit(&text)?,
            None => DEFAULT_UNIT,
        };
        let (mine, others): (Vec<_>, Vec<_>) = stored
            .into_iter()
            .partition(|s| s.ledger == ledger && s.member == *member);
        // A clock that was set back since must not make anybody wait until it is there again.
        let now = now();
        let started = mine
            .iter()
            .filter_map(|s| Some((s.timer()?, s.started.min(now))))
            .collect();
        Ok(Self {
            path,
            unit,
            ledger,
            member: member.clone(),
            started,
            others,
        })
    }

    /// How long the timers have run.
    pub fn patience(&self) -> Patience {
        let now = now();
        let ran = |(timer, at): (&Timer, &i64)| (timer.clone(), ran_for(*at, now));
        Patience {
            unit: Duration::from_millis(self.unit),
            elapsed: self.started.iter().map(ran).collect(),
        }
    }

    /// Starts timers that have not been started.
    pub fn start(&mut self, timers: &[Timer]) {
        for timer in timers {
            self.started.entry(timer.clone()).or_insert_with(now);
        }
    }

    /// Writes the timers of slots that are still open.
    pub fn save(&mut self, is_open: impl Fn(&Timer) -> bool) -> Result<(), Failure> {
        self.started.retain(|timer, _| is_open(timer));
        let mine = self
            .started
            .iter()
            .map(|(timer, at)| self.stored(timer, *at));
        let all: Vec<_> = mine.chain(self.others.iter().cloned()).collect();
        self.write(&all)
            .map_err(|e| Failure::new("IO", format!("cannot write {}: {e}", self.path.display())))
    }

    fn stored(&self, timer: &Timer, started: i64) -> Stored {
        Stored {
            ledger: self.ledger,
            member: self.member.clone(),
            charter: timer.charter,
            subject: timer.slot.subject.to_string(),
            base: timer.slot.base,
            round: timer.round,
            entered: timer.event == TimerEvent::Entered,
            started,
        }
    }

    fn write(&self, all: &[Stored]) -> std::io::Result<()> {
        if all.is_empty() && !self.path.exists() {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(all)?)?;
        fault::check("timers.persist")?;
        file.persist(&self.path)?;
        Ok(())
    }
}

impl Stored {
    fn timer(&self) -> Option<Timer> {
        let subject = match self.subject.as_str() {
            "charter" => Subject::Charter,
            name => Subject::Ref(name.parse().ok()?),
        };
        let event = if self.entered {
            TimerEvent::Entered
        } else {
            TimerEvent::Voted
        };
        let slot = Slot {
            subject,
            base: self.base,
        };
        Some(Timer {
            charter: self.charter,
            slot,
            round: self.round,
            event,
        })
    }
}

/// Milliseconds since 1970. A clock that is wrong may show an earlier time; it runs all the same.
fn now() -> i64 {
    let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    }
}

/// How long a timer has run: no time at all if the clock was set back since.
fn ran_for(started: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(now.saturating_sub(started)).unwrap_or(0))
}

/// A number of seconds, or of milliseconds with `ms` after it.
fn parse_unit(text: &str) -> Result<u64, Failure> {
    let parsed = match text.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse().ok(),
        None => text
            .strip_suffix('s')
            .unwrap_or(text)
            .parse::<u64>()
            .ok()
            .and_then(|s| s.checked_mul(1000)),
    };
    parsed.ok_or_else(|| {
        Failure::new(
            "BAD_CONFIG",
            format!("quorum.patience is {text:?}, which is no number of seconds"),
        )
        .hint("git config quorum.patience 60     (seconds, or 500ms)")
    })
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

    #[test]
    fn patience_is_seconds_or_milliseconds() {
        for (text, unit) in [("60", 60_000), ("2s", 2_000), ("500ms", 500), ("0", 0)] {
            assert_eq!(parse_unit(text).unwrap(), unit);
        }
        for bad in ["", "-1", "1m", "s", "99999999999999999999"] {
            assert!(parse_unit(bad).is_err(), "{bad}");
        }
    }
}
