//! Exchanges lanes with a remote. Lanes of the remote are fetched into refs of their own, checked,
//! and only then adopted. No known entry is ever overwritten, and a bad lane does not block other
//! lanes.

use std::collections::BTreeMap;

use super::load::{LaneProblem, Loaded, find_ledgers};
use crate::charter::{MemberName, RefPattern};
use crate::consensus::{Admission, ShownLanes, lanes_to_relay, leads_to};
use crate::id::{EntryId, Oid};
use crate::ledger::{LaneRef, LedgerRefs};
use crate::repo::{Expect, PushStatus, RefEdit, RefError, Repo, RepoError, TransportError};

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The remote could not be reached, or Git failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The repository could not be read or written.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// Refs here could not be moved.
    #[error(transparent)]
    Ref(#[from] RefError),
}

/// An irregularity in a remote's lanes that their owners or the remote should explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneEvent {
    /// The lane does not lead to an entry of its owner.
    Bad(LaneProblem),
    /// The lane ends before the entry that this remote showed earlier.
    WentBack {
        /// Whose lane.
        member: MemberName,
        /// The entry that the remote showed earlier.
        seen: EntryId,
        /// What is there now.
        now: Option<EntryId>,
    },
    /// The lane ends on another branch than the entry that this remote showed earlier. Both
    /// branches are kept.
    WentSideways {
        /// Whose lane.
        member: MemberName,
        /// The entry that the remote showed earlier.
        seen: EntryId,
        /// What is there now.
        now: EntryId,
    },
    /// A ref could not be fetched.
    NotFetched {
        /// The ref.
        name: String,
        /// The message from Git.
        message: String,
    },
    /// The lane of a former member continues after its last entry that counts. The new entries were
    /// not adopted.
    AfterRemoval {
        /// Whose lane.
        member: MemberName,
    },
}

/// The result of an exchange with a remote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Refs of the remote: the ledger's, and protected ones.
    pub remote_refs: BTreeMap<String, Oid>,
    /// Irregularities to report.
    pub events: Vec<LaneEvent>,
}

/// A protected ref to move along with a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The ref.
    pub name: String,
    /// Its new value. `None` deletes the ref.
    pub value: Option<Oid>,
    /// Whether the new value does not descend from the old one.
    pub rewrite: bool,
}

/// The result of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    /// The remote has everything.
    Done,
    /// A ref moved or was locked on the remote. Exchange again and retry.
    Behind {
        /// The reason for each ref.
        reasons: BTreeMap<String, String>,
        /// The output of the remote's hooks.
        lines: Vec<String>,
    },
    /// The remote refused the push.
    Refused {
        /// The reason for each ref.
        reasons: BTreeMap<String, String>,
        /// The output of the remote's hooks.
        lines: Vec<String>,
    },
}

/// Fetches the genesis entries that a remote has, and returns the ids of the ledgers here.
pub fn fetch_genesis(repo: &Repo, remote: &str) -> Result<Vec<EntryId>, ExchangeError> {
    let listed = repo.ls_remote(remote, &["refs/quorum/*/genesis"])?;
    let here = repo.list(&["refs/quorum/"])?;
    // Git's `*` also matches slashes: a lane of a member named `genesis` is no genesis.
    let new = listed
        .keys()
        .filter(|name| is_genesis_name(name) && !here.contains_key(*name));
    let refspecs: Vec<_> = new.map(|name| format!("{name}:{name}")).collect();
    repo.fetch(remote, &refspecs)?;
    Ok(find_ledgers(repo)?)
}

/// Returns whether this is the name of a genesis ref.
fn is_genesis_name(name: &str) -> bool {
    let parts: Vec<_> = name.split('/').collect();
    matches!(parts.as_slice(), ["refs", "quorum", _, "genesis"])
}

/// Fetches lanes that are new on the remote, checks them, and adopts well-formed entries.
pub fn exchange(repo: &Repo, loaded: &mut Loaded, remote: &str) -> Result<Exchange, ExchangeError> {
    let charter = loaded.tally.charter_in_force();
    let protect = loaded
        .tally
        .dag()
        .charter(charter)
        .map(|n| n.charter.protected().to_vec())
        .unwrap_or_default();
    let mut found = Exchange {
        remote_refs: list_remote(repo, &loaded.refs, &protect, remote)?,
        events: Vec::new(),
    };
    fetch_beside(repo, loaded, remote, &mut found)?;
    let incoming = repo.list(&[&loaded.refs.incoming_prefix(remote)])?;
    let mut edits = Vec::new();
    for (name, _) in found.remote_refs.clone() {
        let Some(LaneRef::Lane(member)) = loaded.refs.read(&name) else {
            continue;
        };
        if let Some(oid) = incoming.get(&loaded.refs.incoming(remote, &name)) {
            edits.extend(take(
                loaded,
                (remote, &member),
                (&name, *oid),
                &mut found.events,
            )?);
        }
    }
    found
        .events
        .extend(gone_lanes(loaded, remote, &found.remote_refs));
    repo.transaction(&edits)?;
    for edit in edits {
        if let Some(oid) = edit.new {
            loaded.tips.insert(edit.name, oid);
        }
    }
    loaded.save_cache();
    Ok(found)
}

/// Returns events for lanes that this remote showed earlier and no longer shows.
fn gone_lanes(
    loaded: &Loaded,
    remote: &str,
    remote_refs: &BTreeMap<String, Oid>,
) -> Vec<LaneEvent> {
    let dag = loaded.tally.dag();
    let lost = |(name, oid): (&String, &Oid)| match loaded.refs.read(name) {
        Some(LaneRef::Remote(_, member)) if *name == loaded.refs.remote(remote, &member) => {
            let seen = dag.entry(dag.find_oid(*oid)?).id;
            let absent = !remote_refs.contains_key(&loaded.refs.lane(&member));
            absent.then_some(LaneEvent::WentBack {
                member,
                seen,
                now: None,
            })
        }
        _ => None,
    };
    loaded.tips.iter().filter_map(lost).collect()
}

/// Returns the lanes that went back or sideways when a remote was last asked, with the remote's
/// name.
pub fn lane_regressions(loaded: &Loaded) -> Vec<(String, LaneEvent)> {
    let dag = loaded.tally.dag();
    let event = |(name, seen): (&String, &Oid)| {
        let Some(LaneRef::Remote(remote, member)) = loaded.refs.read(name) else {
            return None;
        };
        let shown = loaded.refs.incoming(&remote, &loaded.refs.lane(&member));
        let (seen, now) = (
            dag.find_oid(*seen)?,
            dag.find_oid(*loaded.tips.get(&shown)?)?,
        );
        let id = |index| dag.entry(index).id;
        match (dag.reaches(seen, now), dag.reaches(now, seen)) {
            (true, _) => None,
            (false, true) => Some((
                remote,
                LaneEvent::WentBack {
                    member,
                    seen: id(seen),
                    now: Some(id(now)),
                },
            )),
            (false, false) => Some((
                remote,
                LaneEvent::WentSideways {
                    member,
                    seen: id(seen),
                    now: id(now),
                },
            )),
        }
    };
    loaded.tips.iter().filter_map(event).collect()
}

fn list_remote(
    repo: &Repo,
    refs: &LedgerRefs,
    protect: &[RefPattern],
    remote: &str,
) -> Result<BTreeMap<String, Oid>, ExchangeError> {
    let ours = format!("{}*", refs.prefix());
    let mut patterns = vec![ours.as_str()];
    patterns.extend(protect.iter().map(RefPattern::as_str));
    let mut listed = repo.ls_remote(remote, &patterns)?;
    // Git's patterns match the end of a name. Keep only full matches.
    listed.retain(|name, _| refs.read(name).is_some() || protect.iter().any(|p| p.matches(name)));
    Ok(listed)
}

/// Fetches changed refs into `incoming/`, and drops refs that are gone.
fn fetch_beside(
    repo: &Repo,
    loaded: &Loaded,
    remote: &str,
    found: &mut Exchange,
) -> Result<(), ExchangeError> {
    let known = repo.list(&[&loaded.refs.incoming_prefix(remote)])?;
    let wanted = |name: &str| {
        let kind = loaded.refs.read(name);
        kind.is_none() || matches!(kind, Some(LaneRef::Lane(_) | LaneRef::Proposal(_)))
    };
    let mut gone = known.clone();
    let mut refspecs = Vec::new();
    for (name, oid) in found.remote_refs.iter().filter(|(name, _)| wanted(name)) {
        let beside = loaded.refs.incoming(remote, name);
        gone.remove(&beside);
        if known.get(&beside) != Some(oid) {
            refspecs.push(format!("+{name}:{beside}"));
        }
    }
    if repo.fetch(remote, &refspecs).is_err() {
        // A missing or broken ref must not block the other refs.
        for refspec in refspecs {
            if let Err(error) = repo.fetch(remote, std::slice::from_ref(&refspec)) {
                let name = refspec
                    .trim_start_matches('+')
                    .split(':')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                found.events.push(LaneEvent::NotFetched {
                    name,
                    message: error.to_string(),
                });
            }
        }
    }
    let lanes =
        |name: &String| name.starts_with(&format!("{}lane/", loaded.refs.incoming_prefix(remote)));
    let dropped = gone.into_iter().filter(|(name, _)| !lanes(name));
    let drops: Vec<_> = dropped
        .map(|(name, oid)| RefEdit {
            name,
            old: Expect::Is(oid),
            new: None,
        })
        .collect();
    Ok(repo.transaction(&drops)?)
}

/// Compares a fetched lane with what this remote showed earlier, and returns the refs to move.
fn take(
    loaded: &mut Loaded,
    (remote, member): (&str, &MemberName),
    (name, oid): (&str, Oid),
    events: &mut Vec<LaneEvent>,
) -> Result<Vec<RefEdit>, RepoError> {
    let now = match loaded.load_lane(name, oid, member)? {
        Ok(index) => Some(index),
        Err(problem) => {
            let last_good = problem.last_good.and_then(|id| loaded.tally.dag().find(id));
            events.push(LaneEvent::Bad(problem));
            last_good.filter(|index| loaded.tally.dag().entry(*index).member == *member)
        }
    };
    if now.is_some_and(|index| !Admission::of(&loaded.tally).admits(index)) {
        events.push(LaneEvent::AfterRemoval {
            member: member.clone(),
        });
        return Ok(Vec::new());
    }
    let dag = loaded.tally.dag();
    let shown = loaded.refs.remote(remote, member);
    let seen = loaded
        .tips
        .get(&shown)
        .and_then(|oid| Some((*oid, dag.find_oid(*oid)?)));
    let id = |index| dag.entry(index).id;
    let (Some(now), Some((seen_oid, seen))) = (now, seen) else {
        let (new, old) = match (now, seen) {
            (Some(now), None) => (dag.entry(now).oid, Expect::Any),
            (None, Some((_, seen))) => {
                events.push(LaneEvent::WentBack {
                    member: member.clone(),
                    seen: id(seen),
                    now: None,
                });
                return Ok(Vec::new());
            }
            _ => return Ok(Vec::new()),
        };
        return Ok(vec![RefEdit {
            name: shown,
            old,
            new: Some(new),
        }]);
    };
    if now == seen {
        return Ok(Vec::new());
    }
    let forward = RefEdit {
        name: shown,
        old: Expect::Is(seen_oid),
        new: Some(dag.entry(now).oid),
    };
    if dag.reaches(seen, now) {
        return Ok(vec![forward]);
    }
    if dag.reaches(now, seen) {
        events.push(LaneEvent::WentBack {
            member: member.clone(),
            seen: id(seen),
            now: Some(id(now)),
        });
        return Ok(Vec::new());
    }
    events.push(LaneEvent::WentSideways {
        member: member.clone(),
        seen: id(seen),
        now: id(now),
    });
    let kept = RefEdit {
        name: loaded.refs.fork(member, id(seen)),
        old: Expect::Any,
        new: Some(seen_oid),
    };
    Ok(vec![forward, kept])
}

/// Pushes the genesis, the member's lane and its proposals if the remote lacks them. Pushes other
/// refs with them: all or none.
pub fn push(
    repo: &Repo,
    loaded: &mut Loaded,
    remote: &str,
    remote_refs: &mut BTreeMap<String, Oid>,
    (member, moves): (Option<&MemberName>, &[RefUpdate]),
) -> Result<PushOutcome, ExchangeError> {
    let wanted = wanted_on_remote(loaded, remote_refs, member);
    send(repo, &loaded.refs, remote, remote_refs, (wanted, moves))
}

/// Pushes entries of other members that the remote lacks. So entries reach another server through
/// anyone who syncs with both servers. This is a push of its own, because a refused lane must not
/// block the member's own lane.
pub fn push_others(
    repo: &Repo,
    loaded: &Loaded,
    remote: &str,
    remote_refs: &mut BTreeMap<String, Oid>,
    member: &MemberName,
) -> Result<PushOutcome, ExchangeError> {
    if others_on_remote(loaded, remote_refs, member)?.is_empty() {
        return Ok(PushOutcome::Done);
    }
    // On a busy remote, lanes can grow between the listing and the fetch. The fetched values are
    // the newer ones.
    let fetched = repo.list(&[&loaded.refs.incoming_prefix(remote)])?;
    for (name, oid) in remote_refs.iter_mut() {
        *oid = *fetched
            .get(&loaded.refs.incoming(remote, name))
            .unwrap_or(oid);
    }
    let wanted = others_on_remote(loaded, remote_refs, member)?;
    send(repo, &loaded.refs, remote, remote_refs, (wanted, &[]))
}

fn send(
    repo: &Repo,
    refs: &LedgerRefs,
    remote: &str,
    remote_refs: &mut BTreeMap<String, Oid>,
    (wanted, moves): (BTreeMap<String, Oid>, &[RefUpdate]),
) -> Result<PushOutcome, ExchangeError> {
    let mut refspecs: Vec<_> = wanted
        .iter()
        .map(|(name, oid)| format!("{oid}:{name}"))
        .collect();
    for RefUpdate {
        name,
        value,
        rewrite,
    } in moves
    {
        let value = value.map(|oid| oid.to_string()).unwrap_or_default();
        refspecs.push(format!("{}{value}:{name}", if *rewrite { "+" } else { "" }));
    }
    if refspecs.is_empty() {
        return Ok(PushOutcome::Done);
    }
    let report = repo.push(remote, &refspecs, true)?;
    if !report.is_ok() {
        return Ok(why_not(&report.refs, report.remote_lines));
    }
    let moved = moves.iter().map(|m| (m.name.clone(), m.value));
    let pushed: Vec<_> = wanted
        .into_iter()
        .map(|(name, oid)| (name, Some(oid)))
        .chain(moved)
        .collect();
    let edits: Vec<_> = pushed
        .iter()
        .flat_map(|(name, value)| as_seen(refs, remote, name, *value))
        .collect();
    for (name, value) in pushed {
        match value {
            Some(oid) => remote_refs.insert(name, oid),
            None => remote_refs.remove(&name),
        };
    }
    repo.transaction(&edits)?;
    Ok(PushOutcome::Done)
}

/// Records the remote's new values, as the next fetch would.
fn as_seen(refs: &LedgerRefs, remote: &str, name: &str, value: Option<Oid>) -> Vec<RefEdit> {
    let edit = |name| RefEdit {
        name,
        old: Expect::Any,
        new: value,
    };
    match refs.read(name) {
        Some(LaneRef::Lane(member)) => vec![
            edit(refs.remote(remote, &member)),
            edit(refs.incoming(remote, name)),
        ],
        Some(LaneRef::Genesis) => Vec::new(),
        _ => vec![edit(refs.incoming(remote, name))],
    }
}

/// Returns the member's own refs that the remote lacks.
fn wanted_on_remote(
    loaded: &Loaded,
    remote_refs: &BTreeMap<String, Oid>,
    member: Option<&MemberName>,
) -> BTreeMap<String, Oid> {
    let mine = |name: &String| match loaded.refs.read(name) {
        Some(LaneRef::Genesis) => true,
        Some(LaneRef::Lane(owner)) => Some(&owner) == member,
        Some(LaneRef::Proposal(id)) => {
            let proposal = loaded
                .tally
                .proposal(id)
                .filter(|p| Some(&p.proposer) == member);
            proposal.is_some_and(|p| loaded.tally.decided_in(&p.slot).is_empty())
                && !remote_refs.contains_key(name)
        }
        _ => false,
    };
    let lacking = loaded
        .tips
        .iter()
        .filter(|(name, oid)| mine(name) && remote_refs.get(*name) != Some(*oid));
    lacking.map(|(name, oid)| (name.clone(), *oid)).collect()
}

/// Returns refs of other members that the remote lacks: undecided proposals, and lanes whose tip
/// the remote cannot reach. Only its owner chooses the tip from which a forked lane continues.
fn others_on_remote(
    loaded: &Loaded,
    remote_refs: &BTreeMap<String, Oid>,
    member: &MemberName,
) -> Result<BTreeMap<String, Oid>, RepoError> {
    let (tally, dag) = (&loaded.tally, loaded.tally.dag());
    let shown: ShownLanes = remote_refs
        .iter()
        .filter_map(|(name, oid)| match loaded.refs.read(name) {
            Some(LaneRef::Lane(owner)) => Some((owner, dag.find_oid(*oid))),
            _ => None,
        })
        .collect();
    let tips = lanes_to_relay(tally, member, &shown);
    let mut lacking: BTreeMap<_, _> = tips
        .iter()
        .map(|tip| dag.entry(*tip))
        .map(|entry| (loaded.refs.lane(&entry.member), entry.oid))
        .collect();
    let ends: Vec<_> = shown.into_values().flatten().chain(tips).collect();
    for proposal in tally
        .proposals()
        .filter(|p| p.proposer != *member && tally.decided_in(&p.slot).is_empty())
    {
        let Some(to) = tally.ref_change(proposal.id).and_then(|change| change.to) else {
            continue;
        };
        let name = loaded.refs.proposal(proposal.id);
        let is_known = dag
            .find(proposal.id)
            .is_some_and(|entry| leads_to(dag, &ends, entry));
        if is_known && !remote_refs.contains_key(&name) && loaded.objects().contains(to)? {
            lacking.insert(name, to);
        }
    }
    Ok(lacking)
}

fn why_not(refs: &BTreeMap<String, PushStatus>, lines: Vec<String>) -> PushOutcome {
    let mut reasons = BTreeMap::new();
    let mut moved = false;
    for (name, status) in refs {
        match status {
            PushStatus::Ok | PushStatus::UpToDate => {}
            PushStatus::Rejected(why) => {
                // Git itself held the ref back: the remote's value is no ancestor of ours.
                moved |= !why.contains("atomic");
                reasons.insert(name.clone(), why.clone());
            }
            PushStatus::RemoteRejected(why) => {
                // Messages of Git about a lock, a changed value, and a folder that housekeeping
                // removed during a write. The gate's messages about the same follow.
                let signs = [
                    "failed to update ref",
                    "cannot lock ref",
                    "fetch first",
                    "unable to migrate objects",
                    "gate: STALE",
                    "gate: LANE_WENT_BACK",
                    "gate: CONFLICT",
                    "gate: GATE_BUSY",
                ];
                moved |= signs.iter().any(|sign| why.contains(sign))
                    || lines.iter().any(|line| says_moved(line));
                reasons.insert(name.clone(), why.clone());
            }
            PushStatus::Unreported(why) => {
                moved = true;
                reasons.insert(name.clone(), why.clone());
            }
        }
    }
    if moved {
        PushOutcome::Behind { reasons, lines }
    } else {
        PushOutcome::Refused { reasons, lines }
    }
}

/// Returns whether this is the gate's message that a ref moved. The gate can refuse a push before
/// Git names a reason for each ref.
fn says_moved(line: &str) -> bool {
    ["STALE", "LANE_WENT_BACK"]
        .iter()
        .any(|code| line.ends_with(&format!(": refused [{code}]")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_meanwhile_is_told_from_what_is_refused() {
        let outcome = |why: &str, line: &str| {
            let refs = [(
                "refs/heads/main".to_owned(),
                PushStatus::RemoteRejected(why.to_owned()),
            )];
            why_not(
                &BTreeMap::from(refs),
                vec![line.to_owned(), "  next: git quorum sync".to_owned()],
            )
        };
        let early = "pre-receive hook declined";
        for (why, line) in [
            ("gate: STALE", "x"),
            ("gate: LANE_WENT_BACK", "x"),
            ("gate: CONFLICT", "x"),
            ("failed to update ref", "x"),
            ("unable to migrate objects to permanent storage", "x"),
            (early, "refs/heads/main: refused [STALE]"),
            (
                early,
                "refs/quorum/0123456789abcdef/lane/a: refused [LANE_WENT_BACK]",
            ),
        ] {
            assert!(
                matches!(outcome(why, line), PushOutcome::Behind { .. }),
                "{why} {line}"
            );
        }
        for (why, line) in [
            (early, "refs/heads/main: refused [NOT_DECIDED]"),
            ("gate: NOT_DECIDED", "  it is [STALE]"),
        ] {
            assert!(
                matches!(outcome(why, line), PushOutcome::Refused { .. }),
                "{why} {line}"
            );
        }
    }

    #[test]
    fn a_lane_of_a_member_called_genesis_is_no_genesis() {
        assert!(is_genesis_name("refs/quorum/0707070707070707/genesis"));
        for name in ["lane/genesis", "remote/origin/genesis", "x/genesis"] {
            assert!(
                !is_genesis_name(&format!("refs/quorum/0707070707070707/{name}")),
                "{name}"
            );
        }
        assert!(
            !is_genesis_name("refs/heads/refs/quorum/07/genesis")
                && !is_genesis_name("refs/quorum/genesis")
        );
    }
}
