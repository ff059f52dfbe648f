//! What the log of the sign state holds.

use crate::id::{EntryId, Oid};

/// The largest raw entry that can be recorded, in bytes.
pub const MAX_RAW: usize = 512 * 1024;

/// A signed entry. It contains all bytes, so that the entry can be published again if the first
/// attempt was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRecord {
    /// The sequence number of the entry.
    pub seq: u64,
    /// The id of the entry.
    pub id: EntryId,
    /// The id of the entry's commit.
    pub oid: Oid,
    /// The raw bytes of the commit, including the signature.
    pub raw: Vec<u8>,
}

/// How opening the log repaired the traces of a crash during an append. Callers report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// An incomplete record with this many bytes was removed. Its signature was never published.
    Cut(u64),
    /// A complete record without its newline was kept. To remember an entry that was not published
    /// is safe, and to forget an entry that was published is not.
    Kept,
}
