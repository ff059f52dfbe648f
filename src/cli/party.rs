//! Who exchanges with a remote where nothing needs to be signed: a member, which casts the votes that are due on the
//! way, or an observer (a merge bot, a watcher), which has no key.

use std::collections::BTreeMap;

use super::identity::WriteArgs;
use super::session::{PUSH_TRIES, Session, Writer, busy, check_whole, refused};
use super::{Failure, progress};
use crate::consensus::Waiting;
use crate::id::{EntryId, Oid};
use crate::store::{PushOutcome, RefUpdate, push};

/// A member, or an observer.
pub enum Party {
    /// Signs what is due.
    Member(Box<Writer>),
    /// Signs nothing.
    Observer(Box<Observer>),
}

/// A session that reads, fetches, and pushes what needs no signature.
pub struct Observer {
    session: Session,
    remote: Option<String>,
    remote_refs: BTreeMap<String, Oid>,
}

impl Party {
    /// A member if the options, the environment or the clone name one, else an observer; with what the remote
    /// has now.
    pub fn open(args: &WriteArgs) -> Result<Party, Failure> {
        let mut session = Session::read()?;
        if args.member.is_none() && session.repo.config("quorum.member")?.is_none() {
            if args.key.is_some() || args.agent {
                session.notes.push(
                    "a key is named, but no member: nothing is signed (--as NAME names one)"
                        .to_owned(),
                );
            }
            let remote = session.exchange_remote(args)?;
            let mut observer = Observer {
                session,
                remote,
                remote_refs: BTreeMap::new(),
            };
            observer.refresh()?;
            return Ok(Party::Observer(Box::new(observer)));
        }
        Ok(Party::Member(Box::new(Writer::of(session, args)?)))
    }

    /// What is read.
    pub fn session(&self) -> &Session {
        match self {
            Party::Member(writer) => &writer.session,
            Party::Observer(observer) => &observer.session,
        }
    }

    /// The remote to exchange with, if there is one.
    pub fn remote(&self) -> Option<&str> {
        match self {
            Party::Member(writer) => writer.remote.as_deref(),
            Party::Observer(observer) => observer.remote.as_deref(),
        }
    }

    /// Entries appended by this command.
    pub fn appended(&self) -> &[EntryId] {
        match self {
            Party::Member(writer) => &writer.appended,
            Party::Observer(_) => &[],
        }
    }

    /// What votes wait for.
    pub fn waiting(&self) -> &[Waiting] {
        match self {
            Party::Member(writer) => &writer.waiting,
            Party::Observer(_) => &[],
        }
    }

    /// A ref's value: the remote's, or the one here when there is no remote to ask.
    pub fn current(&self, name: &str) -> Result<Option<Oid>, Failure> {
        match self {
            Party::Member(writer) => writer.current(name),
            Party::Observer(observer) => match observer.remote {
                Some(_) => Ok(observer.remote_refs.get(name).copied()),
                None => Ok(observer.session.repo.read(name)?),
            },
        }
    }

    /// Refuses what cannot be checked whole.
    pub fn check_whole(&self) -> Result<(), Failure> {
        check_whole(&self.session().repo)
    }

    /// Casts the votes that are due, if there is a key to, and pushes them with these refs.
    pub fn finish(&mut self, moves: &[RefUpdate]) -> Result<(), Failure> {
        let finished = match self {
            Party::Member(writer) => writer.finish(moves),
            Party::Observer(observer) => observer.push(moves),
        };
        progress::clear();
        finished
    }
}

impl Observer {
    fn refresh(&mut self) -> Result<(), Failure> {
        if let Some(remote) = &self.remote {
            self.remote_refs = self.session.fetch(remote)?;
        }
        Ok(())
    }

    fn push(&mut self, moves: &[RefUpdate]) -> Result<(), Failure> {
        let Some(remote) = self.remote.clone().filter(|_| !moves.is_empty()) else {
            return Ok(());
        };
        let mut last = (BTreeMap::new(), Vec::new());
        for _ in 0..PUSH_TRIES {
            let Session { repo, loaded, .. } = &mut self.session;
            match push(repo, loaded, &remote, &mut self.remote_refs, (None, moves))? {
                PushOutcome::Done => return Ok(()),
                PushOutcome::Behind { reasons, lines } => {
                    last = (reasons, lines);
                    self.refresh()?;
                }
                PushOutcome::Refused { reasons, lines } => {
                    return Err(refused(&remote, &reasons, &lines));
                }
            }
        }
        Err(busy(&remote, &last.0, &last.1))
    }
}
