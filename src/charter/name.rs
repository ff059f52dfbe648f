//! Member names: short, lowercase, safe in a ref, in a file name on any system, and on a terminal.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::limits::NAME_BYTES;
use super::text::{InternedNames, parsed};

/// A name matching `[a-z0-9][a-z0-9-]{0,31}` that is no Windows device name. Members, roles and
/// fault domains are named by it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberName(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It does not have the form of a name.
    #[error("{0:?} is no name: use 1 to 32 of a-z, 0-9 and '-', beginning with a letter or digit")]
    Form(String),
    /// Windows reserves it for a device.
    #[error("{0:?} is reserved for a device on Windows: choose another name")]
    Device(String),
}

impl MemberName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MemberName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        thread_local! {
            static INTERNED: InternedNames = InternedNames::default();
        }
        INTERNED
            .with(|names| names.get(text, || check(text)))
            .map(Self)
    }
}

fn check(text: &str) -> Result<(), NameError> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let formed = text.len() <= NAME_BYTES
        && text.bytes().next().is_some_and(letter)
        && text.bytes().all(|b| letter(b) || b == b'-');
    if !formed {
        return Err(NameError::Form(text.chars().take(80).collect()));
    }
    if is_windows_device(text) {
        return Err(NameError::Device(text.to_owned()));
    }
    Ok(())
}

fn is_windows_device(name: &str) -> bool {
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    matches!(name, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for MemberName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MemberName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_format_says() {
        for good in [
            "a",
            "alice",
            "ci-bot-2",
            "0",
            &"x".repeat(32),
            "com10",
            "console",
        ] {
            assert!(good.parse::<MemberName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "Alice",
            "a_b",
            "a.b",
            "a/b",
            "é",
            &"x".repeat(33),
            "con",
            "com1",
            "lpt0",
            "nul",
        ] {
            assert!(bad.parse::<MemberName>().is_err(), "{bad}");
        }
    }
}
