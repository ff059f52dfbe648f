//! Fills in the scripts of `hooks/`, recognises them, and writes them whole or not at all.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use super::error::InstallError;
use crate::fault;
use crate::repo::is_executable;

/// Stands for the program's path in a script.
const PROGRAM: &str = "@GIT_QUORUM@";
/// Stands for the path of the hook that runs after ours.
const CHAINED: &str = "@CHAINED@";
/// The start of a line by which a script of ours is recognised.
pub(super) const MARK: &str = "# The gate of git-quorum";
/// How many bytes of a file are read to recognise it.
const START: u64 = 4096;

/// Returns the start of a file. Empty if the file cannot be read.
pub(super) fn start_of(path: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    // A file that cannot be read is not ours, and is no shell script that could be sourced.
    let _ = fs::File::open(path).and_then(|file| file.take(START).read_to_end(&mut start));
    start
}

/// Whether the file there is a script of ours.
pub(super) fn is_ours(path: &Path) -> bool {
    String::from_utf8_lossy(&start_of(path))
        .lines()
        .any(|line| line.starts_with(MARK))
}

/// Whether something exists at this path, even a link that leads nowhere.
pub(super) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Fills in the program's path, and the path of the hook that runs after ours.
pub(super) fn filled(
    script: &str,
    program: &Path,
    chained: Option<&Path>,
) -> Result<String, InstallError> {
    let chained = chained.map_or_else(|| Ok("''".to_owned()), quoted)?;
    Ok(script
        .replace(PROGRAM, &quoted(program)?)
        .replace(CHAINED, &chained))
}

/// Quotes an absolute path as one word for the shell.
pub(super) fn quoted(path: &Path) -> Result<String, InstallError> {
    let plain = path
        .to_str()
        .filter(|text| path.is_absolute() && !text.contains(char::is_control));
    plain
        .map(quoted_text)
        .ok_or_else(|| InstallError::Path(path.to_owned()))
}

/// Quotes a text as one word for the shell.
pub(super) fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Writes an executable script, unless the same script exists already.
pub(super) fn write(
    path: &Path,
    script: &str,
    changes: &mut Vec<String>,
) -> Result<(), InstallError> {
    if write_file(path, script, 0o755)? {
        changes.push(format!("wrote {}", path.display()));
    }
    if is_executable(path) {
        Ok(())
    } else {
        Err(InstallError::NotExecutable(path.to_owned()))
    }
}

/// Writes a file, whole or not at all. Returns `false` if the same file existed already.
pub(super) fn write_file(path: &Path, text: &str, mode: u32) -> Result<bool, InstallError> {
    let failed = |source| InstallError::Write {
        path: path.to_owned(),
        source,
    };
    if fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes())
        && (mode & 0o111 == 0 || is_executable(path))
    {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    set_mode(file.path(), mode).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    fault::check("install.persist").map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(true)
}

/// Removes a file. Returns `false` if there was none.
pub(super) fn remove(path: &Path) -> Result<bool, InstallError> {
    fault::point("install.remove");
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(InstallError::Write {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Renames a file, replacing the file at `to`.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), InstallError> {
    fault::point("install.rename");
    fs::rename(from, to).map_err(|source| InstallError::Write {
        path: to.to_owned(),
        source,
    })?;
    // If both are hard links to one file, renaming leaves both names.
    remove(from).map(drop)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPTS: [&str; 4] = [
        include_str!("../../hooks/proc-receive"),
        include_str!("../../hooks/pre-merge-commit"),
        include_str!("../../hooks/pre-push"),
        include_str!("../../hooks/reference-transaction"),
    ];

    #[test]
    fn a_path_with_quotes_and_spaces_stays_one_word_in_every_script() {
        for script in SCRIPTS {
            let text = filled(
                script,
                Path::new("/a b/it's/$x/git-quorum"),
                Some(Path::new("/c d")),
            )
            .unwrap();
            assert!(
                text.contains("git_quorum='/a b/it'\\''s/$x/git-quorum'\n"),
                "{text}"
            );
            assert!(text.lines().any(|line| line.starts_with(MARK)), "{text}");
            assert!(!text.contains(PROGRAM) && !text.contains(CHAINED), "{text}");
            assert_eq!(script.contains(CHAINED), text.contains("'/c d'"));
        }
        assert!(
            filled("", Path::new("relative"), None).is_err()
                && filled("", Path::new("/a\nb"), None).is_err()
        );
    }
}
