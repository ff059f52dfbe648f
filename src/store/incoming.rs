//! Reading a ledger together with what a plain `git fetch` put beside it.

use std::collections::BTreeSet;

use super::cache::Trust;
use super::load::{LoadError, Loaded, load};
use crate::consensus::Admission;
use crate::id::EntryId;
use crate::repo::{Repo, RepoError};

/// Reads the ledger with this id, and takes in, in memory only, what was fetched from any remote and not exchanged yet.
/// What is no entry is noted among the problems. What a removed member's lane holds after the last entry that counts is left
/// out, as in an exchange.
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

/// Takes in all fetched lanes but these; the names of those whose owner's tip may not be taken in.
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
    // Only when all is in it is known who was removed, and when.
    let admission = Admission::of(&loaded.tally);
    let refused = taken
        .into_iter()
        .filter(|(_, index)| !admission.admits(*index));
    Ok(refused.map(|(name, _)| name).collect())
}
