//! Measures what the gate costs for a push, compared with the same push through an empty hook. Also
//! measures what loading the ledger costs, with a snapshot and without. See README.md.
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

use std::time::Duration;

use git_quorum::ledger::LedgerRefs;
use git_quorum::store::{Trust, load};
use servers::{Servers, push_until_taken, side_by_side, tell};
use timing::{Form, Task, compare, describe_machine, milliseconds, ratio};
use world::{Storage, World};

const MAIN: &str = "refs/heads/main";

/// The parts that can be measured separately: `cargo bench --bench gate -- NAME`.
type Part = (&'static str, fn(Form));

fn main() {
    let form = Form::of_process();
    describe_machine(form);
    let only = std::env::args()
        .nth(1)
        .filter(|arg| arg != "--bench")
        .unwrap_or_default();
    let parts: [Part; 4] = [
        ("load", loading),
        ("push", push),
        ("landing", landing),
        ("crowd", crowd),
    ];
    for (name, part) in parts {
        if only.is_empty() || only == name {
            println!();
            part(form);
        }
    }
}

/// Measures loading a ledger: from scratch, with cached signatures, and with a snapshot.
fn loading(form: Form) {
    let all = [
        (4, 100),
        (4, 1_000),
        (4, 10_000),
        (4, 100_000),
        (100, 10_000),
    ];
    let some = [(4, 100), (4, 1_000)];
    for (members, entries) in if form == Form::Quick {
        &some[..]
    } else {
        &all[..]
    } {
        println!("load {entries} entries, {members} members, packed");
        let world = World::new(*members, *entries, Storage::Packed);
        let repo = world.repo();
        let (signatures, snapshot) = remembered(&world);
        let read = |trust| {
            assert!(
                load(&repo, world.ledger, trust)
                    .unwrap()
                    .problems
                    .is_empty()
            )
        };
        let signed = || only(&world, "verified", &signatures);
        let tasks = vec![
            Task::new("from scratch", |_| read(Trust::Nothing)).seldom(),
            Task::new("with all signatures remembered, no snapshot", |_| {
                read(Trust::CacheReadOnly)
            })
            .seldom()
            .after(signed),
            Task::new("the same, and writing a snapshot", |_| read(Trust::Cache))
                .seldom()
                .after(signed),
            Task::new("with a snapshot of all of it", |_| {
                read(Trust::CacheReadOnly)
            })
            .after(|| only(&world, "snapshot", &snapshot)),
        ];
        let medians = compare(form.pick(1, 9), tasks);
        ratio("no snapshot over snapshot", medians[1], medians[3]);
        println!("  {:<62} {:>10} kB", "the snapshot", snapshot.len() / 1024);
    }
}

/// Returns the cached verdicts of all entries without a snapshot, and the snapshot.
fn remembered(world: &World) -> (Vec<u8>, Vec<u8>) {
    let folder = world.git_dir().join("quorum");
    // A file in its place prevents that a snapshot is written.
    std::fs::create_dir_all(folder.join("snapshot/x")).unwrap();
    load(&world.repo(), world.ledger, Trust::Cache).unwrap();
    let signatures = std::fs::read(folder.join("verified")).unwrap();
    world.forget();
    load(&world.repo(), world.ledger, Trust::Cache).unwrap();
    (signatures, std::fs::read(folder.join("snapshot")).unwrap())
}

/// Replaces everything that a clone has cached with this file.
fn only(world: &World, name: &str, bytes: &[u8]) {
    world.forget();
    let folder = world.git_dir().join("quorum");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
}

/// Prints the cost of the gate at both sizes, and how it grows.
fn report(what: &str, flat: &[[Duration; 2]]) {
    println!("from the small ledger to the large one, {what}");
    for (name, n) in [("through the empty hook", 0), ("through the gate", 1)] {
        ratio(name, flat[1][n], flat[0][n]);
    }
    let extra = |at: &[Duration; 2]| milliseconds(at[1]) - milliseconds(at[0]);
    println!(
        "  {:<62} {:>10.3} ms",
        "what the gate adds, more at the large one",
        extra(&flat[1]) - extra(&flat[0])
    );
}

/// The numbers of entries in a small and in a large ledger.
fn sizes(form: Form) -> [usize; 2] {
    [form.pick(30, 100), form.pick(300, 10_000)]
}

/// Measures a push of one entry.
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

/// Measures a push of the entry that decides, with the ref that it decides.
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
            let mut before: Vec<_> = world
                .members()
                .iter()
                .map(|m| world.lane_refspec(m))
                .collect();
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

/// All members push an entry of their own at the same time, and retry what was refused.
fn crowd(form: Form) {
    let (members, entries) = (form.pick(8, 100), form.pick(60, 300));
    println!("{members} members push at once, {entries} entries");
    let mut world = World::new(members, entries, Storage::Packed);
    let servers = Servers::of(&world, &[]);
    let all = world.members().to_vec();
    for member in &all {
        world.say(member);
    }
    let refspecs: Vec<_> = all
        .iter()
        .map(|member| world.lane_refspec(member))
        .collect();
    push_until_taken(&world, &servers, &refspecs);
}
