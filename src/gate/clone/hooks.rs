//! The three hooks of a clone: a ref transaction is prepared, a merge is about to be committed, a push
//! is about to be sent.

use std::collections::BTreeMap;

use super::protected_list;
use super::rule;
use super::state::{
    CloneState, Protected, ledger_remote, may_be_protected, read_and_update_list, read_values,
    tracking, unreadable,
};
use super::transaction::{NewValue, Update};
use crate::charter::RefName;
use crate::consensus::landing::RefMove;
use crate::gate::commands::PushedRef;
use crate::gate::protected::{backing_decisions, not_backed, steps};
use crate::gate::refusal::{Refusal, RefusalCode};
use crate::gate::scene::{Scene, short_value};
use crate::id::Oid;
use crate::repo::Repo;

/// The repository that a push goes to, as Git names it to `pre-push`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTarget {
    /// The remote's name, or the URL again if the push names none.
    pub remote: String,
    /// The URL.
    pub url: String,
}

/// Judges a transaction that Git has prepared. Returns the first reason against it.
///
/// `reflog_action` is the value of `GIT_REFLOG_ACTION`, which names the Git command that runs.
pub fn judge_transaction(
    repo: &Repo,
    updates: &[Update],
    reflog_action: Option<&str>,
) -> Result<(), Refusal> {
    let candidates = updates
        .iter()
        .filter(|update| may_be_protected(&update.name));
    let candidates: Vec<&Update> = candidates.collect();
    let remote = ledger_remote(repo)?;
    let names = candidates
        .iter()
        .flat_map(|update| [Some(update.name.clone()), tracking(&remote, &update.name)])
        .flatten()
        .collect();
    let values = read_values(repo, &names)?;
    let mut moves = Vec::new();
    for update in candidates {
        if !leaves_as_is(repo, update, values.get(&update.name).copied())? {
            moves.push(update);
        }
    }
    // Packing refs moves nothing, so it needs no ledger, unless the list must be brought up to date.
    if moves.is_empty() && protected_list::is_current(repo) {
        return Ok(());
    }
    let state = read_and_update_list(repo);
    let protected = Protected::find(repo, &state);
    moves.retain(|update| protected.covers(&update.name));
    if moves.is_empty() {
        return Ok(());
    }
    let state = state?;
    for update in moves {
        let judged = judge_update(&state, update, &remote, &values);
        judged.map_err(|refusal| with_undo_hint(refusal, reflog_action))?;
    }
    Ok(())
}

/// Whether the ref will be what it was, as when Git packs refs or resets a branch to itself.
fn leaves_as_is(repo: &Repo, update: &Update, current: Option<Oid>) -> Result<bool, Refusal> {
    match (update.new, current) {
        (NewValue::Object(new), current) => Ok(current == Some(new)),
        (NewValue::Symbolic, _) => Ok(false),
        (NewValue::Nothing, None) => Ok(true),
        // Git shows a deletion when it packs refs: it writes the value to `packed-refs`, and then
        // deletes the ref's own file.
        (NewValue::Nothing, Some(current)) if update.old == Some(current) => {
            repo.stays_packed(&update.name, current).map_err(unreadable)
        }
        (NewValue::Nothing, Some(_)) => Ok(false),
    }
}

fn judge_update(
    state: &CloneState,
    update: &Update,
    remote: &str,
    values: &BTreeMap<String, Oid>,
) -> Result<(), Refusal> {
    let name = &update.name;
    let new = match update.new {
        NewValue::Object(oid) => Some(oid),
        NewValue::Nothing => None,
        NewValue::Symbolic => {
            let reason = format!("{name} is protected, so it cannot become a symbolic ref");
            let help = "choose another name for the symbolic ref";
            return Err(Refusal::new(RefusalCode::NoProposal, reason, help));
        }
    };
    let moved = PushedRef {
        name: name.clone(),
        old: values.get(name).copied(),
        new,
    };
    let seen = state.seen(remote, name, values);
    state.with_scene(std::slice::from_ref(&moved), values, |scene| {
        judge_move(scene, &moved, &seen)
    })
}

/// Judges a move of a protected ref by its chain of decisions.
fn judge_move(scene: &Scene<'_>, moved: &PushedRef, seen: &[Oid]) -> Result<(), Refusal> {
    let PushedRef { name, old, new } = moved;
    let parsed = name.parse::<RefName>().ok();
    let chain = parsed.as_ref().and_then(|parsed| scene.chain(parsed));
    let (Some(parsed), Some(ref_chain)) = (&parsed, chain) else {
        let reason = format!("{name} is protected, and no decision can name it");
        return Err(Refusal::new(
            RefusalCode::NoProposal,
            reason,
            "choose another name",
        ));
    };
    let steps = steps(&ref_chain.proposals);
    if rule::allows(&steps, seen, *old, *new) {
        return Ok(());
    }
    let goes_to_start = steps.first().is_some_and(|first| first.from == *new);
    if goes_to_start && ref_chain.chain.rivals.is_empty() {
        let reason = format!(
            "{name} only moves forward, and decisions already lead on from {}",
            short_value(*new)
        );
        let help = "to return to that value, propose it again: git quorum propose";
        return Err(Refusal::new(RefusalCode::WentBack, reason, help));
    }
    let ref_move = RefMove {
        from: *old,
        to: *new,
    };
    let refusal = not_backed(scene, parsed, &ref_chain, ref_move);
    Err(for_a_clone(refusal, name, *new))
}

/// Replaces help that is meant for somebody who pushes with help for somebody who works here.
fn for_a_clone(refusal: Refusal, name: &str, new: Option<Oid>) -> Refusal {
    let refusal = match (refusal.code, new) {
        (RefusalCode::NoProposal, None) => with_help(refusal, "propose the deletion")
            .then(format!("git quorum propose --delete --onto {name}")),
        (RefusalCode::NoProposal, Some(_)) => with_help(
            refusal,
            "keep the commit on a branch and propose it; git fetch brings what others decided",
        )
        .then("git switch -c NAME && git quorum propose"),
        _ => refusal,
    };
    Refusal {
        reason: format!("{name}: {}", refusal.reason),
        ..refusal
    }
}

fn with_help(refusal: Refusal, help: &str) -> Refusal {
    Refusal {
        help: help.to_owned(),
        next: String::new(),
        ..refusal
    }
}

/// Adds how to put the files back, if Git has changed them already: a fast-forward changes the
/// files before it asks the hook.
fn with_undo_hint(refusal: Refusal, reflog_action: Option<&str>) -> Refusal {
    let action = reflog_action.unwrap_or_default();
    if !action.starts_with("merge") && !action.starts_with("pull") {
        return refusal;
    }
    let undo = "to put the files back: git reset --merge";
    let help = if refusal.help.is_empty() {
        undo.to_owned()
    } else {
        format!("{}\n{undo}", refusal.help)
    };
    Refusal { help, ..refusal }
}

/// Refuses a merge commit on a protected branch before Git makes it: nobody can have decided on a
/// commit that does not exist yet.
pub fn judge_merge(repo: &Repo) -> Result<(), Refusal> {
    let Some(branch) = repo.head().map_err(unreadable)? else {
        return Ok(());
    };
    let state = read_and_update_list(repo);
    if !Protected::find(repo, &state).covers(&branch) {
        return Ok(());
    }
    state?;
    let reason =
        format!("{branch} is protected: a merge made here is a commit that nobody has decided on");
    let help = "undo it with git merge --abort, merge on a branch (git switch -c NAME), then git quorum propose";
    Err(Refusal::new(RefusalCode::NoProposal, reason, help))
}

/// Refuses a push that the server's gate would refuse, by what is known here. Allows every push to
/// a remote that does not hold the ledger.
pub fn judge_push(repo: &Repo, target: &PushTarget, pushed: &[PushedRef]) -> Result<(), Refusal> {
    if !is_ledger_remote(repo, target)? {
        return Ok(());
    }
    let state = read_and_update_list(repo);
    let protected = Protected::find(repo, &state);
    let moves = pushed
        .iter()
        .filter(|pushed| pushed.old != pushed.new && protected.covers(&pushed.name));
    let moves: Vec<_> = moves.cloned().collect();
    if moves.is_empty() {
        return Ok(());
    }
    let state = state?;
    let mut values = BTreeMap::new();
    for moved in &moves {
        values.extend(moved.old.map(|old| (moved.name.clone(), old)));
    }
    state.with_scene(&moves, &values, |scene| {
        for moved in &moves {
            let backed = backing_decisions(scene, moved);
            backed.map_err(|refusal| sync_first(refusal, &moved.name))?;
        }
        Ok(())
    })
}

/// Adds that other members may know more than this clone does.
fn sync_first(refusal: Refusal, name: &str) -> Refusal {
    let refusal = Refusal {
        reason: format!("{name}: {}", refusal.reason),
        ..refusal
    };
    if refusal.code == RefusalCode::NoProposal {
        let help = "propose the move, unless others have: git quorum propose";
        return with_help(refusal, help).then("git quorum sync");
    }
    Refusal {
        help: format!("{}\nothers may know more: git quorum sync", refusal.help),
        ..refusal
    }
}

/// Whether a push goes to the remote that holds the ledger, by its name or by one of its URLs.
fn is_ledger_remote(repo: &Repo, target: &PushTarget) -> Result<bool, Refusal> {
    let remote = ledger_remote(repo)?;
    if target.remote == remote {
        return Ok(true);
    }
    let without_slash = |url: &str| url.trim_end_matches('/').to_owned();
    let wanted = without_slash(&target.url);
    for key in ["url", "pushurl"] {
        let urls = repo.config_all(&format!("remote.{remote}.{key}"));
        let urls = urls.map_err(unreadable)?;
        if urls.iter().any(|url| without_slash(url) == wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}
