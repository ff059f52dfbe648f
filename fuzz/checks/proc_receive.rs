//! The conversation of the `proc-receive` hook. The first byte of the input selects the pieces in
//! which the rest arrives. It also selects whether the rest is already framed or consists of lines
//! to frame.

use std::io::Read;

use git_quorum::gate::commands::Push;
use git_quorum::gate::pkt_line::{self, Packet};
use git_quorum::gate::proc_receive::{ReceiveReport, RefReport, converse};

/// The answer does not depend on the pieces. Each ref gets an answer, in order and under its own
/// name, or there is no report at all.
pub fn check(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else {
        return;
    };
    let bytes = if how & 1 == 1 {
        framed(bytes)
    } else {
        bytes.to_vec()
    };
    let (said, push) = talk(&mut bytes.as_slice());
    let pieces = Pieces {
        bytes: &bytes,
        state: u32::from(*how),
    };
    assert_eq!(
        talk(&mut { pieces }),
        (said.clone(), push.clone()),
        "pieces make no difference"
    );
    check_said(&said, push.as_ref());
}

/// What the hook wrote, and the push that it judged and reported on.
fn talk(input: &mut impl Read) -> (Vec<u8>, Option<Push>) {
    let (mut output, mut asked) = (Vec::new(), None);
    let told = converse(input, &mut output, |push| {
        asked = Some(push.clone());
        ReceiveReport {
            refs: reports(push),
            messages: Vec::new(),
        }
    });
    (output, asked.filter(|_| told.is_ok()))
}

/// Returns every kind of answer, and one answer too few.
fn reports(push: &Push) -> Vec<RefReport> {
    let report = |(place, pushed): (usize, &git_quorum::gate::PushedRef)| match place % 3 {
        0 => RefReport::Refused(format!("no: {}\u{1b}[2J", pushed.name)),
        1 => RefReport::Moved,
        _ => RefReport::FallThrough,
    };
    push.refs.iter().enumerate().map(report).take(4).collect()
}

fn check_said(said: &[u8], push: Option<&Push>) {
    let mut said = said;
    let greeted = !said.is_empty();
    if greeted {
        let greeting = pkt_line::read_part(&mut said, 1).expect("a greeting in its form");
        assert!(greeting == [b"version=1".to_vec()] || greeting == [b"version=1\0atomic".to_vec()]);
    }
    let Some(push) = push else {
        // A name can be too long for an answer. The report then ends early.
        return assert!(
            said.is_empty() || pkt_line::read_part(&mut said, usize::MAX).is_err(),
            "half a report"
        );
    };
    assert!(greeted);
    for (place, name) in push.raw_names().enumerate() {
        let line = line(&mut said);
        match (place, place % 3) {
            // A line feed at the end of a line is not a part of it.
            (0..4, 1 | 2) => assert_eq!(
                line,
                [b"ok ", name.strip_suffix(b"\n").unwrap_or(name)].concat()
            ),
            _ => assert!(line.starts_with(&[b"ng ", name, b" "].concat())),
        }
        let reason = line.get(3 + name.len()..).unwrap_or_default();
        assert!(
            !reason.iter().any(u8::is_ascii_control),
            "a reason is one clean line"
        );
        if (0..4).contains(&place) && place % 3 == 2 {
            assert_eq!(self::line(&mut said), b"option fall-through");
        }
    }
    assert_eq!(pkt_line::read(&mut said).expect("an end"), Packet::Flush);
    assert!(said.is_empty(), "nothing follows the report");
}

fn line(said: &mut &[u8]) -> Vec<u8> {
    match pkt_line::read(said).expect("a line in its form") {
        Packet::Line(line) => line,
        Packet::Flush => panic!("a ref without an answer"),
    }
}

/// Returns each line as a packet, and an empty line as the end of a section.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut packets = Vec::new();
    for line in bytes.split(|b| *b == b'\n') {
        let written = match line {
            [] => pkt_line::flush(&mut packets),
            line => pkt_line::write(&mut packets, line),
        };
        if written.is_err() {
            break;
        }
    }
    packets
}

/// Bytes that arrive in pieces of 1 to 16 bytes, with interruptions.
struct Pieces<'a> {
    bytes: &'a [u8],
    state: u32,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.state = self
            .state
            .wrapping_mul(0x0019_660d)
            .wrapping_add(0x3c6e_f35f);
        let piece = (self.state >> 28) as usize;
        if piece == 0 {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let count = piece.min(into.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(count);
        into[..count].copy_from_slice(now);
        self.bytes = later;
        Ok(count)
    }
}
