//! Checks that the simulator finds faults: without a rule or without sign states, it finds a broken
//! promise within a few seeds.

use git_quorum::mutation::Mutation;

use crate::plan::Plan;
use crate::rng::cases;
use crate::timeline::{Violation, World};

/// The first of these seeds at which a promise is broken.
fn first_broken(
    seeds: std::ops::Range<u64>,
    plan: impl Fn(u64) -> Plan,
) -> Option<(u64, Violation)> {
    seeds
        .into_iter()
        .find_map(|seed| Some(seed).zip(World::new(plan(seed)).run().err()))
}

/// Mutations, the seeds that show what each rule is for, and the promise that breaks without it.
const WITHOUT: [(Mutation, std::ops::Range<u64>, &str); 5] = [
    (Mutation::Lock, 230..260, "no honest conviction"),
    (Mutation::UnlockByLater, 460..490, "no honest conviction"),
    (Mutation::UnlockByQuorum, 1780..1810, "no honest conviction"),
    (Mutation::UnlockByOneRound, 460..490, "no honest conviction"),
    (Mutation::Approvals, 1800..1830, "validity"),
];

#[test]
fn without_a_rule_a_promise_is_broken() {
    for (mutation, seeds, promise) in WITHOUT {
        let _active = mutation.activate();
        let found = first_broken(seeds, Plan::draw);
        let found = found.unwrap_or_else(|| panic!("without {mutation:?} nothing is broken"));
        assert_eq!(found.1.promise, promise, "{mutation:?}: {found:?}");
    }
}

/// A tool that does not remember what it has signed is convicted as soon as its clone is lost.
#[test]
fn without_sign_states_honest_members_are_convicted() {
    let found = first_broken(60..90, |seed| Plan {
        remember: false,
        ..Plan::draw(seed)
    });
    let (_, violation) = found.unwrap_or_else(|| panic!("nothing is broken"));
    assert_eq!(violation.promise, "no honest conviction", "{violation:?}");
}

/// Finds the seeds for the table above: `SIMULATOR_CONTROLS=20000 cargo test … look_for_seeds -- --ignored`.
#[test]
#[ignore = "a search"]
fn look_for_seeds() {
    let all = [
        Mutation::Lock,
        Mutation::OneVoteARound,
        Mutation::PrecommitsOfOneRound,
        Mutation::Telling,
        Mutation::Guide,
        Mutation::TwoPatiences,
        Mutation::Freeze,
        Mutation::HandOver,
        Mutation::Entering,
        Mutation::MonotoneRounds,
        Mutation::UnlockByLater,
        Mutation::UnlockByQuorum,
        Mutation::UnlockByOneRound,
        Mutation::Approvals,
        Mutation::PrevoteQuorum,
    ];
    // SIMULATOR_MUTATION names the only rule to look at, and SIMULATOR_START the first seed.
    let chosen = std::env::var("SIMULATOR_MUTATION").ok();
    let is_chosen = |m: &Mutation| chosen.as_ref().is_none_or(|name| *name == format!("{m:?}"));
    let first = cases("SIMULATOR_START", 0);
    for mutation in all.into_iter().filter(is_chosen) {
        let _active = mutation.activate();
        println!(
            "{mutation:?}: {:?}",
            first_broken(first..first + cases("SIMULATOR_CONTROLS", 1000), Plan::draw)
        );
    }
    let forgets = |seed| Plan {
        remember: false,
        ..Plan::draw(seed)
    };
    println!(
        "sign state: {:?}",
        first_broken(0..cases("SIMULATOR_CONTROLS", 1000), forgets)
    );
}
