//! Agreement across charters: with freeze and hand-over it holds, and not without either.

use git_quorum::lifted::Rule;

use crate::charters::{Stage, search};
use crate::long;
use crate::reduced::Violation;

fn stage(honest: &[usize], liars: &[usize], rounds: usize) -> Stage {
    Stage { honest: honest.to_vec(), liars: liars.to_vec(), rounds }
}

/// Searches it to the end, or the first so many ledgers, and expects nothing.
fn holds(what: &str, stages: &[Stage], most: usize) {
    let found = search(stages, 2, true, None, most);
    println!("{what}: {found}");
    assert!(found.violation.is_none(), "{what}: {found}");
    assert!(found.whole || most < usize::MAX);
    assert_eq!(found.decided.len(), stages.len(), "{what}: something is decided under each charter");
}

fn breaks(rule: Rule, votes_first: bool, stages: &[Stage]) {
    let lifted = rule.lift();
    let found = search(stages, 2, votes_first, Some(Violation::TwoDecisions), usize::MAX);
    println!("without {rule:?}: {found}");
    assert!(found.violation.is_some(), "without {rule:?}: {found}");
    drop(lifted);
}

/// Members a to c are honest, d lies; e and f come.
fn old() -> Stage {
    stage(&[0, 1, 2], &[3], 1)
}

#[test]
fn a_member_is_added() {
    holds("one more", &[old(), stage(&[0, 1, 2, 4], &[3], 1)], if long() { usize::MAX } else { 400 });
}

#[test]
fn two_in_a_row_and_two_rounds() {
    if !long() {
        return;
    }
    let two = [old(), stage(&[0, 1, 2, 4], &[3], 1), stage(&[1, 2, 4, 5], &[3], 1)];
    holds("two changes in a row", &two, 100_000);
    holds("two rounds under each charter", &[Stage { rounds: 2, ..old() }, stage(&[0, 1, 2, 4], &[3], 2)], 200_000);
}

#[test]
fn the_long_form() {
    if !long() {
        return;
    }
    holds("the liar is removed", &[old(), stage(&[0, 1, 2], &[], 1)], usize::MAX);
    holds("an honest member is removed", &[old(), stage(&[1, 2, 4], &[3], 1)], usize::MAX);
    holds("the liar is replaced by a liar", &[old(), stage(&[0, 1, 2], &[4], 1)], usize::MAX);
    holds("two are replaced", &[old(), stage(&[2, 4, 5], &[3], 1)], usize::MAX);
}

#[test]
fn without_the_hand_over() {
    breaks(Rule::HandOver, true, &[old(), stage(&[0, 1, 2, 4], &[3], 1)]);
}

#[test]
fn without_the_freeze() {
    breaks(Rule::Freeze, false, &[old(), stage(&[2, 4, 5], &[3], 1)]);
}
