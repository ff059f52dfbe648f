//! Attempts to get past the gate that change nothing.
//!
//! A prepared transaction locks the target ref during the attempt. So a push that gets past the gate
//! fails on the lock.

use super::findings::{Findings, Status, Weight};
use crate::id::Oid;
use crate::repo::{
    Expect, PushReport, PushStatus, RefEdit, RefError, Repo, RepoError, TransportError,
};

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// The gate refused the attempt, with this code.
    Refused(String),
    /// Only the lock stopped the attempt.
    LetThrough,
    /// Something else stopped the attempt, or it could not be made. Holds the reason.
    Unclear(String),
}

/// A push to this repository.
pub(super) struct TestPush<'a> {
    pub repo: &'a Repo,
    /// The command that receives the push.
    pub receive_pack: &'a str,
}

/// The command that usually receives a push.
pub(super) const RECEIVE_PACK: &str = "git-receive-pack";

impl TestPush<'_> {
    /// Tries to move a ref, or to delete it.
    pub(super) fn push(&self, name: &str, new: Option<Oid>) -> AttemptOutcome {
        self.push_locking(name, name, new)
    }

    /// Tries to move or delete `name`, a ref that leads to `target`. Locks `target`.
    pub(super) fn push_locking(
        &self,
        name: &str,
        target: &str,
        new: Option<Oid>,
    ) -> AttemptOutcome {
        let edit = RefEdit {
            name: target.to_owned(),
            old: Expect::Any,
            new,
        };
        let _held = match self.repo.hold(&[edit]) {
            Ok(held) => held,
            Err(error) => return AttemptOutcome::Unclear(said(&error)),
        };
        let spec = format!(
            "+{}:{name}",
            new.map(|oid| oid.to_string()).unwrap_or_default()
        );
        let spec = if new.is_none() {
            format!(":{name}")
        } else {
            spec
        };
        let here = self.repo.git_dir().to_string_lossy();
        match self.repo.push_to(&here, self.receive_pack, &[spec]) {
            Ok(report) => outcome(&report, name),
            Err(
                TransportError::Unreachable { message, .. }
                | TransportError::Stopped { message, .. },
            ) => code_in(&message).map_or_else(
                || AttemptOutcome::Unclear(first_line(&message)),
                AttemptOutcome::Refused,
            ),
            Err(error) => AttemptOutcome::Unclear(first_line(&error.to_string())),
        }
    }
}

fn said(error: &RefError) -> String {
    format!(
        "the ref could not be locked for the attempt: {}",
        first_line(&error.to_string())
    )
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn outcome(report: &PushReport, name: &str) -> AttemptOutcome {
    match report.refs.get(name) {
        Some(PushStatus::RemoteRejected(reason)) => {
            let lines = std::iter::once(reason).chain(&report.remote_lines);
            match lines.filter_map(|line| code_in(line)).next() {
                Some(code) => AttemptOutcome::Refused(code),
                None if is_lock(reason) => AttemptOutcome::LetThrough,
                None => AttemptOutcome::Unclear(reason.clone()),
            }
        }
        Some(PushStatus::Ok) => AttemptOutcome::LetThrough,
        other => AttemptOutcome::Unclear(format!("the push ended in an unexpected way: {other:?}")),
    }
}

/// Whether Git gives this reason for a ref that it cannot lock.
fn is_lock(reason: &str) -> bool {
    [
        "failed to update ref",
        "failed to lock",
        "cannot lock",
        "failed to delete",
        "reference already exists",
    ]
    .iter()
    .any(|words| reason.contains(words))
}

/// Returns the code of a refusal by the gate, which stands in brackets at the end of a line.
pub(super) fn code_in(text: &str) -> Option<String> {
    let is_code =
        |word: &&str| word.len() > 3 && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let bracketed = |line: &str| {
        let (_, after) = line.rsplit_once('[')?;
        after.split_once(']').map(|(inside, _)| inside.to_owned())
    };
    text.lines()
        .filter_map(bracketed)
        .find(|inside| is_code(&inside.as_str()))
}

/// An attempt, as it is described in a finding.
pub(super) struct Attempt<'a> {
    pub check: &'static str,
    /// What the attempt does, for example "to move refs/heads/main without a decision".
    pub what: &'a str,
    pub mend: &'a str,
}

impl Findings {
    /// Adds an attempt that the gate should refuse.
    pub(super) fn should_be_refused(&mut self, attempt: &Attempt<'_>, outcome: &AttemptOutcome) {
        let (status, found) = match outcome {
            AttemptOutcome::Refused(code) if code == "GATE_UNAVAILABLE" => (
                Status::NotTestable,
                format!("the gate refuses everything at present [{code}]"),
            ),
            AttemptOutcome::Refused(code) => (
                Status::Proven,
                format!("an attempt {} was refused [{code}]", attempt.what),
            ),
            AttemptOutcome::LetThrough => (
                Status::Missing,
                format!(
                    "an attempt {} got past the gate (nothing moved)",
                    attempt.what
                ),
            ),
            AttemptOutcome::Unclear(why) => (
                Status::NotTestable,
                format!("an attempt {} ended early: {why}", attempt.what),
            ),
        };
        self.add(attempt.check, Weight::Needed, status, found, attempt.mend);
    }

    /// Adds an attempt that the gate should allow.
    pub(super) fn should_pass(&mut self, attempt: &Attempt<'_>, outcome: &AttemptOutcome) {
        let (status, found) = match outcome {
            AttemptOutcome::LetThrough => (
                Status::Proven,
                format!("an attempt {} was allowed", attempt.what),
            ),
            AttemptOutcome::Refused(code) => (
                Status::Missing,
                format!("an attempt {} was refused [{code}]", attempt.what),
            ),
            AttemptOutcome::Unclear(why) => (
                Status::NotTestable,
                format!("an attempt {} ended early: {why}", attempt.what),
            ),
        };
        self.add(attempt.check, Weight::Needed, status, found, attempt.mend);
    }
}

/// A symbolic ref that exists during one attempt.
pub(super) struct Alias<'a> {
    repo: &'a Repo,
    name: String,
}

impl<'a> Alias<'a> {
    pub(super) fn create(repo: &'a Repo, name: String, target: &str) -> Result<Self, RepoError> {
        repo.set_symbolic(&name, target)?;
        Ok(Self { repo, name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Removes the symbolic ref.
    pub(super) fn remove(self) -> Result<(), RepoError> {
        self.repo.delete_symbolic(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_word_of_capitals_in_brackets() {
        assert_eq!(
            code_in("main is protected [NO_PROPOSAL]").as_deref(),
            Some("NO_PROPOSAL")
        );
        assert_eq!(
            code_in("a [b]\nx [NOT_DECIDED]; more").as_deref(),
            Some("NOT_DECIDED")
        );
        for none in ["", "[]", "[no]", "NO_PROPOSAL", "[NO", "[a B_C]"] {
            assert_eq!(code_in(none), None, "{none:?}");
        }
    }
}
