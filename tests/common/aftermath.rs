//! Runs the real program so that it ends badly, and checks what must hold afterwards: nothing is
//! lost, half done, or signed twice.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Seat, Team, World};

/// Runs the program with a fault, and returns its output.
pub fn faulty(seat: &Seat, fault: &str, args: &[&str]) -> Output {
    let mut command = seat
        .world
        .command(env!("CARGO_BIN_EXE_git-quorum"), &seat.dir);
    command
        .env("GIT_QUORUM_STATE", &seat.state)
        .envs(seat.env.iter().cloned());
    command
        .env("GIT_QUORUM_FAULT", fault)
        .args(args)
        .output()
        .unwrap()
}

pub fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Checks that git finds nothing wrong with a repository.
pub fn assert_whole(world: &World, repo: &Path) {
    let output = world
        .command("git", repo)
        .args(["fsck", "--strict", "--no-dangling"])
        .output()
        .unwrap();
    let said = text(&output);
    // A notice about a branch that does not exist yet is not damage.
    let bad = said.lines().filter(|line| !line.starts_with("notice: "));
    assert!(
        output.status.success() && bad.count() == 0,
        "{}: {said}",
        repo.display()
    );
    let locks = locks_in(repo);
    assert!(locks.is_empty(), "{locks:?}");
}

/// Returns the lock files that somebody left.
pub fn locks_in(repo: &Path) -> Vec<PathBuf> {
    let git_dir = if repo.join(".git").is_dir() {
        repo.join(".git")
    } else {
        repo.to_owned()
    };
    let mut found = Vec::new();
    let mut folders = vec![git_dir];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "lock")
                && !path.ends_with("quorum/gate.lock")
            {
                found.push(path);
            }
        }
    }
    found
}

/// Returns what a key has signed on a machine: the lines of its sign state. An incomplete last line
/// does not count.
pub fn signed(seat: &Seat) -> Vec<Value> {
    let folders = std::fs::read_dir(&seat.state)
        .into_iter()
        .flatten()
        .flatten();
    let logs = folders.map(|folder| {
        std::fs::read_to_string(folder.path().join("signed.log")).unwrap_or_default()
    });
    let text: String = logs.collect();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Checks that the member's lane on the server contains exactly what its key has signed on this
/// machine, in order and once.
pub fn assert_published(team: &Team, seat: &Seat, member: &str) {
    let loaded = team.world.load(&team.server);
    let dag = loaded.tally.dag();
    let tips = dag.tips(&crate::lab::name(member));
    assert!(tips.len() <= 1, "{member}'s lane has {} ends", tips.len());
    let own = dag
        .entries()
        .map(|(_, e)| e)
        .filter(|e| e.member.as_str() == member && e.id != dag.ledger());
    let mut there: Vec<_> = own.map(|e| (e.seq, e.id.to_string())).collect();
    there.sort();
    let here: Vec<_> = signed(seat)
        .iter()
        .map(|r| {
            (
                r["seq"].as_u64().unwrap(),
                r["id"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(
        there, here,
        "what {member} has signed, and what is on the server"
    );
}

/// Checks what must hold whenever nobody is working: nothing is half done, and nobody has voted
/// twice.
pub fn assert_sound(team: &Team) {
    assert_whole(&team.world, &team.server);
    for seat in &team.seats {
        assert_whole(&team.world, &seat.dir);
    }
    let loaded = team.world.load(&team.server);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    assert!(loaded.tally.evidence().is_empty(), "somebody voted twice");
    assert!(
        loaded.tally.discounted().is_empty(),
        "{:?}",
        loaded.tally.discounted()
    );
}

/// Returns the values of the server's lanes and refs, by name.
pub fn refs_of(team: &Team) -> BTreeMap<String, String> {
    let listed = team.world.git(
        &team.server,
        &["for-each-ref", "--format=%(refname) %(objectname)"],
    );
    listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(n, o)| (n.to_owned(), o.to_owned()))
        .collect()
}

/// Returns the evidence that a seat knows.
pub fn assert_no_evidence(seat: &Seat) {
    assert_eq!(seat.ok(&["status"])["evidence"]["shown"], json!([]));
}

/// Kills a command after a while, together with everything that it has started on either side.
pub fn kill_after(seat: &Seat, args: &[&str], pause: Duration) {
    let mut command = seat
        .world
        .command(env!("CARGO_BIN_EXE_git-quorum"), &seat.dir);
    command
        .env("GIT_QUORUM_STATE", &seat.state)
        .args(args)
        .process_group(0);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(pause);
    // The command may have ended by itself.
    let group = format!("-{}", child.id());
    let _ = Command::new("kill")
        .args(["-9", "--", &group])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    child.wait().unwrap();
}

/// Removes lock files, as the messages of the program say. Nobody is working any more.
pub fn remove_locks(repo: &Path) {
    locks_in(repo)
        .iter()
        .for_each(|lock| std::fs::remove_file(lock).unwrap());
}

/// Installs the gate on the team's server.
pub fn install(team: &Team, options: &[&str]) {
    let ledger = team.seats[0].git(&["config", "quorum.ledger"]);
    let mut command = team
        .world
        .command(env!("CARGO_BIN_EXE_git-quorum"), &team.server);
    let output = command
        .args(["install", "--server", "--genesis", &ledger])
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

/// Waits until the orphans of a killed process group have ended.
pub fn settle(team: &Team) {
    let mut before = None;
    loop {
        let now = Some((refs_of(team), locks_in(&team.server)));
        if now == before {
            return;
        }
        before = now;
        std::thread::sleep(Duration::from_millis(150));
    }
}
