//! The errors of this room: what happened, why, and what the user can do about it.
//!
//! `Display` says what happened and why. [`SignerError::remedy`] says what to do next. No error
//! holds key material.

use std::io;
use std::path::{Path, PathBuf};

use ssh_key::Fingerprint;

/// Why a key cannot be read, created or used.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The operating system refused an operation on a file.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// The operation, as in "read the key file".
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path names a directory or a device where a key file is expected.
    #[error("{} is not a regular file, so it cannot be a key file", .0.display())]
    NotAFile(PathBuf),
    /// The file is larger than any key file.
    #[error("{} is larger than {} KiB, so it cannot be a key file", path.display(), limit / 1024)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file holds a public key where the private one is needed.
    #[error("{} is a public key and cannot sign", path.display())]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// The file whose name says that it holds the private key. `None` if the name of the
        /// public key file does not end with `.pub`.
        private: Option<PathBuf>,
    },
    /// Other users can read or write the private key file.
    #[error(
        "other users can read or write {} (mode {mode:04o}), so the key in it is not used",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not an OpenSSH key file at all.
    #[error("{} is not an OpenSSH key file", path.display())]
    NotOpenSsh {
        /// The file.
        path: PathBuf,
    },
    /// The file is an OpenSSH key file that does not parse.
    #[error("the key in {} does not parse: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: ssh_key::Error,
    },
    /// The file holds a key of a type other than ed25519.
    #[error(
        "{} holds a key of type {algorithm}, but members sign with ssh-ed25519 only",
        path.display()
    )]
    NotEd25519 {
        /// The file.
        path: PathBuf,
        /// The type of its key.
        algorithm: String,
    },
    /// The key is encrypted and no passphrase source has a passphrase.
    #[error(
        "the key in {} is encrypted, and there is neither a passphrase nor a terminal to ask on",
        path.display()
    )]
    NoPassphrase {
        /// The key file.
        path: PathBuf,
    },
    /// The passphrase does not decrypt the key.
    #[error("the passphrase from {origin} does not decrypt {}", path.display())]
    WrongPassphrase {
        /// The key file.
        path: PathBuf,
        /// The place that gave the passphrase.
        origin: String,
    },
    /// The passphrase for a new key is empty.
    #[error("the passphrase is empty, and an empty passphrase protects nothing")]
    EmptyPassphrase,
    /// The name for a new key file could be a path, an option or a hidden file.
    #[error("{0:?} is not a valid name for a key file")]
    BadName(String),
    /// A new key would overwrite a file.
    #[error("{} already exists, and a key file is never overwritten", .0.display())]
    Exists(PathBuf),
    /// The system gave no random numbers, or the new key cannot be encoded.
    #[error("cannot create a key: {0}; nothing was written")]
    Keygen(ssh_key::Error),
    /// The bytes to sign cannot be encoded.
    #[error("cannot encode the bytes to sign: {0}")]
    Encoding(ssh_key::Error),
    /// The bytes to sign are not a DSSE pre-authentication encoding.
    #[error(
        "the agreement is not a DSSE pre-authentication encoding (it does not begin with \
         \"DSSEv1 \"), so it was not signed"
    )]
    NotPae,
    /// The new signature does not verify.
    #[error("the new signature by {key} does not verify, so it is not used")]
    BadSignature {
        /// The key.
        key: Fingerprint,
    },
    /// The caller knows no agent's socket.
    #[error("there is no ssh-agent to sign with, because SSH_AUTH_SOCK is not set")]
    NoAgent,
    /// The agent cannot be reached or does not answer.
    #[error("the ssh-agent at {} does not answer: {source}", socket.display())]
    AgentUnreachable {
        /// Its socket.
        socket: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The agent answers, but does not hold the key.
    #[error("the ssh-agent at {} does not hold the key {key}", socket.display())]
    NotHeld {
        /// Its socket.
        socket: PathBuf,
        /// The key.
        key: Fingerprint,
    },
    /// The agent declined to sign.
    #[error(
        "the ssh-agent at {} refused to sign with {key}: the key was removed, the agent is \
         locked, or its user declined",
        socket.display()
    )]
    AgentRefused {
        /// Its socket.
        socket: PathBuf,
        /// The key.
        key: Fingerprint,
    },
    /// The agent's answer is not an ed25519 signature.
    #[error(
        "the ssh-agent at {} did not return an ssh-ed25519 signature: {problem}",
        socket.display()
    )]
    AgentAnswer {
        /// Its socket.
        socket: PathBuf,
        /// What is wrong with the answer.
        problem: String,
    },
}

impl SignerError {
    /// Returns what the user can do next. `None` if the error itself says all there is to say.
    pub fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Self::File { .. } | Self::Keygen(_) | Self::Encoding(_) | Self::NotPae => return None,
            Self::NotAFile(_) | Self::TooLarge { .. } => "name the file that holds the key".into(),
            Self::PublicKey { private, .. } => match private {
                Some(path) => format!("name the private key: {}", quoted(path)),
                None => "name the private key file that belongs to it".into(),
            },
            Self::Exposed { path, .. } => format!("run: chmod 600 {}", quoted(path)),
            Self::NotOpenSsh { path } => format!(
                "if it is a private key in another format, convert it: ssh-keygen -p -f {}",
                quoted(path)
            ),
            Self::Damaged { .. } => {
                "restore the file, or make a new key: ssh-keygen -t ed25519".into()
            }
            Self::NotEd25519 { .. } => "make an ed25519 key: ssh-keygen -t ed25519".into(),
            Self::NoPassphrase { path } => format!(
                "set GIT_QUORUM_PASSPHRASE to the passphrase, or GIT_QUORUM_PASSPHRASE_FILE to a \
                 file that holds it, or load the key into an ssh-agent: ssh-add {}",
                quoted(path)
            ),
            Self::WrongPassphrase { .. } => "correct the passphrase and try again".into(),
            Self::EmptyPassphrase => {
                "give a passphrase, or ask for a key without a passphrase".into()
            }
            Self::BadName(_) => {
                "use up to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit"
                    .into()
            }
            Self::Exists(_) => "choose another name, or use the key that is there".into(),
            Self::BadSignature { .. } => {
                "try again; if it happens again, check the ssh-agent and this machine's memory"
                    .into()
            }
            Self::NoAgent | Self::AgentUnreachable { .. } => {
                "start an ssh-agent (eval \"$(ssh-agent)\") and load the key: ssh-add FILE".into()
            }
            Self::NotHeld { .. } => "load the key: ssh-add FILE".into(),
            Self::AgentRefused { .. } => {
                "load the key again (ssh-add FILE), or unlock the agent (ssh-add -X)".into()
            }
            Self::AgentAnswer { .. } => "use another ssh-agent, or the key file".into(),
        };
        Some(remedy)
    }

    /// Returns a function that wraps the system's error about the operation `what` on `path`.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

/// Quotes a path for a shell, so that a user can copy the command in a remedy and run it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text;
    }
    // Without `./`, a program would take a leading dash for an option.
    let dash = if text.starts_with('-') { "./" } else { "" };
    format!("'{dash}{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_remedy_is_quoted_for_the_shell() {
        for (path, shown) in [
            ("/home/a/.ssh/id", "/home/a/.ssh/id"),
            ("my key", "'my key'"),
            ("it's", r"'it'\''s'"),
            ("-f", "'./-f'"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(quoted(Path::new(path)), shown);
        }
    }
}
