//! Where the passphrase of an encrypted key comes from. Does not know the key.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::SignerError;

/// The variable that holds a passphrase.
const ENV: &str = "GIT_QUORUM_PASSPHRASE";
/// The variable that names a file with a passphrase.
const FILE_ENV: &str = "GIT_QUORUM_PASSPHRASE_FILE";
/// More than anybody's passphrase.
const MAX_BYTES: u64 = 4096;

/// Where to look for a passphrase, in this order: the text itself, a file, the terminal. The
/// first that is there counts, right or wrong.
#[derive(Default)]
pub struct PassphraseSource {
    /// The passphrase itself, and the name of what gave it.
    text: Option<(String, Zeroizing<Vec<u8>>)>,
    /// A file that holds it, one newline at the end aside.
    file: Option<PathBuf>,
    /// Whether to ask when there is a terminal.
    ask: bool,
}

impl PassphraseSource {
    /// As the environment says (`GIT_QUORUM_PASSPHRASE`, `GIT_QUORUM_PASSPHRASE_FILE`; empty is
    /// as good as unset), else from the terminal if there is one.
    pub fn from_env() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = var(ENV).map(|value| (ENV.to_owned(), value.into_encoded_bytes().into()));
        Self {
            text,
            file: var(FILE_ENV).map(PathBuf::from),
            ask: true,
        }
    }

    /// None at all: an encrypted key is an error.
    pub fn none() -> Self {
        Self::default()
    }

    /// This passphrase.
    pub fn text(passphrase: &str) -> Self {
        let text = Some((
            "the caller".to_owned(),
            passphrase.as_bytes().to_vec().into(),
        ));
        Self {
            text,
            ..Self::default()
        }
    }

    /// What this file holds, one newline at its end aside.
    pub fn file(path: &Path) -> Self {
        Self {
            file: Some(path.to_owned()),
            ..Self::default()
        }
    }

    /// The passphrase for the key in `key`, and the name of where it came from.
    pub(super) fn resolve(&self, key: &Path) -> Result<(Zeroizing<Vec<u8>>, String), SignerError> {
        if let Some((origin, text)) = &self.text {
            return Ok((text.clone(), origin.clone()));
        }
        if let Some(path) = &self.file {
            let read =
                read_file(path).map_err(SignerError::file("read the passphrase file", path))?;
            return Ok((read, path.display().to_string()));
        }
        if self.ask && terminal() {
            let prompt = format!("Passphrase for {}: ", key.display());
            let tty = Path::new("the terminal");
            let typed = rpassword::prompt_password(prompt)
                .map_err(SignerError::file("read the passphrase from", tty))?;
            return Ok((typed.into_bytes().into(), "the terminal".to_owned()));
        }
        Err(SignerError::NoPassphrase {
            path: key.to_owned(),
            env: ENV.to_owned(),
            file_env: FILE_ENV.to_owned(),
        })
    }
}

/// Whether somebody can be asked. Both must hold, so that a process whose input is a pipe never
/// hangs on a prompt, even when it still has a controlling terminal.
fn terminal() -> bool {
    io::stdin().is_terminal() && (cfg!(windows) || File::open("/dev/tty").is_ok())
}

fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // With room for all of it from the start, no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 1));
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "longer than 4 KiB",
        ));
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(source: &PassphraseSource) -> Vec<u8> {
        source.resolve(Path::new("key")).unwrap().0.to_vec()
    }

    #[test]
    fn a_file_loses_one_newline_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pass");
        for (written, meant) in [
            ("a b", "a b"),
            ("a b\n", "a b"),
            ("a\n\n", "a\n"),
            (" \n", " "),
        ] {
            std::fs::write(&path, written).unwrap();
            assert_eq!(resolved(&PassphraseSource::file(&path)), meant.as_bytes());
        }
        std::fs::write(&path, vec![b'x'; 5000]).unwrap();
        assert!(
            PassphraseSource::file(&path)
                .resolve(Path::new("key"))
                .is_err()
        );
    }

    #[test]
    fn the_text_comes_before_the_file() {
        let source = PassphraseSource {
            file: Some("/nowhere".into()),
            ..PassphraseSource::text("x")
        };
        assert_eq!(resolved(&source), b"x");
    }

    #[test]
    fn without_any_way_the_error_names_them() {
        let error = PassphraseSource::none()
            .resolve(Path::new("key"))
            .unwrap_err()
            .to_string();
        for way in [ENV, FILE_ENV, "ssh-add key"] {
            assert!(error.contains(way), "{error}");
        }
    }
}
