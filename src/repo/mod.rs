//! Git itself: the only room that starts `git` or opens an object database. Knows nothing of
//! entries, charters or deciding.

mod bundle;
pub mod change;
mod discover;
pub mod git;
mod hold;
mod hooks;
pub mod merge;
pub mod objects;
mod packed;
pub mod refs;
mod settings;
mod symbolic;
#[cfg(test)]
pub(crate) mod testing;
pub mod transport;
mod tree;
mod watch;

use std::path::{Path, PathBuf};

pub use bundle::{Bundle, BundleError};
pub use git::{Environment, GitError, clean_text, is_executable, is_unprintable};
pub use hold::Held;
pub use hooks::HOOKS_PATH;
pub use merge::{Ident, MergeOutcome};
pub use objects::{Object, ObjectKind, Objects, commit_id};
pub use refs::{Expect, RefEdit, RefError, RefValue, valid_ref_name};
pub use symbolic::Target;
pub use transport::{PushReport, PushStatus, TransportError};
pub use watch::{Progress, Watch, Watcher};

use crate::id::Oid;
use git::GitCommand;

/// Why a repository could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// There is no repository there.
    #[error("no Git repository at {}: {message}; run this inside a repository, or name one", .dir.display())]
    NotARepository {
        /// Where it was looked for.
        dir: PathBuf,
        /// What git said.
        message: String,
    },
    /// Its object format is not SHA-1.
    #[error("the repository {} uses the object format {format:?}, which cannot be read yet; use a SHA-1 repository (`git init --object-format=sha1`)", .dir.display())]
    ObjectFormat {
        /// The repository.
        dir: PathBuf,
        /// The format that it says it has.
        format: String,
    },
    /// The path cannot be handed to the object database.
    #[error("the path {} is not UTF-8, which the object database needs; move the repository", .0.display())]
    Path(PathBuf),
    /// A git command failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The object database reported an error.
    #[error("the object database could not {action}: {message}; `git fsck` may say more")]
    Database {
        /// What was tried.
        action: String,
        /// What it said.
        message: String,
    },
    /// An object that is needed is not here.
    #[error("object {0} is missing here; fetch it, or work in a complete clone")]
    Missing(Oid),
    /// The history that is needed is cut off here.
    #[error(
        "commit {0} is beyond the boundary of this shallow clone; run `git fetch --unshallow` first"
    )]
    Shallow(Oid),
    /// An object does not have the form that it must have.
    #[error("object {oid} cannot be used: {why}; `git fsck` may say more")]
    Malformed {
        /// The object.
        oid: Oid,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A change goes over a limit.
    #[error("object {oid} goes over a limit: {what}; split the change")]
    TooLarge {
        /// The object at which the limit was met.
        oid: Oid,
        /// The limit.
        what: String,
    },
    /// A name that Git or this program cannot take.
    #[error("{what} {name:?} is not allowed; choose another one")]
    Name {
        /// What kind of name it is.
        what: &'static str,
        /// The name, cleaned.
        name: String,
    },
    /// A file of the repository could not be read.
    #[error("could not read {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The settings of the repository could not be written.
    #[error("could not change {}: {source}; if no other git command is running, remove {}.lock", .path.display(), .path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A Git repository, found and checked.
#[derive(Debug, Clone)]
pub struct Repo {
    common_dir: PathBuf,
    own_dir: PathBuf,
    work_dir: PathBuf,
    bare: bool,
    env: Environment,
    settings: settings::Settings,
    watcher: Watcher,
}

impl Repo {
    /// The repository that `start` lies in, found as git finds it: from a subfolder, from a linked
    /// worktree, in a bare repository. `GIT_DIR` has no say.
    pub fn discover(start: &Path) -> Result<Repo, RepoError> {
        Self::discover_with(start, Environment::of_process())
    }

    /// The repository whose git directory this is.
    pub fn open(git_dir: &Path) -> Result<Repo, RepoError> {
        Self::open_with(git_dir, Environment::of_process())
    }

    /// As [`Repo::discover`], with an environment for all that is run in it.
    pub fn discover_with(start: &Path, env: Environment) -> Result<Repo, RepoError> {
        discover::repo(GitCommand::new(&env, start, "rev-parse"), start, env)
    }

    /// As [`Repo::open`], with an environment for all that is run in it.
    pub fn open_with(git_dir: &Path, env: Environment) -> Result<Repo, RepoError> {
        let absolute = std::path::absolute(git_dir).map_err(|source| RepoError::Io {
            path: git_dir.to_owned(),
            source,
        })?;
        let command = GitCommand::new(&env, &absolute, "rev-parse").git_dir(&absolute);
        discover::repo(command, &absolute, env)
    }

    /// The git directory that all worktrees share.
    pub fn git_dir(&self) -> &Path {
        &self.common_dir
    }

    /// The git directory of this worktree, where its `HEAD` is.
    pub fn worktree_git_dir(&self) -> &Path {
        &self.own_dir
    }

    /// The top folder of the working tree; the git directory where there is none.
    pub fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    /// Whether it has no working tree.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// Whether its history is cut off.
    pub fn is_shallow(&self) -> bool {
        self.common_dir.join("shallow").exists()
    }

    /// The same repository, whose long work is told of.
    pub fn watched(self, watcher: Watcher) -> Repo {
        Repo { watcher, ..self }
    }

    /// Who wants to know how far long work in it is.
    pub fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// The environment that its commands run in.
    pub fn environment(&self) -> &Environment {
        &self.env
    }

    /// Where a push that is being received keeps its objects, when we run inside its hook.
    /// Refs cannot be updated then.
    pub fn quarantine(&self) -> Option<PathBuf> {
        let path = PathBuf::from(self.env.get("GIT_QUARANTINE_PATH")?);
        let parent = path.parent()?.canonicalize().ok()?;
        (parent == self.common_dir.join("objects").canonicalize().ok()?).then_some(path)
    }

    /// The commit that a revision names: a branch, a tag, an id, `HEAD~2`. `None` when it names none.
    pub fn resolve(&self, rev: &str) -> Result<Option<Oid>, RepoError> {
        self.rev_parse(rev, "^{commit}")
    }

    /// The commit or annotated tag that a revision names, a tag unpeeled.
    pub fn resolve_tag(&self, rev: &str) -> Result<Option<Oid>, RepoError> {
        Ok(self.resolve(rev)?.and(self.rev_parse(rev, "")?))
    }

    fn rev_parse(&self, rev: &str, peel: &str) -> Result<Option<Oid>, RepoError> {
        if rev.is_empty() || rev.starts_with('^') || rev.contains('\0') {
            return Ok(None);
        }
        let output = self
            .git("rev-parse")
            .args(["--verify", "--quiet", "--end-of-options"])
            .arg(format!("{rev}{peel}"))
            .output()?;
        match output.status.code() {
            Some(0) => Ok(Some(parse_oid("rev-parse", output.stdout.trim_ascii())?)),
            Some(1 | 128) => Ok(None),
            _ => Err(git::failed("rev-parse", &output).into()),
        }
    }

    /// Runs the hooks of this name as Git would, without arguments and input; there may be none. A hook that
    /// refuses gives what it said.
    pub fn run_hook(&self, name: &str) -> Result<Result<(), String>, RepoError> {
        let output = self
            .git("hook")
            .args(["run", "--ignore-missing", name])
            .output()?;
        Ok(if output.status.success() {
            Ok(())
        } else {
            Err(output.message())
        })
    }

    /// A git command in this repository.
    fn git(&self, name: &'static str) -> GitCommand {
        let command = GitCommand::new(&self.env, &self.work_dir, name).git_dir(&self.own_dir);
        match self.quarantine() {
            Some(path) => command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&path)),
            None => command,
        }
    }
}

/// A path for a list of paths, quoted so that a colon in it does not split it.
fn quoted(path: &Path) -> std::ffi::OsString {
    let text = path.to_string_lossy();
    if text.contains([':', '"', '\\', '\n']) {
        let escaped = text
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        return format!("\"{escaped}\"").into();
    }
    path.into()
}

/// An object id in an answer of git.
fn parse_oid(command: &'static str, text: &[u8]) -> Result<Oid, GitError> {
    let parsed = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
    parsed.ok_or_else(|| git::unreadable(command, text))
}

#[cfg(test)]
mod tests {
    use super::testing::Sandbox;
    use super::*;

    fn environment_with(sandbox: &Sandbox, extra: &[(&str, &Path)]) -> Environment {
        let own = ["HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "PATH"];
        let kept = own
            .iter()
            .map(|name| ((*name).into(), sandbox.env().get(name).unwrap().to_owned()));
        Environment::scrubbed(kept.chain(extra.iter().map(|(n, v)| ((*n).into(), (*v).into()))))
    }

    #[test]
    fn a_repository_is_found_from_a_subfolder_a_worktree_and_its_git_directory() {
        let sandbox = Sandbox::new();
        let main = sandbox.with_worktree("main");
        let top = sandbox.path().join("main").canonicalize().unwrap();
        let commit = sandbox.commit_text(&main, &[], &[("sub/f", "x")]);
        sandbox.git(&top, &["update-ref", "HEAD", &commit.to_string()]);
        sandbox.git(&top, &["reset", "--quiet", "--hard"]);
        sandbox.git(
            &top,
            &["worktree", "add", "--quiet", "-b", "other", "../linked"],
        );

        let sub = Repo::discover_with(&top.join("sub"), sandbox.env()).unwrap();
        assert_eq!(
            (sub.git_dir(), sub.work_dir(), sub.is_bare()),
            (&*top.join(".git"), &*top, false)
        );

        let linked = Repo::discover_with(&sandbox.path().join("linked"), sandbox.env()).unwrap();
        assert_eq!(linked.git_dir(), top.join(".git"));
        assert_eq!(
            linked.work_dir(),
            sandbox.path().join("linked").canonicalize().unwrap()
        );
        assert_eq!(linked.head().unwrap().as_deref(), Some("refs/heads/other"));
        assert_eq!(main.head().unwrap().as_deref(), Some("refs/heads/main"));

        let opened = Repo::open_with(&top.join(".git"), sandbox.env()).unwrap();
        assert_eq!(
            (opened.git_dir(), opened.work_dir()),
            (&*top.join(".git"), &*top)
        );

        let bare = sandbox.bare("bare");
        let found = Repo::discover_with(&bare.git_dir().join("refs"), sandbox.env()).unwrap();
        assert!(found.is_bare() && found.git_dir() == bare.git_dir());
    }

    #[test]
    fn no_variable_of_the_caller_leads_to_another_repository() {
        let sandbox = Sandbox::new();
        let here = sandbox.bare("here");
        let other = sandbox.bare("other");
        let commit = sandbox.commit_text(&other, &[], &[("f", "x")]);
        sandbox.git(
            other.git_dir(),
            &["update-ref", "refs/heads/main", &commit.to_string()],
        );
        let objects = other.git_dir().join("objects");
        let env = environment_with(
            &sandbox,
            &[
                ("GIT_DIR", other.git_dir()),
                ("GIT_COMMON_DIR", other.git_dir()),
                ("GIT_OBJECT_DIRECTORY", &objects),
                ("GIT_NAMESPACE", Path::new("x")),
            ],
        );
        let repo = Repo::discover_with(here.git_dir(), env).unwrap();
        assert_eq!(repo.git_dir(), here.git_dir());
        assert!(repo.list(&[]).unwrap().is_empty());
        assert_eq!(repo.resolve(&commit.to_string()).unwrap(), None);
        assert!(!repo.objects().unwrap().contains(commit).unwrap());
    }

    #[test]
    fn what_is_no_readable_repository_is_refused_with_the_reason() {
        let sandbox = Sandbox::new();
        let nowhere = Repo::discover_with(&sandbox.path().join("home"), sandbox.env());
        assert!(matches!(nowhere, Err(RepoError::NotARepository { .. })));
        sandbox.git(
            sandbox.path(),
            &["init", "--quiet", "--bare", "--object-format=sha256", "new"],
        );
        let sha256 = Repo::open_with(&sandbox.path().join("new"), sandbox.env());
        assert!(
            matches!(sha256, Err(RepoError::ObjectFormat { format, .. }) if format == "sha256")
        );
    }

    #[test]
    fn revisions_resolve_to_commits_and_grafts_and_replacements_have_no_say() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let one = sandbox.commit_text(&repo, &[], &[("f", "1")]);
        let two = sandbox.commit_text(&repo, &[one], &[("f", "2")]);
        let stranger = sandbox.commit_text(&repo, &[], &[("f", "3")]);
        sandbox.git(
            repo.git_dir(),
            &["update-ref", "refs/heads/main", &two.to_string()],
        );
        sandbox.git(repo.git_dir(), &["tag", "-a", "-m", "t", "v1", "main"]);
        std::fs::create_dir_all(repo.git_dir().join("info")).unwrap();
        std::fs::write(
            repo.git_dir().join("info/grafts"),
            format!("{two} {stranger}\n"),
        )
        .unwrap();
        sandbox.git(
            repo.git_dir(),
            &["replace", &one.to_string(), &stranger.to_string()],
        );

        assert_eq!(repo.resolve("v1").unwrap(), Some(two));
        assert_eq!(repo.resolve("main~1").unwrap(), Some(one));
        for none in [
            "",
            "nothing",
            "main^{tree}",
            "main:f",
            "^main",
            "--all",
            "-h",
            "a\0b",
            "main..main",
            "@{u}",
        ] {
            assert_eq!(repo.resolve(none).unwrap(), None, "{none:?}");
        }
        let objects = repo.objects().unwrap();
        assert!(objects.is_ancestor(one, two).unwrap());
        assert!(!objects.is_ancestor(stranger, two).unwrap());
        assert_ne!(objects.read(one).unwrap(), objects.read(stranger).unwrap());
    }

    #[test]
    fn objects_in_quarantine_can_be_read_and_refs_cannot_move() {
        let sandbox = Sandbox::new();
        let plain = sandbox.bare("a:b");
        let known = sandbox.commit_text(&plain, &[], &[("f", "1")]);
        let other = sandbox.bare("other");
        let pushed = sandbox.commit_text(&other, &[], &[("f", "2")]);
        let quarantine = plain
            .git_dir()
            .join("objects")
            .join("tmp_objdir-incoming-x");
        std::fs::rename(other.git_dir().join("objects"), &quarantine).unwrap();
        assert!(!plain.objects().unwrap().contains(pushed).unwrap());

        let env = environment_with(&sandbox, &[("GIT_QUARANTINE_PATH", &quarantine)]);
        let repo = Repo::open_with(plain.git_dir(), env).unwrap();
        let objects = repo.objects().unwrap();
        assert!(objects.contains(pushed).unwrap() && objects.contains(known).unwrap());
        assert_eq!(repo.resolve(&pushed.to_string()).unwrap(), Some(pushed));
        let edit = RefEdit {
            name: "refs/heads/main".into(),
            old: Expect::Absent,
            new: Some(known),
        };
        assert!(matches!(
            repo.transaction(&[edit]),
            Err(RefError::Refused { .. })
        ));
        assert_eq!(plain.read("refs/heads/main").unwrap(), None);
    }
}
