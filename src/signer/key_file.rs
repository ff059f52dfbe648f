//! OpenSSH key files: the private key to sign with, and the public key of either half. Does not
//! know where a passphrase comes from.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer as _, SigningKey};
use ssh_key::public::KeyData;
use ssh_key::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::{PassphraseSource, SignerError, private_fs};

/// Far more than any key file holds.
const MAX_BYTES: u64 = 64 * 1024;

/// A private key in memory. It is wiped when dropped.
pub struct FileKey(SigningKey);

impl FileKey {
    /// The private key in the file `path`.
    pub(super) fn read(path: &Path, passphrase: &PassphraseSource) -> Result<Self, SignerError> {
        if path.extension().is_some_and(|extension| extension == "pub") {
            return Err(public_key_error(path));
        }
        let (bytes, exposed) = read_limited(path)?;
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
        // Before a passphrase is asked for a key that could not be used anyway.
        ed25519(path, key.public_key().key_data())?;
        signing_key(path, &decrypted(path, key, passphrase)?)
    }

    /// The public half.
    pub(super) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The signature over `data`.
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

/// The ed25519 public key in `path`: an OpenSSH `.pub` file, or a private key file, whose public
/// half stands there in the clear even when it is encrypted.
///
/// # Errors
/// When the file is missing, no OpenSSH key file, or its key is not ed25519.
pub fn read_public(path: &Path) -> Result<[u8; 32], SignerError> {
    let (bytes, _) = read_limited(path)?;
    let damaged = |source| SignerError::Damaged {
        path: path.to_owned(),
        source,
    };
    match Content::of(&bytes) {
        Content::Private => ed25519(path, parse_private(path, &bytes)?.public_key().key_data()),
        Content::Public => {
            let line = std::str::from_utf8(&bytes).unwrap_or_default().trim();
            ed25519(
                path,
                PublicKey::from_openssh(line).map_err(damaged)?.key_data(),
            )
        }
        Content::Other => Err(SignerError::NotOpenSsh {
            path: path.to_owned(),
        }),
    }
}

/// What a file holds, by how it begins.
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
        // Several lines are a list of keys, such as authorized_keys, of which none is meant.
        if ["ssh-", "ecdsa-", "sk-"].iter().any(starts) && !text.contains(&b'\n') {
            return Self::Public;
        }
        Self::Other
    }
}

/// The content of `path`, and its mode if others can get at it.
fn read_limited(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<u32>), SignerError> {
    let failed = || SignerError::file("read the key file", path);
    // Asked before opening: to open a named pipe would wait for its writer.
    if !path.metadata().map_err(failed())?.is_file() {
        return Err(SignerError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(failed())?;
    let metadata = file.metadata().map_err(failed())?;
    // With room for all of it from the start, no copy is left behind by growing.
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
    Ok((bytes, private_fs::exposed(&metadata)))
}

fn parse_private(path: &Path, bytes: &[u8]) -> Result<PrivateKey, SignerError> {
    PrivateKey::from_openssh(bytes).map_err(|source| SignerError::Damaged {
        path: path.to_owned(),
        source,
    })
}

/// The key, decrypted if need be.
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
    // A pair whose halves do not belong together would leak the private one by signing.
    if signing.verifying_key().to_bytes() != pair.public.0 {
        return Err(damaged());
    }
    Ok(FileKey(signing))
}

/// The bytes of an ed25519 key, or an error that names the other kind.
fn ed25519(path: &Path, key: &KeyData) -> Result<[u8; 32], SignerError> {
    match key {
        KeyData::Ed25519(key) => Ok(key.0),
        other => Err(SignerError::NotEd25519 {
            path: path.to_owned(),
            algorithm: other.algorithm().to_string(),
        }),
    }
}

/// That `path` is a public key; the private one has the same name without `.pub`.
fn public_key_error(path: &Path) -> SignerError {
    let is_pub = path.extension().is_some_and(|extension| extension == "pub");
    let private: Option<PathBuf> = is_pub.then(|| path.with_extension(""));
    SignerError::PublicKey {
        path: path.to_owned(),
        private,
    }
}
