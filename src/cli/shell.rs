//! What the process provides to the client: the repository of the working directory, and the
//! values of environment variables.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::output::Printer;
use super::{Failure, environment, progress, style};
use crate::client::{Context, Session, SystemClock, WriteOptions};
use crate::repo::Repo;

/// Where `--help` lists the options of [`WriteArgs`].
const HEADING: &str = "Member and remote";

/// Options of commands that write.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WriteArgs {
    /// The member to write as [default: quorum.member of this clone].
    #[arg(long = "as", value_name = "NAME", env = "GIT_QUORUM_MEMBER", help_heading = HEADING)]
    pub member: Option<String>,
    /// The member's private key file, or its public key file if an ssh-agent holds the private
    /// one [default: quorum.key of this clone].
    #[arg(long, value_name = "FILE", env = "GIT_QUORUM_KEY", help_heading = HEADING)]
    pub key: Option<PathBuf>,
    /// Sign with the ssh-agent at SSH_AUTH_SOCK.
    #[arg(long, help_heading = HEADING)]
    pub agent: bool,
    /// The remote to exchange entries with [default: quorum.remote, or origin, or the only one].
    #[arg(long, value_name = "NAME", conflicts_with = "local", help_heading = HEADING)]
    pub remote: Option<String>,
    /// Use no network: neither fetch nor push.
    #[arg(long, help_heading = HEADING)]
    pub local: bool,
}

impl From<WriteArgs> for WriteOptions {
    fn from(args: WriteArgs) -> Self {
        Self {
            member: args.member,
            key: args.key,
            agent: args.agent,
            remote: args.remote,
            local: args.local,
        }
    }
}

/// What the client needs from this process.
pub fn context() -> Context {
    let fixed_entry_time = std::env::var("GIT_QUORUM_TIME")
        .ok()
        .and_then(|text| text.parse().ok());
    Context {
        clock: Arc::new(SystemClock { fixed_entry_time }),
        sign_state: environment::state_root().map_err(|error| error.to_string()),
        passphrase: Arc::new(environment::passphrases()),
        agent_socket: environment::agent_socket(),
        progress: progress::watcher(),
    }
}

/// How commands print lines while they run. Set once, from `--json`.
static PRINTER: OnceLock<Printer> = OnceLock::new();

/// Chooses how commands print lines while they run.
pub fn choose_printer(json: bool) {
    let printer = if json {
        Printer::Silent
    } else {
        Printer::Lines
    };
    // The first choice counts: a process runs one command.
    let _ = PRINTER.set(printer);
}

/// The printer for lines of a command that is still running.
pub fn printer() -> Printer {
    PRINTER.get().copied().unwrap_or(Printer::Lines)
}

/// The repository of the working directory, which `-C` has set already.
pub fn open_repo() -> Result<Repo, Failure> {
    let repo = Repo::discover(Path::new("."))?.watched(progress::watcher());
    style::heed_settings(&repo)?;
    Ok(repo)
}

/// The ledger in the repository of the working directory.
pub fn open_session(context: &Context) -> Result<Session, Failure> {
    Ok(Session::open(open_repo()?, context)?)
}

/// A path made absolute with the working directory.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path);
    Ok(absolute.map_err(|e| crate::client::Error::file(path, e))?)
}
