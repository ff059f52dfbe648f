//! An open repository: where it is, how git runs in it, and the commits that revisions name.

use std::path::{Path, PathBuf};

use super::discover::{self, Found};
use super::error::RepoError;
use super::git::{self, Environment, GitCommand, parse_oid};
use super::settings_cache::SettingsCache;
use super::watch::Watcher;
use crate::id::Oid;

/// A Git repository that was found and checked. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Repo {
    pub(super) common_dir: PathBuf,
    pub(super) own_dir: PathBuf,
    pub(super) work_dir: PathBuf,
    pub(super) bare: bool,
    pub(super) env: Environment,
    pub(super) settings: SettingsCache,
    pub(super) watcher: Watcher,
}

impl Repo {
    /// Finds the repository that contains `start`, as git finds it: from a subfolder, from a linked
    /// worktree, in a bare repository. `GIT_DIR` is ignored.
    ///
    /// Commands run with the environment of this process.
    pub fn discover(start: &Path) -> Result<Repo, RepoError> {
        Self::discover_with(start, Environment::of_process())
    }

    /// Opens the repository with the given git directory.
    ///
    /// Commands run with the environment of this process.
    pub fn open(git_dir: &Path) -> Result<Repo, RepoError> {
        Self::open_with(git_dir, Environment::of_process())
    }

    /// Finds a repository as [`Repo::discover`] does. Commands run with the given environment.
    ///
    /// A relative `start` is resolved against the working directory of the process.
    pub fn discover_with(start: &Path, env: Environment) -> Result<Repo, RepoError> {
        let found = discover::find(GitCommand::new(&env, start, "rev-parse"), start)?;
        Ok(Self::of(found, env))
    }

    /// Opens a repository as [`Repo::open`] does. Commands run with the given environment.
    ///
    /// A relative `git_dir` is resolved against the working directory of the process.
    pub fn open_with(git_dir: &Path, env: Environment) -> Result<Repo, RepoError> {
        let absolute = std::path::absolute(git_dir).map_err(|source| RepoError::Io {
            path: git_dir.to_owned(),
            source,
        })?;
        let command = GitCommand::new(&env, &absolute, "rev-parse").git_dir(&absolute);
        Ok(Self::of(discover::find(command, &absolute)?, env))
    }

    fn of(found: Found, env: Environment) -> Repo {
        Repo {
            common_dir: found.common_dir,
            own_dir: found.own_dir,
            work_dir: found.work_dir,
            bare: found.bare,
            env,
            settings: SettingsCache::default(),
            watcher: Watcher::default(),
        }
    }

    /// Returns the git directory that all worktrees share.
    pub fn git_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Returns the git directory of this worktree, which contains its `HEAD`.
    pub fn worktree_git_dir(&self) -> &Path {
        &self.own_dir
    }

    /// Returns the top folder of the working tree, or the git directory of a bare repository.
    pub fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    /// Whether the repository has no working tree.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// Whether the repository is a shallow clone.
    pub fn is_shallow(&self) -> bool {
        self.common_dir.join("shallow").exists()
    }

    /// Returns the same repository, whose long operations report their progress to `watcher`.
    pub fn watched(self, watcher: Watcher) -> Repo {
        Repo { watcher, ..self }
    }

    /// Returns the watcher that long operations report their progress to.
    pub fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// Returns the environment of the commands that run in this repository.
    pub fn environment(&self) -> &Environment {
        &self.env
    }

    /// Returns the directory with the objects of the push whose hook this process is.
    ///
    /// Refs cannot be updated as long as the objects are there. `None` outside of such a hook.
    pub fn quarantine(&self) -> Option<PathBuf> {
        let path = PathBuf::from(self.env.get("GIT_QUARANTINE_PATH")?);
        let parent = path.parent()?.canonicalize().ok()?;
        (parent == self.common_dir.join("objects").canonicalize().ok()?).then_some(path)
    }

    /// Returns the commit that a revision names: a branch, a tag, an id, `HEAD~2`.
    ///
    /// `None` if the revision does not name a commit.
    pub fn resolve(&self, rev: &str) -> Result<Option<Oid>, RepoError> {
        self.rev_parse(rev, "^{commit}")
    }

    /// Returns the commit or the annotated tag that a revision names. The tag is not peeled.
    ///
    /// `None` if the revision names neither.
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

    /// Runs the hooks of this name as Git would, without arguments and input. There may be no hook.
    ///
    /// The inner error is the message of a hook that refused.
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

    /// Returns a git command in this repository.
    pub(super) fn git(&self, name: &'static str) -> GitCommand {
        let command = GitCommand::new(&self.env, &self.work_dir, name).git_dir(&self.own_dir);
        match self.quarantine() {
            Some(path) => command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&path)),
            None => command,
        }
    }
}

/// Quotes a path for a list of paths, so that git does not split it at a colon.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::Sandbox;
    use crate::repo::{Expect, RefEdit, RefError};

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
    fn a_folder_without_a_readable_repository_is_refused_with_the_reason() {
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
    fn revisions_resolve_to_commits_and_ignore_grafts_and_replacements() {
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
