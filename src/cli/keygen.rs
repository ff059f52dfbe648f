//! `git quorum keygen`: makes a key pair for a member.

use std::path::PathBuf;

use serde_json::json;

use super::identity::parse_name;
use super::{Answer, Failure, Reply};
use crate::client::Code;
use crate::signer::{SignerError, keygen};

/// Make a key pair for a member.
///
/// An ed25519 pair in OpenSSH form, NAME and NAME.pub; nothing is ever overwritten. The private key has no passphrase; `ssh-keygen -p -f FILE` adds one.
#[derive(Debug, clap::Args)]
pub struct KeygenArgs {
    /// The member's name: lower-case letters, digits and hyphens, at most 32, no hyphen first.
    name: String,
    /// The folder to put the pair into.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// What to do with a key that is there.
const WHAT_IS_THERE: &str = "`--key FILE` uses the key that is there; `ssh-keygen -y -f FILE > FILE.pub` makes a public key that is missing";

pub fn run(args: KeygenArgs) -> Answer {
    let name = parse_name(&args.name)?;
    let dir = args.dir.clone();
    let pair = keygen(&dir, name.as_str(), None).map_err(|error| {
        if matches!(error, SignerError::Exists(_)) {
            Failure::of_code(Code::KeyExists, error.to_string()).hint(WHAT_IS_THERE)
        } else {
            Failure::from(error)
        }
    })?;
    let text = format!(
        "private key {}\npublic key  {}",
        pair.private.display(),
        pair.public.display()
    );
    let data = json!({"private": pair.private, "public": pair.public, "key": pair.openssh_public});
    Reply::new(data, text)
}
