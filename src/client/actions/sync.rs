//! Exchanging entries and casting the votes that are due; and waiting for a proposal.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::next_for;
use crate::charter::MemberName;
use crate::client::answer::Answer;
use crate::client::error::Result;
use crate::client::list::{Bounded, SHOWN};
use crate::client::participant::Participant;
use crate::client::session::Session;
use crate::client::views::proposal::ProposalView;
use crate::client::{Code, Context, NextStep, WriteOptions};
use crate::consensus::{Subject, Waiting};
use crate::id::EntryId;
use crate::repo::Repo;

/// How long [`wait`] sleeps between two looks, when nothing is due earlier.
const POLL: Duration = Duration::from_secs(2);

/// The shortest sleep between two looks.
const SHORTEST: Duration = Duration::from_millis(20);

/// What a vote waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WaitingView {
    /// The subject of the slot.
    pub subject: Subject,
    /// The round.
    pub round: u32,
    /// The guide of the round, if the vote waits for its prevote.
    pub guide: Option<MemberName>,
    /// Milliseconds until the member goes on without it.
    pub left_ms: u64,
}

impl WaitingView {
    fn of(waiting: &Waiting) -> Self {
        Self {
            subject: waiting.slot.subject.clone(),
            round: waiting.round,
            guide: waiting.guide.clone(),
            left_ms: u64::try_from(waiting.left.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn all(participant: &Participant) -> Vec<Self> {
        participant.waiting().iter().map(Self::of).collect()
    }
}

/// What an exchange brought.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Synced {
    /// Entries that were appended, in order.
    pub entries: Vec<EntryId>,
    /// How many entries are known.
    pub known: usize,
    /// What votes wait for.
    pub waiting: Vec<WaitingView>,
    /// Open proposals.
    pub proposals: Bounded<ProposalView>,
}

/// Fetches, casts every vote that is due, and pushes. An observer only fetches.
pub fn sync(participant: &mut Participant) -> Result<Answer<Synced>> {
    participant.finish(&[])?;
    let session = participant.session();
    let view = Synced {
        entries: participant.appended().to_vec(),
        known: session.loaded.tally.dag().entries().len(),
        waiting: WaitingView::all(participant),
        proposals: session.open_proposals(SHOWN)?,
    };
    let next = match (view.waiting.is_empty(), view.proposals.shown.first()) {
        (false, _) => Some(NextStep::Sync),
        (true, first) => first.and_then(next_for),
    };
    Ok(Answer::yes(view).next(next).notes(session.notes.clone()))
}

/// What to wait for.
#[derive(Debug, Clone)]
pub struct Wait {
    /// The proposal's id, or its first digits.
    pub proposal: String,
    /// How long to wait at most. `None` means without end.
    pub timeout: Option<Duration>,
}

/// A proposal that was waited for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Waited {
    /// The proposal.
    pub id: EntryId,
    /// The proposal as it is now.
    pub proposal: ProposalView,
    /// What the member's own votes wait for.
    pub waiting: Vec<WaitingView>,
}

/// Waits until a proposal is settled, and casts the votes that are due meanwhile. `progress` is
/// called before each sleep.
///
/// The answer is no when the proposal is settled but not decided, and when the time is over.
pub fn wait(
    repo: &Repo,
    context: &Context,
    options: &WriteOptions,
    request: &Wait,
    mut progress: impl FnMut(&Waited),
) -> Result<Answer<Waited>> {
    let deadline = request
        .timeout
        .and_then(|timeout| i64::try_from(timeout.as_millis()).ok())
        .and_then(|timeout| context.clock.now().checked_add(timeout));
    loop {
        let session = Session::open(repo.clone(), context)?;
        let mut participant = Participant::open(session, context, options)?;
        let id = participant.session().proposal(&request.proposal)?;
        participant.finish(&[])?;
        let view = Waited {
            id,
            proposal: participant.session().view(id)?,
            waiting: WaitingView::all(&participant),
        };
        let notes = participant.session().notes.clone();
        let state = view.proposal.state;
        if state.is_decided() {
            let next = next_for(&view.proposal);
            return Ok(Answer::yes(view).next(next).notes(notes));
        }
        if !state.is_open() {
            return Ok(Answer::no(Code::NotDecided, view)
                .next(NextStep::Show(id))
                .notes(notes));
        }
        let left = deadline.map(|end| {
            let left = end.saturating_sub(context.clock.now());
            Duration::from_millis(u64::try_from(left).unwrap_or(0))
        });
        if left.is_some_and(|left| left.is_zero()) {
            let next = next_for(&view.proposal);
            return Ok(Answer::no(Code::Timeout, view).next(next).notes(notes));
        }
        progress(&view);
        let due = view.waiting.iter().map(|w| w.left_ms).min();
        let due = due.map_or(POLL, Duration::from_millis);
        let pause = due.clamp(SHORTEST, POLL).min(left.unwrap_or(POLL));
        // The lock on the sign state must not be held while nothing is done.
        drop(participant);
        context.clock.sleep(pause);
    }
}
