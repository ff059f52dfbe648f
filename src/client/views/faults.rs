//! What members did against the rules, and what remotes showed that they should not have shown.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::fault::{FaultView, convicted, first_faults};
use super::log::known_author;
use crate::charter::MemberName;
use crate::client::answer::Answer;
use crate::client::error::Result;
use crate::client::list::Bounded;
use crate::client::note::describe_lane_event;
use crate::client::session::{Session, check_whole};
use crate::client::{Code, Context, NextStep};
use crate::consensus::{BrokenSlot, own_tips};
use crate::id::EntryId;
use crate::ledger::LedgerRefs;
use crate::repo::Repo;
use crate::store::{LaneEvent, lane_regressions};

/// Which faults to list.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Only what is about this member.
    pub member: Option<String>,
    /// Exchange entries with this remote first.
    pub remote: Option<String>,
    /// How many items of each list the view has.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FaultsView {
    /// The ledger.
    pub ledger: EntryId,
    /// Whether this clone pins the ledger id.
    pub pinned: bool,
    /// How many entries the ledger has.
    pub entries: usize,
    /// Slots that have several decisions.
    pub broken: Bounded<BrokenSlot>,
    /// What members did against the rules.
    pub faults: Bounded<FaultView>,
    /// The members that faults convict.
    pub convicted: BTreeSet<MemberName>,
    /// What remotes showed, or this clone holds, that somebody should explain.
    pub observed: Bounded<Observation>,
    /// Lanes with several ends. A fork is no fault, but it may become one.
    pub forks: Vec<ForkEnds>,
    /// The remote that was asked. `None` if none was.
    pub asked: Option<String>,
}

/// What a remote or a lane shows otherwise than it should.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Observation {
    /// The remote. `None` for a ref of this clone.
    pub remote: Option<String>,
    /// What was seen.
    pub what: ObservationKind,
    /// Whose lane it is, if it is known.
    pub member: Option<MemberName>,
    /// The entry that this clone keeps.
    pub seen: Option<EntryId>,
    /// The entry that is shown now.
    pub now: Option<EntryId>,
    /// The same in a sentence.
    pub text: String,
}

/// What was seen of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObservationKind {
    /// The lane does not lead to an entry of its owner.
    BadLane,
    /// The remote no longer shows the lane.
    LaneVanished,
    /// The lane ends before the entry that the remote had shown.
    LaneWentBack,
    /// The lane ends beside the entry that the remote had shown.
    LaneWentSideways,
    /// A ref could not be fetched.
    NotFetched,
    /// The lane of a former member goes on after the last entry that counts.
    AfterRemoval,
}

impl ObservationKind {
    /// Whether somebody has to explain it.
    fn needs_explanation(self) -> bool {
        !matches!(self, Self::NotFetched | Self::AfterRemoval)
    }
}

/// A lane with several ends.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ForkEnds {
    /// Whose lane it is.
    pub member: MemberName,
    /// The last entries, in the order of their ids.
    pub ends: Vec<EntryId>,
}

/// Lists faults. Checks every signature anew. Answers no if something was found.
pub fn faults(repo: Repo, context: &Context, request: &Faults) -> Result<Answer<FaultsView>> {
    check_whole(&repo)?;
    let mut session = Session::open_afresh(repo, context, None)?;
    let mut observed = match &request.remote {
        Some(remote) => ask(&mut session, remote)?,
        None => Vec::new(),
    };
    observed.extend(seen_before(&session, request.remote.as_deref()));
    let refs = &session.loaded.refs;
    let problems = session.loaded.problems.iter().cloned();
    observed.extend(problems.map(|problem| observe(refs, None, LaneEvent::Bad(problem))));
    let tally = &session.loaded.tally;
    let mut faults = tally.faults();
    let mut broken = tally.broken(&faults);
    let mut forks = forks(&session);
    if let Some(typed) = &request.member {
        let member = known_author(tally.dag(), typed)?;
        broken.retain(|slot| slot.convicted.contains(&member));
        faults.retain(|fault| fault.member == member);
        observed.retain(|seen| seen.member.as_ref() == Some(&member));
        forks.retain(|fork| fork.member == member);
    }
    let mut seen = observed.iter();
    let is_clean =
        broken.is_empty() && faults.is_empty() && !seen.any(|seen| seen.what.needs_explanation());
    let next = match faults.first() {
        Some(fault) => NextStep::Prove(fault.id),
        None => NextStep::AskOperator,
    };
    let view = FaultsView {
        ledger: session.ledger(),
        pinned: session.pinned,
        entries: tally.dag().entries().len(),
        broken: Bounded::first(broken, request.limit),
        faults: first_faults(&faults, request.limit),
        convicted: convicted(&faults),
        observed: Bounded::first(observed, request.limit),
        forks,
        asked: request.remote.clone(),
    };
    let answer = if is_clean {
        Answer::yes(view)
    } else {
        Answer::no(Code::Faults, view).next(next)
    };
    Ok(answer.notes(session.notes))
}

/// Exchanges entries with a remote, and returns what it showed otherwise than before.
fn ask(session: &mut Session, remote: &str) -> Result<Vec<Observation>> {
    let exchanged = session.exchange_with(remote)?;
    let refs = &session.loaded.refs;
    let events = exchanged.events.into_iter();
    Ok(events
        .map(|event| observe(refs, Some(remote), event))
        .collect())
}

/// What the remotes showed when they were asked last, without the one that was asked just now.
fn seen_before(session: &Session, asked: Option<&str>) -> Vec<Observation> {
    let refs = &session.loaded.refs;
    let is_asked = |remote: &str| {
        asked.is_some_and(|asked| refs.incoming_prefix(asked) == refs.incoming_prefix(remote))
    };
    let events = lane_regressions(&session.loaded).into_iter();
    events
        .filter(|(remote, _)| !is_asked(remote))
        .map(|(remote, event)| observe(refs, Some(&remote), event))
        .collect()
}

fn observe(refs: &LedgerRefs, remote: Option<&str>, event: LaneEvent) -> Observation {
    let text = match (&event, remote) {
        (LaneEvent::Bad(problem), None) => format!("{}: {}", problem.name, problem.reject),
        (event, remote) => describe_lane_event(event, remote.unwrap_or("this clone")),
    };
    let seen = |what, member, seen, now| Observation {
        remote: remote.map(str::to_owned),
        what,
        member,
        seen,
        now,
        text,
    };
    match event {
        LaneEvent::Bad(problem) => {
            let owner = refs.owner(&problem.name);
            seen(ObservationKind::BadLane, owner, problem.last_good, None)
        }
        LaneEvent::WentBack {
            member,
            seen: kept,
            now,
        } => {
            let kind = match now {
                None => ObservationKind::LaneVanished,
                Some(_) => ObservationKind::LaneWentBack,
            };
            seen(kind, Some(member), Some(kept), now)
        }
        LaneEvent::WentSideways {
            member,
            seen: kept,
            now,
        } => {
            let kind = ObservationKind::LaneWentSideways;
            seen(kind, Some(member), Some(kept), Some(now))
        }
        LaneEvent::NotFetched { .. } => seen(ObservationKind::NotFetched, None, None, None),
        LaneEvent::AfterRemoval { member } => {
            seen(ObservationKind::AfterRemoval, Some(member), None, None)
        }
    }
}

fn forks(session: &Session) -> Vec<ForkEnds> {
    let tally = &session.loaded.tally;
    let dag = tally.dag();
    let ends_of = |member: &MemberName| {
        let tips = own_tips(tally, member).into_iter();
        let mut ends: Vec<_> = tips.map(|tip| dag.entry(tip).id).collect();
        ends.sort();
        ForkEnds {
            member: member.clone(),
            ends,
        }
    };
    let lanes = dag.authors().map(ends_of);
    lanes.filter(|lane| lane.ends.len() > 1).collect()
}
