//! Whole ledgers as vectors: for each rule of the tally one in which it is kept, and one in which it is broken.

mod charter_change;
mod evidence;
mod judgement;
mod order;
pub mod rules;
mod story;
mod voting;

pub use story::Named;

/// All of them.
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

/// One line for each, by name: `ledgers/README.md`.
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
