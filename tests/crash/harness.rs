//! Runs a command repeatedly from the same start, and kills it at another fault point each time.
//! Checks what must hold after every crash.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub use crate::aftermath::{
    assert_no_evidence, assert_published, assert_sound, assert_whole, faulty, locks_in, refs_of,
    signed, text,
};
use crate::world::{Seat, World};

pub const FOUR: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// A copy of all machines of a world. A test can restore it.
pub struct Snapshot {
    world: PathBuf,
    copy: TempDir,
}

impl Snapshot {
    pub fn of(world: &World) -> Snapshot {
        let world = world.path("");
        let copy = TempDir::new_in(world.parent().unwrap()).unwrap();
        copy_all(&world, copy.path());
        Snapshot { world, copy }
    }

    pub fn restore(&self) {
        for entry in std::fs::read_dir(&self.world).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            }
            .unwrap();
        }
        copy_all(self.copy.path(), &self.world);
    }
}

fn copy_all(from: &Path, to: &Path) {
    let from = format!("{}/.", from.display());
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(from)
            .arg(to)
            .status()
            .unwrap()
            .success()
    );
}

/// The name of a fault point, and which time (from 1) a run reaches it.
pub type Place = (String, usize);

/// Returns the places in a trace, in order.
pub fn places(trace: &Path) -> Vec<Place> {
    let mut times = BTreeMap::new();
    let text = std::fs::read_to_string(trace).unwrap_or_default();
    let place = |name: &str| {
        let time = times.entry(name.to_owned()).or_insert(0);
        *time += 1;
        (name.to_owned(), *time)
    };
    text.lines().map(place).collect()
}

/// Returns the places to kill at: all if `GIT_QUORUM_CRASH=all`, else the first and the last time
/// that a run reaches each point.
pub fn chosen(places: &[Place]) -> Vec<Place> {
    if std::env::var("GIT_QUORUM_CRASH").is_ok_and(|value| value == "all") {
        return places.to_vec();
    }
    let last: BTreeMap<_, _> = places.iter().cloned().collect();
    places
        .iter()
        .filter(|(name, time)| *time == 1 || last[name] == *time)
        .cloned()
        .collect()
}

/// Whether to crash a command everywhere, or only to run it once and see which points it reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Crash,
    Trace,
}

/// Returns a text on one line. Messages may be wrapped anywhere.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs the command once for each place, and kills it there. After each run, `check` looks at what
/// is left and goes on. Returns the points that the command reaches.
pub fn crash_everywhere(
    mode: Mode,
    seat: &Seat,
    args: &[&str],
    check: impl Fn(&Place),
) -> BTreeSet<String> {
    crash_by(
        mode,
        &seat.world,
        |fault| faulty(seat, fault, args),
        is_killed,
        check,
    )
}

/// Does the same as [`crash_everywhere`] for a command that needs no seat.
pub fn crash_in(
    mode: Mode,
    world: &World,
    dir: &Path,
    args: &[&str],
    check: impl Fn(&Place),
) -> BTreeSet<String> {
    let run = |fault: &str| {
        let mut command = world.command(env!("CARGO_BIN_EXE_git-quorum"), dir);
        command
            .env("GIT_QUORUM_FAULT", fault)
            .args(args)
            .output()
            .unwrap()
    };
    crash_by(mode, world, run, is_killed, check)
}

fn is_killed(output: &Output) -> bool {
    output.status.signal() == Some(9)
}

/// Runs `run` without a fault, and then once for each place, to be killed there. `died` says
/// whether a run was killed.
pub fn crash_by(
    mode: Mode,
    world: &World,
    run: impl Fn(&str) -> Output,
    died: impl Fn(&Output) -> bool,
    check: impl Fn(&Place),
) -> BTreeSet<String> {
    let start = Snapshot::of(world);
    let trace = start.copy.path().with_extension("trace");
    let output = run(&format!("trace@{}", trace.display()));
    assert!(output.status.success(), "{}", text(&output));
    let places = places(&trace);
    std::fs::remove_file(trace).unwrap();
    check(&("no crash".to_owned(), 0));
    let chosen = if mode == Mode::Crash {
        chosen(&places)
    } else {
        Vec::new()
    };
    for place in chosen {
        start.restore();
        let output = run(&format!("{}:{}", place.0, place.1));
        assert!(died(&output), "{place:?}: {}", text(&output));
        check(&place);
    }
    places.into_iter().map(|(name, _)| name).collect()
}
