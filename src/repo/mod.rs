//! Access to Git repositories: objects, refs, settings, remotes. Only this module starts `git` or
//! opens an object database.
//!
//! Knows nothing of entries, charters or consensus.

mod bundle;
pub mod change;
mod discover;
mod error;
pub mod git;
mod hold;
mod hooks;
pub mod merge;
pub mod objects;
mod packed;
pub mod refs;
mod repository;
mod settings;
mod settings_cache;
mod symbolic;
#[cfg(test)]
pub(crate) mod testing;
mod text;
pub mod transport;
mod tree;
mod watch;

pub use bundle::{Bundle, BundleError};
pub use error::RepoError;
pub use git::{Environment, GitError, is_executable};
pub use hold::Held;
pub use hooks::HOOKS_PATH;
pub use merge::{Ident, MergeOutcome};
pub use objects::{Object, ObjectKind, Objects, commit_id};
pub use refs::{Expect, RefEdit, RefError, RefValue, valid_ref_name};
pub use repository::Repo;
pub use symbolic::Target;
pub use text::{clean_text, is_unprintable};
pub use transport::{PushReport, PushStatus, TransportError};
pub use watch::{Progress, Watch, Watcher};
