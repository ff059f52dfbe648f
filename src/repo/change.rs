//! What differs between two commits, as a listing and as a digest that does not lean on SHA-1,
//! and whether one descends from the other. Reads raw objects only: no replace refs, grafts,
//! commit graphs or shallow boundaries have a say. Knows nothing of why it is asked.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::RepoError;
use super::objects::{ObjectKind, Objects};
use super::tree::{self, Entry, Links};
use crate::id::{Digest, Oid};

/// The most components that a path may have.
pub const MAX_DEPTH: usize = 128;
/// The most paths that one change may touch.
pub const MAX_PATHS: usize = 4_000_000;

/// The first line of what a state digest is taken over.
const STATE_HEADER: &str = "git-quorum state v1\n";

/// A file, symbolic link or submodule at a path, on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    mode: u32,
    oid: Oid,
}

/// A path that differs, with both sides.
struct Change<'a> {
    path: &'a [u8],
    old: Option<Item>,
    new: Option<Item>,
}

impl Objects {
    /// SHA-256 over a line for each path that differs between the trees of two commits, sorted by
    /// the bytes of the path: path, NUL, old mode, space, new mode, space, SHA-256 of the old
    /// content, space, SHA-256 of the new content, line feed. Modes have six octal digits; an
    /// absent side has mode `000000` and 64 zeros. The content of a submodule is its commit id in
    /// hexadecimal. An absent commit has an empty tree. What cannot be read is an error.
    pub fn change_digest(&self, from: Option<Oid>, to: Option<Oid>) -> Result<Digest, RepoError> {
        let mut hash = Sha256::new();
        let mut contents = Contents {
            objects: self,
            known: BTreeMap::new(),
        };
        self.each_change(from, to, &mut |change| {
            hash.update(change.path);
            hash.update(b"\0");
            hash.update(format!("{} {} ", mode(change.old), mode(change.new)));
            hash.update(format!(
                "{} {}\n",
                contents.digest(change.old)?,
                contents.digest(change.new)?
            ));
            Ok(())
        })?;
        Ok(Digest::new(hash.finalize().into()))
    }

    /// The change digest from nothing to a commit: a digest of all that it holds.
    pub fn state_root(&self, commit: Option<Oid>) -> Result<Digest, RepoError> {
        self.change_digest(None, commit)
    }

    /// SHA-256 over a fixed first line, the previous state and the change in hexadecimal, a line
    /// each, and the raw bytes of the commit that the change leads to, if any.
    pub fn state_digest(
        &self,
        previous: Digest,
        change: Digest,
        to: Option<Oid>,
    ) -> Result<Digest, RepoError> {
        let mut hash = Sha256::new();
        hash.update(format!("{STATE_HEADER}{previous}\n{change}\n"));
        if let Some(commit) = to {
            hash.update(self.expect(commit, ObjectKind::Commit)?);
        }
        Ok(Digest::new(hash.finalize().into()))
    }

    /// The paths that differ between two commits, sorted by their bytes.
    pub fn changed_paths(
        &self,
        from: Option<Oid>,
        to: Option<Oid>,
    ) -> Result<Vec<Vec<u8>>, RepoError> {
        let mut paths = Vec::new();
        self.each_change(from, to, &mut |change| {
            paths.push(change.path.to_vec());
            Ok(())
        })?;
        Ok(paths)
    }

    /// Whether `ancestor` is `commit` or lies in its history. Where part of the history is not
    /// here and could hold the answer, that is an error.
    pub fn is_ancestor(&self, ancestor: Oid, commit: Oid) -> Result<bool, RepoError> {
        self.links(ancestor)?;
        let mut seen = BTreeSet::from([commit]);
        let mut open = vec![commit];
        let mut unread = None;
        while let Some(next) = open.pop() {
            if next == ancestor {
                return Ok(true);
            }
            match self.links(next) {
                Ok(links) => open.extend(links.parents.into_iter().filter(|p| seen.insert(*p))),
                Err(error) => unread = unread.or(Some(error)),
            }
        }
        unread.map_or(Ok(false), Err)
    }

    /// The parents of a commit, from its raw bytes.
    pub fn parents(&self, commit: Oid) -> Result<Vec<Oid>, RepoError> {
        Ok(self.links(commit)?.parents)
    }

    /// The tree of a commit, from its raw bytes.
    pub fn tree_of(&self, commit: Oid) -> Result<Oid, RepoError> {
        Ok(self.links(commit)?.tree)
    }

    fn links(&self, commit: Oid) -> Result<Links, RepoError> {
        let raw = self
            .expect(commit, ObjectKind::Commit)
            .map_err(|error| match error {
                RepoError::Missing(oid) if self.repo().is_shallow() => RepoError::Shallow(oid),
                error => error,
            })?;
        tree::parse_commit(&raw).map_err(|why| RepoError::Malformed { oid: commit, why })
    }

    fn each_change(
        &self,
        from: Option<Oid>,
        to: Option<Oid>,
        sink: Sink<'_>,
    ) -> Result<(), RepoError> {
        let tree = |commit: Option<Oid>| commit.map(|oid| self.tree_of(oid)).transpose();
        let (old, new) = (tree(from)?, tree(to)?);
        Walk {
            objects: self,
            sink,
            path: Vec::new(),
            depth: 0,
            paths: 0,
        }
        .trees(old, new)
    }
}

/// What a changed path is handed to.
type Sink<'a> = &'a mut dyn FnMut(Change<'_>) -> Result<(), RepoError>;

/// A walk through two trees at once. Git orders a folder's name as if a slash followed it, so the
/// paths come out in the order of their bytes.
struct Walk<'a> {
    objects: &'a Objects,
    sink: Sink<'a>,
    path: Vec<u8>,
    depth: usize,
    paths: usize,
}

impl Walk<'_> {
    fn trees(&mut self, old: Option<Oid>, new: Option<Oid>) -> Result<(), RepoError> {
        if old == new {
            return Ok(());
        }
        let (old_raw, new_raw) = (self.raw(old)?, self.raw(new)?);
        let old_entries = parse(old, &old_raw)?;
        let new_entries = parse(new, &new_raw)?;
        let mut left = old_entries.iter().copied().peekable();
        let mut right = new_entries.iter().copied().peekable();
        loop {
            let (take_left, take_right) = match (left.peek(), right.peek()) {
                (None, None) => return Ok(()),
                (Some(a), Some(b)) => {
                    let order = a.key().cmp(b.key());
                    (order.is_le(), order.is_ge())
                }
                (a, b) => (a.is_some(), b.is_some()),
            };
            let a = if take_left { left.next() } else { None };
            let b = if take_right { right.next() } else { None };
            self.pair(a, b)?;
        }
    }

    /// Two entries with one name, both folders or neither, or one of the two alone.
    fn pair(&mut self, old: Option<Entry<'_>>, new: Option<Entry<'_>>) -> Result<(), RepoError> {
        let Some(entry) = new.or(old) else {
            return Ok(());
        };
        let before = self.path.len();
        self.path.extend_from_slice(entry.name);
        if entry.is_tree() {
            self.folder(entry.oid, old.map(|e| e.oid), new.map(|e| e.oid))?;
        } else if old.map(item) != new.map(item) {
            self.paths += 1;
            self.limit(
                entry.oid,
                self.paths <= MAX_PATHS,
                MAX_PATHS,
                "changed paths",
            )?;
            (self.sink)(Change {
                path: &self.path,
                old: old.map(item),
                new: new.map(item),
            })?;
        }
        self.path.truncate(before);
        Ok(())
    }

    fn folder(&mut self, oid: Oid, old: Option<Oid>, new: Option<Oid>) -> Result<(), RepoError> {
        self.path.push(b'/');
        self.depth += 1;
        self.limit(
            oid,
            self.depth < MAX_DEPTH,
            MAX_DEPTH,
            "components in a path",
        )?;
        self.trees(old, new)?;
        self.depth -= 1;
        Ok(())
    }

    fn limit(&self, oid: Oid, within: bool, most: usize, what: &str) -> Result<(), RepoError> {
        let over = || RepoError::TooLarge {
            oid,
            what: format!("at most {most} {what}"),
        };
        within.then_some(()).ok_or_else(over)
    }

    fn raw(&self, tree: Option<Oid>) -> Result<Vec<u8>, RepoError> {
        match tree {
            // Git knows the empty tree without storing it.
            None | Some(Oid::EMPTY_TREE) => Ok(Vec::new()),
            Some(oid) => self.objects.expect(oid, ObjectKind::Tree),
        }
    }
}

fn parse(oid: Option<Oid>, raw: &[u8]) -> Result<Vec<Entry<'_>>, RepoError> {
    let oid = oid.unwrap_or(Oid::EMPTY_TREE);
    tree::parse_tree(raw).map_err(|why| RepoError::Malformed { oid, why })
}

fn item(entry: Entry<'_>) -> Item {
    Item {
        mode: entry.mode,
        oid: entry.oid,
    }
}

fn mode(item: Option<Item>) -> String {
    format!("{:06o}", item.map_or(0, |item| item.mode))
}

/// The digests of contents met so far.
struct Contents<'a> {
    objects: &'a Objects,
    known: BTreeMap<Oid, Digest>,
}

impl Contents<'_> {
    /// The digest of the content of one side.
    fn digest(&mut self, item: Option<Item>) -> Result<Digest, RepoError> {
        let Some(Item { mode, oid }) = item else {
            return Ok(Digest::new([0; 32]));
        };
        if mode == tree::GITLINK {
            return Ok(Digest::of(oid.to_string().as_bytes()));
        }
        if let Some(digest) = self.known.get(&oid) {
            return Ok(*digest);
        }
        let digest = Digest::of(&self.objects.expect(oid, ObjectKind::Blob)?);
        self.known.insert(oid, digest);
        Ok(digest)
    }
}
