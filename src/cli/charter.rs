//! `git quorum charter` and `git quorum allowed-signers`: who decides, and proposing a change of it.

use clap::Subcommand;

use super::help::Examples;
use super::reply::{never, reply};
use super::style::Text;
use super::{Answer, charter_propose, shell};
use crate::charter::Member;
use crate::client::charter_file::to_toml;
use crate::client::views::charter::{
    AllowedSigners, CharterView, allowed_signers as allowed_signers_of, show_charter,
};

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
    Propose(charter_propose::ProposeCharterArgs),
}

#[derive(Debug, clap::Args)]
struct ShowCharterArgs {
    /// The id of a charter or of a charter proposal [default: the charter in force].
    id: Option<String>,
    /// Print TOML, as `charter propose` reads it.
    #[arg(long)]
    toml: bool,
}

/// Print an allowed-signers file, with which stock Git verifies entries.
///
/// It lists the key of every present and former member, for the lanes under refs/quorum/.
#[derive(Debug, clap::Args)]
pub struct AllowedSignersArgs {}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[
    (
        "charter",
        &[
            (
                "git quorum charter show",
                "Who decides, and what is protected.",
            ),
            (
                "git quorum charter show --toml > next.toml",
                "The charter as a file to edit.",
            ),
            (
                "git quorum charter propose --file next.toml -m 'Add frank'",
                "Propose the edited one.",
            ),
        ],
    ),
    (
        "charter show",
        &[(
            "git quorum charter show --toml",
            "In the form that `charter propose` reads.",
        )],
    ),
    (
        "allowed-signers",
        &[
            ("git quorum allowed-signers > signers", "Write the file."),
            (
                "git -c gpg.ssh.allowedSignersFile=signers verify-commit refs/quorum/LEDGER/lane/alice",
                "Verify an entry with stock Git alone.",
            ),
        ],
    ),
];

pub fn run(args: CharterArgs) -> Answer {
    match args.command {
        CharterCommand::Show(args) => show(args),
        CharterCommand::Propose(args) => charter_propose::run(args),
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

pub fn allowed_signers(_args: AllowedSignersArgs) -> Answer {
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let text = |view: &AllowedSigners| Text::from(view.allowed_signers.join("\n"));
    reply(allowed_signers_of(&session)?, text, never)
}
