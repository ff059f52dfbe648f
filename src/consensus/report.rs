//! The report on one proposal: who reviewed it and voted for it, what is missing, and from whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::slot::Slot;
use super::tally::{Phase, Tally};
use crate::charter::MemberName;
use crate::id::EntryId;
use crate::ledger::Verdict;

/// The state of a proposal in the ledger. The ledger does not show whether the proposal has landed;
/// only the ref does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The proposal needs approvals.
    Open,
    /// A quorum approves the proposal. Votes are under way.
    Approved,
    /// The proposal is decided.
    Decided,
    /// So many voting members reject the proposal that a quorum cannot approve it, unless some
    /// change their mind.
    Rejected,
    /// The proposer has withdrawn the proposal.
    Withdrawn,
    /// The slot of the proposal can no longer be decided. The ref is no longer protected, or the
    /// next slot of its chain is another one.
    Stale,
    /// A rival is decided for the slot.
    Superseded,
}

/// What a proposal needs next on the way to a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Approvals.
    Approvals,
    /// Prevotes in the latest round.
    Prevotes,
    /// Precommits in the latest round.
    Precommits,
    /// Nothing: the proposal is decided, or cannot be decided any more.
    Nothing,
}

impl Need {
    /// Returns the name as it is in JSON.
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
    /// The member that reviewed the proposal.
    pub member: MemberName,
    /// The answer of the review.
    pub verdict: Verdict,
    /// The entry that contains the review.
    pub entry: EntryId,
}

/// The votes of one round, for each proposal of the slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct RoundReport {
    /// The round.
    pub round: u32,
    /// The members that prevoted each proposal.
    pub prevotes: BTreeMap<EntryId, BTreeSet<MemberName>>,
    /// The members that precommitted each proposal.
    pub precommits: BTreeMap<EntryId, BTreeSet<MemberName>>,
}

/// The report on a proposal: what it has, and what it lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProposalReport {
    /// The proposal.
    pub id: EntryId,
    /// The state of the proposal.
    pub state: State,
    /// The charter under which the numbers below are counted: the one that decided the proposal,
    /// otherwise the one in force.
    pub charter: EntryId,
    /// The threshold q of this charter.
    pub quorum: usize,
    /// The voting members whose approvals count.
    pub approvals: BTreeSet<MemberName>,
    /// The last review of each member.
    pub opinions: Vec<Opinion>,
    /// The votes of the slot, round by round.
    pub rounds: Vec<RoundReport>,
    /// The voting members whose approval, prevote or precommit is missing.
    pub missing: BTreeSet<MemberName>,
    /// What the proposal needs next.
    pub needs: Need,
}

impl Tally {
    /// Returns the verdict of the member's last review on a proposal: the one with the highest
    /// sequence number. Returns `None` if the member has not reviewed the proposal.
    pub fn opinion(&self, member: &MemberName, proposal: EntryId) -> Option<Verdict> {
        self.reviews
            .get(&proposal)?
            .get(member)
            .map(|review| review.verdict)
    }

    /// Returns the last review of each member on a proposal.
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

    /// Returns whether so many voting members reject a proposal that a quorum cannot approve it.
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
        // Approvals count for ever. So a member that approved first and rejected later is no
        // obstacle.
        let approved = self.approvers(charter, proposal);
        against.iter().filter(|m| !approved.contains(m)).count() + threshold.q > threshold.n
    }

    /// Returns the state of a proposal. Returns `None` if there is no valid proposal with this id.
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

    /// Returns the report on a proposal. Returns `None` if there is no valid proposal with this id.
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

/// Returns the votes that an approved proposal needs in the latest round, and from whom. These are
/// precommits if a quorum has prevoted the proposal, and prevotes otherwise.
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
