//! A ledger in a repository: which refs hold it, reading and checking its lanes, appending to one's
//! own, and exchanging lanes with a remote. Knows formats and Git; decides nothing.

mod cache;
mod load;
mod names;
mod proposals;

pub use load::{LaneProblem, LoadError, Loaded, find_ledgers, load, load_unfounded};
pub use names::{LaneRef, LedgerRefs};
pub use proposals::{BindingError, Bound, bind, check_binding};
