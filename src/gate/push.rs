//! Receives a push on a server: judges it under the gate's lock, and moves what may move.
//!
//! Refuses whatever cannot be read or checked. Knows nothing of the conversation with Git.

use std::path::PathBuf;

use super::checked_proposals::CheckedProposals;
use super::commands::Push;
use super::judge::{Judgement, check_current, judge};
use super::links::Links;
use super::lock::GateLock;
use super::messages;
use super::ordinary;
use super::plan::{AutoLanding, UpdatePlan, plan_updates};
use super::proc_receive::{ReceiveReport, RefReport};
use super::refusal::{Refusal, RefusalCode};
use super::ruling::{Ruling, refuse_all_if_any, refuse_allowed};
use super::scene::{Scene, short_value};
use super::server_state::{ServerState, check_repository, was_founded};
use super::settings::{AUTO_LAND_KEY, FOUNDED_KEY};
use super::unfounded::judge_unfounded;
use crate::fault;
use crate::id::EntryId;
use crate::ledger::LedgerRefs;
use crate::repo::{RefEdit, RefError, Repo, RepoError};
use crate::store::Trust;

/// The repository that Git runs a server hook in.
#[derive(Debug, Clone)]
pub struct ServerRepository {
    /// The git directory.
    pub git_dir: PathBuf,
    /// The value of `GIT_NAMESPACE`, if it is set. The gate refuses pushes into a namespace.
    pub namespace: Option<String>,
}

/// How often a push is judged again because other pushes moved the ledger in the meantime.
const ATTEMPTS: u32 = 5;

/// The most bytes of entries by other pushes that are taken in under the lock. Each further attempt
/// takes in twice as many.
///
/// A megabyte is about a thousand entries: what members sign while a push is judged, and no flood.
const MAX_BYTES_UNDER_LOCK: usize = if cfg!(debug_assertions) {
    1 << 16
} else {
    1 << 20
};

/// Judges a push, moves what the gate moves, and reports what happened to each ref.
pub fn receive(server: &ServerRepository, push: &Push) -> ReceiveReport {
    match try_receive(server, push) {
        Ok(report) => report,
        Err(refusal) => refuse_all(push, &refusal),
    }
}

/// Returns the rulings that a push would get now. Takes no lock and writes nothing.
pub(super) fn foresee(server: &ServerRepository, push: &Push) -> Result<Vec<Ruling>, Refusal> {
    let repo = open(server)?;
    let ledger = check_repository(&repo, server.namespace.as_deref())?;
    let links = links_among(&repo, push)?;
    let state = ServerState::read(&repo, ledger, push, &links, Trust::CacheReadOnly)?;
    let Some(state) = state else {
        return Ok(judge_unfounded(push, ledger, &links));
    };
    let mut checked = CheckedProposals::default();
    check_objects(&state, &mut checked, |scene| judge(scene).unchecked);
    Ok(judge(&state.scene(&checked)).rulings)
}

fn try_receive(server: &ServerRepository, push: &Push) -> Result<ReceiveReport, Refusal> {
    let repo = &open(server)?;
    let ledger = check_repository(repo, server.namespace.as_deref())?;
    let links = links_among(repo, push)?;
    let mut checked = CheckedProposals::default();
    for attempt in 0..ATTEMPTS {
        // What takes long happens before the lock: signatures are verified, and proposals are
        // compared with their objects. Otherwise one member could make all others wait, with a
        // long lane, or with trees that take long to walk.
        let before_lock = ServerState::read(repo, ledger, push, &links, Trust::Cache)?;
        if let Some(state) = &before_lock {
            state.save_cache();
            check_objects_before_lock(repo, state, &mut checked);
            let judgement = judge(&state.scene(&checked));
            if !needs_lock(state, &judgement) {
                return Ok(report_without_moves(push, judgement));
            }
        }
        fault::point("gate.unlocked");
        let lock = GateLock::take(repo)?;
        fault::point("gate.locked");
        let max_bytes = MAX_BYTES_UNDER_LOCK << attempt;
        let under_lock = match before_lock {
            Some(state) => state.catch_up(repo, &links, max_bytes)?,
            None if was_founded(repo, &LedgerRefs::of(ledger))? => None,
            None => return Ok(report_unfounded(push, ledger, &links)),
        };
        // Other pushes brought too much to judge while everybody waits. The lock is released, and
        // all is read again.
        let Some(mut state) = under_lock else {
            continue;
        };
        let Some(report) = judge_and_move(repo, push, &state, &checked)? else {
            continue;
        };
        drop(lock);
        if report.refs.contains(&RefReport::Moved) {
            state.save_snapshot_if_large();
        }
        return Ok(report);
    }
    Err(Refusal::new(
        RefusalCode::Busy,
        "other pushes changed the ledger each time this push was judged",
        "push again",
    ))
}

fn open(server: &ServerRepository) -> Result<Repo, Refusal> {
    Repo::open(&server.git_dir).map_err(unreadable)
}

fn links_among(repo: &Repo, push: &Push) -> Result<Links, Refusal> {
    Links::among(repo, push.raw_names()).map_err(unreadable)
}

fn unreadable(error: RepoError) -> Refusal {
    Refusal::unreadable(&error)
}

/// Looks at the objects of every proposal that judging and landing under the lock will depend on.
fn check_objects_before_lock(repo: &Repo, state: &ServerState<'_>, checked: &mut CheckedProposals) {
    // If the setting cannot be read now, it may be readable under the lock.
    let auto_land = lands_automatically(repo).unwrap_or(true);
    let has_bad_entries = state.has_bad_entries();
    check_objects(state, checked, |scene| {
        let Judgement {
            rulings,
            mut unchecked,
        } = judge(scene);
        // A push with a malformed entry lands nothing.
        if !has_bad_entries {
            unchecked.extend(plan_updates(scene, &rulings, auto_land).unchecked);
        }
        unchecked
    });
}

/// Looks at objects until `unchecked` names no further proposal, and records the findings.
///
/// A mismatch can settle the outcome, so `unchecked` is asked again after each one. That spares the
/// objects of proposals that no longer matter.
fn check_objects(
    state: &ServerState<'_>,
    checked: &mut CheckedProposals,
    unchecked: impl Fn(&Scene<'_>) -> Vec<EntryId>,
) {
    loop {
        let proposals = unchecked(&state.scene(checked));
        if proposals.is_empty() {
            return;
        }
        for id in proposals {
            let finding = state.look_at_objects(id);
            let is_mismatch = finding.is_err();
            checked.record(id, finding);
            if is_mismatch {
                break;
            }
        }
    }
}

/// Whether the gate might move a ref, so that the push must be judged under the lock.
fn needs_lock(state: &ServerState<'_>, judgement: &Judgement) -> bool {
    // A malformed entry stays malformed whatever others push, and lanes stand or fall together.
    if state.has_bad_entries() {
        return judgement.rulings.contains(&Ruling::Allow);
    }
    let mut rulings = judgement.rulings.iter();
    rulings.any(|ruling| *ruling != Ruling::FallThrough)
}

fn report_without_moves(push: &Push, judgement: Judgement) -> ReceiveReport {
    let mut rulings = judgement.rulings;
    fault::point("gate.judged");
    if push.atomic {
        refuse_all_if_any(&push.refs, &mut rulings);
    }
    report(push, &rulings, Vec::new())
}

fn report_unfounded(push: &Push, ledger: EntryId, links: &Links) -> ReceiveReport {
    let mut rulings = judge_unfounded(push, ledger, links);
    if push.atomic {
        refuse_all_if_any(&push.refs, &mut rulings);
    }
    report(push, &rulings, Vec::new())
}

/// Judges the push and moves what may move. The caller holds the lock.
///
/// Returns `None` if the outcome depends on proposals whose objects nobody has looked at. Then
/// nothing has moved.
fn judge_and_move(
    repo: &Repo,
    push: &Push,
    state: &ServerState<'_>,
    checked: &CheckedProposals,
) -> Result<Option<ReceiveReport>, Refusal> {
    let scene = &state.scene(checked);
    let Judgement {
        mut rulings,
        unchecked,
    } = judge(scene);
    fault::point("gate.judged");
    let concerns_gate = rulings.iter().any(|ruling| *ruling != Ruling::FallThrough);
    if push.atomic && concerns_gate {
        allow_ordinary_refs(repo, push, state, scene, &mut rulings);
        refuse_all_if_any(&push.refs, &mut rulings);
    }
    if !rulings.contains(&Ruling::Allow) {
        return Ok(Some(report(push, &rulings, Vec::new())));
    }
    let auto_land = lands_automatically(repo);
    let plan = match &auto_land {
        Ok(auto_land) => plan_updates(scene, &rulings, *auto_land),
        Err(_) => UpdatePlan::default(),
    };
    if !unchecked.is_empty() || !plan.unchecked.is_empty() {
        return Ok(None);
    }
    let moved = auto_land.and_then(|_| carry_out(repo, scene, &rulings, &plan));
    let messages = moved.unwrap_or_else(|refusal| {
        refuse_allowed(&mut rulings, &refusal);
        Vec::new()
    });
    Ok(Some(report(push, &rulings, messages)))
}

/// Lets the gate move the ordinary refs of an atomic push too, where Git itself would move them.
fn allow_ordinary_refs(
    repo: &Repo,
    push: &Push,
    state: &ServerState<'_>,
    scene: &Scene<'_>,
    rulings: &mut [Ruling],
) {
    if rulings.iter().any(Ruling::is_refusal) {
        return;
    }
    for (place, (pushed, ruling)) in push.refs.iter().zip(rulings).enumerate() {
        if *ruling != Ruling::FallThrough {
            continue;
        }
        let checked = if !push.is_text(place) {
            Err(push_by_itself("the name is not valid UTF-8"))
        } else if scene.links.contains(&pushed.name) {
            // Git would move the ref that it leads to.
            Err(push_by_itself("the ref is a symbolic ref on this server"))
        } else {
            check_current(scene, pushed)
                .and_then(|()| ordinary::check(repo, state.objects(), pushed))
        };
        *ruling = checked.map_or_else(Ruling::Refuse, |()| Ruling::Allow);
    }
}

fn push_by_itself(reason: &str) -> Refusal {
    Refusal::new(
        RefusalCode::ServerSetting,
        reason,
        "push this ref by itself",
    )
}

fn lands_automatically(repo: &Repo) -> Result<bool, Refusal> {
    let value = repo.config(AUTO_LAND_KEY).map_err(unreadable)?;
    Ok(value.is_some_and(|value| value == "true"))
}

/// Moves everything in one transaction. Returns messages about refs that moved by themselves.
fn carry_out(
    repo: &Repo,
    scene: &Scene<'_>,
    rulings: &[Ruling],
    plan: &UpdatePlan,
) -> Result<Vec<String>, Refusal> {
    mark_founded(repo)?;
    fault::point("gate.marked");
    let Err(failed) = transact(repo, &plan.edits) else {
        return Ok(landing_messages(plan));
    };
    if plan.landings.is_empty() {
        return Err(failed);
    }
    // A landing that fails must not hold up the entries that decided it.
    transact(repo, &plan_updates(scene, rulings, false).edits)?;
    let names: Vec<_> = plan.landings.iter().map(|it| it.name.as_str()).collect();
    let message = format!(
        "decided, but could not move {}: {}",
        names.join(", "),
        failed.reason
    );
    Ok(vec![messages::fitted(&message)])
}

/// Records that this server holds a ledger, before it does. So a genesis that is lost later is
/// noticed.
fn mark_founded(repo: &Repo) -> Result<(), Refusal> {
    if repo.config(FOUNDED_KEY).map_err(unreadable)?.is_some() {
        return Ok(());
    }
    repo.set_config(FOUNDED_KEY, "true").map_err(unreadable)
}

fn transact(repo: &Repo, edits: &[RefEdit]) -> Result<(), Refusal> {
    repo.transaction(edits).map_err(|error| match error {
        RefError::Conflict { .. } => Refusal::new(
            RefusalCode::Stale,
            error.to_string(),
            "fetch, and push again",
        ),
        RefError::Locked { .. } => {
            let remedy = error.remedy().unwrap_or_default();
            let help = format!("{remedy}; then push again");
            Refusal::new(RefusalCode::Conflict, error.to_string(), help)
        }
        RefError::Refused { .. } => Refusal::new(RefusalCode::Conflict, error.to_string(), ""),
        RefError::Other(error) => Refusal::unreadable(&error),
    })
}

fn landing_messages(plan: &UpdatePlan) -> Vec<String> {
    let landed = |landing: &AutoLanding| {
        let (to, decision) = (short_value(landing.to), landing.decision.short());
        format!("landed {} at {to}, by decision {decision}", landing.name)
    };
    let held_up = |why: &String| format!("decided, but {why}");
    let landed = plan.landings.iter().map(landed);
    let messages = landed.chain(plan.held_up.iter().map(held_up));
    messages.map(|text| messages::fitted(&text)).collect()
}

fn refuse_all(push: &Push, refusal: &Refusal) -> ReceiveReport {
    ReceiveReport {
        refs: push.refs.iter().map(|_| refused(refusal)).collect(),
        messages: vec![messages::whole_push(refusal)],
    }
}

/// Git shows this beside the ref. It is the code alone, because the messages explain the rest.
fn refused(refusal: &Refusal) -> RefReport {
    RefReport::Refused(format!("gate: {}", refusal.code))
}

fn report(push: &Push, rulings: &[Ruling], mut messages: Vec<String>) -> ReceiveReport {
    let report = |ruling: &Ruling| match ruling {
        Ruling::Allow => RefReport::Moved,
        Ruling::FallThrough => RefReport::FallThrough,
        Ruling::Refuse(refusal) => refused(refusal),
    };
    messages.extend(messages::refusals(push, rulings));
    ReceiveReport {
        refs: rulings.iter().map(report).collect(),
        messages,
    }
}
