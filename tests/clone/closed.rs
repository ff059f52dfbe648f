//! What cannot be known or checked: protected refs stay where they are, other refs move.

use std::collections::BTreeMap;
use std::path::Path;

use git_quorum::repo::{Environment, Repo};
use git_quorum::store::load_with_incoming;

use crate::desk::{Git, MAIN, Ran, executable, install_program, observer};
use crate::world::{Seat, Team, id};

with_each_git!(
    without_the_program_protected_refs_stay_and_others_move,
    without_a_ledger_protected_refs_stay_and_others_move,
    a_bad_lane_does_not_hold_up_other_lanes,
    later_entries_of_a_removed_member_do_not_count,
    damaged_hooks_fail_closed,
);

fn team_and_desk(git: &Git) -> (Team, Seat) {
    let team = git.team();
    team.decide("one");
    let desk = observer(&team, "desk");
    (team, desk)
}

fn commit(seat: &Seat, branch: &str) -> Ran {
    seat.git(&["checkout", "-q", branch]);
    seat.try_git(&["commit", "--allow-empty", "-m", "x"])
}

/// Commits on a branch go through, commits on main do not and say this.
fn main_stays(seat: &Seat, says: &[&str]) {
    if seat.git(&["for-each-ref", "refs/heads/topic"]).is_empty() {
        seat.git(&["branch", "topic"]);
    }
    let topic = commit(seat, "topic");
    assert!(topic.ok, "{}", topic.text);
    let main = commit(seat, "main");
    assert!(!main.ok, "{}", main.text);
    for words in says {
        assert!(
            main.text.contains(words),
            "{words:?} is not in: {}",
            main.text
        );
    }
    seat.git(&["pack-refs", "--all"]);
}

fn without_the_program_protected_refs_stay_and_others_move(git: &Git) {
    let (_team, desk) = team_and_desk(git);
    desk.git(&["branch", "topic"]);
    install_program(&desk, Path::new("/nowhere/git-quorum"), &BTreeMap::new());
    let topic = commit(&desk, "topic");
    assert!(topic.ok, "{}", topic.text);
    let main = commit(&desk, "main");
    let says = [
        "refs/heads/main is protected",
        "not at /nowhere/git-quorum any more",
        "git quorum install",
    ];
    assert!(
        !main.ok && says.iter().all(|words| main.text.contains(words)),
        "{}",
        main.text
    );
    let pushed = desk.try_git(&["push", "origin", "topic:main"]);
    assert!(
        !pushed.ok && pushed.text.contains("git quorum install"),
        "{}",
        pushed.text
    );
    desk.git(&["push", "-q", "origin", "topic"]);
    // A mark cannot be followed up, so the list counts.
    std::fs::write(desk.dir.join(".git/quorum/protected.stale"), "").unwrap();
    assert!(commit(&desk, "topic").ok && !commit(&desk, "main").ok);
    // Nothing says any more what is protected.
    std::fs::remove_file(desk.dir.join(".git/quorum/protected")).unwrap();
    assert!(!commit(&desk, "topic").ok);
}

fn without_a_ledger_protected_refs_stay_and_others_move(git: &Git) {
    let (team, desk) = team_and_desk(git);
    let ledger = desk.git(&["config", "quorum.ledger"]);
    desk.git(&["config", "--unset", "quorum.ledger"]);
    main_stays(
        &desk,
        &["GATE_UNAVAILABLE", "no ledger is pinned", "git quorum join"],
    );
    desk.git(&["config", "quorum.ledger", &ledger]);
    let genesis = team.ledger_ref("genesis");
    let value = desk.value(&genesis);
    desk.git(&["update-ref", "-d", &genesis]);
    desk.git(&["checkout", "-q", "topic"]);
    // Entries were moved, so that the program is asked; it cannot tell, and the list counts.
    main_stays(
        &desk,
        &[
            "GATE_UNAVAILABLE",
            "does not hold the pinned ledger",
            "git quorum join",
        ],
    );
    desk.git(&["update-ref", &genesis, "topic"]);
    main_stays(&desk, &["GATE_UNAVAILABLE", "not what it should be"]);
    std::fs::remove_file(desk.dir.join(".git/quorum/protected")).unwrap();
    let topic = commit(&desk, "topic");
    assert!(
        !topic.ok && topic.text.contains("GATE_UNAVAILABLE"),
        "nobody knows what is protected: {}",
        topic.text
    );
    // What mends it goes through.
    desk.git(&["update-ref", &genesis, &value]);
    main_stays(&desk, &["NO_PROPOSAL"]);
}

fn a_bad_lane_does_not_hold_up_other_lanes(git: &Git) {
    let (team, desk) = team_and_desk(git);
    team.decide("two");
    let wild = team.world.git(&team.server, &["rev-parse", "main"]);
    team.place("mallory", &wild);
    desk.git(&["pull", "-q"]);
    assert_eq!(desk.value(MAIN), wild);
    // A fetch overwrites what it fetched before; what had been taken in stays known.
    desk.ok(&["sync"]);
    team.place("alice", &wild);
    desk.git(&["fetch", "-q"]);
    desk.refused(
        &["reset", "--hard", "HEAD~1"],
        &["WENT_BACK"],
        &["reset", "-q", "--hard"],
    );
    desk.refused(
        &["commit", "--allow-empty", "-m", "x"],
        &["NO_PROPOSAL"],
        &[],
    );
}

/// Decides the charter in this text.
fn decide_charter(team: &Team, text: &str, title: &str) {
    let file = team.world.path("charter.toml");
    std::fs::write(&file, text).unwrap();
    let proposed = team.seats[0].ok(&[
        "charter",
        "propose",
        "--file",
        file.to_str().unwrap(),
        "-m",
        title,
    ]);
    team.settle(&id(&proposed));
}

fn later_entries_of_a_removed_member_do_not_count(git: &Git) {
    let (team, desk) = team_and_desk(git);
    let alone = team.seats[0].run(&["charter", "show", "--toml"]).out;
    let bob = format!(
        "\n[[members]]\nname = \"bob\"\nkey_file = \"{}.pub\"\nvote = false\n",
        team.world.key("bob").display()
    );
    decide_charter(&team, &format!("{alone}{bob}"), "bob comes in");
    let with_bob = team.world.load(&team.server).tally.charter_in_force();
    let genesis = desk.git(&["config", "quorum.ledger"]).parse().unwrap();
    let (said, before) =
        team.world
            .forge_under(&team.server, "bob", with_bob, &[genesis, with_bob], vec![]);
    team.place("bob", before);
    let known = |entry| {
        desk.git(&["fetch", "-q"]);
        let env = desk
            .world
            .env()
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        let repo = Repo::open_with(&desk.dir.join(".git"), Environment::scrubbed(env)).unwrap();
        load_with_incoming(&repo, genesis)
            .unwrap()
            .tally
            .dag()
            .find(entry)
            .is_some()
    };
    assert!(known(said), "a member's entry comes with a plain fetch");
    decide_charter(&team, &alone, "bob goes");
    let (late, after) = team
        .world
        .forge_under(&team.server, "bob", with_bob, &[said], vec![]);
    team.place("bob", after);
    assert!(!known(late), "a former member's does not");
    let in_force = team.world.load(&team.server).tally.charter_in_force();
    assert!(known(in_force), "and what others said is in");
}

fn damaged_hooks_fail_closed(git: &Git) {
    let (_team, desk) = team_and_desk(git);
    // A program that fails without a word.
    desk.world.script("broken", "exit 7");
    install_program(&desk, &desk.world.path("broken"), &BTreeMap::new());
    assert!(!commit(&desk, "main").ok);
    // A program that cannot be started any more.
    executable(&desk.world.path("broken"), false);
    let main = commit(&desk, "main");
    assert!(
        !main.ok && main.text.contains("git quorum install"),
        "{}",
        main.text
    );
    // A line that no Git writes.
    let ran = desk.asked("what is this\n");
    assert!(!ran.ok && ran.text.contains("UNKNOWN_FORM"), "{}", ran.text);
}
