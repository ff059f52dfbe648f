//! Ways to move a protected branch without a decision.

use crate::desk::{Git, MAIN, observer, shows_symbolic};
use crate::world::{Seat, Team};

with_each_git!(
    only_a_decision_moves_the_protected_branch_that_is_checked_out,
    only_a_decision_moves_a_protected_branch_from_another_branch,
    a_linked_worktree_does_not_get_past_the_hooks,
    a_symbolic_ref_does_not_get_past_the_hooks,
    verify_finds_moves_about_which_git_asks_no_hook,
    the_hook_tells_a_deletion_from_packing,
    what_the_remote_has_counts_only_before_the_first_decision,
    the_refusal_names_the_proposal_and_what_it_lacks,
);

/// A clone whose main holds the second of two decisions, with a branch ahead of it and one beside it.
fn desk(git: &Git) -> (Team, Seat) {
    let team = git.team();
    team.decide("one");
    team.decide("two");
    let seat = observer(&team, "desk");
    seat.git(&["checkout", "-q", "-b", "side", "main~1"]);
    seat.commit("side.txt", "side");
    seat.git(&["checkout", "-q", "-b", "topic", "main"]);
    seat.commit("topic.txt", "topic");
    seat.git(&["checkout", "-q", "main"]);
    (team, seat)
}

/// A commit of the remote that nobody decided on.
fn push_undecided(team: &Team, name: &str) {
    let alice = &team.seats[0];
    alice.git(&["fetch", "-q", "origin"]);
    alice.git(&["checkout", "-q", "--detach", "origin/main"]);
    alice.commit(name, name);
    alice.git(&["push", "-q", "origin", "HEAD:main"]);
}

fn only_a_decision_moves_the_protected_branch_that_is_checked_out(git: &Git) {
    let (team, desk) = desk(git);
    let none = &[
        "NO_PROPOSAL",
        "refs/heads/main: the ref is protected",
        "git switch -c",
        "git quorum propose",
    ][..];
    let reset = &["reset", "-q", "--hard"][..];
    let undo = &["reset", "-q", "--merge"][..];
    let told = desk.refused(&["merge", "topic"], none, undo);
    assert!(
        told.contains("hint: to put the files back: git reset --merge"),
        "{told}"
    );
    assert!(
        told.contains("hint: git switch -c NAME && git quorum propose"),
        "{told}"
    );
    desk.refused(&["merge", "--ff-only", "topic"], none, undo);
    let early = &["a merge made here", "git merge --abort"];
    desk.refused(&["merge", "side"], early, &["merge", "--abort"]);
    desk.refused(&["merge", "--no-ff", "topic"], early, &["merge", "--abort"]);
    desk.refused(&["merge", "--no-verify", "side"], none, undo);
    desk.refused(&["merge", "--no-verify", "--no-ff", "topic"], none, undo);
    desk.refused(&["reset", "--hard", "topic"], none, reset);
    desk.refused(
        &["reset", "--hard", "HEAD~1"],
        &["WENT_BACK", "only moves forward"],
        reset,
    );
    desk.refused(&["reset", "--soft", "topic"], none, reset);
    desk.refused(&["pull", ".", "topic"], none, undo);
    desk.refused(&["pull", "--rebase", ".", "topic"], none, undo);
    desk.refused(&["rebase", "side"], none, &["rebase", "--abort"]);
    desk.refused(&["cherry-pick", "side"], none, reset);
    desk.refused(&["revert", "--no-edit", "HEAD"], none, reset);
    desk.refused(&["checkout", "-B", "main", "topic"], none, reset);
    desk.refused(&["switch", "-C", "main", "topic"], none, reset);
    desk.refused(
        &["branch", "-m", "elsewhere"],
        &["NO_PROPOSAL", "no proposal deletes it"],
        &[],
    );
    desk.refused(&["update-ref", "HEAD", "topic"], none, &[]);
    desk.refused(&["update-ref", "refs/heads/main", "topic"], none, &[]);

    std::fs::write(desk.dir.join("readme"), "changed").unwrap();
    desk.git(&["add", "."]);
    let staged = desk.git(&["diff", "--cached"]);
    for args in [
        &["commit", "-m", "x"][..],
        &["commit", "--no-verify", "-m", "x"],
        &["commit", "--amend", "--no-verify", "-m", "x"],
    ] {
        let before = desk.refs();
        let ran = desk.try_git(args);
        assert!(
            !ran.ok && ran.text.contains("NO_PROPOSAL"),
            "{args:?}: {}",
            ran.text
        );
        assert_eq!(
            (desk.refs(), desk.git(&["diff", "--cached"])),
            (before, staged.clone()),
            "what was staged is kept"
        );
    }
    desk.git(&["switch", "-q", "-c", "kept"]);
    desk.git(&["commit", "-q", "-m", "as the hint says"]);
    desk.git(&["checkout", "-q", "main"]);

    let patch = desk.git(&[
        "format-patch",
        "-1",
        "topic",
        "--output-directory",
        "../patches",
    ]);
    desk.refused(&["am", &patch], none, &["am", "--abort"]);
    push_undecided(&team, "wild");
    desk.git(&["fetch", "-q"]);
    desk.refused(&["pull"], none, undo);
    desk.refused(&["reset", "--hard", "origin/main"], none, reset);
}

fn only_a_decision_moves_a_protected_branch_from_another_branch(git: &Git) {
    let (_team, desk) = desk(git);
    desk.git(&["checkout", "-q", "topic"]);
    let none = &["NO_PROPOSAL"][..];
    desk.refused(&["update-ref", "refs/heads/main", "topic"], none, &[]);
    desk.refused(&["branch", "-f", "main", "topic"], none, &[]);
    desk.refused(&["branch", "-f", "main", "main~1"], &["WENT_BACK"], &[]);
    desk.refused(&["fetch", ".", "topic:main"], none, &[]);
    desk.refused(&["fetch", ".", "+side:main"], none, &[]);
    desk.refused(&["push", ".", "HEAD:main"], none, &[]);
    desk.refused(&["push", "--no-verify", ".", "+side:main"], none, &[]);
    desk.refused(
        &["checkout", "-B", "main", "side"],
        none,
        &["reset", "-q", "--hard"],
    );
    desk.refused(
        &["switch", "-C", "main", "topic"],
        none,
        &["reset", "-q", "--hard"],
    );
    desk.refused(&["branch", "-m", "main", "moved"], none, &[]);
    let main = desk.value(MAIN);
    assert!(!desk.try_git(&["rebase", "side", "main"]).ok);
    desk.git(&["rebase", "--abort"]);
    desk.git(&["checkout", "-q", "topic"]);
    assert_eq!(desk.value(MAIN), main);
    // Git deletes the branch to be renamed before it asks whether the other one may go, and leaves it at that.
    let side = desk.value("side");
    assert!(!desk.try_git(&["branch", "-M", "side", "main"]).ok);
    assert_eq!(desk.value(MAIN), main);
    desk.git(&["branch", "-f", "side", &side]);
    // One transaction, one answer: the others stay as well.
    let line = format!(
        "create refs/heads/new {0}\nupdate {MAIN} {0}\n",
        desk.value("topic")
    );
    std::fs::write(desk.world.path("lines"), line).unwrap();
    let before = desk.refs();
    let mut command = desk.world.command("git", &desk.dir);
    command
        .args(["update-ref", "--stdin"])
        .stdin(std::fs::File::open(desk.world.path("lines")).unwrap());
    assert!(!command.output().unwrap().status.success());
    assert_eq!(desk.refs(), before);
}

fn a_linked_worktree_does_not_get_past_the_hooks(git: &Git) {
    let (_team, desk) = desk(git);
    desk.git(&["checkout", "-q", "topic"]);
    desk.git(&["worktree", "add", "-q", "../linked", "main"]);
    let linked = desk.at_dir("linked");
    std::fs::write(linked.dir.join("readme"), "changed").unwrap();
    linked.refused(
        &["commit", "-a", "--no-verify", "-m", "x"],
        &["NO_PROPOSAL"],
        &["reset", "-q", "--hard"],
    );
    linked.refused(
        &["merge", "topic"],
        &["NO_PROPOSAL"],
        &["reset", "-q", "--merge"],
    );
    linked.refused(
        &["merge", "side"],
        &["a merge made here"],
        &["merge", "--abort"],
    );
    linked.git(&["checkout", "-q", "-b", "other"]);
    linked.commit("more.txt", "more");
}

/// Git asks no hook that it was told not to look for, and none for what `branch -C` overwrites.
fn verify_finds_moves_about_which_git_asks_no_hook(git: &Git) {
    let (_team, desk) = desk(git);
    desk.git(&["checkout", "-q", "topic"]);
    let (main, topic) = (desk.value(MAIN), desk.value("topic"));
    for args in [
        &[
            "-c",
            "core.hooksPath=/dev/null",
            "update-ref",
            MAIN,
            "topic",
        ][..],
        &["branch", "-C", "topic", "main"],
    ] {
        desk.git(args);
        assert_eq!(desk.value(MAIN), topic, "{args:?}");
        desk.no(7, "VERIFICATION_FAILED", &["verify", "--backed", "main"]);
        assert!(!desk.try_git(&["push", "origin", "main"]).ok, "{args:?}");
        desk.git(&["-c", "core.hooksPath=/dev/null", "update-ref", MAIN, &main]);
    }
}

fn a_symbolic_ref_does_not_get_past_the_hooks(git: &Git) {
    let (team, desk) = desk(git);
    desk.git(&["checkout", "-q", "topic"]);
    desk.git(&["symbolic-ref", "refs/heads/alias", MAIN]);
    desk.refused(
        &["update-ref", "refs/heads/alias", "topic"],
        &["NO_PROPOSAL"],
        &[],
    );
    desk.git(&["checkout", "-q", "alias"]);
    std::fs::write(desk.dir.join("readme"), "changed").unwrap();
    desk.refused(
        &["commit", "-a", "-m", "x"],
        &["NO_PROPOSAL"],
        &["reset", "-q", "--hard"],
    );
    if shows_symbolic(&team) {
        desk.refused(
            &["symbolic-ref", MAIN, "refs/heads/topic"],
            &["cannot become a symbolic ref"],
            &[],
        );
    }
}

fn the_hook_tells_a_deletion_from_packing(git: &Git) {
    let (_team, desk) = desk(git);
    desk.git(&["checkout", "-q", "topic"]);
    let value = desk.value(MAIN);
    let deletions = [
        &["branch", "-D", "main"][..],
        &["update-ref", "-d", MAIN],
        &["update-ref", "-d", MAIN, &value],
    ];
    for packed in [false, true] {
        for deletion in deletions {
            desk.refused(deletion, &["NO_PROPOSAL", "no proposal deletes it"], &[]);
        }
        if !packed {
            desk.git(&["pack-refs", "--all", "--prune"]);
            assert!(!desk.dir.join(".git").join(MAIN).exists());
        }
    }
    // Packed with the same value, and a file again.
    desk.git(&["pack-refs", "--all", "--no-prune"]);
    std::fs::write(desk.dir.join(".git").join(MAIN), format!("{value}\n")).unwrap();
    for deletion in deletions {
        desk.refused(deletion, &["NO_PROPOSAL", "no proposal deletes it"], &[]);
    }
    desk.git(&["pack-refs", "--all"]);
    assert_eq!(desk.value(MAIN), value);
    // Only who expects the packed value, and holds no lock, is packing.
    let (zeros, lock) = ("0".repeat(40), desk.dir.join(".git/packed-refs.lock"));
    assert!(desk.asked(&format!("{value} {zeros} {MAIN}\n")).ok);
    assert!(!desk.asked(&format!("{zeros} {zeros} {MAIN}\n")).ok);
    std::fs::write(&lock, "").unwrap();
    assert!(!desk.asked(&format!("{value} {zeros} {MAIN}\n")).ok);
}

fn what_the_remote_has_counts_only_before_the_first_decision(git: &Git) {
    let team = git.team();
    let desk = observer(&team, "desk");
    push_undecided(&team, "early");
    // The server has no gate here; with one main could not have moved.
    desk.git(&["pull", "-q"]);
    std::fs::write(desk.dir.join("readme"), "changed").unwrap();
    desk.refused(
        &["commit", "-a", "-m", "x"],
        &["NO_PROPOSAL"],
        &["reset", "-q", "--hard"],
    );
    team.decide("one");
    desk.git(&["pull", "-q"]);
    push_undecided(&team, "late");
    desk.git(&["fetch", "-q"]);
    desk.refused(&["pull"], &["NO_PROPOSAL"], &["reset", "-q", "--merge"]);
}

fn the_refusal_names_the_proposal_and_what_it_lacks(git: &Git) {
    let team = git.team_of_four();
    let proposal = team.seats[0].propose("one");
    let desk = observer(&team, "desk");
    let commit = team.seats[0].git(&["rev-parse", "HEAD"]);
    desk.git(&["fetch", "-q", team.seats[0].dir.to_str().unwrap(), &commit]);
    let short = &proposal[..12];
    let says = [
        "NOT_DECIDED",
        short,
        "1 of 3 approvals (alice)",
        "bob, carol, dave",
        "git quorum status",
    ];
    desk.refused(&["merge", &commit], &says, &["reset", "-q", "--merge"]);
    let told = desk.refused(&["update-ref", MAIN, &commit], &says, &[]);
    assert!(told.lines().count() <= 6, "{told}");
}
