//! Runs the second form of the simulator: real clones, bare repositories, the real program, and
//! killed processes. Time is real, so a seed fixes the commands and faults but not their
//! interleaving.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::aftermath::{
    assert_published, assert_whole, faulty, install, kill_after, locks_in, remove_locks, settle,
    signed,
};
use crate::lab;
use crate::rng::{Rng, cases};
use crate::world::{Seat, Team, id};

const MEMBERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Points between two writes of a member's command.
const POINTS: [&str; 10] = [
    "timers.persist",
    "append.signed",
    "state.write",
    "state.sync",
    "append.remembered",
    "append.written",
    "append.moved",
    "append.restored",
    "cache.append",
    "append.moved:2",
];

/// A run with real repositories.
struct Real {
    team: Team,
    rng: Rng,
    /// A second server, which everybody knows as `mirror`.
    mirror: Option<PathBuf>,
    /// The other machine with dave's key, if dave is run twice. It counts as one faulty member.
    twin: Option<Seat>,
    /// The server as it was once.
    old: Option<PathBuf>,
    proposals: Vec<String>,
    /// Entries that a command said it had appended.
    acknowledged: BTreeSet<String>,
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([from, to])
            .status()
            .unwrap()
            .success()
    );
}

impl Real {
    fn new(seed: u64) -> Real {
        let mut rng = Rng::new(seed);
        let team = Team::new(&MEMBERS);
        install(
            &team,
            if rng.chance(50) {
                &["--auto-land"]
            } else {
                &[]
            },
        );
        team.patience("30ms");
        let mirror = rng.chance(40).then(|| team.world.path("mirror.git"));
        if let Some(mirror) = &mirror {
            copy(&team.server, mirror);
            for seat in &team.seats {
                seat.git(&["remote", "add", "mirror", mirror.to_str().unwrap()]);
            }
        }
        let twin = rng.chance(50).then(|| {
            let dave = &team.seats[3];
            let twin = Seat {
                dir: team.world.path("twin"),
                state: team.world.path("state-twin"),
                ..dave.clone()
            };
            copy(&dave.dir, &twin.dir);
            if dave.state.exists() {
                copy(&dave.state, &twin.state);
            }
            twin
        });
        Real {
            team,
            rng,
            mirror,
            twin,
            old: None,
            proposals: vec![],
            acknowledged: BTreeSet::new(),
        }
    }

    fn seats(&self) -> Vec<Seat> {
        self.team.seats.iter().chain(&self.twin).cloned().collect()
    }

    /// Members that follow the rules, with their seats.
    fn honest(&self) -> impl Iterator<Item = (&'static str, &Seat)> {
        let count = if self.twin.is_some() { 3 } else { 4 };
        MEMBERS.into_iter().zip(&self.team.seats).take(count)
    }

    /// One command of somebody, with or without a fault, or something that befalls the server.
    fn step(&mut self, number: u64) {
        match self.rng.below(20) {
            0 => {
                let old = self.team.world.path("old.git");
                copy(&self.team.server, &old);
                self.old = Some(old);
            }
            1 => self.old.iter().for_each(|old| copy(old, &self.team.server)),
            _ => self.command(number),
        }
    }

    fn command(&mut self, number: u64) {
        let seats = self.seats();
        let seat = self.rng.pick(&seats);
        let mut args = self.choose(&seat, number);
        match self.rng.below(10) {
            0 => args.push("--local".to_owned()),
            1 | 2 if self.mirror.is_some() => {
                args.extend(["--remote", "mirror"].map(str::to_owned))
            }
            _ => {}
        }
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        match self.rng.below(4) {
            0 => {
                kill_after(
                    &seat,
                    &args,
                    Duration::from_millis(self.rng.below(250) as u64),
                );
                settle(&self.team);
            }
            1 => drop(faulty(&seat, self.rng.pick(&POINTS), &args)),
            _ => self.run(&seat, &args),
        }
        for repo in seats
            .iter()
            .map(|seat| &seat.dir)
            .chain([&self.team.server])
            .chain(&self.mirror)
        {
            remove_locks(repo);
        }
    }

    fn choose(&mut self, seat: &Seat, number: u64) -> Vec<String> {
        let text = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        let open = self.proposals.last().cloned();
        match (self.rng.below(8), open) {
            (0, _) | (_, None) => {
                // Whoever cannot fetch now works on what there is.
                seat.world
                    .command("git", &seat.dir)
                    .args(["fetch", "-q", "origin"])
                    .output()
                    .unwrap();
                seat.git(&["checkout", "-q", "-f", "--detach", "origin/main"]);
                let name = format!("file-{number}");
                seat.commit(&name, &name);
                text(&["propose", "-m", &name])
            }
            (1 | 2, Some(_)) => text(&["sync"]),
            (3, Some(_)) => text(&["land"]),
            (4, Some(open)) => text(&["wait", &open, "--timeout", "0"]),
            (5, Some(open)) => text(&["review", &open, "--reject"]),
            (_, Some(open)) => text(&["review", &open, "--approve"]),
        }
    }

    /// Runs a command, and remembers what it says it has done. It may be refused.
    fn run(&mut self, seat: &Seat, args: &[&str]) {
        let run = seat.run(&[args, &["--json"]].concat());
        let envelope: Value = serde_json::from_str(&run.out).unwrap_or_default();
        assert_ne!(envelope["code"], "INTERNAL", "{args:?}: {envelope}");
        if run.code != 0 {
            return;
        }
        let data = &envelope["data"];
        if args[0] == "propose" {
            self.proposals.push(id(data));
        }
        let entries = data["entries"].as_array().into_iter().flatten();
        self.acknowledged
            .extend(entries.filter_map(Value::as_str).map(str::to_owned));
    }

    /// All go on without faults until what is proposed last is decided and landed.
    fn calm(&mut self) {
        settle(&self.team);
        for round in 0..3 {
            for seat in self.seats() {
                if self.mirror.is_some() && round != 1 {
                    seat.ok(&["sync", "--remote", "mirror"]);
                }
                seat.ok(&["sync"]);
            }
        }
        let first = &self.team.seats[0];
        // The votes on an older proposal may be so far that it is decided in the place of the next one; nothing is in the
        // way of the one after it.
        let last = ["last", "one more"].into_iter().find_map(|title| {
            // A decision that nobody has landed is what the next proposal has to build on.
            first.run(&["land"]);
            let proposal = first.propose(title);
            self.team.seats[1..]
                .iter()
                .for_each(|seat| seat.approve_rival(&proposal));
            self.team.settle_rival(&proposal).then_some(proposal)
        });
        let last = last.unwrap();
        if first.state(&last) == "decided" {
            first.ok(&["land", &last]);
        }
        for seat in self.seats() {
            seat.ok(&["sync"]);
        }
        self.team.sync(1);
    }

    /// What must hold at the end.
    fn check(&self) {
        let loaded = self.team.world.load(&self.team.server);
        let (tally, dag) = (&loaded.tally, loaded.tally.dag());
        assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        assert_eq!(tally.broken_slots().count(), 0, "agreement");
        let honest: BTreeSet<_> = self.honest().map(|(member, _)| lab::name(member)).collect();
        let evidence = tally.evidence();
        assert!(
            evidence.iter().all(|e| !honest.contains(&e.member)),
            "an honest member is convicted: {evidence:?}"
        );
        let mut bad = tally
            .discounted()
            .iter()
            .filter(|d| honest.contains(&dag.entry(d.place.entry).member));
        assert!(
            bad.next().is_none(),
            "what an honest member said counts: {:?}",
            tally.discounted()
        );
        let known = |text: &String| dag.find(text.parse().unwrap()).is_some();
        assert!(
            self.acknowledged.iter().all(known),
            "everything that was acknowledged is there"
        );
        for (member, seat) in self.honest() {
            assert_published(&self.team, seat, member);
        }
        for seat in self.seats() {
            assert_whole(&self.team.world, &seat.dir);
            let there = |record: &Value| {
                dag.find(record["id"].as_str().unwrap().parse().unwrap())
                    .is_some()
            };
            assert!(
                signed(&seat).iter().all(there),
                "all that was signed is there"
            );
        }
        assert_whole(&self.team.world, &self.team.server);
        assert_eq!(locks_in(&self.team.server), Vec::<PathBuf>::new());
        self.all_verify_alike();
    }

    /// Clones and the server come to the same decisions, and protected refs hold what was decided.
    fn all_verify_alike(&self) {
        let decisions = |seat: &Seat| {
            let data = seat.verify();
            assert!(
                data["decisions"]["shown"]
                    .as_array()
                    .is_some_and(|all| !all.is_empty()),
                "{data}"
            );
            (data["ledger"].clone(), data["decisions"].clone())
        };
        let mut seats = self.team.seats.iter().map(decisions);
        let first = seats.next().unwrap();
        assert!(seats.all(|other| other == first), "all clones agree");
        decisions(&self.team.seats[0].at(self.team.server.clone()));
    }
}

/// A handful; `SIMULATOR_REAL` sets how many, and `SIMULATOR_REAL_START` the first seed.
#[test]
fn real_repositories() {
    let start = cases("SIMULATOR_REAL_START", 0);
    for seed in start..start + cases("SIMULATOR_REAL", 2) {
        println!(
            "SIMULATOR_REAL_START={seed} SIMULATOR_REAL=1 cargo test --test simulator real_repositories"
        );
        let mut real = Real::new(seed);
        let steps = 8 + real.rng.below(10) as u64;
        (0..steps).for_each(|number| real.step(number));
        real.calm();
        real.check();
    }
}
