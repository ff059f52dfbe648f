//! `git quorum charter` and `git quorum allowed-signers`: who decides, and proposing a change of it.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::propose::proposed_text;
use super::reply::{never, reply};
use super::session::Session;
use super::shell::{self, WriteArgs};
use super::{Answer, Failure, Reply};
use crate::charter::{Charter, Member};
use crate::client::actions::charter::{ProposeCharter, propose_charter};
use crate::client::{CharterFile, Writer, charter_to_toml, charter_warnings};
use crate::id::EntryId;

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
    let session = Session::read()?;
    let dag = session.loaded.tally.dag();
    let (in_force, _) = session.charter()?;
    let id = match &args.id {
        Some(typed) => Session::find(
            typed,
            "charter",
            dag.entries()
                .map(|(_, e)| e.id)
                .filter(|id| dag.charter(*id).is_some()),
        )?,
        None => in_force,
    };
    let node = dag
        .charter(id)
        .ok_or_else(|| Failure::new("INTERNAL", "the charter is not known"))?;
    let text = if args.toml {
        charter_to_toml(&node.charter)
    } else {
        describe(id, &node.charter, id == in_force)
    };
    let t = node.charter.threshold();
    let data = json!({
        "id": id, "in_force": id == in_force, "base": node.base, "charter": node.charter,
        "n": t.n, "f": t.f, "q": t.q, "warnings": warnings(&node.charter),
    });
    Reply::new(data, text)
}

fn describe(id: EntryId, charter: &Charter, in_force: bool) -> String {
    let t = charter.threshold();
    let mut lines = vec![
        format!(
            "charter {id}{}",
            if in_force { "" } else { "  (not in force)" }
        ),
        format!(
            "{} voting members, {} may be faulty, {} make a quorum",
            t.n, t.f, t.q
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
    let folder = args.file.parent().unwrap_or(std::path::Path::new("."));
    let request = ProposeCharter {
        file: CharterFile::read(&args.file)?,
        folder: folder.to_owned(),
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

pub fn allowed_signers(_args: AllowedSignersArgs) -> Answer {
    let session = Session::read()?;
    let dag = session.loaded.tally.dag();
    let (in_force, _) = session.charter()?;
    let mut signers = std::collections::BTreeMap::new();
    for (_, node) in dag.lineage(in_force) {
        signers.extend(
            node.charter
                .members()
                .iter()
                .map(|m| (m.name.clone(), m.key)),
        );
    }
    let line = |(name, key): (&crate::charter::MemberName, &crate::charter::PublicKey)| {
        format!("{name}@git-quorum.invalid namespaces=\"git\" {key}")
    };
    let lines: Vec<_> = signers.iter().map(line).collect();
    let text = lines.join("\n");
    Reply::new(json!({"allowed_signers": lines}), text)
}

pub(super) fn warnings(charter: &Charter) -> Vec<String> {
    let warnings = charter_warnings(charter);
    warnings
        .iter()
        .map(super::notes::describe_warning)
        .collect()
}
