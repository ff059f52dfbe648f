//! The vectors of `ledger-spec/vectors/`: that they are the ones that the generator makes, that each
//! file gives what stands beside it, and that each reason code has one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use git_quorum::consensus::{DiscountReason, Tally};
use git_quorum::id::EntryId;
use git_quorum::ledger::{Dag, Reject, RejectReason, parse};
use serde_json::Value;

#[path = "common/lab.rs"]
mod lab;
#[path = "common/ledger_form.rs"]
mod ledger_form;
#[path = "common/vectors/mod.rs"]
mod vectors;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-spec/vectors")
}

/// The checked-in files, by their path below the folder.
fn checked_in() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["", "valid/", "invalid/", "ledgers/", "proofs/"] {
        for found in fs::read_dir(root().join(folder)).unwrap() {
            let path = found.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_str().unwrap();
                files.insert(format!("{folder}{name}"), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The vectors of a folder: name, bytes, and what stands beside them.
fn vectors_of(folder: &str) -> Vec<(String, Vec<u8>, Value)> {
    let files = checked_in();
    let name = |path: &str| {
        path.strip_prefix(folder)?
            .strip_suffix(".entry")
            .map(str::to_owned)
    };
    let read = |name: String| {
        let beside = serde_json::from_slice(&files[&format!("{folder}{name}.json")]).unwrap();
        (
            name.clone(),
            files[&format!("{folder}{name}.entry")].clone(),
            beside,
        )
    };
    files
        .keys()
        .filter_map(|path| name(path))
        .map(read)
        .collect()
}

/// A tally of the entries that a vector needs, which are valid ones by name.
fn context(beside: &Value) -> Option<Tally> {
    let mut tally: Option<Tally> = None;
    for name in beside["context"].as_array().unwrap() {
        let raw = fs::read(root().join(format!("valid/{}.entry", name.as_str().unwrap()))).unwrap();
        let (parsed, oid) = (parse(&raw).unwrap(), lab::oid_of(&raw));
        match &mut tally {
            None => tally = Some(Tally::found(parsed, oid).unwrap()),
            Some(tally) => drop(tally.insert(parsed, oid).unwrap()),
        }
    }
    tally
}

/// What a reader of the repository makes of the bytes, and the id that they have in the ledger.
fn read(raw: &[u8], beside: &Value) -> Result<(Tally, EntryId), Reject> {
    if beside["object"]
        .as_str()
        .is_some_and(|object| object != "commit")
    {
        return Err(RejectReason::NotACommit.into());
    }
    let (parsed, oid) = (parse(raw)?, lab::oid_of(raw));
    let id = parsed.id;
    match context(beside) {
        None => Ok((Tally::found(parsed, oid)?, id)),
        Some(mut tally) => {
            tally.insert(parsed, oid)?;
            Ok((tally, id))
        }
    }
}

#[test]
fn the_checked_in_files_are_the_ones_that_the_generator_makes() {
    let (made, mut found) = (vectors::files(), checked_in());
    assert!(found.remove("README.md").is_some());
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(
        names(&made),
        names(&found),
        "run `cargo run --example vectors`"
    );
    for (path, bytes) in &made {
        assert!(
            *bytes == found[path],
            "{path} differs: run `cargo run --example vectors`"
        );
    }
}

#[test]
fn valid_vectors_are_taken_in_and_are_what_stands_beside_them() {
    for (name, raw, beside) in vectors_of("valid/") {
        let (tally, id) = read(&raw, &beside).unwrap_or_else(|reject| panic!("{name}: {reject}"));
        let dag = tally.dag();
        let index = dag.find(id).unwrap();
        let entry = dag.entry(index);
        assert_eq!(id.to_string(), beside["id"].as_str().unwrap(), "{name}");
        assert_eq!(
            lab::oid_of(&raw).to_string(),
            beside["oid"].as_str().unwrap(),
            "{name}"
        );
        assert_eq!(dag.find_oid(lab::oid_of(&raw)), Some(index), "{name}");
        assert_eq!(
            entry.member.as_str(),
            beside["member"].as_str().unwrap(),
            "{name}"
        );
        assert_eq!(Some(entry.seq), beside["seq"].as_u64(), "{name}");
        assert_eq!(beside["signed_bytes"]["sha256"], beside["id"], "{name}");
        for (n, verdict) in beside["verdicts"].as_array().unwrap().iter().enumerate() {
            let found = tally
                .discounted()
                .iter()
                .find(|d| d.place.entry == index && d.place.statement == n);
            assert_eq!(
                found.map(|d| d.discount.reason.code()),
                verdict.as_str(),
                "{name}"
            );
        }
    }
}

#[test]
fn invalid_vectors_are_refused_for_the_reason_that_names_them() {
    let mut seen = BTreeSet::new();
    for (name, raw, beside) in vectors_of("invalid/") {
        let code = beside["code"].as_str().unwrap();
        assert!(
            name == code
                || name
                    .strip_prefix(code)
                    .is_some_and(|rest| rest.starts_with('-')),
            "{name}"
        );
        assert_eq!(
            context(&beside).is_none(),
            beside["role"] == "genesis",
            "{name}"
        );
        match read(&raw, &beside) {
            Ok(_) => panic!("{name} was taken in"),
            Err(reject) => assert_eq!(reject.reason.code(), code, "{name}: {reject}"),
        }
        seen.insert(code.to_owned());
    }
    let all: BTreeSet<_> = RejectReason::ALL
        .iter()
        .map(|r| r.code().to_owned())
        .collect();
    assert_eq!(seen, all, "each reason has a vector");
}

#[test]
fn every_file_belongs_to_a_vector() {
    for path in checked_in().keys().filter(|path| path.contains("valid/")) {
        let (stem, ending) = path.rsplit_once('.').unwrap();
        let other = match ending {
            "entry" => "json",
            "json" => "entry",
            _ => panic!("{path} is no part of a vector"),
        };
        assert!(
            root().join(format!("{stem}.{other}")).is_file(),
            "{path} stands alone"
        );
    }
}

#[test]
fn either_commit_of_an_entry_will_do_and_makes_no_second_entry() {
    let raw = |name: &str| fs::read(root().join(format!("valid/{name}.entry"))).unwrap();
    for (first, second) in [
        ("genesis", "genesis-second-signature"),
        ("genesis-second-signature", "genesis"),
    ] {
        let raws = [raw(first), raw(second)];
        let [one, two] = raws.each_ref().map(|raw| parse(raw).unwrap());
        let mut dag = Dag::found(one, lab::oid_of(&raws[0])).unwrap();
        dag.insert(two.clone(), lab::oid_of(&raws[1])).unwrap();
        dag.insert_checked(two, lab::oid_of(&raws[1])).unwrap();
        assert_eq!(dag.entries().len(), 1);
        assert_eq!(
            dag.find_oid(lab::oid_of(&raws[0])),
            dag.find_oid(lab::oid_of(&raws[1]))
        );
    }
}

#[test]
fn an_entry_may_have_256_parents() {
    let mut lab = lab::Lab::new(&["a"]);
    let mut lane = vec![lab.ledger];
    for n in 0..256 {
        let own = lane.last().copied().unwrap();
        lane.push(lab.entry("a", lab.ledger, &[own], vec![lab::prevote(lab.ledger, n)]));
    }
    lane.remove(0);
    lane.reverse();
    assert_eq!(lane.len(), 256);
    let join = lab.entry("a", lab.ledger, &lane, vec![]);
    assert_eq!(
        lab.tally
            .dag()
            .entry(lab.tally.dag().find(join).unwrap())
            .seq,
        257
    );
}

/// The codes in the first column of the tables below a heading.
fn codes_below(page: &str, heading: &str) -> Vec<String> {
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let code = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    section.lines().filter_map(code).collect()
}

#[test]
fn the_page_of_reasons_lists_exactly_the_codes_there_are() {
    let page = fs::read_to_string(root().parent().unwrap().join("reasons.md")).unwrap();
    let rejects: Vec<_> = RejectReason::ALL.iter().map(|r| r.code()).collect();
    assert_eq!(codes_below(&page, "Why bytes are no entry"), rejects);
    let discounts: Vec<_> = DiscountReason::ALL.iter().map(|r| r.code()).collect();
    assert_eq!(
        codes_below(&page, "Why a statement does not count"),
        discounts
    );
}
