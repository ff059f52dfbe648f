//! What only some machines have: a test that needs it is left out with a line that says so, and fails where the environment
//! says that it must run.
#![allow(dead_code, reason = "each test uses a part of it")]

/// Leaves a test out that needs something of this group, unless `GIT_QUORUM_REQUIRE` names the group.
pub fn skip(group: &str, why: &str) {
    let required = std::env::var("GIT_QUORUM_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == group),
        "{group} is required, and {why}"
    );
    println!("skipped: {why}");
}

/// The folder of a newer git, for tests that run with two.
pub fn newer_git() -> Option<String> {
    let folder = std::env::var("GIT_QUORUM_NEWER_GIT").ok();
    if folder.is_none() {
        skip(
            "newer-git",
            "GIT_QUORUM_NEWER_GIT names no folder with a newer git",
        );
    }
    folder
}
