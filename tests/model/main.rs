//! A model check of the production code that judges votes and chooses the next one.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "../common/lab.rs"]
mod lab;

mod found;
mod reduced;
mod table;

use reduced::{Setup, search};

#[test]
fn probe() {
    let number = |n: usize| std::env::args().nth(0).map(|_| n).unwrap();
    let read = |name: &str, d: usize| std::env::var(name).ok().and_then(|t| t.parse().ok()).unwrap_or(number(d));
    let mut setup = Setup::new(read("N", 4), read("L", 1), read("V", 2), read("R", 2));
    setup.folded = read("F", 0) == 1;
    setup.check_fold = read("C", 0) == 1;
    setup.most = read("MOST", 20000);
    println!("{}", search(&setup));
}
