//! What a proposal binds, computed from the objects, and the check that an entry says the same.

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

/// Why a proposal is not what its objects say.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// The objects could not be read, or are not whole.
    #[error("the proposed commit is not here whole: {0}")]
    Objects(#[from] RepoError),
    /// A field differs.
    #[error("the proposal's {0} is not what its commits say")]
    Differs(&'static str),
}

/// Computes what a proposal to move `name` from `from` to `to`, on top of `base`, binds.
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

/// Checks that a proposal says what its objects say.
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
