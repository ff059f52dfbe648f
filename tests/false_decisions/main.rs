//! Tests attacks that make a false decision look true, make an honest member look guilty, or hide a
//! true decision. Each row of the last tables in `docs/threat-model.md` has a test.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "../common/lab.rs"]
mod lab;
#[path = "../common/world.rs"]
mod world;

mod clones;
mod copies;
mod servers;
mod votes;

pub const FOUR: [&str; 4] = ["a", "b", "c", "d"];
