//! What honest work needs: none of it may be held up.

use std::collections::BTreeMap;

use crate::desk::{Git, MAIN, install, observer};
use crate::world::{Seat, Team, id};

with_each_git!(
    decided_commits_come_with_a_plain_pull,
    a_clone_that_was_away_skips_several_decisions,
    a_fresh_clone_and_a_stale_clone_can_create_a_protected_branch,
    a_branch_that_was_moved_around_the_hooks_can_be_repaired,
    housekeeping_moves_no_ref_and_is_allowed,
    the_hooks_leave_other_branches_alone,
    the_hooks_allow_the_programs_own_commands,
    a_shallow_and_a_partial_clone_pull_what_was_decided,
);

fn team_and_desk(git: &Git) -> (Team, Seat) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    (team, desk)
}

fn server_main(team: &Team) -> String {
    team.world.git(&team.server, &["rev-parse", "main"])
}

fn decided_commits_come_with_a_plain_pull(git: &Git) {
    let (team, desk) = team_and_desk(git);
    team.decide("two");
    let known = desk.git(&["for-each-ref", "refs/quorum", "--format=%(refname)"]);
    desk.git(&["pull", "-q"]);
    assert_eq!(desk.value(MAIN), server_main(&team));
    let lanes = desk.git(&["for-each-ref", "refs/quorum", "--format=%(refname)"]);
    assert!(lanes.contains("/incoming/origin/lane/alice"), "{lanes}");
    assert!(!known.is_empty());
    // The lanes and the branch in one transaction, too.
    team.decide("three");
    desk.git(&["checkout", "-q", "--detach"]);
    let lanes = desk.git(&["config", "--get-all", "remote.origin.fetch"]);
    let lanes = lanes
        .lines()
        .find(|line| line.contains("quorum"))
        .unwrap()
        .to_owned();
    desk.git(&["fetch", "-q", "--atomic", "origin", &lanes]);
    desk.git(&["fetch", "-q", "--atomic", "origin", "main:main"]);
    assert_eq!(desk.value(MAIN), server_main(&team));
    desk.git(&["checkout", "-q", "main"]);
    assert_eq!(desk.git(&["status", "--porcelain"]), "");
    team.decide("four");
    desk.git(&["pull", "-q", "--rebase"]);
    assert_eq!(desk.value(MAIN), server_main(&team));
}

fn a_clone_that_was_away_skips_several_decisions(git: &Git) {
    let (team, desk) = team_and_desk(git);
    for title in ["two", "three", "four"] {
        team.decide(title);
    }
    desk.git(&["pull", "-q"]);
    assert_eq!(desk.value(MAIN), server_main(&team));
    assert_eq!(
        desk.git(&["log", "--format=%s", "-4"]),
        "four\nthree\ntwo\none"
    );
}

fn a_fresh_clone_and_a_stale_clone_can_create_a_protected_branch(git: &Git) {
    let (team, desk) = team_and_desk(git);
    desk.git(&["checkout", "-q", "--detach"]);
    // What goes round the hooks, to get to where a clone without a main is.
    desk.git(&["-c", "core.hooksPath=/dev/null", "branch", "-D", "main"]);
    desk.git(&["checkout", "-q", "main"]);
    assert_eq!(desk.value(MAIN), server_main(&team));
    desk.git(&["checkout", "-q", "--detach"]);
    desk.git(&["-c", "core.hooksPath=/dev/null", "branch", "-D", "main"]);
    // The value that the first decision names.
    desk.git(&["branch", "main", "origin/main~1"]);
    desk.git(&["checkout", "-q", "main"]);
    desk.git(&["pull", "-q", "origin", "main"]);
    assert_eq!(desk.value(MAIN), server_main(&team));
}

fn a_branch_that_was_moved_around_the_hooks_can_be_repaired(git: &Git) {
    let (team, desk) = team_and_desk(git);
    let round =
        |args: &[&str]| drop(desk.git(&[&["-c", "core.hooksPath=/dev/null"], args].concat()));
    round(&["commit", "-q", "--allow-empty", "-m", "wild"]);
    desk.refused(
        &["commit", "--allow-empty", "-m", "more"],
        &["NO_PROPOSAL"],
        &[],
    );
    desk.git(&["reset", "-q", "--hard", "origin/main"]);
    assert_eq!(desk.value(MAIN), server_main(&team));
    team.decide("two");
    round(&["commit", "-q", "--allow-empty", "-m", "wild"]);
    desk.git(&["fetch", "-q"]);
    desk.git(&["reset", "-q", "--hard", "origin/main"]);
    assert_eq!(desk.value(MAIN), server_main(&team));
}

fn housekeeping_moves_no_ref_and_is_allowed(git: &Git) {
    let (team, desk) = team_and_desk(git);
    desk.git(&["tag", "v1"]);
    desk.git(&["branch", "topic"]);
    for args in [
        &["pack-refs", "--all"][..],
        &["gc", "--quiet"],
        &["gc", "--prune=now", "--aggressive", "--quiet"],
        &["prune"],
        &["reflog", "expire", "--all", "--expire=now"],
        &["maintenance", "run", "--quiet"],
        &["maintenance", "run", "--task=gc", "--quiet"],
        &["maintenance", "run", "--task=pack-refs", "--quiet"],
        &["remote", "prune", "origin"],
        &["repack", "-a", "-d", "-q"],
        &["fsck", "--no-progress"],
        &["reset", "-q", "--hard"],
        &["checkout", "-q", "main"],
        &["update-ref", MAIN, MAIN],
        &["worktree", "prune"],
    ] {
        desk.git(args);
        assert_eq!(desk.value(MAIN), server_main(&team), "{args:?}");
        // A file again, that the next one packs.
        std::fs::create_dir_all(desk.dir.join(".git/refs/heads")).unwrap();
        std::fs::write(
            desk.dir.join(".git").join(MAIN),
            format!("{}\n", server_main(&team)),
        )
        .unwrap();
    }
    desk.git(&["gc", "--quiet"]);
    assert!(
        !desk.dir.join(".git").join(MAIN).exists(),
        "packing goes through to its end"
    );
    team.decide("two");
    desk.git(&["pull", "-q"]);
    desk.git(&["gc", "--quiet"]);
    assert_eq!(desk.value(MAIN), server_main(&team));
}

fn the_hooks_leave_other_branches_alone(git: &Git) {
    let (team, desk) = team_and_desk(git);
    let main = desk.value(MAIN);
    desk.git(&["switch", "-q", "-c", "side"]);
    desk.commit("side.txt", "side");
    desk.git(&["checkout", "-q", "-b", "topic", "main"]);
    desk.commit("one.txt", "1");
    desk.commit("two.txt", "2");
    for args in [
        &["rebase", "-q", "side"][..],
        &["commit", "-q", "--amend", "-m", "again"],
        &["merge", "-q", "--no-ff", "side"],
        &["reset", "-q", "--hard", "HEAD~1"],
        &[
            "cherry-pick",
            "side~0",
            "--allow-empty",
            "--keep-redundant-commits",
        ],
        &["revert", "--no-edit", "HEAD~1"],
        &["tag", "-a", "-m", "t", "v1"],
        &["branch", "-f", "side", "topic"],
        &["branch", "-m", "side", "moved"],
        &["branch", "-D", "moved"],
        &["branch", "mainly"],
        &["notes", "add", "-m", "n"],
        &["fetch", "-q", "origin"],
        &["worktree", "add", "-q", "-b", "w", "../w"],
        &["merge", "-q", "main"],
        &["push", "-q", "origin", "HEAD:topic"],
        &["push", "-q", "origin", ":topic"],
        &["bisect", "start", "HEAD", "HEAD~2"],
        &["bisect", "reset"],
        &["checkout", "-q", "main"],
    ] {
        desk.git(args);
    }
    std::fs::write(desk.dir.join("readme"), "changed").unwrap();
    desk.git(&["stash"]);
    desk.git(&["stash", "pop"]);
    desk.git(&["stash"]);
    desk.git(&["stash", "drop", "-q"]);
    assert_eq!(
        (desk.value(MAIN), desk.git(&["status", "--porcelain"])),
        (main, String::new())
    );
    drop(team);
}

fn the_hooks_allow_the_programs_own_commands(git: &Git) {
    let team = git.team();
    let alice = &team.seats[0];
    install(alice, &BTreeMap::new());
    team.decide("one");
    let two = alice.propose("two");
    team.settle(&two);
    alice.ok(&["land", "--local"]);
    assert_eq!(alice.value(MAIN), alice.git(&["rev-parse", "HEAD"]));
    alice.ok(&["land"]);
    let three = id(&alice.ok(&["propose", "--delete", "--onto", "main", "-m", "three"]));
    team.settle(&three);
    alice.ok(&["land", "--local"]);
    assert_eq!(
        alice.git(&["for-each-ref", MAIN]),
        "",
        "a deletion that was decided"
    );
}

fn a_shallow_and_a_partial_clone_pull_what_was_decided(git: &Git) {
    let team = git.team();
    team.decide("one");
    team.world
        .git(&team.server, &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", team.server.display());
    let mut seats = Vec::new();
    for (name, option) in [("shallow", "--depth=1"), ("partial", "--filter=blob:none")] {
        team.world
            .git(&team.world.path(""), &["clone", "-q", option, &url, name]);
        let seat = team.seats[0].at(team.world.path(name));
        seat.ok(&["join"]);
        install(&seat, &BTreeMap::new());
        seats.push(seat);
    }
    team.decide("two");
    team.decide("three");
    for seat in seats {
        seat.refused(
            &["commit", "--allow-empty", "-m", "x"],
            &["NO_PROPOSAL"],
            &[],
        );
        seat.git(&["pull", "-q"]);
        assert_eq!(seat.value(MAIN), server_main(&team));
    }
}
