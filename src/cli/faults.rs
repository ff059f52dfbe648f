//! `git quorum faults`: what members did against the rules, what remotes showed that they should not
//! have shown, and files that prove faults to strangers.

use std::path::PathBuf;

use super::help::Examples;
use super::reply::{never, reply};
use super::style::{Role, Text};
use super::{Answer, fault_text, proposal_text, shell};
use crate::client::views::faults::{Faults, FaultsView, faults};
use crate::client::views::proof::{Prove, Proved, write_proof};
use crate::client::{Bounded, SHOWN};
use crate::id::EntryId;
use crate::wording::broken_slot;

/// List violations that members committed, and prove them to others.
///
/// Reads this clone and checks every signature. Lists broken slots first, then members with their
/// faults, and for each fault the entries that convict and the broken rule. An honest member is
/// never listed, whatever others do. Lanes that moved back or vanished on a remote are listed too;
/// they name the remote, not the member. Exit status 7: something was found.
#[derive(Debug, clap::Args)]
pub struct FaultsArgs {
    /// Only faults of this member.
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
    /// Exchange entries with this remote first, and list what it now shows differently.
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    /// Write a proof of the fault with this id, for `git quorum check-proof`; its first digits are enough.
    #[arg(long, value_name = "ID", requires = "output", conflicts_with_all = ["member", "remote"])]
    prove: Option<String>,
    /// The file for the proof. It must not exist yet.
    #[arg(short = 'o', long, value_name = "FILE", requires = "prove")]
    output: Option<PathBuf>,
    /// List everything, not only fifty of each kind.
    #[arg(long, conflicts_with = "prove")]
    all: bool,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "faults",
    &[
        (
            "git quorum faults",
            "Who broke the rules, as far as this clone knows, and by which entries.",
        ),
        (
            "git quorum faults --remote origin",
            "The same with what the remote has now, and what it shows otherwise than before.",
        ),
        (
            "git quorum faults --prove 1f3a -o dave.proof",
            "Write one of them down for others.",
        ),
    ],
)];

pub fn run(args: FaultsArgs) -> Answer {
    let context = shell::context();
    let repo = shell::open_repo()?;
    if let (Some(fault), Some(file)) = (args.prove, args.output) {
        let request = Prove { fault, file };
        return reply(write_proof(repo, &context, &request)?, proved_text, never);
    }
    let request = Faults {
        member: args.member,
        remote: args.remote,
        limit: if args.all { usize::MAX } else { SHOWN },
    };
    reply(faults(repo, &context, &request)?, faults_text, refusal)
}

/// Why the answer is no.
fn refusal(found: &FaultsView) -> String {
    if found.convicted.is_empty() {
        return "No member is convicted, but a remote or a lane is not as it should be.".to_owned();
    }
    let convicted = proposal_text::names(&found.convicted);
    format!("Members are convicted by their own votes: {convicted}.")
}

fn faults_text(found: &FaultsView) -> Text {
    let broken = found.broken.shown.iter().map(broken_slot);
    let mut lines: Vec<_> = broken.map(|line| Text::of(Role::Bad, line)).collect();
    lines.extend(more(&found.broken, "broken slots"));
    for fault in &found.faults.shown {
        lines.push(fault_text::line(fault));
        lines.extend(fault_text::votes(fault));
    }
    lines.extend(more(&found.faults, "faults"));
    for seen in &found.observed.shown {
        lines.push(Text::of(Role::Bad, "seen  ").with(Role::Plain, &*seen.text));
    }
    lines.extend(more(&found.observed, "observations"));
    for fork in &found.forks {
        let ends: Vec<_> = fork.ends.iter().map(EntryId::short).collect();
        lines.push(Text::from(format!(
            "the lane of {} is forked, which is no fault: it ends in {}",
            fork.member,
            ends.join(", ")
        )));
    }
    if found.faults.shown.is_empty() {
        lines.push(Text::from("no member is convicted of anything"));
    }
    if found.asked.is_none() {
        let unasked = "no remote was asked what it shows now: git quorum faults --remote NAME";
        lines.push(Text::of(Role::Faint, unasked));
    }
    Text::lines(lines)
}

/// How many items were left out, and how to see them. `None` if all are listed.
fn more<T>(list: &Bounded<T>, what: &str) -> Option<Text> {
    let line = format!("… and {} more {what}: git quorum faults --all", list.more);
    (list.more > 0).then(|| Text::of(Role::Faint, line))
}

fn proved_text(proved: &Proved) -> Text {
    let written = format!("\nproof written to {}", proved.file.display());
    fault_text::line(&proved.fault).with(Role::Plain, written)
}
