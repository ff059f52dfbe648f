//! Planted faults that a search must find. Otherwise a search without findings elsewhere means
//! nothing.
//!
//! One fault is behind the program's own parser, where coverage leads the search, and behind a
//! number, which the traced comparisons reveal. `fuzz/run` gives the inputs for the two others,
//! which show that the limits on memory and time work.
#![no_main]

use std::hint::black_box;

use git_quorum::gate::pkt_line::{Packet, read};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let (Ok(Packet::Line(line)), Ok(Packet::Flush)) = (read(&mut input), read(&mut input)) else {
        return;
    };
    match line.as_slice() {
        b"memory" => drop(black_box(vec![0_u8; 1 << 33])),
        b"time" => while black_box(true) {},
        line => assert!(
            line.try_into().ok().map(u32::from_be_bytes) != Some(0x7175_6f72),
            "the planted fault"
        ),
    }
});
