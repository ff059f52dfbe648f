//! Merges two commits in one fixed way, touching neither working tree nor index nor refs. Knows
//! nothing of what is merged.

use super::git::{self, GitCommand, Output};
use super::{Repo, RepoError, parse_oid};
use crate::id::Oid;

/// Settings that would change the result of a merge, at git's own defaults.
const PINNED: [(&str, &str); 9] = [
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
    /// even if one of the two descends from the other.
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
