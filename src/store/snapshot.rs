//! Keeps the judged ledger, so that a later run reads only new entries. The snapshot is one file in
//! the git directory. It is written whole or not at all, and can be deleted at any time. The
//! program trusts its verdicts, so anyone who can write the file can falsify them. Only someone who
//! can write the whole git directory can do that.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use crate::consensus::Tally;
use crate::fault;
use crate::id::{EntryId, Oid};
use crate::lazy_table::{TableReader, TableWriter};

/// The first line of the file. A program of another version ignores the snapshot, because its rules
/// or layout may differ. Increase the number at the end when either changes between two versions.
const HEADER: &str = concat!(
    "git-quorum snapshot ",
    env!("CARGO_PKG_VERSION"),
    " form 4\n"
);
/// The prefix of unfinished files.
const UNFINISHED: &str = "snapshot-";
/// The age at which an unfinished file counts as abandoned, because its writer was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A judged ledger, and the refs that held it.
pub(super) struct Snapshot {
    /// The values of the refs: the genesis and all lanes.
    pub(super) tips: BTreeMap<String, Oid>,
    pub(super) tally: Tally,
}

fn path(git_dir: &Path) -> PathBuf {
    git_dir.join("quorum").join("snapshot")
}

impl Snapshot {
    /// Reads the snapshot of this ledger. Returns `None` if there is no intact snapshot of this
    /// program version.
    pub(super) fn read(git_dir: &Path, ledger: EntryId) -> Option<Self> {
        Self::parse(fs::read(path(git_dir)).ok()?.into(), ledger)
    }

    fn parse(mut file: Bytes, ledger: EntryId) -> Option<Self> {
        let body = file
            .starts_with(HEADER.as_bytes())
            .then(|| file.split_off(HEADER.len()))?;
        let mut reader = TableReader::new(body)?;
        let read = Self {
            tips: reader.value()?,
            tally: Tally::read_from(&mut reader)?,
        };
        (reader.is_at_end() && read.tally.dag().ledger() == ledger).then_some(read)
    }
}

/// Writes the snapshot, and returns whether that succeeded. A failure is no error: the next run
/// reads more entries.
pub(super) fn save(git_dir: &Path, tips: BTreeMap<String, Oid>, tally: &Tally) -> bool {
    write(git_dir, tips, tally).is_ok()
}

fn write(git_dir: &Path, tips: BTreeMap<String, Oid>, tally: &Tally) -> std::io::Result<()> {
    let mut writer = TableWriter::new();
    writer.value(&tips);
    tally.write_to(&mut writer);
    let body = writer.finish();
    let path = path(git_dir);
    let folder = path.parent().unwrap_or(git_dir);
    fs::create_dir_all(folder)?;
    sweep(folder);
    let mut file = new_file(folder)?;
    file.write_all(HEADER.as_bytes())?;
    file.write_all(&body)?;
    // No sync is needed: after a crash, the digest exposes a half-written file.
    fault::check("snapshot.persist")?;
    file.persist(path)?;
    Ok(())
}

/// Creates a file with the permissions of Git's own files, so that users who share a repository
/// share the snapshot.
fn new_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Removes unfinished files of killed writers.
fn sweep(folder: &Path) {
    let is_left = |entry: &fs::DirEntry| {
        let age = entry
            .metadata()
            .and_then(|m| m.modified())
            .ok()
            .and_then(|time| time.elapsed().ok());
        entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && age.is_some_and(|age| age > ABANDONED)
    };
    for entry in fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(is_left)
    {
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::line;

    #[test]
    fn what_is_damaged_foreign_or_of_another_version_is_no_snapshot() {
        let (_sandbox, repo, ledger) = line(3, None);
        let loaded = crate::store::load(&repo, ledger, crate::store::Trust::Nothing).unwrap();
        write(repo.git_dir(), loaded.covered(), &loaded.tally).unwrap();
        let bytes = fs::read(path(repo.git_dir())).unwrap();
        let read = |bytes: &[u8]| Snapshot::parse(bytes.to_vec().into(), ledger);
        let whole = read(&bytes).unwrap();
        assert_eq!(
            (whole.tips, whole.tally.to_bytes()),
            (loaded.covered(), loaded.tally.to_bytes())
        );

        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_none(), "cut to {length}");
        }
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 8);
            assert!(read(&flipped).is_none(), "a bit of byte {place}");
        }
        assert!(read(&[bytes.as_slice(), b"x"].concat()).is_none());
        assert!(
            Snapshot::parse(bytes.clone().into(), EntryId::new([1; 32])).is_none(),
            "another ledger's"
        );
        let other = [b"git-quorum snapshot 0.0.0\n", &bytes[HEADER.len()..]].concat();
        assert!(read(&other).is_none(), "another version's");
    }

    #[test]
    fn what_killed_writers_left_is_never_read_and_is_removed_after_a_while() {
        let (_sandbox, repo, ledger) = line(3, None);
        let loaded = crate::store::load(&repo, ledger, crate::store::Trust::Nothing).unwrap();
        let folder = repo.git_dir().join("quorum");
        fs::create_dir_all(&folder).unwrap();
        let [old, young] = ["snapshot-old", "snapshot-young"].map(|name| folder.join(name));
        for left in [&old, &young] {
            fs::write(left, "half").unwrap();
        }
        let then = std::time::SystemTime::now() - 2 * ABANDONED;
        fs::File::options()
            .write(true)
            .open(&old)
            .unwrap()
            .set_modified(then)
            .unwrap();
        assert!(Snapshot::read(repo.git_dir(), ledger).is_none());
        assert!(save(repo.git_dir(), loaded.covered(), &loaded.tally));
        assert!(Snapshot::read(repo.git_dir(), ledger).is_some());
        assert!(
            !old.exists() && young.exists(),
            "the young one may still be written"
        );
    }
}
