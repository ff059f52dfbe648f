//! Every refusal of the rules, and the honest path beside it.

use git_quorum::charter::{Charter, Removal};
use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{CharterProposal, LedgerRefs, Statement, Withdraw};

use crate::lab::*;
use crate::server::*;

fn propose_charter(base: EntryId, charter: Charter) -> Statement {
    let charter = git_quorum::charter::ProposedCharter::Known(Box::new(charter));
    Statement::ProposeCharter(CharterProposal {
        base,
        charter,
        text: String::new(),
        title: "change".into(),
    })
}

#[test]
fn before_the_genesis_nothing_of_the_ledger_is_taken_and_nothing_is_protected() {
    let mut site = Site::bare(charter(&FOUR), &[]);
    let first = site.commit(&[], "first");
    let main = format!("{first}:{MAIN}");
    site.accepted(&[&main]);
    site.lab.say("a", vec![]);
    let lane = site.lane("a");
    site.refused(&[&lane], &["NO_GENESIS", "genesis first, or together with"]);
    site.refused_late(
        &["--force", "--atomic"],
        &[&lane, &format!("{first}:refs/heads/x")],
        &["NO_GENESIS"],
    );
    let wrong = format!("{first}:{}", site.refs.genesis());
    site.refused(&[&wrong], &["BAD_GENESIS", &site.lab.ledger.to_string()]);
    let other = Lab::found("b", charter(&FOUR));
    let founding = site.store(&other.made[0].raw);
    site.refused(
        &[&format!("{founding}:{}", site.refs.genesis())],
        &["BAD_GENESIS"],
    );
    site.refused(
        &[&format!(
            "{founding}:{}",
            LedgerRefs::of(other.ledger).genesis()
        )],
        &["SECOND_LEDGER"],
    );
    let genesis = site.genesis();
    site.accepted(&[&genesis, &lane]);
    site.accepted(&[&genesis, &lane]);
}

#[test]
fn a_genesis_never_changes_and_no_second_one_is_taken() {
    let (mut site, first) = Site::new();
    let genesis = site.refs.genesis();
    site.refused(&[&format!(":{genesis}")], &["IMMUTABLE"]);
    let other = Lab::found("b", charter(&FOUR));
    let founding = site.store(&other.made[0].raw);
    site.refused(
        &[&format!("{founding}:{genesis}")],
        &["IMMUTABLE", "propose a charter"],
    );
    site.refused(
        &[&format!(
            "{founding}:{}",
            LedgerRefs::of(other.ledger).genesis()
        )],
        &["SECOND_LEDGER"],
    );
    for stray in [
        "refs/quorum/x",
        "refs/quorum/x/y",
        "refs/quorum/0123456789abcdef/lane/a",
    ] {
        site.refused(&[&format!("{first}:{stray}")], &["STRAY_NAME"]);
    }
    for stray in [
        "x",
        "lane/A",
        "lane/a/b",
        "proposal/12",
        "remote/origin/a",
        "incoming/o/lane/a",
        "genesis/x",
    ] {
        let name = format!("{first}:{}{stray}", site.refs.prefix());
        site.refused(&[&name], &["STRAY_NAME", "lane/<member>"]);
    }
}

#[test]
fn main_does_not_move_without_a_decision() {
    let (mut site, first) = Site::new();
    let genesis = site.lab.ledger;
    let second = site.commit(&[first], "second");
    let main = format!("{second}:{MAIN}");
    site.refused(&[&main], &["NO_PROPOSAL", "git quorum propose"]);
    site.refused(&[&format!(":{MAIN}")], &["NO_PROPOSAL", "delete"]);
    let unrelated = site.commit(&[], "unrelated");
    site.refused(&[&format!("{unrelated}:{MAIN}")], &["NO_PROPOSAL"]);

    let p = site.propose(genesis, first, second);
    site.lab.say("b", vec![approve(p)]);
    let with = [
        site.lane("a"),
        site.lane("b"),
        site.proposal_ref(p),
        main.clone(),
    ];
    let says = [
        "NOT_DECIDED",
        "1 of 3 approvals (b)",
        "a, c, d",
        &format!("git quorum status {}", p.short()),
    ];
    // Not even the lanes: both or neither, also in a push that is not atomic.
    site.refused(&parts(&with), &says);
    site.refused_with(&["--force", "--atomic"], &parts(&with), &says);
    site.accepted(&parts(&with[..3]));
    site.refused(&[&main], &says);
}

#[test]
fn lanes_and_the_ref_that_they_decide_can_come_in_one_push() {
    let (mut site, first) = Site::new();
    let genesis = site.lab.ledger;
    let second = site.commit(&[first], "second");
    let p = site.propose(genesis, first, second);
    site.decide(p);
    // Entries are good commits to a server that looks closely.
    site.set("receive.fsckObjects", "true");
    let mut all = site.lanes();
    all.extend([site.proposal_ref(p), format!("{second}:{MAIN}")]);
    let mut wrong = all.clone();
    wrong
        .last_mut()
        .unwrap()
        .replace_range(..40, &site.commit(&[second], "more").to_string());
    site.refused(&parts(&wrong), &["NO_PROPOSAL"]);
    let mut one_short = all.clone();
    one_short.retain(|spec| {
        !spec.ends_with("lane/b") && !spec.ends_with("lane/c") && !spec.ends_with("lane/a")
    });
    site.refused(&parts(&one_short), &["PROPOSAL_UNKNOWN"]);
    site.accepted(&parts(&all));
    assert_eq!(site.at(MAIN), Some(second));
    assert_eq!(
        site.at(&site.refs.proposal(p)),
        None,
        "a landed proposal needs no ref"
    );
    // The same once more is no error, and going back is one.
    site.accepted(&parts(&all));
    site.refused(&[&format!("{first}:{MAIN}")], &["NO_PROPOSAL"]);
}

#[test]
fn a_decision_lands_when_somebody_pushes_the_ref_and_its_commit_is_kept_until_then() {
    let (mut site, first) = Site::new();
    let genesis = site.lab.ledger;
    let (second, rival) = (
        site.commit(&[first], "second"),
        site.commit(&[first], "rival"),
    );
    let p = site.propose(genesis, first, second);
    let statement = site.proposal(genesis, MAIN, Some(first), Some(rival));
    let r = site.lab.say("b", vec![statement]);
    let first_push = [
        site.lane("a"),
        site.lane("b"),
        site.proposal_ref(p),
        site.proposal_ref(r),
    ];
    site.accepted(&parts(&first_push));
    assert_eq!(site.at(&site.refs.proposal(r)), Some(rival));
    site.decide(p);
    let lanes = site.lanes();
    site.accepted(&parts(&lanes));
    assert_eq!(
        (site.at(MAIN), site.at(&site.refs.proposal(p))),
        (Some(first), Some(second))
    );
    assert_eq!(
        site.at(&site.refs.proposal(r)),
        None,
        "the loser's ref went with the decision"
    );
    site.refused(&[&format!("{rival}:{MAIN}")], &["SUPERSEDED", &p.short()]);
    site.accepted(&[&format!("{second}:{MAIN}")]);
    site.refused(
        &[&format!("{rival}:{MAIN}")],
        &["SUPERSEDED", &format!("git quorum status {}", p.short())],
    );
    // Too late is no error, and nothing stays of it.
    let late = site.proposal_ref(r);
    site.accepted(&[&late]);
    assert_eq!(site.at(&site.refs.proposal(r)), None);
}

#[test]
fn auto_landing_moves_the_ref_in_the_push_that_decides_and_waits_for_the_commit() {
    let (mut site, first) = Site::with(charter(&FOUR), &["--auto-land"]);
    let genesis = site.lab.ledger;
    let second = site.commit(&[first], "second");
    let p = site.propose(genesis, first, second);
    let lane = [site.lane("a"), site.proposal_ref(p)];
    site.accepted(&parts(&lane));
    site.decide(p);
    // The last precommit is b's: without its lane nothing moves yet.
    let c = site.lane("c");
    let last = site.lab.made.last().unwrap().id;
    assert_eq!(site.lab.tip("c"), last, "the last precommit is c's");
    let early: Vec<_> = ["a", "b"].map(|member| site.lane(member)).to_vec();
    site.accepted(&parts(&early));
    assert_eq!(site.at(MAIN), Some(first));
    let pushed = site.accepted(&[&c]);
    assert_eq!(site.at(MAIN), Some(second));
    assert!(
        pushed.text.contains("landed refs/heads/main") && pushed.text.contains(&p.short()),
        "{}",
        pushed.text
    );
    assert_eq!(site.at(&site.refs.proposal(p)), None);

    // A commit that nobody pushed cannot land; when it comes, it does.
    let third = site.commit(&[second], "third");
    let statement = site.proposal(p, MAIN, Some(second), Some(third));
    let q = site.lab.say("d", vec![statement]);
    site.decide(q);
    let lanes: Vec<_> = ["a", "b", "c"].map(|member| site.lane(member)).to_vec();
    let pushed = site.accepted(&parts(&lanes));
    assert!(
        pushed.text.contains("waits for the commit"),
        "{}",
        pushed.text
    );
    let rest = [site.lane("d"), site.proposal_ref(q)];
    site.accepted(&parts(&rest));
    assert_eq!(site.at(MAIN), Some(third));
}

#[test]
fn a_landing_that_git_refuses_does_not_hold_up_the_lanes() {
    let (mut site, _) = Site::with(protecting(&[MAIN, "refs/heads/new"]), &["--auto-land"]);
    let genesis = site.lab.ledger;
    let to = site.commit(&[], "new");
    let statement = site.proposal(genesis, "refs/heads/new", None, Some(to));
    let p = site.lab.say("a", vec![statement]);
    site.decide(p);
    site.git(
        &site.server(),
        &[
            "update-ref",
            "refs/heads/new/in-the-way",
            &site.at(MAIN).unwrap().to_string(),
        ],
        b"",
    );
    let mut all = site.lanes();
    all.push(site.proposal_ref(p));
    let pushed = site.accepted(&parts(&all));
    assert!(
        pushed.text.contains("could not move refs/heads/new"),
        "{}",
        pushed.text
    );
    assert_eq!(
        site.at(&site.refs.proposal(p)),
        Some(to),
        "kept until it lands"
    );
    let x = site.commit(&[], "x");
    site.refused(&[&format!("{x}:refs/heads/new/x")], &["BLOCKS_PROTECTED"]);
    site.refused(&[&format!("{x}:refs/heads/main/x")], &["BLOCKS_PROTECTED"]);
}

#[test]
fn a_ref_goes_forward_to_any_later_decision_and_never_back() {
    let (mut site, one) = Site::new();
    let genesis = site.lab.ledger;
    let commits: Vec<Oid> = (2..6)
        .scan(one, |at, n| {
            *at = site.commit(&[*at], &n.to_string());
            Some(*at)
        })
        .collect();
    let (two, three, four) = (commits[0], commits[1], commits[2]);
    let d1 = site.propose(genesis, one, two);
    site.decide(d1);
    let d2 = site.propose(d1, two, three);
    site.decide(d2);
    let mut all = site.lanes();
    all.extend([site.proposal_ref(d1), site.proposal_ref(d2)]);
    site.accepted(&parts(&all));
    // A commit in between, or beyond, was not decided.
    site.refused(&[&format!("{four}:{MAIN}")], &["NO_PROPOSAL"]);
    site.accepted(&[&format!("{three}:{MAIN}")]);
    assert_eq!(
        (
            site.at(&site.refs.proposal(d1)),
            site.at(&site.refs.proposal(d2))
        ),
        (None, None)
    );
    site.refused(&[&format!("{two}:{MAIN}")], &["WENT_BACK", &d1.short()]);

    // Back to the first commit by decision: then the first decision does not count again.
    let d3 = site.propose(d2, three, one);
    site.decide(d3);
    let mut all = site.lanes();
    all.extend([site.proposal_ref(d3), format!("{one}:{MAIN}")]);
    site.accepted(&parts(&all));
    assert_eq!(site.at(MAIN), Some(one));
    site.refused(&[&format!("{two}:{MAIN}")], &["WENT_BACK"]);
}

#[test]
fn a_decision_that_cannot_land_does_not_wedge_the_ref() {
    let (mut site, one) = Site::new();
    let genesis = site.lab.ledger;
    let elsewhere = site.commit(&[], "elsewhere");
    let (two, three) = (
        site.commit(&[elsewhere], "two"),
        site.commit(&[one], "three"),
    );
    // The server must have what the proposal says that main holds.
    site.accepted(&[&format!("{elsewhere}:refs/heads/elsewhere")]);
    let d1 = site.propose(genesis, elsewhere, two);
    site.decide(d1);
    let mut all = site.lanes();
    all.push(site.proposal_ref(d1));
    site.accepted(&parts(&all));
    site.refused(
        &[&format!("{two}:{MAIN}")],
        &["WRONG_FROM", &elsewhere.short(), &one.short()],
    );
    let d2 = site.propose(d1, one, three);
    site.decide(d2);
    let mut all = site.lanes();
    all.extend([site.proposal_ref(d2), format!("{three}:{MAIN}")]);
    site.accepted(&parts(&all));
    assert_eq!(site.at(MAIN), Some(three));
    assert_eq!(site.at(&site.refs.proposal(d1)), None);
}

#[test]
fn tags_creations_patterns_and_deletions_need_decisions_too() {
    let (mut site, one) = Site::with(
        protecting(&[MAIN, "refs/heads/release/*", "refs/tags/v*"]),
        &[],
    );
    let genesis = site.lab.ledger;
    let long = format!("refs/heads/release/{}", "x".repeat(240));
    for name in [
        "refs/heads/release/1",
        "refs/tags/v1",
        "refs/heads/release/a/b",
    ] {
        site.refused(&[&format!("{one}:{name}")], &["NO_PROPOSAL"]);
    }
    site.refused(&[&format!("{one}:{long}")], &["no decision can name"]);
    site.accepted(&[
        &format!("{one}:refs/tags/other"),
        &format!("{one}:refs/heads/releases"),
    ]);
    let tag = format!(
        "object {one}\ntype commit\ntag v1\ntagger T <t@example.org> 1700000000 +0000\n\nv1\n"
    );
    let tag = site.git(
        &site.desk(),
        &["hash-object", "-t", "tag", "-w", "--stdin"],
        tag.as_bytes(),
    );
    let tag: Oid = tag.parse().unwrap();
    let statement = site.proposal(genesis, "refs/tags/v1", None, Some(tag));
    let p = site.lab.say("a", vec![statement]);
    site.decide(p);
    let mut all = site.lanes();
    all.extend([site.proposal_ref(p), format!("{tag}:refs/tags/v1")]);
    site.accepted(&parts(&all));
    assert_eq!(site.at("refs/tags/v1"), Some(tag));

    site.refused(&[":refs/tags/v1"], &["NO_PROPOSAL"]);
    let statement = site.proposal(p, "refs/tags/v1", Some(tag), None);
    let gone = site.lab.say("a", vec![statement]);
    site.decide(gone);
    let mut all = site.lanes();
    all.push(":refs/tags/v1".into());
    site.accepted(&parts(&all));
    assert_eq!(site.at("refs/tags/v1"), None);
    site.refused(&[&format!("{tag}:refs/tags/v1")], &["WENT_BACK"]);

    // A branch holds commits: a tag object there could never land.
    let statement = site.proposal(genesis, "refs/heads/release/1", None, Some(tag));
    let p = site.lab.say("a", vec![statement]);
    let all = [site.lane("a"), site.proposal_ref(p)];
    site.refused(&parts(&all), &["PROPOSAL_DIFFERS", "is a branch, and"]);
}

#[test]
fn protection_holds_in_the_push_that_begins_or_ends_it() {
    let (mut site, one) = Site::new();
    let genesis = site.lab.ledger;
    let wider = site.lab.say(
        "a",
        vec![propose_charter(
            genesis,
            protecting(&[MAIN, "refs/heads/next"]),
        )],
    );
    site.decide(wider);
    let next = format!("{one}:refs/heads/next");
    let mut all = site.lanes();
    all.push(next.clone());
    site.refused(&parts(&all), &["NO_PROPOSAL", "refs/heads/next"]);
    site.accepted(&[&next]);
    let lanes = site.lanes();
    site.accepted(&parts(&lanes));
    site.refused(&[":refs/heads/next"], &["NO_PROPOSAL"]);

    let narrower = site.lab.say(
        "a",
        vec![propose_charter(wider, protecting(&["refs/heads/next"]))],
    );
    site.decide(narrower);
    let two = site.commit(&[one], "two");
    let mut all = site.lanes();
    all.push(format!("{two}:{MAIN}"));
    site.refused(&parts(&all), &["UNPROTECTED_NOW", "push the entries first"]);
    let lanes = site.lanes();
    site.accepted(&parts(&lanes));
    site.accepted(&[&format!("{two}:{MAIN}")]);
}

#[test]
fn a_charter_and_what_it_decides_come_in_one_push() {
    let (mut site, one) = Site::new();
    let genesis = site.lab.ledger;
    let wider = site.lab.say(
        "a",
        vec![propose_charter(
            genesis,
            protecting(&[MAIN, "refs/heads/next"]),
        )],
    );
    site.decide(wider);
    let statement = site.proposal(wider, "refs/heads/next", None, Some(one));
    let p = site.lab.say("b", vec![statement]);
    site.decide(p);
    let mut all = site.lanes();
    all.extend([site.proposal_ref(p), format!("{one}:refs/heads/next")]);
    site.accepted(&parts(&all));
    assert_eq!(site.at("refs/heads/next"), Some(one));
}

#[test]
fn a_lane_holds_its_owners_entries_and_goes_forward() {
    let (mut site, first) = Site::new();
    let genesis = site.lab.ledger;
    let a1 = site.lab.entry("a", genesis, &[genesis], vec![]);
    let a2 = site.lab.entry("a", genesis, &[a1], vec![]);
    let b1 = site.lab.entry("b", genesis, &[genesis, a2], vec![]);
    let lane = site.refs.lane(&name("a"));
    let at = |site: &Site, id| site.lane_at("a", id);
    let forward = at(&site, a2);
    site.accepted(&[&forward]);
    let back = at(&site, a1);
    site.refused(
        &[&back],
        &["LANE_WENT_BACK", &a2.short(), "git quorum sync"],
    );
    let others = at(&site, b1);
    site.refused(&[&others], &["BAD_LANE", "b's"]);
    let genesis_itself = format!("{}:{lane}", site.oid(genesis));
    site.refused(&[&genesis_itself], &["LANE_WENT_BACK"]);
    site.refused(&[&format!(":{lane}")], &["LANE_DELETED"]);
    site.refused(&[&format!("{first}:{lane}")], &["NO_SIGNATURE"]);
    let blob = site.git(&site.desk(), &["hash-object", "-w", "--stdin"], b"x");
    site.refused(&[&format!("{blob}:{lane}")], &["NOT_A_COMMIT"]);

    // A fork is no fast-forward; its join is.
    let fork = site.lab.entry("a", genesis, &[a1], vec![]);
    let forked = at(&site, fork);
    site.refused(&[&forked], &["LANE_WENT_BACK"]);
    let join = site.lab.entry("a", genesis, &[a2, fork], vec![]);
    let joined = at(&site, join);
    site.accepted(&[&joined]);
    let b = site.lane("b");
    site.accepted(&[&b]);
}

#[test]
fn an_entry_that_is_not_what_was_signed_is_refused() {
    let (mut site, _) = Site::new();
    let genesis = site.lab.ledger;
    let a1 = site.lab.entry("a", genesis, &[genesis], vec![]);
    let a2 = site.lab.entry("a", genesis, &[a1], vec![]);
    let good = site.lane_at("a", a1);
    site.accepted(&[&good]);
    let lane = site.refs.lane(&name("a"));
    let raw = site
        .lab
        .made
        .iter()
        .find(|made| made.id == a2)
        .unwrap()
        .raw
        .clone();
    let text = String::from_utf8(raw).unwrap();

    let (start, end) = (text.find("gpgsig").unwrap(), text.find("\n\n").unwrap());
    let unsigned = format!("{}{}", &text[..start], &text[end + 1..]);
    let (g, p) = (site.oid(genesis).to_string(), site.oid(a1).to_string());
    let stranger = site.lab.payload("a", genesis, &[a1], vec![]);
    let unsigned_entry =
        git_quorum::ledger::encode(&stranger, &[site.oid(a1)], 1_700_000_099).unwrap();
    let forged = String::from_utf8(sign(&unsigned_entry, "b")).unwrap();
    for (what, bytes, code) in [
        ("unsigned", unsigned, "NO_SIGNATURE"),
        (
            "re-dated",
            text.replace("1700000002", "1700000003"),
            "BAD_SIGNATURE",
        ),
        (
            "re-parented",
            text.replace(&format!("parent {p}"), &format!("parent {g}")),
            "PARENT_MISMATCH",
        ),
        (
            "with a header",
            text.replacen("\n\n", "\nencoding UTF-8\n\n", 1),
            "BAD_TEMPLATE",
        ),
        ("with text after it", format!("{text}more\n"), "BAD_"),
        ("signed by another", forged, "BAD_SIGNATURE"),
        (
            "oversized",
            format!("{text}{}", "x".repeat(300_000)),
            "TOO_LARGE",
        ),
    ] {
        let oid = site.store(bytes.as_bytes());
        site.refused(&[&format!("{oid}:{lane}")], &[code]);
        assert_eq!(site.at(&lane), Some(site.oid(a1)), "{what}");
    }

    // Of another ledger with the same members and keys.
    let mut other = Lab::found("b", charter(&FOUR));
    let replayed = other.say("a", vec![]);
    for made in other.made.clone() {
        site.store(&made.raw);
    }
    let oid = other
        .made
        .iter()
        .find(|made| made.id == replayed)
        .unwrap()
        .oid;
    site.refused(&[&format!("{oid}:{lane}")], &["WRONG_LEDGER"]);
    let good = site.lane_at("a", a2);
    site.accepted(&[&good]);
}

#[test]
fn a_member_that_lost_the_commit_of_a_proposal_can_withdraw_it_and_go_on() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let p = site.propose(site.lab.ledger, first, second);
    let lane = site.lane("a");
    site.refused(&[&lane], &["PROPOSAL_MISSING"]);
    site.lab
        .say("a", vec![Statement::Withdraw(Withdraw { proposal: p })]);
    let lane = site.lane("a");
    site.accepted(&[&lane]);

    // What a quorum approves can still be decided, whatever its proposer says: then its commit must be here.
    let third = site.commit(&[first], "third");
    let q = site.propose(site.lab.ledger, first, third);
    for member in &FOUR[1..] {
        site.lab.say(member, vec![approve(q)]);
    }
    site.lab
        .say("a", vec![Statement::Withdraw(Withdraw { proposal: q })]);
    let lanes = site.lanes();
    site.refused(&parts(&lanes), &["PROPOSAL_MISSING"]);
}

#[test]
fn a_proposal_needs_its_commit_and_must_match_its_objects() {
    let (mut site, first) = Site::new();
    let genesis = site.lab.ledger;
    let (second, other) = (
        site.commit(&[first], "second"),
        site.commit(&[first], "other"),
    );
    let p = site.propose(genesis, first, second);
    let (lane, its_ref) = (site.lane("a"), site.proposal_ref(p));
    let proposal = site.refs.proposal(p);
    site.refused(&[&lane], &["PROPOSAL_MISSING", &its_ref]);
    site.refused(&[&its_ref], &["PROPOSAL_UNKNOWN"]);
    site.refused(
        &[&lane, &format!("{other}:{proposal}")],
        &["PROPOSAL_DIFFERS", &second.to_string()],
    );
    site.accepted(&[&lane, &its_ref]);
    site.refused(&[&format!("{other}:{proposal}")], &["IMMUTABLE"]);
    site.refused(&[&format!(":{proposal}")], &["IMMUTABLE", "withdraw"]);

    // What the entry says is not what the commits say.
    let Statement::Propose(mut lie) = site.proposal(genesis, MAIN, Some(first), Some(other)) else {
        panic!()
    };
    lie.rewrite = true;
    let lied = site.lab.say("b", vec![Statement::Propose(lie)]);
    let all = [site.lane("b"), site.proposal_ref(lied)];
    site.refused(&parts(&all), &["PROPOSAL_DIFFERS", "rewrite flag"]);
}

#[test]
fn a_lane_needs_a_member_and_a_decided_charter() {
    let (mut site, _) = Site::new();
    let genesis = site.lab.ledger;
    let five = charter(&["a", "b", "c", "d", "e"]);
    let wanted = site.lab.say("a", vec![propose_charter(genesis, five)]);
    let early = site.lab.entry("e", wanted, &[genesis, wanted], vec![]);
    let lane = site.lane("e");
    site.refused(&[&lane], &["CHARTER_NOT_DECIDED", &wanted.short()]);
    site.decide(wanted);
    let lanes: Vec<_> = ["a", "b", "c"].map(|member| site.lane(member)).to_vec();
    site.accepted(&parts(&lanes));
    let lane = site.lane_at("e", early);
    site.accepted(&[&lane]);
}

#[test]
fn a_removed_members_lane_stops_where_the_charter_says() {
    let (mut site, _) = Site::new();
    let genesis = site.lab.ledger;
    let d1 = site.lab.entry("d", genesis, &[genesis], vec![]);
    let d2 = site.lab.entry("d", genesis, &[d1], vec![]);
    let d3 = site.lab.entry("d", genesis, &[d2], vec![]);
    let three = charter(&["a", "b", "c"]);
    let removal = Removal {
        key: public_key("d"),
        last: Some(d2),
        name: name("d"),
    };
    let rest = Charter::new(
        three.members().to_vec(),
        three.protected().to_vec(),
        vec![removal],
        three.rules().clone(),
    );
    let statement = propose_charter(genesis, rest.unwrap());
    let change = site
        .lab
        .entry("a", genesis, &[genesis, d2], vec![statement]);
    for phase in 0..2 {
        for member in ["a", "b", "c"] {
            let parents: Vec<_> = ["a", "b", "c"]
                .map(|m| site.lab.tip(m))
                .into_iter()
                .collect();
            let own = site.lab.tip(member);
            let mut above = vec![own];
            above.extend(parents.into_iter().filter(|p| *p != own && *p != genesis));
            let vote = match phase {
                0 => vec![approve(change), prevote(change, 0)],
                _ => vec![site.lab.precommit(member, genesis, change, 0)],
            };
            site.lab.entry(member, genesis, &above, vote);
        }
    }
    assert_eq!(site.lab.tally.charter_in_force(), change);
    let lanes: Vec<_> = ["a", "b", "c"].map(|member| site.lane(member)).to_vec();
    site.accepted(&parts(&lanes));
    let (one, two, three) = (
        site.lane_at("d", d1),
        site.lane_at("d", d2),
        site.lane_at("d", d3),
    );
    site.refused(&[&three], &["MEMBER_REMOVED", &d2.short()]);
    site.accepted(&[&one]);
    site.accepted(&[&two]);
    site.refused(&[&three], &["MEMBER_REMOVED"]);
}

#[test]
fn a_second_decision_for_one_slot_is_refused_and_the_liars_are_named() {
    let (mut site, first) = Site::new();
    let genesis = site.lab.ledger;
    let (one, two) = (site.commit(&[first], "one"), site.commit(&[first], "two"));
    let p = site.propose(genesis, first, one);
    let statement = site.proposal(genesis, MAIN, Some(first), Some(two));
    let q = site.lab.entry("d", genesis, &[genesis], vec![statement]);
    // a and b vote on two branches; c sees one, d the other.
    let last = |wanted: EntryId, members: [&'static str; 3], start: EntryId, site: &mut Site| {
        let mut at = std::collections::BTreeMap::new();
        let mut known = start;
        for phase in 0..2 {
            for member in members {
                let own = *at
                    .get(member)
                    .unwrap_or(if member == members[2] && wanted == q {
                        &q
                    } else {
                        &genesis
                    });
                let own = if member == "a" && own == genesis {
                    p
                } else {
                    own
                };
                let mut parents = vec![own];
                parents.extend([known].into_iter().filter(|k| *k != own));
                parents.extend(
                    [wanted]
                        .into_iter()
                        .filter(|w| phase == 0 && *w != own && *w != known),
                );
                let vote = match phase {
                    0 => vec![approve(wanted), prevote(wanted, 0)],
                    _ => vec![site.lab.precommit(member, genesis, wanted, 0)],
                };
                known = site.lab.entry(member, genesis, &parents, vote);
                at.insert(member, known);
            }
        }
        at
    };
    let honest = last(p, ["a", "b", "c"], p, &mut site);
    let liars = last(q, ["a", "b", "d"], q, &mut site);
    assert!(site.lab.tally.is_decided(p) && site.lab.tally.is_decided(q));
    let mut all: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|m| site.lane_at(m, honest[m]))
        .collect();
    all.extend([site.proposal_ref(p), format!("{one}:{MAIN}")]);
    site.accepted(&parts(&all));
    let d = site.lane_at("d", liars["d"]);
    let rival = site.proposal_ref(q);
    site.refused(&[&d, &rival], &["CONTRADICTS", "a, b"]);
    assert_eq!(site.at(MAIN), Some(one));

    // A server that has both already stops, and says whom the votes convict.
    let objects = site.server().join("objects/info/alternates");
    std::fs::write(
        objects,
        format!("{}\n", site.desk().join("objects").display()),
    )
    .unwrap();
    let oid = site.oid(liars["d"]).to_string();
    let lane = site.refs.lane(&name("d"));
    site.git(&site.server(), &["update-ref", &lane, &oid], b"");
    site.refused(&[&format!("{two}:{MAIN}")], &["AGREEMENT_BROKEN", "a, b"]);
}

#[test]
fn the_gate_leaves_ordinary_branches_alone() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let both = [
        format!("{second}:refs/heads/x"),
        format!("{second}:refs/heads/y"),
    ];
    site.accepted(&parts(&both));
    site.accepted_with(
        &["--atomic", "--force"],
        &[&format!("{first}:refs/heads/x"), ":refs/heads/y"],
    );
    assert_eq!(
        (site.at("refs/heads/x"), site.at("refs/heads/y")),
        (Some(first), None)
    );
    // Beside a ref that is refused, if the push is not atomic.
    let pushed = site.push_with(
        &[],
        &[
            &format!("{second}:{MAIN}"),
            &format!("{second}:refs/heads/z"),
        ],
        &[],
    );
    assert!(!pushed.ok && site.at("refs/heads/z") == Some(second) && site.at(MAIN) == Some(first));
    site.refused_with(
        &["--atomic"],
        &[
            &format!("{second}:{MAIN}"),
            &format!("{second}:refs/heads/w"),
        ],
        &["NO_PROPOSAL"],
    );
    // A name that is no text.
    use std::os::unix::ffi::OsStrExt as _;
    let spec = [format!("{second}:refs/heads/").as_bytes(), b"\xff"].concat();
    let mut push = std::process::Command::new("git");
    push.current_dir(site.desk())
        .arg("push")
        .arg(site.server())
        .arg(std::ffi::OsStr::from_bytes(&spec));
    assert!(push.output().unwrap().status.success());
    let deletion = std::ffi::OsStr::from_bytes(b":refs/heads/\xff");
    let mut push = std::process::Command::new("git");
    assert!(
        push.current_dir(site.desk())
            .arg("push")
            .arg(site.server())
            .arg(deletion)
            .output()
            .unwrap()
            .status
            .success()
    );

    site.set("receive.denyNonFastForwards", "true");
    site.refused(&[&format!("{first}:refs/heads/z")], &["non-fast-forward"]);
}

#[test]
fn an_atomic_push_of_lanes_and_branches_is_one_transaction_under_the_servers_own_rules() {
    let (mut site, first) = Site::new();
    let atomic = ["--atomic", "--force"];
    let second = site.commit(&[first], "second");
    let old = format!("{second}:refs/heads/x");
    site.lab.say("a", vec![]);
    let lane = site.lane("a");
    site.accepted_with(&atomic, &[&lane, &old]);
    assert!(
        site.at("refs/heads/x") == Some(second) && site.at(&site.refs.lane(&name("a"))).is_some()
    );

    site.lab.say("a", vec![]);
    let lane = site.lane("a");
    let back = format!("{first}:refs/heads/x");
    site.set("receive.denyNonFastForwards", "true");
    site.refused_late(
        &atomic,
        &[&lane, &back],
        &["non-fast-forward", "OTHER_REF_REFUSED"],
    );
    site.set("receive.denyNonFastForwards", "false");
    site.set("receive.denyDeletes", "true");
    site.refused_late(&atomic, &[&lane, ":refs/heads/x"], &["deletion prohibited"]);
    site.set("receive.denyDeletes", "false");
    site.git(
        &site.server(),
        &["symbolic-ref", "HEAD", "refs/heads/x"],
        b"",
    );
    site.refused_late(&atomic, &[&lane, ":refs/heads/x"], &["current branch"]);
    site.git(&site.server(), &["symbolic-ref", "HEAD", MAIN], b"");
    site.hook(
        "update",
        "#!/bin/sh\necho \"not $1\"\ntest \"$1\" != refs/heads/x\n",
    );
    site.refused_late(
        &atomic,
        &[&lane, &back],
        &["hook declined", "not refs/heads/x"],
    );
    run_bit(&site.server().join("hooks/update"), false);
    site.accepted_with(&atomic, &[&lane, &back]);
    assert_eq!(site.at("refs/heads/x"), Some(first));
    // A decision is above the settings, and a bad lane takes the branch with it.
    let y = format!("{first}:refs/heads/y");
    let bad = format!("{first}:{}", site.refs.lane(&name("b")));
    site.refused_late(&atomic, &[&bad, &y], &["NO_SIGNATURE", "OTHER_REF_REFUSED"]);
}

#[test]
fn the_gate_refuses_everything_when_it_cannot_tell_what_is_protected() {
    let (mut site, first) = Site::new();
    let ordinary = format!("{first}:refs/heads/x");
    let ledger = site.lab.ledger.to_string();
    site.git(&site.server(), &["config", "--unset", "quorum.ledger"], b"");
    site.refused(
        &[&ordinary],
        &["GATE_UNAVAILABLE", "git quorum install --server"],
    );
    site.set("quorum.ledger", &ledger);

    let shallow = site.server().join("shallow");
    std::fs::write(&shallow, format!("{first}\n")).unwrap();
    let pushed = site.push_with(&["--force"], &[&ordinary], &[]);
    assert!(
        !pushed.ok && site.at("refs/heads/x").is_none(),
        "{}",
        pushed.text
    );
    std::fs::remove_file(&shallow).unwrap();

    site.set("extensions.partialClone", "origin");
    site.refused(&[&ordinary], &["GATE_UNAVAILABLE", "partial"]);
    site.git(
        &site.server(),
        &["config", "--unset", "extensions.partialClone"],
        b"",
    );

    // A damaged lane may hide a charter.
    let lane = site.refs.lane(&name("a"));
    site.git(
        &site.server(),
        &["update-ref", &lane, &first.to_string()],
        b"",
    );
    site.refused(&[&ordinary], &["GATE_UNAVAILABLE", "damaged"]);
    site.git(&site.server(), &["update-ref", "-d", &lane], b"");

    // A genesis that is lost is missed, and may come back.
    let genesis = site.refs.genesis();
    site.git(&site.server(), &["update-ref", "-d", &genesis], b"");
    site.refused(
        &[&format!("{first}:refs/heads/x")],
        &["GATE_UNAVAILABLE", "is gone"],
    );
    let again = site.genesis();
    site.accepted(&[&again]);

    let pushed = site.push_with(&[], &[&ordinary], &[("GIT_NAMESPACE", "n")]);
    assert!(
        !pushed.ok && pushed.text.contains("GIT_NAMESPACE"),
        "{}",
        pushed.text
    );
    site.accepted(&[&ordinary]);
}

#[test]
fn a_ledger_that_needs_a_newer_program_stops_the_gate() {
    let (mut site, first) = Site::new();
    let genesis = site.lab.ledger;
    let text = serde_json::to_string(&charter(&FOUR))
        .unwrap()
        .replace("\"v\":1}", "\"v\":2}");
    let charter = serde_json::from_str(&text).unwrap();
    let newer = CharterProposal {
        base: genesis,
        charter,
        text: String::new(),
        title: "two".into(),
    };
    let p = site.lab.say("a", vec![Statement::ProposeCharter(newer)]);
    site.decide(p);
    let lanes = site.lanes();
    site.refused(&parts(&lanes), &["UPGRADE_NEEDED"]);
    site.accepted(&[&format!("{first}:refs/heads/x")]);
}

#[test]
fn without_its_hook_or_program_the_server_takes_nothing() {
    let (mut site, first) = Site::new();
    let hook = site.server().join("hooks/proc-receive");
    let ordinary = format!("{first}:refs/heads/x");
    let script = std::fs::read_to_string(&hook).unwrap();
    std::fs::write(&hook, script.replace("/git-quorum'", "/gone'")).unwrap();
    site.refused(&[&ordinary], &["is not at", "install --server"]);
    run_bit(&hook, false);
    site.refused(&[&ordinary], &[]);
    std::fs::remove_file(&hook).unwrap();
    site.refused(&[&ordinary], &[]);
    let output = site.quorum(&site.server(), &["install", "--server"]);
    assert!(output.status.success(), "{}", text(&output));
    site.accepted(&[&ordinary]);
}

#[test]
fn installing_is_idempotent_and_displaces_nothing() {
    let site = Site::without_gate(charter(&FOUR));
    let server = site.server();
    let run = |args: &[&str]| {
        site.quorum(
            &server,
            &[&["--json", "install", "--server"], args].concat(),
        )
    };
    let says = |args: &[&str], code: &str| {
        let output = run(args);
        assert!(
            !output.status.success() && text(&output).contains(code),
            "{}",
            text(&output)
        );
    };
    let ledger = site.lab.ledger.to_string();
    says(&[], "NO_LEDGER");
    says(&["--genesis", "12"], "USAGE");
    let hook = server.join("hooks/proc-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\nexit 0\n").unwrap();
    says(&["--genesis", &ledger], "FOREIGN_HOOK");
    assert_eq!(
        std::fs::read_to_string(&hook).unwrap(),
        "#!/bin/sh\nexit 0\n"
    );
    assert_eq!(
        site.try_git(&server, &["config", "quorum.ledger"], b"", &[])
            .status
            .code(),
        Some(1)
    );
    std::fs::remove_file(&hook).unwrap();
    site.set("core.hooksPath", "/elsewhere");
    says(&["--genesis", &ledger], "HOOKS_PATH");
    site.git(&server, &["config", "--unset", "core.hooksPath"], b"");
    site.set("receive.procReceiveRefs", "refs/for");

    let first = run(&["--genesis", &ledger]);
    assert!(
        first.status.success() && text(&first).contains("\"founded\":false"),
        "{}",
        text(&first)
    );
    assert_eq!(
        site.git(
            &server,
            &["config", "--get-all", "receive.procReceiveRefs"],
            b""
        ),
        "refs/for\nrefs"
    );
    let config = std::fs::read(server.join("config")).unwrap();
    run_bit(&hook, true);
    let again = run(&[]);
    assert!(text(&again).contains("\"changes\":[]"), "{}", text(&again));
    run_bit(&hook, false);
    let again = run(&[]);
    assert!(
        text(&again).contains("proc-receive\"]"),
        "the run bit is back: {}",
        text(&again)
    );
    assert_eq!(std::fs::read(server.join("config")).unwrap(), config);
    says(&["--genesis", &"0".repeat(64)], "OTHER_LEDGER");
    let output = run(&["--auto-land"]);
    assert!(
        text(&output).contains("\"auto_land\":true"),
        "{}",
        text(&output)
    );

    let tree = site.path("tree");
    site.git(&site.path(""), &["init", "--quiet", "tree"], b"");
    let output = site.quorum(&tree, &["install", "--server", "--genesis", &ledger]);
    assert!(text(&output).contains("NOT_BARE"), "{}", text(&output));
}

#[test]
fn an_installation_pins_the_only_ledger_and_asks_for_one_of_several() {
    let mut site = Site::without_gate(charter(&FOUR));
    let genesis = site.genesis();
    site.accepted(&[&genesis]);
    let output = site.quorum(&site.server(), &["install", "--server"]);
    assert!(
        output.status.success() && text(&output).contains(&site.lab.ledger.to_string()),
        "{}",
        text(&output)
    );

    let mut site = Site::without_gate(charter(&FOUR));
    let other = Lab::found("b", charter(&FOUR));
    site.store(&other.made[0].raw);
    let genesis = site.genesis();
    site.accepted(&[
        &genesis,
        &format!(
            "{}:{}",
            other.made[0].oid,
            LedgerRefs::of(other.ledger).genesis()
        ),
    ]);
    let output = site.quorum(&site.server(), &["install", "--server"]);
    assert!(
        text(&output).contains("SEVERAL_LEDGERS") && text(&output).contains("--genesis"),
        "{}",
        text(&output)
    );
}

/// Whoever pushes what is no entry waits for nobody, and nobody for them.
#[test]
fn forged_entries_are_refused_without_the_lock() {
    let (mut site, _) = Site::new();
    let genesis = site.lab.ledger;
    let said = site.lab.payload("a", genesis, &[genesis], vec![]);
    let unsigned = git_quorum::ledger::encode(&said, &[site.oid(genesis)], 1_700_000_099).unwrap();
    let forged = site.store(&sign(&unsigned, "b"));
    let lock = std::fs::File::create(site.server().join("quorum/gate.lock")).unwrap();
    lock.lock().unwrap();
    let lane = site.refs.lane(&name("a"));
    site.refused(&[&format!("{forged}:{lane}")], &["BAD_SIGNATURE"]);
    lock.unlock().unwrap();
}
