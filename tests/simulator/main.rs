//! A deterministic simulator: many schedules of members, servers and faults in memory, with the program's own core.
//! `docs/simulator.md` says what is simulated and what is checked.
//!
//! `SIMULATOR_SCHEDULES=1000000 cargo test --profile search --test simulator schedules` runs more;
//! `SIMULATOR_SEED=7` runs one, and `SIMULATOR_TRACE=1` tells what happens in it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "../common/lab.rs"]
mod lab;
#[path = "../common/rng.rs"]
mod rng;

mod adversary;
mod archive;
mod checks;
mod coverage;
mod member;
mod plan;
mod schedules;
mod server;
mod world;
