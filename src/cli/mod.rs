//! The command line: one file a command, arguments in, an answer out. Knows no rules of deciding.

mod charter;
mod charter_file;
mod demo;
mod doctor;
mod failures;
mod hook;
mod identity;
mod init;
mod install;
mod join;
mod keygen;
mod land;
mod output;
mod patience;
mod propose;
mod review;
mod session;
mod status;
mod sync;
mod verify;
mod view;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
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
struct Global {
    /// Print one JSON envelope to standard output.
    #[arg(long, global = true)]
    json: bool,
    /// Run as if started in this folder.
    #[arg(short = 'C', global = true, value_name = "DIR")]
    directory: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Keygen(keygen::KeygenArgs),
    Init(init::InitArgs),
    Join(join::JoinArgs),
    Charter(charter::CharterArgs),
    Propose(propose::ProposeArgs),
    Review(review::ReviewArgs),
    Withdraw(review::WithdrawArgs),
    Sync(sync::SyncArgs),
    Wait(sync::WaitArgs),
    Status(status::StatusArgs),
    Show(status::ShowArgs),
    Log(status::LogArgs),
    Land(land::LandArgs),
    Verify(verify::VerifyArgs),
    AllowedSigners(charter::AllowedSignersArgs),
    /// Called by Git's hooks; not for people.
    #[command(hide = true)]
    Hook(hook::HookArgs),
    Install(install::InstallArgs),
    Doctor(doctor::DoctorArgs),
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Demo(_) => "demo",
            Self::Keygen(_) => "keygen",
            Self::Init(_) => "init",
            Self::Join(_) => "join",
            Self::Charter(_) => "charter",
            Self::Propose(_) => "propose",
            Self::Review(_) => "review",
            Self::Withdraw(_) => "withdraw",
            Self::Sync(_) => "sync",
            Self::Wait(_) => "wait",
            Self::Status(_) => "status",
            Self::Show(_) => "show",
            Self::Log(_) => "log",
            Self::Land(_) => "land",
            Self::Verify(_) => "verify",
            Self::AllowedSigners(_) => "allowed-signers",
            Self::Hook(_) => "hook",
            Self::Install(_) => "install",
            Self::Doctor(_) => "doctor",
        }
    }

    fn run(self, json: bool) -> Answer {
        match self {
            Self::Demo(args) => demo::run(args, json),
            Self::Keygen(args) => keygen::run(args),
            Self::Init(args) => init::run(args),
            Self::Join(args) => join::run(args),
            Self::Charter(args) => charter::run(args),
            Self::Propose(args) => propose::run(args),
            Self::Review(args) => review::run(args),
            Self::Withdraw(args) => review::withdraw(args),
            Self::Sync(args) => sync::run(args),
            Self::Wait(args) => sync::wait(args),
            Self::Status(args) => status::status(args),
            Self::Show(args) => status::show(args),
            Self::Log(args) => status::log(args),
            Self::Land(args) => land::run(args),
            Self::Verify(args) => verify::run(args),
            Self::AllowedSigners(args) => charter::allowed_signers(args),
            Self::Hook(args) => hook::run(args),
            Self::Install(args) => install::run(args),
            Self::Doctor(args) => doctor::run(args),
        }
    }
}

/// A text given by a flag, by a file, or on standard input; empty when none is given.
fn text_input(flag: Option<String>, file: Option<&Path>) -> Result<String, Failure> {
    let Some(path) = file else { return Ok(flag.unwrap_or_default()) };
    let read =
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = read.map_err(|e| Failure::new("IO", format!("{}: {e}", path.display())).exit(Exit::Usage))?;
    Ok(text.trim_end().to_owned())
}

/// Runs the command that the arguments name and gives the exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    match Cli::try_parse_from(&args) {
        Ok(cli) => {
            let (name, json) = (cli.command.name(), cli.global.json);
            let moved = cli.global.directory.as_ref().map_or(Ok(()), std::env::set_current_dir);
            let answer =
                match moved {
                    Ok(()) => cli.command.run(json),
                    Err(error) => Err(Failure::new("NO_FOLDER", format!("cannot work in the folder of -C: {error}"))
                        .exit(Exit::NotFound)),
                };
            output::render(name, answer, json)
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
