//! What a clone remembers: the pinned ledger, the member, and the member's key.

use std::path::Path;

use super::error::{Result, path_setting};
use crate::charter::MemberName;
use crate::id::EntryId;
use crate::repo::Repo;

/// The member of a clone, and where its key is.
pub(super) struct RememberedMember<'a> {
    pub name: &'a MemberName,
    /// The key file. `None` keeps the setting as it is.
    pub key: Option<&'a Path>,
    /// Whether the ssh-agent signs.
    pub agent: bool,
}

/// Pins the ledger in the repository's own settings.
pub(super) fn pin(repo: &Repo, ledger: EntryId) -> Result<()> {
    Ok(repo.set_config("quorum.ledger", &ledger.to_string())?)
}

/// Writes the member into the repository's own settings.
pub(super) fn remember_member(repo: &Repo, member: &RememberedMember<'_>) -> Result<()> {
    repo.set_config("quorum.member", member.name.as_str())?;
    if let Some(key) = member.key {
        repo.set_config("quorum.key", &path_setting(key)?)?;
    }
    let agent = if member.agent { "true" } else { "false" };
    Ok(repo.set_config("quorum.agent", agent)?)
}
