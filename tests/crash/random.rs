//! Kills a running command and every process that it started, at random times, again and again.

use std::time::Duration;

use crate::aftermath::{install, kill_after, remove_locks, settle};
use crate::harness::{FOUR, assert_no_evidence, assert_published, assert_sound};
use crate::rng::{Rng, cases};
use crate::world::Team;

/// Kills commands at times that the seed chooses. `GIT_QUORUM_KILLS` sets the number of kills, and
/// `GIT_QUORUM_KILLS_SEED` the seed.
#[test]
fn whenever_it_is_killed_nothing_is_lost_or_said_twice() {
    let seed = cases("GIT_QUORUM_KILLS_SEED", 1);
    println!("GIT_QUORUM_KILLS_SEED={seed}");
    let mut rng = Rng::new(seed);
    let team = Team::with_seats(&FOUR, 4);
    install(&team, &["--auto-land"]);
    team.patience("50ms");
    let mut proposal = team.seats[0].propose("first");
    for round in 0..cases("GIT_QUORUM_KILLS", 30) {
        let seat = rng.pick(&team.seats);
        let command: &[&str] = match rng.below(5) {
            0 => &["propose", "-m", "another"],
            1 => &["land"],
            2 => &["sync"],
            _ => &["review", &proposal, "--approve"],
        };
        if command[0] == "propose" {
            let file = format!("{round}");
            seat.git(&["fetch", "-q", "origin"]);
            seat.git(&["checkout", "-q", "--detach", "origin/main"]);
            seat.commit(&file, &file);
        }
        kill_after(&seat, command, Duration::from_millis(rng.below(250) as u64));
        settle(&team);
        remove_locks(&seat.dir);
        remove_locks(&team.server);
        assert_sound(&team);
        let known = seat.ok(&["sync"])["proposals"].clone();
        let open = known["shown"]
            .as_array()
            .unwrap()
            .iter()
            .find(|p| p["state"] == "open" || p["state"] == "approved");
        proposal = open.map_or(proposal, |p| p["id"].as_str().unwrap().to_owned());
    }
    let last = team.seats[0].propose("last");
    // The due votes may decide an older proposal instead.
    team.seats.iter().for_each(|seat| seat.approve_rival(&last));
    team.sync(4);
    for (seat, member) in team.seats.iter().zip(FOUR) {
        assert_published(&team, seat, member);
        assert_no_evidence(seat);
        seat.verify();
    }
    assert_sound(&team);
}
