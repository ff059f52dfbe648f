//! Tests many writers at once: none waits for another or fails because of another.

use crate::world::Team;

const WRITERS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const ENTRIES: usize = 25;

#[test]
fn eight_processes_push_two_hundred_entries_and_none_is_retried() {
    let team = Team::new(&WRITERS);
    let proposal = team.seats[0].ok(&["propose", "-m", "x", "--delete", "--no-approve"]);
    let proposal = crate::world::id(&proposal);
    team.sync(1);
    let (accepted, tried_so_far) = (team.world.accepted(&team.server), tried(&team));
    std::thread::scope(|scope| {
        for seat in &team.seats {
            let proposal = &proposal;
            scope.spawn(move || {
                for n in 0..ENTRIES {
                    let said = seat.ok(&["review", proposal, "--abstain", "-m", &n.to_string()]);
                    assert_eq!(said["entries"].as_array().unwrap().len(), 1);
                }
            });
        }
    });
    let all = WRITERS.len() * ENTRIES;
    assert_eq!(
        team.world.accepted(&team.server) - accepted,
        all,
        "one push for each entry"
    );
    assert_eq!(tried(&team) - tried_so_far, all, "and no push in vain");
    let loaded = team.world.load(&team.server);
    assert!(loaded.problems.is_empty());
    assert_eq!(loaded.tally.dag().entries().len(), all + 2);
    for member in WRITERS {
        assert_eq!(
            loaded.tally.dag().tips(&crate::lab::name(member)).len(),
            1,
            "no lane is forked"
        );
    }
    team.seats[7].sync();
    assert_eq!(team.seats[7].ok(&["status"])["entries"], all + 2);
}

fn tried(team: &Team) -> usize {
    team.seats.iter().map(|seat| seat.tried()).sum()
}

/// Processes of one member on one machine take turns, in one clone or in two.
#[test]
fn two_processes_of_one_clone_cannot_harm_the_lane() {
    let team = Team::with_seats(&["alice", "bob"], 1);
    let alice = &team.seats[0];
    let other = alice.elsewhere("other", &team.server, true);
    other.join("alice");
    let proposal = alice.propose("x");
    other.sync();
    std::thread::scope(|scope| {
        for process in 0..4 {
            let (proposal, seat) = (&proposal, if process < 3 { alice } else { &other });
            scope.spawn(move || {
                for n in 0..4 {
                    seat.ok(&[
                        "review",
                        proposal,
                        "--abstain",
                        "-m",
                        &format!("{process} {n}"),
                    ]);
                }
            });
        }
    });
    let loaded = team.world.load(&team.server);
    let tips = loaded.tally.dag().tips(&crate::lab::name("alice"));
    assert_eq!(tips.len(), 1, "one after the other, without a fork");
    assert_eq!(loaded.tally.dag().entry(tips[0]).seq, 2 + 16);
    alice.git(&["fsck", "--strict", "--no-dangling"]);
    team.assert_honest();
}
