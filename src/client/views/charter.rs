//! Charters, and the keys of members in the form that Git checks commits with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::charter::Charter;
use crate::client::answer::Answer;
use crate::client::charter_warnings::charter_warnings;
use crate::client::error::{Error, Result};
use crate::client::note::CharterWarning;
use crate::client::session::{Session, find_id};
use crate::id::EntryId;

/// A charter.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CharterView {
    /// The id of its proposal, or of the genesis entry.
    pub id: EntryId,
    /// Whether it is in force.
    pub in_force: bool,
    /// The charter that it follows. `None` for the first one.
    pub base: Option<EntryId>,
    /// The charter as the ledger holds it. `ledger-spec/` describes its fields.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub charter: Charter,
    /// How many members vote.
    pub n: usize,
    /// How many of them may be faulty.
    pub f: usize,
    /// How many make a quorum.
    pub q: usize,
    /// What everyone should know about it.
    pub warnings: Vec<CharterWarning>,
}

/// The keys of all present and former members.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AllowedSigners {
    /// Lines for Git's `gpg.ssh.allowedSignersFile`, one for each member.
    pub allowed_signers: Vec<String>,
}

/// Shows the charter whose id begins with these digits. `None` means the one in force.
pub fn show_charter(session: &Session, typed: Option<&str>) -> Result<Answer<CharterView>> {
    let dag = session.loaded.tally.dag();
    let (in_force, _) = session.charter()?;
    let id = match typed {
        Some(typed) => {
            let ids = dag.entries().map(|(_, entry)| entry.id);
            find_id(
                typed,
                "charter",
                ids.filter(|id| dag.charter(*id).is_some()),
            )?
        }
        None => in_force,
    };
    let node = dag
        .charter(id)
        .ok_or_else(|| Error::internal(format!("Charter {id} is not known.")))?;
    let threshold = node.charter.threshold();
    Ok(Answer::yes(CharterView {
        id,
        in_force: id == in_force,
        base: node.base,
        warnings: charter_warnings(&node.charter),
        charter: node.charter.clone(),
        n: threshold.n,
        f: threshold.f,
        q: threshold.q,
    }))
}

/// Lists the keys of present and former members.
pub fn allowed_signers(session: &Session) -> Result<Answer<AllowedSigners>> {
    let dag = session.loaded.tally.dag();
    let (in_force, _) = session.charter()?;
    let mut keys = BTreeMap::new();
    for (_, node) in dag.lineage(in_force) {
        let members = node.charter.members().iter();
        keys.extend(members.map(|member| (member.name.clone(), member.key)));
    }
    let line = |(name, key)| format!("{name}@git-quorum.invalid namespaces=\"git\" {key}");
    Ok(Answer::yes(AllowedSigners {
        allowed_signers: keys.iter().map(line).collect(),
    }))
}
