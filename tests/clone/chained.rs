//! Hooks of others behind ours: they get what Git gives, and their answer counts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::desk::{Git, MAIN, install, observer};
use crate::world::Seat;

with_each_git!(
    hooks_of_others_get_all_that_git_sends,
    hooks_of_others_can_refuse,
    the_scripts_run_in_every_shell
);

/// A hook that notes its arguments and its input in a file of its name.
fn recorder(seat: &Seat, name: &str, more: &str) -> PathBuf {
    let file = seat.world.path(&format!("{name}.seen"));
    let body = format!("{{ echo \"[$*]\"; cat; }} >> '{}'\n{more}", file.display());
    seat.world.script(format!("other {name}"), &body);
    seat.world.path(&format!("other {name}"))
}

fn seen(seat: &Seat, name: &str) -> String {
    std::fs::read_to_string(seat.world.path(&format!("{name}.seen"))).unwrap_or_default()
}

fn hooks_of_others_get_all_that_git_sends(git: &Git) {
    let team = git.team();
    team.decide("one");
    // By itself, and behind ours: the same.
    let mut told = Vec::new();
    for chained in [false, true] {
        let seat = observer(&team, if chained { "behind" } else { "alone" });
        let hooks: BTreeMap<&str, PathBuf> = ["reference-transaction", "pre-push"]
            .into_iter()
            .map(|name| (name, recorder(&seat, name, "")))
            .collect();
        if chained {
            install(&seat, &hooks);
        } else {
            for (name, path) in &hooks {
                std::fs::copy(path, seat.dir.join(".git/hooks").join(name)).unwrap();
            }
        }
        let seat = seat
            .with("GIT_COMMITTER_DATE", "@1700000000 +0000")
            .with("GIT_AUTHOR_DATE", "@1700000000 +0000");
        story(&seat);
        told.push((
            seen(&seat, "reference-transaction"),
            seen(&seat, "pre-push"),
        ));
        std::fs::remove_file(seat.world.path("reference-transaction.seen")).unwrap();
        std::fs::remove_file(seat.world.path("pre-push.seen")).unwrap();
    }
    assert_eq!(told[0], told[1]);
    assert!(
        told[0].0.contains("[prepared]") && told[0].0.contains("[committed]"),
        "{}",
        told[0].0
    );
    assert!(
        told[0].1.contains("[origin ") && told[0].1.contains("(delete)"),
        "{}",
        told[0].1
    );
}

fn story(seat: &Seat) {
    for args in [
        &["checkout", "-q", "-b", "topic", "main"][..],
        &["commit", "-q", "--allow-empty", "-m", "x"],
        &["pack-refs", "--all"],
        &["push", "-q", "origin", "topic"],
        &["push", "-q", "origin", ":topic"],
        &["checkout", "-q", "main"],
        &["branch", "-D", "topic"],
    ] {
        let ran = seat.try_git(args);
        assert!(ran.ok, "{args:?}: {}", ran.text);
    }
}

fn hooks_of_others_can_refuse(git: &Git) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    desk.git(&["branch", "topic"]);
    let other = recorder(
        &desk,
        "reference-transaction",
        "case $1 in prepared) echo no >&2; exit 3 ;; esac",
    );
    let merge = recorder(&desk, "pre-merge-commit", "exit 3");
    let push = recorder(&desk, "pre-push", "exit 3");
    install(
        &desk,
        &BTreeMap::from([
            ("reference-transaction", other.clone()),
            ("pre-merge-commit", merge.clone()),
            ("pre-push", push.clone()),
        ]),
    );
    assert!(!desk.try_git(&["branch", "-f", "topic", "HEAD~1"]).ok);
    assert!(!desk.try_git(&["push", "origin", "topic"]).ok);
    let before = seen(&desk, "reference-transaction");
    // Ours comes first, and what it refuses the others are not asked about.
    let ran = desk.try_git(&["update-ref", MAIN, "HEAD~1"]);
    assert!(!ran.ok && ran.text.contains("WENT_BACK"), "{}", ran.text);
    assert_eq!(
        seen(&desk, "reference-transaction")
            .matches("[prepared]")
            .count(),
        before.matches("[prepared]").count()
    );
    // One that reads nothing, and one that is not executable: as Git does with it.
    for name in ["reference-transaction", "pre-merge-commit", "pre-push"] {
        desk.world.script(format!("other {name}"), "exit 0");
    }
    desk.git(&["branch", "-f", "topic", "HEAD~1"]);
    // Its yes is not ours.
    desk.refused(&["update-ref", MAIN, "HEAD~1"], &["WENT_BACK"], &[]);
    assert!(
        !desk
            .try_git(&["push", "--force", "origin", "topic:main"])
            .ok
    );
    recorder(&desk, "pre-merge-commit", "exit 3");
    crate::desk::executable(&other, false);
    crate::desk::executable(&push, false);
    desk.git(&["branch", "-f", "topic", "HEAD"]);
    desk.git(&["push", "-q", "origin", "topic"]);
    // A merge on another branch reaches the other hook.
    crate::desk::executable(&other, true);
    desk.git(&["checkout", "-q", "-b", "side", "HEAD~1"]);
    desk.commit("side.txt", "side");
    let merged = desk.try_git(&["merge", "--no-ff", "main"]);
    assert!(
        !merged.ok && seen(&desk, "pre-merge-commit").contains("[]"),
        "{}",
        merged.text
    );
}

fn the_scripts_run_in_every_shell(git: &Git) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    desk.git(&["branch", "topic"]);
    let hooks = desk.dir.join(".git/hooks");
    for shell in ["dash", "bash --posix", "busybox sh", "mksh", "ksh"] {
        let program = shell.split(' ').next().unwrap();
        let found = std::env::split_paths(&std::env::var("PATH").unwrap())
            .map(|dir| dir.join(program))
            .find(|p| p.exists());
        let Some(found) = found else {
            eprintln!("skipped: there is no {program} here");
            continue;
        };
        for name in ["reference-transaction", "pre-push", "pre-merge-commit"] {
            let text = std::fs::read_to_string(hooks.join(name)).unwrap();
            let (_, rest) = text.split_once('\n').unwrap();
            let shebang = shell.replacen(program, found.to_str().unwrap(), 1);
            std::fs::write(hooks.join(name), format!("#!{shebang}\n{rest}")).unwrap();
        }
        desk.git(&["checkout", "-q", "topic"]);
        desk.git(&["commit", "-q", "--allow-empty", "-m", shell]);
        desk.git(&["push", "-q", "origin", "topic"]);
        desk.git(&["pack-refs", "--all"]);
        desk.git(&["checkout", "-q", "main"]);
        desk.refused(
            &["commit", "--allow-empty", "-m", shell],
            &["NO_PROPOSAL"],
            &[],
        );
        desk.refused(
            &["merge", "--no-ff", "topic"],
            &["a merge made here"],
            &["merge", "--abort"],
        );
        let pushed = desk.try_git(&["push", "origin", "topic:main"]);
        assert!(
            !pushed.ok && pushed.text.contains("NO_PROPOSAL"),
            "{shell}: {}",
            pushed.text
        );
    }
}
