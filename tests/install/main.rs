//! `git quorum install` and `uninstall` beside whatever is there, with the real program, real Git and the real hook managers.
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

mod bench;
mod fetch;
mod managers;
mod paths;
mod plain;
mod server;
