//! `git quorum uninstall`: takes the hooks out of a repository again.

use super::install::{change_lines, failure};
use super::session::open_repo;
use super::{Answer, Exit, Failure, Reply};
use crate::install::{uninstall_clone, uninstall_server};

/// Take the hooks out of this repository, and put back what was there before.
///
/// The ledger, keys, the pin and what was signed stay as they are. Can be run again at any time.
#[derive(Debug, clap::Args)]
pub struct UninstallArgs {
    /// Take the server's gate away: protected refs move like others from then on.
    #[arg(long)]
    server: bool,
    /// With --server: do it.
    #[arg(long, requires = "server")]
    yes: bool,
}

pub fn run(args: UninstallArgs) -> Answer {
    let repo = open_repo()?;
    if repo.is_bare() && !args.server {
        let message = format!(
            "{} has no working tree: it is a server, or a mirror",
            repo.git_dir().display()
        );
        return Err(Failure::new("NO_WORK_TREE", message)
            .exit(Exit::Usage)
            .hint("to take a server's gate away: git quorum uninstall --server --yes; else run it in a working tree"));
    }
    if args.server && !args.yes {
        let message = format!(
            "without the gate of {} any push can move protected refs",
            repo.git_dir().display()
        );
        return Err(Failure::new("NOT_CONFIRMED", message)
            .exit(Exit::Usage)
            .hint("if that is wanted: git quorum uninstall --server --yes"));
    }
    let uninstalled = if args.server {
        uninstall_server(&repo)
    } else {
        uninstall_clone(&repo)
    };
    let uninstalled = uninstalled.map_err(failure)?;
    let what = if args.server { "gate" } else { "hooks" };
    let head = format!(
        "The {what} of git-quorum: out of {}.\n",
        uninstalled.repository.display()
    );
    Reply::new(&uninstalled, head + &change_lines(&uninstalled.changes))
}
