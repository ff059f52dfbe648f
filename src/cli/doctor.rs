//! `git quorum doctor`: tries whether the gate holds.

use super::output::print_line;
use super::session::{choose_remote, open_repo};
use super::style::{Role as Colour, Text};
use super::{Answer, Exit, Failure, Reply};
use crate::doctor::{
    Diagnosis, Finding, RepositoryKind, Status, Weight, examine_clone, examine_server,
};

/// Try whether the gate of this repository holds.
///
/// In a bare repository the server's gate is tried by pushes from the repository to itself, in a clone its hooks, by
/// ref transactions and a dry run of a push. Nothing moves: while a ref is tried it is locked, so that what the gate lets through
/// fails on the lock, and a push to it by others at that moment fails too. Run it as the user that receives pushes. Exit
/// status 7: a protection that is needed is missing.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {}

pub fn run(_: DoctorArgs, json: bool) -> Answer {
    let repo = open_repo()?;
    let diagnosis = match repo.is_bare() {
        true => examine_server(&repo)?,
        false => examine_clone(&repo, choose_remote(&repo, None)?.as_deref())?,
    };
    if diagnosis.is_sound() {
        return Reply::new(&diagnosis, text(&diagnosis));
    }
    if !json {
        print_line(text(&diagnosis)).map_err(|e| Failure::new("IO", e.to_string()))?;
    }
    let missing: Vec<_> = diagnosis.findings.iter().filter(|f| is_hole(f)).collect();
    let mend = missing
        .iter()
        .map(|f| f.mend.as_str())
        .find(|mend| !mend.is_empty())
        .unwrap_or("see what is missing");
    let message = match missing.len() {
        1 => "a protection that is needed is missing".to_owned(),
        count => format!("{count} protections that are needed are missing"),
    };
    Err(Failure::new("NOT_SOUND", message)
        .exit(Exit::Unverified)
        .hint(mend)
        .data(&diagnosis))
}

fn is_hole(finding: &Finding) -> bool {
    finding.status == Status::Missing && finding.weight == Weight::Needed
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
