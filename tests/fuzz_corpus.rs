//! Every input that a fuzzer has kept, the seeds that it starts from, and every input that once failed, held to what must be
//! true of any: `fuzz/README.md` tells how more are found.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../fuzz/checks/mod.rs"]
mod checks;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use git_quorum::consensus::{DiscountReason, FaultKind};

/// The files of a folder, by name; none if there is no such folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let found = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|file| file.unwrap().path());
    let mut files: Vec<_> = found
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The seeds of a target, what a search has kept, and what once failed, with names.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = checks::seeds::of(target, &root.join("ledger-spec"))
        .into_iter()
        .enumerate();
    let mut inputs: Vec<_> = seeds
        .map(|(n, seed)| (format!("{target}: seed {n}"), seed))
        .collect();
    inputs.extend(files(&root.join("fuzz/corpus").join(target)));
    inputs.extend(files(&root.join("fuzz/regressions").join(target)));
    inputs
}

#[test]
fn what_holds_of_any_input_holds_of_the_kept_ones() {
    for (target, check) in checks::TARGETS {
        for (name, input) in inputs(target) {
            let outcome = std::panic::catch_unwind(|| check(&input));
            assert!(outcome.is_ok(), "{name}");
        }
    }
}

#[test]
fn the_kept_ledgers_come_as_far_as_there_is_to_come() {
    let reached: Vec<_> = inputs("lanes")
        .iter()
        .map(|(_, input)| checks::lanes::reached(input))
        .collect();
    assert!(
        reached.iter().any(|r| r.honest > 8 && r.decided > 0),
        "a decision of members that do not lie"
    );
    assert!(
        reached.iter().any(|r| r.later > 0),
        "one under a later charter"
    );
    assert!(
        reached.iter().any(|r| r.convicting > 0 && r.broken == 0),
        "evidence where agreement holds"
    );
    assert!(
        reached.iter().any(|r| r.broken > 0),
        "a slot that is decided twice"
    );
    let refused: BTreeSet<_> = reached
        .iter()
        .flat_map(|r| r.refused.iter().copied())
        .collect();
    let missing: Vec<_> = DiscountReason::ALL
        .into_iter()
        .map(DiscountReason::code)
        .filter(|c| !refused.contains(c))
        .collect();
    assert_eq!(
        missing,
        ["BAD_AGREEMENT_SIGNATURE"],
        "which `dsse` meets: nothing is signed in the lanes"
    );
}

#[test]
fn the_kept_proofs_convict_of_every_kind_of_fault() {
    let proved: BTreeSet<_> = inputs("proof")
        .iter()
        .flat_map(|(_, input)| checks::proof::proved(input))
        .collect();
    assert_eq!(proved, FaultKind::ALL.into_iter().collect());
}
