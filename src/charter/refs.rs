//! Names of refs and patterns of protected ones.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::limits::REF_BYTES;
use super::text::{InternedNames, parsed};

/// A full ref name below `refs/`, by Git's own rules (git-check-ref-format), that is none of
/// git-quorum's or Git's internal ones.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(Arc<str>);

/// A protected ref, or all refs that begin with what stands before a final `*`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefPattern(String);

/// Why a text is no ref name or pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefNameError {
    /// Git would not take it as a full ref name.
    #[error("{0:?} is no full ref name that Git accepts (such as refs/heads/main)")]
    Form(String),
    /// Names that no decision can be about.
    #[error(
        "{0:?} is reserved: refs/quorum/, refs/replace/ and refs/namespaces/ cannot be protected"
    )]
    Reserved(String),
}

const RESERVED: [&str; 3] = ["refs/quorum/", "refs/replace/", "refs/namespaces/"];

fn check(text: &str, whole: &str) -> Result<(), RefNameError> {
    let refused = || RefNameError::Form(whole.chars().take(80).collect());
    let bad_byte = |b: u8| b <= b' ' || b == 0x7f || b"~^:?*[\\".contains(&b);
    if text.len() > REF_BYTES || !text.starts_with("refs/") || text.bytes().any(bad_byte) {
        return Err(refused());
    }
    if text.contains("..") || text.contains("@{") || text.ends_with('.') {
        return Err(refused());
    }
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if text.split('/').any(bad_part) || text.split('/').count() < 3 {
        return Err(refused());
    }
    Ok(())
}

impl RefName {
    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RefPattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern covers the ref.
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            None => name == self.0,
        }
    }

    /// The one ref that it covers, if it is no wildcard.
    pub fn exact(&self) -> Option<RefName> {
        self.0.parse().ok()
    }
}

impl FromStr for RefName {
    type Err = RefNameError;

    fn from_str(text: &str) -> Result<Self, RefNameError> {
        thread_local! {
            static INTERNED: InternedNames = InternedNames::default();
        }
        let check = || {
            check(text, text)?;
            match RESERVED
                .iter()
                .any(|r| text.to_ascii_lowercase().starts_with(r))
            {
                true => Err(RefNameError::Reserved(text.to_owned())),
                false => Ok(()),
            }
        };
        INTERNED.with(|names| names.get(text, check)).map(Self)
    }
}

impl FromStr for RefPattern {
    type Err = RefNameError;

    fn from_str(text: &str) -> Result<Self, RefNameError> {
        // A wildcard must be a good name whatever stands for it, and must not reach a reserved one.
        let sample = text
            .strip_suffix('*')
            .map_or_else(|| text.to_owned(), |p| format!("{p}x"));
        check(&sample, text)?;
        let lower = text.to_ascii_lowercase();
        let prefix = lower.strip_suffix('*').unwrap_or(&lower);
        let reaches =
            |r: &str| prefix.starts_with(r) || (text.ends_with('*') && r.starts_with(prefix));
        if RESERVED.iter().any(|r| reaches(r)) {
            return Err(RefNameError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text_type {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed(deserializer)
            }
        }
    };
}

text_type!(RefName);
text_type!(RefPattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ref_names_follow_git() {
        for good in [
            "refs/heads/main",
            "refs/tags/v1.0",
            "refs/heads/a/b",
            "refs/heads/é",
        ] {
            assert!(good.parse::<RefName>().is_ok(), "{good}");
        }
        let bad = [
            "main",
            "refs/heads",
            "refs/heads/",
            "refs//x",
            "refs/heads/.x",
            "refs/heads/a..b",
            "refs/heads/x.lock",
            "refs/heads/x.",
            "refs/heads/a b",
            "refs/heads/a\u{7f}",
            "refs/heads/a\nb",
            "refs/heads/@{x",
            "refs/heads/*",
            "refs/quorum/x/y",
            "refs/replace/x",
            "refs/namespaces/a/refs/heads/main",
            "HEAD",
        ];
        for bad in bad {
            assert!(bad.parse::<RefName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_final_star_covers_all_that_begins_so() {
        let release: RefPattern = "refs/heads/release/*".parse().unwrap();
        assert!(
            release.matches("refs/heads/release/1") && release.matches("refs/heads/release/1/2")
        );
        assert!(!release.matches("refs/heads/release/") && !release.matches("refs/heads/release"));
        let tags: RefPattern = "refs/tags/v*".parse().unwrap();
        assert!(tags.matches("refs/tags/v1") && !tags.matches("refs/tags/w"));
        let main: RefPattern = "refs/heads/main".parse().unwrap();
        assert!(main.matches("refs/heads/main") && !main.matches("refs/heads/main2"));
        for bad in [
            "refs/*",
            "refs/q*",
            "refs/heads/*x",
            "refs/heads/**",
            "*",
            "refs/quorum/*",
            "refs/QUORUM/*",
            "refs/namespaces/*",
        ] {
            assert!(bad.parse::<RefPattern>().is_err(), "{bad}");
        }
    }
}
