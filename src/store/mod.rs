//! Stores a ledger in a repository. Names its refs, reads and checks lanes, appends to the member's
//! own lane, and exchanges lanes with a remote. Knows formats and Git. Decides nothing.

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
