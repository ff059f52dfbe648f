//! Which refs move when a push is allowed: its own refs, the protected refs that land by themselves,
//! and the proposal refs that are of no more use. Pure: plans, and moves nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::protected::steps;
use super::ruling::Ruling;
use super::scene::Scene;
use crate::charter::RefName;
use crate::consensus::Subject;
use crate::consensus::landing::furthest;
use crate::id::{EntryId, Oid};
use crate::ledger::LaneRef;
use crate::repo::{Expect, RefEdit};

/// A protected ref that moves by itself, in the push that decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AutoLanding {
    pub name: String,
    /// The decision that the ref moves to.
    pub decision: EntryId,
    pub to: Option<Oid>,
}

/// What moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UpdatePlan {
    /// All moves, in the order in which Git must make them.
    pub edits: Vec<RefEdit>,
    pub landings: Vec<AutoLanding>,
    /// For each landing that cannot happen now: why, for people.
    pub held_up: Vec<String>,
    /// Proposals whose objects a landing depends on and that nobody has looked at yet. The plan
    /// provisionally counts them as matching, so it must not be carried out while this has entries.
    pub unchecked: Vec<EntryId>,
}

/// What is known about one ref's landing.
enum LandingCheck {
    /// No decision leads further.
    Nothing,
    HeldUp(String),
    Lands(AutoLanding),
}

/// Plans the moves of a push. With `auto_land`, decided refs that are not pushed move too.
pub(super) fn plan_updates(scene: &Scene<'_>, rulings: &[Ruling], auto_land: bool) -> UpdatePlan {
    let mut plan = UpdatePlan::default();
    let mut after = allowed_values(scene, rulings);
    if auto_land && !scene.lane_tips.is_empty() {
        for name in proposed_refs(scene) {
            if !after.contains_key(name.as_str()) {
                plan.add_landing(scene, name);
            }
        }
    }
    let landed = plan.landings.clone();
    after.extend(landed.iter().map(|it| (it.name.as_str(), it.to)));
    let spent = spent_proposals(scene, &after);
    after.extend(spent.iter().map(|name| (name.as_str(), None)));
    plan.edits = after
        .into_iter()
        .filter_map(|(name, new)| edit(scene.value(name), name, new))
        .collect();
    plan.edits.sort_by_key(|edit| rank(scene, &edit.name));
    plan
}

/// Returns the new values of all pushed refs that the gate moves.
fn allowed_values<'a>(scene: &Scene<'a>, rulings: &[Ruling]) -> BTreeMap<&'a str, Option<Oid>> {
    let judged = scene.pushed.iter().zip(rulings);
    judged
        .filter(|(_, ruling)| **ruling == Ruling::Allow)
        .map(|(pushed, _)| (pushed.name.as_str(), pushed.new))
        .collect()
}

/// Returns the refs that proposals of this ledger are about, in order.
fn proposed_refs<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = &'a RefName> {
    scene.tally.subjects().filter_map(|subject| match subject {
        Subject::Ref(name) => Some(name),
        Subject::Charter => None,
    })
}

/// Orders the edits of a transaction.
///
/// Git moves the refs of a transaction one by one, in this order, and deletes some last. If Git is
/// killed in the middle, the server may hold entries that nothing has landed from yet. It never
/// holds a protected ref without the entries that back it.
fn rank(scene: &Scene<'_>, name: &str) -> u8 {
    match scene.refs.read(name) {
        Some(LaneRef::Genesis) => 0,
        Some(LaneRef::Proposal(_)) => 1,
        Some(LaneRef::Lane(_)) => 2,
        _ => 3,
    }
}

/// Returns the edit that gives a ref its new value. `None` if the ref has that value already.
fn edit(current: Option<Oid>, name: &str, new: Option<Oid>) -> Option<RefEdit> {
    (current != new).then(|| RefEdit {
        name: name.to_owned(),
        old: current.map_or(Expect::Absent, Expect::Is),
        new,
    })
}

impl UpdatePlan {
    /// Adds the landing of a ref at the last decision that it can reach, or why it is held up.
    fn add_landing(&mut self, scene: &Scene<'_>, name: &RefName) {
        match self.check_landing(scene, name) {
            LandingCheck::Nothing => {}
            LandingCheck::HeldUp(why) => self.held_up.push(why),
            LandingCheck::Lands(landing) => self.landings.push(landing),
        }
    }

    fn check_landing(&mut self, scene: &Scene<'_>, name: &RefName) -> LandingCheck {
        let from = scene.value(name.as_str());
        let Some(ahead) = scene.decisions_after(name, from) else {
            return LandingCheck::Nothing;
        };
        let Some(run) = furthest(&steps(&ahead.proposals), from) else {
            return LandingCheck::Nothing;
        };
        if scene.links.contains(name.as_str()) {
            return LandingCheck::HeldUp(format!("{name} is a symbolic ref on this server"));
        }
        let decisions = ahead.ids.get(run.clone()).unwrap_or_default();
        let proposals = ahead.proposals.get(run).unwrap_or_default();
        let (Some(decision), Some(proposal)) = (decisions.last(), proposals.last()) else {
            return LandingCheck::Nothing;
        };
        if !is_commit_here(scene, *decision, proposal.to) {
            let (short, proposal_ref) = (decision.short(), scene.refs.proposal(*decision));
            return LandingCheck::HeldUp(format!(
                "{name} waits for the commit of {short}: push {proposal_ref}"
            ));
        }
        self.unchecked.extend(scene.checked.unchecked(decisions));
        if let Err(refusal) = scene.checked.require_match(decisions) {
            return LandingCheck::HeldUp(format!("{name} cannot move: {refusal}"));
        }
        LandingCheck::Lands(AutoLanding {
            name: name.to_string(),
            decision: *decision,
            to: proposal.to,
        })
    }
}

/// Whether the commit that a proposal moves its ref to is on the server or in the push. The
/// proposal's own ref shows it.
fn is_commit_here(scene: &Scene<'_>, id: EntryId, to: Option<Oid>) -> bool {
    let name = scene.refs.proposal(id);
    to.is_none() || scene.pushed_value(&name).or(scene.value(&name)) == to
}

/// Returns the proposal refs, present or pushed, that are of no more use.
fn spent_proposals(scene: &Scene<'_>, after: &BTreeMap<&str, Option<Oid>>) -> BTreeSet<String> {
    let pushed = scene.pushed.iter().map(|pushed| &pushed.name);
    let names: BTreeSet<&String> = scene.values.keys().chain(pushed).collect();
    let is_spent = |name: &String| match scene.refs.read(name) {
        Some(LaneRef::Proposal(id)) => is_spent(scene, after, id),
        _ => false,
    };
    names
        .into_iter()
        .filter(|name| is_spent(name))
        .cloned()
        .collect()
}

/// Whether a proposal lost, or won and has landed.
fn is_spent(scene: &Scene<'_>, after: &BTreeMap<&str, Option<Oid>>, id: EntryId) -> bool {
    let (Some(proposal), Some(content)) = (scene.tally.proposal(id), scene.ref_proposal(id)) else {
        return false;
    };
    match scene.tally.decided_in(&proposal.slot).as_slice() {
        [winner] if *winner == id => {
            let name = content.name.as_str();
            let value = match after.get(name) {
                Some(value) => *value,
                None => scene.value(name),
            };
            scene.has_landed(&content.name, value, id)
        }
        [_] => true,
        // Undecided, or decided twice. What is in dispute is kept.
        _ => false,
    }
}
