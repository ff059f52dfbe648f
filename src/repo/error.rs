//! Why a repository could not be opened, read or written.

use std::io;
use std::path::PathBuf;

use super::git::{self, GitError};
use crate::id::Oid;

/// Why a repository could not be opened, read or written.
///
/// `Display` says what happened and why. [`RepoError::remedy`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// There is no repository at the path.
    #[error("there is no Git repository at {}: {message}", .dir.display())]
    NotARepository {
        /// The path.
        dir: PathBuf,
        /// Git's message.
        message: String,
    },
    /// The object format of the repository is not SHA-1.
    #[error(
        "the repository {} uses the object format {format:?}, but only SHA-1 is supported",
        .dir.display()
    )]
    ObjectFormat {
        /// The repository.
        dir: PathBuf,
        /// Its object format.
        format: String,
    },
    /// The path of the repository is not UTF-8.
    #[error("the path {} is not UTF-8, but the object database needs UTF-8", .0.display())]
    Path(PathBuf),
    /// A git command failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The object database reported an error.
    #[error("the object database could not {action}: {message}")]
    Database {
        /// The operation, as in "read 1234...".
        action: String,
        /// The message of the object database.
        message: String,
    },
    /// A needed object is not in the repository.
    #[error("object {0} is missing in this repository")]
    Missing(Oid),
    /// A needed commit is beyond the boundary of a shallow clone.
    #[error("commit {0} is beyond the boundary of this shallow clone")]
    Shallow(Oid),
    /// An object is malformed or has the wrong kind.
    #[error("object {oid} cannot be used: {why}")]
    Malformed {
        /// The object.
        oid: Oid,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An object or a change exceeds a limit.
    #[error("object {oid} exceeds a limit: {what}")]
    TooLarge {
        /// The object that exceeds the limit.
        oid: Oid,
        /// The limit, as in "at most 128 components in a path".
        what: String,
    },
    /// A name is invalid, or could be taken for an option.
    #[error("{what} {name:?} is not allowed")]
    Name {
        /// What the name is for, as in "the remote".
        what: &'static str,
        /// The name, without unprintable characters.
        name: String,
    },
    /// A file of the repository could not be read.
    #[error("could not read {}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The configuration file of the repository could not be changed.
    #[error("could not change {}: {source}", .path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// The system's error. `AlreadyExists` if another process kept the lock.
        source: io::Error,
    },
}

impl RepoError {
    /// Returns what the user can do next. `None` if the error itself says all there is to say.
    pub fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Self::NotARepository { .. } => "run it inside a repository, or name one".to_owned(),
            Self::ObjectFormat { .. } => {
                "use a SHA-1 repository: git init --object-format=sha1".to_owned()
            }
            Self::Path(_) => "move the repository to a path in UTF-8".to_owned(),
            Self::Git(error) => return error.remedy(),
            Self::Database { .. } | Self::Malformed { .. } => {
                "check the repository: git fsck".to_owned()
            }
            Self::Missing(_) => "fetch the object, or work in a complete clone".to_owned(),
            Self::Shallow(_) => "complete the clone: git fetch --unshallow".to_owned(),
            Self::TooLarge { .. } => "split the change".to_owned(),
            Self::Name { .. } => "choose another name".to_owned(),
            Self::Io { .. } => return None,
            Self::Settings { path, .. } => format!(
                "if no other git command is running, remove {}.lock",
                path.display()
            ),
        };
        Some(remedy)
    }

    /// Whether the system refused to write: the disk is full, or permissions forbid it.
    pub fn cannot_write(&self) -> bool {
        match self {
            Self::Git(error) => error.cannot_write(),
            Self::Database { message, .. } => git::reports_failed_write(message),
            Self::Io { source, .. } | Self::Settings { source, .. } => git::is_failed_write(source),
            _ => false,
        }
    }
}
