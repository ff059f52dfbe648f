//! Creates key pairs in the same files as OpenSSH. Never overwrites a file.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use super::{SignerError, private_fs};
use crate::fault;

/// The most characters of a key's name.
const MAX_NAME: usize = 64;

/// A new key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The file with the private key.
    pub private: PathBuf,
    /// The file with the public key.
    pub public: PathBuf,
    /// The public key as a line of text without a newline: `ssh-ed25519 AAAA... name`.
    pub openssh_public: String,
}

/// Creates an ed25519 key pair in the files `name` and `name.pub` of the directory `dir`, which is
/// created if it is missing.
///
/// Only the owner can read the private key, which is encrypted if a passphrase is given.
///
/// # Errors
/// If one of the two files exists, the name is not a plain file name, the passphrase is empty, or
/// a file cannot be written. Then no file is left behind.
pub fn keygen(dir: &Path, name: &str, passphrase: Option<&str>) -> Result<KeyPair, SignerError> {
    check_name(name)?;
    let (private, public) = (dir.join(name), dir.join(format!("{name}.pub")));
    refuse_existing(&private)?;
    refuse_existing(&public)?;
    let key = new_key(name)?;
    // Taken from the plain key, because an encrypted key does not show its comment.
    let openssh_public = key.public_key().to_openssh().map_err(SignerError::Keygen)?;
    let key = protected(key, passphrase)?;
    let pem = key
        .to_openssh(LineEnding::LF)
        .map_err(SignerError::Keygen)?;
    let pair = KeyPair {
        private,
        public,
        openssh_public,
    };
    private_fs::create_dir(dir).map_err(SignerError::file("create the directory", dir))?;
    write_pair(&pair, pem.as_bytes())?;
    private_fs::sync_dir(dir).map_err(SignerError::file("sync the directory", dir))?;
    Ok(pair)
}

fn check_name(name: &str) -> Result<(), SignerError> {
    let first = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    // A private key in a file `x.pub` would look like a public key.
    let good =
        first && name.len() <= MAX_NAME && name.bytes().all(allowed) && !name.ends_with(".pub");
    if good {
        Ok(())
    } else {
        Err(SignerError::BadName(name.chars().take(MAX_NAME).collect()))
    }
}

fn refuse_existing(path: &Path) -> Result<(), SignerError> {
    // `exists` would overlook a dangling symbolic link.
    match path.symlink_metadata() {
        Ok(_) => Err(SignerError::Exists(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SignerError::file("look at", path)(error)),
    }
}

fn new_key(name: &str) -> Result<PrivateKey, SignerError> {
    let mut key =
        PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(SignerError::Keygen)?;
    key.set_comment(name);
    Ok(key)
}

fn protected(key: PrivateKey, passphrase: Option<&str>) -> Result<PrivateKey, SignerError> {
    match passphrase {
        None => Ok(key),
        Some("") => Err(SignerError::EmptyPassphrase),
        Some(text) => key.encrypt(&mut OsRng, text).map_err(SignerError::Keygen),
    }
}

/// Writes both files, or neither.
fn write_pair(pair: &KeyPair, pem: &[u8]) -> Result<(), SignerError> {
    write_new(&pair.private, private_fs::OWNER_ONLY, pem)?;
    fault::point("keygen.private");
    let line = format!("{}\n", pair.openssh_public);
    write_new(&pair.public, private_fs::READABLE, line.as_bytes()).inspect_err(|_| {
        // This function created the file a moment ago. Only the first error is reported.
        let _ = fs::remove_file(&pair.private);
    })
}

/// Writes a new file. Other processes see the whole file or no file.
fn write_new(path: &Path, mode: u32, content: &[u8]) -> Result<(), SignerError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = private_fs::temporary(folder, mode).and_then(|mut file| {
        file.write_all(content)?;
        file.as_file().sync_all()?;
        fault::check("keygen.persist")?;
        file.persist_noclobber(path).map_err(|error| error.error)
    });
    match written {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(SignerError::Exists(path.to_owned()))
        }
        Err(error) => Err(SignerError::file("write", path)(error)),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::testing::{files_in, mode};
    use super::super::{PassphraseSource, Signer, read_public};
    use super::*;

    fn signer(path: &Path, passphrase: &PassphraseSource) -> [u8; 32] {
        Signer::from_file(path, passphrase).unwrap().public()
    }

    #[test]
    fn a_new_key_loads_and_only_its_owner_reads_it() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("a/keys");
        let pair = keygen(&dir, "alice", None).unwrap();
        let public = signer(&pair.private, &PassphraseSource::none());
        assert_eq!(read_public(&pair.public).unwrap(), public);
        assert_eq!(read_public(&pair.private).unwrap(), public);
        let line = fs::read_to_string(&pair.public).unwrap();
        assert_eq!(line, format!("{}\n", pair.openssh_public));
        assert!(
            line.starts_with("ssh-ed25519 AAAA") && line.ends_with(" alice\n"),
            "{line}"
        );
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&pair.private), 0o600);
        assert_eq!(mode(&pair.public) & 0o133, 0);
    }

    #[test]
    fn an_encrypted_new_key_keeps_its_comment_and_opens_with_its_passphrase_only() {
        let dir = tempfile::tempdir().unwrap();
        let pair = keygen(dir.path(), "alice", Some("open sesame")).unwrap();
        assert!(
            pair.openssh_public.ends_with(" alice"),
            "{}",
            pair.openssh_public
        );
        let public = signer(&pair.private, &PassphraseSource::text("open sesame"));
        assert_eq!(read_public(&pair.private).unwrap(), public);
        let wrong = Signer::from_file(&pair.private, &PassphraseSource::text("open"));
        assert!(matches!(wrong, Err(SignerError::WrongPassphrase { .. })));
        let none = Signer::from_file(&pair.private, &PassphraseSource::none());
        assert!(matches!(none, Err(SignerError::NoPassphrase { .. })));
    }

    #[test]
    fn keygen_refuses_and_changes_nothing_if_one_of_the_files_exists() {
        for taken in ["alice", "alice.pub"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(taken), "mine").unwrap();
            let refused = keygen(dir.path(), "alice", None);
            assert!(
                matches!(refused, Err(SignerError::Exists(_))),
                "{refused:?}"
            );
            assert_eq!(fs::read_to_string(dir.path().join(taken)).unwrap(), "mine");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_dangling_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("elsewhere");
        std::os::unix::fs::symlink(&target, dir.path().join("alice.pub")).unwrap();
        assert!(matches!(
            keygen(dir.path(), "alice", None),
            Err(SignerError::Exists(_))
        ));
        assert!(!target.exists());
    }

    #[test]
    fn the_private_key_is_removed_if_the_public_key_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let pair = KeyPair {
            private: dir.path().join("alice"),
            public: dir.path().join("missing/alice.pub"),
            openssh_public: String::new(),
        };
        assert!(write_pair(&pair, b"secret").is_err());
        assert_eq!(files_in(dir.path()), 0);
    }

    #[test]
    fn names_that_are_paths_options_or_hidden_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let long = "x".repeat(65);
        for name in [
            "", ".", "..", "../x", "a/b", "-f", ".x", "a b", "a\nb", "x.pub", "ä", &long,
        ] {
            let refused = keygen(dir.path(), name, None);
            assert!(matches!(refused, Err(SignerError::BadName(_))), "{name:?}");
        }
        let empty = keygen(dir.path(), "alice", Some(""));
        assert!(matches!(empty, Err(SignerError::EmptyPassphrase)));
        assert_eq!(files_in(dir.path()), 0);
    }
}
