//! The gate's rules: a pure function from a scene to a ruling on each pushed ref.
//!
//! Knows nothing of repositories, locks and hooks.

use super::commands::PushedRef;
use super::names::{GuardedNames, is_ledger_name};
use super::refusal::{Refusal, RefusalCode};
use super::ruling::Ruling;
use super::scene::{Scene, broken_slots};
use super::{lanes, protected};
use crate::id::EntryId;
use crate::ledger::LaneRef;

/// The rulings on a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// One ruling for each pushed ref, in order.
    pub rulings: Vec<Ruling>,
    /// Proposals whose objects the rulings depend on and that nobody has looked at yet. The
    /// rulings provisionally count them as matching, so nothing may move while this has entries.
    pub unchecked: Vec<EntryId>,
}

/// Judges every ref of a push. All refs that the gate is concerned with are allowed or none is.
pub fn judge(scene: &Scene<'_>) -> Judgement {
    let charters = [scene.charter_before, scene.charter_in_force()];
    let names = GuardedNames::new(charters.into_iter().flatten(), scene.links);
    let mut judgement = Judgement::default();
    for (place, pushed) in scene.pushed.iter().enumerate() {
        let ruling = if scene.named_twice.contains(&place) {
            Ruling::Refuse(Refusal::named_twice())
        } else {
            judge_ref(scene, &names, pushed, &mut judgement.unchecked)
        };
        judgement.rulings.push(ruling);
    }
    if let Some(refusal) = contradiction(scene) {
        refuse_lanes(scene, &refusal, &mut judgement.rulings);
    }
    refuse_together(&names, scene.pushed, &mut judgement.rulings);
    judgement
}

/// Judges one ref by itself.
fn judge_ref(
    scene: &Scene<'_>,
    names: &GuardedNames<'_>,
    pushed: &PushedRef,
    unchecked: &mut Vec<EntryId>,
) -> Ruling {
    if let Err(refusal) = names.judge_link(&pushed.name) {
        return Ruling::Refuse(refusal);
    }
    if !names.is_of_concern(&pushed.name) {
        let judged = judge_ordinary_ref(scene, names, pushed);
        return judged.map_or_else(Ruling::Refuse, |()| Ruling::FallThrough);
    }
    let judged = if is_ledger_name(&pushed.name) {
        judge_ledger_ref(scene, pushed, unchecked)
    } else {
        judge_protected_ref(scene, pushed, unchecked)
    };
    judged.map_or_else(Ruling::Refuse, |()| Ruling::Allow)
}

/// Judges a ref that the gate is not concerned with. Only its name can be wrong.
fn judge_ordinary_ref(
    scene: &Scene<'_>,
    names: &GuardedNames<'_>,
    pushed: &PushedRef,
) -> Result<(), Refusal> {
    let is_there = scene.value(&pushed.name).is_some();
    let deletes = pushed.new.is_none();
    let creates = !is_there && !deletes;
    names.judge_other(&pushed.name, creates, deletes)?;
    if deletes {
        return Ok(());
    }
    names.judge_tag(&pushed.name, |branch| scene.value(branch).is_some())
}

fn judge_protected_ref(
    scene: &Scene<'_>,
    pushed: &PushedRef,
    unchecked: &mut Vec<EntryId>,
) -> Result<(), Refusal> {
    if has_pushed_value(scene, pushed) {
        return Ok(());
    }
    let decisions = protected::backing_decisions(scene, pushed)?;
    match_objects(scene, &decisions, unchecked)?;
    check_current(scene, pushed)
}

fn judge_ledger_ref(
    scene: &Scene<'_>,
    pushed: &PushedRef,
    unchecked: &mut Vec<EntryId>,
) -> Result<(), Refusal> {
    let lane_ref = match scene.refs.read(&pushed.name) {
        None | Some(LaneRef::Remote(..) | LaneRef::Fork(..)) => {
            return Err(Refusal::stray_name(scene.refs, &pushed.name));
        }
        Some(lane_ref) => lane_ref,
    };
    if has_pushed_value(scene, pushed) {
        return Ok(());
    }
    match lane_ref {
        LaneRef::Lane(owner) => {
            let proposals = lanes::judge_lane(scene, pushed, &owner)?;
            match_objects(scene, &proposals, unchecked)?;
        }
        LaneRef::Proposal(id) => lanes::judge_proposal(scene, pushed, id)?,
        LaneRef::Genesis => judge_genesis(scene, pushed)?,
        LaneRef::Remote(..) | LaneRef::Fork(..) => {
            return Err(Refusal::stray_name(scene.refs, &pushed.name));
        }
    }
    check_current(scene, pushed)
}

/// Whether the ref is already at the pushed value. A push that is repeated is no error.
fn has_pushed_value(scene: &Scene<'_>, pushed: &PushedRef) -> bool {
    scene.value(&pushed.name) == pushed.new
}

/// Refuses if one of these proposals differs from its objects, and notes those that nobody has
/// looked at.
fn match_objects(
    scene: &Scene<'_>,
    proposals: &[EntryId],
    unchecked: &mut Vec<EntryId>,
) -> Result<(), Refusal> {
    unchecked.extend(scene.checked.unchecked(proposals));
    scene.checked.require_match(proposals)
}

/// Refuses if the ref does not have the value that the pusher expects.
pub(super) fn check_current(scene: &Scene<'_>, pushed: &PushedRef) -> Result<(), Refusal> {
    let current = scene.value(&pushed.name);
    if current == pushed.old {
        return Ok(());
    }
    let reason = match current {
        Some(oid) => format!("the ref has moved to {} since this push began", oid.short()),
        None => "the ref was deleted since this push began".to_owned(),
    };
    Err(Refusal::new(
        RefusalCode::Stale,
        reason,
        "fetch, and push again",
    ))
}

fn judge_genesis(scene: &Scene<'_>, pushed: &PushedRef) -> Result<(), Refusal> {
    let dag = scene.tally.dag();
    let ledger = dag.ledger();
    if scene.value(&pushed.name).is_some() {
        let reason = "a genesis ref never changes";
        let help = format!(
            "this server holds ledger {ledger}; to change members or rules, propose a charter"
        );
        return Err(Refusal::new(RefusalCode::Immutable, reason, help));
    }
    let genesis = dag.find(ledger).map(|genesis| dag.entry(genesis).oid);
    if pushed.new.is_some() && pushed.new == genesis {
        return Ok(());
    }
    let reason = format!(
        "this is not the genesis of ledger {}, which this server has pinned",
        ledger.short()
    );
    let help = "push the genesis of the pinned ledger, or push to another server";
    Err(Refusal::new(RefusalCode::BadGenesis, reason, help).then("git quorum status"))
}

/// Returns the refusal of a push that brings a second decision for a slot.
///
/// A server that took both decisions could only stop. A server that keeps the first can go on, and
/// leaked old keys cannot stop it.
fn contradiction(scene: &Scene<'_>) -> Option<Refusal> {
    let broken = broken_slots(scene.tally);
    let slot = broken
        .into_iter()
        .find(|slot| !scene.broken_before.contains(slot))?;
    let decided = scene.tally.decided_in(&slot);
    let decided: Vec<_> = decided.iter().map(EntryId::short).collect();
    let reason = format!(
        "the push's entries decide {} a second time: {}",
        slot.subject,
        decided.join(" and ")
    );
    let help = format!(
        "{}; the gate takes no entries that contradict the entries it holds",
        scene.culprits(&slot)
    );
    Some(Refusal::new(RefusalCode::Contradicts, reason, help))
}

fn refuse_lanes(scene: &Scene<'_>, refusal: &Refusal, rulings: &mut [Ruling]) {
    for (pushed, ruling) in scene.pushed.iter().zip(rulings) {
        if scene.lane_tips.contains_key(&pushed.name) {
            *ruling = Ruling::Refuse(refusal.clone());
        }
    }
}

/// Refuses every allowed ref if some ref of the gate's concern is refused: a lane without the ref
/// it decides, or a ref without its votes, is a state that nobody asked for.
fn refuse_together(names: &GuardedNames<'_>, pushed: &[PushedRef], rulings: &mut [Ruling]) {
    let mut judged = pushed.iter().zip(rulings.iter());
    let refused =
        judged.find(|(pushed, ruling)| ruling.is_refusal() && names.is_of_concern(&pushed.name));
    if let Some((pushed, _)) = refused {
        super::ruling::refuse_allowed(rulings, &Refusal::together_with(&pushed.name));
    }
}
