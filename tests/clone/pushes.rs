//! What `pre-push` says before anything is sent. The server here has no gate.

use crate::desk::{Git, observer};
use crate::world::Team;

with_each_git!(
    a_push_that_no_decision_backs_is_not_sent,
    pushes_that_move_no_protected_ref_are_sent
);

fn server_main(team: &Team) -> String {
    team.world.git(&team.server, &["rev-parse", "main"])
}

fn a_push_that_no_decision_backs_is_not_sent(git: &Git) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    desk.git(&["checkout", "-q", "-b", "topic"]);
    desk.commit("one.txt", "1");
    let (before, url) = (server_main(&team), team.server.to_str().unwrap().to_owned());
    let slash = format!("{url}/");
    for args in [
        &["origin", "topic:main"][..],
        &["--force", "origin", "main~1:main"],
        &["--dry-run", "origin", "topic:main"],
        &["--atomic", "origin", "topic", "topic:main"],
        &["origin", "HEAD@{0 seconds ago}:refs/heads/main"],
        &["origin", ":main"],
        &["--delete", "origin", "main"],
        &[&url, "topic:main"],
        &[&slash, "topic:main"],
        &["--force", "--mirror", "origin"],
    ] {
        if args.contains(&"--mirror") {
            desk.git(&[
                "-c",
                "core.hooksPath=/dev/null",
                "branch",
                "-f",
                "main",
                "topic",
            ]);
        }
        let ran = desk.try_git(&[&["push"], args].concat());
        assert!(
            !ran.ok && ran.text.contains("git quorum"),
            "{args:?}: {}",
            ran.text
        );
        let codes = ["NO_PROPOSAL", "WENT_BACK"];
        assert!(
            codes.iter().any(|code| ran.text.contains(code)),
            "{args:?}: {}",
            ran.text
        );
        assert_eq!(server_main(&team), before, "{args:?}");
    }
}

fn pushes_that_move_no_protected_ref_are_sent(git: &Git) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    let other = team.world.server("other.git");
    desk.git(&["remote", "add", "other", other.to_str().unwrap()]);
    desk.git(&["checkout", "-q", "-b", "topic"]);
    desk.commit("one.txt", "1");
    desk.git(&["push", "-q", "other", "topic:main"]);
    desk.git(&["push", "-q", "origin", "topic", "HEAD:refs/heads/mainly"]);
    desk.git(&["push", "-q", "origin", "main", "topic"]);
    desk.git(&["push", "-q", "origin", ":mainly"]);
    // What was decided, by who has not got the newest lanes: first it is not known, then it is.
    let alice = &team.seats[0];
    let two = alice.propose("two");
    team.settle(&two);
    let commit = alice.git(&["rev-parse", "HEAD"]);
    desk.git(&["fetch", "-q", alice.dir.to_str().unwrap(), &commit]);
    let spec = format!("{commit}:main");
    let ran = desk.try_git(&["push", "origin", &spec]);
    assert!(
        !ran.ok && ran.text.contains("git quorum sync"),
        "{}",
        ran.text
    );
    desk.ok(&["sync"]);
    desk.git(&["push", "-q", "origin", &spec]);
    assert_eq!(server_main(&team), commit);
}
