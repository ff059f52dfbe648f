//! Installs the server gate in a bare repository: pins the ledger, writes the hooks, and makes the
//! settings that Git needs.
//!
//! Can be run again at any time, and removes nothing that belongs to somebody else.

use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::error::InstallError;
use super::hook_file::HookFile;
use super::layout::InstallLayout;
use super::uninstall::{self, Uninstalled};
use super::{relay, script};
use crate::gate::settings::{AUTO_LAND_KEY, FOUNDED_KEY, LEDGER_KEY};
use crate::id::EntryId;
use crate::ledger::LedgerRefs;
use crate::repo::{HOOKS_PATH, Repo, is_executable};
use crate::store::{LoadError, Trust, find_ledgers, load};

/// A hook of a server.
struct ServerHook {
    event: &'static str,
    script: &'static str,
    /// Whether a hook that exists already can run after ours.
    shared: bool,
}

/// The hooks of the server gate. Git speaks a protocol with `proc-receive`, so there can be only one.
const HOOKS: [ServerHook; 2] = [
    ServerHook {
        event: "proc-receive",
        script: include_str!("../../hooks/proc-receive"),
        shared: false,
    },
    ServerHook {
        event: "pre-receive",
        script: include_str!("../../hooks/pre-receive"),
        shared: true,
    },
];
/// The setting that says for which refs Git asks `proc-receive`.
const REFS_KEY: &str = "receive.procReceiveRefs";

/// What to install on a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The ledger to pin. `None` for the ledger that is pinned already, or the only one there.
    pub ledger: Option<EntryId>,
    /// Whether decided refs move by themselves.
    pub auto_land: bool,
    /// The program that the hooks call.
    pub program: PathBuf,
}

/// What was installed on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InstalledServer {
    /// The git directory.
    pub repository: PathBuf,
    /// The pinned ledger.
    pub ledger: EntryId,
    /// Whether the server holds the ledger's genesis. Without it nothing is protected yet.
    pub founded: bool,
    /// Whether decided refs move by themselves.
    pub auto_land: bool,
    /// The path of the `proc-receive` hook.
    pub hook: PathBuf,
    /// Each change, for people. Empty if everything was in place.
    pub changes: Vec<String>,
}

/// What an installation on a server must bring about.
struct ServerPlan<'a> {
    options: &'a ServerOptions,
    ledger: EntryId,
    founded: bool,
    /// Whether this repository needs a `core.hooksPath` of its own.
    override_path: bool,
}

/// Installs the server gate.
pub fn install_server(
    repo: &Repo,
    options: &ServerOptions,
) -> Result<InstalledServer, InstallError> {
    check_repository(repo)?;
    let layout = InstallLayout::of(repo);
    if layout.own_hooks_are_elsewhere() {
        return Err(InstallError::LinkedHooks(layout.own_hooks()));
    }
    let override_path = check_hooks_path(repo, &layout)?;
    for hook in HOOKS.iter().filter(|hook| !hook.shared) {
        let slot = HookFile::new(&layout, hook.event);
        if slot.is_foreign() {
            return Err(InstallError::ForeignHook(slot.hook()));
        }
    }
    let ledger = choose_ledger(repo, options.ledger)?;
    let founded = check_ledger(repo, ledger)?;

    let new = HookFile::new(&layout, "proc-receive")
        .active_script()
        .is_none();
    let mut changes = Vec::new();
    let plan = ServerPlan {
        options,
        ledger,
        founded,
        override_path,
    };
    if let Err(error) = make(repo, &layout, &plan, &mut changes) {
        if new {
            uninstall_server(repo)?;
        }
        return Err(error);
    }
    let auto_land = repo
        .config(AUTO_LAND_KEY)?
        .is_some_and(|value| value == "true");
    let hook = layout.own_hooks().join("proc-receive");
    Ok(InstalledServer {
        repository: repo.git_dir().to_owned(),
        ledger,
        founded,
        auto_land,
        hook,
        changes,
    })
}

/// Writes the hooks, then the settings: with the setting and without the hook Git refuses every push.
fn make(
    repo: &Repo,
    layout: &InstallLayout,
    plan: &ServerPlan<'_>,
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    for hook in &HOOKS {
        let fill =
            |chained: Option<&Path>| script::filled(hook.script, &plan.options.program, chained);
        HookFile::new(layout, hook.event).put(fill, changes)?;
    }
    let mut settings = ServerSettings {
        repo,
        layout,
        changes,
    };
    if plan.override_path {
        settings.set(HOOKS_PATH, &text_of(&layout.own_hooks())?)?;
    }
    settings.set(LEDGER_KEY, &plan.ledger.to_string())?;
    if plan.founded {
        settings.set(FOUNDED_KEY, "true")?;
    }
    if plan.options.auto_land {
        settings.set(AUTO_LAND_KEY, "true")?;
    }
    if !repo
        .config_all(REFS_KEY)?
        .iter()
        .any(|value| value == "refs")
    {
        // Other values stay, because Git asks about refs that any of them names.
        settings.add(REFS_KEY, "refs")?;
    }
    Ok(())
}

/// Removes the server gate. After that protected refs move like all others.
pub fn uninstall_server(repo: &Repo) -> Result<Uninstalled, InstallError> {
    if !repo.is_bare() {
        return Err(InstallError::NotBare(repo.work_dir().to_owned()));
    }
    let layout = InstallLayout::of(repo);
    let mut changes = Vec::new();
    // The settings go first: with the setting and without the hook Git refuses every push.
    take_settings_away(repo, &layout, &mut changes)?;
    for hook in &HOOKS {
        HookFile::new(&layout, hook.event).restore(&mut changes)?;
    }
    uninstall::remove_folder(&layout.chained(), |_| true, &mut changes)?;
    uninstall::remove_empty(&layout.folder());
    Ok(Uninstalled {
        repository: repo.git_dir().to_owned(),
        changes,
    })
}

/// Makes settings and records them, so that removing ours leaves other settings alone.
struct ServerSettings<'a> {
    repo: &'a Repo,
    layout: &'a InstallLayout,
    changes: &'a mut Vec<String>,
}

impl ServerSettings<'_> {
    fn set(&mut self, key: &str, value: &str) -> Result<(), InstallError> {
        if self.repo.config(key)?.as_deref() != Some(value) {
            self.remember(key, value)?;
            self.repo.set_config(key, value)?;
            self.changes.push(format!("{key} = {value}"));
        }
        Ok(())
    }

    fn add(&mut self, key: &str, value: &str) -> Result<(), InstallError> {
        self.remember(key, value)?;
        self.repo.add_config(key, value)?;
        self.changes.push(format!("{key} = {value}"));
        Ok(())
    }

    /// Records a setting before it is made. A recorded setting that does not exist does no harm.
    fn remember(&self, key: &str, value: &str) -> Result<(), InstallError> {
        let path = self.layout.made_settings();
        let mut made = made(self.layout);
        made.push((key.to_owned(), value.to_owned()));
        let text: String = made
            .iter()
            .map(|(key, value)| format!("{key} {value}\n"))
            .collect();
        script::write_file(&path, &text, 0o644).map(drop)
    }
}

/// Returns the settings that an installation recorded.
fn made(layout: &InstallLayout) -> Vec<(String, String)> {
    let text = fs::read_to_string(layout.made_settings()).unwrap_or_default();
    let pair = |line: &str| {
        line.split_once(' ')
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

fn take_settings_away(
    repo: &Repo,
    layout: &InstallLayout,
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    let mut made = made(layout);
    if made.is_empty()
        && HookFile::new(layout, "proc-receive")
            .active_script()
            .is_some()
    {
        // An installation from before settings were recorded. The pin stays, since it may be
        // somebody else's.
        made = [
            (REFS_KEY, "refs"),
            (FOUNDED_KEY, "true"),
            (AUTO_LAND_KEY, "true"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
    }
    // The setting that was made last makes Git call the hook, so it goes first.
    for (key, value) in made.into_iter().rev() {
        if repo.config_all(&key)?.contains(&value) {
            repo.remove_config(&key, &value)?;
            changes.push(format!("unset {key} = {value}"));
        }
    }
    script::remove(&layout.made_settings()).map(drop)
}

fn check_repository(repo: &Repo) -> Result<(), InstallError> {
    if !repo.is_bare() {
        return Err(InstallError::NotBare(repo.work_dir().to_owned()));
    }
    if repo.is_shallow() {
        return Err(InstallError::Incomplete("shallow"));
    }
    if repo.is_partial()? {
        return Err(InstallError::Incomplete("a partial clone"));
    }
    Ok(())
}

/// Checks that Git looks for hooks where ours are. Returns whether that needs a `core.hooksPath` in
/// this repository.
///
/// It does if the path comes from the settings of all repositories. That is allowed only if no other
/// hook stops running or starts running by it.
fn check_hooks_path(repo: &Repo, layout: &InstallLayout) -> Result<bool, InstallError> {
    let Some(path) = repo.hooks_paths()?.pop() else {
        return Ok(false);
    };
    // Git resolves a relative path in the repository.
    let path = repo.git_dir().join(path);
    if layout.is_own_hooks(&path) {
        return Ok(false);
    }
    let is_local = repo.local_config(HOOKS_PATH)?.is_some();
    let refused = is_local || has_hooks(&path) || has_hooks(&layout.own_hooks());
    if refused {
        let path = path.display().to_string();
        return Err(InstallError::HooksPath(path, layout.own_hooks()));
    }
    Ok(true)
}

/// Whether a folder holds an executable hook that is not ours.
fn has_hooks(folder: &Path) -> bool {
    let events = relay::EVENTS.iter().chain(&relay::SENSITIVE_EVENTS);
    events
        .map(|event| folder.join(event))
        .any(|path| is_executable(&path) && !script::is_ours(&path))
}

fn text_of(path: &Path) -> Result<String, InstallError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| InstallError::Path(path.to_owned()))
}

fn choose_ledger(repo: &Repo, asked: Option<EntryId>) -> Result<EntryId, InstallError> {
    let pinned = repo.config(LEDGER_KEY)?;
    if let Some(pinned) = pinned {
        return match (pinned.parse().ok(), asked) {
            (Some(ledger), None) => Ok(ledger),
            (Some(ledger), Some(asked)) if ledger == asked => Ok(ledger),
            _ => Err(InstallError::OtherLedger { pinned }),
        };
    }
    if let Some(asked) = asked {
        return Ok(asked);
    }
    match find_ledgers(repo)?.as_slice() {
        [] => Err(InstallError::NoLedger),
        [one] => Ok(*one),
        several => Err(InstallError::Several(several.to_vec())),
    }
}

/// Returns whether the ledger is here. Refuses a damaged ledger.
fn check_ledger(repo: &Repo, ledger: EntryId) -> Result<bool, InstallError> {
    match load(repo, ledger, Trust::Nothing) {
        Ok(loaded) => match loaded.problems.first() {
            Some(problem) => Err(InstallError::Ledger(format!(
                "{}: {}",
                problem.name, problem.reject
            ))),
            None => Ok(true),
        },
        Err(LoadError::NoLedger) if repo.list(&[LedgerRefs::of(ledger).prefix()])?.is_empty() => {
            Ok(false)
        }
        Err(LoadError::NoLedger) => Err(InstallError::Ledger(
            "it has lanes but no genesis".to_owned(),
        )),
        Err(error) => Err(InstallError::Ledger(error.to_string())),
    }
}
