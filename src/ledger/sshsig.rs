//! The OpenSSH signature of an entry, in the one form that counts. The format (PROTOCOL.sshsig of
//! OpenSSH) leaves room for variants that stock Git accepts; here the armour is rebuilt and compared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha512};
use ssh_key::{Algorithm, HashAlg, LineEnding, Signature, SshSig};

use super::reject::{Reject, RejectReason};
use crate::charter::PublicKey;

/// The namespace that Git signs under.
const NAMESPACE: &str = "git";

/// What the key signs: magic, namespace, an empty reserved field, the hash's name, and the SHA-512
/// of the signed bytes.
pub fn signed_data(signed_bytes: &[u8]) -> Vec<u8> {
    let mut data = b"SSHSIG".to_vec();
    for field in [
        NAMESPACE.as_bytes(),
        b"",
        b"sha512",
        &Sha512::digest(signed_bytes),
    ] {
        // No field is longer than 64 bytes.
        data.extend_from_slice(&(field.len() as u32).to_be_bytes());
        data.extend_from_slice(field);
    }
    data
}

/// The armoured signature as `ssh-keygen -Y sign -n git` writes it, ending in a line feed.
pub fn armour(key: &PublicKey, signature: &[u8; 64]) -> Result<String, ssh_key::Error> {
    let signature = Signature::new(Algorithm::Ed25519, signature.as_slice())?;
    let pem =
        SshSig::new(key.to_ssh(), NAMESPACE, HashAlg::Sha512, signature)?.to_pem(LineEnding::LF)?;
    Ok(if pem.ends_with('\n') { pem } else { pem + "\n" })
}

/// What stands before the key in the blob that the armour holds: magic, version 1, and the lengths
/// and type of the key.
const BEFORE_KEY: &[u8] = b"SSHSIG\0\0\0\x01\0\0\0\x33\0\0\0\x0bssh-ed25519\0\0\0\x20";

/// What stands between key and signature: namespace, an empty reserved field, hash, and the lengths
/// and type of the signature.
const BEFORE_SIGNATURE: &[u8] =
    b"\0\0\0\x03git\0\0\0\0\0\0\0\x06sha512\0\0\0\x53\0\0\0\x0bssh-ed25519\0\0\0\x40";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";

/// The key and the raw signature in an armour, which must be exactly what [`armour`] makes of them.
/// Read by the layout, not by way of a general reader: only one layout counts, and this runs for
/// every entry whenever a ledger is read.
pub fn unarmour(text: &str) -> Result<(PublicKey, [u8; 64]), Reject> {
    let bad = |why: &str| Reject::new(RejectReason::BadArmour, why);
    let blob = blob(text).ok_or_else(|| bad("not the exact bytes that ssh-keygen writes"))?;
    let (key, signature) =
        parts(&blob).ok_or_else(|| bad("not the exact layout of an ed25519 signature by Git"))?;
    let key = PublicKey::admit(key).map_err(|e| bad(&e.to_string()))?;
    Ok((key, signature))
}

/// The bytes in an armour that is exactly as ssh-keygen wraps them.
fn blob(text: &str) -> Option<Vec<u8>> {
    let lines = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let blob = STANDARD.decode(lines.replace('\n', "")).ok()?;
    (wrapped(&blob) == text).then_some(blob)
}

/// Base64 in lines of 70 characters between the two markers.
fn wrapped(blob: &[u8]) -> String {
    let mut text = BEGIN.to_owned();
    let mut rest = STANDARD.encode(blob);
    while !rest.is_empty() {
        // Base64 is ASCII, so any place is between two characters.
        let next = rest.split_off(rest.len().min(70));
        text.push_str(&rest);
        text.push('\n');
        rest = next;
    }
    text.push_str(END);
    text
}

/// Key and signature, where the layout has them and everything else is as it must be.
fn parts(blob: &[u8]) -> Option<([u8; 32], [u8; 64])> {
    let (key, rest) = blob.strip_prefix(BEFORE_KEY)?.split_first_chunk()?;
    let signature = rest.strip_prefix(BEFORE_SIGNATURE)?.try_into().ok()?;
    Some((*key, signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(seed: [u8; 32]) -> PublicKey {
        PublicKey::admit(
            ed25519_dalek::SigningKey::from_bytes(&seed)
                .verifying_key()
                .to_bytes(),
        )
        .unwrap()
    }

    proptest! {
        #[test]
        fn what_the_library_writes_is_what_is_read(seed: [u8; 32], signature in any::<[u8; 64]>()) {
            let text = armour(&key(seed), &signature).unwrap();
            prop_assert_eq!(unarmour(&text).unwrap(), (key(seed), signature));
        }

        #[test]
        fn an_armour_with_another_byte_is_none_or_another(at in 0_usize..292, with in "[ -~\n]") {
            let text = armour(&key([7; 32]), &[9; 64]).unwrap();
            let changed = text.char_indices().map(|(n, c)| if n == at { with.clone() } else { c.to_string() });
            let changed: String = changed.collect();
            if let Ok((key, signature)) = unarmour(&changed) {
                prop_assert_eq!(armour(&key, &signature).unwrap(), changed);
            }
        }
    }

    #[test]
    fn other_wrappings_of_the_same_bytes_are_refused() {
        let text = armour(&key([7; 32]), &[9; 64]).unwrap();
        let flat = text.replace('\n', "");
        for other in [
            flat.as_str(),
            text.trim_end(),
            &text.replace('\n', "\r\n"),
            &format!("{text}\n"),
            "",
        ] {
            assert_eq!(unarmour(other).unwrap_err().reason, RejectReason::BadArmour);
        }
    }
}
