//! Puts the server gate into a bare repository: pins the ledger, writes the hooks, sets what Git needs. Can be run again
//! at any time; takes nothing of anybody else's away.

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
    /// Whether one that is there already can run after ours.
    shared: bool,
}

/// All of them. Git talks with `proc-receive` in a protocol of its own: there can be only one.
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
/// The setting that sends refs to the hook.
const REFS_KEY: &str = "receive.procReceiveRefs";

/// What to install.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The ledger to pin; none for the one that is there or pinned already.
    pub ledger: Option<EntryId>,
    /// Whether decided refs move by themselves.
    pub auto_land: bool,
    /// The program that the hook calls.
    pub program: PathBuf,
}

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InstalledServer {
    /// The repository.
    pub repository: PathBuf,
    /// The ledger that is pinned.
    pub ledger: EntryId,
    /// Whether its genesis is here.
    pub founded: bool,
    /// Whether decided refs move by themselves.
    pub auto_land: bool,
    /// The hook.
    pub hook: PathBuf,
    /// What was changed; nothing when all was in place.
    pub changes: Vec<String>,
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
    if let Err(error) = make(
        repo,
        &layout,
        (options, ledger, founded, override_path),
        &mut changes,
    ) {
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

/// The hooks first: with the setting and without the hook Git refuses every push.
fn make(
    repo: &Repo,
    layout: &InstallLayout,
    (options, ledger, founded, override_path): (&ServerOptions, EntryId, bool, bool),
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    for hook in &HOOKS {
        let fill = |chained: Option<&Path>| script::filled(hook.script, &options.program, chained);
        HookFile::new(layout, hook.event).put(fill, changes)?;
    }
    let mut settings = ServerSettings {
        repo,
        layout,
        changes,
    };
    if override_path {
        settings.set(HOOKS_PATH, &text_of(&layout.own_hooks())?)?;
    }
    settings.set(LEDGER_KEY, &ledger.to_string())?;
    if founded {
        settings.set(FOUNDED_KEY, "true")?;
    }
    if options.auto_land {
        settings.set(AUTO_LAND_KEY, "true")?;
    }
    if !repo
        .config_all(REFS_KEY)?
        .iter()
        .any(|value| value == "refs")
    {
        // Other values stay: Git sends what any of them names.
        settings.add(REFS_KEY, "refs")?;
    }
    Ok(())
}

/// Takes the server gate away: from then on protected refs move as others do.
pub fn uninstall_server(repo: &Repo) -> Result<Uninstalled, InstallError> {
    if !repo.is_bare() {
        return Err(InstallError::NotBare(repo.work_dir().to_owned()));
    }
    let layout = InstallLayout::of(repo);
    let mut changes = Vec::new();
    // The setting first: with it and without the hook Git refuses every push.
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

/// Makes settings, and remembers which were made, so that others' are left alone when ours are taken away.
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

    /// Before it is made: what is remembered and not there does no harm.
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

/// The settings that were made here.
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
        // An installation from before they were remembered. The pin may be somebody else's: it stays.
        made = [
            (REFS_KEY, "refs"),
            (FOUNDED_KEY, "true"),
            (AUTO_LAND_KEY, "true"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
    }
    // The last one made is the one that has Git call the hook: it goes first.
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

/// Git must look for hooks where we put ours. Whether a setting of the repository's own is needed for that: where the path comes from
/// the settings of all repositories, and no hook is lost or comes to life by it.
fn check_hooks_path(repo: &Repo, layout: &InstallLayout) -> Result<bool, InstallError> {
    let Some(path) = repo.hooks_paths()?.pop() else {
        return Ok(false);
    };
    // Git reads a relative path in the repository.
    let path = repo.git_dir().join(path);
    if layout.is_own_hooks(&path) {
        return Ok(false);
    }
    let is_local = repo.local_config(HOOKS_PATH)?.is_some();
    let refused = is_local || has_hooks(&path) || has_hooks(&layout.own_hooks());
    match refused {
        true => Err(InstallError::HooksPath(
            path.display().to_string(),
            layout.own_hooks(),
        )),
        false => Ok(true),
    }
}

/// Whether Git would find a hook there that is not ours.
fn has_hooks(folder: &Path) -> bool {
    let events = relay::EVENTS.iter().chain(&relay::TELLING_EVENTS);
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

/// Whether the ledger is here; if it is, it must be whole.
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
            "it has lanes and no genesis".to_owned(),
        )),
        Err(error) => Err(InstallError::Ledger(error.to_string())),
    }
}
