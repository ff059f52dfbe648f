//! Which member writes, and with which key. `user.signingkey` is never read or written: the key
//! of a ledger is not the key of commits.

use std::path::PathBuf;

use super::context::{Context, WriteOptions};
use super::error::{Error, Result};
use super::session::Session;
use super::{Code, NextStep};
use crate::charter::{MemberName, NameError, PublicKey};
use crate::repo::Repo;
use crate::signer::{Signer, SignerError, read_public};

/// A member, and where its key is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The name.
    pub member: MemberName,
    key: Option<PathBuf>,
    agent: bool,
}

impl Identity {
    /// The member that the options name, else the one that the clone is set up for.
    pub fn resolve(repo: &Repo, options: &WriteOptions) -> Result<Identity> {
        let configured = match &options.member {
            Some(name) => Some(name.clone()),
            None => repo.config("quorum.member")?,
        };
        let name = configured.ok_or_else(|| {
            Error::new(
                Code::NoMember,
                "This clone does not say which member writes here.",
            )
            .next(NextStep::Join)
        })?;
        let member = parse_name(&name)?;
        let stored = repo.config("quorum.key")?.map(PathBuf::from);
        let stored_agent = repo.config("quorum.agent")?.as_deref() == Some("true");
        let agent = options.agent || (options.key.is_none() && stored_agent);
        Ok(Identity {
            member,
            key: options.key.clone().or(stored),
            agent,
        })
    }

    /// The member's key, and a signer for it. Works for a former member too, which may have to
    /// hand over what it signed while it was a member.
    pub fn signer(&self, session: &Session, context: &Context) -> Result<(PublicKey, Signer)> {
        let (_, charter) = session.charter()?;
        let member = charter.member(&self.member).map(|member| member.key);
        let mut removals = charter.removed().iter();
        let former = removals.find(|removal| removal.name == self.member);
        let key = member.or(former.map(|removal| removal.key));
        let key = key.ok_or_else(|| not_a_member(&self.member))?;
        let signer = self.open(key, context)?;
        if signer.public() != *key.bytes() {
            let message = format!(
                "The key that was given is not the key of {}, which is {key}.",
                self.member
            );
            return Err(Error::new(Code::WrongKey, message));
        }
        Ok((key, signer))
    }

    fn open(&self, key: PublicKey, context: &Context) -> Result<Signer> {
        if self.agent {
            return agent_signer(key, context);
        }
        let Some(path) = &self.key else {
            let message = format!("No key is named for {}.", self.member);
            let next = NextStep::JoinAs(self.member.clone());
            return Err(Error::new(Code::NoKey, message).next(next));
        };
        Ok(Signer::from_file(path, &context.passphrase)?)
    }
}

/// A signer with this key in the ssh-agent.
pub(super) fn agent_signer(key: PublicKey, context: &Context) -> Result<Signer> {
    let socket = context.agent_socket.as_ref().ok_or(SignerError::NoAgent)?;
    Ok(Signer::from_agent(socket, *key.bytes())?)
}

/// Parses the name of a member.
pub fn parse_name(text: &str) -> Result<MemberName> {
    text.parse()
        .map_err(|e: NameError| Error::new(Code::BadName, e.to_string()))
}

/// Reads a public key from a file, and checks that a charter may list it.
pub fn public_key(path: &std::path::Path) -> Result<PublicKey> {
    let bytes = read_public(path)?;
    PublicKey::admit(bytes).map_err(|e| Error::new(Code::Key, format!("{}: {e}.", path.display())))
}

/// The charter in force does not list the member.
pub(super) fn not_a_member(member: &MemberName) -> Error {
    let message = format!("The charter in force does not list a member {member}.");
    Error::new(Code::NotAMember, message).next(NextStep::ShowCharter)
}
