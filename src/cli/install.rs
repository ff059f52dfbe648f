//! `git quorum install`: installs the hooks of a clone, or the gate of a server.

use super::reply::{never, reply};
use super::shell;
use super::style::Text;
use super::{Answer, Failure};
use crate::client::Code;
use crate::client::actions::install::{install_gate, install_hooks};
use crate::id::EntryId;
use crate::install::{InstalledClone, InstalledServer, Manner, ServerOptions};

/// Put the hooks into a repository, beside what is there.
///
/// In a clone, Git then refuses to move a protected ref without a decision, and `git fetch` brings
/// lanes. On a server (--server, in a bare repository) the gate judges every push: protected refs
/// move by decision only, and lanes only forward. Run it again at any time, and whenever the program
/// or the repository has moved. `git quorum uninstall` removes the hooks.
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
    let repo = shell::open_repo()?;
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    let program = program.map_err(|e| {
        let message = format!("The path of this program is not known: {e}.");
        Failure::of_code(Code::NoProgram, message)
    })?;
    if args.server {
        let options = ServerOptions {
            ledger: args.genesis,
            auto_land: args.auto_land,
            program,
        };
        return reply(install_gate(&repo, &options)?, server_text, never);
    }
    let installed = install_hooks(&repo, program, args.remote.as_deref())?;
    reply(installed, clone_text, never)
}

fn clone_text(installed: &InstalledClone) -> Text {
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
    Text::from(text)
}

fn server_text(installed: &InstalledServer) -> Text {
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
    Text::from(format!(
        "{head}{}Whoever can write the repository's files or settings gets past it: give people git push alone.\n",
        change_lines(&installed.changes)
    ))
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
