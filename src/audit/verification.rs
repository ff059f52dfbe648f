//! Decides what counts as a violation. This is policy over the findings about values, decisions and
//! members. Pure functions; read nothing but their findings.

use std::collections::BTreeSet;

use super::backing::{Backing, Place, RefAudit};
use super::decisions::{DecisionAudit, audit_decisions};
use crate::charter::RefName;
use crate::consensus::{BrokenSlot, Fault, Subject, Tally};
use crate::id::{EntryId, Oid};
use crate::repo::Objects;

/// The caller's requirements for the values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether the caller named the refs. If so, a branch of this clone is checked like any other
    /// value.
    pub refs_named: bool,
    /// Whether a decision must lead to every value. Otherwise a ref without decisions passes, and
    /// so does a value from which the first decisions start.
    pub all_backed: bool,
}

/// One reason why a repository does not hold what was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// No decision leads to a value of a protected ref.
    NotBacked {
        /// The ref.
        name: RefName,
        /// Where the value was found.
        place: Place,
        /// The value. `None` if the ref is absent there.
        value: Option<Oid>,
    },
    /// The commits of a decision differ from what was decided.
    DecisionDiffers {
        /// The decided proposal.
        proposal: EntryId,
        /// How they differ.
        problem: String,
    },
    /// The commits of a decision cannot be read, although a ref has its value.
    DecisionUnreadable {
        /// The decided proposal.
        proposal: EntryId,
        /// Why they cannot be read.
        why: String,
    },
    /// A slot has several decisions.
    AgreementBroken(BrokenSlot),
}

/// The result of a verification.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The checked values.
    pub refs: Vec<RefAudit>,
    /// All decisions. Those of the charter and of the checked refs come first.
    pub decisions: Vec<DecisionAudit>,
    /// The violations of rules by members. Faults alone are no violation of the repository.
    pub faults: Vec<Fault>,
    /// Why the repository does not hold what was decided. Empty if it does.
    pub violations: Vec<Violation>,
}

/// Checks these values, every decision, and the votes of all members.
///
/// `progress` gets the number of decisions that are done, and of all.
pub fn verify(
    tally: &Tally,
    objects: &Objects,
    refs: Vec<RefAudit>,
    policy: Policy,
    progress: impl Fn(usize, usize),
) -> Verification {
    let names: BTreeSet<_> = refs.iter().map(|audit| audit.name.clone()).collect();
    let subjects: Vec<_> = std::iter::once(Subject::Charter)
        .chain(names.into_iter().map(Subject::Ref))
        .collect();
    let decisions = audit_decisions(tally, objects, &subjects, progress);
    let faults = tally.faults();
    let violations = violations(tally, &refs, &decisions, &faults, policy);
    Verification {
        refs,
        decisions,
        faults,
        violations,
    }
}

fn violations(
    tally: &Tally,
    refs: &[RefAudit],
    decisions: &[DecisionAudit],
    faults: &[Fault],
    policy: Policy,
) -> Vec<Violation> {
    let of_values = refs
        .iter()
        .filter(|audit| is_value_violation(audit, refs, policy))
        .map(|audit| Violation::NotBacked {
            name: audit.name.clone(),
            place: audit.place.clone(),
            value: audit.value,
        });
    let differing = decisions.iter().filter_map(|decision| {
        Some(Violation::DecisionDiffers {
            proposal: decision.proposal,
            problem: decision.problem.clone()?,
        })
    });
    let unreadable = decisions
        .iter()
        .filter(|decision| must_be_readable(tally, refs, decision))
        .filter_map(|decision| {
            Some(Violation::DecisionUnreadable {
                proposal: decision.proposal,
                why: decision.unchecked.clone()?,
            })
        });
    let broken = tally.broken(faults).into_iter();
    of_values
        .chain(differing)
        .chain(unreadable)
        .chain(broken.map(Violation::AgreementBroken))
        .collect()
}

/// Returns whether a value violates what was decided.
///
/// A branch of this clone may hold work that has not landed. It is no violation if the remote's
/// value is known and the caller did not name the ref.
fn is_value_violation(audit: &RefAudit, refs: &[RefAudit], policy: Policy) -> bool {
    let is_unbacked = audit.backing == Backing::NotBacked
        || (policy.all_backed && audit.backing != Backing::Backed);
    let mut of_ref = refs.iter().filter(|other| other.name == audit.name);
    let is_own_work = audit.place == Place::Here
        && !policy.refs_named
        && of_ref.any(|other| other.place != Place::Here);
    is_unbacked && !is_own_work
}

/// Returns whether the commits of a decision must be readable. They must if a ref has the decided
/// value, because Git keeps all objects that a ref leads to. The commits before a rewrite or a
/// deletion may be gone.
fn must_be_readable(tally: &Tally, refs: &[RefAudit], decision: &DecisionAudit) -> bool {
    let Some(change) = tally.ref_change(decision.proposal) else {
        return false;
    };
    let leaves_commits_behind = change.rewrite || change.to.is_none();
    let is_value = refs
        .iter()
        .any(|audit| audit.decision == Some(decision.proposal));
    is_value && !leaves_commits_behind
}
