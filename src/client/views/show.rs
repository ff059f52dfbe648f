//! An entry or a proposal with everything that is known about it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::entry::EntryView;
use super::proposal::ProposalView;
use crate::charter::MemberName;
use crate::client::SHOWN;
use crate::client::actions::next_for;
use crate::client::answer::Answer;
use crate::client::error::Result;
use crate::client::list::Bounded;
use crate::client::session::{Session, find_id};
use crate::consensus::{Opinion, RoundReport};
use crate::id::EntryId;

/// An entry, and what became of its proposal if it holds one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Shown {
    /// The entry.
    #[serde(flatten)]
    pub entry: EntryView,
    /// What became of the proposal. Absent if the entry proposes nothing.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub about: Option<AboutProposal>,
}

/// What became of a proposal.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AboutProposal {
    /// The proposal.
    pub proposal: ProposalView,
    /// The latest rounds of votes for its slot.
    pub rounds: Bounded<RoundReport>,
    /// The last review of every member.
    pub opinions: Vec<Opinion>,
    /// How it was decided. `None` if it is not.
    pub decision: Option<DecisionView>,
}

/// How a proposal was decided.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DecisionView {
    /// The charter under which it was decided.
    pub charter: EntryId,
    /// The round in which it was decided.
    pub round: u32,
    /// The entries with the precommits that decided it, by member.
    pub precommits: BTreeMap<MemberName, EntryId>,
}

/// Shows the entry or proposal whose id begins with these digits.
pub fn show(session: &Session, typed: &str) -> Result<Answer<Shown>> {
    let tally = &session.loaded.tally;
    let ids = tally.dag().entries().map(|(_, entry)| entry.id);
    let id = find_id(typed, "entry", ids)?;
    let about = match tally.proposal(id) {
        Some(_) => Some(about(session, id)?),
        None => None,
    };
    let next = about.as_ref().and_then(|about| next_for(&about.proposal));
    let view = Shown {
        entry: session.entry(id)?,
        about,
    };
    Ok(Answer::yes(view).next(next).notes(session.notes.clone()))
}

fn about(session: &Session, id: EntryId) -> Result<AboutProposal> {
    let report = session.report(id)?;
    let decision = session.loaded.tally.decision(id);
    Ok(AboutProposal {
        proposal: session.view(id)?,
        rounds: Bounded::last(report.rounds, SHOWN),
        opinions: report.opinions,
        decision: decision.map(|decision| DecisionView {
            charter: decision.charter,
            round: decision.round,
            precommits: decision.precommits,
        }),
    })
}
