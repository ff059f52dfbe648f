//! The subject of a decision, and the slot that the decision fills.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::charter::{RefName, RefNameError, parsed};
use crate::id::{Digest, EntryId};

/// The subject of decisions: a protected ref, or the charter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The charter itself.
    Charter,
    /// The value of a protected ref.
    Ref(RefName),
}

impl Subject {
    /// Returns the ref that decisions about this subject move, or `None` for the charter.
    pub fn ref_name(&self) -> Option<&RefName> {
        match self {
            Self::Ref(name) => Some(name),
            Self::Charter => None,
        }
    }

    /// Returns whether decisions about this subject change the charter.
    pub fn is_charter(&self) -> bool {
        matches!(self, Self::Charter)
    }
}

impl From<RefName> for Subject {
    fn from(name: RefName) -> Self {
        Self::Ref(name)
    }
}

/// A subject with a base. Proposals for one slot are rivals, and at most one of them is decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// The subject of the decision.
    pub subject: Subject,
    /// The last decided proposal of the subject, or the root of its chain.
    pub base: EntryId,
}

impl Slot {
    /// Returns the slot id: the SHA-256 of `git-quorum slot v1`, the subject and the base, each on
    /// a line.
    pub fn id(&self) -> Digest {
        Digest::of(format!("git-quorum slot v1\n{}\n{}\n", self.subject, self.base).as_bytes())
    }

    /// Returns the place of a round's guide among `n` voting members (rule 5c). The place is the
    /// round plus the first eight bytes of the slot id, as a big-endian number, modulo n.
    pub(super) fn guide_place(&self, round: u32, n: usize) -> usize {
        let id = self.id();
        let number = id
            .bytes()
            .iter()
            .take(8)
            .fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let n = n.max(1) as u64;
        ((u64::from(round) + number % n) % n) as usize
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Charter => f.write_str("charter"),
            Self::Ref(name) => name.fmt(f),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

impl FromStr for Subject {
    type Err = RefNameError;

    fn from_str(text: &str) -> Result<Self, RefNameError> {
        match text {
            "charter" => Ok(Self::Charter),
            name => name.parse().map(Self::Ref),
        }
    }
}
