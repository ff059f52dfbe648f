//! Tests the protections of a repository instead of trusting its settings.
//!
//! Attempts what a protection should stop, by means that change nothing, and returns what happened as
//! plain data. Knows nothing of how findings are printed.

mod attempt;
mod clone;
mod findings;
mod server;
mod settings;
mod targets;

pub use clone::examine_clone;
pub use findings::{Diagnosis, Finding, RepositoryKind, Status, Weight};
pub use server::examine_server;
