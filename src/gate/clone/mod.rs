//! What the hooks of a clone decide (spec, "Clones"). The rule is a pure function of what is decided and seen (`rule.rs`);
//! the rest reads the clone, and keeps the list by which the hooks' scripts tell whom to ask at all.

mod hooks;
mod known;
mod lines;
mod list;
mod rule;

pub use hooks::{NewValue, Update, judge_merge, judge_push, judge_transaction};
pub use lines::{StrangeLine, pushes, updates};
pub use list::{lines_of, write_protected};
pub use rule::allows;
