//! Git's configuration, and what it says about the repository. Knows nothing of what the
//! settings mean to others.

use super::git::{self, Output, clean_text};
use super::{Repo, RepoError};

/// The exit status of `git config` when there is nothing to unset.
const NOTHING_TO_UNSET: i32 = 5;

impl Repo {
    /// The value of a setting, from all files that git reads; the last one where there are several.
    pub fn config(&self, key: &str) -> Result<Option<String>, RepoError> {
        Ok(self.config_all(key)?.pop())
    }

    /// All values of a setting, in git's order.
    pub fn config_all(&self, key: &str) -> Result<Vec<String>, RepoError> {
        checked(key)?;
        let output = self.git("config").args(["--null", "--get-all", key]).output()?;
        Ok(found(output)?.into_iter().collect())
    }

    /// Sets a setting of this repository, in place of all its values here.
    pub fn set_config(&self, key: &str, value: &str) -> Result<(), RepoError> {
        self.change_config(&["--replace-all", checked(key)?, value])
    }

    /// Adds a value to a setting of this repository.
    pub fn add_config(&self, key: &str, value: &str) -> Result<(), RepoError> {
        self.change_config(&["--add", checked(key)?, value])
    }

    /// Removes all values of a setting of this repository; there may be none.
    pub fn unset_config(&self, key: &str) -> Result<(), RepoError> {
        self.change_config(&["--unset-all", checked(key)?])
    }

    /// Removes one value of a setting of this repository; it may be absent.
    pub fn remove_config(&self, key: &str, value: &str) -> Result<(), RepoError> {
        self.change_config(&["--fixed-value", "--unset-all", checked(key)?, value])
    }

    /// Whether objects may be left on a remote until they are asked for.
    pub fn is_partial(&self) -> Result<bool, RepoError> {
        let pattern = r"^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$";
        let output = self.git("config").args(["--null", "--name-only", "--get-regexp", pattern]).output()?;
        Ok(!found(output)?.is_empty() || self.has_promisor_pack())
    }

    fn has_promisor_pack(&self) -> bool {
        let packs = std::fs::read_dir(self.git_dir().join("objects").join("pack"));
        packs.into_iter().flatten().flatten().any(|file| file.path().extension().is_some_and(|e| e == "promisor"))
    }

    fn change_config(&self, args: &[&str]) -> Result<(), RepoError> {
        let output = self.git("config").arg("--local").args(args).output()?;
        match output.status.code() {
            Some(0 | NOTHING_TO_UNSET) => Ok(()),
            _ => Err(git::failed("config", &output).into()),
        }
    }
}

/// The values in an answer of `git config --null`; exit status 1 says that there are none.
fn found(output: Output) -> Result<Vec<String>, RepoError> {
    match output.status.code() {
        Some(0) => {}
        Some(1) => return Ok(Vec::new()),
        _ => return Err(git::failed("config", &output).into()),
    }
    let values = output.stdout.strip_suffix(b"\0").unwrap_or(&output.stdout);
    let text =
        |value: &[u8]| String::from_utf8(value.to_vec()).map_err(|_| RepoError::from(git::unreadable("config", value)));
    values.split(|b| *b == 0).map(text).collect()
}

/// A key of the form `section.name` or `section.any text.name`.
fn checked(key: &str) -> Result<&str, RepoError> {
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let parts = key.split_once('.').zip(key.rsplit_once('.'));
    let well_formed = parts.is_some_and(|((section, _), (_, name))| word(section) && word(name));
    if well_formed && !key.contains(['\n', '\0']) {
        return Ok(key);
    }
    Err(RepoError::Name { what: "the configuration key", name: clean_text(key) })
}

#[cfg(test)]
mod tests {
    use crate::repo::testing::Sandbox;

    #[test]
    fn settings_are_set_added_to_and_removed() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        assert_eq!(repo.config("quorum.x").unwrap(), None);
        repo.set_config("quorum.x", "-1\n2").unwrap();
        repo.add_config("quorum.x", "b").unwrap();
        assert_eq!(repo.config_all("quorum.x").unwrap(), ["-1\n2", "b"]);
        assert_eq!(repo.config("quorum.x").unwrap().as_deref(), Some("b"));
        repo.remove_config("quorum.x", "b").unwrap();
        repo.remove_config("quorum.x", "b").unwrap();
        assert_eq!(repo.config_all("quorum.x").unwrap(), ["-1\n2"]);
        repo.set_config("quorum.x", "").unwrap();
        assert_eq!(repo.config("quorum.x").unwrap().as_deref(), Some(""));
        repo.unset_config("quorum.x").unwrap();
        repo.unset_config("quorum.x").unwrap();
        assert_eq!(repo.config("quorum.x").unwrap(), None);
    }

    #[test]
    fn a_key_that_git_could_take_for_something_else_is_refused() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        for key in ["", "x", "--list", "-x.y", "a.b\n.c", "a.", ".a", "a.b_c"] {
            assert!(repo.config(key).is_err(), "{key:?}");
        }
        assert!(repo.config("remote.a/b.c d.url").is_ok());
    }

    #[test]
    fn shallow_and_partial_repositories_say_so() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        assert!(!repo.is_shallow() && !repo.is_partial().unwrap());
        repo.set_config("remote.origin.promisor", "true").unwrap();
        std::fs::write(repo.git_dir().join("shallow"), "").unwrap();
        assert!(repo.is_shallow() && repo.is_partial().unwrap());
    }
}
