//! What the gate costs a push, beside the same push through an empty hook, and what it costs to have the ledger at
//! hand, with a snapshot and without. See README.md.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "../tests/common/lab.rs"]
mod lab;
mod timing;
mod world;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use git_quorum::store::{LedgerRefs, Trust, load};
use timing::{Form, Task, compare, describe_machine, milliseconds, ratio};
use world::{PROGRAM, Storage, World, text};

const MAIN: &str = "refs/heads/main";

/// What can be measured by itself: `cargo bench --bench gate -- NAME`.
type Part = (&'static str, fn(Form));

fn main() {
    let form = Form::of_process();
    describe_machine(form);
    let only = std::env::args().nth(1).filter(|arg| arg != "--bench").unwrap_or_default();
    let parts: [Part; 4] = [("load", loading), ("push", push), ("landing", landing), ("crowd", crowd)];
    for (name, part) in parts {
        if only.is_empty() || only == name {
            println!();
            part(form);
        }
    }
}

/// Reading a ledger: from scratch, with signatures remembered, with a snapshot.
fn loading(form: Form) {
    let all = [(4, 100), (4, 1_000), (4, 10_000), (4, 100_000), (100, 10_000)];
    let some = [(4, 100), (4, 1_000)];
    for (members, entries) in if form == Form::Quick { &some[..] } else { &all[..] } {
        println!("load {entries} entries, {members} members, packed");
        let world = World::new(*members, *entries, Storage::Packed);
        let repo = world.repo();
        let (signatures, snapshot) = remembered(&world);
        let read = |trust| assert!(load(&repo, world.ledger, trust).unwrap().problems.is_empty());
        let signed = || only(&world, "verified", &signatures);
        let tasks = vec![
            Task::new("from scratch", |_| read(Trust::Nothing)).seldom(),
            Task::new("with all signatures remembered, no snapshot", |_| read(Trust::CacheReadOnly))
                .seldom()
                .after(signed),
            Task::new("the same, and writing a snapshot", |_| read(Trust::Cache)).seldom().after(signed),
            Task::new("with a snapshot of all of it", |_| read(Trust::CacheReadOnly))
                .after(|| only(&world, "snapshot", &snapshot)),
        ];
        let medians = compare(form.pick(1, 9), tasks);
        ratio("no snapshot over snapshot", medians[1], medians[3]);
        println!("  {:<62} {:>10} kB", "the snapshot", snapshot.len() / 1024);
    }
}

/// What a clone remembers of all entries when it has no snapshot, and the snapshot.
fn remembered(world: &World) -> (Vec<u8>, Vec<u8>) {
    let folder = world.git_dir().join("quorum");
    // Where something is in the way, none can be written.
    std::fs::create_dir_all(folder.join("snapshot/x")).unwrap();
    load(&world.repo(), world.ledger, Trust::Cache).unwrap();
    let signatures = std::fs::read(folder.join("verified")).unwrap();
    world.forget();
    load(&world.repo(), world.ledger, Trust::Cache).unwrap();
    (signatures, std::fs::read(folder.join("snapshot")).unwrap())
}

/// Lets a clone remember nothing but this.
fn only(world: &World, name: &str, bytes: &[u8]) {
    world.forget();
    let folder = world.git_dir().join("quorum");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
}

/// Two servers with the same ledger: one with the gate, one with a hook that does nothing.
struct Servers {
    gated: PathBuf,
    empty: PathBuf,
}

impl Servers {
    fn of(world: &World, options: &[&str]) -> Servers {
        let servers = Servers { gated: world.path("gated"), empty: world.path("empty") };
        for server in [&servers.gated, &servers.empty] {
            let path = server.display().to_string();
            world.git(&["clone", "--quiet", "--mirror", ".", &path]);
            world.run("git", server, &["update-ref", "-d", "refs/heads/work"]);
            world.run("git", server, &["config", "gc.auto", "0"]);
            world.run("git", server, &["config", "receive.autogc", "false"]);
        }
        let genesis = world.ledger.to_string();
        let install = [&["install", "--server", "--genesis", &genesis], options].concat();
        world.run(PROGRAM, &servers.gated, &install);
        world.run("git", &servers.empty, &["config", "receive.procReceiveRefs", "refs"]);
        let (source, hook) = (concat!(env!("CARGO_MANIFEST_DIR"), "/bench/empty_hook.c"), "hooks/proc-receive");
        world.run("cc", &servers.empty, &["-O2", "-o", hook, source]);
        servers
    }

    fn both(&self) -> [&Path; 2] {
        [&self.empty, &self.gated]
    }
}

fn push_to(world: &World, server: &Path, refspecs: &[String]) {
    let server = server.display().to_string();
    let refspecs: Vec<_> = refspecs.iter().map(String::as_str).collect();
    world.git(&[&["push", "--quiet", &server], refspecs.as_slice()].concat());
}

/// The same pushes to both servers, `prepare` saying what each time; medians of the empty and of the gated one.
fn side_by_side(
    repetitions: usize,
    world: &mut World,
    servers: &Servers,
    mut prepare: impl FnMut(&mut World) -> [Vec<String>; 2],
) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..=repetitions {
        let [before, timed] = prepare(world);
        for (server, times) in servers.both().into_iter().zip(&mut times) {
            if !before.is_empty() {
                push_to(world, server, &before);
            }
            let start = Instant::now();
            push_to(world, server, &timed);
            if n > 0 {
                times.push(start.elapsed());
            }
        }
    }
    times.map(timing::median)
}

/// Prints what the gate costs at both sizes, and how it grows.
fn report(what: &str, flat: &[[Duration; 2]]) {
    println!("from the small ledger to the large one, {what}");
    for (name, n) in [("through the empty hook", 0), ("through the gate", 1)] {
        ratio(name, flat[1][n], flat[0][n]);
    }
    let extra = |at: &[Duration; 2]| milliseconds(at[1]) - milliseconds(at[0]);
    println!("  {:<62} {:>10.3} ms", "what the gate adds, more at the large one", extra(&flat[1]) - extra(&flat[0]));
}

fn tell([empty, gated]: [Duration; 2]) {
    println!("  {:<62} {:>10.3} ms", "through an empty proc-receive", milliseconds(empty));
    println!("  {:<62} {:>10.3} ms", "through the gate", milliseconds(gated));
    ratio("the gate over the empty hook", gated, empty);
}

/// Entries in a small and in a large ledger.
fn sizes(form: Form) -> [usize; 2] {
    [form.pick(30, 100), form.pick(300, 10_000)]
}

/// A push of one entry.
fn push(form: Form) {
    let mut flat = Vec::new();
    for entries in sizes(form) {
        println!("push one entry onto {entries}, 4 members");
        let mut world = World::new(4, entries, Storage::Packed);
        let servers = Servers::of(&world, &[]);
        let author = world.author.clone();
        let medians = side_by_side(form.pick(2, 31), &mut world, &servers, |world| {
            world.say(&author);
            [vec![], vec![world.lane_refspec(&author)]]
        });
        tell(medians);
        flat.push(medians);
    }
    report("one entry", &flat);
}

/// A push of the entry that decides, with the ref that it decides.
fn landing(form: Form) {
    let repetitions = form.pick(2, 15);
    let mut flat = Vec::new();
    for entries in sizes(form) {
        println!("push a decision and the ref that it moves, {entries} entries, 4 members");
        let mut world = World::with_spare(4, entries, Storage::Packed, repetitions + 2);
        let servers = Servers::of(&world, &[]);
        let medians = side_by_side(repetitions, &mut world, &servers, |world| {
            let undecided = world.almost_decide();
            let proposal = LedgerRefs::of(world.ledger).proposal(undecided.proposal);
            let mut before: Vec<_> = world.members().iter().map(|m| world.lane_refspec(m)).collect();
            before.push(format!("{}:{proposal}", undecided.to));
            world.decide(&undecided);
            let lane = world.lane_refspec(&undecided.voter);
            [before, vec![lane, format!("{}:{MAIN}", undecided.to)]]
        });
        tell(medians);
        flat.push(medians);
    }
    report("one decision", &flat);
}

/// All members push an entry of their own at the same time, and again what was refused.
fn crowd(form: Form) {
    let (members, entries) = (form.pick(8, 100), form.pick(60, 300));
    println!("{members} members push at once, {entries} entries");
    let mut world = World::new(members, entries, Storage::Packed);
    let servers = Servers::of(&world, &[]);
    let all = world.members().to_vec();
    for member in &all {
        world.say(member);
    }
    let mut took = Vec::new();
    for (what, server) in [("an empty proc-receive", &servers.empty), ("the gate", &servers.gated)] {
        let mut waiting: Vec<_> = all.iter().map(|member| world.lane_refspec(member)).collect();
        let (start, mut rounds, mut retried) = (Instant::now(), 0, 0);
        while !waiting.is_empty() {
            assert!(rounds < 20, "{} are still refused", waiting.len());
            retried += if rounds > 0 { waiting.len() } else { 0 };
            waiting = push_at_once(&world, server, waiting);
            rounds += 1;
        }
        took.push(start.elapsed());
        let held = text(&world.run("git", server, &["for-each-ref", "--format=%(objectname):%(refname)"]));
        let lost = all.iter().filter(|m| !held.contains(&world.lane_refspec(m))).count();
        println!("  {what}: {lost} lost, {retried} retried, {:.1} s", start.elapsed().as_secs_f64());
        assert_eq!(lost, 0);
    }
    ratio("the gate over the empty hook", took[1], took[0]);
}

/// Pushes all of these at the same time; returns those that failed.
fn push_at_once(world: &World, server: &Path, refspecs: Vec<String>) -> Vec<String> {
    let server = server.display().to_string();
    let start = |refspec: String| {
        let mut command = world.command("git", &world.git_dir(), &["push", "--quiet", &server, &refspec]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        (refspec, command.spawn().unwrap())
    };
    let running: Vec<_> = refspecs.into_iter().map(start).collect();
    let failed =
        running.into_iter().filter_map(|(refspec, mut child)| (!child.wait().unwrap().success()).then_some(refspec));
    failed.collect()
}
