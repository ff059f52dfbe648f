//! The vectors of faults: `ledger-spec/vectors/faults.json`, what convicts whom in the whole ledgers, and
//! `ledger-spec/vectors/proofs/`, what `check-proof` answers. Kinds, rules and ids are derived here a second time, from
//! `ledger-spec/faults.md` and from what was expected of the ledgers by hand.
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

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use git_quorum::audit::proof::{check, prove};
use git_quorum::consensus::FaultKind;
use git_quorum::id::Digest;
use git_quorum::ledger::parse;
use git_quorum::repo::{Bundle, Environment, Repo};
use ledger_form::{LedgerVector, faults, tally_of};
use serde_json::{Value, json};
use tempfile::TempDir;

fn spec() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-spec")
}

fn read(path: &str) -> Value {
    serde_json::from_slice(&fs::read(spec().join("vectors").join(path)).unwrap()).unwrap()
}

/// The whole ledgers, by name.
fn ledgers() -> BTreeMap<String, LedgerVector> {
    let paths = fs::read_dir(spec().join("vectors/ledgers"))
        .unwrap()
        .map(|found| found.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths
        .map(|path| {
            (
                name(&path),
                LedgerVector::from_json(&fs::read(&path).unwrap()),
            )
        })
        .collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

/// What the page says of a ledger: nothing where it is not listed.
fn listed(all: &Value, name: &str) -> Value {
    all.get(name)
        .cloned()
        .unwrap_or_else(|| json!({"broken": [], "faults": []}))
}

// ---------------------------------------------------------------- faults of whole ledgers

#[test]
fn every_ledger_has_the_faults_that_are_listed_and_no_others() {
    let (all, ledgers) = (read("faults.json"), ledgers());
    assert!(
        all.as_object()
            .unwrap()
            .keys()
            .all(|name| ledgers.contains_key(name))
    );
    for (name, vector) in ledgers {
        let given = vector.expected.get("upgrade").is_none();
        assert!(
            given || all.get(&name).is_none(),
            "{name}: no verdict is given there"
        );
        if given {
            let found = faults(&tally_of(&vector.entries));
            assert_eq!(found, listed(&all, &name), "{name}");
        }
    }
}

/// The rows of the tables of kinds in `faults.md`, section 1: the kind, the rule, and the codes of those that one vote makes.
fn kinds_on_the_page() -> Vec<(String, String, Vec<String>)> {
    let page = fs::read_to_string(spec().join("faults.md")).unwrap();
    let (_, section) = page.split_once("\n## 1. ").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let (mut rows, mut kind) = (vec![], String::new());
    for line in section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| kind | "))
    {
        let [first, second, third] = line.trim_matches('|').split(" | ").collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        if first.contains('`') {
            kind = first.trim().trim_matches('`').to_owned();
        }
        let is_code = |word: &&str| {
            word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        };
        let words = |cell: &str| {
            cell.split([' ', ','])
                .filter(is_code)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        match (words(second).as_slice(), words(third)) {
            // The one code of the first table stands in its middle column.
            ([code], _) => rows.push((kind.clone(), third.trim().to_owned(), vec![code.clone()])),
            (_, codes) if !codes.is_empty() => {
                rows.push((
                    kind.clone(),
                    second.trim().split(',').next().unwrap().to_owned(),
                    codes,
                ));
            }
            _ if third.trim().starts_with("7 ") => {
                rows.push((kind.clone(), third.trim().to_owned(), vec![]))
            }
            _ => {}
        }
    }
    rows
}

/// What a code convicts of, and by which rule, as the page has it.
fn convicts_of(code: &str) -> Option<(String, String)> {
    let row = kinds_on_the_page()
        .into_iter()
        .find(|(.., codes)| codes.iter().any(|c| c == code))?;
    Some((row.0, row.1))
}

#[test]
fn the_tables_of_the_page_are_read() {
    let kinds: BTreeSet<_> = kinds_on_the_page()
        .into_iter()
        .map(|(kind, ..)| kind)
        .collect();
    assert_eq!(
        kinds,
        FaultKind::ALL.map(|kind| kind.code().to_owned()).into()
    );
    let of = |code| convicts_of(code).map(|(kind, rule)| format!("{kind}, {rule}"));
    assert_eq!(of("NOT_A_VOTER").unwrap(), "uncited-vote, section 3");
    assert_eq!(of("HANDED_DOWN").unwrap(), "impossible-order, 6");
    assert_eq!(
        of("BAD_AGREEMENT_SIGNATURE").unwrap(),
        "bad-agreement-signature, 2"
    );
    assert_eq!(of("OWN_APPROVAL"), None);
}

/// The vote at a place of a ledger: its phase and its round. None if another statement stands there.
fn vote(vector: &LedgerVector, entry: &str, statement: usize) -> Option<(String, u64)> {
    let raw = vector
        .entries
        .iter()
        .find(|raw| parse(raw).unwrap().id.to_string() == entry)
        .unwrap();
    // The payload is the last line of the commit.
    let payload: Value = serde_json::from_str(
        std::str::from_utf8(raw)
            .unwrap()
            .lines()
            .next_back()
            .unwrap(),
    )
    .unwrap();
    let said = &payload["statements"][statement];
    let is_vote = ["prevote", "precommit"].contains(&text(said, "kind"));
    is_vote.then(|| {
        (
            text(said, "kind").to_owned(),
            said["round"].as_u64().unwrap(),
        )
    })
}

/// Section 4 of the page: the id from what is named by it.
fn id(vector: &LedgerVector, fault: &Value) -> String {
    let last = list(&fault["votes"]).last().unwrap();
    let (entry, statement) = (
        text(last, "entry"),
        last["statement"].as_u64().unwrap() as usize,
    );
    let (phase, round) = vote(vector, entry, statement).unwrap();
    let what = match text(fault, "kind") {
        "equivocation" => format!("{phase} {round}"),
        "freeze-violation" => String::new(),
        _ => format!("{entry} {statement}"),
    };
    let [kind, member, charter] = ["kind", "member", "charter"].map(|field| text(fault, field));
    let slot = fault["slot"].as_str().unwrap_or("none");
    let lines = format!("git-quorum fault v1\n{kind}\n{member}\n{charter}\n{slot}\n{what}\n");
    Digest::of(lines.as_bytes()).to_string()
}

#[test]
fn faults_are_named_as_the_page_says() {
    let (all, ledgers) = (read("faults.json"), ledgers());
    let mut seen = BTreeSet::new();
    for (name, found) in all.as_object().unwrap() {
        for fault in list(&found["faults"]) {
            assert_eq!(
                text(fault, "id"),
                id(&ledgers[name], fault),
                "{name}: {fault}"
            );
            assert!(
                seen.insert((name, text(fault, "id"))),
                "{name}: twice {fault}"
            );
        }
    }
}

/// What is expected of a ledger by hand says which faults it has: its evidence, and its votes that do not count.
#[test]
fn faults_are_the_evidence_and_the_votes_that_do_not_count() {
    let all = read("faults.json");
    for (name, vector) in ledgers()
        .iter()
        .filter(|(_, v)| v.expected.get("upgrade").is_none())
    {
        let faults = listed(&all, name);
        let (pairs, single): (Vec<_>, Vec<_>) = list(&faults["faults"])
            .iter()
            .partition(|f| f["code"].is_null());
        let convictions = |items: &[&Value], rule: &str| -> BTreeSet<String> {
            items
                .iter()
                .map(|e| json!([e["member"], e[rule], e["charter"], e["slot"]]).to_string())
                .collect()
        };
        let evidence: Vec<_> = list(&vector.expected["evidence"]).iter().collect();
        assert_eq!(
            convictions(&pairs, "kind"),
            convictions(&evidence, "rule"),
            "{name}"
        );
        let said = |f: &&Value| {
            let vote = &f["votes"][0];
            json!([
                vote["entry"],
                vote["statement"],
                f["code"],
                f["kind"],
                f["rule"]
            ])
            .to_string()
        };
        let by_hand = list(&vector.expected["discounted"]).iter().filter_map(|d| {
            let (kind, rule) = convicts_of(text(d, "reason"))?;
            vote(
                vector,
                text(d, "entry"),
                d["statement"].as_u64().unwrap() as usize,
            )?;
            Some(json!([d["entry"], d["statement"], d["reason"], kind, rule]).to_string())
        });
        assert_eq!(
            single.iter().map(said).collect::<BTreeSet<_>>(),
            by_hand.collect(),
            "{name}"
        );
    }
}

/// Section 5 of the page.
#[test]
fn broken_slots_name_at_least_as_many_as_two_quorums_share() {
    let (all, mut seen) = (read("faults.json"), BTreeSet::new());
    for (name, vector) in ledgers()
        .iter()
        .filter(|(_, v)| v.expected.get("upgrade").is_none())
    {
        let faults = listed(&all, name);
        let slots: Vec<_> = list(&faults["broken"])
            .iter()
            .map(|slot| &slot["slot"])
            .collect();
        assert_eq!(
            slots,
            list(&vector.expected["broken"]).iter().collect::<Vec<_>>(),
            "{name}"
        );
        let tally = tally_of(&vector.entries);
        for slot in list(&faults["broken"]) {
            let threshold = tally
                .dag()
                .charter(text(slot, "charter").parse().unwrap())
                .unwrap()
                .charter
                .threshold();
            assert_eq!(
                [&slot["n"], &slot["quorum"]],
                [&json!(threshold.n), &json!(threshold.q)],
                "{name}"
            );
            assert_eq!(
                slot["least"],
                json!(2 * threshold.q - threshold.n),
                "{name}"
            );
            assert!(
                list(&slot["convicted"]).len() >= threshold.culprits(),
                "{name}"
            );
            let decided = list(&vector.expected["decisions"])
                .iter()
                .filter(|d| d["slot"] == slot["slot"]);
            let (decided, under): (Vec<_>, BTreeSet<_>) = decided
                .map(|d| (&d["proposal"], text(d, "charter")))
                .unzip();
            assert_eq!(
                list(&slot["decisions"]).iter().collect::<Vec<_>>(),
                decided,
                "{name}"
            );
            let under_it = under.contains(text(slot, "charter"));
            seen.insert((under.len() > 1, under_it, 2 * threshold.q - threshold.n > 1));
        }
    }
    // One charter, several in a line, and several that part at one before them; one member at least, and more.
    for shape in [
        (false, true, false),
        (false, true, true),
        (true, true, false),
        (true, false, false),
    ] {
        assert!(seen.contains(&shape), "{shape:?} is not in {seen:?}");
    }
}

// ---------------------------------------------------------------- proofs

fn proof(file: &str) -> Vec<u8> {
    fs::read(spec().join("vectors/proofs").join(file)).unwrap()
}

/// What the program answers when it is asked about a file by who knows this ledger id, or none.
fn answer(file: &str, ledger: &Value) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_git-quorum"));
    command
        .args(["--json", "check-proof"])
        .arg(spec().join("vectors/proofs").join(file));
    command.args(
        ledger
            .as_str()
            .map(|id| ["--ledger", id])
            .into_iter()
            .flatten(),
    );
    let output = command.current_dir(std::env::temp_dir()).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (code, faults) = (said["code"].clone(), said["data"].get("faults"));
    let faults = faults.map(|list| &list["shown"]);
    assert_eq!(said["ok"], json!(code.is_null()), "{file}: {said}");
    assert_eq!(
        output.status.code(),
        Some(if code.is_null() { 0 } else { 7 }),
        "{file}: {said}"
    );
    json!({"code": code, "faults": faults.map(|faults| in_form(list(faults))), "ledger": ledger})
}

/// The faults as the vectors have them.
fn in_form(faults: &[Value]) -> Value {
    let vote = |said: &Value| json!({"entry": said["entry"], "statement": said["statement"]});
    let fault = |f: &Value| {
        let votes: Vec<_> = list(&f["votes"]).iter().map(vote).collect();
        json!({"charter": f["charter"], "code": f["code"], "id": f["id"], "kind": f["kind"], "member": f["member"],
            "rule": f["rule"], "slot": f["slot"], "votes": votes})
    };
    let mut faults: Vec<_> = faults.iter().map(fault).collect();
    faults.sort_by_key(|fault| fault["id"].to_string());
    Value::Array(faults)
}

#[test]
fn check_proof_answers_what_is_expected() {
    let answers = read("proofs/answers.json");
    let files = fs::read_dir(spec().join("vectors/proofs"))
        .unwrap()
        .map(|file| file.unwrap().file_name());
    let files: BTreeSet<_> = files
        .map(|file| file.into_string().unwrap())
        .filter(|file| file.ends_with(".proof"))
        .collect();
    assert_eq!(
        files.iter().collect::<Vec<_>>(),
        answers.as_object().unwrap().keys().collect::<Vec<_>>()
    );
    for file in files {
        for expected in list(&answers[&file]["answers"]) {
            assert_eq!(answer(&file, &expected["ledger"]), *expected, "{file}");
        }
    }
}

/// Files in which something was found, with what.
fn convicting() -> Vec<(String, Value)> {
    let answers = read("proofs/answers.json");
    let found = answers
        .as_object()
        .unwrap()
        .iter()
        .map(|(file, a)| (file.clone(), a["answers"][0]["faults"].clone()));
    found.filter(|(_, faults)| !faults.is_null()).collect()
}

/// What stock Git makes of a file: whether it can be taken in whole.
fn git_takes(file: &str) -> bool {
    let folder = TempDir::new().unwrap();
    let run = |args: &[&str]| {
        let mut git = Command::new("git");
        git.env_remove("GIT_DIR")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        git.current_dir(folder.path())
            .args(args)
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(run(&["init", "-q", "--bare"]));
    let path = spec().join("vectors/proofs").join(file);
    run(&[
        "fetch",
        "-q",
        path.to_str().unwrap(),
        "refs/quorum-proof/*:refs/quorum-proof/*",
    ]) && run(&["fsck", "--strict", "--no-dangling"])
}

#[test]
fn stock_git_reads_what_proves_something() {
    // Its checksum is of no account to `check-proof`, and Git minds it.
    for (file, _) in convicting()
        .iter()
        .filter(|(file, _)| file != "checksum.proof")
    {
        assert!(git_takes(file), "{file}");
    }
    assert!(!git_takes("checksum.proof") && !git_takes("damaged.proof"));
    // These are good bundles, and no proofs: their form alone is refused.
    for file in [
        "compressed.proof",
        "delta.proof",
        "extra.proof",
        "third.proof",
    ] {
        assert!(git_takes(file), "{file}");
    }
}

/// From a repository that holds the entries, the program makes a file with the same refs and commits.
#[test]
fn a_proof_that_the_program_makes_holds_the_same() {
    for (file, _) in convicting() {
        let bytes = proof(&file);
        let found = check(&bytes).unwrap();
        let whole = Bundle::read(&bytes).unwrap();
        let folder = TempDir::new().unwrap();
        assert!(
            Command::new("git")
                .env_remove("GIT_DIR")
                .args(["init", "-q", "--bare"])
                .arg(folder.path())
                .status()
                .unwrap()
                .success()
        );
        let mut env = Environment::scrubbed(std::env::vars_os());
        env.set("GIT_CONFIG_GLOBAL", "/dev/null");
        env.set("GIT_CONFIG_NOSYSTEM", "1");
        let repo = Repo::open_with(folder.path(), env).unwrap();
        let objects = repo.objects().unwrap();
        for raw in &whole.commits {
            objects.write_commit(raw).unwrap();
        }
        // Of several faults in a file the one that takes all of its entries.
        let most = found
            .faults
            .iter()
            .max_by_key(|fault| fault.entries().len())
            .unwrap();
        let made = Bundle::read(&prove(&found.tally, &objects, most).unwrap()).unwrap();
        let sorted = |bundle: &Bundle| bundle.commits.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(made.refs, whole.refs, "{file}");
        assert_eq!(sorted(&made), sorted(&whole), "{file}");
    }
}

// ---------------------------------------------------------------- that nothing is without a vector

/// Every answer that `check-proof` has for a file.
const ANSWERS: [&str; 5] = [
    "BAD_PROOF",
    "NOTHING_PROVED",
    "OTHER_LEDGER",
    "UNPINNED",
    "UPGRADE_NEEDED",
];

/// What no proof shows: kinds of faults that one could prove, answers.
fn without_proof(answers: &Value) -> Vec<&'static str> {
    let given: Vec<_> = answers
        .as_object()
        .unwrap()
        .values()
        .flat_map(|file| list(&file["answers"]))
        .collect();
    let proved: Vec<_> = given
        .iter()
        .filter(|a| a["code"].is_null())
        .flat_map(|a| list(&a["faults"]))
        .collect();
    let kinds = FaultKind::ALL.map(FaultKind::code).into_iter();
    let mut missing: Vec<_> = kinds
        .filter(|kind| !proved.iter().any(|fault| fault["kind"] == *kind))
        .collect();
    missing.extend(
        ANSWERS
            .into_iter()
            .filter(|code| !given.iter().any(|a| a["code"] == *code)),
    );
    missing
}

#[test]
fn no_kind_and_no_answer_is_without_a_proof() {
    let answers = read("proofs/answers.json");
    assert_eq!(without_proof(&answers), Vec::<&str>::new());
    // And the count sees what is missing.
    for word in FaultKind::ALL
        .map(FaultKind::code)
        .into_iter()
        .chain(ANSWERS)
    {
        let mut fewer = answers.clone();
        fewer
            .as_object_mut()
            .unwrap()
            .retain(|_, file| !file["answers"].to_string().contains(&format!("\"{word}\"")));
        assert!(without_proof(&fewer).contains(&word), "{word}");
    }
}
