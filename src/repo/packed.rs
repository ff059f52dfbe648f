//! Reads `packed-refs`. When Git packs a ref, it deletes the ref's own file, and a hook sees that
//! as a deletion of the ref.

use std::io::ErrorKind;
use std::path::Path;

use super::{Repo, RepoError};
use crate::id::Oid;

impl Repo {
    /// Whether a ref keeps the value `oid` if Git deletes the ref's own file.
    ///
    /// That is so if `packed-refs` has this value too and is not locked. Git locks the file at the
    /// start of a real deletion.
    pub fn stays_packed(&self, name: &str, oid: Oid) -> Result<bool, RepoError> {
        let path = self.git_dir().join("packed-refs");
        let line = format!("{oid} {name}");
        let Some(packed) = read(&path)? else {
            return Ok(false);
        };
        if self.git_dir().join("packed-refs.lock").exists() {
            return Ok(false);
        }
        let mut lines = packed.split(|b| *b == b'\n');
        Ok(lines.any(|packed| packed == line.as_bytes()))
    }
}

/// Returns the content of a file. `None` if the file does not exist.
fn read(path: &Path) -> Result<Option<Vec<u8>>, RepoError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RepoError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::repo::testing::Sandbox;

    #[test]
    fn a_ref_stays_only_if_it_is_packed_with_this_value() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let one = sandbox.commit_text(&repo, &[], &[("f", "1")]);
        let two = sandbox.commit_text(&repo, &[], &[("f", "2")]);
        sandbox.git(
            repo.git_dir(),
            &["update-ref", "refs/heads/main", &one.to_string()],
        );
        assert!(
            !repo.stays_packed("refs/heads/main", one).unwrap(),
            "there is no packed-refs"
        );
        sandbox.git(repo.git_dir(), &["pack-refs", "--all"]);
        assert!(repo.stays_packed("refs/heads/main", one).unwrap());
        assert!(!repo.stays_packed("refs/heads/main", two).unwrap());
        assert!(!repo.stays_packed("refs/heads/mai", one).unwrap());
        std::fs::write(repo.git_dir().join("packed-refs.lock"), "").unwrap();
        assert!(
            !repo.stays_packed("refs/heads/main", one).unwrap(),
            "somebody rewrites it"
        );
    }
}
