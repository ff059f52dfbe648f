//! A ledger in a repository, read. Reading does no network and needs no key.

use std::collections::BTreeMap;

use super::context::Context;
use super::error::{Error, Result};
use super::note::Note;
use super::{Code, NextStep};
use crate::charter::Charter;
use crate::id::{EntryId, IdError, Oid};
use crate::repo::Repo;
use crate::store::{Exchange, LoadError, Loaded, Trust, exchange, find_ledgers, load};

/// A repository with a ledger.
pub struct Session {
    /// The repository.
    pub repo: Repo,
    /// The ledger.
    pub loaded: Loaded,
    /// Whether the setting `quorum.ledger` pins the ledger id.
    pub pinned: bool,
    /// What the caller should know beside the answer.
    pub notes: Vec<Note>,
}

/// The pinned ledger. `None` if the repository pins none.
pub fn pinned_ledger(repo: &Repo) -> Result<Option<EntryId>> {
    let Some(text) = repo.config("quorum.ledger")? else {
        return Ok(None);
    };
    let parsed = text.parse().map_err(|_: IdError| {
        let message = format!("quorum.ledger is {text:?}, which is not a ledger id.");
        Error::new(Code::BadConfig, message).next(NextStep::JoinGenesis(None))
    });
    parsed.map(Some)
}

/// The remote to exchange entries with: the one asked for, the setting `quorum.remote`, `origin`,
/// or the only one. `None` if there is no remote.
pub fn choose_remote(repo: &Repo, asked: Option<&str>) -> Result<Option<String>> {
    if let Some(name) = asked {
        return Ok(Some(name.to_owned()));
    }
    let Some(name) = repo.config("quorum.remote")? else {
        return Ok(repo.default_remote()?);
    };
    if repo.remote_exists(&name)? {
        return Ok(Some(name));
    }
    let message = format!("The setting quorum.remote names {name:?}, but there is no such remote.");
    Err(Error::new(Code::NoRemote, message).next(NextStep::NameRemote))
}

/// Refuses a clone whose history is cut off or has holes.
pub fn check_whole(repo: &Repo) -> Result<()> {
    if repo.is_shallow() || repo.is_partial()? {
        let message =
            "This clone is shallow or partial, so git-quorum cannot check everything it needs.";
        return Err(Error::new(Code::IncompleteClone, message).next(NextStep::Unshallow));
    }
    Ok(())
}

/// Returns the one id among `ids` that begins with the digits in `typed`. `what` names the kind
/// of thing in errors.
pub fn find_id<T: Copy + PartialEq + std::fmt::Display>(
    typed: &str,
    what: &str,
    ids: impl Iterator<Item = T>,
) -> Result<T> {
    let is_hex = typed.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex || !(4..=64).contains(&typed.len()) {
        let message = format!("{typed:?} is not an id. An id needs at least 4 hexadecimal digits.");
        return Err(Error::new(Code::BadId, message).next(NextStep::Overview));
    }
    let typed = typed.to_ascii_lowercase();
    let mut found: Vec<_> = ids
        .filter(|id| id.to_string().starts_with(&typed))
        .collect();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let message = format!("No {what} here begins with {typed}.");
            Err(Error::new(Code::NotFound, message).next(NextStep::Sync))
        }
        several => {
            let message = format!("{} {what}s begin with {typed}.", several.len());
            Err(Error::new(Code::Ambiguous, message).next(NextStep::MoreDigits))
        }
    }
}

impl Session {
    /// Reads the ledger of this repository. Trusts what earlier runs verified.
    pub fn open(repo: Repo, context: &Context) -> Result<Session> {
        Session::open_with(repo, context, None, Trust::Cache)
    }

    /// Reads the ledger and checks every signature anew. `asked` chooses among several ledgers
    /// when none is pinned.
    pub fn open_afresh(repo: Repo, context: &Context, asked: Option<&str>) -> Result<Session> {
        Session::open_with(repo, context, asked, Trust::Nothing)
    }

    fn open_with(
        repo: Repo,
        context: &Context,
        asked: Option<&str>,
        trust: Trust,
    ) -> Result<Session> {
        let repo = repo.watched(context.progress.clone());
        let pin = pinned_ledger(&repo)?;
        let ledger = match pin {
            Some(id) => id,
            None => only_ledger(&repo, asked)?,
        };
        let loaded = load(&repo, ledger, trust)?;
        let mut notes: Vec<_> = loaded
            .problems
            .iter()
            .map(|problem| Note::BadLane {
                name: problem.name.clone(),
                reject: problem.reject.clone(),
            })
            .collect();
        notes.extend(hooks_note(&repo));
        Ok(Session {
            repo,
            loaded,
            pinned: pin.is_some(),
            notes,
        })
    }

    /// Reads the ledger again if its refs have moved since it was read.
    pub(super) fn reload_if_moved(&mut self) -> Result<()> {
        if self.repo.list(&[self.loaded.refs.prefix()])? != self.loaded.tips {
            self.loaded = load(&self.repo, self.ledger(), Trust::Cache)?;
        }
        Ok(())
    }

    /// The id of the ledger.
    pub fn ledger(&self) -> EntryId {
        self.loaded.tally.dag().ledger()
    }

    /// The id of the charter in force, and the charter.
    pub fn charter(&self) -> Result<(EntryId, &Charter)> {
        let id = self.loaded.tally.charter_in_force();
        let node = self.loaded.tally.dag().charter(id);
        node.map(|n| (id, &n.charter))
            .ok_or_else(|| Error::internal("The charter in force is not known."))
    }

    /// The value of a ref as the remote showed it last, or its value here where there is no remote.
    /// `None` if the ref is absent there.
    pub fn ref_value(&self, name: &str) -> Result<Option<Oid>> {
        Ok(self.ref_values([name])?.remove(name))
    }

    /// The values of several refs, as [`Session::ref_value`] returns them. Absent refs are left out.
    pub fn ref_values<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<&'a str, Oid>> {
        let names: Vec<_> = names.into_iter().collect();
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        if let Some(remote) = choose_remote(&self.repo, None)? {
            let refs = &self.loaded.refs;
            let seen = self.repo.list(&[&refs.incoming_prefix(&remote)])?;
            // A clone that has not exchanged with the remote yet knows only its own refs.
            if !seen.is_empty() {
                let value =
                    |name: &&'a str| Some((*name, *seen.get(&refs.incoming(&remote, name))?));
                return Ok(names.iter().filter_map(value).collect());
            }
        }
        let here = self.repo.list(&names)?;
        let value = |name: &&'a str| Some((*name, *here.get(*name)?));
        Ok(names.iter().filter_map(value).collect())
    }

    /// The id of the proposal that begins with these digits.
    pub fn proposal(&self, typed: &str) -> Result<EntryId> {
        let ids = self.loaded.tally.proposals().map(|p| p.id);
        find_id(typed, "proposal", ids)
    }

    /// The remote to exchange entries with. Notes that there is none, unless the caller wants none.
    pub(super) fn exchange_remote(
        &mut self,
        options: &super::WriteOptions,
    ) -> Result<Option<String>> {
        if options.local {
            return Ok(None);
        }
        let remote = choose_remote(&self.repo, options.remote.as_deref())?;
        if remote.is_none() {
            self.notes.push(Note::NoRemote);
        }
        Ok(remote)
    }

    /// Exchanges entries with a remote, and notes what needs attention. Returns the refs that the
    /// remote shows.
    pub(super) fn fetch(&mut self, remote: &str) -> Result<BTreeMap<String, Oid>> {
        let found = self.exchange_with(remote)?;
        let notes = found.events.into_iter().map(|event| Note::Remote {
            remote: remote.to_owned(),
            event,
        });
        self.notes.extend(notes);
        Ok(found.remote_refs)
    }

    /// Exchanges entries with a remote.
    pub(super) fn exchange_with(&mut self, remote: &str) -> Result<Exchange> {
        let found = exchange(&self.repo, &mut self.loaded, remote)?;
        match self.loaded.tally.upgrade_needed() {
            Some(version) => Err(LoadError::UpgradeNeeded(version).into()),
            None => Ok(found),
        }
    }
}

/// The only ledger of the repository, or the one that was asked for.
fn only_ledger(repo: &Repo, asked: Option<&str>) -> Result<EntryId> {
    let here = find_ledgers(repo)?;
    match (here.as_slice(), asked) {
        ([], _) => Err(LoadError::NoLedger.into()),
        ([one], _) => Ok(*one),
        (several, Some(asked)) => find_id(asked, "ledger", several.iter().copied()),
        (several, None) => Err(LoadError::Several(several.to_vec()).into()),
    }
}

/// Notes that hooks which were installed here are not those that git runs.
fn hooks_note(repo: &Repo) -> Option<Note> {
    let why = crate::install::why_not_run(repo).unwrap_or_else(|error| Some(error.to_string()))?;
    Some(Note::HooksGone { why })
}
