//! The three kinds of hash that the program handles, each its own type, so that none is
//! taken for another. Knows nothing of what is hashed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Why a text is no hash of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not {1} lowercase hexadecimal digits")]
pub struct IdError(String, usize);

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The hash with these bytes.
            pub const fn new(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// Its first 12 hexadecimal digits, for people.
            pub fn short(&self) -> String {
                let mut text = self.to_string();
                text.truncate(12);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let refused = || IdError(text.chars().take(80).collect(), $bytes * 2);
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| refused())?;
                if text.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(refused());
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match serializer.is_human_readable() {
                    true => serializer.collect_str(self),
                    false => serializer.serialize_bytes(&self.0),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    let bytes = <&[u8]>::deserialize(deserializer)?;
                    return bytes.try_into().map(Self).map_err(serde::de::Error::custom);
                }
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hash_type!(
    /// A Git object id (SHA-1). Names an object in one repository; nothing is trusted because of it.
    Oid, 20
);
hash_type!(
    /// The id of an entry: the SHA-256 of its signed bytes. The id of the genesis entry is the
    /// ledger id; the id of an entry that proposes is the proposal's id; a charter's id is the
    /// genesis id or its proposal's id.
    EntryId, 32
);
hash_type!(
    /// A SHA-256 over content: a change digest, a state digest, a charter digest, a slot id.
    Digest, 32
);

impl Oid {
    /// The empty tree, which every entry has as its tree.
    pub const EMPTY_TREE: Oid = Oid::new([
        0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92,
        0x88, 0xfb, 0xee, 0x49, 0x04,
    ]);
}

impl Digest {
    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl EntryId {
    /// The id of the entry whose signed bytes these are.
    pub fn of(signed_bytes: &[u8]) -> Self {
        Self(Sha256::digest(signed_bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_lowercase_hex_is_a_hash() {
        let good = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert_eq!(good.parse(), Ok(Oid::EMPTY_TREE));
        assert_eq!(Oid::EMPTY_TREE.to_string(), good);
        for bad in [
            "",
            "4b82",
            &good.to_uppercase(),
            &format!("{good}00"),
            "zz825dc642cb6eb9a060e54bf8d69288fbee4904",
        ] {
            assert!(bad.parse::<Oid>().is_err(), "{bad:?}");
        }
    }
}
