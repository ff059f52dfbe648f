//! The hooks of a clone (spec, "Clones"): they keep protected refs of the clone where decisions put
//! them.
//!
//! - `rule` is the rule, a pure function of what is decided and what the remote was seen to hold.
//! - `state` reads what the clone knows. `hooks` asks the rule.
//! - `protected_list` keeps the list by which the hooks' scripts know whether to ask at all.
//!
//! Knows nothing of the terminal, and nothing of how Git is led to the hooks.

mod hooks;
mod protected_list;
mod rule;
mod state;
mod transaction;

pub use hooks::{PushTarget, judge_merge, judge_push, judge_transaction};
pub use protected_list::lines_of;
pub use rule::allows;
pub use transaction::{NewValue, StrangeLine, Update, pushes, updates};
