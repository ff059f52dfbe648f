//! Writes and reads Git bundles that contain commits and nothing else.
//!
//! `git pack-objects` writes a bundle, and this module reads it without git. Bundles come from
//! strangers, so nothing in them is compressed: reading never needs more memory than the bundle has
//! bytes. Knows nothing of what the commits mean.

use std::collections::BTreeMap;

use super::{ObjectKind, Repo, RepoError};
use crate::id::Oid;

/// The first line of a bundle of version 2.
const HEAD: &[u8] = b"# v2 git bundle\n";
/// The most bytes of the header, which is enough for a few refs.
const HEADER_BYTES: usize = 1 << 12;
/// The most bytes of one object.
const OBJECT_BYTES: usize = 1 << 18;
/// The bytes of the checksum at the end of a pack. This module does not check it, because the
/// caller checks the ids of the objects.
const TRAILER_BYTES: usize = 20;

/// Why bytes cannot be read as a bundle. The messages continue a sentence such as "the bundle is
/// refused: ...".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The first line is wrong.
    #[error("it is not a Git bundle of version 2")]
    NotABundle,
    /// The header does not parse.
    #[error("its header is malformed or too long")]
    Header,
    /// The bundle depends on objects that it does not contain.
    #[error("it needs objects that it does not contain")]
    Prerequisites,
    /// The bundle ends too early.
    #[error("it is cut off")]
    Cut,
    /// There are bytes after the pack.
    #[error("it has bytes after its pack")]
    Trailing,
    /// The pack does not have version 2, which every Git reads.
    #[error("its pack does not have version 2")]
    Pack,
    /// An object is neither a commit nor the empty tree.
    #[error("it contains objects other than commits, or deltas")]
    Kind,
    /// An object is too large.
    #[error("it contains an object with more than {OBJECT_BYTES} bytes")]
    TooLarge,
    /// An object is compressed.
    #[error("it contains a compressed object, so another program has repacked it")]
    Compressed,
    /// The bytes of an object are damaged.
    #[error("it contains a damaged object")]
    Damaged,
}

/// The content of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The refs, by name.
    pub refs: BTreeMap<String, Oid>,
    /// The raw bytes of the commits, in the order of the bundle.
    pub commits: Vec<Vec<u8>>,
}

impl Repo {
    /// Returns a bundle of these refs and objects, without deltas and without compression.
    ///
    /// The same refs and objects always give the same bytes.
    pub fn bundle(
        &self,
        refs: &[(String, Oid)],
        objects: impl IntoIterator<Item = Oid>,
    ) -> Result<Vec<u8>, RepoError> {
        let mut bundle = HEAD.to_vec();
        for (name, oid) in refs {
            bundle.extend_from_slice(format!("{oid} {name}\n").as_bytes());
        }
        bundle.push(b'\n');
        let options = [
            "--stdout",
            "-q",
            "--compression=0",
            "--no-reuse-object",
            "--no-reuse-delta",
        ];
        let command = self
            .git("pack-objects")
            .args(options)
            .args(["--window=0", "--threads=1"]);
        let wanted: String = objects.into_iter().map(|oid| format!("{oid}\n")).collect();
        let command = command
            .config("pack.packSizeLimit", "0")
            .config("pack.indexVersion", "2");
        bundle.extend(command.input(wanted.into_bytes()).run()?.stdout);
        Ok(bundle)
    }
}

impl Bundle {
    /// Parses a bundle. Time and memory are proportional to the number of bytes, whatever they are.
    pub fn read(bytes: &[u8]) -> Result<Bundle, BundleError> {
        let rest = bytes.strip_prefix(HEAD).ok_or(BundleError::NotABundle)?;
        let (refs, pack) = read_header(rest)?;
        Ok(Bundle {
            refs,
            commits: read_pack(pack)?,
        })
    }
}

/// Parses the refs. Returns them and the bytes after the empty line that ends them.
fn read_header(bytes: &[u8]) -> Result<(BTreeMap<String, Oid>, &[u8]), BundleError> {
    let mut refs = BTreeMap::new();
    let mut rest = bytes;
    loop {
        let end = rest.iter().take(HEADER_BYTES).position(|b| *b == b'\n');
        let (line, after) = end
            .and_then(|end| rest.split_at_checked(end))
            .ok_or(BundleError::Header)?;
        rest = after.get(1..).unwrap_or_default();
        if line.is_empty() {
            return Ok((refs, rest));
        }
        if line.starts_with(b"-") {
            return Err(BundleError::Prerequisites);
        }
        let line = std::str::from_utf8(line).map_err(|_| BundleError::Header)?;
        let (oid, name) = line.split_once(' ').ok_or(BundleError::Header)?;
        let oid = oid.parse().map_err(|_| BundleError::Header)?;
        let is_new = refs.insert(name.to_owned(), oid).is_none();
        if !is_new || bytes.len().saturating_sub(rest.len()) > HEADER_BYTES {
            return Err(BundleError::Header);
        }
    }
}

/// Reads bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BundleError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BundleError::Cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, BundleError> {
        self.take(1)?.first().copied().ok_or(BundleError::Cut)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BundleError> {
        self.take(N)?.try_into().map_err(|_| BundleError::Cut)
    }
}

/// Parses a pack. Returns the raw bytes of its commits.
fn read_pack(bytes: &[u8]) -> Result<Vec<Vec<u8>>, BundleError> {
    let mut reader = Reader(bytes);
    if reader.take(8)? != b"PACK\0\0\0\x02" {
        return Err(BundleError::Pack);
    }
    let count = u32::from_be_bytes(reader.array()?);
    let mut commits = Vec::new();
    for _ in 0..count {
        let (kind, raw) = read_object(&mut reader)?;
        match kind {
            ObjectKind::Commit => commits.push(raw),
            ObjectKind::Tree if raw.is_empty() => {}
            _ => return Err(BundleError::Kind),
        }
    }
    reader.take(TRAILER_BYTES)?;
    if reader.0.is_empty() {
        Ok(commits)
    } else {
        Err(BundleError::Trailing)
    }
}

/// Parses an object of a pack: a header with its kind and size, then its bytes.
///
/// Each byte of the header has seven bits of the size, and the first byte has four. The highest bit
/// of a byte says whether another one follows.
fn read_object(reader: &mut Reader<'_>) -> Result<(ObjectKind, Vec<u8>), BundleError> {
    let first = reader.byte()?;
    let kind = match (first >> 4) & 7 {
        1 => ObjectKind::Commit,
        2 => ObjectKind::Tree,
        _ => return Err(BundleError::Kind),
    };
    let mut size = usize::from(first & 15);
    let mut shift = 4u32;
    let mut more = first & 0x80 != 0;
    while more {
        let byte = reader.byte()?;
        let bits = usize::from(byte & 0x7f).checked_shl(shift);
        size |= bits.unwrap_or(usize::MAX);
        shift = shift.saturating_add(7);
        more = byte & 0x80 != 0;
        if size > OBJECT_BYTES || shift > 32 {
            return Err(BundleError::TooLarge);
        }
    }
    let raw = read_stored(reader, size)?;
    Ok((kind, raw))
}

/// Parses a zlib stream (RFC 1950, RFC 1951) of `size` bytes that are stored without compression.
fn read_stored(reader: &mut Reader<'_>, size: usize) -> Result<Vec<u8>, BundleError> {
    let [method, flags] = reader.array()?;
    let is_zlib =
        method & 15 == 8 && u16::from_be_bytes([method, flags]) % 31 == 0 && flags & 0x20 == 0;
    if !is_zlib {
        return Err(BundleError::Damaged);
    }
    let mut raw = Vec::new();
    loop {
        let block = reader.byte()?;
        match block {
            0 | 1 => {}
            _ if block & 6 != 0 => return Err(BundleError::Compressed),
            // The other bits have no meaning. They must be zero, so that they carry no data.
            _ => return Err(BundleError::Damaged),
        }
        let length = u16::from_le_bytes(reader.array()?);
        let inverse = u16::from_le_bytes(reader.array()?);
        if length != !inverse || raw.len().saturating_add(usize::from(length)) > size {
            return Err(BundleError::Damaged);
        }
        raw.extend_from_slice(reader.take(usize::from(length))?);
        if block == 1 {
            break;
        }
    }
    let is_whole = raw.len() == size && u32::from_be_bytes(reader.array()?) == adler32(&raw);
    if is_whole {
        Ok(raw)
    } else {
        Err(BundleError::Damaged)
    }
}

/// Returns the Adler-32 checksum of RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    let step = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    };
    let (a, b) = bytes.iter().fold((1, 0), step);
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::Sandbox;

    /// Returns a repository, its line of four commits (one of them long), and their bundle.
    fn line() -> (Sandbox, Repo, Vec<Oid>, Vec<u8>) {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let mut oids: Vec<Oid> = Vec::new();
        for n in 0..4 {
            let parent = oids
                .last()
                .map_or(String::new(), |oid| format!("parent {oid}\n"));
            let text = "x".repeat(if n == 2 { 200_000 } else { n });
            let who = "a <a@b> 1 +0000";
            let raw = format!(
                "tree {}\n{parent}author {who}\ncommitter {who}\n\n{text}\n",
                Oid::EMPTY_TREE
            );
            oids.push(objects.write_commit(raw.as_bytes()).unwrap());
        }
        let refs = [("refs/x/1".to_owned(), oids[3])];
        let bundle = repo
            .bundle(&refs, oids.iter().copied().chain([Oid::EMPTY_TREE]))
            .unwrap();
        (sandbox, repo, oids, bundle)
    }

    #[test]
    fn git_and_this_module_read_a_written_bundle() {
        let (sandbox, repo, oids, bundle) = line();
        let file = sandbox.path().join("b");
        std::fs::write(&file, &bundle).unwrap();
        let other = sandbox.bare("other");
        let file = file.to_str().unwrap();
        sandbox.git(other.git_dir(), &["bundle", "verify", "-q", file]);
        sandbox.git(other.git_dir(), &["fetch", "-q", file, "refs/*:refs/*"]);
        assert_eq!(other.read("refs/x/1").unwrap(), Some(oids[3]));
        sandbox.git(other.git_dir(), &["fsck", "--strict"]);

        let read = Bundle::read(&bundle).unwrap();
        assert_eq!(
            read.refs,
            BTreeMap::from([("refs/x/1".to_owned(), oids[3])])
        );
        let mut found: Vec<_> = read
            .commits
            .iter()
            .map(|raw| crate::repo::commit_id(raw).unwrap())
            .collect();
        let mut expected = oids.clone();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        // The bytes do not depend on how the repository stores the objects.
        sandbox.git(
            repo.git_dir(),
            &["update-ref", "refs/heads/main", &oids[3].to_string()],
        );
        sandbox.git(
            repo.git_dir(),
            &["repack", "-adq", "--depth=50", "--window=50"],
        );
        let refs = [("refs/x/1".to_owned(), oids[3])];
        assert!(
            repo.bundle(&refs, oids.iter().copied().chain([Oid::EMPTY_TREE]))
                .unwrap()
                == bundle
        );
    }

    #[test]
    fn each_kind_of_malformed_bundle_is_refused_with_its_reason() {
        let (sandbox, repo, oids, bundle) = line();
        let check = |bytes: &[u8], error| assert_eq!(Bundle::read(bytes), Err(error));
        check(b"", BundleError::NotABundle);
        check(
            b"# v3 git bundle\n@object-format=sha1\n\n",
            BundleError::NotABundle,
        );
        check(b"# v2 git bundle\n", BundleError::Header);
        check(b"# v2 git bundle\nx\n\n", BundleError::Header);
        let prerequisite = format!("# v2 git bundle\n-{} x\n\n", oids[0]);
        check(prerequisite.as_bytes(), BundleError::Prerequisites);
        let twice = format!("# v2 git bundle\n{0} refs/x\n{0} refs/x\n\n", oids[0]);
        check(twice.as_bytes(), BundleError::Header);
        let many: String = (0..1000)
            .map(|n| format!("{} refs/x/{n}\n", oids[0]))
            .collect();
        check(
            format!("# v2 git bundle\n{many}\n").as_bytes(),
            BundleError::Header,
        );
        check(&[&bundle[..], b"x"].concat(), BundleError::Trailing);
        for cut in [
            20,
            90,
            100,
            300,
            1000,
            bundle.len() - 300,
            bundle.len() - 20,
            bundle.len() - 1,
        ] {
            assert!(
                matches!(
                    Bundle::read(&bundle[..cut]),
                    Err(BundleError::Cut | BundleError::Header)
                ),
                "{cut}"
            );
        }
        // Stock Git compresses objects.
        sandbox.git(
            repo.git_dir(),
            &["update-ref", "refs/heads/main", &oids[3].to_string()],
        );
        let file = sandbox.path().join("stock");
        sandbox.git(
            repo.git_dir(),
            &["bundle", "create", "-q", file.to_str().unwrap(), "main"],
        );
        let stock = Bundle::read(&std::fs::read(file).unwrap());
        assert!(
            matches!(stock, Err(BundleError::Compressed | BundleError::Kind)),
            "{stock:?}"
        );
        // A tree that is not empty.
        let commit = sandbox.commit_text(&repo, &[], &[("f", "1")]);
        let tree: Oid = sandbox
            .git(
                repo.git_dir(),
                &["rev-parse", &format!("{commit}^{{tree}}")],
            )
            .parse()
            .unwrap();
        check(
            &repo.bundle(&[], [commit, tree]).unwrap(),
            BundleError::Kind,
        );
        let large = repo
            .objects()
            .unwrap()
            .write_commit(&vec![b'x'; OBJECT_BYTES + 1]);
        check(
            &repo.bundle(&[], [large.unwrap()]).unwrap(),
            BundleError::TooLarge,
        );
    }

    #[test]
    fn an_endless_size_is_too_large() {
        let object =
            |bytes: &[u8]| [b"# v2 git bundle\n\nPACK\0\0\0\x02\0\0\0\x01", bytes].concat();
        for bytes in [
            &[0x9f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..],
            &[0x90, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
        ] {
            assert_eq!(Bundle::read(&object(bytes)), Err(BundleError::TooLarge));
        }
        // The pack announces the largest number of objects and contains none.
        assert_eq!(
            Bundle::read(b"# v2 git bundle\n\nPACK\0\0\0\x02\xff\xff\xff\xff"),
            Err(BundleError::Cut)
        );
    }

    #[test]
    fn a_changed_byte_is_noticed_or_changes_an_id() {
        let (_sandbox, _, _, bundle) = line();
        let whole = Bundle::read(&bundle).unwrap();
        for at in (0..bundle.len() - TRAILER_BYTES).step_by(97).chain(0..400) {
            for flip in [1, 0x80] {
                let mut bytes = bundle.clone();
                bytes[at] ^= flip;
                assert!(Bundle::read(&bytes).as_ref() != Ok(&whole), "byte {at}");
            }
        }
    }
}
