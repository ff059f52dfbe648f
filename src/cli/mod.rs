//! The command line: one file a command, arguments in, an answer out. Knows no rules of deciding.

mod charter;
mod charter_file;
mod check_proof;
mod completions;
mod demo;
mod doctor;
mod entry_text;
mod environment;
mod failures;
mod fault_text;
mod faults;
mod graph;
mod help;
mod hints;
mod hook;
mod identity;
mod init;
mod install;
mod join;
mod keygen;
mod land;
mod legacy;
mod log;
mod man;
mod notes;
mod output;
mod patience;
mod progress;
mod proposal_text;
mod propose;
mod reply;
mod review;
mod schema;
mod session;
mod shell;
mod show;
mod status;
mod style;
mod sync;
mod uninstall;
mod verify;
mod view;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use crate::client::Exit;
pub use output::{Answer, Failure, Reply, clean};

/// Byzantine-fault-tolerant agreement on what goes into a protected Git ref, kept inside Git.
#[derive(Debug, Parser)]
///
/// Members append signed proposals, reviews and votes to lanes of their own, on refs under refs/quorum/. What a
/// quorum decides can be recomputed by anyone from a clone, offline; a gate on the server refuses every
/// update of a protected ref that no decision backs.
#[command(name = "git-quorum", bin_name = "git quorum", version, propagate_version = true, styles = style::HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Where `--help` lists them.
const HEADING: &str = "Options of every command";

/// Options of every command.
#[derive(Debug, clap::Args)]
struct Global {
    /// Print one JSON envelope to standard output.
    #[arg(long, global = true, help_heading = HEADING)]
    json: bool,
    /// Run as if started in this folder.
    #[arg(short = 'C', global = true, value_name = "DIR", help_heading = HEADING)]
    directory: Option<PathBuf>,
    /// When to colour: auto, always or never. JSON never is.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        help_heading = HEADING
    )]
    color: style::When,
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
    Show(show::ShowArgs),
    Log(log::LogArgs),
    Land(land::LandArgs),
    Verify(verify::VerifyArgs),
    Faults(faults::FaultsArgs),
    CheckProof(check_proof::CheckProofArgs),
    AllowedSigners(charter::AllowedSignersArgs),
    /// Called by Git's hooks; not for people.
    #[command(hide = true)]
    Hook(hook::HookArgs),
    Install(install::InstallArgs),
    Uninstall(uninstall::UninstallArgs),
    Man(man::ManArgs),
    Completions(completions::CompletionsArgs),
    Doctor(doctor::DoctorArgs),
    Schema(schema::SchemaArgs),
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
            Self::Faults(_) => "faults",
            Self::CheckProof(_) => "check-proof",
            Self::AllowedSigners(_) => "allowed-signers",
            Self::Hook(_) => "hook",
            Self::Install(_) => "install",
            Self::Uninstall(_) => "uninstall",
            Self::Man(_) => "man",
            Self::Completions(_) => "completions",
            Self::Doctor(_) => "doctor",
            Self::Schema(_) => "schema",
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
            Self::Status(args) => status::run(args),
            Self::Show(args) => show::run(args),
            Self::Log(args) => log::run(args),
            Self::Land(args) => land::run(args),
            Self::Verify(args) => verify::run(args),
            Self::Faults(args) => faults::run(args),
            Self::CheckProof(args) => check_proof::run(args),
            Self::AllowedSigners(args) => charter::allowed_signers(args),
            Self::Hook(args) => hook::run(args),
            Self::Install(args) => install::run(args),
            Self::Uninstall(args) => uninstall::run(args),
            Self::Man(args) => man::run(args),
            Self::Completions(args) => completions::run(args),
            Self::Doctor(args) => doctor::run(args, json),
            Self::Schema(args) => schema::run(args),
        }
    }
}

/// A text given by a flag, by a file, or on standard input; empty when none is given.
fn text_input(flag: Option<String>, file: Option<&Path>) -> Result<String, Failure> {
    let Some(path) = file else {
        return Ok(flag.unwrap_or_default());
    };
    let read = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text =
        read.map_err(|e| Failure::new("IO", format!("{}: {e}", path.display())).exit(Exit::Usage))?;
    Ok(text.trim_end().to_owned())
}

/// The command line with all that `--help` tells.
fn command() -> clap::Command {
    help::complete(Cli::command())
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Chooses what is shown beside the answer: nothing in a hook, which writes to whoever pushes.
fn prepare_terminal(cli: &Cli) {
    style::choose(if cli.global.json {
        style::When::Never
    } else {
        cli.global.color
    });
    match cli.command {
        Command::Hook(_) => style::choose(style::When::Never),
        _ => progress::allow(),
    }
}

/// Runs the command that the arguments name and gives the exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    style::choose(style::asked_for(&args));
    match parse(&args) {
        Ok(cli) => {
            prepare_terminal(&cli);
            let (name, json) = (cli.command.name(), cli.global.json);
            let moved = cli
                .global
                .directory
                .as_ref()
                .map_or(Ok(()), std::env::set_current_dir);
            let answer = match moved {
                Ok(()) => cli.command.run(json),
                Err(error) => Err(Failure::new(
                    "NO_FOLDER",
                    format!("cannot work in the folder of -C: {error}"),
                )
                .exit(Exit::NotFound)),
            };
            output::render(name, answer, json)
        }
        Err(error) if error.use_stderr() && args.iter().any(|a| a == "--json") => {
            let message = error.render().to_string();
            let failure = Failure::new("USAGE", message.trim_end())
                .exit(Exit::Usage)
                .hint("git quorum --help");
            output::render("", Err(failure), true)
        }
        // Help and version, and errors for people, as clap prints them; its status for errors is 2.
        Err(error) => match error.print() {
            Ok(()) => ExitCode::from(error.exit_code() as u8),
            Err(_) => ExitCode::from(Exit::Failed as u8),
        },
    }
}
