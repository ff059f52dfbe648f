//! Making a key pair for a member.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::charter::MemberName;
use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::{Code, NextStep};
use crate::signer::{self, SignerError};

/// A new key pair.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NewKey {
    /// The file with the private key.
    pub private: PathBuf,
    /// The file with the public key.
    pub public: PathBuf,
    /// The public key as a line of text, with the member's name as its comment.
    pub key: String,
}

/// Makes an ed25519 key pair without a passphrase, in the files `name` and `name.pub` of a folder.
/// Overwrites nothing.
pub fn keygen(folder: &Path, name: &MemberName) -> Result<Answer<NewKey>> {
    let pair = signer::keygen(folder, name.as_str(), None).map_err(|error| match error {
        SignerError::Exists(_) => {
            Error::new(Code::KeyExists, error.to_string()).next(NextStep::UseExistingKey)
        }
        error => error.into(),
    })?;
    Ok(Answer::yes(NewKey {
        private: pair.private,
        public: pair.public,
        key: pair.openssh_public,
    }))
}
