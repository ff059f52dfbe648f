//! Testing the gate of a repository.

use crate::client::answer::Answer;
use crate::client::error::Result;
use crate::client::session::choose_remote;
use crate::client::{Code, NextStep};
use crate::doctor::{Diagnosis, Finding, Status, Weight, examine_clone, examine_server};
use crate::repo::Repo;

/// Tests whether the gate of a bare repository, or the hooks of a clone, refuse what they should.
/// Changes nothing. The answer is no when a needed protection is missing.
pub fn examine(repo: &Repo) -> Result<Answer<Diagnosis>> {
    let diagnosis = if repo.is_bare() {
        examine_server(repo)?
    } else {
        examine_clone(repo, choose_remote(repo, None)?.as_deref())?
    };
    if diagnosis.is_sound() {
        return Ok(Answer::yes(diagnosis));
    }
    let mut remedies = diagnosis.findings.iter().filter(|f| is_hole(f));
    let remedy = remedies.find(|f| !f.mend.is_empty());
    let next = remedy.map(|finding| NextStep::Do(finding.mend.clone()));
    Ok(Answer::no(Code::NotSound, diagnosis).next(next))
}

/// Whether a needed protection is missing.
pub fn is_hole(finding: &Finding) -> bool {
    finding.status == Status::Missing && finding.weight == Weight::Needed
}
