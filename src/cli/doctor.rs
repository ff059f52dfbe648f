//! `git quorum doctor`: tries whether the gate holds.

use super::session::{choose_remote, open_repo};
use super::{Answer, Exit, Failure, Outcome};
use crate::doctor::{Diagnosis, Finding, Role, Standing, Weight, examine_clone, examine_server};

/// Try whether the gate of this repository holds.
///
/// In a bare repository the server's gate is tried by pushes from the repository to itself, in a clone its hooks, by
/// ref transactions and a dry run of a push. Nothing moves: while a ref is tried it is locked, so that what the gate lets through
/// fails on the lock, and a push to it by others at that moment fails too. Run it as the user that receives pushes. Exit
/// status 7: a protection that is needed is missing.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {}

pub fn run(_: DoctorArgs) -> Answer {
    let repo = open_repo()?;
    let diagnosis = match repo.is_bare() {
        true => examine_server(&repo)?,
        false => examine_clone(&repo, choose_remote(&repo, None)?.as_deref())?,
    };
    let text = text(&diagnosis);
    if diagnosis.is_sound() {
        return Outcome::new(&diagnosis, text);
    }
    let missing: Vec<_> = diagnosis.findings.iter().filter(|f| is_hole(f)).collect();
    let mends: Vec<&str> = missing.iter().map(|f| f.mend.as_str()).filter(|mend| !mend.is_empty()).collect();
    let hint = mends.first().copied().unwrap_or("see the findings").to_owned();
    let count = match missing.len() {
        1 => "1 needed protection is missing".to_owned(),
        more => format!("{more} needed protections are missing"),
    };
    let message = format!("{text}\n{count}");
    Err(Failure::new("NOT_SOUND", message).exit(Exit::Unverified).hint(hint).data(&diagnosis))
}

fn is_hole(finding: &Finding) -> bool {
    finding.standing == Standing::Missing && finding.weight == Weight::Needed
}

fn text(diagnosis: &Diagnosis) -> String {
    let role = match diagnosis.role {
        Role::Server => "server",
        Role::Clone => "clone",
    };
    let head = format!("{role} {}\n", diagnosis.repository.display());
    diagnosis.findings.iter().fold(head, |text, finding| text + &line(finding))
}

fn line(finding: &Finding) -> String {
    let word = match (finding.standing, finding.weight) {
        (Standing::Proven, _) => "proven",
        (Standing::Missing, Weight::Needed) => "MISSING",
        (Standing::Missing, Weight::Advised) => "advice",
        (Standing::NotTestable, _) => "not tried",
    };
    let mend = if finding.mend.is_empty() { String::new() } else { format!("\n{:13}mend: {}", "", finding.mend) };
    format!("  {word:<10} {}{mend}\n", finding.found)
}
