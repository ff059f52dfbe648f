//! Whole ledgers as vectors: the JSON form of `ledger-spec/vectors/README.md`, and the tally of a
//! ledger in that form. Knows nothing of how the ledgers are made.
#![allow(dead_code, reason = "each program uses a part of it")]

use git_quorum::consensus::{BrokenSlot, Fault, Slot, Tally, VoteRef};
use git_quorum::id::EntryId;
use git_quorum::ledger::{ParsedEntry, parse};
use serde_json::{Value, json};

use crate::lab::oid_of;

/// A ledger, and the findings of a verifier.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerVector {
    /// What the ledger shows, in one sentence.
    pub about: String,
    /// The rule that the ledger shows.
    pub rule: String,
    /// Whether the ledger keeps or breaks the rule.
    pub kept: bool,
    /// Raw commits, parents first.
    pub entries: Vec<Vec<u8>>,
    /// The findings of a verifier.
    pub expected: Value,
}

impl LedgerVector {
    /// Returns the text of the file.
    pub fn to_json(&self) -> Vec<u8> {
        let entries: Vec<_> = self
            .entries
            .iter()
            .map(|raw| std::str::from_utf8(raw).unwrap())
            .collect();
        let value = json!({
            "about": self.about,
            "entries": entries,
            "expected": self.expected,
            "kept": self.kept,
            "rule": self.rule,
        });
        let mut text = serde_json::to_vec_pretty(&value).unwrap();
        text.push(b'\n');
        text
    }

    /// Parses the text of a file, which must have exactly five fields.
    pub fn from_json(text: &[u8]) -> LedgerVector {
        let value: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 5);
        let text = |field: &str| value[field].as_str().unwrap().to_owned();
        let entries = value["entries"].as_array().unwrap();
        LedgerVector {
            about: text("about"),
            rule: text("rule"),
            kept: value["kept"].as_bool().unwrap(),
            entries: entries
                .iter()
                .map(|entry| entry.as_str().unwrap().as_bytes().to_vec())
                .collect(),
            expected: value["expected"].clone(),
        }
    }
}

/// Returns the tally of raw entries, parents first. Checks every signature.
pub fn tally_of<'a>(entries: impl IntoIterator<Item = &'a Vec<u8>>) -> Tally {
    let parsed = |raw: &Vec<u8>| -> (ParsedEntry, _) { (parse(raw).unwrap(), oid_of(raw)) };
    let mut entries = entries.into_iter().map(parsed);
    let (genesis, oid) = entries.next().unwrap();
    let mut tally = Tally::found(genesis, oid).unwrap();
    for (entry, oid) in entries {
        tally.insert(entry, oid).unwrap();
    }
    tally
}

/// Returns the findings of a verifier in the form of the vectors.
pub fn expected(tally: &Tally) -> Value {
    if tally.upgrade_needed().is_some() {
        return json!({"upgrade": newer_charter(tally)});
    }
    json!({
        "broken": sorted(tally.broken_slots().map(|slot| slot.id()).collect()),
        "charter": tally.charter_in_force(),
        "decisions": tally.proposals().filter_map(|p| decision(tally, p.id, &p.slot)).collect::<Vec<_>>(),
        "discounted": discounted(tally),
        "evidence": tally.evidence(),
    })
}

/// Returns the decided charter of a newer version, and the lowest id if there are several.
fn newer_charter(tally: &Tally) -> Option<EntryId> {
    let is_newer = |id: &EntryId| tally.is_decided(*id) && tally.dag().charter(*id).is_none();
    let charters = tally
        .proposals()
        .filter(|p| p.slot.subject.to_string() == "charter")
        .map(|p| p.id);
    charters.filter(is_newer).min()
}

fn decision(tally: &Tally, proposal: EntryId, slot: &Slot) -> Option<Value> {
    let decision = tally.decision(proposal)?;
    Some(json!({
        "charter": decision.charter,
        "proposal": proposal,
        "round": decision.round,
        "slot": slot.id(),
        "subject": slot.subject,
    }))
}

fn discounted(tally: &Tally) -> Vec<Value> {
    let id = |d: &git_quorum::consensus::Discounted| tally.dag().entry(d.place.entry).id;
    let mut found: Vec<_> = tally
        .discounted()
        .iter()
        .map(|d| (id(d), d.place.statement, d.discount.reason))
        .collect();
    found.sort();
    let in_form = |(entry, statement, reason): (
        EntryId,
        usize,
        git_quorum::consensus::DiscountReason,
    )| json!({"entry": entry, "reason": reason.code(), "statement": statement});
    found.into_iter().map(in_form).collect()
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

/// Returns the faults of a ledger and its broken slots, in the form of
/// `ledger-spec/vectors/faults.json`.
pub fn faults(tally: &Tally) -> Value {
    let found = tally.faults();
    let mut broken: Vec<_> = tally.broken(&found).iter().map(broken_slot).collect();
    let mut faults: Vec<_> = found.iter().map(fault).collect();
    broken.sort_by_key(|slot| slot["slot"].to_string());
    faults.sort_by_key(|fault| fault["id"].to_string());
    json!({"broken": broken, "faults": faults})
}

/// Returns a fault in the form of the vectors.
pub fn fault(fault: &Fault) -> Value {
    let vote = |said: &VoteRef| json!({"entry": said.entry, "statement": said.statement});
    json!({
        "charter": fault.charter,
        "code": fault.code.map(|code| code.code()),
        "id": fault.id,
        "kind": fault.kind,
        "member": fault.member,
        "rule": fault.rule,
        "slot": fault.slot,
        "votes": fault.votes.iter().map(vote).collect::<Vec<_>>(),
    })
}

fn broken_slot(broken: &BrokenSlot) -> Value {
    json!({
        "charter": broken.charter,
        "convicted": broken.convicted,
        "decisions": broken.decisions,
        "least": broken.least,
        "n": broken.n,
        "quorum": broken.quorum,
        "slot": broken.slot,
    })
}
