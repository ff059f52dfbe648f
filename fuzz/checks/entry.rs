//! Bytes that are parsed as an entry, as they arrive with a fetch or a push.

use std::cell::RefCell;

use git_quorum::consensus::Tally;
use git_quorum::id::EntryId;
use git_quorum::ledger::{
    GenesisPayload, ParsedEntry, Payload, encode, encode_genesis, parse, parse_again, unarmour,
};
use serde_json::Value;

use super::known;

/// Bytes that parse have one form, one id and one meaning. They found a ledger, or are added to a
/// ledger, only if the signature is valid.
pub fn check(raw: &[u8]) {
    let Ok(parsed) = parse(raw) else { return };
    let text = std::str::from_utf8(raw).expect("an entry is UTF-8");
    assert_eq!(rebuilt(text, &parsed), raw, "what parses has one form");
    assert_eq!(
        parsed.id,
        EntryId::of(signed_part(text).as_bytes()),
        "the id is that of the signed bytes"
    );
    let again = parse_again(raw).expect("what parses, parses again");
    assert_eq!(
        (again.id, &again.parents, again.time),
        (parsed.id, &parsed.parents, parsed.time)
    );
    assert_eq!(
        (again.is_genesis(), again.member()),
        (parsed.is_genesis(), parsed.member())
    );
    match parsed.is_genesis() {
        true => found(raw, parsed),
        false => insert(raw, parsed),
    }
}

/// Builds the bytes again from the text, with the public encoders and without `parse`.
fn rebuilt(text: &str, parsed: &ParsedEntry) -> Vec<u8> {
    let (header, message) = text.split_once("\n\n").expect("a header");
    let (_, payload) = message.split_once("\n\n").expect("a payload");
    let mut payload: Value = serde_json::from_str(payload).expect("the payload is JSON");
    payload
        .as_object_mut()
        .and_then(|fields| fields.remove("type"))
        .expect("a payload has a type");
    let unsigned = if parsed.is_genesis() {
        let payload: GenesisPayload = serde_json::from_value(payload).expect("a genesis");
        encode_genesis(&payload, parsed.time)
    } else {
        let payload: Payload = serde_json::from_value(payload).expect("an entry");
        encode(&payload, &parsed.parents, parsed.time)
    };
    let unsigned = unsigned.expect("what was taken can be made");
    assert_eq!(unsigned.id, parsed.id);
    let (_, armour) = header.split_once("\ngpgsig ").expect("a signature");
    let (key, signature) =
        unarmour(&format!("{}\n", armour.replace("\n ", "\n"))).expect("an armour");
    unsigned
        .with_signature(&key, &signature)
        .expect("the armour can be made")
}

/// Returns the text without its signature header, line by line.
fn signed_part(text: &str) -> String {
    let (header, message) = text.split_once("\n\n").expect("a header");
    let unsigned: Vec<_> = header
        .lines()
        .filter(|l| !l.starts_with("gpgsig ") && !l.starts_with(' '))
        .collect();
    format!("{}\n\n{message}", unsigned.join("\n"))
}

/// The fuzzer has no key, so it can found only the ledgers whose geneses are vectors. Such a ledger
/// can be written to bytes and read again.
fn found(raw: &[u8], parsed: ParsedEntry) {
    let id = parsed.id;
    let Ok(tally) = Tally::found(parsed, known::oid_of(raw)) else {
        return;
    };
    assert_eq!((tally.dag().ledger(), tally.charter_in_force()), (id, id));
    let again = Tally::from_bytes(tally.to_bytes()).expect("what was written is read");
    assert_eq!(
        again.dag().charter(id).map(|c| c.digest),
        tally.dag().charter(id).map(|c| c.digest)
    );
}

/// The fuzzer has no key, so the ledger accepts only the entries that its members wrote.
fn insert(raw: &[u8], parsed: ParsedEntry) {
    thread_local! {
        static LEDGER: RefCell<Tally> = RefCell::new(known::ledger(known::ENTRIES.len()));
    }
    LEDGER.with_borrow_mut(|ledger| {
        let (id, before) = (parsed.id, ledger.dag().entries().len());
        if ledger.insert(parsed, known::oid_of(raw)).is_ok() {
            assert!(
                known::ENTRIES.contains(&raw),
                "an entry that nobody signed is taken in"
            );
        }
        assert!(
            ledger.dag().entries().len() == before,
            "the ledger had {id}"
        );
    });
}
