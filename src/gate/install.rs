//! Puts the server gate into a bare repository: pins the ledger, writes the hook, sets what Git needs. Can be run again
//! at any time; takes nothing of anybody else's away.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ordinary::is_executable;
use super::push::{AUTO_LAND_KEY, FOUNDED_KEY, LEDGER_KEY};
use crate::id::EntryId;
use crate::repo::{Repo, RepoError};
use crate::store::{LedgerRefs, LoadError, Trust, find_ledgers, load};

/// The script; the program's path is filled in.
const SCRIPT: &str = include_str!("../../hooks/proc-receive");
/// Where it goes.
const PLACE: &str = "@GIT_QUORUM@";
/// By what a script is known as ours, whatever path it holds.
const MARK: &str = "# The gate of git-quorum";
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

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum InstallError {
    #[error("{} has a working tree: the server gate is for bare repositories", .0.display())]
    NotBare(PathBuf),
    #[error("the repository is {0}: what it does not hold cannot be checked")]
    Incomplete(&'static str),
    #[error("core.hooksPath is {0}: Git would not run the hook in {hooks}", hooks = .1.display())]
    HooksPath(String, PathBuf),
    #[error("{} is there and is not ours", .0.display())]
    ForeignHook(PathBuf),
    #[error("no ledger is here, and none was named")]
    NoLedger,
    #[error("several ledgers are here: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Several(Vec<EntryId>),
    #[error("ledger {pinned} is pinned here already")]
    OtherLedger { pinned: String },
    #[error("the ledger here cannot be used: {0}")]
    Ledger(String),
    #[error("the program's path {} cannot stand in a script", .0.display())]
    Program(PathBuf),
    #[error("{} could not be written: {source}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} cannot be made executable here: Git would ignore it", .0.display())]
    NotExecutable(PathBuf),
    #[error(transparent)]
    Repo(#[from] RepoError),
}

/// Installs the server gate.
pub fn install_server(repo: &Repo, options: &ServerOptions) -> Result<Installed, InstallError> {
    check_repository(repo)?;
    let hooks = repo.git_dir().join("hooks");
    check_hooks_path(repo, &hooks)?;
    let hook = hooks.join("proc-receive");
    let script = script(&options.program)?;
    check_hook(&hook)?;
    let ledger = choose_ledger(repo, options.ledger)?;
    let founded = check_ledger(repo, ledger)?;

    // The hook first: with the setting and without the hook Git refuses every push.
    let mut changes = Vec::new();
    write_hook(&hooks, &hook, &script, &mut changes)?;
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

fn check_hook(hook: &Path) -> Result<(), InstallError> {
    match fs::read(hook) {
        Ok(bytes) if String::from_utf8_lossy(&bytes).lines().any(|line| line.starts_with(MARK)) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && fs::symlink_metadata(hook).is_err() => Ok(()),
        _ => Err(InstallError::ForeignHook(hook.to_owned())),
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

/// The script with the program's path in it, quoted for the shell.
fn script(program: &Path) -> Result<String, InstallError> {
    let refused = || InstallError::Program(program.to_owned());
    let path = program.to_str().filter(|path| program.is_absolute() && !path.contains(char::is_control));
    let quoted = format!("'{}'", path.ok_or_else(refused)?.replace('\'', r"'\''"));
    Ok(SCRIPT.replace(PLACE, &quoted))
}

fn write_hook(hooks: &Path, hook: &Path, script: &str, changes: &mut Vec<String>) -> Result<(), InstallError> {
    let failed = |source| InstallError::Write { path: hook.to_owned(), source };
    if fs::read(hook).is_ok_and(|bytes| bytes == script.as_bytes()) && is_executable(hook) {
        return Ok(());
    }
    fs::create_dir_all(hooks).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(hooks).map_err(failed)?;
    file.write_all(script.as_bytes()).map_err(failed)?;
    make_executable(file.path()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(hook).map_err(|error| failed(error.error))?;
    if !is_executable(hook) {
        return Err(InstallError::NotExecutable(hook.to_owned()));
    }
    changes.push(format!("wrote {}", hook.display()));
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn set(repo: &Repo, key: &str, value: &str, changes: &mut Vec<String>) -> Result<(), InstallError> {
    if repo.config(key)?.as_deref() != Some(value) {
        repo.set_config(key, value)?;
        changes.push(format!("{key} = {value}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_quotes_and_spaces_stays_one_word() {
        let text = script(Path::new("/a b/it's/$x/git-quorum")).unwrap();
        assert!(text.contains("git_quorum='/a b/it'\\''s/$x/git-quorum'\n"), "{text}");
        assert!(text.lines().any(|line| line.starts_with(MARK)) && !text.contains(PLACE));
        assert!(script(Path::new("relative")).is_err() && script(Path::new("/a\nb")).is_err());
    }
}
