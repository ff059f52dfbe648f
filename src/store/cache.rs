//! Which bytes have been verified before: digests of whole entries that had the form of one and whose
//! signatures, that of the entry and those of its precommits, were good. Kept in
//! the git directory; can be thrown away at any time. It names bytes, not refs or ids, so no entry
//! can profit from another one's check.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::fault;
use crate::id::Digest;

/// Another program version forgets what this one verified: its check might differ.
const HEADER: &str = concat!("git-quorum verified entries ", env!("CARGO_PKG_VERSION"), "\n");

/// Digests of entries that were verified, and those that are new since the file was read.
pub(super) struct VerifiedCache {
    path: PathBuf,
    known: HashSet<Digest>,
    fresh: Vec<Digest>,
    /// How much of the file is whole; none when it must be written anew.
    whole: Option<u64>,
    /// Whether it is neither read nor written.
    frozen: bool,
}

impl VerifiedCache {
    /// Reads the cache in this git directory. One that cannot be read is as good as none.
    /// Without `trusting`, it stays empty and is not written.
    pub(super) fn open(git_dir: &Path, trusting: bool) -> Self {
        let path = git_dir.join("quorum").join("verified");
        if !trusting {
            return Self { path, known: HashSet::new(), fresh: Vec::new(), whole: None, frozen: true };
        }
        let bytes = fs::read(&path).unwrap_or_default();
        let Some(body) = bytes.strip_prefix(HEADER.as_bytes()) else {
            return Self { path, known: HashSet::new(), fresh: Vec::new(), whole: None, frozen: false };
        };
        let digests = body.chunks_exact(32).filter_map(|chunk| chunk.try_into().ok());
        let known: HashSet<_> = digests.map(Digest::new).collect();
        let whole = HEADER.len() + body.len() / 32 * 32;
        Self { path, known, fresh: Vec::new(), whole: Some(whole as u64), frozen: false }
    }

    pub(super) fn contains(&self, raw: &Digest) -> bool {
        self.known.contains(raw)
    }

    pub(super) fn add(&mut self, raw: Digest) {
        if self.known.insert(raw) {
            self.fresh.push(raw);
        }
    }

    /// Writes what is new. Failing to is no error: the next run verifies again.
    pub(super) fn save(&self) {
        if !self.fresh.is_empty() && !self.frozen {
            let _ = self.write();
        }
    }

    fn write(&self) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let Some(whole) = self.whole else { return self.write_anew() };
        // One write of whole digests at the end: other processes append whole digests too.
        let mut file = fs::OpenOptions::new().append(true).open(&self.path)?;
        if file.metadata()?.len() < whole || !(file.metadata()?.len() - HEADER.len() as u64).is_multiple_of(32) {
            return self.write_anew();
        }
        let bytes: Vec<u8> = self.fresh.iter().flat_map(|d| *d.bytes()).collect();
        fault::check("cache.append")?;
        file.write_all(&bytes)
    }

    fn write_anew(&self) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(HEADER.as_bytes())?;
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort();
        let bytes: Vec<u8> = known.into_iter().flat_map(|d| *d.bytes()).collect();
        file.write_all(&bytes)?;
        fault::check("cache.persist")?;
        file.persist(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_and_survives_damage() {
        let folder = tempfile::tempdir().unwrap();
        let digest = |n: u8| Digest::new([n; 32]);
        let mut cache = VerifiedCache::open(folder.path(), true);
        cache.add(digest(1));
        cache.save();
        let mut cache = VerifiedCache::open(folder.path(), true);
        assert!(cache.contains(&digest(1)) && !cache.contains(&digest(2)));
        cache.add(digest(2));
        cache.save();
        assert!(VerifiedCache::open(folder.path(), true).contains(&digest(2)));

        // A torn write, then an addition: nothing is misread.
        let path = folder.path().join("quorum/verified");
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 5);
        fs::write(&path, &bytes).unwrap();
        let mut cache = VerifiedCache::open(folder.path(), true);
        assert!(cache.contains(&digest(1)) && !cache.contains(&digest(2)));
        cache.add(digest(3));
        cache.save();
        let cache = VerifiedCache::open(folder.path(), true);
        assert!(cache.contains(&digest(1)) && cache.contains(&digest(3)) && cache.known.len() == 2);

        fs::write(&path, "rubbish").unwrap();
        assert!(VerifiedCache::open(folder.path(), true).known.is_empty());
    }
}
