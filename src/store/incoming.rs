//! Reads a ledger together with lanes that a plain `git fetch` brought.

use std::collections::BTreeSet;

use super::cache::Trust;
use super::load::{LoadError, Loaded, load};
use crate::consensus::Admission;
use crate::id::EntryId;
use crate::repo::{Repo, RepoError};

/// Reads the ledger with this id, and adds fetched lanes that were not exchanged yet. They are
/// added in memory only. Lanes that do not lead to an entry are listed among the problems. As in an
/// exchange, entries of a removed member after its last one that counts are left out.
pub fn load_with_incoming(repo: &Repo, ledger: EntryId) -> Result<Loaded, LoadError> {
    let mut loaded = load(repo, ledger, Trust::Cache)?;
    let refused = take_incoming(&mut loaded, &BTreeSet::new())?;
    if !refused.is_empty() {
        loaded = load(repo, ledger, Trust::Cache)?;
        take_incoming(&mut loaded, &refused)?;
    }
    if let Some(version) = loaded.tally.upgrade_needed() {
        return Err(LoadError::UpgradeNeeded(version));
    }
    loaded.save_cache();
    Ok(loaded)
}

/// Adds all fetched lanes except these. Returns the names of lanes whose tip is refused.
fn take_incoming(
    loaded: &mut Loaded,
    without: &BTreeSet<String>,
) -> Result<BTreeSet<String>, RepoError> {
    let mut taken = Vec::new();
    for (name, tip) in loaded.tips.clone() {
        let Some(owner) = loaded
            .refs
            .read_incoming_lane(&name)
            .filter(|_| !without.contains(&name))
        else {
            continue;
        };
        match loaded.load_lane(&name, tip, &owner)? {
            Ok(index) => taken.push((name, index)),
            Err(problem) => loaded.problems.push(problem),
        }
    }
    // Only after all entries are added is it known who was removed, and when.
    let admission = Admission::of(&loaded.tally);
    let refused = taken
        .into_iter()
        .filter(|(_, index)| !admission.admits(*index));
    Ok(refused.map(|(name, _)| name).collect())
}
