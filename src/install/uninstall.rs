//! Removes the hooks of a clone, and restores what was there before.
//!
//! Works from wherever an installation stopped, and whatever hook manager was installed after it.

use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::error::InstallError;
use super::hook_file::HookFile;
use super::layout::{CLONE_HOOKS, InstallLayout};
use super::{block, script};
use crate::repo::Repo;

/// What a removal changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Uninstalled {
    /// The git directory.
    pub repository: PathBuf,
    /// Each change, for people. Empty if there was nothing of ours.
    pub changes: Vec<String>,
}

/// Removes the hooks of a clone.
pub fn uninstall_clone(repo: &Repo) -> Result<Uninstalled, InstallError> {
    let layout = InstallLayout::of(repo);
    let mut changes = Vec::new();
    // The settings go first: with them and without the scripts Git would refuse to move any ref.
    if repo.edit_config(block::without)? {
        changes.push(format!(
            "removed our lines from {}",
            layout.config().display()
        ));
    }
    for (event, _) in CLONE_HOOKS {
        HookFile::new(&layout, event).restore(&mut changes)?;
    }
    give_back(repo, &layout, &mut changes)?;
    remove_folder(&layout.hooks(), |_| true, &mut changes)?;
    remove_folder(&layout.chained(), |_| true, &mut changes)?;
    for path in [
        layout.settings(),
        layout.stamp(),
        layout.protected(),
        layout.protected_is_stale(),
    ] {
        if script::remove(&path)? {
            changes.push(format!("removed {}", path.display()));
        }
    }
    remove_empty(&layout.folder());
    Ok(Uninstalled {
        repository: repo.git_dir().to_owned(),
        changes,
    })
}

/// Moves hooks that others put into our folder to where they would have gone without us, if that is
/// the repository's own hooks folder.
fn give_back(
    repo: &Repo,
    layout: &InstallLayout,
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    let led_elsewhere = repo
        .hooks_paths()?
        .last()
        .is_some_and(|path| !layout.is_own_hooks(path));
    let foreign = files(&layout.hooks())
        .into_iter()
        .filter(|path| !script::is_ours(path));
    for (from, name) in
        foreign.filter_map(|path| Some((path.clone(), path.file_name()?.to_owned())))
    {
        let to = layout.own_hooks().join(name);
        if !led_elsewhere && !script::exists(&to) {
            script::rename(&from, &to)?;
            changes.push(format!("moved {} to {}", from.display(), to.display()));
        }
    }
    Ok(())
}

/// Removes our scripts from a folder, and the folder if nothing else is in it.
pub(super) fn remove_folder(
    folder: &Path,
    wanted: impl Fn(&str) -> bool,
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    let mut removed = 0;
    for path in files(folder) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !wanted(&name) {
            continue;
        }
        match script::is_ours(&path) {
            true => removed += usize::from(script::remove(&path)?),
            false => changes.push(format!(
                "left {}, which is not ours and which Git no longer runs",
                path.display()
            )),
        }
    }
    remove_empty(folder);
    if removed > 0 {
        changes.push(format!(
            "removed {removed} {} from {}",
            if removed == 1 { "script" } else { "scripts" },
            folder.display()
        ));
    }
    Ok(())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

/// Removes a folder if it is empty.
pub(super) fn remove_empty(folder: &Path) {
    // A folder that is not empty stays, and a folder that never existed is no error.
    let _ = fs::remove_dir(folder);
}
