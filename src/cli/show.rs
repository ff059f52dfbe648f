//! `git quorum show`: an entry or a proposal with everything that is known. Does no network.

use super::help::Examples;
use super::reply::{never, reply};
use super::style::Text;
use super::{Answer, entry_text, proposal_text, shell};
use crate::client::views::proposal::ProposalView;
use crate::client::views::show::{Shown, show};
use crate::id::Oid;
use crate::ledger::{RefProposal, Statement};

/// Show everything that is known about a proposal or an entry.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The id of a proposal or entry; the first digits are enough.
    id: String,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "show",
    &[(
        "git quorum show 1f3a",
        "A proposal with its description, reviews and votes.",
    )],
)];

pub fn run(args: ShowArgs) -> Answer {
    let context = shell::context();
    let session = shell::open_session(&context)?;
    reply(show(&session, &args.id)?, shown_text, never)
}

fn shown_text(shown: &Shown) -> Text {
    let mut text = Text::from(entry_text::lines(&shown.entry));
    if let Some(about) = &shown.about {
        text.push_str("\n\n");
        text.append(proposed_text(shown, &about.proposal));
        text.push_str(&proposal_text::votes(shown.entry.id, &about.rounds));
    }
    text
}

fn proposed_text(shown: &Shown, proposal: &ProposalView) -> Text {
    let mut text = proposal_text::lines(proposal);
    for statement in &shown.entry.statements {
        match statement {
            Statement::Propose(change) => {
                text.push_str(&change_text(change));
                text.push_str(&entry_text::indented(&change.text));
            }
            Statement::ProposeCharter(change) => {
                text.push_str(&entry_text::indented(&change.text));
            }
            _ => {}
        }
    }
    text
}

/// The values of a change, and how to look at it.
fn change_text(change: &RefProposal) -> String {
    let value = |oid: Option<Oid>| oid.map_or("absent".to_owned(), |oid| oid.to_string());
    let rewrite = if change.rewrite {
        " (REWRITES HISTORY)"
    } else {
        ""
    };
    let mut text = format!(
        "\n    from {}\n    to   {}{rewrite}",
        value(change.from),
        value(change.to)
    );
    if let (Some(from), Some(to)) = (change.from, change.to) {
        let (from, to) = (from.short(), to.short());
        text.push_str(&format!("\n    look at it: git diff {from} {to}"));
    }
    text
}
