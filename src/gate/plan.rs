//! What moves when a push is allowed: its own refs, the protected refs that land by themselves, and the
//! proposal refs that are of no more use.

use std::collections::{BTreeMap, BTreeSet};

use super::lanes::matches_objects;
use super::protected::steps;
use super::rules::{PushedRef, Scene, Verdict};
use crate::charter::RefName;
use crate::consensus::Subject;
use crate::consensus::landing::furthest;
use crate::id::{EntryId, Oid};
use crate::ledger::LaneRef;
use crate::repo::{Expect, RefEdit};

/// A protected ref that moves by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Landing {
    pub name: String,
    pub decision: EntryId,
    pub from: Option<Oid>,
    pub to: Option<Oid>,
}

/// What moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub edits: Vec<RefEdit>,
    pub landings: Vec<Landing>,
    /// Landings that something stands in the way of.
    pub held_up: Vec<String>,
}

/// The refs that proposals of this ledger are about, in order.
fn proposed_refs<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = &'a RefName> {
    scene.tally.subjects().filter_map(|subject| match subject {
        Subject::Ref(name) => Some(name),
        Subject::Charter => None,
    })
}

/// The plan for a push all of whose refs of the gate's concern are allowed.
pub(super) fn plan(scene: &Scene<'_>, verdicts: &[Verdict], auto_land: bool) -> Plan {
    let mut plan = Plan::default();
    let allowed: BTreeMap<&str, Option<Oid>> = scene
        .pushed
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| **verdict == Verdict::Allow)
        .map(|(pushed, _)| (pushed.name.as_str(), pushed.new))
        .collect();
    if auto_land && !scene.taken.is_empty() {
        for name in proposed_refs(scene).filter(|name| !allowed.contains_key(name.as_str())) {
            plan.land(scene, name);
        }
    }
    let mut after = allowed;
    let landings = plan.landings.clone();
    after.extend(
        landings
            .iter()
            .map(|landing| (landing.name.as_str(), landing.to)),
    );
    let spent = spent_proposals(scene, &after);
    after.extend(spent.iter().map(|name| (name.as_str(), None)));
    plan.edits = after
        .into_iter()
        .filter_map(|(name, new)| edit(scene.value(name), name, new))
        .collect();
    plan.edits.sort_by_key(|edit| rank(scene, &edit.name));
    plan
}

/// Git moves the refs of a transaction one by one, in the order given, and deletes some last. When it is killed
/// meanwhile, entries may be there that nothing has landed from yet, never a protected ref without the
/// entries that back it.
fn rank(scene: &Scene<'_>, name: &str) -> u8 {
    match scene.refs.read(name) {
        Some(LaneRef::Genesis) => 0,
        Some(LaneRef::Proposal(_)) => 1,
        Some(LaneRef::Lane(_)) => 2,
        _ => 3,
    }
}

/// The edit that gives a ref its new value, if it has another one.
fn edit(current: Option<Oid>, name: &str, new: Option<Oid>) -> Option<RefEdit> {
    (current != new).then(|| RefEdit {
        name: name.to_owned(),
        old: expect(current),
        new,
    })
}

pub(super) fn expect(current: Option<Oid>) -> Expect {
    current.map_or(Expect::Absent, Expect::Is)
}

impl Plan {
    /// Adds the landing of a ref at the last decision that it can reach.
    fn land(&mut self, scene: &Scene<'_>, name: &RefName) {
        let from = scene.value(name.as_str());
        let Some((ids, proposals)) = scene.ahead(name, from) else {
            return;
        };
        let Some(run) = furthest(&steps(&proposals), from) else {
            return;
        };
        if scene.links.contains(name.as_str()) {
            self.held_up
                .push(format!("{name} is a symbolic ref on this server"));
            return;
        }
        let way = || {
            ids.iter()
                .copied()
                .zip(proposals.iter().copied())
                .take(run.end)
                .skip(run.start)
        };
        let Some((decision, last)) = way().last() else {
            return;
        };
        let proposal_ref = scene.refs.proposal(decision);
        let pushed = scene
            .pushed
            .iter()
            .find(|p| p.name == proposal_ref)
            .and_then(|p| p.new);
        let is_here = last.to.is_none() || pushed.or(scene.value(&proposal_ref)) == last.to;
        if !is_here {
            let wanted = decision.short();
            self.held_up.push(format!(
                "{name} waits for the commit of {wanted}: push {proposal_ref}"
            ));
            return;
        }
        match way().try_for_each(|(id, proposal)| matches_objects(scene, id, proposal)) {
            Ok(()) => self.landings.push(Landing {
                name: name.to_string(),
                decision,
                from,
                to: last.to,
            }),
            Err(refusal) => self.held_up.push(format!("{name} cannot move: {refusal}")),
        }
    }
}

/// The proposal refs, there or pushed, that are of no more use: of losers, and of winners that have landed.
fn spent_proposals(scene: &Scene<'_>, after: &BTreeMap<&str, Option<Oid>>) -> BTreeSet<String> {
    let pushed = scene.pushed.iter().map(|p: &PushedRef| &p.name);
    let names: BTreeSet<&String> = scene.values.keys().chain(pushed).collect();
    let is_spent = |name: &&&String| match scene.refs.read(name) {
        Some(LaneRef::Proposal(id)) => is_spent(scene, after, id),
        _ => false,
    };
    names
        .iter()
        .filter(is_spent)
        .map(|name| (*name).clone())
        .collect()
}

fn is_spent(scene: &Scene<'_>, after: &BTreeMap<&str, Option<Oid>>, id: EntryId) -> bool {
    let (Some(proposal), Some(content)) = (scene.tally.proposal(id), scene.ref_proposal(id)) else {
        return false;
    };
    let decided = scene.tally.decided_in(&proposal.slot);
    match decided.as_slice() {
        [one] if *one == id => {
            let name = content.name.as_str();
            let value = after
                .get(name)
                .copied()
                .unwrap_or_else(|| scene.value(name));
            scene.lies_behind(&content.name, value, id)
        }
        [_] => true,
        // Undecided, or decided twice: what is in dispute is kept.
        _ => false,
    }
}
