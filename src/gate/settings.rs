//! The Git settings of a repository that the gate reads, by name. Knows nothing of how they are read.

/// Pins the ledger, by its id.
pub const LEDGER_KEY: &str = "quorum.ledger";
/// Lets protected refs move by themselves in the push that decides them.
pub const AUTO_LAND_KEY: &str = "quorum.autoLand";
/// The most bytes of new entries that one push may bring.
pub const MAX_PUSH_KEY: &str = "quorum.maxPush";
/// Records that the genesis has been on this server, so that a lost genesis is noticed.
pub const FOUNDED_KEY: &str = "quorum.founded";
/// How many seconds a push waits for the push before it.
pub const PATIENCE_KEY: &str = "quorum.gatePatience";
