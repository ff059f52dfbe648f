//! Runs a command of a team again and again from the same start, killed at another fault point each time, and
//! checks what every crash must leave.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{Seat, Team, World};

pub const FOUR: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// A copy of all machines of a world, to go back to.
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
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        }
        copy_all(self.copy.path(), &self.world);
    }
}

fn copy_all(from: &Path, to: &Path) {
    let from = format!("{}/.", from.display());
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// A point that a run comes to, and for which time.
pub type Place = (String, usize);

/// The places in a trace, in order.
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

/// Where to kill: everywhere if `GIT_QUORUM_CRASH=all`, else the first and the last time that each point is come to.
pub fn chosen(places: &[Place]) -> Vec<Place> {
    if std::env::var("GIT_QUORUM_CRASH").is_ok_and(|value| value == "all") {
        return places.to_vec();
    }
    let last: BTreeMap<_, _> = places.iter().cloned().collect();
    places.iter().filter(|(name, time)| *time == 1 || last[name] == *time).cloned().collect()
}

/// Whether a command is crashed everywhere, or only run once to see which points it comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Crash,
    Trace,
}

/// Runs the program with a fault, whatever comes of it.
pub fn faulty(seat: &Seat, fault: &str, args: &[&str]) -> Output {
    let mut command = seat.world.command(env!("CARGO_BIN_EXE_git-quorum"), &seat.dir);
    command.env("GIT_QUORUM_STATE", &seat.state).envs(seat.env.iter().cloned());
    command.env("GIT_QUORUM_FAULT", fault).args(args).output().unwrap()
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A text whose lines may be broken anywhere.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs the command as often as it comes to points, killed at another one each time; then `check` looks at what
/// is left and goes on. The points that were come to.
pub fn crash_everywhere(mode: Mode, seat: &Seat, args: &[&str], check: impl Fn(&Place)) -> BTreeSet<String> {
    crash_by(mode, &seat.world, |fault| faulty(seat, fault, args), is_killed, check)
}

/// The same for a command that needs no seat.
pub fn crash_in(mode: Mode, world: &World, dir: &Path, args: &[&str], check: impl Fn(&Place)) -> BTreeSet<String> {
    let run = |fault: &str| {
        let mut command = world.command(env!("CARGO_BIN_EXE_git-quorum"), dir);
        command.env("GIT_QUORUM_FAULT", fault).args(args).output().unwrap()
    };
    crash_by(mode, world, run, is_killed, check)
}

fn is_killed(output: &Output) -> bool {
    output.status.signal() == Some(9)
}

/// Runs `run` without a fault, and then killed at each point; `died` says whether it was.
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
    let chosen = if mode == Mode::Crash { chosen(&places) } else { Vec::new() };
    for place in chosen {
        start.restore();
        let output = run(&format!("{}:{}", place.0, place.1));
        assert!(died(&output), "{place:?}: {}", text(&output));
        check(&place);
    }
    places.into_iter().map(|(name, _)| name).collect()
}

/// A repository that git finds nothing wrong with.
pub fn assert_whole(world: &World, repo: &Path) {
    let output = world.command("git", repo).args(["fsck", "--strict", "--no-dangling"]).output().unwrap();
    let said = text(&output);
    // A branch that is not there yet is no damage.
    let bad = said.lines().filter(|line| !line.starts_with("notice: "));
    assert!(output.status.success() && bad.count() == 0, "{}: {said}", repo.display());
    let locks = locks_in(repo);
    assert!(locks.is_empty(), "{locks:?}");
}

/// Lock files that somebody left.
pub fn locks_in(repo: &Path) -> Vec<PathBuf> {
    let git_dir = if repo.join(".git").is_dir() { repo.join(".git") } else { repo.to_owned() };
    let mut found = Vec::new();
    let mut folders = vec![git_dir];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "lock") && !path.ends_with("quorum/gate.lock") {
                found.push(path);
            }
        }
    }
    found
}

/// What a key has signed on a machine: the lines of its sign state. A last one without its line end is none.
pub fn signed(seat: &Seat) -> Vec<Value> {
    let folders = std::fs::read_dir(&seat.state).into_iter().flatten().flatten();
    let logs = folders.map(|folder| std::fs::read_to_string(folder.path().join("signed.log")).unwrap_or_default());
    let text: String = logs.collect();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// That the member's lane on the server holds exactly what its key has signed here, in order and once.
pub fn assert_published(team: &Team, seat: &Seat, member: &str) {
    let loaded = team.world.load(&team.server);
    let dag = loaded.tally.dag();
    let tips = dag.tips(&crate::lab::name(member));
    assert!(tips.len() <= 1, "{member}'s lane has {} ends", tips.len());
    let own = dag.entries().map(|(_, e)| e).filter(|e| e.member.as_str() == member && e.id != dag.ledger());
    let mut there: Vec<_> = own.map(|e| (e.seq, e.id.to_string())).collect();
    there.sort();
    let here: Vec<_> =
        signed(seat).iter().map(|r| (r["seq"].as_u64().unwrap(), r["id"].as_str().unwrap().to_owned())).collect();
    assert_eq!(there, here, "what {member} has signed, and what is on the server");
}

/// What holds whenever nobody is at work: nothing half there, nothing voted twice.
pub fn assert_sound(team: &Team) {
    assert_whole(&team.world, &team.server);
    for seat in &team.seats {
        assert_whole(&team.world, &seat.dir);
    }
    let loaded = team.world.load(&team.server);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    assert!(loaded.tally.evidence().is_empty(), "somebody voted twice");
    assert!(loaded.tally.discounted().is_empty(), "{:?}", loaded.tally.discounted());
}

/// The statuses of the server's lanes and refs, by name.
pub fn refs_of(team: &Team) -> BTreeMap<String, String> {
    let listed = team.world.git(&team.server, &["for-each-ref", "--format=%(refname) %(objectname)"]);
    listed.lines().filter_map(|line| line.split_once(' ')).map(|(n, o)| (n.to_owned(), o.to_owned())).collect()
}

/// The evidence that a seat knows of.
pub fn assert_no_evidence(seat: &Seat) {
    assert_eq!(seat.ok(&["status"])["evidence"], json!([]));
}
