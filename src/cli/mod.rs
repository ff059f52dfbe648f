//! The command line: one file for each command. Arguments become requests to the client, and its
//! answers become text or JSON. Does not know the rules of deciding.

mod charter;
mod charter_propose;
mod check_proof;
mod clean;
mod completions;
mod demo;
mod doctor;
mod entry_text;
mod environment;
mod examples;
mod fault_text;
mod faults;
mod graph;
mod help;
mod hints;
mod hook;
mod init;
mod install;
mod join;
mod keygen;
mod land;
mod log;
mod man;
mod notes;
mod output;
mod progress;
mod proposal_text;
mod propose;
mod reply;
mod review;
mod schema;
mod shell;
mod show;
mod status;
mod style;
mod sync;
mod uninstall;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::client::Code;
pub use crate::client::Exit;
pub use clean::clean;
pub use output::{Answer, Failure, Reply};

/// Byzantine-fault-tolerant agreement on what goes into a protected Git ref, kept inside Git.
#[derive(Debug, Parser)]
///
/// Members append signed proposals, reviews and votes to lanes of their own, on refs under
/// refs/quorum/. Anyone can compute from a clone, offline, what a quorum decided. A gate on the
/// server refuses every update of a protected ref that no decision backs.
#[command(name = "git-quorum", bin_name = "git quorum", version, propagate_version = true, styles = style::HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Where `--help` lists the options of every command.
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

/// Declares the commands: the one list of what each is called and what runs it.
macro_rules! commands {
    ($($(#[$attribute:meta])* $variant:ident($args:ty) $name:literal => $run:expr;)*) => {
        #[derive(Debug, Subcommand)]
        enum Command {
            $($(#[$attribute])* #[command(name = $name)] $variant($args),)*
        }

        impl Command {
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            fn run(self) -> Answer {
                match self {
                    $(Self::$variant(args) => ($run)(args),)*
                }
            }
        }
    };
}

commands! {
    Demo(demo::DemoArgs) "demo" => demo::run;
    Keygen(keygen::KeygenArgs) "keygen" => keygen::run;
    Init(init::InitArgs) "init" => init::run;
    Join(join::JoinArgs) "join" => join::run;
    Charter(charter::CharterArgs) "charter" => charter::run;
    Propose(propose::ProposeArgs) "propose" => propose::run;
    Review(review::ReviewArgs) "review" => review::run;
    Approve(review::ApproveArgs) "approve" => review::approve;
    Reject(review::RejectArgs) "reject" => review::reject;
    Withdraw(review::WithdrawArgs) "withdraw" => review::withdraw;
    Sync(sync::SyncArgs) "sync" => sync::run;
    Wait(sync::WaitArgs) "wait" => sync::wait;
    Status(status::StatusArgs) "status" => status::run;
    Show(show::ShowArgs) "show" => show::run;
    Log(log::LogArgs) "log" => log::run;
    Land(land::LandArgs) "land" => land::run;
    Verify(verify::VerifyArgs) "verify" => verify::run;
    Faults(faults::FaultsArgs) "faults" => faults::run;
    CheckProof(check_proof::CheckProofArgs) "check-proof" => check_proof::run;
    AllowedSigners(charter::AllowedSignersArgs) "allowed-signers" => charter::allowed_signers;
    /// Run a hook. Only Git's hooks call this command.
    #[command(hide = true)]
    Hook(hook::HookArgs) "hook" => hook::run;
    Install(install::InstallArgs) "install" => install::run;
    Uninstall(uninstall::UninstallArgs) "uninstall" => uninstall::run;
    Man(man::ManArgs) "man" => |args| man::run(args, command(), examples::find);
    Completions(completions::CompletionsArgs) "completions" => |args| completions::run(args, &command());
    Doctor(doctor::DoctorArgs) "doctor" => doctor::run;
    Schema(schema::SchemaArgs) "schema" => schema::run;
}

/// The command line with its complete help.
fn command() -> clap::Command {
    help::complete(Cli::command(), examples::find)
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Chooses colours and progress. A hook shows neither, because it writes to whoever pushes.
fn prepare_terminal(cli: &Cli) {
    shell::choose_printer(cli.global.json);
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

/// Runs the command that the arguments name, and returns the exit status.
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
                Ok(()) => cli.command.run(),
                Err(error) => {
                    let message = format!("cannot work in the folder of -C: {error}");
                    Err(Failure::of_code(Code::NoFolder, message))
                }
            };
            output::render(name, answer, json)
        }
        Err(error) if error.use_stderr() && args.iter().any(|a| a == "--json") => {
            let message = error.render().to_string();
            let failure = Failure::of_code(Code::Usage, message.trim_end());
            output::render("", Err(failure), true)
        }
        // clap prints help, version and errors for people. Its status for errors is 2.
        Err(error) => match error.print() {
            Ok(()) => ExitCode::from(error.exit_code() as u8),
            Err(_) => ExitCode::from(Exit::Failed as u8),
        },
    }
}
