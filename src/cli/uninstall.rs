//! `git quorum uninstall`: takes the hooks out of a repository again.

use super::help::Examples;
use super::install::change_lines;
use super::reply::{never, reply};
use super::style::Text;
use super::{Answer, shell};
use crate::client::actions::install::{Uninstall, uninstall};
use crate::install::Uninstalled;

/// Remove the hooks from this repository, and put back what was there before.
///
/// The ledger, the keys, the pin and the sign state stay as they are. The command can be run again
/// at any time.
#[derive(Debug, clap::Args)]
pub struct UninstallArgs {
    /// Remove the server's gate. Protected refs then move like others.
    #[arg(long)]
    server: bool,
    /// With --server: confirm the removal.
    #[arg(long, requires = "server")]
    yes: bool,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "uninstall",
    &[(
        "git quorum uninstall",
        "Take the hooks out of this clone; those before come back.",
    )],
)];

pub fn run(args: UninstallArgs) -> Answer {
    let repo = shell::open_repo()?;
    let (request, what) = if args.server {
        let confirmed = args.yes;
        (Uninstall::Server { confirmed }, "gate")
    } else {
        (Uninstall::Clone, "hooks")
    };
    let text = |uninstalled: &Uninstalled| {
        let head = format!(
            "The {what} of git-quorum: out of {}.\n",
            uninstalled.repository.display()
        );
        Text::from(head + &change_lines(&uninstalled.changes))
    };
    reply(uninstall(&repo, request)?, text, never)
}
