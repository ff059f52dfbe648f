//! The test vectors of `ledger-spec/vectors/`, made in memory. Keys, times and nonces are fixed, so
//! the bytes are the same each time. `examples/vectors.rs` writes the files, and `tests/vectors.rs`
//! compares them.
#![allow(dead_code, reason = "each program uses a part of it")]

mod bundle;
pub mod craft;
pub mod invalid;
mod invalid_form;
mod invalid_payload;
mod invalid_place;
mod invalid_signature;
pub mod ledgers;
pub mod proofs;
pub mod valid;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::lab::{public_key, signing_key};
use crate::ledger_form::{self, tally_of};

/// All names that sign in the vectors. `mallory` is not a member.
pub const PEOPLE: [&str; 8] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "mallory",
];

/// Returns every generated file, by its path below `ledger-spec/vectors/`.
pub fn files() -> BTreeMap<String, Vec<u8>> {
    let valid = valid::all();
    let invalid = invalid::all(&valid);
    let mut files = BTreeMap::from([
        ("allowed-signers".to_owned(), allowed_signers().into_bytes()),
        ("keys.json".to_owned(), pretty(&keys())),
    ]);
    for entry in valid.entries() {
        files.insert(format!("valid/{}.entry", entry.name), entry.raw.clone());
        files.insert(
            format!("valid/{}.json", entry.name),
            pretty(&valid.describe(entry)),
        );
    }
    for case in invalid {
        let twice = files.insert(format!("invalid/{}.entry", case.name), case.raw.clone());
        assert!(twice.is_none(), "two vectors named {}", case.name);
        files.insert(
            format!("invalid/{}.json", case.name),
            pretty(&case.describe()),
        );
    }
    let ledgers = ledgers::all();
    files.insert(
        "ledgers/README.md".to_owned(),
        ledgers::index(&ledgers).into_bytes(),
    );
    files.insert("faults.json".to_owned(), pretty(&faults(&ledgers)));
    for ledger in ledgers {
        let twice = files.insert(
            format!("ledgers/{}.json", ledger.name),
            ledger.vector.to_json(),
        );
        assert!(twice.is_none(), "two ledgers named {}", ledger.name);
    }
    let proofs = proofs::all();
    files.insert("proofs/answers.json".to_owned(), pretty(&answers(&proofs)));
    for proof in proofs {
        let twice = files.insert(format!("proofs/{}.proof", proof.name), proof.bytes);
        assert!(twice.is_none(), "two proofs named {}", proof.name);
    }
    files
}

/// Returns the faults and broken slots of the ledgers that have any, by name. A ledger without
/// verdicts has no fault either.
fn faults(ledgers: &[ledgers::Named]) -> Value {
    let given = ledgers
        .iter()
        .filter(|ledger| ledger.vector.expected.get("upgrade").is_none());
    let found = given.map(|ledger| {
        (
            ledger.name.clone(),
            ledger_form::faults(&tally_of(&ledger.vector.entries)),
        )
    });
    Value::Object(
        found
            .filter(|(_, found)| found["faults"] != json!([]))
            .collect(),
    )
}

/// Returns the answers of `check-proof`, by the name of the file.
fn answers(proofs: &[proofs::Proof]) -> Value {
    Value::Object(
        proofs
            .iter()
            .map(|proof| (format!("{}.proof", proof.name), proof.describe()))
            .collect(),
    )
}

/// Returns the text for Git's `gpg.ssh.allowedSignersFile` that names the members.
pub fn allowed_signers() -> String {
    let line = |m: &&str| {
        format!(
            "{m}@git-quorum.invalid namespaces=\"git\" {}\n",
            public_key(m)
        )
    };
    PEOPLE.iter().map(line).collect()
}

/// Returns the keys, including the secret ones. They protect nothing, and other implementations may
/// want to sign with them.
fn keys() -> Value {
    let key = |m: &&str| {
        let value = json!({"public": public_key(m).to_string(), "seed": hex::encode(signing_key(m).to_bytes())});
        ((*m).to_owned(), value)
    };
    Value::Object(PEOPLE.iter().map(key).collect())
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap();
    text.push(b'\n');
    text
}
