//! The simulator sees what it is there to see: with a rule taken away, or without sign states, it finds a broken
//! promise within so many seeds.

use git_quorum::lifted::Rule;

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

/// Rules, the seeds that show what they are for, and what is broken there without them.
const WITHOUT: [(Rule, std::ops::Range<u64>, &str); 5] = [
    (Rule::Lock, 50..80, "no honest conviction"),
    (Rule::UnlockByLater, 50..80, "no honest conviction"),
    (Rule::UnlockByQuorum, 50..80, "no honest conviction"),
    (Rule::UnlockByOneRound, 50..80, "no honest conviction"),
    (Rule::Approvals, 1800..1830, "validity"),
];

#[test]
fn without_a_rule_a_promise_is_broken() {
    for (rule, seeds, promise) in WITHOUT {
        let _lifted = rule.lift();
        let found = first_broken(seeds, Plan::draw);
        let found = found.unwrap_or_else(|| panic!("without {rule:?} nothing is broken"));
        assert_eq!(found.1.promise, promise, "{rule:?}: {found:?}");
    }
}

/// A tool that does not remember what it has signed is convicted as soon as its clone is lost.
#[test]
fn without_sign_states_honest_members_are_convicted() {
    let found = first_broken(0..20, |seed| Plan {
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
        Rule::Lock,
        Rule::OneVoteARound,
        Rule::PrecommitsOfOneRound,
        Rule::Telling,
        Rule::Guide,
        Rule::TwoPatiences,
        Rule::Freeze,
        Rule::HandOver,
        Rule::Entering,
        Rule::MonotoneRounds,
        Rule::UnlockByLater,
        Rule::UnlockByQuorum,
        Rule::UnlockByOneRound,
        Rule::Approvals,
        Rule::PrevoteQuorum,
    ];
    for rule in all {
        let _lifted = rule.lift();
        println!(
            "{rule:?}: {:?}",
            first_broken(0..cases("SIMULATOR_CONTROLS", 1000), Plan::draw)
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
