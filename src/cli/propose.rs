//! `git quorum propose`: proposes a value of a protected ref.

use serde_json::json;

use super::identity::WriteArgs;
use super::session::{Session, Writer};
use super::style::Text;
use super::{Answer, Exit, Failure, Outcome};
use crate::charter::{RefName, RefPattern};
use crate::consensus::landing::{landed_count, ref_moves};
use crate::consensus::{Content, Subject};
use crate::id::{EntryId, Oid};
use crate::ledger::{RefProposal, Review, Statement, Verdict};
use crate::repo::{Expect, Ident, MergeOutcome, RefEdit};
use crate::store::compute_binding;

/// Propose that a protected ref move to a commit, approve it, and push.
///
/// The commit must contain the ref's value as decided last; --merge builds a merge commit if it does
/// not, without touching the working tree. The same proposal again adds nothing.
#[derive(Debug, clap::Args)]
pub struct ProposeArgs {
    /// The commit that becomes the ref's value.
    #[arg(default_value = "HEAD")]
    commit: String,
    /// The protected ref [default: the only protected branch].
    #[arg(long, value_name = "REF")]
    onto: Option<String>,
    /// A title for reviewers: one line, at most 200 bytes.
    #[arg(short = 'm', long, value_name = "TITLE")]
    title: String,
    /// A description for reviewers, at most 16384 bytes.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Read the description from a file, or from standard input if it is -.
    #[arg(short = 'F', long, value_name = "FILE", conflicts_with = "description")]
    file: Option<std::path::PathBuf>,
    /// Merge the ref's value into the commit first; refused on conflict.
    #[arg(long, conflicts_with_all = ["rewrite", "delete"])]
    merge: bool,
    /// Propose a commit that does not contain the ref's value.
    #[arg(long, conflicts_with = "delete")]
    rewrite: bool,
    /// Propose to delete the ref.
    #[arg(long)]
    delete: bool,
    /// Do not approve the proposal at once.
    #[arg(long)]
    no_approve: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub fn run(args: ProposeArgs) -> Answer {
    let text = super::text_input(args.description.clone(), args.file.as_deref())?;
    let mut writer = Writer::open(&args.write)?;
    let name = choose_ref(&writer.session, args.onto.as_deref())?;
    let (base, from) = expected(&writer, &name)?;
    let to = proposed(&writer, &args, &name, from)?;
    if from == to {
        let now = to.map_or("absent".to_owned(), |oid| oid.to_string());
        return Err(
            Failure::new("NOTHING_TO_PROPOSE", format!("{name} is {now} already")).exit(Exit::No),
        );
    }
    let wanted = Wanted {
        name,
        base,
        from,
        to,
        title: args.title.clone(),
        text,
    };
    let existing = find_existing(&writer, &wanted);
    let id = match existing {
        Some(id) => id,
        None => append(&mut writer, &wanted)?,
    };
    if !args.no_approve {
        approve(&mut writer, id)?;
    }
    writer.finish(&[])?;
    report(&writer, id, existing.is_some())
}

struct Wanted {
    name: RefName,
    base: EntryId,
    from: Option<Oid>,
    to: Option<Oid>,
    title: String,
    text: String,
}

/// The protected ref that was named, in full or as a branch, or the only protected branch.
pub fn choose_ref(session: &Session, asked: Option<&str>) -> Result<RefName, Failure> {
    let (_, charter) = session.charter()?;
    let Some(asked) = asked else {
        let branches: Vec<_> = charter
            .protected()
            .iter()
            .filter_map(RefPattern::exact)
            .collect();
        return match branches.as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(Failure::new(
                "WHICH_REF",
                "the charter protects several refs, or only patterns",
            )
            .exit(Exit::Usage)
            .hint("name one: --onto refs/heads/main")),
        };
    };
    let candidates = [
        asked.to_owned(),
        format!("refs/heads/{asked}"),
        format!("refs/tags/{asked}"),
    ];
    let names = candidates
        .iter()
        .filter_map(|text| text.parse::<RefName>().ok());
    names
        .into_iter()
        .find(|name| charter.protects(name))
        .ok_or_else(|| {
            Failure::new(
                "NOT_PROTECTED",
                format!("{asked} is not protected: it needs no decision, push it as usual"),
            )
            .exit(Exit::NotFound)
            .hint("git quorum charter show")
        })
}

/// The decision that comes next builds on this one, and expects this value.
fn expected(writer: &Writer, name: &RefName) -> Result<(EntryId, Option<Oid>), Failure> {
    let tally = &writer.session.loaded.tally;
    let subject = Subject::Ref(name.clone());
    let chain = tally
        .chain(&subject)
        .ok_or_else(|| Failure::new("NOT_PROTECTED", format!("{name} is not protected")))?;
    if !chain.rivals.is_empty() {
        return Err(Failure::new(
            "AGREEMENT_BROKEN",
            format!("{name} has two decisions for one slot: nothing can follow"),
        )
        .exit(Exit::Unverified)
        .hint("git quorum verify names the members that broke it"));
    }
    let now = writer.expected(name.as_str())?;
    let steps = ref_moves(tally, &chain.decided);
    let will_be = match steps.last() {
        // A decision that can still land will have landed by then; one that never can does not count.
        Some(last)
            if landed_count(&steps, now) > 0 || steps.iter().any(|step| step.from == now) =>
        {
            last.to
        }
        _ => now,
    };
    Ok((chain.next.base, will_be))
}

fn proposed(
    writer: &Writer,
    args: &ProposeArgs,
    name: &RefName,
    from: Option<Oid>,
) -> Result<Option<Oid>, Failure> {
    if args.delete {
        return Ok(None);
    }
    let repo = &writer.session.repo;
    // A ref among the tags may hold an annotated tag itself.
    let is_tag = name.as_str().starts_with("refs/tags/");
    let found = if is_tag {
        repo.resolve_tag(&args.commit)?
    } else {
        repo.resolve(&args.commit)?
    };
    let commit = found.ok_or_else(|| {
        Failure::new(
            "NOT_FOUND",
            format!("{:?} names no commit here", args.commit),
        )
        .exit(Exit::NotFound)
    })?;
    let objects = writer.session.loaded.objects();
    let contains = match from {
        Some(from) if !objects.contains(from)? => {
            return Err(
                Failure::new("NOT_FETCHED", format!("the ref's value {from} is not here"))
                    .exit(Exit::Conflict)
                    .hint("git fetch"),
            );
        }
        Some(from) => objects.is_ancestor(from, commit)?,
        None => true,
    };
    match from {
        Some(from) if !contains && args.merge => merge(writer, from, commit).map(Some),
        Some(from) if !contains && !args.rewrite => Err(Failure::new(
            "NOT_DESCENDANT",
            format!(
                "{} does not contain {from}, which the ref will be at",
                commit
            ),
        )
        .exit(Exit::Conflict)
        .hint("--merge builds the merge; or rebase; or --rewrite if history is to be replaced")),
        _ => Ok(Some(commit)),
    }
}

fn merge(writer: &Writer, ours: Oid, theirs: Oid) -> Result<Oid, Failure> {
    if let Some(merged) = merged_before(writer, ours, theirs)? {
        return Ok(merged);
    }
    let member = writer.member();
    let ident = Ident {
        name: member.to_string(),
        email: format!("{member}@git-quorum.invalid"),
        seconds: crate::store::now(),
    };
    match writer
        .session
        .repo
        .merge(ours, theirs, &format!("Merge {theirs}\n"), &ident)?
    {
        MergeOutcome::Commit(merged) => Ok(merged),
        MergeOutcome::Conflict(paths) => Err(Failure::new(
            "MERGE_CONFLICT",
            format!(
                "merging {theirs} into {ours} conflicts in {}",
                paths.join(", ")
            ),
        )
        .exit(Exit::Conflict)
        .hint("merge or rebase by hand, then propose again")
        .data(json!({"paths": paths}))),
    }
}

/// The merge of the same two commits that the member has proposed before: made anew it would get
/// another time, and with it another id.
fn merged_before(writer: &Writer, ours: Oid, theirs: Oid) -> Result<Option<Oid>, Failure> {
    let loaded = &writer.session.loaded;
    for proposal in loaded
        .tally
        .proposals()
        .filter(|p| p.proposer == *writer.member())
    {
        let Content::Ref(RefProposal { to: Some(to), .. }) = loaded.tally.content(proposal) else {
            continue;
        };
        if loaded.objects().contains(*to)? && loaded.objects().parents(*to)? == [ours, theirs] {
            return Ok(Some(*to));
        }
    }
    Ok(None)
}

/// The member's own open proposal that asks for the same.
fn find_existing(writer: &Writer, wanted: &Wanted) -> Option<EntryId> {
    let tally = &writer.session.loaded.tally;
    let mine = tally.proposals().filter(|p| p.proposer == *writer.member());
    let same = |content: Content<'_>| match content {
        Content::Ref(old) => {
            let value = old.from == wanted.from && old.to == wanted.to;
            old.name == wanted.name
                && old.base == wanted.base
                && value
                && old.title == wanted.title
                && old.text == wanted.text
        }
        Content::Charter(_) => false,
    };
    let still_open = |id| {
        use crate::consensus::State::{Approved, Decided, Open};
        matches!(tally.state(id), Some(Open | Approved | Decided))
    };
    mine.filter(|p| same(tally.content(p)) && still_open(p.id))
        .map(|p| p.id)
        .next()
}

fn append(writer: &mut Writer, wanted: &Wanted) -> Result<EntryId, Failure> {
    let loaded = &writer.session.loaded;
    let bound = compute_binding(
        &loaded.tally,
        loaded.objects(),
        wanted.base,
        &wanted.name,
        (wanted.from, wanted.to),
    )?;
    let statement = Statement::Propose(RefProposal {
        base: wanted.base,
        change: bound.change,
        from: wanted.from,
        name: wanted.name.clone(),
        rewrite: bound.rewrite,
        state: bound.state,
        text: wanted.text.clone(),
        title: wanted.title.clone(),
        to: wanted.to,
    });
    let (refs, to) = (loaded.refs.clone(), wanted.to);
    let keep = move |id| {
        let edit = |oid| RefEdit {
            name: refs.proposal(id),
            old: Expect::Absent,
            new: Some(oid),
        };
        to.map(edit).into_iter().collect()
    };
    let id = writer.say(vec![statement], keep)?;
    id.ok_or_else(|| Failure::new("INTERNAL", "the proposal was not appended"))
}

/// The proposer's own approval, if it counts and has not been given.
pub fn approve(writer: &mut Writer, id: EntryId) -> Result<(), Failure> {
    let (charter, electorate) = writer.session.charter()?;
    let counts = electorate.votes(writer.member()) && electorate.rules().own_approval_counts;
    let tally = &writer.session.loaded.tally;
    if !counts || tally.is_decided(id) || tally.approvers(charter, id).contains(writer.member()) {
        return Ok(());
    }
    let review = Review {
        evidence: Vec::new(),
        proposal: id,
        text: String::new(),
        verdict: Verdict::Approve,
    };
    writer.say(vec![Statement::Review(review)], |_| Vec::new())?;
    Ok(())
}

fn report(writer: &Writer, id: EntryId, existing: bool) -> Answer {
    let view = writer.session.view(id)?;
    let first = Text::from(if existing {
        "proposed before"
    } else {
        "proposed"
    });
    let mut text = Text::lines([first, view.text()]);
    if view.state == "open" {
        text.push_str(&format!(
            "\nnext: other members run `git quorum review {} --approve -m TEXT`",
            id.short()
        ));
    }
    let data =
        json!({"id": id, "existing": existing, "entries": writer.appended, "proposal": view});
    Ok(Outcome::new(data, text)?.with_notes(writer.session.notes.clone()))
}
