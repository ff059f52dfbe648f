//! The durable sign state: what one key has signed for one ledger on this machine, kept outside
//! any clone, so that a clone that was lost or rolled back cannot make its owner sign twice.
//!
//! Two guarantees. Nobody else signs with this key on this machine while a [`SignState`] is
//! alive; and what [`SignState::record`] was given is on disk when it returns, so an entry that
//! is published only afterwards is never forgotten. It does not know what an entry says, nor
//! which entry would be wrong to sign: its caller compares.

mod error;
mod log;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::private_fs;
use crate::fault;
use crate::id::{Digest, EntryId, Oid};

pub use error::StateError;
use log::Log;

/// The largest raw entry that is recorded.
pub const MAX_RAW: usize = 512 * 1024;

/// How often a lock that another process holds is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// One signed entry, whole: what has to be published again when a first try was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRecord {
    /// Its sequence number.
    pub seq: u64,
    /// Its id.
    pub id: EntryId,
    /// Its commit.
    pub oid: Oid,
    /// The commit's bytes, signature included.
    pub raw: Vec<u8>,
}

/// What a crash in the middle of an append had left at the end of the log, and what became of
/// it when it was opened. To be told, not hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Part of a record, of so many bytes, was cut off. Its signature never left this machine.
    Cut(u64),
    /// A record that was whole but for the newline after it was kept: to remember an entry that
    /// may not have left is safe, to forget one that may have is not.
    Kept,
}

/// The sign state of one key for one ledger. It holds the lock as long as it lives.
#[derive(Debug)]
pub struct SignState {
    log: Log,
    repair: Option<Repair>,
    _lock: Lock,
}

impl SignState {
    /// Opens the state of the key `public` for `ledger` under `root`, new if there is none, and
    /// waits up to `wait` for another process that has it open.
    ///
    /// # Errors
    /// When another process keeps the lock, the log is damaged, or a file cannot be used. Then
    /// nothing must be signed.
    pub fn open(
        root: &Path,
        ledger: EntryId,
        public: [u8; 32],
        wait: Duration,
    ) -> Result<Self, StateError> {
        let dir = root.join(dir_name(ledger, public));
        private_fs::create_dir(&dir).map_err(StateError::io("make the directory", &dir))?;
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

    /// What opening had to repair, if anything.
    pub fn repair(&self) -> Option<Repair> {
        self.repair
    }

    /// The latest record.
    pub fn last(&self) -> Option<&SignedRecord> {
        self.log.last()
    }

    /// All records, oldest first: what a restored clone is made whole with.
    ///
    /// # Errors
    /// When the log cannot be read or any record is damaged.
    pub fn records(&self) -> Result<Vec<SignedRecord>, StateError> {
        self.log.records()
    }

    /// Adds a record. When this returns `Ok`, the record is on disk and its signature may leave.
    ///
    /// # Errors
    /// When the record contradicts itself, its sequence number is not above the last one, or it
    /// cannot be written. Then the signature must not leave.
    pub fn record(&mut self, record: &SignedRecord) -> Result<(), StateError> {
        self.log.append(record)
    }
}

/// The directory of one key in one ledger. The key is hashed for no secrecy, but so that all
/// names are alike.
fn dir_name(ledger: EntryId, public: [u8; 32]) -> String {
    let first_16 = |hex: String| hex.chars().take(16).collect::<String>();
    format!(
        "{}-{}",
        first_16(ledger.to_string()),
        first_16(Digest::of(&public).to_string())
    )
}

/// A lock that is held. It is let go in so many words: to close the file is not enough while a
/// child process that another thread is just starting still has a copy of it.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Nothing to be done about a failure, and closing the file comes next anyway.
        let _ = self.0.unlock();
    }
}

/// The lock, taken within `wait`. It goes with its process, so a crash leaves none behind; the
/// file stays, for to remove it would let two processes lock two files of one name.
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
            Err(TryLockError::WouldBlock) => thread::sleep(RETRY.min(wait)),
        }
    }
}

/// Makes the names of the state durable. Every time, for a crash may have come between the
/// making and the syncing; it costs little when there is nothing to write.
fn sync_dirs(dir: &Path, root: &Path) -> Result<(), StateError> {
    for path in [dir, root] {
        private_fs::sync_dir(path).map_err(StateError::io("sync the directory", path))?;
    }
    // What is above may be new as well, or not be ours to open: no reason to refuse.
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
