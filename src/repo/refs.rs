//! Refs: listing them, and moving several of them at once or not at all. Knows nothing of what a
//! ref is for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::git::{self, Output, clean_text};
use super::{GitError, Repo, RepoError, parse_oid};
use crate::fault;
use crate::id::Oid;

/// Pauses between the tries of what meets a lock.
pub(super) const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// More refs than this are listed all together rather than by name.
const BY_NAME: usize = 100;

/// What stands for "no object" in the words of `git update-ref`.
const NO_OBJECT: &str = "0000000000000000000000000000000000000000";

/// What a ref holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefValue {
    /// The object that it leads to, of any kind.
    pub oid: Oid,
    /// The ref that it stands for, if it is a symbolic one.
    pub symbolic: Option<String>,
}

/// The value that a ref must have before an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Whatever it is.
    Any,
    /// There must be no such ref.
    Absent,
    /// Exactly this object.
    Is(Oid),
}

/// One edit of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefEdit {
    /// The full name of the ref.
    pub name: String,
    /// The value before.
    pub old: Expect,
    /// The value after; `None` deletes the ref.
    pub new: Option<Oid>,
}

/// Why a transaction did not happen. In every case no ref of it has moved.
#[derive(Debug, thiserror::Error)]
pub enum RefError {
    /// A ref does not have the value that was expected.
    #[error("{name} is not at the expected value; read it again, then retry")]
    Conflict {
        /// The ref.
        name: String,
    },
    /// Another process holds a lock, and kept it through several tries.
    #[error("no ref was moved: {message}")]
    Locked {
        /// Which lock it is, or what git said.
        message: String,
    },
    /// A hook, or git itself, does not allow it.
    #[error("the ref update was refused: {message}")]
    Refused {
        /// What git or the hook said.
        message: String,
    },
    /// Something else went wrong.
    #[error(transparent)]
    Other(#[from] RepoError),
}

impl From<GitError> for RefError {
    fn from(error: GitError) -> Self {
        RefError::Other(error.into())
    }
}

impl Repo {
    /// The refs that have one of these names or lie below it; all refs when there are none. Refs
    /// whose name is not UTF-8 are left out. A broken ref is left out, as git does.
    pub fn list(&self, prefixes: &[&str]) -> Result<BTreeMap<String, Oid>, RepoError> {
        let refs = self.list_values(prefixes)?;
        Ok(refs
            .into_iter()
            .map(|(name, value)| (name, value.oid))
            .collect())
    }

    /// As [`Repo::list`] for these names, which may be many: then all refs are listed. Names that no ref can have are left
    /// out, and without any other name nothing is listed.
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

    /// As [`Repo::list`], and says which refs are symbolic.
    pub fn list_values(&self, prefixes: &[&str]) -> Result<BTreeMap<String, RefValue>, RepoError> {
        let format = "--format=%(objectname) %(refname) %(symref)";
        let mut command = self.git("for-each-ref").args([format, "--"]);
        for prefix in prefixes {
            let name = prefix.strip_suffix('/').unwrap_or(prefix);
            let whole = name == "refs" || valid_ref_name(name);
            command = command.arg(if whole {
                Ok(*prefix)
            } else {
                Err(bad_name(prefix))
            }?);
        }
        let output = command.run()?;
        let lines = output
            .stdout
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty());
        lines
            .filter_map(|line| std::str::from_utf8(line).ok())
            .map(parse_line)
            .collect()
    }

    /// What one ref leads to, symbolic or not; `None` when there is no such ref.
    pub fn read(&self, name: &str) -> Result<Option<Oid>, RepoError> {
        Ok(self.read_value(name)?.map(|value| value.oid))
    }

    /// As [`Repo::read`], and says whether the ref is symbolic.
    pub fn read_value(&self, name: &str) -> Result<Option<RefValue>, RepoError> {
        if !valid_ref_name(name) {
            return Err(bad_name(name));
        }
        Ok(self.list_values(&[name])?.remove(name))
    }

    /// The branch that `HEAD` of this worktree is on, whether it exists yet or not; `None` when it
    /// is detached.
    pub fn head(&self) -> Result<Option<String>, RepoError> {
        let output = self
            .git("symbolic-ref")
            .args(["--quiet", "HEAD"])
            .output()?;
        match output.status.code() {
            Some(0) => Ok(Some(
                String::from_utf8_lossy(&output.stdout)
                    .trim_end()
                    .to_owned(),
            )),
            Some(1) => Ok(None),
            _ => Err(git::failed("symbolic-ref", &output).into()),
        }
    }

    /// Makes a ref stand for another one, which need not exist.
    pub fn set_symbolic(&self, name: &str, target: &str) -> Result<(), RepoError> {
        if let Some(bad) = [name, target]
            .into_iter()
            .find(|name| !valid_ref_name(name))
        {
            return Err(bad_name(bad));
        }
        self.git("symbolic-ref")
            .args(["-m", "git-quorum", name, target])
            .run()?;
        Ok(())
    }

    /// Removes a symbolic ref, and leaves what it stands for.
    pub fn delete_symbolic(&self, name: &str) -> Result<(), RepoError> {
        if !valid_ref_name(name) {
            return Err(bad_name(name));
        }
        self.git("symbolic-ref").args(["--delete", name]).run()?;
        Ok(())
    }

    /// Makes all of these edits, or none. The values before are checked and the refs moved under
    /// one set of locks; symbolic refs are not followed.
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
        match output.stdout.ends_with(b"commit: ok\n") {
            true => Ok(()),
            false => Err(git::unreadable("update-ref", &output.stdout).into()),
        }
    }

    /// The reason is first looked for in the refs themselves; git's words only tell the rest apart.
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

/// Whether another process was in the way, by git's words.
fn is_lock(message: &str) -> bool {
    let words = ["data is locked", "cannot lock references"];
    words.iter().any(|words| message.contains(words))
}

/// Whether a value differed, by git's words, although it no longer does.
fn is_mismatch(message: &str) -> bool {
    let words = [
        "but expected",
        "reference already exists",
        "unable to resolve reference",
    ];
    words.iter().any(|words| message.contains(words))
}

/// The edits in the language of `git update-ref --stdin -z`, up to where all locks are held.
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

/// One line of `git for-each-ref`.
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

/// Whether this is the full name of a ref (`refs/...`) by the rules of `git check-ref-format`.
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
