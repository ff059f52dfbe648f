//! Taking part in a ledger from a clone, or following it as an observer.

use schemars::JsonSchema;
use serde::Serialize;

use super::remember::{Membership, remember};
use crate::charter::MemberName;
use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::identity::Identity;
use crate::client::session::{Session, choose_remote, find_id, pinned_ledger};
use crate::client::{Code, Context, NextStep, Note, WriteOptions, parse_name};
use crate::id::EntryId;
use crate::repo::Repo;
use crate::store::{LoadError, fetch_genesis, find_ledgers};

/// What to join, and as whom.
#[derive(Debug, Clone, Default)]
pub struct Join {
    /// The ledger id, or its first digits. `None` means the pinned ledger, or the only one found.
    pub genesis: Option<String>,
    /// The member with its key, and the remote. A path in it is absolute. Without a member, the
    /// clone keeps the member that it has.
    pub options: WriteOptions,
}

/// How the ledger id was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pinned {
    /// The caller gave the full id.
    Given,
    /// The caller gave the first digits. Somebody else may have chosen the others.
    Shortened,
    /// The clone had pinned the ledger before.
    Already,
    /// The only ledger found was taken. Nobody vouched for it.
    FirstUse,
}

/// What was joined.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Joined {
    /// The ledger.
    pub ledger: EntryId,
    /// How the ledger id was chosen.
    pub pinned: Pinned,
    /// The member that writes in this clone. `None` for an observer.
    pub member: Option<MemberName>,
    /// How many members vote.
    pub n: usize,
    /// How many of them may be faulty.
    pub f: usize,
    /// How many make a quorum.
    pub q: usize,
}

/// Pins a ledger in a clone, and remembers the member and its key. A pin that was made for a run
/// that fails is removed again.
pub fn join(repo: &Repo, context: &Context, request: &Join) -> Result<Answer<Joined>> {
    let remote = if request.options.local {
        None
    } else {
        choose_remote(repo, request.options.remote.as_deref())?
    };
    let choice = Choice::make(repo, request.genesis.as_deref(), remote.as_deref())?;
    let before = pinned_ledger(repo)?;
    remember(repo, choice.ledger, None)?;
    let joined = finish(repo, context, request, choice, remote.as_deref());
    if joined.is_err() && before.is_none() {
        repo.unset_config("quorum.ledger")?;
    }
    joined
}

/// The ledger to pin, and how it was chosen.
#[derive(Clone, Copy)]
struct Choice {
    ledger: EntryId,
    pinned: Pinned,
}

impl Choice {
    /// Fetches the genesis entries of the remote, and chooses one ledger.
    fn make(repo: &Repo, asked: Option<&str>, remote: Option<&str>) -> Result<Choice> {
        let here = match remote {
            Some(remote) => fetch_genesis(repo, remote)?,
            None => find_ledgers(repo)?,
        };
        let pin = pinned_ledger(repo)?;
        let typed = match (asked, pin) {
            (Some(typed), _) => typed.to_owned(),
            (None, Some(pin)) => pin.to_string(),
            (None, None) => return Choice::only(here),
        };
        let ledger = find_id(&typed, "ledger", here.into_iter()).map_err(|error| {
            if error.code == Code::NotFound {
                error.next(NextStep::AskFounder)
            } else {
                error
            }
        })?;
        if let Some(pin) = pin.filter(|pin| *pin != ledger) {
            let message = format!("This clone is pinned to ledger {pin}.");
            return Err(Error::new(Code::OtherLedger, message).next(NextStep::Unpin));
        }
        let pinned = match asked {
            None => Pinned::Already,
            Some(typed) if typed == ledger.to_string() => Pinned::Given,
            Some(_) => Pinned::Shortened,
        };
        Ok(Choice { ledger, pinned })
    }

    fn only(here: Vec<EntryId>) -> Result<Choice> {
        match here.as_slice() {
            [one] => Ok(Choice {
                ledger: *one,
                pinned: Pinned::FirstUse,
            }),
            [] => Err(LoadError::NoLedger.into()),
            _ => Err(LoadError::Several(here).into()),
        }
    }

    fn note(self) -> Option<Note> {
        match self.pinned {
            Pinned::FirstUse => Some(Note::PinnedOnFirstUse(self.ledger)),
            Pinned::Shortened => Some(Note::PinnedByPrefix(self.ledger)),
            Pinned::Given | Pinned::Already => None,
        }
    }
}

fn finish(
    repo: &Repo,
    context: &Context,
    request: &Join,
    choice: Choice,
    remote: Option<&str>,
) -> Result<Answer<Joined>> {
    let mut session = Session::open(repo.clone(), context)?;
    if let Some(remote) = remote {
        session.fetch(remote)?;
    }
    let options = &request.options;
    let member = match &options.member {
        Some(_) => Some(check_member(&session, context, options)?),
        None => remembered_member(&session.repo)?,
    };
    let threshold = session.charter()?.1.threshold();
    let view = Joined {
        ledger: choice.ledger,
        pinned: choice.pinned,
        member,
        n: threshold.n,
        f: threshold.f,
        q: threshold.q,
    };
    let notes = session.notes.iter().cloned().chain(choice.note());
    Ok(Answer::yes(view).notes(notes))
}

/// Checks that the member's key signs, and stores both.
fn check_member(
    session: &Session,
    context: &Context,
    options: &WriteOptions,
) -> Result<MemberName> {
    let identity = Identity::resolve(&session.repo, options)?;
    identity.signer(session, context)?;
    let membership = Membership {
        member: &identity.member,
        key: options.key.as_deref(),
        agent: options.agent,
    };
    remember(&session.repo, session.ledger(), Some(membership))?;
    Ok(identity.member)
}

/// The member that the clone remembers from an earlier run.
fn remembered_member(repo: &Repo) -> Result<Option<MemberName>> {
    let name = repo.config("quorum.member")?;
    name.map(|name| parse_name(&name)).transpose()
}
