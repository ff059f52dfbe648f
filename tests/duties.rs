//! What an honest member's tool owes the others (`ledger-spec/deciding.md`, section 5): told in single ledgers. That it
//! is enough is searched in `tests/model/going_on.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "common/lab.rs"]
mod lab;
#[path = "common/scenes.rs"]
mod scenes;

use std::time::Duration;

use git_quorum::charter::{Charter, Member};
use git_quorum::consensus::{Draft, Due, DueVote, Patience, Timer, TimerEvent, parents_for};
use git_quorum::id::EntryId;
use lab::*;
use scenes::{FIVE, FOUR, decide, precommits, prevotes, propose_charter};

const LONG: Patience = Patience {
    unit: Duration::from_secs(1),
    elapsed: std::collections::BTreeMap::new(),
};

/// What is due for the member by all there is.
fn due(lab: &Lab, member: &str, patience: &Patience) -> Due {
    let parents = parents_for(&lab.tally, &name(member));
    Draft::new(
        &lab.tally,
        &name(member),
        lab.tally.charter_in_force(),
        &parents,
    )
    .due(patience)
}

/// Three rivals that all four approve; a, b and d prevote one each, so none can win in round 0, and d's vote is known to c
/// alone, who goes on by it.
fn split(lab: &mut Lab) {
    let rivals = [1, 2, 3].map(|n| lab.say("a", vec![propose(lab.ledger, n)]));
    for member in FOUR {
        lab.say(member, rivals.map(approve).to_vec());
    }
    for (member, rival) in ["a", "b", "d"].into_iter().zip(rivals) {
        lab.say(member, vec![prevote(rival, 0)]);
    }
}

#[test]
fn who_goes_on_by_votes_that_others_miss_tells_of_them_once() {
    let mut lab = Lab::new(&FOUR);
    split(&mut lab);
    let first = due(&lab, "c", &LONG);
    assert!(
        first.tell && first.vote.is_none() && !first.waiting.is_empty(),
        "{first:?}"
    );
    lab.say("c", vec![]);
    assert!(!due(&lab, "c", &LONG).tell, "it is told");
}

#[test]
fn nobody_tells_what_entries_of_f_and_one_others_tell() {
    let mut lab = Lab::new(&FOUR);
    split(&mut lab);
    lab.say("d", vec![]);
    assert!(
        due(&lab, "c", &LONG).tell,
        "one other, and that may be a liar"
    );
    lab.say("b", vec![]);
    assert!(!due(&lab, "c", &LONG).tell, "two others");
}

/// b and c join by a charter that is decided; d proposes another one that never is, in which keys of its own have these names.
#[test]
fn entries_in_the_names_of_others_tell_of_nothing() {
    let mut lab = Lab::new(&["a", "d"]);
    let (stolen, plain) = (charter(&["a", "d"]), charter(&FOUR));
    let mut members = stolen.members().to_vec();
    members.insert(
        1,
        Member {
            key: public_key("thief"),
            ..voter("b")
        },
    );
    let stolen = Charter::new(
        members,
        plain.protected().to_vec(),
        vec![],
        stolen.rules().clone(),
    )
    .unwrap();
    let never = lab.say("d", vec![propose_charter(lab.ledger, stolen)]);
    let x = lab.say("a", vec![propose_charter(lab.ledger, plain)]);
    decide(&mut lab, &["a", "d"], x);
    split(&mut lab);
    let payload = lab.payload("b", never, &[lab.ledger, never, lab.tip("d")], vec![]);
    let made = lab.make_by(&payload, "thief");
    lab.take(made).unwrap();
    assert!(
        lab.tally.dag().tips(&name("b")).len() > 1,
        "the forged entry is there"
    );
    assert!(due(&lab, "c", &LONG).tell);
}

/// The charter lets `a` vote no more, which only `a` knows, by d's precommit: the others go on without it.
#[test]
fn who_votes_no_more_tells_of_the_decision_all_the_same() {
    let mut lab = Lab::new(&FOUR);
    let five = charter(&FIVE);
    let mut members = five.members().to_vec();
    members[0].vote = false;
    let next = Charter::new(
        members,
        five.protected().to_vec(),
        vec![],
        five.rules().clone(),
    )
    .unwrap();
    let x = lab.say("a", vec![propose_charter(lab.ledger, next)]);
    for member in FOUR {
        lab.say(member, vec![approve(x)]);
    }
    prevotes(&mut lab, &FOUR, x, 0);
    precommits(&mut lab, &["b", "c"], x, 0);
    let without_d = [lab.tip("b"), lab.tip("c")];
    precommits(&mut lab, &["d"], x, 0);
    assert_eq!(lab.tally.charter_in_force(), x);
    assert!(!due(&lab, "a", &LONG).tell, "nobody misses it yet");
    let parents = lab.above("b", &without_d);
    lab.entry("b", lab.ledger, &parents, vec![prevote(x, 1)]);
    assert!(due(&lab, "a", &LONG).tell);
}

/// P is handed down and gets a quorum under the new charter; then Q is handed down, by votes that were kept back. P is what
/// all prefer now, and nobody has approved it under the new charter: it can be voted for by its quorum.
#[test]
fn a_quorum_that_something_else_is_handed_down_beside_can_be_voted_for() {
    let mut lab = Lab::new(&["a", "b", "c"]);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let q = lab.say("c", vec![propose(lab.ledger, 2)]);
    for member in ["a", "b", "c"] {
        lab.say(member, vec![approve(p), approve(q)]);
    }
    prevotes(&mut lab, &["a", "b"], p, 0);
    prevotes(&mut lab, &["b"], q, 1);
    let first = lab.ledger;
    let open = [lab.tip("a"), lab.tip("b")];
    let before = lab.tip("c");
    let hidden = lab.entry("c", first, &lab.above_all("c"), vec![prevote(q, 1)]);
    assert_eq!(lab.verdicts(hidden), [None]);

    let next = charter(&["a", "b", "c", "d"]);
    let mut tips = open;
    let mut say = |lab: &mut Lab, who: usize, charter: EntryId, said: Vec<_>| {
        let parents = lab.above(["a", "b"][who], &[tips[1 - who]]);
        tips[who] = lab.entry(["a", "b"][who], charter, &parents, said);
        assert!(
            lab.verdicts(tips[who]).iter().all(Option::is_none),
            "{:?}",
            lab.verdicts(tips[who])
        );
        tips[who]
    };
    let x = say(&mut lab, 0, first, vec![propose_charter(first, next)]);
    for who in [0, 1] {
        say(&mut lab, who, first, vec![approve(x), prevote(x, 0)]);
    }
    for who in [0, 1] {
        let vote = lab.precommit(["a", "b"][who], first, x, 0);
        say(&mut lab, who, first, vec![vote]);
    }
    // Three of four are a quorum now, and c does not know what it holds back: it is a liar.
    for who in [0, 1] {
        say(&mut lab, who, x, vec![prevote(p, 0)]);
    }
    let fork = lab.entry("c", x, &[before, tips[0], tips[1]], vec![prevote(p, 0)]);
    assert_eq!(lab.verdicts(fork), [None]);

    let slot = lab.tally.proposal(p).unwrap().slot.clone();
    let gone = Timer {
        charter: x,
        slot,
        round: 1,
        event: TimerEvent::Entered,
    };
    let waited = Patience {
        unit: Duration::from_millis(1),
        elapsed: [(gone, Duration::from_secs(1))].into(),
    };
    assert_eq!(due(&lab, "a", &waited).vote, Some(DueVote::Prevote(p, 1)));
}
