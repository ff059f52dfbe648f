//! `git quorum hook NAME`: what the scripts in `hooks/` call.

mod clone;
mod server;

use std::ffi::OsString;

use super::{Answer, Failure};
use crate::client::Code;

/// Called by Git's hooks; not for people.
#[derive(Debug, clap::Args)]
pub struct HookArgs {
    /// The hook that Git is running.
    #[arg(value_name = "NAME")]
    name: String,
    /// The arguments that Git gave it.
    #[arg(
        value_name = "ARG",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    args: Vec<OsString>,
}

pub fn run(args: HookArgs) -> Answer {
    match args.name.as_str() {
        "pre-receive" => server::pre_receive(),
        "proc-receive" => server::proc_receive(),
        // The script calls this program only in the state in which updates can be refused.
        "reference-transaction" => clone::reference_transaction(),
        "pre-merge-commit" => clone::pre_merge_commit(),
        "pre-push" => clone::pre_push(&args.args),
        name => Err(Failure::of_code(
            Code::UnknownHook,
            format!("{name} is no hook of git-quorum"),
        )),
    }
}
