//! Starts the second verifier, `ledger-spec/verify.py`. Does not know what it must agree with.
#![allow(dead_code, reason = "each program uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::needs;

/// The path of the verifier.
pub const VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ledger-spec/verify.py");

/// Returns a Python that can run the verifier. `None` if this machine has none.
pub fn python() -> Option<String> {
    let python = std::env::var("GIT_QUORUM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python)
        .args(["-c", "import nacl.bindings"])
        .output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    needs::skip(
        "second-verifier",
        &format!("{python} is missing or has no PyNaCl"),
    );
    None
}

/// Lets a verifier check the vectors in these folders. Returns whether all agree, and the output.
pub fn check(python: &str, verifier: &Path, folders: &[PathBuf]) -> (bool, String) {
    let output = Command::new(python)
        .arg(verifier)
        .arg("--vectors")
        .args(folders)
        .output()
        .unwrap();
    let text = printed(&output);
    (output.status.success(), text)
}

/// Returns the output of the verifier, which must not crash on any input.
pub fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("Traceback"), "{text}");
    text
}
