//! What makes the program pleasant: colours, progress, man pages, completions, the graph, and output that ends.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "../common/lab.rs"]
mod lab;
#[path = "../common/needs.rs"]
mod needs;
#[path = "../common/world.rs"]
mod world;

mod colours;
mod completions;
mod many;
mod observer;
mod pages;
mod progress;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use world::World;

/// Where the program under test lies, and what it is called.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_git-quorum");

/// Whether everything that a test needs beside the usual is here; if not, says so, and fails where it must be.
pub fn have(needs: &[&str]) -> bool {
    let path = std::env::var("PATH").unwrap();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let is_here = |need: &&&str| {
        Path::new(need).exists() || folders.iter().any(|folder| folder.join(need).is_file())
    };
    let missing: Vec<_> = needs.iter().filter(|need| !is_here(need)).collect();
    if !missing.is_empty() {
        needs::skip("comfort", &format!("{missing:?} is not here"));
    }
    missing.is_empty()
}

/// What `make install` leaves, made once for all tests that need it.
pub fn install(world: &World) -> PathBuf {
    let prefix = world.path("prefix");
    let mut make = world.command("make", Path::new(env!("CARGO_MANIFEST_DIR")));
    make.args(["-s", "install", "CARGO=:"])
        .arg(format!("BINARY={PROGRAM}"));
    finished(make.arg(format!("PREFIX={}", prefix.display())));
    prefix
}

/// Runs a command that must succeed; what it printed.
pub fn finished(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{command:?}: {status}\n{out}\n{err}");
    out.into_owned()
}

/// Puts the programs of a prefix before the others.
pub fn with_path(command: &mut Command, prefix: &Path) {
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", prefix.join("bin").display()));
}
