//! Parses what Git tells the hooks of a clone, line by line. Knows no rules, and not where the lines
//! come from.

use crate::gate::commands::PushedRef;
use crate::id::Oid;

/// One ref of a transaction that Git has prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The full name.
    pub name: String,
    /// The value that the ref must have before. `None` if it must not exist, and also if Git does
    /// not care.
    pub old: Option<Oid>,
    /// The value after.
    pub new: NewValue,
}

/// The value that a transaction gives a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewValue {
    /// The ref will hold this object.
    Object(Oid),
    /// The ref will be deleted.
    Nothing,
    /// The ref will be symbolic.
    Symbolic,
}

/// A line in a form that Git is not known to write. Holds the start of the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Git sent the hook a line that this program does not know: {0:?}")]
pub struct StrangeLine(String);

/// The most characters of a strange line that an error quotes.
const MAX_QUOTED: usize = 200;

/// Parses the input of `reference-transaction`: a line `old new ref` for each ref.
pub fn updates(input: &[u8]) -> Result<Vec<Update>, StrangeLine> {
    parse_lines(input, update)
}

/// Parses the input of `pre-push`: a line `local-ref local-value remote-ref remote-value` for each
/// ref.
pub fn pushes(input: &[u8]) -> Result<Vec<PushedRef>, StrangeLine> {
    parse_lines(input, pushed)
}

fn parse_lines<T>(input: &[u8], parse: fn(&str) -> Option<T>) -> Result<Vec<T>, StrangeLine> {
    // A name that is not UTF-8 matches no known ref. So it is refused where it is protected.
    let text = String::from_utf8_lossy(input);
    let parse = |line: &str| {
        let strange = || StrangeLine(line.chars().take(MAX_QUOTED).collect());
        parse(line).ok_or_else(strange)
    };
    text.lines().map(parse).collect()
}

fn update(line: &str) -> Option<Update> {
    let parts: Vec<_> = line.splitn(3, ' ').collect();
    let [old, new, name] = parts.as_slice() else {
        return None;
    };
    let old = if old.starts_with("ref:") {
        None
    } else {
        value(old)?
    };
    let new = if new.starts_with("ref:") {
        NewValue::Symbolic
    } else {
        value(new)?.map_or(NewValue::Nothing, NewValue::Object)
    };
    Some(Update {
        name: (*name).to_owned(),
        old,
        new,
    })
}

fn pushed(line: &str) -> Option<PushedRef> {
    // The local ref can contain spaces, so the line is split from its end.
    let parts: Vec<_> = line.rsplitn(4, ' ').collect();
    let [old, name, new, _] = parts.as_slice() else {
        return None;
    };
    Some(PushedRef {
        name: (*name).to_owned(),
        old: value(old)?,
        new: value(new)?,
    })
}

/// Parses an object id. The outer `None` means malformed, the inner `None` means all zeros.
fn value(text: &str) -> Option<Option<Oid>> {
    if !text.is_empty() && text.bytes().all(|b| b == b'0') {
        return Some(None);
    }
    text.parse().ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "0000000000000000000000000000000000000000";

    fn oid(n: u8) -> Oid {
        Oid::new([n; 20])
    }

    #[test]
    fn every_form_of_an_update_line_is_parsed() {
        let name = "refs/heads/main".to_owned();
        let read = |old: &str, new: &str| update(&format!("{old} {new} {name}")).unwrap();
        let expected = |old, new| Update {
            name: name.clone(),
            old,
            new,
        };
        let (one, two) = (oid(1), oid(2));
        assert_eq!(
            read(&one.to_string(), &two.to_string()),
            expected(Some(one), NewValue::Object(two))
        );
        assert_eq!(read(ZEROS, ZEROS), expected(None, NewValue::Nothing));
        assert_eq!(
            read(ZEROS, "ref:refs/heads/x"),
            expected(None, NewValue::Symbolic)
        );
        assert_eq!(
            read("ref:refs/heads/x", &two.to_string()),
            expected(None, NewValue::Object(two))
        );
        for strange in [
            "",
            "x",
            "a b c",
            &format!("{one} {two}"),
            &format!("{one} x {name}"),
            &format!(" {two} {name}"),
        ] {
            assert!(update(strange).is_none(), "{strange:?}");
        }
    }

    #[test]
    fn the_local_name_in_a_push_line_can_be_anything() {
        let (old, new) = (oid(1), oid(2));
        let expected = PushedRef {
            name: "refs/heads/main".to_owned(),
            old: Some(old),
            new: Some(new),
        };
        for local in ["refs/heads/topic", "HEAD@{1 day ago}", ":/fix refs/heads/x"] {
            assert_eq!(
                pushed(&format!("{local} {new} refs/heads/main {old}")).unwrap(),
                expected,
                "{local}"
            );
        }
        let deletion = pushed(&format!("(delete) {ZEROS} refs/heads/main {old}")).unwrap();
        assert_eq!(
            deletion,
            PushedRef {
                new: None,
                ..expected
            }
        );
        assert!(pushed("a b c").is_none() && pushed("a b c d").is_none());
    }
}
