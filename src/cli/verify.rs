//! `git quorum verify`: checks, offline and from scratch, that protected refs hold what was decided.

use super::help::Examples;
use super::reply::reply;
use super::style::Text;
use super::{Answer, fault_text, shell};
use crate::audit::{Backing, DecisionAudit, RefAudit};
use crate::client::SHOWN;
use crate::client::views::verify::{Verified, Verify, verify};
use crate::id::EntryId;

/// Verify that protected refs hold what was decided.
///
/// Recomputes every decision from the entries. Uses no network and no cache.
///
/// A branch of this clone may be ahead of what the remote showed: that is work that has not landed.
/// It is a violation only if you name the branch. A value that `git fetch` brought since the last
/// `git quorum sync` is a violation if no known decision backs it.
///
/// Exit status 7: a value that no decision backs; a broken agreement; a decision whose commits
/// differ from the decided ones, or are missing although the ref has its value; a missing entry; or
/// UNPINNED.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Protected refs [default: all that exist here, and all that the remotes showed last].
    refs: Vec<String>,
    /// Verify this commit as the value of the one ref named.
    #[arg(long, value_name = "COMMIT", requires = "refs")]
    at: Option<String>,
    /// Require a decision behind every value. Use it in a required check: a server that hides lanes
    /// looks like a ledger without decisions.
    #[arg(long)]
    backed: bool,
    /// The ledger id, if this clone has not pinned it.
    #[arg(long, value_name = "ID")]
    genesis: Option<String>,
    /// List all values, decisions and faults, not only fifty of each.
    #[arg(long)]
    all: bool,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "verify",
    &[
        ("git quorum verify", "Everything that this clone knows."),
        (
            "git quorum verify --backed main --at HEAD --genesis ID",
            "As a required check: HEAD must be what a decision says main is.",
        ),
    ],
)];

pub fn run(args: VerifyArgs) -> Answer {
    let request = Verify {
        refs: args.refs,
        at: args.at,
        all_backed: args.backed,
        genesis: args.genesis,
        limit: if args.all { usize::MAX } else { SHOWN },
    };
    let context = shell::context();
    let repo = shell::open_repo()?;
    reply(verify(repo, &context, &request)?, verified_text, refusal)
}

/// Why the answer is no.
fn refusal(found: &Verified) -> String {
    let violations = &found.violations;
    if violations.shown.is_empty() {
        return format!(
            "Everything fits ledger {}, but nothing says that this is the right ledger.",
            found.ledger
        );
    }
    let mut lines: Vec<_> = violations.shown.iter().map(|v| v.text.clone()).collect();
    if violations.more > 0 {
        lines.push(format!("… and {} more violations", violations.more));
    }
    lines.join("\n")
}

fn verified_text(found: &Verified) -> Text {
    let mut lines = Vec::new();
    // The first line of a positive answer. A negative one must not look like it.
    if found.violations.shown.is_empty() && found.pinned {
        lines.push(format!(
            "ledger {}: {} entries, every signature checked",
            found.ledger, found.entries
        ));
    }
    lines.extend(found.refs.shown.iter().map(ref_line));
    if found.refs.more > 0 {
        lines.push(format!(
            "  {} more values, checked too: git quorum verify --all",
            found.refs.more
        ));
    }
    if found.decisions.more > 0 {
        lines.push(format!(
            "  {} more decisions, checked too: git quorum verify --all",
            found.decisions.more
        ));
    }
    lines.extend(found.decisions.shown.iter().map(decision_line));
    let lines = lines.into_iter().map(Text::from);
    Text::lines(lines.chain(fault_text::lines(&found.faults)))
}

fn ref_line(audit: &RefAudit) -> String {
    let value = audit.value.map_or("absent".to_owned(), |oid| oid.short());
    let found = match audit.backing {
        Backing::Backed => {
            let by = audit
                .decision
                .map_or(String::new(), |id: EntryId| id.short());
            format!(
                "backed by decision {by} ({} of {})",
                audit.landed, audit.decided
            )
        }
        Backing::NothingDecided => {
            "nothing decided about it yet, so nothing vouches for it".to_owned()
        }
        Backing::NothingLanded => format!("none of {} decisions has landed", audit.decided),
        Backing::NotBacked => "NOT BACKED by any decision".to_owned(),
        Backing::AgreementBroken => "AGREEMENT BROKEN".to_owned(),
    };
    format!("{} ({}) is {value}: {found}", audit.name, audit.place)
}

fn decision_line(decision: &DecisionAudit) -> String {
    let members: Vec<_> = decision
        .precommits
        .keys()
        .map(ToString::to_string)
        .collect();
    let unchecked = decision.unchecked.as_ref().map_or(String::new(), |why| {
        format!("; not compared with its commits: {why}")
    });
    format!(
        "  decision {} {}: {} (proposed by {}, round {}, agreed by {}){unchecked}",
        decision.proposal.short(),
        decision.subject,
        decision.title,
        decision.proposer,
        decision.round,
        members.join(", ")
    )
}
