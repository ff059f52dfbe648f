//! An entry of the ledger as plain data.

use schemars::JsonSchema;
use serde::Serialize;

use crate::charter::MemberName;
use crate::client::error::{Error, Result};
use crate::client::session::Session;
use crate::client::time::rfc3339;
use crate::consensus::Tally;
use crate::id::{EntryId, Oid};
use crate::ledger::{EntryIndex, Statement};
use crate::wording::discount_reason;

/// An entry of the ledger.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EntryView {
    /// The id.
    pub id: EntryId,
    /// The commit that holds it.
    pub commit: Oid,
    /// Its author.
    pub member: MemberName,
    /// Its number on the lane of its author, from 0.
    pub seq: u64,
    /// The charter under which it was made.
    pub charter: EntryId,
    /// The time that its author claims.
    pub time: String,
    /// What it says, as the ledger holds it. `ledger-spec/` describes each kind.
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    pub statements: Vec<Statement>,
    /// The entries that it cites.
    pub parents: Vec<EntryId>,
    /// How many of these are by its own author. More than one means that it joins a fork.
    pub own_parents: usize,
    /// Its statements that do not count.
    pub discounted: Vec<EntryDiscount>,
}

/// A statement of an entry that does not count.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EntryDiscount {
    /// The number of the statement, from 0.
    pub statement: usize,
    /// The stable reason code.
    pub code: &'static str,
    /// The reason in words.
    pub reason: &'static str,
    /// What was found. Empty if the reason says everything.
    pub detail: String,
}

/// Views several entries.
pub(in crate::client) fn view_entries(tally: &Tally, indices: &[EntryIndex]) -> Vec<EntryView> {
    // One pass over all discounted statements serves all entries.
    let mut discounted = std::collections::HashMap::<EntryIndex, Vec<EntryDiscount>>::new();
    for found in tally.discounted() {
        let discount = EntryDiscount {
            statement: found.place.statement,
            code: found.discount.reason.code(),
            reason: discount_reason(found.discount.reason),
            detail: found.discount.detail.clone(),
        };
        let of_entry = discounted.entry(found.place.entry).or_default();
        of_entry.push(discount);
    }
    let dag = tally.dag();
    let view = |index: &EntryIndex| {
        let entry = dag.entry(*index);
        let parents: Vec<_> = entry.parents.iter().map(|p| dag.entry(*p)).collect();
        let mut discounted = discounted.remove(index).unwrap_or_default();
        discounted.sort_by_key(|discount| discount.statement);
        EntryView {
            id: entry.id,
            commit: entry.oid,
            member: entry.member.clone(),
            seq: entry.seq,
            charter: entry.charter,
            time: rfc3339(entry.time),
            statements: entry.statements.clone(),
            own_parents: parents.iter().filter(|p| p.member == entry.member).count(),
            parents: parents.iter().map(|parent| parent.id).collect(),
            discounted,
        }
    };
    indices.iter().map(view).collect()
}

impl Session {
    /// An entry by its id.
    pub(in crate::client) fn entry(&self, id: EntryId) -> Result<EntryView> {
        let tally = &self.loaded.tally;
        let index = tally.dag().find(id);
        let view = index.and_then(|index| view_entries(tally, &[index]).pop());
        view.ok_or_else(|| Error::internal(format!("Entry {id} is not known.")))
    }
}

/// The proposal that a statement of this entry is about.
pub(in crate::client) fn proposal_of(statement: &Statement, entry: EntryId) -> EntryId {
    match statement {
        Statement::Propose(_) | Statement::ProposeCharter(_) => entry,
        Statement::Review(review) => review.proposal,
        Statement::Withdraw(withdrawal) => withdrawal.proposal,
        Statement::Prevote(vote) => vote.proposal,
        Statement::Precommit(vote) => vote.proposal,
    }
}
