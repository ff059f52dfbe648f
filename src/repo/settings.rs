//! Reads and changes Git's configuration. Knows nothing of what the settings mean to other modules.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::git::{self, Output};
use super::refs::PAUSES;
use super::settings_cache::Listing;
use super::text::clean_text;
use super::{GitError, Repo, RepoError};
use crate::fault;

/// The exit status of `git config` if there is nothing to unset.
const NOTHING_TO_UNSET: i32 = 5;

/// How often to retry a configuration file that another process has locked.
const LOCK_TRIES: u32 = 20;
/// The pause before each retry.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

impl Repo {
    /// Returns the value of a setting from all files that git reads, the last one if there are
    /// several. `None` if the setting has no value.
    pub fn config(&self, key: &str) -> Result<Option<String>, RepoError> {
        Ok(self.config_all(key)?.pop())
    }

    /// Returns all values of a setting, in git's order.
    pub fn config_all(&self, key: &str) -> Result<Vec<String>, RepoError> {
        let key = canonical_key(checked(key)?);
        let text = |value: &[u8]| {
            let text = String::from_utf8(value.to_vec());
            text.map_err(|_| RepoError::from(git::unreadable("config", value)))
        };
        let settings = self.settings()?;
        let values = settings.iter().filter(|(name, _)| *name == key);
        values.map(|(_, value)| text(value)).collect()
    }

    /// Returns the value of a setting in the repository's own file. Ignores all other files.
    ///
    /// `None` if the file does not set it.
    pub fn local_config(&self, key: &str) -> Result<Option<String>, RepoError> {
        let output = self
            .git("config")
            .args(["--local", "--get", checked(key)?])
            .output()?;
        let value = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => Ok(Some(value.trim_end_matches('\n').to_owned())),
            Some(1) => Ok(None),
            _ => Err(git::failed("config", &output).into()),
        }
    }

    /// Whether a boolean setting is on. A value that is not a known form of "off" counts as on.
    pub fn is_on(&self, key: &str) -> Result<bool, RepoError> {
        let value = self.config(key)?.map(|value| value.to_ascii_lowercase());
        Ok(value.is_some_and(|value| !matches!(value.as_str(), "false" | "no" | "off" | "0")))
    }

    /// Whether a remote of this name is configured.
    pub fn remote_exists(&self, name: &str) -> Result<bool, RepoError> {
        let of_remote = |key: &str| {
            let after_section = key.strip_prefix("remote.");
            let after_name = after_section.and_then(|rest| rest.strip_prefix(name));
            let variable = after_name.and_then(|rest| rest.strip_prefix('.'));
            variable.is_some_and(|variable| !variable.contains('.'))
        };
        Ok(self.settings()?.iter().any(|(key, _)| of_remote(key)))
    }

    /// Returns the remote to use if the user names none: `origin`, or the only remote.
    ///
    /// `None` if there is no remote, or if there are several and none is called `origin`.
    pub fn default_remote(&self) -> Result<Option<String>, RepoError> {
        if self.remote_exists("origin")? {
            return Ok(Some("origin".to_owned()));
        }
        let settings = self.settings()?;
        let name = |key: &str| {
            let rest = key.strip_prefix("remote.")?;
            rest.strip_suffix(".url").map(str::to_owned)
        };
        let names: BTreeSet<String> = settings.iter().filter_map(|(key, _)| name(key)).collect();
        if names.len() > 1 {
            return Ok(None);
        }
        Ok(names.into_iter().next())
    }

    /// Sets a setting in the repository's own file, and replaces all its values there.
    pub fn set_config(&self, key: &str, value: &str) -> Result<(), RepoError> {
        self.change_config(&["--replace-all", checked(key)?, value])
    }

    /// Adds a value to a setting in the repository's own file.
    pub fn add_config(&self, key: &str, value: &str) -> Result<(), RepoError> {
        self.change_config(&["--add", checked(key)?, value])
    }

    /// Removes all values of a setting from the repository's own file. There may be none.
    pub fn unset_config(&self, key: &str) -> Result<(), RepoError> {
        self.change_config(&["--unset-all", checked(key)?])
    }

    /// Removes one value of a setting from the repository's own file. The value may be absent.
    pub fn remove_config(&self, key: &str, value: &str) -> Result<(), RepoError> {
        self.change_config(&["--fixed-value", "--unset-all", checked(key)?, value])
    }

    /// Changes the text of the repository's own configuration file, under Git's lock.
    ///
    /// Other processes see the whole change or none of it. Returns whether `edit` changed anything.
    pub fn edit_config(&self, edit: impl Fn(&[u8]) -> Vec<u8>) -> Result<bool, RepoError> {
        self.settings.forget();
        let named = self.git_dir().join("config");
        // Git does the same: a symbolic link stays a link, and its target changes.
        let path = named.canonicalize().unwrap_or(named);
        replace_under_lock(&path, edit).map_err(|source| RepoError::Settings { path, source })
    }

    /// Whether the repository is a partial clone, so that some objects may only be on a remote.
    pub fn is_partial(&self) -> Result<bool, RepoError> {
        let marks = |key: &str| {
            let of_remote = key.starts_with("remote.");
            key == "extensions.partialclone"
                || (of_remote
                    && (key.ends_with(".promisor") || key.ends_with(".partialclonefilter")))
        };
        Ok(self.settings()?.iter().any(|(key, _)| marks(key)) || self.has_promisor_pack())
    }

    fn settings(&self) -> Result<Arc<Listing>, RepoError> {
        self.settings
            .get_or_read(|| listed(self.git("config").args(["--null", "--list"]).output()?))
    }

    fn has_promisor_pack(&self) -> bool {
        let packs = fs::read_dir(self.git_dir().join("objects").join("pack"));
        let mut files = packs.into_iter().flatten().flatten();
        files.any(|file| file.path().extension().is_some_and(|e| e == "promisor"))
    }

    fn change_config(&self, args: &[&str]) -> Result<(), RepoError> {
        self.settings.forget();
        let mut pauses = PAUSES.iter();
        loop {
            fault::point("settings.change");
            let output = self.git("config").arg("--local").args(args).output()?;
            fault::point("settings.changed");
            match output.status.code() {
                Some(0 | NOTHING_TO_UNSET) => return Ok(()),
                _ => match (git::failed("config", &output), pauses.next()) {
                    // Git waits for a locked ref by itself, but not for this lock.
                    (GitError::Locked { .. }, Some(pause)) => std::thread::sleep(*pause),
                    (error, _) => return Err(error.into()),
                },
            }
        }
    }
}

fn replace_under_lock(path: &Path, edit: impl Fn(&[u8]) -> Vec<u8>) -> std::io::Result<bool> {
    let now = fs::read(path)?;
    if edit(&now) == now {
        return Ok(false);
    }
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = Path::new(&lock_path);
    let lock = lock(lock_path)?;
    let replaced = replace(path, lock, lock_path, edit);
    if !matches!(replaced, Ok(true)) {
        fs::remove_file(lock_path)?;
    }
    replaced
}

fn lock(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    for _ in 0..LOCK_TRIES {
        match options.open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                std::thread::sleep(LOCK_PAUSE)
            }
            result => return result,
        }
    }
    options.open(path)
}

fn replace(
    path: &Path,
    mut lock: fs::File,
    lock_path: &Path,
    edit: impl Fn(&[u8]) -> Vec<u8>,
) -> std::io::Result<bool> {
    let before = fs::read(path)?;
    let after = edit(&before);
    if after == before {
        return Ok(false);
    }
    lock.write_all(&after)?;
    lock.set_permissions(fs::metadata(path)?.permissions())?;
    lock.sync_all()?;
    fault::check("settings.locked")?;
    fs::rename(lock_path, path)?;
    Ok(true)
}

/// Parses the output of `git config --null --list`: keys, each with a line feed and a value. A
/// setting without `=` has no value.
fn listed(output: Output) -> Result<Listing, RepoError> {
    if !output.status.success() {
        return Err(git::failed("config", &output).into());
    }
    let listed = output.stdout.strip_suffix(b"\0").unwrap_or_default();
    let setting = |text: &[u8]| {
        let line_feed = text.iter().position(|b| *b == b'\n');
        let (key, value) = text.split_at(line_feed.unwrap_or(text.len()));
        let key = String::from_utf8_lossy(key).into_owned();
        (key, value.get(1..).unwrap_or_default().to_vec())
    };
    Ok(listed.split(|b| *b == 0).map(setting).collect())
}

/// Returns a key as git lists it: the section and the name in lower case, the subsection unchanged.
fn canonical_key(key: &str) -> String {
    let (section, rest) = key.split_once('.').unwrap_or((key, ""));
    let section = section.to_ascii_lowercase();
    match rest.rsplit_once('.') {
        Some((subsection, name)) => {
            format!("{section}.{subsection}.{}", name.to_ascii_lowercase())
        }
        None => format!("{section}.{}", rest.to_ascii_lowercase()),
    }
}

/// Refuses a key that is not of the form `section.name` or `section.subsection.name`.
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
    Err(RepoError::Name {
        what: "the configuration key",
        name: clean_text(key),
    })
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
    fn keys_are_found_in_any_case_and_values_may_be_missing_or_long() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let file = repo.git_dir().join("config");
        let more = "[Quorum]\n\tMember = a\n\tbare\n[remote \"A.b\"]\n\tURL = x\n\turl = y\n";
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + more).unwrap();
        assert_eq!(repo.config("quorum.MEMBER").unwrap().as_deref(), Some("a"));
        assert_eq!(repo.config("quorum.bare").unwrap().as_deref(), Some(""));
        assert_eq!(repo.config_all("remote.A.b.url").unwrap(), ["x", "y"]);
        assert_eq!(repo.config("remote.a.b.url").unwrap(), None);
        assert!(repo.remote_exists("A.b").unwrap() && !repo.remote_exists("A").unwrap());
    }

    #[test]
    fn the_only_remote_is_the_default_if_there_is_no_origin() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        repo.set_config("remote.pushDefault", "x").unwrap();
        assert_eq!(repo.default_remote().unwrap(), None);
        repo.set_config("remote.a.b.url", "x").unwrap();
        repo.add_config("remote.a.b.url", "y").unwrap();
        assert_eq!(repo.default_remote().unwrap().as_deref(), Some("a.b"));
        repo.set_config("remote.c.url", "x").unwrap();
        assert_eq!(
            repo.default_remote().unwrap(),
            None,
            "one of several is not guessed"
        );
        repo.set_config("remote.origin.url", "x").unwrap();
        assert_eq!(repo.default_remote().unwrap().as_deref(), Some("origin"));
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
    fn shallow_and_partial_repositories_are_recognised() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        assert!(!repo.is_shallow() && !repo.is_partial().unwrap());
        repo.set_config("remote.origin.promisor", "true").unwrap();
        std::fs::write(repo.git_dir().join("shallow"), "").unwrap();
        assert!(repo.is_shallow() && repo.is_partial().unwrap());
    }
}
