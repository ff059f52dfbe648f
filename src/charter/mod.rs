//! Who the members are and what they may decide: names, keys, protected refs, thresholds, and the
//! checks that a charter must pass. Knows nothing of Git, files, entries or votes.

mod key;
mod name;
mod refs;
mod rules;
mod text;
mod threshold;

pub use key::{KeyError, PublicKey};
pub use name::{MemberName, NameError};
pub use refs::{RefName, RefNameError, RefPattern};
pub use rules::{
    Charter, CharterError, CharterRules, DomainLoad, Member, ProposedCharter, Removal,
};
pub(crate) use text::parsed;
pub use threshold::Threshold;

/// The format version that this program knows; a charter names its own.
pub const FORMAT_VERSION: u64 = 1;

/// Limits of format version 1. They are part of the format: changing one changes verdicts.
pub mod limits {
    /// Members of a charter, voting or not.
    pub const MEMBERS: usize = 128;
    /// Members that a charter lists as removed.
    pub const REMOVED: usize = 512;
    /// Patterns of protected refs.
    pub const PROTECT: usize = 64;
    /// Roles of one member.
    pub const ROLES: usize = 16;
    /// Bytes of a member, role or domain name.
    pub const NAME_BYTES: usize = 32;
    /// Bytes of a ref name or pattern.
    pub const REF_BYTES: usize = 255;
}
