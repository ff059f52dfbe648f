//! Agreement across charters: with freeze and hand-over it holds, and not without either.

use std::collections::BTreeSet;

use git_quorum::mutation::Mutation;

use crate::charters::{Outcome, Stage, search, walk};
use crate::lab::name;
use crate::long;
use crate::reduced::Violation;
use crate::rng::cases;

fn stage(honest: &[usize], liars: &[usize], rounds: usize) -> Stage {
    Stage {
        honest: honest.to_vec(),
        liars: liars.to_vec(),
        leaked: vec![],
        rounds,
    }
}

/// Searches it to the end, or the first so many ledgers, and expects nothing.
fn holds(what: &str, stages: &[Stage], most: usize) {
    let found = search(stages, 2, true, None, most);
    println!("{what}: {found}");
    assert!(found.violation.is_none(), "{what}: {found}");
    assert!(found.whole || most < usize::MAX);
    assert_eq!(
        found.decided.len(),
        stages.len(),
        "{what}: something is decided under each charter"
    );
}

/// Without the rule something is found, and with it the same search finds nothing: here in twice as many ledgers, and
/// in the long form of these charters to the end.
fn breaks(mutation: Mutation, votes_first: bool, stages: &[Stage]) {
    let seek = Some(Violation::TwoDecisions);
    let active = mutation.activate();
    let found = search(stages, 2, votes_first, seek, usize::MAX);
    println!("without {mutation:?}: {found}");
    assert!(found.violation.is_some(), "without {mutation:?}: {found}");
    drop(active);
    let with = search(stages, 2, votes_first, seek, 2 * found.ledgers);
    println!("with {mutation:?}: {with}");
    assert!(with.violation.is_none(), "with {mutation:?}: {with}");
}

/// Walks so many ways through it, and expects nothing.
fn walks(what: &str, stages: &[Stage], count: u64) {
    let mut all = Outcome {
        whole: true,
        ..Outcome::default()
    };
    for seed in 0..count {
        let found = walk(stages, 2, seed);
        assert!(found.violation.is_none(), "{what}, seed {seed}: {found}");
        all.ledgers += found.ledgers;
        all.judged += found.judged;
        all.time += found.time;
        for (stage, decided) in found.decided {
            *all.decided.entry(stage).or_default() += decided;
        }
    }
    println!("{what}, {count} walks: {all}");
    assert_eq!(
        all.decided.len(),
        stages.len(),
        "{what}: something is decided under each charter"
    );
}

/// Members a to c are honest, d lies; e and f come.
fn old() -> Stage {
    stage(&[0, 1, 2], &[3], 1)
}

fn one_is_added() -> [Stage; 2] {
    [old(), stage(&[0, 1, 2, 4], &[3], 1)]
}

fn two_are_replaced() -> [Stage; 2] {
    [old(), stage(&[2, 4, 5], &[3], 1)]
}

fn two_in_a_row() -> [Stage; 3] {
    [
        old(),
        stage(&[0, 1, 2, 4], &[3], 1),
        stage(&[1, 2, 4, 5], &[3], 1),
    ]
}

fn two_rounds_each() -> [Stage; 2] {
    one_is_added().map(|stage| Stage { rounds: 2, ..stage })
}

#[test]
fn a_member_is_added() {
    holds(
        "one more",
        &one_is_added(),
        if long() { usize::MAX } else { 400 },
    );
}

/// These are too large to be searched whole: the first ledgers, in the order of the search, and walks through all.
#[test]
fn two_in_a_row_and_two_rounds() {
    if long() {
        let count = cases("MODEL_WALKS", 2000);
        walks("two changes in a row", &two_in_a_row(), count);
        walks("two rounds under each charter", &two_rounds_each(), count);
        holds("two changes in a row", &two_in_a_row(), 100_000);
        holds("two rounds under each charter", &two_rounds_each(), 200_000);
    }
}

/// Walks find what is to be found; the short form begins at the one that does.
#[test]
fn walks_without_the_hand_over() {
    let active = Mutation::HandOver.activate();
    let seed = broken_by_a_walk(&two_in_a_row(), if long() { 0 } else { 2538 });
    drop(active);
    println!("without HandOver: walk {seed}");
    assert!(walk(&two_in_a_row(), 2, seed).violation.is_none());
}

/// The first seed, from this one on, whose walk ends with a violation.
fn broken_by_a_walk(stages: &[Stage], from: u64) -> u64 {
    let broken = |seed: &u64| walk(stages, 2, *seed).violation.is_some();
    (from..from + 10_000)
        .find(broken)
        .expect("no walk ends with a violation")
}

#[test]
fn the_long_form() {
    if !long() {
        return;
    }
    holds(
        "the liar is removed",
        &[old(), stage(&[0, 1, 2], &[], 1)],
        usize::MAX,
    );
    holds(
        "an honest member is removed",
        &[old(), stage(&[1, 2, 4], &[3], 1)],
        usize::MAX,
    );
    holds(
        "the liar is replaced by a liar",
        &[old(), stage(&[0, 1, 2], &[4], 1)],
        usize::MAX,
    );
    holds("two are replaced", &two_are_replaced(), usize::MAX);
}

#[test]
fn without_the_hand_over() {
    breaks(Mutation::HandOver, true, &one_is_added());
}

#[test]
fn without_the_freeze() {
    breaks(Mutation::Freeze, false, &two_are_replaced());
}

/// All of four are honest; `a` is replaced by a liar, and then its key leaks: f keys of each charter are in wrong hands.
fn one_leaks() -> [Stage; 2] {
    [
        Stage {
            leaked: vec![0],
            ..stage(&[0, 1, 2, 3], &[], 1)
        },
        stage(&[1, 2, 3], &[4], 1),
    ]
}

#[test]
fn a_removed_key_that_leaks_alone_breaks_nothing() {
    holds(
        "a removed key leaks",
        &one_leaks(),
        if long() { 20_000 } else { 200 },
    );
    if long() {
        walks(
            "a removed key leaks",
            &one_leaks(),
            cases("MODEL_WALKS", 4000),
        );
    }
}

/// Beside the liar this is one key too many for that charter: two quorums need not share an honest member any more, which
/// freeze and hand-over could hold fast. What there is then is evidence, against the owners of these keys, and no others.
#[test]
fn a_removed_key_that_leaks_beside_a_liar_breaks_agreement_and_is_named() {
    let stages = [
        Stage {
            leaked: vec![0],
            ..old()
        },
        stage(&[1, 2, 4], &[3], 1),
    ];
    let seed = broken_by_a_walk(&stages, if long() { 0 } else { 398 });
    let found = walk(&stages, 2, seed);
    println!("a removed key leaks beside a liar, walk {seed}: {found}");
    assert_eq!(
        found.violation.map(|(what, _)| what),
        Some(Violation::TwoDecisions)
    );
    assert_eq!(found.convicted, BTreeSet::from([name("a"), name("d")]));
    let most = if long() { usize::MAX } else { 100 };
    let honest = search(&stages, 2, true, Some(Violation::HonestConvicted), most);
    println!("a removed key leaks beside a liar, who is named: {honest}");
    assert!(honest.violation.is_none(), "{honest}");
}
