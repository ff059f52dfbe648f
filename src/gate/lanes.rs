//! What lets a lane or a proposal ref move.

use super::refusal::{Refusal, RefusalCode};
use super::rules::{PushedRef, Scene, status};
use crate::charter::MemberName;
use crate::consensus::State;
use crate::id::{EntryId, Oid};
use crate::ledger::{Entry, EntryIndex, RefProposal};
use crate::store::LaneProblem;

pub(super) fn judge_lane(
    scene: &Scene<'_>,
    pushed: &PushedRef,
    owner: &MemberName,
) -> Result<(), Refusal> {
    if pushed.new.is_none() {
        let help =
            "a lane is the record of what its member said; it is kept, a removed member's too";
        return Err(Refusal::new(
            RefusalCode::LaneDeleted,
            format!("the lane of {owner} is never deleted"),
            help,
        ));
    }
    let tip = tip(scene, pushed)?;
    let old = scene
        .value(&pushed.name)
        .map(|oid| held_entry(scene, &pushed.name, oid))
        .transpose()?;
    goes_forward(scene, owner, old, tip)?;
    has_a_lane(scene, owner, tip)?;
    let dag = scene.tally.dag();
    let new = dag
        .added(tip, old)
        .into_iter()
        .map(|index| dag.entry(index));
    new.filter(|entry| entry.member == *owner)
        .try_for_each(|entry| can_be_reviewed(scene, entry))
}

fn tip(scene: &Scene<'_>, pushed: &PushedRef) -> Result<EntryIndex, Refusal> {
    match scene.taken.get(&pushed.name) {
        Some(Ok(index)) => Ok(*index),
        Some(Err(problem)) => Err(bad_entry(problem)),
        None => Err(Refusal::new(
            RefusalCode::BadEntry,
            "the entry was not read",
            "push again",
        )),
    }
}

fn bad_entry(problem: &LaneProblem) -> Refusal {
    let last = match problem.last_good {
        Some(id) => format!("the last good entry below it is {}", id.short()),
        None => "there is no good entry below it".to_owned(),
    };
    let help = format!("commit {} is at fault; {last}", problem.culprit.short());
    Refusal::new(RefusalCode::BadEntry, problem.reject.to_string(), help)
}

/// The entry that a lane of the server holds.
fn held_entry(scene: &Scene<'_>, name: &str, oid: Oid) -> Result<EntryIndex, Refusal> {
    scene.tally.dag().find_oid(oid).ok_or_else(|| {
        let reason = format!("{name} on the server does not hold a well-formed entry");
        Refusal::new(
            RefusalCode::Unavailable,
            reason,
            "whoever runs the server must repair it",
        )
        .then("git quorum verify (on the server)")
    })
}

fn goes_forward(
    scene: &Scene<'_>,
    owner: &MemberName,
    old: Option<EntryIndex>,
    tip: EntryIndex,
) -> Result<(), Refusal> {
    let dag = scene.tally.dag();
    let Some(old) = old.filter(|old| *old == tip || !dag.reaches(*old, tip)) else {
        return Ok(());
    };
    let (held, offered) = (dag.entry(old), dag.entry(tip));
    let reason = format!(
        "the lane of {owner} would leave entry {} (number {}) for {} (number {}), which does not build on it",
        held.id.short(),
        held.seq,
        offered.id.short(),
        offered.seq
    );
    let help = "fetch the lane, and join the two tips";
    Err(Refusal::new(RefusalCode::LaneWentBack, reason, help).then("git quorum sync"))
}

/// Whether the charter in force lets the owner have this tip.
fn has_a_lane(scene: &Scene<'_>, owner: &MemberName, tip: EntryIndex) -> Result<(), Refusal> {
    let dag = scene.tally.dag();
    let entry = dag.entry(tip);
    if entry.id == dag.ledger() {
        let help = "a lane begins with its member's first entry above it";
        return Err(Refusal::new(
            RefusalCode::BadEntry,
            "the genesis is no entry of a lane",
            help,
        ));
    }
    if entry.charter != dag.ledger() && !scene.tally.is_decided(entry.charter) {
        let reason = format!(
            "the entry is made under charter {}, which is not decided",
            entry.charter.short()
        );
        let refusal = Refusal::new(
            RefusalCode::CharterNotDecided,
            reason,
            scene.standing(entry.charter),
        );
        return Err(refusal.then(status(entry.charter)));
    }
    let signed_by = dag
        .charter(entry.charter)
        .and_then(|node| node.charter.member(owner))
        .map(|member| &member.key);
    let charter = scene.charter();
    if signed_by.is_some()
        && charter
            .and_then(|c| c.member(owner))
            .map(|member| &member.key)
            == signed_by
    {
        return Ok(());
    }
    let removal = charter.and_then(|c| {
        c.removed()
            .iter()
            .find(|r| r.name == *owner && Some(&r.key) == signed_by)
    });
    let Some(removal) = removal else {
        let reason =
            format!("{owner} is no member under the charter in force, with the key that signed");
        return Err(Refusal::new(
            RefusalCode::NotAMember,
            reason,
            "a new member comes by a charter proposal",
        ));
    };
    if scene.admission.admits(tip) {
        return Ok(());
    }
    let upto = removal.last.map_or_else(
        || "none of its entries".to_owned(),
        |id| format!("entries up to {}", id.short()),
    );
    let reason = format!("{owner} was removed, and its lane is taken in no further");
    Err(Refusal::new(
        RefusalCode::MemberRemoved,
        reason,
        format!("the charter in force takes {upto}"),
    ))
}

/// A new proposal must be one that others can fetch, and what it says must be so.
fn can_be_reviewed(scene: &Scene<'_>, entry: &Entry) -> Result<(), Refusal> {
    let valid = scene.tally.proposal(entry.id);
    let (Some(proposal), Some(content)) = (valid, scene.ref_proposal(entry.id)) else {
        return Ok(());
    };
    // Whose commit is lost, with a clone say, must be able to withdraw the proposal and go on.
    let is_over = scene.tally.state(entry.id) == Some(State::Withdrawn);
    if is_over || scene.tally.has_decision(&proposal.slot) {
        return Ok(());
    }
    let name = scene.refs.proposal(entry.id);
    let pushed = scene
        .pushed
        .iter()
        .find(|p| p.name == name)
        .and_then(|p| p.new);
    let there = pushed.or(scene.value(&name));
    if content.to.is_some() && there != content.to {
        let reason = format!(
            "the commit of proposal {} does not come with it",
            entry.id.short()
        );
        let to = content.to.map(|to| to.to_string()).unwrap_or_default();
        let help = format!("push it together with the lane: {to}:{name}");
        return Err(Refusal::new(RefusalCode::ProposalMissing, reason, help));
    }
    matches_objects(scene, entry.id, content)
}

pub(super) fn matches_objects(
    scene: &Scene<'_>,
    id: EntryId,
    proposal: &RefProposal,
) -> Result<(), Refusal> {
    (scene.check)(id, proposal).map_err(|why| {
        let reason = format!("proposal {}: {why}", id.short());
        Refusal::new(
            RefusalCode::ProposalDiffers,
            reason,
            "propose again from a complete clone",
        )
        .then("git quorum propose")
    })
}

pub(super) fn judge_proposal(
    scene: &Scene<'_>,
    pushed: &PushedRef,
    id: EntryId,
) -> Result<(), Refusal> {
    if pushed.new.is_none() || scene.value(&pushed.name).is_some() {
        let reason = "the ref of a proposal never moves";
        let help =
            "the gate deletes it when it is of no more use; a proposal itself can be withdrawn";
        return Err(Refusal::new(RefusalCode::Immutable, reason, help)
            .then(format!("git quorum withdraw {}", id.short())));
    }
    let Some(proposal) = scene.ref_proposal(id) else {
        let reason = format!("no valid proposal {} is known here", id.short());
        let help = "push it together with the lane of the member that made the proposal";
        return Err(Refusal::new(RefusalCode::ProposalUnknown, reason, help));
    };
    if proposal.to != pushed.new {
        let reason = format!("proposal {} is not about this commit", id.short());
        let help = match proposal.to {
            Some(to) => format!("the ref must hold {to}"),
            None => "it deletes its ref, and has no commit".to_owned(),
        };
        return Err(Refusal::new(RefusalCode::ProposalDiffers, reason, help));
    }
    Ok(())
}
