//! Provenance: whether protected refs hold what was decided, and by which decisions. Returns typed
//! findings. Reads entries, refs and objects; does not know how findings are worded or printed.

mod backing;
mod decisions;
pub mod proof;
mod values;
mod verification;

pub use backing::{Backing, Place, RefAudit, audit_ref};
pub use decisions::{DecisionAudit, audit_decisions};
pub use values::{ProtectedValue, known_values, missing_entry, values_of};
pub use verification::{Policy, Verification, Violation, verify};
