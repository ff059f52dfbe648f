//! The seeds of a search: the parts of the vectors of `ledger-spec/`, and short conversations that
//! are written by hand.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use git_quorum::charter::PublicKey;
use git_quorum::consensus::{Draft, agreement_statement, pre_authentication_encoding};
use git_quorum::id::Oid;
use serde_json::{Value, json};

use super::{dsse, known, proof};

/// The largest vector to use, in bytes. A search needs many small inputs, and other tests cover the
/// limits.
const MOST: usize = 4096;

/// Returns the seeds of a target. `spec` is the folder `ledger-spec`.
pub fn of(target: &str, spec: &Path) -> Vec<Vec<u8>> {
    match target {
        "entry" => [vectors(spec, "valid"), vectors(spec, "invalid")].concat(),
        "charter" => charters(spec),
        "sshsig" => armours(spec),
        "dsse" => agreements(spec),
        "lanes" => lanes(),
        "proc_receive" => conversations(),
        "hook_input" => lines(),
        "proof" => proofs(),
        _ => panic!("{target} is no target"),
    }
}

/// Writes the seeds of a target into the folder that `FUZZ_SEEDS` names, and ends the program. Does
/// nothing if the variable is not set.
pub fn write_if_asked(target: &str, spec: &Path) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else {
        return;
    };
    for (n, seed) in of(target, spec).into_iter().enumerate() {
        fs::write(Path::new(&folder).join(format!("seed-{n:03}")), seed)
            .expect("a seed can be written");
    }
    std::process::exit(0);
}

fn vectors(spec: &Path, folder: &str) -> Vec<Vec<u8>> {
    let folder = fs::read_dir(spec.join("vectors").join(folder)).expect("the vectors are there");
    let mut paths: Vec<_> = folder.map(|found| found.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "entry"));
    paths.sort();
    let read = paths
        .into_iter()
        .map(|path| fs::read(path).expect("a vector can be read"));
    read.filter(|raw| raw.len() <= MOST).collect()
}

/// Returns what the valid vectors describe.
fn payloads(spec: &Path) -> Vec<Value> {
    let valid = vectors(spec, "valid").into_iter();
    let json = |raw: Vec<u8>| {
        serde_json::from_str(String::from_utf8(raw).ok()?.rsplit_once("\n\n")?.1).ok()
    };
    valid.filter_map(json).collect()
}

/// Returns each charter, each pair of the first charter and another, and each text that a charter
/// names.
fn charters(spec: &Path) -> Vec<Vec<u8>> {
    let in_payload = |p: &Value| match p["type"].as_str() {
        Some("genesis") => Some(p["charter"].to_string()),
        _ => p["statements"][0].get("charter").map(Value::to_string),
    };
    let charters: Vec<_> = payloads(spec).iter().filter_map(in_payload).collect();
    let first: Value = serde_json::from_str(&charters[0]).expect("a charter");
    let texts = [
        &first["members"][0]["name"],
        &first["members"][0]["key"],
        &first["protect"][0],
    ];
    let texts = texts
        .map(|text| text.as_str().expect("a text").to_owned())
        .into_iter();
    let lines = successions(&first);
    let pairs = charters
        .iter()
        .flat_map(|a| charters.iter().map(move |b| format!("{a}\n{b}")));
    let refs = ["refs/heads/*", "refs/heads/release/2026-11-24"].map(str::to_owned);
    let all = charters
        .iter()
        .cloned()
        .chain(pairs.take(24))
        .chain(lines)
        .chain(texts)
        .chain(refs);
    all.map(String::into_bytes).collect()
}

/// Returns sequences of charters. The last member of the first charter leaves, is forgotten, comes
/// back, and has another key.
fn successions(first: &Value) -> Vec<String> {
    let mut gone = first.clone();
    let last = gone["members"]
        .as_array_mut()
        .and_then(Vec::pop)
        .expect("members");
    gone["removed"] = json!([{"key": last["key"], "last": null, "name": last["name"]}]);
    let mut forgotten = gone.clone();
    forgotten["removed"] = json!([]);
    let mut other = first.clone();
    let key = PublicKey::admit(known::signing_key("mallory").verifying_key().to_bytes())
        .expect("a good key");
    if let Some(last) = other["members"]
        .as_array_mut()
        .and_then(|members| members.last_mut())
    {
        last["key"] = json!(key);
    }
    let left = format!("{first}\n{gone}");
    let after = [&gone, &forgotten, first].map(|next| format!("{left}\n{next}"));
    [left.clone(), format!("{first}\n{other}")]
        .into_iter()
        .chain(after)
        .collect()
}

fn armours(spec: &Path) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for raw in vectors(spec, "valid")
        .into_iter()
        .chain(vectors(spec, "invalid"))
    {
        let text = String::from_utf8_lossy(&raw).into_owned();
        let Some((_, rest)) = text.split_once("\ngpgsig ") else {
            continue;
        };
        let Some((armour, _)) = rest.split_once("\n\n") else {
            continue;
        };
        let armour = format!("{}\n", armour.replace("\n ", "\n"));
        let base64: String = armour
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        let Ok(blob) = STANDARD.decode(base64) else {
            continue;
        };
        if blob.len() > 160 {
            let key = blob.get(33..65).unwrap_or_default();
            seeds.push([key, &blob[blob.len() - 64..]].concat());
        }
        seeds.extend([armour.into_bytes(), blob]);
    }
    seeds.sort();
    seeds.dedup();
    seeds
}

/// Returns the proposals of the vectors in the ledger of one member, each with a precommit that is
/// valid and in later rounds.
fn agreements(spec: &Path) -> Vec<Vec<u8>> {
    let ledger = known::one_member();
    let mut seeds = Vec::new();
    for payload in payloads(spec) {
        let mut proposal = payload["statements"][0].clone();
        if !proposal["kind"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("propose"))
        {
            continue;
        }
        proposal["base"] = json!(ledger.dag().ledger());
        seeds.push(format!("{proposal}\n").into_bytes());
        // First a valid signature, then the signature of another round.
        for (round, signed) in [(0, 0), (1, 1), (u32::MAX, u32::MAX), (1, 0), (0, 1)] {
            let signature = hex(&agreed(&proposal, signed));
            let vote = json!({"kind": "precommit", "proposal": dsse::DRAFT, "round": round, "signature": signature});
            seeds.push(format!("{proposal}\n{vote}\n").into_bytes());
        }
    }
    seeds
}

/// Returns the member's signature of the agreement of a round, or of other bytes if the proposal is
/// not valid there.
fn agreed(proposal: &Value, round: u32) -> [u8; 64] {
    let tally = known::one_member();
    let (ledger, alice) = (tally.dag().ledger(), "alice".parse().expect("a name"));
    let genesis = tally.dag().find(ledger).expect("a ledger has its genesis");
    let mut draft = Draft::new(&tally, &alice, ledger, &[genesis]);
    let statement = serde_json::from_value(proposal.clone()).expect("a statement");
    let _ = draft.add(statement);
    let body = agreement_statement(draft.tally(), ledger, dsse::DRAFT, round).unwrap_or_default();
    known::signing_key("alice")
        .sign(&pre_authentication_encoding(&body))
        .to_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

// ---------------------------------------------------------------- lanes

/// The kinds of statements in the inputs of the target `lanes`.
const PROPOSE: u8 = 1;
const CHARTER: u8 = 2;
const APPROVE: u8 = 3;
const VIEW: u8 = 4;
const PREVOTE: u8 = 5;
const PRECOMMIT: u8 = 6;

/// Returns an entry of a member that cites the last entries of all members.
fn op(member: u8, odd: u8, said: &[(u8, u8)]) -> Vec<u8> {
    let said = said
        .iter()
        .flat_map(|(kind, arg)| [*kind, *arg])
        .chain(std::iter::repeat(0));
    [member, 0xff, odd]
        .into_iter()
        .chain(said)
        .take(9)
        .collect()
}

fn lanes() -> Vec<Vec<u8>> {
    let build = |setting: [u8; 4], ops: &[Vec<u8>]| [setting.to_vec(), ops.concat()].concat();
    let each = |members: std::ops::Range<u8>, said: &[(u8, u8)]| -> Vec<Vec<u8>> {
        members.map(|m| op(m, 0, said)).collect()
    };
    let proposed = |arg| vec![op(0, 0, &[(PROPOSE, arg)])];
    let voted = |n| {
        [
            each(0..n, &[(APPROVE, 0), (PREVOTE, 0)]),
            each(0..n, &[(PRECOMMIT, 0)]),
        ]
        .concat()
    };
    let changed = |n, arg| [vec![op(0, 0, &[(CHARTER, arg)])], voted(n)].concat();
    let honest = |n| {
        [
            each(0..n, &[(APPROVE, 0)]),
            each(0..n, &[]),
            each(0..n, &[]),
        ]
        .concat()
    };
    let mut seeds = vec![
        build([3, 0xff, 0, 0], &[proposed(0), voted(4)].concat()),
        build([3, 0x00, 1, 7], &[proposed(0), honest(4)].concat()),
        build(
            [0, 0xff, 2, 9],
            &[proposed(0), voted(1), proposed(0), voted(1)].concat(),
        ),
        build(
            [3, 0xff, 3, 20],
            &[proposed(0), voted(4), proposed(1), voted(4)].concat(),
        ),
        build(
            [3, 0x08, 4, 99],
            &[
                proposed(0),
                proposed(16),
                honest(4),
                vec![op(3, 1, &[(PREVOTE, 1)])],
            ]
            .concat(),
        ),
        build(
            [3, 0xff, 5, 50],
            &[
                proposed(0),
                vec![op(1, 0, &[(VIEW, 0), (VIEW, 1), (VIEW, 2)])],
            ]
            .concat(),
        ),
    ];
    for variation in 0..8 {
        seeds.push(build(
            [3, 0xff, variation, variation],
            &[changed(4, variation), proposed(0), voted(4)].concat(),
        ));
        seeds.push(build(
            [3, 0x00, variation, variation],
            &[proposed(0), changed(4, variation), honest(4)].concat(),
        ));
    }
    // One of two rivals is decided. Three members decide the other one too, on branches that do not
    // know the first decision.
    let decided = [
        each(0..4, &[(APPROVE | 8, 0), (PREVOTE | 8, 0)]),
        each(0..4, &[(PRECOMMIT | 8, 0)]),
    ]
    .concat();
    let branch = |member: u8, back: u8| {
        let entry = op(
            member | 3 << 3,
            1 << 5 | 1,
            &[(APPROVE | back << 3, 0), (PREVOTE | back << 3, 0)],
        );
        [&entry[..1], &[0], &entry[2..]].concat()
    };
    let rivals = [proposed(0), proposed(16)].concat();
    let one_lies = [
        rivals.clone(),
        vec![branch(3, 0), branch(3, 1)],
        honest(3),
        honest(3),
    ]
    .concat();
    seeds.push(build([3, 0x08, 0, 0], &one_lies));
    let again: Vec<_> = (1..4).map(|member| branch(member, 0)).collect();
    let on_branches = |entry: Vec<u8>| [&entry[..1], &[0b1110], &entry[2..]].concat();
    let again: Vec<_> = [
        again,
        each(1..4, &[(PRECOMMIT, 0)])
            .into_iter()
            .map(on_branches)
            .collect(),
    ]
    .concat();
    seeds.push(build(
        [3, 0xff, 0, 0],
        &[rivals.clone(), decided, again].concat(),
    ));
    // What binds later votes: a lock, a value that is handed down to the next charter, and a
    // decision.
    let both = |members| each(members, &[(APPROVE | 8, 0), (APPROVE, 0), (PREVOTE | 8, 0)]);
    let locks = [
        both(0..4),
        each(0..4, &[(PRECOMMIT | 8, 0)]),
        vec![op(0, 0, &[(PREVOTE, 1)])],
    ]
    .concat();
    seeds.push(build([3, 0xff, 0, 0], &[rivals.clone(), locks].concat()));
    let other = vec![op(0, 0, &[(APPROVE | 8, 0), (PREVOTE | 8, 0)])];
    for precommits in [vec![], each(0..3, &[(PRECOMMIT | 8, 0)])] {
        let ops = [
            rivals.clone(),
            both(0..3),
            precommits,
            changed(3, 3),
            other.clone(),
        ]
        .concat();
        seeds.push(build([3, 0xff, 0, 0], &ops));
    }
    // The same precommit on two branches, in several orders of arrival.
    let twice = [
        proposed(0),
        voted(4),
        vec![op(3 | 2 << 3, 0, &[(PRECOMMIT, 0)])],
    ]
    .concat();
    seeds.extend((0..6).map(|order| build([3, 0xff, order * 40, 1], &twice)));
    // An honest member precommits. Later it prevotes the rival, because a quorum of liars has
    // released it.
    let first = [
        each(1..3, &[(APPROVE | 8, 0), (PREVOTE | 8, 0)]),
        vec![op(0, 0, &[(APPROVE | 8, 0)])],
    ]
    .concat();
    let release = [
        each(1..4, &[(APPROVE, 0)]),
        each(1..4, &[(PREVOTE, 1)]),
        vec![op(0, 1, &[]); 3],
    ]
    .concat();
    seeds.push(build(
        [3, 0x0e, 0, 1],
        &[rivals.clone(), first, release].concat(),
    ));
    // Several rounds: half of the members prevote each rival, then they go on.
    let halves = [
        op(0, 0, &[(APPROVE, 0), (PREVOTE, 0)]),
        op(1, 0, &[(APPROVE, 0), (PREVOTE, 0)]),
    ];
    let others = [
        op(2, 0, &[(APPROVE | 8, 0), (PREVOTE | 8, 0)]),
        op(3, 0, &[(APPROVE | 8, 0), (PREVOTE | 8, 0)]),
    ];
    let later = [
        each(0..4, &[(APPROVE, 0)]),
        each(0..4, &[(PREVOTE, 1)]),
        each(0..4, &[(PRECOMMIT, 1)]),
    ]
    .concat();
    seeds.push(build(
        [3, 0xff, 7, 1],
        &[
            proposed(0),
            proposed(16),
            halves.to_vec(),
            others.to_vec(),
            later,
        ]
        .concat(),
    ));
    let waits: Vec<_> = (0..12).map(|n| op(n % 4, 1, &[])).collect();
    seeds.push(build(
        [3, 0x00, 8, 2],
        &[
            proposed(0),
            proposed(16),
            each(0..4, &[(APPROVE, 0)]),
            waits,
        ]
        .concat(),
    ));
    for odd in 1..8 {
        seeds.push(build(
            [3, 0xff, odd, 0],
            &[
                proposed(0),
                voted(2),
                vec![op(0, odd << 5 | 1, &[(PREVOTE, 1)])],
            ]
            .concat(),
        ));
    }
    seeds
}

// ---------------------------------------------------------------- Git

fn oid(n: u8) -> String {
    Oid::new([n; 20]).to_string()
}

fn conversations() -> Vec<Vec<u8>> {
    let command = |old, new, name: &str| format!("{} {} {name}", oid(old), oid(new));
    let commands = [
        command(0, 1, "refs/heads/main"),
        command(1, 2, "refs/heads/main"),
        command(1, 0, "refs/heads/b c"),
        command(0, 1, "refs/quorum/37e73304ee8c313f/lane/alice"),
        command(0, 0, "refs/tags/v1"),
    ];
    let parts = [
        "version=1\n".to_owned(),
        "version=1\0atomic\n".to_owned(),
        "version=1\0push-options atomic\n".to_owned(),
        "version=2\n".to_owned(),
        String::new(),
    ];
    let mut seeds = Vec::new();
    for greeting in parts {
        for count in [0, 1, commands.len()] {
            let text = format!("{greeting}\n{}\n\n", commands[..count].join("\n"));
            // As lines to frame, and as the frames that Git writes.
            seeds.push([b"\x01", text.as_bytes()].concat());
            let framed = text.split_terminator('\n').map(|line| match line {
                "" => "0000".to_owned(),
                line => format!("{:04x}{line}", line.len() + 4),
            });
            seeds.push([b"\x02", framed.collect::<String>().as_bytes()].concat());
        }
    }
    for text in ["0000", "0004", "0006a\n", "fff1", "+005a", ""] {
        seeds.push([b"\x04", text.as_bytes()].concat());
    }
    seeds
}

fn lines() -> Vec<Vec<u8>> {
    let (zero, one, two) = (oid(0), oid(1), oid(2));
    let from = oid(0xaa);
    let names = [
        "refs/heads/main",
        "refs/heads/MAIN",
        "refs/heads/main/x",
        "refs/heads/alias",
        "refs/heads/topic",
        "refs/tags/main",
        "refs/quorum/37e73304ee8c313f/genesis",
        "refs/quorum/37e73304ee8c313f/lane/alice",
        "refs/quorum/x",
        "refs/replace/1",
        "refs/namespaces/a/refs/heads/main",
    ];
    let mut seeds: Vec<String> = names
        .iter()
        .map(|name| format!("{from} {one} {name}\n"))
        .collect();
    seeds.extend(
        names
            .iter()
            .map(|name| format!("{zero} {two} {name}\n{one} {zero} {name}\n")),
    );
    seeds.push(names.map(|name| format!("{from} {one} {name}\n")).concat());
    // A transaction, and a push.
    seeds.push(format!(
        "{zero} ref:refs/heads/x HEAD\nref:refs/heads/x {two} refs/heads/main\n0 {one} refs/heads/a b\n{one} {two} HEAD \n"
    ));
    seeds.push(format!(
        "refs/heads/topic {two} refs/heads/main {one}\n(delete) {zero} refs/heads/main {one}\n"
    ));
    seeds.push(format!("HEAD@{{1 day ago}} {two} refs/heads/main {one}\n"));
    seeds.extend([String::new(), "\n".to_owned(), format!("{one} {two}")]);
    seeds.into_iter().map(String::into_bytes).collect()
}

// ---------------------------------------------------------------- proofs

/// Returns each pair of entries of each ledger as a proof. Small ones are files: complete, cut off
/// and damaged. Adds files that prove nothing.
fn proofs() -> Vec<Vec<u8>> {
    let mut recipes = Vec::new();
    for ledger in 0..proof::LEDGERS_KNOWN {
        let places = || 1..proof::entries(ledger) as u8;
        let pairs = places().flat_map(|one| (one + 1..=places().end).map(move |two| (one, two)));
        let pairs = pairs.map(|(one, two)| {
            (
                one,
                if two == places().end {
                    proof::NONE
                } else {
                    two
                },
            )
        });
        recipes.extend(pairs.map(|(one, two)| vec![ledger as u8, one, two, 0]));
    }
    let is_proof = |recipe: &&Vec<u8>| !proof::proved(recipe).is_empty();
    let good: Vec<_> = recipes.iter().filter(is_proof).cloned().collect();
    let changes = [
        [1, 1, 0, 0],
        [2, 0, 3, 2],
        [3, 2, 200, 1],
        [4, 1, 0, 0],
        [5, 0, 90, 1],
        [6, 9, 0, 0],
        [7, 1, 1, 0],
    ];
    let changed = good
        .iter()
        .step_by(9)
        .flat_map(|recipe| changes.map(|change| [&recipe[..], &change].concat()));
    let mut seeds: Vec<_> = recipes
        .iter()
        .chain([&vec![0, 0, proof::NONE, 0]])
        .cloned()
        .chain(changed)
        .collect();
    let files: Vec<_> = good
        .iter()
        .map(|recipe| proof::file(recipe))
        .filter(|file| file.len() <= MOST)
        .collect();
    for file in files.iter().take(3) {
        seeds.extend([
            file.clone(),
            file[..file.len() / 2].to_vec(),
            file[..file.len() - 1].to_vec(),
        ]);
    }
    let pack = |rest: &[u8]| [b"# v2 git bundle\n\nPACK\0\0\0\x02", rest].concat();
    seeds.extend([
        b"# v3 git bundle\n@object-format=sha1\n\n".to_vec(),
        format!("# v2 git bundle\n-{} x\n\n", oid(1)).into_bytes(),
        format!(
            "# v2 git bundle\n{0} refs/quorum-proof/1\n{0} refs/quorum-proof/genesis\n\nPACK",
            oid(1)
        )
        .into_bytes(),
        pack(b"\xff\xff\xff\xff"),
        // An endless size, a blob, deltas, a compressed stream, and a block that is longer than the
        // object.
        pack(b"\0\0\0\x01\x9f\xff\xff\xff\xff\xff\xff"),
        pack(b"\0\0\0\x01\x30\x78\x01\x01\0\0\xff\xff\0\0\0\x01"),
        pack(b"\0\0\0\x01\x61\x05\x78\x9c"),
        pack(b"\0\0\0\x01\x71aaaaaaaaaaaaaaaaaaaa\x78\x9c"),
        pack(b"\0\0\0\x01\x9f\x7f\x78\x9c\x4b\x4c\x04\x02"),
        pack(b"\0\0\0\x01\x9f\x7f\x78\x01\x01\xff\xff\0\0a"),
    ]);
    seeds
}
