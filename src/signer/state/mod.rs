//! Durably records what one key has signed for one ledger on this machine.
//!
//! The record is outside of any clone. So a clone that was lost or restored from an old copy cannot
//! make its owner sign a second, contradicting entry. There are two guarantees:
//!
//! - While a [`SignState`] exists, no other process on this machine signs with this key.
//! - When [`SignState::record`] returns, the record is on disk. An entry that is published only
//!   after that is never forgotten.
//!
//! Does not know what an entry means, nor which entry would be wrong to sign. The caller decides
//! that.

mod error;
mod log;
mod record;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::private_fs;
use crate::fault;
use crate::id::{Digest, EntryId};

pub use error::StateError;
use log::Log;
pub use record::{MAX_RAW, Repair, SignedRecord};

/// The pause before another attempt to lock.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The sign state of one key for one ledger. The value holds the lock until it is dropped.
#[derive(Debug)]
pub struct SignState {
    log: Log,
    repair: Option<Repair>,
    _lock: Lock,
}

impl SignState {
    /// Opens the sign state of the key `public` for `ledger` in the directory `root`, or creates
    /// it. Waits up to `wait` for another process that has it open.
    ///
    /// # Errors
    /// If another process keeps the lock, the log is damaged, or a file cannot be used. The caller
    /// must not sign then.
    pub fn open(
        root: &Path,
        ledger: EntryId,
        public: [u8; 32],
        wait: Duration,
    ) -> Result<Self, StateError> {
        let dir = root.join(dir_name(ledger, public));
        private_fs::create_dir(&dir).map_err(StateError::io("create the directory", &dir))?;
        private_fs::close_dir(&dir).map_err(StateError::io("close to others", &dir))?;
        fault::point("state.made");
        let lock = lock(&dir.join("lock"), wait)?;
        fault::point("state.locked");
        let (log, repair) = Log::open(&dir.join("signed.log"))?;
        sync_dirs(&dir, root)?;
        Ok(Self {
            log,
            repair,
            _lock: lock,
        })
    }

    /// Returns what opening repaired. `None` if nothing was wrong.
    pub fn repair(&self) -> Option<Repair> {
        self.repair
    }

    /// Returns the last record. `None` if nothing was signed yet.
    pub fn last(&self) -> Option<&SignedRecord> {
        self.log.last()
    }

    /// Returns all records, oldest first. A restored clone gets its missing entries from them.
    ///
    /// # Errors
    /// If the log cannot be read, or any record is damaged.
    pub fn records(&self) -> Result<Vec<SignedRecord>, StateError> {
        self.log.records()
    }

    /// Appends a record. When this returns `Ok`, the record is on disk and the entry may be
    /// published.
    ///
    /// # Errors
    /// If the record contradicts itself, its sequence number is not above the last one, or it
    /// cannot be written. The entry must not be published then.
    pub fn record(&mut self, record: &SignedRecord) -> Result<(), StateError> {
        self.log.append(record)
    }
}

/// Returns the directory name for one key and one ledger. The key is hashed, so that both parts of
/// the name look alike.
fn dir_name(ledger: EntryId, public: [u8; 32]) -> String {
    let first_16 = |hex: String| hex.chars().take(16).collect::<String>();
    format!(
        "{}-{}",
        first_16(ledger.to_string()),
        first_16(Digest::of(&public).to_string())
    )
}

/// A held lock. It is released explicitly, because closing the file may not be enough: a child
/// process that another thread starts can still have a copy of the file.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A failure has no consequence that the caller could handle, and the file is closed next.
        let _ = self.0.unlock();
    }
}

/// Takes the lock, and waits for it up to `wait`.
///
/// The system releases the lock when the process ends, so a crash leaves no lock behind. The file
/// stays: removing it would let two processes lock two files of the same name.
fn lock(path: &Path, wait: Duration) -> Result<Lock, StateError> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = private_fs::with_mode(options, private_fs::OWNER_ONLY)
        .open(path)
        .map_err(StateError::io("open", path))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock(file)),
            Err(TryLockError::Error(error)) => return Err(StateError::io("lock", path)(error)),
            Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                return Err(StateError::Busy {
                    path: path.to_owned(),
                    waited: wait,
                });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(RETRY_PAUSE.min(wait)),
        }
    }
}

/// Syncs the directories of the sign state to disk.
///
/// This happens every time, because a crash may have come between the creation of a directory and
/// its sync. It is cheap if there is nothing to write.
fn sync_dirs(dir: &Path, root: &Path) -> Result<(), StateError> {
    for path in [dir, root] {
        private_fs::sync_dir(path).map_err(StateError::io("sync the directory", path))?;
    }
    // The directories above may be new as well. Others may own them, so a failure is no reason to
    // refuse.
    for path in root.ancestors().skip(1).take(3) {
        let _ = private_fs::sync_dir(path);
    }
    Ok(())
}

/// The values that decide where sign states are kept. An empty value counts as unset.
///
/// The caller reads them from the environment, or sets them itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateRoot {
    /// The directory to use, usually from `GIT_QUORUM_STATE`. It must be an absolute path.
    pub chosen: Option<PathBuf>,
    /// The user's state directory, usually from `XDG_STATE_HOME`. A relative path is ignored.
    pub xdg_state_home: Option<PathBuf>,
    /// The user's home directory, usually from `HOME`. It must be an absolute path.
    pub home: Option<PathBuf>,
}

impl StateRoot {
    /// Returns the directory for [`SignState::open`]: the chosen one, else `git-quorum` in the
    /// user's state directory, else `.local/state/git-quorum` in the home directory.
    ///
    /// # Errors
    /// If no value is set, or the one that decides is a relative path.
    pub fn resolve(self) -> Result<PathBuf, StateError> {
        let set = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        if let Some(chosen) = set(self.chosen) {
            return absolute("GIT_QUORUM_STATE", chosen);
        }
        // The XDG specification says that a relative path is to be ignored.
        let xdg_state_home = set(self.xdg_state_home).filter(|path| path.is_absolute());
        if let Some(base) = xdg_state_home {
            return Ok(base.join("git-quorum"));
        }
        let home = set(self.home).ok_or(StateError::NoRoot)?;
        Ok(absolute("HOME", home)?.join(".local/state/git-quorum"))
    }
}

/// Refuses a relative path: it would name another directory in every working directory, and so
/// forget what was signed.
fn absolute(name: &'static str, path: PathBuf) -> Result<PathBuf, StateError> {
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(StateError::RelativeRoot { name, path })
    }
}

#[cfg(test)]
mod tests;
