//! `git quorum charter` and `git quorum allowed-signers`: who decides, and proposing a change of it.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::charter_file::{CharterFile, to_toml};
use super::identity::WriteArgs;
use super::legacy::approve;
use super::reply::{never, reply};
use super::session::{Session, Writer};
use super::shell;
use super::style::Text;
use super::{Answer, Exit, Failure, Reply};
use crate::charter::{Charter, Member, ProposedCharter, Removal};
use crate::client::views::charter::{
    AllowedSigners, CharterView, allowed_signers as allowed_signers_of, show_charter,
};
use crate::consensus::{Content, State, own_tips};
use crate::id::EntryId;
use crate::ledger::{CharterProposal, Statement};

/// Show the charter in force, or propose the next one.
#[derive(Debug, clap::Args)]
pub struct CharterArgs {
    #[command(subcommand)]
    command: CharterCommand,
}

#[derive(Debug, Subcommand)]
enum CharterCommand {
    /// Show the charter in force, or another one.
    Show(ShowCharterArgs),
    /// Propose the next charter. Members that the file leaves out are removed.
    Propose(ProposeCharterArgs),
}

#[derive(Debug, clap::Args)]
struct ShowCharterArgs {
    /// The id of a charter or of a charter proposal [default: the charter in force].
    id: Option<String>,
    /// In the form that `charter propose` reads.
    #[arg(long)]
    toml: bool,
}

#[derive(Debug, clap::Args)]
struct ProposeCharterArgs {
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

/// Print an allowed-signers file by which stock Git verifies entries.
///
/// It has the key of every member there ever was, for the lanes under refs/quorum/.
#[derive(Debug, clap::Args)]
pub struct AllowedSignersArgs {}

pub fn run(args: CharterArgs) -> Answer {
    match args.command {
        CharterCommand::Show(args) => show(args),
        CharterCommand::Propose(args) => propose(args),
    }
}

fn show(args: ShowCharterArgs) -> Answer {
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let answer = show_charter(&session, args.id.as_deref())?;
    let text = |view: &CharterView| {
        Text::from(if args.toml {
            to_toml(&view.charter)
        } else {
            describe(view)
        })
    };
    reply(answer, text, never)
}

fn describe(view: &CharterView) -> String {
    let (id, charter, in_force) = (view.id, &view.charter, view.in_force);
    let mut lines = vec![
        format!(
            "charter {id}{}",
            if in_force { "" } else { "  (not in force)" }
        ),
        format!(
            "{} voting members, {} may be faulty, {} make a quorum",
            view.n, view.f, view.q
        ),
    ];
    lines.extend(charter.protected().iter().map(|p| format!("protects {p}")));
    if !charter.rules().own_approval_counts {
        lines.push("a proposer's own approval does not count".to_owned());
    }
    for Member {
        domain,
        key,
        name,
        roles,
        vote,
    } in charter.members()
    {
        let roles: String = roles.iter().map(|r| format!(" role {r}")).collect();
        let vote = if *vote { "" } else { " (no vote)" };
        lines.push(format!("  {name:<16} {key}  domain {domain}{roles}{vote}"));
    }
    lines.extend(
        charter
            .removed()
            .iter()
            .map(|r| format!("  {:<16} removed", r.name)),
    );
    lines.join("\n")
}

fn propose(args: ProposeCharterArgs) -> Answer {
    let file = CharterFile::read(&args.file)?;
    let mut writer = Writer::open(&args.write)?;
    let (base, in_force) = writer.session.charter()?;
    let folder = args.file.parent().unwrap_or(std::path::Path::new("."));
    let charter = file.charter(folder, |members| {
        removals(&writer.session, in_force, members)
    })?;
    if charter == *in_force {
        return Err(
            Failure::new("NOTHING_TO_PROPOSE", "this is the charter in force already")
                .exit(Exit::No),
        );
    }
    let warnings = super::init::warnings(&charter);
    let existing = find_existing(&writer, base, &charter);
    let id = match existing {
        Some(id) => id,
        None => {
            let charter = ProposedCharter::Known(Box::new(charter));
            let (title, text) = (args.title.clone(), args.description.clone());
            let statement = Statement::ProposeCharter(CharterProposal {
                base,
                charter,
                text,
                title,
            });
            let id = writer.say(vec![statement], |_| Vec::new())?;
            id.ok_or_else(|| Failure::new("INTERNAL", "the proposal was not appended"))?
        }
    };
    if !args.no_approve {
        approve(&mut writer, id)?;
    }
    writer.finish(&[])?;
    let view = writer.session.view(id)?;
    let data = json!({"id": id, "existing": existing.is_some(), "entries": writer.appended, "proposal": view});
    let notes = writer.session.notes.clone().into_iter().chain(warnings);
    Ok(Reply::new(data, Text::lines([Text::from("proposed"), view.text()]))?.with_notes(notes))
}

fn find_existing(writer: &Writer, base: EntryId, charter: &Charter) -> Option<EntryId> {
    let tally = &writer.session.loaded.tally;
    let same = |content: Content<'_>| match content {
        Content::Charter(old) => {
            old.base == base && matches!(&old.charter, ProposedCharter::Known(c) if **c == *charter)
        }
        Content::Ref(_) => false,
    };
    let mut mine = tally.proposals().filter(|p| p.proposer == *writer.member());
    mine.find(|p| {
        same(tally.content(p)) && matches!(tally.state(p.id), Some(State::Open | State::Approved))
    })
    .map(|p| p.id)
}

/// Former members: those before, and those that the new charter leaves out, with the last entry known
/// of each.
fn removals(session: &Session, in_force: &Charter, members: &[Member]) -> Vec<Removal> {
    let dag = session.loaded.tally.dag();
    let gone = in_force
        .members()
        .iter()
        .filter(|old| !members.iter().any(|m| m.name == old.name));
    let last = |member: &Member| {
        let tips = own_tips(&session.loaded.tally, &member.name)
            .into_iter()
            .map(|tip| dag.entry(tip));
        tips.max_by_key(|e| (e.seq, e.id)).map(|e| e.id)
    };
    let removal = |member: &Member| Removal {
        key: member.key,
        last: last(member),
        name: member.name.clone(),
    };
    in_force
        .removed()
        .iter()
        .cloned()
        .chain(gone.map(removal))
        .collect()
}

pub fn allowed_signers(_args: AllowedSignersArgs) -> Answer {
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let text = |view: &AllowedSigners| Text::from(view.allowed_signers.join("\n"));
    reply(allowed_signers_of(&session)?, text, never)
}
