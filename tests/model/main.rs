//! A model check of the production code that judges votes and chooses the next one.
#![cfg(debug_assertions)]
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

mod agreement;
mod changing;
mod charters;
mod found;
mod going_on;
mod knowledge;
mod progress;
mod reduced;
mod table;

/// Whether the long searches are asked for.
fn long() -> bool {
    std::env::var_os("MODEL").is_some_and(|form| form == "long")
}
