//! A ledger in a repository: which refs hold it, reading and checking its lanes, appending to one's
//! own, and exchanging lanes with a remote. Knows formats and Git; decides nothing.

mod append;
mod binding;
mod cache;
mod exchange;
mod incoming;
mod load;
mod snapshot;
#[cfg(test)]
mod testing;

pub use append::{AppendError, Author};
pub use binding::{Binding, BindingError, check_binding, compute_binding};
pub use cache::Trust;
pub use exchange::{
    Exchange, ExchangeError, LaneEvent, PushOutcome, RefUpdate, exchange, fetch_genesis,
    lane_regressions, push, push_others,
};
pub use incoming::load_with_incoming;
pub use load::{LaneProblem, LoadError, Loaded, Refreshed, find_ledgers, load, load_from_genesis};
