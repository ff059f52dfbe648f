//! `git quorum land`: moves protected refs to what was decided.

use super::Answer;
use super::help::Examples;
use super::reply::{never, reply};
use super::shell::{self, WriteArgs};
use super::style::Text;
use crate::client::Participant;
use crate::client::actions::land::{LandAnswer, Landed, land};
use crate::id::EntryId;

/// Move protected refs to their decisions.
///
/// Moves refs on the remote, or in this repository with --local. Without an id, every ref moves as
/// far as decisions lead.
///
/// Landing needs no signature. A clone without a member, such as that of a merge bot, can do it if
/// the server lets it push. A member also casts the votes that are due.
#[derive(Debug, clap::Args)]
pub struct LandArgs {
    /// The decided proposal to land; the first digits are enough.
    id: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "land",
    &[
        (
            "git quorum land",
            "Move every protected ref as far as decisions say.",
        ),
        (
            "git quorum land 1f3a",
            "Land this decision, and those before it.",
        ),
        (
            "git quorum land --local",
            "Move the refs of this repository, as on the server itself.",
        ),
    ],
)];

pub fn run(args: LandArgs) -> Answer {
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let mut participant = Participant::open(session, &context, &args.write.into())?;
    let answer = land(&mut participant, args.id.as_deref())?;
    reply(answer, text, never)
}

fn text(answer: &LandAnswer) -> Text {
    if answer.landed.is_empty() {
        return Text::from("nothing to land");
    }
    Text::lines(answer.landed.iter().map(line))
}

fn line(landed: &Landed) -> Text {
    let value = landed.to.map_or("deleted".to_owned(), |oid| oid.short());
    let decisions: Vec<_> = landed.decisions.iter().map(EntryId::short).collect();
    Text::from(format!(
        "{} is now {value}: {}",
        landed.name,
        decisions.join(", ")
    ))
}
