//! Faults of members as plain data.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::charter::{MemberName, PublicKey};
use crate::client::list::Bounded;
use crate::consensus::{Evidence, Fault};
use crate::wording::fault_sentence;

/// What a member did against the rules, with the votes that convict the member.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FaultView {
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// What the member did, and why it is a fault.
    pub text: String,
    /// The key that signed the votes, as the charter lists it. Only in a proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
}

impl FaultView {
    pub(super) fn new(fault: &Fault) -> Self {
        Self {
            text: fault_sentence(fault),
            fault: fault.clone(),
            key: None,
        }
    }
}

/// The first faults.
pub(super) fn first_faults(faults: &[Fault], limit: usize) -> Bounded<FaultView> {
    Bounded {
        shown: faults.iter().take(limit).map(FaultView::new).collect(),
        more: faults.len().saturating_sub(limit),
    }
}

/// The pairs of votes behind the faults that have one, in the order of the tally.
pub(super) fn evidence_of(faults: &[Fault], limit: usize) -> Bounded<Evidence> {
    let all: BTreeSet<_> = faults.iter().filter_map(Fault::evidence).collect();
    Bounded::first(all.into_iter().collect(), limit)
}

/// The members that faults convict.
pub(super) fn convicted(faults: &[Fault]) -> BTreeSet<MemberName> {
    faults.iter().map(|fault| fault.member.clone()).collect()
}
