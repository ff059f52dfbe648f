//! The gate, and git itself on the server, killed at each write. A push takes effect as a whole or
//! not at all, no lock stays held, and the next command goes on.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use crate::aftermath::{install, settle};
use crate::client::nearly_decided;
use crate::harness::{
    Mode, assert_published, assert_sound, crash_by, crash_in, faulty, locks_in, one_line, refs_of,
    signed, text,
};
use crate::world::{Seat, Team};

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-quorum");

/// The server's hook, which a test replaces and restores.
pub struct Hook {
    path: PathBuf,
    body: Option<Vec<u8>>,
}

impl Hook {
    pub fn of(team: &Team, name: &str) -> Hook {
        let path = team.server.join("hooks").join(name);
        Hook {
            body: std::fs::read(&path).ok(),
            path,
        }
    }

    pub fn put_back(&self) {
        match &self.body {
            Some(body) => std::fs::write(&self.path, body).unwrap(),
            None => std::fs::remove_file(&self.path).unwrap(),
        }
    }
}

/// Makes the server's gate run with a fault. It writes how it ended to the file `ended`.
pub fn arm(team: &Team, fault: &str) {
    let body = format!(
        "GIT_QUORUM_FAULT='{fault}' '{PROGRAM}' hook proc-receive\nended=$?\necho $ended >ended\nexit $ended"
    );
    team.world
        .script(team.server.join("hooks/proc-receive"), &body);
}

/// Runs a member's command while the gate is killed, and then goes on without faults.
fn crash(mode: Mode, team: &Team, seat: &Seat, args: &[&str], goal: impl Fn()) -> BTreeSet<String> {
    let member = seat.git(&["config", "quorum.member"]);
    let before = refs_of(team);
    let (lane, main) = (
        team.ledger_ref(&format!("lane/{member}")),
        "refs/heads/main",
    );
    let hook = Hook::of(team, "proc-receive");
    let ended = team.server.join("ended");
    let run = |fault: &str| {
        arm(team, fault);
        faulty(seat, "", args)
    };
    let died =
        |_: &Output| std::fs::read_to_string(&ended).is_ok_and(|status| status.trim() == "137");
    crash_by(mode, &team.world, run, died, |place| {
        hook.put_back();
        assert_sound(team);
        let now = refs_of(team);
        let moved = |name: &str| now.get(name) != before.get(name);
        assert!(
            signed(seat).is_empty() || moved(&lane) == moved(main) || args[0] == "land",
            "{place:?}: {now:?}"
        );
        let at_crash = signed(seat);
        seat.ok(args);
        assert!(signed(seat).starts_with(&at_crash));
        assert_published(team, seat, &member);
        assert_sound(team);
        goal();
        seat.verify();
    })
}

fn assert_landed(team: &Team, proposal: &str) {
    let commit = team.seats[0].git(&["rev-parse", "HEAD"]);
    let refs = refs_of(team);
    assert_eq!(refs.get("refs/heads/main"), Some(&commit));
    assert!(
        !refs.keys().any(|name| name.contains("/proposal/")),
        "{refs:?}"
    );
    team.seats[1].sync();
    assert_eq!(team.seats[1].state(proposal), "landed");
}

/// A push that decides a proposal, so that the gate moves main.
pub fn auto_land(mode: Mode) -> BTreeSet<String> {
    let (team, proposal) = nearly_decided();
    install(&team, &["--auto-land"]);
    // The server does not know the ledger yet, so the gate records it with this push.
    team.world
        .git(&team.server, &["config", "--unset", "quorum.founded"]);
    crash(mode, &team, &team.seats[1], &["sync"], || {
        assert_landed(&team, &proposal)
    })
}

/// A push of main alone. The lanes on the server back it.
pub fn land(mode: Mode) -> BTreeSet<String> {
    let (team, proposal) = nearly_decided();
    install(&team, &[]);
    team.seats[1].sync();
    crash(mode, &team, &team.seats[1], &["land"], || {
        assert_landed(&team, &proposal)
    })
}

/// An installation that is killed. The next one completes it, and once the hook is in place it
/// refuses what is undecided.
pub fn install_server(mode: Mode) -> BTreeSet<String> {
    let (team, proposal) = nearly_decided();
    let ledger = team.seats[0].git(&["config", "quorum.ledger"]);
    let args = ["install", "--server", "--auto-land", "--genesis", &ledger];
    let head = team.seats[2].commit("undecided", "undecided");
    crash_in(mode, &team.world, &team.server, &args, |place| {
        assert_sound(&team);
        install(&team, &["--auto-land"]);
        let mut push = team.world.command("git", &team.seats[2].dir);
        let push = push
            .args(["push", "-f", "origin", &format!("{head}:refs/heads/main")])
            .output()
            .unwrap();
        assert!(
            !push.status.success() && text(&push).contains("NO_PROPOSAL"),
            "{place:?}: {}",
            text(&push)
        );
        team.seats[1].sync();
        assert_landed(&team, &proposal);
        assert_sound(&team);
    })
}

#[test]
fn an_installation_that_is_killed_is_completed_by_the_next() {
    install_server(Mode::Crash);
}

/// All scenes that kill the gate.
pub const SCENES: [fn(Mode) -> BTreeSet<String>; 3] = [auto_land, land, install_server];

#[test]
fn a_gate_that_is_killed_moves_all_or_nothing_and_holds_no_lock() {
    auto_land(Mode::Crash);
}

#[test]
fn a_gate_that_is_killed_while_main_lands_is_asked_again() {
    land(Mode::Crash);
}

/// Runs bob's deciding sync in a process group of its own, so that a hook can kill the whole group.
fn sync_in_a_group(team: &Team) -> std::process::Child {
    let bob = &team.seats[1];
    let mut command = team.world.command(PROGRAM, &bob.dir);
    command
        .env("GIT_QUORUM_STATE", &bob.state)
        .args(["sync", "--json"])
        .process_group(0);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// After a kill: the next answer names what to remove, and then the work goes on.
fn goes_on(team: &Team, proposal: &str, case: &str) {
    let bob = &team.seats[1];
    let locks = locks_in(&team.server);
    if !locks.is_empty() {
        let run = bob.run(&["land"]);
        let told = locks
            .iter()
            .any(|lock| one_line(&run.err).contains(lock.to_str().unwrap()));
        assert!(
            run.code == 4 && told && one_line(&run.err).contains("if there is none, remove"),
            "{case}: {locks:?}: {run:?}"
        );
        locks
            .iter()
            .for_each(|lock| std::fs::remove_file(lock).unwrap());
    }
    assert_sound(team);
    bob.sync();
    assert_published(team, bob, "bob");
    // A decision that arrived while main was locked lands with the next push, or with this command.
    bob.ok(&["land"]);
    assert_landed(team, proposal);
    bob.verify();
    assert_sound(team);
}

/// Makes a hook of the server kill a process during bob's deciding push.
fn kill_by(hook: &str, body: &str) {
    let (team, proposal) = nearly_decided();
    install(&team, &["--auto-land"]);
    let real = Hook::of(&team, hook);
    let is_gate = hook == "proc-receive";
    let rest = if is_gate {
        format!("exec '{PROGRAM}' hook {hook}")
    } else {
        String::new()
    };
    team.world.script(&real.path, &format!("{body}\n{rest}"));
    let output = sync_in_a_group(&team).wait_with_output().unwrap();
    settle(&team);
    real.put_back();
    let case = format!("{hook}: {body}: {}", text(&output));
    let moved = |name: &str| refs_of(&team).contains_key(name);
    assert!(moved("refs/heads/main"), "{case}");
    goes_on(&team, &proposal, &case);
}

#[test]
fn receive_pack_killed_before_and_after_its_hooks() {
    for hook in ["pre-receive", "proc-receive", "post-receive"] {
        kill_by(hook, "kill -9 $PPID");
        kill_by(hook, "kill -9 0");
    }
}

#[test]
fn a_ref_transaction_killed_between_its_locks_and_its_commit() {
    kill_by(
        "reference-transaction",
        "[ \"$1\" != prepared ] || kill -9 $PPID",
    );
    kill_by(
        "reference-transaction",
        "[ \"$1\" != prepared ] || kill -9 0",
    );
}

#[test]
fn a_ref_transaction_killed_after_its_commit() {
    kill_by(
        "reference-transaction",
        "[ \"$1\" != committed ] || kill -9 $PPID",
    );
    kill_by(
        "reference-transaction",
        "[ \"$1\" != committed ] || kill -9 0",
    );
}

/// Git moves the refs of a transaction one after the other. If it is killed in between, the lanes
/// may have moved and main not. Main never moves without the lanes that back it.
#[test]
fn a_ref_transaction_killed_in_the_middle_leaves_entries_that_nothing_has_landed_from() {
    let (team, proposal) = nearly_decided();
    install(&team, &["--auto-land"]);
    let before = refs_of(&team);
    team.world
        .git(&team.server, &["config", "core.logAllRefUpdates", "true"]);
    // Git writes the log of a ref right before it moves the ref. A pipe without a reader blocks git
    // there.
    let log = team.server.join("logs/refs/heads/main");
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    let _ = std::fs::remove_file(&log);
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&log)
            .status()
            .unwrap()
            .success()
    );
    let child = sync_in_a_group(&team);
    let lane = team.ledger_ref("lane/bob");
    wait_until(|| {
        refs_of(&team).get(&lane) != before.get(&lane) || locks_in(&team.server).len() > 1
    });
    std::thread::sleep(Duration::from_millis(300));
    let group = format!("-{}", child.id());
    assert!(
        std::process::Command::new("kill")
            .args(["-9", "--", &group])
            .status()
            .unwrap()
            .success()
    );
    child.wait_with_output().unwrap();
    std::fs::remove_file(log).unwrap();
    settle(&team);
    let now = refs_of(&team);
    assert_ne!(now.get(&lane), before.get(&lane), "the lane has moved");
    assert_eq!(
        now.get("refs/heads/main"),
        before.get("refs/heads/main"),
        "main has not"
    );
    team.seats[2].sync();
    team.seats[2].verify();
    goes_on(&team, &proposal, "in the middle");
}

pub fn wait_until(done: impl Fn() -> bool) {
    for _ in 0..3000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it did not happen within a minute");
}

/// Returns the folders where a killed push left objects that nobody uses.
fn quarantines(server: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(server.join("objects"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    entries
        .filter(|path| {
            path.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with("tmp_objdir"))
        })
        .collect()
}

#[test]
fn what_a_killed_push_leaves_among_the_objects_is_swept_by_git() {
    let (team, proposal) = nearly_decided();
    install(&team, &[]);
    team.world
        .script(team.server.join("hooks/pre-receive"), "kill -9 $PPID");
    assert_ne!(team.seats[1].run(&["sync"]).code, 0);
    std::fs::remove_file(team.server.join("hooks/pre-receive")).unwrap();
    assert_eq!(quarantines(&team.server).len(), 1);
    // The files that libgit2 and git leave if they are killed while they write an object.
    let torn = [
        "objects/tmp_object_git2_abc",
        "objects/tmp_obj_abc",
        "objects/pack/tmp_pack_abc",
    ];
    torn.iter()
        .for_each(|name| std::fs::write(team.server.join(name), "half").unwrap());
    assert_sound(&team);
    team.world.git(&team.server, &["prune", "--expire=now"]);
    team.world.git(&team.server, &["gc", "-q", "--prune=now"]);
    assert!(quarantines(&team.server).is_empty());
    let left: Vec<_> = torn
        .iter()
        .filter(|name| team.server.join(name).exists())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    goes_on(&team, &proposal, "swept");
}
