//! Finds the passphrase of an encrypted key in the places that the caller allows.
//!
//! Knows neither the key nor the process: the caller reads environment variables and asks people.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::SignerError;

/// The largest passphrase file that is read, in bytes.
const MAX_BYTES: u64 = 4096;

/// A passphrase. Its memory is wiped when it is dropped.
pub type Secret = Zeroizing<Vec<u8>>;

/// Asks a person for the passphrase of the key in the given file.
///
/// `Ok(None)` means that there is nobody to ask.
type Prompt = Box<dyn Fn(&Path) -> io::Result<Option<Secret>> + Send + Sync>;

/// The places to look for a passphrase, in this order: a given text, a file, a person.
///
/// The first place that is set decides, even if its passphrase turns out to be wrong.
#[derive(Default)]
pub struct PassphraseSource {
    text: Option<Passphrase>,
    file: Option<PathBuf>,
    prompt: Option<Prompt>,
}

/// A passphrase and where it came from, for error messages.
#[derive(Clone)]
pub(super) struct Passphrase {
    /// The passphrase.
    pub secret: Secret,
    /// The place that gave it, as people call it: a variable, a file, "the terminal".
    pub origin: String,
}

impl PassphraseSource {
    /// No place at all: an encrypted key is an error.
    pub fn none() -> Self {
        Self::default()
    }

    /// A given passphrase.
    pub fn text(passphrase: &str) -> Self {
        let secret = passphrase.as_bytes().to_vec().into();
        Self::none().with_text(secret, "the caller")
    }

    /// The content of a file, without one newline at its end.
    pub fn file(path: &Path) -> Self {
        Self::none().with_file(path)
    }

    /// Adds a given passphrase. Error messages name `origin` as the place it came from.
    pub fn with_text(self, secret: Secret, origin: &str) -> Self {
        let origin = origin.to_owned();
        Self {
            text: Some(Passphrase { secret, origin }),
            ..self
        }
    }

    /// Adds a file that holds the passphrase. One newline at its end does not count.
    pub fn with_file(self, path: &Path) -> Self {
        Self {
            file: Some(path.to_owned()),
            ..self
        }
    }

    /// Adds a function that asks a person for the passphrase of the key in the given file.
    ///
    /// The function returns `Ok(None)` if there is nobody to ask.
    pub fn with_prompt(
        self,
        prompt: impl Fn(&Path) -> io::Result<Option<Secret>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            prompt: Some(Box::new(prompt)),
            ..self
        }
    }

    /// Finds the passphrase for the key in the file `key`.
    pub(super) fn resolve(&self, key: &Path) -> Result<Passphrase, SignerError> {
        if let Some(given) = &self.text {
            return Ok(given.clone());
        }
        if let Some(path) = &self.file {
            let failed = SignerError::file("read the passphrase file", path);
            let secret = read_file(path).map_err(failed)?;
            let origin = path.display().to_string();
            return Ok(Passphrase { secret, origin });
        }
        if let Some(prompt) = &self.prompt {
            let failed = SignerError::file("ask for the passphrase of", key);
            if let Some(secret) = prompt(key).map_err(failed)? {
                let origin = "the terminal".to_owned();
                return Ok(Passphrase { secret, origin });
            }
        }
        Err(SignerError::NoPassphrase {
            path: key.to_owned(),
        })
    }
}

impl fmt::Debug for PassphraseSource {
    /// Shows which places are set, and never a passphrase.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassphraseSource")
            .field("text", &self.text.is_some())
            .field("file", &self.file)
            .field("prompt", &self.prompt.is_some())
            .finish()
    }
}

fn read_file(path: &Path) -> io::Result<Secret> {
    // The buffer has its full capacity from the start: growing it would leave a copy of the
    // passphrase behind in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 1));
    let file = File::open(path)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is longer than 4 KiB",
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
        let found = source.resolve(Path::new("key")).unwrap();
        found.secret.to_vec()
    }

    #[test]
    fn one_newline_at_the_end_of_a_passphrase_file_does_not_count() {
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
        let too_long = PassphraseSource::file(&path);
        assert!(too_long.resolve(Path::new("key")).is_err());
    }

    #[test]
    fn a_given_text_comes_before_a_file_and_a_file_before_a_person() {
        let nobody = |_: &Path| -> io::Result<Option<Secret>> { panic!("a person was asked") };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pass");
        std::fs::write(&path, "from the file").unwrap();
        let from_file = PassphraseSource::file(&path).with_prompt(nobody);
        assert_eq!(resolved(&from_file), b"from the file");

        let text = PassphraseSource::text("x").with_file(Path::new("/nowhere"));
        assert_eq!(resolved(&text.with_prompt(nobody)), b"x");
    }

    #[test]
    fn a_person_is_asked_for_the_passphrase_of_the_named_key() {
        let answers = |key: &Path| {
            assert_eq!(key, Path::new("key"));
            Ok(Some(b"typed".to_vec().into()))
        };
        let asked = PassphraseSource::none().with_prompt(answers);
        assert_eq!(resolved(&asked), b"typed");
    }

    #[test]
    fn an_encrypted_key_without_a_passphrase_is_an_error() {
        let nobody_there = PassphraseSource::none().with_prompt(|_| Ok(None));
        for source in [PassphraseSource::none(), nobody_there] {
            let found = source.resolve(Path::new("key"));
            assert!(matches!(found, Err(SignerError::NoPassphrase { .. })));
        }
    }

    #[test]
    fn debug_output_never_shows_a_passphrase() {
        let shown = format!("{:?}", PassphraseSource::text("secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
