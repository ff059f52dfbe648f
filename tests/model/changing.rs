//! Agreement across charters: with freeze and hand-over it holds, and not without either.

use git_quorum::lifted::Rule;

use crate::charters::{Stage, search};
use crate::long;
use crate::reduced::Violation;

fn stage(honest: &[usize], liars: &[usize], rounds: usize) -> Stage {
    Stage { honest: honest.to_vec(), liars: liars.to_vec(), rounds }
}

fn holds(what: &str, stages: &[Stage]) {
    let found = search(stages, 2, true, None, usize::MAX);
    println!("{what}: {found}");
    assert!(found.violation.is_none() && found.whole, "{what}: {found}");
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
    holds("one more", &[old(), stage(&[0, 1, 2, 4], &[3], 1)]);
}

#[test]
fn without_the_hand_over() {
    breaks(Rule::HandOver, true, &[old(), stage(&[0, 1, 2, 4], &[3], 1)]);
}

#[test]
fn without_the_freeze() {
    breaks(Rule::Freeze, false, &[old(), stage(&[2, 4, 5], &[3], 1)]);
}
