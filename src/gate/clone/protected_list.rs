//! The list of protected patterns that the hooks' scripts read.
//!
//! One pattern a line, in the folder that all worktrees share. A mark beside the list says that
//! entries came after it was written, so that the list may be out of date.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::charter::{Charter, RefPattern};
use crate::repo::Repo;

/// A mark that is younger than this is kept.
///
/// The mark is set before the entries are there, so a young mark may belong to a transaction that
/// is still under way. Keeping it costs one more reading of the ledger at the next update.
const UNDER_WAY: Duration = Duration::from_secs(2);

fn folder(repo: &Repo) -> PathBuf {
    repo.git_dir().join("quorum")
}

/// The file that says that the list may be out of date.
fn mark(repo: &Repo) -> PathBuf {
    folder(repo).join("protected.stale")
}

/// Formats patterns as the text of the list.
pub fn lines_of(patterns: &[RefPattern]) -> String {
    patterns
        .iter()
        .map(|pattern| format!("{pattern}\n"))
        .collect()
}

/// Brings the list up to date with this charter, and removes the mark if it was set at
/// `stale_since`.
///
/// The caller must have read `stale_since` before it read the ledger: entries that come in between
/// set a younger mark, which stays.
pub(super) fn update(
    repo: &Repo,
    charter: &Charter,
    stale_since: Option<SystemTime>,
) -> io::Result<()> {
    write(repo, charter)?;
    match stale_since {
        Some(since) => remove_mark(repo, since),
        None => Ok(()),
    }
}

/// Writes the list, whole or not at all. Does nothing if the list is the same already.
fn write(repo: &Repo, charter: &Charter) -> io::Result<()> {
    let lines = lines_of(charter.protected());
    let folder = folder(repo);
    let path = folder.join("protected");
    if fs::read(&path).is_ok_and(|bytes| bytes == lines.as_bytes()) {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    let mut file = tempfile::NamedTempFile::new_in(&folder)?;
    file.write_all(lines.as_bytes())?;
    file.persist(&path)?;
    Ok(())
}

/// Reads the list. Returns `None` if the list is missing, malformed or empty.
pub(super) fn read(repo: &Repo) -> Option<Vec<RefPattern>> {
    let text = fs::read_to_string(folder(repo).join("protected")).ok()?;
    let patterns: Vec<_> = text
        .lines()
        .map(|line| line.parse().ok())
        .collect::<Option<_>>()?;
    (!patterns.is_empty()).then_some(patterns)
}

/// Whether the list can be read, and no entries came after it was written.
pub(super) fn is_current(repo: &Repo) -> bool {
    read(repo).is_some() && stale_since(repo).is_none()
}

/// Returns when entries last came after the list was written. `None` if none came.
pub(super) fn stale_since(repo: &Repo) -> Option<SystemTime> {
    fs::metadata(mark(repo))
        .and_then(|meta| meta.modified())
        .ok()
}

/// Removes the mark if it is still the one that was set at `since`, and is not too young.
fn remove_mark(repo: &Repo, since: SystemTime) -> io::Result<()> {
    let is_old = since.elapsed().is_ok_and(|age| age >= UNDER_WAY);
    if is_old && stale_since(repo) == Some(since) {
        fs::remove_file(mark(repo))
    } else {
        Ok(())
    }
}
