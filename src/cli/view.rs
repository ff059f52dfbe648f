//! Proposals as commands show them: the tally's report, with what the ref itself tells.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Failure;
use super::legacy::{SHOWN, first};
use super::session::Session;
use super::style::{Role, Text};
use crate::charter::MemberName;
use crate::consensus::landing::{landed_count, path, ref_moves};
use crate::consensus::{Content, Evidence, Fault, ProposalReport, State, Subject};
use crate::id::{EntryId, Oid};
use crate::ledger::Verdict;
use crate::wording::{fault_kind, fault_rule, fault_sentence};

/// A proposal in a line or two.
#[derive(Debug, Clone, Serialize)]
pub struct ProposalView {
    /// Its id.
    pub id: EntryId,
    /// What it is about.
    pub subject: Subject,
    /// Its title.
    pub title: String,
    /// Who made it.
    pub proposer: MemberName,
    /// open, approved, decided, landed, rejected, withdrawn, stale or superseded.
    pub state: &'static str,
    /// The value that the ref is expected to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Oid>,
    /// The proposed value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Oid>,
    /// Members that make a quorum.
    pub quorum: usize,
    /// Voting members whose approvals count.
    pub approvals: BTreeSet<MemberName>,
    /// Members whose last word is a rejection.
    pub rejections: BTreeSet<MemberName>,
    /// What is missing: approvals, prevotes, precommits, or nothing.
    pub needs: &'static str,
    /// From whom.
    pub missing: BTreeSet<MemberName>,
    /// Rivals for the same slot: the first fifty, by id.
    pub rivals: Vec<EntryId>,
    /// How many more there are.
    pub more_rivals: usize,
}

impl Session {
    /// A proposal with all that is known of it.
    pub fn report(&self, id: EntryId) -> Result<ProposalReport, Failure> {
        let report = self.loaded.tally.report(id);
        report.ok_or_else(|| Failure::new("INTERNAL", format!("proposal {id} has no report")))
    }

    /// A proposal in a line or two.
    pub fn view(&self, id: EntryId) -> Result<ProposalView, Failure> {
        self.view_by(id, &self.standing([id])?)
    }

    /// The same where the refs of many are looked up at once.
    pub fn view_by(&self, id: EntryId, standing: &Standing<'_>) -> Result<ProposalView, Failure> {
        let report = self.report(id)?;
        let tally = &self.loaded.tally;
        let missing = || Failure::new("INTERNAL", format!("proposal {id} is not known"));
        let proposal = tally.proposal(id).ok_or_else(missing)?;
        let (title, from, to) = match tally.content(proposal) {
            Content::Ref(change) => (change.title.clone(), change.from, change.to),
            Content::Charter(change) => (change.title.clone(), None, None),
        };
        let others = tally
            .rivals(&proposal.slot)
            .map(|rival| rival.id)
            .filter(|rival| *rival != id);
        let rivals: Vec<_> = others.take(SHOWN).collect();
        let more_rivals = tally
            .rival_count(&proposal.slot)
            .saturating_sub(1 + rivals.len());
        let against = report
            .opinions
            .iter()
            .filter(|o| o.verdict == Verdict::Reject)
            .map(|o| o.member.clone());
        Ok(ProposalView {
            id,
            subject: proposal.slot.subject.clone(),
            title,
            proposer: proposal.proposer.clone(),
            state: self.state(id, report.state, standing),
            from,
            to,
            quorum: report.quorum,
            rejections: against.collect(),
            approvals: report.approvals,
            needs: report.needs.name(),
            missing: report.missing,
            rivals,
            more_rivals,
        })
    }

    /// What the refs of these proposals hold, and what was decided for them; looked up once for all.
    pub fn standing(
        &self,
        ids: impl IntoIterator<Item = EntryId>,
    ) -> Result<Standing<'_>, Failure> {
        let tally = &self.loaded.tally;
        let subjects: BTreeSet<_> = ids
            .into_iter()
            .filter_map(|id| Some(&tally.proposal(id)?.slot.subject))
            .collect();
        let chains: BTreeMap<_, _> = subjects
            .into_iter()
            .filter_map(|s| Some((s, tally.chain(s)?.decided)))
            .collect();
        let names = chains.keys().filter_map(|subject| match subject {
            Subject::Ref(name) => Some(name.as_str()),
            Subject::Charter => None,
        });
        Ok(Standing {
            values: self.ref_values(names)?,
            chains,
        })
    }

    /// The state by name, with landed and stale as the ref tells.
    pub fn state(&self, id: EntryId, state: State, standing: &Standing<'_>) -> &'static str {
        match state {
            State::Open | State::Approved if self.is_overtaken(id, standing) => "stale",
            State::Open => "open",
            State::Approved => "approved",
            State::Decided if self.has_landed(id, standing) => "landed",
            State::Decided => "decided",
            State::Rejected => "rejected",
            State::Withdrawn => "withdrawn",
            State::Stale => "stale",
            State::Superseded => "superseded",
        }
    }

    /// All decisions that their refs hold, or later ones of the same chain.
    pub fn landed(&self) -> Result<BTreeSet<EntryId>, Failure> {
        let tally = &self.loaded.tally;
        let subjects: BTreeSet<_> = tally.proposals().map(|p| &p.slot.subject).collect();
        let chains = subjects.into_iter().filter_map(|subject| match subject {
            Subject::Ref(name) => Some((name.as_str(), tally.chain(subject)?)),
            Subject::Charter => None,
        });
        let chains: Vec<_> = chains.collect();
        let values = self.ref_values(chains.iter().map(|(name, _)| *name))?;
        let landed = chains.into_iter().flat_map(|(name, mut chain)| {
            let behind = landed_count(&ref_moves(tally, &chain.decided), values.get(name).copied());
            chain.decided.truncate(behind);
            chain.decided
        });
        Ok(landed.collect())
    }

    /// Whether the ref holds the decision or a later one.
    fn has_landed(&self, id: EntryId, standing: &Standing<'_>) -> bool {
        let tally = &self.loaded.tally;
        let Some(Subject::Ref(name)) = tally.proposal(id).map(|p| &p.slot.subject) else {
            return false;
        };
        let decided = standing.decided(&Subject::Ref(name.clone()));
        let place = decided.iter().position(|d| *d == id);
        place.is_some_and(|place| {
            landed_count(&ref_moves(tally, decided), standing.value(name.as_str())) > place
        })
    }

    /// Whether an undecided proposal expects a value that the ref neither has nor will have.
    fn is_overtaken(&self, id: EntryId, standing: &Standing<'_>) -> bool {
        let tally = &self.loaded.tally;
        let Some(proposal) = tally.proposal(id) else {
            return false;
        };
        let Content::Ref(change) = tally.content(proposal) else {
            return false;
        };
        let value = standing.value(change.name.as_str());
        let decided = standing.decided(&proposal.slot.subject);
        value != change.from && path(&ref_moves(tally, decided), value, change.from).is_none()
    }
}

/// What refs hold, and the decisions of their chains.
pub struct Standing<'a> {
    values: BTreeMap<&'a str, Oid>,
    chains: BTreeMap<&'a Subject, Vec<EntryId>>,
}

impl Standing<'_> {
    fn value(&self, name: &str) -> Option<Oid> {
        self.values.get(name).copied()
    }

    fn decided(&self, subject: &Subject) -> &[EntryId] {
        self.chains
            .get(subject)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

/// How many rivals are named to people; JSON has more of them.
const RIVALS_SHOWN: usize = 8;

impl ProposalView {
    /// For people, in a line; with what is missing in a second one.
    pub fn text(&self) -> Text {
        let mut text = Text::of(Role::Id, self.id.short())
            .with(Role::Plain, "  ")
            .with(Role::of_state(self.state), format!("{:<10}", self.state))
            .with(Role::Plain, format!(" {}  {}", self.subject, self.title));
        text.push_str(&format!(
            "\n    by {}, {} of {} approvals",
            self.proposer,
            self.approvals.len(),
            self.quorum
        ));
        if !self.approvals.is_empty() {
            text.push_str(&format!(" ({})", names(&self.approvals)));
        }
        if !self.rejections.is_empty() {
            text.push_str(&format!(", rejected by {}", names(&self.rejections)));
        }
        if !self.missing.is_empty() {
            text.push_str(&format!(
                "; needs {} from {}",
                self.needs,
                names(&self.missing)
            ));
        }
        if !self.rivals.is_empty() {
            text.push_str(&format!(
                "\n    rivals: {}",
                first_of(&self.rivals, self.more_rivals)
            ));
        }
        text
    }
}

/// The first few ids in a row, and how many more there are: anybody may make a thousand proposals for one slot.
fn first_of(ids: &[EntryId], more: usize) -> String {
    let first: Vec<_> = ids.iter().take(RIVALS_SHOWN).map(EntryId::short).collect();
    let more = match more + ids.len().saturating_sub(RIVALS_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    first.join(", ") + &more
}

/// Names in a row.
pub fn names(names: &BTreeSet<MemberName>) -> String {
    names
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What of the faults is evidence, as the tally orders it.
pub fn evidence_of(faults: &[Fault]) -> BTreeSet<Evidence> {
    faults.iter().filter_map(Fault::evidence).collect()
}

/// The first so many faults in a line each, and how to see more of them.
pub fn fault_lines(faults: &[Fault], count: usize) -> Vec<Text> {
    let (shown, more) = first(faults, count);
    let rest = (more > 0)
        .then(|| format!("… and {more} more faults"))
        .into_iter();
    let how = (!faults.is_empty()).then(|| "git quorum faults tells by which entries".to_owned());
    shown
        .iter()
        .map(describe_fault)
        .chain(rest.chain(how).map(|line| Text::of(Role::Faint, line)))
        .collect()
}

/// A fault in a line.
pub fn describe_fault(fault: &Fault) -> Text {
    Text::of(Role::Bad, "fault ")
        .with(Role::Id, fault.id.short())
        .with(
            Role::Bad,
            format!("  {} ({})", fault_kind(fault.kind), fault_rule(fault)),
        )
        .with(Role::Plain, format!("  {}", fault_sentence(fault)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_rivals_has_an_end() {
        let ids = |count: u8| {
            (0..count)
                .map(|n| EntryId::new([n; 32]))
                .collect::<Vec<_>>()
        };
        assert_eq!(first_of(&ids(2), 0), "000000000000, 010101010101");
        assert!(!first_of(&ids(8), 0).contains("more"));
        assert!(first_of(&ids(50), 150).ends_with("070707070707 and 192 more"));
    }
}
