//! Computes what a proposal binds from Git objects, and checks that a proposal has the same values.

use crate::charter::RefName;
use crate::consensus::Tally;
use crate::id::{Digest, EntryId, Oid};
use crate::ledger::RefProposal;
use crate::repo::{Objects, RepoError};

/// The fields of a proposal that the objects determine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The change digest.
    pub change: Digest,
    /// The state digest.
    pub state: Digest,
    /// Whether `to` does not descend from `from`.
    pub rewrite: bool,
}

/// Why a proposal does not match its objects.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// The objects could not be read, or some are missing.
    #[error("the proposed commit is not here whole: {0}")]
    Objects(#[from] RepoError),
    /// The named field differs from the computed value.
    #[error("the proposal's {0} is not what its commits say")]
    Differs(&'static str),
}

/// Computes what a proposal to move `name` from `from` to `to` binds, if its base is `base`.
pub fn compute_binding(
    tally: &Tally,
    objects: &Objects,
    base: EntryId,
    name: &RefName,
    (from, to): (Option<Oid>, Option<Oid>),
) -> Result<Binding, RepoError> {
    let change = objects.change_digest(from, to)?;
    let base = tally
        .ref_change(base)
        .filter(|before| before.name == *name && before.to == from);
    let previous = match base {
        Some(before) => before.state,
        None => objects.state_root(from)?,
    };
    let state = objects.state_digest(previous, change, to)?;
    let rewrite = match (from, to) {
        (Some(from), Some(to)) => !objects.is_ancestor(from, to)?,
        _ => false,
    };
    Ok(Binding {
        change,
        state,
        rewrite,
    })
}

/// Checks that the fields of a proposal match its objects.
pub fn check_binding(
    tally: &Tally,
    objects: &Objects,
    proposal: &RefProposal,
) -> Result<(), BindingError> {
    let RefProposal {
        base,
        name,
        from,
        to,
        ..
    } = proposal;
    let bound = compute_binding(tally, objects, *base, name, (*from, *to))?;
    if bound.change != proposal.change {
        return Err(BindingError::Differs("change digest"));
    }
    if bound.state != proposal.state {
        return Err(BindingError::Differs("state digest"));
    }
    if bound.rewrite != proposal.rewrite {
        return Err(BindingError::Differs("rewrite flag"));
    }
    Ok(())
}
