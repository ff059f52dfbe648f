//! `git quorum install`: puts the hooks of a clone or the gate of a server into a repository.

use std::path::PathBuf;

use super::help::Examples;
use super::reply::{never, reply};
use super::style::Text;
use super::{Answer, Failure, shell};
use crate::client::Code;
use crate::client::actions::install::{Install, Installed, install};
use crate::id::EntryId;
use crate::install::{InstalledClone, InstalledServer, Manner};

/// Install hooks in this repository, beside the hooks that exist.
///
/// In a clone, Git then refuses to move a protected ref without a decision, and `git fetch` brings
/// lanes. On a server (--server, in a bare repository), the gate judges every push: protected refs
/// move by decision only, and lanes only forward.
///
/// Run it again at any time, and whenever the program or the repository has moved. `git quorum
/// uninstall` removes the hooks.
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

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "install",
    &[
        (
            "git quorum install",
            "Put the hooks into this clone, and have `git fetch` bring the lanes.",
        ),
        (
            "git quorum install --server --auto-land",
            "Put the gate into this bare repository.",
        ),
    ],
)];

pub fn run(args: InstallArgs) -> Answer {
    let repo = shell::open_repo()?;
    let program = this_program()?;
    let request = if args.server {
        Install::Server {
            program,
            ledger: args.genesis,
            auto_land: args.auto_land,
        }
    } else {
        Install::Clone {
            program,
            remote: args.remote,
        }
    };
    reply(install(&repo, &request)?, text, never)
}

/// The path of the running program, without symbolic links.
fn this_program() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    program.map_err(|error| {
        let message = format!("The path of this program is not known: {error}.");
        Failure::of_code(Code::NoProgram, message)
    })
}

fn text(installed: &Installed) -> Text {
    Text::from(match installed {
        Installed::Clone(installed) => clone_text(installed),
        Installed::Server(installed) => server_text(installed),
    })
}

fn clone_text(installed: &InstalledClone) -> String {
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
    format!("{head}{}{fetch}{tail}", change_lines(&installed.changes))
}

fn server_text(installed: &InstalledServer) -> String {
    let landing = if installed.auto_land {
        "decided refs move by themselves"
    } else {
        "decided refs are pushed"
    };
    format!(
        "The gate is in place in {}: ledger {}, {landing}.\n{}\
         Whoever can write the repository's files or settings gets past it: \
         give people git push alone.\n",
        installed.repository.display(),
        installed.ledger,
        change_lines(&installed.changes)
    )
}

/// What was changed, one line for each change.
pub fn change_lines(changes: &[String]) -> String {
    if changes.is_empty() {
        return "Nothing had to change.\n".to_owned();
    }
    let lines = changes.iter().map(|change| format!("  {change}\n"));
    lines.collect()
}
