//! Git's configuration, and what it says about the repository. Knows nothing of what the
//! settings mean to others.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::git::{self, Output, clean_text};
use super::refs::PAUSES;
use super::{GitError, Repo, RepoError};
use crate::fault;

/// The exit status of `git config` when there is nothing to unset.
const NOTHING_TO_UNSET: i32 = 5;

/// How often, and after what time, a settings file that another process has locked is tried again.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// All settings with their values, in git's order, as they were first asked for: each command asks
/// for several, and to start git costs more than all else that most commands do. A change by this
/// program is seen; one by others while the repository is open is not.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings(Arc<Mutex<Option<Arc<Listing>>>>);

type Listing = Vec<(String, Vec<u8>)>;

impl Settings {
    fn get_or_read(
        &self,
        read: impl FnOnce() -> Result<Listing, RepoError>,
    ) -> Result<Arc<Listing>, RepoError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = &*known {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(read()?);
        *known = Some(Arc::clone(&listing));
        Ok(listing)
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Repo {
    /// The value of a setting, from all files that git reads; the last one where there are several.
    pub fn config(&self, key: &str) -> Result<Option<String>, RepoError> {
        Ok(self.config_all(key)?.pop())
    }

    /// All values of a setting, in git's order.
    pub fn config_all(&self, key: &str) -> Result<Vec<String>, RepoError> {
        let key = canonical_key(checked(key)?);
        let text = |value: &[u8]| {
            String::from_utf8(value.to_vec())
                .map_err(|_| RepoError::from(git::unreadable("config", value)))
        };
        self.settings()?
            .iter()
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| text(value))
            .collect()
    }

    /// The value of a setting in this repository's own file, whatever others say.
    pub fn local_config(&self, key: &str) -> Result<Option<String>, RepoError> {
        let output = self
            .git("config")
            .args(["--local", "--get", checked(key)?])
            .output()?;
        match output.status.code() {
            Some(0) => Ok(Some(
                String::from_utf8_lossy(&output.stdout)
                    .trim_end_matches('\n')
                    .to_owned(),
            )),
            Some(1) => Ok(None),
            _ => Err(git::failed("config", &output).into()),
        }
    }

    /// Whether a yes-or-no setting is on; what cannot be understood counts as on.
    pub fn is_on(&self, key: &str) -> Result<bool, RepoError> {
        let value = self.config(key)?.map(|value| value.to_ascii_lowercase());
        Ok(value.is_some_and(|value| !matches!(value.as_str(), "false" | "no" | "off" | "0")))
    }

    /// Whether a remote of this name is set up.
    pub fn remote_exists(&self, name: &str) -> Result<bool, RepoError> {
        let of_remote = |key: &str| {
            let rest = key
                .strip_prefix("remote.")
                .and_then(|rest| rest.strip_prefix(name));
            rest.and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|variable| !variable.contains('.'))
        };
        Ok(self.settings()?.iter().any(|(key, _)| of_remote(key)))
    }

    /// The remote that is meant when none is named: `origin`, or the only one.
    pub fn default_remote(&self) -> Result<Option<String>, RepoError> {
        if self.remote_exists("origin")? {
            return Ok(Some("origin".to_owned()));
        }
        let settings = self.settings()?;
        let name = |key: &str| {
            key.strip_prefix("remote.")?
                .strip_suffix(".url")
                .map(str::to_owned)
        };
        let names: BTreeSet<String> = settings.iter().filter_map(|(key, _)| name(key)).collect();
        Ok(if names.len() == 1 {
            names.into_iter().next()
        } else {
            None
        })
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

    /// Changes the text of this repository's settings file, under Git's own lock: the whole change is seen or none of
    /// it. Says whether there was anything to change.
    pub fn edit_config(&self, edit: impl Fn(&[u8]) -> Vec<u8>) -> Result<bool, RepoError> {
        self.settings.forget();
        let named = self.git_dir().join("config");
        // As Git does: a link stays one, and its target is changed.
        let path = named.canonicalize().unwrap_or(named);
        replace_under_lock(&path, edit).map_err(|source| RepoError::Settings { path, source })
    }

    /// Whether objects may be left on a remote until they are asked for.
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
        let packs = std::fs::read_dir(self.git_dir().join("objects").join("pack"));
        packs
            .into_iter()
            .flatten()
            .flatten()
            .any(|file| file.path().extension().is_some_and(|e| e == "promisor"))
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
                    // Unlike for refs, git does not wait for this lock by itself.
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
    for _ in 0..LOCK_TRIES {
        match fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
        {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                std::thread::sleep(LOCK_PAUSE)
            }
            result => return result,
        }
    }
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
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

/// The settings in an answer of `git config --null --list`: a key and, after a line feed, its value,
/// which a setting without `=` lacks.
fn listed(output: Output) -> Result<Listing, RepoError> {
    if !output.status.success() {
        return Err(git::failed("config", &output).into());
    }
    let settings = output
        .stdout
        .strip_suffix(b"\0")
        .unwrap_or_default()
        .split(|b| *b == 0);
    let setting = |setting: &[u8]| {
        let (key, value) = setting.split_at(
            setting
                .iter()
                .position(|b| *b == b'\n')
                .unwrap_or(setting.len()),
        );
        (
            String::from_utf8_lossy(key).into_owned(),
            value.get(1..).unwrap_or_default().to_vec(),
        )
    };
    Ok(settings.map(setting).collect())
}

/// A key as git lists it: section and name in lower case, what stands between them as it is.
fn canonical_key(key: &str) -> String {
    let (section, rest) = key.split_once('.').unwrap_or((key, ""));
    let section = section.to_ascii_lowercase();
    match rest.rsplit_once('.') {
        Some((between, name)) => format!("{section}.{between}.{}", name.to_ascii_lowercase()),
        None => format!("{section}.{}", rest.to_ascii_lowercase()),
    }
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
    fn without_origin_the_only_remote_is_meant() {
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
    fn shallow_and_partial_repositories_say_so() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        assert!(!repo.is_shallow() && !repo.is_partial().unwrap());
        repo.set_config("remote.origin.promisor", "true").unwrap();
        std::fs::write(repo.git_dir().join("shallow"), "").unwrap();
        assert!(repo.is_shallow() && repo.is_partial().unwrap());
    }
}
