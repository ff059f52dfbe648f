//! The scripts of `hooks/`: filled in, told from those of others, and written whole or not at all.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::InstallError;
use crate::repo::is_executable;

/// Where it goes.
const PLACE: &str = "@GIT_QUORUM@";
/// By what a script is known as ours, whatever path it holds.
const MARK: &str = "# The gate of git-quorum";
/// Whether the place of a hook is free, or holds a script of ours.
pub(super) fn check_ours(hook: &Path) -> Result<(), InstallError> {
    match fs::read(hook) {
        Ok(bytes) if String::from_utf8_lossy(&bytes).lines().any(|line| line.starts_with(MARK)) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && fs::symlink_metadata(hook).is_err() => Ok(()),
        _ => Err(InstallError::ForeignHook(hook.to_owned())),
    }
}

/// The script with the program's path in it, quoted for the shell.
pub(super) fn filled(script: &str, program: &Path) -> Result<String, InstallError> {
    let refused = || InstallError::Program(program.to_owned());
    let path = program.to_str().filter(|path| program.is_absolute() && !path.contains(char::is_control));
    let quoted = format!("'{}'", path.ok_or_else(refused)?.replace('\'', r"'\''"));
    Ok(script.replace(PLACE, &quoted))
}

pub(super) fn write(hooks: &Path, hook: &Path, script: &str, changes: &mut Vec<String>) -> Result<(), InstallError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = include_str!("../../hooks/proc-receive");

    #[test]
    fn a_path_with_quotes_and_spaces_stays_one_word() {
        let text = filled(SCRIPT, Path::new("/a b/it's/$x/git-quorum")).unwrap();
        assert!(text.contains("git_quorum='/a b/it'\\''s/$x/git-quorum'\n"), "{text}");
        assert!(text.lines().any(|line| line.starts_with(MARK)) && !text.contains(PLACE));
        assert!(filled("", Path::new("relative")).is_err() && filled("", Path::new("/a\nb")).is_err());
    }
}
