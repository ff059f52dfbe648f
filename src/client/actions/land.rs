//! Moving protected refs to their decisions. Needs no signature.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::participant::Participant;
use crate::client::{Code, NextStep};
use crate::consensus::landing::{furthest, landed_count, path, ref_moves};
use crate::consensus::{Content, Subject};
use crate::id::{EntryId, Oid};
use crate::repo::{Expect, RefEdit};
use crate::store::{RefUpdate, check_binding};

/// Refs that were moved.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LandAnswer {
    /// One item for each ref. Empty if nothing could move.
    pub landed: Vec<Landed>,
}

/// A ref that was moved.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Landed {
    /// The ref.
    #[serde(rename = "ref")]
    pub name: String,
    /// Its value before. `None` if it was absent.
    pub from: Option<Oid>,
    /// Its value now. `None` if it was deleted.
    pub to: Option<Oid>,
    /// The decisions that moved it, in order.
    pub decisions: Vec<EntryId>,
}

/// A ref that is to move, and why.
struct Landing {
    update: RefUpdate,
    old: Option<Oid>,
    decisions: Vec<EntryId>,
}

/// Moves protected refs to their decisions: on the remote, or here if there is none. `proposal`
/// gives the first digits of one decision; without it, every ref moves as far as it can.
pub fn land(participant: &mut Participant, proposal: Option<&str>) -> Result<Answer<LandAnswer>> {
    participant.check_whole()?;
    participant.finish(&[])?;
    let landings = match proposal {
        Some(typed) => land_one(participant, typed)?.into_iter().collect(),
        None => land_all(participant)?,
    };
    for landing in &landings {
        check(participant, landing)?;
    }
    if participant.has_remote() {
        let updates: Vec<_> = landings.iter().map(|l| l.update.clone()).collect();
        participant.finish(&updates)?;
    } else {
        land_here(participant, &landings)?;
    }
    let landed = landings.into_iter().map(|landing| Landed {
        name: landing.update.name,
        from: landing.old,
        to: landing.update.value,
        decisions: landing.decisions,
    });
    let view = LandAnswer {
        landed: landed.collect(),
    };
    Ok(Answer::yes(view).notes(participant.session().notes.clone()))
}

/// The landing of one decision. `None` if it has landed already.
fn land_one(participant: &Participant, typed: &str) -> Result<Option<Landing>> {
    let session = participant.session();
    let id = session.proposal(typed)?;
    let tally = &session.loaded.tally;
    if !tally.is_decided(id) {
        return Err(not_decided(participant, id)?);
    }
    let Some(Subject::Ref(name)) = tally.proposal(id).map(|p| p.slot.subject.clone()) else {
        let message = "A charter needs no landing: it is in force as soon as it is decided.";
        return Err(Error::new(Code::NothingToLand, message));
    };
    let chain = tally.chain(&Subject::Ref(name.clone())).ok_or_else(|| {
        let message = format!("The charter no longer protects {name}.");
        Error::new(Code::NotProtected, message)
    })?;
    let place = chain.decided.iter().position(|d| *d == id);
    let place = place.ok_or_else(|| {
        let message = format!("The decision is no longer on the chain of {name}.");
        Error::new(Code::Stale, message)
    })?;
    let moves = ref_moves(tally, &chain.decided);
    let now = participant.current(name.as_str())?;
    if landed_count(&moves, now) > place {
        return Ok(None);
    }
    let run = moves.get(place).and_then(|m| path(&moves, now, m.to));
    let run = run.ok_or_else(|| cannot_land(name.as_str(), now))?;
    Ok(landing(participant, &chain.decided, run, now))
}

fn not_decided(participant: &Participant, id: EntryId) -> Result<Error> {
    let view = participant.session().view(id)?;
    let message = format!(
        "Proposal {} is {}, not decided. It has {} of {} approvals.",
        id.short(),
        view.state,
        view.approvals.len(),
        view.quorum
    );
    Ok(Error::new(Code::NotDecided, message)
        .next(NextStep::Status(id))
        .details(view))
}

fn cannot_land(name: &str, now: Option<Oid>) -> Error {
    let now = now.map_or("absent".to_owned(), |oid| format!("at {oid}"));
    let message = format!("{name} is {now}, which is not where the decision starts.");
    Error::new(Code::CannotLand, message).next(NextStep::ProposeAgain)
}

/// Every ref that can move, as far along its chain as it can.
fn land_all(participant: &Participant) -> Result<Vec<Landing>> {
    let tally = &participant.session().loaded.tally;
    let subjects: BTreeSet<_> = tally.subjects().cloned().collect();
    let mut landings = Vec::new();
    for subject in subjects {
        let Subject::Ref(name) = &subject else {
            continue;
        };
        let Some(chain) = tally.chain(&subject) else {
            continue;
        };
        let now = participant.current(name.as_str())?;
        if let Some(run) = furthest(&ref_moves(tally, &chain.decided), now) {
            landings.extend(landing(participant, &chain.decided, run, now));
        }
    }
    Ok(landings)
}

/// The move of a ref by a run of decisions.
fn landing(
    participant: &Participant,
    decided: &[EntryId],
    run: std::ops::Range<usize>,
    old: Option<Oid>,
) -> Option<Landing> {
    let tally = &participant.session().loaded.tally;
    let decisions = decided.get(run)?.to_vec();
    let changes: Vec<_> = decisions
        .iter()
        .filter_map(|id| match tally.content(tally.proposal(*id)?) {
            Content::Ref(change) => Some(change),
            Content::Charter(_) => None,
        })
        .collect();
    let last = changes.last()?;
    let rewrite = changes
        .iter()
        .any(|c| c.rewrite || (c.to.is_none() && c.from.is_some()));
    let update = RefUpdate {
        name: last.name.to_string(),
        value: last.to,
        rewrite,
    };
    Some(Landing {
        update,
        old,
        decisions,
    })
}

/// Nothing lands that is not what its decision says.
fn check(participant: &Participant, landing: &Landing) -> Result<()> {
    let loaded = &participant.session().loaded;
    for id in &landing.decisions {
        let content = loaded.tally.proposal(*id).map(|p| loaded.tally.content(p));
        if let Some(Content::Ref(change)) = content {
            check_binding(&loaded.tally, loaded.objects(), change).map_err(|error| {
                let message = format!("Decision {} cannot land: {error}.", id.short());
                Error::new(Code::FalseProposal, message).next(NextStep::SyncAndFetch)
            })?;
        }
    }
    Ok(())
}

fn land_here(participant: &Participant, landings: &[Landing]) -> Result<()> {
    let repo = &participant.session().repo;
    let checked_out = if repo.is_bare() { None } else { repo.head()? };
    for Landing { update, .. } in landings {
        if checked_out.as_deref() == Some(update.name.as_str()) {
            let message = format!("{} is the checked-out branch of this clone.", update.name);
            return Err(
                Error::new(Code::CheckedOut, message).next(NextStep::FastForward(update.value))
            );
        }
    }
    let edits: Vec<_> = landings
        .iter()
        .map(|landing| RefEdit {
            name: landing.update.name.clone(),
            old: landing.old.map_or(Expect::Absent, Expect::Is),
            new: landing.update.value,
        })
        .collect();
    Ok(repo.transaction(&edits)?)
}
