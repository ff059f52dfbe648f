//! The tally of one proposal, explained: who said what, what is missing, and from whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::slot::Slot;
use super::tally::{Phase, Tally};
use crate::charter::MemberName;
use crate::id::EntryId;
use crate::ledger::Verdict;

/// How far a proposal is, as far as the ledger tells. Whether it has landed, the ref tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It needs approvals.
    Open,
    /// A quorum approves it; votes are under way.
    Approved,
    /// It is decided.
    Decided,
    /// So many reject it that it cannot be approved unless some change their mind.
    Rejected,
    /// Its proposer no longer stands behind it.
    Withdrawn,
    /// Its slot is no longer one that can be decided: the chain of its ref starts anew elsewhere, or
    /// the ref is no longer protected.
    Stale,
    /// Another proposal was decided for its slot.
    Superseded,
}

/// What brings a proposal nearer to a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Approvals.
    Approvals,
    /// Prevotes of the latest round.
    Prevotes,
    /// Precommits of the latest round.
    Precommits,
    /// Nothing: the proposal is decided, or cannot be decided any more.
    Nothing,
}

impl Need {
    /// Returns the name as it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approvals => "approvals",
            Self::Prevotes => "prevotes",
            Self::Precommits => "precommits",
            Self::Nothing => "nothing",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A member's last review on a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Opinion {
    /// Who.
    pub member: MemberName,
    /// What it says.
    pub verdict: Verdict,
    /// The entry.
    pub entry: EntryId,
}

/// Votes of one round for each proposal of the slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct RoundReport {
    /// The round.
    pub round: u32,
    /// Who has prevoted what.
    pub prevotes: BTreeMap<EntryId, BTreeSet<MemberName>>,
    /// Who has precommitted what.
    pub precommits: BTreeMap<EntryId, BTreeSet<MemberName>>,
}

/// What a proposal has and lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProposalReport {
    /// The proposal.
    pub id: EntryId,
    /// How far it is.
    pub state: State,
    /// The charter under which the numbers below are counted: the one in force.
    pub charter: EntryId,
    /// Members that make a quorum.
    pub quorum: usize,
    /// Voting members whose approvals count.
    pub approvals: BTreeSet<MemberName>,
    /// Last latest of all members.
    pub opinions: Vec<Opinion>,
    /// Votes of the slot, round by round.
    pub rounds: Vec<RoundReport>,
    /// Voting members from whom something would bring the proposal on: an approval, a prevote or a precommit.
    pub missing: BTreeSet<MemberName>,
    /// What is missing.
    pub needs: Need,
}

impl Tally {
    /// The member's last review on a proposal: of its latest review, by sequence number.
    pub fn opinion(&self, member: &MemberName, proposal: EntryId) -> Option<Verdict> {
        self.reviews
            .get(&proposal)?
            .get(member)
            .map(|review| review.verdict)
    }

    /// The last review of each member on a proposal.
    pub fn opinions(&self, proposal: EntryId) -> Vec<Opinion> {
        let opinion = |(member, review): (&MemberName, &super::tally::LatestReview)| Opinion {
            member: member.clone(),
            verdict: review.verdict,
            entry: review.rank.1,
        };
        self.reviews
            .get(&proposal)
            .into_iter()
            .flatten()
            .map(opinion)
            .collect()
    }

    /// Whether so many voting members reject a proposal that it cannot be approved by a quorum.
    pub(super) fn is_rejected(&self, charter: EntryId, proposal: EntryId) -> bool {
        let Some(node) = self.dag.charter(charter) else {
            return false;
        };
        let against = |o: &Opinion| o.verdict == Verdict::Reject && node.charter.votes(&o.member);
        let against: BTreeSet<_> = self
            .opinions(proposal)
            .into_iter()
            .filter(against)
            .map(|o| o.member)
            .collect();
        let threshold = node.charter.threshold();
        // Approvals count for ever, so those who approved first and rejected later are no obstacle.
        let approved = self.approvers(charter, proposal);
        against.iter().filter(|m| !approved.contains(m)).count() + threshold.q > threshold.n
    }

    /// How far a proposal is.
    pub fn state(&self, id: EntryId) -> Option<State> {
        let proposal = self.proposal(id)?;
        if self.is_decided(id) {
            return Some(State::Decided);
        }
        if self.has_decision(&proposal.slot) {
            return Some(State::Superseded);
        }
        let charter = self.charter_in_force();
        if self
            .next_slot(&proposal.slot.subject)
            .is_none_or(|next| next != proposal.slot)
        {
            return Some(State::Stale);
        }
        let quorum = self.quorum(charter);
        Some(if self.approvers(charter, id).len() >= quorum {
            State::Approved
        } else if self.withdrawals.contains_key(&id) {
            State::Withdrawn
        } else if self.is_rejected(charter, id) {
            State::Rejected
        } else {
            State::Open
        })
    }

    /// What a proposal has and lacks.
    pub fn report(&self, id: EntryId) -> Option<ProposalReport> {
        let state = self.state(id)?;
        let proposal = self.proposal(id)?;
        let charter = self
            .decision(id)
            .map_or_else(|| self.charter_in_force(), |decision| decision.charter);
        let electorate = &self.dag.charter(charter)?.charter;
        let approvals: BTreeSet<_> = self.approvers(charter, id).into_iter().cloned().collect();
        let rounds = self.round_reports(&proposal.slot, charter);
        let voters: BTreeSet<_> = electorate.voters().map(|m| m.name.clone()).collect();
        let (needs, missing) = match state {
            State::Open => (Need::Approvals, &voters - &approvals),
            State::Approved => votes_missing(id, &rounds, &voters, electorate.threshold().q),
            _ => (Need::Nothing, BTreeSet::new()),
        };
        Some(ProposalReport {
            id,
            state,
            charter,
            quorum: electorate.threshold().q,
            approvals,
            opinions: self.opinions(id),
            rounds,
            missing,
            needs,
        })
    }

    fn round_reports(&self, slot: &Slot, charter: EntryId) -> Vec<RoundReport> {
        let ballot = self
            .ballots
            .get(slot)
            .and_then(|ballots| ballots.get(&charter));
        let report = |(round, votes): (&u32, &super::tally::RoundVotes)| {
            let by_proposal = |phase| {
                let mut members: BTreeMap<EntryId, BTreeSet<MemberName>> = BTreeMap::new();
                for cast in votes.phase(phase).iter() {
                    members
                        .entry(cast.proposal)
                        .or_default()
                        .insert(cast.member.clone());
                }
                members
            };
            RoundReport {
                round: *round,
                prevotes: by_proposal(Phase::Prevote),
                precommits: by_proposal(Phase::Precommit),
            }
        };
        ballot.into_iter().flatten().map(report).collect()
    }
}

/// In the latest round: precommits if a quorum has prevoted, prevotes otherwise.
fn votes_missing(
    id: EntryId,
    rounds: &[RoundReport],
    voters: &BTreeSet<MemberName>,
    quorum: usize,
) -> (Need, BTreeSet<MemberName>) {
    let Some(last) = rounds.last() else {
        return (Need::Prevotes, voters.clone());
    };
    let all = |votes: &BTreeMap<EntryId, BTreeSet<MemberName>>| {
        votes.values().flatten().cloned().collect::<BTreeSet<_>>()
    };
    if last
        .prevotes
        .get(&id)
        .is_some_and(|members| members.len() >= quorum)
    {
        return (Need::Precommits, voters - &all(&last.precommits));
    }
    (Need::Prevotes, voters - &all(&last.prevotes))
}
