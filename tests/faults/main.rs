//! Tests forensics: every kind of fault and the convicted member, honest members that are never
//! accused, proofs that strangers check, files that prove nothing, and the pages that describe
//! this.
//!
//! `FAULTS_CASES=20000 cargo test --profile search --test faults` runs more random ledgers; `FAULTS_SEED=n` starts elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "../common/lab.rs"]
mod lab;
#[path = "../common/rng.rs"]
mod rng;
#[cfg(unix)]
#[path = "../common/world.rs"]
mod world;

mod broken;
mod hands;
mod honest;
mod hostile;
mod kinds;
#[cfg(unix)]
mod real;
#[path = "../common/scenes.rs"]
mod scenes;
