//! Crashes, races and full disks. The tests kill, delay and starve the real program and real Git at
//! every write. Afterwards nothing is lost, half done, or signed twice.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "../common/aftermath.rs"]
mod aftermath;
#[path = "../common/lab.rs"]
mod lab;
#[path = "../common/needs.rs"]
mod needs;
#[path = "../common/rng.rs"]
mod rng;
#[path = "../common/server.rs"]
mod server;
#[path = "../common/world.rs"]
mod world;

mod client;
mod disk;
mod gate;
mod harness;
mod install;
mod points;
mod races;
mod random;
