//! Skips tests that need something which only some machines have.
//!
//! Usually `build.rs` notices that the thing is missing, and `cargo test` lists the test as
//! ignored. If the test runs anyway, it prints a line and ends. It fails instead if the environment
//! says that it must run.
#![allow(dead_code, reason = "each test uses a part of it")]

/// Skips a test of this group with a printed line. Panics if `GIT_QUORUM_REQUIRE` names the group.
pub fn skip(group: &str, why: &str) {
    let required = std::env::var("GIT_QUORUM_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == group),
        "{group} is required, and {why}"
    );
    println!("skipped: {why}");
}

/// Returns the folder of a newer git, for tests that run with two versions.
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
