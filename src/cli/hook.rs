//! `git quorum hook NAME`: what the scripts in `hooks/` call.

use super::{Answer, Failure, Global};

/// Called by Git's hooks; not for people.
#[derive(Debug, clap::Args)]
pub struct HookArgs {
    /// The hook that Git is running.
    #[arg(value_name = "NAME")]
    name: String,
}

pub fn run(args: HookArgs, _global: &Global) -> Answer {
    Err(Failure::new("UNKNOWN_HOOK", format!("{} is no hook of git-quorum", args.name)))
}
