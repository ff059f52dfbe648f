//! `git quorum charter propose`: proposes the next charter.

use std::path::{Path, PathBuf};

use super::Answer;
use super::help::Examples;
use super::propose::proposed_text;
use super::reply::{never, reply};
use super::shell::{self, WriteArgs};
use crate::client::Writer;
use crate::client::actions::charter::{ProposeCharter, propose_charter};
use crate::client::charter_file::CharterFile;

/// Propose the next charter. Members that the file leaves out are removed.
#[derive(Debug, clap::Args)]
pub struct ProposeCharterArgs {
    /// The charter, in TOML: protect, [rules], [[members]].
    #[arg(long, value_name = "FILE.toml")]
    file: PathBuf,
    /// A title for reviewers: one line, at most 200 bytes.
    #[arg(short = 'm', long, value_name = "TITLE")]
    title: String,
    /// A description for reviewers, at most 16384 bytes.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Do not approve the proposal at once.
    #[arg(long)]
    no_approve: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "charter propose",
    &[
        (
            "git quorum charter show --toml > next.toml",
            "Start from the charter in force, and edit it.",
        ),
        (
            "git quorum charter propose --file next.toml -m 'Add frank'",
            "Propose it; reviews and votes decide it like a ref.",
        ),
    ],
)];

pub fn run(args: ProposeCharterArgs) -> Answer {
    let request = ProposeCharter {
        file: CharterFile::read(&args.file)?,
        folder: args.file.parent().unwrap_or(Path::new(".")).to_owned(),
        title: args.title,
        text: args.description,
        approve: !args.no_approve,
    };
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let mut writer = Writer::open(session, &context, &args.write.into())?;
    reply(
        propose_charter(&mut writer, &request)?,
        proposed_text,
        never,
    )
}
