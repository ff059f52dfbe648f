//! Puts the server gate into a bare repository: pins the ledger, writes the hook, sets what Git needs. Can be run again
//! at any time; takes nothing of anybody else's away.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{InstallError, script, set};
use crate::gate::push::{AUTO_LAND_KEY, FOUNDED_KEY, LEDGER_KEY};
use crate::id::EntryId;
use crate::repo::Repo;
use crate::store::{LedgerRefs, LoadError, Trust, find_ledgers, load};

/// The script; the program's path is filled in.
const SCRIPT: &str = include_str!("../../hooks/proc-receive");
/// The script of the early judgement.
const EARLY_SCRIPT: &str = include_str!("../../hooks/pre-receive");
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
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
pub fn install_server(repo: &Repo, options: &ServerOptions) -> Result<Installed, InstallError> {
    check_repository(repo)?;
    let hooks = repo.git_dir().join("hooks");
    check_hooks_path(repo, &hooks)?;
    let hook = hooks.join("proc-receive");
    let text = script::filled(SCRIPT, &options.program)?;
    script::check_ours(&hook)?;
    let early = hooks.join("pre-receive");
    // A hook that was here before goes where the mark is, once hooks are chained; until then it is not displaced.
    let early_text = script::filled(EARLY_SCRIPT, &options.program)?.replace("@CHAINED@", "''");
    script::check_ours(&early)?;
    let ledger = choose_ledger(repo, options.ledger)?;
    let founded = check_ledger(repo, ledger)?;

    // The hook first: with the setting and without the hook Git refuses every push.
    let mut changes = Vec::new();
    script::write(&hooks, &hook, &text, &mut changes)?;
    script::write(&hooks, &early, &early_text, &mut changes)?;
    set(repo, LEDGER_KEY, &ledger.to_string(), &mut changes)?;
    if founded {
        set(repo, FOUNDED_KEY, "true", &mut changes)?;
    }
    if options.auto_land {
        set(repo, AUTO_LAND_KEY, "true", &mut changes)?;
    }
    if !repo.config_all(REFS_KEY)?.iter().any(|value| value == "refs") {
        // Other values stay: Git sends what any of them names.
        repo.add_config(REFS_KEY, "refs")?;
        changes.push(format!("{REFS_KEY} = refs"));
    }
    let auto_land = repo.config(AUTO_LAND_KEY)?.is_some_and(|value| value == "true");
    Ok(Installed { repository: repo.git_dir().to_owned(), ledger, founded, auto_land, hook, changes })
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

/// Git must look for hooks where we put ours.
fn check_hooks_path(repo: &Repo, hooks: &Path) -> Result<(), InstallError> {
    let Some(path) = repo.config("core.hooksPath")? else { return Ok(()) };
    let same = |a: &Path, b: &Path| a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    match same(&repo.git_dir().join(&path), hooks) {
        true => Ok(()),
        false => Err(InstallError::HooksPath(path, hooks.to_owned())),
    }
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
            Some(problem) => Err(InstallError::Ledger(format!("{}: {}", problem.name, problem.reject))),
            None => Ok(true),
        },
        Err(LoadError::NoLedger) if repo.list(&[LedgerRefs::of(ledger).prefix()])?.is_empty() => Ok(false),
        Err(LoadError::NoLedger) => Err(InstallError::Ledger("it has lanes and no genesis".to_owned())),
        Err(error) => Err(InstallError::Ledger(error.to_string())),
    }
}
