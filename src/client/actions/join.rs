//! Taking part in a ledger from a clone, or following it as an observer.

use schemars::JsonSchema;
use serde::Serialize;

use crate::charter::MemberName;
use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::identity::{Identity, parse_name};
use crate::client::note::Note;
use crate::client::session::{Session, choose_remote, find_id, pinned_ledger};
use crate::client::setup::{RememberedMember, pin, remember_member};
use crate::client::{Code, Context, NextStep, WriteOptions};
use crate::id::EntryId;
use crate::repo::Repo;
use crate::store::{LoadError, fetch_genesis, find_ledgers};

/// How the ledger to pin was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PinSource {
    /// The caller gave the whole id.
    Given,
    /// The caller gave the first digits of the id.
    Shortened,
    /// The clone had pinned it before.
    Already,
    /// It is the only ledger that was found.
    FirstUse,
}

/// A ledger that a clone takes part in, or follows.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Joined {
    /// The ledger.
    pub ledger: EntryId,
    /// How it was chosen.
    pub pinned: PinSource,
    /// The member that writes here. `None` for an observer.
    pub member: Option<MemberName>,
    /// How many members vote.
    pub n: usize,
    /// How many of them may be faulty.
    pub f: usize,
    /// How many make a quorum.
    pub q: usize,
}

/// Pins a ledger, and remembers the member and its key. Without a member the clone follows the
/// ledger as an observer. `genesis` is the ledger id, or its first digits.
///
/// A key in `options` must be an absolute path.
pub fn join(
    repo: &Repo,
    context: &Context,
    options: &WriteOptions,
    genesis: Option<&str>,
) -> Result<Answer<Joined>> {
    let remote = if options.local {
        None
    } else {
        choose_remote(repo, options.remote.as_deref())?
    };
    let (ledger, source) = choose_ledger(repo, genesis, remote.as_deref())?;
    let before = pinned_ledger(repo)?;
    pin(repo, ledger)?;
    let answer = take_part(repo, context, options, source, remote.as_deref());
    if answer.is_err() && before.is_none() {
        // Nothing half-done stays: a pin that was just made is removed.
        repo.unset_config("quorum.ledger")?;
    }
    answer
}

fn take_part(
    repo: &Repo,
    context: &Context,
    options: &WriteOptions,
    source: PinSource,
    remote: Option<&str>,
) -> Result<Answer<Joined>> {
    let mut session = Session::open(repo.clone(), context)?;
    if let Some(remote) = remote {
        session.fetch(remote)?;
    }
    let member = if options.member.is_some() {
        Some(become_member(&session, context, options)?)
    } else {
        let configured = repo.config("quorum.member")?;
        configured.as_deref().map(parse_name).transpose()?
    };
    let ledger = session.ledger();
    let threshold = session.charter()?.1.threshold();
    let view = Joined {
        ledger,
        pinned: source,
        member,
        n: threshold.n,
        f: threshold.f,
        q: threshold.q,
    };
    let advice = match source {
        PinSource::FirstUse => Some(Note::PinnedOnFirstUse(ledger)),
        PinSource::Shortened => Some(Note::PinnedByPrefix(ledger)),
        PinSource::Given | PinSource::Already => None,
    };
    Ok(Answer::yes(view).notes(session.notes).notes(advice))
}

/// The ledger to pin, fetched if it is not here.
fn choose_ledger(
    repo: &Repo,
    asked: Option<&str>,
    remote: Option<&str>,
) -> Result<(EntryId, PinSource)> {
    let here = match remote {
        Some(remote) => fetch_genesis(repo, remote)?,
        None => find_ledgers(repo)?,
    };
    let pin = pinned_ledger(repo)?;
    let (typed, source) = match (asked, pin) {
        (Some(typed), _) => (typed.to_owned(), PinSource::Given),
        (None, Some(pin)) => (pin.to_string(), PinSource::Already),
        (None, None) => {
            return match here.as_slice() {
                [one] => Ok((*one, PinSource::FirstUse)),
                [] => Err(LoadError::NoLedger.into()),
                _ => Err(LoadError::Several(here).into()),
            };
        }
    };
    let ledger = find_id(&typed, "ledger", here.into_iter()).map_err(|error| match error.code {
        Code::NotFound => error.next(NextStep::AskFounder),
        _ => error,
    })?;
    if let Some(pin) = pin.filter(|pin| *pin != ledger) {
        let message = format!("This clone is pinned to ledger {pin}.");
        return Err(Error::new(Code::OtherLedger, message).next(NextStep::Unpin));
    }
    // Digits that are left out are digits that somebody else may choose.
    let is_short = source == PinSource::Given && typed != ledger.to_string();
    Ok((
        ledger,
        if is_short {
            PinSource::Shortened
        } else {
            source
        },
    ))
}

/// Checks the member's key, and remembers both.
fn become_member(
    session: &Session,
    context: &Context,
    options: &WriteOptions,
) -> Result<MemberName> {
    let identity = Identity::resolve(&session.repo, options)?;
    identity.signer(session, context)?;
    let member = RememberedMember {
        name: &identity.member,
        key: options.key.as_deref(),
        agent: options.agent,
    };
    remember_member(&session.repo, &member)?;
    Ok(identity.member)
}
