//! Judging a proposal, and withdrawing one's own.

use super::ProposalAnswer;
use crate::charter::ProposedCharter;
use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::views::proposal::ProposalState;
use crate::client::writer::Writer;
use crate::client::{Code, NextStep};
use crate::consensus::{Content, State};
use crate::id::EntryId;
use crate::ledger::{Review, Statement, Withdraw};
use crate::store::{BindingError, check_binding};

/// Adds a review, casts the votes that it makes due, and pushes. The same review again adds
/// nothing.
///
/// An approval needs all objects of the proposal, which must be what the proposal says. It is
/// refused when another proposal was decided for the same slot.
pub fn review(writer: &mut Writer, review: Review) -> Result<Answer<ProposalAnswer>> {
    let id = review.proposal;
    if !is_said(writer, &review)? {
        if review.verdict == crate::ledger::Verdict::Approve {
            check_not_superseded(writer, id)?;
            check_objects(writer, id)?;
        }
        writer.append(vec![Statement::Review(review)], None)?;
    }
    writer.finish(&[])?;
    ProposalAnswer::of(writer, id)
}

/// Withdraws a proposal of the member, and pushes. Other members may still decide it.
pub fn withdraw(writer: &mut Writer, id: EntryId) -> Result<Answer<ProposalAnswer>> {
    if writer.session().view(id)?.state != ProposalState::Withdrawn {
        let statement = Statement::Withdraw(Withdraw { proposal: id });
        writer.append(vec![statement], None)?;
    }
    writer.finish(&[])?;
    ProposalAnswer::of(writer, id)
}

/// Whether the member's latest review, under the charter in force, is this one.
fn is_said(writer: &Writer, review: &Review) -> Result<bool> {
    let session = writer.session();
    let tally = &session.loaded.tally;
    let (charter, _) = session.charter()?;
    let opinions = tally.opinions(review.proposal);
    let latest = opinions.iter().find(|o| o.member == *writer.member());
    let Some(index) = latest.and_then(|opinion| tally.dag().find(opinion.entry)) else {
        return Ok(false);
    };
    let entry = tally.dag().entry(index);
    let is_same = |s: &Statement| matches!(s, Statement::Review(old) if old == review);
    Ok(entry.charter == charter && entry.statements.iter().any(is_same))
}

/// An approval of a proposal that lost is of no use, and the remote may have dropped its objects.
fn check_not_superseded(writer: &Writer, id: EntryId) -> Result<()> {
    let tally = &writer.session().loaded.tally;
    let Some(proposal) = tally.proposal(id) else {
        return Ok(());
    };
    if tally.state(id) != Some(State::Superseded) {
        return Ok(());
    }
    let winner = tally.decided_in(&proposal.slot).first().copied();
    let by = winner.map_or("another proposal".to_owned(), |id| id.short());
    let message = format!(
        "{by} was decided for the same slot, so an approval of {} has no effect.",
        id.short()
    );
    Err(Error::new(Code::Superseded, message).next(NextStep::Status(winner.unwrap_or(id))))
}

/// A member approves only what it has, and what is as the proposal says.
fn check_objects(writer: &Writer, id: EntryId) -> Result<()> {
    let loaded = &writer.session().loaded;
    let Some(proposal) = loaded.tally.proposal(id) else {
        return Ok(());
    };
    match loaded.tally.content(proposal) {
        Content::Charter(change) => match &change.charter {
            ProposedCharter::Known(_) => Ok(()),
            ProposedCharter::Newer { version, .. } => {
                let message = format!(
                    "The proposed charter has format version {version}, which this program \
                     cannot read."
                );
                Err(Error::new(Code::UpgradeNeeded, message))
            }
        },
        Content::Ref(change) => check_binding(&loaded.tally, loaded.objects(), change)
            .map_err(|error| binding_failed(id, error)),
    }
}

fn binding_failed(proposal: EntryId, error: BindingError) -> Error {
    match error {
        BindingError::Objects(error) => {
            let message = format!(
                "Some of the proposed commits are not in this repository, so it cannot approve \
                 them: {error}"
            );
            Error::new(Code::Incomplete, message).next(NextStep::SyncAndFetch)
        }
        BindingError::Differs(field) => {
            let message = format!(
                "The proposal's {field} is not what its commits say. Its proposer lies, or its \
                 program has a bug."
            );
            Error::new(Code::FalseProposal, message).next(NextStep::RejectFalse { proposal, field })
        }
    }
}
