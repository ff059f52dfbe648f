//! Decides which ref updates a push may make (spec, "The gate"), and runs the hooks that enforce it.
//!
//! - [`scene`] is what a push is judged by, as plain data. [`judge()`] turns it into rulings.
//! - `server_state` reads the scene from a server's repository, [`clone`] reads it from a clone.
//! - [`push`] takes the lock, judges, and moves refs. `pre_receive` judges early and moves nothing.
//!
//! Knows nothing of the terminal and of the command line.

mod checked_proposals;
pub mod clone;
pub mod commands;
mod fold;
pub mod judge;
mod lanes;
pub mod links;
mod lock;
mod messages;
mod names;
mod ordinary;
pub mod pkt_line;
mod plan;
pub mod pre_receive;
pub mod proc_receive;
mod protected;
pub mod push;
mod refusal;
mod ruling;
pub mod scene;
mod server_state;
pub mod settings;
mod unfounded;

pub use checked_proposals::CheckedProposals;
pub use commands::PushedRef;
pub use judge::{Judgement, judge};
pub use names::{is_ledger_name, is_protected};
pub use refusal::{Refusal, RefusalCode};
pub use ruling::Ruling;
pub use scene::Scene;
