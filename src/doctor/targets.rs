//! The refs that attempts aim at. Pure, but for the process id in temporary names.

use std::collections::BTreeMap;

use crate::charter::{Charter, RefPattern};
use crate::id::Oid;

/// Returns a name for a ref that exists only during an attempt.
pub(super) fn throw_away() -> String {
    format!("git-quorum-doctor-{}", std::process::id())
}

/// Returns the name of a ref that a pattern covers.
pub(super) fn covered(pattern: &RefPattern) -> String {
    match pattern.as_str().strip_suffix('*') {
        Some(prefix) => format!("{prefix}{}", throw_away()),
        None => pattern.as_str().to_owned(),
    }
}

/// Returns one ref for each protected pattern: a ref that exists, or else one that could exist.
pub(super) fn targets(charter: &Charter, here: &BTreeMap<String, Oid>) -> Vec<String> {
    let target = |pattern: &RefPattern| {
        let found = here.keys().find(|name| pattern.matches(name)).cloned();
        found.unwrap_or_else(|| covered(pattern))
    };
    charter.protected().iter().map(target).collect()
}
