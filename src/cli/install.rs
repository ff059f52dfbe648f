//! `git quorum install`: puts the gate into a repository.

use super::session::{choose_remote, open_repo};
use super::{Answer, Exit, Failure, Reply};
use crate::id::EntryId;
use crate::install::{
    CloneOptions, InstallError, InstalledClone, InstalledServer, Manner, ServerOptions,
    install_clone, install_server,
};
use crate::repo::Repo;

/// Put the hooks into a repository, beside what is there.
///
/// In a clone, Git then refuses to move a protected ref without a decision, and lanes come with `git fetch`. On a server (`--server`, in
/// a bare repository) every push is judged: protected refs move by decision only, lanes only forward. Can be run again at
/// any time, and should be when the program or the repository has moved; `git quorum uninstall` takes the hooks away.
#[derive(Debug, clap::Args)]
pub struct InstallArgs {
    /// Install the server's gate, in a bare repository.
    #[arg(long)]
    server: bool,
    /// With --server: the ledger to pin, by its full id (64 hexadecimal digits). Default: the one that is here.
    #[arg(long, value_name = "ID", requires = "server")]
    genesis: Option<EntryId>,
    /// With --server: let protected refs move by themselves in the push that decides them.
    #[arg(long, requires = "server")]
    auto_land: bool,
    /// In a clone: the remote to fetch lanes from. Default: quorum.remote, or origin, or the only one.
    #[arg(long, value_name = "NAME", conflicts_with = "server")]
    remote: Option<String>,
}

pub fn run(args: InstallArgs) -> Answer {
    let repo = open_repo()?;
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    let program = program.map_err(|e| {
        Failure::new(
            "NO_PROGRAM",
            format!("where this program lies is unknown: {e}"),
        )
    })?;
    if args.server {
        let options = ServerOptions {
            ledger: args.genesis,
            auto_land: args.auto_land,
            program,
        };
        return server_answer(&install_server(&repo, &options).map_err(failure)?);
    }
    let remote = remote(&repo, args.remote.as_deref())?;
    clone_answer(&install_clone(&repo, &CloneOptions { program, remote }).map_err(failure)?)
}

/// The remote to fetch from: one with a name, because an address has no settings.
fn remote(repo: &Repo, asked: Option<&str>) -> Result<Option<String>, Failure> {
    match choose_remote(repo, asked)? {
        Some(name) if !repo.remote_exists(&name)? => Err(Failure::new(
            "NO_REMOTE",
            format!("no remote {name:?} is set up here"),
        )
        .exit(Exit::NotFound)
        .hint("git remote -v lists those that are")),
        chosen => Ok(chosen),
    }
}

fn clone_answer(installed: &InstalledClone) -> Answer {
    let how = match installed.manner {
        Manner::Config => "Git takes them from its settings",
        Manner::Files => "they lie in the hooks folder",
        Manner::Folder => "core.hooksPath leads to them, and they pass on to the hooks before",
    };
    let head = format!(
        "The hooks are in place in {}: ledger {}; {how}.\n",
        installed.repository.display(),
        installed.ledger
    );
    let fetch = match &installed.fetches {
        Some(remote) => format!("Lanes come from {remote} with git fetch.\n"),
        None => String::new(),
    };
    let tail = "They keep you from mistakes; what others may do is up to the server's gate.\n";
    let text = format!("{head}{}{fetch}{tail}", change_lines(&installed.changes));
    Ok(Reply::new(installed, text)?.with_notes(installed.notes.clone()))
}

fn server_answer(installed: &InstalledServer) -> Answer {
    let notes = match installed.founded {
        true => Vec::new(),
        false => {
            vec!["the genesis is not here yet: nothing is protected until it is pushed".to_owned()]
        }
    };
    Ok(Reply::new(installed, text(installed))?.with_notes(notes))
}

fn text(installed: &InstalledServer) -> String {
    let landing = if installed.auto_land {
        "decided refs move by themselves"
    } else {
        "decided refs are pushed"
    };
    let head = format!(
        "The gate is in place in {}: ledger {}, {landing}.\n",
        installed.repository.display(),
        installed.ledger
    );
    format!(
        "{head}{}Whoever can write the repository's files or settings gets past it: give people git push alone.\n",
        change_lines(&installed.changes)
    )
}

/// What was changed, a line each.
pub(super) fn change_lines(changes: &[String]) -> String {
    match changes.is_empty() {
        true => "Nothing had to change.\n".to_owned(),
        false => changes
            .iter()
            .map(|change| format!("  {change}\n"))
            .collect(),
    }
}

pub(super) fn failure(error: InstallError) -> Failure {
    let message = error.to_string();
    let (code, exit, hint) = match error {
        InstallError::Repo(error) => return error.into(),
        InstallError::TwoHooks { hook, original } => {
            let (hook, original) = (hook.display(), original.display());
            let hint = format!(
                "remove the one that is not needed, and run it again: rm '{original}' or mv '{original}' '{hook}'"
            );
            return Failure::new("TWO_HOOKS", message)
                .exit(Exit::Conflict)
                .hint(hint);
        }
        InstallError::InOurFolder { from, to } => {
            let hint = format!(
                "move it where it belongs, and run it again: mv '{}' '{}'",
                from.display(),
                to.display()
            );
            return Failure::new("FOREIGN_HOOK", message)
                .exit(Exit::Conflict)
                .hint(hint);
        }
        InstallError::NotRun(_) => (
            "HOOKS_NOT_RUN",
            Exit::Conflict,
            "nothing was changed; `git config --show-origin --get-all core.hooksPath` and `git config --show-origin --get-regexp '^hook[.]'` show what is in the way",
        ),
        InstallError::NotBare(_) => (
            "NOT_BARE",
            Exit::Usage,
            "run it in the bare repository that people push to",
        ),
        InstallError::Bare(_) => (
            "NO_WORK_TREE",
            Exit::Usage,
            "in a repository that people push to: git quorum install --server; else run it in a working tree",
        ),
        InstallError::Incomplete(_) => (
            "INCOMPLETE",
            Exit::Failed,
            "git fetch --unshallow; one that was cloned with --filter must be cloned again without",
        ),
        InstallError::HooksPath(..) => (
            "HOOKS_PATH",
            Exit::Conflict,
            "unset it for this repository, or set it to this repository's own hooks folder",
        ),
        InstallError::LinkedHooks(_) => (
            "LINKED_HOOKS",
            Exit::Conflict,
            "put a folder of this repository's own in its place, with links to the hooks that are needed",
        ),
        InstallError::ForeignHook(_) => (
            "FOREIGN_HOOK",
            Exit::Conflict,
            "there can be one proc-receive hook: move it away if it is not needed, or keep this ledger on another server",
        ),
        InstallError::NoLedger => (
            "NO_LEDGER",
            Exit::NotFound,
            "in a clone: git quorum join, first; on a server: git quorum install --server --genesis ID",
        ),
        InstallError::Several(_) => (
            "SEVERAL_LEDGERS",
            Exit::Usage,
            "choose one, in a clone: git quorum join --genesis ID; on a server: git quorum install --server --genesis ID",
        ),
        InstallError::OtherLedger { .. } => (
            "OTHER_LEDGER",
            Exit::Conflict,
            "a server has one ledger; to give this one up: git config --unset quorum.ledger",
        ),
        InstallError::Ledger(_) => (
            "BAD_LEDGER",
            Exit::Unverified,
            "repair it first: git quorum verify",
        ),
        InstallError::Path(_) => (
            "BAD_PATH",
            Exit::Failed,
            "put the program and the repository where the path is plain text",
        ),
        InstallError::Write { .. } => (
            "WRITE_FAILED",
            Exit::Failed,
            "run it as the user that owns the repository",
        ),
        InstallError::NotExecutable(_) => (
            "NOT_EXECUTABLE",
            Exit::Failed,
            "the file system must keep run bits",
        ),
    };
    Failure::new(code, message).exit(exit).hint(hint)
}
