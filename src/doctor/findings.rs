//! What an examination finds, as plain data. Knows no repository and no rule.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::id::EntryId;

/// What is known of a protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The protection was tested and held. For a setting: it was read.
    Proven,
    /// The protection did not hold, or is not there.
    Missing,
    /// The protection cannot be tested here.
    NotTestable,
}

/// How much depends on a protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Without it the gate can be passed, or refuses what it should allow.
    Needed,
    /// Without it the gate holds, and something else is worse.
    Advised,
}

/// One protection, examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// A stable name.
    pub check: &'static str,
    /// What is known of the protection.
    #[serde(rename = "standing")]
    pub status: Status,
    /// How much depends on it.
    pub weight: Weight,
    /// What was tested or read, and with what result.
    pub found: String,
    /// The command or the step that mends it. Empty unless the protection is missing.
    pub mend: String,
}

/// Which of Git's two ends a repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RepositoryKind {
    /// A bare repository that people push to.
    Server,
    /// A repository with a working tree that people work in.
    Clone,
}

/// One repository, examined.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// Which end the repository is.
    #[serde(rename = "role")]
    pub kind: RepositoryKind,
    /// The git directory.
    pub repository: PathBuf,
    /// The pinned ledger. `None` if none is pinned.
    pub ledger: Option<EntryId>,
    /// The findings, in the order in which to read them.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether every needed protection is proven or cannot be tested.
    pub fn is_sound(&self) -> bool {
        self.missing().next().is_none()
    }

    /// Iterates over the needed protections that are missing.
    pub fn missing(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.status == Status::Missing && finding.weight == Weight::Needed)
    }
}

/// What to say about a protection that is there, and about one that is not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording<'a> {
    pub holds: &'a str,
    pub missing: &'a str,
}

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds a finding. `mend` counts only if the protection is missing.
    pub(super) fn add(
        &mut self,
        check: &'static str,
        weight: Weight,
        status: Status,
        found: String,
        mend: &str,
    ) {
        // Nobody knows whether an untested protection needs mending, let alone how.
        let mend = if status == Status::Missing { mend } else { "" };
        self.0.push(Finding {
            check,
            status,
            weight,
            found,
            mend: mend.to_owned(),
        });
    }

    /// Adds a protection that either holds or is missing.
    pub(super) fn judge(
        &mut self,
        check: &'static str,
        weight: Weight,
        holds: bool,
        wording: Wording<'_>,
        mend: &str,
    ) {
        let (status, found) = if holds {
            (Status::Proven, wording.holds)
        } else {
            (Status::Missing, wording.missing)
        };
        self.add(check, weight, status, found.to_owned(), mend);
    }

    /// Adds a protection that cannot be tested here, and why.
    pub(super) fn not_tested(&mut self, check: &'static str, why: &str) {
        let (weight, status) = (Weight::Needed, Status::NotTestable);
        self.add(check, weight, status, why.to_owned(), "");
    }
}
