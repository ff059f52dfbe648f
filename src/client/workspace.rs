//! What a [`Writer`](super::Writer) writes to: a copy of the ledger, the member's key, and what the
//! key has signed before.

use super::Code;
use super::context::Context;
use super::error::{Error, Result};
use super::identity::Identity;
use super::note::Note;
use super::session::{Session, check_whole};
use super::timer_file::TimerFile;
use super::timers::Timers;
use crate::charter::MemberName;
use crate::consensus::{Draft, Tally, agreement_statement, pre_authentication_encoding};
use crate::id::{EntryId, Oid};
use crate::ledger::{EntryIndex, Precommit, Statement};
use crate::repo::RefEdit;
use crate::signer::state::SignState;
use crate::store::Author;

/// How long to wait for another process that signs with the same key.
const LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

/// An entry to append.
pub struct NewEntry<'a> {
    /// The charter under which the entry is made.
    pub charter: EntryId,
    /// What it builds on.
    pub parents: &'a [EntryIndex],
    /// What it says.
    pub statements: Vec<Statement>,
    /// The time that it claims, in seconds since 1970.
    pub time: u64,
    /// The commit that a proposal in this entry needs to keep. `None` if it has none.
    pub keep: Option<Oid>,
}

/// A copy of a ledger that one member writes to.
///
/// The production implementation is [`MemberClone`]. The simulator of the tests has one in memory,
/// so that it runs the same [`Writer`](super::Writer).
pub trait Workspace {
    /// The member that writes.
    fn member(&self) -> &MemberName;

    /// Everything that is known, judged.
    fn tally(&self) -> &Tally;

    /// Adds every entry that the key has signed on this machine and that this copy lacks. Returns
    /// whether there was one.
    ///
    /// # Errors
    /// When an entry that the key has signed cannot be restored. Then nothing must be signed.
    fn catch_up(&mut self) -> Result<bool>;

    /// Moves the member's lane up to its latest entry, and keeps the commits of its proposals.
    /// `is_shown` says whether the remote has a ref of this name.
    fn repair_refs(&mut self, is_shown: &dyn Fn(&str) -> bool) -> Result<()>;

    /// Makes the precommit of a proposal under a charter in a round, with its agreement signature.
    fn precommit(
        &self,
        draft: &Draft,
        charter: EntryId,
        proposal: EntryId,
        round: u32,
    ) -> Result<Statement>;

    /// Signs an entry, remembers it durably, and puts it on the member's lane, in this order.
    fn append(&mut self, entry: NewEntry<'_>) -> Result<EntryId>;

    /// Stores the timers.
    fn save_timers(&mut self, timers: &Timers) -> Result<()>;

    /// Tells the caller something beside the answer.
    fn note(&mut self, note: Note);
}

/// A clone of a repository, with the key of a member. While it lives, no other process on this
/// machine signs with this key.
pub struct MemberClone {
    /// The ledger, read.
    pub session: Session,
    pub(super) author: Author,
    timer_file: TimerFile,
}

impl MemberClone {
    /// Unlocks the member's key and locks its sign state.
    pub(super) fn open(
        mut session: Session,
        context: &Context,
        identity: &Identity,
    ) -> Result<(Self, Timers)> {
        check_whole(&session.repo)?;
        let (key, signer) = identity.signer(&session, context)?;
        let ledger = session.ledger();
        let root = context.sign_state.as_ref().map_err(|why| {
            let message = format!("There is no folder for the sign state: {why}.");
            Error::new(Code::SignState, message)
        })?;
        let state = SignState::open(root, ledger, *key.bytes(), LOCK_WAIT)?;
        // Another process of this clone may have written while this one waited for the lock.
        session.reload_if_moved()?;
        if let Some(repair) = state.repair() {
            session.notes.push(Note::Repaired(repair));
        }
        let (timer_file, timers) = TimerFile::open(&session.repo, ledger, &identity.member)?;
        let author = Author {
            member: identity.member.clone(),
            key,
            signer,
            state,
        };
        let clone = Self {
            session,
            author,
            timer_file,
        };
        Ok((clone, timers))
    }
}

impl Workspace for MemberClone {
    fn member(&self) -> &MemberName {
        &self.author.member
    }

    fn tally(&self) -> &Tally {
        &self.session.loaded.tally
    }

    fn catch_up(&mut self) -> Result<bool> {
        let Session { repo, loaded, .. } = &mut self.session;
        Ok(self.author.catch_up(repo, loaded)?)
    }

    fn repair_refs(&mut self, is_shown: &dyn Fn(&str) -> bool) -> Result<()> {
        let Session { repo, loaded, .. } = &mut self.session;
        self.author.fast_forward_lane(repo, loaded)?;
        Ok(self.author.restore_proposal_refs(repo, loaded, is_shown)?)
    }

    fn precommit(
        &self,
        draft: &Draft,
        charter: EntryId,
        proposal: EntryId,
        round: u32,
    ) -> Result<Statement> {
        let body = agreement_statement(draft.tally(), charter, proposal, round)
            .ok_or_else(|| Error::internal("A vote that is due has no agreement statement."))?;
        let encoded = pre_authentication_encoding(&body);
        let signature = self.author.signer.sign_agreement(&encoded)?;
        Ok(Statement::Precommit(Precommit {
            proposal,
            round,
            signature,
        }))
    }

    fn append(&mut self, entry: NewEntry<'_>) -> Result<EntryId> {
        let Session { repo, loaded, .. } = &mut self.session;
        let refs = loaded.refs.clone();
        let keep = |id| {
            let edit = |oid| RefEdit {
                name: refs.proposal(id),
                old: crate::repo::Expect::Absent,
                new: Some(oid),
            };
            entry.keep.map(edit).into_iter().collect()
        };
        let place = (entry.charter, entry.parents);
        let index = self
            .author
            .append(repo, loaded, place, entry.statements, entry.time, keep)?;
        Ok(loaded.tally.dag().entry(index).id)
    }

    fn save_timers(&mut self, timers: &Timers) -> Result<()> {
        self.timer_file.save(timers)
    }

    fn note(&mut self, note: Note) {
        self.session.notes.push(note);
    }
}
