//! When a lane or a proposal ref may move. Pure, and knows nothing of objects.

use super::commands::PushedRef;
use super::refusal::{Refusal, RefusalCode};
use super::scene::{Scene, status_command};
use crate::charter::MemberName;
use crate::consensus::State;
use crate::id::{EntryId, Oid};
use crate::ledger::{Entry, EntryIndex};
use crate::store::LaneProblem;

/// Judges a push to a lane. Returns the new proposals in it whose objects must match, in order.
pub(super) fn judge_lane(
    scene: &Scene<'_>,
    pushed: &PushedRef,
    owner: &MemberName,
) -> Result<Vec<EntryId>, Refusal> {
    if pushed.new.is_none() {
        let reason = format!("the lane of {owner} is never deleted");
        let help =
            "a lane is the record of what its member signed; even a removed member's lane is kept";
        return Err(Refusal::new(RefusalCode::LaneDeleted, reason, help));
    }
    let tip = pushed_tip(scene, pushed)?;
    let held = match scene.value(&pushed.name) {
        Some(oid) => Some(held_entry(scene, &pushed.name, oid)?),
        None => None,
    };
    check_forward(scene, owner, held, tip)?;
    check_owner(scene, owner, tip)?;
    let dag = scene.tally.dag();
    let mut proposals = Vec::new();
    for index in dag.added(tip, held) {
        let entry = dag.entry(index);
        if entry.member == *owner && needs_review(scene, entry) {
            check_commit_is_here(scene, entry.id)?;
            proposals.push(entry.id);
        }
    }
    Ok(proposals)
}

fn pushed_tip(scene: &Scene<'_>, pushed: &PushedRef) -> Result<EntryIndex, Refusal> {
    match scene.lane_tips.get(&pushed.name) {
        Some(Ok(index)) => Ok(*index),
        Some(Err(problem)) => Err(bad_entry(problem)),
        None => Err(Refusal::new(
            RefusalCode::BadEntry,
            "the gate did not read the entry at the tip",
            "push again",
        )),
    }
}

fn bad_entry(problem: &LaneProblem) -> Refusal {
    let last = match problem.last_good {
        Some(id) => format!("the last good entry below it is {}", id.short()),
        None => "there is no good entry below it".to_owned(),
    };
    let help = format!("commit {} is the bad one; {last}", problem.culprit.short());
    Refusal::new(RefusalCode::BadEntry, problem.reject.to_string(), help)
}

/// Returns the entry that a lane of the server holds at present.
fn held_entry(scene: &Scene<'_>, name: &str, oid: Oid) -> Result<EntryIndex, Refusal> {
    let held = scene.tally.dag().find_oid(oid);
    held.ok_or_else(|| {
        let reason = format!("{name} on the server does not hold a well-formed entry");
        let help = "the server's operator must repair it";
        Refusal::unavailable(reason, help).then("git quorum verify (on the server)")
    })
}

/// Refuses a tip that does not build on the entry that the lane holds. Compares entry ids, because
/// Git's own ancestry would rest on SHA-1.
fn check_forward(
    scene: &Scene<'_>,
    owner: &MemberName,
    held: Option<EntryIndex>,
    tip: EntryIndex,
) -> Result<(), Refusal> {
    let dag = scene.tally.dag();
    let left_behind = held.filter(|held| *held == tip || !dag.reaches(*held, tip));
    let Some(left_behind) = left_behind else {
        return Ok(());
    };
    let (held, offered) = (dag.entry(left_behind), dag.entry(tip));
    let reason = format!(
        "the lane of {owner} holds entry {} (number {}), and the pushed entry {} (number {}) does not build on it",
        held.id.short(),
        held.seq,
        offered.id.short(),
        offered.seq
    );
    let help = "fetch the lane and join the two tips";
    Err(Refusal::new(RefusalCode::LaneWentBack, reason, help).then("git quorum sync"))
}

/// Refuses a tip that the charter in force does not let the owner have.
fn check_owner(scene: &Scene<'_>, owner: &MemberName, tip: EntryIndex) -> Result<(), Refusal> {
    let dag = scene.tally.dag();
    let entry = dag.entry(tip);
    if entry.id == dag.ledger() {
        let reason = "the genesis is not an entry of a lane";
        let help = "a lane begins with its member's first entry after the genesis";
        return Err(Refusal::new(RefusalCode::BadEntry, reason, help));
    }
    // Otherwise a member could propose a charter with a stranger in it, and the stranger would
    // have a lane at once.
    if entry.charter != dag.ledger() && !scene.tally.is_decided(entry.charter) {
        let reason = format!(
            "the entry was made under charter {}, which is not decided",
            entry.charter.short()
        );
        let help = scene.approvals(entry.charter);
        return Err(Refusal::new(RefusalCode::CharterNotDecided, reason, help)
            .then(status_command(entry.charter)));
    }
    let signed_under = dag.charter(entry.charter);
    let signed_by = signed_under
        .and_then(|node| node.charter.member(owner))
        .map(|member| &member.key);
    let in_force = scene.charter_in_force();
    let present_key = in_force
        .and_then(|charter| charter.member(owner))
        .map(|member| &member.key);
    if signed_by.is_some() && present_key == signed_by {
        return Ok(());
    }
    let removal = in_force.and_then(|charter| {
        charter
            .removed()
            .iter()
            .find(|removal| removal.name == *owner && Some(&removal.key) == signed_by)
    });
    let Some(removal) = removal else {
        let reason = format!(
            "the charter in force has no member {owner} with the key that signed the entry"
        );
        let help = "to add a member, propose a charter";
        return Err(Refusal::new(RefusalCode::NotAMember, reason, help));
    };
    if scene.admission.admits(tip) {
        return Ok(());
    }
    let reason = format!("{owner} was removed, so its lane takes no further entries");
    let admitted = match removal.last {
        Some(id) => format!("entries up to {}", id.short()),
        None => "none of its entries".to_owned(),
    };
    let help = format!("the charter in force admits {admitted}");
    Err(Refusal::new(RefusalCode::MemberRemoved, reason, help))
}

/// Whether an entry is a valid proposal about a ref that can still be decided.
///
/// Only valid proposals count: another one can never be decided, and a ref for it would stay for
/// ever. A withdrawn one does not count: a member that lost the commit must be able to withdraw and
/// go on.
fn needs_review(scene: &Scene<'_>, entry: &Entry) -> bool {
    let Some(proposal) = scene.tally.proposal(entry.id) else {
        return false;
    };
    let is_about_a_ref = scene.ref_proposal(entry.id).is_some();
    let is_withdrawn = scene.tally.state(entry.id) == Some(State::Withdrawn);
    is_about_a_ref && !is_withdrawn && !scene.tally.has_decision(&proposal.slot)
}

/// Refuses a proposal whose commit is neither on the server nor in the push, since nobody could
/// fetch and review it.
fn check_commit_is_here(scene: &Scene<'_>, id: EntryId) -> Result<(), Refusal> {
    let Some(to) = scene.ref_proposal(id).and_then(|proposal| proposal.to) else {
        return Ok(());
    };
    let name = scene.refs.proposal(id);
    let there = scene.pushed_value(&name).or(scene.value(&name));
    if there == Some(to) {
        return Ok(());
    }
    let reason = format!(
        "the commit of proposal {} is neither on the server nor in the push",
        id.short()
    );
    let help = format!("push the commit together with the lane: {to}:{name}");
    Err(Refusal::new(RefusalCode::ProposalMissing, reason, help))
}

/// Judges a push to a proposal ref. Such a ref is created at the proposed commit and never moves.
pub(super) fn judge_proposal(
    scene: &Scene<'_>,
    pushed: &PushedRef,
    id: EntryId,
) -> Result<(), Refusal> {
    if pushed.new.is_none() || scene.value(&pushed.name).is_some() {
        let reason = "a proposal's ref never moves";
        let help =
            "the gate deletes the ref once nobody needs it; to give up the proposal, withdraw it";
        return Err(Refusal::new(RefusalCode::Immutable, reason, help)
            .then(format!("git quorum withdraw {}", id.short())));
    }
    let Some(proposal) = scene.ref_proposal(id) else {
        let reason = format!("this server knows no valid proposal {}", id.short());
        let help = "push the ref together with the lane of the member that made the proposal";
        return Err(Refusal::new(RefusalCode::ProposalUnknown, reason, help));
    };
    if proposal.to == pushed.new {
        return Ok(());
    }
    let reason = format!("proposal {} names another commit", id.short());
    let help = match proposal.to {
        Some(to) => format!("the ref must hold {to}"),
        None => "the proposal deletes its ref, so it has no commit".to_owned(),
    };
    Err(Refusal::new(RefusalCode::ProposalDiffers, reason, help))
}
