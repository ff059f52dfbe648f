//! Why an installation or a removal failed. Knows nothing of how it is printed.

use std::path::PathBuf;

use crate::id::EntryId;
use crate::repo::RepoError;

/// Why an installation or a removal failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum InstallError {
    #[error("{} has a working tree, and the server gate needs a bare repository", .0.display())]
    NotBare(PathBuf),
    #[error("{} has no working tree, so it is a server or a mirror", .0.display())]
    Bare(PathBuf),
    #[error("the repository is {0}, so what it lacks cannot be checked")]
    Incomplete(&'static str),
    #[error("core.hooksPath is {0}, so Git would not run the hook in {hooks}", hooks = .1.display())]
    HooksPath(String, PathBuf),
    #[error("{} is a link, so a hook there would be in other repositories too", .0.display())]
    LinkedHooks(PathBuf),
    #[error("{} exists and does not belong to git-quorum", .0.display())]
    ForeignHook(PathBuf),
    #[error("{original} was here before git-quorum, and {hook} has taken its place, but only one of the two can run", hook = .hook.display(), original = .original.display())]
    TwoHooks { hook: PathBuf, original: PathBuf },
    #[error("{from} is in the folder of git-quorum's own hooks and does not belong to git-quorum", from = .from.display())]
    InOurFolder { from: PathBuf, to: PathBuf },
    #[error("Git would not run the hooks of git-quorum: {0}")]
    NotRun(String),
    #[error("this repository holds no ledger, and none was named")]
    NoLedger,
    #[error("this repository holds several ledgers: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Several(Vec<EntryId>),
    #[error("ledger {pinned} is already pinned in this repository")]
    OtherLedger { pinned: String },
    #[error("the ledger in this repository cannot be used: {0}")]
    Ledger(String),
    #[error("the path {} cannot be written into a script", .0.display())]
    Path(PathBuf),
    #[error("{} could not be written: {source}", .path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} cannot be made executable, so Git would ignore it", .0.display())]
    NotExecutable(PathBuf),
    #[error(transparent)]
    Repo(#[from] RepoError),
}
