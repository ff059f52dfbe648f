//! Proposals for people, in a line or two each.

use std::collections::BTreeSet;

use super::style::{Role, Text};
use crate::charter::MemberName;
use crate::client::Bounded;
use crate::client::views::proposal::ProposalView;
use crate::consensus::RoundReport;
use crate::id::EntryId;

/// A proposal: id, state, subject and title; approvals and what is missing below; then its rivals.
pub fn lines(proposal: &ProposalView) -> Text {
    let ProposalView {
        approvals,
        rejections,
        missing,
        ..
    } = proposal;
    let state = proposal.state;
    let mut text = Text::of(Role::Id, proposal.id.short())
        .with(Role::Plain, "  ")
        .with(Role::of_state(state.as_str()), format!("{state:<10}"))
        .with(
            Role::Plain,
            format!(" {}  {}", proposal.subject, proposal.title),
        );
    text.push_str(&format!("\n    by {}, ", proposal.proposer));
    text.push_str(&format!(
        "{} of {} approvals",
        approvals.len(),
        proposal.quorum
    ));
    if !approvals.is_empty() {
        text.push_str(&format!(" ({})", names(approvals)));
    }
    if !rejections.is_empty() {
        text.push_str(&format!(", rejected by {}", names(rejections)));
    }
    if !missing.is_empty() {
        text.push_str(&format!(
            "; needs {} from {}",
            proposal.needs,
            names(missing)
        ));
    }
    if !proposal.rivals.shown.is_empty() {
        text.push_str(&format!("\n    rivals: {}", ids(&proposal.rivals)));
    }
    text
}

/// The votes of a slot, round by round. `own` is the proposal that needs no name.
pub fn votes(own: EntryId, rounds: &Bounded<RoundReport>) -> String {
    let mut text = String::new();
    if rounds.more > 0 {
        text.push_str(&format!("\n    {} earlier rounds", rounds.more));
    }
    for round in &rounds.shown {
        let phases = [
            ("prevotes", &round.prevotes),
            ("precommits", &round.precommits),
        ];
        for (phase, votes) in phases {
            for (proposal, members) in votes {
                let rival = if *proposal == own {
                    String::new()
                } else {
                    format!(" for rival {}", proposal.short())
                };
                let (round, members) = (round.round, names(members));
                text.push_str(&format!("\n    round {round}: {phase}{rival} by {members}"));
            }
        }
    }
    text
}

/// Open proposals, and how to see those that are left out.
pub fn open(proposals: &Bounded<ProposalView>) -> Vec<Text> {
    let mut texts: Vec<_> = proposals.shown.iter().map(lines).collect();
    if proposals.more > 0 {
        let more = format!("… and {} more: git quorum status --all", proposals.more);
        texts.push(Text::of(Role::Faint, more));
    }
    texts
}

/// Short ids in a row, and how many more there are.
pub fn ids(ids: &Bounded<EntryId>) -> String {
    let shown: Vec<_> = ids.shown.iter().map(EntryId::short).collect();
    let more = match ids.more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.join(", ") + &more
}

/// Names in a row.
pub fn names(names: &BTreeSet<MemberName>) -> String {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_rivals_has_an_end() {
        let ids_of = |count: u8, limit| {
            let all = (0..count).map(|n| EntryId::new([n; 32])).collect();
            ids(&Bounded::first(all, limit))
        };
        assert_eq!(ids_of(2, 8), "000000000000, 010101010101");
        assert!(!ids_of(8, 8).contains("more"));
        assert!(ids_of(200, 8).ends_with("070707070707 and 192 more"));
    }
}
