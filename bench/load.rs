//! Measures what long ledgers, many members, large entries and a flooding member cost the gate: the
//! time compared with an empty hook in the same run, and the memory. See README.md.
//!
//! This is not a test. It prints numbers, and asserts only that nothing is lost.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "../tests/common/lab.rs"]
mod lab;
mod servers;
mod timing;
mod world;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git_quorum::id::EntryId;
use git_quorum::ledger::{LedgerRefs, Review, Statement, Verdict};
use lab::{approve, prevote, review};
use servers::{Servers, push_to, push_until_taken, side_by_side, tell};
use timing::{Form, describe_machine, milliseconds, ratio};
use world::{PROGRAM, Storage, World, text};

/// The parts that can be measured separately: `cargo bench --bench load -- NAME`.
type Part = (&'static str, fn(Form));

fn main() {
    let form = Form::of_process();
    describe_machine(form);
    let only = std::env::args()
        .nth(1)
        .filter(|arg| arg != "--bench")
        .unwrap_or_default();
    let parts: [Part; 6] = [
        ("curve", curve),
        ("many", many),
        ("votes", votes),
        ("proposals", proposals),
        ("largest", largest),
        ("flood", flood),
    ];
    for (name, part) in parts {
        if only.is_empty() || only == name {
            println!();
            part(form);
        }
    }
}

fn line(what: &str, value: impl std::fmt::Display, unit: &str) {
    println!("  {what:<62} {value:>10} {unit}");
}

/// Records the memory of processes.
struct Scale {
    program: PathBuf,
    file: PathBuf,
}

impl Scale {
    fn in_world(world: &World) -> Scale {
        let scale = Scale {
            program: world.path("peak"),
            file: world.path("peaks"),
        };
        if !scale.program.exists() {
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/peak.c");
            world.run(
                "cc",
                &world.path("."),
                &["-O2", "-o", scale.program.to_str().unwrap(), source],
            );
        }
        scale
    }

    /// Returns the peak memory of the program, in kB.
    fn of(&self, world: &World, dir: &Path, program: &str, args: &[&str]) -> u64 {
        let file = self.file.display().to_string();
        world.run(
            self.program.to_str().unwrap(),
            dir,
            &[&[file.as_str(), program], args].concat(),
        );
        self.read()
    }

    /// Returns the peak memory of the hooks of a server during a push, in kB.
    fn of_hooks(&self, server: &Path, push: impl FnOnce()) -> u64 {
        let hooks = ["pre-receive", "proc-receive"].map(|hook| server.join("hooks").join(hook));
        for hook in &hooks {
            let own = hook.with_extension("own");
            std::fs::rename(hook, &own).unwrap();
            let script = format!(
                "#!/bin/sh\nexec {} {} {}\n",
                self.program.display(),
                self.file.display(),
                own.display()
            );
            std::fs::write(hook, script).unwrap();
            std::fs::set_permissions(hook, std::fs::metadata(&own).unwrap().permissions()).unwrap();
        }
        push();
        for hook in &hooks {
            std::fs::rename(hook.with_extension("own"), hook).unwrap();
        }
        self.read()
    }

    fn read(&self) -> u64 {
        let lines = std::fs::read_to_string(&self.file).unwrap_or_default();
        let _ = std::fs::remove_file(&self.file);
        lines
            .lines()
            .filter_map(|line| line.parse().ok())
            .max()
            .unwrap_or(0)
    }
}

fn kilobytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len() / 1024)
}

/// Measures one more entry on ledgers of all sizes, and loading these ledgers.
fn curve(form: Form) {
    let all = [
        (4, 100),
        (4, 1_000),
        (4, 10_000),
        (4, 100_000),
        (1, 100_000),
        (100, 10_000),
    ];
    let sizes = if form == Form::Quick {
        &all[..2]
    } else {
        &all[..]
    };
    let mut flat = Vec::new();
    for (members, entries) in sizes {
        let mut world = match members {
            1 => World::with_lane(*entries),
            _ => World::new(*members, *entries, Storage::Packed),
        };
        let of = if *members == 1 {
            "one lane".to_owned()
        } else {
            format!("{members} members")
        };
        println!("push one entry onto {entries}, {of}");
        let servers = Servers::of(&world, &[]);
        let scale = Scale::in_world(&world);
        at_hand(&world, &scale, &servers.gated);
        let author = world.author.clone();
        let one = |world: &mut World| {
            world.say(&author);
            [vec![], vec![world.lane_refspec(&author)]]
        };
        let medians = side_by_side(form.pick(2, 21), &mut world, &servers, one);
        tell(medians);
        let [_, specs] = one(&mut world);
        let peak = scale.of_hooks(&servers.gated, || push_to(&world, &servers.gated, &specs));
        line("peak memory of the gate", peak, "kB");
        if *members == 4 {
            flat.push(medians);
        }
    }
    println!("from the smallest ledger to the largest");
    let (first, last) = (flat[0], flat[flat.len() - 1]);
    ratio("through the empty hook", last[0], first[0]);
    ratio("through the gate", last[1], first[1]);
    let extra = |at: [Duration; 2]| milliseconds(at[1]) - milliseconds(at[0]);
    line(
        "what the gate adds, more at the largest",
        format!("{:.3}", extra(last) - extra(first)),
        "ms",
    );
}

/// Measures the whole command `status`, without any cache and with all caches.
fn at_hand(world: &World, scale: &Scale, server: &Path) {
    for (what, remembered) in [("nothing remembered", false), ("a snapshot", true)] {
        if !remembered {
            let _ = std::fs::remove_dir_all(server.join("quorum"));
        }
        let start = Instant::now();
        let peak = scale.of(world, server, PROGRAM, &["status"]);
        line(
            &format!("status with {what}"),
            format!("{:.1}", milliseconds(start.elapsed())),
            "ms",
        );
        line(&format!("peak memory of status with {what}"), peak, "kB");
    }
    line(
        "the snapshot",
        kilobytes(&server.join("quorum/snapshot")),
        "kB",
    );
    line(
        "the list of checked signatures",
        kilobytes(&server.join("quorum/verified")),
        "kB",
    );
}

/// Measures pushes of one to a thousand entries.
fn many(form: Form) {
    let entries = form.pick(100, 10_000);
    let mut world = World::new(4, entries, Storage::Packed);
    let servers = Servers::of(&world, &[]);
    let author = world.author.clone();
    for count in [1, 10, 100, form.pick(100, 1_000)] {
        println!("push {count} entries onto {entries}, 4 members");
        let medians = side_by_side(form.pick(1, 5), &mut world, &servers, |world| {
            (0..count).for_each(|_| world.say(&author));
            [vec![], vec![world.lane_refspec(&author)]]
        });
        tell(medians);
        let extra = (milliseconds(medians[1]) - milliseconds(medians[0])) / count as f64;
        line(
            "what the gate adds for each entry",
            format!("{extra:.3}"),
            "ms",
        );
    }
}

/// A hundred members push their votes at the same time, first the prevotes, then the precommits.
fn votes(form: Form) {
    let (members, entries) = (form.pick(8, 100), form.pick(60, 300));
    let mut world = World::new(members, entries, Storage::Packed);
    let servers = Servers::of(&world, &["--auto-land"]);
    let (all, open, ledger) = (world.members().to_vec(), world.open, world.ledger);
    let commit = world.open_commit();
    for server in servers.both() {
        push_to(
            &world,
            server,
            &[format!(
                "{commit}:{}",
                LedgerRefs::of(ledger).proposal(open)
            )],
        );
    }
    let seen = world.lab.above_all(&all[0]);
    for phase in ["prevotes", "precommits"] {
        println!("{members} members push {phase} at once, {entries} entries");
        let seen = if phase == "prevotes" {
            seen.clone()
        } else {
            world.lab.above_all(&all[0])
        };
        for member in &all {
            let parents = world.lab.above(member, &seen);
            let said = match phase {
                "prevotes" => vec![approve(open), prevote(open, 0)],
                _ => vec![world.lab.precommit(member, ledger, open, 0)],
            };
            world.say_above(member, &parents, said);
        }
        let refspecs: Vec<_> = all
            .iter()
            .map(|member| world.lane_refspec(member))
            .collect();
        push_until_taken(&world, &servers, &refspecs);
    }
    let main = text(&world.run("git", &servers.gated, &["rev-parse", "refs/heads/main"]));
    assert_eq!(
        main,
        commit.to_string(),
        "the last precommit that was needed landed it"
    );
}

/// Measures a thousand undecided proposals.
fn proposals(form: Form) {
    let count = form.pick(20, 1_000);
    let mut world = World::with_spare(4, 100, Storage::Packed, count);
    let servers = Servers::of(&world, &[]);
    let scale = Scale::in_world(&world);
    let (author, other) = (world.author.clone(), world.members()[1].clone());
    let refs = LedgerRefs::of(world.ledger);
    let mut told = Vec::new();
    for already in [1, count - 1] {
        let mut specs = Vec::new();
        for _ in 0..already {
            let (id, to) = world.rival(&other);
            specs.push(format!("{to}:{}", refs.proposal(id)));
        }
        specs.push(world.lane_refspec(&other));
        let start = Instant::now();
        for server in servers.both() {
            push_to(&world, server, &specs);
        }
        println!("{already} more open proposals of one slot, in one push");
        line(
            "through both hooks",
            format!("{:.1}", milliseconds(start.elapsed())),
            "ms",
        );
        println!("push one entry beside {} open proposals", already.max(2));
        let medians = side_by_side(form.pick(2, 11), &mut world, &servers, |world| {
            world.say(&author);
            [vec![], vec![world.lane_refspec(&author)]]
        });
        tell(medians);
        told.push(medians);
        for args in [
            &["status", "--json"][..],
            &["status", "--all", "--json"],
            &["log", "--json"],
        ] {
            let start = Instant::now();
            let peak = scale.of(&world, &servers.gated, PROGRAM, args);
            line(
                &args.join(" "),
                format!("{:.1}", milliseconds(start.elapsed())),
                "ms",
            );
            line("peak memory of it", peak, "kB");
        }
    }
    println!("from two open proposals to {count}");
    ratio("through the empty hook", told[1][0], told[0][0]);
    ratio("through the gate", told[1][1], told[0][1]);
}

/// Measures entries of the largest size.
fn largest(form: Form) {
    let mut world = World::new(4, 100, Storage::Packed);
    let servers = Servers::of(&world, &[]);
    let (author, other) = (world.author.clone(), world.members()[1].clone());
    let open = world.open;
    for (what, count, bytes) in [
        ("15 texts of 16 KiB", 15, 16_384),
        ("64 statements", 64, 3_800),
    ] {
        println!("push one entry with {what}");
        tell(side_by_side(
            form.pick(1, 11),
            &mut world,
            &servers,
            |world| {
                let said = (0..count)
                    .map(|_| reviewed(open, &"x".repeat(bytes)))
                    .collect();
                let parents = world.lab.above_all(&author);
                world.say_above(&author, &parents, said);
                [vec![], vec![world.lane_refspec(&author)]]
            },
        ));
    }
    println!("push one entry with 256 parents; the other 255 are there");
    let repetitions = form.pick(1, 5);
    tell(side_by_side(repetitions, &mut world, &servers, |world| {
        let root = world.lab.tip(&other);
        let forks: Vec<_> = (0..255)
            .map(|_| world.say_above(&other, &[root], vec![]))
            .collect();
        let join = world.say_above(&other, &[&[root], &forks[..]].concat(), vec![]);
        let before = vec![world.lane_refspec(&other)];
        assert_eq!(world.lab.tip(&other), join);
        let parents = world.lab.above(&author, &forks);
        world.say_above(&author, &parents, vec![]);
        [before, vec![world.lane_refspec(&author)]]
    }));
}

fn reviewed(proposal: EntryId, text: &str) -> Statement {
    Statement::Review(Review {
        evidence: vec![],
        proposal,
        text: text.into(),
        verdict: Verdict::Abstain,
    })
}

/// One member pushes as much as it can. Measures how long the push of another member takes
/// meanwhile.
fn flood(form: Form) {
    let count = form.pick(200, 10_000);
    type Deluge = (&'static str, fn(&mut World, &str, usize));
    let deluges: [Deluge; 4] = [
        ("entries, one after the other", |world, member, count| {
            (0..count).for_each(|_| {
                let (tip, open) = (world.lab.tip(member), world.open);
                world.say_above(member, &[tip], vec![review(open, Verdict::Abstain)]);
            })
        }),
        ("forks, each with a vote", |world, member, count| {
            let (root, open) = (world.lab.tip(member), world.open);
            let said = || vec![approve(open), prevote(open, 0)];
            let forks: Vec<_> = (0..count)
                .map(|_| world.say_above(member, &[root], said()))
                .collect();
            world.join(member, forks);
        }),
        (
            "forks of forks, each with a vote",
            |world, member, count| {
                let (mut at, open) = (world.lab.tip(member), world.open);
                let mut forks = Vec::new();
                for _ in 0..count / 2 {
                    forks.push(world.say_above(
                        member,
                        &[at],
                        vec![approve(open), prevote(open, 0)],
                    ));
                    at = world.say_above(member, &[at], vec![]);
                }
                forks.push(at);
                world.join(member, forks);
            },
        ),
        (
            "votes in rounds that nobody has entered",
            |world, member, count| {
                for round in 0..count as u32 {
                    let (tip, open) = (world.lab.tip(member), world.open);
                    world.say_above(member, &[tip], vec![prevote(open, round)]);
                }
            },
        ),
    ];
    for (what, deluge) in deluges {
        println!("one member pushes {count} {what}");
        let mut world = World::new(4, 100, Storage::Packed);
        let servers = Servers::of(&world, &[]);
        let scale = Scale::in_world(&world);
        let (author, flooder) = (world.author.clone(), world.members()[3].clone());
        let alone = side_by_side(form.pick(1, 5), &mut world, &servers, |world| {
            world.say(&author);
            [vec![], vec![world.lane_refspec(&author)]]
        });
        let start = Instant::now();
        deluge(&mut world, &flooder, count);
        line(
            "to make it",
            format!("{:.0}", milliseconds(start.elapsed())),
            "ms",
        );
        let spec = world.lane_refspec(&flooder);
        let start = Instant::now();
        push_to(&world, &servers.empty, std::slice::from_ref(&spec));
        line(
            "through an empty proc-receive",
            format!("{:.0}", milliseconds(start.elapsed())),
            "ms",
        );
        let mut beside = Vec::new();
        let start = Instant::now();
        let peak = scale.of_hooks(&servers.gated, || {
            let mut push = world.pushing(&servers.gated, &spec);
            while push.try_wait().unwrap().is_none() {
                let tip = world.lab.tip(&author);
                world.say_above(&author, &[tip], vec![]);
                let start = Instant::now();
                push_to(&world, &servers.gated, &[world.lane_refspec(&author)]);
                beside.push(start.elapsed());
            }
            assert!(push.wait().unwrap().success(), "the flood is well formed");
        });
        line(
            "through the gate, with others in between",
            format!("{:.0}", milliseconds(start.elapsed())),
            "ms",
        );
        line("peak memory of the gate", peak, "kB");
        line("pushes of another member meanwhile", beside.len(), "");
        line(
            "one of them alone",
            format!("{:.0}", milliseconds(alone[1])),
            "ms",
        );
        line(
            "the longest of them",
            format!(
                "{:.0}",
                milliseconds(beside.into_iter().max().unwrap_or_default())
            ),
            "ms",
        );
        let _ = std::fs::remove_dir_all(servers.gated.join("quorum"));
        let start = Instant::now();
        world.run(PROGRAM, &servers.gated, &["status"]);
        line(
            "to judge the ledger from scratch afterwards",
            format!("{:.0}", milliseconds(start.elapsed())),
            "ms",
        );
    }
}
