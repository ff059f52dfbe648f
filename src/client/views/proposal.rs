//! One proposal in a few fields: the tally's report, together with what its ref says.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::charter::MemberName;
use crate::client::error::{Error, Result};
use crate::client::list::Bounded;
use crate::client::session::Session;
use crate::consensus::landing::{landed_count, path, ref_moves};
use crate::consensus::{Content, ProposalReport, State, Subject};
use crate::id::{EntryId, Oid};
use crate::ledger::Verdict;

/// How many rivals a proposal names.
const RIVALS_SHOWN: usize = 8;

/// How far a proposal is, as the ledger and its ref tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProposalState {
    /// It needs approvals.
    Open,
    /// A quorum approves it, and votes are under way.
    Approved,
    /// It is decided, and its ref does not hold it yet.
    Decided,
    /// Its ref holds it, or a later decision.
    Landed,
    /// So many members reject it that a quorum cannot approve it.
    Rejected,
    /// Its proposer withdrew it.
    Withdrawn,
    /// Its ref has moved on, or is no longer protected.
    Stale,
    /// A rival was decided.
    Superseded,
}

impl ProposalState {
    /// The name of the state in JSON and in text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Decided => "decided",
            Self::Landed => "landed",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Stale => "stale",
            Self::Superseded => "superseded",
        }
    }

    /// Whether it is decided.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Decided | Self::Landed)
    }

    /// Whether it can still be decided.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Approved)
    }
}

impl std::fmt::Display for ProposalState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A proposal in a few fields.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProposalView {
    /// The id.
    pub id: EntryId,
    /// The ref that it moves, or `charter`.
    pub subject: Subject,
    /// The title.
    pub title: String,
    /// Who made it.
    pub proposer: MemberName,
    /// How far it is.
    pub state: ProposalState,
    /// The value that the ref is expected to have. `None` if absent, or for a charter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Oid>,
    /// The proposed value. `None` to delete the ref, or for a charter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Oid>,
    /// How many members make a quorum.
    pub quorum: usize,
    /// Voting members whose approvals count.
    pub approvals: BTreeSet<MemberName>,
    /// Members whose latest review rejects it.
    pub rejections: BTreeSet<MemberName>,
    /// What is missing.
    pub needs: &'static str,
    /// The members from whom it is missing.
    pub missing: BTreeSet<MemberName>,
    /// Other proposals for the same slot, in the order of their ids.
    pub rivals: Bounded<EntryId>,
}

impl Session {
    /// A proposal in a few fields.
    pub fn view(&self, id: EntryId) -> Result<ProposalView> {
        self.view_with(id, &self.ref_standing([id])?)
    }

    /// The tally's report of a proposal.
    pub(in crate::client) fn report(&self, id: EntryId) -> Result<ProposalReport> {
        let report = self.loaded.tally.report(id);
        report.ok_or_else(|| Error::internal(format!("Proposal {id} has no report.")))
    }

    /// The same as [`Session::view`], for refs that were looked up before.
    pub(in crate::client) fn view_with(
        &self,
        id: EntryId,
        standing: &RefStanding<'_>,
    ) -> Result<ProposalView> {
        let report = self.report(id)?;
        let tally = &self.loaded.tally;
        let proposal = tally
            .proposal(id)
            .ok_or_else(|| Error::internal(format!("Proposal {id} is not known.")))?;
        let (title, from, to) = match tally.content(proposal) {
            Content::Ref(change) => (change.title.clone(), change.from, change.to),
            Content::Charter(change) => (change.title.clone(), None, None),
        };
        let others = tally.rivals(&proposal.slot).map(|rival| rival.id);
        let shown: Vec<_> = others
            .filter(|rival| *rival != id)
            .take(RIVALS_SHOWN)
            .collect();
        let count = tally.rival_count(&proposal.slot);
        let rivals = Bounded {
            more: count.saturating_sub(1 + shown.len()),
            shown,
        };
        let rejections = report
            .opinions
            .iter()
            .filter(|opinion| opinion.verdict == Verdict::Reject)
            .map(|opinion| opinion.member.clone())
            .collect();
        Ok(ProposalView {
            id,
            subject: proposal.slot.subject.clone(),
            title,
            proposer: proposal.proposer.clone(),
            state: self.proposal_state(id, report.state, standing),
            from,
            to,
            quorum: report.quorum,
            rejections,
            approvals: report.approvals,
            needs: report.needs.name(),
            missing: report.missing,
            rivals,
        })
    }

    /// Looks up the refs of these proposals, and their decisions, once for all.
    pub(in crate::client) fn ref_standing(
        &self,
        ids: impl IntoIterator<Item = EntryId>,
    ) -> Result<RefStanding<'_>> {
        let tally = &self.loaded.tally;
        let subjects: BTreeSet<_> = ids
            .into_iter()
            .filter_map(|id| Some(&tally.proposal(id)?.slot.subject))
            .collect();
        let chains: BTreeMap<_, _> = subjects
            .into_iter()
            .filter_map(|subject| Some((subject, tally.chain(subject)?.decided)))
            .collect();
        let names = chains.keys().filter_map(|subject| match subject {
            Subject::Ref(name) => Some(name.as_str()),
            Subject::Charter => None,
        });
        Ok(RefStanding {
            values: self.ref_values(names)?,
            chains,
        })
    }

    /// How far a proposal is, with landed and stale as its ref tells.
    pub(in crate::client) fn proposal_state(
        &self,
        id: EntryId,
        state: State,
        standing: &RefStanding<'_>,
    ) -> ProposalState {
        match state {
            State::Open | State::Approved if self.is_overtaken(id, standing) => {
                ProposalState::Stale
            }
            State::Open => ProposalState::Open,
            State::Approved => ProposalState::Approved,
            State::Decided if self.has_landed(id, standing) => ProposalState::Landed,
            State::Decided => ProposalState::Decided,
            State::Rejected => ProposalState::Rejected,
            State::Withdrawn => ProposalState::Withdrawn,
            State::Stale => ProposalState::Stale,
            State::Superseded => ProposalState::Superseded,
        }
    }

    /// All decisions that their refs hold, or that lie behind what their refs hold.
    fn landed(&self) -> Result<BTreeSet<EntryId>> {
        let tally = &self.loaded.tally;
        let subjects: BTreeSet<_> = tally.proposals().map(|p| &p.slot.subject).collect();
        let chains: Vec<_> = subjects
            .into_iter()
            .filter_map(|subject| match subject {
                Subject::Ref(name) => Some((name.as_str(), tally.chain(subject)?)),
                Subject::Charter => None,
            })
            .collect();
        let values = self.ref_values(chains.iter().map(|(name, _)| *name))?;
        let landed = chains.into_iter().flat_map(|(name, mut chain)| {
            let moves = ref_moves(tally, &chain.decided);
            let count = landed_count(&moves, values.get(name).copied());
            chain.decided.truncate(count);
            chain.decided
        });
        Ok(landed.collect())
    }

    /// Whether the ref holds the decision or a later one.
    fn has_landed(&self, id: EntryId, standing: &RefStanding<'_>) -> bool {
        let tally = &self.loaded.tally;
        let Some(subject @ Subject::Ref(name)) = tally.proposal(id).map(|p| &p.slot.subject) else {
            return false;
        };
        let decided = standing.decided(subject);
        let Some(place) = decided.iter().position(|d| *d == id) else {
            return false;
        };
        landed_count(&ref_moves(tally, decided), standing.value(name.as_str())) > place
    }

    /// Whether an undecided proposal expects a value that the ref neither has nor will have.
    fn is_overtaken(&self, id: EntryId, standing: &RefStanding<'_>) -> bool {
        let tally = &self.loaded.tally;
        let Some(proposal) = tally.proposal(id) else {
            return false;
        };
        let Content::Ref(change) = tally.content(proposal) else {
            return false;
        };
        let value = standing.value(change.name.as_str());
        let moves = ref_moves(tally, standing.decided(&proposal.slot.subject));
        value != change.from && path(&moves, value, change.from).is_none()
    }

    /// Proposals that are not settled, or that have not landed.
    pub fn open_proposals(&self, limit: usize) -> Result<Bounded<ProposalView>> {
        // Most proposals of a long ledger have landed. They are told apart before each is looked at.
        let (tally, landed) = (&self.loaded.tally, self.landed()?);
        let unsettled: Vec<_> = tally
            .proposals()
            .filter(|p| !landed.contains(&p.id))
            .filter_map(|p| Some((p.id, tally.state(p.id)?)))
            .filter(|(_, state)| matches!(state, State::Open | State::Approved | State::Decided))
            .collect();
        let standing = self.ref_standing(unsettled.iter().map(|(id, _)| *id))?;
        let moves_a_ref = |id| {
            let content = tally.proposal(id).map(|p| tally.content(p));
            matches!(content, Some(Content::Ref(change)) if change.to.is_some())
        };
        let open: Vec<_> = unsettled
            .into_iter()
            .filter(
                |(id, state)| match self.proposal_state(*id, *state, &standing) {
                    ProposalState::Open | ProposalState::Approved => true,
                    ProposalState::Decided => moves_a_ref(*id),
                    _ => false,
                },
            )
            .map(|(id, _)| id)
            .collect();
        let Bounded { shown, more } = Bounded::first(open, limit);
        let shown = shown
            .into_iter()
            .map(|id| self.view_with(id, &standing))
            .collect::<Result<_>>()?;
        Ok(Bounded { shown, more })
    }
}

/// What refs hold, and the decisions of their chains.
pub(in crate::client) struct RefStanding<'a> {
    values: BTreeMap<&'a str, Oid>,
    chains: BTreeMap<&'a Subject, Vec<EntryId>>,
}

impl RefStanding<'_> {
    fn value(&self, name: &str) -> Option<Oid> {
        self.values.get(name).copied()
    }

    fn decided(&self, subject: &Subject) -> &[EntryId] {
        let chain = self.chains.get(subject);
        chain.map(Vec::as_slice).unwrap_or_default()
    }
}
