//! Git itself: the only room that starts `git` or opens an object database. Knows nothing of
//! entries, charters or deciding.

pub mod change;
mod discover;
pub mod git;
pub mod merge;
pub mod objects;
pub mod refs;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
pub mod transport;
mod tree;

use std::path::{Path, PathBuf};

pub use git::{Environment, GitError, clean_text};
pub use merge::{Ident, MergeOutcome};
pub use objects::{Object, ObjectKind, Objects};
pub use refs::{Expect, RefEdit, RefError, RefValue, valid_ref_name};
pub use transport::{PushReport, PushStatus, TransportError};

use crate::id::Oid;
use git::GitCommand;

/// Why a repository could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// There is no repository there.
    #[error("no Git repository at {}: {message}; run this inside a repository, or name one", .dir.display())]
    NotARepository {
        /// Where it was looked for.
        dir: PathBuf,
        /// What git said.
        message: String,
    },
    /// Its object format is not SHA-1.
    #[error("the repository {} uses the object format {format:?}, which cannot be read yet; use a SHA-1 repository (`git init --object-format=sha1`)", .dir.display())]
    ObjectFormat {
        /// The repository.
        dir: PathBuf,
        /// The format that it says it has.
        format: String,
    },
    /// The path cannot be handed to the object database.
    #[error("the path {} is not UTF-8, which the object database needs; move the repository", .0.display())]
    Path(PathBuf),
    /// A git command failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The object database reported an error.
    #[error("could not {action} in the object database: {message}; `git fsck` may say more")]
    Database {
        /// What was tried.
        action: String,
        /// What it said.
        message: String,
    },
    /// An object that is needed is not here.
    #[error("object {0} is missing here; fetch it, or work in a complete clone")]
    Missing(Oid),
    /// The history that is needed is cut off here.
    #[error(
        "commit {0} is beyond the boundary of this shallow clone; run `git fetch --unshallow` first"
    )]
    Shallow(Oid),
    /// An object does not have the form that it must have.
    #[error("object {oid} cannot be used: {why}; `git fsck` may say more")]
    Malformed {
        /// The object.
        oid: Oid,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A listing goes over a limit.
    #[error("tree {oid} goes over a limit: {what}; split the change")]
    TooLarge {
        /// The tree at which the limit was met.
        oid: Oid,
        /// The limit.
        what: String,
    },
    /// A name that Git or this program cannot take.
    #[error("{what} {name:?} is not allowed; choose another one")]
    Name {
        /// What kind of name it is.
        what: &'static str,
        /// The name, cleaned.
        name: String,
    },
    /// A file of the repository could not be read.
    #[error("could not read {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A Git repository, found and checked.
#[derive(Debug, Clone)]
pub struct Repo {
    common_dir: PathBuf,
    own_dir: PathBuf,
    work_dir: PathBuf,
    bare: bool,
    env: Environment,
}

impl Repo {
    /// The repository that `start` lies in, found as git finds it: from a subfolder, from a linked
    /// worktree, in a bare repository. `GIT_DIR` has no say.
    pub fn discover(start: &Path) -> Result<Repo, RepoError> {
        Self::discover_with(start, Environment::of_process())
    }

    /// The repository whose git directory this is.
    pub fn open(git_dir: &Path) -> Result<Repo, RepoError> {
        Self::open_with(git_dir, Environment::of_process())
    }

    /// As [`Repo::discover`], with an environment for all that is run in it.
    pub fn discover_with(start: &Path, env: Environment) -> Result<Repo, RepoError> {
        discover::repo(GitCommand::new(&env, start, "rev-parse"), start, env)
    }

    /// As [`Repo::open`], with an environment for all that is run in it.
    pub fn open_with(git_dir: &Path, env: Environment) -> Result<Repo, RepoError> {
        let absolute = std::path::absolute(git_dir).map_err(|source| RepoError::Io {
            path: git_dir.to_owned(),
            source,
        })?;
        let command = GitCommand::new(&env, &absolute, "rev-parse").git_dir(&absolute);
        discover::repo(command, &absolute, env)
    }

    /// The git directory that all worktrees share.
    pub fn git_dir(&self) -> &Path {
        &self.common_dir
    }

    /// The git directory of this worktree, where its `HEAD` is.
    pub fn worktree_git_dir(&self) -> &Path {
        &self.own_dir
    }

    /// The top folder of the working tree; the git directory where there is none.
    pub fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    /// Whether it has no working tree.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// Whether its history is cut off.
    pub fn is_shallow(&self) -> bool {
        self.common_dir.join("shallow").exists()
    }

    /// The environment that its commands run in.
    pub fn environment(&self) -> &Environment {
        &self.env
    }

    /// Where a push that is being received keeps its objects, when we run inside its hook.
    /// Refs cannot be updated then.
    pub fn quarantine(&self) -> Option<PathBuf> {
        let path = PathBuf::from(self.env.get("GIT_QUARANTINE_PATH")?);
        let parent = path.parent()?.canonicalize().ok()?;
        (parent == self.common_dir.join("objects").canonicalize().ok()?).then_some(path)
    }

    /// The commit that a revision names: a branch, a tag, an id, `HEAD~2`. `None` when it names none.
    pub fn resolve(&self, rev: &str) -> Result<Option<Oid>, RepoError> {
        if rev.is_empty() || rev.starts_with('^') || rev.contains('\0') {
            return Ok(None);
        }
        let output = self
            .git("rev-parse")
            .args(["--verify", "--quiet", "--end-of-options"])
            .arg(format!("{rev}^{{commit}}"))
            .output()?;
        match output.status.code() {
            Some(0) => Ok(Some(parse_oid("rev-parse", output.stdout.trim_ascii())?)),
            Some(1 | 128) => Ok(None),
            _ => Err(git::failed("rev-parse", &output).into()),
        }
    }

    /// A git command in this repository.
    fn git(&self, name: &'static str) -> GitCommand {
        let command = GitCommand::new(&self.env, &self.work_dir, name).git_dir(&self.own_dir);
        match self.quarantine() {
            Some(path) => command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&path)),
            None => command,
        }
    }
}

/// A path for a list of paths, quoted so that a colon in it does not split it.
fn quoted(path: &Path) -> std::ffi::OsString {
    let text = path.to_string_lossy();
    if text.contains([':', '"', '\\', '\n']) {
        let escaped = text
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        return format!("\"{escaped}\"").into();
    }
    path.into()
}

/// An object id in an answer of git.
fn parse_oid(command: &'static str, text: &[u8]) -> Result<Oid, GitError> {
    let parsed = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
    parsed.ok_or_else(|| git::unreadable(command, text))
}
