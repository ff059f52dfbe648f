//! Making a key pair for a member.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::charter::MemberName;
use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::{Code, NextStep};
use crate::signer::{SignerError, keygen as make_pair};

/// A new key pair.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KeyPairView {
    /// The file with the private key.
    pub private: PathBuf,
    /// The file with the public key.
    pub public: PathBuf,
    /// The public key in OpenSSH form.
    pub key: String,
}

/// Makes an ed25519 key pair in OpenSSH form, as files NAME and NAME.pub in a folder. Existing
/// files are not overwritten.
pub fn keygen(name: &MemberName, folder: &Path) -> Result<Answer<KeyPairView>> {
    let pair = make_pair(folder, name.as_str(), None).map_err(|error| {
        if matches!(error, SignerError::Exists(_)) {
            Error::new(Code::KeyExists, error.to_string()).next(NextStep::UseExistingKey)
        } else {
            Error::from(error)
        }
    })?;
    Ok(Answer::yes(KeyPairView {
        private: pair.private,
        public: pair.public,
        key: pair.openssh_public,
    }))
}
