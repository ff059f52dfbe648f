//! What a [`Writer`](super::Writer) needs from a remote, and the real one that git talks to.

use std::collections::BTreeMap;

use super::error::{Error, Result};
use super::note::Note;
use super::session::Session;
use super::workspace::{MemberClone, Workspace};
use super::{Code, NextStep};
use crate::charter::MemberName;
use crate::id::Oid;
use crate::store::{PushOutcome, RefUpdate, push, push_others};

/// How often a push is tried again because something moved on the remote.
pub(super) const PUSH_TRIES: usize = 8;

/// Another place that holds the ledger. `W` is the workspace that exchanges entries with it.
pub trait Remote<W: Workspace> {
    /// Its name, for messages.
    fn name(&self) -> &str;

    /// Fetches what the workspace lacks, checks it, and adds what is well formed.
    fn fetch(&mut self, workspace: &mut W) -> Result<()>;

    /// The value of a ref as the remote showed it last. `None` if the ref is absent there.
    fn value(&self, name: &str) -> Option<Oid>;

    /// Pushes the member's own lane and proposals, and updates of protected refs with them:
    /// everything or nothing.
    fn push(&mut self, workspace: &mut W, updates: &[RefUpdate]) -> Result<PushOutcome>;

    /// Pushes entries of other members that the remote lacks. A failure is only worth a note.
    fn pass_on(&mut self, workspace: &mut W);
}

/// A remote that git reaches by name or address.
pub struct GitRemote {
    name: String,
    /// Its refs, as it showed them last.
    refs: BTreeMap<String, Oid>,
}

impl GitRemote {
    /// A remote that nobody has asked for its refs yet.
    pub fn new(name: String) -> Self {
        Self {
            name,
            refs: BTreeMap::new(),
        }
    }

    /// The refs of the remote, as it showed them last.
    pub fn refs(&self) -> &BTreeMap<String, Oid> {
        &self.refs
    }

    /// Fetches into a session that has no member.
    pub(super) fn fetch_into(&mut self, session: &mut Session) -> Result<()> {
        self.refs = session.fetch(&self.name)?;
        Ok(())
    }

    /// Pushes what a session without a member may push: updates of protected refs, and the
    /// genesis.
    pub(super) fn push_from(
        &mut self,
        session: &mut Session,
        member: Option<&MemberName>,
        updates: &[RefUpdate],
    ) -> Result<PushOutcome> {
        let Session { repo, loaded, .. } = session;
        let who = (member, updates);
        Ok(push(repo, loaded, &self.name, &mut self.refs, who)?)
    }
}

impl Remote<MemberClone> for GitRemote {
    fn name(&self) -> &str {
        &self.name
    }

    fn fetch(&mut self, workspace: &mut MemberClone) -> Result<()> {
        self.fetch_into(&mut workspace.session)
    }

    fn value(&self, name: &str) -> Option<Oid> {
        self.refs.get(name).copied()
    }

    fn push(&mut self, workspace: &mut MemberClone, updates: &[RefUpdate]) -> Result<PushOutcome> {
        let member = workspace.author.member.clone();
        self.push_from(&mut workspace.session, Some(&member), updates)
    }

    fn pass_on(&mut self, workspace: &mut MemberClone) {
        let member = &workspace.author.member;
        let Session {
            repo,
            loaded,
            notes,
            ..
        } = &mut workspace.session;
        let remote = self.name.clone();
        match push_others(repo, loaded, &remote, &mut self.refs, member) {
            // What moved on the remote meanwhile is passed on next time.
            Ok(PushOutcome::Done | PushOutcome::Behind { .. }) => {}
            Ok(PushOutcome::Refused { reasons, .. }) => {
                notes.push(Note::OthersRefused { remote, reasons });
            }
            Err(error) => {
                let why = error.to_string();
                notes.push(Note::NotPassedOn { remote, why });
            }
        }
    }
}

/// What a remote said when it did not take a push.
#[derive(Debug, Clone, Default)]
pub(super) struct PushReply {
    reasons: BTreeMap<String, String>,
    lines: Vec<String>,
}

impl PushReply {
    pub fn new(reasons: BTreeMap<String, String>, lines: Vec<String>) -> Self {
        Self { reasons, lines }
    }

    /// Succeeds if the remote has everything. Else returns why it has not, as an error.
    pub fn require_done(outcome: PushOutcome, remote: &str) -> Result<()> {
        match outcome {
            PushOutcome::Done => Ok(()),
            PushOutcome::Behind { reasons, lines } => Err(Self::new(reasons, lines).busy(remote)),
            PushOutcome::Refused { reasons, lines } => {
                Err(Self::new(reasons, lines).refused(remote))
            }
        }
    }

    /// The remote could not take a push now, although it was tried several times.
    pub fn busy(self, remote: &str) -> Error {
        self.error(Code::Busy, &format!("{remote} could not take the push now"))
    }

    /// The remote refuses the push for good.
    pub fn refused(self, remote: &str) -> Error {
        self.error(Code::Refused, &format!("{remote} refused the push"))
    }

    fn error(self, code: Code, what: &str) -> Error {
        let message = format!("{what}{}", self.explanation());
        Error::new(code, message)
            .next(NextStep::Sync)
            .details(serde_json::json!({"refs": self.reasons, "remote": self.lines}))
    }

    /// The reasons that the remote gave. A reason that its hooks explain at length is not repeated
    /// for each ref.
    fn explanation(&self) -> String {
        let is_explained = |why: &str| {
            let short = why.starts_with("gate: ") || why == "pre-receive hook declined";
            !self.lines.is_empty() && short
        };
        let why: Vec<_> = self
            .reasons
            .iter()
            .filter(|(_, why)| !is_explained(why))
            .map(|(name, why)| format!("{name}: {why}"))
            .collect();
        let mut text = if why.is_empty() {
            String::new()
        } else {
            format!(": {}", why.join("; "))
        };
        for line in &self.lines {
            text.push_str("\n  ");
            text.push_str(line);
        }
        text
    }
}
