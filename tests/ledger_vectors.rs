//! The vectors of whole ledgers, `ledger-spec/vectors/ledgers/`: that each gives what is expected of it, in any order of
//! arrival, and that no rule and no reason code is without one.
//!
//! `LEDGER_ORDERS=100 cargo test --test ledger_vectors` tries more orders of each.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "common/lab.rs"]
mod lab;
#[path = "common/ledger_form.rs"]
mod ledger_form;
#[path = "common/rng.rs"]
mod rng;
#[path = "common/vectors/ledgers/rules.rs"]
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use git_quorum::consensus::{
    DiscountReason, EvidenceRule, FaultKind, Tally, agreement_statement,
    pre_authentication_encoding,
};
use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{RejectReason, Statement, parse};
#[cfg(debug_assertions)]
use git_quorum::mutation::Mutation;
use ledger_form::{LedgerVector, expected, tally_of};
use rng::Rng;
use rules::{RULES, Rule};
use serde_json::{Value, json};

fn spec() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-spec")
}

/// The checked-in ledgers, by name.
static VECTORS: LazyLock<BTreeMap<String, LedgerVector>> = LazyLock::new(|| {
    let paths = fs::read_dir(spec().join("vectors/ledgers"))
        .unwrap()
        .map(|found| found.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, LedgerVector::from_json(&fs::read(path).unwrap()))
    };
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(read)
        .collect()
});

/// The faults of the ledgers that have any, by name.
static FAULTS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_slice(&fs::read(spec().join("vectors/faults.json")).unwrap()).unwrap()
});

// ---------------------------------------------------------------- what is found

/// Another order in which the entries can be taken in: each after its parents.
fn other_order<'a>(entries: &'a [Vec<u8>], rng: &mut Rng) -> Vec<&'a Vec<u8>> {
    let mut waiting: Vec<_> = entries
        .iter()
        .map(|raw| (raw, lab::oid_of(raw), parse(raw).unwrap().parents))
        .collect();
    let (mut order, mut known) = (vec![], BTreeSet::<Oid>::new());
    while !waiting.is_empty() {
        rng.shuffle(&mut waiting);
        let ready = waiting
            .iter()
            .position(|(_, _, parents)| parents.iter().all(|p| known.contains(p)));
        let (raw, oid, _) = waiting.swap_remove(ready.unwrap());
        known.insert(oid);
        order.push(raw);
    }
    order
}

/// Where the tally of the entries, in this order, and the expectation differ.
fn difference<'a>(
    vector: &LedgerVector,
    order: impl IntoIterator<Item = &'a Vec<u8>>,
) -> Option<String> {
    let found = expected(&tally_of(order));
    (found != vector.expected).then(|| format!("expected {:#}, found {found:#}", vector.expected))
}

#[test]
fn every_ledger_gives_what_is_expected_in_any_order_of_arrival() {
    for (name, vector) in VECTORS.iter() {
        assert_eq!(difference(vector, &vector.entries), None, "{name}");
        for seed in 0..rng::cases("LEDGER_ORDERS", 3) {
            let order = other_order(&vector.entries, &mut Rng::new(seed));
            assert_eq!(
                difference(vector, order),
                None,
                "{name}, in the order of seed {seed}"
            );
        }
    }
}

/// An entry that comes twice, or whose parents are not there yet, changes nothing.
#[test]
fn entries_that_come_twice_or_too_early_change_nothing() {
    for (name, vector) in VECTORS.iter() {
        let mut tally = tally_of(&vector.entries[..1]);
        let mut waiting: Vec<_> = vector.entries.iter().rev().collect();
        while !waiting.is_empty() {
            waiting.retain(|raw| {
                let mut take = || tally.insert(parse(raw).unwrap(), lab::oid_of(raw));
                take().and(take()).is_err()
            });
        }
        assert_eq!(expected(&tally), vector.expected, "{name}");
    }
}

/// The convictions without the pair of entries, of which there may be several.
fn convictions(expected: &Value) -> BTreeSet<String> {
    let convicts = |e: &Value| json!([e["member"], e["rule"], e["charter"], e["slot"]]).to_string();
    expected["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(convicts)
        .collect()
}

fn texts(expected: &Value, list: &str, field: Option<&str>) -> BTreeSet<String> {
    let text = |item: &Value| field.map_or(item, |field| &item[field]).to_string();
    expected[list]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect()
}

/// What `less` says and `more` does not, of which the entries are a part.
fn taken_back(less: &Value, more: &Value, entries: &BTreeSet<EntryId>) -> Vec<&'static str> {
    let known = |d: &&Value| entries.contains(&d["entry"].as_str().unwrap().parse().unwrap());
    let verdicts = |e: &Value| {
        e["discounted"]
            .as_array()
            .unwrap()
            .iter()
            .filter(known)
            .cloned()
            .collect::<Vec<_>>()
    };
    let decided = |e: &Value| texts(e, "decisions", Some("proposal"));
    let broken = |e: &Value| texts(e, "broken", None);
    let stands = [
        ("verdict", verdicts(less) == verdicts(more)),
        ("decision", decided(less).is_subset(&decided(more))),
        ("broken slot", broken(less).is_subset(&broken(more))),
        (
            "conviction",
            convictions(less).is_subset(&convictions(more)),
        ),
    ];
    stands
        .into_iter()
        .filter(|(_, stands)| !stands)
        .map(|(what, _)| what)
        .collect()
}

fn ids<'a>(entries: impl IntoIterator<Item = &'a Vec<u8>>) -> BTreeSet<EntryId> {
    entries
        .into_iter()
        .map(|raw| parse(raw).unwrap().id)
        .collect()
}

#[test]
fn more_entries_take_nothing_back() {
    for (name, vector) in VECTORS.iter() {
        let order = other_order(&vector.entries, &mut Rng::new(7));
        let (mut tally, mut known) = (tally_of(order[..1].iter().copied()), BTreeSet::new());
        for raw in order.into_iter().skip(1) {
            let entry = parse(raw).unwrap();
            known.insert(entry.id);
            tally.insert(entry, lab::oid_of(raw)).unwrap();
            let less = expected(&tally);
            if less.get("upgrade").is_none() && vector.expected.get("upgrade").is_none() {
                let taken = taken_back(&less, &vector.expected, &known);
                assert!(
                    taken.is_empty(),
                    "{name}, after {} entries: {taken:?}",
                    known.len()
                );
            }
        }
    }
}

#[test]
fn the_larger_ledger_of_a_pair_has_all_of_the_smaller_and_says_more() {
    let [less, more] =
        ["less", "more"].map(|size| &VECTORS[&format!("section-7-monotonicity-{size}-kept")]);
    assert!(
        ids(&less.entries).is_subset(&ids(&more.entries))
            && less.entries.len() < more.entries.len()
    );
    assert!(taken_back(&less.expected, &more.expected, &ids(&less.entries)).is_empty());
    let mut other_way = taken_back(&more.expected, &less.expected, &ids(&less.entries));
    other_way.sort();
    assert_eq!(
        other_way,
        ["conviction", "decision"],
        "the pair differs in what can be added"
    );
}

/// A slot with two decisions names at least 2q - n members.
#[test]
fn a_broken_slot_convicts_as_many_as_two_quorums_share() {
    let mut seen = 0;
    for (name, vector) in VECTORS
        .iter()
        .filter(|(_, v)| v.expected["broken"] != json!([]))
    {
        let tally = tally_of(&vector.entries);
        let Some(first) = tally.dag().charter(tally.dag().ledger()) else {
            panic!("{name} has a charter")
        };
        let least = first.charter.threshold().culprits();
        if vector.expected.get("upgrade").is_none() {
            let convicted: BTreeSet<_> = tally.evidence().into_iter().map(|e| e.member).collect();
            assert!(
                convicted.len() >= least && least > 0,
                "{name} names {convicted:?}"
            );
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen} broken slots");
}

/// q signatures of a decision, each over the same bytes: what a stranger needs in order to believe it.
#[test]
fn the_precommits_of_every_decision_are_a_certificate() {
    let mut seen = 0;
    for (name, vector) in VECTORS.iter() {
        let tally = tally_of(&vector.entries);
        let ids: Vec<_> = tally.proposals().map(|p| p.id).collect();
        for decision in ids.into_iter().filter_map(|id| tally.decision(id)) {
            let body =
                agreement_statement(&tally, decision.charter, decision.proposal, decision.round)
                    .unwrap();
            let electorate = &tally.dag().charter(decision.charter).unwrap().charter;
            let signed = decision.precommits.iter().filter(|(member, entry)| {
                let signature = signature_in(&tally, **entry, (decision.proposal, decision.round));
                electorate
                    .member(member)
                    .unwrap()
                    .key
                    .verifies(&pre_authentication_encoding(&body), &signature)
            });
            assert!(
                signed.count() >= electorate.threshold().q,
                "{name}: {}",
                decision.proposal
            );
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} decisions");
}

fn signature_in(tally: &Tally, entry: EntryId, vote: (EntryId, u32)) -> [u8; 64] {
    let entry = tally.dag().entry(tally.dag().find(entry).unwrap());
    let signature = |s: &Statement| match s {
        Statement::Precommit(p) if (p.proposal, p.round) == vote => Some(p.signature),
        _ => None,
    };
    entry.statements.iter().find_map(signature).unwrap()
}

// ---------------------------------------------------------------- that a difference is noticed

/// Expectations that differ from this one in one thing.
fn falsified(expected: &Value) -> Vec<Value> {
    let mut all = vec![];
    let fields = expected.as_object().unwrap();
    for (field, value) in fields {
        let mut without = expected.clone();
        match value {
            Value::Array(items) if items.is_empty() => without[field] = json!(["something"]),
            Value::Array(_) => drop(without[field].as_array_mut().unwrap().pop()),
            _ => without[field] = json!(EntryId::of(b"another")),
        }
        all.push(without);
        for item in value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flat_map(|item| item.keys())
        {
            let mut other = expected.clone();
            other[field][0][item] = json!("another");
            all.push(other);
        }
    }
    all
}

#[test]
fn a_false_expectation_is_noticed() {
    for (name, vector) in VECTORS.iter() {
        let found = expected(&tally_of(&vector.entries));
        assert_eq!(found, vector.expected, "{name}");
        for falsified in falsified(&vector.expected) {
            assert_ne!(found, falsified, "{name}");
        }
    }
}

/// The rules on whose account statements count or do not. Those of the guide, of patience and of telling are no conditions of
/// validity, so no verdict shows them; and a charter says what its quorum is, so one below the least is refused with its entry.
#[cfg(debug_assertions)]
const OF_VALIDITY: [Mutation; 13] = [
    Mutation::Approvals,
    Mutation::PrevoteQuorum,
    Mutation::PrecommitsOfOneRound,
    Mutation::MonotoneRounds,
    Mutation::OneVoteARound,
    Mutation::Lock,
    Mutation::UnlockByLater,
    Mutation::UnlockByQuorum,
    Mutation::UnlockByOneRound,
    Mutation::Entering,
    Mutation::Freeze,
    Mutation::HandOver,
    Mutation::RoundInStatement,
];

/// A program that lacks a rule does not find what the ledgers expect.
#[cfg(debug_assertions)]
#[test]
fn a_program_without_a_rule_does_not_find_what_is_expected() {
    for mutation in OF_VALIDITY {
        let _active = mutation.activate();
        let noticed = VECTORS
            .values()
            .any(|vector| difference(vector, &vector.entries).is_some());
        assert!(noticed, "no ledger shows what {mutation:?} is for");
    }
}

// ---------------------------------------------------------------- that nothing is without a vector

/// Every rule of evidence. The `match` does not let a new one be forgotten.
fn evidence_rules() -> [EvidenceRule; 3] {
    match EvidenceRule::Equivocation {
        EvidenceRule::Equivocation
        | EvidenceRule::LockViolation
        | EvidenceRule::FreezeViolation => {}
    }
    [
        EvidenceRule::Equivocation,
        EvidenceRule::LockViolation,
        EvidenceRule::FreezeViolation,
    ]
}

fn text_of(rule: EvidenceRule) -> String {
    json!(rule).as_str().unwrap().to_owned()
}

/// What a rule lacks.
fn lacks(rule: &Rule, vectors: &BTreeMap<String, LedgerVector>) -> Vec<String> {
    let shown = |kept| {
        vectors
            .values()
            .any(|v| v.rule == rule.name && v.kept == kept)
    };
    let mut lacks = vec![];
    if !shown(true) {
        lacks.push(format!("rule {} kept", rule.name));
    }
    if rule.breakable != shown(false) {
        lacks.push(format!("rule {} broken, or it is breakable", rule.name));
    }
    lacks
}

/// Kinds of faults, and codes for which a vote convicts, that none of these ledgers has. Of BASE_NOT_DECIDED no vote can be
/// convicted (`faults.md`, section 1).
fn faults_without_vector(vectors: &BTreeMap<String, LedgerVector>) -> Vec<String> {
    let listed = vectors
        .keys()
        .filter_map(|name| FAULTS[name]["faults"].as_array())
        .flatten();
    let listed: Vec<_> = listed
        .map(|fault| (fault["kind"].clone(), fault["code"].clone()))
        .collect();
    let shown = |kind: FaultKind, code: Option<DiscountReason>| {
        listed
            .iter()
            .any(|(k, c)| *k == kind.code() && code.is_none_or(|code| *c == code.code()))
    };
    let kinds = FaultKind::ALL
        .into_iter()
        .filter(|kind| !shown(*kind, None))
        .map(|kind| format!("fault {}", kind.code()));
    let codes = DiscountReason::ALL
        .into_iter()
        .filter(|code| *code != DiscountReason::BaseNotDecided);
    let codes = codes.filter_map(|code| Some((FaultKind::of_vote(code)?.0, code)));
    let codes = codes.filter(|(kind, code)| !shown(*kind, Some(*code)));
    kinds
        .chain(codes.map(|(kind, code)| format!("fault {}, {}", kind.code(), code.code())))
        .collect()
}

/// What has no ledger that shows it: rules kept or broken, reasons, evidence, faults, an upgrade.
fn without_vector(vectors: &BTreeMap<String, LedgerVector>) -> Vec<String> {
    let occurs = |list: &str, field: &str, text: &str| {
        let items = vectors
            .values()
            .filter_map(|v| v.expected[list].as_array())
            .flatten();
        items.into_iter().any(|item| item[field] == text)
    };
    let mut missing: Vec<_> = RULES.iter().flat_map(|rule| lacks(rule, vectors)).collect();
    let reasons = DiscountReason::ALL.iter().map(|reason| reason.code());
    missing.extend(
        reasons
            .filter(|code| !occurs("discounted", "reason", code))
            .map(str::to_owned),
    );
    let evidence = evidence_rules().map(text_of).into_iter();
    missing.extend(evidence.filter(|rule| !occurs("evidence", "rule", rule)));
    missing.extend(faults_without_vector(vectors));
    if !vectors
        .values()
        .any(|v| v.expected.get("upgrade").is_some())
    {
        missing.push("UPGRADE_NEEDED".to_owned());
    }
    missing
}

#[test]
fn no_rule_and_no_code_is_without_a_ledger() {
    assert_eq!(without_vector(&VECTORS), Vec::<String>::new());
}

#[test]
fn no_reason_to_refuse_bytes_is_without_an_entry() {
    let files = fs::read_dir(spec().join("vectors/invalid"))
        .unwrap()
        .map(|found| found.unwrap().file_name());
    let names: Vec<_> = files
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".entry")?.to_owned()))
        .collect();
    for code in RejectReason::ALL.map(RejectReason::code) {
        assert!(
            names
                .iter()
                .any(|name| name.split('-').next() == Some(code)),
            "{code} has no entry"
        );
    }
}

/// The count sees what is missing: each rule, each code and each kind of evidence once taken away.
#[test]
fn what_is_taken_away_is_missed() {
    let kept = |keep: &dyn Fn(&str, &LedgerVector) -> bool| {
        let kept: BTreeMap<_, _> = VECTORS
            .iter()
            .filter(|(n, v)| keep(n, v))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        without_vector(&kept)
    };
    let keeping = |keep: &dyn Fn(&LedgerVector) -> bool| kept(&|_, vector| keep(vector));
    for rule in RULES {
        let missed = keeping(&|v| v.rule != rule.name);
        assert!(
            missed.contains(&format!("rule {} kept", rule.name)),
            "{}",
            rule.name
        );
        let missed = keeping(&|v| v.rule != rule.name || v.kept);
        assert_eq!(
            missed
                .iter()
                .any(|m| m.starts_with(&format!("rule {} broken", rule.name))),
            rule.breakable
        );
    }
    let codes = DiscountReason::ALL.map(|r| r.code().to_owned());
    for text in codes
        .into_iter()
        .chain(evidence_rules().map(text_of))
        .chain(["upgrade".to_owned()])
    {
        let missed = keeping(&|v| !v.expected.to_string().contains(&format!("\"{text}\"")));
        let text = if text == "upgrade" {
            "UPGRADE_NEEDED"
        } else {
            text.as_str()
        };
        assert!(missed.iter().any(|m| m == text), "{text}");
    }
    for kind in FaultKind::ALL.map(FaultKind::code) {
        let missed = kept(&|name, _| !FAULTS[name].to_string().contains(&format!("\"{kind}\"")));
        assert!(missed.contains(&format!("fault {kind}")), "{kind}");
    }
}

#[test]
fn every_ledger_is_named_for_the_rule_that_it_shows() {
    for (name, vector) in VECTORS.iter() {
        assert!(
            RULES.iter().any(|rule| rule.name == vector.rule),
            "{name}: {} is no rule",
            vector.rule
        );
        let plain = rules::file_name(&vector.rule, "", vector.kept);
        let (stem, ending) = plain.rsplit_once('-').unwrap();
        let fits = name
            .strip_prefix(stem)
            .is_some_and(|rest| rest.starts_with('-') && rest.ends_with(ending));
        assert!(fits, "{name} shows {plain}");
    }
}

// ---------------------------------------------------------------- that the list of rules is the page's

/// `deciding.md` with single spaces for line breaks.
fn page() -> String {
    let text = fs::read_to_string(spec().join("deciding.md")).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands between two marks, wherever the first occurs.
fn marked<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(to)?.0))
        .collect()
}

#[test]
fn the_rules_are_those_of_the_page() {
    let page = page();
    for rule in RULES {
        assert!(
            page.contains(rule.words),
            "{}: the page does not say {:?}",
            rule.name,
            rule.words
        );
    }
    let (_, rules) = page.split_once(" ## 3. ").unwrap();
    let rules = rules.split(" ## 4. ").next().unwrap();
    let numbers = marked(rules, "**Rule ", ",");
    assert_eq!(numbers, ["1", "2", "3", "4", "5a", "6", "7"]);
    for number in numbers {
        assert!(
            RULES
                .iter()
                .any(|r| r.name.starts_with(&format!("{number},"))),
            "rule {number} is not in the list"
        );
    }
}

/// Every reason code that sections 2 and 3 of the page give stands in the words of a rule of the list.
#[test]
fn every_code_on_the_page_belongs_to_a_rule_of_the_list() {
    let page = page();
    let (_, sections) = page.split_once(" ## 2. ").unwrap();
    let sections = sections.split(" ## 4. ").next().unwrap();
    let mentioned: BTreeSet<_> = DiscountReason::ALL
        .iter()
        .map(|r| r.code())
        .filter(|c| sections.contains(c))
        .collect();
    let listed = |code: &&str| RULES.iter().any(|rule| rule.words.contains(code));
    assert_eq!(
        mentioned.len(),
        DiscountReason::ALL.len(),
        "sections 2 and 3 give every code"
    );
    let unlisted: Vec<_> = mentioned.into_iter().filter(|code| !listed(code)).collect();
    assert_eq!(unlisted, Vec::<&str>::new());
}
