//! The rules of deciding, one test a rule: kept, and broken.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "common/lab.rs"]
mod lab;

use lab::*;

#[test]
fn a_proposal_without_rival_is_decided_by_three_of_four() {
    let mut lab = Lab::new(&["a", "b", "c", "d"]);
    let genesis = lab.ledger;
    let p = lab.say("a", vec![propose(genesis, 1)]);
    lab.say("a", vec![approve(p), prevote(p, 0)]);
    lab.say("b", vec![approve(p), prevote(p, 0)]);
    lab.say("c", vec![approve(p), prevote(p, 0)]);
    for member in ["c", "a"] {
        let vote = lab.precommit(member, genesis, p, 0);
        lab.say(member, vec![vote]);
        assert!(!lab.tally.is_decided(p));
    }
    let vote = lab.precommit("b", genesis, p, 0);
    let last = lab.say("b", vec![vote]);
    assert_eq!(lab.verdicts(last), [None]);
    assert!(lab.tally.is_decided(p));
    assert_eq!(lab.tally.decision(p).unwrap().precommits.len(), 3);
    assert!(lab.tally.discounted().is_empty() && lab.tally.evidence().is_empty());
}
