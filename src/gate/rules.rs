//! What the gate says about each ref of a push: a pure function of the ledger with the push's entries taken in,
//! the refs as they are, and the refs as they should become.

use std::collections::{BTreeMap, BTreeSet};

use super::links::Links;
use super::names::Names;
use super::refusal::{Refusal, RefusalCode};
use super::{lanes, protected};
use crate::charter::{Charter, RefName};
use crate::consensus::{Admission, Chain, Content, Slot, Subject, Tally};
use crate::id::{EntryId, Oid};
use crate::ledger::{EntryIndex, LaneRef, LedgerRefs, RefProposal};
use crate::store::LaneProblem;

/// A ref of a push, with the value that the push says it has and the one that it should get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedRef {
    /// Its full name.
    pub name: String,
    /// The value before; none when it is to be created.
    pub old: Option<Oid>,
    /// The value after; none when it is to be deleted.
    pub new: Option<Oid>,
}

/// What the gate says about a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The gate moves it.
    Allow,
    /// The gate has no say in it.
    FallThrough,
    /// It must not move.
    Refuse(Refusal),
}

/// Checks that a proposal says what its objects say, and tells what differs.
pub type BindingCheck<'a> = dyn Fn(EntryId, &RefProposal) -> Result<(), String> + 'a;

/// All that a push is judged by.
pub struct Scene<'a> {
    /// The charter in force before the push; none before the genesis.
    pub before: Option<&'a Charter>,
    /// Slots that had several decisions before the push.
    pub broken_before: &'a BTreeSet<Slot>,
    /// The ledger with the push's entries.
    pub tally: &'a Tally,
    /// Whose entries may still be taken in, by that.
    pub admission: &'a Admission<'a>,
    /// The names of its refs.
    pub refs: &'a LedgerRefs,
    /// The values that refs have: of all pushed ones and all of the ledger.
    pub values: &'a BTreeMap<String, Oid>,
    /// The pushed refs.
    pub pushed: &'a [PushedRef],
    /// The symbolic refs that the push could meet.
    pub links: &'a Links,
    /// The places of refs that the push names more than once.
    pub twice: &'a BTreeSet<usize>,
    /// What taking in the tip of each pushed lane gave.
    pub taken: &'a BTreeMap<String, Result<EntryIndex, LaneProblem>>,
    /// Looks at a proposal's objects.
    pub check: &'a BindingCheck<'a>,
}

/// Whether a ref lies where only ledgers may.
pub fn is_ledger_name(name: &str) -> bool {
    name == "refs/quorum" || name.starts_with("refs/quorum/")
}

/// Whether a charter protects a ref of this name, also one that no decision could name.
pub fn is_protected(charter: &Charter, name: &str) -> bool {
    charter
        .protected()
        .iter()
        .any(|pattern| pattern.matches(name))
}

/// The slots with more than one decision.
pub fn broken_slots(tally: &Tally) -> BTreeSet<Slot> {
    tally.broken_slots().cloned().collect()
}

impl Scene<'_> {
    /// The verdict on each pushed ref, in order. Refs of the gate's concern stand or fall together.
    pub fn judge(&self) -> Vec<Verdict> {
        let charters = [self.before, self.charter()].into_iter().flatten();
        let names = Names::new(charters, self.links);
        let verdict = |(place, pushed)| match self.twice.contains(&place) {
            true => Verdict::Refuse(named_twice()),
            false => self.verdict(&names, pushed),
        };
        let mut verdicts: Vec<_> = self.pushed.iter().enumerate().map(verdict).collect();
        if let Some(contradiction) = self.contradiction() {
            let lanes = self
                .pushed
                .iter()
                .zip(&mut verdicts)
                .filter(|(pushed, _)| self.taken.contains_key(&pushed.name));
            lanes.for_each(|(_, verdict)| *verdict = Verdict::Refuse(contradiction.clone()));
        }
        stand_together(&names, self.pushed, &mut verdicts);
        verdicts
    }

    /// The verdict on one ref by itself.
    fn verdict(&self, names: &Names<'_>, pushed: &PushedRef) -> Verdict {
        if let Err(refusal) = names.judge_link(&pushed.name) {
            return Verdict::Refuse(refusal);
        }
        let judged = match (
            is_ledger_name(&pushed.name),
            names.is_protected(&pushed.name),
        ) {
            (true, _) => self.judge_ledger_ref(pushed),
            (false, true) => self.unless_done(pushed, protected::judge),
            (false, false) => {
                let (there, deletes) = (self.value(&pushed.name).is_some(), pushed.new.is_none());
                let shadowed = || match deletes {
                    true => Ok(()),
                    false => names.shadowed(&pushed.name, |branch| self.value(branch).is_some()),
                };
                let judged = names
                    .judge_other(&pushed.name, !there && !deletes, deletes)
                    .and_then(|()| shadowed());
                return judged.map_or_else(Verdict::Refuse, |()| Verdict::FallThrough);
            }
        };
        judged.map_or_else(Verdict::Refuse, |()| Verdict::Allow)
    }

    /// The charter in force with the push's entries.
    pub(super) fn charter(&self) -> Option<&Charter> {
        self.tally
            .dag()
            .charter(self.tally.charter_in_force())
            .map(|node| &node.charter)
    }

    fn judge_ledger_ref(&self, pushed: &PushedRef) -> Result<(), Refusal> {
        match self.refs.read(&pushed.name) {
            Some(LaneRef::Genesis) => self.unless_done(pushed, Self::judge_genesis),
            Some(LaneRef::Lane(member)) => self.unless_done(pushed, |scene, pushed| {
                lanes::judge_lane(scene, pushed, &member)
            }),
            Some(LaneRef::Proposal(id)) => self.unless_done(pushed, |scene, pushed| {
                lanes::judge_proposal(scene, pushed, id)
            }),
            Some(LaneRef::Remote(..) | LaneRef::Fork(..)) | None => Err(self.stray(&pushed.name)),
        }
    }

    /// A ref that has the pushed value already is left alone; otherwise its value must be the one that the
    /// push knows.
    fn unless_done(
        &self,
        pushed: &PushedRef,
        judge: impl FnOnce(&Self, &PushedRef) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let current = self.value(&pushed.name);
        if current == pushed.new {
            return Ok(());
        }
        judge(self, pushed)?;
        self.is_current(pushed)
    }

    /// Whether a ref has the value that the push says it has.
    pub(super) fn is_current(&self, pushed: &PushedRef) -> Result<(), Refusal> {
        let current = self.value(&pushed.name);
        if current == pushed.old {
            return Ok(());
        }
        let reason = format!("it has moved to {} since this push began", show(current));
        Err(Refusal::new(
            RefusalCode::Stale,
            reason,
            "fetch, and push again",
        ))
    }

    pub(super) fn value(&self, name: &str) -> Option<Oid> {
        self.values.get(name).copied()
    }

    fn judge_genesis(&self, pushed: &PushedRef) -> Result<(), Refusal> {
        let ledger = self.tally.dag().ledger();
        if self.value(&pushed.name).is_some() {
            let reason = "a genesis never changes";
            let help = format!(
                "this server holds ledger {ledger}; a change of members or rules is a charter proposal"
            );
            return Err(Refusal::new(RefusalCode::Immutable, reason, help));
        }
        let founded = self
            .tally
            .dag()
            .find(ledger)
            .map(|genesis| self.tally.dag().entry(genesis).oid);
        if pushed.new.is_some() && pushed.new == founded {
            return Ok(());
        }
        let reason = format!(
            "it is not the genesis of ledger {}, which this server has pinned",
            ledger.short()
        );
        Err(Refusal::new(RefusalCode::BadGenesis, reason, "").then("git quorum status"))
    }

    fn stray(&self, name: &str) -> Refusal {
        stray(self.refs, name)
    }

    /// What to say if the push brings a second decision for a slot.
    fn contradiction(&self) -> Option<Refusal> {
        let slot = broken_slots(self.tally)
            .into_iter()
            .find(|slot| !self.broken_before.contains(slot))?;
        let decided: Vec<_> = self
            .tally
            .decided_in(&slot)
            .iter()
            .map(EntryId::short)
            .collect();
        let reason = format!(
            "these entries decide {} a second time: {}",
            slot.subject,
            decided.join(" and ")
        );
        let help = format!(
            "{}; nothing that contradicts what was taken in is taken",
            self.culprits(&slot)
        );
        Some(Refusal::new(RefusalCode::Contradicts, reason, help))
    }

    /// Whom the evidence convicts in a slot.
    pub(super) fn culprits(&self, slot: &Slot) -> String {
        let found = self
            .tally
            .evidence()
            .into_iter()
            .filter(|e| e.slot == slot.id());
        let members: BTreeSet<String> = found.map(|evidence| evidence.member.to_string()).collect();
        match members.len() {
            0 => "more members broke the rules than the charter bears".to_owned(),
            _ => format!(
                "convicted by their own votes: {}",
                members.into_iter().collect::<Vec<_>>().join(", ")
            ),
        }
    }

    /// A ref's chain of decisions, and what they say, in order.
    pub(super) fn chain(&self, name: &RefName) -> Option<(Chain, Vec<&RefProposal>)> {
        let chain = self.tally.chain(&Subject::Ref(name.clone()))?;
        let steps: Option<Vec<_>> = chain
            .decided
            .iter()
            .map(|id| self.ref_proposal(*id))
            .collect();
        steps.map(|steps| (chain, steps))
    }

    /// The decisions of a ref's chain that do not lie behind it when it has this value, and what they say, in order.
    /// What lies behind is not looked at: that is nearly all of a long chain.
    pub(super) fn ahead(
        &self,
        name: &RefName,
        value: Option<Oid>,
    ) -> Option<(Vec<EntryId>, Vec<&RefProposal>)> {
        let (mut ids, mut proposals) = (Vec::new(), Vec::new());
        for id in self.tally.decisions_back(&Subject::Ref(name.clone()))? {
            let proposal = self.ref_proposal(id)?;
            if proposal.to == value {
                break;
            }
            ids.push(id);
            proposals.push(proposal);
        }
        ids.reverse();
        proposals.reverse();
        Some((ids, proposals))
    }

    /// Whether a ref's chain has this decision, and lies as far along it or further when it has this value.
    pub(super) fn lies_behind(&self, name: &RefName, value: Option<Oid>, id: EntryId) -> bool {
        let subject = Subject::Ref(name.clone());
        let mut decisions = self.tally.decisions_back(&subject).into_iter().flatten();
        let mut has_landed = false;
        decisions.any(|decision| {
            has_landed |= self
                .ref_proposal(decision)
                .is_some_and(|proposal| proposal.to == value);
            decision == id
        }) && has_landed
    }

    /// What a valid proposal to move a ref says.
    pub(super) fn ref_proposal(&self, id: EntryId) -> Option<&RefProposal> {
        match self.tally.content(self.tally.proposal(id)?) {
            Content::Ref(proposal) => Some(proposal),
            Content::Charter(_) => None,
        }
    }

    /// A proposal with its title, for people.
    pub(super) fn called(&self, id: EntryId) -> String {
        let title = self
            .ref_proposal(id)
            .map(|p| p.title.as_str())
            .unwrap_or_default();
        let short: String = title.chars().take(TITLE).collect();
        match (title.is_empty(), short.len() < title.len()) {
            (true, _) => format!("proposal {}", id.short()),
            (false, false) => format!("proposal {} \"{title}\"", id.short()),
            (false, true) => format!("proposal {} \"{short}...\"", id.short()),
        }
    }

    /// What a proposal has and lacks, for people.
    pub(super) fn standing(&self, id: EntryId) -> String {
        let Some(report) = self.tally.report(id) else {
            return String::new();
        };
        let who = match report.approvals.is_empty() {
            true => String::new(),
            false => format!(" ({})", list(&report.approvals)),
        };
        let has = format!(
            "it has {} of {} approvals{who}",
            report.approvals.len(),
            report.quorum
        );
        match report.missing.is_empty() {
            true => has,
            false => format!(
                "{has}\nit needs {}, possible from {}",
                report.needs,
                list(&report.missing)
            ),
        }
    }
}

/// The most characters of a title, and the most members, that a refusal shows.
const TITLE: usize = 40;
const MEMBERS: usize = 8;

fn list(members: &BTreeSet<crate::charter::MemberName>) -> String {
    let some: Vec<_> = members
        .iter()
        .take(MEMBERS)
        .map(ToString::to_string)
        .collect();
    match members.len() - some.len() {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

/// The command that tells more of a proposal.
pub(super) fn status(id: EntryId) -> String {
    format!("git quorum status {}", id.short())
}

/// A value of a ref, for people.
pub(super) fn show(value: Option<Oid>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |oid| oid.short())
}

/// Why a name under `refs/quorum/` is refused.
pub fn stray(refs: &LedgerRefs, name: &str) -> Refusal {
    let ours = refs.prefix();
    if !name.starts_with(ours) && name.ends_with("/genesis") {
        let reason = format!("this server holds the ledger under {ours} and takes no second one");
        let help = "join that ledger, or use another server; a successor is a charter proposal";
        return Refusal::new(RefusalCode::SecondLedger, reason, help);
    }
    let reason = "no such name may stand under refs/quorum/";
    let help =
        format!("here go {ours}genesis, {ours}lane/<member> and {ours}proposal/<proposal id>");
    Refusal::new(RefusalCode::StrayName, reason, help)
}

/// If one ref of the gate's concern is refused, all are.
fn stand_together(names: &Names<'_>, pushed: &[PushedRef], verdicts: &mut [Verdict]) {
    let refused = |(pushed, verdict): &(&PushedRef, &Verdict)| {
        matches!(verdict, Verdict::Refuse(_)) && names.is_of_concern(&pushed.name)
    };
    let Some(name) = pushed
        .iter()
        .zip(verdicts.iter())
        .find(refused)
        .map(|(pushed, _)| &pushed.name)
    else {
        return;
    };
    for verdict in verdicts
        .iter_mut()
        .filter(|verdict| **verdict == Verdict::Allow)
    {
        *verdict = Verdict::Refuse(together_with(name));
    }
}

/// The refusal of a ref for another one's sake.
pub fn together_with(name: &str) -> Refusal {
    Refusal::new(
        RefusalCode::OtherRefRefused,
        format!("refused together with {name}"),
        "",
    )
}

/// The refusal of a ref that a push names more than once.
pub(super) fn named_twice() -> Refusal {
    Refusal::new(
        RefusalCode::NamedTwice,
        "the push names it more than once",
        "push it once",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_below_quorum_are_the_ledgers() {
        assert!(is_ledger_name("refs/quorum/x") && is_ledger_name("refs/quorum"));
        assert!(!is_ledger_name("refs/quorumx/x") && !is_ledger_name("refs/heads/quorum"));
    }
}
