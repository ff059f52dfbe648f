//! `git quorum uninstall`: removes the hooks of a repository.

use super::install::change_lines;
use super::reply::{never, reply};
use super::shell;
use super::style::Text;
use super::{Answer, Failure};
use crate::client::Code;
use crate::client::actions::install::{uninstall_gate, uninstall_hooks};
use crate::install::Uninstalled;

/// Remove the hooks from this repository, and put back what was there before.
///
/// The ledger, keys, the pin and what was signed stay as they are. Can be run again at any time.
#[derive(Debug, clap::Args)]
pub struct UninstallArgs {
    /// Remove the server's gate: protected refs then move like others.
    #[arg(long)]
    server: bool,
    /// With --server: do it.
    #[arg(long, requires = "server")]
    yes: bool,
}

pub fn run(args: UninstallArgs) -> Answer {
    let repo = shell::open_repo()?;
    let folder = repo.git_dir().display();
    if repo.is_bare() && !args.server {
        let message = format!("{folder} has no working tree, so it is a server or a mirror.");
        return Err(Failure::of_code(Code::NoWorkTree, message).hint(
            "to remove a server's gate: git quorum uninstall --server --yes; else run it in a working tree",
        ));
    }
    if args.server && !args.yes {
        let message = format!("Without the gate of {folder}, any push can move protected refs.");
        return Err(Failure::of_code(Code::NotConfirmed, message)
            .hint("if that is wanted: git quorum uninstall --server --yes"));
    }
    if args.server {
        reply(uninstall_gate(&repo)?, |done| text("gate", done), never)
    } else {
        reply(uninstall_hooks(&repo)?, |done| text("hooks", done), never)
    }
}

fn text(what: &str, uninstalled: &Uninstalled) -> Text {
    let folder = uninstalled.repository.display();
    let head = format!("The {what} of git-quorum: out of {folder}.\n");
    Text::from(head + &change_lines(&uninstalled.changes))
}
