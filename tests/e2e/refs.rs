//! Tests several kinds of refs. Members create and delete an annotated tag by decision, under a
//! pattern of a new charter, behind the gate. A clone also holds work that has not landed.

use serde_json::json;

use crate::world::{Seat, Team};

/// Lets the members approve, sync and land what the first one proposed.
fn decide(team: &Team, proposal: &str) {
    team.seats[1..]
        .iter()
        .for_each(|seat| drop(seat.approve(proposal)));
    team.settle(proposal);
    team.seats[0].ok(&["land", proposal]);
}

/// Decides a charter that also protects tags. Edits the file that `charter show` prints.
fn protect_tags(team: &Team) {
    let founder = &team.seats[0];
    let shown = founder.run(&["charter", "show", "--toml"]);
    let file = team.world.path("charter.toml");
    let text = shown
        .out
        .replace("protect = [", "protect = [\"refs/tags/v*\", ");
    std::fs::write(&file, text).unwrap();
    let proposed = founder.ok(&[
        "charter",
        "propose",
        "--file",
        file.to_str().unwrap(),
        "-m",
        "Protect tags",
    ]);
    let id = proposed["id"].as_str().unwrap();
    team.seats[1..]
        .iter()
        .for_each(|seat| drop(seat.approve(id)));
    team.settle(id);
    assert_eq!(founder.ok(&["status"])["charter"], json!(id));
}

fn on_server(team: &Team, name: &str) -> String {
    team.world.git(
        &team.server,
        &["for-each-ref", "--format=%(objecttype) %(objectname)", name],
    )
}

#[test]
fn an_annotated_tag_is_created_and_deleted_by_decision() {
    let team = Team::new(&["alice", "bob", "carol", "dave"]);
    let alice: &Seat = &team.seats[0];
    alice.at(team.server.clone()).ok(&["install", "--server"]);
    protect_tags(&team);
    alice.git(&["tag", "-a", "-m", "One", "v1"]);
    let tag = alice.git(&["rev-parse", "v1"]);
    let refused = team
        .world
        .command("git", &alice.dir)
        .args(["push", "-q", "origin", "v1"])
        .output()
        .unwrap();
    assert!(
        !refused.status.success()
            && String::from_utf8_lossy(&refused.stderr).contains("NO_PROPOSAL")
    );

    let proposed = alice.ok(&["propose", "v1", "--onto", "v1", "-m", "Release one"]);
    assert_eq!(
        (&proposed["proposal"]["to"], &proposed["proposal"]["from"]),
        (&json!(tag), &json!(null))
    );
    decide(&team, proposed["id"].as_str().unwrap());
    assert_eq!(on_server(&team, "refs/tags/v1"), format!("tag {tag}"));

    let deleted = alice.ok(&["propose", "--delete", "--onto", "v1", "-m", "Withdraw one"]);
    decide(&team, deleted["id"].as_str().unwrap());
    assert_eq!(on_server(&team, "refs/tags/v1"), "");
    team.seats[3].sync();
    let verified = team.seats[3].ok(&["verify", "v1"]);
    assert_eq!(
        verified["refs"]["shown"][0]["backing"], "backed",
        "{verified}"
    );
    assert_eq!(verified["refs"]["shown"][0]["landed"], 2);
}

#[test]
fn work_that_has_not_landed_is_told_and_is_no_violation() {
    let team = Team::new(&["alice", "bob", "carol", "dave"]);
    let alice = &team.seats[0];
    alice.sync();
    alice.ok(&["verify"]);
    alice.no(7, "VERIFICATION_FAILED", &["verify", "--backed"]);
    team.decide("first");
    alice.ok(&["verify", "--backed"]);
    alice.git(&["fetch", "-q"]);
    alice.git(&["branch", "-q", "-f", "main", "origin/main"]);
    alice.git(&["checkout", "-q", "main"]);
    assert_eq!(alice.verify()["violations"]["shown"], json!([]));
    alice.commit("f", "not decided yet");
    let verified = alice.verify();
    let here = verified["refs"]["shown"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["place"] == "here")
        .unwrap();
    assert_eq!(here["backing"], "not-backed", "it is told");
    alice.no(7, "VERIFICATION_FAILED", &["verify", "main"]);
    alice.no(
        7,
        "VERIFICATION_FAILED",
        &["verify", "main", "--at", "HEAD"],
    );
    alice.ok(&["verify", "main", "--at", "origin/main"]);
}
