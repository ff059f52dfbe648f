//! The server gate, by real pushes to a real bare repository.
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
#[path = "../common/server.rs"]
mod server;

mod attacks;
mod early;
mod links;
mod load;
mod names;
mod rules;
mod words;
