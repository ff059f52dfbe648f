//! Planted faults, which must be found, or that none is found elsewhere says nothing. One stands behind the program's own reader,
//! which coverage leads past, and behind a number, which the traced comparison tells. The two others are given their inputs
//! by `fuzz/run`: they show that the limits on memory and time hold.
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
