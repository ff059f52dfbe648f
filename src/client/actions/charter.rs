//! Proposing the next charter.

use super::propose::{Proposed, approve};
use crate::charter::{Charter, Member, ProposedCharter, Removal};
use crate::client::Code;
use crate::client::answer::Answer;
use crate::client::charter_file::CharterFile;
use crate::client::charter_warnings::charter_warnings;
use crate::client::error::{Error, Result};
use crate::client::note::Note;
use crate::client::session::Session;
use crate::client::writer::Writer;
use crate::consensus::{Content, State, own_tips};
use crate::id::EntryId;
use crate::ledger::{CharterProposal, Statement};

/// A charter to propose.
#[derive(Debug)]
pub struct ProposeCharter {
    /// The charter, as people write it.
    pub file: CharterFile,
    /// The folder that key files are relative to.
    pub folder: std::path::PathBuf,
    /// A title for reviewers: one line, at most 200 bytes.
    pub title: String,
    /// A description for reviewers, at most 16384 bytes.
    pub text: String,
    /// Whether the proposer approves the proposal at once.
    pub approve: bool,
}

/// Proposes the next charter, approves the proposal, and pushes. Members that the file leaves out
/// are removed. The same proposal again adds nothing.
pub fn propose_charter(writer: &mut Writer, request: &ProposeCharter) -> Result<Answer<Proposed>> {
    super::propose::check_title(&request.title)?;
    let (base, in_force) = writer.session().charter()?;
    let charter = request.file.charter(&request.folder, |members| {
        removals(writer.session(), in_force, members)
    })?;
    if charter == *in_force {
        let message = "This charter is in force already.";
        return Err(Error::new(Code::NothingToPropose, message));
    }
    let warnings = charter_warnings(&charter);
    let existing = find_existing(writer, base, &charter);
    let id = match existing {
        Some(id) => id,
        None => append(writer, base, charter, request)?,
    };
    if request.approve {
        approve(writer, id)?;
    }
    writer.finish(&[])?;
    let answer = Proposed::answer(writer, id, existing.is_some())?;
    Ok(answer.notes(warnings.into_iter().map(Note::Charter)))
}

fn append(
    writer: &mut Writer,
    base: EntryId,
    charter: Charter,
    request: &ProposeCharter,
) -> Result<EntryId> {
    let statement = Statement::ProposeCharter(CharterProposal {
        base,
        charter: ProposedCharter::Known(Box::new(charter)),
        text: request.text.clone(),
        title: request.title.clone(),
    });
    let id = writer.append(vec![statement], None)?;
    id.ok_or_else(|| Error::internal("The proposal was not appended."))
}

/// The member's own open proposal of the same charter.
fn find_existing(writer: &Writer, base: EntryId, charter: &Charter) -> Option<EntryId> {
    let tally = &writer.session().loaded.tally;
    let is_same = |content: Content<'_>| match content {
        Content::Charter(old) => {
            let same = matches!(&old.charter, ProposedCharter::Known(c) if **c == *charter);
            same && old.base == base
        }
        Content::Ref(_) => false,
    };
    let is_open = |id| matches!(tally.state(id), Some(State::Open | State::Approved));
    let mut mine = tally.proposals().filter(|p| p.proposer == *writer.member());
    mine.find(|p| is_same(tally.content(p)) && is_open(p.id))
        .map(|p| p.id)
}

/// Former members: those of the charter in force, and those that the new charter leaves out, each
/// with its last known entry.
fn removals(session: &Session, in_force: &Charter, members: &[Member]) -> Vec<Removal> {
    let tally = &session.loaded.tally;
    let last = |member: &Member| {
        let tips = own_tips(tally, &member.name).into_iter();
        let entries = tips.map(|tip| tally.dag().entry(tip));
        entries.max_by_key(|e| (e.seq, e.id)).map(|e| e.id)
    };
    let is_kept = |old: &Member| members.iter().any(|m| m.name == old.name);
    let gone = in_force.members().iter().filter(|old| !is_kept(old));
    let removal = |member: &Member| Removal {
        key: member.key,
        last: last(member),
        name: member.name.clone(),
    };
    let before = in_force.removed().iter().cloned();
    before.chain(gone.map(removal)).collect()
}
