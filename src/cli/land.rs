//! `git quorum land`: moves protected refs to what was decided.

use serde_json::json;

use super::identity::WriteArgs;
use super::party::Party;
use super::{Answer, Exit, Failure, Outcome};
use crate::consensus::landing::{furthest, landed_count, path, ref_moves};
use crate::consensus::{Content, Subject};
use crate::id::{EntryId, Oid};
use crate::repo::{Expect, RefEdit};
use crate::store::{RefUpdate, check_binding};

/// Move protected refs to what was decided.
///
/// On the remote, or with --local here. Without an id, every ref that a decision can bring forward. Landing
/// signs nothing: a clone without a member, as that of a merge bot, can do it too, if the server lets it push. A
/// member casts the votes that are due on the way.
#[derive(Debug, clap::Args)]
pub struct LandArgs {
    /// The decided proposal to land; the first digits are enough.
    id: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// A ref that is to move, and why.
struct Landing {
    target: RefUpdate,
    old: Option<Oid>,
    decisions: Vec<EntryId>,
}

pub fn run(args: LandArgs) -> Answer {
    let mut party = Party::open(&args.write)?;
    party.check_whole()?;
    party.finish(&[])?;
    let landings = match &args.id {
        Some(typed) => one(&party, typed)?.into_iter().collect(),
        None => all(&party)?,
    };
    for landing in &landings {
        check(&party, landing)?;
    }
    match party.remote() {
        Some(_) => {
            let moves: Vec<_> = landings.iter().map(|l| l.target.clone()).collect();
            party.finish(&moves)?;
        }
        None => land_here(&party, &landings)?,
    }
    report(&party, &landings)
}

/// The landing of one decision; none if it has landed already.
fn one(party: &Party, typed: &str) -> Result<Option<Landing>, Failure> {
    let id = party.session().proposal(typed)?;
    let tally = &party.session().loaded.tally;
    if !tally.is_decided(id) {
        let view = party.session().view(id)?;
        let message = format!(
            "proposal {} is {}, not decided: {} of {} approvals",
            id.short(),
            view.state,
            view.approvals.len(),
            view.quorum
        );
        return Err(Failure::new("NOT_DECIDED", message)
            .exit(Exit::No)
            .hint(format!("git quorum status {}", id.short()))
            .data(view));
    }
    let subject = tally.proposal(id).map(|p| p.slot.subject.clone());
    let Some(Subject::Ref(name)) = subject else {
        return Err(Failure::new(
            "NOTHING_TO_LAND",
            "a charter is in force as soon as it is decided",
        )
        .exit(Exit::No));
    };
    let chain = tally.chain(&Subject::Ref(name.clone()));
    let chain = chain.ok_or_else(|| {
        Failure::new("NOT_PROTECTED", format!("{name} is no longer protected")).exit(Exit::No)
    })?;
    let place = chain.decided.iter().position(|d| *d == id);
    let place = place.ok_or_else(|| {
        Failure::new("STALE", "the decision is not on the ref's chain any more").exit(Exit::No)
    })?;
    let (steps, now) = (
        ref_moves(tally, &chain.decided),
        party.current(name.as_str())?,
    );
    if landed_count(&steps, now) > place {
        return Ok(None);
    }
    let run = steps.get(place).and_then(|step| path(&steps, now, step.to));
    let run = run.ok_or_else(|| cannot_land(name.as_str(), now))?;
    Ok(landing(party, &chain.decided, run, now))
}

fn cannot_land(name: &str, now: Option<Oid>) -> Failure {
    let now = now.map_or("absent".to_owned(), |oid| oid.to_string());
    Failure::new(
        "CANNOT_LAND",
        format!("{name} is {now}, which is not where the decision starts"),
    )
    .exit(Exit::No)
    .hint("propose again: the new proposal names the value that the ref has")
}

/// Every ref that can move, as far along its chain as it can.
fn all(party: &Party) -> Result<Vec<Landing>, Failure> {
    let tally = &party.session().loaded.tally;
    let subjects: std::collections::BTreeSet<_> = tally.subjects().cloned().collect();
    let mut landings = Vec::new();
    for subject in subjects {
        let Subject::Ref(name) = &subject else {
            continue;
        };
        let Some(chain) = tally.chain(&subject) else {
            continue;
        };
        let now = party.current(name.as_str())?;
        if let Some(run) = furthest(&ref_moves(tally, &chain.decided), now) {
            landings.extend(landing(party, &chain.decided, run, now));
        }
    }
    Ok(landings)
}

fn landing(
    party: &Party,
    decided: &[EntryId],
    run: std::ops::Range<usize>,
    old: Option<Oid>,
) -> Option<Landing> {
    let tally = &party.session().loaded.tally;
    let decisions = decided.get(run)?.to_vec();
    let changes = decisions
        .iter()
        .filter_map(|id| match tally.content(tally.proposal(*id)?) {
            Content::Ref(change) => Some(change),
            Content::Charter(_) => None,
        });
    let changes: Vec<_> = changes.collect();
    let last = changes.last()?;
    let rewrite = changes
        .iter()
        .any(|c| c.rewrite || (c.to.is_none() && c.from.is_some()));
    let target = RefUpdate {
        name: last.name.to_string(),
        value: last.to,
        rewrite,
    };
    Some(Landing {
        target,
        old,
        decisions,
    })
}

/// Nothing lands that is not what its decision says.
fn check(party: &Party, landing: &Landing) -> Result<(), Failure> {
    let loaded = &party.session().loaded;
    for id in &landing.decisions {
        if let Some(Content::Ref(change)) =
            loaded.tally.proposal(*id).map(|p| loaded.tally.content(p))
        {
            check_binding(&loaded.tally, loaded.objects(), change).map_err(|error| {
                Failure::new(
                    "FALSE_PROPOSAL",
                    format!("decision {} cannot land: {error}", id.short()),
                )
                .exit(Exit::Unverified)
                .hint("git quorum sync; git fetch")
            })?;
        }
    }
    Ok(())
}

fn land_here(party: &Party, landings: &[Landing]) -> Result<(), Failure> {
    let repo = &party.session().repo;
    let checked_out = if repo.is_bare() { None } else { repo.head()? };
    for landing in landings {
        if checked_out.as_deref() == Some(landing.target.name.as_str()) {
            let to = landing
                .target
                .value
                .map_or("the decided value".to_owned(), |oid| oid.short());
            return Err(Failure::new(
                "CHECKED_OUT",
                format!("{} is checked out here", landing.target.name),
            )
            .exit(Exit::No)
            .hint(format!("git merge --ff-only {to}")));
        }
    }
    let edit = |landing: &Landing| RefEdit {
        name: landing.target.name.clone(),
        old: landing.old.map_or(Expect::Absent, Expect::Is),
        new: landing.target.value,
    };
    Ok(repo.transaction(&landings.iter().map(edit).collect::<Vec<_>>())?)
}

fn report(party: &Party, landings: &[Landing]) -> Answer {
    let line = |landing: &Landing| {
        let value = landing
            .target
            .value
            .map_or("deleted".to_owned(), |oid| oid.short());
        let decisions: Vec<_> = landing.decisions.iter().map(EntryId::short).collect();
        format!(
            "{} is now {value}: {}",
            landing.target.name,
            decisions.join(", ")
        )
    };
    let text = if landings.is_empty() {
        "nothing to land".to_owned()
    } else {
        landings.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let row = |l: &Landing| json!({"ref": l.target.name, "from": l.old, "to": l.target.value, "decisions": l.decisions});
    let data = json!({"landed": landings.iter().map(row).collect::<Vec<_>>()});
    Ok(Outcome::new(data, text)?.with_notes(party.session().notes.clone()))
}
