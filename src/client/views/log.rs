//! The entries of the ledger, newest first.

use schemars::JsonSchema;
use serde::Serialize;

use super::entry::{EntryView, proposal_of, view_entries};
use crate::charter::MemberName;
use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::identity::parse_name;
use crate::client::session::Session;
use crate::client::{Code, NextStep};
use crate::ledger::Dag;

/// Which entries to list.
#[derive(Debug, Clone)]
pub struct Log {
    /// How many entries at most.
    pub count: usize,
    /// Only entries of this member.
    pub member: Option<String>,
    /// Only entries that say something about the proposal whose id begins with these digits.
    pub proposal: Option<String>,
}

/// Entries of the ledger.
///
/// An entry stands before everything that it cites. Entries that do not cite each other are in the
/// order of the times that their authors claim, the newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LogView {
    /// The entries.
    pub entries: Vec<EntryView>,
    /// How many older ones were left out.
    pub more: usize,
}

/// Lists entries, newest first.
pub fn log(session: &Session, request: &Log) -> Result<Answer<LogView>> {
    let tally = &session.loaded.tally;
    let dag = tally.dag();
    let mut indices = dag.history();
    indices.reverse();
    if let Some(typed) = &request.member {
        let name = known_author(dag, typed)?;
        indices.retain(|index| dag.entry(*index).member == name);
    }
    if let Some(typed) = &request.proposal {
        let id = session.proposal(typed)?;
        indices.retain(|index| {
            let entry = dag.entry(*index);
            let mut statements = entry.statements.iter();
            statements.any(|statement| proposal_of(statement, entry.id) == id)
        });
    }
    let more = indices.len().saturating_sub(request.count);
    indices.truncate(request.count);
    let view = LogView {
        entries: view_entries(tally, &indices),
        more,
    };
    Ok(Answer::yes(view).notes(session.notes.clone()))
}

/// The name of somebody who has entries here, or whom a charter lists. A misspelled name is an
/// error, so that it does not look like a member that has said nothing.
pub(super) fn known_author(dag: &Dag, typed: &str) -> Result<MemberName> {
    let name = parse_name(typed)?;
    let is_listed = |id| {
        let node = dag.charter(id);
        node.is_some_and(|node| node.charter.member(&name).is_some())
    };
    let mut entries = dag.entries();
    if entries.any(|(_, entry)| entry.member == name || is_listed(entry.charter)) {
        return Ok(name);
    }
    let message = format!("No member {name} is known here.");
    Err(Error::new(Code::NoSuchMember, message).next(NextStep::ShowCharter))
}
