//! `git quorum review` and `git quorum withdraw`: judgements on a proposal.

use super::help::Examples;
use super::reply::{never, reply};
use super::shell::{self, WriteArgs};
use super::{Answer, proposal_text};
use crate::client::Writer;
use crate::client::actions::ProposalAnswer;
use crate::client::actions::review::{review, withdraw as withdraw_proposal};
use crate::ledger::{Review, Verdict};

/// Approve or reject a proposal, or abstain, and push.
///
/// Votes that become due are cast at once. An approval needs all commits of the proposal in this clone,
/// and they must be what the proposal says. It is refused when another proposal was decided in its
/// place. The same review again adds nothing.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("verdict").required(true).args(["approve", "reject", "abstain"]))]
pub struct ReviewArgs {
    /// The change is good.
    #[arg(long)]
    approve: bool,
    /// The change is not good.
    #[arg(long)]
    reject: bool,
    /// No judgement.
    #[arg(long)]
    abstain: bool,
    #[command(flatten)]
    judgement: JudgementArgs,
}

/// The proposal, the reasons, and who judges.
#[derive(Debug, clap::Args)]
struct JudgementArgs {
    /// The proposal's id; the first digits are enough.
    id: String,
    /// The reasons, at most 16384 bytes.
    #[arg(short = 'm', long = "message", value_name = "TEXT")]
    text: Option<String>,
    /// Read the reasons from a file, or from standard input if it is -.
    #[arg(short = 'F', long, value_name = "FILE", conflicts_with = "text")]
    file: Option<std::path::PathBuf>,
    /// Evidence for the judgement: a command that was run, a link, a digest. Repeat for each: at
    /// most 16, of at most 1024 bytes each.
    #[arg(long, value_name = "LINE")]
    evidence: Vec<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Approve a proposal and push. Short for `git quorum review ID --approve`.
#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    #[command(flatten)]
    judgement: JudgementArgs,
}

/// Reject a proposal and push. Short for `git quorum review ID --reject`.
#[derive(Debug, clap::Args)]
pub struct RejectArgs {
    #[command(flatten)]
    judgement: JudgementArgs,
}

/// Withdraw a proposal of yours.
///
/// Like a rejection, this is an opinion: other members may still decide the proposal.
#[derive(Debug, clap::Args)]
pub struct WithdrawArgs {
    /// The proposal's id; the first digits are enough.
    id: String,
    #[command(flatten)]
    write: WriteArgs,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[
    (
        "review",
        &[
            (
                "git quorum review 1f3a --approve -m 'It says hello.' --evidence 'cargo test: 12 passed'",
                "Approve what you have checked, and say how.",
            ),
            (
                "git quorum review 1f3a --reject -m 'It panics without arguments.'",
                "Reject it, and say why.",
            ),
        ],
    ),
    (
        "approve",
        &[(
            "git quorum approve 1f3a -m 'It says hello.'",
            "Approve what you have checked, and say why.",
        )],
    ),
    (
        "reject",
        &[(
            "git quorum reject 1f3a -m 'It panics without arguments.'",
            "Reject it, and say why.",
        )],
    ),
    (
        "withdraw",
        &[(
            "git quorum withdraw 1f3a",
            "Take back a proposal of your own.",
        )],
    ),
];

pub fn run(args: ReviewArgs) -> Answer {
    let verdict = if args.approve {
        Verdict::Approve
    } else if args.reject {
        Verdict::Reject
    } else {
        Verdict::Abstain
    };
    judge(args.judgement, verdict)
}

pub fn approve(args: ApproveArgs) -> Answer {
    judge(args.judgement, Verdict::Approve)
}

pub fn reject(args: RejectArgs) -> Answer {
    judge(args.judgement, Verdict::Reject)
}

fn judge(args: JudgementArgs, verdict: Verdict) -> Answer {
    let text = shell::text_input(args.text, args.file.as_deref())?;
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let mut writer = Writer::open(session, &context, &args.write.into())?;
    let request = Review {
        evidence: args.evidence,
        proposal: writer.session().proposal(&args.id)?,
        text,
        verdict,
    };
    reply(review(&mut writer, request)?, text_of, never)
}

pub fn withdraw(args: WithdrawArgs) -> Answer {
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let mut writer = Writer::open(session, &context, &args.write.into())?;
    let id = writer.session().proposal(&args.id)?;
    reply(withdraw_proposal(&mut writer, id)?, text_of, never)
}

fn text_of(answer: &ProposalAnswer) -> super::style::Text {
    proposal_text::lines(&answer.proposal)
}
