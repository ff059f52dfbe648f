//! Runs a deterministic simulator: many schedules of members, servers and faults in memory, with
//! the program's own core. `docs/simulator.md` describes the simulation and the checks.
//!
//! `SIMULATOR_SCHEDULES=1000000 cargo test --profile search --test simulator schedules` runs more;
//! `SIMULATOR_SEED=7` runs one seed, and `SIMULATOR_TRACE=1` prints its trace.
#![cfg(debug_assertions)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[cfg(unix)]
#[path = "../common/aftermath.rs"]
mod aftermath;
#[path = "../common/lab.rs"]
mod lab;
#[path = "../common/ledger_form.rs"]
mod ledger_form;
#[path = "../common/needs.rs"]
mod needs;
#[path = "../common/rng.rs"]
mod rng;
#[path = "../common/verifier.rs"]
mod verifier;
#[path = "../common/world.rs"]
mod world;

mod adversary;
mod archive;
mod checks;
mod controls;
mod coverage;
mod member;
mod plan;
mod real;
mod scenarios;
mod schedules;
mod second;
mod server;
mod timeline;
