//! `git quorum install`: puts the gate into a repository.

use super::session::open_repo;
use super::{Answer, Exit, Failure, Outcome};
use crate::id::EntryId;
use crate::install::{InstallError, Installed, ServerOptions, install_server};

/// Put the gate into a repository.
///
/// On a server (`--server`, in a bare repository) every push is judged from then on: protected refs move
/// only by decision, lanes only forward. Can be run again at any time.
#[derive(Debug, clap::Args)]
pub struct InstallArgs {
    /// Install the server's gate, in a bare repository.
    #[arg(long, required = true)]
    server: bool,
    /// The ledger to pin, by its full id (64 hexadecimal digits). Default: the one that is here.
    #[arg(long, value_name = "ID")]
    genesis: Option<EntryId>,
    /// Let protected refs move by themselves in the push that decides them.
    #[arg(long)]
    auto_land: bool,
}

pub fn run(args: InstallArgs) -> Answer {
    let repo = open_repo()?;
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    let program =
        program.map_err(|e| Failure::new("NO_PROGRAM", format!("where this program lies is unknown: {e}")))?;
    let options = ServerOptions { ledger: args.genesis, auto_land: args.auto_land, program };
    let installed = install_server(&repo, &options).map_err(failure)?;
    let notes = match installed.founded {
        true => Vec::new(),
        false => vec!["the genesis is not here yet: nothing is protected until it is pushed".to_owned()],
    };
    Ok(Outcome::new(&installed, text(&installed))?.with_notes(notes))
}

fn text(installed: &Installed) -> String {
    let landing = if installed.auto_land { "decided refs move by themselves" } else { "decided refs are pushed" };
    let head = format!(
        "The gate is in place in {}: ledger {}, {landing}.\n",
        installed.repository.display(),
        installed.ledger
    );
    let changes = match installed.changes.is_empty() {
        true => "Nothing had to change.\n".to_owned(),
        false => installed.changes.iter().map(|change| format!("  {change}\n")).collect(),
    };
    format!(
        "{head}{changes}Whoever can write the repository's files or settings gets past it: give people git push alone.\n"
    )
}

fn failure(error: InstallError) -> Failure {
    let (code, exit, hint) = match &error {
        InstallError::NotBare(_) => ("NOT_BARE", Exit::Usage, "run it in the bare repository that people push to"),
        InstallError::Incomplete(_) => ("INCOMPLETE", Exit::Failed, "complete it: git fetch --unshallow --refetch"),
        InstallError::HooksPath(..) => (
            "HOOKS_PATH",
            Exit::Conflict,
            "unset it for this repository, or set it to this repository's own hooks folder",
        ),
        InstallError::ForeignHook(_) => (
            "FOREIGN_HOOK",
            Exit::Conflict,
            "there can be one proc-receive hook: move it away if it is not needed, or keep this ledger on another server",
        ),
        InstallError::NoLedger => {
            ("NO_LEDGER", Exit::NotFound, "name the ledger: git quorum install --server --genesis ID")
        }
        InstallError::Several(_) => {
            ("SEVERAL_LEDGERS", Exit::Usage, "name one: git quorum install --server --genesis ID")
        }
        InstallError::OtherLedger { .. } => (
            "OTHER_LEDGER",
            Exit::Conflict,
            "a server has one ledger; to give this one up: git config --unset quorum.ledger",
        ),
        InstallError::Ledger(_) => ("BAD_LEDGER", Exit::Unverified, "repair it first: git quorum verify"),
        InstallError::Program(_) => ("BAD_PATH", Exit::Failed, "install the program where the path is plain text"),
        InstallError::Write { .. } => ("WRITE_FAILED", Exit::Failed, "run it as the user that owns the repository"),
        InstallError::NotExecutable(_) => ("NOT_EXECUTABLE", Exit::Failed, "the file system must keep run bits"),
        InstallError::Repo(_) => ("REPOSITORY", Exit::Failed, ""),
    };
    Failure::new(code, error.to_string()).exit(exit).hint(hint)
}
