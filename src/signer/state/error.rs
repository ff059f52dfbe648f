//! Why there is no sign state to sign with. Each of these means: nothing was signed or sent.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is wrong with the sign state, where, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The operating system refused something.
    #[error("cannot {what} {}: {source}; nothing was signed: make room or correct its permissions, and try again", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Another process has the state open.
    #[error(
        "another git-quorum of this member is running (or stuck): {} was still locked after {} s; wait for it, or find \
         it and end it (the lock goes with its process; do not remove the file)",
        path.display(),
        waited.as_secs_f32()
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// A line of the log is not what was written.
    #[error(
        "{}, line {line}: {problem}; this file is what keeps the key from signing twice, so nothing is signed: restore \
         it from a backup, and if there is none, retire the key (a charter change with a new one) instead of editing it",
        path.display()
    )]
    Corrupt {
        /// The log.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A record that contradicts itself.
    #[error(
        "the entry to record contradicts itself: {0}; it was not recorded and must not be published"
    )]
    Inconsistent(String),
    /// A record that is not newer than the last one.
    #[error(
        "{}: an entry with sequence number {last} is recorded already, so number {seq} is not signed: this clone does \
         not know what the member has signed; fetch its lane, or restore it from the sign state",
        path.display()
    )]
    NotNewer {
        /// The log.
        path: PathBuf,
        /// The sequence number asked for.
        seq: u64,
        /// The one of the last record.
        last: u64,
    },
    /// Somebody wrote to the log behind the lock, or a failed write could not be taken back.
    #[error("{} is not as this process left it ({problem}); nothing was signed: run the command again", path.display())]
    Changed {
        /// The log.
        path: PathBuf,
        /// What is different.
        problem: &'static str,
    },
    /// No place for the state is known.
    #[error(
        "no place to keep what was signed: none of GIT_QUORUM_STATE, XDG_STATE_HOME and HOME is set; set GIT_QUORUM_STATE to a directory that lasts"
    )]
    NoRoot,
    /// The place depends on the current directory.
    #[error("{name} is {}, which is no absolute path; what was signed would be forgotten in the next folder: set it to an absolute one", path.display())]
    RelativeRoot {
        /// The variable.
        name: &'static str,
        /// Its value.
        path: PathBuf,
    },
}

impl StateError {
    /// Wraps what the system answered to `what` on `path`.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}
