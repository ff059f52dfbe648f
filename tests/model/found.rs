//! What the searches found, each as the least scenario that shows it.

use std::time::Duration;

use git_quorum::consensus::{Draft, DueVote, Patience, Slot, Subject, Timer, TimerEvent};
use git_quorum::id::EntryId;
use git_quorum::ledger::EntryIndex;

use crate::lab::{Lab, approve, name, prevote, propose};

/// `a` is locked on p in round 0. The others, who did not see what locked it, prevote q in round 1; so `a` precommits q
/// there, which rule 2 lets it. A prevote of q in round 1 would count too, as that precommit is its lock now; but with
/// its precommit of p it would be a lock violation (rule 7 (ii)), as no round between released it.
#[test]
fn who_precommitted_in_a_round_prevotes_there_no_more() {
    let mut lab = Lab::new(&["a", "b", "c", "d"]);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let q = lab.say("b", vec![propose(lab.ledger, 2)]);
    for member in ["a", "b", "c", "d"] {
        lab.say(member, vec![approve(p), approve(q)]);
    }
    let approved = lab.above_all("d");
    for member in ["b", "c"] {
        lab.say(member, vec![prevote(p, 0)]);
    }
    let hidden = lab.entry("d", lab.ledger, &approved, vec![prevote(p, 0)]);
    let shown = lab.above("a", &[lab.tip("b"), lab.tip("c"), hidden]);
    let lock = lab.precommit("a", lab.ledger, p, 0);
    lab.entry("a", lab.ledger, &shown, vec![prevote(p, 0), lock]);
    for member in ["b", "c", "d"] {
        lab.say(member, vec![prevote(q, 1)]);
    }
    let switch = lab.precommit("a", lab.ledger, q, 1);
    lab.say("a", vec![switch]);
    assert!(
        lab.tally.evidence().is_empty(),
        "so far nobody is convicted"
    );
    assert_eq!(due(&lab, "a", p), None);
    lab.say("a", vec![prevote(q, 1)]);
    assert_eq!(
        lab.tally.evidence().len(),
        1,
        "the vote counts, and convicts"
    );
}

/// What is due for a member that knows everything, has waited for a guide, and still has patience with round 1.
fn due(lab: &Lab, member: &str, of_slot: EntryId) -> Option<DueVote> {
    let slot: &Slot = &lab.tally.proposal(of_slot).unwrap().slot;
    assert!(matches!(slot.subject, Subject::Ref(_)));
    let parents: Vec<EntryIndex> = lab
        .above_all(member)
        .iter()
        .filter_map(|p| lab.tally.dag().find(*p))
        .collect();
    let draft = Draft::new(&lab.tally, &name(member), lab.ledger, &parents);
    let timer = |round, event| Timer {
        charter: lab.ledger,
        slot: slot.clone(),
        round,
        event,
    };
    let ran_out = [
        (timer(0, TimerEvent::Voted), Duration::from_secs(1)),
        (timer(1, TimerEvent::Entered), Duration::from_secs(1)),
    ]
    .into();
    draft
        .due(&Patience {
            unit: Duration::from_millis(1),
            elapsed: ran_out,
        })
        .vote
}
