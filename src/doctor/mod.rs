//! Tries each protection of a repository rather than believing its set-up: what a protection should stop is attempted by
//! means that change nothing, and what happened is told. Does not know how it is printed.

mod clone;
mod server;
mod settings;
mod trial;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::charter::{Charter, RefPattern};
use crate::id::{EntryId, Oid};

pub use clone::examine_clone;
pub use server::examine_server;

/// What is known of a protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It was tried, and held; for a setting: it was read.
    Proven,
    /// It did not hold, or is not there.
    Missing,
    /// It cannot be tried here.
    NotTestable,
}

/// What a protection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Without it the gate can be passed, or refuses what it should let in.
    Needed,
    /// Without it the gate holds, and something else is worse.
    Advised,
}

/// A protection, examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable name.
    pub check: &'static str,
    /// What is known of it.
    pub standing: Standing,
    /// How much depends on it.
    pub weight: Weight,
    /// What was tried or read, and what came of it.
    pub found: String,
    /// A command, or what to do, that mends it; empty unless it is missing.
    pub mend: String,
}

/// Which of Git's two ends a repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Bare: people push to it.
    Server,
    /// With a working tree: people work in it.
    Clone,
}

/// A repository, examined.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// Which end it is.
    pub role: Role,
    /// The repository.
    pub repository: PathBuf,
    /// The ledger that it has pinned.
    pub ledger: Option<EntryId>,
    /// What was found, in the order in which to read it.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether nothing that is needed is missing.
    pub fn is_sound(&self) -> bool {
        self.findings
            .iter()
            .all(|f| f.standing != Standing::Missing || f.weight == Weight::Advised)
    }
}

/// A name for what is here only while it is tried.
fn throw_away() -> String {
    format!("git-quorum-doctor-{}", std::process::id())
}

/// A ref that a pattern covers and that could be here.
fn covered(pattern: &RefPattern) -> String {
    match pattern.as_str().strip_suffix('*') {
        Some(prefix) => format!("{prefix}{}", throw_away()),
        None => pattern.as_str().to_owned(),
    }
}

/// For each protected pattern, a ref that it covers: one that is here, or one that could be.
fn targets(charter: &Charter, here: &BTreeMap<String, Oid>) -> Vec<String> {
    let target = |pattern: &RefPattern| {
        let found = here.keys().find(|name| pattern.matches(name)).cloned();
        found.unwrap_or_else(|| covered(pattern))
    };
    charter.protected().iter().map(target).collect()
}

/// Findings as they come.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        check: &'static str,
        weight: Weight,
        standing: Standing,
        found: String,
        mend: &str,
    ) {
        // Of what could not be tried it is not known whether it needs mending, let alone how.
        let mend = if standing == Standing::Missing {
            mend
        } else {
            ""
        }
        .to_owned();
        self.0.push(Finding {
            check,
            standing,
            weight,
            found,
            mend,
        });
    }

    /// A protection that is there or is not: what to say in each case.
    fn judge(
        &mut self,
        check: &'static str,
        weight: Weight,
        holds: bool,
        (yes, no): (&str, &str),
        mend: &str,
    ) {
        let (standing, found) = if holds {
            (Standing::Proven, yes)
        } else {
            (Standing::Missing, no)
        };
        self.add(check, weight, standing, found.to_owned(), mend);
    }
}
