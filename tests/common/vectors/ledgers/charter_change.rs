//! Rule 6: the freeze, and what one charter hands down to the next.

use git_quorum::id::EntryId;

use super::story::{ALONE, BROKEN, FOUR, KEPT, Named, Story, THREE, TWO, known, protecting};
use crate::lab::{approve, charter, prevote};

pub fn vectors() -> Vec<Named> {
    let groups = [
        freezes(),
        decisions_stand(),
        handed_down(),
        releases(),
        earlier_quorums(),
        latest_charters(),
        highest_rounds(),
        latest_decisions(),
        lowest_rounds(),
        lowest_ids(),
        rounds_start_anew(),
    ];
    groups.into_iter().flatten().collect()
}

/// Changes the charter to one of the same members that differs in nothing that matters here.
fn change(story: &mut Story, quorum: &[&str], members: &[&str]) -> EntryId {
    story.change_charter(quorum, protecting(members, &["refs/heads/*"]))
}

/// P has a prevote quorum of alice and bob, and so does a charter change.
fn changing() -> (Story, EntryId, EntryId) {
    let mut story = Story::new(&THREE);
    let p = story.propose("alice", story.genesis());
    story.support(&TWO, p);
    let x = story.propose_charter("alice", known(charter(&FOUR)));
    (story, p, x)
}

fn freezes() -> Vec<Named> {
    const RULE: &str = "6, freeze";
    let (mut story, p, x) = changing();
    let mut in_vain = story.clone();
    story.support(&TWO, x);
    let mut frozen = story.clone();
    story.precommits(&["alice"], p, 0);
    story.precommits(&["alice"], x, 0);
    let about = "alice votes for P after she prevoted the change, then precommits the change, and votes no more under its charter";
    let before = story.shows(RULE, KEPT, "", about);

    frozen.precommits(&["alice"], x, 0);
    let freeze = frozen.tip("alice");
    let vote = frozen.precommit("alice", p, 0);
    let refused = [(0, "FROZEN"), (1, "FROZEN")];
    let after = frozen.say_in_vain("alice", vec![vote, prevote(p, 1)], &refused);
    frozen.expect_convicted("alice", "freeze-violation", p, [freeze, after]);
    let about = "alice precommits the change of the charter and then votes for P";
    let frozen = frozen.shows(RULE, BROKEN, "", about);

    let vote = in_vain.precommit("alice", x, 0);
    let freeze = in_vain.say_in_vain("alice", vec![vote], &[(0, "NO_PREVOTE_QUORUM")]);
    let vote = in_vain.precommit("alice", p, 0);
    let after = in_vain.say_in_vain("alice", vec![vote], &[(0, "FROZEN")]);
    in_vain.expect_convicted("alice", "freeze-violation", p, [freeze, after]);
    let about = "alice's precommit of the change does not count, for it lacks the prevotes; it freezes her all the same";
    vec![
        before,
        frozen,
        in_vain.shows(RULE, BROKEN, "in-vain", about),
        not_frozen(RULE),
        change_goes_on(RULE),
    ]
}

fn not_frozen(rule: &'static str) -> Named {
    let mut story = Story::new(&THREE);
    let p = story.propose("alice", story.genesis());
    let own = story.above_all("alice");
    let x = story.propose_charter("bob", known(charter(&FOUR)));
    let said = vec![story.precommit("alice", x, 0), approve(p), prevote(p, 0)];
    story.entry("alice", &own, said, &[(0, "UNKNOWN_PROPOSAL")]);
    let about = "alice precommits a change that her entry does not know, which freezes nobody";
    story.shows(rule, KEPT, "unknown-change", about)
}

fn change_goes_on(rule: &'static str) -> Named {
    let (mut story, _, x) = changing();
    story.support(&TWO, x);
    story.precommits(&["alice"], x, 0);
    story.prevotes(&TWO, x, 1);
    story.precommits(&TWO, x, 1);
    story.expect_decided(x, 1);
    story.expect_in_force(x);
    let about = "alice precommits the change in round 0, which does not freeze her votes on the change itself in round 1";
    story.shows(rule, KEPT, "same-slot", about)
}

/// P is decided under the first charter, and the charter has changed since.
fn decided_and_changed() -> (Story, EntryId, EntryId) {
    let (mut story, p, q) = Story::with_rivals(&ALONE, ["alice"; 2]);
    story.decide(&ALONE, p);
    change(&mut story, &ALONE, &ALONE);
    (story, p, q)
}

fn decisions_stand() -> Vec<Named> {
    const RULE: &str = "6, decision stands";
    let (mut story, p, q) = decided_and_changed();
    let mut other = story.clone();
    let vote = story.precommit("alice", p, 0);
    story.say("alice", vec![prevote(p, 0), vote]);
    let about =
        "P was decided under the first charter; votes for it under the second need no approval";
    let same = story.shows(RULE, KEPT, "", about);

    let vote = other.precommit("alice", q, 0);
    let refused = [(1, "SLOT_DECIDED"), (2, "SLOT_DECIDED")];
    other.say_in_vain("alice", vec![approve(q), prevote(q, 0), vote], &refused);
    let about =
        "P was decided under the first charter; votes for its rival under the second do not count";
    vec![same, other.shows(RULE, BROKEN, "", about)]
}

/// P has a prevote quorum of alice and bob under the first charter, and the charter has changed
/// since.
fn quorum_and_change() -> (Story, EntryId, EntryId) {
    let (mut story, p, q) = Story::with_rivals(&THREE, ["alice", "carol"]);
    story.support(&TWO, p);
    change(&mut story, &TWO, &THREE);
    (story, p, q)
}

fn handed_down() -> Vec<Named> {
    const RULE: &str = "6, handed down";
    let (mut story, p, _) = quorum_and_change();
    story.prevotes(&["carol"], p, 0);
    let vote = story.precommit("alice", p, 0);
    story.say("alice", vec![prevote(p, 0), vote]);
    story.precommits(&["carol"], p, 0);
    story.expect_decided(p, 0);
    let about = "P had a prevote quorum under the first charter; it is handed down and decided under the second";
    let decided = story.shows(RULE, KEPT, "", about);

    let (mut story, _, q) = quorum_and_change();
    story.say_in_vain(
        "carol",
        vec![approve(q), prevote(q, 0)],
        &[(1, "HANDED_DOWN")],
    );
    let about = "P had a prevote quorum under the first charter; carol approves and prevotes its rival under the second";
    let rival = story.shows(RULE, BROKEN, "", about);

    let (mut story, p, q) = Story::with_rivals(&ALONE, ["alice"; 2]);
    story.support(&ALONE, p);
    change(&mut story, &ALONE, &ALONE);
    story.change_charter(&ALONE, charter(&ALONE));
    let mut twice = story.clone();
    story.prevotes(&ALONE, p, 0);
    let about = "the charter changes twice, and P is handed down over both changes";
    let over_two = story.shows(RULE, KEPT, "two-changes", about);
    twice.say_in_vain(
        "alice",
        vec![approve(q), prevote(q, 0)],
        &[(1, "HANDED_DOWN")],
    );
    let about = "the charter changes twice, and P is handed down over both changes: its rival may not be prevoted";
    vec![
        decided,
        rival,
        over_two,
        twice.shows(RULE, BROKEN, "two-changes", about),
    ]
}

/// Alice and bob prevote P under the first charter. But bob and carol, who change the charter, do
/// not know the vote of alice. Under the second charter they prevote Q.
fn unknown_quorum() -> (Story, EntryId, EntryId) {
    let (mut story, p, q) = Story::with_rivals(&THREE, ["alice", "carol"]);
    let hidden = story.entry("alice", &[p], vec![approve(p), prevote(p, 0)], &[]);
    story.hide(hidden);
    story.support(&["bob"], p);
    let x = story.propose_charter("carol", known(protecting(&THREE, &["refs/heads/*"])));
    story.decide(&["bob", "carol"], x);
    story.speak_under(x);
    story.expect_in_force(x);
    story.support(&["bob", "carol"], q);
    (story, p, q)
}

fn releases() -> Vec<Named> {
    const RULE: &str = "6, release";
    let (mut story, _, q) = unknown_quorum();
    story.show_hidden();
    let mut early = story.clone();
    story.say("alice", vec![prevote(q, 1)]);
    let about = "P is handed down, but two voters did not know and prevoted Q under the new charter: alice may prevote it in round 1";
    let released = story.shows(RULE, KEPT, "", about);

    early.say_in_vain("alice", vec![prevote(q, 0)], &[(0, "HANDED_DOWN")]);
    let about = "P is handed down; a quorum for Q in round 0 of the new charter does not release alice in round 0";
    let early = early.shows(RULE, BROKEN, "", about);

    let (mut story, p, q) = quorum_and_change();
    story.approvals(&TWO, &[q]);
    story.prevotes(&TWO, p, 0);
    story.say_in_vain("carol", vec![prevote(q, 1)], &[(0, "HANDED_DOWN")]);
    let about = "P is handed down; a quorum for P in round 0 of the new charter does not release carol to prevote Q in round 1";
    vec![
        released,
        early,
        story.shows(RULE, BROKEN, "quorum-for-the-same", about),
    ]
}

/// Under the first charter, P gets a quorum in round 0 and Q in round 1. The quorum of Q becomes
/// known late. Under the second charter nobody approves either of them.
fn earlier_quorums() -> Vec<Named> {
    const RULE: &str = "1, earlier quorum";
    let (mut story, p, q) = Story::with_rivals(&THREE, ["alice", "carol"]);
    story.support(&TWO, p);
    story.approvals(&["bob", "carol"], &[q]);
    story.prevotes(&["bob"], q, 1);
    let hidden = story.entry("carol", &story.above_all("carol"), vec![prevote(q, 1)], &[]);
    story.hide(hidden);
    change(&mut story, &TWO, &THREE);
    let mut late = story.clone();
    story.prevotes(&TWO, p, 0);
    story.show_hidden();
    story.prevotes(&["alice"], p, 1);
    let about = "P is handed down and prevoted by q under the second charter; then Q is handed down: P may be prevoted on";
    let quorum = story.shows(RULE, KEPT, "", about);

    late.show_hidden();
    late.prevotes(&TWO, q, 0);
    late.say_in_vain("alice", vec![prevote(p, 1)], &[(0, "NOT_APPROVED")]);
    let about = "Q is handed down and prevoted by q under the second charter: P, which nobody approves there, may not be prevoted";
    vec![quorum, late.shows(RULE, BROKEN, "", about)]
}

fn latest_charters() -> Vec<Named> {
    const RULE: &str = "6, latest charter";
    let (mut story, p, q) = unknown_quorum();
    story.change_charter(&["bob", "carol"], charter(&THREE));
    story.show_hidden();
    let mut earlier = story.clone();
    story.say("alice", vec![prevote(q, 0)]);
    let about = "P had a quorum under the first charter and Q under the second: Q is handed down to the third";
    let latest = story.shows(RULE, KEPT, "", about);

    earlier.say_in_vain(
        "alice",
        vec![approve(p), prevote(p, 0)],
        &[(1, "HANDED_DOWN")],
    );
    let about = "P had a quorum under the first charter and Q under the second: P may not be prevoted under the third";
    vec![latest, earlier.shows(RULE, BROKEN, "", about)]
}

fn highest_rounds() -> Vec<Named> {
    const RULE: &str = "6, highest round";
    let (mut story, p, q) = Story::with_rivals(&ALONE, ["alice"; 2]);
    story.say(
        "alice",
        vec![approve(p), approve(q), prevote(p, 0), prevote(q, 1)],
    );
    change(&mut story, &ALONE, &ALONE);
    let mut lower = story.clone();
    story.say("alice", vec![prevote(q, 0)]);
    let about = "P had a quorum in round 0 and Q in round 1 of the first charter: Q is handed down";
    let highest = story.shows(RULE, KEPT, "", about);

    lower.say_in_vain(
        "alice",
        vec![approve(p), prevote(p, 0)],
        &[(1, "HANDED_DOWN")],
    );
    let about = "P had a quorum in round 0 and Q in round 1 of the first charter: P may not be prevoted under the second";
    vec![highest, lower.shows(RULE, BROKEN, "", about)]
}

/// Alice alone is a quorum. She decides P on one branch of her lane. On the other branch she
/// changes the charter and decides Q.
fn decided_twice_over() -> (Story, EntryId, EntryId) {
    let (mut story, p, q) = Story::with_rivals(&ALONE, ["alice"; 2]);
    let beside = story.decide_alone(&[q], p);
    let x =
        story.entry_proposing_charter("alice", &[q], known(protecting(&ALONE, &["refs/heads/*"])));
    let freeze = story.decide_alone(&[x], x);
    story.speak_under(x);
    let under_x = story.decide_alone(&[freeze], q);
    let y = story.entry_proposing_charter("alice", &[under_x, beside], known(charter(&ALONE)));
    story.decide_alone(&[y], y);
    story.speak_under(y);
    story.expect_in_force(y);
    story.expect_broken(p);
    story.expect_convicted("alice", "freeze-violation", p, [freeze, beside]);
    (story, p, q)
}

fn latest_decisions() -> Vec<Named> {
    const RULE: &str = "6, latest decision";
    let (mut story, p, q) = decided_twice_over();
    let mut earlier = story.clone();
    story.say("alice", vec![prevote(q, 0)]);
    let about = "alice broke the slot: P is decided under the first charter, Q under the second; under the third Q stands";
    let latest = story.shows(RULE, KEPT, "", about);
    earlier.say_in_vain(
        "alice",
        vec![approve(p), prevote(p, 0)],
        &[(1, "SLOT_DECIDED")],
    );
    let about = "alice broke the slot: P is decided under the first charter, Q under the second; under the third P does not stand";
    vec![latest, earlier.shows(RULE, BROKEN, "", about)]
}

/// Returns a ledger with alice as the only member, and two rivals, the one with the lower id first.
fn by_id() -> (Story, [EntryId; 2], EntryId) {
    let (story, p, q) = Story::with_rivals(&ALONE, ["alice"; 2]);
    (story, [p.min(q), p.max(q)], q)
}

/// The charter changes in entries that know these two branches.
fn join_and_change(story: &mut Story, branches: [EntryId; 2]) {
    let x = story.entry_proposing_charter(
        "alice",
        &branches,
        known(protecting(&ALONE, &["refs/heads/*"])),
    );
    story.decide_alone(&[x], x);
    story.speak_under(x);
    story.expect_in_force(x);
}

fn lowest_rounds() -> Vec<Named> {
    const RULE: &str = "6, lowest round";
    let (mut story, [p, q], tip) = by_id();
    let vote = story.precommit("alice", p, 1);
    let in_round_1 = story.entry(
        "alice",
        &[tip],
        vec![approve(p), prevote(p, 0), prevote(p, 1), vote],
        &[],
    );
    story.expect_decided(p, 1);
    let in_round_0 = story.decide_alone(&[tip], q);
    story.expect_broken(p);
    story.expect_convicted("alice", "equivocation", p, [in_round_0, in_round_1]);
    story.expect_convicted("alice", "lock-violation", p, [in_round_0, in_round_1]);
    join_and_change(&mut story, [in_round_0, in_round_1]);
    let mut higher = story.clone();
    story.say("alice", vec![prevote(q, 0)]);
    let about = "alice broke the slot: of the decisions in rounds 0 and 1 the one of round 0 stands under the next charter";
    let lowest = story.shows(RULE, KEPT, "", about);
    higher.say_in_vain(
        "alice",
        vec![approve(p), prevote(p, 0)],
        &[(1, "SLOT_DECIDED")],
    );
    let about = "alice broke the slot: of the decisions in rounds 0 and 1 the one of round 1 does not stand, though its id is lower";
    vec![lowest, higher.shows(RULE, BROKEN, "", about)]
}

fn lowest_ids() -> Vec<Named> {
    const RULE: &str = "6, lowest id";
    let (mut story, rivals, tip) = by_id();
    let mut undecided = story.clone();
    let branches = rivals.map(|p| story.decide_alone(&[tip], p));
    story.expect_broken(tip);
    story.expect_convicted("alice", "equivocation", tip, branches);
    join_and_change(&mut story, branches);
    let two = "alice broke the slot with two decisions in one round: the";
    let decisions = lower_and_higher(story, rivals, "SLOT_DECIDED", "", two);

    let branches =
        rivals.map(|p| undecided.entry("alice", &[tip], vec![approve(p), prevote(p, 0)], &[]));
    undecided.expect_convicted("alice", "equivocation", tip, branches);
    join_and_change(&mut undecided, branches);
    let two = "alice prevoted both rivals in one round, and so each has a quorum: the";
    decisions
        .into_iter()
        .chain(lower_and_higher(
            undecided,
            rivals,
            "HANDED_DOWN",
            "prevotes",
            two,
        ))
        .collect()
}

/// Under the next charter, the proposal with the lower id may be prevoted without approval, and the
/// other one may not.
fn lower_and_higher(
    story: Story,
    [low, high]: [EntryId; 2],
    code: &'static str,
    variant: &str,
    about: &str,
) -> [Named; 2] {
    let (mut lower, mut higher) = (story.clone(), story);
    lower.say("alice", vec![prevote(low, 0)]);
    higher.say_in_vain("alice", vec![approve(high), prevote(high, 0)], &[(1, code)]);
    [
        lower.shows(
            "6, lowest id",
            KEPT,
            variant,
            &format!("{about} one with the lowest id is handed over"),
        ),
        higher.shows(
            "6, lowest id",
            BROKEN,
            variant,
            &format!("{about} one with the higher id is not handed over"),
        ),
    ]
}

fn rounds_start_anew() -> Vec<Named> {
    const RULE: &str = "6, rounds";
    let (mut story, p, _) = Story::with_rivals(&ALONE, ["alice"; 2]);
    story.say("alice", vec![approve(p), prevote(p, 0), prevote(p, 1)]);
    change(&mut story, &ALONE, &ALONE);
    let mut goes_on = story.clone();
    story.prevotes(&ALONE, p, 0);
    let about =
        "alice voted in round 1 under the first charter, and votes in round 0 under the second";
    let anew = story.shows(RULE, KEPT, "", about);

    goes_on.say_in_vain("alice", vec![prevote(p, 1)], &[(0, "ROUND_NOT_ENTERED")]);
    let about = "alice, who is a quorum, voted in round 0 under the first charter, which opens no round 1 under the second";
    vec![anew, goes_on.shows(RULE, BROKEN, "", about)]
}
