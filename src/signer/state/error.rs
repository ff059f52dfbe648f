//! The errors of the sign state. Each of them means that nothing was signed or published.
//!
//! `Display` says what happened and why. [`StateError::remedy`] says what to do next.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the sign state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The operating system refused an operation on a file.
    #[error("cannot {what} {}: {source}; nothing was signed", path.display())]
    Io {
        /// The operation, as in "open".
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process has the sign state open.
    #[error(
        "another git-quorum of this member is running: {} was still locked after {} s",
        path.display(),
        waited.as_secs_f32()
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long this process waited for the lock.
        waited: Duration,
    },
    /// A line of the log is damaged.
    #[error(
        "{}, line {line}: {problem}; this file keeps the key from signing twice, so nothing is \
         signed while it is damaged",
        path.display()
    )]
    Corrupt {
        /// The log.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with the line.
        problem: String,
    },
    /// The record to append contradicts itself.
    #[error(
        "the entry to record contradicts itself: {0}; it was not recorded and must not be published"
    )]
    Inconsistent(String),
    /// The record to append is not newer than the last one.
    #[error(
        "entry number {seq} is not signed, because {} already records number {last}: this clone \
         does not know all that the member has signed",
        path.display()
    )]
    NotNewer {
        /// The log.
        path: PathBuf,
        /// The sequence number of the refused record.
        seq: u64,
        /// The sequence number of the last record.
        last: u64,
    },
    /// The log is not as this process left it.
    #[error("{} changed while it was locked: {problem}; nothing was signed", path.display())]
    Changed {
        /// The log.
        path: PathBuf,
        /// What is different.
        problem: &'static str,
    },
    /// No directory for the sign state is known.
    #[error(
        "there is no directory to record signatures in, because none of GIT_QUORUM_STATE, \
         XDG_STATE_HOME and HOME is set"
    )]
    NoRoot,
    /// The directory for the sign state is a relative path.
    #[error(
        "{name} is the relative path {}, so signatures recorded there would be forgotten in every \
         other working directory",
        path.display()
    )]
    RelativeRoot {
        /// The variable.
        name: &'static str,
        /// Its value.
        path: PathBuf,
    },
}

impl StateError {
    /// Returns what the user can do next. `None` if the error itself says all there is to say.
    pub fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Self::Io { .. } => "make room or correct its permissions, and try again".to_owned(),
            Self::Busy { .. } => "wait for the other process, or find it and end it; do not \
                remove the lock file, because the lock ends with its process"
                .to_owned(),
            Self::Corrupt { .. } => "restore the file from a backup; without a backup, retire the \
                key with a charter change that names a new one, and do not edit the file"
                .to_owned(),
            Self::Inconsistent(_) => return None,
            Self::NotNewer { .. } => {
                "fetch the member's lane, or restore it from the sign state".to_owned()
            }
            Self::Changed { .. } => "run the command again".to_owned(),
            Self::NoRoot => "set GIT_QUORUM_STATE to a directory that lasts".to_owned(),
            Self::RelativeRoot { name, .. } => format!("set {name} to an absolute path"),
        };
        Some(remedy)
    }

    /// Returns a function that wraps the system's error about the operation `what` on `path`.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}
