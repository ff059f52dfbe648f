//! Merges two commits with fixed settings. Changes neither the working tree, nor the index, nor
//! refs.
//!
//! Knows nothing of what is merged.

use super::git::parse_oid;
use super::git::{self, GitCommand, Output};
use super::{Repo, RepoError};
use crate::id::Oid;

/// The settings that affect the result of a merge, with git's own defaults. They are pinned, so
/// that the user's settings do not change the result.
const PINNED: [(&str, &str); 10] = [
    ("core.attributesFile", ""),
    ("core.commitGraph", "false"),
    ("diff.renames", "true"),
    ("diff.renameLimit", "1000"),
    ("merge.renames", "true"),
    ("merge.renameLimit", "7000"),
    ("merge.directoryRenames", "conflict"),
    ("merge.renormalize", "false"),
    ("merge.conflictStyle", "merge"),
    ("merge.default", "text"),
];

/// The author and committer of a commit, and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The time in seconds since 1970, in UTC.
    pub seconds: u64,
}

/// The result of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeOutcome {
    /// The merge commit.
    Commit(Oid),
    /// The paths with conflicts, without unprintable characters.
    Conflict(Vec<String>),
}

impl Repo {
    /// Stores an unsigned commit that merges `theirs` into `ours`, if there is no conflict.
    ///
    /// Stores it even if one of the commits descends from the other. Ignores file attributes
    /// (`merge=union`, merge drivers), because git would read them from what is checked out.
    pub fn merge(
        &self,
        ours: Oid,
        theirs: Oid,
        message: &str,
        by: &Ident,
    ) -> Result<MergeOutcome, RepoError> {
        let options = ["--write-tree", "-z", "--name-only", "--no-messages"];
        let command = pinned(self.git("merge-tree")).args(options);
        let output = command
            .args([ours.to_string(), theirs.to_string()])
            .output()?;
        match output.status.code() {
            Some(0) => {
                let printed = output.stdout.strip_suffix(b"\0").unwrap_or_default();
                let tree = parse_oid("merge-tree", printed)?;
                let commit = self.commit_tree(tree, &[ours, theirs], message, by)?;
                Ok(MergeOutcome::Commit(commit))
            }
            Some(1) => conflict(&output).map(MergeOutcome::Conflict),
            _ => Err(git::failed("merge-tree", &output).into()),
        }
    }

    /// Stores an unsigned commit with the given tree, and returns its id.
    pub fn commit_tree(
        &self,
        tree: Oid,
        parents: &[Oid],
        message: &str,
        by: &Ident,
    ) -> Result<Oid, RepoError> {
        let command = self
            .git("commit-tree")
            .config("commit.gpgSign", "false")
            .config("i18n.commitEncoding", "UTF-8");
        let mut command = identified(command, by).args(["--no-gpg-sign", "-F", "-"]);
        for parent in parents {
            command = command.arg("-p").arg(parent.to_string());
        }
        let output = command
            .arg(tree.to_string())
            .input(message.as_bytes().to_vec())
            .run()?;
        Ok(parse_oid("commit-tree", output.stdout.trim_ascii())?)
    }
}

fn pinned(command: GitCommand) -> GitCommand {
    let command = command
        .without_work_tree()
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_ATTR_SOURCE", Oid::EMPTY_TREE.to_string());
    PINNED
        .iter()
        .fold(command, |command, (key, value)| command.config(key, value))
}

fn identified(command: GitCommand, by: &Ident) -> GitCommand {
    let date = format!("@{} +0000", by.seconds);
    ["AUTHOR", "COMMITTER"]
        .iter()
        .fold(command, |command, role| {
            command
                .env(&format!("GIT_{role}_NAME"), by.name.as_str())
                .env(&format!("GIT_{role}_EMAIL"), by.email.as_str())
                .env(&format!("GIT_{role}_DATE"), date.as_str())
        })
}

/// Returns the paths with conflicts in the output of `git merge-tree`. They follow the tree's id.
fn conflict(output: &Output) -> Result<Vec<String>, RepoError> {
    let mut parts = output.stdout.split(|b| *b == 0);
    parse_oid("merge-tree", parts.next().unwrap_or_default())?;
    let paths = parts.take_while(|path| !path.is_empty());
    Ok(paths
        .map(|path| super::text::clean_text(&String::from_utf8_lossy(path)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::Sandbox;

    fn ident() -> Ident {
        Ident {
            name: "Ann".into(),
            email: "ann@example.org".into(),
            seconds: 1_700_000_001,
        }
    }

    #[test]
    fn a_clean_merge_is_a_commit_with_both_parents_whatever_the_settings() {
        let sandbox = Sandbox::new();
        let repo = sandbox.with_worktree("r");
        let base = sandbox.commit_text(&repo, &[], &[("a", "1\n"), ("b", "1\n")]);
        let ours = sandbox.commit_text(&repo, &[base], &[("a", "2\n"), ("b", "1\n")]);
        let theirs = sandbox.commit_text(&repo, &[base], &[("a", "1\n"), ("b", "2\n")]);
        let first = repo.merge(ours, theirs, "Merge\n", &ident()).unwrap();
        repo.set_config("commit.gpgSign", "true").unwrap();
        repo.set_config("merge.renames", "false").unwrap();
        assert_eq!(
            repo.merge(ours, theirs, "Merge\n", &ident()).unwrap(),
            first
        );

        let MergeOutcome::Commit(oid) = first else {
            panic!("{first:?}")
        };
        let objects = repo.objects().unwrap();
        assert_eq!(objects.parents(oid).unwrap(), [ours, theirs]);
        assert_eq!(
            objects.changed_paths(Some(ours), Some(oid)).unwrap(),
            [b"b".to_vec()]
        );
        let raw = String::from_utf8(
            objects
                .expect(oid, crate::repo::ObjectKind::Commit)
                .unwrap(),
        )
        .unwrap();
        assert!(raw.ends_with("author Ann <ann@example.org> 1700000001 +0000\ncommitter Ann <ann@example.org> 1700000001 +0000\n\nMerge\n"), "{raw}");
        assert!(repo.list(&[]).unwrap().is_empty());
        assert!(!repo.git_dir().join("index").exists());
    }

    #[test]
    fn a_conflict_names_the_paths_and_leaves_no_commit() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let base = sandbox.commit_text(&repo, &[], &[("a", "1\n"), ("d/é", "1\n")]);
        let ours = sandbox.commit_text(&repo, &[base], &[("a", "2\n"), ("d/é", "2\n")]);
        let theirs = sandbox.commit_text(&repo, &[base], &[("a", "3\n"), ("d/é", "3\n")]);
        let outcome = repo.merge(ours, theirs, "Merge\n", &ident()).unwrap();
        assert_eq!(
            outcome,
            MergeOutcome::Conflict(vec!["a".into(), "d/é".into()])
        );
        assert!(
            repo.merge(ours, Oid::new([7; 20]), "Merge\n", &ident())
                .is_err()
        );
    }

    #[test]
    fn the_checked_out_files_do_not_affect_a_merge() {
        let sandbox = Sandbox::new();
        let repo = sandbox.with_worktree("r");
        let rule = (".gitattributes", "a merge=union\n");
        let base = sandbox.commit_text(&repo, &[], &[rule, ("a", "1\n")]);
        let ours = sandbox.commit_text(&repo, &[base], &[rule, ("a", "2\n")]);
        let theirs = sandbox.commit_text(&repo, &[base], &[rule, ("a", "3\n")]);
        let conflict = MergeOutcome::Conflict(vec!["a".into()]);
        assert_eq!(repo.merge(ours, theirs, "m", &ident()).unwrap(), conflict);
        sandbox.git(
            repo.work_dir(),
            &["reset", "--quiet", "--hard", &ours.to_string()],
        );
        std::fs::write(sandbox.path().join("home/attributes"), rule.1).unwrap();
        repo.set_config("core.attributesFile", "~/attributes")
            .unwrap();
        assert_eq!(repo.merge(ours, theirs, "m", &ident()).unwrap(), conflict);
    }
}
