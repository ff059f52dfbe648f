//! Sentences for people about what the core found: why a statement does not count, and what a member
//! did against the rules. Pure functions from codes and data to text. Knows the core only: neither Git,
//! files, arguments nor the terminal.

mod discount;
mod fault;

pub use discount::discount_reason;
pub use fault::{broken_slot, fault_kind, fault_rule, fault_sentence};
