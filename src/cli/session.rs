//! The imperative shell that commands share: the repository, the ledger in it, who writes, and the
//! exchange with a remote. A command that writes fetches first, then appends what it was asked to and
//! every vote that is due, and pushes.

#![allow(unused_imports, dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Exit, Failure};
use super::{environment, progress, style};
use crate::charter::{Charter, MemberName};
use crate::consensus::{
    Admission, Draft, DueVote, Timer, Waiting, agreement_statement, own_tips, parents_for,
    pre_authentication_encoding,
};
use crate::id::{EntryId, Oid};
use crate::ledger::{EntryIndex, Precommit, Prevote, Statement, limits};
use crate::repo::{RefEdit, Repo};
use crate::signer::state::{Repair, SignState};
use crate::store::{
    Author, Exchange, LaneEvent, LoadError, Loaded, PushOutcome, RefUpdate, Trust, exchange,
    find_ledgers, load, push, push_others,
};

/// How long to wait for another process that signs with the same key.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// How often a push is tried again because something moved on the remote.
pub const PUSH_TRIES: usize = 8;

/// A repository with a ledger.
pub struct Session {
    /// The repository.
    pub repo: Repo,
    /// The ledger.
    pub loaded: Loaded,
    /// Whether the ledger id is pinned.
    pub pinned: bool,
    /// What people should know beside the answer.
    pub notes: Vec<String>,
}

/// The repository that a command works in: that of the current folder, which `-C` has changed already.
pub fn open_repo() -> Result<Repo, Failure> {
    let repo = Repo::discover(Path::new("."))?.watched(progress::watcher());
    style::heed_settings(&repo)?;
    Ok(repo)
}

/// The pinned ledger, if there is one.
pub fn pinned_ledger(repo: &Repo) -> Result<Option<EntryId>, Failure> {
    let Some(text) = repo.config("quorum.ledger")? else {
        return Ok(None);
    };
    let bad = |_| {
        Failure::new(
            "BAD_CONFIG",
            format!("quorum.ledger is {text:?}, which is no ledger id"),
        )
    };
    text.parse()
        .map(Some)
        .map_err(|e: crate::id::IdError| bad(e).hint("git quorum join --genesis ID"))
}

/// The remote that commands exchange with: the one asked for, the configured one, or `origin`.
pub fn choose_remote(repo: &Repo, asked: Option<&str>) -> Result<Option<String>, Failure> {
    if let Some(name) = asked {
        return Ok(Some(name.to_owned()));
    }
    let Some(name) = repo.config("quorum.remote")? else {
        return Ok(repo.default_remote()?);
    };
    match repo.remote_exists(&name)? {
        true => Ok(Some(name)),
        false => Err(Failure::new(
            "NO_REMOTE",
            format!("no remote {name:?}, which quorum.remote names"),
        )
        .exit(Exit::NotFound)
        .hint("git remote add, or git config quorum.remote NAME")),
    }
}

/// That hooks which were installed here are no longer those that Git runs.
fn hooks_note(repo: &Repo) -> Option<String> {
    let why = crate::install::why_not_run(repo).unwrap_or_else(|error| Some(error.to_string()))?;
    Some(format!(
        "hooks of git-quorum are not in place any more ({why}): git quorum install"
    ))
}

impl Session {
    /// Reads the ledger that is here, without any network.
    pub fn read() -> Result<Session, Failure> {
        Session::open(open_repo()?)
    }

    /// Reads the ledger in this repository.
    pub fn open(repo: Repo) -> Result<Session, Failure> {
        Session::open_with(repo, None, Trust::Cache)
    }

    /// The same, checking every signature, whatever was checked before. Where several ledgers are and none is pinned, the
    /// one that was asked for is read.
    pub fn open_afresh(repo: Repo, asked: Option<&str>) -> Result<Session, Failure> {
        Session::open_with(repo, asked, Trust::Nothing)
    }

    fn open_with(repo: Repo, asked: Option<&str>, trust: Trust) -> Result<Session, Failure> {
        let pin = pinned_ledger(&repo)?;
        let ledger = match pin {
            Some(id) => id,
            None => match (find_ledgers(&repo)?.as_slice(), asked) {
                ([], _) => return Err(LoadError::NoLedger.into()),
                ([one], _) => *one,
                (several, Some(asked)) => Session::find(asked, "ledger", several.iter().copied())?,
                (several, None) => return Err(LoadError::Several(several.to_vec()).into()),
            },
        };
        let loaded = load(&repo, ledger, trust)?;
        let problems = loaded
            .problems
            .iter()
            .map(|p| format!("{}: {}", p.name, p.reject));
        let notes = problems.chain(hooks_note(&repo)).collect();
        Ok(Session {
            repo,
            loaded,
            pinned: pin.is_some(),
            notes,
        })
    }

    /// Reads the ledger again if its refs here have moved since it was read.
    fn reload_if_moved(&mut self) -> Result<(), Failure> {
        if self.repo.list(&[self.loaded.refs.prefix()])? != self.loaded.tips {
            self.loaded = load(&self.repo, self.loaded.tally.dag().ledger(), Trust::Cache)?;
        }
        Ok(())
    }

    /// The charter in force.
    pub fn charter(&self) -> Result<(EntryId, &Charter), Failure> {
        let id = self.loaded.tally.charter_in_force();
        let node = self.loaded.tally.dag().charter(id);
        node.map(|n| (id, &n.charter))
            .ok_or_else(|| Failure::new("INTERNAL", "the charter in force is not known"))
    }

    /// The remote's value of a ref as it was last seen, or the value here where there is no remote.
    pub fn ref_value(&self, name: &str) -> Result<Option<Oid>, Failure> {
        Ok(self.ref_values([name])?.remove(name))
    }

    /// The same for several refs, in one look; those that are absent are left out.
    pub fn ref_values<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<&'a str, Oid>, Failure> {
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
        Ok(names
            .iter()
            .filter_map(|name| Some((*name, *here.get(*name)?)))
            .collect())
    }

    /// The id of the one thing among `ids` that begins with what was typed.
    pub fn find<T: Copy + PartialEq + std::fmt::Display>(
        typed: &str,
        what: &str,
        ids: impl Iterator<Item = T>,
    ) -> Result<T, Failure> {
        let hex =
            typed.len() >= 4 && typed.len() <= 64 && typed.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex {
            return Err(Failure::new(
                "BAD_ID",
                format!("{typed:?} is no id: give at least 4 hexadecimal digits"),
            )
            .exit(Exit::Usage)
            .hint("git quorum status"));
        }
        let typed = typed.to_ascii_lowercase();
        let mut found: Vec<_> = ids
            .filter(|id| id.to_string().starts_with(&typed))
            .collect();
        found.dedup();
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(
                Failure::new("NOT_FOUND", format!("no {what} {typed} is known here"))
                    .exit(Exit::NotFound)
                    .hint("git quorum sync, then git quorum status"),
            ),
            several => Err(Failure::new(
                "AMBIGUOUS",
                format!("{} {what}s begin with {typed}", several.len()),
            )
            .exit(Exit::Usage)
            .hint("give more digits")),
        }
    }

    /// The proposal whose id begins with what was typed.
    pub fn proposal(&self, typed: &str) -> Result<EntryId, Failure> {
        Session::find(
            typed,
            "proposal",
            self.loaded.tally.proposals().map(|p| p.id),
        )
    }

    /// Exchanges with a remote and notes what should be looked at.
    pub fn fetch(&mut self, remote: &str) -> Result<BTreeMap<String, Oid>, Failure> {
        let found = self.exchange_with(remote)?;
        self.notes.extend(
            found
                .events
                .iter()
                .map(|event| describe_event(event, remote)),
        );
        Ok(found.remote_refs)
    }

    /// Exchanges with a remote.
    pub fn exchange_with(&mut self, remote: &str) -> Result<Exchange, Failure> {
        let found = exchange(&self.repo, &mut self.loaded, remote)?;
        match self.loaded.tally.upgrade_needed() {
            Some(version) => Err(LoadError::UpgradeNeeded(version).into()),
            None => Ok(found),
        }
    }
}

/// What should be looked at on a remote, in a sentence.
pub fn describe_event(event: &LaneEvent, remote: &str) -> String {
    match event {
        LaneEvent::Bad(problem) => {
            let last = problem.last_good.map_or("none".to_owned(), |id| id.short());
            format!(
                "{remote}: {} is not taken in: {}; last well-formed entry: {last}",
                problem.name, problem.reject
            )
        }
        LaneEvent::WentBack { member, seen, now } => {
            let now = now.map_or("nothing".to_owned(), |id| id.short());
            format!(
                "{remote} shows the lane of {member} at {now}, but had shown {}: kept",
                seen.short()
            )
        }
        LaneEvent::WentSideways { member, seen, now } => {
            format!(
                "the lane of {member} is forked: {remote} shows {}, and had shown {}; both are kept",
                now.short(),
                seen.short()
            )
        }
        LaneEvent::NotFetched { name, message } => {
            format!("{name} could not be fetched from {remote}: {message}")
        }
        LaneEvent::AfterRemoval { member } => {
            format!(
                "{remote}: the lane of former member {member} goes on after the last entry that counts: not taken in"
            )
        }
    }
}

/// Refuses a clone whose history is cut off or has holes.
pub fn check_whole(repo: &Repo) -> Result<(), Failure> {
    if repo.is_shallow() || repo.is_partial()? {
        let message = "this clone is shallow or partial, so what it holds cannot be checked whole";
        return Err(Failure::new("INCOMPLETE_CLONE", message)
            .hint("git fetch --unshallow, or clone again without --depth and --filter"));
    }
    Ok(())
}
