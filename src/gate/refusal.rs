//! Why the gate refuses: a stable code, which `git push` shows beside the ref, the reason, what helps, and the next command.

use std::fmt;

/// A stable code (spec, "The gate").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "ledger-spec/gate.md says what each means")]
pub enum RefusalCode {
    AgreementBroken,
    BadGenesis,
    BadEntry,
    Blocks,
    Busy,
    CharterNotDecided,
    Conflict,
    Contradicts,
    FoldedName,
    Immutable,
    LaneDeleted,
    LaneWentBack,
    MemberRemoved,
    NamedTwice,
    Namespace,
    NoGenesis,
    NoProposal,
    NotAMember,
    NotDecided,
    OtherRefRefused,
    ProposalDiffers,
    ProposalMissing,
    ProposalUnknown,
    ReplaceRef,
    SecondLedger,
    ServerSetting,
    Shadows,
    Stale,
    StrayName,
    Superseded,
    SymbolicRef,
    TooMuch,
    Unavailable,
    UnprotectedNow,
    UpgradeNeeded,
    WentBack,
    WrongFrom,
}

impl RefusalCode {
    /// The code as text.
    pub fn code(self) -> &'static str {
        match self {
            Self::AgreementBroken => "AGREEMENT_BROKEN",
            Self::BadGenesis => "BAD_GENESIS",
            Self::BadEntry => "BAD_ENTRY",
            Self::Blocks => "BLOCKS_PROTECTED",
            Self::Busy => "GATE_BUSY",
            Self::CharterNotDecided => "CHARTER_NOT_DECIDED",
            Self::Conflict => "CONFLICT",
            Self::Contradicts => "CONTRADICTS",
            Self::FoldedName => "FOLDED_NAME",
            Self::Immutable => "IMMUTABLE",
            Self::LaneDeleted => "LANE_DELETED",
            Self::LaneWentBack => "LANE_WENT_BACK",
            Self::MemberRemoved => "MEMBER_REMOVED",
            Self::NamedTwice => "NAMED_TWICE",
            Self::Namespace => "NAMESPACE",
            Self::NoGenesis => "NO_GENESIS",
            Self::NoProposal => "NO_PROPOSAL",
            Self::NotAMember => "NOT_A_MEMBER",
            Self::NotDecided => "NOT_DECIDED",
            Self::OtherRefRefused => "OTHER_REF_REFUSED",
            Self::ProposalDiffers => "PROPOSAL_DIFFERS",
            Self::ProposalMissing => "PROPOSAL_MISSING",
            Self::ProposalUnknown => "PROPOSAL_UNKNOWN",
            Self::ReplaceRef => "REPLACE_REF",
            Self::SecondLedger => "SECOND_LEDGER",
            Self::ServerSetting => "SERVER_SETTING",
            Self::Shadows => "SHADOWS_PROTECTED",
            Self::Stale => "STALE",
            Self::StrayName => "STRAY_NAME",
            Self::Superseded => "SUPERSEDED",
            Self::SymbolicRef => "SYMBOLIC_REF",
            Self::TooMuch => "TOO_MUCH",
            Self::Unavailable => "GATE_UNAVAILABLE",
            Self::UnprotectedNow => "UNPROTECTED_NOW",
            Self::UpgradeNeeded => "UPGRADE_NEEDED",
            Self::WentBack => "WENT_BACK",
            Self::WrongFrom => "WRONG_FROM",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal. The texts may quote what was pushed and are cleaned before they are printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: RefusalCode,
    /// What is wrong.
    pub reason: String,
    /// What helps, and more of what is known; line by line.
    pub help: String,
    /// The next command, if there is one.
    pub next: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: RefusalCode, reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            help: help.into(),
            next: String::new(),
        }
    }

    /// The same with the next command.
    pub fn then(self, command: impl Into<String>) -> Self {
        Self {
            next: command.into(),
            ..self
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.reason, self.code)
    }
}
