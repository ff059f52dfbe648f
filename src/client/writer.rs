//! A member's tool: it appends what the member says, casts every vote that is due, and exchanges
//! entries with a remote.
//!
//! This is the one implementation of a member's duties (`ledger-spec/deciding.md`, section 5).
//! Commands, the public library and the simulator all run it.

use std::sync::Arc;

use super::Code;
use super::clock::Clock;
use super::context::{Context, WriteOptions};
use super::error::{Error, Result};
use super::identity::{Identity, not_a_member};
use super::note::Note;
use super::remote::{GitRemote, PUSH_TRIES, PushReply, Remote};
use super::session::Session;
use super::timers::Timers;
use super::workspace::{MemberClone, NewEntry, Workspace};
use crate::consensus::{Admission, Discount, Draft, DueVote, Waiting, own_tips, parents_for};
use crate::id::{EntryId, Oid};
use crate::ledger::{Prevote, Statement, limits};
use crate::store::{PushOutcome, RefUpdate};

/// A member that signs: a workspace, a remote to exchange entries with, and timers.
pub struct Writer<W: Workspace = MemberClone, R: Remote<W> = GitRemote> {
    workspace: W,
    remote: Option<R>,
    clock: Arc<dyn Clock>,
    timers: Timers,
    waiting: Vec<Waiting>,
    appended: Vec<EntryId>,
}

impl Writer {
    /// Opens the ledger of a session for a member: locks its sign state, fetches, and makes sure
    /// that everything that its key has signed is here.
    pub fn open(session: Session, context: &Context, options: &WriteOptions) -> Result<Writer> {
        let identity = Identity::resolve(&session.repo, options)?;
        let (mut workspace, timers) = MemberClone::open(session, context, &identity)?;
        let remote = workspace.session.exchange_remote(options)?;
        let remote = remote.map(GitRemote::new);
        let mut writer = Writer::new(workspace, remote, context.clock.clone(), timers);
        writer.refresh()?;
        Ok(writer)
    }

    /// The ledger, read.
    pub fn session(&self) -> &Session {
        &self.workspace.session
    }

    /// The value of a ref on the remote. Without a remote, its value here.
    pub fn current(&self, name: &str) -> Result<Option<Oid>> {
        match &self.remote {
            Some(remote) => Ok(remote.value(name)),
            None => Ok(self.session().repo.read(name)?),
        }
    }

    /// The value that a new proposal can expect of a ref. Without network, the value that the
    /// remote showed last.
    pub fn expected(&self, name: &str) -> Result<Option<Oid>> {
        match &self.remote {
            Some(remote) => Ok(remote.value(name)),
            None => self.session().ref_value(name),
        }
    }
}

impl<W: Workspace, R: Remote<W>> Writer<W, R> {
    /// A writer over any workspace and remote. `None` as remote means no network.
    pub fn new(workspace: W, remote: Option<R>, clock: Arc<dyn Clock>, timers: Timers) -> Self {
        Self {
            workspace,
            remote,
            clock,
            timers,
            waiting: Vec::new(),
            appended: Vec::new(),
        }
    }

    /// What the writer writes to.
    pub fn workspace(&self) -> &W {
        &self.workspace
    }

    /// What the writer writes to, to change it between two steps.
    pub fn workspace_mut(&mut self) -> &mut W {
        &mut self.workspace
    }

    /// Gives the workspace and the timers back.
    pub fn into_parts(self) -> (W, Timers) {
        (self.workspace, self.timers)
    }

    /// Who writes.
    pub fn member(&self) -> &crate::charter::MemberName {
        self.workspace.member()
    }

    /// The remote that entries are exchanged with. `None` without network.
    pub fn remote(&self) -> Option<&R> {
        self.remote.as_ref()
    }

    /// What votes wait for, as of the last call that looked for due votes.
    pub fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// Ids of the entries that this writer has appended, in order.
    pub fn appended(&self) -> &[EntryId] {
        &self.appended
    }

    fn remote_name(&self) -> &str {
        self.remote.as_ref().map_or("", |remote| remote.name())
    }

    /// Fetches, and brings the member's lane up to everything that its key has signed.
    pub fn refresh(&mut self) -> Result<()> {
        self.fetch()?;
        // A fetch may bring another charter into force, and so may an own vote that was restored.
        self.stop_if_removed()?;
        self.catch_up()?;
        self.stop_if_removed()
    }

    /// Fails if the charter in force does not list the member. Before that, pushes what others
    /// still accept of it.
    fn stop_if_removed(&mut self) -> Result<()> {
        let tally = self.workspace.tally();
        let charter = tally.dag().charter(tally.charter_in_force());
        let charter = &charter
            .ok_or_else(|| Error::internal("The charter in force is not known."))?
            .charter;
        let member = self.workspace.member().clone();
        if charter.member(&member).is_some() {
            return Ok(());
        }
        self.hand_over()?;
        Err(not_a_member(&member))
    }

    /// Pushes what the member signed while it was a member, as far as others still accept it. The
    /// charter that removes it may rest on a vote of its own that nobody else has yet.
    fn hand_over(&mut self) -> Result<()> {
        self.workspace.catch_up()?;
        if !self.is_admitted() {
            return Ok(());
        }
        let outcome = self.push(&[])?;
        PushReply::require_done(outcome, self.remote_name())
    }

    /// Whether others still accept the whole lane of the member, which may have been removed.
    fn is_admitted(&self) -> bool {
        let tally = self.workspace.tally();
        let admission = Admission::of(tally);
        let tips = own_tips(tally, self.member());
        tips.iter().all(|tip| admission.admits(*tip))
    }

    /// Casts every vote that is due, as long as one is, and pushes everything with these updates.
    /// Fetches and tries again when something moved on the remote.
    pub fn finish(&mut self, updates: &[RefUpdate]) -> Result<()> {
        let mut last = PushReply::default();
        for _ in 0..PUSH_TRIES {
            self.cast_due_votes()?;
            match self.push(updates)? {
                PushOutcome::Done => {
                    self.pass_on();
                    return Ok(());
                }
                PushOutcome::Behind { reasons, lines } => {
                    last = PushReply::new(reasons, lines);
                    self.refresh()?;
                }
                PushOutcome::Refused { reasons, lines } => {
                    return Err(PushReply::new(reasons, lines).refused(self.remote_name()));
                }
            }
        }
        Err(last.busy(self.remote_name()))
    }

    /// Fetches from the remote, if there is one.
    pub fn fetch(&mut self) -> Result<()> {
        match &mut self.remote {
            Some(remote) => remote.fetch(&mut self.workspace),
            None => Ok(()),
        }
    }

    /// Brings the member's lane up to everything that its key has signed on this machine.
    pub fn catch_up(&mut self) -> Result<()> {
        if self.workspace.catch_up()? {
            self.workspace.note(Note::Restored);
        }
        let remote = self.remote.as_ref();
        let is_shown = |name: &str| remote.is_some_and(|remote| remote.value(name).is_some());
        self.workspace.repair_refs(&is_shown)
    }

    /// Appends entries as long as one is due.
    pub fn cast_due_votes(&mut self) -> Result<()> {
        while self.append(Vec::new(), None)?.is_some() {}
        Ok(())
    }

    /// Pushes the member's lane, with these updates of protected refs.
    pub fn push(&mut self, updates: &[RefUpdate]) -> Result<PushOutcome> {
        match &mut self.remote {
            Some(remote) => remote.push(&mut self.workspace, updates),
            None => Ok(PushOutcome::Done),
        }
    }

    /// Pushes entries of other members that the remote lacks.
    pub fn pass_on(&mut self) {
        if let Some(remote) = &mut self.remote {
            remote.pass_on(&mut self.workspace);
        }
    }

    /// Appends one entry with these statements and the votes that they make due. Without
    /// statements, only what is due. Returns `None` if there is nothing to append.
    ///
    /// `keep` is the commit of a proposal among the statements, which gets a ref of its own.
    pub fn append(
        &mut self,
        statements: Vec<Statement>,
        keep: Option<Oid>,
    ) -> Result<Option<EntryId>> {
        let tally = self.workspace.tally();
        let charter = tally.charter_in_force();
        let parents = parents_for(tally, self.member());
        let mut draft = Draft::new(tally, self.member(), charter, &parents);
        let proposes = statements.iter().any(Statement::proposes);
        for statement in statements {
            draft.add(statement).map_err(would_not_count)?;
        }
        // A proposal has no id before its entry is signed, so votes on it go into the next entry.
        let owes_news = if proposes {
            false
        } else {
            self.add_due_votes(&mut draft, charter)?
        };
        let joins_a_fork = own_tips(self.workspace.tally(), self.member()).len() > 1;
        if draft.statements().is_empty() && !joins_a_fork && !owes_news {
            return Ok(None);
        }
        let id = self.workspace.append(NewEntry {
            charter,
            parents: &parents,
            statements: draft.statements().to_vec(),
            time: self.clock.entry_time(),
            keep,
        })?;
        self.appended.push(id);
        Ok(Some(id))
    }

    /// Adds every vote that is due to the draft, one after the other. Returns whether the entry is
    /// due even without a vote, because it tells others of something that they miss (rule 5e).
    fn add_due_votes(&mut self, draft: &mut Draft, charter: EntryId) -> Result<bool> {
        let now = self.clock.now();
        self.timers.not_after(now);
        let owes_news = loop {
            let due = draft.due(&self.timers.patience(now));
            if !due.start.is_empty() {
                self.timers.start(&due.start, now);
                continue;
            }
            // What has no room in this entry goes into the next one.
            let has_room = draft.statements().len() < limits::STATEMENTS;
            let Some(vote) = due.vote.filter(|_| has_room) else {
                self.waiting = due.waiting;
                break due.tell;
            };
            let statement = match vote {
                DueVote::Prevote(proposal, round) => {
                    Statement::Prevote(Prevote { proposal, round })
                }
                DueVote::Precommit(proposal, round) => {
                    self.workspace.precommit(draft, charter, proposal, round)?
                }
            };
            draft.add(statement).map_err(|why| {
                let message = format!(
                    "A vote that is due would not count ({}). Nothing was signed.",
                    why.reason
                );
                Error::internal(message)
            })?;
        };
        self.timers.keep_open(draft.tally(), charter);
        self.workspace.save_timers(&self.timers)?;
        Ok(owes_news)
    }
}

fn would_not_count(why: Discount) -> Error {
    let detail = if why.detail.is_empty() {
        String::new()
    } else {
        format!(" ({})", why.detail)
    };
    let message = format!(
        "This would not count: {}{detail}.",
        crate::wording::discount_reason(why.reason)
    );
    Error::new(Code::WouldNotCount, message)
}
