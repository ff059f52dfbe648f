//! The whole story over the transports that people use: smart HTTP, ssh, gitolite, and two remotes.
//!
//! The tests need nginx, fcgiwrap, sshd and gitolite.  A test whose program is missing is skipped
//! with a printed line, unless `GIT_QUORUM_REQUIRE` names `transports`.
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

mod gitolite;
mod http;
mod remotes;
mod service;
mod ssh;
mod story;
