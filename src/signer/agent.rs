//! Signs with a key that an ssh-agent holds. The private key never enters this process.

use std::io;
use std::path::{Path, PathBuf};

use ssh_agent_client_rs::{Client, Error as AgentError, Identity};
use ssh_key::{Algorithm, Signature};

use super::{SignerError, fingerprint, ssh_public};

/// How long to wait for an agent. It may ask its user to confirm, but must not block forever.
#[cfg(unix)]
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(120);

/// A key in an agent. Every signature uses a new connection, so that the agent may restart.
#[derive(Debug, Clone)]
pub struct AgentKey {
    socket: PathBuf,
    public: [u8; 32],
}

impl AgentKey {
    /// Returns the key `public` in the agent that listens on `socket`.
    pub(super) fn at(socket: &Path, public: [u8; 32]) -> Result<Self, SignerError> {
        let key = Self {
            socket: socket.to_owned(),
            public,
        };
        let held = match key.connect()?.list_all_identities() {
            Ok(identities) => identities.iter().any(|identity| key.is(identity)),
            // A locked agent answers with a failure or with an empty list.
            Err(AgentError::RemoteFailure) => false,
            Err(AgentError::AgentCommunicationError(source)) => return Err(key.unreachable(source)),
            // The client cannot parse some other key in the agent. That must not keep this key from
            // being used. If the agent does not hold it, the first signature fails.
            Err(_) => true,
        };
        if held { Ok(key) } else { Err(key.not_held()) }
    }

    /// Returns the public half.
    pub(super) fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Returns the agent's signature of `data`. The signature is not verified yet.
    pub(super) fn sign(&self, data: &[u8]) -> Result<[u8; 64], SignerError> {
        let reply = self.connect()?.sign(ssh_public(self.public), data);
        self.raw(&reply.map_err(|error| self.failed(error))?)
    }

    fn raw(&self, signature: &Signature) -> Result<[u8; 64], SignerError> {
        let algorithm = signature.algorithm();
        if algorithm != Algorithm::Ed25519 {
            return Err(self.answer(format!("its type is {algorithm}")));
        }
        let length = signature.as_bytes().len();
        let wrong_length = |_| self.answer(format!("its length is {length}"));
        signature.as_bytes().try_into().map_err(wrong_length)
    }

    #[cfg(unix)]
    fn connect(&self) -> Result<Client, SignerError> {
        let connected = || -> io::Result<Client> {
            let stream = std::os::unix::net::UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok(Client::with_read_write(Box::new(stream)))
        };
        connected().map_err(|source| self.unreachable(source))
    }

    #[cfg(not(unix))]
    fn connect(&self) -> Result<Client, SignerError> {
        Client::connect(&self.socket).map_err(|error| self.unreachable(io::Error::other(error)))
    }

    /// Whether an identity of the agent is this key. A certificate for the key does not count: an
    /// agent that holds only the certificate refuses to sign with the key alone.
    fn is(&self, identity: &Identity<'_>) -> bool {
        match identity {
            Identity::PublicKey(key) => key.key_data() == ssh_public(self.public).key_data(),
            Identity::Certificate(_) => false,
        }
    }

    fn failed(&self, error: AgentError) -> SignerError {
        match error {
            AgentError::RemoteFailure => SignerError::AgentRefused {
                socket: self.socket.clone(),
                key: fingerprint(self.public),
            },
            AgentError::AgentCommunicationError(source) => self.unreachable(source),
            other => self.answer(other.to_string()),
        }
    }

    fn unreachable(&self, source: io::Error) -> SignerError {
        SignerError::AgentUnreachable {
            socket: self.socket.clone(),
            source,
        }
    }

    fn not_held(&self) -> SignerError {
        SignerError::NotHeld {
            socket: self.socket.clone(),
            key: fingerprint(self.public),
        }
    }

    fn answer(&self, problem: String) -> SignerError {
        SignerError::AgentAnswer {
            socket: self.socket.clone(),
            problem,
        }
    }
}
