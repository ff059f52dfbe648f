//! The symbolic refs of a server, and where they lead.
//!
//! A push to a symbolic ref moves the ref that it names. A symbolic ref at a protected name shows
//! what another ref holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::repo::{Repo, RepoError, Target};

/// The symbolic refs that a push could meet, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links(BTreeMap<String, Target>);

/// Where a symbolic ref leads, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trail<'a> {
    /// The names that it leads to, without its own.
    pub names: Vec<&'a str>,
    /// Whether it leads to no ref: it runs in a circle, or ends at a name that is no ref name.
    pub lost: bool,
}

impl Links {
    /// Wraps symbolic refs and their targets.
    pub fn new(links: BTreeMap<String, Target>) -> Self {
        Self(links)
    }

    /// Reads which of these refs are symbolic, and follows them to their ends.
    pub fn among<'a>(
        repo: &Repo,
        names: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, RepoError> {
        let mut links = Self(repo.symbolic_among(names)?);
        links.complete(repo)?;
        Ok(links)
    }

    /// Adds symbolic refs, and follows them to their ends.
    pub fn add(&mut self, repo: &Repo, links: BTreeMap<String, Target>) -> Result<(), RepoError> {
        self.0.extend(links);
        self.complete(repo)
    }

    /// Reads the targets that are symbolic refs themselves, until there is no new one.
    fn complete(&mut self, repo: &Repo) -> Result<(), RepoError> {
        let mut asked = BTreeSet::new();
        loop {
            let targets = self
                .0
                .values()
                .flatten()
                .filter(|target| !self.0.contains_key(*target));
            let new: BTreeSet<String> = targets
                .filter(|target| !asked.contains(*target))
                .cloned()
                .collect();
            if new.is_empty() {
                return Ok(());
            }
            let found = repo.symbolic_among(new.iter().map(String::as_bytes))?;
            self.0.extend(found);
            asked.extend(new);
        }
    }

    /// Iterates over the names of all symbolic refs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether a ref of this name is symbolic.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns where a ref leads. `None` if the ref is not symbolic.
    pub(super) fn trail(&self, name: &str) -> Option<Trail<'_>> {
        let mut next = self.0.get(name)?;
        let mut names = Vec::new();
        while let Some(target) = next {
            if names.contains(&target.as_str()) || target == name {
                return Some(Trail { names, lost: true });
            }
            names.push(target.as_str());
            match self.0.get(target) {
                Some(after) => next = after,
                None => return Some(Trail { names, lost: false }),
            }
        }
        Some(Trail { names, lost: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_ends_at_a_ref_or_is_lost() {
        let pairs = [
            ("a", Some("b")),
            ("b", Some("c")),
            ("x", Some("y")),
            ("y", Some("x")),
            ("s", Some("s")),
            ("o", None),
            ("p", Some("o")),
        ];
        let links = Links::new(
            pairs
                .iter()
                .map(|(n, t)| ((*n).to_owned(), t.map(str::to_owned)))
                .collect(),
        );
        for (name, names, lost) in [
            ("a", vec!["b", "c"], false),
            ("b", vec!["c"], false),
            ("x", vec!["y"], true),
            ("s", vec![], true),
            ("o", vec![], true),
            ("p", vec!["o"], true),
        ] {
            assert_eq!(links.trail(name), Some(Trail { names, lost }), "{name}");
        }
        assert_eq!(links.trail("c"), None);
    }
}
