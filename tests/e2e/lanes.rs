//! Tests malformed lanes, which are placed directly in the server's refs.

use git_quorum::id::Digest;
use git_quorum::ledger::{Payload, RefProposal, Review, Statement, Verdict, encode, limits, parse};
use serde_json::json;

use crate::lab::{approve, prevote};
use crate::world::{Seat, Team, id};

const FOUR: [&str; 4] = ["alice", "bob", "carol", "dave"];
const HOSTILE: &str = "a\u{202e}b\u{2066}c\u{200b}d\u{2028}e\u{e0041}f\u{feff}g";

/// Checks that the others see this reason code for Dave's lane.
fn assert_told(team: &Team, code: &str) {
    let (_, noted) = team.seats[1].noted(&["sync"]);
    assert!(
        noted.contains(&team.ledger_ref("lane/dave")) && noted.contains(code),
        "{code}: {noted}"
    );
}

/// Checks that the other members can work, whatever Dave's lane holds.
fn assert_work_goes_on(team: &Team) {
    let [alice, bob, carol] = team.seats.as_slice() else {
        panic!()
    };
    let entries = alice.ok(&["status"])["entries"].to_string();
    let proposal = alice.propose(&format!("work-{entries}"));
    bob.approve(&proposal);
    carol.approve(&proposal);
    team.settle(&proposal);
    alice.ok(&["land"]);
    alice.git(&["fetch", "-q"]);
    alice.verify();
    for args in [
        &["status"][..],
        &["log"],
        &["verify"],
        &["show", &proposal],
        &["sync"],
    ] {
        assert_eq!(bob.run(args).code, 0, "{args:?}");
    }
}

fn entry_of_dave(team: &Team) -> String {
    let dave = team.world.load(&team.server);
    let tip = dave.tally.dag().tips(&crate::lab::name("dave"))[0];
    let oid = dave.tally.dag().entry(tip).oid.to_string();
    team.world.git(&team.server, &["cat-file", "commit", &oid]) + "\n"
}

#[test]
fn whatever_a_lane_holds_the_others_work_goes_on() {
    let team = Team::with_seats(&FOUR, 3);
    let (world, server) = (&team.world, &team.server);
    let first = team.seats[0].ok(&["propose", "--delete", "--no-approve", "-m", "first"]);
    let proposal: git_quorum::id::EntryId = id(&first).parse().unwrap();
    let (_, good) = world.forge(
        server,
        "dave",
        &[world.load(server).tally.dag().ledger(), proposal],
        vec![approve(proposal)],
    );
    team.place("dave", good);
    team.sync(1);
    let kept = team.seats[1].git(&["rev-parse", &team.ledger_ref("remote/origin/dave")]);
    assert_eq!(kept, good.to_string());

    let raw = entry_of_dave(&team);
    let huge = raw.replace(
        "\n\nquorum ",
        &format!("\n\n{}quorum ", "x".repeat(2 << 20)),
    );
    let unsigned: String = raw
        .lines()
        .filter(|l| !l.contains("SSH SIG") && !l.starts_with(' '))
        .map(|l| format!("{l}\n"))
        .collect();
    let tag = format!("object {good}\ntype commit\ntag t\ntagger T <t@e> 1 +0000\n\n\u{1b}[31m\n");
    let bad: [(&str, &str, String); 8] = [
        ("NOT_A_COMMIT", "blob", "\u{1b}[2J a blob".to_owned()),
        ("NOT_A_COMMIT", "tag", tag),
        ("NOT_A_COMMIT", "tree", String::new()),
        ("NO_SIGNATURE", "commit", unsigned),
        (
            "BAD_JSON",
            "commit",
            raw.replace("\"seq\":1", "\"seq\":\"1\""),
        ),
        (
            "BAD_SIGNATURE",
            "commit",
            raw.replace("\"text\":\"\"", "\"text\":\"t\""),
        ),
        ("TOO_LARGE", "commit", huge),
        (
            "BAD_SUBJECT_LINE",
            "commit",
            raw.replace("\n\nquorum ", "\n\n\u{1b}[31m\u{202e}quorum "),
        ),
    ];
    for (code, kind, content) in bad {
        let oid = world.store(server, kind, content.as_bytes());
        team.place("dave", oid);
        assert_told(&team, code);
        let still = team.seats[1].git(&["rev-parse", &team.ledger_ref("remote/origin/dave")]);
        assert_eq!(still, kept, "{code}: what is known is not overwritten");
    }
    assert_work_goes_on(&team);
    // A commit of the project, and another member's entry.
    team.place("dave", world.git(server, &["rev-parse", "main"]));
    assert_told(&team, "NO_SIGNATURE");
    team.place(
        "dave",
        world.git(server, &["rev-parse", &team.ledger_ref("lane/bob")]),
    );
    assert_told(&team, "BAD_LANE");
    // An entry of another ledger, and names that are none.
    let mut other = crate::lab::Lab::new(&["dave"]);
    let genesis = other.ledger;
    other.say("dave", vec![crate::lab::propose(genesis, 1)]);
    for made in &other.made {
        team.place("dave", world.store(server, "commit", &made.raw));
    }
    assert_told(&team, "WRONG_LEDGER");
    assert_work_goes_on(&team);
    for stray in [
        "lane/Dave",
        "lane/con",
        "lane/dave2/x",
        "oops",
        "proposal/12",
        "lane/\u{202e}evil",
    ] {
        world.git(server, &["update-ref", &team.ledger_ref(stray), "main"]);
    }
    assert_told(&team, "WRONG_LEDGER");
    assert_eq!(
        team.seats[1].git(&["rev-parse", &team.ledger_ref("remote/origin/dave")]),
        kept
    );
    team.assert_honest();
}

#[test]
fn a_lane_that_goes_back_or_sideways_or_away_is_told_and_kept() {
    let team = Team::with_seats(&FOUR, 3);
    let (world, server) = (&team.world, &team.server);
    let proposal: git_quorum::id::EntryId = team.seats[0].propose("first").parse().unwrap();
    let genesis = world.load(server).tally.dag().ledger();
    let (one, first) = world.forge(
        server,
        "dave",
        &[genesis, proposal],
        vec![approve(proposal)],
    );
    team.place("dave", first);
    let (_, second) = world.forge(server, "dave", &[one], vec![prevote(proposal, 0)]);
    team.place("dave", second);
    let bob = &team.seats[1];
    bob.sync();
    let seen = || bob.git(&["rev-parse", &team.ledger_ref("remote/origin/dave")]);
    assert_eq!(seen(), second.to_string());

    team.place("dave", first);
    let (_, noted) = bob.noted(&["sync"]);
    assert!(
        noted.contains("the end of the lane of dave") && noted.contains("keeps that entry"),
        "{noted}"
    );
    assert_eq!(seen(), second.to_string(), "known entries stay known");

    let said = vec![Statement::Review(Review {
        evidence: vec![],
        proposal,
        text: HOSTILE.to_owned(),
        verdict: Verdict::Reject,
    })];
    let (_, aside) = world.forge(server, "dave", &[one], said);
    team.place("dave", aside);
    let (_, noted) = bob.noted(&["sync"]);
    assert!(noted.contains("The lane of dave is forked"), "{noted}");
    let prefix = team.ledger_ref("");
    let known = bob.git(&["for-each-ref", "--format=%(objectname)", &prefix]);
    assert!(known.contains(&second.to_string()) && known.contains(&aside.to_string()));
    assert_eq!(
        bob.ok(&["status"])["forks"],
        json!([{"member": "dave", "tips": 2}])
    );

    world.git(server, &["update-ref", "-d", &team.ledger_ref("lane/dave")]);
    let (_, noted) = bob.noted(&["sync"]);
    assert!(
        noted.contains("shows no entry at the end of the lane of dave"),
        "{noted}"
    );
    assert_eq!(
        bob.ok(&["status"])["forks"],
        json!([{"member": "dave", "tips": 2}])
    );
    // The own lane, too: it comes back with the next push.
    world.git(
        server,
        &["update-ref", "-d", &team.ledger_ref("lane/alice")],
    );
    team.seats[0].sync();
    let lane = team.ledger_ref("lane/alice");
    assert_eq!(
        world.git(server, &["rev-parse", &lane]),
        team.seats[0].git(&["rev-parse", &lane])
    );
    team.seats[2].approve(&proposal.to_string());
    team.assert_honest();
}

/// Runs every command that can show what another member wrote.
fn show_all(seat: &Seat, proposal: &str) {
    for args in [
        &["status"][..],
        &["status", proposal],
        &["show", proposal],
        &["log"],
        &["verify"],
        &["sync"],
        &["land"],
        &["charter", "show"],
    ] {
        let run = seat.run(args);
        let json = seat.run(&[args, &["--json"]].concat());
        assert!(
            serde_json::from_str::<serde_json::Value>(&json.out).is_ok(),
            "{json:?}"
        );
        drop(run);
    }
}

#[test]
fn hostile_texts_are_shown_escaped() {
    let team = Team::with_seats(&FOUR, 3);
    let (world, server) = (&team.world, &team.server);
    let bob = &team.seats[1];
    let main: git_quorum::id::Oid = world.git(server, &["rev-parse", "main"]).parse().unwrap();
    let genesis = world.load(server).tally.dag().ledger();
    let said = vec![Statement::Propose(RefProposal {
        base: genesis,
        change: Digest::new([1; 32]),
        from: Some(main),
        name: "refs/heads/main".parse().unwrap(),
        rewrite: false,
        state: Digest::new([1; 32]),
        text: format!("{HOSTILE}\n\t{HOSTILE}"),
        title: HOSTILE.to_owned(),
        to: Some(git_quorum::id::Oid::new([9; 20])),
    })];
    let (lie, oid) = world.forge(server, "dave", &[], said);
    team.place("dave", oid);
    bob.sync();
    let lie = lie.to_string();
    show_all(bob, &lie);
    let shown = bob.run(&["show", &lie]).out;
    assert!(shown.contains(r"a\u{202e}b\u{2066}c"), "{shown}");
    assert_eq!(
        bob.ok(&["show", &lie])["proposal"]["title"],
        HOSTILE,
        "in JSON the text is what it is"
    );

    // The proposal names a commit that nobody has, and digests of nothing.
    bob.no(4, "INCOMPLETE", &["review", &lie, "--approve"]);
    bob.ok(&["review", &lie, "--reject", "-m", HOSTILE]);
    let false_one = vec![Statement::Propose(RefProposal {
        base: genesis,
        change: Digest::new([1; 32]),
        from: None,
        name: "refs/heads/main".parse().unwrap(),
        rewrite: false,
        state: Digest::new([1; 32]),
        text: String::new(),
        title: "false".to_owned(),
        to: Some(main),
    })];
    let (lie, oid) = world.forge(server, "dave", &[], false_one);
    team.place("dave", oid);
    let refused = bob.no(
        7,
        "FALSE_PROPOSAL",
        &["review", &lie.to_string(), "--approve"],
    );
    assert!(refused["hint"].as_str().unwrap().contains("--reject"));

    // What people type is held to the same rules.
    for title in ["a\u{1b}[31m", "two\nlines", "", &"x".repeat(201)] {
        bob.no(2, "BAD_INPUT", &["propose", "--delete", "-m", title]);
    }
    bob.no(
        2,
        "BAD_INPUT",
        &["review", &lie.to_string(), "--reject", "-m", "bell\u{7}"],
    );
    bob.no(
        2,
        "BAD_INPUT",
        &[
            "review",
            &lie.to_string(),
            "--reject",
            "--evidence",
            "two\nlines",
        ],
    );
    assert_eq!(
        bob.ok(&["propose", "--delete", "-m", HOSTILE])["proposal"]["title"],
        HOSTILE
    );
    bob.no(
        2,
        "BAD_INPUT",
        &[
            "review",
            &lie.to_string(),
            "--reject",
            "-m",
            &"x".repeat(20_000),
        ],
    );
    let proposal = id(&bob.ok(&["propose", "--delete", "-m", HOSTILE]));
    show_all(&team.seats[2], &proposal);
    team.assert_honest();
}

#[test]
fn more_votes_that_are_due_than_an_entry_holds_go_into_several() {
    const MANY: usize = 70;
    let team = Team::protecting(&["alice"], "refs/heads/*");
    let (world, server, alice) = (&team.world, &team.server, &team.seats[0]);
    let mut loaded = world.load(server);
    let ledger = loaded.tally.dag().ledger();
    let mut say = |statements: Vec<Statement>| {
        let dag = loaded.tally.dag();
        let tip = dag
            .tips(&crate::lab::name("alice"))
            .first()
            .map_or(dag.find(ledger).unwrap(), |tip| *tip);
        let (id, oid, seq) = (
            dag.entry(tip).id,
            dag.entry(tip).oid,
            dag.entry(tip).seq + 1,
        );
        let member = crate::lab::name("alice");
        let payload = Payload {
            charter: ledger,
            ledger,
            member,
            parents: vec![id],
            seq,
            statements,
            v: 1,
        };
        let unsigned = encode(&payload, &[oid], 1_700_000_000).unwrap();
        let raw = crate::lab::sign(&unsigned, "alice");
        let oid = loaded.objects().write_commit(&raw).unwrap();
        loaded.tally.insert(parse(&raw).unwrap(), oid).unwrap();
        (unsigned.id, oid)
    };
    let proposals: Vec<_> = (0..MANY)
        .map(|n| {
            let Statement::Propose(mut proposal) = crate::lab::propose(ledger, 1) else {
                panic!()
            };
            proposal.name = format!("refs/heads/b{n}").parse().unwrap();
            (proposal.from, proposal.to) = (proposal.to, None);
            say(vec![Statement::Propose(proposal)]).0
        })
        .collect();
    let approvals: Vec<_> = proposals.iter().map(|id| approve(*id)).collect();
    let tips: Vec<_> = approvals
        .chunks(limits::STATEMENTS)
        .map(|chunk| say(chunk.to_vec()).1)
        .collect();
    team.place("alice", tips[1]);
    alice.sync();
    let status = alice.ok(&["status"]);
    let decided = world.load(server);
    assert!(
        proposals.iter().all(|id| decided.tally.is_decided(*id)),
        "{status}"
    );
    assert!(decided.tally.discounted().is_empty());
}
