//! The commands that install and remove a clone's hooks, killed at each write. The next command
//! completes the work. The other hooks of the clone keep running, and in the end everything is as
//! before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::harness::{FOUR, Mode, crash_everywhere, locks_in, one_line};
use crate::world::{Seat, Team};

/// Creates bob's clone with hooks of other programs.
fn clone() -> Team {
    let team = Team::with_seats(&FOUR, 2);
    let hooks = team.seats[1].dir.join(".git/hooks");
    for hook in ["reference-transaction", "pre-merge-commit", "post-commit"] {
        team.world.script(
            hooks.join(hook),
            &format!(
                "test -t 0 || cat >/dev/null; echo {hook} >>'{}'",
                ran(&team).display()
            ),
        );
    }
    team
}

fn ran(team: &Team) -> std::path::PathBuf {
    team.world.path("ran")
}

/// Returns the hooks and settings of a clone, without unfinished files of a killed writer.
fn standing(seat: &Seat) -> BTreeMap<String, Vec<u8>> {
    let folder = seat.dir.join(".git");
    let mut found = BTreeMap::from([(
        "config".to_owned(),
        std::fs::read(folder.join("config")).unwrap(),
    )]);
    for entry in std::fs::read_dir(folder.join("hooks")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if !name.starts_with(".tmp") {
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// Runs a command. If the killed command held the lock of the settings, the first answer must name
/// that lock.
fn again(seat: &Seat, args: &[&str]) {
    let lock = seat.dir.join(".git/config.lock");
    if lock.exists() {
        let run = seat.run(args);
        let named = one_line(&run.err).contains(lock.to_str().unwrap());
        assert!(
            run.code != 0 && named && run.err.contains("remove"),
            "{run:?}"
        );
        std::fs::remove_file(lock).unwrap();
    }
    seat.ok(args);
    assert_eq!(locks_in(&seat.dir), Vec::<std::path::PathBuf>::new());
}

/// Checks that the hooks of other programs run at a commit, once each.
fn assert_others_run(team: &Team, seat: &Seat) {
    let _ = std::fs::remove_file(ran(team));
    seat.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
    let text = std::fs::read_to_string(ran(team)).unwrap();
    assert_eq!(text.matches("post-commit").count(), 1, "{text}");
    assert!(text.contains("reference-transaction"), "{text}");
}

/// Whether Git moves the protected ref in this clone.
fn moves_main(seat: &Seat, dir: &Path) -> bool {
    let head = seat.git(&["rev-parse", "HEAD"]);
    let mut git = seat.world.command("git", dir);
    let moved = git
        .args(["update-ref", "refs/heads/main", &head])
        .output()
        .unwrap()
        .status
        .success();
    if moved {
        seat.git(&["update-ref", "refs/heads/main", "HEAD~1"]);
    }
    moved
}

pub fn install(mode: Mode) -> BTreeSet<String> {
    let team = clone();
    let bob = &team.seats[1];
    bob.git(&["checkout", "-q", "-b", "work"]);
    bob.commit("undecided", "undecided");
    let before = standing(bob);
    crash_everywhere(mode, bob, &["install"], |_| {
        assert_others_run(&team, bob);
        again(bob, &["install"]);
        let installed = standing(bob);
        again(bob, &["install"]);
        assert_eq!(standing(bob), installed, "twice changes nothing");
        assert!(!moves_main(bob, &bob.dir));
        assert_others_run(&team, bob);
        again(bob, &["uninstall"]);
        assert_eq!(standing(bob), before);
        assert_others_run(&team, bob);
    })
}

pub fn uninstall(mode: Mode) -> BTreeSet<String> {
    let team = clone();
    let bob = &team.seats[1];
    bob.git(&["checkout", "-q", "-b", "work"]);
    bob.commit("undecided", "undecided");
    let before = standing(bob);
    bob.ok(&["install"]);
    crash_everywhere(mode, bob, &["uninstall"], |_| {
        assert_others_run(&team, bob);
        again(bob, &["uninstall"]);
        assert_eq!(standing(bob), before);
        assert!(moves_main(bob, &bob.dir));
        assert_others_run(&team, bob);
        again(bob, &["install"]);
        assert!(!moves_main(bob, &bob.dir));
    })
}

/// All scenes that install or remove hooks.
pub const SCENES: [fn(Mode) -> BTreeSet<String>; 2] = [install, uninstall];

#[test]
fn an_installation_that_is_killed() {
    install(Mode::Crash);
}

#[test]
fn a_removal_that_is_killed() {
    uninstall(Mode::Crash);
}
