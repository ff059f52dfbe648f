//! Who exchanges entries with a remote: a member that casts the votes that are due, or an observer
//! without a key. An observer can do whatever needs no signature: watch, and land what is decided.

use super::context::{Context, WriteOptions};
use super::error::Result;
use super::note::Note;
use super::remote::{GitRemote, PUSH_TRIES, PushReply, Remote as _};
use super::session::{Session, check_whole};
use super::writer::Writer;
use crate::consensus::Waiting;
use crate::id::{EntryId, Oid};
use crate::store::{PushOutcome, RefUpdate};

/// A member, or an observer.
pub enum Participant {
    /// Signs what is due.
    Member(Box<Writer>),
    /// Signs nothing.
    Observer(Box<Observer>),
}

/// A session that reads, fetches, and pushes what needs no signature.
pub struct Observer {
    session: Session,
    remote: Option<GitRemote>,
}

impl Participant {
    /// Opens a member if the options or the clone name one, else an observer. Fetches.
    pub fn open(
        mut session: Session,
        context: &Context,
        options: &WriteOptions,
    ) -> Result<Participant> {
        let configured = session.repo.config("quorum.member")?;
        if options.member.is_some() || configured.is_some() {
            let writer = Writer::open(session, context, options)?;
            return Ok(Participant::Member(Box::new(writer)));
        }
        if options.key.is_some() || options.agent {
            session.notes.push(Note::KeyWithoutMember);
        }
        let remote = session.exchange_remote(options)?.map(GitRemote::new);
        let mut observer = Observer { session, remote };
        observer.refresh()?;
        Ok(Participant::Observer(Box::new(observer)))
    }

    /// The ledger, read.
    pub fn session(&self) -> &Session {
        match self {
            Participant::Member(writer) => writer.session(),
            Participant::Observer(observer) => &observer.session,
        }
    }

    /// Whether there is a remote to exchange entries with.
    pub fn has_remote(&self) -> bool {
        match self {
            Participant::Member(writer) => writer.remote().is_some(),
            Participant::Observer(observer) => observer.remote.is_some(),
        }
    }

    /// Ids of the entries that were appended.
    pub fn appended(&self) -> &[EntryId] {
        match self {
            Participant::Member(writer) => writer.appended(),
            Participant::Observer(_) => &[],
        }
    }

    /// What votes wait for.
    pub fn waiting(&self) -> &[Waiting] {
        match self {
            Participant::Member(writer) => writer.waiting(),
            Participant::Observer(_) => &[],
        }
    }

    /// The value of a ref on the remote. Without a remote, its value here.
    pub fn current(&self, name: &str) -> Result<Option<Oid>> {
        match self {
            Participant::Member(writer) => writer.current(name),
            Participant::Observer(observer) => match &observer.remote {
                Some(remote) => Ok(remote.value(name)),
                None => Ok(observer.session.repo.read(name)?),
            },
        }
    }

    /// Refuses a clone that cannot be checked whole.
    pub fn check_whole(&self) -> Result<()> {
        check_whole(&self.session().repo)
    }

    /// Casts the votes that are due, if there is a key for them, and pushes them with these
    /// updates.
    pub fn finish(&mut self, updates: &[RefUpdate]) -> Result<()> {
        match self {
            Participant::Member(writer) => writer.finish(updates),
            Participant::Observer(observer) => observer.push(updates),
        }
    }
}

impl Observer {
    fn refresh(&mut self) -> Result<()> {
        match &mut self.remote {
            Some(remote) => remote.fetch_into(&mut self.session),
            None => Ok(()),
        }
    }

    fn push(&mut self, updates: &[RefUpdate]) -> Result<()> {
        if updates.is_empty() {
            return Ok(());
        }
        let mut last = PushReply::default();
        for _ in 0..PUSH_TRIES {
            let Some(remote) = &mut self.remote else {
                return Ok(());
            };
            let name = remote_name(remote);
            match remote.push_from(&mut self.session, None, updates)? {
                PushOutcome::Done => return Ok(()),
                PushOutcome::Behind { reasons, lines } => {
                    last = PushReply::new(reasons, lines);
                    self.refresh()?;
                }
                PushOutcome::Refused { reasons, lines } => {
                    return Err(PushReply::new(reasons, lines).refused(&name));
                }
            }
        }
        let name = self.remote.as_ref().map(remote_name).unwrap_or_default();
        Err(last.busy(&name))
    }
}

fn remote_name(remote: &GitRemote) -> String {
    remote.name().to_owned()
}
