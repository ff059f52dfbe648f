//! Sections 1 and 2 of `deciding.md`: what a statement knows, proposals and their slots, approvals
//! and views.

use git_quorum::charter::{Charter, Member, ProposedCharter, Removal};
use git_quorum::id::EntryId;
use git_quorum::ledger::{RefProposal, Statement, Verdict, Withdraw};

use super::story::{
    ALONE, BROKEN, FOUR, KEPT, MAIN, Named, Story, THREE, TWO, known, protecting, without,
};
use crate::lab::{approve, charter, name, prevote, public_key, review, voter};

pub fn vectors() -> Vec<Named> {
    let groups = [
        what_is_known(),
        roots(),
        decided_charters(),
        known_proposals(),
        protected_refs(),
        bases(),
        successors(),
        versions(),
        approvals_by_voters(),
        own_approvals(),
        approvals_and_charters(),
        reviews(),
        withdrawals(),
        rivals(),
    ];
    groups.into_iter().flatten().collect()
}

fn what_is_known() -> Vec<Named> {
    const RULE: &str = "section 1, known";
    let (mut story, p) = Story::with_proposal(&THREE);
    let mut late = story.clone();
    story.say("bob", vec![approve(p), prevote(p, 0)]);
    let in_order = story.shows(
        RULE,
        KEPT,
        "",
        "bob's approval stands before his prevote in one entry: it is known to it",
    );

    late.say_in_vain(
        "bob",
        vec![prevote(p, 0), approve(p)],
        &[(0, "NOT_APPROVED")],
    );
    let out_of_order = late.shows(
        RULE,
        BROKEN,
        "",
        "bob's approval stands behind his prevote in one entry: it is not known to it",
    );

    let (mut story, p) = Story::with_proposal(&FOUR);
    let genesis = story.genesis();
    story.approvals(&THREE, &[p]);
    story.entry(
        "dave",
        &[genesis, p],
        vec![prevote(p, 0)],
        &[(0, "NOT_APPROVED")],
    );
    let about = "three approve P, but dave's prevote builds on none of them";
    let unseen = story.shows(RULE, BROKEN, "other-lanes", about);

    let (mut story, p) = Story::with_proposal(&FOUR);
    story.approvals(&["alice"], &[p]);
    let tips = ["bob", "carol"].map(|m| story.entry(m, &[genesis, p], vec![approve(p)], &[]));
    let branches = tips.map(|tip| story.entry("dave", &[genesis, tip], vec![], &[]));
    let alice = story.tip("alice");
    let joined = story.entry("dave", &[branches[1], branches[0], alice], vec![], &[]);
    story.entry("dave", &[joined], vec![prevote(p, 0)], &[]);
    let about = "dave's lane is forked and joined by entries that say nothing; his prevote knows three approvals through them";
    vec![
        in_order,
        out_of_order,
        unseen,
        story.shows(RULE, KEPT, "joined", about),
    ]
}

/// Alice's chain of main: P is decided, and `open` is proposed after it. Then main becomes
/// unprotected, and protected again.
fn unprotected_for_a_time() -> (Story, EntryId, EntryId, EntryId) {
    let (mut story, p) = Story::with_proposal(&ALONE);
    story.decide(&ALONE, p);
    let open = story.propose("alice", p);
    story.change_charter(&ALONE, protecting(&ALONE, &["refs/heads/dev"]));
    let anew = story.change_charter(&ALONE, charter(&ALONE));
    (story, p, open, anew)
}

fn roots() -> Vec<Named> {
    const RULE: &str = "section 2, root";
    let (mut story, _, _, anew) = unprotected_for_a_time();
    let q = story.propose("alice", anew);
    story.decide(&ALONE, q);
    let about = "main was unprotected for a time; its chain starts anew at the charter that protects it again";
    let starts_anew = story.shows(RULE, KEPT, "", about);

    let (mut story, p, open, _) = unprotected_for_a_time();
    for base in [p, story.genesis()] {
        let said = story.move_of(MAIN, base);
        story.say_in_vain("alice", vec![said], &[(0, "WRONG_BASE")]);
    }
    story.say_in_vain(
        "alice",
        vec![approve(open), prevote(open, 0)],
        &[(1, "NOT_PROTECTED")],
    );
    let about = "main was unprotected for a time; proposals go on with its old chain, and a vote is about one of the old chain";
    let goes_on = story.shows(RULE, BROKEN, "", about);

    let (mut story, p) = Story::with_proposal(&ALONE);
    story.decide(&ALONE, p);
    let wider = story.change_charter(&ALONE, protecting(&ALONE, &["refs/heads/dev", MAIN]));
    let mut wrong = story.clone();
    for (name, base) in [(MAIN, p), ("refs/heads/dev", wider)] {
        let next = story.propose_for("alice", name, base);
        story.decide(&ALONE, next);
    }
    let about = "a charter protects a second ref: the chain of the first goes on, the second's starts at that charter";
    let added = story.shows(RULE, KEPT, "added-ref", about);

    for (name, base) in [(MAIN, wider), ("refs/heads/dev", wrong.genesis())] {
        let said = wrong.move_of(name, base);
        wrong.say_in_vain("alice", vec![said], &[(0, "WRONG_BASE")]);
    }
    let about = "a charter protects a second ref: neither does the first one's chain start there, nor the second's before";
    vec![
        starts_anew,
        goes_on,
        added,
        wrong.shows(RULE, BROKEN, "added-ref", about),
    ]
}

fn decided_charters() -> Vec<Named> {
    const RULE: &str = "section 2, charter decided";
    let (mut story, p) = Story::with_proposal(&THREE);
    let mut early = story.clone();
    let x = story.change_charter(&["alice", "bob"], protecting(&THREE, &["refs/heads/*"]));
    let mut unseen = story.clone();
    story.say("carol", vec![approve(p), prevote(p, 0)]);
    let decided = story.shows(
        RULE,
        KEPT,
        "",
        "carol votes under a charter whose decision she knows",
    );

    let genesis = unseen.genesis();
    unseen.entry(
        "carol",
        &[genesis, x],
        vec![approve(p)],
        &[(0, "CHARTER_NOT_DECIDED")],
    );
    let about = "the charter is decided, but carol's entry under it does not build on the votes";
    let unseen = unseen.shows(RULE, BROKEN, "unknown-votes", about);

    let x = early.propose_charter("alice", known(protecting(&THREE, &["refs/heads/*"])));
    early.speak_under(x);
    let said = vec![
        early.move_of(MAIN, genesis),
        approve(p),
        review(p, Verdict::Reject),
        Statement::Withdraw(Withdraw { proposal: p }),
        prevote(p, 0),
        early.precommit("alice", p, 0),
    ];
    let refused = [0, 1, 2, 3, 4, 5].map(|n| (n, "CHARTER_NOT_DECIDED"));
    early.say_in_vain("alice", said, &refused);
    let change = early.change_to(known(charter(&THREE)));
    early.say_in_vain("alice", vec![change], &[(0, "CHARTER_NOT_DECIDED")]);
    let about = "every kind of statement under a charter that is proposed and not decided";
    vec![
        decided,
        unseen,
        early.shows(RULE, BROKEN, "", about),
        rival_charter(RULE),
    ]
}

fn rival_charter(rule: &'static str) -> Named {
    let (mut story, p) = Story::with_proposal(&TWO);
    let rival = story.propose_charter("bob", known(charter(&THREE)));
    story.change_charter(&TWO, protecting(&TWO, &["refs/heads/*"]));
    story.speak_under(rival);
    story.say_in_vain("alice", vec![approve(p)], &[(0, "CHARTER_NOT_DECIDED")]);
    story.shows(
        rule,
        BROKEN,
        "rival",
        "alice speaks under a charter whose rival is decided",
    )
}

fn known_proposals() -> Vec<Named> {
    const RULE: &str = "section 2, known proposal";
    let mut story = Story::new(&THREE);
    let genesis = story.genesis();
    let p = story.propose("alice", genesis);
    let q = story.entry_proposing("alice", &[genesis], MAIN, genesis);
    story.entry(
        "bob",
        &[genesis, p, q],
        vec![approve(p), approve(q), prevote(q, 0)],
        &[],
    );
    let about = "alice proposes P and Q on two branches of her lane; bob knows both";
    let on_branches = story.shows(RULE, KEPT, "", about);

    let (mut story, p) = Story::with_proposal(&THREE);
    let vote = story.precommit("bob", p, 0);
    let said = vec![
        approve(p),
        Statement::Withdraw(Withdraw { proposal: p }),
        prevote(p, 0),
        vote,
    ];
    let refused = [0, 1, 2, 3].map(|n| (n, "UNKNOWN_PROPOSAL"));
    story.entry("bob", &[genesis], said, &refused);
    let unknown = story.shows(
        RULE,
        BROKEN,
        "",
        "bob speaks of a proposal that is not among the ancestors of his entry",
    );

    let mut story = Story::new(&THREE);
    let said = story.move_of("refs/heads/dev", genesis);
    let invalid = story.say_in_vain("alice", vec![said], &[(0, "NOT_PROTECTED")]);
    let said = vec![approve(invalid), prevote(invalid, 0), prevote(genesis, 0)];
    story.say_in_vain("bob", said, &[0, 1, 2].map(|n| (n, "UNKNOWN_PROPOSAL")));
    let about = "bob speaks of a proposal that is not valid, and of an entry that is none";
    vec![
        on_branches,
        unknown,
        story.shows(RULE, BROKEN, "invalid", about),
    ]
}

/// Returns a proposal to create or delete a ref.
fn whole(story: &mut Story, ref_name: &str, creates: bool) -> EntryId {
    let genesis = story.genesis();
    let Statement::Propose(change) = story.move_of(ref_name, genesis) else {
        unreachable!()
    };
    let change = match creates {
        true => RefProposal {
            from: None,
            ..change
        },
        false => RefProposal { to: None, ..change },
    };
    story.propose_as("alice", ref_name, genesis, Statement::Propose(change))
}

fn protected_refs() -> Vec<Named> {
    const RULE: &str = "section 2, protected ref";
    let refs = ["refs/heads/main", "refs/heads/release/*", "refs/tags/v*"];
    let mut story = Story::under(protecting(&ALONE, &refs));
    let mut outside = story.clone();
    for (name, creates) in [
        ("refs/heads/release/1/0", true),
        ("refs/heads/release/0.9", false),
        ("refs/tags/v1", true),
    ] {
        let p = whole(&mut story, name, creates);
        story.decide(&ALONE, p);
    }
    let about = "a branch is created, another deleted and a tag made; the charter protects them by patterns";
    let inside = story.shows(RULE, KEPT, "", about);

    let genesis = outside.genesis();
    for name in [
        "refs/heads/release",
        "refs/heads/main2",
        "refs/tags/v",
        "refs/heads/Main",
    ] {
        let said = outside.move_of(name, genesis);
        outside.say_in_vain("alice", vec![said], &[(0, "NOT_PROTECTED")]);
    }
    vec![
        inside,
        outside.shows(
            RULE,
            BROKEN,
            "",
            "proposals for refs that no pattern of the charter covers",
        ),
    ]
}

fn bases() -> Vec<Named> {
    const RULE: &str = "section 2, base";
    let mut story = Story::solo();
    let mut base = story.genesis();
    for _ in 0..4 {
        base = story.propose("alice", base);
        story.decide(&ALONE, base);
    }
    let chain = story.shows(
        RULE,
        KEPT,
        "",
        "four decisions in a row, each on the one before",
    );

    let mut story = Story::under(protecting(&ALONE, &["refs/heads/dev", MAIN]));
    let genesis = story.genesis();
    let other = story.propose_for("alice", "refs/heads/dev", genesis);
    story.decide(&ALONE, other);
    let x = story.change_charter(&ALONE, protecting(&ALONE, &["refs/heads/*"]));
    for base in [EntryId::of(b"nothing"), other, x] {
        let said = story.move_of(MAIN, base);
        story.say_in_vain("alice", vec![said], &[(0, "WRONG_BASE")]);
    }
    let about =
        "bases that are nothing at all, another ref's decision, and a charter that is not the root";
    let wrong = story.shows(RULE, BROKEN, "", about);

    let (mut story, p) = Story::with_proposal(&THREE);
    let said = story.move_of(MAIN, p);
    story.say_in_vain("bob", vec![said], &[(0, "BASE_NOT_DECIDED")]);
    story.decide(&["alice", "bob"], p);
    let said = story.move_of(MAIN, p);
    let genesis = story.genesis();
    story.entry(
        "carol",
        &[genesis, p],
        vec![said],
        &[(0, "BASE_NOT_DECIDED")],
    );
    let q = story.propose("carol", p);
    story.approvals(&["bob"], &[q]);
    let about = "bases that are not decided yet, and decided by votes that the proposal does not build on; then a good one";
    let undecided = story.shows(RULE, BROKEN, "undecided", about);

    let (mut story, p, q) = Story::with_rivals(&TWO, TWO);
    story.decide(&TWO, p);
    let said = story.move_of(MAIN, q);
    story.say_in_vain("bob", vec![said], &[(0, "BASE_NOT_DECIDED")]);
    vec![
        chain,
        wrong,
        undecided,
        story.shows(
            RULE,
            BROKEN,
            "rival",
            "the base is the rival of what was decided",
        ),
    ]
}

/// Alice, bob, and carol with another key.
fn rekeyed() -> Charter {
    let plain = charter(&THREE);
    let mut members: Vec<Member> = plain.members().to_vec();
    members[2].key = public_key("mallory");
    Charter::new(
        members,
        plain.protected().to_vec(),
        vec![],
        plain.rules().clone(),
    )
    .unwrap()
}

fn successors() -> Vec<Named> {
    const RULE: &str = "section 2, successor";
    let mut story = Story::new(&THREE);
    story.change_charter(&["alice", "bob"], without(&FOUR, &["carol"]));
    let p = story.propose("dave", story.genesis());
    story.approvals(&["alice"], &[p]);
    let follows = story.shows(
        RULE,
        KEPT,
        "",
        "carol leaves, listed as removed, and dave joins",
    );

    let mut story = Story::new(&THREE);
    let forgetful = story.change_to(known(charter(&["alice", "bob"])));
    let rekeyed = story.change_to(known(rekeyed()));
    let stranger = story.change_to(known(without(
        &["alice", "bob", "carol", "mallory"],
        &["mallory"],
    )));
    for said in [forgetful, rekeyed, stranger] {
        let invalid = story.say_in_vain("alice", vec![said], &[(0, "NOT_A_SUCCESSOR")]);
        story.say_in_vain("bob", vec![approve(invalid)], &[(0, "UNKNOWN_PROPOSAL")]);
    }
    let about =
        "charters that forget carol, give her another key, and remove somebody who was no member";
    vec![
        follows,
        story.shows(RULE, BROKEN, "", about),
        removals_that_stay(RULE),
        removals_that_change(RULE),
    ]
}

fn removals_that_stay(rule: &'static str) -> Named {
    let mut story = Story::new(&TWO);
    let without_bob = without(&TWO, &["bob"]);
    let removed = without_bob.removed().to_vec();
    story.change_charter(&TWO, without_bob);
    let wider = protecting(&ALONE, &["refs/heads/*"]);
    let next = Charter::new(
        wider.members().to_vec(),
        wider.protected().to_vec(),
        removed,
        wider.rules().clone(),
    )
    .unwrap();
    story.change_charter(&ALONE, next);
    story.shows(
        rule,
        KEPT,
        "removals",
        "bob was removed, and the charter after the next one lists him still",
    )
}

fn removals_that_change(rule: &'static str) -> Named {
    let mut story = Story::new(&THREE);
    story.change_charter(&["alice", "bob"], without(&THREE, &["carol"]));
    let plain = without(&THREE, &["carol"]);
    let removing = |removed: Vec<Removal>| {
        Charter::new(
            plain.members().to_vec(),
            plain.protected().to_vec(),
            removed,
            plain.rules().clone(),
        )
        .unwrap()
    };
    let carol = plain.removed()[0].clone();
    let other_last = Removal {
        last: Some(story.genesis()),
        ..carol.clone()
    };
    let other_key = Removal {
        key: public_key("mallory"),
        ..carol.clone()
    };
    let bob = Removal {
        key: public_key("mallory"),
        last: None,
        name: name("bob"),
    };
    let alone = Charter::new(
        vec![voter("alice")],
        plain.protected().to_vec(),
        vec![bob, carol],
        charter(&ALONE).rules().clone(),
    );
    let charters = [
        removing(vec![]),
        removing(vec![other_last]),
        removing(vec![other_key]),
        alone.unwrap(),
    ];
    for next in charters {
        let said = story.change_to(known(next));
        story.say_in_vain("alice", vec![said], &[(0, "NOT_A_SUCCESSOR")]);
    }
    let about = "carol was removed; the next charters forget it, or change her last entry or her key, or remove bob with a key that is not his";
    story.shows(rule, BROKEN, "removals", about)
}

fn newer() -> ProposedCharter {
    ProposedCharter::Newer {
        version: 2,
        value: serde_json::json!({"tribes": [], "v": 2}),
    }
}

fn versions() -> Vec<Named> {
    const RULE: &str = "section 2, version";
    let (mut story, p) = Story::with_proposal(&THREE);
    let x = story.propose_charter("carol", newer());
    story.support(&["carol"], x);
    story.decide(&["alice", "bob"], p);
    let open = story.shows(
        RULE,
        KEPT,
        "",
        "a charter of version 2 is proposed and not decided: everything goes on",
    );

    let (mut story, p) = Story::with_proposal(&THREE);
    let x = story.propose_charter("carol", newer());
    story.decide(&["bob", "carol"], x);
    story.support(&["alice"], p);
    story.expect_upgrade(x);
    let about = "a charter of version 2 is decided: a verifier of version 1 gives no verdict";
    vec![open, story.shows(RULE, BROKEN, "", about)]
}

/// Alice, bob and carol vote, and dave does not.
pub fn with_observer() -> Story {
    let plain = charter(&THREE);
    let mut members = plain.members().to_vec();
    members.push(Member {
        vote: false,
        ..voter("dave")
    });
    Story::under(
        Charter::new(
            members,
            plain.protected().to_vec(),
            vec![],
            plain.rules().clone(),
        )
        .unwrap(),
    )
}

fn approvals_by_voters() -> Vec<Named> {
    const RULE: &str = "section 2, approval by a voter";
    let mut story = with_observer();
    let p = story.propose("dave", story.genesis());
    let mut counted = story.clone();
    story.say(
        "dave",
        vec![review(p, Verdict::Reject), review(p, Verdict::Abstain)],
    );
    story.decide(&["alice", "bob"], p);
    let views = story.shows(
        RULE,
        KEPT,
        "",
        "dave, who does not vote, proposes and has views; two of three voters decide",
    );

    counted.say_in_vain("dave", vec![approve(p)], &[(0, "NOT_A_VOTER")]);
    counted.say("alice", vec![approve(p)]);
    counted.say_in_vain("bob", vec![prevote(p, 0)], &[(0, "NOT_APPROVED")]);
    let about =
        "dave, who does not vote, approves: bob knows one approval that counts, and needs two";
    vec![views, counted.shows(RULE, BROKEN, "", about)]
}

fn own_approvals() -> Vec<Named> {
    const RULE: &str = "section 2, own approval";
    let plain = charter(&THREE);
    let mut rules = plain.rules().clone();
    rules.own_approval_counts = false;
    let strict = Charter::new(
        plain.members().to_vec(),
        plain.protected().to_vec(),
        vec![],
        rules,
    )
    .unwrap();
    let mut story = Story::under(strict);
    let p = story.propose("alice", story.genesis());
    let mut own = story.clone();
    story.support(&["bob", "carol"], p);
    story.say("alice", vec![prevote(p, 0)]);
    story.precommits(&["alice", "bob"], p, 0);
    story.expect_decided(p, 0);
    let about = "a proposer's own approval does not count; alice votes for her proposal on the strength of two others";
    let others = story.shows(RULE, KEPT, "", about);

    own.say_in_vain(
        "alice",
        vec![approve(p), prevote(p, 0)],
        &[(0, "OWN_APPROVAL"), (1, "NOT_APPROVED")],
    );
    own.say("bob", vec![approve(p)]);
    own.say_in_vain("carol", vec![prevote(p, 0)], &[(0, "NOT_APPROVED")]);
    let about = "a proposer's own approval does not count: neither for alice's own prevote, nor for carol's";
    vec![others, own.shows(RULE, BROKEN, "", about)]
}

fn approvals_and_charters() -> Vec<Named> {
    const RULE: &str = "section 2, charter of an approval";
    let (mut story, p) = Story::with_proposal(&THREE);
    story.approvals(&THREE, &[p]);
    story.change_charter(&["alice", "bob"], charter(&FOUR));
    let mut stale = story.clone();
    story.say("carol", vec![approve(p), prevote(p, 0)]);
    let anew = story.shows(
        RULE,
        KEPT,
        "",
        "all approved P under the first charter; carol approves again under the second, and prevotes",
    );

    stale.say_in_vain("carol", vec![prevote(p, 0)], &[(0, "NOT_APPROVED")]);
    let about = "all approved P under the first charter, which is no approval under the second";
    vec![anew, stale.shows(RULE, BROKEN, "", about)]
}

fn reviews() -> Vec<Named> {
    const RULE: &str = "section 2, reviews";
    let (mut story, p) = Story::with_proposal(&THREE);
    let q = story.propose("carol", story.genesis());
    story.say(
        "bob",
        vec![review(p, Verdict::Reject), approve(p), approve(q)],
    );
    story.say(
        "alice",
        vec![
            approve(p),
            review(p, Verdict::Reject),
            Statement::Withdraw(Withdraw { proposal: p }),
        ],
    );
    story.prevotes(&["alice", "bob"], p, 0);
    story.precommits(&["alice", "bob"], p, 0);
    story.expect_decided(p, 0);
    let about = "approvals stand whatever views come with them: bob rejected before and approves the rival too, alice rejects after \
        and withdraws; P is decided";
    let counted = story.shows(RULE, KEPT, "", about);

    let (mut story, p) = Story::with_proposal(&THREE);
    story.say_in_vain(
        "bob",
        vec![review(p, Verdict::Reject), prevote(p, 0)],
        &[(1, "NOT_APPROVED")],
    );
    story.say_in_vain(
        "carol",
        vec![review(p, Verdict::Abstain), prevote(p, 0)],
        &[(1, "NOT_APPROVED")],
    );
    vec![
        counted,
        story.shows(
            RULE,
            BROKEN,
            "",
            "a rejection and an abstention are no approvals",
        ),
    ]
}

fn withdrawals() -> Vec<Named> {
    const RULE: &str = "section 2, withdrawal";
    let (mut story, p) = Story::with_proposal(&THREE);
    let withdraw = || vec![Statement::Withdraw(Withdraw { proposal: p })];
    let mut other = story.clone();
    story.say("alice", withdraw());
    other.say_in_vain("bob", withdraw(), &[(0, "NOT_THE_PROPOSER")]);
    let own = story.shows(RULE, KEPT, "", "alice withdraws her proposal");
    vec![
        own,
        other.shows(RULE, BROKEN, "", "bob withdraws alice's proposal"),
    ]
}

/// Carol and dave vote for both rivals, each time on a branch that does not know the other vote.
fn two_decisions(story: &mut Story, rivals: [EntryId; 2]) {
    let mut votes = [[rivals[0]; 2]; 4];
    for ((n, p), honest) in rivals.into_iter().enumerate().zip(["alice", "bob"]) {
        let genesis = story.genesis();
        let said = || vec![approve(p), prevote(p, 0)];
        let carol = story.entry("carol", &[genesis, p], said(), &[]);
        let dave = story.entry("dave", &[genesis, p], said(), &[]);
        let own = story.above(honest, &[p, carol, dave]);
        let vote = story.precommit(honest, p, 0);
        let all = story.entry(honest, &own, [said(), vec![vote]].concat(), &[]);
        let [carol_2, dave_2] = [("carol", carol), ("dave", dave)].map(|(member, own)| {
            let vote = story.precommit(member, p, 0);
            story.entry(member, &[own, all], vec![vote], &[])
        });
        for (pair, vote) in votes.iter_mut().zip([carol, carol_2, dave, dave_2]) {
            pair[n] = vote;
        }
        story.expect_decided(p, 0);
    }
    for (pair, member) in votes.into_iter().zip(["carol", "carol", "dave", "dave"]) {
        story.expect_convicted(member, "equivocation", rivals[0], pair);
    }
    story.expect_broken(rivals[0]);
}

fn rivals() -> Vec<Named> {
    const RULE: &str = "section 2, rivals";
    let mut story = Story::new(&FOUR);
    let genesis = story.genesis();
    let p = story.propose("alice", genesis);
    let q = story.entry_proposing("bob", &[genesis], MAIN, genesis);
    let mut both = story.clone();
    story.support(&["bob"], q);
    story.decide(&["alice", "carol", "dave"], p);
    let one = story.shows(
        RULE,
        KEPT,
        "",
        "bob prevotes Q, the others decide P: one decision for the slot",
    );

    two_decisions(&mut both, [p, q]);
    let about = "two of four members vote for both rivals, on separate branches: both are decided, the slot is broken, and rule 7 \
        convicts the two";
    vec![one, both.shows(RULE, BROKEN, "", about)]
}
