//! A planted fault that the fuzzer must find, or its findings mean nothing: behind the program's own reader, on a line that
//! no seed has.
#![no_main]

use git_quorum::gate::pkt_line::{Packet, read};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut input = input;
    if let (Ok(Packet::Line(first)), Ok(Packet::Flush)) = (read(&mut input), read(&mut input)) {
        assert!(first != b"quorum", "found");
    }
});
