//! Rule 4 (the order of a member's own votes, and its lock), rule 6 (the freeze) and rule 7 (what convicts).

use git_quorum::charter::ProposedCharter;
use git_quorum::id::EntryId;

use super::story::{FIVE, FOUR, Named, Story, THREE};
use crate::lab::{charter, prevote};

pub fn vectors() -> Vec<Named> {
    vec![lock_kept(), lock_broken(), freeze_kept(), freeze_broken(), equivocation_broken()]
}

/// Two rivals that all four approve.
pub fn rivals() -> (Story, EntryId, EntryId) {
    let mut story = Story::new(&FOUR);
    let genesis = story.genesis();
    let (p, q) = (story.propose("alice", genesis), story.propose("bob", genesis));
    story.approvals(&FOUR, &[p, q]);
    (story, p, q)
}

/// Three prevote P in round 0 and alice precommits it; then the others choose Q in round 1.
fn locked() -> (Story, EntryId, EntryId) {
    let (mut story, p, q) = rivals();
    story.prevotes(&THREE, p, 0);
    story.precommits(&["alice"], p, 0);
    story.prevotes(&["dave"], q, 0);
    story.prevotes(&["bob", "carol", "dave"], q, 1);
    (story, p, q)
}

fn lock_kept() -> Named {
    let (mut story, _, q) = locked();
    story.say("alice", vec![prevote(q, 2)]);
    let about = "alice precommits P in round 0 and prevotes Q in round 2: the quorum for Q in round 1 releases her";
    story.shows("4, lock", true, "", about)
}

fn lock_broken() -> Named {
    let (mut story, p, q) = locked();
    let lock = story.tip("alice");
    let against = story.say_in_vain("alice", vec![prevote(q, 1)], &[(0, "LOCKED")]);
    story.expect_convicted("alice", "lock-violation", p, [lock, against]);
    let about = "alice precommits P in round 0 and prevotes Q in round 1, which does not count and convicts her";
    story.shows("4, lock", false, "", about)
}

/// P has a prevote quorum, and all four have prevoted that erin joins.
fn changing() -> (Story, EntryId, EntryId) {
    let (mut story, p, _) = rivals();
    story.prevotes(&THREE, p, 0);
    let x = story.propose_charter("alice", ProposedCharter::Known(Box::new(charter(&FIVE))));
    story.support(&THREE, x);
    (story, p, x)
}

fn freeze_kept() -> Named {
    let (mut story, p, x) = changing();
    story.precommits(&["alice"], p, 0);
    story.precommits(&["alice"], x, 0);
    let about = "alice votes for P, then precommits the change of the charter, and votes no more";
    story.shows("6, freeze", true, "", about)
}

fn freeze_broken() -> Named {
    let (mut story, p, x) = changing();
    story.precommits(&["alice"], x, 0);
    let freeze = story.tip("alice");
    let vote = story.precommit("alice", p, 0);
    let after = story.say_in_vain("alice", vec![vote, prevote(p, 1)], &[(0, "FROZEN"), (1, "FROZEN")]);
    story.expect_convicted("alice", "freeze-violation", p, [freeze, after]);
    let about = "alice precommits the change of the charter and then votes for P, which does not count";
    story.shows("6, freeze", false, "", about)
}

fn equivocation_broken() -> Named {
    let (mut story, p, q) = rivals();
    let parents = story.above_all("dave");
    let both = [p, q].map(|v| story.entry("dave", &parents, vec![prevote(v, 0)], &[]));
    story.expect_convicted("dave", "equivocation", p, both);
    let about = "dave prevotes P and Q in round 0 on separate branches: both count, and convict him";
    story.shows("7, equivocation", false, "", about)
}
