//! Reads and writes the raw objects of a repository within this process.
//!
//! Ignores replace refs, grafts and shallow boundaries. Knows nothing of refs.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use git2::{ErrorCode, ObjectType, Odb, Repository};
use sha2::{Digest as _, Sha256};

use super::git::parse_oid;
use super::{Repo, RepoError};
use crate::fault;
use crate::id::{Digest, Oid};

/// The most bytes of an object that is read into memory as a whole.
pub const MAX_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 1 << 26 };
/// A blob with more bytes is hashed in pieces.
const LARGE_BLOB: u64 = if cfg!(test) { 1 << 12 } else { 1 << 24 };

/// The four kinds of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// The content of a file.
    Blob,
    /// A folder.
    Tree,
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
}

/// An object, without the header that Git stores before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The raw bytes of the object.
    pub data: Vec<u8>,
}

/// The object database of a repository. Inside the hook of a push, it includes the pushed objects.
///
/// It also finds objects that other processes write after it was opened.
pub struct Objects {
    repo: Repo,
    reader: Odb<'static>,
    writer: OnceLock<Option<Mutex<Repository>>>,
    has_empty_tree: OnceLock<()>,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects")
            .field("repo", &self.repo)
            .finish_non_exhaustive()
    }
}

impl Repo {
    /// Opens the object database of the repository.
    pub fn objects(&self) -> Result<Objects, RepoError> {
        Objects::open(self)
    }
}

/// Returns the id of a commit with these raw bytes. Stores nothing.
pub fn commit_id(raw: &[u8]) -> Result<Oid, RepoError> {
    from_git2(
        git2::Oid::hash_object(ObjectType::Commit, raw)
            .map_err(|e| database("hash a commit", &e))?,
    )
}

impl Objects {
    /// Opens the object database of a repository.
    pub fn open(repo: &Repo) -> Result<Objects, RepoError> {
        let reader = reader(repo)?;
        Ok(Objects {
            repo: repo.clone(),
            reader,
            writer: OnceLock::new(),
            has_empty_tree: OnceLock::new(),
        })
    }

    /// Returns the repository of this object database.
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// Returns an object. `None` if it is not in the database.
    ///
    /// libgit2 checks the bytes against the id.
    pub fn read(&self, oid: Oid) -> Result<Option<Object>, RepoError> {
        let found = self.look("read", oid, |odb, id| {
            let object = odb.read(id)?;
            Ok((object.kind(), object.data().to_vec()))
        })?;
        let Some((kind, data)) = found else {
            return Ok(None);
        };
        let kind = known_kind(oid, kind)?;
        Ok(Some(Object { kind, data }))
    }

    /// Returns the kind of an object and its size in bytes, without loading the object.
    ///
    /// `None` if the object is not in the database.
    pub fn read_header(&self, oid: Oid) -> Result<Option<(ObjectKind, u64)>, RepoError> {
        let found = self.look("look at", oid, |odb, id| odb.read_header(id))?;
        let Some((size, kind)) = found else {
            return Ok(None);
        };
        Ok(Some((known_kind(oid, kind)?, size as u64)))
    }

    /// Whether the object is in the database.
    pub fn contains(&self, oid: Oid) -> Result<bool, RepoError> {
        Ok(self.read_header(oid)?.is_some())
    }

    /// Returns an object that must be in the database and not exceed [`MAX_BYTES`].
    ///
    /// The limit protects the memory of this process: a few compressed bytes of a push can become
    /// a huge object.
    pub fn read_whole(&self, oid: Oid) -> Result<Object, RepoError> {
        let (_, size) = self.read_header(oid)?.ok_or(RepoError::Missing(oid))?;
        if size > MAX_BYTES {
            return Err(RepoError::TooLarge {
                oid,
                what: format!("at most {MAX_BYTES} bytes"),
            });
        }
        self.read(oid)?.ok_or(RepoError::Missing(oid))
    }

    /// Returns the SHA-256 of a blob. Hashes a large blob in pieces.
    pub fn blob_digest(&self, oid: Oid) -> Result<Digest, RepoError> {
        match self.read_header(oid)?.ok_or(RepoError::Missing(oid))? {
            (ObjectKind::Blob, size) if size > LARGE_BLOB => self.digest_in_pieces(oid, size),
            _ => Ok(Digest::of(&self.expect(oid, ObjectKind::Blob)?)),
        }
    }

    /// Returns the SHA-256 of a blob that `git cat-file` writes in pieces. libgit2 can do that for
    /// loose objects only.
    ///
    /// Unlike libgit2, `git cat-file` does not check the bytes against the id, so this function
    /// does.
    fn digest_in_pieces(&self, oid: Oid, size: u64) -> Result<Digest, RepoError> {
        let command = self
            .repo
            .git("cat-file")
            .config("core.bigFileThreshold", &LARGE_BLOB.to_string());
        let mut child = command.args(["blob", &oid.to_string()]).start()?;
        let (mut hash, mut piece, mut total) = (Sha256::new(), vec![0; 1 << 16], 0);
        let mut id = sha1_checked::Sha1::new_with_prefix(format!("blob {size}\0"));
        let failed = |why: String| RepoError::Database {
            action: format!("read {oid}"),
            message: why,
        };
        if let Some(mut stdout) = child.stdout.take() {
            loop {
                let count = stdout
                    .read(&mut piece)
                    .map_err(|error| failed(error.to_string()))?;
                if count == 0 {
                    break;
                }
                let piece = piece.get(..count).unwrap_or_default();
                hash.update(piece);
                id.update(piece);
                total += count as u64;
            }
        }
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        if !status.success() || total != size {
            return Err(failed(format!("got {total} of {size} bytes")));
        }
        let id = id.try_finalize();
        let is_the_named_blob = !id.has_collision() && id.hash().as_slice() == oid.bytes();
        if is_the_named_blob {
            Ok(Digest::new(hash.finalize().into()))
        } else {
            let why = "the stored bytes do not have this id";
            Err(failed(why.to_owned()))
        }
    }

    /// Returns the raw bytes of an object that must be in the database and have this kind.
    pub fn expect(&self, oid: Oid, kind: ObjectKind) -> Result<Vec<u8>, RepoError> {
        let object = self.read_whole(oid)?;
        if object.kind == kind {
            return Ok(object.data);
        }
        Err(RepoError::Malformed {
            oid,
            why: wanted(kind),
        })
    }

    /// Stores a commit with these raw bytes, and the empty tree. Returns the commit's id.
    pub fn write_commit(&self, raw: &[u8]) -> Result<Oid, RepoError> {
        if self.has_empty_tree.get().is_none() {
            self.write(ObjectKind::Tree, b"")?;
            let _ = self.has_empty_tree.set(());
        }
        self.write(ObjectKind::Commit, raw)
    }

    fn write(&self, kind: ObjectKind, raw: &[u8]) -> Result<Oid, RepoError> {
        fault::point("objects.write");
        match self.writer.get_or_init(|| writer(&self.repo)) {
            Some(repository) => {
                let repository = repository.lock().unwrap_or_else(PoisonError::into_inner);
                let written = repository
                    .odb()
                    .and_then(|odb| odb.write(raw_kind(kind), raw));
                let folder = self.repo.git_dir().join("objects");
                let action = || format!("write to {}", folder.display());
                from_git2(written.map_err(|e| database(&action(), &e))?)
            }
            None => self.write_through_git(kind, raw),
        }
    }

    /// Stores an object in a repository that libgit2 cannot open, such as one with reftable.
    fn write_through_git(&self, kind: ObjectKind, raw: &[u8]) -> Result<Oid, RepoError> {
        let command = self.repo.git("hash-object").args([
            "-w",
            "--literally",
            "--stdin",
            "-t",
            git_name(kind),
        ]);
        let output = command.input(raw.to_vec()).run()?;
        Ok(parse_oid("hash-object", output.stdout.trim_ascii())?)
    }

    /// Looks up an object. `None` if it is not in the database.
    ///
    /// libgit2 looks for new packs by itself. It fails if a pack was removed meanwhile, so a
    /// failure is retried with a newly opened database.
    fn look<T>(
        &self,
        action: &str,
        oid: Oid,
        look: impl Fn(&Odb<'_>, git2::Oid) -> Result<T, git2::Error>,
    ) -> Result<Option<T>, RepoError> {
        let id = to_git2(oid)?;
        let first = look(&self.reader, id);
        let result = match &first {
            Err(error) if error.code() != ErrorCode::NotFound => look(&reader(&self.repo)?, id),
            _ => first,
        };
        match result {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(database(&format!("{action} {oid}"), &error)),
        }
    }
}

/// Opens a database to read from.
///
/// The folders are added as alternates, so that libgit2 need not understand the configuration of
/// the repository.
fn reader(repo: &Repo) -> Result<Odb<'static>, RepoError> {
    let odb = Odb::new().map_err(|e| database("open", &e))?;
    let folders = std::iter::once(repo.git_dir().join("objects")).chain(repo.quarantine());
    for folder in folders {
        let path = utf8(folder)?;
        odb.add_disk_alternate(&path)
            .map_err(|e| database(&format!("open {path}"), &e))?;
    }
    Ok(odb)
}

/// Opens a database to write to. `None` if libgit2 cannot open the repository.
fn writer(repo: &Repo) -> Option<Mutex<Repository>> {
    Repository::open(repo.git_dir()).ok().map(Mutex::new)
}

fn utf8(path: PathBuf) -> Result<String, RepoError> {
    path.into_os_string()
        .into_string()
        .map_err(|path| RepoError::Path(path.into()))
}

fn database(action: &str, error: &git2::Error) -> RepoError {
    RepoError::Database {
        action: action.to_owned(),
        message: super::text::clean_text(error.message()),
    }
}

fn to_git2(oid: Oid) -> Result<git2::Oid, RepoError> {
    git2::Oid::from_bytes(oid.bytes()).map_err(|e| database("name an object", &e))
}

fn from_git2(id: git2::Oid) -> Result<Oid, RepoError> {
    let bytes = id.as_bytes().try_into().map_err(|_| RepoError::Database {
        action: "name an object".to_owned(),
        message: "its id is not a SHA-1".to_owned(),
    })?;
    Ok(Oid::new(bytes))
}

fn known_kind(oid: Oid, kind: ObjectType) -> Result<ObjectKind, RepoError> {
    match kind {
        ObjectType::Blob => Ok(ObjectKind::Blob),
        ObjectType::Tree => Ok(ObjectKind::Tree),
        ObjectType::Commit => Ok(ObjectKind::Commit),
        ObjectType::Tag => Ok(ObjectKind::Tag),
        ObjectType::Any => Err(RepoError::Malformed {
            oid,
            why: "its kind is unknown",
        }),
    }
}

fn raw_kind(kind: ObjectKind) -> ObjectType {
    match kind {
        ObjectKind::Blob => ObjectType::Blob,
        ObjectKind::Tree => ObjectType::Tree,
        ObjectKind::Commit => ObjectType::Commit,
        ObjectKind::Tag => ObjectType::Tag,
    }
}

fn git_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Blob => "blob",
        ObjectKind::Tree => "tree",
        ObjectKind::Commit => "commit",
        ObjectKind::Tag => "tag",
    }
}

fn wanted(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Blob => "it is not a blob",
        ObjectKind::Tree => "it is not a tree",
        ObjectKind::Commit => "it is not a commit",
        ObjectKind::Tag => "it is not a tag",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::Sandbox;

    const RAW: &[u8] =
        b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n";

    #[test]
    fn commits_are_stored_as_given_with_the_empty_tree() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let oid = objects.write_commit(RAW).unwrap();
        let stored = objects.read(oid).unwrap().unwrap();
        assert_eq!(
            stored,
            Object {
                kind: ObjectKind::Commit,
                data: RAW.to_vec()
            }
        );
        assert_eq!(
            objects.read_header(oid).unwrap(),
            Some((ObjectKind::Commit, RAW.len() as u64))
        );
        assert_eq!(
            sandbox.git(
                repo.git_dir(),
                &["cat-file", "-t", &Oid::EMPTY_TREE.to_string()]
            ),
            "tree"
        );
        assert_eq!(
            sandbox.git_bytes(
                repo.git_dir(),
                &["cat-file", "commit", &oid.to_string()],
                b""
            ),
            RAW
        );
        assert_eq!(
            objects.write_through_git(ObjectKind::Commit, RAW).unwrap(),
            oid
        );
        assert!(objects.contains(Oid::EMPTY_TREE).unwrap());
    }

    #[test]
    fn an_open_database_finds_objects_that_others_write_and_pack() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let mut commits = Vec::new();
        for round in ["1", "2", "3"] {
            let commit = sandbox.commit_text(&repo, &commits, &[("f", round)]);
            assert!(objects.contains(commit).unwrap());
            sandbox.git(
                repo.git_dir(),
                &["update-ref", "refs/heads/main", &commit.to_string()],
            );
            sandbox.git(repo.git_dir(), &["repack", "-adq"]);
            commits = vec![commit];
            assert!(objects.read(commit).unwrap().is_some());
            assert!(objects.changed_paths(None, Some(commit)).is_ok());
        }
    }

    #[test]
    fn an_absent_object_is_none_and_a_broken_object_is_an_error() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let oid = objects.write_commit(RAW).unwrap();
        assert_eq!(objects.read(Oid::new([7; 20])).unwrap(), None);
        assert_eq!(objects.read_header(Oid::new([7; 20])).unwrap(), None);
        let hex = oid.to_string();
        let file = repo
            .git_dir()
            .join("objects")
            .join(&hex[..2])
            .join(&hex[2..]);
        let other = objects
            .write_commit(&[RAW, b"y"].concat())
            .unwrap()
            .to_string();
        std::fs::remove_file(&file).unwrap();
        std::fs::copy(
            repo.git_dir()
                .join("objects")
                .join(&other[..2])
                .join(&other[2..]),
            &file,
        )
        .unwrap();
        let fresh = repo.objects().unwrap();
        assert!(matches!(fresh.read(oid), Err(RepoError::Database { .. })));
        assert!(matches!(
            objects.expect(Oid::EMPTY_TREE, ObjectKind::Blob),
            Err(RepoError::Malformed { .. })
        ));
    }

    /// Swaps the files of two large objects. Git streams the wrong bytes without an error.
    #[test]
    fn a_large_blob_with_the_bytes_of_another_one_is_an_error() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let objects = repo.objects().unwrap();
        let large = |byte: u8| vec![byte; LARGE_BLOB as usize + 1];
        let [one, other] =
            [b'1', b'2'].map(|byte| objects.write(ObjectKind::Blob, &large(byte)).unwrap());
        assert_eq!(objects.blob_digest(one).unwrap(), Digest::of(&large(b'1')));
        let place = |oid: Oid| {
            let hex = oid.to_string();
            repo.git_dir()
                .join("objects")
                .join(&hex[..2])
                .join(&hex[2..])
        };
        std::fs::remove_file(place(one)).unwrap();
        std::fs::copy(place(other), place(one)).unwrap();
        let config = format!("core.bigFileThreshold={LARGE_BLOB}");
        let streamed = sandbox.git_bytes(
            repo.git_dir(),
            &["-c", &config, "cat-file", "blob", &one.to_string()],
            b"",
        );
        assert_eq!(streamed, large(b'2'), "what would be taken for it");
        let error = objects.blob_digest(one).unwrap_err().to_string();
        assert!(error.contains("do not have this id"), "{error}");
    }
}
