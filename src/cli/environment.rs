//! Reads what the environment of the process says about keys and the sign state, and asks for
//! passphrases at the terminal. The rooms below get it as values.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use crate::signer::state::{StateError, StateRoot};
use crate::signer::{PassphraseSource, Secret, Signer, SignerError};

/// The variable that holds a passphrase.
const PASSPHRASE: &str = "GIT_QUORUM_PASSPHRASE";
/// The variable that names a file with a passphrase.
const PASSPHRASE_FILE: &str = "GIT_QUORUM_PASSPHRASE_FILE";

/// Returns the sources of a passphrase: `GIT_QUORUM_PASSPHRASE`, `GIT_QUORUM_PASSPHRASE_FILE`,
/// the terminal. An empty variable counts as unset.
pub fn passphrases() -> PassphraseSource {
    let mut source = PassphraseSource::none().with_prompt(ask);
    if let Some(text) = variable(PASSPHRASE) {
        let secret = text.into_encoded_bytes().into();
        source = source.with_text(secret, PASSPHRASE);
    }
    if let Some(file) = variable(PASSPHRASE_FILE) {
        source = source.with_file(Path::new(&file));
    }
    source
}

/// The socket of the ssh-agent, if `SSH_AUTH_SOCK` names one.
pub fn agent_socket() -> Option<PathBuf> {
    variable("SSH_AUTH_SOCK").map(PathBuf::from)
}

/// Returns the directory of the sign states that `GIT_QUORUM_STATE`, `XDG_STATE_HOME` and `HOME`
/// name.
pub fn state_root() -> Result<PathBuf, StateError> {
    let path = |name| variable(name).map(PathBuf::from);
    let root = StateRoot {
        chosen: path("GIT_QUORUM_STATE"),
        xdg_state_home: path("XDG_STATE_HOME"),
        home: path("HOME"),
    };
    root.resolve()
}

/// The value of a variable, unless it is empty.
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Asks for the passphrase of the key in a file. `None` if nobody can be asked.
fn ask(key: &Path) -> io::Result<Option<Secret>> {
    if !has_terminal() {
        return Ok(None);
    }
    super::progress::clear();
    let prompt = format!("Passphrase for {}: ", key.display());
    let typed = rpassword::prompt_password(prompt)?;
    Ok(Some(typed.into_bytes().into()))
}

/// Whether somebody can be asked. Both conditions are needed: a process whose input is a pipe may
/// still have a controlling terminal, and must not wait there for an answer.
fn has_terminal() -> bool {
    io::stdin().is_terminal() && (cfg!(windows) || File::open("/dev/tty").is_ok())
}
