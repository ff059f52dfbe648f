//! Agreement, validity and evidence in one slot: with all rules nothing is violated, and without any one of them
//! something is.

use git_quorum::charter::Threshold;
use git_quorum::mutation::Mutation;

use crate::long;
use crate::reduced::{Setup, Violation, Vote, Way, search};
use crate::table::Phase;

/// Searches it to the end and expects nothing.
fn holds(what: &str, setup: &Setup) {
    let found = search(setup);
    println!("{what}: {found}");
    assert!(found.violation.is_none(), "{what}: {found}");
    assert!(found.whole, "{what}: cut short");
}

/// Searches until something is violated, and expects that.
fn breaks(mutation: Mutation, setup: &Setup, expected: Violation) {
    let active = mutation.activate();
    let found = search(&Setup {
        seek: Some(expected),
        ..setup.clone()
    });
    println!("without {mutation:?}, n = {}: {found}", setup.n);
    assert_eq!(
        found.violation.map(|(what, _)| what),
        Some(expected),
        "without {mutation:?}"
    );
    drop(active);
}

fn eager(n: usize, liars: usize, rivals: usize, rounds: usize) -> Setup {
    Setup::new(n, liars, rivals, rounds)
}

/// A round of prevotes for these rivals, by member, and of precommits, by member and rival.
fn round(round: usize, prevotes: &[usize], precommits: &[(usize, usize)]) -> Vec<Vote> {
    let prevotes = prevotes
        .iter()
        .enumerate()
        .map(|(member, rival)| (member, Phase::Prevote, *rival));
    let precommits = precommits
        .iter()
        .map(|(member, rival)| (*member, Phase::Precommit, *rival));
    prevotes
        .chain(precommits)
        .map(|(member, phase, rival)| Vote {
            member,
            phase,
            rival,
            round,
        })
        .collect()
}

/// In the short form a search for what only four rounds show begins after these two; in the long form it has no hint.
fn after(first: &[Vec<Vote>], setup: Setup) -> Setup {
    Setup {
        first: if long() { vec![] } else { first.concat() },
        ..setup
    }
}

#[test]
fn nothing_is_violated() {
    for rivals in [2, 3] {
        holds(
            &format!("n = 4, {rivals} rivals, 2 rounds"),
            &eager(4, 1, rivals, 2),
        );
    }
    holds(
        "n = 4, votes at any time",
        &Setup {
            way: Way::Free,
            ..eager(4, 1, 2, 1)
        },
    );
    holds("n = 5, 2 rivals, 2 rounds", &eager(5, 1, 2, 2));
}

#[test]
fn a_proposal_without_a_quorum_of_approvals_is_not_decided() {
    for n in [4, 5] {
        let q = Threshold::of(n).q;
        let approvals = [(0, q - 2)].into();
        holds(
            &format!("n = {n}, one approval too few"),
            &Setup {
                approvals,
                ..eager(n, 1, 2, 2)
            },
        );
    }
}

#[test]
fn without_the_lock() {
    breaks(Mutation::Lock, &eager(4, 1, 2, 2), Violation::TwoDecisions);
}

#[test]
fn with_locks_that_give_way_to_older_prevotes() {
    breaks(
        Mutation::UnlockByLater,
        &eager(4, 1, 2, 3),
        Violation::TwoDecisions,
    );
}

#[test]
fn with_locks_that_give_way_to_fewer_prevotes() {
    breaks(
        Mutation::UnlockByQuorum,
        &eager(4, 1, 2, 3),
        Violation::TwoDecisions,
    );
}

#[test]
fn with_locks_that_give_way_to_prevotes_of_several_rounds() {
    let first = [
        round(0, &[0, 0, 0], &[(0, 0)]),
        round(1, &[0, 0, 1], &[(0, 0), (2, 0)]),
    ];
    breaks(
        Mutation::UnlockByOneRound,
        &after(&first, eager(4, 1, 2, 4)),
        Violation::TwoDecisions,
    );
}

#[test]
fn with_several_votes_a_round() {
    breaks(
        Mutation::OneVoteARound,
        &Setup {
            way: Way::Steps,
            ..eager(4, 1, 2, 1)
        },
        Violation::TwoDecisions,
    );
}

#[test]
fn without_approvals() {
    let approvals = [(0, 1)].into();
    breaks(
        Mutation::Approvals,
        &Setup {
            approvals,
            ..eager(4, 1, 2, 1)
        },
        Violation::Unapproved,
    );
}

#[test]
fn with_precommits_of_what_no_quorum_prevoted() {
    breaks(
        Mutation::PrevoteQuorum,
        &eager(4, 1, 2, 2),
        Violation::TwoDecisions,
    );
}

#[test]
fn with_rounds_that_go_back() {
    breaks(
        Mutation::MonotoneRounds,
        &Setup {
            way: Way::Free,
            ..eager(4, 1, 2, 2)
        },
        Violation::TwoDecisions,
    );
}

#[test]
fn with_a_quorum_one_lower() {
    breaks(
        Mutation::Quorum,
        &eager(4, 1, 2, 1),
        Violation::TwoDecisions,
    );
}

#[test]
fn with_a_quorum_of_2f_and_1() {
    for (n, liars) in [(5, 1), (6, 1), (8, 2)] {
        breaks(
            Mutation::QuorumOfAll,
            &eager(n, liars, 2, 1),
            Violation::TwoDecisions,
        );
    }
}

#[test]
fn with_precommits_of_several_rounds_counted_together() {
    let first = [
        round(0, &[0, 0, 0], &[(0, 0)]),
        round(1, &[0, 1, 1], &[(0, 1)]),
    ];
    breaks(
        Mutation::PrecommitsOfOneRound,
        &after(&first, eager(4, 1, 2, 4)),
        Violation::TwoDecisions,
    );
}

#[test]
fn without_the_round_in_the_statement() {
    breaks(
        Mutation::RoundInStatement,
        &eager(4, 1, 2, 2),
        Violation::FalseCertificate,
    );
}

/// What folds alike lets the same votes count; so the larger searches may fold.
#[test]
fn the_fold_forgets_nothing() {
    let rounds = |long_form| if long() { long_form } else { 2 };
    for (way, rounds) in [(Way::Eager, rounds(4)), (Way::Steps, rounds(3))] {
        let setup = Setup {
            way,
            check_fold: true,
            ..eager(4, 1, 2, rounds)
        };
        holds(
            &format!("n = 4, 2 rivals, {rounds} rounds, {way:?}, fold compared"),
            &setup,
        );
    }
}

/// Liars, rivals, rounds, the way, and whether rounds behind are folded.
const LONG: [(usize, usize, usize, usize, Way, bool); 10] = [
    (4, 1, 2, 2, Way::Free, false),
    (4, 1, 2, 3, Way::Turns, false),
    (4, 1, 3, 4, Way::Eager, true),
    (5, 1, 2, 4, Way::Eager, true),
    (6, 1, 2, 3, Way::Eager, true),
    (7, 2, 2, 3, Way::Eager, true),
    (4, 1, 3, 3, Way::Eager, false),
    (5, 1, 3, 3, Way::Eager, true),
    (7, 2, 2, 4, Way::Eager, true),
    (7, 2, 3, 3, Way::Eager, true),
];

#[test]
fn the_long_form() {
    if !long() {
        return;
    }
    for (n, liars, rivals, rounds, way, folded) in LONG {
        let folds = if folded { ", folded" } else { "" };
        let what =
            format!("n = {n}, {liars} liar(s), {rivals} rivals, {rounds} rounds, {way:?}{folds}");
        holds(
            &what,
            &Setup {
                way,
                folded,
                ..eager(n, liars, rivals, rounds)
            },
        );
    }
}
