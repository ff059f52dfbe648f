//! Installs the hooks of a clone beside all other hooks, and lets `git fetch` bring lanes.
//!
//! Scripts are written first, and then one change of the settings leads Git to them. An installation
//! that fails in the middle is undone.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::active;
use super::error::InstallError;
use super::hook_file::HookFile;
use super::layout::{CLONE_HOOKS, InstallLayout};
use super::manner::{Manner, command, hook_name};
use super::{block, relay, script, uninstall};
use crate::charter::RefPattern;
use crate::gate::clone::lines_of;
use crate::gate::settings::LEDGER_KEY;
use crate::id::EntryId;
use crate::ledger::LedgerRefs;
use crate::repo::{Repo, is_executable};
use crate::store::{LoadError, Trust, find_ledgers, load};

/// What to install in a clone.
#[derive(Debug, Clone)]
pub struct CloneOptions {
    /// The program that the hooks call.
    pub program: PathBuf,
    /// The remote from which `git fetch` brings lanes. `None` for no remote.
    pub remote: Option<String>,
}

/// What was installed in a clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InstalledClone {
    /// The git directory.
    pub repository: PathBuf,
    /// The ledger.
    pub ledger: EntryId,
    /// How Git finds the hooks.
    pub manner: Manner,
    /// The paths of the hooks.
    pub hooks: Vec<PathBuf>,
    /// The protected patterns.
    pub protected: Vec<String>,
    /// The remote from which `git fetch` brings lanes. `None` if it brings none.
    pub fetches: Option<String>,
    /// Each change, for people. Empty if everything was in place.
    pub changes: Vec<String>,
    /// What else the user should know.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// What an installation must bring about.
struct ClonePlan<'a> {
    repo: &'a Repo,
    layout: InstallLayout,
    program: &'a Path,
    /// Where Git would look for hooks without us.
    earlier: PathBuf,
    manner: Manner,
    fetch: Option<(&'a str, Vec<String>)>,
}

/// Installs the hooks of a clone.
pub fn install_clone(repo: &Repo, options: &CloneOptions) -> Result<InstalledClone, InstallError> {
    if repo.is_bare() {
        return Err(InstallError::Bare(repo.git_dir().to_owned()));
    }
    let (ledger, patterns) = protected(repo)?;
    let mut notes = Vec::new();
    let plan = plan(repo, options, ledger, &mut notes)?;
    let new = !active::is_installed(repo)?;
    let mut changes = Vec::new();
    let made = make(&plan, &patterns, &mut changes).and_then(|()| check(&plan));
    if let Err(error) = made {
        if new {
            uninstall::uninstall_clone(repo)?;
        }
        return Err(error);
    }
    Ok(InstalledClone {
        repository: repo.git_dir().to_owned(),
        ledger,
        manner: plan.manner,
        hooks: plan.hooks(),
        protected: patterns
            .iter()
            .map(|pattern| pattern.as_str().to_owned())
            .collect(),
        fetches: plan.fetch.map(|(remote, _)| remote.to_owned()),
        changes,
        notes,
    })
}

/// Returns the ledger, and the patterns that its charter in force protects.
fn protected(repo: &Repo) -> Result<(EntryId, Vec<RefPattern>), InstallError> {
    let bad = |error: &dyn std::fmt::Display| InstallError::Ledger(error.to_string());
    let ledger = match repo.config(LEDGER_KEY)? {
        Some(pinned) => pinned
            .parse()
            .map_err(|_| bad(&format!("{LEDGER_KEY} is {pinned:?}")))?,
        None => match find_ledgers(repo)?.as_slice() {
            [] => return Err(InstallError::NoLedger),
            [one] => *one,
            several => return Err(InstallError::Several(several.to_vec())),
        },
    };
    let loaded = load(repo, ledger, Trust::Cache).map_err(|error| match error {
        LoadError::NoLedger => InstallError::NoLedger,
        error => bad(&error),
    })?;
    let charter = loaded.tally.dag().charter(loaded.tally.charter_in_force());
    let charter = charter.ok_or_else(|| bad(&"the charter in force is unknown"))?;
    Ok((ledger, charter.charter.protected().to_vec()))
}

fn plan<'a>(
    repo: &'a Repo,
    options: &'a CloneOptions,
    ledger: EntryId,
    notes: &mut Vec<String>,
) -> Result<ClonePlan<'a>, InstallError> {
    let layout = InstallLayout::of(repo);
    let earlier = repo
        .hooks_paths()?
        .into_iter()
        .rfind(|path| *path != layout.hooks());
    let earlier = earlier.filter(|path| !layout.is_own_hooks(path));
    let can_be_chained = || {
        let mut files = CLONE_HOOKS
            .iter()
            .map(|(event, _)| HookFile::new(&layout, event));
        !layout.own_hooks_are_elsewhere() && files.all(|file| file.can_be_chained())
    };
    let manner = if repo.has_config_hooks()? {
        Manner::Config
    } else if earlier.is_none() && can_be_chained() {
        Manner::Files
    } else {
        Manner::Folder
    };
    let fetch = match &options.remote {
        Some(remote) => refspecs(repo, remote, &LedgerRefs::of(ledger), notes)?
            .map(|specs| (remote.as_str(), specs)),
        None => None,
    };
    let earlier = earlier.unwrap_or_else(|| layout.own_hooks());
    Ok(ClonePlan {
        repo,
        layout,
        program: &options.program,
        earlier,
        manner,
        fetch,
    })
}

/// Returns what to fetch from the remote. `None` where a line of ours would change what else Git
/// fetches.
fn refspecs(
    repo: &Repo,
    remote: &str,
    refs: &LedgerRefs,
    notes: &mut Vec<String>,
) -> Result<Option<Vec<String>>, InstallError> {
    let mut others = repo.config_all(&format!("remote.{remote}.fetch"))?;
    others.retain(|refspec| !block::is_our_refspec(refspec));
    if others.is_empty() {
        notes.push(format!(
            "git fetch does not bring lanes: {remote} has no refspec, and adding one would change what else Git fetches"
        ));
        return Ok(None);
    }
    let prefix = refs.prefix();
    let target = |refspec: &String| {
        refspec
            .split_once(':')
            .map(|(_, to)| to.trim_end_matches('*').to_owned())
    };
    let covers = |to: String| prefix.starts_with(&to) && !to.is_empty();
    if others.iter().filter_map(target).any(covers) {
        notes.push(format!(
            "git fetch already brings the lanes, because {remote} is fetched as a mirror"
        ));
        return Ok(None);
    }
    Ok(Some(block::refspecs(refs, remote)))
}

impl ClonePlan<'_> {
    /// Returns the paths of our hooks.
    fn hooks(&self) -> Vec<PathBuf> {
        let path = |event: &'static str| match self.manner {
            Manner::Files => self
                .hook_file(event)
                .active_script()
                .unwrap_or_else(|| self.hook_file(event).hook()),
            Manner::Config | Manner::Folder => self.layout.hooks().join(event),
        };
        CLONE_HOOKS.iter().map(|(event, _)| path(event)).collect()
    }

    fn hook_file(&self, event: &'static str) -> HookFile {
        HookFile::new(&self.layout, event)
    }

    /// Returns the text of the settings that the repository's settings include.
    fn settings(&self) -> Result<String, InstallError> {
        let mut text = format!(
            "# Written by `git quorum install`, removed by `git quorum uninstall`.\n[quorum]\n\thooks = {}\n",
            self.manner.name()
        );
        match self.manner {
            Manner::Config => {
                for (event, _) in CLONE_HOOKS {
                    let command = block::quoted(&command(&self.layout.hooks().join(event))?);
                    let name = hook_name(event);
                    text.push_str(&format!(
                        "[hook \"{name}\"]\n\tcommand = {command}\n\tevent = {event}\n"
                    ));
                }
            }
            Manner::Folder => {
                let hooks = self.layout.hooks();
                let path = hooks
                    .to_str()
                    .ok_or_else(|| InstallError::Path(hooks.clone()))?;
                text.push_str(&format!("[core]\n\thooksPath = {}\n", block::quoted(path)));
            }
            Manner::Files => {}
        }
        Ok(text)
    }
}

fn make(
    plan: &ClonePlan<'_>,
    patterns: &[RefPattern],
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    let layout = &plan.layout;
    write_protected(layout, patterns, changes)?;
    match plan.manner {
        Manner::Config => put_scripts(plan, |_| Ok(None), changes)?,
        Manner::Files => put_files(plan, changes)?,
        Manner::Folder => put_folder(plan, changes)?,
    }
    if script::write_file(&layout.settings(), &plan.settings()?, 0o644)? {
        changes.push(format!("wrote {}", layout.settings().display()));
    }
    add_block(plan, changes)?;
    take_other_manners_away(plan, changes)
}

/// Writes the list that the scripts read. With it they need not start the program for refs that are
/// not protected.
fn write_protected(
    layout: &InstallLayout,
    patterns: &[RefPattern],
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    if script::write_file(&layout.protected(), &lines_of(patterns), 0o644)? {
        changes.push(format!("wrote {}", layout.protected().display()));
    }
    Ok(())
}

/// Writes our scripts into our own folder.
fn put_scripts(
    plan: &ClonePlan<'_>,
    chained: impl Fn(&str) -> Result<Option<PathBuf>, InstallError>,
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    for (event, text) in CLONE_HOOKS {
        let text = script::filled(text, plan.program, chained(event)?.as_deref())?;
        script::write(&place_in_ours(plan, event, changes)?, &text, changes)?;
    }
    Ok(())
}

/// Returns where a script of ours goes in our own folder.
///
/// A hook manager may have looked for the hooks folder while that was ours, and put its own hook
/// there. Its hook is moved to where it would have gone without us, if that place is in the git
/// directory and free.
fn place_in_ours(
    plan: &ClonePlan<'_>,
    event: &'static str,
    changes: &mut Vec<String>,
) -> Result<PathBuf, InstallError> {
    let hook = HookFile::in_ours(&plan.layout, event);
    let (from, to) = (hook.hook(), plan.earlier.join(event));
    if !hook.is_foreign() {
        return Ok(from);
    }
    if plan.earlier == plan.layout.own_hooks()
        && !plan.layout.own_hooks_are_elsewhere()
        && !script::exists(&to)
    {
        script::rename(&from, &to)?;
        changes.push(format!("moved {} to {}", from.display(), to.display()));
        return Ok(from);
    }
    if plan.manner == Manner::Folder && hook.manager_runs_ours() {
        Ok(hook.legacy())
    } else {
        Err(InstallError::InOurFolder { from, to })
    }
}

fn put_files(plan: &ClonePlan<'_>, changes: &mut Vec<String>) -> Result<(), InstallError> {
    for (event, text) in CLONE_HOOKS {
        plan.hook_file(event).put(
            |chained| script::filled(text, plan.program, chained),
            changes,
        )?;
    }
    Ok(())
}

/// Writes a hooks folder that passes every hook on to the folder before. Our own hooks run first.
fn put_folder(plan: &ClonePlan<'_>, changes: &mut Vec<String>) -> Result<(), InstallError> {
    let layout = &plan.layout;
    let is_ours = |event: &str| CLONE_HOOKS.iter().any(|(ours, _)| *ours == event);
    // Git looks for the hooks of a push from the git directory.
    let has = |event: &&str| is_executable(&plan.repo.git_dir().join(&plan.earlier).join(event));
    let passed_on = relay::EVENTS
        .into_iter()
        .chain(relay::SENSITIVE_EVENTS.into_iter().filter(has));
    for event in passed_on.filter(|event| !is_ours(event)) {
        let path = place_in_ours(plan, event, changes)?;
        script::write(
            &path,
            &relay::to_earlier(layout, event, &plan.earlier)?,
            changes,
        )?;
    }
    let chained = |event: &str| {
        let path = layout.chained_hook(event);
        script::write_file(
            &path,
            &relay::to_earlier(layout, event, &plan.earlier)?,
            0o755,
        )?;
        Ok(Some(path))
    };
    put_scripts(plan, chained, changes)?;
    // Scripts of ours that a hook manager moved aside, beside hooks that have been given back.
    let is_aside = |name: &str| {
        let moved = name.strip_suffix(".old").or(name.strip_suffix(".legacy"));
        moved.is_some_and(|event| script::is_ours(&layout.hooks().join(event)))
    };
    uninstall::remove_folder(&layout.hooks(), is_aside, changes)
}

/// Makes the installation take effect. Until here nothing has changed for Git, except files in its
/// hooks folder.
fn add_block(plan: &ClonePlan<'_>, changes: &mut Vec<String>) -> Result<(), InstallError> {
    let fetch = plan
        .fetch
        .as_ref()
        .map(|(remote, refspecs)| (*remote, refspecs.as_slice()));
    let sections = block::sections(fetch);
    if plan.repo.edit_config(|text| block::with(text, &sections))? {
        changes.push(format!("include.path = {}", block::INCLUDED));
        if let Some((remote, refspecs)) = &plan.fetch {
            changes.extend(
                refspecs
                    .iter()
                    .map(|refspec| format!("remote.{remote}.fetch = {refspec}")),
            );
        }
    }
    if plan.manner == Manner::Folder {
        // A later setting may override ours, so ours is moved to the end again.
        if plan.repo.hooks_paths()?.last() != Some(&plan.layout.hooks()) {
            plan.repo
                .edit_config(|text| block::with(&block::without(text), &sections))?;
        }
        // Written last, so that the stamp is younger than the settings.
        std::fs::write(plan.layout.stamp(), "").map_err(|source| InstallError::Write {
            path: plan.layout.stamp(),
            source,
        })?;
    }
    Ok(())
}

/// Removes hooks that were installed in another manner. Otherwise they would run twice.
fn take_other_manners_away(
    plan: &ClonePlan<'_>,
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    if plan.manner != Manner::Files {
        for (event, _) in CLONE_HOOKS {
            plan.hook_file(event).take_away(changes)?;
        }
    }
    match plan.manner {
        Manner::Files => uninstall::remove_folder(&plan.layout.hooks(), |_| true, changes)?,
        Manner::Config => {
            let is_hook = |name: &str| CLONE_HOOKS.iter().any(|(event, _)| *event == name);
            uninstall::remove_folder(&plan.layout.hooks(), |name| !is_hook(name), changes)?;
            uninstall::remove_folder(&plan.layout.chained(), |_| true, changes)?;
        }
        Manner::Folder => return Ok(()),
    }
    script::remove(&plan.layout.stamp()).map(drop)
}

/// Checks that Git will run our hooks, as far as Git can be asked.
fn check(plan: &ClonePlan<'_>) -> Result<(), InstallError> {
    if let Some(fault) = active::why_not_run(plan.repo)? {
        return Err(InstallError::NotRun(fault));
    }
    if plan.manner == Manner::Config {
        for (event, _) in CLONE_HOOKS {
            let name = hook_name(event);
            if !plan.repo.config_hooks(event)?.contains(&name) {
                return Err(InstallError::NotRun(format!("hook.{name} is disabled")));
            }
        }
        return Ok(());
    }
    let is_right = |path: &Option<PathBuf>| match (plan.manner, path) {
        (Manner::Folder, path) => *path == Some(plan.layout.hooks()),
        (_, None) => true,
        (_, Some(path)) => plan.layout.is_own_hooks(path),
    };
    let wrong = plan
        .repo
        .hooks_path_in_worktrees()?
        .into_iter()
        .find(|(_, path)| !is_right(path));
    match wrong {
        None => Ok(()),
        Some((git_dir, path)) => {
            let path = path.unwrap_or_else(|| plan.layout.own_hooks());
            Err(InstallError::NotRun(format!(
                "core.hooksPath is {} for {}",
                path.display(),
                git_dir.display()
            )))
        }
    }
}
