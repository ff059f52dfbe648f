//! Why the gate refuses: a stable code, the reason, what helps, and the next command.
//!
//! `git push` shows the code beside the ref. Knows no rules.

use std::fmt;

use crate::ledger::LedgerRefs;
use crate::repo::RepoError;

/// A stable code that names a kind of refusal (spec, "The gate").
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
    /// Returns the code as text.
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

/// A refusal. Its texts may quote what was pushed, so they must be cleaned before they are printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of refusal.
    pub code: RefusalCode,
    /// What is wrong.
    pub reason: String,
    /// What helps, and what else is known. May have several lines, and may be empty.
    pub help: String,
    /// The next command. Empty if there is none.
    pub next: String,
}

impl Refusal {
    /// Creates a refusal without a next command.
    pub fn new(code: RefusalCode, reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            help: help.into(),
            next: String::new(),
        }
    }

    /// Adds the next command.
    pub fn then(self, command: impl Into<String>) -> Self {
        Self {
            next: command.into(),
            ..self
        }
    }

    /// The gate cannot judge, so it refuses.
    pub(super) fn unavailable(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(RefusalCode::Unavailable, reason, help)
    }

    /// The server's repository cannot be read.
    pub(super) fn unreadable(error: &RepoError) -> Self {
        let rule = "the gate takes nothing that it cannot check; the server's operator must";
        let help = match error.remedy() {
            Some(remedy) => format!("{rule} act: {remedy}"),
            None => format!("{rule} look into it"),
        };
        Self::unavailable(error.to_string(), help)
    }

    /// A ref is refused only because another ref of the same push is.
    pub(super) fn together_with(name: &str) -> Self {
        let reason = format!("another ref of the push is refused: {name}");
        Self::new(RefusalCode::OtherRefRefused, reason, "")
    }

    /// A push names the same ref more than once.
    pub(super) fn named_twice() -> Self {
        let reason = "the push names this ref more than once";
        Self::new(
            RefusalCode::NamedTwice,
            reason,
            "name the ref once, and push again",
        )
    }

    /// A name under `refs/quorum/` is not one that the pinned ledger has.
    pub(super) fn stray_name(refs: &LedgerRefs, name: &str) -> Self {
        let ours = refs.prefix();
        if !name.starts_with(ours) && name.ends_with("/genesis") {
            let reason =
                format!("this server holds the ledger under {ours}, and a server holds one ledger");
            let help = "join that ledger, or push to another server; to change members or rules, propose a charter";
            return Self::new(RefusalCode::SecondLedger, reason, help);
        }
        let reason = "no ref of this name is allowed under refs/quorum/";
        let help = format!(
            "allowed are {ours}genesis, {ours}lane/<member> and {ours}proposal/<proposal id>"
        );
        Self::new(RefusalCode::StrayName, reason, help)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.reason, self.code)
    }
}
