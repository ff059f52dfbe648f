//! Regenerates `ledger-spec/vectors/`: `cargo run --example vectors`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::fs;
use std::path::Path;

#[path = "../tests/common/lab.rs"]
mod lab;
#[path = "../tests/common/ledger_form.rs"]
mod ledger_form;
#[path = "../tests/common/vectors/mod.rs"]
mod vectors;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-spec/vectors");
    for folder in ["valid", "invalid", "ledgers", "proofs"] {
        // Files of vectors that are no longer generated would look like vectors.
        let _ = fs::remove_dir_all(root.join(folder));
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let files = vectors::files();
    for (path, bytes) in &files {
        fs::write(root.join(path), bytes).unwrap();
    }
    println!("{} files in ledger-spec/vectors", files.len());
}
