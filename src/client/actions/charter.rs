//! Proposing the next charter.

use std::path::PathBuf;

use super::propose::{Proposed, approve, check_title};
use crate::charter::{Charter, Member, ProposedCharter, Removal};
use crate::client::answer::Answer;
use crate::client::charter_file::CharterFile;
use crate::client::charter_warnings::charter_warnings;
use crate::client::error::{Error, Result};
use crate::client::session::Session;
use crate::client::writer::Writer;
use crate::client::{Code, Note};
use crate::consensus::{Content, State, own_tips};
use crate::id::EntryId;
use crate::ledger::{CharterProposal, Statement};

/// A charter to propose.
#[derive(Debug)]
pub struct ProposeCharter {
    /// The charter file.
    pub file: CharterFile,
    /// The folder from which key files of the charter file are looked up.
    pub folder: PathBuf,
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
    check_title(&request.title)?;
    let session = writer.session();
    let (base, in_force) = session.charter()?;
    let charter = request.file.charter(&request.folder, |members| {
        removals(session, in_force, members)
    })?;
    if charter == *in_force {
        let message = "The charter in force is the same already.";
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
        Content::Charter(old) => match &old.charter {
            ProposedCharter::Known(known) => old.base == base && **known == *charter,
            ProposedCharter::Newer { .. } => false,
        },
        Content::Ref(_) => false,
    };
    let is_open = |id| matches!(tally.state(id), Some(State::Open | State::Approved));
    let mut mine = tally.proposals().filter(|p| p.proposer == *writer.member());
    mine.find(|p| is_same(tally.content(p)) && is_open(p.id))
        .map(|p| p.id)
}

/// Former members: those of the charter in force, and the members that the new charter leaves out,
/// each with the last known entry.
fn removals(session: &Session, in_force: &Charter, members: &[Member]) -> Vec<Removal> {
    let tally = &session.loaded.tally;
    let dag = tally.dag();
    let last = |member: &Member| {
        let tips = own_tips(tally, &member.name);
        let entries = tips.into_iter().map(|tip| dag.entry(tip));
        let latest = entries.max_by_key(|entry| (entry.seq, entry.id));
        latest.map(|entry| entry.id)
    };
    let is_left_out = |old: &&Member| !members.iter().any(|member| member.name == old.name);
    let left_out = in_force.members().iter().filter(is_left_out);
    let new = left_out.map(|member| Removal {
        key: member.key,
        last: last(member),
        name: member.name.clone(),
    });
    in_force.removed().iter().cloned().chain(new).collect()
}
