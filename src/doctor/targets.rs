//! The refs that attempts aim at. Pure, but for the process id in temporary names.

use std::collections::BTreeMap;

use crate::charter::{Charter, RefPattern};
use crate::id::Oid;

/// A name for what is here only while it is tried.
pub(super) fn throw_away() -> String {
    format!("git-quorum-doctor-{}", std::process::id())
}

/// A ref that a pattern covers and that could be here.
pub(super) fn covered(pattern: &RefPattern) -> String {
    match pattern.as_str().strip_suffix('*') {
        Some(prefix) => format!("{prefix}{}", throw_away()),
        None => pattern.as_str().to_owned(),
    }
}

/// For each protected pattern, a ref that it covers: one that is here, or one that could be.
pub(super) fn targets(charter: &Charter, here: &BTreeMap<String, Oid>) -> Vec<String> {
    let target = |pattern: &RefPattern| {
        let found = here.keys().find(|name| pattern.matches(name)).cloned();
        found.unwrap_or_else(|| covered(pattern))
    };
    charter.protected().iter().map(target).collect()
}
