//! Signs with ed25519 keys, and durably records what was signed.
//!
//! Knows nothing of what an entry means, whether a vote is allowed, or where a signature goes. Does
//! not read the environment of the process: sockets, paths and passphrases are values.

mod agent;
mod error;
mod key_file;
mod keygen;
mod passphrase;
mod private_fs;
pub mod state;
#[cfg(all(test, unix))]
mod stock_tests;
#[cfg(all(test, unix))]
mod testing;

use std::fmt;
use std::path::Path;

use ed25519_dalek::{Signature, VerifyingKey};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{Fingerprint, HashAlg, PublicKey, SshSig};

pub use agent::AgentKey;
pub use error::SignerError;
pub use key_file::{FileKey, read_public};
pub use keygen::{KeyPair, keygen};
pub use passphrase::{PassphraseSource, Secret};

/// The SSHSIG namespace that Git signs commits in. Entries are commits.
const NAMESPACE: &str = "git";

/// The first bytes of a DSSE pre-authentication encoding.
const PAE_PREFIX: &[u8] = b"DSSEv1 ";

/// Signs entries and agreements with one ed25519 key.
///
/// A signer never signs arbitrary bytes. The signed data of the two purposes begins differently
/// (`SSHSIG`, `DSSEv1 `), so a signature for one purpose is never valid for the other.
pub enum Signer {
    /// Signs with a private key from an OpenSSH key file.
    File(FileKey),
    /// Signs with a key that a running ssh-agent holds.
    Agent(AgentKey),
}

impl Signer {
    /// Returns a signer with the private key in the OpenSSH key file `path`.
    ///
    /// Uses `passphrase` only if the key is encrypted.
    ///
    /// # Errors
    /// If the file is missing, is not an ed25519 private key, can be read by other users, or cannot
    /// be decrypted.
    pub fn from_file(path: &Path, passphrase: &PassphraseSource) -> Result<Self, SignerError> {
        FileKey::read(path, passphrase).map(Self::File)
    }

    /// Returns a signer with the key `public` in the ssh-agent that listens on `socket`.
    ///
    /// # Errors
    /// If the agent does not answer, or does not hold the key.
    pub fn from_agent(socket: &Path, public: [u8; 32]) -> Result<Self, SignerError> {
        AgentKey::at(socket, public).map(Self::Agent)
    }

    /// Returns the public key of this signer.
    pub fn public(&self) -> [u8; 32] {
        match self {
            Self::File(key) => key.public(),
            Self::Agent(key) => key.public(),
        }
    }

    /// Signs an entry. Returns the raw ed25519 signature of its SSHSIG (namespace `git`, SHA-512).
    ///
    /// # Errors
    /// If the agent refuses or fails, or the signature does not verify.
    pub fn sign_entry(&self, signed_bytes: &[u8]) -> Result<[u8; 64], SignerError> {
        let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, signed_bytes)
            .map_err(SignerError::Encoding)?;
        self.sign_and_check(&data)
    }

    /// Signs an agreement. Returns the raw ed25519 signature of its DSSE pre-authentication
    /// encoding `pae`.
    ///
    /// # Errors
    /// If `pae` is not such an encoding, the agent refuses or fails, or the signature does not
    /// verify.
    pub fn sign_agreement(&self, pae: &[u8]) -> Result<[u8; 64], SignerError> {
        if !pae.starts_with(PAE_PREFIX) {
            return Err(SignerError::NotPae);
        }
        self.sign_and_check(pae)
    }

    /// Signs, and verifies the signature with the rule that every verifier applies.
    ///
    /// A broken agent or a memory fault must not put a signature into the ledger that others
    /// refuse.
    fn sign_and_check(&self, data: &[u8]) -> Result<[u8; 64], SignerError> {
        let signature = match self {
            Self::File(key) => key.sign(data),
            Self::Agent(key) => key.sign(data)?,
        };
        let verified = VerifyingKey::from_bytes(&self.public())
            .and_then(|key| key.verify_strict(data, &Signature::from_bytes(&signature)));
        verified.map_err(|_| SignerError::BadSignature {
            key: fingerprint(self.public()),
        })?;
        Ok(signature)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::File(_) => "File",
            Self::Agent(_) => "Agent",
        };
        write!(f, "Signer::{kind}({})", fingerprint(self.public()))
    }
}

/// Converts a public key to the type of the `ssh-key` crate.
fn ssh_public(public: [u8; 32]) -> PublicKey {
    PublicKey::from(Ed25519PublicKey(public))
}

/// Returns the fingerprint of a key, as `ssh-add -l` and `ssh-keygen -l` print it.
fn fingerprint(public: [u8; 32]) -> Fingerprint {
    ssh_public(public).fingerprint(HashAlg::Sha256)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha512};

    use super::*;

    fn signer() -> Signer {
        Signer::File(FileKey::from_seed([7; 32]))
    }

    fn string(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    #[test]
    fn an_entry_signature_covers_exactly_the_sshsig_blob() {
        let message = b"tree 4b825dc\n\nmessage\n";
        let blob = [
            b"SSHSIG".to_vec(),
            string(b"git"),
            string(b""),
            string(b"sha512"),
            string(&Sha512::digest(message)),
        ]
        .concat();
        let signature = Signature::from_bytes(&signer().sign_entry(message).unwrap());
        let key = VerifyingKey::from_bytes(&signer().public()).unwrap();
        key.verify_strict(&blob, &signature).unwrap();
    }

    #[test]
    fn an_agreement_signature_covers_exactly_the_pae_and_other_bytes_are_refused() {
        let pae = b"DSSEv1 28 application/vnd.in-toto+json 2 {}";
        let signature = Signature::from_bytes(&signer().sign_agreement(pae).unwrap());
        let key = VerifyingKey::from_bytes(&signer().public()).unwrap();
        key.verify_strict(pae, &signature).unwrap();
        for other in [
            &b""[..],
            b"DSSEv1",
            b"DSSEv2 1 a 1 b",
            b"SSHSIG",
            b" DSSEv1 ",
        ] {
            assert!(matches!(
                signer().sign_agreement(other),
                Err(SignerError::NotPae)
            ));
        }
    }

    #[test]
    fn debug_output_shows_the_fingerprint_and_not_the_key() {
        let shown = format!("{:?}", signer());
        assert!(shown.starts_with("Signer::File(SHA256:"), "{shown}");
        assert!(!shown.contains("7, 7"), "{shown}");
    }
}
