//! Compares the second verifier with the program on the ledgers of schedules.
//!
//! `SIMULATOR_LEDGERS=2000 SIMULATOR_START=5000 cargo test --profile search --test simulator
//! second` checks more ledgers, from another seed. Needs the same tools as
//! `tests/second_verifier.rs`.

use std::ops::Range;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ledger_form::{LedgerVector, expected};
use crate::plan::Plan;
use crate::rng::cases;
use crate::timeline::World;
use crate::verifier::{VERIFIER, check, python};

/// So many ledgers are on the disk at a time.
const BATCH: u64 = 50;

/// Runs the schedule of a seed, with every signature real; its ledger, and what the program finds in it.
fn ledger(seed: u64) -> LedgerVector {
    let mut world = World::new(Plan {
        signed: true,
        ..Plan::draw(seed)
    });
    world
        .run()
        .unwrap_or_else(|violation| panic!("seed {seed}: {violation:?}"));
    LedgerVector {
        about: format!("the ledger of the schedule of seed {seed}"),
        rule: "any".to_owned(),
        kept: false,
        expected: expected(&world.archive.union),
        entries: world
            .archive
            .minted
            .into_iter()
            .map(|minted| minted.raw)
            .collect(),
    }
}

fn save(folder: &Path, name: &str, ledger: &LedgerVector) {
    std::fs::write(folder.join(format!("{name}.json")), ledger.to_json()).unwrap();
}

/// What there was in the ledgers, by words.
#[derive(Debug, Default)]
struct Seen {
    entries: usize,
    decisions: usize,
    broken: usize,
    discounted: usize,
    evidence: usize,
}

impl Seen {
    fn add(&mut self, ledger: &LedgerVector) {
        let count = |field: &str| ledger.expected[field].as_array().map_or(0, Vec::len);
        self.entries += ledger.entries.len();
        self.decisions += count("decisions");
        self.broken += count("broken");
        self.discounted += count("discounted");
        self.evidence += count("evidence");
    }
}

/// Has the other verifier judge the ledgers of these seeds. Those on which it says something else stay, and are named.
fn agree(python: &str, seeds: Range<u64>, seen: &mut Seen) {
    let folder = TempDir::new().unwrap();
    for seed in seeds.clone() {
        let ledger = ledger(seed);
        seen.add(&ledger);
        save(folder.path(), &format!("simulator-{seed}"), &ledger);
    }
    let (agrees, text) = check(python, Path::new(VERIFIER), &[folder.path().to_owned()]);
    if !agrees || text != format!("{} ledgers: 0 differ\n", seeds.end - seeds.start) {
        panic!("{text}the files are in {}", folder.keep().display());
    }
}

#[test]
#[cfg_attr(not(has_second_verifier), ignore = "Python or PyNaCl is not installed")]
fn the_second_verifier_agrees_on_the_ledgers_of_schedules() {
    let Some(python) = python() else { return };
    let (first, count) = (cases("SIMULATOR_START", 0), cases("SIMULATOR_LEDGERS", 10));
    let mut seen = Seen::default();
    for start in (first..first + count).step_by(BATCH as usize) {
        agree(
            &python,
            start..(first + count).min(start + BATCH),
            &mut seen,
        );
        println!(
            "seeds {first} to {}: {seen:?}",
            (first + count).min(start + BATCH) - 1
        );
    }
    assert!(
        seen.decisions > 0 && seen.discounted > 0 && seen.entries as u64 > 10 * count,
        "{seen:?}"
    );
}

/// A difference is one, and is told: a decision that is left out, a reason that is another.
#[test]
#[cfg_attr(not(has_second_verifier), ignore = "Python or PyNaCl is not installed")]
fn the_second_verifier_tells_where_it_disagrees() {
    let Some(python) = python() else { return };
    let honest = (0..20)
        .map(ledger)
        .find(|l| l.expected["discounted"] != json!([]))
        .unwrap();
    let falsified: [fn(&mut Value); 2] = [
        |expected| drop(expected["decisions"].as_array_mut().unwrap().pop().unwrap()),
        |expected| expected["discounted"][0]["reason"] = json!("LOCKED OUT"),
    ];
    for falsify in falsified {
        let folder = TempDir::new().unwrap();
        let mut ledger = honest.clone();
        falsify(&mut ledger.expected);
        save(folder.path(), "false", &ledger);
        let (agrees, text) = check(&python, Path::new(VERIFIER), &[folder.path().to_owned()]);
        assert!(!agrees && text.ends_with("1 ledgers: 1 differ\n"), "{text}");
    }
}
