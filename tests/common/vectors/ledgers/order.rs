//! Rule 4: the order of a member's own votes, its lock, and votes on separate branches.

use git_quorum::id::EntryId;

use super::story::{BROKEN, FOUR, KEPT, Named, Story, THREE, TWO};
use crate::lab::{approve, prevote};

pub fn vectors() -> Vec<Named> {
    let groups = [
        rounds_go_up(),
        one_proposal_a_round(),
        locks(),
        stubborn_locks(),
        several_locks(),
        separate_branches(),
    ];
    groups.into_iter().flatten().collect()
}

fn rounds_go_up() -> Vec<Named> {
    const RULE: &str = "4, no round back";
    let (mut story, p, _) = Story::with_rivals(&FOUR, TWO);
    story.support(&THREE, p);
    let mut back = story.clone();
    let vote = story.precommit("dave", p, 0);
    story.say("dave", vec![vote, prevote(p, 0), prevote(p, 1)]);
    let about = "dave votes in both phases of round 0, in either order, and then in round 1";
    let up = story.shows(RULE, KEPT, "", about);

    let vote = back.precommit("dave", p, 0);
    let said = vec![prevote(p, 1), prevote(p, 0), vote];
    back.say_in_vain(
        "dave",
        said,
        &[(1, "ROUND_WENT_BACK"), (2, "ROUND_WENT_BACK")],
    );
    vec![
        up,
        back.shows(
            RULE,
            BROKEN,
            "",
            "dave votes in round 1 and then in both phases of round 0",
        ),
    ]
}

fn one_proposal_a_round() -> Vec<Named> {
    const RULE: &str = "4, one proposal";
    let (mut story, p, q) = Story::with_rivals(&THREE, TWO);
    story.say("bob", vec![approve(p), approve(q)]);
    let mut second = story.clone();
    story.say("bob", vec![prevote(p, 0), prevote(p, 0)]);
    let parents = story.above_all("bob");
    let twins = [0, 1].map(|_| story.entry("bob", &parents, vec![prevote(p, 0)], &[]));
    story.entry("bob", &twins, vec![prevote(p, 0)], &[]);
    let vote = story.precommit("carol", p, 0);
    story.say_in_vain("carol", vec![vote], &[(0, "NO_PREVOTE_QUORUM")]);
    let about = "bob casts one vote again and again, on two branches too: no fault, and one voice";
    let again = story.shows(RULE, KEPT, "", about);

    let mut in_vain = second.clone();
    let both = second.say_in_vain(
        "bob",
        vec![prevote(p, 0), prevote(q, 0), prevote(p, 0)],
        &[(1, "SECOND_VOTE")],
    );
    second.expect_convicted("bob", "equivocation", p, [both, both]);
    let about =
        "bob prevotes P and then Q in one round; the second does not count, and he is convicted";
    let second = second.shows(RULE, BROKEN, "", about);

    in_vain.say_in_vain(
        "bob",
        vec![prevote(p, 1), prevote(q, 0)],
        &[(0, "ROUND_NOT_ENTERED")],
    );
    let about = "bob's vote in round 1 does not count, so it stands in no other's way";
    vec![again, second, in_vain.shows(RULE, KEPT, "in-vain", about)]
}

/// All members approve both rivals. Three prevote P in round 0 and alice precommits it. Then the
/// others prevote Q in round 1.
fn locked() -> (Story, EntryId, EntryId) {
    let (mut story, p, q) = Story::with_rivals(&FOUR, TWO);
    for (member, choice) in [("bob", p), ("carol", p), ("dave", q)] {
        story.say(member, vec![approve(p), approve(q), prevote(choice, 0)]);
    }
    story.say("alice", vec![approve(p), prevote(p, 0)]);
    story.precommits(&["alice"], p, 0);
    story.prevotes(&["bob", "carol", "dave"], q, 1);
    (story, p, q)
}

fn locks() -> Vec<Named> {
    const RULE: &str = "4, lock";
    let (mut story, p, q) = locked();
    let (mut against, mut faithful) = (story.clone(), story.clone());
    story.say("alice", vec![prevote(q, 2)]);
    let about = "alice precommits P in round 0 and prevotes Q in round 2: the quorum for Q in round 1 releases her";
    let released = story.shows(RULE, KEPT, "", about);

    faithful.say("alice", vec![prevote(p, 1), prevote(p, 2)]);
    let about =
        "alice precommits P in round 0 and goes on prevoting it, though Q has a quorum in round 1";
    let faithful = faithful.shows(RULE, KEPT, "faithful", about);

    let lock = against.tip("alice");
    let vote = against.say_in_vain("alice", vec![prevote(q, 1)], &[(0, "LOCKED")]);
    against.expect_convicted("alice", "lock-violation", p, [lock, vote]);
    let about = "alice precommits P in round 0 and prevotes Q in round 1: no quorum of a round between releases her";
    vec![
        released,
        faithful,
        against.shows(RULE, BROKEN, "", about),
        locked_against_own_prevote(RULE),
    ]
}

fn locked_against_own_prevote(rule: &'static str) -> Named {
    let (mut story, p, q) = Story::with_rivals(&THREE, TWO);
    story.say("alice", vec![approve(q), prevote(q, 0)]);
    story.support(&["bob", "carol"], p);
    let vote = story.precommit("alice", p, 0);
    story.say("alice", vec![vote, prevote(p, 1)]);
    let about = "alice prevotes Q in round 0 and precommits P there, which the others prevoted; her lock is P alone, and she prevotes it";
    story.shows(rule, KEPT, "own-prevote", about)
}

/// Two of three members are a quorum. Alice has precommitted P in round 0, with her own prevote and
/// the prevote of bob.
fn lock_of_three() -> (Story, EntryId, EntryId) {
    let (mut story, p, q) = Story::with_rivals(&THREE, TWO);
    for member in ["alice", "bob"] {
        story.say(member, vec![approve(p), approve(q), prevote(p, 0)]);
    }
    story.precommits(&["alice"], p, 0);
    (story, p, q)
}

fn stubborn_locks() -> Vec<Named> {
    const RULE: &str = "4, lock";
    let (mut story, p, q) = lock_of_three();
    let lock = story.tip("alice");
    story.prevotes(&["bob"], q, 1);
    story.say("alice", vec![prevote(p, 1), prevote(p, 2)]);
    story.prevotes(&["carol"], q, 2);
    let vote = story.say_in_vain("alice", vec![prevote(q, 3)], &[(0, "LOCKED")]);
    story.expect_convicted("alice", "lock-violation", p, [lock, vote]);
    let about = "two of three prevote Q after alice's lock, one in round 1 and one in round 2: no quorum of one round releases her";
    let gathered = story.shows(RULE, BROKEN, "gathered", about);

    let (mut story, p, q) = lock_of_three();
    let lock = story.tip("alice");
    story.prevotes(&["bob", "carol"], p, 1);
    let vote = story.say_in_vain("alice", vec![prevote(q, 2)], &[(0, "LOCKED")]);
    story.expect_convicted("alice", "lock-violation", p, [lock, vote]);
    let about = "a quorum for P in round 1 does not release alice to prevote Q in round 2";
    let same = story.shows(RULE, BROKEN, "quorum-for-the-lock", about);

    let (mut story, p, q) = Story::with_rivals(&THREE, TWO);
    story.say("alice", vec![approve(p), approve(q), prevote(p, 0)]);
    story.say("bob", vec![approve(q), prevote(q, 0)]);
    let parents = story.above_all("carol");
    let branches = [p, q].map(|choice| {
        story.entry(
            "carol",
            &parents,
            vec![approve(choice), prevote(choice, 0)],
            &[],
        )
    });
    let own = story.tip("alice");
    let vote = story.precommit("alice", p, 0);
    let lock = story.entry("alice", &[own, branches[0]], vec![vote], &[]);
    let vote = story.say_in_vain("alice", vec![prevote(q, 1)], &[(0, "LOCKED")]);
    story.expect_convicted("alice", "lock-violation", p, [lock, vote]);
    story.expect_convicted("carol", "equivocation", p, branches);
    let about = "carol prevotes both, so both have a quorum in round 0; a quorum of the lock's own round does not release alice";
    vec![
        gathered,
        same,
        story.shows(RULE, BROKEN, "own-round", about),
    ]
}

/// Two of three members are a quorum. Carol prevotes and precommits both rivals in round 0, on two
/// branches that she joins.
fn two_locks() -> (Story, [EntryId; 2], [EntryId; 2]) {
    let (mut story, p, q) = Story::with_rivals(&THREE, TWO);
    story.say("alice", vec![approve(p), approve(q), prevote(p, 0)]);
    story.say("bob", vec![approve(p), approve(q), prevote(q, 0)]);
    let parents = story.above_all("carol");
    let branches = [p, q].map(|choice| {
        let vote = story.precommit("carol", choice, 0);
        story.entry("carol", &parents, vec![prevote(choice, 0), vote], &[])
    });
    story.expect_convicted("carol", "equivocation", p, branches);
    story.entry("carol", &branches, vec![], &[]);
    (story, [p, q], branches)
}

fn several_locks() -> Vec<Named> {
    const RULE: &str = "4, several locks";
    let (mut story, [p, q], locks) = two_locks();
    let mut bound = story.clone();
    story.prevotes(&["alice", "bob"], p, 1);
    story.say("carol", vec![prevote(p, 2)]);
    let about = "carol precommitted both rivals on two branches; a quorum for P in round 1 releases her to prevote it in round 2";
    let released = story.shows(RULE, KEPT, "", about);

    let refused = [(0, "LOCKED"), (1, "LOCKED")];
    let joined = bound.say_in_vain("carol", vec![prevote(p, 1), prevote(q, 1)], &refused);
    bound.expect_convicted("carol", "equivocation", p, [joined, joined]);
    bound.expect_convicted("carol", "lock-violation", p, [locks[1], joined]);
    bound.expect_convicted("carol", "lock-violation", p, [locks[0], joined]);
    let about = "carol precommitted both rivals on two branches; each binds her, so she may prevote neither in round 1";
    vec![released, bound.shows(RULE, BROKEN, "", about)]
}

fn separate_branches() -> Vec<Named> {
    const RULE: &str = "4, separate branches";
    let (mut story, p, q) = Story::with_rivals(&THREE, TWO);
    story.say("alice", vec![approve(p), prevote(p, 0)]);
    story.say("bob", vec![approve(q), prevote(q, 0)]);
    let mut joined = story.clone();
    let parents = story.above_all("carol");
    let branches = [p, q].map(|choice| {
        story.entry(
            "carol",
            &parents,
            vec![approve(choice), prevote(choice, 0)],
            &[],
        )
    });
    story.expect_convicted("carol", "equivocation", p, branches);
    story.precommits(&["alice"], p, 0);
    story.precommits(&["bob"], q, 0);
    let about = "carol prevotes P and Q on separate branches: each is half of a quorum, so that alice precommits P and bob Q";
    let each = story.shows(RULE, KEPT, "", about);

    let first = joined.say("carol", vec![approve(p), approve(q), prevote(p, 0)]);
    let second = joined.say_in_vain("carol", vec![prevote(q, 0)], &[(0, "SECOND_VOTE")]);
    joined.expect_convicted("carol", "equivocation", p, [first, second]);
    let vote = joined.precommit("bob", q, 0);
    joined.say_in_vain("bob", vec![vote], &[(0, "NO_PREVOTE_QUORUM")]);
    let about = "carol's prevote for Q knows the one for P: it does not count, and Q has no quorum";
    vec![each, joined.shows(RULE, BROKEN, "", about)]
}
