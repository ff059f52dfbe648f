//! What lets a protected ref move: its chain of decisions.

use super::lanes::matches_objects;
use super::refusal::{Refusal, RefusalCode};
use super::rules::{PushedRef, Scene, show, status};
use crate::charter::RefName;
use crate::consensus::landing::{RefMove, landed_count, path};
use crate::consensus::{Chain, State};
use crate::id::{EntryId, Oid};
use crate::ledger::RefProposal;

/// What the decisions of a chain move.
pub(super) fn steps(proposals: &[&RefProposal]) -> Vec<RefMove> {
    proposals
        .iter()
        .map(|p| RefMove {
            from: p.from,
            to: p.to,
        })
        .collect()
}

pub(super) fn judge(scene: &Scene<'_>, pushed: &PushedRef) -> Result<(), Refusal> {
    let Ok(name) = pushed.name.parse::<RefName>() else {
        let reason = "the name is protected, and is one that no decision can name";
        return Err(Refusal::new(
            RefusalCode::NoProposal,
            reason,
            "choose another name",
        ));
    };
    let unprotected = || {
        let reason = "it is protected until the entries of this push are taken in";
        Refusal::new(
            RefusalCode::UnprotectedNow,
            reason,
            "push the entries first, then the ref",
        )
    };
    let current = scene.value(&pushed.name);
    let (ids, proposals) = scene.ahead(&name, current).ok_or_else(unprotected)?;
    let Some(run) = path(&steps(&proposals), current, pushed.new) else {
        let (chain, proposals) = scene.chain(&name).ok_or_else(unprotected)?;
        return Err(not_backed(
            scene,
            &name,
            (&chain, &proposals),
            (current, pushed.new),
        ));
    };
    let decisions = ids.iter().zip(&proposals).take(run.end).skip(run.start);
    decisions
        .into_iter()
        .try_for_each(|(id, proposal)| matches_objects(scene, *id, proposal))
}

/// Says what is the matter with a move that no decision backs.
pub(super) fn not_backed(
    scene: &Scene<'_>,
    name: &RefName,
    (chain, proposals): (&Chain, &[&RefProposal]),
    (current, new): (Option<Oid>, Option<Oid>),
) -> Refusal {
    if !chain.rivals.is_empty() {
        return broken(scene, name, chain);
    }
    let steps = steps(proposals);
    let decided = steps.iter().rposition(|step| step.to == new);
    let id = |place: usize| {
        chain
            .decided
            .get(place)
            .map(EntryId::short)
            .unwrap_or_default()
    };
    match decided {
        Some(place) if place < landed_count(&steps, current) => {
            let reason = format!(
                "it only moves forward, and decision {} is behind it",
                id(place)
            );
            Refusal::new(
                RefusalCode::WentBack,
                reason,
                format!("to return to {}, propose it anew", show(new)),
            )
            .then("git quorum propose")
        }
        Some(place) => {
            let from = steps.get(place).and_then(|step| step.from);
            let reason = format!(
                "decision {} moves it from {}, and it is at {}",
                id(place),
                show(from),
                show(current)
            );
            let help = format!(
                "no chain of decisions leads there; propose again from {}",
                show(current)
            );
            Refusal::new(RefusalCode::WrongFrom, reason, help).then("git quorum propose")
        }
        None => undecided(scene, name, new),
    }
}

fn broken(scene: &Scene<'_>, name: &RefName, chain: &Chain) -> Refusal {
    let rivals: Vec<_> = chain.rivals.iter().map(EntryId::short).collect();
    let reason = format!(
        "agreement is broken: one place in the chain of {name} has decisions {}",
        rivals.join(" and ")
    );
    let help = format!(
        "{}; nothing moves until the members have settled it",
        scene.culprits(&chain.next)
    );
    Refusal::new(RefusalCode::AgreementBroken, reason, help).then("git quorum verify")
}

/// The refusal of a value that no decision names: by the most hopeful proposal that does.
fn undecided(scene: &Scene<'_>, name: &RefName, new: Option<Oid>) -> Refusal {
    let about = |id: EntryId| {
        scene
            .ref_proposal(id)
            .is_some_and(|p| p.name == *name && p.to == new)
    };
    let found = scene
        .tally
        .proposals()
        .map(|p| p.id)
        .filter(|id| about(*id));
    let ranked = found.filter_map(|id| scene.tally.state(id).map(|state| (rank(state), state, id)));
    let Some((_, state, id)) = ranked.min() else {
        let what = new.map_or_else(
            || "delete it".to_owned(),
            |oid| format!("move it to {}", oid.short()),
        );
        let reason = format!("it is protected, and there is no proposal to {what}");
        let help = "if you have proposed it, push that first: git quorum sync";
        return Refusal::new(RefusalCode::NoProposal, reason, help).then("git quorum propose");
    };
    if state == State::Superseded {
        let slot = scene
            .tally
            .proposal(id)
            .map(|p| scene.tally.decided_in(&p.slot))
            .unwrap_or_default();
        let winner = slot.first().map(EntryId::short).unwrap_or_default();
        let reason = format!(
            "proposal {} lost to {winner}, which was decided",
            id.short()
        );
        let help = "propose again, on top of what was decided";
        return Refusal::new(RefusalCode::Superseded, reason, help)
            .then(format!("git quorum status {winner}"));
    }
    let reason = match state {
        State::Decided => format!(
            "{} was decided before the ref's decisions began anew",
            scene.called(id)
        ),
        State::Stale => format!(
            "{} stands in no place that can still be decided",
            scene.called(id)
        ),
        _ => format!("{} is not decided", scene.called(id)),
    };
    Refusal::new(RefusalCode::NotDecided, reason, scene.standing(id)).then(status(id))
}

/// The most hopeful first.
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
