//! The paths of our files in a git directory. Reads no file, except to compare two folders.

use std::path::{Path, PathBuf};

use crate::repo::Repo;

/// The hooks of a clone, with their scripts.
pub(super) const CLONE_HOOKS: [(&str, &str); 3] = [
    (
        "reference-transaction",
        include_str!("../../hooks/reference-transaction"),
    ),
    (
        "pre-merge-commit",
        include_str!("../../hooks/pre-merge-commit"),
    ),
    ("pre-push", include_str!("../../hooks/pre-push")),
];

/// The suffix of a hook that was there before ours and is kept beside it.
pub(super) const ORIGINAL_SUFFIX: &str = "before-git-quorum";

/// The paths of a repository that an installation is concerned with.
#[derive(Debug, Clone)]
pub(super) struct InstallLayout {
    git_dir: PathBuf,
}

impl InstallLayout {
    pub fn of(repo: &Repo) -> Self {
        Self {
            git_dir: repo.git_dir().to_owned(),
        }
    }

    /// The repository's own hooks folder.
    pub fn own_hooks(&self) -> PathBuf {
        self.git_dir.join("hooks")
    }

    /// Whether that folder is a link. Then a file there would appear in a working tree, or in other
    /// repositories.
    pub fn own_hooks_are_elsewhere(&self) -> bool {
        self.own_hooks().is_symlink()
    }

    /// Our own folder. Caches and timers are in it too.
    pub fn folder(&self) -> PathBuf {
        self.git_dir.join("quorum")
    }

    /// Our own hooks folder, for hooks that are not in the repository's hooks folder.
    pub fn hooks(&self) -> PathBuf {
        self.folder().join("hooks")
    }

    /// The folder of scripts that run the hook that was there before ours.
    pub fn chained(&self) -> PathBuf {
        self.folder().join("chained")
    }

    pub fn chained_hook(&self, event: &str) -> PathBuf {
        self.chained().join(event)
    }

    /// The settings that lead Git to our hooks; the repository's own settings include the file.
    pub fn settings(&self) -> PathBuf {
        self.folder().join("hooks.config")
    }

    /// A file whose age says when the scripts last read other settings.
    pub fn stamp(&self) -> PathBuf {
        self.folder().join("hooks.stamp")
    }

    /// The list of protected patterns.
    pub fn protected(&self) -> PathBuf {
        self.folder().join("protected")
    }

    /// The mark that tells the scripts that the list is out of date.
    pub fn protected_is_stale(&self) -> PathBuf {
        self.folder().join("protected.stale")
    }

    /// The repository's own settings.
    pub fn config(&self) -> PathBuf {
        self.git_dir.join("config")
    }

    /// The list of settings that an installation made on a server.
    pub fn made_settings(&self) -> PathBuf {
        self.folder().join("server-settings")
    }

    /// Whether a path leads to the repository's own hooks folder.
    pub fn is_own_hooks(&self, path: &Path) -> bool {
        let own = self.own_hooks();
        let same = |a: &Path, b: &Path| {
            a == b
                || a.canonicalize()
                    .is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
        };
        path.is_absolute() && same(path, &own)
    }
}
