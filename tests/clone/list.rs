//! The list of what is protected: who is asked because of it, and how it is kept true.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::desk::{Git, MAIN, install, install_program, observer};
use crate::world::{Seat, Team};

with_each_git!(
    the_program_is_not_started_for_other_refs,
    without_a_list_the_program_is_asked_and_writes_it,
    a_charter_that_comes_by_fetch_protects_at_the_next_update,
    the_scripts_find_the_list_from_every_folder_and_worktree,
);

fn file(seat: &Seat, name: &str) -> PathBuf {
    seat.dir.join(".git/quorum").join(name)
}

/// Makes a mark old enough to be no transaction's that is under way.
fn age(seat: &Seat) {
    let mark = std::fs::File::options()
        .write(true)
        .open(file(seat, "protected.stale"))
        .unwrap();
    mark.set_modified(SystemTime::now() - Duration::from_secs(60))
        .unwrap();
}

/// Puts a program in place that remembers each call.
fn watched(seat: &Seat) -> PathBuf {
    let calls = seat.world.path("calls");
    let body = format!(
        "echo \"$@\" >> {}\nexec {} \"$@\"",
        calls.display(),
        env!("CARGO_BIN_EXE_git-quorum")
    );
    seat.world.script("watched", &body);
    install_program(seat, &seat.world.path("watched"), &BTreeMap::new());
    calls
}

fn calls(file: &PathBuf) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

fn the_program_is_not_started_for_other_refs(git: &Git) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    let log = watched(&desk);
    desk.git(&["checkout", "-q", "-b", "topic"]);
    desk.commit("one.txt", "1");
    desk.git(&["rebase", "-q", "--force-rebase", "HEAD~2"]);
    desk.git(&["branch", "mainly"]);
    desk.git(&["branch", "x/refs/heads/main"]);
    desk.git(&["branch", "-D", "mainly"]);
    desk.git(&["tag", "main"]);
    desk.git(&["push", "-q", "origin", "topic"]);
    assert_eq!(
        calls(&log),
        0,
        "{}",
        std::fs::read_to_string(&log).unwrap_or_default()
    );
    desk.git(&["update-ref", MAIN, MAIN]);
    assert_eq!(calls(&log), 1, "in one of the states");
    let before = calls(&log);
    assert!(!desk.try_git(&["update-ref", MAIN, "topic"]).ok);
    assert_eq!(calls(&log), before + 1);
}

fn without_a_list_the_program_is_asked_and_writes_it(git: &Git) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    for list in [None, Some(""), Some("no pattern\n")] {
        match list {
            None => std::fs::remove_file(file(&desk, "protected")).unwrap(),
            Some(text) => std::fs::write(file(&desk, "protected"), text).unwrap(),
        }
        let ran = desk.try_git(&["commit", "--allow-empty", "-m", "x"]);
        // A list with something else in it is one that somebody wrote.
        assert_eq!(
            ran.ok,
            list == Some("no pattern\n"),
            "{list:?}: {}",
            ran.text
        );
        if !ran.ok {
            assert_eq!(
                std::fs::read_to_string(file(&desk, "protected")).unwrap(),
                format!("{MAIN}\n")
            );
        }
    }
}

/// Decides a charter that protects another branch as well.
fn protect_release(team: &Team) {
    let founder = &team.seats[0];
    let shown = founder.run(&["charter", "show", "--toml"]);
    let path = team.world.path("charter.toml");
    std::fs::write(
        &path,
        shown
            .out
            .replace("protect = [", "protect = [\"refs/heads/release/*\", "),
    )
    .unwrap();
    let proposed = founder.ok(&[
        "charter",
        "propose",
        "--file",
        path.to_str().unwrap(),
        "-m",
        "Protect releases",
    ]);
    team.settle(proposed["id"].as_str().unwrap());
}

fn a_charter_that_comes_by_fetch_protects_at_the_next_update(git: &Git) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    desk.git(&["branch", "release/1"]);
    protect_release(&team);
    desk.git(&["branch", "release/2"]);
    assert!(!file(&desk, "protected.stale").exists());
    desk.git(&["fetch", "-q"]);
    assert!(file(&desk, "protected.stale").exists(), "lanes came");
    desk.refused(
        &["branch", "-f", "release/1", "HEAD~1"],
        &["NO_PROPOSAL", "refs/heads/release/1"],
        &[],
    );
    assert_eq!(
        std::fs::read_to_string(file(&desk, "protected")).unwrap(),
        format!("{MAIN}\nrefs/heads/release/*\n")
    );
    assert!(
        file(&desk, "protected.stale").exists(),
        "the fetch could still be under way"
    );
    age(&desk);
    desk.git(&["branch", "other"]);
    assert!(!file(&desk, "protected.stale").exists());
    desk.refused(
        &["branch", "release/3"],
        &["NO_PROPOSAL", "refs/heads/release/3"],
        &[],
    );
}

fn the_scripts_find_the_list_from_every_folder_and_worktree(git: &Git) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    let log = watched(&desk);
    desk.git(&["worktree", "add", "-q", "-b", "w", "../w"]);
    std::fs::create_dir(desk.dir.join("sub")).unwrap();
    let git_dir = desk.dir.join(".git");
    let work_tree = format!("--work-tree={}", desk.dir.display());
    let git_dir = format!("--git-dir={}", git_dir.display());
    let from_afar = [git_dir.as_str(), work_tree.as_str()];
    for (n, (dir, options)) in [
        (desk.dir.join("sub"), &[][..]),
        (desk.dir.join(".git"), &[]),
        (desk.world.path("w"), &[]),
        (desk.world.path("home"), &from_afar),
    ]
    .iter()
    .enumerate()
    {
        let seat = desk.at(dir.clone());
        seat.git(&[options, &["branch", &format!("b{n}"), "main"][..]].concat());
        assert_eq!(calls(&log), n, "{}", dir.display());
        assert!(
            !seat
                .try_git(&[options, &["update-ref", MAIN, "main~1"][..]].concat())
                .ok
        );
        assert_eq!(calls(&log), n + 1);
    }
    // A folder of Git's own that is elsewhere.
    team.world.git(
        &team.world.path(""),
        &[
            "clone",
            "-q",
            "--separate-git-dir=apart",
            "server.git",
            "split",
        ],
    );
    let split = desk.at_dir("split");
    split.ok(&["join"]);
    install(&split, &BTreeMap::new());
    split.refused(
        &["commit", "--allow-empty", "-m", "x"],
        &["NO_PROPOSAL"],
        &[],
    );
    split.git(&["checkout", "-q", "-b", "topic"]);
    split.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
}
