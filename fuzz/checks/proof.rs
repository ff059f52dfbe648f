//! Files that are read as proofs of faults. The fuzzer has no key. So an accepted file consists of
//! entries of the vectors' ledgers, and convicts of what the vectors and a plain check of these
//! entries say.
//!
//! An input is a file. If its first byte is below 0x20, it is a recipe for a file instead, so that
//! a search gets past the checksums and the ids of commits. See [`file`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use git_quorum::audit::proof::{Proof, ProofError, check as check_proof};
use git_quorum::consensus::{Fault, FaultKind, Phase, VoteRef};
use git_quorum::id::Oid;
use git_quorum::repo::Bundle;
use serde_json::Value;

use super::known::oid_of;

macro_rules! vectors {
    ($($name:literal),* $(,)?) => {
        [$(include_str!(concat!("../../ledger-spec/vectors/ledgers/", $name, ".json"))),*]
    };
}

/// The small ledgers, with every kind of fault.
const VECTORS: [&str; 8] = vectors![
    "section-2-known-proposal-broken",
    "rule-7-any-vote-broken",
    "rule-4-one-proposal-broken",
    "rule-2-prevote-quorum-broken",
    "rule-4-no-round-back-broken",
    "rule-6-freeze-in-vain-broken",
    "rule-2-signature-broken",
    "rule-7-lock-violation-broken",
];

/// A ledger of the vectors, as plain data.
struct Ledger {
    commits: Vec<Commit>,
    discounted: Value,
    evidence: Value,
}

struct Commit {
    raw: Vec<u8>,
    oid: Oid,
    /// The places of its parents.
    parents: Vec<usize>,
    payload: Value,
}

static LEDGERS: LazyLock<Vec<Ledger>> =
    LazyLock::new(|| VECTORS.iter().map(|text| Ledger::read(text)).collect());

impl Ledger {
    fn read(text: &str) -> Ledger {
        let mut vector: Value = serde_json::from_str(text).expect("a vector");
        let mut commits: Vec<Commit> = Vec::new();
        for entry in vector["entries"].as_array().expect("entries") {
            commits.push(Commit::read(entry.as_str().expect("a text"), &commits));
        }
        let expected = &mut vector["expected"];
        Ledger {
            commits,
            discounted: expected["discounted"].take(),
            evidence: expected["evidence"].take(),
        }
    }

    /// Whether the ledger contains these commits.
    fn holds(&self, votes: &[VoteRef]) -> bool {
        votes
            .iter()
            .all(|vote| self.commits.iter().any(|commit| commit.oid == vote.commit))
    }
}

impl Commit {
    fn read(text: &str, before: &[Commit]) -> Commit {
        let (header, message) = text.split_once("\n\n").expect("a header");
        let (_, payload) = message.split_once("\n\n").expect("a payload");
        let place = |id: &str| {
            before
                .iter()
                .position(|commit| commit.oid.to_string() == id)
                .expect("a parent")
        };
        let parent = |line: &str| line.strip_prefix("parent ").map(place);
        Commit {
            raw: text.as_bytes().to_vec(),
            oid: oid_of(text.as_bytes()),
            parents: header.lines().filter_map(parent).collect(),
            payload: serde_json::from_str(payload).expect("JSON"),
        }
    }
}

// ---------------------------------------------------------------- making a file

/// The number of ledgers that a recipe can choose from.
pub const LEDGERS_KNOWN: usize = VECTORS.len();
/// The place that means "no entry".
pub const NONE: u8 = 0xff;

/// Returns the number of entries of a ledger.
pub fn entries(ledger: usize) -> usize {
    LEDGERS[ledger].commits.len()
}

/// Returns the file that an input is or describes. A recipe has the ledger, the places of the
/// entries `1` and `2` and of the genesis, and then changes of four bytes. A change has its kind
/// (see [`change`] and [`damage`]), its entry, and two arguments.
pub fn file(input: &[u8]) -> Vec<u8> {
    let Some((&[ledger, one, two, genesis], changes)) =
        input.split_first_chunk().filter(|(head, _)| head[0] < 0x20)
    else {
        return input.to_vec();
    };
    let commits = &LEDGERS[usize::from(ledger) % LEDGERS.len()].commits;
    let place = |byte: u8| (byte != NONE).then(|| usize::from(byte) % commits.len());
    let named = [
        ("1", place(one)),
        ("2", place(two)),
        ("genesis", place(genesis)),
    ];
    let mut carried: Vec<_> = commits
        .iter()
        .map(|commit| Some(commit.raw.clone()))
        .collect();
    let needed = closure(commits, named.iter().filter_map(|(_, place)| *place));
    carried
        .iter_mut()
        .enumerate()
        .filter(|(n, _)| !needed.contains(n))
        .for_each(|(_, raw)| *raw = None);
    let changes: Vec<&[u8; 4]> = changes.as_chunks().0.iter().take(8).collect();
    changes.iter().for_each(|what| change(&mut carried, **what));
    let oid = |place: usize| carried[place].as_deref().map_or(commits[place].oid, oid_of);
    let refs = named
        .iter()
        .filter_map(|(name, place)| Some((*name, oid((*place)?))));
    let mut bytes = bundle(refs, carried.iter().flatten());
    changes.iter().for_each(|what| damage(&mut bytes, **what));
    bytes
}

/// Returns entries with everything that they build on, parents first.
fn closure(commits: &[Commit], named: impl Iterator<Item = usize>) -> BTreeSet<usize> {
    let mut needed: BTreeSet<usize> = named.collect();
    for place in (0..commits.len()).rev() {
        if needed.contains(&place) {
            needed.extend(&commits[place].parents);
        }
    }
    needed
}

/// Changes the commits: leaves one out, adds one of another ledger, changes a byte, or changes the
/// order.
fn change(carried: &mut Vec<Option<Vec<u8>>>, [what, which, at, value]: [u8; 4]) {
    let place = usize::from(which) % carried.len();
    match what & 7 {
        1 => carried[place] = None,
        2 => {
            let others = &LEDGERS[usize::from(at) % LEDGERS.len()].commits;
            carried.push(Some(others[usize::from(value) % others.len()].raw.clone()));
        }
        3 => {
            let raw = carried[place].as_mut().filter(|raw| !raw.is_empty());
            if let Some(raw) = raw {
                let (at, low) = (usize::from(at) * raw.len() / 256, usize::from(what >> 3));
                let end = raw.len() - 1;
                raw[(at + low).min(end)] ^= value;
            }
        }
        4 => carried.push(carried[place].clone()),
        _ => {}
    }
}

/// Changes the file: a byte, or its length.
fn damage(bytes: &mut Vec<u8>, [what, which, at, value]: [u8; 4]) {
    let place = usize::from(u16::from_be_bytes([which, at])) % bytes.len().max(1);
    match what & 7 {
        5 => bytes
            .iter_mut()
            .skip(place)
            .take(1)
            .for_each(|byte| *byte ^= value),
        6 => bytes.truncate(place),
        7 => bytes.insert(place, value),
        _ => {}
    }
}

/// Returns a bundle without the help of Git, without compression, and with a checksum of zeros.
fn bundle<'a>(
    refs: impl Iterator<Item = (&'a str, Oid)>,
    commits: impl Iterator<Item = &'a Vec<u8>>,
) -> Vec<u8> {
    let refs: String = refs
        .map(|(name, oid)| format!("{oid} refs/quorum-proof/{name}\n"))
        .collect();
    let objects: Vec<_> = commits
        .map(|raw| object(1, raw))
        .chain([object(2, b"")])
        .collect();
    let count = u32::try_from(objects.len()).expect("a few").to_be_bytes();
    [
        b"# v2 git bundle\n",
        refs.as_bytes(),
        b"\nPACK\0\0\0\x02",
        &count,
        &objects.concat(),
        &[0; 20],
    ]
    .concat()
}

fn object(kind: u8, raw: &[u8]) -> Vec<u8> {
    let length = u16::try_from(raw.len()).expect("it is short");
    let mut head = vec![kind << 4 | (length & 15) as u8];
    let mut left = length >> 4;
    while left > 0 {
        *head.last_mut().expect("a byte") |= 0x80;
        head.push((left & 0x7f) as u8);
        left >>= 7;
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in raw {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let sum = (b << 16 | a).to_be_bytes();
    [
        &head[..],
        b"\x78\x01\x01",
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        raw,
        &sum,
    ]
    .concat()
}

// ---------------------------------------------------------------- checking

/// Any bytes can be read. An accepted file convicts only the members that its entries convict.
pub fn check(input: &[u8]) {
    let _ = judged(&file(input));
}

/// Returns the kinds of fault that an input proves.
pub fn proved(input: &[u8]) -> Vec<FaultKind> {
    judged(&file(input))
        .map(|faults| faults.iter().map(|fault| fault.kind).collect())
        .unwrap_or_default()
}

fn judged(bytes: &[u8]) -> Result<Vec<Fault>, ProofError> {
    let Proof { tally, faults } = check_proof(bytes)?;
    let Bundle { mut refs, commits } = Bundle::read(bytes)?;
    let known: BTreeMap<&[u8], &Commit> = LEDGERS
        .iter()
        .flat_map(|ledger| &ledger.commits)
        .map(|commit| (commit.raw.as_slice(), commit))
        .collect();
    let found: BTreeMap<Oid, &Commit> = commits
        .iter()
        .map(|raw| {
            let commit = *known
                .get(raw.as_slice())
                .expect("every entry was signed by a member");
            (commit.oid, commit)
        })
        .collect();
    let genesis = refs
        .remove("refs/quorum-proof/genesis")
        .expect("its genesis is named");
    assert_eq!(
        tally.dag().entries().next().map(|(_, entry)| entry.oid),
        Some(genesis)
    );
    assert_eq!(
        tally.dag().entries().len(),
        found.len(),
        "each entry is judged, once"
    );
    let named: BTreeSet<Oid> = refs.into_values().collect();
    assert!(!faults.is_empty(), "a proof that convicts nobody");
    for fault in &faults {
        assert!(
            fault.votes.iter().all(|vote| named.contains(&vote.commit)),
            "only named entries convict"
        );
        assert!(
            fault
                .votes
                .iter()
                .all(|vote| is_said(fault, vote, found[&vote.commit])),
            "{fault:?} was not said"
        );
        match fault.votes.as_slice() {
            [one] => check_single(fault, one),
            [first, second] => check_pair(fault, first, second, &found),
            _ => panic!("no fault has so many votes"),
        }
    }
    Ok(faults)
}

/// Whether the JSON of the entry has this statement.
fn is_said(fault: &Fault, vote: &VoteRef, commit: &Commit) -> bool {
    let (payload, said) = (
        &commit.payload,
        &commit.payload["statements"][vote.statement],
    );
    let kind = match vote.phase {
        Phase::Prevote => "prevote",
        Phase::Precommit => "precommit",
    };
    payload["member"] == fault.member.as_str()
        && payload["charter"] == fault.charter.to_string()
        && said["kind"] == kind
        && said["round"] == vote.round
        && said["proposal"] == vote.proposal.to_string()
}

/// A single vote convicts if the vectors say that it does not count, and why.
fn check_single(fault: &Fault, vote: &VoteRef) {
    let code = fault.code.expect("a reason").code();
    for ledger in LEDGERS
        .iter()
        .filter(|ledger| ledger.holds(std::slice::from_ref(vote)))
    {
        let of_vote =
            |d: &&Value| d["entry"] == vote.entry.to_string() && d["statement"] == vote.statement;
        let discounted = ledger
            .discounted
            .as_array()
            .and_then(|all| all.iter().find(of_vote));
        assert_eq!(
            discounted.map(|d| &d["reason"]),
            Some(&Value::from(code)),
            "the vectors say otherwise"
        );
    }
}

/// Two votes convict if rule 7 says so. If a vector contains both votes, it must say so too.
fn check_pair(fault: &Fault, first: &VoteRef, second: &VoteRef, found: &BTreeMap<Oid, &Commit>) {
    assert_ne!(
        first.proposal, second.proposal,
        "votes for one proposal convict nobody"
    );
    let slot = |vote: &VoteRef| {
        let proposes = |commit: &&&Commit| {
            git_quorum::id::EntryId::of(&unsigned(&commit.raw)) == vote.proposal
        };
        let said = found
            .values()
            .find(proposes)
            .map(|commit| &commit.payload["statements"][0])
            .expect("a proposal");
        (
            said["kind"].clone(),
            said["name"].clone(),
            said["base"].clone(),
        )
    };
    let (one, other) = (slot(first), slot(second));
    match fault.kind {
        FaultKind::Equivocation => {
            assert_eq!(
                (first.phase, first.round, one),
                (second.phase, second.round, other)
            );
        }
        FaultKind::LockViolation => {
            assert_eq!(
                (first.phase, second.phase, one),
                (Phase::Precommit, Phase::Prevote, other)
            );
            assert!(first.round < second.round);
        }
        FaultKind::FreezeViolation => assert_eq!(
            (first.phase, one.0),
            (Phase::Precommit, "propose-charter".into())
        ),
        _ => panic!("{:?} takes one vote", fault.kind),
    }
    let is_fault = |e: &Value| {
        e["member"] == fault.member.as_str()
            && e["rule"] == fault.kind.code()
            && e["charter"] == fault.charter.to_string()
            && fault.slot.is_some_and(|slot| e["slot"] == slot.to_string())
    };
    for ledger in LEDGERS.iter().filter(|ledger| ledger.holds(&fault.votes)) {
        let evidence = ledger.evidence.as_array().expect("a list");
        assert!(
            evidence.iter().any(is_fault),
            "the vectors know nothing of {fault:?}"
        );
    }
}

/// Returns the signed bytes of an entry.
fn unsigned(raw: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(raw).expect("a text");
    let (header, message) = text.split_once("\n\n").expect("a header");
    let lines: Vec<_> = header
        .lines()
        .filter(|l| !l.starts_with("gpgsig ") && !l.starts_with(' '))
        .collect();
    format!("{}\n\n{message}", lines.join("\n")).into_bytes()
}
