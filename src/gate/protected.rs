//! When a protected ref may move: its chain of decisions must lead there. Pure, and knows nothing of
//! objects.

use super::commands::PushedRef;
use super::refusal::{Refusal, RefusalCode};
use super::scene::{RefChain, Scene, short_value, status_command};
use crate::charter::RefName;
use crate::consensus::landing::{RefMove, landed_count, path};
use crate::consensus::{Chain, State};
use crate::id::{EntryId, Oid};
use crate::ledger::RefProposal;

/// Returns the moves that these decided proposals make, in order.
pub(super) fn steps(proposals: &[&RefProposal]) -> Vec<RefMove> {
    let step = |proposal: &&RefProposal| RefMove {
        from: proposal.from,
        to: proposal.to,
    };
    proposals.iter().map(step).collect()
}

/// Returns the decisions that lead a protected ref to its pushed value, in order. Their proposals
/// must also match their objects.
pub(super) fn backing_decisions(
    scene: &Scene<'_>,
    pushed: &PushedRef,
) -> Result<Vec<EntryId>, Refusal> {
    let Ok(name) = pushed.name.parse::<RefName>() else {
        let reason = "the name is protected, and no decision can name it";
        return Err(Refusal::new(
            RefusalCode::NoProposal,
            reason,
            "choose another name",
        ));
    };
    let current = scene.value(&pushed.name);
    let ahead = scene
        .decisions_after(&name, current)
        .ok_or_else(unprotected_now)?;
    if let Some(run) = path(&steps(&ahead.proposals), current, pushed.new) {
        return Ok(ahead.ids.get(run).unwrap_or_default().to_vec());
    }
    let chain = scene.chain(&name).ok_or_else(unprotected_now)?;
    let moved = RefMove {
        from: current,
        to: pushed.new,
    };
    Err(not_backed(scene, &name, &chain, moved))
}

fn unprotected_now() -> Refusal {
    let reason = "the ref is protected until the entries of this push count";
    let help = "push the entries first, then the ref";
    Refusal::new(RefusalCode::UnprotectedNow, reason, help)
}

/// Explains why no decision backs a move.
pub(super) fn not_backed(
    scene: &Scene<'_>,
    name: &RefName,
    RefChain { chain, proposals }: &RefChain<'_>,
    RefMove {
        from: current,
        to: new,
    }: RefMove,
) -> Refusal {
    if !chain.rivals.is_empty() {
        return agreement_broken(scene, name, chain);
    }
    let steps = steps(proposals);
    let Some(place) = steps.iter().rposition(|step| step.to == new) else {
        return undecided(scene, name, new);
    };
    let decision = chain.decided.get(place).map(EntryId::short);
    let decision = decision.unwrap_or_default();
    if place < landed_count(&steps, current) {
        let reason = format!("the ref only moves forward, and is already past decision {decision}");
        let help = format!(
            "to return to {}, propose that value again",
            short_value(new)
        );
        return Refusal::new(RefusalCode::WentBack, reason, help).then("git quorum propose");
    }
    let from = steps.get(place).and_then(|step| step.from);
    let (from, current) = (short_value(from), short_value(current));
    let reason =
        format!("decision {decision} moves the ref from {from}, but the ref is at {current}");
    let help = format!(
        "no chain of decisions leads from there to the pushed value; propose again from {current}"
    );
    Refusal::new(RefusalCode::WrongFrom, reason, help).then("git quorum propose")
}

fn agreement_broken(scene: &Scene<'_>, name: &RefName, chain: &Chain) -> Refusal {
    let rivals: Vec<_> = chain.rivals.iter().map(EntryId::short).collect();
    let reason = format!(
        "agreement is broken: one slot of {name} has several decisions: {}",
        rivals.join(" and ")
    );
    let help = format!(
        "{}; the ref cannot move until the members settle this",
        scene.culprits(&chain.next)
    );
    Refusal::new(RefusalCode::AgreementBroken, reason, help).then("git quorum verify")
}

/// Explains why a value is not decided, by the proposal that is closest to a decision.
fn undecided(scene: &Scene<'_>, name: &RefName, new: Option<Oid>) -> Refusal {
    let is_about_it = |id: &EntryId| {
        scene
            .ref_proposal(*id)
            .is_some_and(|proposal| proposal.name == *name && proposal.to == new)
    };
    let proposals = scene.tally.proposals().map(|proposal| proposal.id);
    let ranked = proposals.filter(is_about_it).filter_map(|id| {
        let state = scene.tally.state(id)?;
        Some((rank(state), state, id))
    });
    let Some((_, state, id)) = ranked.min() else {
        return no_proposal(new);
    };
    let reason = match state {
        State::Superseded => return superseded(scene, id),
        State::Decided => format!(
            "{} was decided before the ref's present chain of decisions began",
            scene.titled(id)
        ),
        State::Stale => format!(
            "{} is in no slot that can still be decided",
            scene.titled(id)
        ),
        _ => format!("{} is not decided", scene.titled(id)),
    };
    Refusal::new(RefusalCode::NotDecided, reason, scene.approvals(id)).then(status_command(id))
}

fn no_proposal(new: Option<Oid>) -> Refusal {
    let what = match new {
        Some(oid) => format!("moves it to {}", oid.short()),
        None => "deletes it".to_owned(),
    };
    let reason = format!("the ref is protected, and no proposal {what}");
    let help = "if you have proposed this, push the proposal first: git quorum sync";
    Refusal::new(RefusalCode::NoProposal, reason, help).then("git quorum propose")
}

fn superseded(scene: &Scene<'_>, id: EntryId) -> Refusal {
    let proposal = scene.tally.proposal(id);
    let decided = proposal.map(|proposal| scene.tally.decided_in(&proposal.slot));
    let winner = decided.and_then(|decided| decided.first().map(EntryId::short));
    let winner = winner.unwrap_or_default();
    let reason = format!(
        "proposal {} lost to {winner}, which was decided",
        id.short()
    );
    let help = "propose again, on top of the decided value";
    Refusal::new(RefusalCode::Superseded, reason, help).then(format!("git quorum status {winner}"))
}

/// Orders states by how close they are to a decision, the closest first.
fn rank(state: State) -> u8 {
    match state {
        State::Decided => 0,
        State::Approved => 1,
        State::Open => 2,
        State::Rejected | State::Withdrawn => 3,
        State::Superseded => 4,
        State::Stale => 5,
    }
}
