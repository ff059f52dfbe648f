//! What a caller provides: the clock, key material, the place of the sign state, and a progress
//! listener. The client reads none of it from the process.

use std::path::PathBuf;
use std::sync::Arc;

use super::clock::{Clock, SystemClock};
use crate::repo::Watcher;
use crate::signer::PassphraseSource;

/// Everything that actions need from their caller beside their arguments.
#[derive(Clone)]
pub struct Context {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The folder that holds what each key has signed on this machine. All clones of one user must
    /// share it, since it keeps a key from contradicting itself. An error says why there is no
    /// such folder; then nothing can be signed.
    pub sign_state: std::result::Result<PathBuf, String>,
    /// How to unlock an encrypted key file.
    pub passphrase: Arc<PassphraseSource>,
    /// The socket of the ssh-agent. `None` if there is no agent.
    pub agent_socket: Option<PathBuf>,
    /// Who is told about long work.
    pub progress: Watcher,
}

impl Context {
    /// A context with the machine's clock, no passphrase, no agent and no progress listener.
    pub fn new(sign_state: PathBuf) -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            sign_state: Ok(sign_state),
            passphrase: Arc::new(PassphraseSource::none()),
            agent_socket: None,
            progress: Watcher::default(),
        }
    }
}

/// Who writes, and which remote to exchange entries with.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// The member. `None` means the setting `quorum.member` of the clone.
    pub member: Option<String>,
    /// The private key file, or the public key file if the agent signs. `None` means the setting
    /// `quorum.key` of the clone.
    pub key: Option<PathBuf>,
    /// Whether the ssh-agent signs.
    pub agent: bool,
    /// The remote. `None` means the setting `quorum.remote`, or `origin`, or the only remote.
    pub remote: Option<String>,
    /// Whether to do without any network.
    pub local: bool,
}
