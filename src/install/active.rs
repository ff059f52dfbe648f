//! Whether Git still runs the hooks that were installed in a clone.
//!
//! Reads settings and files, and starts no process beyond the one that reads settings, which every
//! command starts anyway.

use std::path::Path;

use super::block::INCLUDED;
use super::error::InstallError;
use super::hook_file::HookFile;
use super::layout::{CLONE_HOOKS, InstallLayout};
use super::manner::{MANNER_KEY, Manner, command, hook_name};
use super::script;
use crate::repo::{HOOKS_PATH, Repo, is_executable};

/// Whether hooks were installed in this clone: whether its settings include ours.
pub fn is_installed(repo: &Repo) -> Result<bool, InstallError> {
    Ok(repo
        .config_all("include.path")?
        .iter()
        .any(|path| path == INCLUDED))
}

/// Returns why Git does not run the hooks that were installed here.
///
/// `None` if Git runs them, and also if none were installed.
pub fn why_not_run(repo: &Repo) -> Result<Option<String>, InstallError> {
    if !is_installed(repo)? {
        return Ok(None);
    }
    let layout = InstallLayout::of(repo);
    let manner = repo.config(MANNER_KEY)?;
    match manner.as_deref().and_then(Manner::named) {
        Some(Manner::Config) => config_fault(repo, &layout),
        Some(Manner::Files) => files_fault(repo, &layout),
        Some(Manner::Folder) => folder_fault(repo, &layout),
        None => Ok(Some(format!("{} is gone", layout.settings().display()))),
    }
}

fn config_fault(repo: &Repo, layout: &InstallLayout) -> Result<Option<String>, InstallError> {
    for (event, _) in CLONE_HOOKS {
        let script = layout.hooks().join(event);
        let name = hook_name(event);
        let enabled = |of: &str| {
            Ok::<_, InstallError>(!is_false(repo.config(&format!("hook.{of}.enabled"))?))
        };
        if !enabled(&name)? || !enabled(event)? {
            return Ok(Some(format!("hook.{name} is disabled")));
        }
        if repo.config(&format!("hook.{name}.command"))? != Some(command(&script)?) {
            return Ok(Some(format!(
                "hook.{name}.command has changed, or the repository has moved"
            )));
        }
        if !script::is_ours(&script) || !is_executable(&script) {
            return Ok(Some(another(&script)));
        }
    }
    Ok(None)
}

fn files_fault(repo: &Repo, layout: &InstallLayout) -> Result<Option<String>, InstallError> {
    if let Some(path) = repo
        .config(HOOKS_PATH)?
        .filter(|path| !layout.is_own_hooks(Path::new(path)))
    {
        return Ok(Some(format!("core.hooksPath leads to {path}")));
    }
    Ok(lost(
        CLONE_HOOKS
            .iter()
            .map(|(event, _)| HookFile::new(layout, event)),
    ))
}

fn lost(mut slots: impl Iterator<Item = HookFile>) -> Option<String> {
    slots
        .find(|slot| slot.active_script().is_none())
        .map(|slot| another(&slot.hook()))
}

fn another(path: &Path) -> String {
    format!("{} was replaced or removed", path.display())
}

fn folder_fault(repo: &Repo, layout: &InstallLayout) -> Result<Option<String>, InstallError> {
    let hooks = layout.hooks();
    match repo.config(HOOKS_PATH)? {
        Some(path) if Path::new(&path) == hooks => Ok(lost(
            CLONE_HOOKS
                .iter()
                .map(|(event, _)| HookFile::in_ours(layout, event)),
        )),
        Some(path) => Ok(Some(format!("core.hooksPath leads to {path}"))),
        None => Ok(Some("core.hooksPath is no longer set".to_owned())),
    }
}

fn is_false(value: Option<String>) -> bool {
    value.is_some_and(|value| {
        ["false", "no", "off", "0", ""].contains(&value.to_ascii_lowercase().as_str())
    })
}
