//! `git quorum verify`: checks, offline and from scratch, that protected refs hold what was decided.

use std::collections::BTreeSet;

use serde_json::json;

use super::faults::{describe_broken, fault_json};
use super::legacy::SHOWN;
use super::session::{Session, choose_remote, open_repo, pinned_ledger};
use super::style::Text;
use super::view::{evidence_of, fault_lines, names};
use super::{Answer, Exit, Failure, Reply};
use crate::audit::{Backing, DecisionAudit, RefAudit, audit_decisions, audit_ref};
use crate::charter::RefName;
use crate::consensus::{Content, Fault, Subject};
use crate::id::{EntryId, Oid};

/// Where a value of this clone's own stands.
const HERE: &str = "here";
/// Where Git puts what it fetches.
const TRACKING: &str = "refs/remotes/";

/// A protected ref, where a value of it stands, and the value.
type Value = (RefName, String, Option<Oid>);

/// What the caller asks of the values.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// The refs were named.
    named: bool,
    /// Each must be backed.
    backed: bool,
}

/// Verify that protected refs hold what was decided.
///
/// Recomputes every decision from the entries; does no network and trusts no cache.
///
/// A branch of this clone that is ahead of what the remote showed is work that has not landed, and no violation
/// unless it is named; what `git fetch` brought since the last `git quorum sync` is one if no decision that is
/// here backs it. Exit status 7: a value that no decision backs, a broken agreement, a decision whose commits
/// are not what was decided, or are not here although its value is, an entry that is missing, or UNPINNED.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Protected refs [default: all that exist here, and as the remotes showed them last].
    refs: Vec<String>,
    /// Verify this commit as the value of the one ref named.
    #[arg(long, value_name = "COMMIT", requires = "refs")]
    at: Option<String>,
    /// Every value must be backed by a decision: for a required check, since a server that hides the lanes
    /// shows a ledger in which nothing is decided yet.
    #[arg(long)]
    backed: bool,
    /// The ledger id, if this clone has not pinned it.
    #[arg(long, value_name = "ID")]
    genesis: Option<String>,
}

pub fn run(args: VerifyArgs) -> Answer {
    let repo = open_repo()?;
    if repo.is_shallow() || repo.is_partial()? {
        return Err(Failure::new(
            "INCOMPLETE_CLONE",
            "this clone is shallow or partial: nothing is certified from it",
        )
        .exit(Exit::Unverified)
        .hint("git fetch --unshallow, or clone again without --depth and --filter"));
    }
    let pin = pinned_ledger(&repo)?;
    let session = Session::open_afresh(repo, args.genesis.as_deref())?;
    refuse_incomplete(&session)?;
    let ledger = session.loaded.tally.dag().ledger();
    if let Some(asked) = &args.genesis
        && Session::find(asked, "ledger", std::iter::once(ledger)).is_err()
    {
        return Err(Failure::new(
            "OTHER_LEDGER",
            format!("the ledger here is {ledger}, not {asked}"),
        )
        .exit(Exit::Unverified));
    }
    let whole_id = args
        .genesis
        .as_ref()
        .is_some_and(|asked| *asked == ledger.to_string());
    let refs = audit_refs(&session, &args)?;
    let decisions = decisions_of(&session, &refs);
    report(
        &session,
        (
            &refs,
            Wanted {
                named: !args.refs.is_empty(),
                backed: args.backed,
            },
        ),
        &decisions,
        pin.is_some() || whole_id,
    )
}

/// Git never stores a ref without what it leads to, so an entry that is missing was lost here. Without it a decision
/// could look as if it had never been made.
fn refuse_incomplete(session: &Session) -> Result<(), Failure> {
    for problem in &session.loaded.problems {
        if !session.loaded.objects().contains(problem.culprit)? {
            let message = format!(
                "{} leads to object {}, which is missing: nothing is certified",
                problem.name, problem.culprit
            );
            return Err(Failure::new("INCOMPLETE_CLONE", message)
                .exit(Exit::Unverified)
                .hint("git fsck shows what else is missing; clone again, or fetch it from where it still is"));
        }
    }
    Ok(())
}

/// The values to check: of the named refs, or of all protected ones that are known.
fn audit_refs(session: &Session, args: &VerifyArgs) -> Result<Vec<RefAudit>, Failure> {
    let tally = &session.loaded.tally;
    if let Some(commit) = &args.at {
        let [name] = args.refs.as_slice() else {
            return Err(Failure::new("USAGE", "--at goes with one ref").exit(Exit::Usage));
        };
        let name = super::legacy::choose_ref(session, Some(name))?;
        let value = session.repo.resolve(commit)?;
        let value = value.ok_or_else(|| {
            Failure::new("NOT_FOUND", format!("{commit:?} names no commit here"))
                .exit(Exit::NotFound)
        })?;
        return Ok(audit_ref(tally, &name, commit, Some(value))
            .into_iter()
            .collect());
    }
    let known = known_values(session)?;
    if args.refs.is_empty() {
        return Ok(known
            .into_iter()
            .filter_map(|(name, place, value)| audit_ref(tally, &name, &place, value))
            .collect());
    }
    let mut audits = Vec::new();
    for asked in &args.refs {
        let name = super::legacy::choose_ref(session, Some(asked))?;
        let mut values: Vec<_> = known
            .iter()
            .filter(|(n, _, _)| *n == name)
            .cloned()
            .collect();
        if values.is_empty() {
            values.push((name, HERE.to_owned(), None));
        }
        audits.extend(
            values
                .iter()
                .filter_map(|(name, place, value)| audit_ref(tally, name, place, *value)),
        );
    }
    Ok(audits)
}

/// Every value of a protected ref that is known: here, and as remotes showed it last.
fn known_values(session: &Session) -> Result<Vec<Value>, Failure> {
    let (_, charter) = session.charter()?;
    let mut found = Vec::new();
    for (full, oid) in session.repo.list(&["refs/"])? {
        let seen = session.loaded.refs.read_incoming(&full);
        let (place, name) = seen.unwrap_or_else(|| (HERE.to_owned(), full));
        if let Some(name) = name.parse::<RefName>().ok().filter(|n| charter.protects(n)) {
            found.push((name, place, Some(oid)));
        }
    }
    let fetched = fetched_since(session, &found)?;
    found.extend(fetched);
    found.extend(gone_values(session, &found)?);
    Ok(found)
}

/// Refs that have decisions and are gone, from the remote or everywhere: to delete one needs a decision too.
fn gone_values(session: &Session, known: &[Value]) -> Result<Vec<Value>, Failure> {
    let place = shown_remote(session)?.unwrap_or_else(|| HERE.to_owned());
    let is_there = |name: &RefName| {
        known
            .iter()
            .any(|(n, at, _)| n == name && (place == HERE || *at == place))
    };
    let decided = session
        .loaded
        .tally
        .proposals()
        .filter(|p| session.loaded.tally.is_decided(p.id));
    let names: BTreeSet<_> = decided
        .filter_map(|proposal| match &proposal.slot.subject {
            Subject::Ref(name) => Some(name.clone()),
            Subject::Charter => None,
        })
        .collect();
    Ok(names
        .into_iter()
        .filter(|name| !is_there(name))
        .map(|name| (name, place.clone(), None))
        .collect())
}

/// The remote that this clone exchanges with, as a place, if it has shown anything.
fn shown_remote(session: &Session) -> Result<Option<String>, Failure> {
    let Some(remote) = choose_remote(&session.repo, None)? else {
        return Ok(None);
    };
    let prefix = session.loaded.refs.incoming_prefix(&remote);
    let has_shown = !session.repo.list(&[&prefix])?.is_empty();
    let place = prefix
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .map(str::to_owned);
    Ok(place.filter(|_| has_shown))
}

/// Branches of the remotes as Git itself fetched them after the ledger was: their values are no work of this
/// clone's. What lies behind the value that the remote showed was fetched before.
fn fetched_since(session: &Session, known: &[Value]) -> Result<Vec<Value>, Failure> {
    let objects = session.loaded.objects();
    let mut found = Vec::new();
    for (name, place, shown) in known.iter().filter(|(_, place, _)| place != HERE) {
        let Some(branch) = name.as_str().strip_prefix("refs/heads/") else {
            continue;
        };
        let tracking = format!("{TRACKING}{place}/{branch}");
        let Some(value) = session.repo.read(&tracking)? else {
            continue;
        };
        let is_old = shown.is_some_and(|shown| objects.is_ancestor(value, shown).unwrap_or(false));
        if !is_old {
            found.push((name.clone(), tracking, Some(value)));
        }
    }
    Ok(found)
}

/// All decisions, those of the charter and of these refs first.
fn decisions_of(session: &Session, refs: &[RefAudit]) -> Vec<DecisionAudit> {
    let names: BTreeSet<_> = refs.iter().map(|r| r.name.clone()).collect();
    let subjects: Vec<_> = std::iter::once(Subject::Charter)
        .chain(names.into_iter().map(Subject::Ref))
        .collect();
    let tell = |done, of| {
        session
            .repo
            .watcher()
            .at("Auditing decisions", done, Some(of))
    };
    audit_decisions(
        &session.loaded.tally,
        session.loaded.objects(),
        &subjects,
        tell,
    )
}

/// A value that nothing backs violates what was decided, but for a branch of this clone: that may be
/// work that has not landed, as long as the remote's value is known and nobody asked for this one.
fn is_violation(audit: &RefAudit, refs: &[RefAudit], Wanted { named, backed }: Wanted) -> bool {
    let elsewhere = || {
        refs.iter()
            .any(|other| other.name == audit.name && other.place != HERE)
    };
    let own_work = audit.place == HERE && !named && elsewhere();
    let lacks = audit.backing == Backing::NotBacked || (backed && audit.backing != Backing::Backed);
    lacks && !own_work
}

fn report(
    session: &Session,
    (refs, wanted): (&[RefAudit], Wanted),
    decisions: &[DecisionAudit],
    pinned: bool,
) -> Answer {
    let tally = &session.loaded.tally;
    let ledger = tally.dag().ledger();
    let faults = tally.faults();
    let evidence = evidence_of(&faults);
    let mut violations: Vec<String> = refs
        .iter()
        .filter(|r| is_violation(r, refs, wanted))
        .map(describe_violation)
        .collect();
    violations.extend(decisions.iter().filter_map(|d| {
        d.problem
            .as_ref()
            .map(|p| format!("decision {}: {p}", d.proposal.short()))
    }));
    violations.extend(
        decisions
            .iter()
            .filter_map(|d| describe_unchecked(session, refs, d)),
    );
    violations.extend(tally.broken(&faults).iter().map(describe_broken));
    let mut lines: Vec<_> = refs.iter().map(describe).collect();
    let earlier = decisions.len().saturating_sub(SHOWN);
    lines.extend(
        (earlier > 0)
            .then(|| format!("  {earlier} more decisions, checked too; --json lists them")),
    );
    lines.extend(decisions.iter().skip(earlier).map(describe_decision));
    lines.extend(fault_lines(&faults, SHOWN).iter().map(Text::plain));
    let data = json!({
        "ledger": ledger, "pinned": pinned, "refs": refs, "decisions": decisions, "evidence": evidence,
        "faults": faults.iter().map(fault_json).collect::<Vec<_>>(),
        "violations": violations, "entries": tally.dag().entries().len(),
        "charter": tally.charter_in_force(),
        "lane_problems": session.loaded.problems.iter().map(|p| json!({
            "ref": p.name, "code": p.reject.reason.code(), "message": p.reject.to_string(), "last_good": p.last_good,
        })).collect::<Vec<_>>(),
    });
    if !violations.is_empty() {
        let message = format!("{}\n{}", violations.join("\n"), lines.join("\n"));
        return Err(Failure::new("VERIFICATION_FAILED", message)
            .exit(Exit::Unverified)
            .hint(hint(refs, &faults))
            .data(data));
    }
    if !pinned {
        let message = format!(
            "everything fits ledger {ledger}, but nothing says that this is the right ledger"
        );
        return Err(Failure::new("UNPINNED", message)
            .exit(Exit::Unverified)
            .hint(format!(
                "ask its founder for the id, then: git quorum verify --genesis {ledger}"
            ))
            .data(data));
    }
    lines.insert(
        0,
        format!(
            "ledger {ledger}: {} entries, every signature checked",
            tally.dag().entries().len()
        ),
    );
    Ok(Reply::new(data, lines.join("\n"))?.with_notes(session.notes.clone()))
}

fn hint(refs: &[RefAudit], faults: &[Fault]) -> String {
    let fetched = |r: &RefAudit| r.place.starts_with(TRACKING) && r.backing == Backing::NotBacked;
    if refs.iter().any(fetched) {
        return "the decision may have come since: git fetch, git quorum sync, then git quorum verify".to_owned();
    }
    let members: BTreeSet<_> = faults.iter().map(|fault| fault.member.clone()).collect();
    match members.is_empty() {
        true => "find out who moved the ref past the gate".to_owned(),
        false => format!("convicted by their own votes: {}", names(&members)),
    }
}

fn describe_violation(audit: &RefAudit) -> String {
    let value = audit
        .value
        .map_or("absent".to_owned(), |oid| oid.to_string());
    format!(
        "{} ({}) is {value}, which no decision backs",
        audit.name, audit.place
    )
}

/// That the commits of a ref's last decision are not all here. Of an earlier one they may be gone, after a rewrite; those
/// of the value itself Git keeps.
fn describe_unchecked(
    session: &Session,
    refs: &[RefAudit],
    decision: &DecisionAudit,
) -> Option<String> {
    let why = decision.unchecked.as_ref()?;
    let tally = &session.loaded.tally;
    let rewrites = match tally.content(tally.proposal(decision.proposal)?) {
        Content::Ref(change) => change.rewrite || change.to.is_none(),
        Content::Charter(_) => false,
    };
    let is_value = refs.iter().any(|r| r.decision == Some(decision.proposal));
    (is_value && !rewrites).then(|| {
        format!(
            "decision {}: its commits cannot be read: {why}",
            decision.proposal.short()
        )
    })
}

fn describe(audit: &RefAudit) -> String {
    let value = audit.value.map_or("absent".to_owned(), |oid| oid.short());
    let found = match audit.backing {
        Backing::Backed => {
            let by = audit
                .decision
                .map_or(String::new(), |id: EntryId| id.short());
            format!(
                "backed by decision {by} ({} of {})",
                audit.landed, audit.decided
            )
        }
        Backing::NothingDecided => {
            "nothing decided about it yet, so nothing vouches for it".to_owned()
        }
        Backing::NothingLanded => format!("none of {} decisions has landed", audit.decided),
        Backing::NotBacked => "NOT BACKED by any decision".to_owned(),
        Backing::AgreementBroken => "AGREEMENT BROKEN".to_owned(),
    };
    format!("{} ({}) is {value}: {found}", audit.name, audit.place)
}

fn describe_decision(decision: &DecisionAudit) -> String {
    let members: Vec<_> = decision
        .precommits
        .keys()
        .map(ToString::to_string)
        .collect();
    let unchecked = decision.unchecked.as_ref().map_or(String::new(), |why| {
        format!("; not compared with its commits: {why}")
    });
    format!(
        "  decision {} {}: {} (proposed by {}, round {}, agreed by {}){unchecked}",
        decision.proposal.short(),
        decision.subject,
        decision.title,
        decision.proposer,
        decision.round,
        members.join(", ")
    )
}
