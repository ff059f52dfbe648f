//! Proposing a value of a protected ref.

use schemars::JsonSchema;
use serde::Serialize;

use super::next_for;
use crate::charter::{RefName, RefPattern};
use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::session::Session;
use crate::client::views::proposal::ProposalView;
use crate::client::writer::Writer;
use crate::client::{Code, Context, NextStep};
use crate::consensus::landing::{landed_count, ref_moves};
use crate::consensus::{Content, State, Subject};
use crate::id::{EntryId, Oid};
use crate::ledger::{RefProposal, Review, Statement, Verdict};
use crate::repo::{Ident, MergeOutcome};
use crate::store::compute_binding;

/// What to propose.
#[derive(Debug, Clone)]
pub struct Propose {
    /// The protected ref, as a full name or as a branch. `None` means the only protected one.
    pub onto: Option<String>,
    /// What becomes of the ref.
    pub target: Target,
    /// A title for reviewers: one line, at most 200 bytes.
    pub title: String,
    /// A description for reviewers, at most 16384 bytes.
    pub text: String,
    /// Whether the proposer approves the proposal at once.
    pub approve: bool,
}

/// What becomes of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// It moves to this commit, which must contain the value that the ref will have.
    Commit(String),
    /// It moves to this commit, after merging the value that the ref will have. A conflict is an
    /// error.
    Merge(String),
    /// It moves to this commit, whatever that contains.
    Rewrite(String),
    /// It is deleted.
    Delete,
}

/// What was proposed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Proposed {
    /// The proposal.
    pub id: EntryId,
    /// Whether the member had proposed the same before.
    pub existing: bool,
    /// Entries that were appended, in order.
    pub entries: Vec<EntryId>,
    /// The proposal as it is now.
    pub proposal: ProposalView,
}

impl Proposed {
    pub(super) fn answer(writer: &Writer, id: EntryId, existing: bool) -> Result<Answer<Self>> {
        let view = Self {
            id,
            existing,
            entries: writer.appended().to_vec(),
            proposal: writer.session().view(id)?,
        };
        let next = next_for(&view.proposal);
        Ok(Answer::yes(view)
            .next(next)
            .notes(writer.session().notes.clone()))
    }
}

/// Proposes that a protected ref move, approves the proposal, and pushes. The same proposal again
/// adds nothing.
pub fn propose(
    writer: &mut Writer,
    context: &Context,
    request: &Propose,
) -> Result<Answer<Proposed>> {
    check_title(&request.title)?;
    let name = choose_ref(writer.session(), request.onto.as_deref())?;
    let (base, from) = expected_value(writer, &name)?;
    let to = proposed_value(writer, context, &request.target, &name, from)?;
    if from == to {
        let message = format!("{name} {} already.", is_value(to));
        return Err(Error::new(Code::NothingToPropose, message));
    }
    let wanted = Wanted {
        name,
        base,
        from,
        to,
        title: request.title.clone(),
        text: request.text.clone(),
    };
    let existing = find_existing(writer, &wanted);
    let id = match existing {
        Some(id) => id,
        None => append(writer, wanted)?,
    };
    if request.approve {
        approve(writer, id)?;
    }
    writer.finish(&[])?;
    Proposed::answer(writer, id, existing.is_some())
}

/// Refuses a title of blanks: reviewers would see an empty line.
pub(super) fn check_title(title: &str) -> Result<()> {
    if title.trim().is_empty() {
        let message = "The title is empty, so reviewers could not tell what is proposed.";
        return Err(Error::new(Code::BadInput, message));
    }
    Ok(())
}

/// A proposal in the making.
struct Wanted {
    name: RefName,
    base: EntryId,
    from: Option<Oid>,
    to: Option<Oid>,
    title: String,
    text: String,
}

/// A value of a ref, for a message: "is absent" or "is at <id>".
fn is_value(value: Option<Oid>) -> String {
    value.map_or("is absent".to_owned(), |oid| format!("is at {oid}"))
}

/// The protected ref that was named, in full or as a branch, or the only protected one.
pub fn choose_ref(session: &Session, asked: Option<&str>) -> Result<RefName> {
    let (_, charter) = session.charter()?;
    let Some(asked) = asked else {
        let refs: Vec<_> = charter
            .protected()
            .iter()
            .filter_map(RefPattern::exact)
            .collect();
        return match refs.as_slice() {
            [one] => Ok(one.clone()),
            _ => {
                let message = "The charter protects several refs, or only patterns of refs.";
                Err(Error::new(Code::WhichRef, message).next(NextStep::NameRef))
            }
        };
    };
    let candidates = [
        asked.to_owned(),
        format!("refs/heads/{asked}"),
        format!("refs/tags/{asked}"),
    ];
    let mut names = candidates
        .iter()
        .filter_map(|text| text.parse::<RefName>().ok());
    names.find(|name| charter.protects(name)).ok_or_else(|| {
        let message = format!(
            "The charter does not protect {asked}. It needs no decision: push it as usual."
        );
        Error::new(Code::NotProtected, message).next(NextStep::ShowCharter)
    })
}

/// The decision that the next proposal builds on, and the value that the ref will have by then.
fn expected_value(writer: &Writer, name: &RefName) -> Result<(EntryId, Option<Oid>)> {
    let tally = &writer.session().loaded.tally;
    let chain = tally.chain(&Subject::Ref(name.clone())).ok_or_else(|| {
        Error::new(
            Code::NotProtected,
            format!("The charter does not protect {name}."),
        )
    })?;
    if !chain.rivals.is_empty() {
        let message = format!("{name} has two decisions for one slot, so nothing can follow.");
        return Err(Error::new(Code::AgreementBroken, message).next(NextStep::Verify));
    }
    let now = writer.expected(name.as_str())?;
    let moves = ref_moves(tally, &chain.decided);
    let can_land = landed_count(&moves, now) > 0 || moves.iter().any(|m| m.from == now);
    let will_be = match moves.last() {
        // A decision that can still land will have landed by then. One that never can is ignored.
        Some(last) if can_land => last.to,
        _ => now,
    };
    Ok((chain.next.base, will_be))
}

fn proposed_value(
    writer: &Writer,
    context: &Context,
    target: &Target,
    name: &RefName,
    from: Option<Oid>,
) -> Result<Option<Oid>> {
    let revision = match target {
        Target::Delete => return Ok(None),
        Target::Commit(revision) | Target::Merge(revision) | Target::Rewrite(revision) => revision,
    };
    let session = writer.session();
    // A ref among the tags may hold an annotated tag itself.
    let is_tag = name.as_str().starts_with("refs/tags/");
    let found = if is_tag {
        session.repo.resolve_tag(revision)?
    } else {
        session.repo.resolve(revision)?
    };
    let commit = found.ok_or_else(|| {
        let message = format!("{revision:?} does not name a commit here.");
        Error::new(Code::NotFound, message)
    })?;
    let Some(from) = from else {
        return Ok(Some(commit));
    };
    let objects = session.loaded.objects();
    if !objects.contains(from)? {
        let message = format!("The value of {name}, {from}, is not in this repository.");
        return Err(Error::new(Code::NotFetched, message).next(NextStep::Fetch));
    }
    if objects.is_ancestor(from, commit)? {
        return Ok(Some(commit));
    }
    match target {
        Target::Merge(_) => merge(writer, context, from, commit).map(Some),
        Target::Rewrite(_) => Ok(Some(commit)),
        Target::Commit(_) | Target::Delete => {
            let message =
                format!("{commit} is not a descendant of {from}, the value that {name} will have.");
            Err(Error::new(Code::NotDescendant, message).next(NextStep::MergeOrRebase))
        }
    }
}

fn merge(writer: &Writer, context: &Context, ours: Oid, theirs: Oid) -> Result<Oid> {
    if let Some(merged) = merged_before(writer, ours, theirs)? {
        return Ok(merged);
    }
    let member = writer.member();
    let ident = Ident {
        name: member.to_string(),
        email: format!("{member}@git-quorum.invalid"),
        seconds: context.clock.entry_time(),
    };
    let message = format!("Merge {theirs}\n");
    let repo = &writer.session().repo;
    match repo.merge(ours, theirs, &message, &ident)? {
        MergeOutcome::Commit(merged) => Ok(merged),
        MergeOutcome::Conflict(paths) => {
            let listed = paths.join(", ");
            let message = format!("Merging {theirs} into {ours} conflicts in {listed}.");
            Err(Error::new(Code::MergeConflict, message)
                .next(NextStep::ResolveConflict)
                .details(serde_json::json!({"paths": paths})))
        }
    }
}

/// The merge of the same two commits that the member has proposed before. A merge made anew would
/// get another time, and with it another id.
fn merged_before(writer: &Writer, ours: Oid, theirs: Oid) -> Result<Option<Oid>> {
    let loaded = &writer.session().loaded;
    let mine = loaded
        .tally
        .proposals()
        .filter(|p| p.proposer == *writer.member());
    for proposal in mine {
        let Content::Ref(RefProposal { to: Some(to), .. }) = loaded.tally.content(proposal) else {
            continue;
        };
        let objects = loaded.objects();
        if objects.contains(*to)? && objects.parents(*to)? == [ours, theirs] {
            return Ok(Some(*to));
        }
    }
    Ok(None)
}

/// The member's own open proposal that asks for the same.
fn find_existing(writer: &Writer, wanted: &Wanted) -> Option<EntryId> {
    let tally = &writer.session().loaded.tally;
    let is_same = |content: Content<'_>| match content {
        Content::Ref(old) => {
            old.name == wanted.name
                && old.base == wanted.base
                && old.from == wanted.from
                && old.to == wanted.to
                && old.title == wanted.title
                && old.text == wanted.text
        }
        Content::Charter(_) => false,
    };
    let still_counts = |id| {
        let state = tally.state(id);
        matches!(state, Some(State::Open | State::Approved | State::Decided))
    };
    let mut mine = tally.proposals().filter(|p| p.proposer == *writer.member());
    mine.find(|p| is_same(tally.content(p)) && still_counts(p.id))
        .map(|p| p.id)
}

fn append(writer: &mut Writer, wanted: Wanted) -> Result<EntryId> {
    let loaded = &writer.session().loaded;
    let bound = compute_binding(
        &loaded.tally,
        loaded.objects(),
        wanted.base,
        &wanted.name,
        (wanted.from, wanted.to),
    )?;
    let keep = wanted.to;
    let statement = Statement::Propose(RefProposal {
        base: wanted.base,
        change: bound.change,
        from: wanted.from,
        name: wanted.name,
        rewrite: bound.rewrite,
        state: bound.state,
        text: wanted.text,
        title: wanted.title,
        to: wanted.to,
    });
    let id = writer.append(vec![statement], keep)?;
    id.ok_or_else(|| Error::internal("The proposal was not appended."))
}

/// Adds the proposer's own approval, if it counts and has not been given.
pub(super) fn approve(writer: &mut Writer, id: EntryId) -> Result<()> {
    let (charter, electorate) = writer.session().charter()?;
    let counts = electorate.votes(writer.member()) && electorate.rules().own_approval_counts;
    let tally = &writer.session().loaded.tally;
    let has_approved = tally.approvers(charter, id).contains(writer.member());
    if !counts || has_approved || tally.is_decided(id) {
        return Ok(());
    }
    let review = Review {
        evidence: Vec::new(),
        proposal: id,
        text: String::new(),
        verdict: Verdict::Approve,
    };
    writer.append(vec![Statement::Review(review)], None)?;
    Ok(())
}
