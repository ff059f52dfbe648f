//! The state of the ledger here, and of one proposal.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::entry::proposal_of;
use super::fault::{FaultView, evidence_of, first_faults};
use super::proposal::{ProposalState, ProposalView};
use crate::charter::{MemberName, RefName};
use crate::client::actions::next_for;
use crate::client::answer::Answer;
use crate::client::charter_warnings::charter_warnings;
use crate::client::error::Result;
use crate::client::list::Bounded;
use crate::client::note::{CharterWarning, Note};
use crate::client::session::Session;
use crate::client::{NextStep, SHOWN};
use crate::consensus::landing::{landed_count, ref_moves};
use crate::consensus::{Evidence, Opinion, ProposalReport, RoundReport, Subject, own_tips};
use crate::id::{EntryId, Oid};
use crate::wording::discount_reason;

/// The state of the ledger here.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Overview {
    /// The ledger.
    pub ledger: EntryId,
    /// Whether this clone pins the ledger id.
    pub pinned: bool,
    /// The charter in force.
    pub charter: EntryId,
    /// How many members vote.
    pub n: usize,
    /// How many of them may be faulty.
    pub f: usize,
    /// How many make a quorum.
    pub q: usize,
    /// How many entries the ledger has.
    pub entries: usize,
    /// Protected refs that exist or have decisions.
    pub subjects: Bounded<SubjectView>,
    /// Proposals that are not settled, or that have not landed.
    pub proposals: Bounded<ProposalView>,
    /// What members did against the rules.
    pub faults: Bounded<FaultView>,
    /// The pairs of votes that convict members.
    pub evidence: Bounded<Evidence>,
    /// Lanes that have several ends.
    pub forks: Vec<ForkView>,
    /// What everyone should know about the charter in force.
    pub warnings: Vec<CharterWarning>,
    /// The member that this clone writes as.
    pub member: Option<String>,
    /// The fault domains and their votes.
    pub domains: Vec<DomainView>,
    /// The latest statements that do not count.
    pub discounted: Bounded<DiscountView>,
}

/// A protected ref.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SubjectView {
    /// The ref.
    #[serde(rename = "ref")]
    pub name: RefName,
    /// Its value. `None` if the ref is absent.
    pub value: Option<Oid>,
    /// The latest decisions about it, in order.
    pub decided: Bounded<EntryId>,
    /// How many of all decisions the ref holds.
    pub landed: usize,
    /// Decisions for one slot, of which there must be one only. Empty unless agreement is broken.
    pub rivals: Vec<EntryId>,
}

/// A lane with several ends.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ForkView {
    /// Whose lane it is.
    pub member: MemberName,
    /// How many ends it has.
    pub tips: usize,
}

/// A fault domain.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DomainView {
    /// The domain.
    pub domain: MemberName,
    /// The number of voting members in it.
    pub votes: usize,
}

/// A statement that does not count.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DiscountView {
    /// The entry that holds it.
    pub entry: EntryId,
    /// The number of the statement in the entry, from 0.
    pub statement: usize,
    /// Its author.
    pub member: MemberName,
    /// The stable reason code.
    pub code: &'static str,
    /// The reason in words.
    pub reason: &'static str,
    /// What was found. Empty if the reason says everything.
    pub detail: String,
}

/// How far one proposal is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProposalStatus {
    /// The id.
    pub id: EntryId,
    /// How far it is.
    pub state: ProposalState,
    /// The proposal.
    pub proposal: ProposalView,
    /// The charter under which votes are counted.
    pub charter: EntryId,
    /// The latest rounds of votes for its slot.
    pub rounds: Bounded<RoundReport>,
    /// The last review of every member.
    pub opinions: Vec<Opinion>,
    /// The latest statements about it that do not count.
    pub discounted: Bounded<DiscountView>,
}

/// Reads the state of the ledger. `limit` bounds every list.
pub fn overview(session: &Session, limit: usize) -> Result<Answer<Overview>> {
    let tally = &session.loaded.tally;
    let (charter, electorate) = session.charter()?;
    let threshold = electorate.threshold();
    let faults = tally.faults();
    let proposals = session.open_proposals(limit)?;
    let is_decided = |proposal: &ProposalView| proposal.state == ProposalState::Decided;
    let next = proposals.shown.iter().any(is_decided);
    let next = next.then_some(NextStep::Land(None));
    let warnings = charter_warnings(electorate);
    let domains = electorate.domains().into_iter();
    let view = Overview {
        ledger: session.ledger(),
        pinned: session.pinned,
        charter,
        n: threshold.n,
        f: threshold.f,
        q: threshold.q,
        entries: tally.dag().entries().len(),
        subjects: subjects(session, limit)?,
        proposals,
        faults: first_faults(&faults, limit),
        evidence: evidence_of(&faults, limit),
        forks: forks(session),
        warnings: warnings.clone(),
        member: session.repo.config("quorum.member")?,
        domains: domains
            .map(|load| DomainView {
                domain: load.domain,
                votes: load.votes,
            })
            .collect(),
        discounted: discounted(session, None, limit),
    };
    Ok(Answer::yes(view)
        .next(next)
        .notes(session.notes.clone())
        .notes(warnings.into_iter().map(Note::Charter)))
}

/// Reads how far one proposal is. `limit` bounds every list.
pub fn proposal_status(
    session: &Session,
    id: EntryId,
    limit: usize,
) -> Result<Answer<ProposalStatus>> {
    let proposal = session.view(id)?;
    let ProposalReport {
        charter,
        rounds,
        opinions,
        ..
    } = session.report(id)?;
    let next = next_for(&proposal);
    let view = ProposalStatus {
        id,
        state: proposal.state,
        proposal,
        charter,
        rounds: Bounded::last(rounds, limit),
        opinions,
        discounted: discounted(session, Some(id), limit),
    };
    Ok(Answer::yes(view).next(next).notes(session.notes.clone()))
}

/// The latest statements that do not count; about one proposal, or all.
fn discounted(session: &Session, about: Option<EntryId>, limit: usize) -> Bounded<DiscountView> {
    let tally = &session.loaded.tally;
    let dag = tally.dag();
    let is_about = |found: &&crate::consensus::Discounted| {
        let Some(id) = about else {
            return true;
        };
        let entry = dag.entry(found.place.entry);
        let statement = entry.statements.get(found.place.statement);
        statement.is_some_and(|statement| proposal_of(statement, entry.id) == id)
    };
    let mut all: Vec<_> = tally.discounted().iter().filter(is_about).collect();
    // Entries arrive in any order, which must not show.
    all.sort_by_cached_key(|found| {
        let entry = dag.entry(found.place.entry);
        (entry.time, entry.id, found.place.statement)
    });
    let Bounded { shown, more } = Bounded::last(all, limit);
    let view = |found: &crate::consensus::Discounted| {
        let entry = dag.entry(found.place.entry);
        DiscountView {
            entry: entry.id,
            statement: found.place.statement,
            member: entry.member.clone(),
            code: found.discount.reason.code(),
            reason: discount_reason(found.discount.reason),
            detail: found.discount.detail.clone(),
        }
    };
    Bounded {
        shown: shown.into_iter().map(view).collect(),
        more,
    }
}

fn forks(session: &Session) -> Vec<ForkView> {
    let tally = &session.loaded.tally;
    let lanes = tally.dag().authors().map(|member| ForkView {
        member: member.clone(),
        tips: own_tips(tally, member).len(),
    });
    lanes.filter(|lane| lane.tips > 1).collect()
}

/// Each protected ref that exists or has decisions, with its value and what is decided.
fn subjects(session: &Session, limit: usize) -> Result<Bounded<SubjectView>> {
    let tally = &session.loaded.tally;
    let (_, charter) = session.charter()?;
    let exact = charter.protected().iter().filter_map(|p| p.exact());
    let mut subjects: BTreeSet<_> = tally.subjects().cloned().collect();
    subjects.extend(exact.map(Subject::Ref));
    let names: Vec<_> = subjects.iter().filter_map(Subject::ref_name).collect();
    let values = session.ref_values(names.iter().map(|name| name.as_str()))?;
    let view = |name: &&RefName| {
        let chain = tally.chain(&Subject::Ref((*name).clone()))?;
        let value = values.get(name.as_str()).copied();
        let landed = landed_count(&ref_moves(tally, &chain.decided), value);
        Some(SubjectView {
            name: (*name).clone(),
            value,
            decided: Bounded::last(chain.decided, limit.max(SHOWN)),
            landed,
            rivals: chain.rivals,
        })
    };
    let views = names.iter().filter_map(view).collect();
    Ok(Bounded::first(views, limit))
}
