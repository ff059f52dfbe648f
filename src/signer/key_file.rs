//! Reads OpenSSH key files: private keys to sign with, and public keys. Does not know where a
//! passphrase comes from.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer as _, SigningKey};
use ssh_key::public::KeyData;
use ssh_key::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::{PassphraseSource, SignerError, private_fs};

/// The largest key file that is read, in bytes. Real key files are far smaller.
const MAX_BYTES: u64 = 64 * 1024;

/// A private key in memory. Its memory is wiped when it is dropped.
pub struct FileKey(SigningKey);

impl FileKey {
    /// Reads the private key in the file `path`.
    pub(super) fn read(path: &Path, passphrase: &PassphraseSource) -> Result<Self, SignerError> {
        if path.extension().is_some_and(|extension| extension == "pub") {
            return Err(public_key_error(path));
        }
        let KeyFile { bytes, exposed } = read_limited(path)?;
        match Content::of(&bytes) {
            Content::Private => {}
            Content::Public => return Err(public_key_error(path)),
            Content::Other => {
                return Err(SignerError::NotOpenSsh {
                    path: path.to_owned(),
                });
            }
        }
        if let Some(mode) = exposed {
            return Err(SignerError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let key = parse_private(path, &bytes)?;
        // First, so that nobody types a passphrase for a key that cannot be used anyway.
        ed25519(path, key.public_key().key_data())?;
        signing_key(path, &decrypted(path, key, passphrase)?)
    }

    /// Returns the public half.
    pub(super) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Returns the signature of `data`.
    pub(super) fn sign(&self, data: &[u8]) -> [u8; 64] {
        self.0.sign(data).to_bytes()
    }

    #[cfg(test)]
    pub(super) fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileKey({})", super::fingerprint(self.public()))
    }
}

/// Reads the ed25519 public key in an OpenSSH key file.
///
/// The file may hold the public key or the private key. The public half of an encrypted private
/// key is readable without the passphrase.
///
/// # Errors
/// If the file is missing, is not an OpenSSH key file, or its key is not ed25519.
pub fn read_public(path: &Path) -> Result<[u8; 32], SignerError> {
    let bytes = read_limited(path)?.bytes;
    let damaged = |source| SignerError::Damaged {
        path: path.to_owned(),
        source,
    };
    match Content::of(&bytes) {
        Content::Private => {
            let key = parse_private(path, &bytes)?;
            ed25519(path, key.public_key().key_data())
        }
        Content::Public => {
            let line = std::str::from_utf8(&bytes).unwrap_or_default().trim();
            let key = PublicKey::from_openssh(line).map_err(damaged)?;
            ed25519(path, key.key_data())
        }
        Content::Other => Err(SignerError::NotOpenSsh {
            path: path.to_owned(),
        }),
    }
}

/// The kind of a file, judged by its first bytes.
enum Content {
    Private,
    Public,
    Other,
}

impl Content {
    fn of(bytes: &[u8]) -> Self {
        let text = bytes.trim_ascii();
        let starts = |prefix: &&str| text.starts_with(prefix.as_bytes());
        if starts(&"-----BEGIN OPENSSH PRIVATE KEY-----") {
            return Self::Private;
        }
        // A file with several lines is a list of keys, such as authorized_keys. It names no single
        // key.
        if ["ssh-", "ecdsa-", "sk-"].iter().any(starts) && !text.contains(&b'\n') {
            return Self::Public;
        }
        Self::Other
    }
}

/// The content of a key file.
struct KeyFile {
    bytes: Zeroizing<Vec<u8>>,
    /// The permission bits, if other users can read or write the file.
    exposed: Option<u32>,
}

/// Reads a file that is not larger than [`MAX_BYTES`].
fn read_limited(path: &Path) -> Result<KeyFile, SignerError> {
    let failed = || SignerError::file("read the key file", path);
    // Checked before the file is opened: opening a named pipe would wait for its writer.
    if !path.metadata().map_err(failed())?.is_file() {
        return Err(SignerError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(failed())?;
    let metadata = file.metadata().map_err(failed())?;
    // The buffer has its full capacity from the start: growing it would leave a copy of the key
    // behind in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 1));
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SignerError::TooLarge {
            path: path.to_owned(),
            limit: MAX_BYTES,
        });
    }
    let exposed = private_fs::exposed(&metadata);
    Ok(KeyFile { bytes, exposed })
}

fn parse_private(path: &Path, bytes: &[u8]) -> Result<PrivateKey, SignerError> {
    PrivateKey::from_openssh(bytes).map_err(|source| SignerError::Damaged {
        path: path.to_owned(),
        source,
    })
}

/// Returns the key, decrypted if it is encrypted.
fn decrypted(
    path: &Path,
    key: PrivateKey,
    passphrase: &PassphraseSource,
) -> Result<PrivateKey, SignerError> {
    if !key.is_encrypted() {
        return Ok(key);
    }
    let passphrase = passphrase.resolve(path)?;
    let decrypted = key.decrypt(&*passphrase.secret);
    decrypted.map_err(|error| match error {
        ssh_key::Error::Crypto => SignerError::WrongPassphrase {
            path: path.to_owned(),
            origin: passphrase.origin,
        },
        source => SignerError::Damaged {
            path: path.to_owned(),
            source,
        },
    })
}

fn signing_key(path: &Path, key: &PrivateKey) -> Result<FileKey, SignerError> {
    let damaged = || SignerError::Damaged {
        path: path.to_owned(),
        source: ssh_key::Error::PublicKey,
    };
    let pair = key.key_data().ed25519().ok_or_else(damaged)?;
    let signing = SigningKey::from(&pair.private);
    // To sign with a public half that does not belong to the private half leaks the private half.
    if signing.verifying_key().to_bytes() != pair.public.0 {
        return Err(damaged());
    }
    Ok(FileKey(signing))
}

/// Returns the bytes of an ed25519 key. The error for another key names its type.
fn ed25519(path: &Path, key: &KeyData) -> Result<[u8; 32], SignerError> {
    match key {
        KeyData::Ed25519(key) => Ok(key.0),
        other => Err(SignerError::NotEd25519 {
            path: path.to_owned(),
            algorithm: other.algorithm().to_string(),
        }),
    }
}

/// Returns the error for a public key file. The private key has the same name without `.pub`.
fn public_key_error(path: &Path) -> SignerError {
    let is_pub = path.extension().is_some_and(|extension| extension == "pub");
    let private: Option<PathBuf> = is_pub.then(|| path.with_extension(""));
    SignerError::PublicKey {
        path: path.to_owned(),
        private,
    }
}
