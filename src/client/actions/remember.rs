//! Writing the pin, the member and its key into a repository's own configuration.

use std::path::Path;

use crate::charter::MemberName;
use crate::client::error::{Result, path_setting};
use crate::id::EntryId;
use crate::repo::Repo;

/// Who writes in a clone.
pub(super) struct Membership<'a> {
    /// The member.
    pub member: &'a MemberName,
    /// Its key file, as an absolute path. `None` keeps the setting.
    pub key: Option<&'a Path>,
    /// Whether the ssh-agent signs.
    pub agent: bool,
}

/// Pins a ledger, and stores who writes here if that is known.
pub(super) fn remember(
    repo: &Repo,
    ledger: EntryId,
    membership: Option<Membership<'_>>,
) -> Result<()> {
    // Checked before anything is written, so that an unusable path changes nothing.
    let key = membership.as_ref().and_then(|m| m.key);
    let key = key.map(path_setting).transpose()?;
    repo.set_config("quorum.ledger", &ledger.to_string())?;
    let Some(membership) = membership else {
        return Ok(());
    };
    repo.set_config("quorum.member", membership.member.as_str())?;
    if let Some(key) = key {
        repo.set_config("quorum.key", &key)?;
    }
    let agent = if membership.agent { "true" } else { "false" };
    repo.set_config("quorum.agent", agent)?;
    Ok(())
}
