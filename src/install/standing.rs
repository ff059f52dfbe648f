//! Whether the hooks that were installed in a clone are still those that Git runs. Starts no process beyond the reading of settings,
//! which every command does anyway.

use std::path::Path;

use super::InstallError;
use super::block::INCLUDED;
use super::clone::Manner;
use super::layout::{CLONE_HOOKS, Layout};
use super::script;
use super::slot::Slot;
use crate::repo::{HOOKS_PATH, Repo, is_executable};

/// The setting that names the manner in which hooks were installed.
pub(super) const MANNER_KEY: &str = "quorum.hooks";

/// Whether the repository's settings include ours.
pub fn is_installed(repo: &Repo) -> Result<bool, InstallError> {
    Ok(repo
        .config_all("include.path")?
        .iter()
        .any(|path| path == INCLUDED))
}

/// Why Git does not run hooks that were installed here; nothing where none were, or where it runs them.
pub fn why_not_run(repo: &Repo) -> Result<Option<String>, InstallError> {
    if !is_installed(repo)? {
        return Ok(None);
    }
    let layout = Layout::of(repo);
    let manner = repo.config(MANNER_KEY)?;
    match manner.as_deref().and_then(Manner::named) {
        Some(Manner::Config) => config_fault(repo, &layout),
        Some(Manner::Files) => files_fault(repo, &layout),
        Some(Manner::Folder) => folder_fault(repo, &layout),
        None => Ok(Some(format!("{} is gone", layout.settings().display()))),
    }
}

fn config_fault(repo: &Repo, layout: &Layout) -> Result<Option<String>, InstallError> {
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
                "hook.{name}.command is another one, or the repository has moved"
            )));
        }
        if !script::is_ours(&script) || !is_executable(&script) {
            return Ok(Some(another(&script)));
        }
    }
    Ok(None)
}

fn files_fault(repo: &Repo, layout: &Layout) -> Result<Option<String>, InstallError> {
    if let Some(path) = repo
        .config(HOOKS_PATH)?
        .filter(|path| !layout.is_own_hooks(Path::new(path)))
    {
        return Ok(Some(format!("core.hooksPath leads to {path}")));
    }
    Ok(lost(
        CLONE_HOOKS
            .iter()
            .map(|(event, _)| Slot::new(layout, event)),
    ))
}

fn lost(mut slots: impl Iterator<Item = Slot>) -> Option<String> {
    slots
        .find(|slot| slot.standing().is_none())
        .map(|slot| another(&slot.hook()))
}

fn another(path: &Path) -> String {
    format!("{} is another one, or gone", path.display())
}

fn folder_fault(repo: &Repo, layout: &Layout) -> Result<Option<String>, InstallError> {
    let hooks = layout.hooks();
    match repo.config(HOOKS_PATH)? {
        Some(path) if Path::new(&path) == hooks => Ok(lost(
            CLONE_HOOKS
                .iter()
                .map(|(event, _)| Slot::in_ours(layout, event)),
        )),
        Some(path) => Ok(Some(format!("core.hooksPath leads to {path}"))),
        None => Ok(Some("core.hooksPath is not set any more".to_owned())),
    }
}

fn is_false(value: Option<String>) -> bool {
    value.is_some_and(|value| {
        ["false", "no", "off", "0", ""].contains(&value.to_ascii_lowercase().as_str())
    })
}

/// By what name a configured hook is ours.
pub(super) fn hook_name(event: &str) -> String {
    format!("git-quorum-{event}")
}

/// The command of a configured hook. Git starts a shell for it unless there is nothing in it that a shell would act on.
pub(super) fn command(script: &Path) -> Result<String, InstallError> {
    let quoted = script::quoted(script)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.+,:@".contains(c);
    Ok(
        match script.to_str().filter(|text| text.chars().all(plain)) {
            Some(text) => text.to_owned(),
            None => quoted,
        },
    )
}
