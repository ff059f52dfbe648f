//! Installing hooks in a repository, and removing them.

use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::note::Note;
use crate::client::session::choose_remote;
use crate::client::{Code, NextStep};
use crate::install::{
    CloneOptions, InstalledClone, InstalledServer, ServerOptions, Uninstalled, install_clone,
    install_server, uninstall_clone, uninstall_server,
};
use crate::repo::Repo;

/// Installs the gate in a bare repository.
pub fn install_gate(repo: &Repo, options: &ServerOptions) -> Result<Answer<InstalledServer>> {
    let installed = install_server(repo, options)?;
    let missing = (!installed.founded).then(|| {
        let text = "The genesis is not here yet. Nothing is protected until it is pushed.";
        Note::Install(text.to_owned())
    });
    Ok(Answer::yes(installed).notes(missing))
}

/// Installs the hooks of a clone, beside the hooks that are there. `remote` is the remote to fetch
/// lanes from; it must have a name, because an address has no settings.
pub fn install_hooks(
    repo: &Repo,
    program: std::path::PathBuf,
    remote: Option<&str>,
) -> Result<Answer<InstalledClone>> {
    let remote = choose_remote(repo, remote)?;
    if let Some(name) = &remote
        && !repo.remote_exists(name)?
    {
        let message = format!("This repository has no remote {name:?}.");
        return Err(Error::new(Code::NoRemote, message).next(NextStep::ListRemotes));
    }
    let installed = install_clone(repo, &CloneOptions { program, remote })?;
    let notes: Vec<_> = installed.notes.iter().cloned().map(Note::Install).collect();
    Ok(Answer::yes(installed).notes(notes))
}

/// Removes the gate of a bare repository.
pub fn uninstall_gate(repo: &Repo) -> Result<Answer<Uninstalled>> {
    Ok(Answer::yes(uninstall_server(repo)?))
}

/// Removes the hooks of a clone, and puts back what was there before.
pub fn uninstall_hooks(repo: &Repo) -> Result<Answer<Uninstalled>> {
    Ok(Answer::yes(uninstall_clone(repo)?))
}
