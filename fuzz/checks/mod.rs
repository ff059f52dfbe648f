//! Checks what must hold for any input, with one file for each target. Knows nothing of the fuzzer:
//! the fuzz targets and `tests/fuzz_corpus.rs` share this module.
#![allow(dead_code, reason = "each program uses a part of it")]

pub mod charter;
pub mod dsse;
pub mod entry;
pub mod hook_input;
pub mod known;
pub mod lanes;
pub mod proc_receive;
pub mod proof;
pub mod seeds;
pub mod sshsig;

/// Checks an input. Panics if something does not hold.
pub type Check = fn(&[u8]);

/// The targets, by name.
pub const TARGETS: [(&str, Check); 8] = [
    ("entry", entry::check),
    ("charter", charter::check),
    ("sshsig", sshsig::check),
    ("dsse", dsse::check),
    ("lanes", lanes::check),
    ("proc_receive", proc_receive::check),
    ("hook_input", hook_input::check),
    ("proof", proof::check),
];
