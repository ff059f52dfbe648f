//! Starts the second verifier, `ledger-spec/verify.py`. Knows nothing of what it is to agree on.
#![allow(dead_code, reason = "each program uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::needs;

/// Where it is.
pub const VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ledger-spec/verify.py");

/// A Python that can run the verifier, unless this machine has none.
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

/// Has a verifier check the vectors below these folders; whether all agree, and what it printed.
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

/// What it printed; it ends by itself, whatever it reads.
pub fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("Traceback"), "{text}");
    text
}
