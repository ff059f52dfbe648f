//! The OpenSSH signature of an entry, in the one form that counts. The format (PROTOCOL.sshsig of
//! OpenSSH) leaves room for variants that stock Git accepts; here the armour is rebuilt and compared.

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
    for field in [NAMESPACE.as_bytes(), b"", b"sha512", &Sha512::digest(signed_bytes)] {
        // No field is longer than 64 bytes.
        data.extend_from_slice(&(field.len() as u32).to_be_bytes());
        data.extend_from_slice(field);
    }
    data
}

/// The armoured signature as `ssh-keygen -Y sign -n git` writes it, ending in a line feed.
pub fn armour(key: &PublicKey, signature: &[u8; 64]) -> Result<String, ssh_key::Error> {
    let signature = Signature::new(Algorithm::Ed25519, signature.as_slice())?;
    let pem = SshSig::new(key.to_ssh(), NAMESPACE, HashAlg::Sha512, signature)?.to_pem(LineEnding::LF)?;
    Ok(if pem.ends_with('\n') { pem } else { pem + "\n" })
}

/// The key and the raw signature in an armour, which must be exactly what [`armour`] makes of them.
pub(super) fn unarmour(text: &str) -> Result<(PublicKey, [u8; 64]), Reject> {
    let bad = |why: String| Reject::new(RejectReason::BadArmour, why);
    let parsed = SshSig::from_pem(text).map_err(|e| bad(e.to_string()))?;
    let ssh_key::public::KeyData::Ed25519(key) = parsed.public_key() else {
        return Err(bad("not an ed25519 key".to_owned()));
    };
    let key = PublicKey::admit(key.0).map_err(|e| bad(e.to_string()))?;
    let signature: [u8; 64] =
        parsed.signature_bytes().try_into().map_err(|_| bad("not an ed25519 signature".to_owned()))?;
    match armour(&key, &signature) {
        Ok(exact) if exact == text => Ok((key, signature)),
        _ => Err(bad("not the exact bytes that ssh-keygen writes".to_owned())),
    }
}
