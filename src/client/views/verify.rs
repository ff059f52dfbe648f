//! Whether protected refs hold what was decided. Checks every signature anew and trusts no cache.

use schemars::JsonSchema;
use serde::Serialize;

use super::fault::{FaultView, evidence_of, first_faults};
use crate::audit::{
    Backing, DecisionAudit, Place, Policy, RefAudit, Verification, Violation, audit_ref,
    known_values, missing_entry, values_of,
};
use crate::charter::{MemberName, RefName};
use crate::client::actions::propose::choose_ref;
use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::list::Bounded;
use crate::client::session::{Session, check_whole, choose_remote, find_id, pinned_ledger};
use crate::client::{Code, Context, NextStep};
use crate::consensus::Evidence;
use crate::id::{EntryId, Oid};
use crate::repo::Repo;
use crate::wording::broken_slot;

/// What to verify.
#[derive(Debug, Clone)]
pub struct Verify {
    /// Protected refs, as full names or as branches. Empty means every known value of all of them.
    pub refs: Vec<String>,
    /// Verify this commit as the value of the one ref that is named.
    pub at: Option<String>,
    /// Whether a decision must back every value.
    pub all_backed: bool,
    /// The ledger id, or its first digits.
    pub genesis: Option<String>,
    /// How many items of each list the view has.
    pub limit: usize,
}

/// What a verification found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Verified {
    /// The ledger.
    pub ledger: EntryId,
    /// Whether this clone, or the request, names the whole ledger id.
    pub pinned: bool,
    /// The values of protected refs.
    pub refs: Bounded<RefAudit>,
    /// The latest decisions. All were checked.
    pub decisions: Bounded<DecisionAudit>,
    /// The pairs of votes that convict members.
    pub evidence: Bounded<Evidence>,
    /// What members did against the rules. Faults alone are no violation.
    pub faults: Bounded<FaultView>,
    /// Why the repository does not hold what was decided. Empty if it does.
    pub violations: Bounded<ViolationView>,
    /// How many entries the ledger has.
    pub entries: usize,
    /// The charter in force.
    pub charter: EntryId,
    /// Refs of the ledger in this clone that do not lead to entries of their owners.
    pub lane_problems: Bounded<LaneProblemView>,
}

/// What kind of violation was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ViolationKind {
    /// No decision backs a value of a protected ref.
    NotBacked,
    /// The commits of a decision are not what was decided.
    DecisionDiffers,
    /// The commits of a decision cannot be read, although a ref has its value.
    DecisionUnreadable,
    /// A slot has several decisions.
    AgreementBroken,
}

/// One reason why a repository does not hold what was decided.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ViolationView {
    /// What kind of violation it is.
    pub kind: ViolationKind,
    /// The ref whose value is not backed.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub name: Option<RefName>,
    /// Where the value was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The value. Absent if the ref is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Oid>,
    /// The decisions that it is about.
    pub decisions: Vec<EntryId>,
    /// The violation in a sentence.
    pub text: String,
}

/// A ref of the ledger that does not lead to an entry of its owner.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LaneProblemView {
    /// The ref.
    #[serde(rename = "ref")]
    pub name: String,
    /// The stable reason code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The last well-formed entry of the lane.
    pub last_good: Option<EntryId>,
}

/// Verifies protected refs. Answers no if there is a violation, or if nothing says that this is the
/// right ledger.
pub fn verify(repo: Repo, context: &Context, request: &Verify) -> Result<Answer<Verified>> {
    check_whole(&repo)?;
    let pin = pinned_ledger(&repo)?;
    let session = Session::open_afresh(repo, context, request.genesis.as_deref())?;
    refuse_incomplete(&session)?;
    let ledger = session.ledger();
    let asked = request.genesis.as_deref();
    if let Some(asked) = asked
        && find_id(asked, "ledger", std::iter::once(ledger)).is_err()
    {
        let message = format!("The ledger here is {ledger}, not {asked}.");
        return Err(Error::new(Code::OtherLedger, message));
    }
    let names_whole_id = asked.is_some_and(|asked| asked == ledger.to_string());
    let refs = audit_refs(&session, request)?;
    let policy = Policy {
        refs_named: !request.refs.is_empty(),
        all_backed: request.all_backed,
    };
    let watcher = session.repo.watcher();
    let progress = |done, of| watcher.at("Auditing decisions", done, Some(of));
    let loaded = &session.loaded;
    let found = crate::audit::verify(&loaded.tally, loaded.objects(), refs, policy, progress);
    let next = next_after(&found);
    let has_violations = !found.violations.is_empty();
    let view = view(
        &session,
        found,
        pin.is_some() || names_whole_id,
        request.limit,
    );
    let answer = if has_violations {
        Answer::no(Code::VerificationFailed, view).next(next)
    } else if view.pinned {
        Answer::yes(view)
    } else {
        Answer::no(Code::Unpinned, view).next(NextStep::VerifyGenesis(ledger))
    };
    Ok(answer.notes(session.notes))
}

/// Refuses to certify anything while an entry is missing.
fn refuse_incomplete(session: &Session) -> Result<()> {
    let Some(problem) = missing_entry(&session.loaded)? else {
        return Ok(());
    };
    let message = format!(
        "{} leads to object {}, which is missing. Nothing can be certified without it.",
        problem.name, problem.culprit
    );
    Err(Error::new(Code::IncompleteClone, message).next(NextStep::Fsck))
}

/// The values to check: of the named refs, or of all protected refs that are known.
fn audit_refs(session: &Session, request: &Verify) -> Result<Vec<RefAudit>> {
    let tally = &session.loaded.tally;
    if let Some(commit) = &request.at {
        let [name] = request.refs.as_slice() else {
            let message = "A commit can be verified as the value of one ref only.";
            return Err(Error::new(Code::Usage, message));
        };
        let name = choose_ref(session, Some(name))?;
        let value = session.repo.resolve(commit)?.ok_or_else(|| {
            let message = format!("{commit:?} does not name a commit here.");
            Error::new(Code::NotFound, message)
        })?;
        let place = Place::Named(commit.clone());
        let audit = audit_ref(tally, &name, place, Some(value));
        return Ok(audit.into_iter().collect());
    }
    let remote = choose_remote(&session.repo, None)?;
    let known = known_values(&session.loaded, remote.as_deref())?;
    let mut values = Vec::new();
    if request.refs.is_empty() {
        values = known;
    } else {
        for asked in &request.refs {
            let name = choose_ref(session, Some(asked))?;
            values.extend(values_of(&known, &name));
        }
    }
    let audits = values
        .into_iter()
        .filter_map(|found| audit_ref(tally, &found.name, found.place, found.value));
    Ok(audits.collect())
}

fn view(session: &Session, found: Verification, pinned: bool, limit: usize) -> Verified {
    let tally = &session.loaded.tally;
    let problems = session
        .loaded
        .problems
        .iter()
        .map(|problem| LaneProblemView {
            name: problem.name.clone(),
            code: problem.reject.reason.code(),
            message: problem.reject.to_string(),
            last_good: problem.last_good,
        });
    let violations = found.violations.iter().map(view_violation);
    Verified {
        ledger: session.ledger(),
        pinned,
        evidence: evidence_of(&found.faults, limit),
        faults: first_faults(&found.faults, limit),
        violations: Bounded::first(violations.collect(), limit),
        refs: Bounded::first(found.refs, limit),
        decisions: Bounded::last(found.decisions, limit),
        entries: tally.dag().entries().len(),
        charter: tally.charter_in_force(),
        lane_problems: Bounded::first(problems.collect(), limit),
    }
}

fn view_violation(violation: &Violation) -> ViolationView {
    let about = |kind, decisions, text| ViolationView {
        kind,
        name: None,
        place: None,
        value: None,
        decisions,
        text,
    };
    match violation {
        Violation::NotBacked { name, place, value } => {
            let shown = value.map_or("absent".to_owned(), |oid| oid.to_string());
            ViolationView {
                kind: ViolationKind::NotBacked,
                name: Some(name.clone()),
                place: Some(place.to_string()),
                value: *value,
                decisions: Vec::new(),
                text: format!("{name} ({place}) is {shown}, which no decision backs."),
            }
        }
        Violation::DecisionDiffers { proposal, problem } => {
            let text = format!("decision {}: {problem}", proposal.short());
            about(ViolationKind::DecisionDiffers, vec![*proposal], text)
        }
        Violation::DecisionUnreadable { proposal, why } => {
            let id = proposal.short();
            let text = format!("decision {id}: its commits cannot be read: {why}");
            about(ViolationKind::DecisionUnreadable, vec![*proposal], text)
        }
        Violation::AgreementBroken(slot) => about(
            ViolationKind::AgreementBroken,
            slot.decisions.clone(),
            broken_slot(slot),
        ),
    }
}

/// What to do about a violation.
fn next_after(found: &Verification) -> NextStep {
    let may_be_old = |audit: &RefAudit| {
        matches!(audit.place, Place::Tracking(_)) && audit.backing == Backing::NotBacked
    };
    if found.refs.iter().any(may_be_old) {
        return NextStep::FetchAndVerify;
    }
    let convicted = super::fault::convicted(&found.faults);
    if convicted.is_empty() {
        return NextStep::FindWhoMovedIt;
    }
    let members: Vec<MemberName> = convicted.into_iter().collect();
    NextStep::Convicted(members)
}
