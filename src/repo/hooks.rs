//! Finds out where Git looks for hooks. Knows nothing of what the hooks do.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::git::{self, GitCommand};
use super::{Repo, RepoError};

/// The setting that names another folder for hooks.
pub const HOOKS_PATH: &str = "core.hooksPath";

/// The exit status of `git config` if a setting has no value.
const NO_VALUE: i32 = 1;

impl Repo {
    /// Whether the installed Git supports hooks in its settings, as Git 2.54 and newer do.
    ///
    /// Tries the feature instead of comparing version numbers: vendors number their own builds.
    pub fn has_config_hooks(&self) -> Result<bool, RepoError> {
        let probe = self
            .git("hook")
            .config("hook.git-quorum-probe.event", "pre-push");
        let output = probe
            .config("hook.git-quorum-probe.command", "true")
            .args(["list", "pre-push"])
            .output()?;
        // A disabled hook is listed with a word before its name, hence `ends_with`.
        let mut listed = names(&output.stdout);
        Ok(output.status.success() && listed.any(|name| name.ends_with("git-quorum-probe")))
    }

    /// Returns the hooks that Git's settings define for an event, as the caller's own git sees
    /// them. A disabled hook has a word and a tab before its name.
    pub fn config_hooks(&self, event: &str) -> Result<Vec<String>, RepoError> {
        let mut command = self.git("hook").args(["list", event]);
        for (name, value) in self.env.dropped_settings() {
            command = command.env(name, value);
        }
        // Git exits with status 1 if there are no hooks.
        let output = command.output()?;
        Ok(names(&output.stdout).map(str::to_owned).collect())
    }

    /// Returns all values of `core.hooksPath` for this working tree. Git uses the last one.
    pub fn hooks_paths(&self) -> Result<Vec<PathBuf>, RepoError> {
        paths(self.git("config"))
    }

    /// Returns the value of `core.hooksPath` that the caller's own git uses in each working tree.
    ///
    /// Each item is the git directory of a working tree and its value, if the setting has one.
    pub fn hooks_path_in_worktrees(&self) -> Result<Vec<(PathBuf, Option<PathBuf>)>, RepoError> {
        let mut found = Vec::new();
        for git_dir in self.worktrees() {
            let mut command = GitCommand::new(&self.env, &git_dir, "config").git_dir(&git_dir);
            for (name, value) in self.env.dropped_settings() {
                command = command.env(name, value);
            }
            let last = paths(command)?.pop();
            found.push((git_dir, last));
        }
        Ok(found)
    }

    /// Returns the git directories of all working trees, the main one first.
    fn worktrees(&self) -> Vec<PathBuf> {
        // Without the folder there are no linked working trees.
        let entries = std::fs::read_dir(self.git_dir().join("worktrees"));
        let entries = entries.into_iter().flatten().flatten();
        let mut linked: Vec<_> = entries.map(|entry| entry.path()).collect();
        linked.retain(|path| path.join("HEAD").exists());
        linked.sort();
        let mut all = vec![self.git_dir().to_owned()];
        all.extend(linked);
        all
    }
}

fn paths(command: GitCommand) -> Result<Vec<PathBuf>, RepoError> {
    let output = command
        .args(["--null", "--type=path", "--get-all", HOOKS_PATH])
        .output()?;
    match output.status.code() {
        Some(0) => {
            let values = output.stdout.strip_suffix(b"\0").unwrap_or_default();
            Ok(values.split(|b| *b == 0).map(path).collect())
        }
        Some(NO_VALUE) => Ok(Vec::new()),
        _ => Err(git::failed("config", &output).into()),
    }
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(OsStr::from_bytes(bytes)).to_owned()
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> PathBuf {
    Path::new(OsStr::new(&*String::from_utf8_lossy(bytes))).to_owned()
}

/// Returns the hooks in the output of `git hook list`. A disabled hook has a word and a tab before
/// its name.
fn names(answer: &[u8]) -> impl Iterator<Item = &str> {
    answer
        .split(|b| *b == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
}

#[cfg(test)]
mod tests {
    use crate::repo::testing::Sandbox;

    #[test]
    fn the_paths_of_all_files_are_read_and_a_worktree_can_have_its_own() {
        let sandbox = Sandbox::new();
        let repo = sandbox.with_worktree("main");
        assert!(repo.hooks_paths().unwrap().is_empty());
        sandbox.commit_text(&repo, &[], &[("f", "x")]);
        sandbox.git(
            repo.work_dir(),
            &["commit", "--quiet", "--allow-empty", "-m", "x"],
        );
        sandbox.git(
            repo.work_dir(),
            &["worktree", "add", "--quiet", "../linked"],
        );
        repo.set_config("core.hooksPath", "~/a b").unwrap();
        repo.add_config("core.hooksPath", ".husky/_").unwrap();
        let home = sandbox.path().join("home/a b");
        assert_eq!(repo.hooks_paths().unwrap(), [home, ".husky/_".into()]);
        repo.set_config("extensions.worktreeConfig", "true")
            .unwrap();
        sandbox.git(
            &sandbox.path().join("linked"),
            &["config", "--worktree", "core.hooksPath", "x"],
        );
        let found = repo.hooks_path_in_worktrees().unwrap();
        let values: Vec<_> = found.into_iter().map(|(_, value)| value.unwrap()).collect();
        assert_eq!(values, [std::path::Path::new(".husky/_"), "x".as_ref()]);
    }

    #[test]
    fn settings_change_as_a_whole_and_a_lock_is_respected() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let file = repo.git_dir().join("config");
        let before = std::fs::read(&file).unwrap();
        assert!(!repo.edit_config(<[u8]>::to_vec).unwrap());
        assert!(
            repo.edit_config(|text| [text, b"[quorum]\n\tx = y\n"].concat())
                .unwrap()
        );
        assert_eq!(repo.config("quorum.x").unwrap().as_deref(), Some("y"));
        assert!(repo.edit_config(|_| before.clone()).unwrap());
        assert_eq!(repo.config("quorum.x").unwrap(), None);
        let lock = repo.git_dir().join("config.lock");
        assert!(!lock.exists());
        std::fs::write(&lock, "").unwrap();
        assert!(repo.edit_config(|_| Vec::new()).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
}
