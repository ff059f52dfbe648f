//! `git quorum sync`: fetches, casts every vote that is due, and pushes. And `git quorum wait`, which
//! does so until a proposal is settled.

use std::time::Duration;

use super::help::Examples;
use super::reply::{never, reply};
use super::shell::{self, WriteArgs};
use super::style::Text;
use super::{Answer, progress, proposal_text};
use crate::client::Participant;
use crate::client::actions::sync::{Synced, Wait, Waited, WaitingView, sync, wait as wait_for};

/// Fetch lanes, cast every vote that is due, and push.
///
/// It is cheap and safe at any time. Run it at the start and at the end of your work. A clone
/// without a member only fetches.
#[derive(Debug, clap::Args)]
pub struct SyncArgs {
    #[command(flatten)]
    write: WriteArgs,
}

/// Wait until a proposal is settled.
///
/// A proposal is settled when it is decided, rejected, withdrawn, stale or superseded. Meanwhile
/// the command casts the votes that are due; a clone without a member only watches. Exit status 0:
/// it is decided. 6: it will not be decided, or not in time.
#[derive(Debug, clap::Args)]
pub struct WaitArgs {
    /// The proposal's id; the first digits are enough.
    id: String,
    /// Give up after this many seconds.
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[
    (
        "sync",
        &[
            (
                "git quorum sync",
                "Fetch, vote, push, with the remote `origin`.",
            ),
            (
                "git quorum sync --remote backup",
                "The same with another remote that holds part of the ledger.",
            ),
        ],
    ),
    (
        "wait",
        &[(
            "git quorum wait 1f3a --timeout 600",
            "Wait ten minutes at most, and vote meanwhile.",
        )],
    ),
];

pub fn run(args: SyncArgs) -> Answer {
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let mut participant = Participant::open(session, &context, &args.write.into())?;
    reply(sync(&mut participant)?, synced_text, never)
}

fn synced_text(synced: &Synced) -> Text {
    let head = format!(
        "{} entries known, {} appended",
        synced.known,
        synced.entries.len()
    );
    let mut lines = vec![Text::from(head)];
    lines.extend(proposal_text::open(&synced.proposals));
    lines.extend(synced.waiting.iter().map(waiting_text).map(Text::from));
    Text::lines(lines)
}

/// What a vote waits for, in a sentence.
fn waiting_text(waiting: &WaitingView) -> String {
    let seconds = waiting.left_ms.div_ceil(1000);
    let what = match &waiting.guide {
        Some(guide) => format!(
            "the prevote of {guide}, the guide of round {}",
            waiting.round
        ),
        None => format!("votes of others in round {}", waiting.round),
    };
    format!(
        "{}: waits up to {seconds} s more for {what}; `git quorum sync` goes on then",
        waiting.subject
    )
}

pub fn wait(args: WaitArgs) -> Answer {
    let context = shell::context();
    let request = Wait {
        proposal: args.id,
        timeout: args.timeout.map(Duration::from_secs),
    };
    let show = |waited: &Waited| progress::say(&waiting_line(waited));
    let repo = shell::open_repo()?;
    let answer = wait_for(&repo, &context, &args.write.into(), &request, show)?;
    reply(answer, waited_text, not_decided)
}

fn waiting_line(Waited { id, proposal, .. }: &Waited) -> String {
    let missing = proposal_text::names(&proposal.missing);
    format!(
        "Waiting for {}: {} from {missing}",
        id.short(),
        proposal.needs
    )
}

fn waited_text(waited: &Waited) -> Text {
    let waiting = waited.waiting.iter().map(waiting_text).map(Text::from);
    Text::lines(std::iter::once(proposal_text::lines(&waited.proposal)).chain(waiting))
}

fn not_decided(Waited { id, proposal, .. }: &Waited) -> String {
    if !proposal.state.is_open() {
        return format!("Proposal {} is {}.", id.short(), proposal.state);
    }
    format!(
        "Proposal {} is still {}. It needs {} from {}.",
        id.short(),
        proposal.state,
        proposal.needs,
        proposal_text::names(&proposal.missing)
    )
}
