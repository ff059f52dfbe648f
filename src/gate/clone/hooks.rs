//! The three hooks of a clone: a ref transaction that is prepared, a merge about to be committed, a push about to be sent.

use std::collections::BTreeMap;

use super::known::{Known, Protected, may_be_protected, remote, tracking, unreadable, values};
use super::{list, rule};
use crate::charter::RefName;
use crate::gate::protected::{judge, not_backed, steps};
use crate::gate::rules::show;
use crate::gate::{PushedRef, Refusal, RefusalCode};
use crate::id::Oid;
use crate::repo::Repo;

/// A ref of a transaction, as Git tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its full name.
    pub name: String,
    /// The value that it must have before; Git shows none also when it does not matter.
    pub old: Option<Oid>,
    /// The value after.
    pub new: NewValue,
}

/// What a transaction gives a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewValue {
    /// This object.
    Object(Oid),
    /// Nothing: it is deleted.
    Nothing,
    /// The name of another ref.
    Symbolic,
}

/// Judges a transaction before it happens: the first thing that keeps it from happening.
pub fn judge_transaction(repo: &Repo, updates: &[Update]) -> Result<(), Refusal> {
    let updates: Vec<&Update> = updates
        .iter()
        .filter(|update| may_be_protected(&update.name))
        .collect();
    let remote = remote(repo)?;
    let names = updates
        .iter()
        .flat_map(|u| [Some(u.name.clone()), tracking(&remote, &u.name)])
        .flatten()
        .collect();
    let values = values(repo, &names)?;
    let mut moves = Vec::new();
    for update in updates {
        if !leaves_as_is(repo, update, values.get(&update.name).copied())? {
            moves.push(update);
        }
    }
    // Packing refs moves nothing, and needs no ledger, unless the list waits to be written.
    if moves.is_empty() && list::read(repo).is_some() && list::stale_since(repo).is_none() {
        return Ok(());
    }
    let known = Known::read(repo);
    let protected = Protected::by(repo, &known);
    moves.retain(|update| protected.covers(&update.name));
    match known {
        Ok(known) => moves
            .iter()
            .try_for_each(|update| judge_update(&known, update, &remote, &values)),
        Err(refusal) if !moves.is_empty() => Err(refusal),
        Err(_) => Ok(()),
    }
}

/// Whether the ref is what it was when all is done, as when Git packs refs or resets a branch to itself.
fn leaves_as_is(repo: &Repo, update: &Update, current: Option<Oid>) -> Result<bool, Refusal> {
    match (update.new, current) {
        (NewValue::Object(new), current) => Ok(current == Some(new)),
        (NewValue::Symbolic, _) => Ok(false),
        (NewValue::Nothing, None) => Ok(true),
        (NewValue::Nothing, Some(current)) => {
            let packed = || {
                repo.stays_packed(&update.name, current)
                    .map_err(|error| unreadable(&error))
            };
            Ok(update.old == Some(current) && packed()?)
        }
    }
}

fn judge_update(
    known: &Known,
    update: &Update,
    remote: &str,
    values: &BTreeMap<String, Oid>,
) -> Result<(), Refusal> {
    let name = &update.name;
    let new = match update.new {
        NewValue::Object(oid) => Some(oid),
        NewValue::Nothing => None,
        NewValue::Symbolic => {
            let reason = format!("{name} is protected: it cannot become another name for a ref");
            return Err(Refusal::new(
                RefusalCode::NoProposal,
                reason,
                "choose another name for the symbolic ref",
            ));
        }
    };
    let moved = PushedRef {
        name: name.clone(),
        old: values.get(name).copied(),
        new,
    };
    known.with_scene(std::slice::from_ref(&moved), values, |scene| {
        let Some((parsed, (chain, proposals))) = name
            .parse::<RefName>()
            .ok()
            .and_then(|n| Some((n.clone(), scene.chain(&n)?)))
        else {
            let reason =
                format!("{name} is protected, and its name is one that no decision can name");
            return Err(Refusal::new(
                RefusalCode::NoProposal,
                reason,
                "choose another name",
            ));
        };
        if rule::allows(
            &steps(&proposals),
            &known.seen(remote, name, values),
            moved.old,
            new,
        ) {
            return Ok(());
        }
        if chain.rivals.is_empty() && proposals.first().is_some_and(|first| first.from == new) {
            let reason = format!(
                "{name} only moves forward: decisions lead on from {}",
                show(new)
            );
            let help = "to return to it, propose it anew: git quorum propose";
            return Err(Refusal::new(RefusalCode::WentBack, reason, help));
        }
        let refusal = not_backed(scene, &parsed, (&chain, &proposals), (moved.old, new));
        Err(for_a_clone(refusal, name, new))
    })
}

/// What helps here, where the gate's own words are for who pushes.
fn for_a_clone(refusal: Refusal, name: &str, new: Option<Oid>) -> Refusal {
    let refusal = match (refusal.code, new) {
        (RefusalCode::NoProposal, None) => helped_by(refusal, "propose it")
            .then(format!("git quorum propose --delete --onto {name}")),
        (RefusalCode::NoProposal, Some(_)) => helped_by(
            refusal,
            "keep it on a branch and propose it; what others decided comes with git fetch",
        )
        .then("git switch -c NAME && git quorum propose"),
        _ => refusal,
    };
    Refusal {
        reason: format!("{name}: {}", refusal.reason),
        help: refusal.help + undo(),
        ..refusal
    }
}

fn helped_by(refusal: Refusal, help: &str) -> Refusal {
    Refusal {
        help: help.to_owned(),
        next: String::new(),
        ..refusal
    }
}

/// Git changes the files of a merge before it asks.
fn undo() -> &'static str {
    let action = std::env::var("GIT_REFLOG_ACTION").unwrap_or_default();
    match action.starts_with("merge") || action.starts_with("pull") {
        true => "\nto put the files back: git reset --merge",
        false => "",
    }
}

/// Says early that a merge cannot be made on a protected branch.
pub fn judge_merge(repo: &Repo) -> Result<(), Refusal> {
    let Some(branch) = repo.head().map_err(|error| unreadable(&error))? else {
        return Ok(());
    };
    let known = Known::read(repo);
    if !Protected::by(repo, &known).covers(&branch) {
        return Ok(());
    }
    known?;
    let reason =
        format!("{branch} is protected: a merge made here is a commit that nobody has decided on");
    let help =
        "git merge --abort; then merge on a branch, git switch -c NAME, and git quorum propose";
    Err(Refusal::new(RefusalCode::NoProposal, reason, help))
}

/// Says early that a push would be refused, by what is known here. Pushes to other remotes are none of the ledger's.
pub fn judge_push(
    repo: &Repo,
    (name, url): (&str, &str),
    pushed: &[PushedRef],
) -> Result<(), Refusal> {
    if !is_ledgers_remote(repo, name, url)? {
        return Ok(());
    }
    let known = Known::read(repo);
    let protected = Protected::by(repo, &known);
    let moves: Vec<_> = pushed
        .iter()
        .filter(|p| p.old != p.new && protected.covers(&p.name))
        .cloned()
        .collect();
    if moves.is_empty() {
        return Ok(());
    }
    let known = known?;
    let values = moves
        .iter()
        .filter_map(|p| Some((p.name.clone(), p.old?)))
        .collect();
    known.with_scene(&moves, &values, |scene| {
        moves.iter().try_for_each(|moved| {
            judge(scene, moved).map_err(|refusal| sync_first(refusal, &moved.name))
        })
    })
}

/// Others may know more.
fn sync_first(refusal: Refusal, name: &str) -> Refusal {
    let refusal = Refusal {
        reason: format!("{name}: {}", refusal.reason),
        ..refusal
    };
    match refusal.code {
        RefusalCode::NoProposal => helped_by(
            refusal,
            "propose it, if others have not: git quorum propose",
        )
        .then("git quorum sync"),
        _ => Refusal {
            help: format!("{}\nif others know more: git quorum sync", refusal.help),
            ..refusal
        },
    }
}

fn is_ledgers_remote(repo: &Repo, name: &str, url: &str) -> Result<bool, Refusal> {
    let remote = remote(repo)?;
    if name == remote {
        return Ok(true);
    }
    let plain = |url: &str| url.trim_end_matches('/').to_owned();
    for key in ["url", "pushurl"] {
        let urls = repo
            .config_all(&format!("remote.{remote}.{key}"))
            .map_err(|error| unreadable(&error))?;
        if urls.iter().any(|known| plain(known) == plain(url)) {
            return Ok(true);
        }
    }
    Ok(false)
}
