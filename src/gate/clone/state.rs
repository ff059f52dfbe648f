//! What a clone knows of its ledger, including what a plain `git fetch` brought. The hooks of the
//! clone judge by this.

use std::collections::{BTreeMap, BTreeSet};

use super::protected_list;
use crate::charter::{Charter, RefPattern};
use crate::consensus::Admission;
use crate::gate::checked_proposals::CheckedProposals;
use crate::gate::commands::PushedRef;
use crate::gate::links::Links;
use crate::gate::refusal::{Refusal, RefusalCode};
use crate::gate::scene::Scene;
use crate::gate::settings::LEDGER_KEY;
use crate::id::{EntryId, Oid};
use crate::repo::{Repo, RepoError};
use crate::store::{LoadError, Loaded, load_with_incoming};

/// The ledger as the clone knows it.
pub(super) struct CloneState {
    loaded: Loaded,
    charter: Charter,
}

/// Reads the ledger, and brings the list of protected patterns up to date with it.
pub(super) fn read_and_update_list(repo: &Repo) -> Result<CloneState, Refusal> {
    let stale_since = protected_list::stale_since(repo);
    let state = CloneState::read(repo)?;
    let updated = protected_list::update(repo, &state.charter, stale_since);
    updated.map_err(|error| {
        let reason = format!("the list of protected refs cannot be written: {error}");
        Refusal::unavailable(reason, "try again")
    })?;
    Ok(state)
}

impl CloneState {
    fn read(repo: &Repo) -> Result<Self, Refusal> {
        let loaded =
            load_with_incoming(repo, pinned_ledger(repo)?).map_err(|error| unusable(&error))?;
        let in_force = loaded.tally.charter_in_force();
        let node = loaded.tally.dag().charter(in_force);
        let charter = node.map(|node| node.charter.clone()).ok_or_else(|| {
            Refusal::unavailable("the charter in force is not known", "git quorum sync")
        })?;
        Ok(Self { loaded, charter })
    }

    /// Returns the values that the remote was seen to hold under this name, by a plain fetch or by
    /// an exchange.
    pub(super) fn seen(
        &self,
        remote: &str,
        name: &str,
        values: &BTreeMap<String, Oid>,
    ) -> Vec<Oid> {
        let fetched = tracking(remote, name).and_then(|name| values.get(&name));
        let incoming = self.loaded.refs.incoming(remote, name);
        let exchanged = self.loaded.tips.get(&incoming);
        fetched.into_iter().chain(exchanged).copied().collect()
    }

    /// Calls `ask` with the scene that the gate's rules need to judge these moves.
    ///
    /// No hook of a clone looks at the objects of proposals, so that hooks work in shallow and
    /// partial clones too.
    pub(super) fn with_scene<T>(
        &self,
        moves: &[PushedRef],
        values: &BTreeMap<String, Oid>,
        ask: impl FnOnce(&Scene<'_>) -> T,
    ) -> T {
        ask(&Scene {
            charter_before: None,
            broken_before: &BTreeSet::new(),
            tally: &self.loaded.tally,
            admission: Admission::of(&self.loaded.tally),
            refs: &self.loaded.refs,
            values,
            pushed: moves,
            links: &Links::default(),
            named_twice: &BTreeSet::new(),
            lane_tips: &BTreeMap::new(),
            checked: &CheckedProposals::default(),
        })
    }
}

/// Which refs may be protected.
pub(super) enum Protected {
    /// Refs that these patterns cover.
    Patterns(Vec<RefPattern>),
    /// Nobody knows, so any ref may be.
    Unknown,
}

impl Protected {
    /// Takes the patterns from the charter in force, or from the list if the ledger cannot be read.
    pub(super) fn find(repo: &Repo, state: &Result<CloneState, Refusal>) -> Self {
        let patterns = match state {
            Ok(state) => Some(state.charter.protected().to_vec()),
            Err(_) => protected_list::read(repo),
        };
        patterns.map_or(Self::Unknown, Self::Patterns)
    }

    pub(super) fn covers(&self, name: &str) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
            Self::Unknown => may_be_protected(name),
        }
    }
}

/// Whether a charter could protect a ref of this name.
pub(super) fn may_be_protected(name: &str) -> bool {
    name.starts_with("refs/") && !name.starts_with("refs/quorum/")
}

/// Returns the remote that the ledger is exchanged with.
pub(super) fn ledger_remote(repo: &Repo) -> Result<String, Refusal> {
    let configured = repo.config("quorum.remote").map_err(unreadable)?;
    let remote = match configured {
        Some(remote) => Some(remote),
        None => repo.default_remote().map_err(unreadable)?,
    };
    Ok(remote.unwrap_or_else(|| "origin".to_owned()))
}

/// Returns the ref in which a fetch from a remote puts a branch. `None` if it is no branch.
pub(super) fn tracking(remote: &str, name: &str) -> Option<String> {
    name.strip_prefix("refs/heads/")
        .map(|branch| format!("refs/remotes/{remote}/{branch}"))
}

/// Returns the present values of these refs, and possibly of others.
pub(super) fn read_values(
    repo: &Repo,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Oid>, Refusal> {
    repo.list_at_least(names.iter().map(String::as_str))
        .map_err(unreadable)
}

fn pinned_ledger(repo: &Repo) -> Result<EntryId, Refusal> {
    let text = repo.config(LEDGER_KEY).map_err(unreadable)?;
    let pinned = text.and_then(|text| text.parse().ok());
    pinned.ok_or_else(|| {
        let reason = format!("no ledger is pinned here ({LEDGER_KEY})");
        Refusal::unavailable(reason, "git quorum join --genesis ID")
    })
}

fn unusable(error: &LoadError) -> Refusal {
    match error {
        LoadError::UpgradeNeeded(_) => Refusal::new(
            RefusalCode::UpgradeNeeded,
            error.to_string(),
            "install a newer git-quorum",
        ),
        LoadError::NoLedger => Refusal::unavailable(
            "this clone does not hold the pinned ledger",
            "git quorum join",
        ),
        _ => Refusal::unavailable(
            error.to_string(),
            "git quorum status shows more, and git quorum sync fetches what is missing",
        ),
    }
}

/// The refusal where the clone's repository cannot be read.
pub(super) fn unreadable(error: RepoError) -> Refusal {
    Refusal::unavailable(
        error.to_string(),
        "git fsck shows whether the repository is damaged",
    )
}
