//! Which bytes have been verified before and are not in the snapshot: digests of whole entries that had the form of
//! one and whose signatures, that of the entry and those of its precommits, were good. CachedDigests in
//! the git directory; can be thrown away at any time. It names bytes, not refs or ids, so no entry
//! can profit from another one's check: entries that no ref holds, too, such as those of a push that was refused.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::load::Trust;
use crate::fault;
use crate::id::Digest;

/// Another program version forgets what this one verified: its check might differ.
const HEADER: &str = concat!(
    "git-quorum verified entries ",
    env!("CARGO_PKG_VERSION"),
    "\n"
);

/// Digests of entries that were verified, and those that are new since the file was read.
pub(super) struct VerifiedCache {
    path: PathBuf,
    trust: Trust,
    /// What the file holds; read when it is first asked for.
    kept: OnceCell<CachedDigests>,
    fresh: Vec<Digest>,
}

/// What the file held when it was read.
#[derive(Default)]
struct CachedDigests {
    known: HashSet<Digest>,
    /// How much of the file is whole; none when it must be written anew.
    whole: Option<u64>,
}

impl VerifiedCache {
    /// The cache in this git directory, to be used as far as it is trusted.
    pub(super) fn open(git_dir: &Path, trust: Trust) -> Self {
        let path = git_dir.join("quorum").join("verified");
        Self {
            path,
            trust,
            kept: OnceCell::new(),
            fresh: Vec::new(),
        }
    }

    fn kept(&self) -> &CachedDigests {
        self.kept.get_or_init(|| {
            if self.trust.reads() {
                CachedDigests::read(&self.path)
            } else {
                CachedDigests::default()
            }
        })
    }

    pub(super) fn contains(&self, raw: &Digest) -> bool {
        self.kept().known.contains(raw)
    }

    pub(super) fn add(&mut self, raw: Digest) {
        self.kept();
        if self
            .kept
            .get_mut()
            .is_some_and(|kept| kept.known.insert(raw))
        {
            self.fresh.push(raw);
        }
    }

    /// Writes what is new. Failing to is no error: the next run verifies again.
    pub(super) fn save(&self) {
        if !self.fresh.is_empty() && self.trust.writes() {
            let _ = self.write();
        }
    }

    /// Forgets everything: the snapshot has it.
    pub(super) fn clear(&mut self) {
        let _ = fs::remove_file(&self.path);
        self.kept = OnceCell::from(CachedDigests::default());
        self.fresh.clear();
    }

    fn write(&self) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let Some(whole) = self.kept().whole else {
            return self.write_anew();
        };
        // One write of whole digests at the end: other processes append whole digests too.
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
        let mut known: Vec<_> = self.kept().known.iter().collect();
        known.sort();
        let bytes: Vec<u8> = known.into_iter().flat_map(|d| *d.bytes()).collect();
        file.write_all(&bytes)?;
        fault::check("cache.persist")?;
        file.persist(&self.path)?;
        Ok(())
    }
}

impl CachedDigests {
    /// Reads the file. One that cannot be read is as good as none.
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

        // A torn write, then an addition: nothing is misread.
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
                && cache.kept().known.len() == 2
        );

        let mut cache = VerifiedCache::open(folder.path(), Trust::CacheReadOnly);
        assert!(cache.contains(&digest(1)));
        cache.add(digest(4));
        cache.save();
        assert!(!VerifiedCache::open(folder.path(), Trust::Cache).contains(&digest(4)));
        assert!(
            VerifiedCache::open(folder.path(), Trust::Nothing)
                .kept()
                .known
                .is_empty()
        );

        let mut cache = VerifiedCache::open(folder.path(), Trust::Cache);
        cache.clear();
        assert!(!cache.contains(&digest(1)) && !path.exists());
        cache.add(digest(5));
        cache.save();
        let cache = VerifiedCache::open(folder.path(), Trust::Cache);
        assert!(cache.contains(&digest(5)) && cache.kept().known.len() == 1);

        fs::write(&path, "rubbish").unwrap();
        assert!(
            VerifiedCache::open(folder.path(), Trust::Cache)
                .kept()
                .known
                .is_empty()
        );
    }
}
