//! Merges two commits in one fixed way, touching neither working tree nor index nor refs. Knows
//! nothing of what is merged.

use super::git::{self, GitCommand, Output};
use super::{Repo, RepoError, parse_oid};
use crate::id::Oid;

/// Settings that would change the result of a merge, at git's own defaults.
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

/// Who makes a commit, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// Seconds since 1970, in UTC.
    pub seconds: u64,
}

/// How a merge went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeOutcome {
    /// The merge commit.
    Commit(Oid),
    /// The paths that need a person.
    Conflict(Vec<String>),
}

impl Repo {
    /// A commit that merges `theirs` into `ours`, unsigned. Where the merge is clean, it is made
    /// even if one of the two descends from the other. Attributes of files (`merge=union`, merge
    /// drivers) have no say, since which of them git would read depends on what is checked out.
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
                let tree = parse_oid(
                    "merge-tree",
                    output.stdout.strip_suffix(b"\0").unwrap_or_default(),
                )?;
                Ok(MergeOutcome::Commit(self.commit_tree(
                    tree,
                    &[ours, theirs],
                    message,
                    by,
                )?))
            }
            Some(1) => conflict(&output).map(MergeOutcome::Conflict),
            _ => Err(git::failed("merge-tree", &output).into()),
        }
    }

    /// Stores a commit of this tree, unsigned.
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

/// The paths after the tree in the answer to a merge with conflicts.
fn conflict(output: &Output) -> Result<Vec<String>, RepoError> {
    let mut parts = output.stdout.split(|b| *b == 0);
    parse_oid("merge-tree", parts.next().unwrap_or_default())?;
    let paths = parts.take_while(|path| !path.is_empty());
    Ok(paths
        .map(|path| git::clean_text(&String::from_utf8_lossy(path)))
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
    fn what_is_checked_out_has_no_say() {
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
