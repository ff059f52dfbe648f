//! Audits provenance: whether protected refs hold decided values, and which decisions lead to them.
//! Returns typed findings. Reads entries, refs and objects. Does not know how findings are worded
//! or printed.

mod backing;
mod decisions;
pub mod proof;
mod values;
mod verification;

pub use backing::{Backing, Place, RefAudit, audit_ref};
pub use decisions::{DecisionAudit, audit_decisions};
pub use values::{ProtectedValue, known_values, missing_entry, values_of};
pub use verification::{Policy, Verification, Violation, verify};
