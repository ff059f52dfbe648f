//! Section 3 of `deciding.md` up to rule 3, and rule 5a: who votes on what, what a vote needs, and
//! what votes decide.

use git_quorum::charter::Charter;
use git_quorum::id::EntryId;
use git_quorum::ledger::{Precommit, Statement};

use super::judgement::with_observer;
use super::story::{
    BROKEN, FIVE, FOUR, KEPT, Named, SEVEN, SIX, Story, THREE, TWO, known, protecting, without,
};
use crate::lab::{approve, charter, prevote};

pub fn vectors() -> Vec<Named> {
    let groups = [
        slots_of_refs(),
        slots_of_charters(),
        voters(),
        round_0(),
        later_rounds(),
        handed_down_needs_no_approval(),
        prevote_quorums(),
        signatures(),
        quorums_reached(),
        quorums_missed(),
        one_round(),
        one_charter(),
        entering(),
        bare_signatures(),
    ];
    groups.into_iter().flatten().collect()
}

/// The member makes the same statement on two branches of its lane.
fn say_twice(story: &mut Story, member: &str, said: &[Statement]) {
    let parents = story.above_all(member);
    for _ in 0..2 {
        story.entry(member, &parents, said.to_vec(), &[]);
    }
}

fn slots_of_refs() -> Vec<Named> {
    const RULE: &str = "section 3, slot of a ref";
    let (mut story, p) = Story::with_proposal(&TWO);
    let mut gone = story.clone();
    story.change_charter(&TWO, protecting(&TWO, &["refs/heads/*"]));
    story.decide(&TWO, p);
    let stays = story.shows(
        RULE,
        KEPT,
        "",
        "P was proposed under the charter before, which protected the ref too; it is decided",
    );

    gone.change_charter(&TWO, protecting(&TWO, &["refs/heads/dev"]));
    let vote = gone.precommit("alice", p, 0);
    let refused = [(1, "NOT_PROTECTED"), (2, "NOT_PROTECTED")];
    gone.say_in_vain("alice", vec![approve(p), prevote(p, 0), vote], &refused);
    vec![
        stays,
        gone.shows(
            RULE,
            BROKEN,
            "",
            "P was proposed under the charter before; the new one does not protect the ref",
        ),
    ]
}

fn slots_of_charters() -> Vec<Named> {
    const RULE: &str = "section 3, slot of a charter";
    let mut story = Story::new(&TWO);
    let rival = story.propose_charter("bob", known(charter(&THREE)));
    let x = story.change_charter(&TWO, protecting(&TWO, &["refs/heads/*"]));
    let mut late = story.clone();
    story.change_charter(&TWO, charter(&TWO));
    let in_time = story.shows(
        RULE,
        KEPT,
        "",
        "the charter changes twice, each time by votes under the charter that is changed",
    );

    for (p, member) in [x, rival].into_iter().zip(TWO) {
        late.say_in_vain(
            member,
            vec![approve(p), prevote(p, 0)],
            &[(1, "WRONG_BASE")],
        );
    }
    let about =
        "votes under the new charter for what was to follow the old one: itself, and its rival";
    vec![in_time, late.shows(RULE, BROKEN, "", about)]
}

fn voters() -> Vec<Named> {
    const RULE: &str = "section 3, voter";
    let (mut story, p) = Story::with_proposal(&THREE);
    let x = story.change_charter(&TWO, without(&THREE, &["carol"]));
    story.speak_under(story.genesis());
    story.say("carol", vec![approve(p), prevote(p, 0)]);
    story.speak_under(x);
    story.decide(&TWO, p);
    let about = "carol was removed; she goes on to speak under the charter that she belonged to, and it counts there";
    let removed = story.shows(RULE, KEPT, "removed", about);

    let mut story = with_observer();
    let p = story.propose("alice", story.genesis());
    story.support(&["alice"], p);
    let mut observed = story.clone();
    story.support(&["bob"], p);
    story.say("carol", vec![approve(p), prevote(p, 0)]);
    let vote = story.precommit("carol", p, 0);
    story.say("carol", vec![vote]);
    let voted = story.shows(
        RULE,
        KEPT,
        "",
        "three vote and a fourth member does not: two prevotes are a quorum",
    );

    observed.say_in_vain("dave", vec![prevote(p, 0)], &[(0, "NOT_A_VOTER")]);
    let vote = observed.precommit("alice", p, 0);
    observed.say_in_vain("alice", vec![vote], &[(0, "NO_PREVOTE_QUORUM")]);
    let about = "dave, who does not vote, prevotes: with alice's prevote that is no quorum";
    vec![removed, voted, observed.shows(RULE, BROKEN, "", about)]
}

fn round_0() -> Vec<Named> {
    const RULE: &str = "1, round 0";
    let (mut story, p) = Story::with_proposal(&FOUR);
    let mut others = story.clone();
    story.say("dave", vec![approve(p)]);
    story.say("dave", vec![prevote(p, 0)]);
    let own = story.shows(
        RULE,
        KEPT,
        "",
        "dave's own approval is enough for his prevote in round 0",
    );

    others.approvals(&["alice"], &[p]);
    let mut two = others.clone();
    others.approvals(&["bob", "carol"], &[p]);
    others.say("dave", vec![prevote(p, 0)]);
    let others = others.shows(
        RULE,
        KEPT,
        "others",
        "three others approve P, which is enough for dave's prevote",
    );

    say_twice(&mut two, "bob", &[approve(p)]);
    two.say_in_vain("dave", vec![prevote(p, 0)], &[(0, "NOT_APPROVED")]);
    vec![
        own,
        others,
        two.shows(
            RULE,
            BROKEN,
            "",
            "two others approve P, one of them twice on separate branches, which is not enough for dave's prevote",
        ),
    ]
}

fn later_rounds() -> Vec<Named> {
    const RULE: &str = "1, later round";
    let (mut story, p) = Story::with_proposal(&FOUR);
    let q = story.propose("dave", story.genesis());
    story.support(&["alice", "bob"], p);
    story.support(&["dave"], q);
    let mut two = story.clone();
    story.approvals(&["carol"], &[p]);
    story.say("alice", vec![prevote(p, 1)]);
    let three = story.shows(
        RULE,
        KEPT,
        "",
        "three approve P: alice prevotes it in round 1",
    );

    two.say_in_vain("alice", vec![prevote(p, 1)], &[(0, "NOT_APPROVED")]);
    let about =
        "two approve P, alice one of them: that was enough in round 0, and is not in round 1";
    vec![three, two.shows(RULE, BROKEN, "", about)]
}

/// Alice and bob have prevoted P under the first charter, and carol has proposed Q. The charter has
/// changed since.
fn handed_down() -> (Story, EntryId, EntryId) {
    let (mut story, p, q) = Story::with_rivals(&THREE, ["alice", "carol"]);
    story.support(&["alice", "bob"], p);
    story.change_charter(&["alice", "bob"], protecting(&THREE, &["refs/heads/*"]));
    (story, p, q)
}

fn handed_down_needs_no_approval() -> Vec<Named> {
    const RULE: &str = "1, lock or handed down";
    let (mut story, p, q) = handed_down();
    let mut other = story.clone();
    story.prevotes(&["carol", "alice"], p, 0);
    let vote = story.precommit("alice", p, 0);
    story.say("alice", vec![vote, prevote(p, 1)]);
    let about = "nobody approves P under the new charter; it was handed down, then it is alice's lock: she may prevote it in any round";
    let without = story.shows(RULE, KEPT, "", about);

    other.say_in_vain("carol", vec![prevote(q, 0)], &[(0, "NOT_APPROVED")]);
    let about = "P was handed down to the new charter; carol prevotes Q, which nobody approved";
    vec![without, other.shows(RULE, BROKEN, "", about)]
}

fn prevote_quorums() -> Vec<Named> {
    const RULE: &str = "2, prevote quorum";
    let (mut story, p) = Story::with_proposal(&FOUR);
    story.support(&["alice"], p);
    let mut again = story.clone();
    story.support(&["bob"], p);
    let two = story.clone();
    story.support(&["carol"], p);
    let unseen = story.clone();
    story.precommits(&["dave"], p, 0);
    let three = story.shows(
        RULE,
        KEPT,
        "",
        "three of four prevote P; dave, who did not, precommits it",
    );

    let refuse = |mut story: Story, parents: &[EntryId], variant: &str, about: &str| {
        let vote = story.precommit("dave", p, 0);
        story.entry("dave", parents, vec![vote], &[(0, "NO_PREVOTE_QUORUM")]);
        story.shows(RULE, BROKEN, variant, about)
    };
    let parents = two.above_all("dave");
    let too_few = refuse(
        two.clone(),
        &parents,
        "",
        "two of four prevote P: no precommit counts",
    );
    say_twice(&mut again, "bob", &[approve(p), prevote(p, 0)]);
    let about =
        "two of four prevote P, one of them twice on separate branches: a member counts once";
    let parents = again.above_all("dave");
    let repeated = refuse(again, &parents, "repeated", about);
    let parents = [unseen.genesis(), unseen.tip("bob")];
    let about = "three of four prevote P, but dave's entry builds on two of them only";
    let unseen = refuse(unseen, &parents, "unknown-votes", about);
    vec![
        three,
        too_few,
        repeated,
        unseen,
        prevotes_of_two_rounds(RULE),
    ]
}

fn prevotes_of_two_rounds(rule: &'static str) -> Named {
    let (mut story, p, q) = Story::with_rivals(&FOUR, TWO);
    story.support(&["alice", "bob"], p);
    story.say(
        "carol",
        vec![approve(p), approve(q), prevote(q, 0), prevote(p, 1)],
    );
    let vote = story.precommit("dave", p, 1);
    story.say_in_vain(
        "dave",
        vec![prevote(p, 1), vote],
        &[(1, "NO_PREVOTE_QUORUM")],
    );
    story.shows(
        rule,
        BROKEN,
        "two-rounds",
        "all four prevote P, two in round 0 and two in round 1: no quorum in either",
    )
}

/// Returns a precommit with the signature of another one.
fn signed_as(vote: Statement, other: Statement) -> Statement {
    let (Statement::Precommit(vote), Statement::Precommit(other)) = (vote, other) else {
        unreachable!()
    };
    Statement::Precommit(Precommit {
        signature: other.signature,
        ..vote
    })
}

fn signatures() -> Vec<Named> {
    const RULE: &str = "2, signature";
    let (mut story, p) = Story::with_proposal(&FOUR);
    story.support(&THREE, p);
    let mut forged = story.clone();
    story.precommits(&THREE, p, 0);
    story.expect_decided(p, 0);
    let good = story.shows(
        RULE,
        KEPT,
        "",
        "three of four precommit P with their signatures over the agreement statement",
    );

    forged.precommits(&["alice", "bob"], p, 0);
    let signed = |by: &str, round| forged.precommit(by, p, round);
    let votes = vec![
        signed_as(signed("carol", 0), signed("carol", 1)),
        signed_as(signed("carol", 0), signed("alice", 0)),
    ];
    let refused = [0, 1].map(|n| (n, "BAD_AGREEMENT_SIGNATURE"));
    forged.say_in_vain("carol", votes, &refused);
    let about = "carol's precommits are signed for another round, and by alice: P lacks the third";
    vec![good, forged.shows(RULE, BROKEN, "", about)]
}

fn quorums_reached() -> Vec<Named> {
    let numbers: [(&str, &[&str], usize); 5] = [
        ("three", &THREE, 2),
        ("", &FOUR, 3),
        ("five", &FIVE, 4),
        ("six", &SIX, 4),
        ("seven", &SEVEN, 5),
    ];
    let decided = |(variant, members, q): (&str, &[&str], usize)| {
        let (mut story, p) = Story::with_proposal(members);
        story.decide(&members[..q], p);
        let about = format!("{q} of {} members decide", members.len());
        story.shows("3, quorum", KEPT, variant, &about)
    };
    let mut vectors: Vec<_> = numbers.into_iter().map(decided).collect();
    let mut story = Story::under(unanimous());
    let p = story.propose("alice", story.genesis());
    story.decide(&FOUR, p);
    vectors.push(story.shows(
        "3, quorum",
        KEPT,
        "unanimous",
        "the charter asks for all four, and all four decide",
    ));
    vectors
}

/// Creates a ledger of four members, all of whom must agree.
fn unanimous() -> Charter {
    let plain = charter(&FOUR);
    let mut rules = plain.rules().clone();
    rules.quorum = 4;
    Charter::new(
        plain.members().to_vec(),
        plain.protected().to_vec(),
        vec![],
        rules,
    )
    .unwrap()
}

fn quorums_missed() -> Vec<Named> {
    let all: [(&str, Charter, usize); 4] = [
        ("", charter(&FOUR), 3),
        ("five", charter(&FIVE), 4),
        ("six", charter(&SIX), 4),
        ("unanimous", unanimous(), 4),
    ];
    let undecided = |(variant, charter, q): (&str, Charter, usize)| {
        let n = charter.members().len();
        let mut story = Story::under(charter);
        let p = story.propose("alice", story.genesis());
        let (last, others) = SEVEN[..q].split_last().unwrap();
        story.support(others, p);
        let early = story.precommit("alice", p, 0);
        story.say_in_vain("alice", vec![early], &[(0, "NO_PREVOTE_QUORUM")]);
        story.support(&[last], p);
        story.precommits(others, p, 0);
        let about = format!(
            "{q} of {n} members are a quorum: {} prevotes are none, and {} precommits decide nothing",
            q - 1,
            q - 1
        );
        story.shows("3, quorum", BROKEN, variant, &about)
    };
    all.into_iter()
        .map(undecided)
        .chain([repeated_precommits()])
        .collect()
}

fn repeated_precommits() -> Named {
    let (mut story, p) = Story::with_proposal(&FOUR);
    story.support(&THREE, p);
    story.precommits(&["alice"], p, 0);
    let vote = story.precommit("bob", p, 0);
    say_twice(&mut story, "bob", &[vote]);
    let about =
        "two of four precommit P, one of them twice on separate branches: a member counts once";
    story.shows("3, quorum", BROKEN, "repeated", about)
}

fn one_round() -> Vec<Named> {
    const RULE: &str = "3, one round";
    let (mut story, p) = Story::with_proposal(&FOUR);
    story.support(&THREE, p);
    for member in ["alice", "bob"] {
        let vote = story.precommit(member, p, 0);
        story.say(member, vec![vote, prevote(p, 1)]);
    }
    for member in ["carol", "dave"] {
        let vote = story.precommit(member, p, 1);
        story.say(member, vec![prevote(p, 1), vote]);
    }
    let mut decided = story.clone();
    let about = "all four precommit P, two in round 0 and two in round 1: nothing is decided";
    let undecided = story.shows(RULE, BROKEN, "", about);
    decided.precommits(&["alice"], p, 1);
    decided.expect_decided(p, 1);
    let about = "two precommit P in round 0, and three in round 1, which decide";
    vec![undecided, decided.shows(RULE, KEPT, "", about)]
}

fn one_charter() -> Vec<Named> {
    const RULE: &str = "3, one charter";
    let (mut story, p) = Story::with_proposal(&THREE);
    story.support(&["alice", "bob"], p);
    story.precommits(&["alice"], p, 0);
    story.change_charter(&["bob", "carol"], protecting(&THREE, &["refs/heads/*"]));
    story.prevotes(&["bob", "carol"], p, 0);
    story.precommits(&["bob"], p, 0);
    let mut decided = story.clone();
    let about = "alice precommits P under the first charter and bob under the second: two of three, but not under one charter";
    let undecided = story.shows(RULE, BROKEN, "", about);
    decided.precommits(&["carol"], p, 0);
    decided.expect_decided(p, 0);
    let about =
        "alice precommits P under the first charter; bob and carol decide it under the second";
    vec![undecided, decided.shows(RULE, KEPT, "", about)]
}

fn entering() -> Vec<Named> {
    const RULE: &str = "5a, entering";
    let (mut story, p, q) = Story::with_rivals(&FOUR, TWO);
    story.support(&["alice"], p);
    story.approvals(&["carol", "dave"], &[p, q]);
    let mut two = story.clone();
    story.support(&["bob"], q);
    story.prevotes(&["carol"], q, 0);
    story.say("dave", vec![prevote(p, 1)]);
    let three = story.shows(
        RULE,
        KEPT,
        "",
        "three have voted in round 0, whatever for: dave enters round 1",
    );

    say_twice(&mut two, "bob", &[approve(q), prevote(q, 0)]);
    two.say_in_vain("dave", vec![prevote(p, 1)], &[(0, "ROUND_NOT_ENTERED")]);
    let about = "two have voted in round 0, one of them twice on separate branches: dave does not enter round 1";
    let two = two.shows(RULE, BROKEN, "", about);

    let (mut story, p) = Story::with_proposal(&FOUR);
    story.support(&THREE, p);
    let last = story.precommit("dave", p, u32::MAX);
    let refused = [0, 1, 2].map(|n| (n, "ROUND_NOT_ENTERED"));
    story.say_in_vain(
        "dave",
        vec![prevote(p, 2), prevote(p, u32::MAX), last],
        &refused,
    );
    vec![
        three,
        two,
        story.shows(
            RULE,
            BROKEN,
            "leap",
            "a quorum has voted in round 0: nobody enters round 2, or the last there is",
        ),
    ]
}

fn bare_signatures() -> Vec<Named> {
    const RULE: &str = "section 6, entry";
    let (mut story, p) = Story::with_proposal(&FOUR);
    story.support(&THREE, p);
    story.precommits(&["alice", "bob"], p, 0);
    let mut bare = story.clone();
    story.precommits(&["dave"], p, 0);
    story.expect_decided(p, 0);
    let entries = story.shows(
        RULE,
        KEPT,
        "",
        "three precommits, in entries that know the prevotes: P is decided",
    );

    let vote = bare.precommit("dave", p, 0);
    let genesis = bare.genesis();
    bare.entry(
        "dave",
        &[genesis, p],
        vec![vote],
        &[(0, "NO_PREVOTE_QUORUM")],
    );
    let about = "dave's precommit is well signed, but its entry does not know the prevotes: three good signatures, and no decision";
    vec![entries, bare.shows(RULE, BROKEN, "", about)]
}
