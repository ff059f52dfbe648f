//! Whole ledgers as vectors. For each rule of the tally, one ledger keeps the rule and one breaks
//! it.

mod charter_change;
mod evidence;
mod judgement;
mod order;
pub mod rules;
mod story;
mod voting;

pub use story::Named;

/// Returns all ledgers.
pub fn all() -> Vec<Named> {
    [
        judgement::vectors(),
        voting::vectors(),
        order::vectors(),
        charter_change::vectors(),
        evidence::vectors(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns one line for each ledger, by name: `ledgers/README.md`.
pub fn index(vectors: &[Named]) -> String {
    let mut lines: Vec<_> = vectors
        .iter()
        .map(|v| format!("| [{0}]({0}.json) | {1} |\n", v.name, v.vector.about))
        .collect();
    lines.sort();
    let head = "# Vectors of whole ledgers\n\nThe form is explained [one folder up](../README.md). This page is generated.\n\n\
        | ledger | shows |\n| --- | --- |\n";
    head.to_owned() + &lines.concat()
}
