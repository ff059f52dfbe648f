//! Lists refs, and moves several refs in one transaction. Knows nothing of what a ref is for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::git::{self, Output, parse_oid};
use super::text::clean_text;
use super::{GitError, Repo, RepoError};
use crate::fault;
use crate::id::Oid;

/// Pauses between the attempts of an operation that finds a lock.
pub(super) const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// The most refs to ask git for by name. To look up more, all refs are listed.
const BY_NAME: usize = 100;

/// The id that means "no object" to `git update-ref`.
const NO_OBJECT: &str = "0000000000000000000000000000000000000000";

/// The value of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefValue {
    /// The object that the ref resolves to, of any kind.
    pub oid: Oid,
    /// The target of a symbolic ref. `None` for other refs.
    pub symbolic: Option<String>,
}

/// The value that a ref must have before an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Any value, or none.
    Any,
    /// The ref must not exist.
    Absent,
    /// The ref must have exactly this value.
    Is(Oid),
}

/// One edit of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefEdit {
    /// The full name of the ref.
    pub name: String,
    /// The expected value before the edit.
    pub old: Expect,
    /// The value after the edit. `None` deletes the ref.
    pub new: Option<Oid>,
}

/// Why a transaction failed. No ref of the transaction was moved.
///
/// `Display` says what happened and why. [`RefError::remedy`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum RefError {
    /// A ref does not have the expected value.
    #[error("{name} does not have the expected value")]
    Conflict {
        /// The ref.
        name: String,
    },
    /// Another process held a lock during several attempts.
    #[error("no ref was moved: {message}")]
    Locked {
        /// Which lock it is, or git's message.
        message: String,
    },
    /// A hook or git itself refused the update.
    #[error("the ref update was refused: {message}")]
    Refused {
        /// The message of git or the hook.
        message: String,
    },
    /// Something else went wrong.
    #[error(transparent)]
    Other(#[from] RepoError),
}

impl RefError {
    /// Returns what the user can do next. `None` if the error itself says all there is to say.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Conflict { .. } => Some("read the ref again and retry".to_owned()),
            Self::Locked { .. } => Some(
                "wait for the other git process; if there is none, remove that file".to_owned(),
            ),
            Self::Refused { .. } => None,
            Self::Other(error) => error.remedy(),
        }
    }
}

impl From<GitError> for RefError {
    fn from(error: GitError) -> Self {
        RefError::Other(error.into())
    }
}

impl Repo {
    /// Lists the refs with the given names, and the refs below them. Lists all refs if no name is
    /// given.
    ///
    /// Leaves out broken refs, as git does, and refs whose name is not UTF-8.
    pub fn list(&self, prefixes: &[&str]) -> Result<BTreeMap<String, Oid>, RepoError> {
        let refs = self.list_values(prefixes)?.into_iter();
        Ok(refs.map(|(name, value)| (name, value.oid)).collect())
    }

    /// Lists at least the refs with the given names. Lists all refs if there are many names.
    ///
    /// Ignores invalid names. Lists nothing if no valid name is left.
    pub fn list_at_least<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Oid>, RepoError> {
        let names: Vec<&str> = names
            .into_iter()
            .filter(|name| valid_ref_name(name))
            .collect();
        match names.len() {
            0 => Ok(BTreeMap::new()),
            1..=BY_NAME => self.list(&names),
            _ => self.list(&[]),
        }
    }

    /// Lists refs as [`Repo::list`] does, with the targets of symbolic refs.
    pub fn list_values(&self, prefixes: &[&str]) -> Result<BTreeMap<String, RefValue>, RepoError> {
        let format = "--format=%(objectname) %(refname) %(symref)";
        let mut command = self.git("for-each-ref").args([format, "--"]);
        for prefix in prefixes {
            let name = prefix.strip_suffix('/').unwrap_or(prefix);
            let is_valid = name == "refs" || valid_ref_name(name);
            if !is_valid {
                return Err(bad_name(prefix));
            }
            command = command.arg(*prefix);
        }
        let output = command.run()?;
        let lines = output.stdout.split(|b| *b == b'\n');
        let text = lines.filter_map(|line| std::str::from_utf8(line).ok());
        text.filter(|line| !line.is_empty())
            .map(parse_line)
            .collect()
    }

    /// Returns the object that a ref resolves to. `None` if there is no such ref.
    pub fn read(&self, name: &str) -> Result<Option<Oid>, RepoError> {
        Ok(self.read_value(name)?.map(|value| value.oid))
    }

    /// Returns the value of a ref, with the target of a symbolic ref. `None` if there is no such
    /// ref.
    pub fn read_value(&self, name: &str) -> Result<Option<RefValue>, RepoError> {
        if !valid_ref_name(name) {
            return Err(bad_name(name));
        }
        Ok(self.list_values(&[name])?.remove(name))
    }

    /// Returns the branch that `HEAD` of this worktree names, even if the branch does not exist
    /// yet. `None` if `HEAD` is detached.
    pub fn head(&self) -> Result<Option<String>, RepoError> {
        let output = self
            .git("symbolic-ref")
            .args(["--quiet", "HEAD"])
            .output()?;
        let branch = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => Ok(Some(branch.trim_end().to_owned())),
            Some(1) => Ok(None),
            _ => Err(git::failed("symbolic-ref", &output).into()),
        }
    }

    /// Makes `name` a symbolic ref with the given target, which need not exist.
    pub fn set_symbolic(&self, name: &str, target: &str) -> Result<(), RepoError> {
        for checked in [name, target] {
            if !valid_ref_name(checked) {
                return Err(bad_name(checked));
            }
        }
        self.git("symbolic-ref")
            .args(["-m", "git-quorum", name, target])
            .run()?;
        Ok(())
    }

    /// Deletes a symbolic ref, and keeps its target.
    pub fn delete_symbolic(&self, name: &str) -> Result<(), RepoError> {
        if !valid_ref_name(name) {
            return Err(bad_name(name));
        }
        self.git("symbolic-ref").args(["--delete", name]).run()?;
        Ok(())
    }

    /// Applies all edits, or none. Symbolic refs are not followed.
    ///
    /// Git checks the old values and moves the refs under the same locks.
    pub fn transaction(&self, edits: &[RefEdit]) -> Result<(), RefError> {
        if edits.is_empty() {
            return Ok(());
        }
        let input = [preparation(edits)?, b"commit\0".to_vec()].concat();
        for pause in PAUSES {
            match self.attempt(edits, &input) {
                Err(RefError::Locked { .. }) => std::thread::sleep(pause),
                result => return result,
            }
        }
        self.attempt(edits, &input)
    }

    fn attempt(&self, edits: &[RefEdit], input: &[u8]) -> Result<(), RefError> {
        let command =
            self.git("update-ref")
                .args(["--no-deref", "--stdin", "-z", "-m", "git-quorum"]);
        fault::point("refs.move");
        let output = command.input(input.to_vec()).output()?;
        fault::point("refs.moved");
        if !output.status.success() {
            return Err(self.why_refused(edits, &output)?);
        }
        if output.stdout.ends_with(b"commit: ok\n") {
            Ok(())
        } else {
            Err(git::unreadable("update-ref", &output.stdout).into())
        }
    }

    /// Returns why git refused these edits.
    ///
    /// Reads the refs to find a conflict, because git's messages are no interface. Only what the
    /// refs do not show is taken from the message.
    pub(super) fn why_refused(
        &self,
        edits: &[RefEdit],
        output: &Output,
    ) -> Result<RefError, RepoError> {
        let message = output.message();
        if let Some(file) = git::lock_file(&message) {
            return Ok(RefError::Locked {
                message: GitError::Locked { file }.to_string(),
            });
        }
        if is_lock(&message) {
            return Ok(RefError::Locked { message });
        }
        let refused = [
            "aborted by hook",
            "aborted by the reference-transaction hook",
            "quarantine",
        ];
        if refused.iter().any(|words| message.contains(words)) {
            return Ok(RefError::Refused { message });
        }
        for edit in edits {
            if !edit.old.is_met_by(self.read(&edit.name)?) {
                return Ok(RefError::Conflict {
                    name: edit.name.clone(),
                });
            }
        }
        let named = edits
            .iter()
            .find(|edit| message.contains(&format!("'{}'", edit.name)));
        Ok(match named {
            Some(edit) if is_mismatch(&message) => RefError::Conflict {
                name: edit.name.clone(),
            },
            Some(_) if message.contains("cannot lock ref") => RefError::Refused { message },
            _ => RefError::Other(git::failed("update-ref", output).into()),
        })
    }
}

impl Expect {
    fn is_met_by(self, value: Option<Oid>) -> bool {
        match self {
            Expect::Any => true,
            Expect::Absent => value.is_none(),
            Expect::Is(oid) => value == Some(oid),
        }
    }
}

/// Whether git's message means that another process held a lock.
fn is_lock(message: &str) -> bool {
    let words = ["data is locked", "cannot lock references"];
    words.iter().any(|words| message.contains(words))
}

/// Whether git's message means that a value differed. By now the value may be the expected one.
fn is_mismatch(message: &str) -> bool {
    let words = [
        "but expected",
        "reference already exists",
        "unable to resolve reference",
    ];
    words.iter().any(|words| message.contains(words))
}

/// Returns the input for `git update-ref --stdin -z` that locks the refs of all edits.
pub(super) fn preparation(edits: &[RefEdit]) -> Result<Vec<u8>, RepoError> {
    let mut input = "start\0".to_owned();
    for edit in edits {
        if !valid_ref_name(&edit.name) {
            return Err(bad_name(&edit.name));
        }
        input.push_str(&command(edit));
    }
    input.push_str("prepare\0");
    Ok(input.into_bytes())
}

fn command(edit: &RefEdit) -> String {
    let name = &edit.name;
    match (edit.new, edit.old) {
        (Some(new), Expect::Any) => format!("update {name}\0{new}\0\0"),
        (Some(new), Expect::Absent) => format!("update {name}\0{new}\0{NO_OBJECT}\0"),
        (Some(new), Expect::Is(old)) => format!("update {name}\0{new}\0{old}\0"),
        (None, Expect::Any) => format!("delete {name}\0\0"),
        (None, Expect::Absent) => format!("verify {name}\0{NO_OBJECT}\0"),
        (None, Expect::Is(old)) => format!("delete {name}\0{old}\0"),
    }
}

/// Parses one line of `git for-each-ref`.
fn parse_line(line: &str) -> Result<(String, RefValue), RepoError> {
    let mut fields = line.splitn(3, ' ');
    let (Some(oid), Some(name), Some(symbolic)) = (fields.next(), fields.next(), fields.next())
    else {
        return Err(git::unreadable("for-each-ref", line.as_bytes()).into());
    };
    let oid = parse_oid("for-each-ref", oid.as_bytes())?;
    let symbolic = (!symbolic.is_empty()).then(|| symbolic.to_owned());
    Ok((name.to_owned(), RefValue { oid, symbolic }))
}

fn bad_name(name: &str) -> RepoError {
    RepoError::Name {
        what: "the ref name",
        name: clean_text(name),
    }
}

/// Whether a name is a valid full ref name (`refs/...`) by the rules of `git check-ref-format`.
pub fn valid_ref_name(name: &str) -> bool {
    let refused = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let component =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    name.strip_prefix("refs/")
        .is_some_and(|rest| !rest.is_empty())
        && name.split('/').all(component)
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::Sandbox;

    struct Two {
        sandbox: Sandbox,
        repo: Repo,
        one: Oid,
        two: Oid,
    }

    fn two_commits() -> Two {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let one = sandbox.commit_text(&repo, &[], &[("f", "1")]);
        let two = sandbox.commit_text(&repo, &[one], &[("f", "2")]);
        Two {
            sandbox,
            repo,
            one,
            two,
        }
    }

    fn edit(name: &str, old: Expect, new: Option<Oid>) -> RefEdit {
        RefEdit {
            name: name.to_owned(),
            old,
            new,
        }
    }

    #[test]
    fn a_transaction_creates_moves_deletes_and_checks() {
        let Two {
            sandbox: _sandbox,
            repo,
            one,
            two,
            ..
        } = two_commits();
        repo.transaction(&[]).unwrap();
        repo.transaction(&[
            edit("refs/heads/a", Expect::Absent, Some(one)),
            edit("refs/heads/b", Expect::Any, Some(one)),
            edit("refs/heads/gone", Expect::Absent, None),
        ])
        .unwrap();
        repo.transaction(&[
            edit("refs/heads/a", Expect::Is(one), Some(two)),
            edit("refs/heads/b", Expect::Is(one), None),
            edit("refs/heads/gone", Expect::Any, None),
        ])
        .unwrap();
        assert_eq!(
            repo.list(&[]).unwrap(),
            BTreeMap::from([("refs/heads/a".to_owned(), two)])
        );
    }

    #[test]
    fn one_stale_value_stops_the_whole_transaction_and_is_named() {
        let Two {
            sandbox: _sandbox,
            repo,
            one,
            two,
            ..
        } = two_commits();
        repo.transaction(&[edit("refs/heads/a", Expect::Absent, Some(one))])
            .unwrap();
        let before = repo.list(&[]).unwrap();
        let absent = "refs/heads/absent";
        for stale in [
            edit("refs/heads/a", Expect::Is(two), Some(two)),
            edit("refs/heads/a", Expect::Absent, Some(two)),
            edit("refs/heads/a", Expect::Absent, None),
            edit("refs/heads/a", Expect::Is(two), None),
            edit(absent, Expect::Is(one), Some(two)),
            edit(absent, Expect::Is(one), None),
        ] {
            let name = stale.name.clone();
            let result = repo.transaction(&[
                edit("refs/heads/new", Expect::Absent, Some(one)),
                stale.clone(),
            ]);
            assert!(
                matches!(&result, Err(RefError::Conflict { name: n }) if *n == name),
                "{stale:?}: {result:?}"
            );
            assert_eq!(repo.list(&[]).unwrap(), before);
        }
    }

    #[test]
    fn a_lock_is_waited_for_and_then_reported() {
        let Two {
            sandbox: _sandbox,
            repo,
            one,
            ..
        } = two_commits();
        let lock = repo.git_dir().join("refs/heads/a.lock");
        std::fs::write(&lock, "").unwrap();
        let edits = [
            edit("refs/heads/b", Expect::Absent, Some(one)),
            edit("refs/heads/a", Expect::Absent, Some(one)),
        ];
        assert!(matches!(
            repo.transaction(&edits),
            Err(RefError::Locked { .. })
        ));
        assert!(repo.list(&[]).unwrap().is_empty());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(120));
                std::fs::remove_file(&lock).unwrap();
            });
            repo.transaction(&edits).unwrap();
        });
        assert_eq!(repo.list(&[]).unwrap().len(), 2);
    }

    #[test]
    fn a_hook_and_git_itself_can_refuse() {
        let Two {
            sandbox, repo, one, ..
        } = two_commits();
        repo.transaction(&[edit("refs/heads/a", Expect::Absent, Some(one))])
            .unwrap();
        let nested = repo.transaction(&[edit("refs/heads/a/b", Expect::Absent, Some(one))]);
        assert!(
            matches!(nested, Err(RefError::Refused { .. })),
            "{nested:?}"
        );
        let missing = repo.transaction(&[edit(
            "refs/heads/c",
            Expect::Absent,
            Some(Oid::new([7; 20])),
        )]);
        assert!(matches!(missing, Err(RefError::Other(_))), "{missing:?}");
        let bad = repo.transaction(&[edit("refs/heads/x..y", Expect::Any, Some(one))]);
        assert!(
            matches!(bad, Err(RefError::Other(RepoError::Name { .. }))),
            "{bad:?}"
        );
        sandbox.hook(
            &repo,
            "reference-transaction",
            "#!/bin/sh\n[ \"$1\" != prepared ] || { echo because >&2; exit 1; }\n",
        );
        let hooked = repo.transaction(&[edit("refs/heads/c", Expect::Absent, Some(one))]);
        assert!(
            matches!(&hooked, Err(RefError::Refused { message }) if message.contains("because")),
            "{hooked:?}"
        );
        assert_eq!(repo.list(&[]).unwrap().len(), 1);
    }

    #[test]
    fn listing_shows_exactly_what_lies_below_a_prefix_and_objects_of_any_kind() {
        let Two {
            sandbox,
            repo,
            one,
            two,
        } = two_commits();
        let blob = sandbox.git_bytes(repo.git_dir(), &["hash-object", "-w", "--stdin"], b"blob");
        let blob: Oid = std::str::from_utf8(&blob).unwrap().trim().parse().unwrap();
        let names = [
            ("refs/quorum/x/a", one),
            ("refs/quorum/xy/b", two),
            ("refs/tags/blob", blob),
        ];
        let edits: Vec<RefEdit> = names
            .iter()
            .map(|(n, o)| edit(n, Expect::Absent, Some(*o)))
            .collect();
        repo.transaction(&edits).unwrap();
        sandbox.git(
            repo.git_dir(),
            &["symbolic-ref", "refs/heads/alias", "refs/quorum/x/a"],
        );

        for prefix in ["refs/quorum/x", "refs/quorum/x/"] {
            assert_eq!(
                repo.list(&[prefix]).unwrap(),
                BTreeMap::from([("refs/quorum/x/a".to_owned(), one)])
            );
        }
        assert_eq!(repo.list(&["refs/tags/", "refs/quorum/"]).unwrap().len(), 3);
        assert_eq!(repo.read("refs/tags/blob").unwrap(), Some(blob));
        assert_eq!(repo.read("refs/quorum/x").unwrap(), None);
        let alias = RefValue {
            oid: one,
            symbolic: Some("refs/quorum/x/a".into()),
        };
        assert_eq!(repo.read_value("refs/heads/alias").unwrap(), Some(alias));
        assert!(repo.list(&["refs/*"]).is_err());
        repo.transaction(&[edit("refs/heads/alias", Expect::Is(one), Some(two))])
            .unwrap();
        assert_eq!(
            repo.read("refs/quorum/x/a").unwrap(),
            Some(one),
            "the target of an alias stays"
        );
        assert_eq!(
            repo.read_value("refs/heads/alias").unwrap(),
            Some(RefValue {
                oid: two,
                symbolic: None
            })
        );
    }

    #[test]
    fn names_are_valid_exactly_where_git_says_so() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let names = [
            "refs/heads/a",
            "refs/a",
            "refs",
            "refs/",
            "heads/a",
            "refs/heads/a.lock",
            "refs/heads/a.lock/b",
            "refs/heads/.a",
            "refs/heads/a.",
            "refs/heads/a./b",
            "refs/heads/a..b",
            "refs//a",
            "/refs/a",
            "refs/a/",
            "refs/a b",
            "refs/a~b",
            "refs/a^b",
            "refs/a:b",
            "refs/a?b",
            "refs/a*b",
            "refs/a[b",
            "refs/a\\b",
            "refs/a@{b",
            "refs/@",
            "refs/é",
            "refs/a\tb",
            "refs/a\u{7f}",
            "refs/-a",
            "refs/a@b",
        ];
        for name in names {
            let asked = repo
                .git("check-ref-format")
                .arg(name)
                .output()
                .unwrap()
                .status
                .success();
            assert_eq!(
                valid_ref_name(name),
                asked && name.starts_with("refs/"),
                "{name:?}"
            );
        }
    }
}
