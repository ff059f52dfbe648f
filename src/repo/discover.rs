//! Finds a repository and checks that this program can read it. Knows nothing of its content.

use std::path::{Path, PathBuf};

use super::error::RepoError;
use super::git::{self, GitCommand};
use super::text::clean_text;

/// Where a repository is.
pub(super) struct Found {
    /// The git directory that all worktrees share.
    pub common_dir: PathBuf,
    /// The git directory of the worktree.
    pub own_dir: PathBuf,
    /// The folder to run commands in.
    pub work_dir: PathBuf,
    /// Whether there is no working tree.
    pub bare: bool,
}

/// Finds the repository that the command `rev_parse` runs in.
pub(super) fn find(rev_parse: GitCommand, start: &Path) -> Result<Found, RepoError> {
    let asked = [
        "--path-format=absolute",
        "--show-object-format",
        "--is-bare-repository",
        "--git-common-dir",
        "--git-dir",
    ];
    let output = rev_parse.args(asked).output()?;
    if !output.status.success() {
        return Err(RepoError::NotARepository {
            dir: start.to_owned(),
            message: output.message(),
        });
    }
    let answer = || git::unreadable("rev-parse", &output.stdout);
    let text = output.stdout.strip_suffix(b"\n").ok_or_else(answer)?;
    let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    let [format, bare, common_dir, own_dir] = lines.as_slice() else {
        return Err(answer().into());
    };
    let (common_dir, own_dir) = (path(common_dir)?, path(own_dir)?);
    if *format != b"sha1" {
        let format = clean_text(&String::from_utf8_lossy(format));
        return Err(RepoError::ObjectFormat {
            dir: common_dir,
            format,
        });
    }
    let bare = *bare == b"true";
    let work_dir = if bare {
        own_dir.clone()
    } else {
        work_dir(&own_dir)
    };
    Ok(Found {
        common_dir,
        own_dir,
        work_dir,
        bare,
    })
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> Result<PathBuf, RepoError> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> Result<PathBuf, RepoError> {
    let text = std::str::from_utf8(bytes).map_err(|_| git::unreadable("rev-parse", bytes))?;
    Ok(PathBuf::from(text))
}

/// Returns the folder to run commands in.
///
/// The folder is the top of the working tree if the git directory shows where that is, as in an
/// ordinary clone or a linked worktree. Otherwise the folder is the git directory itself.
fn work_dir(own_dir: &Path) -> PathBuf {
    let linked = std::fs::read_to_string(own_dir.join("gitdir")).ok();
    let dot_git = match &linked {
        Some(text) => own_dir.join(text.trim_end_matches('\n')),
        None => own_dir.to_owned(),
    };
    match dot_git.parent() {
        Some(top) if dot_git.ends_with(".git") && top.is_dir() => top.to_owned(),
        _ => own_dir.to_owned(),
    }
}
