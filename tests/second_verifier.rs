//! The program against `ledger-spec/verify.py`, which was written from the pages of the specification alone: the vectors, real
//! clones, and random ledgers, those in which agreement is broken among them.
//!
//! Needs python3 with PyNaCl; `GIT_QUORUM_PYTHON` names another Python. More random ledgers of each kind, from another seed:
//! `SECOND_VERIFIER_LEDGERS=5000 SECOND_VERIFIER_SEED=100000 cargo test --profile search --test second_verifier random`.
#![cfg(unix)]
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
#[path = "common/needs.rs"]
mod needs;
#[path = "common/random_ledgers.rs"]
mod random_ledgers;
#[path = "common/rng.rs"]
mod rng;
#[path = "common/verifier.rs"]
mod verifier;
#[path = "common/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use git_quorum::charter::{Charter, CharterRules, ProposedCharter, Threshold};
use git_quorum::id::EntryId;
use git_quorum::ledger::{CharterProposal, Statement};
use lab::*;
use ledger_form::{LedgerVector, expected};
use rng::{Rng, cases};
use serde_json::{Value, json};
use tempfile::TempDir;
use verifier::{VERIFIER, check, printed, python};
use world::{Seat, Team, id};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ledger-spec/vectors");

/// How many vectors there are in a folder.
fn count(folder: &str) -> usize {
    let files = std::fs::read_dir(Path::new(VECTORS).join(folder)).unwrap();
    files
        .filter(|file| {
            file.as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|e| e == "json")
        })
        .count()
}

// ---------------------------------------------------------------- vectors

#[test]
#[cfg_attr(not(has_second_verifier), ignore = "Python or PyNaCl is not installed")]
fn it_agrees_on_all_vectors() {
    let Some(python) = python() else { return };
    let (agrees, text) = check(&python, Path::new(VERIFIER), &[PathBuf::from(VECTORS)]);
    let all = format!(
        "{} invalid, {} ledgers, {} valid: 0 differ\n",
        count("invalid"),
        count("ledgers"),
        count("valid")
    );
    assert!(agrees && text == all, "{text}");
}

/// Rules for bytes and places that are taken out of the other verifier one at a time: what it says, and what it says instead.
const BROKEN_FORMS: [(&str, &str); 5] = [
    (
        "crypto_sign_open(signature + message, key) == message",
        "len(message) > 0",
    ),
    (
        "need(plain and written == line.encode(), \"NOT_CANONICAL\")",
        "need(plain, \"NOT_CANONICAL\")",
    ),
    ("need(depth <= 127,", "need(depth <= 128,"),
    (
        "need(parents[0] in own if own else parents[0].is_genesis, \"BAD_LANE\")",
        "pass",
    ),
    (
        "need(all(parent.charter in lineage for parent in own), \"CHARTER_WENT_BACK\")",
        "pass",
    ),
];

/// The same for what statements are worth, and for what is reported.
const BROKEN_RULES: [(&str, &str); 22] = [
    ("return listed and unchanged and", "return unchanged and"),
    ("prevoted = [(-depth, -r, p)", "prevoted = [(-depth, 0, p)"),
    (
        "return listed and unchanged and len(removed) ==",
        "return listed and unchanged and 0 <=",
    ),
    (
        "approved = len(approvers) >= charter.q",
        "approved = len(approvers) >= 1",
    ),
    ("need(r in quorums, \"NO_PREVOTE_QUORUM\")", "pass"),
    ("\"round\": vote.round, \"slot\"", "\"round\": 0, \"slot\""),
    (
        "by.id, vote.round, vote.proposal].add",
        "by.id, 0, vote.proposal].add",
    ),
    (
        "if len(who) >= self.charters[choice[1]].q)",
        "if len(who) >= self.charters[choice[1]].q - 1)",
    ),
    (
        "need(not any(vote.round > r for vote in own), \"ROUND_WENT_BACK\")",
        "pass",
    ),
    ("need(not twice, \"SECOND_VOTE\")", "pass"),
    (
        "need(locks <= {at.proposal} or any(lock_round < s < r for s in quorums), \"LOCKED\")",
        "pass",
    ),
    (
        "any(lock_round < s < r for s in quorums)",
        "any(s < r for s in quorums)",
    ),
    (
        "need(r == 0 or len(before) >= charter.q, \"ROUND_NOT_ENTERED\")",
        "pass",
    ),
    ("need(slot == change or not froze, \"FROZEN\")", "pass"),
    (
        "need(decided in (None, at.proposal), \"SLOT_DECIDED\")",
        "pass",
    ),
    (
        "need(handed_down in (None, at.proposal) or any(s < r for s in quorums), \"HANDED_DOWN\")",
        "pass",
    ),
    (
        "return None, min(prevoted)[2]",
        "return None, max(prevoted)[2]",
    ),
    (
        "and not any(a.round < s < b.round for s in quorums):",
        "and True:",
    ),
    (
        "if a.kind == \"precommit\" and not a.knows(b):",
        "if a.kind == \"precommit\":",
    ),
    (
        "sorted(slot.id for slot, count in Counter(slots.values()).items() if count > 1)",
        "[]",
    ),
    (
        "in self.quorums(slot, \"precommit\", None):",
        "in self.quorums(slot, \"precommit\", None)[::-1]:",
    ),
    // Of equally short lineages the charter of the highest id.
    (
        "return sorted(choice for choice, who in voters.items() if len(who) >= self.charters[choice[1]].q)",
        "return sorted((c for c, who in voters.items() if len(who) >= self.charters[c[1]].q), key=lambda c: (c[0], -int(c[1], 16)))",
    ),
];

#[test]
#[cfg_attr(not(has_second_verifier), ignore = "Python or PyNaCl is not installed")]
fn a_rule_that_is_taken_away_is_missed() {
    let Some(python) = python() else { return };
    let whole = std::fs::read_to_string(VERIFIER).unwrap();
    let folder = TempDir::new().unwrap();
    let verifier = folder.path().join("verify.py");
    let vectors = Path::new(VECTORS);
    let forms = BROKEN_FORMS.map(|(rule, instead)| {
        (
            rule,
            instead,
            vec![vectors.join("valid"), vectors.join("invalid")],
        )
    });
    let rules = BROKEN_RULES.map(|(rule, instead)| (rule, instead, vec![vectors.join("ledgers")]));
    for (rule, instead, folders) in forms.into_iter().chain(rules) {
        assert_eq!(whole.matches(rule).count(), 1, "{rule}");
        std::fs::write(&verifier, whole.replace(rule, instead)).unwrap();
        let (agrees, text) = check(&python, &verifier, &folders);
        assert!(
            !agrees && text.contains(" differ"),
            "nothing showed that this is gone: {rule}"
        );
        println!("{rule}: {}", text.lines().next_back().unwrap());
    }
}

/// The program without one of its rules, on the ledgers of the vectors: where it judges otherwise, the verifier says so.
#[cfg(debug_assertions)]
#[test]
#[cfg_attr(not(has_second_verifier), ignore = "Python or PyNaCl is not installed")]
fn a_program_that_judges_wrongly_is_caught() {
    use git_quorum::mutation::Mutation;
    let Some(python) = python() else { return };
    let files = std::fs::read_dir(Path::new(VECTORS).join("ledgers"))
        .unwrap()
        .map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let ledgers: Vec<_> = files
        .map(|path| LedgerVector::from_json(&std::fs::read(path).unwrap()))
        .collect();
    for mutation in [
        Mutation::Approvals,
        Mutation::PrevoteQuorum,
        Mutation::PrecommitsOfOneRound,
        Mutation::OneVoteARound,
        Mutation::Lock,
        Mutation::Freeze,
        Mutation::Entering,
        Mutation::HandOver,
        Mutation::RoundInStatement,
    ] {
        let active = mutation.activate();
        let place = TempDir::new().unwrap();
        let folder = place.path().join("ledgers");
        std::fs::create_dir(&folder).unwrap();
        let judged = ledgers
            .iter()
            .map(|ledger| (ledger, expected(&ledger_form::tally_of(&ledger.entries))));
        let wrong: Vec<_> = judged
            .filter(|(ledger, judged)| *judged != ledger.expected)
            .collect();
        for (number, (ledger, judged)) in wrong.iter().enumerate() {
            let claimed = LedgerVector {
                expected: judged.clone(),
                ..(*ledger).clone()
            };
            std::fs::write(folder.join(format!("{number}.json")), claimed.to_json()).unwrap();
        }
        drop(active);
        let (_, text) = check(&python, Path::new(VERIFIER), &[folder]);
        assert!(
            !wrong.is_empty() && text.contains(&format!(": {} differ", wrong.len())),
            "{mutation:?}: {text}"
        );
    }
}

// ---------------------------------------------------------------- random ledgers

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What some have heard of: the last entries of each member, and what was proposed and decided there. Branches do not know
/// each other until they are joined.
#[derive(Clone)]
struct Branch {
    tips: Vec<(&'static str, EntryId)>,
    proposals: Vec<EntryId>,
    charter: EntryId,
    base: EntryId,
}

/// A ledger of up to three voting members (below four, none may lie) who all lie: they decide one thing on one branch and
/// another on another, charters too, and go on above both.
struct Liars {
    rng: Rng,
    lab: Lab,
    voters: usize,
    branches: Vec<Branch>,
}

/// The liars' ledger of a seed.
fn liars(seed: u64) -> Lab {
    let mut rng = Rng::new(seed);
    let voters = 1 + rng.below(3);
    let lab = Lab::found("a", liars_charter(&mut rng, voters));
    let start = Branch {
        tips: vec![],
        proposals: vec![],
        charter: lab.ledger,
        base: lab.ledger,
    };
    let mut liars = Liars {
        rng,
        lab,
        voters,
        branches: vec![start],
    };
    let length = 15 + liars.rng.below(25);
    for _ in 0..length {
        liars.step();
    }
    liars.lab
}

/// All are members and the first few vote; it protects main, or other refs, or both.
fn liars_charter(rng: &mut Rng, voters: usize) -> Charter {
    let mut members: Vec<_> = NAMES.iter().map(|m| voter(m)).collect();
    members
        .iter_mut()
        .skip(voters)
        .for_each(|member| member.vote = false);
    let refs: &[&str] = rng.pick(&[
        &["refs/heads/main"][..],
        &["refs/heads/main", "refs/heads/x*"],
        &["refs/heads/x*"],
    ]);
    let refs = if rng.chance(60) {
        &["refs/heads/main"]
    } else {
        refs
    };
    let protect = refs.iter().map(|p| p.parse().unwrap()).collect();
    let quorum = Threshold::of(voters).q;
    let rules = CharterRules {
        allow_concentrated_domains: true,
        own_approval_counts: rng.chance(80),
        quorum,
    };
    Charter::new(members, protect, vec![], rules).unwrap()
}

impl Liars {
    fn step(&mut self) {
        let at = self.rng.below(self.branches.len());
        match self.rng.below(100) {
            0..4 => self.rival_charters(at),
            4..30 => self.propose(at),
            30..50 => self.decide(at),
            50..62 => self.split(at),
            62..74 => self.join(at),
            _ => self.anything(at),
        }
    }

    /// An entry above what the branch has heard, if it is one there.
    fn say(
        &mut self,
        at: usize,
        member: &'static str,
        charter: EntryId,
        said: Vec<Statement>,
    ) -> Option<EntryId> {
        let branch = &self.branches[at];
        let (own, others): (Vec<_>, Vec<_>) =
            branch.tips.iter().partition(|(owner, _)| *owner == member);
        let mut parents: Vec<_> = own.iter().map(|(_, tip)| *tip).collect();
        parents.extend(own.is_empty().then_some(self.lab.ledger));
        parents.extend(others.iter().map(|(_, tip)| *tip));
        let payload = self.lab.payload(member, charter, &parents, said);
        let made = self.lab.make(&payload);
        let id = self.lab.take(made).ok()?;
        let branch = &mut self.branches[at];
        branch.tips.retain(|(owner, _)| *owner != member);
        branch.tips.push((member, id));
        Some(id)
    }

    fn propose(&mut self, at: usize) {
        let (branch, number) = (
            self.branches[at].clone(),
            (self.lab.made.len() % 0xa0) as u8 + 1,
        );
        let proposal = if self.rng.chance(35) {
            let next = match self.rng.chance(4) {
                true => ProposedCharter::Newer {
                    version: 2,
                    value: json!({"v": 2}),
                },
                false => {
                    ProposedCharter::Known(Box::new(liars_charter(&mut self.rng, self.voters)))
                }
            };
            let (text, title) = (String::new(), format!("charter {number}"));
            Statement::ProposeCharter(CharterProposal {
                base: branch.charter,
                charter: next,
                text,
                title,
            })
        } else {
            let mut bases = vec![branch.base; 6];
            bases.extend(
                branch
                    .proposals
                    .iter()
                    .chain([&self.lab.ledger, &branch.charter]),
            );
            let Statement::Propose(mut moved) = propose(self.rng.pick(&bases), number) else {
                panic!()
            };
            let refs = [
                "refs/heads/main",
                "refs/heads/main",
                "refs/heads/main",
                "refs/heads/x1",
            ];
            moved.name = self.rng.pick(&refs).parse().unwrap();
            Statement::Propose(moved)
        };
        let member = self.rng.pick(&NAMES);
        let made = self.say(at, member, branch.charter, vec![proposal]);
        let counts = made.is_some_and(|id| self.lab.tally.proposal(id).is_some());
        let kept = made.filter(|_| counts || self.rng.chance(15));
        self.branches[at].proposals.extend(kept);
    }

    /// Two branches from here, and a decision on each.
    fn split(&mut self, at: usize) {
        self.branches.push(self.branches[at].clone());
        self.decide(at);
        self.decide(self.branches.len() - 1);
    }

    /// Two changes of the charter, each decided on a branch of its own, and then one move decided under both.
    fn rival_charters(&mut self, at: usize) {
        let (charter, base, other) = (
            self.branches[at].charter,
            self.branches[at].base,
            self.branches.len(),
        );
        let mut made = vec![];
        for title in ["this", "that"] {
            let next = ProposedCharter::Known(Box::new(liars_charter(&mut self.rng, self.voters)));
            let (text, title) = (String::new(), title.to_owned());
            let change = Statement::ProposeCharter(CharterProposal {
                base: charter,
                charter: next,
                text,
                title,
            });
            made.extend(self.say(at, "a", charter, vec![change]));
        }
        made.extend(self.say(at, "a", charter, vec![propose(base, 0xa1)]));
        let &[this, that, moved] = made.as_slice() else {
            return;
        };
        self.branches.push(self.branches[at].clone());
        for (branch, change) in [(at, this), (other, that)] {
            self.vote(branch, change, 0);
            let round = self.rng.below(2) as u32;
            self.vote(branch, moved, round);
        }
    }

    /// All who vote approve and vote for one proposal, mostly one of the last.
    fn decide(&mut self, at: usize) {
        let proposals = self.branches[at].proposals.clone();
        if proposals.is_empty() {
            return;
        }
        let last = proposals
            .len()
            .saturating_sub(if self.rng.chance(80) { 3 } else { 10 });
        let (proposal, round) = (
            self.rng.pick(&proposals[last..]),
            self.rng.pick(&[0, 0, 0, 0, 0, 1]),
        );
        self.vote(at, proposal, round);
    }

    fn vote(&mut self, at: usize, proposal: EntryId, round: u32) {
        let charter = self.branches[at].charter;
        for member in &NAMES[..self.voters] {
            self.say(
                at,
                member,
                charter,
                vec![approve(proposal), prevote(proposal, round)],
            );
        }
        for member in &NAMES[..self.voters] {
            let vote = self.lab.precommit(member, charter, proposal, round);
            self.say(at, member, charter, vec![vote]);
        }
        if self.lab.tally.is_decided(proposal) {
            let is_charter = self.lab.tally.dag().charter(proposal).is_some();
            let branch = &mut self.branches[at];
            *if is_charter {
                &mut branch.charter
            } else {
                &mut branch.base
            } = proposal;
        }
    }

    /// A branch hears of another.
    fn join(&mut self, at: usize) {
        let other = self.rng.pick(&self.branches);
        let branch = &mut self.branches[at];
        branch.tips.extend(
            other
                .tips
                .into_iter()
                .filter(|tip| !branch.tips.contains(tip))
                .collect::<Vec<_>>(),
        );
        branch.proposals.extend(other.proposals);
        branch.charter = self.rng.pick(&[branch.charter, other.charter]);
    }

    /// Votes of one member for one or two proposals.
    fn anything(&mut self, at: usize) {
        let Branch {
            proposals, charter, ..
        } = self.branches[at].clone();
        if proposals.is_empty() {
            return;
        }
        let charter = if self.rng.chance(85) {
            charter
        } else {
            self.lab.ledger
        };
        let some = self.voters + self.rng.below(2);
        let (member, mut said) = (self.rng.pick(&NAMES[..some]), vec![]);
        for _ in 0..1 + self.rng.below(3) {
            let (proposal, round) = (self.rng.pick(&proposals), self.rng.pick(&[0, 0, 1, 1, 2]));
            let vote = self.lab.precommit(member, charter, proposal, round);
            said.push(
                self.rng
                    .pick(&[approve(proposal), prevote(proposal, round), vote]),
            );
        }
        self.say(at, member, charter, said);
    }
}

/// The ledger in the form of the vectors, under a name that says how to have it again.
fn save(folder: &Path, name: &str, lab: Lab) -> Value {
    let expected = expected(&lab.tally);
    let vector = LedgerVector {
        about: name.to_owned(),
        rule: "any".to_owned(),
        kept: false,
        expected: expected.clone(),
        entries: lab.made.into_iter().map(|made| made.raw).collect(),
    };
    std::fs::write(folder.join(format!("{name}.json")), vector.to_json()).unwrap();
    expected
}

#[test]
#[cfg_attr(not(has_second_verifier), ignore = "Python or PyNaCl is not installed")]
fn it_agrees_on_random_ledgers() {
    let Some(python) = python() else { return };
    let (first, count) = (
        cases("SECOND_VERIFIER_SEED", 1),
        cases("SECOND_VERIFIER_LEDGERS", 25),
    );
    let (mut broken, mut decided, mut discounted, mut convicted, mut upgrades) = (0, 0, 0, 0, 0);
    let batches = (first..first + count).collect::<Vec<_>>();
    for seeds in batches.chunks(100) {
        let folder = TempDir::new().unwrap();
        for seed in seeds {
            let lie = save(folder.path(), &format!("liars-{seed}"), liars(*seed));
            let random = save(
                folder.path(),
                &format!("random-{seed}"),
                random_ledgers::ledger(*seed),
            );
            let length = |field: &str| {
                [&lie, &random]
                    .map(|e| e[field].as_array().map_or(0, Vec::len))
                    .iter()
                    .sum::<usize>()
            };
            broken += length("broken");
            decided += length("decisions");
            discounted += length("discounted");
            convicted += length("evidence");
            upgrades += [&lie, &random]
                .iter()
                .filter(|e| e.get("upgrade").is_some())
                .count();
        }
        let (agrees, text) = check(&python, Path::new(VERIFIER), &[folder.path().to_owned()]);
        assert!(
            agrees && text == format!("{} ledgers: 0 differ\n", 2 * seeds.len()),
            "{text}"
        );
    }
    println!(
        "seeds {first} to {}: {decided} decisions, {broken} broken slots, {discounted} statements that do not count, \
         {convicted} convictions, {upgrades} newer charters decided",
        first + count - 1
    );
    assert!(
        count < 25 || (broken > 0 && decided > broken && discounted > 0 && convicted > 0),
        "something happened in them"
    );
}

// ---------------------------------------------------------------- real clones

/// What the other verifier prints for a repository, and its exit status.
fn second(python: &str, team: &Team, dir: &Path, args: &[&str]) -> (Value, i32) {
    let output = team
        .world
        .command(python, dir)
        .arg(VERIFIER)
        .arg(dir)
        .args(args)
        .output()
        .unwrap();
    let text = printed(&output);
    (
        serde_json::from_str(text.trim_end()).unwrap_or_else(|e| panic!("{e}: {text}")),
        output.status.code().unwrap(),
    )
}

/// The fields of each item, in no order.
fn only(items: &Value, fields: &[&str]) -> BTreeSet<String> {
    let item = |item: &Value| fields.iter().map(|f| format!("{} ", item[f])).collect();
    items.as_array().unwrap().iter().map(item).collect()
}

/// Both verifiers say the same of this clone, field by field.
fn both_agree(python: &str, team: &Team, seat: &Seat) -> Value {
    let (verified, status) = (seat.verify(), seat.ok(&["status", "--all"]));
    let (found, exit) = second(python, team, &seat.dir, &[]);
    assert_eq!(exit, 0, "{found}");
    for field in ["ledger", "charter", "entries", "pinned"] {
        assert_eq!(found[field], verified[field], "{field}: {found} {verified}");
    }
    let decision = ["charter", "proposal", "round", "subject"];
    assert_eq!(
        only(&found["decisions"], &decision),
        only(&verified["decisions"]["shown"], &decision)
    );
    let conviction = ["charter", "member", "rule", "slot"];
    assert_eq!(
        only(&found["evidence"], &conviction),
        only(&verified["evidence"]["shown"], &conviction)
    );
    let theirs = status["discounted"]["shown"].as_array().unwrap().iter();
    let theirs: Vec<_> = theirs
        .map(|d| json!({"entry": d["entry"], "statement": d["statement"], "reason": d["code"]}))
        .collect();
    let statement = ["entry", "statement", "reason"];
    assert_eq!(
        only(&found["discounted"], &statement),
        only(&json!(theirs), &statement),
        "{status}"
    );
    let problems: BTreeSet<_> = verified["lane_problems"]["shown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["code"].to_string())
        .collect();
    let refused: BTreeSet<_> = found["no_entries"]
        .as_object()
        .unwrap()
        .values()
        .map(Value::to_string)
        .collect();
    assert!(problems.is_subset(&refused), "{problems:?} {refused:?}");
    found
}

/// A story with rivals, a liar, a lane that ends in what is no entry, and a change of the charter.
#[test]
#[cfg_attr(not(has_second_verifier), ignore = "Python or PyNaCl is not installed")]
fn it_agrees_in_real_clones() {
    let Some(python) = python() else { return };
    let team = Team::with_seats(&["alice", "bob", "carol", "dave"], 3);
    team.patience("20ms");
    let [alice, bob, carol] = team.seats.as_slice() else {
        panic!()
    };
    both_agree(&python, &team, alice);
    let decided = team.decide("first");
    both_agree(&python, &team, bob);

    // Dave votes for two rivals on two branches, and then for one that knows of the other.
    let rivals = [alice, bob].map(|seat| {
        seat.git(&["fetch", "-q", "origin"]);
        seat.git(&["checkout", "-q", "--detach", "origin/main"]);
        seat.commit("rival", &seat.dir.to_string_lossy());
        id(&seat.ok(&["propose", "-m", "rival", "--local"]))
    });
    team.sync(2);
    let ids = [&rivals[0], &rivals[1]].map(|text| text.parse::<EntryId>().unwrap());
    let genesis = team.world.load(&team.server).tally.dag().ledger();
    let lies = ids.map(|id| {
        team.world.forge(
            &team.server,
            "dave",
            &[genesis, id],
            vec![approve(id), prevote(id, 0)],
        )
    });
    for (_, oid) in lies {
        team.place("dave", oid);
        team.sync(1);
    }
    let late = vec![
        prevote(ids[0], 0),
        prevote(ids[1], 0),
        prevote(ids[1], 7),
        approve(decided.parse().unwrap()),
    ];
    let (_, oid) = team
        .world
        .forge(&team.server, "dave", &[lies[1].0, ids[0]], late);
    team.place("dave", oid);
    team.sync(1);
    let found = both_agree(&python, &team, carol);
    assert_eq!(found["evidence"][0]["member"], "dave", "{found}");
    assert!(
        found["discounted"].to_string().contains("SECOND_VOTE"),
        "{found}"
    );
    for proposal in &rivals {
        team.seats
            .iter()
            .for_each(|seat| drop(seat.approve(proposal)));
    }
    team.sync(6);

    let file = team.world.path("charter.toml");
    let shown = alice.run(&["charter", "show", "--toml"]).out;
    std::fs::write(
        &file,
        shown.replace("refs/heads/main", "refs/heads/main\", \"refs/tags/*"),
    )
    .unwrap();
    let change = id(&alice.ok(&[
        "charter",
        "propose",
        "--file",
        file.to_str().unwrap(),
        "-m",
        "Protect tags",
    ]));
    [bob, carol]
        .iter()
        .for_each(|seat| drop(seat.approve(&change)));
    team.settle(&change);
    let found = both_agree(&python, &team, bob);
    assert_eq!(found["charter"], json!(change), "{found}");

    // The server's lane of Dave ends in what is no entry, and so does that of a remote whose name would end a line elsewhere;
    // a bare repository, of which nobody said which ledger is the right one.
    let [junk, other] = ["no entry", "none either"].map(|text| {
        let raw = format!("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\n{text}\n");
        team.world.store(&team.server, "commit", raw.as_bytes())
    });
    team.place("dave", &junk);
    let remote = team.ledger_ref("remote/a\u{2028}b/dave");
    team.world
        .git(&team.server, &["update-ref", &remote, &other]);
    let (found, exit) = second(&python, &team, &team.server, &["--stock"]);
    assert_eq!((exit, &found["pinned"]), (7, &json!(false)), "{found}");
    assert_eq!(
        found["no_entries"],
        json!({junk: "BAD_TEMPLATE", other: "BAD_TEMPLATE"})
    );
    let ledger = alice.git(&["config", "quorum.ledger"]);
    assert_eq!(
        second(&python, &team, &team.server, &["--ledger", &ledger]).1,
        0
    );
    no_verdict(&python, &team, &ledger);
}

/// Where there is no verdict, both say so in the same way.
fn no_verdict(python: &str, team: &Team, ledger: &str) {
    let seat = team.world.seat("observer", team.server.to_str().unwrap());
    let both = |args: &[&str], code: &str, exit: i32| {
        let mine: Vec<_> = args
            .iter()
            .flat_map(|ledger| ["--genesis", ledger])
            .collect();
        seat.no(exit, code, &[&["verify"], &mine[..]].concat());
        let theirs: Vec<_> = args
            .iter()
            .flat_map(|ledger| ["--ledger", ledger])
            .collect();
        let (found, status) = second(python, team, &seat.dir, &theirs);
        assert_eq!(
            (found["code"].as_str(), status),
            (Some(code), exit),
            "{found}"
        );
    };
    both(&[], "NO_LEDGER", 3);
    let refs = format!(
        "+refs/quorum/{}/*:refs/quorum/{}/*",
        &ledger[..16],
        &ledger[..16]
    );
    seat.git(&["fetch", "-q", "origin", &refs]);
    both(&[&"0".repeat(64)], "OTHER_LEDGER", 7);
    let lane = format!(".git/refs/quorum/{}/lane", &ledger[..16]);
    std::fs::create_dir_all(seat.dir.join(&lane)).unwrap();
    let lost = seat.dir.join(lane).join("erin");
    std::fs::write(&lost, format!("{}\n", "1".repeat(40))).unwrap();
    both(&[ledger], "INCOMPLETE_CLONE", 7);
    std::fs::remove_file(lost).unwrap();
    let tip = seat.git(&["rev-parse", "HEAD"]);
    std::fs::write(seat.dir.join(".git/shallow"), format!("{tip}\n")).unwrap();
    both(&[ledger], "INCOMPLETE_CLONE", 7);
}
