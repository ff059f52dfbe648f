//! The conversation between receive-pack and its `proc-receive` hook (gitprotocol): the refs of a push
//! come in, and a report on each ref goes out. Knows no rules.

use std::io::{Read, Write};

use super::commands::{MAX_COMMANDS, Push};
use super::pkt_line::{self, PacketError};
use crate::fault;
use crate::repo::clean_text;

/// The most characters of a refusal's reason that are sent to Git.
const MAX_REASON: usize = 500;

/// What happened to one ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefReport {
    /// The ref has the pushed value.
    Moved,
    /// Git must move the ref itself.
    FallThrough,
    /// The ref did not move, for this reason.
    Refused(String),
}

/// What happened to a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiveReport {
    /// One report for each ref, in the order of the push.
    pub refs: Vec<RefReport>,
    /// Messages for the pusher.
    pub messages: Vec<String>,
}

/// Holds the conversation. `receive` judges the push and moves refs. Returns its messages.
///
/// After an error Git takes the whole push as refused.
pub fn converse(
    input: &mut impl Read,
    output: &mut impl Write,
    receive: impl FnOnce(&Push) -> ReceiveReport,
) -> Result<Vec<String>, PacketError> {
    let atomic = negotiate(input, output)?;
    let lines = pkt_line::read_part(input, MAX_COMMANDS)?;
    let push = Push::parse(&lines, atomic)?;
    let report = receive(&push);
    fault::point("gate.ruled");
    write_report(output, &push, &report.refs)?;
    fault::point("gate.answered");
    Ok(report.messages)
}

/// Agrees on version 1 and returns whether the push is atomic. Does not ask for push options, so
/// Git sends none.
fn negotiate(input: &mut impl Read, output: &mut impl Write) -> Result<bool, PacketError> {
    let lines = pkt_line::read_part(input, 1)?;
    let line = lines.first().ok_or(PacketError::Form("no version"))?;
    let mut parts = line.splitn(2, |b| *b == 0);
    if parts.next() != Some(b"version=1") {
        return Err(PacketError::Form("a version other than 1"));
    }
    let mut features = parts.next().unwrap_or_default().split(|b| *b == b' ');
    let atomic = features.any(|feature| feature == b"atomic");
    let reply: &[u8] = if atomic {
        b"version=1\0atomic"
    } else {
        b"version=1"
    };
    pkt_line::write(output, reply)?;
    pkt_line::flush(output)?;
    Ok(atomic)
}

fn write_report(
    output: &mut impl Write,
    push: &Push,
    reports: &[RefReport],
) -> Result<(), PacketError> {
    for (place, name) in push.raw_names().enumerate() {
        match reports.get(place) {
            Some(RefReport::Moved) => write_line(output, b"ok ", name, "")?,
            Some(RefReport::FallThrough) => {
                write_line(output, b"ok ", name, "")?;
                pkt_line::write(output, b"option fall-through")?;
            }
            Some(RefReport::Refused(reason)) => {
                write_line(output, b"ng ", name, &one_line(reason))?;
            }
            // A ref without a report must not count as moved.
            None => write_line(output, b"ng ", name, " nothing was decided about it")?,
        }
    }
    pkt_line::flush(output)
}

fn write_line(
    output: &mut impl Write,
    status: &[u8],
    name: &[u8],
    reason: &str,
) -> Result<(), PacketError> {
    let line = [status, name, reason.as_bytes()].concat();
    pkt_line::write(output, &line)
}

/// Formats a reason as the end of a report line, without control characters.
fn one_line(reason: &str) -> String {
    let text = clean_text(reason).replace(['\n', '\t'], " ");
    let text: String = text.chars().take(MAX_REASON).collect();
    let text = text.trim();
    format!(" {}", if text.is_empty() { "refused" } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Oid;

    fn packets(lines: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            if line.is_empty() {
                pkt_line::flush(&mut bytes).unwrap();
            } else {
                pkt_line::write(&mut bytes, line).unwrap();
            }
        }
        bytes
    }

    fn oid(n: u8) -> String {
        Oid::new([n; 20]).to_string()
    }

    #[test]
    fn each_ref_is_reported_in_order_under_the_name_that_git_sent() {
        let create = [
            format!("{} {} ", oid(0), oid(1)).as_bytes(),
            b"refs/heads/\xff",
        ]
        .concat();
        let delete = format!("{} {} refs/heads/b c", oid(1), oid(0));
        let input = packets(&[
            b"version=1\0push-options atomic",
            b"",
            &create,
            delete.as_bytes(),
            delete.as_bytes(),
            b"",
        ]);
        let mut output = Vec::new();
        let messages = converse(&mut input.as_slice(), &mut output, |push| {
            assert!(push.atomic && !push.is_text(0) && push.is_text(1));
            assert_eq!(
                (push.refs[0].old, push.refs[0].new),
                (None, Some(Oid::new([1; 20])))
            );
            assert_eq!(
                (push.refs[1].name.as_str(), push.refs[1].new),
                ("refs/heads/b c", None)
            );
            let refs = vec![
                RefReport::Moved,
                RefReport::FallThrough,
                RefReport::Refused("a\nb\u{1b}".into()),
            ];
            ReceiveReport {
                refs,
                messages: vec!["hello".into()],
            }
        });
        assert_eq!(messages.unwrap(), ["hello"]);
        let expected: [&[u8]; 7] = [
            b"version=1\0atomic",
            b"",
            b"ok refs/heads/\xff",
            b"ok refs/heads/b c",
            b"option fall-through",
            b"ng refs/heads/b c a b",
            b"",
        ];
        assert_eq!(output, packets(&expected));
    }

    #[test]
    fn a_ref_without_a_report_is_reported_as_refused() {
        let command = format!("{} {} refs/heads/a", oid(0), oid(1));
        let input = packets(&[b"version=1", b"", command.as_bytes(), b""]);
        let mut output = Vec::new();
        converse(&mut input.as_slice(), &mut output, |push| {
            assert!(!push.atomic);
            ReceiveReport::default()
        })
        .unwrap();
        assert!(String::from_utf8_lossy(&output).contains("ng refs/heads/a nothing was decided"));
    }

    #[test]
    fn a_malformed_conversation_is_an_error_before_anything_is_judged() {
        let good = format!("{} {} refs/heads/a", oid(0), oid(1));
        let upper = good.replace("01", "AB");
        let bad: [&[&[u8]]; 9] = [
            &[b"version=2", b"", b""],
            &[b""],
            &[b"version=1", b"version=1", b"", b""],
            &[b"version=1", b""],
            &[b"version=1", b"", good.as_bytes()],
            &[b"version=1", b"", b"x", b""],
            &[b"version=1", b"", b"0 0 refs/heads/a", b""],
            &[b"version=1", b"", &good.as_bytes()[..83], b""],
            &[b"version=1", b"", upper.as_bytes(), b""],
        ];
        for lines in bad {
            let result = converse(
                &mut packets(lines).as_slice(),
                &mut Vec::new(),
                |_| unreachable!(),
            );
            assert!(result.is_err(), "{lines:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let _ = converse(&mut bytes.as_slice(), &mut Vec::new(), |_| ReceiveReport::default());
            let framed = packets(&[b"version=1", b""]);
            let _ = converse(&mut [framed, bytes].concat().as_slice(), &mut Vec::new(), |_| ReceiveReport::default());
        }
    }
}
