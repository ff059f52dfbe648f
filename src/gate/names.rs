//! Names that stand for guarded names without being them, and names that the gate never takes.
//!
//! A name can lead to a guarded name, fold to it, or leave it no room. Two families of refs change
//! what other refs mean. Pure: only the name and what is known of the server decide.

use std::collections::BTreeMap;

use super::fold::{fold, fold_prefix};
use super::links::Links;
use super::refusal::{Refusal, RefusalCode};
use crate::charter::{Charter, RefPattern};

/// Refs below this prefix make Git show another object in place of the real one.
const REPLACE: &str = "refs/replace/";
/// Refs below this prefix belong to namespaces. Who pushes into a namespace sees other names.
const NAMESPACES: &str = "refs/namespaces/";

/// Whether a ref of this name lies where only ledgers may have refs.
pub fn is_ledger_name(name: &str) -> bool {
    name == "refs/quorum" || name.starts_with("refs/quorum/")
}

/// Whether a charter protects a ref of this name, even if no decision could name the ref.
pub fn is_protected(charter: &Charter, name: &str) -> bool {
    charter
        .protected()
        .iter()
        .any(|pattern| pattern.matches(name))
}

/// A protected pattern in its folded form.
struct FoldedPattern<'a> {
    folded: String,
    text: &'a str,
}

/// The names that the gate guards.
pub(super) struct GuardedNames<'a> {
    charters: Vec<&'a Charter>,
    links: &'a Links,
    /// The targets of guarded symbolic refs, each with the name of the symbolic ref.
    shown: BTreeMap<&'a str, &'a str>,
    folded: Vec<FoldedPattern<'a>>,
}

impl<'a> GuardedNames<'a> {
    /// Collects the names that these charters and the gate itself guard, on a server with these
    /// symbolic refs.
    pub fn new(charters: impl IntoIterator<Item = &'a Charter>, links: &'a Links) -> Self {
        let charters: Vec<_> = charters.into_iter().collect();
        let patterns = charters.iter().flat_map(|charter| charter.protected());
        let folded = patterns
            .map(|pattern| FoldedPattern {
                folded: folded(pattern),
                text: pattern.as_str(),
            })
            .collect();
        let mut names = Self {
            charters,
            links,
            shown: BTreeMap::new(),
            folded,
        };
        let of_concern = links.names().filter(|name| names.is_of_concern(name));
        let shown = of_concern.flat_map(|alias| {
            let trail = links
                .trail(alias)
                .map(|trail| trail.names)
                .unwrap_or_default();
            trail.into_iter().map(move |target| (target, alias))
        });
        names.shown = shown.collect();
        names
    }

    /// Whether the gate alone decides about a ref of this name.
    pub fn is_of_concern(&self, name: &str) -> bool {
        is_ledger_name(name) || self.is_protected(name)
    }

    /// Whether one of the charters protects this name.
    pub fn is_protected(&self, name: &str) -> bool {
        self.charters
            .iter()
            .any(|charter| is_protected(charter, name))
    }

    /// Refuses a name through which another ref would move, or that shows through another ref.
    pub fn judge_link(&self, name: &str) -> Result<(), Refusal> {
        let code = RefusalCode::SymbolicRef;
        if let Some(alias) = self.shown.get(name) {
            let reason = format!(
                "the push would also move {alias}, which is a symbolic ref to this ref on the server"
            );
            return Err(Refusal::new(code, reason, MAKE_OWN).then(delete_link(alias)));
        }
        let Some(trail) = self.links.trail(name) else {
            return Ok(());
        };
        if self.is_of_concern(name) {
            return Err(
                Refusal::new(code, "the ref is a symbolic ref on this server", MAKE_OWN)
                    .then(delete_link(name)),
            );
        }
        if let Some(target) = trail.names.iter().find(|target| self.is_guarded(target)) {
            let reason = format!("the ref is a symbolic ref to {target} on this server");
            return Err(Refusal::new(code, reason, format!("push to {target}")));
        }
        if trail.lost {
            let reason = "the ref is a symbolic ref on this server, and it leads to no ref";
            return Err(Refusal::new(code, reason, MAKE_OWN));
        }
        Ok(())
    }

    /// Whether a push to a symbolic ref must not reach this name.
    fn is_guarded(&self, name: &str) -> bool {
        let reserved = [REPLACE, NAMESPACES]
            .iter()
            .any(|reserved| name.starts_with(reserved));
        self.is_of_concern(name) || reserved || self.folds_to(name).is_some()
    }

    /// Refuses names that the gate never takes, and names too close to a guarded name. For refs
    /// that the gate is not concerned with otherwise.
    pub fn judge_other(&self, name: &str, creates: bool, deletes: bool) -> Result<(), Refusal> {
        if name.starts_with(NAMESPACES) {
            let reason = "the gate takes no refs of namespaces: in its namespace such a ref has another name";
            return Err(Refusal::new(
                RefusalCode::Namespace,
                reason,
                "use a separate repository",
            ));
        }
        if name.starts_with(REPLACE) && !deletes {
            let reason = "the gate takes no refs under refs/replace/: they make Git show objects that nobody decided on";
            return Err(Refusal::new(
                RefusalCode::ReplaceRef,
                reason,
                "keep the ref in your clone, or propose the change",
            ));
        }
        if creates && let Some(pattern) = self.blocked(name) {
            let reason =
                format!("a ref of this name leaves no room for {pattern}, which is protected");
            return Err(Refusal::new(
                RefusalCode::Blocks,
                reason,
                "choose another name",
            ));
        }
        let Some(other) = self.folds_to(name) else {
            return Ok(());
        };
        let reason = format!("some file systems take this name for {other}, which the gate guards");
        let help = "choose a name that differs in more than case or Unicode form";
        Err(Refusal::new(RefusalCode::FoldedName, reason, help))
    }

    /// Refuses a tag that would take a protected branch's short name. A branch that does not exist
    /// yet counts only if the charter names it in full.
    pub fn judge_tag(&self, name: &str, is_there: impl Fn(&str) -> bool) -> Result<(), Refusal> {
        let is_named = |branch: &str| {
            let mut patterns = self.charters.iter().flat_map(|charter| charter.protected());
            patterns.any(|pattern| pattern.as_str() == branch)
        };
        let mut branches = counterparts(name).filter(|branch| self.is_protected(branch));
        let Some(branch) = branches.find(|branch| is_named(branch) || is_there(branch)) else {
            return Ok(());
        };
        let reason = format!(
            "with a tag of this name, Git would take the short name of {branch} for the tag"
        );
        Err(Refusal::new(
            RefusalCode::Shadows,
            reason,
            "choose another name",
        ))
    }

    fn blocked(&self, name: &str) -> Option<&str> {
        let patterns = self.charters.iter().flat_map(|charter| charter.protected());
        patterns
            .map(RefPattern::as_str)
            .find(|pattern| blocks(name, pattern))
    }

    /// Returns the guarded name that a file system that folds names would confuse with this name,
    /// or could not store beside it.
    fn folds_to(&self, name: &str) -> Option<&str> {
        let folded = fold(name);
        let reserved = ["refs/quorum/", REPLACE, NAMESPACES];
        let exact =
            |reserved: &&&str| !name.starts_with(**reserved) && folded.starts_with(**reserved);
        let meets = |pattern: &str| covers(pattern, &folded) || blocks(&folded, pattern);
        // A name that leaves no room even without folding has a refusal of its own.
        let found = || {
            self.folded
                .iter()
                .find(|pattern| meets(&pattern.folded) && !blocks(name, pattern.text))
        };
        reserved
            .iter()
            .find(exact)
            .copied()
            .or_else(|| found().map(|pattern| pattern.text))
    }
}

/// Returns the branches whose short name this tag would take: the branch of the same name, and for
/// `origin/x` the branch `x`, since most clones fetch it under that name.
pub(super) fn counterparts(name: &str) -> impl Iterator<Item = String> {
    let tag = name.strip_prefix("refs/tags/");
    let shorts = [tag, tag.and_then(|tag| tag.strip_prefix("origin/"))];
    shorts
        .into_iter()
        .flatten()
        .map(|short| format!("refs/heads/{short}"))
}

/// The help where a symbolic ref must be replaced by an ordinary ref.
pub(super) const MAKE_OWN: &str =
    "the server's operator must replace the symbolic ref with an ordinary ref";

/// The command that removes a symbolic ref.
pub(super) fn delete_link(name: &str) -> String {
    format!("git symbolic-ref --delete {name} (on the server)")
}

fn folded(pattern: &RefPattern) -> String {
    match pattern.as_str().strip_suffix('*') {
        Some(prefix) => format!("{}*", fold_prefix(prefix)),
        None => fold(pattern.as_str()),
    }
}

/// Whether a pattern covers a name, both folded.
fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
        None => name == pattern,
    }
}

/// Whether a ref of this name would keep a ref that the pattern covers from being created.
fn blocks(name: &str, pattern: &str) -> bool {
    let below = |name: &str, folder: &str| {
        name.strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    match pattern.strip_suffix('*') {
        // A pattern covers what continues its prefix, and not the prefix itself.
        Some(prefix) => below(prefix, name) || prefix == name,
        None => below(name, pattern) || below(pattern, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_below_refs_quorum_are_ledger_names() {
        assert!(is_ledger_name("refs/quorum/x") && is_ledger_name("refs/quorum"));
        assert!(!is_ledger_name("refs/quorumx/x") && !is_ledger_name("refs/heads/quorum"));
    }

    #[test]
    fn a_name_blocks_what_could_not_stand_beside_it() {
        for (name, pattern) in [
            ("refs/heads/main/x", "refs/heads/main"),
            ("refs/heads/a", "refs/heads/a/b"),
            ("refs/heads/release", "refs/heads/release/*"),
            ("refs/heads/a", "refs/heads/a/b*"),
            ("refs/heads/release", "refs/heads/release*"),
        ] {
            assert!(blocks(name, pattern), "{name} {pattern}");
        }
        for (name, pattern) in [
            ("refs/heads/mainly", "refs/heads/main"),
            ("refs/heads/rel", "refs/heads/release/*"),
            ("refs/heads/releas", "refs/heads/release*"),
            ("refs/heads/x/main", "refs/heads/main"),
        ] {
            assert!(!blocks(name, pattern), "{name} {pattern}");
        }
    }
}
