//! Public keys as the charter admits them, and the one rule by which signatures are checked.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ssh_key::public::{Ed25519PublicKey, KeyData};

/// An ed25519 key that was admitted once: canonical, torsion-free, not weak. Written as OpenSSH
/// writes it, without a comment: `ssh-ed25519 AAAA...`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// How many keys are remembered at most: more than a charter can name.
const MOST_ADMITTED: usize = 1024;

thread_local! {
    /// Keys that were admitted before. The entries of a ledger name the same few keys again and again,
    /// and to examine one costs more than to check a signature.
    static ADMITTED: RefCell<HashMap<[u8; 32], PublicKey>> = RefCell::new(HashMap::new());
}

/// Why a key is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not in OpenSSH's form, exactly, without a comment.
    #[error("not an ed25519 public key in OpenSSH form without a comment (ssh-ed25519 AAAA...)")]
    Form,
    /// The bytes are no canonical point of the curve.
    #[error("the key is no canonical curve point: make a new one with `git quorum keygen`")]
    NotCanonical,
    /// A point of small order, or with a small-order part: anyone could sign in its name.
    #[error("the key is weak (small order or torsion): make a new one with `git quorum keygen`")]
    Weak,
}

impl PublicKey {
    /// Admits a key (spec, "Keys"): its encoding is canonical, and it lies in the prime-order group.
    pub fn admit(bytes: [u8; 32]) -> Result<Self, KeyError> {
        if let Some(known) = ADMITTED.with_borrow(|known| known.get(&bytes).copied()) {
            return Ok(known);
        }
        let key = Self::examine(bytes)?;
        ADMITTED.with_borrow_mut(|known| {
            if known.len() >= MOST_ADMITTED {
                known.clear();
            }
            known.insert(bytes, key);
        });
        Ok(key)
    }

    fn examine(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let point = CompressedEdwardsY(bytes)
            .decompress()
            .ok_or(KeyError::NotCanonical)?;
        if point.compress().0 != bytes {
            return Err(KeyError::NotCanonical);
        }
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotCanonical)?;
        if key.is_weak() || !point.is_torsion_free() {
            return Err(KeyError::Weak);
        }
        Ok(Self(key))
    }

    /// The 32 bytes of the key.
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether `signature` is this key's over `message`, by the cofactorless check that refuses
    /// small-order points and non-canonical scalars (`verify_strict`). No other check exists.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }

    /// The key as the `ssh-key` crate has it.
    pub fn to_ssh(self) -> KeyData {
        KeyData::Ed25519(Ed25519PublicKey(*self.bytes()))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = ssh_key::PublicKey::new(self.to_ssh(), "");
        f.write_str(&key.to_openssh().map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex::encode(&self.bytes()[..4]))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let key = ssh_key::PublicKey::from_openssh(text).map_err(|_| KeyError::Form)?;
        let KeyData::Ed25519(Ed25519PublicKey(bytes)) = key.key_data() else {
            return Err(KeyError::Form);
        };
        let admitted = Self::admit(*bytes)?;
        if admitted.to_string() != text {
            return Err(KeyError::Form);
        }
        Ok(admitted)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => serializer.serialize_bytes(self.bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            let bytes = <&[u8]>::deserialize(deserializer)?
                .try_into()
                .map_err(serde::de::Error::custom)?;
            return Self::admit(bytes).map_err(serde::de::Error::custom);
        }
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
    use ed25519_dalek::{Signer as _, SigningKey};

    #[test]
    fn an_ordinary_key_is_admitted_and_round_trips() {
        let key =
            PublicKey::admit(SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes()).unwrap();
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(
            format!("{key} comment").parse::<PublicKey>(),
            Err(KeyError::Form)
        );
        assert_eq!(format!("{key}\n").parse::<PublicKey>(), Err(KeyError::Form));
    }

    #[test]
    fn weak_mixed_and_non_canonical_keys_are_refused() {
        for torsion in EIGHT_TORSION {
            assert!(PublicKey::admit(torsion.compress().0).is_err());
        }
        let mixed = (ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress().0;
        assert_eq!(PublicKey::admit(mixed), Err(KeyError::Weak));
        // y = p + 1 is y = 1 again, in an encoding that is not the canonical one.
        let mut identity_again = [0xff; 32];
        identity_again[0] = 0xee;
        identity_again[31] = 0x7f;
        assert_eq!(
            PublicKey::admit(identity_again),
            Err(KeyError::NotCanonical)
        );
    }

    #[test]
    fn a_signature_with_a_shifted_scalar_is_refused() {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let key = PublicKey::admit(signing.verifying_key().to_bytes()).unwrap();
        let mut signature = signing.sign(b"m").to_bytes();
        assert!(key.verifies(b"m", &signature));
        // S + L, with L the group's order, satisfies the equation as S does.
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
            .unwrap();
        let mut carry = 0u16;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert!(!key.verifies(b"m", &signature));
    }
}
