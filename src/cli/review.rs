//! `git quorum review` and `git quorum withdraw`: judgements on a proposal.

use serde_json::json;

use super::identity::WriteArgs;
use super::session::Writer;
use super::{Answer, Exit, Failure, Outcome};
use crate::charter::ProposedCharter;
use crate::consensus::{Content, State};
use crate::id::EntryId;
use crate::ledger::{Review, Statement, Verdict, Withdraw};
use crate::store::{BindingError, check_binding};

/// Approve or reject a proposal, or abstain, and push.
///
/// Votes that become due are cast at once. An approval is given only when all that the proposal binds is here and is what the proposal says,
/// and no other proposal was decided in its place.
/// The same review again adds nothing.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("verdict").required(true).args(["approve", "reject", "abstain"]))]
pub struct ReviewArgs {
    /// The proposal's id; the first digits are enough.
    id: String,
    /// The change is good.
    #[arg(long)]
    approve: bool,
    /// The change is not good.
    #[arg(long)]
    reject: bool,
    /// No judgement.
    #[arg(long)]
    abstain: bool,
    /// The reasons, at most 16384 bytes.
    #[arg(short = 'm', long = "message", value_name = "TEXT")]
    text: Option<String>,
    /// Read the reasons from a file, or from standard input if it is -.
    #[arg(short = 'F', long, value_name = "FILE", conflicts_with = "text")]
    file: Option<std::path::PathBuf>,
    /// What the judgement rests on: a command that was run, a link, a digest. Repeat for each:
    /// 16 at most, of 1024 bytes each.
    #[arg(long, value_name = "LINE")]
    evidence: Vec<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Say that you no longer stand behind a proposal of yours.
///
/// A view, as a rejection is: other members may still decide it.
#[derive(Debug, clap::Args)]
pub struct WithdrawArgs {
    /// The proposal's id; the first digits are enough.
    id: String,
    #[command(flatten)]
    write: WriteArgs,
}

pub fn run(args: ReviewArgs) -> Answer {
    let verdict = match (args.approve, args.reject) {
        (true, _) => Verdict::Approve,
        (_, true) => Verdict::Reject,
        _ => Verdict::Abstain,
    };
    let text = super::text_input(args.text.clone(), args.file.as_deref())?;
    let mut writer = Writer::open(&args.write)?;
    let id = writer.session.proposal(&args.id)?;
    let review = Review {
        evidence: args.evidence,
        proposal: id,
        text,
        verdict,
    };
    if !is_said(&writer, &review)? {
        if verdict == Verdict::Approve {
            check_not_superseded(&writer, id)?;
            check_whole(&writer, id)?;
        }
        writer.say(vec![Statement::Review(review)], |_| Vec::new())?;
    }
    writer.finish(&[])?;
    report(&writer, id)
}

/// Whether the member has said just this, under the charter in force, and nothing else since.
fn is_said(writer: &Writer, review: &Review) -> Result<bool, Failure> {
    let tally = &writer.session.loaded.tally;
    let (charter, _) = writer.session.charter()?;
    let last = tally
        .opinions(review.proposal)
        .into_iter()
        .find(|o| o.member == *writer.member());
    let Some(entry) = last
        .and_then(|o| tally.dag().find(o.entry))
        .map(|e| tally.dag().entry(e))
    else {
        return Ok(false);
    };
    let same = entry
        .statements
        .iter()
        .any(|s| matches!(s, Statement::Review(old) if old == review));
    Ok(same && entry.charter == charter)
}

/// An approval of what has lost to another proposal would be of no use, and its objects may be gone from the remote.
fn check_not_superseded(writer: &Writer, id: EntryId) -> Result<(), Failure> {
    let tally = &writer.session.loaded.tally;
    let Some(slot) = tally
        .proposal(id)
        .map(|p| &p.slot)
        .filter(|_| tally.state(id) == Some(State::Superseded))
    else {
        return Ok(());
    };
    let winner = tally
        .decided_in(slot)
        .first()
        .map(|winner| winner.short())
        .unwrap_or_default();
    Err(Failure::new(
        "SUPERSEDED",
        format!("{winner} was decided in its place, so an approval would have no effect"),
    )
    .exit(Exit::No)
    .hint(format!(
        "git quorum status {winner}; what is still wanted must be proposed again"
    )))
}

/// Tools approve only what they hold whole.
fn check_whole(writer: &Writer, id: EntryId) -> Result<(), Failure> {
    let loaded = &writer.session.loaded;
    let Some(proposal) = loaded.tally.proposal(id) else {
        return Ok(());
    };
    match loaded.tally.content(proposal) {
        Content::Charter(change) => match &change.charter {
            ProposedCharter::Known(_) => Ok(()),
            ProposedCharter::Newer { version, .. } => {
                let message =
                    format!("the proposed charter is of format version {version}, which this git-quorum cannot read");
                Err(Failure::new("UPGRADE_NEEDED", message)
                    .exit(Exit::Unverified)
                    .hint("install a newer git-quorum to judge it"))
            }
        },
        Content::Ref(change) => check_binding(&loaded.tally, loaded.objects(), change).map_err(|error| match error {
            BindingError::Objects(error) => Failure::new(
                "INCOMPLETE",
                format!("the proposed commits are not here whole, so they cannot be approved: {error}"),
            )
            .exit(Exit::Conflict)
            .hint("git quorum sync; git fetch"),
            BindingError::Differs(what) => Failure::new(
                "FALSE_PROPOSAL",
                format!("the proposal's {what} is not what its commits say: its proposer lies or is broken"),
            )
            .exit(Exit::No)
            .hint(format!("git quorum review {} --reject -m \"{what} is false\"", id.short())),
        }),
    }
}

pub fn withdraw(args: WithdrawArgs) -> Answer {
    let mut writer = Writer::open(&args.write)?;
    let id = writer.session.proposal(&args.id)?;
    if writer.session.view(id)?.state != "withdrawn" {
        writer.say(vec![Statement::Withdraw(Withdraw { proposal: id })], |_| {
            Vec::new()
        })?;
    }
    writer.finish(&[])?;
    report(&writer, id)
}

fn report(writer: &Writer, id: EntryId) -> Answer {
    let view = writer.session.view(id)?;
    let text = view.text();
    let data = json!({"id": id, "entries": writer.appended, "proposal": view});
    Ok(Outcome::new(data, text)?.with_notes(writer.session.notes.clone()))
}
