//! `git quorum keygen`: makes a key pair for a member.

use std::path::PathBuf;

use super::Answer;
use super::reply::{never, reply};
use super::style::Text;
use crate::client::actions::keygen::{KeyPairView, keygen};
use crate::client::parse_name;

/// Make a key pair for a member.
///
/// The pair is ed25519 in OpenSSH form, in the files NAME and NAME.pub. Existing files are not
/// overwritten. The private key has no passphrase; `ssh-keygen -p -f FILE` adds one.
#[derive(Debug, clap::Args)]
pub struct KeygenArgs {
    /// The member's name: lower-case letters, digits and hyphens, at most 32, no hyphen first.
    name: String,
    /// The folder to put the pair into.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub fn run(args: KeygenArgs) -> Answer {
    let name = parse_name(&args.name)?;
    reply(keygen(&name, &args.dir)?, text, never)
}

fn text(pair: &KeyPairView) -> Text {
    Text::from(format!(
        "private key {}\npublic key  {}",
        pair.private.display(),
        pair.public.display()
    ))
}
