//! Many members, many proposals, large entries, and a member that floods: nothing is lost, nobody waits for another one's
//! work, and it has bounds. Bounds are counted, not timed; how long it takes `bench/load.rs` measures.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use git_quorum::charter::Charter;
use git_quorum::id::{Digest, EntryId, Oid};
use git_quorum::ledger::{Review, Statement, Verdict};

use crate::lab::*;
use crate::server::*;

/// A push that has begun, with this fault in the server's hooks.
fn start(site: &mut Site, specs: &[String], fault: &str) -> Child {
    site.write_entries();
    let mut push = site.git_command(&site.desk());
    push.args([
        "push",
        "--porcelain",
        "--force",
        site.server().to_str().unwrap(),
    ])
    .args(specs);
    push.env("GIT_QUORUM_FAULT", fault)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    push.spawn().unwrap()
}

fn went_through(push: Child) -> bool {
    let output = push.wait_with_output().unwrap();
    println!("{}", text(&output));
    output.status.success()
}

fn wait_until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(240), "it never is");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Holds a push up at a point of its hook `proc-receive`.
struct Held {
    go: PathBuf,
    push: Child,
}

fn hold(site: &mut Site, specs: &[String], point: &str) -> Held {
    let go = site.path(&format!("go-{point}"));
    // The early judgement holds no lock.
    run_bit(&site.server().join("hooks/pre-receive"), false);
    let push = start(site, specs, &format!("{point}@{}", go.display()));
    wait_until(|| go.with_extension("here").exists());
    run_bit(&site.server().join("hooks/pre-receive"), true);
    Held { go, push }
}

impl Held {
    fn release(self) -> bool {
        std::fs::write(&self.go, "").unwrap();
        went_through(self.push)
    }
}

/// A charter of so many voting members.
fn crowd(count: usize) -> (Vec<String>, Charter) {
    let names: Vec<_> = (0..count).map(|n| format!("m{n:02}")).collect();
    let charter = charter(&names.iter().map(String::as_str).collect::<Vec<_>>());
    (names, charter)
}

/// All push at once, and again what was told to be pushed again.
fn push_all(site: &mut Site, specs: &[String]) {
    let mut waiting = specs.to_vec();
    for _ in 0..10 {
        let running: Vec<_> = waiting
            .drain(..)
            .map(|spec| (start(site, std::slice::from_ref(&spec), ""), spec))
            .collect();
        for (push, spec) in running {
            let output = push.wait_with_output().unwrap();
            if !output.status.success() {
                let said = text(&output);
                assert!(
                    ["GATE_BUSY", "CONFLICT"]
                        .iter()
                        .any(|code| said.contains(code)),
                    "{said}"
                );
                waiting.push(spec);
            }
        }
        if waiting.is_empty() {
            return;
        }
    }
    panic!("{waiting:?} never went through");
}

#[test]
fn votes_that_many_members_push_at_once_all_arrive_and_decide() {
    let (names, charter) = crowd(12);
    let (mut site, first) = Site::with(charter, &["--auto-land"]);
    let second = site.commit(&[first], "second");
    let ledger = site.lab.ledger;
    let change = site.proposal(ledger, MAIN, Some(first), Some(second));
    let p = site.lab.say(&names[0], vec![change]);
    let specs = [site.lane(&names[0]), site.proposal_ref(p)];
    site.accepted(&parts(&specs));
    for phase in 0..2 {
        let seen = site.lab.above_all(&names[0]);
        for member in &names {
            let parents = site.lab.above(member, &seen);
            let said = match phase {
                0 => vec![approve(p), prevote(p, 0)],
                _ => vec![site.lab.precommit(member, ledger, p, 0)],
            };
            site.lab.entry(member, ledger, &parents, said);
        }
        let lanes: Vec<_> = names.iter().map(|member| site.lane(member)).collect();
        push_all(&mut site, &lanes);
        let held = site.server_refs();
        for member in &names {
            assert_eq!(
                held[&site.refs.lane(&name(member))],
                site.oid(site.lab.tip(member)),
                "{member}"
            );
        }
    }
    assert_eq!(
        site.at(MAIN),
        Some(second),
        "the last vote that was needed landed it"
    );
}

#[test]
fn an_entry_cites_as_many_others_as_the_limit_allows_and_no_more() {
    let (mut site, _) = Site::new();
    let ledger = site.lab.ledger;
    let root = site.lab.entry("b", ledger, &[ledger], vec![]);
    let forks: Vec<_> = (0..256)
        .map(|_| site.lab.entry("b", ledger, &[root], vec![]))
        .collect();
    let most = site.lab.above("a", &forks[..255]);
    assert_eq!(most.len(), 256);
    site.lab.entry("a", ledger, &most, vec![]);
    let lane = site.lane("a");
    site.accepted(&[&lane]);
    // One more: made by hand, as no tool would.
    let payload = site
        .lab
        .payload("c", ledger, &[&[ledger], &forks[..255]].concat(), vec![]);
    let entry = site.lab.make(&payload);
    let (last, more) = (forks[254], forks[255]);
    let text = String::from_utf8(entry.raw).unwrap();
    let header = |id| format!("parent {}\n", site.oid(id));
    let text = text.replacen(&header(last), &(header(last) + &header(more)), 1);
    let text = text.replacen(
        &format!("\"{last}\"]"),
        &format!("\"{last}\",\"{more}\"]"),
        1,
    );
    assert_eq!(
        (
            text.matches("\nparent ").count(),
            text.matches(&more.to_string()).count()
        ),
        (257, 1)
    );
    let over = site.store(text.as_bytes());
    site.refused(
        &[&format!("{over}:{}", site.refs.lane(&name("c")))],
        &["LIMIT_EXCEEDED"],
    );
}

fn proposing(site: &mut Site, first: Oid) -> (EntryId, Vec<String>) {
    let second = site.commit(&[first], "second");
    let p = site.propose(site.lab.ledger, first, second);
    (p, vec![site.lane("a"), site.proposal_ref(p)])
}

/// However long it takes to look at what one member proposes, others push meanwhile.
#[test]
fn others_can_push_while_the_gate_looks_at_the_objects_of_a_proposal() {
    let (mut site, first) = Site::new();
    let (_, specs) = proposing(&mut site, first);
    let held = hold(&mut site, &specs, "gate.objects");
    let ledger = site.lab.ledger;
    site.set("quorum.gatePatience", "0");
    site.lab.entry("b", ledger, &[ledger], vec![]);
    let lane = site.lane("b");
    site.accepted(&[&lane]);
    site.accepted(&[&format!("{first}:refs/heads/x")]);
    assert!(held.release());
    let held = site.server_refs();
    assert!(
        ["a", "b"]
            .iter()
            .all(|member| held.contains_key(&site.refs.lane(&name(member))))
    );
}

/// The points that a push came by, in order.
fn points(file: &Path) -> Vec<String> {
    let points = std::fs::read_to_string(file).unwrap_or_default();
    points
        .lines()
        .map(str::to_owned)
        .filter(|point| point.starts_with("gate."))
        .collect()
}

/// Pushes, and moves refs of the server after the push was looked at and before it has the lock.
fn trace(
    site: &mut Site,
    specs: &[String],
    meanwhile: impl FnOnce(&mut Site),
) -> (bool, Vec<String>) {
    let file = site.path("trace");
    let _ = std::fs::remove_file(&file);
    run_bit(&site.server().join("hooks/pre-receive"), false);
    let lock = std::fs::File::create(site.server().join("quorum/gate.lock")).unwrap();
    lock.lock().unwrap();
    let push = start(site, specs, &format!("trace@{}", file.display()));
    wait_until(|| points(&file).contains(&"gate.unlocked".to_owned()));
    meanwhile(site);
    lock.unlock().unwrap();
    let ok = went_through(push);
    run_bit(&site.server().join("hooks/pre-receive"), true);
    (ok, points(&file))
}

/// After each look at objects the push has yet to wait for the lock.
fn assert_looked_before_the_lock(points: &[String], least: usize) {
    let looks: Vec<_> = (0..points.len())
        .filter(|place| points[*place] == "gate.objects")
        .collect();
    assert!(looks.len() >= least, "{points:?}");
    for place in looks {
        let next = points[place..]
            .iter()
            .find(|point| *point != "gate.objects");
        assert_eq!(
            next.map(String::as_str),
            Some("gate.unlocked"),
            "{points:?}"
        );
    }
}

fn times(points: &[String], wanted: &str) -> usize {
    points.iter().filter(|point| *point == wanted).count()
}

#[test]
fn the_gate_looks_at_no_object_under_the_lock() {
    let (mut site, first) = Site::with(charter(&FOUR), &["--auto-land"]);
    let (p, specs) = proposing(&mut site, first);
    let (ok, points) = trace(&mut site, &specs, |_| ());
    assert!(ok);
    assert_looked_before_the_lock(&points, 1);
    // When it lands it is looked at again.
    site.decide(p);
    let lanes = site.lanes();
    let (ok, points) = trace(&mut site, &lanes, |_| ());
    assert!(ok && site.at(MAIN) != Some(first));
    assert_looked_before_the_lock(&points, 1);
    assert_eq!(times(&points, "gate.locked"), 1);
}

/// What could not be foreseen, because others moved the ledger meanwhile, is not looked at under the lock either: the
/// push goes round once more.
#[test]
fn a_proposal_that_matters_only_later_is_still_looked_at_before_the_lock() {
    let (mut site, first) = Site::new();
    let (p, specs) = proposing(&mut site, first);
    // The proposal's ref is missing yet, so that nothing of it is looked at; it comes with the lane of somebody who
    // builds on the proposal.
    site.lab.say("b", vec![approve(p)]);
    let others = [site.lane("b"), specs[1].clone()];
    let (ok, points) = trace(&mut site, &specs[..1], |site| {
        let (server, desk) = (site.server(), site.desk());
        site.git(
            &server,
            &[
                &["fetch", "-q", desk.to_str().unwrap()],
                &parts(&others)[..],
            ]
            .concat(),
            b"",
        );
    });
    assert!(ok);
    assert_eq!(
        (times(&points, "gate.locked"), times(&points, "gate.marked")),
        (2, 1),
        "{points:?}"
    );
    assert_looked_before_the_lock(&points, 1);
    assert_eq!(site.at(&site.refs.lane(&name("a"))), Some(site.oid(p)));
}

/// So many short reviews of a member, one above the other.
fn chatter(site: &mut Site, member: &str, about: EntryId, count: usize) -> Vec<EntryId> {
    let ledger = site.lab.ledger;
    let say = |text: String| {
        Statement::Review(Review {
            evidence: vec![],
            proposal: about,
            text,
            verdict: Verdict::Abstain,
        })
    };
    let mut said = Vec::new();
    for n in 0..count {
        let parents = site.lab.above(member, &[about]);
        said.push(
            site.lab
                .entry(member, ledger, &parents, vec![say(format!("{n}"))]),
        );
    }
    said
}

#[test]
fn a_push_over_the_limit_is_refused_and_can_be_split() {
    let (mut site, first) = Site::new();
    let (p, specs) = proposing(&mut site, first);
    site.accepted(&parts(&specs));
    let said = chatter(&mut site, "d", p, 60);
    site.set("quorum.maxPush", "50000");
    let lane = site.lane("d");
    let refused = site.refused(
        &[&lane],
        &["TOO_MUCH", "quorum.maxPush", "pre-receive hook declined"],
    );
    assert!(
        refused.text.contains(&format!(
            "git push REMOTE {0}~10000:{0}",
            site.refs.lane(&name("d"))
        )),
        "{}",
        refused.text
    );
    // Without the early judgement, too; and it stops nobody else.
    run_bit(&site.server().join("hooks/pre-receive"), false);
    site.refused_late(&["--force"], &[&lane], &["TOO_MUCH"]);
    for half in [29, 59] {
        let part = site.lane_at("d", said[half]);
        site.accepted(&[&part]);
    }
    assert_eq!(
        site.at(&site.refs.lane(&name("d"))),
        Some(site.oid(said[59]))
    );
    for bad in ["much", "0", "-1"] {
        site.set("quorum.maxPush", bad);
        site.refused_late(
            &["--force"],
            &[&format!("{first}:refs/heads/x")],
            &["GATE_UNAVAILABLE", "quorum.maxPush"],
        );
    }
}

/// Few bytes can ask for much memory: entries that join many forks, each others. They count with what they ask for.
#[test]
fn entries_that_join_many_forks_count_with_the_memory_they_need() {
    let (mut site, _) = Site::new();
    let ledger = site.lab.ledger;
    let root = site.lab.entry("d", ledger, &[ledger], vec![]);
    let forks: Vec<_> = (0..1_000)
        .map(|_| site.lab.entry("d", ledger, &[root], vec![]))
        .collect();
    // Each part knows others of the forks, and no two know the same.
    let knows =
        |n: usize, fork: &EntryId| Digest::of(format!("{n} {fork}").as_bytes()).bytes()[0] < 50;
    let parts: Vec<_> = (0..12)
        .map(|n| {
            let cited: Vec<_> = forks
                .iter()
                .copied()
                .filter(|fork| knows(n, fork))
                .collect();
            site.lab.entry("d", ledger, &cited, vec![])
        })
        .collect();
    let all = site.lab.entry("d", ledger, &parts, vec![]);
    let lane = site.lane_at("d", all);
    site.accepted(&[&lane]);
    let before = site.lab.tally.dag().knowing_cost();
    let pairs: Vec<_> = parts
        .iter()
        .enumerate()
        .flat_map(|(place, one)| parts[..place].iter().map(|other| [*one, *other]))
        .collect();
    let joins: Vec<_> = pairs
        .iter()
        .map(|pair| site.lab.entry("d", ledger, pair, vec![]))
        .collect();
    let cost = site.lab.tally.dag().knowing_cost() - before;
    let bytes: usize = site
        .lab
        .made
        .iter()
        .rev()
        .take(joins.len())
        .map(|made| made.raw.len())
        .sum();
    assert!(cost > 3 * bytes, "{cost} for {bytes} bytes of entries");
    site.set("quorum.maxPush", &(2 * bytes).to_string());
    let tip = site
        .lab
        .entry("d", ledger, &[&[all], &joins[..]].concat(), vec![]);
    let lane = site.lane_at("d", tip);
    site.refused(&[&lane], &["TOO_MUCH"]);
    let mut at = all;
    for few in joins.chunks(10) {
        at = site.lab.entry("d", ledger, &[&[at], few].concat(), vec![]);
        let lane = site.lane_at("d", at);
        site.accepted(&[&lane]);
    }
}

/// A push of many entries takes them in before it has the lock, and only what others have moved meanwhile under it; what
/// was judged is kept, so that the next push reads none of it.
#[test]
fn a_large_push_is_judged_once() {
    let (mut site, first) = Site::new();
    let (p, specs) = proposing(&mut site, first);
    site.accepted(&parts(&specs));
    let said = chatter(&mut site, "d", p, 1_001);
    chatter(&mut site, "b", p, 1);
    let (flood, other) = ([site.lane("d")], site.lane("b"));
    let (ok, points) = trace(&mut site, &flood, |site| {
        let (server, desk) = (site.server(), site.desk());
        site.git(
            &server,
            &["fetch", "-q", desk.to_str().unwrap(), &other],
            b"",
        );
    });
    assert!(ok);
    assert_eq!(times(&points, "gate.locked"), 1, "{points:?}");
    assert_eq!(
        site.at(&site.refs.lane(&name("d"))),
        Some(site.oid(*said.last().unwrap()))
    );
    // Entries in the middle of the lane are not looked at any more: so nobody misses them.
    let gone = site.oid(said[500]).to_string();
    let (unpacked, packs) = (
        site.server().join("objects"),
        site.server().join("objects/pack"),
    );
    let file = unpacked.join(&gone[..2]).join(&gone[2..]);
    if !file.exists() {
        let aside = site.path("packs");
        std::fs::rename(&packs, &aside).unwrap();
        std::fs::create_dir(&packs).unwrap();
        for pack in std::fs::read_dir(&aside)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if pack
                .extension()
                .is_some_and(|extension| extension == "pack")
            {
                site.git(
                    &site.server(),
                    &["unpack-objects", "-q"],
                    &std::fs::read(pack).unwrap(),
                );
            }
        }
    }
    std::fs::remove_file(file).unwrap();
    let status = site.quorum(&site.server(), &["status", "--json"]);
    assert!(status.status.success(), "{}", text(&status));
    let entries: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(entries["data"]["entries"], site.lab.made.len());
}

/// Others do not wait while much that came in between is judged: the push gives the lock back, and comes again.
#[test]
fn few_entries_are_judged_under_the_lock_and_more_send_the_push_round_again() {
    let (mut site, first) = Site::new();
    let (p, specs) = proposing(&mut site, first);
    site.accepted(&parts(&specs));
    chatter(&mut site, "d", p, 1);
    for (count, rounds) in [(1, 1), (150, 2)] {
        chatter(&mut site, "b", p, count);
        let (own, other) = ([site.lane("d")], site.lane("b"));
        let (ok, points) = trace(&mut site, &own, |site| {
            let (server, desk) = (site.server(), site.desk());
            site.git(
                &server,
                &["fetch", "-q", desk.to_str().unwrap(), &other],
                b"",
            );
        });
        assert!(ok);
        assert_eq!(
            (times(&points, "gate.locked"), times(&points, "gate.marked")),
            (rounds, 1),
            "{points:?}"
        );
        chatter(&mut site, "d", p, 1);
    }
}

/// A lane that is cut into forks, each of which votes, is taken in, and others vote on.
#[test]
fn a_lane_can_be_pushed_in_pieces() {
    let (mut site, first) = Site::new();
    let (p, specs) = proposing(&mut site, first);
    site.accepted(&parts(&specs));
    let ledger = site.lab.ledger;
    let root = site.lab.entry("d", ledger, &[ledger, p], vec![]);
    let mut at = root;
    for _ in 0..4 {
        let voices = || vec![approve(p), prevote(p, 0)];
        let forks: Vec<_> = (0..255)
            .map(|_| site.lab.entry("d", ledger, &[at], voices()))
            .collect();
        at = site
            .lab
            .entry("d", ledger, &[&[at], &forks[..]].concat(), vec![]);
    }
    let lane = site.lane("d");
    site.accepted(&[&lane]);
    for member in ["b", "c"] {
        site.lab.say(member, vec![approve(p), prevote(p, 0)]);
    }
    for member in ["b", "c", "d"] {
        let vote = site.lab.precommit(member, ledger, p, 0);
        site.lab.say(member, vec![vote]);
    }
    assert!(site.lab.tally.is_decided(p));
    let mut all = site.lanes();
    all.push(format!("{}:{MAIN}", specs[1].split(':').next().unwrap()));
    site.accepted(&parts(&all));
}

/// How many git processes a command on the server starts.
fn processes(site: &Site, args: &[&str]) -> (usize, serde_json::Value) {
    let trace = site.path("processes");
    let mut command = site.quorum_command(&site.server());
    let output = command
        .args(args)
        .env("GIT_TRACE2_EVENT", &trace)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let events = std::fs::read_to_string(&trace).unwrap();
    std::fs::remove_file(&trace).unwrap();
    let started = events
        .lines()
        .filter(|line| line.contains("\"event\":\"start\""))
        .count();
    let mut envelope: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    (started, envelope["data"].take())
}

#[test]
fn a_thousand_open_proposals_cost_commands_no_more_processes_than_one() {
    let (mut site, first) = Site::new();
    let (p, mut specs) = proposing(&mut site, first);
    let Statement::Propose(one) = site
        .lab
        .tally
        .dag()
        .entry(site.lab.tally.dag().find(p).unwrap())
        .statements[0]
        .clone()
    else {
        unreachable!()
    };
    site.accepted(&parts(&specs));
    let few = [&["status", "--json"][..], &["log", "--json"]].map(|args| processes(&site, args).0);
    let ledger = site.lab.ledger;
    for n in 0..999 {
        let rival = Statement::Propose(git_quorum::ledger::RefProposal {
            title: format!("rival {n}"),
            ..one.clone()
        });
        let tip = site.lab.tip("a");
        let id = site.lab.entry("a", ledger, &[tip], vec![rival]);
        specs.push(format!("{}:{}", one.to.unwrap(), site.refs.proposal(id)));
    }
    specs[0] = site.lane("a");
    site.accepted(&parts(&specs));
    let (many, status) = processes(&site, &["status", "--json"]);
    assert_eq!(many, few[0]);
    assert_eq!(
        (
            status["proposals"]["shown"].as_array().unwrap().len(),
            status["proposals"]["more"].as_u64()
        ),
        (50, Some(950))
    );
    let (many, log) = processes(&site, &["log", "--json"]);
    assert_eq!((many, log["more"].as_u64()), (few[1], Some(1_001 - 50)));
    // Another one is decided all the same, and what lost is let go.
    let winner = site.lab.tally.proposals().nth(500).unwrap().id;
    site.decide(winner);
    let mut lanes = site.lanes();
    lanes.push(format!("{}:{MAIN}", one.to.unwrap()));
    site.accepted(&parts(&lanes));
    let left: BTreeSet<_> = site
        .server_refs()
        .into_keys()
        .filter(|name| name.contains("/proposal/"))
        .collect();
    assert_eq!(left, BTreeSet::new());
}

/// A few pushed kilobytes can stand for as many bytes as one likes.
#[test]
fn the_gate_never_holds_a_whole_large_file_in_memory() {
    const SIZE: usize = 160 << 20;
    let (mut site, first) = Site::new();
    let desk = site.desk();
    let blob = site.git(&desk, &["hash-object", "-w", "--stdin"], &vec![0; SIZE]);
    let tree = site.git(
        &desk,
        &["mktree"],
        format!("100644 blob {blob}\tlarge\n").as_bytes(),
    );
    let second: Oid = site
        .git(
            &desk,
            &["commit-tree", "-m", "x", "-p", &first.to_string(), &tree],
            b"",
        )
        .parse()
        .unwrap();
    let p = site.propose(site.lab.ledger, first, second);
    let specs = [site.lane("a"), site.proposal_ref(p)];
    // Address space, as there is no portable bound on what is really used.
    for hook in ["pre-receive", "proc-receive"] {
        let path = site.server().join("hooks").join(hook);
        std::fs::rename(&path, path.with_extension("own")).unwrap();
        site.hook(
            hook,
            &format!(
                "#!/bin/sh\nulimit -v {} || exit 9\nexec hooks/{hook}.own\n",
                SIZE / 1024
            ),
        );
    }
    site.accepted(&parts(&specs));
}
