//! Output has an end, and the log is the same in every clone.

use crate::world::Team;

#[test]
fn the_log_is_filtered_cut_and_drawn() {
    let team = Team::new(&["alice", "bob", "carol", "dave"]);
    let id = team.decide("one");
    let [alice, bob, ..] = &team.seats[..] else {
        panic!()
    };
    team.sync(2);

    let all = alice.ok(&["log"]);
    let entries = all["entries"].as_array().unwrap();
    assert!(entries.len() > 4 && all["more"] == 0);
    let place =
        |id: &serde_json::Value| entries.iter().position(|entry| entry["id"] == *id).unwrap();
    for (row, entry) in entries.iter().enumerate() {
        let parents = entry["parents"].as_array().unwrap();
        assert_eq!(parents.is_empty(), entry["seq"] == 0);
        assert!(
            parents.iter().all(|parent| place(parent) > row),
            "parents stand below"
        );
    }
    assert_eq!(
        bob.ok(&["log"])["entries"],
        all["entries"],
        "the same everywhere"
    );

    let of_bob = alice.ok(&["log", "--member", "bob"]);
    assert!(
        of_bob["entries"]
            .as_array()
            .unwrap()
            .iter()
            .all(|entry| entry["member"] == "bob")
    );
    alice.no(3, "NO_SUCH_MEMBER", &["log", "--member", "bobb"]);
    let about = alice.ok(&["log", "--proposal", &id[..8]]);
    assert!(about["entries"].as_array().unwrap().len() < entries.len());
    assert_eq!(
        about["entries"].as_array().unwrap().last().unwrap()["id"],
        id.as_str()
    );

    let cut = alice.run(&["log", "-n", "2"]);
    assert_eq!(cut.out.lines().count(), 3);
    assert!(
        cut.out.ends_with(&format!(
            "… and {} older: git quorum log -n 4\n",
            entries.len() - 2
        )),
        "{}",
        cut.out
    );

    let graph = alice.run(&["log", "--graph"]).out;
    assert!(
        graph.lines().all(|line| line.chars().count() <= 80),
        "{graph}"
    );
    let stars = graph
        .lines()
        .filter(|line| line.split("  ").next().is_some_and(|_| line.contains('*')))
        .count();
    assert_eq!(stars, entries.len(), "{graph}");
    assert!(
        graph
            .lines()
            .last()
            .unwrap()
            .contains("alice 0: founds the ledger"),
        "{graph}"
    );
}

#[test]
fn entries_beside_each_other_stand_in_the_same_order_in_every_clone() {
    let team = Team::new(&["alice", "bob", "carol"]);
    let id = team.seats[0].propose("one");
    let [_, bob, carol] = &team.seats[..] else {
        panic!()
    };
    [bob, carol].iter().for_each(|seat| drop(seat.sync()));
    for (seat, time) in [(bob, "4000000001"), (carol, "4000000000")] {
        seat.with("GIT_QUORUM_TIME", time)
            .ok(&["review", &id, "--abstain", "--local"]);
    }
    [bob, carol, bob].iter().for_each(|seat| drop(seat.sync()));
    let members = |seat: &super::world::Seat| {
        let log = seat.ok(&["log", "-n", "2"]);
        [0, 1].map(|row| log["entries"][row]["member"].as_str().unwrap().to_owned())
    };
    assert_eq!(members(bob), ["bob", "carol"]);
    assert_eq!(members(carol), ["bob", "carol"]);
}

#[test]
fn a_long_list_of_proposals_ends() {
    let team = Team::new(&["alice", "bob"]);
    let alice = &team.seats[0];
    alice.git(&["checkout", "-q", "--detach", "origin/main"]);
    for number in 0..53 {
        alice.commit("f", &number.to_string());
        alice.ok(&[
            "propose",
            "-m",
            &format!("change {number}"),
            "--local",
            "--no-approve",
        ]);
    }
    let shown = alice.run(&["status"]).out;
    assert!(
        shown.contains("… and 3 more: git quorum status --all"),
        "{shown}"
    );
    assert_eq!(shown.matches("  change ").count(), 50);
    let data = alice.ok(&["status"]);
    assert_eq!(
        (
            data["proposals"]["shown"].as_array().unwrap().len(),
            &data["proposals"]["more"]
        ),
        (50, &3.into())
    );
    // Each names some of its rivals and how many more there are: what all of them take together grows with them.
    let all = alice.ok(&["status", "--all"]);
    let rivals = |p: &serde_json::Value| {
        (
            p["rivals"]["shown"].as_array().unwrap().len(),
            p["rivals"]["more"].as_u64().unwrap(),
        )
    };
    let named: Vec<_> = all["proposals"]["shown"]
        .as_array()
        .unwrap()
        .iter()
        .map(rivals)
        .collect();
    assert_eq!(named, [(8, 44); 53]);
    assert_eq!(
        alice
            .run(&["status", "--all"])
            .out
            .matches("  change ")
            .count(),
        53
    );
    assert!(alice.run(&["sync", "--local"]).out.contains("… and 3 more"));
}
