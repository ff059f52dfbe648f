//! Why bytes are no entry: stable codes, apart from what may go wrong on this machine.

use std::fmt;

/// A stable reason code; `ledger-spec/` defines each and `ledger-spec/vectors/` has an example of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    missing_docs,
    reason = "the messages below say it, and the spec defines it"
)]
pub enum RejectReason {
    NotACommit,
    TooLarge,
    BadTemplate,
    NoSignature,
    BadArmour,
    BadJson,
    UnknownVersion,
    NotCanonical,
    LimitExceeded,
    BadText,
    BadStatement,
    BadSubjectLine,
    BadGenesis,
    WrongLedger,
    BadParent,
    ParentMismatch,
    BadLane,
    BadSequence,
    UnknownCharter,
    CharterWentBack,
    NotAMember,
    BadSignature,
}

impl RejectReason {
    /// All of them, in the order of `ledger-spec/reasons.md`, which says when each is looked for.
    pub const ALL: [RejectReason; 22] = [
        Self::NotACommit,
        Self::TooLarge,
        Self::BadTemplate,
        Self::NoSignature,
        Self::BadArmour,
        Self::BadJson,
        Self::UnknownVersion,
        Self::NotCanonical,
        Self::LimitExceeded,
        Self::BadText,
        Self::BadStatement,
        Self::BadSubjectLine,
        Self::BadGenesis,
        Self::WrongLedger,
        Self::BadParent,
        Self::ParentMismatch,
        Self::BadLane,
        Self::BadSequence,
        Self::UnknownCharter,
        Self::CharterWentBack,
        Self::NotAMember,
        Self::BadSignature,
    ];

    /// The code as it stands in JSON, in the spec, and in the names of the vectors.
    pub fn code(self) -> &'static str {
        self.texts().0
    }

    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        self.texts().1
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::NotACommit => ("NOT_A_COMMIT", "the object is no commit, or is missing"),
            Self::TooLarge => ("TOO_LARGE", "the object is larger than an entry may be"),
            Self::BadTemplate => (
                "BAD_TEMPLATE",
                "the commit does not have the exact form of an entry",
            ),
            Self::NoSignature => ("NO_SIGNATURE", "the commit is not signed"),
            Self::BadArmour => (
                "BAD_ARMOUR",
                "the signature is not in the exact form that ssh-keygen writes",
            ),
            Self::BadJson => ("BAD_JSON", "the payload is no JSON of the known shape"),
            Self::NotCanonical => ("NOT_CANONICAL", "the payload is not in its canonical form"),
            Self::UnknownVersion => (
                "UNKNOWN_VERSION",
                "the format version is not known to this program",
            ),
            Self::BadText => (
                "BAD_TEXT",
                "a text is empty, too long or holds control characters",
            ),
            Self::LimitExceeded => ("LIMIT_EXCEEDED", "a count or number is over its limit"),
            Self::BadStatement => (
                "BAD_STATEMENT",
                "a statement stands where it may not, or contradicts itself",
            ),
            Self::BadSubjectLine => (
                "BAD_SUBJECT_LINE",
                "the subject line is not the one that the payload determines",
            ),
            Self::BadGenesis => ("BAD_GENESIS", "the genesis entry does not found a ledger"),
            Self::WrongLedger => ("WRONG_LEDGER", "the entry belongs to another ledger"),
            Self::BadParent => ("BAD_PARENT", "a parent is missing or no well-formed entry"),
            Self::ParentMismatch => (
                "PARENT_MISMATCH",
                "a parent commit is not the entry that the payload names",
            ),
            Self::BadLane => (
                "BAD_LANE",
                "the first parent is neither the member's own entry nor the genesis",
            ),
            Self::BadSequence => ("BAD_SEQUENCE", "the sequence number does not follow"),
            Self::UnknownCharter => (
                "UNKNOWN_CHARTER",
                "the named charter is no charter among the entry's ancestors",
            ),
            Self::CharterWentBack => (
                "CHARTER_WENT_BACK",
                "an earlier entry of the member names a later charter",
            ),
            Self::NotAMember => ("NOT_A_MEMBER", "the named charter has no such member"),
            Self::BadSignature => (
                "BAD_SIGNATURE",
                "the signature is not the member's over these bytes",
            ),
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A reason with what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {}{}{detail}", reason.meaning(), if detail.is_empty() { "" } else { ": " })]
pub struct Reject {
    /// The stable code.
    pub reason: RejectReason,
    /// What was found, for people; may quote input and is cleaned before it is printed.
    pub detail: String,
}

impl Reject {
    /// A reason with a detail, which is cut to a bounded length.
    pub fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        let detail: String = detail.into();
        Self {
            reason,
            detail: detail.chars().take(300).collect(),
        }
    }
}

impl From<RejectReason> for Reject {
    fn from(reason: RejectReason) -> Self {
        Self::new(reason, "")
    }
}
