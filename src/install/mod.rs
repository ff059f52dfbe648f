//! Puts the hooks into a repository, beside what is there, and takes them away again. Knows what Git needs to run a hook,
//! and nothing of what the hooks decide.

mod script;
mod server;

use std::path::PathBuf;

use crate::id::EntryId;
use crate::repo::{Repo, RepoError};

pub use server::{Installed, ServerOptions, install_server};

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum InstallError {
    #[error("{} has a working tree: the server gate is for bare repositories", .0.display())]
    NotBare(PathBuf),
    #[error("the repository is {0}: what it does not hold cannot be checked")]
    Incomplete(&'static str),
    #[error("core.hooksPath is {0}: Git would not run the hook in {hooks}", hooks = .1.display())]
    HooksPath(String, PathBuf),
    #[error("{} is there and is not ours", .0.display())]
    ForeignHook(PathBuf),
    #[error("no ledger is here, and none was named")]
    NoLedger,
    #[error("several ledgers are here: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Several(Vec<EntryId>),
    #[error("ledger {pinned} is pinned here already")]
    OtherLedger { pinned: String },
    #[error("the ledger here cannot be used: {0}")]
    Ledger(String),
    #[error("the program's path {} cannot stand in a script", .0.display())]
    Program(PathBuf),
    #[error("{} could not be written: {source}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} cannot be made executable here: Git would ignore it", .0.display())]
    NotExecutable(PathBuf),
    #[error(transparent)]
    Repo(#[from] RepoError),
}

/// Sets a setting that has another value, and notes the change.
fn set(repo: &Repo, key: &str, value: &str, changes: &mut Vec<String>) -> Result<(), InstallError> {
    if repo.config(key)?.as_deref() != Some(value) {
        repo.set_config(key, value)?;
        changes.push(format!("{key} = {value}"));
    }
    Ok(())
}
