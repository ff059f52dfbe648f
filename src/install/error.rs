//! Why an installation or a removal failed. Knows nothing of how it is printed.

use std::path::PathBuf;

use crate::id::EntryId;
use crate::repo::RepoError;

/// Why nothing was installed or removed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum InstallError {
    #[error("{} has a working tree: the server gate is for bare repositories", .0.display())]
    NotBare(PathBuf),
    #[error("{} has no working tree: it is a server, or a mirror", .0.display())]
    Bare(PathBuf),
    #[error("the repository is {0}: what it does not hold cannot be checked")]
    Incomplete(&'static str),
    #[error("core.hooksPath is {0}: Git would not run the hook in {hooks}", hooks = .1.display())]
    HooksPath(String, PathBuf),
    #[error("{} is a link: what is put there would be in other repositories too", .0.display())]
    LinkedHooks(PathBuf),
    #[error("{} is there and is not ours", .0.display())]
    ForeignHook(PathBuf),
    #[error("{original} was here before git-quorum, and {hook} has taken its place meanwhile: only one can go on", hook = .hook.display(), original = .original.display())]
    TwoHooks { hook: PathBuf, original: PathBuf },
    #[error("{from} is in the folder of git-quorum's own hooks and is not ours", from = .from.display())]
    InOurFolder { from: PathBuf, to: PathBuf },
    #[error("Git would not run the hooks of git-quorum: {0}")]
    NotRun(String),
    #[error("no ledger is here, and none was named")]
    NoLedger,
    #[error("several ledgers are here: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Several(Vec<EntryId>),
    #[error("ledger {pinned} is pinned here already")]
    OtherLedger { pinned: String },
    #[error("the ledger here cannot be used: {0}")]
    Ledger(String),
    #[error("the path {} cannot stand in a script", .0.display())]
    Path(PathBuf),
    #[error("{} could not be written: {source}", .path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} cannot be made executable here: Git would ignore it", .0.display())]
    NotExecutable(PathBuf),
    #[error(transparent)]
    Repo(#[from] RepoError),
}
