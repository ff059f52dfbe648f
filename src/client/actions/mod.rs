//! What a member or an observer can do. Each action takes a request as plain data, and returns an
//! [`Answer`] with a view of what it did.

pub mod charter;
pub mod doctor;
pub mod init;
pub mod install;
pub mod join;
pub mod keygen;
pub mod land;
pub mod propose;
mod remember;
pub mod review;
pub mod sync;

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::error::Result;
use super::next::NextStep;
use super::views::proposal::{ProposalState, ProposalView};
use super::writer::Writer;
use crate::id::EntryId;

/// What came of an action on one proposal.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProposalAnswer {
    /// The proposal.
    pub id: EntryId,
    /// Entries that were appended for it, in order.
    pub entries: Vec<EntryId>,
    /// The proposal as it is now.
    pub proposal: ProposalView,
}

impl ProposalAnswer {
    fn of(writer: &Writer, id: EntryId) -> Result<Answer<Self>> {
        let view = Self {
            id,
            entries: writer.appended().to_vec(),
            proposal: writer.session().view(id)?,
        };
        let next = next_for(&view.proposal);
        let notes = writer.session().notes.clone();
        Ok(Answer::yes(view).next(next).notes(notes))
    }
}

/// What a proposal in this state waits for.
pub(in crate::client) fn next_for(proposal: &ProposalView) -> Option<NextStep> {
    match proposal.state {
        ProposalState::Open => Some(NextStep::Review(proposal.id)),
        ProposalState::Approved => Some(NextStep::OthersSync),
        ProposalState::Decided if proposal.to.is_some() || proposal.from.is_some() => {
            Some(NextStep::Land(Some(proposal.id)))
        }
        _ => None,
    }
}
