//! Lets several signers agree on the values of protected Git refs.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod audit;
pub mod charter;
pub mod cli;
pub mod client;
pub mod consensus;
pub mod doctor;
pub mod fault;
pub mod gate;
pub mod id;
pub mod install;
mod lazy_table;
pub mod ledger;
pub mod mutation;
pub mod repo;
pub mod signer;
pub mod store;
pub mod wording;
