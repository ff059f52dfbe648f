//! Why a statement of a well-formed entry does not count: stable codes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable reason code; `ledger-spec/` defines each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the messages below say it, and the spec defines it"
)]
pub enum DiscountReason {
    CharterNotDecided,
    NotProtected,
    WrongBase,
    BaseNotDecided,
    NotASuccessor,
    UnknownProposal,
    NotTheProposer,
    NotAVoter,
    OwnApproval,
    Frozen,
    SlotDecided,
    RoundWentBack,
    SecondVote,
    RoundNotEntered,
    NotApproved,
    Locked,
    HandedDown,
    NoPrevoteQuorum,
    BadAgreementSignature,
}

impl DiscountReason {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [DiscountReason; 19] = [
        Self::CharterNotDecided,
        Self::NotProtected,
        Self::WrongBase,
        Self::BaseNotDecided,
        Self::NotASuccessor,
        Self::UnknownProposal,
        Self::NotTheProposer,
        Self::NotAVoter,
        Self::OwnApproval,
        Self::Frozen,
        Self::SlotDecided,
        Self::RoundWentBack,
        Self::SecondVote,
        Self::RoundNotEntered,
        Self::NotApproved,
        Self::Locked,
        Self::HandedDown,
        Self::NoPrevoteQuorum,
        Self::BadAgreementSignature,
    ];

    /// The code as it stands in JSON and in the spec.
    pub fn code(self) -> &'static str {
        self.texts().0
    }

    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        self.texts().1
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::CharterNotDecided => (
                "CHARTER_NOT_DECIDED",
                "the entry's charter is not decided among its ancestors",
            ),
            Self::NotProtected => (
                "NOT_PROTECTED",
                "the charter does not protect the ref, or protects it anew",
            ),
            Self::WrongBase => (
                "WRONG_BASE",
                "the base is neither a decision about the ref nor where its chain starts",
            ),
            Self::BaseNotDecided => (
                "BASE_NOT_DECIDED",
                "the base is not decided among the entry's ancestors",
            ),
            Self::NotASuccessor => (
                "NOT_A_SUCCESSOR",
                "the proposed charter cannot follow the one in force",
            ),
            Self::UnknownProposal => (
                "UNKNOWN_PROPOSAL",
                "no such proposal among the entry's ancestors",
            ),
            Self::NotTheProposer => ("NOT_THE_PROPOSER", "only its proposer withdraws a proposal"),
            Self::NotAVoter => ("NOT_A_VOTER", "the member does not vote under this charter"),
            Self::OwnApproval => (
                "OWN_APPROVAL",
                "the charter does not count a proposer's own approval",
            ),
            Self::Frozen => (
                "FROZEN",
                "the member has precommitted a change of this charter: other votes under it are over",
            ),
            Self::SlotDecided => (
                "SLOT_DECIDED",
                "the slot was decided otherwise under an earlier charter",
            ),
            Self::RoundWentBack => (
                "ROUND_WENT_BACK",
                "the member has voted in a later round of the slot",
            ),
            Self::SecondVote => (
                "SECOND_VOTE",
                "the member has voted for another proposal in this round and phase",
            ),
            Self::RoundNotEntered => (
                "ROUND_NOT_ENTERED",
                "no quorum has voted in the round before",
            ),
            Self::NotApproved => (
                "NOT_APPROVED",
                "the proposal lacks the approvals that this vote needs",
            ),
            Self::Locked => (
                "LOCKED",
                "the member's own precommit binds it to another proposal",
            ),
            Self::HandedDown => (
                "HANDED_DOWN",
                "an earlier charter hands down another proposal",
            ),
            Self::NoPrevoteQuorum => (
                "NO_PREVOTE_QUORUM",
                "no quorum has prevoted the proposal in this round",
            ),
            Self::BadAgreementSignature => (
                "BAD_AGREEMENT_SIGNATURE",
                "the signature over the agreement statement does not verify",
            ),
        }
    }
}

impl fmt::Display for DiscountReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A reason with what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// The stable code.
    pub reason: DiscountReason,
    /// What was found, for people; holds no free text of members.
    pub detail: String,
}

impl Discount {
    pub(super) fn new(reason: DiscountReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

impl From<DiscountReason> for Discount {
    fn from(reason: DiscountReason) -> Self {
        Self::new(reason, "")
    }
}
