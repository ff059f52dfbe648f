//! Timers of all members that use a clone, in one file in its Git directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::timers::Timers;
use super::{Code, NextStep};
use crate::charter::MemberName;
use crate::consensus::{Slot, Timer, TimerEvent};
use crate::fault;
use crate::id::EntryId;
use crate::repo::Repo;

/// Patience for round 0 when nothing is configured, in milliseconds.
const DEFAULT_UNIT: u64 = 60_000;

/// A started timer, as the file holds it.
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

/// The file, and what it holds of other members and ledgers.
pub(super) struct TimerFile {
    path: PathBuf,
    ledger: EntryId,
    member: MemberName,
    others: Vec<Stored>,
}

impl TimerFile {
    /// Reads the timers of one member. A file that cannot be read counts as empty.
    pub fn open(repo: &Repo, ledger: EntryId, member: &MemberName) -> Result<(Self, Timers)> {
        let path = repo.git_dir().join("quorum").join("timers.json");
        let bytes = fs::read(&path).unwrap_or_default();
        let stored: Vec<Stored> = serde_json::from_slice(&bytes).unwrap_or_default();
        let unit = match repo.config("quorum.patience")? {
            Some(text) => parse_unit(&text)?,
            None => DEFAULT_UNIT,
        };
        let (mine, others): (Vec<_>, Vec<_>) = stored
            .into_iter()
            .partition(|s| s.ledger == ledger && s.member == *member);
        let started: BTreeMap<_, _> = mine
            .iter()
            .filter_map(|s| Some((s.timer()?, s.started)))
            .collect();
        let file = Self {
            path,
            ledger,
            member: member.clone(),
            others,
        };
        Ok((file, Timers::new(unit, started)))
    }

    /// Writes the timers, and keeps those of other members and ledgers.
    pub fn save(&self, timers: &Timers) -> Result<()> {
        let mine = timers
            .started()
            .iter()
            .map(|(timer, at)| self.stored(timer, *at));
        let all: Vec<_> = mine.chain(self.others.iter().cloned()).collect();
        self.write(&all).map_err(|e| Error::file(&self.path, e))
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
    /// `None` for a subject that this program does not know.
    fn timer(&self) -> Option<Timer> {
        let event = if self.entered {
            TimerEvent::Entered
        } else {
            TimerEvent::Voted
        };
        let slot = Slot {
            subject: self.subject.parse().ok()?,
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

/// A number of seconds, or of milliseconds with `ms` after it. Returns milliseconds.
fn parse_unit(text: &str) -> Result<u64> {
    let parsed = match text.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse().ok(),
        None => {
            let seconds = text.strip_suffix('s').unwrap_or(text).parse::<u64>().ok();
            seconds.and_then(|s| s.checked_mul(1000))
        }
    };
    parsed.ok_or_else(|| {
        let message = format!("quorum.patience is {text:?}, which is not a number of seconds.");
        Error::new(Code::BadConfig, message).next(NextStep::SetPatience)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_given_in_seconds_or_milliseconds() {
        for (text, unit) in [("60", 60_000), ("2s", 2000), ("500ms", 500), ("0", 0)] {
            assert_eq!(parse_unit(text).unwrap(), unit, "{text}");
        }
        for text in ["", "-1", "1.5", "5m", "18446744073709551615"] {
            assert_eq!(
                parse_unit(text).unwrap_err().code,
                Code::BadConfig,
                "{text}"
            );
        }
    }
}
