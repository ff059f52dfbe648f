//! `git quorum doctor`: tests whether the gate holds.

use super::Answer;
use super::reply::reply;
use super::shell;
use super::style::{Role as Colour, Text};
use crate::client::actions::doctor::{examine, is_hole};
use crate::doctor::{Diagnosis, Finding, RepositoryKind, Status, Weight};

/// Test that this repository's gate refuses what it should.
///
/// In a bare repository this tests the server's gate, by pushes from the repository to itself. In a
/// clone it tests the hooks, by ref transactions and a dry run of a push. Nothing moves: a ref is
/// locked while it is tested, so whatever the gate lets through fails on the lock. A push by others
/// to that ref at that moment fails too. Run it as the user that receives pushes. Exit status 7: a
/// needed protection is missing.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {}

pub fn run(_: DoctorArgs) -> Answer {
    reply(examine(&shell::open_repo()?)?, text, refusal)
}

fn refusal(diagnosis: &Diagnosis) -> String {
    match diagnosis.findings.iter().filter(|f| is_hole(f)).count() {
        1 => "A needed protection is missing.".to_owned(),
        count => format!("{count} needed protections are missing."),
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
