//! Reason codes: why a statement of a well-formed entry does not count. The codes are stable. The
//! module `wording` has the sentences for people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable reason code. `ledger-spec/` defines each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the spec defines each, and the room `wording` words it"
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
    /// All reason codes, in the order in which they are checked.
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

    /// Returns the code as it is in JSON and in the spec.
    pub fn code(self) -> &'static str {
        match self {
            Self::CharterNotDecided => "CHARTER_NOT_DECIDED",
            Self::NotProtected => "NOT_PROTECTED",
            Self::WrongBase => "WRONG_BASE",
            Self::BaseNotDecided => "BASE_NOT_DECIDED",
            Self::NotASuccessor => "NOT_A_SUCCESSOR",
            Self::UnknownProposal => "UNKNOWN_PROPOSAL",
            Self::NotTheProposer => "NOT_THE_PROPOSER",
            Self::NotAVoter => "NOT_A_VOTER",
            Self::OwnApproval => "OWN_APPROVAL",
            Self::Frozen => "FROZEN",
            Self::SlotDecided => "SLOT_DECIDED",
            Self::RoundWentBack => "ROUND_WENT_BACK",
            Self::SecondVote => "SECOND_VOTE",
            Self::RoundNotEntered => "ROUND_NOT_ENTERED",
            Self::NotApproved => "NOT_APPROVED",
            Self::Locked => "LOCKED",
            Self::HandedDown => "HANDED_DOWN",
            Self::NoPrevoteQuorum => "NO_PREVOTE_QUORUM",
            Self::BadAgreementSignature => "BAD_AGREEMENT_SIGNATURE",
        }
    }
}

impl fmt::Display for DiscountReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A reason code with details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// The stable code.
    pub reason: DiscountReason,
    /// Details for people. They contain no free text of members.
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
