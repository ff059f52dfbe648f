//! Sentences for people about reason codes and faults: why a statement does not count, and how a
//! member broke the rules. Pure functions from codes and data to text. Knows only the core: neither
//! Git, files, arguments nor the terminal.

mod discount;
mod fault;

pub use discount::discount_reason;
pub use fault::{broken_slot, fault_kind, fault_rule, fault_sentence};
