//! `git quorum check-proof`: what a file proves, anywhere and offline.

use std::path::PathBuf;

use super::help::Examples;
use super::reply::reply;
use super::style::{Role, Text};
use super::{Answer, fault_text, proposal_text};
use crate::audit::proof::KNOWING_BYTES;
use crate::client::SHOWN;
use crate::client::views::proof::{CheckProof, CheckedProof, check_proof};

/// Check a proof that a member broke the rules.
///
/// Needs no repository and no network. The file holds the entries that convict, and everything they
/// build on, down to the genesis. The command checks and computes everything anew.
///
/// Without --ledger the answer is UNPINNED: anybody can found a ledger in which somebody's name
/// stands for another key. Exit status 0: the member is convicted. 7: nothing is proved, the file
/// is about another ledger, or UNPINNED.
#[derive(Debug, clap::Args)]
pub struct CheckProofArgs {
    /// The file, as `git quorum faults --prove ID -o FILE` writes it.
    file: PathBuf,
    /// The full id of the ledger, as you know it from elsewhere.
    #[arg(long, value_name = "ID")]
    ledger: Option<String>,
    /// The memory limit, in bytes, for what the entries in the file know of each other.
    #[arg(long, value_name = "BYTES", default_value_t = KNOWING_BYTES)]
    memory: usize,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "check-proof",
    &[(
        "git quorum check-proof dave.proof --ledger ID",
        "What the file proves about a member of that ledger; anywhere, offline.",
    )],
)];

pub fn run(args: CheckProofArgs) -> Answer {
    let request = CheckProof {
        file: args.file,
        ledger: args.ledger,
        memory: args.memory,
        limit: SHOWN,
    };
    reply(check_proof(&request)?, checked_text, refusal)
}

/// Why the answer is no.
fn refusal(checked: &CheckedProof) -> String {
    format!(
        "The proof fits ledger {}, but nothing says that this is the right ledger.",
        checked.ledger
    )
}

fn checked_text(checked: &CheckedProof) -> Text {
    let pin = if checked.pinned {
        "as asked for"
    } else {
        "UNPINNED"
    };
    let convicted = proposal_text::names(&checked.convicted);
    let mut lines = vec![
        Text::from(format!(
            "ledger {} ({pin}): {} entries, every signature checked",
            checked.ledger, checked.entries
        )),
        Text::of(Role::Bad, format!("convicted: {convicted}")),
    ];
    for fault in &checked.faults.shown {
        lines.push(fault_text::line(fault));
        let key = fault.key.as_ref();
        lines.extend(key.map(|key| Text::from(format!("    key {key}"))));
        lines.push(Text::from(format!("    charter {}", fault.fault.charter)));
        lines.extend(fault_text::votes(fault));
    }
    if checked.faults.more > 0 {
        let more = format!("… and {} more faults", checked.faults.more);
        lines.push(Text::of(Role::Faint, more));
    }
    Text::lines(lines)
}
