//! Refs in `packed-refs`. When Git packs refs it deletes the file of each one, which a hook sees as a deletion.

use std::io::ErrorKind;
use std::path::Path;

use super::{Repo, RepoError};
use crate::id::Oid;

impl Repo {
    /// Whether a ref still leads to this object when its own file goes: `packed-refs` holds it too, and nobody has that file
    /// locked, as Git does from the start of a deletion that concerns it.
    pub fn stays_packed(&self, name: &str, oid: Oid) -> Result<bool, RepoError> {
        let path = self.git_dir().join("packed-refs");
        let line = format!("{oid} {name}");
        match read(&path)? {
            Some(packed) if !self.git_dir().join("packed-refs.lock").exists() => Ok(packed
                .split(|b| *b == b'\n')
                .any(|packed| packed == line.as_bytes())),
            _ => Ok(false),
        }
    }
}

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
    fn only_what_is_packed_at_this_value_stays() {
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
