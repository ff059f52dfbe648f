//! Which proposals match their objects, as far as somebody has looked. Looks at no object itself.
//!
//! Comparing a proposal with its objects takes as long as its author wants it to. So the objects are
//! looked at before the gate's lock is taken, and under the lock only these findings are used.

use std::collections::BTreeMap;

use super::refusal::{Refusal, RefusalCode};
use crate::id::EntryId;

/// What was found of each proposal whose objects were looked at.
///
/// A finding stays true: it depends on the objects and on what the proposal builds on, and neither
/// changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckedProposals {
    findings: BTreeMap<EntryId, Result<(), String>>,
}

impl CheckedProposals {
    /// Records what was found of a proposal: that it matches its objects, or what differs.
    pub fn record(&mut self, id: EntryId, finding: Result<(), String>) {
        self.findings.insert(id, finding);
    }

    /// Refuses with the first of these proposals that is known to differ from its objects.
    pub(super) fn require_match(&self, ids: &[EntryId]) -> Result<(), Refusal> {
        let mismatch = ids.iter().find_map(|id| match self.findings.get(id) {
            Some(Err(why)) => Some(differs(*id, why)),
            Some(Ok(())) | None => None,
        });
        mismatch.map_or(Ok(()), Err)
    }

    /// Returns those of these proposals that nobody has looked at.
    ///
    /// Proposals after a known mismatch are left out, because the mismatch already refuses the ref.
    pub(super) fn unchecked(&self, ids: &[EntryId]) -> Vec<EntryId> {
        let up_to_mismatch = ids
            .iter()
            .take_while(|id| !matches!(self.findings.get(id), Some(Err(_))));
        up_to_mismatch
            .filter(|id| !self.findings.contains_key(id))
            .copied()
            .collect()
    }
}

fn differs(id: EntryId, why: &str) -> Refusal {
    let reason = format!("proposal {} does not match its objects: {why}", id.short());
    Refusal::new(
        RefusalCode::ProposalDiffers,
        reason,
        "propose again from a complete clone",
    )
    .then("git quorum propose")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> EntryId {
        EntryId::new([n; 32])
    }

    #[test]
    fn unchecked_proposals_count_as_matching_and_are_listed() {
        let mut checked = CheckedProposals::default();
        checked.record(id(1), Ok(()));
        let ids = [id(1), id(2), id(3)];
        assert!(checked.require_match(&ids).is_ok());
        assert_eq!(checked.unchecked(&ids), [id(2), id(3)]);
    }

    #[test]
    fn a_mismatch_refuses_and_nothing_after_it_needs_a_look() {
        let mut checked = CheckedProposals::default();
        checked.record(id(2), Err("the change digest differs".to_owned()));
        let ids = [id(1), id(2), id(3)];
        let refusal = checked.require_match(&ids).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::ProposalDiffers);
        assert!(refusal.reason.ends_with("the change digest differs"));
        assert_eq!(checked.unchecked(&ids), [id(1)]);
    }
}
