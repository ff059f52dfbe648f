//! Finds symbolic refs, including those whose target does not exist yet. `git for-each-ref` leaves
//! the latter out, but a push to one of them creates its target.
//!
//! Knows nothing of what the refs are for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::git;
use super::{Repo, RepoError, valid_ref_name};

/// The most bytes to read of a ref's file. Git follows no name that is as long.
const MOST_BYTES: u64 = 1 << 16;

/// The target of a symbolic ref. `None` if the target cannot be followed with certainty.
pub type Target = Option<String>;

impl Repo {
    /// Returns the symbolic refs among the given refs, with their targets. Names need not be UTF-8.
    pub fn symbolic_among<'a>(
        &self,
        names: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<BTreeMap<String, Target>, RepoError> {
        let mut found = BTreeMap::new();
        let mut folders = Folders::default();
        let loose = self.refs_are_files()?;
        for raw in names {
            let name = String::from_utf8_lossy(raw).into_owned();
            let is_valid = name == "HEAD" || valid_ref_name(&name);
            // Git refuses an invalid name, so it cannot be a symbolic ref.
            let target = if !is_valid {
                None
            } else if loose {
                self.read_loose(raw, &mut folders)?
            } else {
                self.ask_for_target(raw)?
            };
            found.extend(target.map(|target| (name, target)));
        }
        Ok(found)
    }

    /// Returns the symbolic refs below a folder of refs, whose name ends with a slash.
    ///
    /// In a repository that does not store refs as files, leaves out symbolic refs whose target
    /// does not exist.
    pub fn symbolic_below(&self, folder: &str) -> Result<BTreeMap<String, Target>, RepoError> {
        if !self.refs_are_files()? {
            let listed = self.list_values(&[folder])?.into_iter();
            let symbolic =
                listed.filter_map(|(name, value)| Some((name, followed(&value.symbolic?))));
            return Ok(symbolic.collect());
        }
        let mut found = BTreeMap::new();
        let mut open = vec![folder.trim_end_matches('/').to_owned()];
        while let Some(folder) = open.pop() {
            let path = self.loose_path(folder.as_bytes());
            for entry in entries(&path)? {
                let entry = entry.map_err(|source| RepoError::Io {
                    path: path.clone(),
                    source,
                })?;
                let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
                let path = entry.path();
                if !path.is_dir() {
                    found.extend(read_file(&path)?.map(|target| (name, target)));
                } else if is_link(&path) {
                    // A linked folder gives one file two names.
                    found.insert(name, None);
                } else {
                    open.push(name);
                }
            }
        }
        Ok(found)
    }

    fn refs_are_files(&self) -> Result<bool, RepoError> {
        let storage = self.config("extensions.refStorage")?;
        Ok(storage.is_none_or(|storage| storage == "files"))
    }

    /// Returns the path of a ref's file. The refs of one worktree are in its own git directory.
    fn loose_path(&self, name: &[u8]) -> PathBuf {
        let own: [&[u8]; 4] = [b"HEAD", b"refs/bisect", b"refs/worktree", b"refs/rewritten"];
        let is_own = own.iter().any(|own| {
            name.strip_prefix(*own)
                .is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
        });
        let base = if is_own {
            self.worktree_git_dir()
        } else {
            self.git_dir()
        };
        base.join(os_string(name))
    }

    fn read_loose(&self, name: &[u8], folders: &mut Folders) -> Result<Option<Target>, RepoError> {
        let path = self.loose_path(name);
        let parents = path.ancestors().skip(1).take(
            name.iter()
                .filter(|b| **b == b'/')
                .count()
                .saturating_sub(1),
        );
        if parents.into_iter().any(|folder| folders.is_link(folder)) {
            // A linked folder gives one file two names.
            return Ok(Some(None));
        }
        read_file(&path)
    }

    fn ask_for_target(&self, name: &[u8]) -> Result<Option<Target>, RepoError> {
        let output = self
            .git("symbolic-ref")
            .args(["--quiet", "--no-recurse"])
            .arg(os_string(name))
            .output()?;
        let printed = std::str::from_utf8(output.stdout.trim_ascii_end()).ok();
        match output.status.code() {
            Some(0) => Ok(Some(printed.and_then(followed))),
            Some(1) => Ok(None),
            _ => Err(git::failed("symbolic-ref", &output).into()),
        }
    }
}

/// A cache of which folders are symbolic links.
#[derive(Default)]
struct Folders(BTreeMap<PathBuf, bool>);

impl Folders {
    fn is_link(&mut self, folder: &Path) -> bool {
        if let Some(known) = self.0.get(folder) {
            return *known;
        }
        let is_link = is_link(folder);
        self.0.insert(folder.to_owned(), is_link);
        is_link
    }
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|meta| meta.file_type().is_symlink())
}

fn entries(
    folder: &Path,
) -> Result<Box<dyn Iterator<Item = std::io::Result<fs::DirEntry>>>, RepoError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Box::new(entries)),
        Err(error) if is_absent(&error) => Ok(Box::new(std::iter::empty())),
        Err(source) => Err(RepoError::Io {
            path: folder.to_owned(),
            source,
        }),
    }
}

/// Whether the error means to Git that there is no such ref.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidFilename
    )
}

/// Reads the file of a ref as Git does. `None` if the ref is not symbolic or does not exist.
fn read_file(path: &Path) -> Result<Option<Target>, RepoError> {
    // An old form of symbolic ref is a symbolic link with the target's name. Git never opens it.
    if let Ok(link) = fs::read_link(path)
        && let Some(name) = link.to_str()
        && valid_ref_name(name)
    {
        return Ok(Some(Some(name.to_owned())));
    }
    let failed = |source| RepoError::Io {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    match fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes)) {
        Err(error) if is_absent(&error) => return Ok(None),
        read => read.map_err(failed)?,
    };
    let Some(target) = bytes.trim_ascii_end().strip_prefix(b"ref:") else {
        return Ok(None);
    };
    let target = std::str::from_utf8(target.trim_ascii_start()).ok();
    Ok(Some(target.and_then(followed)))
}

/// Returns the target if it is a valid ref name. Git follows more, such as `refs/heads/../heads/x`,
/// but those are second names for the same file.
fn followed(target: &str) -> Target {
    (target == "HEAD" || valid_ref_name(target)).then(|| target.to_owned())
}

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::Sandbox;

    fn among(repo: &Repo, names: &[&str]) -> BTreeMap<String, Target> {
        repo.symbolic_among(names.iter().map(|name| name.as_bytes()))
            .unwrap()
    }

    #[test]
    fn every_symbolic_ref_that_git_follows_is_found() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let one = sandbox.commit_text(&repo, &[], &[("f", "1")]);
        sandbox.git(
            repo.git_dir(),
            &["update-ref", "refs/heads/main", &one.to_string()],
        );
        sandbox.git(
            repo.git_dir(),
            &["symbolic-ref", "refs/heads/a/alias", "refs/heads/main"],
        );
        sandbox.git(
            repo.git_dir(),
            &["symbolic-ref", "refs/heads/dangling", "refs/heads/none"],
        );
        let heads = repo.git_dir().join("refs/heads");
        for (name, text) in [
            ("tight", "ref:refs/heads/main"),
            ("wide", "ref: \t refs/heads/main \n\n"),
            ("dots", "ref: refs/heads/../heads/main\n"),
            ("head", "ref: HEAD\n"),
            ("no-name", "ref: main\n"),
            ("bytes", "ref: refs/heads/\u{7f}\n"),
        ] {
            std::fs::write(heads.join(name), text).unwrap();
        }
        let found = repo.symbolic_below("refs/heads/").unwrap();
        let target = |name: &str| found.get(&format!("refs/heads/{name}")).cloned();
        let main = Some(Some("refs/heads/main".to_owned()));
        assert_eq!(
            (target("a/alias"), target("tight"), target("wide")),
            (main.clone(), main.clone(), main)
        );
        assert_eq!(target("dangling"), Some(Some("refs/heads/none".to_owned())));
        assert_eq!(target("head"), Some(Some("HEAD".to_owned())));
        for odd in ["dots", "no-name", "bytes"] {
            assert_eq!(target(odd), Some(None), "{odd}");
        }
        assert_eq!(target("main"), None);
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(among(&repo, &names), found);
        assert_eq!(
            among(&repo, &["HEAD"])["HEAD"],
            Some("refs/heads/main".to_owned())
        );
        let others = [
            "refs/heads/main",
            "refs/heads/x",
            "refs/heads/a",
            "refs/heads/main/x",
            "refs/../config",
            "x",
        ];
        assert_eq!(among(&repo, &others), BTreeMap::new());
        assert_eq!(
            among(&repo, &[&format!("refs/heads/{}", "x".repeat(300))]),
            BTreeMap::new()
        );
        assert_eq!(repo.symbolic_below("refs/none/").unwrap(), BTreeMap::new());
    }

    #[test]
    #[cfg(unix)]
    fn symbolic_links_of_the_file_system_count_as_symbolic_refs() {
        use std::os::unix::fs::symlink;
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let one = sandbox.commit_text(&repo, &[], &[("f", "1")]);
        sandbox.git(
            repo.git_dir(),
            &["update-ref", "refs/heads/main", &one.to_string()],
        );
        sandbox.git(
            repo.git_dir(),
            &["symbolic-ref", "refs/heads/alias", "refs/heads/main"],
        );
        let refs = repo.git_dir().join("refs");
        symlink("refs/heads/main", refs.join("heads/old")).unwrap();
        symlink("alias", refs.join("heads/twice")).unwrap();
        symlink("main", refs.join("heads/copy")).unwrap();
        symlink("heads", refs.join("same")).unwrap();
        let main = Some("refs/heads/main".to_owned());
        let names = [
            "refs/heads/old",
            "refs/heads/twice",
            "refs/heads/copy",
            "refs/same/main",
            "refs/same/x",
        ];
        let expected: [(&str, Target); 4] = [
            ("refs/heads/old", main.clone()),
            ("refs/heads/twice", main),
            ("refs/same/main", None),
            ("refs/same/x", None),
        ];
        let expected = expected.map(|(name, target)| (name.to_owned(), target));
        assert_eq!(among(&repo, &names), BTreeMap::from(expected));
        assert_eq!(repo.symbolic_below("refs/").unwrap()["refs/same"], None);
    }
}
