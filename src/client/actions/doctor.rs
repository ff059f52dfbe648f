//! Testing the protections of a repository.

use crate::client::answer::Answer;
use crate::client::error::Result;
use crate::client::session::choose_remote;
use crate::client::{Code, NextStep};
use crate::doctor::{Diagnosis, examine_clone, examine_server};
use crate::repo::Repo;

/// Examines a server or a clone. The answer is no if a protection that is needed is missing.
pub fn doctor(repo: &Repo) -> Result<Answer<Diagnosis>> {
    let diagnosis = if repo.is_bare() {
        examine_server(repo)?
    } else {
        examine_clone(repo, choose_remote(repo, None)?.as_deref())?
    };
    if diagnosis.is_sound() {
        return Ok(Answer::yes(diagnosis));
    }
    let mend = {
        let mut mends = diagnosis.missing().map(|finding| finding.mend.as_str());
        mends.find(|mend| !mend.is_empty()).map(str::to_owned)
    };
    Ok(Answer::no(Code::NotSound, diagnosis).next(mend.map(NextStep::Do)))
}
