//! `git quorum keygen`: makes a key pair for a member.

use std::path::PathBuf;

use super::Answer;
use super::help::Examples;
use super::reply::{never, reply};
use super::style::Text;
use crate::client::actions::keygen::{NewKey, keygen};
use crate::client::parse_name;

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

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "keygen",
    &[(
        "git quorum keygen alice --dir keys",
        "Make keys/alice and keys/alice.pub.",
    )],
)];

pub fn run(args: KeygenArgs) -> Answer {
    let name = parse_name(&args.name)?;
    reply(keygen(&args.dir, &name)?, text, never)
}

fn text(key: &NewKey) -> Text {
    Text::from(format!(
        "private key {}\npublic key  {}",
        key.private.display(),
        key.public.display()
    ))
}
