//! Turns what can go wrong in the rooms below into failures with codes, statuses and hints.

use super::{Exit, Failure};
use crate::repo::{GitError, RefError, RepoError, TransportError};
use crate::signer::SignerError;
use crate::signer::state::StateError;
use crate::store::{AppendError, ExchangeError, LoadError};

impl From<RepoError> for Failure {
    fn from(error: RepoError) -> Self {
        match &error {
            RepoError::NotARepository { .. } => Failure::new("NO_REPOSITORY", error.to_string())
                .exit(Exit::NotFound)
                .hint("run it inside a clone, or with -C DIR"),
            RepoError::ObjectFormat { .. } => Failure::new("OBJECT_FORMAT", error.to_string())
                .hint("work in a SHA-1 repository: git init --object-format=sha1"),
            RepoError::Git(GitError::Locked { .. }) => locked(error.to_string(), error.remedy()),
            RepoError::Settings { source, .. }
                if source.kind() == std::io::ErrorKind::AlreadyExists =>
            {
                locked(error.to_string(), error.remedy())
            }
            _ => git_failed(&error),
        }
    }
}

/// Git failed; if it could not write, that is what must be mended.
fn git_failed(error: &RepoError) -> Failure {
    let message = error.to_string();
    if !error.cannot_write() {
        let failure = Failure::new("GIT", message);
        return match error.remedy() {
            Some(remedy) => failure.hint(remedy),
            None => failure,
        };
    }
    Failure::new("CANNOT_WRITE", message).hint(
        "make room there or correct the permissions, and run the command again; what was signed is kept and published then",
    )
}

/// Somebody else is at work here, or was killed in the middle of it.
fn locked(message: String, remedy: Option<String>) -> Failure {
    let again = "run the command again; what was signed is kept and published then";
    let hint = match remedy {
        Some(remedy) => format!("{remedy}; {again}"),
        None => again.to_owned(),
    };
    Failure::new("LOCKED", message)
        .exit(Exit::Conflict)
        .hint(hint)
}

impl From<RefError> for Failure {
    fn from(error: RefError) -> Self {
        let message = error.to_string();
        let remedy = error.remedy();
        match error {
            RefError::Conflict { .. } => Failure::new("REF_MOVED", message)
                .exit(Exit::Conflict)
                .hint("something else moved the ref: run the command again"),
            RefError::Locked { .. } => locked(message, remedy),
            RefError::Refused { .. } => Failure::new("REF_REFUSED", message).exit(Exit::No),
            RefError::Other(error) => error.into(),
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        let message = error.to_string();
        match error {
            TransportError::Unreachable { .. } => Failure::new("UNREACHABLE", message)
                .exit(Exit::Conflict)
                .hint("try again when the remote can be reached, or work with --local and run `git quorum sync` later"),
            TransportError::Other(error) => error.into(),
            _ => Failure::new("TRANSPORT", message),
        }
    }
}

impl From<ExchangeError> for Failure {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Transport(error) => error.into(),
            ExchangeError::Repo(error) => error.into(),
            ExchangeError::Ref(error) => error.into(),
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let message = error.to_string();
        match error {
            LoadError::Repo(error) => error.into(),
            LoadError::NoLedger => Failure::new("NO_LEDGER", message)
                .exit(Exit::NotFound)
                .hint("`git quorum join --as NAME --key FILE` takes part in the remote's ledger; `git quorum init` founds one"),
            LoadError::Several(_) => Failure::new("SEVERAL_LEDGERS", message)
                .exit(Exit::Unverified)
                .hint("git quorum join --genesis ID"),
            LoadError::Genesis { .. } => Failure::new("BAD_GENESIS", message)
                .exit(Exit::Unverified)
                .hint("the refs under refs/quorum/ were tampered with, or another ledger is pinned in quorum.ledger"),
            LoadError::UpgradeNeeded(_) => Failure::new("UPGRADE_NEEDED", message)
                .exit(Exit::Unverified)
                .hint("install a newer git-quorum"),
        }
    }
}

impl From<SignerError> for Failure {
    fn from(error: SignerError) -> Self {
        let failure = Failure::new("KEY", error.to_string());
        match error.remedy() {
            Some(remedy) => failure.hint(remedy),
            None => failure,
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let failure = Failure::new("SIGN_STATE", error.to_string());
        match error.remedy() {
            Some(remedy) => failure.hint(remedy),
            None => failure,
        }
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        let message = error.to_string();
        match error {
            AppendError::Repo(error) => error.into(),
            AppendError::Ref(error) => error.into(),
            AppendError::Signer(error) => error.into(),
            AppendError::State(error) => error.into(),
            AppendError::Entry(_) => Failure::new("BAD_INPUT", message).exit(Exit::Usage),
            AppendError::Behind { .. } => Failure::new("SIGN_STATE_AHEAD", message)
                .exit(Exit::Conflict)
                .hint("fetch from the remote or clone that has it: git quorum sync --remote NAME"),
        }
    }
}
