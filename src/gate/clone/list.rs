//! The list of what is protected, as the scripts of the hooks read it: one pattern a line, in the folder that all worktrees
//! share. A mark beside it says that entries came after it was written.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::charter::{Charter, RefPattern};
use crate::repo::Repo;

/// A mark is set before the entries are there. One that is younger than this may be that of a transaction under way, and
/// stays: it costs a look at the ledger at the next update.
const UNDER_WAY: Duration = Duration::from_secs(2);

fn folder(repo: &Repo) -> PathBuf {
    repo.git_dir().join("quorum")
}

fn mark(repo: &Repo) -> PathBuf {
    folder(repo).join("protected.stale")
}

/// The list of these patterns.
pub fn lines_of(patterns: &[RefPattern]) -> String {
    patterns
        .iter()
        .map(|pattern| format!("{pattern}\n"))
        .collect()
}

/// Writes the list of what this charter protects, whole or not at all; says whether it had to.
pub fn write_protected(repo: &Repo, charter: &Charter) -> io::Result<bool> {
    let lines = lines_of(charter.protected());
    let (folder, path) = (folder(repo), folder(repo).join("protected"));
    if fs::read(&path).is_ok_and(|bytes| bytes == lines.as_bytes()) {
        return Ok(false);
    }
    fs::create_dir_all(&folder)?;
    let mut file = tempfile::NamedTempFile::new_in(&folder)?;
    file.write_all(lines.as_bytes())?;
    file.persist(&path)?;
    Ok(true)
}

/// The list; none if it is not there, or is none.
pub(super) fn read(repo: &Repo) -> Option<Vec<RefPattern>> {
    let text = fs::read_to_string(folder(repo).join("protected")).ok()?;
    let patterns: Vec<_> = text
        .lines()
        .map(|line| line.parse().ok())
        .collect::<Option<_>>()?;
    (!patterns.is_empty()).then_some(patterns)
}

/// When entries came last since the list was written, if any did.
pub(super) fn stale_since(repo: &Repo) -> Option<SystemTime> {
    fs::metadata(mark(repo))
        .and_then(|meta| meta.modified())
        .ok()
}

/// Takes the mark away that was seen before the ledger was read, unless others may have to be told by it.
pub(super) fn unmark(repo: &Repo, seen: SystemTime) -> io::Result<()> {
    let is_old = seen.elapsed().is_ok_and(|age| age >= UNDER_WAY);
    match is_old && stale_since(repo) == Some(seen) {
        true => fs::remove_file(mark(repo)),
        false => Ok(()),
    }
}
