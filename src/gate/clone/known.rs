//! What a clone knows of its ledger: by this its hooks judge, with what a plain `git fetch` brought.

use std::collections::{BTreeMap, BTreeSet};

use super::list;
use crate::charter::{Charter, RefPattern};
use crate::consensus::Admission;
use crate::gate::ground::{LEDGER_KEY, unavailable};
use crate::gate::links::Links;
use crate::gate::rules::Scene;
use crate::gate::{PushedRef, Refusal, RefusalCode};
use crate::id::{EntryId, Oid};
use crate::ledger::RefProposal;
use crate::repo::{Repo, RepoError};
use crate::store::{LoadError, Loaded, load_with_incoming};

/// The ledger as it is known here.
pub(super) struct Known {
    pub(super) loaded: Loaded,
    pub(super) charter: Charter,
}

impl Known {
    /// Reads the ledger, and brings the list of what is protected up to date.
    pub(super) fn read(repo: &Repo) -> Result<Known, Refusal> {
        let stale = list::stale_since(repo);
        let loaded = load_with_incoming(repo, pinned(repo)?).map_err(|error| unusable(&error))?;
        let in_force = loaded
            .tally
            .dag()
            .charter(loaded.tally.charter_in_force())
            .map(|node| node.charter.clone());
        let charter = in_force
            .ok_or_else(|| unavailable("the charter in force is not known", "git quorum sync"))?;
        let written = list::write_protected(repo, &charter).and_then(|_| match stale {
            Some(since) => list::unmark(repo, since),
            None => Ok(()),
        });
        let cannot = |error| {
            unavailable(
                format!("the list of protected refs cannot be written: {error}"),
                "try again",
            )
        };
        written.map_err(cannot)?;
        Ok(Known { loaded, charter })
    }

    /// What the remote was seen to hold under this name, by a plain fetch or by an exchange.
    pub(super) fn seen(
        &self,
        remote: &str,
        name: &str,
        values: &BTreeMap<String, Oid>,
    ) -> Vec<Oid> {
        let fetched = tracking(remote, name).and_then(|name| values.get(&name));
        let exchanged = self
            .loaded
            .tips
            .get(&self.loaded.refs.incoming(remote, name));
        fetched.into_iter().chain(exchanged).copied().collect()
    }

    /// Lets the rules of the gate look at these moves. No hook of a clone looks at the objects of proposals.
    pub(super) fn with_scene<T>(
        &self,
        moves: &[PushedRef],
        values: &BTreeMap<String, Oid>,
        ask: impl FnOnce(&Scene<'_>) -> T,
    ) -> T {
        ask(&Scene {
            before: None,
            broken_before: &BTreeSet::new(),
            tally: &self.loaded.tally,
            admission: &Admission::of(&self.loaded.tally),
            refs: &self.loaded.refs,
            values,
            pushed: moves,
            links: &Links::default(),
            twice: &BTreeSet::new(),
            taken: &BTreeMap::new(),
            check: &|_, _: &RefProposal| Ok(()),
        })
    }
}

/// Which refs may be protected.
pub(super) enum Protected {
    /// Those of a charter or of the list.
    Patterns(Vec<RefPattern>),
    /// Nobody knows: any of them.
    Unknown,
}

impl Protected {
    /// By what was read, or by the list where nothing could be.
    pub(super) fn by(repo: &Repo, known: &Result<Known, Refusal>) -> Protected {
        let patterns = match known {
            Ok(known) => Some(known.charter.protected().to_vec()),
            Err(_) => list::read(repo),
        };
        patterns.map_or(Protected::Unknown, Protected::Patterns)
    }

    pub(super) fn covers(&self, name: &str) -> bool {
        match self {
            Protected::Patterns(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
            Protected::Unknown => may_be_protected(name),
        }
    }
}

/// Whether a charter could protect a ref of this name.
pub(super) fn may_be_protected(name: &str) -> bool {
    name.starts_with("refs/") && !name.starts_with("refs/quorum/")
}

/// The remote that the ledger is exchanged with.
pub(super) fn remote(repo: &Repo) -> Result<String, Refusal> {
    let named = match repo.config("quorum.remote") {
        Ok(None) => repo.default_remote(),
        configured => configured,
    };
    Ok(named
        .map_err(|error| unreadable(&error))?
        .unwrap_or_else(|| "origin".to_owned()))
}

/// Where a fetch from a remote puts a branch.
pub(super) fn tracking(remote: &str, name: &str) -> Option<String> {
    name.strip_prefix("refs/heads/")
        .map(|branch| format!("refs/remotes/{remote}/{branch}"))
}

/// The values here of these refs.
pub(super) fn values(
    repo: &Repo,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Oid>, Refusal> {
    repo.list_at_least(names.iter().map(String::as_str))
        .map_err(|error| unreadable(&error))
}

fn pinned(repo: &Repo) -> Result<EntryId, Refusal> {
    let text = repo
        .config(LEDGER_KEY)
        .map_err(|error| unreadable(&error))?;
    let pinned = text.and_then(|text| text.parse().ok());
    pinned.ok_or_else(|| {
        unavailable(
            format!("no ledger is pinned here ({LEDGER_KEY})"),
            "git quorum join --genesis ID",
        )
    })
}

fn unusable(error: &LoadError) -> Refusal {
    match error {
        LoadError::UpgradeNeeded(_) => Refusal::new(
            RefusalCode::UpgradeNeeded,
            error.to_string(),
            "install a newer git-quorum",
        ),
        LoadError::NoLedger => {
            unavailable("the ledger that is pinned is not here", "git quorum join")
        }
        _ => unavailable(
            error.to_string(),
            "git quorum status tells more; git quorum sync fetches what is missing",
        ),
    }
}

pub(super) fn unreadable(error: &RepoError) -> Refusal {
    unavailable(
        error.to_string(),
        "git fsck tells whether the repository is whole",
    )
}
