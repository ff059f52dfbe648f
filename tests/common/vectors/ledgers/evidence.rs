//! Rule 7 and section 4 of `deciding.md`: what convicts a member, what a verifier reports, and that
//! more entries only add to it.

use git_quorum::id::EntryId;

use super::judgement::with_observer;
use super::story::{ALONE, BROKEN, FOUR, KEPT, Named, Story, THREE, TWO, known, protecting};
use crate::lab::{approve, charter, prevote};

pub fn vectors() -> Vec<Named> {
    let groups = [
        equivocations(),
        lock_violations(),
        freeze_violations(),
        votes_of_all_kinds(),
        no_verdict_changes(),
        charters_in_force(),
        all_decisions(),
        earliest_decisions(),
        broken_slots(),
        monotonicity(),
    ];
    groups.into_iter().flatten().collect()
}

fn equivocations() -> Vec<Named> {
    const RULE: &str = "7, equivocation";
    let (mut story, p, q) = Story::with_rivals(&THREE, ["alice"; 2]);
    let (mut branches, mut in_vain, mut blind) = (story.clone(), story.clone(), story.clone());
    story.support(&["alice"], q);
    story.say("carol", vec![approve(p), approve(q), prevote(p, 0)]);
    story.say("carol", vec![prevote(q, 1)]);
    let rounds = story.shows(
        RULE,
        KEPT,
        "",
        "carol, who is bound by no lock, prevotes P in round 0 and Q in round 1",
    );

    let parents = branches.above_all("carol");
    let votes =
        [p, q].map(|v| branches.entry("carol", &parents, vec![approve(v), prevote(v, 0)], &[]));
    branches.expect_convicted("carol", "equivocation", p, votes);
    let about =
        "carol prevotes P and Q in round 0 on separate branches: both count, and convict her";
    let branches = branches.shows(RULE, BROKEN, "", about);

    let refused = [(0, "NOT_APPROVED"), (1, "NOT_APPROVED")];
    let both = in_vain.say_in_vain("carol", vec![prevote(p, 0), prevote(q, 0)], &refused);
    in_vain.expect_convicted("carol", "equivocation", p, [both, both]);
    let about = "neither of carol's prevotes in round 0 counts; they convict her all the same";
    let in_vain = in_vain.shows(RULE, BROKEN, "in-vain", about);

    let refused = [(0, "UNKNOWN_PROPOSAL"), (1, "UNKNOWN_PROPOSAL")];
    let genesis = blind.genesis();
    blind.entry(
        "carol",
        &[genesis],
        vec![prevote(p, 0), prevote(q, 0)],
        &refused,
    );
    let about = "carol's prevotes are for proposals that they do not know: such votes are about no slot, and convict nobody";
    vec![
        rounds,
        branches,
        in_vain,
        blind.shows(RULE, KEPT, "unknown-proposals", about),
    ]
}

fn lock_violations() -> Vec<Named> {
    const RULE: &str = "7, lock violation";
    let (mut story, p, q) = Story::with_rivals(&THREE, ["alice"; 2]);
    story.say("alice", vec![approve(p), approve(q), prevote(q, 0)]);
    story.say("bob", vec![approve(p), approve(q), prevote(p, 0)]);
    let mut branches = story.clone();
    story.prevotes(&TWO, p, 1);
    story.precommits(&["alice"], p, 1);
    let about =
        "alice prevotes Q in round 0 and precommits P in round 1: the prevote was before the lock";
    let before = story.shows(RULE, KEPT, "", about);

    let own = branches.above_all("carol");
    branches.say("carol", vec![prevote(p, 0)]);
    branches.precommits(&["carol"], p, 0);
    let lock = branches.tip("carol");
    let vote = branches.entry("carol", &own, vec![prevote(q, 1)], &[]);
    branches.expect_convicted("carol", "lock-violation", p, [lock, vote]);
    let about = "carol precommits P in round 0, and on a branch that does not know it prevotes Q in round 1: both count, and convict her";
    let branches = branches.shows(RULE, BROKEN, "", about);
    [before, branches]
        .into_iter()
        .chain(relocked(RULE))
        .collect()
}

/// Alice precommits P in round 0. In round 1 she precommits Q, which the others prevote there.
fn relocked(rule: &'static str) -> [Named; 2] {
    let (mut story, p, q) = Story::with_rivals(&THREE, ["alice"; 2]);
    for (member, choice) in [("alice", p), ("bob", p), ("carol", q)] {
        story.say(member, vec![approve(p), approve(q), prevote(choice, 0)]);
    }
    story.precommits(&["alice"], p, 0);
    let lock = story.tip("alice");
    story.prevotes(&["bob", "carol"], q, 1);
    story.precommits(&["alice"], q, 1);
    let mut prevoted = story.clone();
    let about = "alice precommits P in round 0 and Q in round 1, where Q has a quorum: a precommit is bound by no lock, and is her lock by now";
    let by_precommit = story.shows(rule, KEPT, "relocked", about);

    let vote = prevoted.say("alice", vec![prevote(q, 1)]);
    prevoted.expect_convicted("alice", "lock-violation", p, [lock, vote]);
    let about = "alice precommits P in round 0, and Q in round 1; the prevote for Q in round 1 that follows counts, since Q is her lock by \
        now, but no quorum of a round between releases her from P";
    [
        by_precommit,
        prevoted.shows(rule, BROKEN, "relocked", about),
    ]
}

fn freeze_violations() -> Vec<Named> {
    const RULE: &str = "7, freeze violation";
    let mut story = Story::new(&THREE);
    let p = story.propose("alice", story.genesis());
    story.support(&["alice"], p);
    let x = story.propose_charter("bob", known(protecting(&THREE, &["refs/heads/*"])));
    story.support(&["bob"], x);
    let mut beside = story.clone();
    story.support(&["alice"], x);
    story.precommits(&TWO, x, 0);
    story.expect_decided(x, 0);
    story.expect_in_force(x);
    story.speak_under(x);
    story.support(&["alice"], p);
    let about =
        "alice votes for P before her precommit of the change, and again under the new charter";
    let known = story.shows(RULE, KEPT, "", about);

    let own = beside.tip("alice");
    beside.support(&["alice"], x);
    beside.precommits(&["alice"], x, 0);
    let freeze = beside.tip("alice");
    let vote = beside.entry("alice", &[own], vec![prevote(p, 0)], &[]);
    beside.expect_convicted("alice", "freeze-violation", p, [freeze, vote]);
    let about = "on a branch that her precommit of the change does not know, alice prevotes P: it counts there, and convicts her";
    vec![
        known,
        beside.shows(RULE, BROKEN, "", about),
        freeze_in_one_entry(RULE, KEPT),
        freeze_in_one_entry(RULE, BROKEN),
    ]
}

/// Alice precommits the change and prevotes P in one entry, with P first or the change first.
fn freeze_in_one_entry(rule: &'static str, kept: bool) -> Named {
    let mut story = Story::solo();
    let p = story.propose("alice", story.genesis());
    let x = story.propose_charter("alice", known(protecting(&ALONE, &["refs/heads/*"])));
    story.say("alice", vec![approve(p), approve(x), prevote(x, 0)]);
    let mut said = vec![prevote(p, 0), story.precommit("alice", x, 0)];
    let about = if kept {
        story.say("alice", said);
        "alice prevotes P and precommits the change in one entry, in this order"
    } else {
        said.reverse();
        let both = story.say_in_vain("alice", said, &[(1, "FROZEN")]);
        story.expect_convicted("alice", "freeze-violation", p, [both, both]);
        "alice precommits the change and prevotes P in one entry, in this order"
    };
    story.expect_decided(x, 0);
    story.expect_in_force(x);
    story.shows(rule, kept, "one-entry", about)
}

fn votes_of_all_kinds() -> Vec<Named> {
    const RULE: &str = "7, any vote";
    let mut story = with_observer();
    let genesis = story.genesis();
    let [p, q] = [(); 2].map(|()| story.propose("alice", genesis));
    let mut twice = story.clone();
    story.say_in_vain(
        "dave",
        vec![prevote(p, 0), prevote(p, 0)],
        &[(0, "NOT_A_VOTER"), (1, "NOT_A_VOTER")],
    );
    let once = story.shows(
        RULE,
        KEPT,
        "",
        "dave, who does not vote, prevotes one proposal twice, in vain",
    );

    let refused = [(0, "NOT_A_VOTER"), (1, "NOT_A_VOTER")];
    let both = twice.say_in_vain("dave", vec![prevote(p, 0), prevote(q, 0)], &refused);
    twice.expect_convicted("dave", "equivocation", p, [both, both]);
    let twice = twice.shows(
        RULE,
        BROKEN,
        "",
        "dave, who does not vote, prevotes both rivals in one round",
    );

    let (mut story, p, q) = Story::with_rivals(&THREE, ["alice"; 2]);
    let x = story.propose_charter("alice", known(charter(&FOUR)));
    story.speak_under(x);
    let refused = [(0, "CHARTER_NOT_DECIDED"), (1, "CHARTER_NOT_DECIDED")];
    story.say_in_vain("carol", vec![prevote(p, 0), prevote(q, 0)], &refused);
    let about = "carol prevotes both rivals in one round under a charter that is not decided, where her name could be anybody's";
    vec![
        once,
        twice,
        story.shows(RULE, KEPT, "undecided-charter", about),
    ]
}

fn no_verdict_changes() -> Vec<Named> {
    let (mut story, p, q) = Story::with_rivals(&FOUR, ["alice"; 2]);
    story.support(&["alice", "bob"], p);
    let parents = story.above_all("dave");
    let votes = [p, q].map(|v| story.entry("dave", &parents, vec![approve(v), prevote(v, 0)], &[]));
    story.expect_convicted("dave", "equivocation", p, votes);
    story.precommits(&["alice", "bob", "dave"], p, 0);
    story.expect_decided(p, 0);
    let about = "dave is convicted of two prevotes in one round; the votes of his that count go on counting, and decide P";
    vec![story.shows("7, no verdict", KEPT, "", about)]
}

fn charters_in_force() -> Vec<Named> {
    const RULE: &str = "section 4, charter in force";
    let wider = || known(protecting(&ALONE, &["refs/heads/*"]));
    let mut story = Story::solo();
    let x = story.propose_charter("alice", wider());
    let y = story.propose_charter("alice", known(charter(&ALONE)));
    let mut twice = story.clone();
    story.decide(&ALONE, x);
    story.expect_in_force(x);
    let once = story.shows(
        RULE,
        KEPT,
        "",
        "of two proposed charters one is decided, and is in force",
    );

    let votes = [x, y].map(|change| twice.decide_alone(&[y], change));
    twice.expect_broken(x);
    twice.expect_convicted("alice", "equivocation", x, votes);
    twice.speak_under(x);
    let p = twice.entry_proposing("alice", &[votes[0]], "refs/heads/dev", x);
    twice.decide_alone(&[p], p);
    let about = "alice decides two charters after the first, and P under one of them: all three decisions are reported, and the first \
        charter stays in force";
    vec![once, twice.shows(RULE, BROKEN, "", about)]
}

fn all_decisions() -> Vec<Named> {
    let mut story = Story::new(&TWO);
    let p = story.propose("alice", story.genesis());
    story.decide(&TWO, p);
    story.change_charter(&TWO, protecting(&TWO, &["refs/heads/dev"]));
    let about = "P was decided, then main was unprotected: the decision is reported all the same";
    vec![story.shows("section 4, every decision", KEPT, "", about)]
}

/// Alice is the only member, and has prevoted P in round 0.
fn prevoted() -> (Story, EntryId, EntryId) {
    let mut story = Story::solo();
    let p = story.propose("alice", story.genesis());
    let own = story.say("alice", vec![approve(p), prevote(p, 0)]);
    (story, p, own)
}

fn earliest_decisions() -> Vec<Named> {
    const RULE: &str = "section 4, earliest";
    let (mut story, p, own) = prevoted();
    let vote = story.precommit("alice", p, 1);
    story.entry("alice", &[own], vec![prevote(p, 1), vote], &[]);
    let vote = story.precommit("alice", p, 0);
    story.entry("alice", &[own], vec![vote], &[]);
    story.expect_decided(p, 0);
    let about = "P is decided in round 1 and, on another branch, in round 0, which is named";
    let round = story.shows(RULE, KEPT, "round", about);

    let (mut story, p, own) = prevoted();
    let x = story.entry_proposing_charter(
        "alice",
        &[own],
        known(protecting(&ALONE, &["refs/heads/*"])),
    );
    let freeze = story.decide_alone(&[x], x);
    story.speak_under(x);
    story.expect_in_force(x);
    let vote = story.precommit("alice", p, 0);
    story.entry("alice", &[freeze], vec![prevote(p, 0), vote], &[]);
    story.speak_under(story.genesis());
    let vote = story.precommit("alice", p, 0);
    let beside = story.entry("alice", &[own], vec![vote], &[]);
    story.expect_decided(p, 0);
    story.expect_convicted("alice", "freeze-violation", p, [freeze, beside]);
    let about = "P is decided under the second charter and, beside the change, under the first, which is named";
    vec![
        round,
        story.shows(RULE, KEPT, "charter", about),
        decided_under_rivals(RULE),
    ]
}

/// Alice is the only member. She decides two charters that both follow the first one, on separate
/// branches, and decides P under each.
fn decided_under_rivals(rule: &'static str) -> Named {
    let (mut story, p, own) = prevoted();
    let x = story.entry_proposing_charter(
        "alice",
        &[own],
        known(protecting(&ALONE, &["refs/heads/*"])),
    );
    let y =
        story.entry_proposing_charter("alice", &[x], known(protecting(&ALONE, &["refs/heads/m*"])));
    // The charter that is not named comes first, so that the order of arrival does not matter.
    let branches = [x.max(y), x.min(y)].map(|change| {
        let decided = story.decide_alone(&[y], change);
        story.speak_under(change);
        let vote = story.precommit("alice", p, 0);
        story.entry("alice", &[decided], vec![prevote(p, 0), vote], &[]);
        story.speak_under(story.genesis());
        decided
    });
    story.speak_under(x.min(y));
    story.expect_decided(p, 0);
    story.expect_broken(x);
    story.expect_convicted("alice", "equivocation", x, branches);
    let about = "P is decided under two rival charters that follow the first: the one of the lowest id is named";
    story.shows(rule, KEPT, "lowest id", about)
}

fn broken_slots() -> Vec<Named> {
    const RULE: &str = "section 4, broken slot";
    let mut story = Story::solo();
    let p = story.propose("alice", story.genesis());
    story.decide(&ALONE, p);
    story.change_charter(&ALONE, protecting(&ALONE, &["refs/heads/*"]));
    story.prevotes(&ALONE, p, 0);
    story.precommits(&ALONE, p, 0);
    let about = "P is decided under the first charter and again under the second: one decision, and nothing is broken";
    let one = story.shows(RULE, KEPT, "", about);

    let (mut story, p, q) = Story::with_rivals(&ALONE, ["alice"; 2]);
    let branches = [p, q].map(|rival| story.decide_alone(&[q], rival));
    story.expect_broken(p);
    story.expect_convicted("alice", "equivocation", p, branches);
    let mut abandoned = story.clone();
    let x = story.entry_proposing_charter(
        "alice",
        &branches,
        known(protecting(&ALONE, &["refs/heads/dev"])),
    );
    story.decide_alone(&[x], x);
    story.expect_in_force(x);
    let about =
        "alice decides P and Q for one slot; that is reported although main is no longer protected";
    let unprotected = story.shows(RULE, BROKEN, "", about);

    let next = abandoned.entry_proposing("alice", &[branches[0]], "refs/heads/main", p);
    let other = abandoned.entry_proposing("alice", &[next], "refs/heads/main", p);
    let branches = [next, other].map(|rival| abandoned.decide_alone(&[other], rival));
    abandoned.expect_broken(next);
    abandoned.expect_convicted("alice", "equivocation", next, branches);
    let about = "alice decides P and Q for one slot, where main's chain ends; and two more for the slot after P, which is broken too";
    let mut all = vec![
        one,
        unprotected,
        abandoned.shows(RULE, BROKEN, "abandoned", about),
    ];
    all.extend(broken_across_charters(RULE));
    all
}

/// Alice and bob decide Q in entries above this one.
fn decide_together(story: &mut Story, above: EntryId, q: EntryId) {
    let said = || vec![approve(q), prevote(q, 0)];
    let first = story.entry("alice", &[above], said(), &[]);
    let (parents, vote) = (story.above("bob", &[first]), story.precommit("bob", q, 0));
    let second = story.entry("bob", &parents, [said(), vec![vote]].concat(), &[]);
    let vote = story.precommit("alice", q, 0);
    story.entry("alice", &[first, second], vec![vote], &[]);
    story.expect_decided(q, 0);
}

/// P is decided where alice alone is a quorum, and Q where bob must agree. Section 5 of `faults.md`
/// asks for one culprit.
fn broken_across_charters(rule: &'static str) -> [Named; 2] {
    let together = || known(protecting(&TWO, &["refs/heads/main"]));
    let (mut story, p, q) = Story::with_rivals(&ALONE, ["alice"; 2]);
    let x = story.propose_charter("alice", together());
    let freeze = story.decide_alone(&[x], x);
    story.expect_in_force(x);
    let beside = story.decide_alone(&[x], p);
    story.speak_under(x);
    decide_together(&mut story, freeze, q);
    story.expect_broken(p);
    story.expect_convicted("alice", "freeze-violation", p, [freeze, beside]);
    let about = "alice decides P under the first charter, of which it alone is a quorum, and with bob Q under the next one";
    let later = story.shows(rule, BROKEN, "later charter", about);

    let (mut story, p, q) = Story::with_rivals(&ALONE, ["alice"; 2]);
    let x = story.propose_charter("alice", together());
    let y = story.propose_charter("alice", known(protecting(&ALONE, &["refs/heads/*"])));
    let branches = [x, y].map(|change| story.decide_alone(&[y], change));
    story.speak_under(x);
    decide_together(&mut story, branches[0], q);
    story.speak_under(y);
    story.decide_alone(&[branches[1]], p);
    story.expect_broken(x);
    story.expect_broken(p);
    story.expect_convicted("alice", "equivocation", x, branches);
    let about = "alice, alone, decides two charters after the first: P under one, and with bob Q under the other";
    [later, story.shows(rule, BROKEN, "rival charters", about)]
}

fn monotonicity() -> Vec<Named> {
    const RULE: &str = "section 7, monotonicity";
    let (mut story, p, q) = Story::with_rivals(&THREE, ["alice"; 2]);
    let early = story.above_all("carol");
    story.support(&TWO, p);
    story.precommits(&["alice"], p, 0);
    let first = story.say_in_vain("carol", vec![prevote(q, 0)], &[(0, "NOT_APPROVED")]);
    let mut more = story.clone();
    let less = story.shows(
        RULE,
        KEPT,
        "less",
        "one precommit of two, and a prevote without approvals",
    );

    let about = "the same entries and four more: approvals that come too late for the prevote, the second precommit, and an early \
        vote of carol's that convicts her; no verdict has changed";
    more.approvals(&TWO, &[q]);
    let beside = more.entry("carol", &early, vec![approve(p), prevote(p, 0)], &[]);
    more.expect_convicted("carol", "equivocation", p, [first, beside]);
    more.precommits(&["bob"], p, 0);
    more.expect_decided(p, 0);
    vec![less, more.shows(RULE, KEPT, "more", about)]
}
