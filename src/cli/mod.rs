//! The command line: one file a command, arguments in, an answer out. Knows no rules of deciding.

mod hook;
mod install;
mod output;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use output::{Answer, Exit, Failure, Outcome, clean};

/// Byzantine-fault-tolerant agreement on what goes into a protected Git ref, kept inside Git.
#[derive(Debug, Parser)]
#[command(name = "git-quorum", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Print one JSON envelope to standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Run as if started in this folder.
    #[arg(short = 'C', global = true, value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

impl Global {
    /// The folder that a command works in.
    pub fn start(&self) -> Result<PathBuf, Failure> {
        match &self.directory {
            Some(directory) => Ok(directory.clone()),
            None => std::env::current_dir().map_err(|e| Failure::new("NO_FOLDER", format!("no current folder: {e}"))),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Called by Git's hooks; not for people.
    Hook(hook::HookArgs),
    Install(install::InstallArgs),
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Hook(_) => "hook",
            Self::Install(_) => "install",
        }
    }

    fn run(self, global: &Global) -> Answer {
        match self {
            Self::Hook(args) => hook::run(args, global),
            Self::Install(args) => install::run(args, global),
        }
    }
}

/// Runs the command that the arguments name and gives the exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    match Cli::try_parse_from(&args) {
        Ok(cli) => {
            let (name, json) = (cli.command.name(), cli.global.json);
            output::render(name, cli.command.run(&cli.global), json)
        }
        Err(error) if error.use_stderr() && args.iter().any(|a| a == "--json") => {
            let message = error.render().to_string();
            let failure = Failure::new("USAGE", message.trim_end()).exit(Exit::Usage).hint("git quorum --help");
            output::render("", Err(failure), true)
        }
        // Help and version, and errors for people, as clap prints them; its status for errors is 2.
        Err(error) => match error.print() {
            Ok(()) => ExitCode::from(error.exit_code() as u8),
            Err(_) => ExitCode::from(Exit::Failed as u8),
        },
    }
}
