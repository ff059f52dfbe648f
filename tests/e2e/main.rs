//! Tests the real program with real Git, from end to end.
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

mod lanes;
mod refs;
mod restore;
mod split;
mod story;
mod surroundings;
mod writers;
