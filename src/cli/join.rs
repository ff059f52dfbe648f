//! `git quorum join`: takes part in a ledger from this clone, or follows it as an observer.

use super::Answer;
use super::help::Examples;
use super::reply::{never, reply};
use super::shell::{self, WriteArgs};
use super::style::Text;
use crate::client::WriteOptions;
use crate::client::actions::join::{Join, Joined, join};

/// Take part in a ledger, or follow it.
///
/// Pins the ledger id, and remembers the member and the key of this clone. Without --as the clone
/// follows the ledger as an observer, which is enough to verify.
#[derive(Debug, clap::Args)]
pub struct JoinArgs {
    /// The ledger id, as its founder gave it to you. Without it, the ledger that is found is
    /// pinned.
    #[arg(long, value_name = "ID")]
    genesis: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "join",
    &[
        (
            "git quorum join --as bob --key ../keys/bob --genesis ID",
            "Take part as bob, in the ledger whose id the founder gave.",
        ),
        (
            "git quorum join --as bob --key bob.pub --agent",
            "The same with a key in the ssh-agent.",
        ),
        (
            "git quorum join --genesis ID",
            "Follow a ledger without a key, to verify it.",
        ),
    ],
)];

pub fn run(args: JoinArgs) -> Answer {
    let repo = shell::open_repo()?;
    let mut options = WriteOptions::from(args.write);
    options.key = options.key.as_deref().map(shell::absolute).transpose()?;
    let request = Join {
        genesis: args.genesis,
        options,
    };
    reply(join(&repo, &shell::context(), &request)?, text, never)
}

fn text(joined: &Joined) -> Text {
    let who = match &joined.member {
        Some(member) => format!("as {member}"),
        None => "as an observer".to_owned(),
    };
    Text::from(format!(
        "joined ledger {} {who}\n{} voting members, {} may be faulty, {} make a quorum",
        joined.ledger, joined.n, joined.f, joined.q
    ))
}
