//! `git quorum status`: the state of the ledger here, or of one proposal. Does no network.

use super::help::Examples;
use super::reply::{never, reply};
use super::style::{Role, Text};
use super::{Answer, fault_text, proposal_text, shell};
use crate::client::SHOWN;
use crate::client::views::status::{
    Overview, ProposalStatus, SubjectView, overview, proposal_status,
};

/// Show protected refs and open proposals, or how far one proposal is.
///
/// Reads only this clone; `git quorum sync` fetches first. A proposal is in one of these states:
/// open (it needs approvals), approved (votes are under way), decided, landed (the ref holds it),
/// rejected, withdrawn, stale (its ref has moved on), superseded (a rival was decided).
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// A proposal's id; the first digits are enough.
    id: Option<String>,
    /// List all open proposals, refs and statements that do not count, not only fifty of each.
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "status",
    &[
        (
            "git quorum status",
            "The ledger, its protected refs, and what is open.",
        ),
        (
            "git quorum status 1f3a",
            "How far one proposal is, and whom it waits for.",
        ),
        ("git quorum status --json", "The same for a program."),
    ],
)];

pub fn run(args: StatusArgs) -> Answer {
    let context = shell::context();
    let session = shell::open_session(&context)?;
    match args.id {
        Some(typed) => {
            let id = session.proposal(&typed)?;
            reply(
                proposal_status(&session, id, SHOWN)?,
                proposal_status_text,
                never,
            )
        }
        None => {
            let limit = if args.all { usize::MAX } else { SHOWN };
            reply(overview(&session, limit)?, overview_text, never)
        }
    }
}

fn proposal_status_text(status: &ProposalStatus) -> Text {
    let mut text = proposal_text::lines(&status.proposal);
    text.push_str(&proposal_text::votes(status.id, &status.rounds));
    text
}

fn overview_text(view: &Overview) -> Text {
    let pinned = if view.pinned { "" } else { "  UNPINNED" };
    let charter = view.charter.short();
    let mut lines = vec![
        Text::from(format!("ledger {}", view.ledger)).with(Role::Bad, pinned),
        Text::from(format!(
            "charter {charter}: {} voting members, {} may be faulty, {} make a quorum",
            view.n, view.f, view.q
        )),
        Text::from(format!("{} entries", view.entries)),
    ];
    let subjects = view.subjects.shown.iter();
    lines.extend(subjects.map(|subject| Text::from(subject_line(subject))));
    if view.subjects.more > 0 {
        let more = format!(
            "… and {} more refs: git quorum status --all",
            view.subjects.more
        );
        lines.push(Text::of(Role::Faint, more));
    }
    if view.proposals.shown.is_empty() {
        lines.push(Text::from("no open proposal"));
    }
    lines.extend(proposal_text::open(&view.proposals));
    lines.extend(fault_text::lines(&view.faults));
    for fork in &view.forks {
        let line = format!("the lane of {} is forked: {} tips", fork.member, fork.tips);
        lines.push(Text::of(Role::Bad, line));
    }
    Text::lines(lines)
}

fn subject_line(subject: &SubjectView) -> String {
    let value = subject.value.map_or("absent".to_owned(), |oid| oid.short());
    let decided = subject.decided.shown.len() + subject.decided.more;
    let mut line = format!(
        "{} is {value}: {} of {decided} decisions landed",
        subject.name, subject.landed
    );
    if !subject.rivals.is_empty() {
        line.push_str("; AGREEMENT IS BROKEN: two decisions for one slot");
    }
    line
}
