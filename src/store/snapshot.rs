//! The ledger as it was judged before, so that reading it again costs what is new and not what is there. Kept in the
//! git directory as one file, written whole or not at all; can be thrown away at any time. It vouches for
//! verdicts, so whoever can write it can falsify them: but that is who can write the whole git directory.

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

/// Another program version reads and judges anew: its rules or its layout might differ. The number behind it is for
/// changes of either between two versions.
const HEADER: &str = concat!(
    "git-quorum snapshot ",
    env!("CARGO_PKG_VERSION"),
    " form 4\n"
);
/// How the files that are not finished yet begin.
const UNFINISHED: &str = "snapshot-";
/// What has not been finished for so long never will be: its writer was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A judged ledger, and the refs that held it.
pub(super) struct Snapshot {
    /// What its refs led to: the genesis and all lanes.
    pub(super) tips: BTreeMap<String, Oid>,
    pub(super) tally: Tally,
}

fn path(git_dir: &Path) -> PathBuf {
    git_dir.join("quorum").join("snapshot")
}

impl Snapshot {
    /// The snapshot of this ledger, if there is one that was written whole and by this program.
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

/// Writes the snapshot, and says whether it is there. Failing to is no error: the next run reads more.
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
    // Nothing is synced: what a crash of the machine leaves half written fails the digest.
    fault::check("snapshot.persist")?;
    file.persist(path)?;
    Ok(())
}

/// Readable for whom Git's own files are: those who serve one repository share what they judged.
fn new_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Removes what killed writers left.
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
