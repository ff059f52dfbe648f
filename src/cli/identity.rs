//! Who writes, and with which key: flags, then the environment, then the clone's own configuration.
//! `user.signingkey` is never read or written: the key of a ledger is not the key of commits.

use std::path::PathBuf;

use super::session::{Session, not_a_member};
use super::{Exit, Failure, environment};
use crate::charter::{MemberName, PublicKey};
use crate::repo::Repo;
use crate::signer::{Signer, read_public};

/// Where `--help` lists them.
const HEADING: &str = "Member and remote";

/// Options of commands that write.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WriteArgs {
    /// The member to write as [default: quorum.member of this clone].
    #[arg(long = "as", value_name = "NAME", env = "GIT_QUORUM_MEMBER", help_heading = HEADING)]
    pub member: Option<String>,
    /// The member's private key file, or its public key file if an ssh-agent holds the private one
    /// [default: quorum.key of this clone].
    #[arg(long, value_name = "FILE", env = "GIT_QUORUM_KEY", help_heading = HEADING)]
    pub key: Option<PathBuf>,
    /// Sign with the ssh-agent at SSH_AUTH_SOCK.
    #[arg(long, help_heading = HEADING)]
    pub agent: bool,
    /// The remote to exchange lanes with [default: quorum.remote, or origin, or the only one].
    #[arg(long, value_name = "NAME", conflicts_with = "local", help_heading = HEADING)]
    pub remote: Option<String>,
    /// Do no network: neither fetch nor push.
    #[arg(long, help_heading = HEADING)]
    pub local: bool,
}

/// A member and where its key is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name.
    pub member: MemberName,
    key: Option<PathBuf>,
    agent: bool,
}

impl Identity {
    /// Who the flags, the environment and the configuration name.
    pub fn resolve(repo: &Repo, args: &WriteArgs) -> Result<Identity, Failure> {
        let configured = match &args.member {
            Some(name) => Some(name.clone()),
            None => repo.config("quorum.member")?,
        };
        let name = configured.ok_or_else(|| {
            Failure::new(
                "NO_MEMBER",
                "this clone does not say which member writes here",
            )
            .exit(Exit::Usage)
            .hint("git quorum join --as NAME --key FILE")
        })?;
        let member = parse_name(&name)?;
        let stored = repo.config("quorum.key")?.map(PathBuf::from);
        let stored_agent = repo.config("quorum.agent")?.as_deref() == Some("true");
        let agent = args.agent || (args.key.is_none() && stored_agent);
        Ok(Identity {
            member,
            key: args.key.clone().or(stored),
            agent,
        })
    }

    /// The member's key as the charter in force has it, and something that signs with it. Of a former member too, which
    /// may have to hand over what it signed while it was one.
    pub fn signer(&self, session: &Session) -> Result<(PublicKey, Signer), Failure> {
        let (_, charter) = session.charter()?;
        let former = || {
            charter
                .removed()
                .iter()
                .find(|removal| removal.name == self.member)
                .map(|removal| removal.key)
        };
        let key = charter
            .member(&self.member)
            .map(|member| member.key)
            .or_else(former);
        let key = key.ok_or_else(|| not_a_member(&self.member))?;
        let signer = self.open(key)?;
        if signer.public() != *key.bytes() {
            return Err(Failure::new(
                "WRONG_KEY",
                format!("this is not the key of {}, which is {key}", self.member),
            )
            .exit(Exit::Usage)
            .hint("give the right one with --key FILE"));
        }
        Ok((key, signer))
    }

    fn open(&self, key: PublicKey) -> Result<Signer, Failure> {
        if self.agent {
            return Ok(environment::agent_signer(*key.bytes())?);
        }
        let Some(path) = &self.key else {
            return Err(
                Failure::new("NO_KEY", format!("no key is named for {}", self.member))
                    .exit(Exit::Usage)
                    .hint(format!(
                        "git quorum join --as {} --key FILE, or --agent",
                        self.member
                    )),
            );
        };
        // It may ask for a passphrase.
        super::progress::clear();
        Ok(Signer::from_file(path, &environment::passphrases())?)
    }
}

/// A member's name from a command line.
pub fn parse_name(text: &str) -> Result<MemberName, Failure> {
    text.parse().map_err(|e: crate::charter::NameError| {
        Failure::new("BAD_NAME", e.to_string()).exit(Exit::Usage)
    })
}

/// A public key from a file, admitted.
pub fn public_key(path: &std::path::Path) -> Result<PublicKey, Failure> {
    let bytes = read_public(path)?;
    PublicKey::admit(bytes).map_err(|e| Failure::new("KEY", format!("{}: {e}", path.display())))
}
