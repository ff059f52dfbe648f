//! What people and programs read: the help of every command, and its text and JSON answers, as
//! snapshots; every JSON answer against the schema that `git quorum schema` prints; and
//! `docs/json.md` against the list of codes.
//!
//! `INSTA_UPDATE=always cargo test --test answers` writes the snapshots anew. Read the difference
//! before you commit it.
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

mod errors;
mod help;
mod page;
mod stage;
mod story;
