//! `git quorum doctor`: tests whether the gate holds.

use super::help::Examples;
use super::reply::reply;
use super::style::{Role as Colour, Text};
use super::{Answer, shell};
use crate::client::actions::doctor::doctor;
use crate::doctor::{Diagnosis, Finding, RepositoryKind, Status, Weight};

/// Try whether the gate of this repository holds.
///
/// In a bare repository the server's gate is tried by pushes from the repository to itself, in a clone its hooks, by
/// ref transactions and a dry run of a push. Nothing moves: while a ref is tried it is locked, so that what the gate lets through
/// fails on the lock, and a push to it by others at that moment fails too. Run it as the user that receives pushes. Exit
/// status 7: a protection that is needed is missing.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "doctor",
    &[
        (
            "git quorum doctor",
            "In a clone or on a server: what holds, what does not, and the command that mends it.",
        ),
        (
            "git quorum doctor --json",
            "The same for a program; the exit status is 7 if something is missing.",
        ),
    ],
)];

pub fn run(_: DoctorArgs) -> Answer {
    let repo = shell::open_repo()?;
    reply(doctor(&repo)?, text, refusal)
}

fn refusal(diagnosis: &Diagnosis) -> String {
    match diagnosis.missing().count() {
        1 => "A protection that is needed is missing.".to_owned(),
        count => format!("{count} protections that are needed are missing."),
    }
}

fn text(diagnosis: &Diagnosis) -> Text {
    let role = match diagnosis.kind {
        RepositoryKind::Server => "server",
        RepositoryKind::Clone => "clone",
    };
    let head = Text::from(format!("{role} {}", diagnosis.repository.display()));
    Text::lines(std::iter::once(head).chain(diagnosis.findings.iter().map(line)))
}

fn line(finding: &Finding) -> Text {
    let (colour, word) = match (finding.status, finding.weight) {
        (Status::Proven, _) => (Colour::Good, "proven"),
        (Status::Missing, Weight::Needed) => (Colour::Bad, "missing"),
        (Status::Missing, Weight::Advised) => (Colour::Pending, "advice"),
        (Status::NotTestable, _) => (Colour::Faint, "not tried"),
    };
    let mend = if finding.mend.is_empty() {
        String::new()
    } else {
        format!("\n{:13}mend: {}", "", finding.mend)
    };
    Text::of(colour, format!("  {word:<10} "))
        .with(Colour::Plain, format!("{}{mend}", finding.found))
}
