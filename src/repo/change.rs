//! Compares two commits: the changed paths, a digest of the change that does not depend on SHA-1,
//! and ancestry.
//!
//! Reads raw objects only. Ignores replace refs, grafts, commit graphs and shallow boundaries.
//! Knows nothing of what the comparison is for.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::RepoError;
use super::objects::{ObjectKind, Objects};
use super::tree::{self, Entry, Links};
use crate::id::{Digest, Oid};

/// The most components of a path.
pub const MAX_DEPTH: usize = 128;
/// The most paths that one change may touch, and the most pairs of folders to compare in order to
/// find them. The limit is lower in this crate's own tests, so that they reach it soon.
pub const MAX_PATHS: usize = if cfg!(test) { 4_000 } else { 4_000_000 };
/// The most bytes of all paths of one change together.
pub const MAX_PATH_BYTES: usize = if cfg!(test) { 1 << 22 } else { 1 << 30 };

/// The first line of the bytes that a state digest covers.
const STATE_HEADER: &str = "git-quorum state v1\n";

/// A file, symbolic link or submodule on one side of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    mode: u32,
    oid: Oid,
}

/// A changed path, with both sides. A side is `None` if the path does not exist there.
struct Change<'a> {
    path: &'a [u8],
    old: Option<Item>,
    new: Option<Item>,
}

/// The most annotated tags between a ref and its commit.
const MAX_TAGS: usize = 8;

impl Objects {
    /// Returns the digest of the change between the trees of two commits.
    ///
    /// The digest is the SHA-256 of one line for each changed path. Lines are sorted by the bytes of
    /// the path. A line has these parts: path, NUL, old mode, space, new mode, space, SHA-256 of the
    /// old content, space, SHA-256 of the new content, line feed. A mode has six octal digits. An absent side has mode
    /// `000000` and 64 zeros. The content of a submodule is its commit id in hexadecimal. `None`
    /// stands for an empty tree.
    ///
    /// # Errors
    /// If an object cannot be read, or the change exceeds a limit.
    pub fn change_digest(&self, from: Option<Oid>, to: Option<Oid>) -> Result<Digest, RepoError> {
        let mut hash = Sha256::new();
        let mut contents = Contents {
            objects: self,
            digests: BTreeMap::new(),
        };
        self.each_change(from, to, &mut |change| {
            hash.update(change.path);
            hash.update(b"\0");
            hash.update(format!("{} {} ", mode(change.old), mode(change.new)));
            let old = contents.digest(change.old)?;
            let new = contents.digest(change.new)?;
            hash.update(format!("{old} {new}\n"));
            Ok(())
        })?;
        Ok(Digest::new(hash.finalize().into()))
    }

    /// Returns the digest of the change from nothing to a commit, which covers all its files.
    pub fn state_root(&self, commit: Option<Oid>) -> Result<Digest, RepoError> {
        self.change_digest(None, commit)
    }

    /// Returns the digest of the state that a change leads to.
    ///
    /// The digest is the SHA-256 of four parts. First come three lines: a fixed one, the previous
    /// state in hexadecimal, and the change in hexadecimal. Then come the raw bytes of the commit or
    /// annotated tag `to`, if there is one.
    pub fn state_digest(
        &self,
        previous: Digest,
        change: Digest,
        to: Option<Oid>,
    ) -> Result<Digest, RepoError> {
        let mut hash = Sha256::new();
        hash.update(format!("{STATE_HEADER}{previous}\n{change}\n"));
        if let Some(value) = to {
            // A tag of anything but a commit has no state, so this is an error then.
            self.peel(value)?;
            hash.update(self.read_whole(value)?.data);
        }
        Ok(Digest::new(hash.finalize().into()))
    }

    /// Returns the changed paths between two commits, sorted by their bytes. `None` stands for an
    /// empty tree.
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

    /// Returns the commit that `value` is, or that the annotated tag `value` names.
    pub fn peel(&self, value: Oid) -> Result<Oid, RepoError> {
        let mut oid = value;
        for _ in 0..MAX_TAGS {
            let object = self.read_whole(oid)?;
            match object.kind {
                ObjectKind::Commit => return Ok(oid),
                ObjectKind::Tag => {
                    oid = tree::parse_tag(&object.data)
                        .map_err(|why| RepoError::Malformed { oid, why })?
                }
                _ => {
                    return Err(RepoError::Malformed {
                        oid,
                        why: "it is neither a commit nor a tag of a commit",
                    });
                }
            }
        }
        Err(RepoError::Malformed {
            oid: value,
            why: "its chain of annotated tags is too long",
        })
    }

    /// Whether `ancestor` is `commit` itself or one of its ancestors. Tags are peeled.
    ///
    /// # Errors
    /// If a part of the history is missing that could contain `ancestor`.
    pub fn is_ancestor(&self, ancestor: Oid, commit: Oid) -> Result<bool, RepoError> {
        let (ancestor, commit) = (self.peel(ancestor)?, self.peel(commit)?);
        self.links(ancestor)?;
        let mut seen = BTreeSet::from([commit]);
        let mut open = vec![commit];
        let mut unread = None;
        while let Some(next) = open.pop() {
            if next == ancestor {
                return Ok(true);
            }
            match self.links(next) {
                Ok(links) => {
                    for parent in links.parents {
                        if seen.insert(parent) {
                            open.push(parent);
                        }
                    }
                }
                // The rest of the history may still contain the ancestor.
                Err(error) => unread = unread.or(Some(error)),
            }
        }
        unread.map_or(Ok(false), Err)
    }

    /// Returns the parents of a commit, from its raw bytes.
    pub fn parents(&self, commit: Oid) -> Result<Vec<Oid>, RepoError> {
        Ok(self.links(commit)?.parents)
    }

    /// Returns the tree of a commit, from its raw bytes.
    pub fn tree_of(&self, commit: Oid) -> Result<Oid, RepoError> {
        Ok(self.links(commit)?.tree)
    }

    fn links(&self, commit: Oid) -> Result<Links, RepoError> {
        let read = self.expect(commit, ObjectKind::Commit);
        let raw = read.map_err(|error| match error {
            RepoError::Missing(oid) if self.repo().is_shallow() => RepoError::Shallow(oid),
            error => error,
        })?;
        tree::parse_commit(&raw).map_err(|why| RepoError::Malformed { oid: commit, why })
    }

    /// Calls `sink` for each changed path between two commits, sorted by the bytes of the path.
    fn each_change(
        &self,
        from: Option<Oid>,
        to: Option<Oid>,
        sink: Sink<'_>,
    ) -> Result<(), RepoError> {
        let tree = |commit: Option<Oid>| match commit {
            Some(oid) => self.tree_of(self.peel(oid)?).map(Some),
            None => Ok(None),
        };
        let (old, new) = (tree(from)?, tree(to)?);
        let mut walk = Walk {
            objects: self,
            sink,
            path: Vec::new(),
            depth: 0,
            paths: 0,
            bytes: 0,
            folders: 0,
        };
        walk.trees(old, new)
    }
}

/// A function that receives changed paths.
type Sink<'a> = &'a mut dyn FnMut(Change<'_>) -> Result<(), RepoError>;

/// A walk through two trees at once.
///
/// Git sorts a folder as if its name ended with a slash, so the walk visits paths in the order of
/// their bytes.
struct Walk<'a> {
    objects: &'a Objects,
    sink: Sink<'a>,
    /// The current path.
    path: Vec<u8>,
    depth: usize,
    /// How many changed paths there were so far.
    paths: usize,
    /// How many bytes the changed paths had so far.
    bytes: usize,
    /// How many pairs of folders were compared so far. The number is limited, because a few trees
    /// that contain each other many times make more folders than anybody can walk.
    folders: usize,
}

impl Walk<'_> {
    fn trees(&mut self, old: Option<Oid>, new: Option<Oid>) -> Result<(), RepoError> {
        if old == new {
            return Ok(());
        }
        self.folders += 1;
        let oid = new.or(old).unwrap_or(Oid::EMPTY_TREE);
        check_limit(oid, self.folders, MAX_PATHS, "changed folders")?;
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

    /// Compares two entries with the same name and kind, or handles one entry without a partner.
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
            self.bytes = self.bytes.saturating_add(self.path.len());
            check_limit(entry.oid, self.paths, MAX_PATHS, "changed paths")?;
            let unit = "bytes of changed paths";
            check_limit(entry.oid, self.bytes, MAX_PATH_BYTES, unit)?;
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
        // A folder has at least one more component below it.
        check_limit(oid, self.depth + 1, MAX_DEPTH, "components in a path")?;
        self.trees(old, new)?;
        self.depth -= 1;
        Ok(())
    }

    fn raw(&self, tree: Option<Oid>) -> Result<Vec<u8>, RepoError> {
        match tree {
            // Git need not store the empty tree.
            None | Some(Oid::EMPTY_TREE) => Ok(Vec::new()),
            Some(oid) => self.objects.expect(oid, ObjectKind::Tree),
        }
    }
}

/// Refuses a count above the limit, at the object where it was exceeded.
fn check_limit(oid: Oid, count: usize, limit: usize, unit: &str) -> Result<(), RepoError> {
    if count <= limit {
        return Ok(());
    }
    Err(RepoError::TooLarge {
        oid,
        what: format!("at most {limit} {unit}"),
    })
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

/// A cache of the digests of contents.
struct Contents<'a> {
    objects: &'a Objects,
    digests: BTreeMap<Oid, Digest>,
}

impl Contents<'_> {
    /// Returns the digest of the content of one side of a change.
    fn digest(&mut self, item: Option<Item>) -> Result<Digest, RepoError> {
        let Some(Item { mode, oid }) = item else {
            return Ok(Digest::new([0; 32]));
        };
        if mode == tree::GITLINK {
            return Ok(Digest::of(oid.to_string().as_bytes()));
        }
        if let Some(digest) = self.digests.get(&oid) {
            return Ok(*digest);
        }
        let digest = self.objects.blob_digest(oid)?;
        self.digests.insert(oid, digest);
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::repo::Repo;
    use crate::repo::testing::Sandbox;

    /// The change digest by another road: git's own diff, `git cat-file`, and a sort.
    fn by_git(sandbox: &Sandbox, dir: &Path, from: Oid, to: Oid) -> (Digest, Vec<Vec<u8>>) {
        let args = [
            "diff-tree",
            "-r",
            "-z",
            "--no-renames",
            "--raw",
            "--no-abbrev",
            &from.to_string(),
            &to.to_string(),
        ];
        let printed = sandbox.git_bytes(dir, &args, b"");
        let fields: Vec<&[u8]> = printed
            .split(|b| *b == 0)
            .filter(|f| !f.is_empty())
            .collect();
        let mut lines = BTreeMap::new();
        for pair in fields.chunks(2) {
            let words: Vec<&str> = std::str::from_utf8(&pair[0][1..])
                .unwrap()
                .split(' ')
                .collect();
            let content = |mode: &str, oid: &str| match mode {
                "000000" => "0".repeat(64),
                "160000" => Digest::of(oid.as_bytes()).to_string(),
                _ => {
                    Digest::of(&sandbox.git_bytes(dir, &["cat-file", "blob", oid], b"")).to_string()
                }
            };
            let (old, new) = (content(words[0], words[2]), content(words[1], words[3]));
            let text = format!("{} {} {old} {new}\n", words[0], words[1]);
            // A path whose kind changes between folder and file gives two paths; the same path
            // never comes twice.
            assert!(lines.insert(pair[1].to_vec(), text).is_none());
        }
        let mut bytes = Vec::new();
        for (path, text) in &lines {
            bytes.extend_from_slice(path);
            bytes.push(0);
            bytes.extend_from_slice(text.as_bytes());
        }
        (Digest::of(&bytes), lines.into_keys().collect())
    }

    /// A small generator of random numbers, the same in each run.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % sides
        }
    }

    /// Files at random paths over few names, so that folders and files meet in one place.
    fn random_files(dice: &mut Dice) -> BTreeMap<Vec<u8>, (&'static str, Vec<u8>)> {
        const NAMES: [&[u8]; 7] = [b"a", b"a-b", b"a.b", b"a0", b"\xff\xfe", b"line\nend", b"z"];
        let mut files: BTreeMap<Vec<u8>, (&str, Vec<u8>)> = BTreeMap::new();
        for _ in 0..14 {
            let depth = 1 + dice.roll(3);
            let path = (0..depth)
                .map(|_| NAMES[dice.roll(NAMES.len())])
                .collect::<Vec<_>>()
                .join(&b'/');
            let clash = |other: &Vec<u8>| {
                let below = |a: &[u8], b: &[u8]| a.starts_with(b) && a.get(b.len()) == Some(&b'/');
                below(other, &path) || below(&path, other)
            };
            if files.keys().any(clash) {
                continue;
            }
            let mode = ["100644", "100644", "100755", "120000", "160000"][dice.roll(5)];
            let content = match mode {
                "160000" => format!("{:040x}", 1 + dice.roll(3)).into_bytes(),
                _ => format!("content {}", dice.roll(3)).into_bytes(),
            };
            files.insert(path, (mode, content));
        }
        files
    }

    fn commit(
        sandbox: &Sandbox,
        repo: &Repo,
        files: &BTreeMap<Vec<u8>, (&'static str, Vec<u8>)>,
    ) -> Oid {
        let files: Vec<_> = files
            .iter()
            .map(|(path, (mode, content))| (&**path, *mode, &**content))
            .collect();
        sandbox.commit(repo, &[], &files)
    }

    #[test]
    fn digest_and_listing_agree_with_gits_own_diff_on_random_trees() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let mut dice = Dice(1);
        let empty = sandbox.commit(&repo, &[], &[]);
        let mut commits = vec![empty];
        for _ in 0..10 {
            commits.push(commit(&sandbox, &repo, &random_files(&mut dice)));
        }
        let mut kinds_met = BTreeSet::new();
        for pair in commits
            .windows(2)
            .chain([&[commits[3], commits[3]][..], &[commits[4], empty][..]])
        {
            let (digest, paths) = by_git(&sandbox, repo.git_dir(), pair[0], pair[1]);
            assert_eq!(
                objects.change_digest(Some(pair[0]), Some(pair[1])).unwrap(),
                digest
            );
            assert_eq!(
                objects.changed_paths(Some(pair[0]), Some(pair[1])).unwrap(),
                paths
            );
            kinds_met.insert(paths.len().min(3));
        }
        assert_eq!(kinds_met.len(), 2, "both empty and long listings were met");
        let (from_empty, _) = by_git(&sandbox, repo.git_dir(), empty, commits[5]);
        assert_eq!(objects.state_root(Some(commits[5])).unwrap(), from_empty);
        assert_eq!(objects.state_root(None).unwrap(), Digest::of(b""));
    }

    #[test]
    fn the_digest_of_one_file_follows_the_documented_rule() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let commit = sandbox.commit(&repo, &[], &[(b"d/f", "100755", b"hi")]);
        let line = format!(
            "d/f\0000000 100755 {} {}\n",
            "0".repeat(64),
            Digest::of(b"hi")
        );
        let objects = repo.objects().unwrap();
        let change = objects.state_root(Some(commit)).unwrap();
        assert_eq!(change, Digest::of(line.as_bytes()));

        let raw = sandbox.git_bytes(
            repo.git_dir(),
            &["cat-file", "commit", &commit.to_string()],
            b"",
        );
        let previous = Digest::new([0xab; 32]);
        let head = format!("git-quorum state v1\n{}\n{change}\n", "ab".repeat(32));
        let with_commit = objects
            .state_digest(previous, change, Some(commit))
            .unwrap();
        assert_eq!(with_commit, Digest::of(&[head.as_bytes(), &raw].concat()));
        assert_eq!(
            objects.state_digest(previous, change, None).unwrap(),
            Digest::of(head.as_bytes())
        );
    }

    fn store(sandbox: &Sandbox, repo: &Repo, kind: &str, raw: &[u8]) -> Oid {
        let args = ["hash-object", "-t", kind, "--literally", "-w", "--stdin"];
        let printed = sandbox.git_bytes(repo.git_dir(), &args, raw);
        std::str::from_utf8(&printed)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    fn commit_of(sandbox: &Sandbox, repo: &Repo, tree: Oid) -> Oid {
        store(
            sandbox,
            repo,
            "commit",
            format!("tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\n").as_bytes(),
        )
    }

    fn tree_entry(mode: &str, name: &str, oid: Oid) -> Vec<u8> {
        [mode.as_bytes(), b" ", name.as_bytes(), b"\0", oid.bytes()].concat()
    }

    #[test]
    fn an_object_that_is_missing_malformed_or_of_the_wrong_kind_is_an_error() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let blob = store(&sandbox, &repo, "blob", b"x");
        let inner = store(&sandbox, &repo, "tree", &tree_entry("100644", "f", blob));
        let absent = Oid::new([9; 20]);
        let entry = tree_entry;
        for raw in [
            entry("100644", "f", absent),
            entry("40000", "d", absent),
            entry("100644", "f", inner),
            entry("40000", "d", blob),
            entry("40000", ".git", inner),
            [entry("100644", "b", blob), entry("100644", "a", blob)].concat(),
        ] {
            let commit = commit_of(&sandbox, &repo, store(&sandbox, &repo, "tree", &raw));
            assert!(objects.state_root(Some(commit)).is_err(), "{raw:?}");
            assert!(
                objects.change_digest(Some(commit), None).is_err(),
                "{raw:?}"
            );
        }
        assert!(objects.change_digest(Some(absent), Some(absent)).is_err());
        assert!(objects.state_root(Some(blob)).is_err());
        assert!(
            objects
                .state_root(Some(commit_of(&sandbox, &repo, blob)))
                .is_err()
        );
        assert!(
            objects
                .state_root(Some(commit_of(&sandbox, &repo, inner)))
                .is_ok()
        );
        let submodule = store(&sandbox, &repo, "tree", &entry("160000", "s", absent));
        assert!(
            objects
                .state_root(Some(commit_of(&sandbox, &repo, submodule)))
                .is_ok()
        );
    }

    #[test]
    fn equal_folders_are_not_read_and_git_need_not_store_the_empty_tree() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let blob = store(&sandbox, &repo, "blob", b"x");
        let folder = tree_entry("40000", "unread", Oid::new([9; 20]));
        let one = commit_of(&sandbox, &repo, store(&sandbox, &repo, "tree", &folder));
        let raw = [tree_entry("100644", "f", blob), folder].concat();
        let two = commit_of(&sandbox, &repo, store(&sandbox, &repo, "tree", &raw));
        assert_eq!(
            objects.changed_paths(Some(one), Some(two)).unwrap(),
            [b"f".to_vec()]
        );
        assert_eq!(
            objects.change_digest(Some(one), Some(one)).unwrap(),
            Digest::of(b"")
        );
        let empty = commit_of(&sandbox, &repo, Oid::EMPTY_TREE);
        assert_eq!(objects.state_root(Some(empty)).unwrap(), Digest::of(b""));
    }

    #[test]
    fn a_path_has_at_most_128_components() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let path = |components: usize| vec!["d"; components].join("/");
        let just = sandbox.commit_text(&repo, &[], &[(&path(MAX_DEPTH), "x")]);
        let over = sandbox.commit_text(&repo, &[], &[(&path(MAX_DEPTH + 1), "x")]);
        assert_eq!(
            objects.changed_paths(None, Some(just)).unwrap(),
            [path(MAX_DEPTH).into_bytes()]
        );
        assert!(matches!(
            objects.changed_paths(None, Some(over)),
            Err(RepoError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_few_trees_that_contain_each_other_many_times_are_refused_soon() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let blob = store(&sandbox, &repo, "blob", b"x");
        let long = "x".repeat(1 << 20);
        let file = store(&sandbox, &repo, "tree", &tree_entry("100644", "f", blob));
        // Without a single file; with a file at the end of each way; with few ways that are long.
        for (inner, name, levels) in [
            (Oid::EMPTY_TREE, "d", 5),
            (file, "d", 5),
            (file, long.as_str(), 2),
        ] {
            let wide = |inner: Oid| -> Oid {
                let entries: Vec<u8> = (10..60)
                    .flat_map(|n| tree_entry("40000", &format!("{n}{name}"), inner))
                    .collect();
                store(&sandbox, &repo, "tree", &entries)
            };
            let bomb = commit_of(
                &sandbox,
                &repo,
                (0..levels).fold(inner, |inner, _| wide(inner)),
            );
            let refused = objects.change_digest(None, Some(bomb));
            assert!(
                matches!(refused, Err(RepoError::TooLarge { .. })),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn ancestry_agrees_with_git_on_a_history_with_merges() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let mut dice = Dice(2);
        let mut commits: Vec<Oid> = Vec::new();
        for index in 0..9_usize {
            let count = dice.roll(3).min(index);
            let parents: BTreeSet<usize> = (0..count).map(|_| dice.roll(index)).collect();
            let parents: Vec<Oid> = parents.into_iter().map(|p| commits[p]).collect();
            commits.push(sandbox.commit_text(&repo, &parents, &[("f", &index.to_string())]));
        }
        for commit in &commits {
            let printed = sandbox.git(repo.git_dir(), &["rev-list", &commit.to_string()]);
            let history: BTreeSet<Oid> =
                printed.lines().map(|line| line.parse().unwrap()).collect();
            for other in &commits {
                assert_eq!(
                    objects.is_ancestor(*other, *commit).unwrap(),
                    history.contains(other)
                );
            }
        }
        assert!(objects.is_ancestor(Oid::new([9; 20]), commits[0]).is_err());
    }

    #[test]
    fn a_shallow_clone_answers_only_what_it_can_know() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let one = sandbox.commit_text(&repo, &[], &[("f", "1")]);
        let two = sandbox.commit_text(&repo, &[one], &[("f", "2")]);
        let three = sandbox.commit_text(&repo, &[two], &[("f", "3")]);
        let other = sandbox.commit_text(&repo, &[], &[("f", "4")]);
        sandbox.git(
            repo.git_dir(),
            &["update-ref", "refs/heads/main", &three.to_string()],
        );
        sandbox.git(
            repo.git_dir(),
            &["update-ref", "refs/heads/other", &other.to_string()],
        );
        let url = format!("file://{}", repo.git_dir().display());
        let depth = [
            "clone",
            "--quiet",
            "--bare",
            "--depth=2",
            "--no-single-branch",
            &url,
            "cut",
        ];
        sandbox.git(sandbox.path(), &depth);
        let cut = Repo::open_with(&sandbox.path().join("cut"), sandbox.env()).unwrap();
        let objects = cut.objects().unwrap();
        assert!(cut.is_shallow());
        assert!(objects.is_ancestor(two, three).unwrap());
        assert!(
            matches!(objects.is_ancestor(other, three), Err(RepoError::Shallow(oid)) if oid == one)
        );
        assert!(objects.change_digest(Some(two), Some(three)).is_ok());
    }

    #[test]
    fn an_annotated_tag_is_peeled_to_its_commit_and_other_objects_are_refused() {
        let sandbox = Sandbox::new();
        let repo = sandbox.with_worktree("tags");
        let dir = repo.work_dir();
        let commit = sandbox.commit_text(&repo, &[], &[("a", "1")]);
        let tag = |name: &str, of: &str| -> Oid {
            sandbox.git(dir, &["tag", "-a", "-m", name, name, of]);
            sandbox
                .git(dir, &["rev-parse", name])
                .trim()
                .parse()
                .unwrap()
        };
        let once = tag("once", &commit.to_string());
        let twice = tag("twice", "once");
        let tree = tag("tree", &format!("{commit}^{{tree}}"));
        let objects = repo.objects().unwrap();
        assert_eq!(objects.peel(twice).unwrap(), commit);
        let change = objects.change_digest(None, Some(commit)).unwrap();
        assert_eq!(objects.change_digest(None, Some(twice)).unwrap(), change);
        let state = |oid| objects.state_digest(change, change, Some(oid)).unwrap();
        assert_ne!(state(once), state(commit), "the state binds the tag itself");
        assert!(objects.is_ancestor(commit, once).unwrap());
        assert_eq!(repo.resolve_tag("once").unwrap(), Some(once));
        assert_eq!(repo.resolve("once").unwrap(), Some(commit));
        assert_eq!(repo.resolve_tag("tree").unwrap(), None);
        assert!(
            objects.change_digest(None, Some(tree)).is_err()
                && objects.state_digest(change, change, Some(tree)).is_err()
        );
    }
}
