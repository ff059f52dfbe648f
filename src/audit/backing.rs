//! Whether a decision leads to a value of a protected ref. Compares values with decisions; reads no
//! refs and no objects.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::charter::RefName;
use crate::consensus::landing::{landed_count, ref_moves};
use crate::consensus::{Subject, Tally};
use crate::id::{EntryId, Oid};

/// How the decisions of a protected ref relate to one value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Backing {
    /// A decision leads to the value.
    Backed,
    /// Nothing was decided about the ref yet, so nothing vouches for the value.
    NothingDecided,
    /// The first decisions start at the value, and none of them has landed.
    NothingLanded,
    /// No decision leads to the value.
    NotBacked,
    /// One slot of the ref has two decisions.
    AgreementBroken,
}

/// Where a value of a protected ref was found. In JSON and in text it is one string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The ref of this repository.
    Here,
    /// The ref of a remote, as the last exchange of lanes showed it. Holds the remote's name as it
    /// appears in ref names.
    Remote(String),
    /// A remote-tracking ref of Git. Holds its full name.
    Tracking(String),
    /// A commit that the caller named. Holds the words of the caller.
    Named(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here => "here",
            Self::Remote(text) | Self::Tracking(text) | Self::Named(text) => text,
        })
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A value of a protected ref, compared with the ref's decisions.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct RefAudit {
    /// The ref.
    #[serde(rename = "ref")]
    pub name: RefName,
    /// Where the value was found.
    #[schemars(with = "String")]
    pub place: Place,
    /// The value. `None` if the ref is absent there.
    pub value: Option<Oid>,
    /// How the decisions relate to the value.
    pub backing: Backing,
    /// The decision that leads to the value, if one does.
    pub decision: Option<EntryId>,
    /// How many decisions of the ref have landed with the value.
    pub landed: usize,
    /// How many decisions the ref has.
    pub decided: usize,
}

/// Compares a value of a ref with the ref's chain of decisions. Returns `None` if the charter in force
/// does not protect the ref.
pub fn audit_ref(
    tally: &Tally,
    name: &RefName,
    place: Place,
    value: Option<Oid>,
) -> Option<RefAudit> {
    let chain = tally.chain(&Subject::Ref(name.clone()))?;
    let moves = ref_moves(tally, &chain.decided);
    let landed = landed_count(&moves, value);
    let backing = if !chain.rivals.is_empty() {
        Backing::AgreementBroken
    } else if landed > 0 {
        Backing::Backed
    } else if moves.is_empty() {
        Backing::NothingDecided
    } else if moves.iter().any(|decision| decision.from == value) {
        Backing::NothingLanded
    } else {
        Backing::NotBacked
    };
    let last_landed = landed.checked_sub(1);
    let decision = last_landed.and_then(|last| chain.decided.get(last));
    Some(RefAudit {
        name: name.clone(),
        place,
        value,
        backing,
        decision: decision.copied(),
        landed,
        decided: chain.decided.len(),
    })
}
