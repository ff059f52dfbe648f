//! Writes random ledgers in the form of `ledger-spec/vectors/ledgers/`, with what the tally finds.
//!
//! `cargo run --example random-ledgers -- --seed S --count N DIR` writes `DIR/random-<seed>.json`
//! for the seeds from S to S + N - 1. The same seed gives the same file each time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::fs;
use std::path::PathBuf;

use clap::Parser;

#[path = "../tests/common/lab.rs"]
mod lab;
#[path = "../tests/common/ledger_form.rs"]
mod ledger_form;
#[path = "../tests/common/random_ledgers.rs"]
mod random_ledgers;
#[path = "../tests/common/rng.rs"]
mod rng;

use ledger_form::{LedgerVector, expected};

/// Writes random ledgers, with the findings of the tally.
#[derive(Parser)]
struct Args {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The number of ledgers.
    #[arg(long, default_value_t = 100)]
    count: u64,
    /// The folder to write to. It is created if it does not exist.
    dir: PathBuf,
}

fn main() {
    let args = Args::parse();
    fs::create_dir_all(&args.dir).unwrap();
    for seed in args.seed..args.seed + args.count {
        let lab = random_ledgers::ledger(seed);
        let vector = LedgerVector {
            about: format!("the random ledger of seed {seed}"),
            rule: "any".to_owned(),
            kept: false,
            expected: expected(&lab.tally),
            entries: lab.made.into_iter().map(|made| made.raw).collect(),
        };
        fs::write(
            args.dir.join(format!("random-{seed}.json")),
            vector.to_json(),
        )
        .unwrap();
    }
}
