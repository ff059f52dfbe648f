//! The example program of the library, run as its users would run it.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../examples/orchestrator.rs"]
mod orchestrator;

use std::process::Command;

#[test]
fn the_example_decides_a_change_and_moves_main_on_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let finished = orchestrator::run(folder.path()).unwrap();
    let output = Command::new("git")
        .args(["rev-parse", "refs/heads/main"])
        .env("GIT_DIR", &finished.server)
        .output()
        .unwrap();
    let main = String::from_utf8(output.stdout).unwrap();
    assert_eq!(main.trim(), finished.commit, "{}", finished.decided);
}
