//! Caches which entries outside the snapshot were verified. It holds digests of whole entries. The
//! signature of each such entry, and those of its precommits, were valid. The cache is a file in
//! the git directory. It can be deleted at any time.
//!
//! The cache identifies entries by their bytes, not by refs or ids. So no entry can profit from the
//! check of another entry. The cache may hold entries that no ref holds, such as those of a refused
//! push.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::fault;
use crate::id::Digest;

/// The first line of the file. A program of another version ignores the file, because its checks
/// may differ.
const HEADER: &str = concat!(
    "git-quorum verified entries ",
    env!("CARGO_PKG_VERSION"),
    "\n"
);

/// Which results of earlier runs a reader trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Trust the clone's cached signatures and verdicts, and cache new results.
    Cache,
    /// Trust the cache, but write nothing. For objects that may be discarded.
    CacheReadOnly,
    /// Trust no earlier result: check everything and write nothing.
    Nothing,
}

impl Trust {
    pub(super) fn reads(self) -> bool {
        self != Self::Nothing
    }

    pub(super) fn writes(self) -> bool {
        self == Self::Cache
    }
}

/// The digests of verified entries, and those that are new since the file was read.
pub(super) struct VerifiedCache {
    path: PathBuf,
    trust: Trust,
    /// The content of the file. It is read on first use.
    cached: OnceCell<CachedDigests>,
    fresh: Vec<Digest>,
}

/// The content of the file when it was read.
#[derive(Default)]
struct CachedDigests {
    known: HashSet<Digest>,
    /// The length of the intact part of the file, in bytes. `None` if the file must be rewritten.
    whole: Option<u64>,
}

impl VerifiedCache {
    /// Opens the cache of this git directory. `trust` limits how it is used.
    pub(super) fn open(git_dir: &Path, trust: Trust) -> Self {
        let path = git_dir.join("quorum").join("verified");
        Self {
            path,
            trust,
            cached: OnceCell::new(),
            fresh: Vec::new(),
        }
    }

    fn cached(&self) -> &CachedDigests {
        self.cached.get_or_init(|| {
            if self.trust.reads() {
                CachedDigests::read(&self.path)
            } else {
                CachedDigests::default()
            }
        })
    }

    pub(super) fn contains(&self, raw: &Digest) -> bool {
        self.cached().known.contains(raw)
    }

    pub(super) fn add(&mut self, raw: Digest) {
        self.cached();
        if self
            .cached
            .get_mut()
            .is_some_and(|kept| kept.known.insert(raw))
        {
            self.fresh.push(raw);
        }
    }

    /// Writes the new digests. Ignores failures: the next run verifies these entries again.
    pub(super) fn save(&self) {
        if !self.fresh.is_empty() && self.trust.writes() {
            let _ = self.write();
        }
    }

    /// Deletes all digests, because the snapshot now covers these entries.
    pub(super) fn clear(&mut self) {
        let _ = fs::remove_file(&self.path);
        self.cached = OnceCell::from(CachedDigests::default());
        self.fresh.clear();
    }

    fn write(&self) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let Some(whole) = self.cached().whole else {
            return self.write_anew();
        };
        // Append whole digests in one write, because other processes append whole digests too.
        let mut file = fs::OpenOptions::new().append(true).open(&self.path)?;
        if file.metadata()?.len() < whole
            || !(file.metadata()?.len() - HEADER.len() as u64).is_multiple_of(32)
        {
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
        let mut known: Vec<_> = self.cached().known.iter().collect();
        known.sort();
        let bytes: Vec<u8> = known.into_iter().flat_map(|d| *d.bytes()).collect();
        file.write_all(&bytes)?;
        fault::check("cache.persist")?;
        file.persist(&self.path)?;
        Ok(())
    }
}

impl CachedDigests {
    /// Reads the file. An unreadable file counts as empty.
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_default();
        let body = bytes.strip_prefix(HEADER.as_bytes());
        let digests = body
            .unwrap_or_default()
            .chunks_exact(32)
            .filter_map(|chunk| chunk.try_into().ok());
        let whole = body.map(|body| (HEADER.len() + body.len() / 32 * 32) as u64);
        Self {
            known: digests.map(Digest::new).collect(),
            whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_and_survives_damage() {
        let folder = tempfile::tempdir().unwrap();
        let digest = |n: u8| Digest::new([n; 32]);
        let mut cache = VerifiedCache::open(folder.path(), Trust::Cache);
        cache.add(digest(1));
        cache.save();
        let mut cache = VerifiedCache::open(folder.path(), Trust::Cache);
        assert!(cache.contains(&digest(1)) && !cache.contains(&digest(2)));
        cache.add(digest(2));
        cache.save();
        assert!(VerifiedCache::open(folder.path(), Trust::Cache).contains(&digest(2)));

        // After a torn write and a later append, no digest is misread.
        let path = folder.path().join("quorum/verified");
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 5);
        fs::write(&path, &bytes).unwrap();
        let mut cache = VerifiedCache::open(folder.path(), Trust::Cache);
        assert!(cache.contains(&digest(1)) && !cache.contains(&digest(2)));
        cache.add(digest(3));
        cache.save();
        let cache = VerifiedCache::open(folder.path(), Trust::Cache);
        assert!(
            cache.contains(&digest(1))
                && cache.contains(&digest(3))
                && cache.cached().known.len() == 2
        );

        let mut cache = VerifiedCache::open(folder.path(), Trust::CacheReadOnly);
        assert!(cache.contains(&digest(1)));
        cache.add(digest(4));
        cache.save();
        assert!(!VerifiedCache::open(folder.path(), Trust::Cache).contains(&digest(4)));
        assert!(
            VerifiedCache::open(folder.path(), Trust::Nothing)
                .cached()
                .known
                .is_empty()
        );

        let mut cache = VerifiedCache::open(folder.path(), Trust::Cache);
        cache.clear();
        assert!(!cache.contains(&digest(1)) && !path.exists());
        cache.add(digest(5));
        cache.save();
        let cache = VerifiedCache::open(folder.path(), Trust::Cache);
        assert!(cache.contains(&digest(5)) && cache.cached().known.len() == 1);

        fs::write(&path, "rubbish").unwrap();
        assert!(
            VerifiedCache::open(folder.path(), Trust::Cache)
                .cached()
                .known
                .is_empty()
        );
    }
}
