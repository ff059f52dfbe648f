//! The commands of a push, as receive-pack tells its hooks of them. Knows nothing of the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::pkt_line::PacketError;
use super::rules::PushedRef;
use crate::id::Oid;

/// The most refs that a push may name.
pub const MAX_COMMANDS: usize = 250_000;
/// The most bytes of the commands of a push.
const MAX_BYTES: u64 = 1 << 27;

/// A push, as receive-pack tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Its refs.
    pub refs: Vec<PushedRef>,
    /// Whether all or none are to move. Only `proc-receive` is told.
    pub atomic: bool,
    /// The names as they came, which need not be text.
    names: Vec<Vec<u8>>,
}

impl Push {
    /// A push of these refs.
    pub fn new(refs: Vec<PushedRef>, atomic: bool) -> Self {
        let names = refs.iter().map(|r| r.name.clone().into_bytes()).collect();
        Self {
            refs,
            atomic,
            names,
        }
    }

    /// The push that these lines, `old SP new SP name`, tell of.
    pub fn parse(lines: &[Vec<u8>], atomic: bool) -> Result<Self, PacketError> {
        let commands = lines
            .iter()
            .map(|line| command(line).ok_or(PacketError::Form("a command that is none")));
        let (refs, names) = commands.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok(Self {
            refs,
            atomic,
            names,
        })
    }

    /// Reads what `pre-receive` gets: a line for each command.
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
                Err(PacketError::Form("half a line"))
            };
        };
        let lines: Vec<_> = body.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        if lines.len() > MAX_COMMANDS {
            return Err(PacketError::Form("more lines than the limit"));
        }
        Self::parse(&lines, false)
    }

    /// The names as they came.
    pub fn raw_names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice)
    }

    /// Whether the name of this ref is text.
    pub fn is_text(&self, place: usize) -> bool {
        self.names
            .get(place)
            .is_some_and(|name| std::str::from_utf8(name).is_ok())
    }

    /// The places of the refs that are named more than once.
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

/// `old SP new SP name`.
fn command(line: &[u8]) -> Option<(PushedRef, Vec<u8>)> {
    let mut parts = line.splitn(3, |b| *b == b' ');
    let (old, new, name) = (value(parts.next()?)?, value(parts.next()?)?, parts.next()?);
    if !name.starts_with(b"refs/") {
        return None;
    }
    // A name that is no text is judged by the text in it: what begins like a protected ref counts as one.
    let text = String::from_utf8_lossy(name).into_owned();
    Some((
        PushedRef {
            name: text,
            old,
            new,
        },
        name.to_vec(),
    ))
}

/// An object id; zeros mean none.
fn value(text: &[u8]) -> Option<Option<Oid>> {
    let oid: Oid = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some((oid != Oid::new([0; 20])).then_some(oid))
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
