//! A merge bot has no key: it lands and waits all the same, and signs nothing.

use crate::world::Team;

#[test]
fn a_clone_without_a_member_lands_and_waits() {
    let team = Team::new(&["alice", "bob", "carol", "dave"]);
    let bot = team.seats[0].elsewhere("bot", &team.server, false);
    let ledger = team.seats[0].git(&["config", "quorum.ledger"]);
    bot.ok(&["join", "--genesis", &ledger]);

    let id = team.seats[0].propose("one");
    bot.no(6, "NOT_DECIDED", &["land", &id]);
    bot.no(6, "TIMEOUT", &["wait", &id, "--timeout", "0"]);
    team.seats[1..]
        .iter()
        .for_each(|seat| drop(seat.approve(&id)));
    team.settle(&id);

    assert_eq!(
        bot.ok(&["wait", &id, "--timeout", "60"])["proposal"]["state"],
        "decided"
    );
    let before = team
        .world
        .git(&team.server, &["for-each-ref", "refs/quorum/"]);
    let landed = bot.ok(&["land"]);
    assert_eq!(landed["landed"][0]["decisions"][0], id.as_str(), "{landed}");
    let to = bot.ok(&["show", &id])["proposal"]["to"].clone();
    assert_eq!(
        team.world.git(&team.server, &["rev-parse", "main"]),
        to.as_str().unwrap()
    );
    assert_eq!(
        team.world
            .git(&team.server, &["for-each-ref", "refs/quorum/"]),
        before,
        "nothing was signed"
    );
    assert_eq!(bot.ok(&["land"])["landed"], serde_json::json!([]));
    assert!(!bot.state.exists(), "no sign state either");
    assert!(
        bot.noted(&["land", "--key", "no-such-key"])
            .1
            .contains("nothing is signed")
    );
    bot.verify();
}

#[test]
fn what_is_not_whole_lands_nothing() {
    let team = Team::new(&["alice", "bob"]);
    let id = team.decide("one");
    let bot = team.seats[0].elsewhere("bot", &team.server, false);
    bot.ok(&["join"]);
    let tip = bot.git(&["rev-parse", "origin/main"]);
    std::fs::write(bot.dir.join(".git/shallow"), tip + "\n").unwrap();
    bot.no(7, "INCOMPLETE_CLONE", &["land", &id]);
}
