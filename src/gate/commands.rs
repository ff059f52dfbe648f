//! The ref updates that a push asks for, as receive-pack lists them to its hooks. Knows no rules.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::pkt_line::PacketError;
use crate::id::Oid;

/// The most refs that one push may name.
pub const MAX_COMMANDS: usize = 250_000;
/// The most bytes that the commands of one push may have.
const MAX_BYTES: u64 = 1 << 27;

/// One ref of a push: the value that the pusher expects, and the value that it should get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedRef {
    /// The full name.
    pub name: String,
    /// The value that the pusher expects. `None` if the push creates the ref.
    pub old: Option<Oid>,
    /// The value after the push. `None` if the push deletes the ref.
    pub new: Option<Oid>,
}

/// A push, as receive-pack describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The refs, in the order in which Git lists them.
    pub refs: Vec<PushedRef>,
    /// Whether all refs must move or none. Git says this to `proc-receive` only.
    pub atomic: bool,
    /// The names as bytes. They need not be UTF-8.
    names: Vec<Vec<u8>>,
}

/// One command, parsed.
struct Command {
    pushed: PushedRef,
    name: Vec<u8>,
}

impl Push {
    /// Creates a push of these refs.
    pub fn new(refs: Vec<PushedRef>, atomic: bool) -> Self {
        let names = refs.iter().map(|r| r.name.clone().into_bytes()).collect();
        Self {
            refs,
            atomic,
            names,
        }
    }

    /// Parses lines of the form `old SP new SP name`.
    pub fn parse(lines: &[Vec<u8>], atomic: bool) -> Result<Self, PacketError> {
        let mut push = Self::new(Vec::new(), atomic);
        for line in lines {
            let command = parse_command(line).ok_or(PacketError::Form("a malformed command"))?;
            push.refs.push(command.pushed);
            push.names.push(command.name);
        }
        Ok(push)
    }

    /// Reads the input of `pre-receive`: one line for each command.
    pub fn read(input: impl Read) -> Result<Self, PacketError> {
        let mut text = Vec::new();
        input.take(MAX_BYTES).read_to_end(&mut text)?;
        if text.len() as u64 == MAX_BYTES {
            return Err(PacketError::Form("more lines than the limit"));
        }
        let Some(body) = text.strip_suffix(b"\n") else {
            return if text.is_empty() {
                Self::parse(&[], false)
            } else {
                Err(PacketError::Form("an incomplete last line"))
            };
        };
        let lines: Vec<_> = body.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        if lines.len() > MAX_COMMANDS {
            return Err(PacketError::Form("more lines than the limit"));
        }
        Self::parse(&lines, false)
    }

    /// Iterates over the names as bytes, as Git sent them.
    pub fn raw_names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice)
    }

    /// Whether the name of the ref at this position is valid UTF-8.
    pub fn is_text(&self, place: usize) -> bool {
        self.names
            .get(place)
            .is_some_and(|name| std::str::from_utf8(name).is_ok())
    }

    /// Returns the positions of all refs whose name occurs more than once.
    pub fn named_twice(&self) -> BTreeSet<usize> {
        let mut by_name: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
        for (place, name) in self.raw_names().enumerate() {
            by_name.entry(name).or_default().push(place);
        }
        by_name
            .into_values()
            .filter(|places| places.len() > 1)
            .flatten()
            .collect()
    }
}

/// Parses `old SP new SP name`. Returns `None` if the line has another form.
fn parse_command(line: &[u8]) -> Option<Command> {
    let mut parts = line.splitn(3, |b| *b == b' ');
    let old = parse_value(parts.next()?)?;
    let new = parse_value(parts.next()?)?;
    let name = parts.next()?;
    if !name.starts_with(b"refs/") {
        return None;
    }
    // A name that is not UTF-8 is judged by the text in it. So it counts as protected if it begins
    // like a protected name.
    let text = String::from_utf8_lossy(name).into_owned();
    let pushed = PushedRef {
        name: text,
        old,
        new,
    };
    Some(Command {
        pushed,
        name: name.to_vec(),
    })
}

/// Parses an object id. The outer `None` means malformed, the inner `None` means all zeros.
fn parse_value(text: &[u8]) -> Option<Option<Oid>> {
    let oid: Oid = std::str::from_utf8(text).ok()?.parse().ok()?;
    let is_zero = oid == Oid::new([0; 20]);
    Some((!is_zero).then_some(oid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> String {
        format!("{} {} {name}\n", Oid::new([0; 20]), Oid::new([1; 20]))
    }

    #[test]
    fn the_lines_of_pre_receive_are_read_whole_or_not_at_all() {
        let text = [
            line("refs/heads/a").as_bytes(),
            line("refs/heads/b c").as_bytes(),
        ]
        .concat();
        let push = Push::read(text.as_slice()).unwrap();
        let names: Vec<_> = push.refs.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(
            (names, push.atomic),
            (vec!["refs/heads/a", "refs/heads/b c"], false)
        );
        assert_eq!(push.refs[0].new, Some(Oid::new([1; 20])));
        assert!(Push::read(&b""[..]).unwrap().refs.is_empty());
        for bad in [
            "\n",
            "x\n",
            "\n\n",
            &line("heads/a"),
            &line("HEAD"),
            &text_without_end(),
            &format!("{}\n", line("refs/a")),
        ] {
            assert!(Push::read(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    fn text_without_end() -> String {
        line("refs/heads/a").trim_end().to_owned()
    }

    #[test]
    fn a_ref_that_is_named_twice_is_found_by_its_bytes() {
        let names: [&[u8]; 5] = [b"refs/a", b"refs/\xff", b"refs/b", b"refs/\xfe", b"refs/a"];
        let zero = Oid::new([0; 20]).to_string();
        let lines = names.map(|name| [format!("{zero} {zero} ").as_bytes(), name].concat());
        assert_eq!(
            Push::parse(&lines, true).unwrap().named_twice(),
            BTreeSet::from([0, 4])
        );
    }

    proptest::proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let _ = Push::read(bytes.as_slice());
        }
    }
}
