//! The snapshot of a judged ledger. The result with it is the same as without it, whatever happens
//! to the refs, to the file, and to other writers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "common/lab.rs"]
mod lab;
#[path = "common/rng.rs"]
mod rng;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::traits::Identity as _;
use git_quorum::charter::MemberName;
use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{LedgerRefs, Statement, encode, signed_data};
use git_quorum::repo::{Environment, Expect, RefEdit, Repo};
use git_quorum::store::{Loaded, Trust, load};
use lab::*;
use rng::{Rng, cases};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_128;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A bare repository with all entries of a ledger, and refs that a test moves.
struct Place {
    dir: TempDir,
    repo: Repo,
    lab: Lab,
    refs: LedgerRefs,
    /// Commits that are not entries: a forged one, one with bytes of another ledger, and an object
    /// that is not a commit.
    bad: Vec<Oid>,
}

impl Place {
    fn new(rng: &mut Rng, entries: usize) -> Place {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let dir = TempDir::with_prefix_in("git-quorum-snapshot-", parent).unwrap();
        std::fs::write(dir.path().join("gitconfig"), "").unwrap();
        let lab = random_ledger(rng, entries);
        let created = command(dir.path(), "git", dir.path())
            .args(["init", "-q", "--bare", "r"])
            .output()
            .unwrap();
        assert!(created.status.success());
        let env = Environment::scrubbed(environment(dir.path()));
        let repo = Repo::open_with(&dir.path().join("r"), env).unwrap();
        let objects = repo.objects().unwrap();
        for made in &lab.made {
            assert_eq!(objects.write_commit(&made.raw).unwrap(), made.oid);
        }
        let mut lab = lab;
        let payload = lab.payload("a", lab.ledger, &[lab.tip("a")], vec![]);
        let mut forged = lab.make(&payload).raw;
        let place = forged.windows(3).position(|w| w == b"U1N").unwrap_or(300) + 160;
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let bad = vec![objects.write_commit(&forged).unwrap(), Oid::EMPTY_TREE];
        let refs = LedgerRefs::of(lab.ledger);
        let place = Place {
            dir,
            repo,
            lab,
            refs,
            bad,
        };
        place.git(&["hash-object", "-t", "tree", "-w", "--stdin"]);
        place.git(&["config", "quorum.ledger", &place.lab.ledger.to_string()]);
        place
    }

    fn git(&self, args: &[&str]) {
        let output = command(self.dir.path(), "git", self.repo.git_dir())
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn program(&self, args: &[&str]) -> Command {
        let mut command = command(
            self.dir.path(),
            env!("CARGO_BIN_EXE_git-quorum"),
            self.repo.git_dir(),
        );
        command.args(args);
        command
    }

    fn snapshot(&self) -> PathBuf {
        self.repo.git_dir().join("quorum").join("snapshot")
    }

    /// Sets the refs of the ledger to exactly these.
    fn set_refs(&self, wanted: &BTreeMap<String, Oid>) {
        let now = self.repo.list(&[self.refs.prefix()]).unwrap();
        let gone = now
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .map(|name| (name.clone(), None));
        let moved = wanted.iter().map(|(name, oid)| (name.clone(), Some(*oid)));
        let edit = |(name, new)| RefEdit {
            name,
            old: Expect::Any,
            new,
        };
        // A lane may have the name of a former folder of lanes, so deletions come first.
        self.repo
            .transaction(&gone.map(edit).collect::<Vec<_>>())
            .unwrap();
        self.repo
            .transaction(&moved.map(edit).collect::<Vec<_>>())
            .unwrap();
    }

    fn genesis(&self) -> BTreeMap<String, Oid> {
        BTreeMap::from([(self.refs.genesis(), self.lab.made[0].oid)])
    }

    /// Returns all lanes as they were after these first entries.
    fn refs_up_to(&self, entries: usize) -> BTreeMap<String, Oid> {
        let mut refs = self.genesis();
        for member in NAMES.map(name) {
            if let Some(oid) = self.own(&member, entries).last() {
                refs.insert(self.refs.lane(&member), *oid);
            }
        }
        refs
    }

    /// Returns the member's entries among these first ones.
    fn own(&self, member: &MemberName, entries: usize) -> Vec<Oid> {
        let dag = self.lab.tally.dag();
        let is_own = |id: EntryId| {
            dag.find(id)
                .is_some_and(|i| dag.entry(i).seq > 0 && dag.entry(i).member == *member)
        };
        self.lab.made[..entries]
            .iter()
            .filter(|made| is_own(made.id))
            .map(|made| made.oid)
            .collect()
    }

    /// Returns refs that moved forward, backward or sideways, were deleted, or lead to a bad entry
    /// or to another member's entry.
    fn random_refs(&self, rng: &mut Rng, entries: usize, calm: bool) -> BTreeMap<String, Oid> {
        let mut refs = self.genesis();
        for member in NAMES.map(name) {
            let own = self.own(&member, entries);
            let Some(last) = own.last() else { continue };
            let names = [self.refs.lane(&member), self.refs.remote("origin", &member)];
            for name in names {
                let oid = match rng.below(if calm { 60 } else { 100 }) {
                    0..50 => *last,
                    50..75 => rng.pick(&own),
                    75..85 => continue,
                    85..95 => rng.pick(&self.lab.made[..entries]).oid,
                    _ => rng.pick(&self.bad),
                };
                refs.insert(name, oid);
            }
            if rng.chance(40) {
                let made = rng.pick(&self.lab.made[..entries]);
                refs.insert(self.refs.fork(&member, made.id), made.oid);
            }
        }
        refs
    }

    fn load(&self, trust: Trust) -> Loaded {
        load(&self.repo, self.lab.ledger, trust).unwrap()
    }
}

fn environment(dir: &Path) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let own = [
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("HOME", dir.into()),
        ("GIT_CONFIG_GLOBAL", dir.join("gitconfig").into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_QUORUM_STATE", dir.join("state").into()),
    ];
    own.into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect()
}

fn command(world: &Path, program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(environment(world))
        .current_dir(dir)
        .stdin(Stdio::null());
    command
}

/// Adds proposals, reviews and votes of careless members, who fork their lanes and forget what they
/// knew.
fn random_ledger(rng: &mut Rng, entries: usize) -> Lab {
    let mut lab = Lab::new(&NAMES);
    let mut proposals = Vec::new();
    while lab.made.len() < entries {
        let member = rng.pick(&NAMES);
        let statement = match (rng.below(10), proposals.last().copied()) {
            (0, _) | (_, None) => propose(decided(&lab), lab.made.len() as u8),
            (1..5, Some(proposal)) => approve(proposal),
            (5..8, Some(proposal)) => prevote(proposal, rng.below(2) as u32),
            (_, Some(proposal)) => lab.precommit(member, lab.ledger, proposal, rng.below(2) as u32),
        };
        let mut parents = lab.above_all(member);
        if rng.chance(15) {
            let own = |id: &EntryId| {
                lab.tally
                    .dag()
                    .entry(lab.tally.dag().find(*id).unwrap())
                    .member
                    == name(member)
            };
            let own: Vec<_> = lab.made[1..].iter().map(|m| m.id).filter(own).collect();
            parents = vec![if own.is_empty() {
                lab.ledger
            } else {
                rng.pick(&own)
            }];
        }
        let proposes = statement.proposes();
        let payload = lab.payload(member, lab.ledger, &parents, vec![statement]);
        let made = lab.make(&payload);
        let id = made.id;
        if lab.take(made).is_ok() && proposes {
            proposals.push(id);
        }
    }
    lab
}

/// Returns the last decision about main, or the first charter of the ledger.
fn decided(lab: &Lab) -> EntryId {
    let chain = lab
        .tally
        .proposals()
        .find_map(|p| lab.tally.chain(&p.slot.subject));
    chain.map_or(lab.ledger, |chain| chain.next.base)
}

/// Returns everything that is reported of a ledger, in terms of its entries.
fn told(loaded: &Loaded) -> String {
    let (tally, dag) = (&loaded.tally, loaded.tally.dag());
    let id = |index| dag.entry(index).id;
    let ids = |indices: Vec<_>| indices.into_iter().map(id).collect::<BTreeSet<_>>();
    let entries: Vec<_> = dag
        .history()
        .into_iter()
        .map(|i| (id(i), dag.entry(i).oid))
        .collect();
    let said: Vec<&[Statement]> = dag
        .history()
        .into_iter()
        .map(|i| dag.entry(i).statements.as_slice())
        .collect();
    let tips: Vec<_> = dag
        .authors()
        .map(|member| (member, ids(dag.tips(member))))
        .collect();
    let discounted: BTreeMap<_, _> = tally
        .discounted()
        .iter()
        .map(|d| ((id(d.place.entry), d.place.statement), &d.discount))
        .collect();
    let reports: Vec<_> = tally
        .proposals()
        .map(|p| (tally.report(p.id), tally.decision(p.id)))
        .collect();
    let chains: Vec<_> = tally
        .subjects()
        .map(|subject| tally.chain(subject))
        .collect();
    let broken: Vec<_> = tally.broken_slots().collect();
    let mut text = format!(
        "{entries:?}\n{said:?}\n{tips:?}\n{:?}\n",
        ids(dag.childless().collect())
    );
    text.push_str(&format!(
        "{discounted:?}\n{reports:?}\n{chains:?}\n{broken:?}\n{:?}\n",
        tally.evidence()
    ));
    text.push_str(&format!("{:?}\n{:?}\n", loaded.tips, loaded.problems));
    text
}

/// `SNAPSHOT_CASES=50 cargo test --test snapshot` runs more cases.
#[test]
fn whatever_the_refs_do_it_is_as_if_everything_were_read() {
    let (mut problems, mut written) = (0, 0);
    for seed in 0..cases("SNAPSHOT_CASES", 3) {
        let mut rng = Rng::new(seed);
        let place = Place::new(&mut rng, 170);
        for step in 0..25 {
            let entries = (70 + step * 4).min(170);
            place.set_refs(&place.random_refs(&mut rng, entries, step % 3 < 2));
            if rng.chance(15) {
                let _ = std::fs::remove_file(place.snapshot());
            }
            let before = std::fs::read(place.snapshot()).unwrap_or_default();
            let (with, without) = (place.load(Trust::Cache), place.load(Trust::Nothing));
            assert_eq!(told(&with), told(&without), "seed {seed}, step {step}");
            problems += usize::from(!without.problems.is_empty());
            written += usize::from(std::fs::read(place.snapshot()).unwrap_or_default() != before);
        }
    }
    assert!(
        problems > 5 && written > 5,
        "too tame: {problems} with problems, {written} snapshots"
    );
}

/// Somebody who can write to a repository's files can write a false snapshot with a correct
/// checksum. This snapshot comes from a program that counts precommits without prevotes. Only a
/// reader that trusts no snapshot, as `verify`, notices.
#[cfg(debug_assertions)]
#[test]
fn a_snapshot_that_lies_is_believed_by_all_but_who_trusts_nothing() {
    let decisions = |loaded: &Loaded| {
        loaded
            .tally
            .proposals()
            .filter(|p| loaded.tally.is_decided(p.id))
            .count()
    };
    let lied = (0..40).any(|seed| {
        let place = Place::new(&mut Rng::new(seed), 120);
        place.set_refs(&place.refs_up_to(120));
        {
            let _active = git_quorum::mutation::Mutation::PrevoteQuorum.activate();
            place.load(Trust::Cache);
        }
        let (believed, judged) = (place.load(Trust::Cache), place.load(Trust::Nothing));
        assert_eq!(
            decisions(&judged),
            place
                .lab
                .tally
                .proposals()
                .filter(|p| place.lab.tally.is_decided(p.id))
                .count()
        );
        decisions(&believed) > decisions(&judged)
    });
    assert!(
        lied,
        "no ledger decides more without prevotes: nothing was tried"
    );
}

/// Returns the path of the object of an entry.
fn object(place: &Place, oid: Oid) -> PathBuf {
    let name = oid.to_string();
    place
        .repo
        .git_dir()
        .join("objects")
        .join(&name[..2])
        .join(&name[2..])
}

#[test]
fn what_the_snapshot_covers_is_not_read_again_and_a_lost_tip_is_missed() {
    let place = Place::new(&mut Rng::new(7), 100);
    place.set_refs(&place.refs_up_to(90));
    let before = told(&place.load(Trust::Cache));
    let tips: BTreeSet<_> = place.refs_up_to(90).into_values().collect();
    let inner = place.lab.made[1..60]
        .iter()
        .map(|made| made.oid)
        .find(|oid| !tips.contains(oid))
        .unwrap();
    std::fs::remove_file(object(&place, inner)).unwrap();
    assert_eq!(told(&place.load(Trust::Cache)), before);
    assert!(
        !place.load(Trust::Nothing).problems.is_empty(),
        "verify does not lean on it"
    );
    // New entries do not need the missing object either.
    place.set_refs(&place.refs_up_to(95));
    let loaded = place.load(Trust::Cache);
    assert!(loaded.problems.is_empty() && loaded.tally.dag().entries().len() > 85);

    let tip = place.refs_up_to(90)[&place.refs.lane(&name("b"))];
    place.set_refs(&place.refs_up_to(90));
    std::fs::remove_file(object(&place, tip)).unwrap();
    assert!(
        place
            .load(Trust::Cache)
            .problems
            .iter()
            .any(|p| p.oid == tip || p.culprit == tip)
    );
}

#[test]
fn reading_only_writes_nothing() {
    let place = Place::new(&mut Rng::new(8), 100);
    place.set_refs(&place.refs_up_to(90));
    let folder = place.repo.git_dir().join("quorum");
    let read_only = || {
        let loaded = place.load(Trust::CacheReadOnly);
        loaded.save_cache();
        told(&loaded)
    };
    let cold = read_only();
    assert!(!folder.exists());
    assert_eq!(told(&place.load(Trust::Nothing)), cold);
    assert!(!folder.exists());
    assert_eq!(told(&place.load(Trust::Cache)), cold);
    let files = || {
        let entries = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        entries
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect::<BTreeMap<_, _>>()
    };
    let before = files();
    assert!(!before.is_empty());
    place.set_refs(&place.refs_up_to(100));
    assert_eq!(read_only(), told(&place.load(Trust::Nothing)));
    assert_eq!(files(), before);
}

/// A member that signs an entry twice has it in two commits. The choice between them must not
/// depend on the snapshot.
#[test]
fn an_entry_in_two_commits_is_read_as_without_a_snapshot() {
    let place = Place::new(&mut Rng::new(9), 100);
    let (lane, refs) = (place.refs.lane(&name("a")), place.refs_up_to(100));
    let payload = place
        .lab
        .payload("a", place.lab.ledger, &[place.lab.tip("a")], vec![]);
    let unsigned = encode(&payload, &[refs[&lane]], 1_800_000_000).unwrap();
    let objects = place.repo.objects().unwrap();
    for nonce in [1, 2, 3] {
        // Only the author can do that: both signatures are valid, and they differ.
        let signature = sign_with_nonce(
            "a",
            &signed_data(&unsigned.signed_bytes),
            nonce,
            EdwardsPoint::identity(),
        );
        let raw = unsigned
            .with_signature(&public_key("a"), &signature)
            .unwrap();
        let mut refs = refs.clone();
        refs.insert(lane.clone(), objects.write_commit(&raw).unwrap());
        place.set_refs(&refs);
        let loaded = place.load(Trust::Cache);
        assert!(loaded.problems.is_empty() && loaded.tally.dag().find(unsigned.id).is_some());
        assert_eq!(
            told(&loaded),
            told(&place.load(Trust::Nothing)),
            "nonce {nonce}"
        );
    }
}

fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

#[test]
fn commands_print_the_same_with_and_without_it() {
    let place = Place::new(&mut Rng::new(10), 140);
    place.set_refs(&place.refs_up_to(100));
    output(place.program(&["status"]));
    assert!(place.snapshot().exists());
    // Too few entries are new for another snapshot.
    place.set_refs(&place.refs_up_to(140));
    let proposal = place
        .load(Trust::Nothing)
        .tally
        .proposals()
        .next()
        .unwrap()
        .id
        .to_string();
    let commands: [&[&str]; 8] = [
        &["status"],
        &["status", "--json"],
        &["status", &proposal],
        &["status", &proposal, "--json"],
        &["log", "-n", "1000"],
        &["log", "-n", "1000", "--json"],
        &["verify", "--json"],
        &["charter", "--json"],
    ];
    let kept = std::fs::read(place.snapshot()).unwrap();
    for args in commands {
        let with = output(place.program(args));
        assert_eq!(std::fs::read(place.snapshot()).unwrap(), kept);
        std::fs::remove_dir_all(place.repo.git_dir().join("quorum")).unwrap();
        let without = output(place.program(args));
        assert_eq!(with, without, "{args:?}");
        assert!(!with.1.is_empty(), "{args:?}: {}", with.2);
        std::fs::create_dir_all(place.repo.git_dir().join("quorum")).unwrap();
        std::fs::write(place.snapshot(), &kept).unwrap();
    }
}

/// Whether the file was written completely.
fn is_whole(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let header = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    let (digest, parts) = bytes[header..].split_at(16);
    xxh3_128(parts).to_le_bytes() == digest
}

#[test]
fn several_writers_and_killed_ones_leave_a_whole_snapshot_or_none() {
    let mut rng = Rng::new(11);
    let place = Place::new(&mut rng, 120);
    place.set_refs(&place.refs_up_to(120));
    let expected = output(place.program(&["status", "--json"]));
    for round in 0..8 {
        let _ = std::fs::remove_file(place.snapshot());
        let start = |_| {
            place
                .program(&["status", "--json"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        };
        let mut running: Vec<_> = (0..4).map(|n| start(n).unwrap()).collect();
        std::thread::sleep(std::time::Duration::from_millis(rng.below(120) as u64));
        for child in &mut running[2..] {
            child.kill().unwrap();
        }
        let outputs: Vec<_> = running
            .into_iter()
            .map(|child| child.wait_with_output().unwrap())
            .collect();
        for finished in &outputs[..2] {
            assert_eq!(
                String::from_utf8_lossy(&finished.stdout),
                expected.1,
                "round {round}"
            );
        }
        assert!(is_whole(&place.snapshot()), "round {round}");
        assert_eq!(
            told(&place.load(Trust::Cache)),
            told(&place.load(Trust::Nothing)),
            "round {round}"
        );
    }
}
