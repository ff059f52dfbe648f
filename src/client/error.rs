//! Why an action failed: a stable code, a message, and a typed next step.

use serde_json::Value;

use super::code::{Code, Exit, Retry};
use super::next::NextStep;
use crate::repo::{GitError, RefError, RepoError, TransportError};
use crate::signer::SignerError;
use crate::signer::state::StateError;
use crate::store::{AppendError, ExchangeError, LoadError};

/// Why an action failed.
#[derive(Debug)]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// What happened and why, in full sentences and without commands.
    pub message: String,
    /// What to do next. `None` means what is usual for the code.
    pub next: Option<Box<NextStep>>,
    /// What the user can do about a file, a key, an ssh-agent or git, in words. `None` if the
    /// cause does not say.
    pub remedy: Option<String>,
    /// What was found, where a program needs more than the message.
    pub details: Option<Box<Value>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of an action.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with the next step that is usual for its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            next: None,
            remedy: None,
            details: None,
            source: None,
        }
    }

    /// A bug of git-quorum: something is missing that must be there.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }

    /// The same error with a next step.
    pub fn next(self, next: NextStep) -> Self {
        Self {
            next: Some(Box::new(next)),
            ..self
        }
    }

    /// The same error with details for programs.
    pub fn details(self, details: impl serde::Serialize) -> Self {
        Self {
            details: serde_json::to_value(details).ok().map(Box::new),
            ..self
        }
    }

    /// An error that a file caused.
    pub fn file(path: &std::path::Path, error: std::io::Error) -> Self {
        Self::new(Code::Io, format!("{}: {error}.", path.display())).caused_by(error)
    }

    /// The exit status of a command that ends with this error.
    pub fn exit(&self) -> Exit {
        self.code.exit()
    }

    /// Whether the same request can succeed later.
    pub fn retry(&self) -> Retry {
        self.code.retry()
    }

    fn caused_by(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Box::new(source)),
            ..self
        }
    }

    fn remedied(self, remedy: Option<String>) -> Self {
        Self { remedy, ..self }
    }

    pub(super) fn of(code: Code, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(code, source.to_string()).caused_by(source)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

impl From<RepoError> for Error {
    fn from(error: RepoError) -> Self {
        let code = match &error {
            RepoError::NotARepository { .. } => Code::NoRepository,
            RepoError::ObjectFormat { .. } => Code::ObjectFormat,
            RepoError::Git(GitError::Locked { .. }) => Code::Locked,
            RepoError::Settings { source, .. }
                if source.kind() == std::io::ErrorKind::AlreadyExists =>
            {
                Code::Locked
            }
            error if error.cannot_write() => Code::CannotWrite,
            _ => Code::Git,
        };
        // For the other codes, the usual next step says more.
        let remedy = match code {
            Code::Locked | Code::Git => error.remedy(),
            _ => None,
        };
        Error::of(code, error).remedied(remedy)
    }
}

impl From<RefError> for Error {
    fn from(error: RefError) -> Self {
        let code = match &error {
            RefError::Conflict { .. } => Code::RefMoved,
            RefError::Locked { .. } => Code::Locked,
            RefError::Refused { .. } => Code::RefRefused,
            RefError::Other(_) => Code::Git,
        };
        match error {
            RefError::Other(error) => error.into(),
            RefError::Locked { .. } => {
                let remedy = error.remedy();
                Error::of(code, error).remedied(remedy)
            }
            error => Error::of(code, error),
        }
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Other(error) => error.into(),
            TransportError::Unreachable { .. } => Error::of(Code::Unreachable, error),
            error => Error::of(Code::Transport, error),
        }
    }
}

impl From<ExchangeError> for Error {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Transport(error) => error.into(),
            ExchangeError::Repo(error) => error.into(),
            ExchangeError::Ref(error) => error.into(),
        }
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Repo(error) => error.into(),
            LoadError::NoLedger => Error::of(Code::NoLedger, error).next(NextStep::JoinOrInit),
            LoadError::Several(_) => {
                Error::of(Code::SeveralLedgers, error).next(NextStep::JoinGenesis(None))
            }
            LoadError::Genesis { .. } => Error::of(Code::BadGenesis, error),
            LoadError::UpgradeNeeded(_) => Error::of(Code::UpgradeNeeded, error),
        }
    }
}

impl From<SignerError> for Error {
    fn from(error: SignerError) -> Self {
        let remedy = error.remedy();
        Error::of(Code::Key, error).remedied(remedy)
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        let remedy = error.remedy();
        Error::of(Code::SignState, error).remedied(remedy)
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Repo(error) => error.into(),
            AppendError::Ref(error) => error.into(),
            AppendError::Signer(error) => error.into(),
            AppendError::State(error) => error.into(),
            AppendError::Entry(_) => Error::of(Code::BadInput, error),
            AppendError::Behind { .. } => {
                Error::of(Code::SignStateAhead, error).next(NextStep::SyncWithAnother)
            }
        }
    }
}

/// A path as a setting can hold it: absolute and UTF-8.
pub(super) fn path_setting(path: &std::path::Path) -> Result<String> {
    if !path.is_absolute() {
        let message = format!("{} is not an absolute path.", path.display());
        return Err(Error::new(Code::BadPath, message));
    }
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::new(Code::BadPath, format!("{path:?} is not UTF-8.")))
}
