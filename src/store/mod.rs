//! A ledger in a repository: which refs hold it, reading and checking its lanes, appending to one's
//! own, and exchanging lanes with a remote. Knows formats and Git; decides nothing.

mod admission;
mod append;
mod cache;
mod exchange;
mod incoming;
mod load;
mod names;
mod proposals;
mod snapshot;
#[cfg(test)]
mod testing;

pub use admission::Admission;
pub use append::{AppendError, Author, own_tips, parents_for};
pub use exchange::{
    Exchange, ExchangeError, LaneEvent, Move, PushOutcome, exchange, fetch_genesis, last_shown,
    pass_on, push,
};
pub use incoming::load_with_incoming;
pub use load::{
    Followed, LaneProblem, LoadError, Loaded, Trust, find_ledgers, load, load_unfounded,
};
pub use names::{LaneRef, LedgerRefs};
pub use proposals::{BindingError, Bound, bind, check_binding};

/// Seconds since 1970 by this machine's clock, or by `GIT_QUORUM_TIME`, for runs that are to be repeated.
pub fn now() -> u64 {
    let fixed = std::env::var("GIT_QUORUM_TIME")
        .ok()
        .and_then(|text| text.parse().ok());
    let clock = || {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs())
    };
    fixed.unwrap_or_else(clock).min(crate::ledger::limits::TIME)
}
