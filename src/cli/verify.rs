//! `git quorum verify`: checks, offline and from scratch, that protected refs hold what was decided.

use std::collections::BTreeSet;

use serde_json::json;

use super::faults::fault_json;
use super::legacy::SHOWN;
use super::session::{Session, choose_remote, open_repo, pinned_ledger};
use super::style::Text;
use super::view::{evidence_of, fault_lines, names};
use super::{Answer, Exit, Failure, Reply};
use crate::audit::{
    Backing, DecisionAudit, Place, Policy, RefAudit, Verification, Violation, audit_ref,
    known_values, missing_entry, values_of, verify,
};
use crate::consensus::Fault;
use crate::id::EntryId;
use crate::wording::broken_slot;

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
    let policy = Policy {
        refs_named: !args.refs.is_empty(),
        all_backed: args.backed,
    };
    let progress = |done, of| {
        session
            .repo
            .watcher()
            .at("Auditing decisions", done, Some(of))
    };
    let loaded = &session.loaded;
    let found = verify(&loaded.tally, loaded.objects(), refs, policy, progress);
    report(&session, &found, pin.is_some() || whole_id)
}

/// Refuses to certify anything while an entry is missing.
fn refuse_incomplete(session: &Session) -> Result<(), Failure> {
    let Some(problem) = missing_entry(&session.loaded)? else {
        return Ok(());
    };
    let message = format!(
        "{} leads to object {}, which is missing: nothing is certified",
        problem.name, problem.culprit
    );
    Err(Failure::new("INCOMPLETE_CLONE", message)
        .exit(Exit::Unverified)
        .hint(
            "git fsck shows what else is missing; clone again, or fetch it from where it still is",
        ))
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
        let place = Place::Named(commit.clone());
        return Ok(audit_ref(tally, &name, place, Some(value))
            .into_iter()
            .collect());
    }
    let remote = choose_remote(&session.repo, None)?;
    let known = known_values(&session.loaded, remote.as_deref())?;
    let mut values = Vec::new();
    if args.refs.is_empty() {
        values = known;
    } else {
        for asked in &args.refs {
            let name = super::legacy::choose_ref(session, Some(asked))?;
            values.extend(values_of(&known, &name));
        }
    }
    let audits = values
        .into_iter()
        .filter_map(|found| audit_ref(tally, &found.name, found.place, found.value));
    Ok(audits.collect())
}

fn report(session: &Session, found: &Verification, pinned: bool) -> Answer {
    let Verification {
        refs,
        decisions,
        faults,
        violations,
    } = found;
    let tally = &session.loaded.tally;
    let ledger = tally.dag().ledger();
    let evidence = evidence_of(faults);
    let violations: Vec<_> = violations.iter().map(describe_violation).collect();
    let mut lines: Vec<_> = refs.iter().map(describe).collect();
    let earlier = decisions.len().saturating_sub(SHOWN);
    lines.extend(
        (earlier > 0)
            .then(|| format!("  {earlier} more decisions, checked too; --json lists them")),
    );
    lines.extend(decisions.iter().skip(earlier).map(describe_decision));
    lines.extend(fault_lines(faults, SHOWN).iter().map(Text::plain));
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
            .hint(hint(refs, faults))
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
    let fetched = |r: &RefAudit| {
        r.place.to_string().starts_with("refs/remotes/") && r.backing == Backing::NotBacked
    };
    if refs.iter().any(fetched) {
        return "the decision may have come since: git fetch, git quorum sync, then git quorum verify".to_owned();
    }
    let members: BTreeSet<_> = faults.iter().map(|fault| fault.member.clone()).collect();
    match members.is_empty() {
        true => "find out who moved the ref past the gate".to_owned(),
        false => format!("convicted by their own votes: {}", names(&members)),
    }
}

fn describe_violation(violation: &Violation) -> String {
    match violation {
        Violation::NotBacked { name, place, value } => {
            let value = value.map_or("absent".to_owned(), |oid| oid.to_string());
            format!("{name} ({place}) is {value}, which no decision backs")
        }
        Violation::DecisionDiffers { proposal, problem } => {
            format!("decision {}: {problem}", proposal.short())
        }
        Violation::DecisionUnreadable { proposal, why } => format!(
            "decision {}: its commits cannot be read: {why}",
            proposal.short()
        ),
        Violation::AgreementBroken(slot) => broken_slot(slot),
    }
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
