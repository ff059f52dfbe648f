//! Tests the hooks of a clone, with ref transactions that are prepared and abandoned, and with pushes
//! that send nothing.
//!
//! Anyone who works in a clone can get past its hooks. They help, and are no boundary.

use super::attempt::{Attempt, AttemptOutcome, code_in, first_line};
use super::findings::{Diagnosis, Findings, RepositoryKind, Status, Weight, Wording};
use super::settings::examine_repository;
use super::targets::{covered, targets, throw_away};
use crate::charter::Charter;
use crate::gate::is_protected;
use crate::gate::settings::LEDGER_KEY;
use crate::id::{EntryId, Oid};
use crate::install::{is_installed, why_not_run};
use crate::ledger::LedgerRefs;
use crate::repo::{Expect, RefEdit, RefError, Repo, RepoError, TransportError};
use crate::store::{Trust, load};

const INSTALL: &str = "git quorum install";

/// Examines a clone that exchanges its ledger with this remote. `None` means that it has no remote.
pub fn examine_clone(repo: &Repo, remote: Option<&str>) -> Result<Diagnosis, RepoError> {
    let mut findings = Findings::default();
    // The hooks work in a shallow clone too. Only certifying needs the whole history.
    examine_repository(repo, Weight::Advised, &mut findings)?;
    examine_installation(repo, &mut findings);
    let pinned = repo
        .config(LEDGER_KEY)?
        .and_then(|text| text.parse::<EntryId>().ok());
    let wording = Wording {
        holds: "the ledger is pinned",
        missing: "no ledger is pinned, so another ledger could be shown in its place",
    };
    findings.judge(
        "pinned",
        Weight::Needed,
        pinned.is_some(),
        wording,
        "git quorum join --genesis ID",
    );
    if let Some(ledger) = pinned {
        examine_ledger(repo, ledger, remote, &mut findings)?;
    }
    Ok(Diagnosis {
        kind: RepositoryKind::Clone,
        repository: repo.git_dir().to_owned(),
        ledger: pinned,
        findings: findings.0,
    })
}

/// Examines what can be read without an attempt. The attempts prove more, and this says why they
/// fail.
fn examine_installation(repo: &Repo, findings: &mut Findings) {
    let check = "installed";
    match why_not_run(repo) {
        Ok(None) => {
            let here = is_installed(repo).unwrap_or(false);
            let wording = Wording {
                holds: "the hooks are installed",
                missing: "no hooks are installed in this clone",
            };
            findings.judge(check, Weight::Needed, here, wording, INSTALL);
        }
        Ok(Some(why)) => findings.add(check, Weight::Needed, Status::Missing, why, INSTALL),
        Err(error) => findings.add(
            check,
            Weight::Needed,
            Status::NotTestable,
            error.to_string(),
            INSTALL,
        ),
    }
}

/// What the attempts in a clone need.
struct CloneTests<'a> {
    repo: &'a Repo,
    charter: &'a Charter,
    /// A commit that exists and that no decision names: the genesis.
    stray: Oid,
}

fn examine_ledger(
    repo: &Repo,
    ledger: EntryId,
    remote: Option<&str>,
    findings: &mut Findings,
) -> Result<(), RepoError> {
    let loaded = match load(repo, ledger, Trust::Cache) {
        Ok(loaded) => loaded,
        Err(error) => {
            findings.add(
                "ledger",
                Weight::Needed,
                Status::Missing,
                error.to_string(),
                "git quorum sync",
            );
            return Ok(());
        }
    };
    let dag = loaded.tally.dag();
    let (Some(node), Some(genesis)) = (
        dag.charter(loaded.tally.charter_in_force()),
        dag.find(ledger),
    ) else {
        return Ok(());
    };
    let tests = CloneTests {
        repo,
        charter: &node.charter,
        stray: dag.entry(genesis).oid,
    };
    tests.try_branches(findings)?;
    tests.try_ordinary(findings);
    tests.try_merge(findings)?;
    match remote {
        Some(remote) => {
            tests.try_push(remote, findings)?;
            examine_refspec(repo, ledger, remote, findings)
        }
        None => {
            findings.not_tested(
                "pre-push",
                "this clone has no remote, so pre-push was not tested",
            );
            Ok(())
        }
    }
}

impl CloneTests<'_> {
    /// Prepares a ref transaction, so that hooks see it, and then abandons it.
    fn prepare(&self, name: &str, new: Option<Oid>) -> AttemptOutcome {
        match self.repo.hold(&[RefEdit {
            name: name.to_owned(),
            old: Expect::Any,
            new,
        }]) {
            Ok(_held) => AttemptOutcome::LetThrough,
            Err(RefError::Refused { message }) => match code_in(&message) {
                Some(code) => AttemptOutcome::Refused(code),
                None => AttemptOutcome::Unclear(format!(
                    "another hook refused the attempt: {}",
                    first_line(&message)
                )),
            },
            Err(error) => AttemptOutcome::Unclear(first_line(&error.to_string())),
        }
    }

    fn try_branches(&self, findings: &mut Findings) -> Result<(), RepoError> {
        let here = self.repo.list(&[])?;
        for name in targets(self.charter, &here) {
            let what = format!("to move {name} without a decision");
            let attempt = Attempt {
                check: "reference-transaction",
                what: &what,
                mend: INSTALL,
            };
            findings.should_be_refused(&attempt, &self.prepare(&name, Some(self.stray)));
            if here.contains_key(&name) {
                let what = format!("to delete {name} without a decision");
                let attempt = Attempt {
                    check: "reference-transaction",
                    what: &what,
                    mend: INSTALL,
                };
                findings.should_be_refused(&attempt, &self.prepare(&name, None));
            }
        }
        Ok(())
    }

    fn try_ordinary(&self, findings: &mut Findings) {
        let name = format!("refs/heads/{}", throw_away());
        if !is_protected(self.charter, &name) {
            let attempt = Attempt {
                check: "ordinary-branch",
                what: "to create an ordinary branch",
                mend: INSTALL,
            };
            findings.should_pass(&attempt, &self.prepare(&name, Some(self.stray)));
        }
    }

    /// Runs `pre-merge-commit`. Git runs this hook only on the branch that is checked out.
    fn try_merge(&self, findings: &mut Findings) -> Result<(), RepoError> {
        let check = "pre-merge-commit";
        let protected = self
            .repo
            .head()?
            .filter(|name| is_protected(self.charter, name));
        let Some(name) = protected else {
            findings.not_tested(
                check,
                "no protected branch is checked out, so pre-merge-commit was not tested",
            );
            return Ok(());
        };
        let outcome = match self.repo.run_hook(check)? {
            Ok(()) => AttemptOutcome::LetThrough,
            Err(message) => code_in(&message).map_or(
                AttemptOutcome::Unclear(first_line(&message)),
                AttemptOutcome::Refused,
            ),
        };
        let what = format!("to merge into {name}");
        findings.should_be_refused(
            &Attempt {
                check,
                what: &what,
                mend: INSTALL,
            },
            &outcome,
        );
        Ok(())
    }

    /// Makes a dry run of a push, to an empty repository under the remote's name.
    fn try_push(&self, remote: &str, findings: &mut Findings) -> Result<(), RepoError> {
        let check = "pre-push";
        let target = self.charter.protected().first().map(covered);
        let Some(target) = target else { return Ok(()) };
        let outcome = match self
            .repo
            .dry_push(remote, &format!("{}:{target}", self.stray))
        {
            Ok(_) => AttemptOutcome::LetThrough,
            Err(TransportError::Stopped { message, .. }) => code_in(&message).map_or(
                AttemptOutcome::Unclear(first_line(&message)),
                AttemptOutcome::Refused,
            ),
            Err(error) => AttemptOutcome::Unclear(first_line(&error.to_string())),
        };
        let what = format!("to push an undecided commit to {target}");
        findings.should_be_refused(
            &Attempt {
                check,
                what: &what,
                mend: INSTALL,
            },
            &outcome,
        );
        Ok(())
    }
}

/// Examines whether `git fetch` and `git pull` bring the lanes.
fn examine_refspec(
    repo: &Repo,
    ledger: EntryId,
    remote: &str,
    findings: &mut Findings,
) -> Result<(), RepoError> {
    let prefix = LedgerRefs::of(ledger).prefix().to_owned();
    let specs = repo.config_all(&format!("remote.{remote}.fetch"))?;
    let brings = specs
        .iter()
        .any(|spec| spec.trim_start_matches('+').starts_with(&prefix));
    let wording = Wording {
        holds: "git fetch and git pull bring the lanes",
        missing: "git fetch and git pull do not bring the lanes",
    };
    findings.judge("fetch-lanes", Weight::Advised, brings, wording, INSTALL);
    Ok(())
}
