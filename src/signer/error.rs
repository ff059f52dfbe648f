//! What can go wrong with a key: what it is, where, and what to do next. Holds no key material.

use std::io;
use std::path::{Path, PathBuf};

use ssh_key::Fingerprint;

/// Why a key cannot be read, made, or used.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The operating system refused something on a file.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A directory or device where a key file is expected.
    #[error("{} is no regular file; name the file that holds the key", .0.display())]
    NotAFile(PathBuf),
    /// Larger than any key file.
    #[error(
        "{} is larger than {} KiB, so it is no key file; name the file that holds the key",
        path.display(),
        limit / 1024
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A public key where the private one is needed.
    #[error("{} is a public key and cannot sign; {}", path.display(), private_hint(private.as_deref()))]
    PublicKey {
        /// The file that was named.
        path: PathBuf,
        /// The private key file that belongs to it, by its name.
        private: Option<PathBuf>,
    },
    /// The private key file can be read by other users.
    #[error(
        "{} can be read or written by others (mode {mode:04o}), so its key is not used; run: chmod 600 {}",
        path.display(),
        quoted(path)
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No OpenSSH key file at all.
    #[error(
        "{} is no OpenSSH key file; if it is a private key in another format, convert it: ssh-keygen -p -f {}",
        path.display(),
        quoted(path)
    )]
    NotOpenSsh {
        /// The file.
        path: PathBuf,
    },
    /// An OpenSSH key file that does not parse.
    #[error("the key in {} does not parse ({source}); restore the file, or make a new key: ssh-keygen -t ed25519", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        source: ssh_key::Error,
    },
    /// A key of another kind.
    #[error(
        "{} holds a key of type {algorithm}, but a member signs with ssh-ed25519 only; make one: ssh-keygen -t ed25519",
        path.display()
    )]
    NotEd25519 {
        /// The file.
        path: PathBuf,
        /// The type of its key.
        algorithm: String,
    },
    /// An encrypted key and no way to its passphrase.
    #[error(
        "the key in {} is encrypted and there is no terminal to ask on; set {env} to its passphrase, or {file_env} to a \
         file that holds it, or load the key into an ssh-agent: ssh-add {}",
        path.display(),
        quoted(path)
    )]
    NoPassphrase {
        /// The key file.
        path: PathBuf,
        /// The variable for the passphrase.
        env: String,
        /// The variable for a file with it.
        file_env: String,
    },
    /// The passphrase does not open the key.
    #[error("the passphrase from {origin} does not open {}; correct it and try again", path.display())]
    WrongPassphrase {
        /// The key file.
        path: PathBuf,
        /// Where the passphrase came from.
        origin: String,
    },
    /// A new key was to get a passphrase of no length.
    #[error(
        "an empty passphrase protects nothing; give one, or ask for a key without a passphrase"
    )]
    EmptyPassphrase,
    /// A key file name that would be a path, an option, or hidden.
    #[error(
        "{0:?} is no name for a key file; use up to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit"
    )]
    BadName(String),
    /// A new key would replace a file.
    #[error("{} exists already and is not overwritten; choose another name, or use the key that is there", .0.display())]
    Exists(PathBuf),
    /// The system's random numbers, or the encoding of a new key, failed.
    #[error("cannot make a key: {0}; nothing was written")]
    Keygen(ssh_key::Error),
    /// The signed data cannot be encoded.
    #[error("cannot encode what is to be signed: {0}")]
    Encoding(ssh_key::Error),
    /// Other bytes than a DSSE pre-authentication encoding.
    #[error(
        "the agreement to sign is no DSSE pre-authentication encoding (it does not begin with \"DSSEv1 \"); nothing was signed"
    )]
    NotPae,
    /// The signature that was made does not verify.
    #[error(
        "the signature made with {key} does not verify, so it is not used; try again, and if it stays so, check the \
         ssh-agent or this machine's memory"
    )]
    BadSignature {
        /// The key.
        key: Fingerprint,
    },
    /// No agent is named.
    #[error(
        "no ssh-agent to sign with: SSH_AUTH_SOCK is not set; start one (eval \"$(ssh-agent)\") and load the key: ssh-add FILE"
    )]
    NoAgent,
    /// The agent does not answer.
    #[error(
        "the ssh-agent at {} (SSH_AUTH_SOCK) cannot be reached or does not answer: {source}; start one (eval \
         \"$(ssh-agent)\") and load the key: ssh-add FILE",
        socket.display()
    )]
    AgentUnreachable {
        /// Its socket.
        socket: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The agent answers, but does not hold the key.
    #[error("the ssh-agent at {} does not hold the key {key}; load it: ssh-add FILE", socket.display())]
    NotHeld {
        /// Its socket.
        socket: PathBuf,
        /// The key.
        key: Fingerprint,
    },
    /// The agent declined to sign.
    #[error(
        "the ssh-agent at {} refused to sign with {key}: the key was removed (ssh-add FILE), the agent is locked \
         (ssh-add -X), or somebody declined",
        socket.display()
    )]
    AgentRefused {
        /// Its socket.
        socket: PathBuf,
        /// The key.
        key: Fingerprint,
    },
    /// The agent answered something that is no ed25519 signature.
    #[error("the ssh-agent at {} gave no ssh-ed25519 signature ({problem}); use another agent or the key file", socket.display())]
    AgentAnswer {
        /// Its socket.
        socket: PathBuf,
        /// What it gave instead.
        problem: String,
    },
}

impl SignerError {
    /// Wraps what the system answered to `what` on `path`.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

/// What to name instead of a public key file.
fn private_hint(private: Option<&Path>) -> String {
    match private {
        Some(path) => format!("name the private key: {}", quoted(path)),
        None => "name the private key file that belongs to it".to_owned(),
    }
}

/// A path as a shell takes it, so that a command in a hint can be run as it stands.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text;
    }
    // `./` keeps a leading dash from being taken for an option.
    let dash = if text.starts_with('-') { "./" } else { "" };
    format!("'{dash}{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_hint_survives_the_shell() {
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
