//! The conversation with receive-pack (gitprotocol of the `proc-receive` hook): the refs of a push come in, what
//! became of each goes out. Knows nothing of the rules.

use std::io::{Read, Write};

use super::commands::{MAX_COMMANDS, Push};
use super::pkt_line::{self, PacketError};
use crate::fault;
use crate::repo::clean_text;

/// What became of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has the pushed value.
    Moved,
    /// Git is to move it.
    FallThrough,
    /// It did not move, for this reason.
    Refused(String),
}

/// What became of the push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruling {
    /// What became of each ref, in order.
    pub answers: Vec<Answer>,
    /// What to tell people.
    pub says: Vec<String>,
}

/// Holds the conversation; `rule` decides and moves. An error means that Git takes the whole push as refused.
pub fn converse(
    input: &mut impl Read,
    output: &mut impl Write,
    rule: impl FnOnce(&Push) -> Ruling,
) -> Result<Vec<String>, PacketError> {
    let atomic = greet(input, output)?;
    let push = Push::parse(&pkt_line::read_part(input, MAX_COMMANDS)?, atomic)?;
    let ruling = rule(&push);
    fault::point("gate.ruled");
    report(output, &push, &ruling)?;
    fault::point("gate.answered");
    Ok(ruling.says)
}

/// Settles the version and features. Push options are not asked for, so that none come.
fn greet(input: &mut impl Read, output: &mut impl Write) -> Result<bool, PacketError> {
    let lines = pkt_line::read_part(input, 1)?;
    let line = lines.first().ok_or(PacketError::Form("no version"))?;
    let mut parts = line.splitn(2, |b| *b == 0);
    if parts.next() != Some(b"version=1") {
        return Err(PacketError::Form("a version other than 1"));
    }
    let mut features = parts.next().unwrap_or_default().split(|b| *b == b' ');
    let atomic = features.any(|feature| feature == b"atomic");
    pkt_line::write(
        output,
        if atomic {
            b"version=1\0atomic"
        } else {
            b"version=1"
        },
    )?;
    pkt_line::flush(output)?;
    Ok(atomic)
}

fn report(output: &mut impl Write, push: &Push, ruling: &Ruling) -> Result<(), PacketError> {
    for (place, name) in push.raw_names().enumerate() {
        let line = |word: &str, rest: &str| [word.as_bytes(), b" ", name, rest.as_bytes()].concat();
        match ruling.answers.get(place) {
            Some(Answer::Moved) => pkt_line::write(output, &line("ok", ""))?,
            Some(Answer::FallThrough) => {
                pkt_line::write(output, &line("ok", ""))?;
                pkt_line::write(output, b"option fall-through")?;
            }
            Some(Answer::Refused(reason)) => {
                pkt_line::write(output, &line("ng", &one_line(reason)))?
            }
            None => pkt_line::write(output, &line("ng", " nothing was decided about it"))?,
        }
    }
    pkt_line::flush(output)
}

/// A reason as a part of a line.
fn one_line(reason: &str) -> String {
    let text: String = clean_text(reason)
        .replace(['\n', '\t'], " ")
        .chars()
        .take(500)
        .collect();
    format!(
        " {}",
        if text.trim().is_empty() {
            "refused"
        } else {
            text.trim()
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Oid;

    fn packets(lines: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            match line.is_empty() {
                true => pkt_line::flush(&mut bytes).unwrap(),
                false => pkt_line::write(&mut bytes, line).unwrap(),
            }
        }
        bytes
    }

    fn oid(n: u8) -> String {
        Oid::new([n; 20]).to_string()
    }

    #[test]
    fn each_ref_gets_its_answer_in_order_and_by_the_name_that_came() {
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
        let says = converse(&mut input.as_slice(), &mut output, |push| {
            assert!(push.atomic && !push.is_text(0) && push.is_text(1));
            assert_eq!(
                (push.refs[0].old, push.refs[0].new),
                (None, Some(Oid::new([1; 20])))
            );
            assert_eq!(
                (push.refs[1].name.as_str(), push.refs[1].new),
                ("refs/heads/b c", None)
            );
            let answers = vec![
                Answer::Moved,
                Answer::FallThrough,
                Answer::Refused("a\nb\u{1b}".into()),
            ];
            Ruling {
                answers,
                says: vec!["hello".into()],
            }
        });
        assert_eq!(says.unwrap(), ["hello"]);
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
    fn an_answer_that_is_missing_is_a_refusal() {
        let command = format!("{} {} refs/heads/a", oid(0), oid(1));
        let input = packets(&[b"version=1", b"", command.as_bytes(), b""]);
        let mut output = Vec::new();
        converse(&mut input.as_slice(), &mut output, |push| {
            assert!(!push.atomic);
            Ruling::default()
        })
        .unwrap();
        assert!(String::from_utf8_lossy(&output).contains("ng refs/heads/a nothing was decided"));
    }

    #[test]
    fn anything_else_is_an_error_before_the_rules_are_asked() {
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
            let _ = converse(&mut bytes.as_slice(), &mut Vec::new(), |_| Ruling::default());
            let framed = packets(&[b"version=1", b""]);
            let _ = converse(&mut [framed, bytes].concat().as_slice(), &mut Vec::new(), |_| Ruling::default());
        }
    }
}
