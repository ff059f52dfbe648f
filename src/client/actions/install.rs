//! Installing hooks in a repository, and removing them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::session::choose_remote;
use crate::client::{Code, NextStep, Note};
use crate::id::EntryId;
use crate::install::{
    self, CloneOptions, InstallError, InstalledClone, InstalledServer, ServerOptions, Uninstalled,
};
use crate::repo::Repo;

/// What to install.
#[derive(Debug, Clone)]
pub enum Install {
    /// The hooks of a clone.
    Clone {
        /// The program that the hooks call, as an absolute path.
        program: PathBuf,
        /// The remote to fetch lanes from. `None` means the usual remote.
        remote: Option<String>,
    },
    /// The gate of a server.
    Server {
        /// The program that the hooks call, as an absolute path.
        program: PathBuf,
        /// The ledger to pin. `None` means the one that is there.
        ledger: Option<EntryId>,
        /// Whether decided refs move in the push that decides them.
        auto_land: bool,
    },
}

/// What was installed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Installed {
    /// The hooks of a clone.
    Clone(InstalledClone),
    /// The gate of a server.
    Server(InstalledServer),
}

/// Installs the hooks of a clone or the gate of a server. Run again, it changes what has changed
/// since.
pub fn install(repo: &Repo, request: &Install) -> Result<Answer<Installed>> {
    match request {
        Install::Clone { program, remote } => {
            let options = CloneOptions {
                program: checked(program)?,
                remote: configured_remote(repo, remote.as_deref())?,
            };
            let installed = install::install_clone(repo, &options)?;
            let notes: Vec<_> = installed.notes.iter().cloned().map(Note::Install).collect();
            Ok(Answer::yes(Installed::Clone(installed)).notes(notes))
        }
        Install::Server {
            program,
            ledger,
            auto_land,
        } => {
            let options = ServerOptions {
                ledger: *ledger,
                auto_land: *auto_land,
                program: checked(program)?,
            };
            let installed = install::install_server(repo, &options)?;
            let note = (!installed.founded).then_some(Note::NothingProtectedYet);
            Ok(Answer::yes(Installed::Server(installed)).notes(note))
        }
    }
}

/// Which hooks to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uninstall {
    /// The hooks of a clone.
    Clone,
    /// The gate of a server. `confirmed` says that the caller knows what that means.
    Server {
        /// Whether the caller confirms it.
        confirmed: bool,
    },
}

/// Removes the hooks, and restores what was there before.
pub fn uninstall(repo: &Repo, request: Uninstall) -> Result<Answer<Uninstalled>> {
    let folder = repo.git_dir().display();
    let removed = match request {
        Uninstall::Clone if repo.is_bare() => {
            let message = format!("{folder} has no working tree, so it is a server or a mirror.");
            return Err(
                Error::new(Code::NoWorkTree, message).next(NextStep::ConfirmUninstallServer)
            );
        }
        Uninstall::Clone => install::uninstall_clone(repo)?,
        Uninstall::Server { confirmed: false } => {
            let message =
                format!("Without the gate of {folder}, any push can move protected refs.");
            return Err(
                Error::new(Code::NotConfirmed, message).next(NextStep::ConfirmUninstallServer)
            );
        }
        Uninstall::Server { confirmed: true } => install::uninstall_server(repo)?,
    };
    Ok(Answer::yes(removed))
}

/// Hooks run in other folders, so they can call a program by an absolute path only.
fn checked(program: &std::path::Path) -> Result<PathBuf> {
    crate::client::error::path_setting(program)?;
    Ok(program.to_owned())
}

/// The remote to fetch from. It needs a name, because an address has no settings.
fn configured_remote(repo: &Repo, asked: Option<&str>) -> Result<Option<String>> {
    match choose_remote(repo, asked)? {
        Some(name) if !repo.remote_exists(&name)? => {
            let message = format!("No remote {name:?} is configured here.");
            Err(Error::new(Code::NoRemote, message).next(NextStep::ListRemotes))
        }
        chosen => Ok(chosen),
    }
}

impl From<InstallError> for Error {
    fn from(error: InstallError) -> Self {
        let (code, next) = match &error {
            InstallError::NotBare(_) => (Code::NotBare, None),
            InstallError::Bare(_) => (Code::NoWorkTree, Some(NextStep::InstallServer)),
            InstallError::Incomplete(_) => (Code::Incomplete, Some(NextStep::Unshallow)),
            InstallError::HooksPath(..) => (Code::HooksPath, None),
            InstallError::LinkedHooks(_) => (Code::LinkedHooks, None),
            InstallError::ForeignHook(_) => (Code::ForeignHook, None),
            InstallError::TwoHooks { hook, original } => {
                let (hook, original) = (hook.clone(), original.clone());
                (
                    Code::TwoHooks,
                    Some(NextStep::KeepOneHook { hook, original }),
                )
            }
            InstallError::InOurFolder { from, to } => {
                let (from, to) = (from.clone(), to.clone());
                (Code::ForeignHook, Some(NextStep::MoveHook { from, to }))
            }
            InstallError::NotRun(_) => (Code::HooksNotRun, None),
            InstallError::NoLedger => (Code::NoLedger, Some(NextStep::ChooseLedger)),
            InstallError::Several(_) => (Code::SeveralLedgers, Some(NextStep::ChooseLedger)),
            InstallError::OtherLedger { .. } => (Code::OtherLedger, Some(NextStep::Unpin)),
            InstallError::Ledger(_) => (Code::BadLedger, None),
            InstallError::Path(_) => (Code::BadPath, None),
            InstallError::Write { .. } => (Code::WriteFailed, None),
            InstallError::NotExecutable(_) => (Code::NotExecutable, None),
            InstallError::Repo(_) => (Code::Git, None),
        };
        match error {
            InstallError::Repo(error) => error.into(),
            error => {
                let failure = Error::of(code, error);
                match next {
                    Some(next) => failure.next(next),
                    None => failure,
                }
            }
        }
    }
}
