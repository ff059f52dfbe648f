//! Entries: what they say, their exact bytes, their ids and signatures, and which of them are well
//! formed in their place; and the names of the refs that hold them. Knows nothing of how decisions are
//! made, and neither Git nor remotes.

mod ancestry;
mod canonical;
mod dag;
mod entry;
mod marks;
mod refs;
mod reject;
mod sshsig;
mod statement;
#[cfg(test)]
pub(crate) mod testing;

#[cfg(debug_assertions)]
pub use ancestry::lookups;
pub use canonical::to_canonical;
pub use dag::{CharterNode, Common, Dag, Entry, EntryIndex, Place};
pub use entry::{
    GenesisPayload, ParsedEntry, Payload, Unsigned, encode, encode_genesis, parse, parse_again,
};
pub use marks::Marks;
pub use refs::{LaneRef, LedgerRefs};
pub use reject::{Reject, RejectReason};
pub use sshsig::{armour, signed_data, unarmour};
pub use statement::{
    CharterProposal, Precommit, Prevote, RefProposal, Review, Statement, Verdict, Withdraw,
};

/// Limits of format version 1. They are part of the format: changing one changes verdicts.
pub mod limits {
    /// Bytes of a whole entry.
    pub const ENTRY_BYTES: usize = 262_144;
    /// Parents of an entry.
    pub const PARENTS: usize = 256;
    /// Statements of an entry.
    pub const STATEMENTS: usize = 64;
    /// Bytes of a title.
    pub const TITLE_BYTES: usize = 200;
    /// Bytes of a description or of a review's text.
    pub const TEXT_BYTES: usize = 16_384;
    /// Items of evidence in a review.
    pub const EVIDENCE: usize = 16;
    /// Bytes of one item of evidence.
    pub const EVIDENCE_BYTES: usize = 1_024;
    /// The largest sequence number and the largest time: every JSON reader holds it exactly.
    pub const INTEGER: u64 = (1 << 53) - 1;
    /// The latest time of an entry: 9998-12-31T23:59:59Z. Stock Git gives local times to ssh-keygen, so
    /// the last hours of 9999 would fail there, east of Greenwich.
    pub const TIME: u64 = 253_370_764_799;
}
