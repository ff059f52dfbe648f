#![no_main]

use std::path::Path;

#[path = "../checks/mod.rs"]
mod checks;
mod untraced;

libfuzzer_sys::fuzz_target!(
    init: checks::seeds::write_if_asked("lanes", Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger-spec"))),
    |input: &[u8]| checks::lanes::check_in_shares(input)
);
