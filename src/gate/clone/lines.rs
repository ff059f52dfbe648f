//! What Git tells the hooks of a clone, line by line. Knows nothing of the rules, nor of where the lines come from.

use super::hooks::{NewValue, Update};
use crate::gate::PushedRef;
use crate::id::Oid;

/// A line that is not in a form that Git is known to write; its beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Git says {0:?}, which this program does not know")]
pub struct StrangeLine(String);

/// What `reference-transaction` gets: a line `old new ref` for each ref.
pub fn updates(input: &[u8]) -> Result<Vec<Update>, StrangeLine> {
    each_line(input, update)
}

/// What `pre-push` gets: a line `local-ref local-value remote-ref remote-value` for each ref.
pub fn pushes(input: &[u8]) -> Result<Vec<PushedRef>, StrangeLine> {
    each_line(input, pushed)
}

fn each_line<T>(input: &[u8], read: fn(&str) -> Option<T>) -> Result<Vec<T>, StrangeLine> {
    // A name that is no text is no name of a ref that is known here, and so is refused where it is protected.
    let text = String::from_utf8_lossy(input);
    let read = |line: &str| read(line).ok_or_else(|| StrangeLine(line.chars().take(200).collect()));
    text.lines().map(read).collect()
}

fn update(line: &str) -> Option<Update> {
    let parts: Vec<_> = line.splitn(3, ' ').collect();
    let [old, new, name] = parts.as_slice() else {
        return None;
    };
    let new = match new.strip_prefix("ref:") {
        Some(_) => NewValue::Symbolic,
        None => value(new)?.map_or(NewValue::Nothing, NewValue::Object),
    };
    let old = if old.starts_with("ref:") {
        None
    } else {
        value(old)?
    };
    Some(Update {
        name: (*name).to_owned(),
        old,
        new,
    })
}

/// What stands first may hold blanks.
fn pushed(line: &str) -> Option<PushedRef> {
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

/// An object, or zeros for none.
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
    fn every_form_of_an_update_is_read() {
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
    fn what_is_pushed_may_be_called_anything() {
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
