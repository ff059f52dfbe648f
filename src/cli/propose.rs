//! `git quorum propose`: proposes a value of a protected ref.

use super::help::Examples;
use super::reply::{never, reply};
use super::shell::{self, WriteArgs};
use super::style::Text;
use super::{Answer, proposal_text};
use crate::client::Writer;
use crate::client::actions::propose::{Propose, Proposed, Target, propose};

/// Propose that a protected ref move to a commit, approve it, and push.
///
/// The commit must contain the value that the ref was decided to have last. With --merge a merge
/// commit is built if it does not; the working tree stays as it is. The same proposal again adds
/// nothing.
#[derive(Debug, clap::Args)]
pub struct ProposeArgs {
    /// The commit to propose.
    #[arg(default_value = "HEAD")]
    commit: String,
    /// The protected ref [default: the only protected branch].
    #[arg(long, value_name = "REF")]
    onto: Option<String>,
    /// A title for reviewers: one line, at most 200 bytes.
    #[arg(short = 'm', long, value_name = "TITLE")]
    title: String,
    /// A description for reviewers, at most 16384 bytes.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Read the description from a file, or from standard input if it is -.
    #[arg(short = 'F', long, value_name = "FILE", conflicts_with = "description")]
    file: Option<std::path::PathBuf>,
    /// Merge the ref's value into the commit first. Fails on a conflict.
    #[arg(long, conflicts_with_all = ["rewrite", "delete"])]
    merge: bool,
    /// Propose a commit that does not contain the ref's value.
    #[arg(long, conflicts_with = "delete")]
    rewrite: bool,
    /// Propose to delete the ref.
    #[arg(long)]
    delete: bool,
    /// Do not approve the proposal at once.
    #[arg(long)]
    no_approve: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "propose",
    &[
        (
            "git quorum propose -m 'Say hello'",
            "Propose HEAD for the only protected branch.",
        ),
        (
            "git quorum propose topic --onto main --merge -m 'Take in topic'",
            "Propose topic, merged with what main is.",
        ),
        (
            "git quorum propose v1.0 --onto refs/tags/v1.0 -m 'Release 1.0' -F notes.md",
            "Propose a protected tag, described in a file.",
        ),
        (
            "git quorum propose --delete --onto old -m 'Drop old'",
            "Propose that a protected branch be deleted.",
        ),
    ],
)];

pub fn run(args: ProposeArgs) -> Answer {
    let text = shell::text_input(args.description, args.file.as_deref())?;
    let target = if args.delete {
        Target::Delete
    } else if args.merge {
        Target::Merge(args.commit)
    } else if args.rewrite {
        Target::Rewrite(args.commit)
    } else {
        Target::Commit(args.commit)
    };
    let request = Propose {
        onto: args.onto,
        target,
        title: args.title,
        text,
        approve: !args.no_approve,
    };
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let mut writer = Writer::open(session, &context, &args.write.into())?;
    let answer = propose(&mut writer, &context, &request)?;
    reply(answer, proposed_text, never)
}

/// A proposal that was made, as text.
pub fn proposed_text(proposed: &Proposed) -> Text {
    let first = if proposed.existing {
        "proposed before"
    } else {
        "proposed"
    };
    Text::lines([Text::from(first), proposal_text::lines(&proposed.proposal)])
}
