//! Faults for people.

use super::style::{Role, Text};
use crate::client::Bounded;
use crate::client::views::fault::FaultView;
use crate::consensus::VoteRef;
use crate::wording::{fault_kind, fault_rule};

/// The first faults in a line each, and how to see more of them.
pub fn lines(faults: &Bounded<FaultView>) -> Vec<Text> {
    let mut lines: Vec<_> = faults.shown.iter().map(line).collect();
    if faults.more > 0 {
        let more = format!("… and {} more faults", faults.more);
        lines.push(Text::of(Role::Faint, more));
    }
    if !faults.shown.is_empty() {
        let how = "git quorum faults tells by which entries";
        lines.push(Text::of(Role::Faint, how));
    }
    lines
}

/// A fault in a line.
pub fn line(view: &FaultView) -> Text {
    let fault = &view.fault;
    let kind = format!("  {} ({})", fault_kind(fault.kind), fault_rule(fault));
    Text::of(Role::Bad, "fault ")
        .with(Role::Id, fault.id.short())
        .with(Role::Bad, kind)
        .with(Role::Plain, format!("  {}", view.text))
}

/// The votes that prove a fault, in a line each.
pub fn votes(view: &FaultView) -> impl Iterator<Item = Text> + '_ {
    let line = |vote: &VoteRef| {
        Text::from(format!(
            "    entry {}, statement {}, commit {}",
            vote.entry, vote.statement, vote.commit
        ))
    };
    view.fault.votes.iter().map(line)
}
