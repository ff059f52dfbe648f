//! Bytes that somebody made to do harm: parsing never panics and stays fast, what parses is exactly
//! what its parts are built into, and the ledger takes in nothing but the true entry.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use git_quorum::consensus::Tally;
use git_quorum::id::EntryId;
use git_quorum::ledger::{GenesisPayload, ParsedEntry, Payload, encode, encode_genesis, parse};
use proptest::prelude::*;
use serde_json::Value;

#[path = "common/lab.rs"]
mod lab;
#[path = "common/ledger_form.rs"]
mod ledger_form;
#[path = "common/vectors/mod.rs"]
mod vectors;

use vectors::craft::Craft;

/// No input, of whatever size, takes longer than this on a slow and busy machine without optimization.
const LONGEST: Duration = Duration::from_secs(5);

/// The valid vectors that are small enough to be varied thousands of times.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-spec/vectors/valid");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|found| found.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "entry"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| fs::read(path).unwrap())
        .filter(|raw| raw.len() < 8_000)
        .collect()
}

/// A ledger that has every valid entry of the first ledger among the vectors, and the entries by id.
struct Ledger {
    /// Without the last entries: what they vary into may come in anew.
    before: Tally,
    known: BTreeMap<EntryId, Vec<Vec<u8>>>,
    corpus: Vec<Vec<u8>>,
}

fn ledger() -> Ledger {
    let corpus = corpus();
    let mut known = BTreeMap::<_, Vec<_>>::new();
    for raw in &corpus {
        known
            .entry(parse(raw).unwrap().id)
            .or_default()
            .push(raw.clone());
    }
    let genesis = fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-spec/vectors/valid/genesis.entry"),
    )
    .unwrap();
    let mut before = Tally::found(parse(&genesis).unwrap(), lab::oid_of(&genesis)).unwrap();
    // In as many passes as it takes; entries of other ledgers stay outside.
    for _ in 0..corpus.len() {
        for raw in &corpus {
            let parsed = parse(raw).unwrap();
            if before.dag().find_oid(lab::oid_of(raw)).is_none() {
                let _ = before.insert(parsed, lab::oid_of(raw));
            }
        }
    }
    assert!(before.dag().entries().len() > 30);
    Ledger {
        before,
        known,
        corpus,
    }
}

/// The bytes, built again from what the text says: by way of the public encoders, not of `parse`.
fn rebuilt(raw: &[u8], parsed: &ParsedEntry) -> Vec<u8> {
    let text = std::str::from_utf8(raw).unwrap();
    let (header, message) = text.split_once("\n\n").unwrap();
    let mut payload: Value = serde_json::from_str(message.split_once("\n\n").unwrap().1).unwrap();
    payload.as_object_mut().unwrap().remove("type").unwrap();
    let unsigned = if parsed.is_genesis() {
        let payload: GenesisPayload = serde_json::from_value(payload).unwrap();
        encode_genesis(&payload, parsed.time).unwrap()
    } else {
        let payload: Payload = serde_json::from_value(payload).unwrap();
        encode(&payload, &parsed.parents, parsed.time).unwrap()
    };
    assert_eq!(unsigned.id, parsed.id);
    let (_, armour) = header.split_once("\ngpgsig ").unwrap();
    let armour = armour.replace("\n ", "\n");
    let signature = ssh_key::SshSig::from_pem(&armour).unwrap();
    let key = signature.public_key().ed25519().unwrap().0;
    let key = git_quorum::charter::PublicKey::admit(key).unwrap();
    unsigned
        .with_signature(&key, signature.signature_bytes().try_into().unwrap())
        .unwrap()
}

impl Ledger {
    /// What must hold of any bytes whatever. Says whether they parse.
    fn check(&self, raw: &[u8]) -> bool {
        let started = Instant::now();
        let parsed = parse(raw);
        assert!(
            started.elapsed() < LONGEST,
            "{} bytes took {:?}",
            raw.len(),
            started.elapsed()
        );
        let Ok(parsed) = parsed else { return false };
        assert_eq!(rebuilt(raw, &parsed), raw, "what parses has one form");
        let (id, oid) = (parsed.id, lab::oid_of(raw));
        let mut tally = self.before.clone();
        if tally.insert(parsed, oid).is_ok() {
            assert!(
                self.known[&id].iter().any(|good| good == raw),
                "taken in: {}",
                String::from_utf8_lossy(raw)
            );
        }
        true
    }
}

/// One small change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Copy(usize, usize, usize),
    SwapLines(usize, usize),
    RepeatLine(usize),
    Text(usize, usize),
}

/// Pieces of text that mean something somewhere, and what may stand for them.
const PIECES: [(&str, &str); 30] = [
    ("\"seq\":1", "\"seq\":1.0"),
    ("\"seq\":1", "\"seq\":1e0"),
    ("\"seq\":1", "\"seq\":18446744073709551616"),
    (
        "\"seq\":1",
        "\"seq\":99999999999999999999999999999999999999999e999",
    ),
    ("\"seq\":1", "\"seq\":-1"),
    ("\"seq\":", "\"seq\":1,\"seq\":"),
    ("\"round\":0", "\"round\":4294967296"),
    ("\"round\":0", "\"round\":4294967295"),
    ("\"kind\":\"", "\"kind\":\"x\",\"kind\":\""),
    ("\"type\":\"entry\"", "\"type\":\"genesis\""),
    (
        "\"type\":\"entry\"",
        "\"type\":\"entry\",\"type\":\"entry\"",
    ),
    ("\"text\":\"", "\"text\":\"\\u0000"),
    ("\"text\":\"", "\"text\":\"\\ud800"),
    ("\"text\":\"", "\"text\":\"\u{202e}"),
    ("\"evidence\":[]", "\"evidence\":{}"),
    ("\"statements\":[", "\"statements\":[[[[[[[["),
    ("\"statements\":[", "\"statements\":[null,"),
    ("abstain", "approve"),
    ("\"v\":1", "\"v\":2"),
    ("\"v\":1", "\"v\":1,\"x\":1"),
    ("dave", "alice"),
    ("erin", "dave"),
    ("+0000", "-0000"),
    (" 17", " +17"),
    ("\nparent ", "\nparent  "),
    ("gpgsig ", "gpgsig-sha256 "),
    ("-----\n", "-----\n \n"),
    ("\n", "\r\n"),
    ("refs/heads/main", "refs/heads/main.lock"),
    (":", ": "),
];

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<usize>();
    prop_oneof![
        (at(), 0u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (at(), 1usize..40).prop_map(|(at, n)| Change::Remove(at, n)),
        (at(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), "[ \\n\"\\\\{}\\[\\]:,0-9a-z=]{1,4}")
            .prop_map(|(at, text)| Change::Insert(at, text.into_bytes())),
        (at(), at(), 1usize..60).prop_map(|(from, to, n)| Change::Copy(from, to, n)),
        (at(), at()).prop_map(|(one, other)| Change::SwapLines(one, other)),
        at().prop_map(Change::RepeatLine),
        (0..PIECES.len(), at()).prop_map(|(piece, nth)| Change::Text(piece, nth)),
    ]
}

fn change_text(raw: Vec<u8>, piece: usize, nth: usize) -> Vec<u8> {
    let Ok(text) = String::from_utf8(raw.clone()) else {
        return raw;
    };
    let (from, to) = PIECES[piece];
    let places: Vec<_> = text.match_indices(from).map(|(at, _)| at).collect();
    if places.is_empty() {
        return raw;
    }
    let at = places[nth % places.len()];
    [&raw[..at], to.as_bytes(), &raw[at + from.len()..]].concat()
}

fn apply(mut raw: Vec<u8>, change: &Change) -> Vec<u8> {
    let size = raw.len().max(1);
    match change {
        Change::Flip(at, bit) => {
            if let Some(byte) = raw.get_mut(at % size) {
                *byte ^= 1 << bit;
            }
        }
        Change::Remove(at, n) => {
            let from = (at % size).min(raw.len());
            raw.drain(from..(from + n).min(raw.len()));
        }
        Change::Insert(at, bytes) => {
            let at = (at % size).min(raw.len());
            raw.splice(at..at, bytes.iter().copied());
        }
        Change::Copy(from, to, n) => {
            let (from, to) = ((from % size).min(raw.len()), (to % size).min(raw.len()));
            let piece = raw[from..(from + n).min(raw.len())].to_vec();
            raw.splice(to..to, piece);
        }
        Change::SwapLines(one, other) => {
            let mut lines: Vec<_> = raw.split(|b| *b == b'\n').collect();
            let n = lines.len();
            lines.swap(one % n, other % n);
            raw = lines.join(&b'\n');
        }
        Change::RepeatLine(line) => {
            let mut lines: Vec<_> = raw.split(|b| *b == b'\n').collect();
            let line = line % lines.len();
            lines.insert(line, lines[line]);
            raw = lines.join(&b'\n');
        }
        Change::Text(piece, nth) => raw = change_text(raw, *piece, *nth),
    }
    raw
}

#[test]
fn varied_entries_neither_panic_nor_get_in() {
    let ledger = ledger();
    let cases = (
        0..ledger.corpus.len(),
        prop::collection::vec(change(), 1..4),
    );
    let config = ProptestConfig {
        cases: 2_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |((which, changes) in cases)| {
        let raw = changes.iter().fold(ledger.corpus[which].clone(), apply);
        ledger.check(&raw);
    });
}

#[test]
fn two_halves_of_entries_do_not_make_another() {
    let ledger = ledger();
    let cut = |raw: &[u8], marker: &str| {
        let at = raw
            .windows(marker.len())
            .position(|w| w == marker.as_bytes());
        at.unwrap_or(raw.len())
    };
    for one in &ledger.corpus {
        for other in ledger.corpus.iter().step_by(8) {
            for marker in [
                "gpgsig ",
                "author ",
                " -----END",
                "\n\n",
                "\"statements\"",
                "\"seq\"",
            ] {
                ledger.check(&[&one[..cut(one, marker)], &other[cut(other, marker)..]].concat());
            }
        }
    }
}

#[test]
fn each_bit_of_an_entry_matters() {
    let ledger = ledger();
    let raw = ledger.corpus.iter().find(|raw| raw.len() < 1_500).unwrap();
    let mut parsed = 0;
    for bit in 0..raw.len() * 8 {
        let mut changed = raw.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        parsed += usize::from(ledger.check(&changed));
    }
    assert!(
        parsed > 100,
        "{parsed}: the signature's and the texts' bits may be anything"
    );
    (0..raw.len()).for_each(|end| assert!(!ledger.check(&raw[..end])));
}

#[test]
fn payloads_varied_by_value_and_signed_by_a_member_have_one_form() {
    let ledger = ledger();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    });
    let config = ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(which in 0..ledger.corpus.len(), at in any::<usize>(), value in value)| {
        let text = std::str::from_utf8(&ledger.corpus[which]).unwrap();
        let (start, json) = text.rsplit_once("\n\n").unwrap();
        let mut payload: Value = serde_json::from_str(json).unwrap();
        let mut pointers = vec![];
        collect_pointers(&payload, String::new(), &mut pointers);
        *payload.pointer_mut(&pointers[at % pointers.len()]).unwrap() = value;
        let json = serde_json::to_string(&payload).unwrap();
        let raw = format!("{start}\n\n{json}\n").into_bytes();
        ledger.check(&raw);
        // What a member signs may well be an entry; it must be one without a panic, and have one form.
        let raw = Craft::of(&raw).sign("erin");
        if let Ok(parsed) = parse(&raw) {
            prop_assert_eq!(&rebuilt(&raw, &parsed), &raw);
            let _ = ledger.before.clone().insert(parsed, lab::oid_of(&raw));
        }
    });
}

fn collect_pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(n, v)| collect_pointers(v, format!("{at}/{n}"), found)),
        Value::Object(map) => map
            .iter()
            .for_each(|(k, v)| collect_pointers(v, format!("{at}/{k}"), found)),
        _ => {}
    }
    found.push(at);
}

#[test]
fn large_and_deep_inputs_are_refused_in_time() {
    let ledger = ledger();
    let text = String::from_utf8(ledger.corpus[0].clone()).unwrap();
    let (start, _) = text.rsplit_once("\n\n").unwrap();
    let most = 260_000 - start.len();
    let fill = |piece: &str| piece.repeat(most / piece.len());
    let payloads = [
        fill("["),
        fill("{\"a\":"),
        fill("[],"),
        format!("[{}1]", fill("1,")),
        format!("{{\"v\":1,\"seq\":{}}}", "9".repeat(most - 40)),
        format!("{{\"v\":1,\"seq\":1e{}}}", "9".repeat(most - 40)),
        format!("{{\"v\":1,\"seq\":0.{}}}", "3".repeat(most - 40)),
        format!("{{{}\"v\":1}}", "\"v\":1,".repeat(most / 6 - 2)),
        format!(
            "{{\"v\":1,\"text\":\"{}\"}}",
            "\\u0041".repeat(most / 6 - 8)
        ),
        format!(
            "{{\"statements\":[{}null],\"type\":\"entry\",\"v\":1}}",
            "{},".repeat(most / 3 - 30)
        ),
        format!(
            "{{\"statements\":[{}null],\"type\":\"entry\",\"v\":1}}",
            "[],".repeat(most / 3 - 30)
        ),
    ];
    for payload in payloads {
        assert!(!ledger.check(format!("{start}\n\n{payload}\n").as_bytes()));
    }
    let (header, _) = text.split_once("\ngpgsig").unwrap();
    let parents = "parent 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n".repeat(5_400);
    assert!(!ledger.check(format!("{parents}{text}").as_bytes()));
    for armour in [fill("A"), fill("A\n "), fill("\n "), fill("=")] {
        let raw = format!(
            "{header}\ngpgsig -----BEGIN SSH SIGNATURE-----\n {armour}\n -----END SSH SIGNATURE-----\n\nx\n\n{{}}\n"
        );
        assert!(!ledger.check(raw.as_bytes()));
    }
    for byte in [0, b'\n', b' ', b'[', 0xff] {
        assert!(!ledger.check(&vec![byte; 10_000_000]));
    }
}

#[test]
fn bytes_at_random_are_no_entry() {
    let ledger = ledger();
    let config = ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(raw in prop::collection::vec(any::<u8>(), 0..600))| {
        prop_assert!(!ledger.check(&raw));
    });
}
