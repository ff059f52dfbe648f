//! Tests faults with the real program, real Git and real clones. A key that signs in two places is
//! found, proved and checked.

use std::path::{Path, PathBuf};

use git_quorum::id::{Digest, EntryId, Oid};
use git_quorum::ledger::{Statement, Verdict};
use serde_json::{Value, json};

use crate::lab::{approve, prevote, propose, review};
use crate::scenes::propose_charter;
use crate::world::{Run, Seat, Team, World};

const FOUR: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Two proposals for one slot, of alice and of bob, who have not seen each other's; the server shows the first only to who looks
/// `between`, and both in the end.
fn two_proposals(team: &Team, mut between: impl FnMut(usize, &str)) -> [String; 2] {
    let (world, server) = (&team.world, &team.server);
    let first = team.seats[0].propose("change 0");
    between(0, &first);
    let hidden = [
        team.ledger_ref("lane/alice"),
        team.ledger_ref(&format!("proposal/{first}")),
    ];
    let values = hidden
        .clone()
        .map(|name| world.git(server, &["rev-parse", &name]));
    hidden
        .iter()
        .for_each(|name| drop(world.git(server, &["update-ref", "-d", name])));
    let second = team.seats[1].propose("change 1");
    between(1, &second);
    hidden
        .iter()
        .zip(&values)
        .for_each(|(name, value)| drop(world.git(server, &["update-ref", name, value])));
    team.sync(1);
    [first, second]
}

/// Dave's key signs on two machines, with a sign state each: a clone on either votes for what it sees. Both branches come to
/// the server.
fn lied() -> Team {
    let team = Team::with_seats(&FOUR, 3);
    assert_eq!(team.seats[1].ok(&["faults"])["faults"]["shown"], json!([]));
    let lane = team.ledger_ref("lane/dave");
    let mut branches: Vec<(Seat, String)> = vec![];
    two_proposals(&team, |number, proposal| {
        let seat = team
            .world
            .seat(&format!("dave-{number}"), team.server.to_str().unwrap());
        seat.join("dave");
        seat.ok(&["review", proposal, "--approve", "--local"]);
        let tip = seat.git(&["rev-parse", &lane]);
        branches.push((seat, tip));
    });
    for (seat, tip) in &branches {
        seat.git(&["push", "-q", "origin", &format!("{tip}:refs/kept/{tip}")]);
    }
    for (_, tip) in &branches {
        team.place("dave", tip);
        team.sync(1);
    }
    // Its tool joins what it finds, as ever, so that everybody gets both.
    branches[0].0.sync();
    team.sync(1);
    team
}

/// Clones the ledger for an observer without a key.
fn observer(team: &Team) -> Seat {
    let ledger = team.seats[0].git(&["config", "quorum.ledger"]);
    let seat = team.world.seat("observer", team.server.to_str().unwrap());
    seat.ok(&["join", "--genesis", &ledger]);
    seat
}

fn kinds(data: &Value) -> Vec<(String, String)> {
    let text = |fault: &Value, field: &str| fault[field].as_str().unwrap().to_owned();
    data["faults"]["shown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (text(f, "member"), text(f, "kind")))
        .collect()
}

fn nowhere(world: &World) -> PathBuf {
    let folder = world.path("nowhere");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A proof of the first fault, in a folder that is no repository; the ledger and the seat there.
fn proved(team: &Team) -> (String, Seat) {
    let folder = nowhere(&team.world);
    let bob = &team.seats[1];
    let found = bob.no(7, "FAULTS", &["faults"]);
    let id = found["data"]["faults"]["shown"][0]["id"].as_str().unwrap();
    let file = folder.join("dave.proof");
    bob.ok(&["faults", "--prove", &id[..8], "-o", file.to_str().unwrap()]);
    (
        found["data"]["ledger"].as_str().unwrap().to_owned(),
        bob.at(folder),
    )
}

#[test]
fn a_key_that_signs_on_two_machines_is_found_and_proved_to_a_stranger() {
    let team = lied();
    let bob = &team.seats[1];
    let found = bob.no(7, "FAULTS", &["faults"]);
    assert_eq!(
        kinds(&found["data"]),
        [("dave".to_owned(), "equivocation".to_owned())],
        "{found}"
    );
    assert_eq!(found["data"]["convicted"], json!(["dave"]));
    assert_eq!(
        (
            &found["data"]["faults"]["shown"][0]["rule"],
            &found["data"]["asked"]
        ),
        (&json!("7 (i)"), &Value::Null)
    );
    assert!(found["message"].as_str().unwrap().contains("dave"));
    // An observer sees the same, and so do `verify` and `status`.
    let observer = observer(&team);
    observer.sync();
    let seen = observer.no(7, "FAULTS", &["faults"]);
    assert_eq!(seen["data"]["faults"], found["data"]["faults"]);
    assert_eq!(bob.verify()["faults"], found["data"]["faults"]);
    assert_eq!(
        kinds(&bob.no(7, "FAULTS", &["faults", "--member", "dave"])["data"]).len(),
        1
    );
    assert_eq!(
        bob.ok(&["faults", "--member", "carol"])["faults"]["shown"],
        json!([])
    );
    for args in [&["verify"][..], &["status"], &["faults"]] {
        let run = bob.run(args);
        assert!(
            run.out.contains("equivocation (rule 7 (i))") && run.out.contains("dave prevoted"),
            "{args:?}: {run:?}"
        );
    }

    let (ledger, stranger) = proved(&team);
    let checked = stranger.ok(&["check-proof", "dave.proof", "--ledger", &ledger]);
    assert_eq!(
        kinds(&checked),
        [("dave".to_owned(), "equivocation".to_owned())]
    );
    let without_key = |mut fault: Value| {
        fault.as_object_mut().unwrap().remove("key");
        fault
    };
    assert_eq!(
        without_key(checked["faults"]["shown"][0].clone()),
        found["data"]["faults"]["shown"][0]
    );
    let key = std::fs::read_to_string(team.world.key("dave").with_extension("pub")).unwrap();
    assert!(key.starts_with(checked["faults"]["shown"][0]["key"].as_str().unwrap()));
    let run = stranger.run(&["check-proof", "dave.proof", "--ledger", &ledger]);
    for words in [
        "convicted: dave",
        "equivocation",
        &ledger,
        "as asked for",
        "key ssh-ed25519 ",
        "charter ",
        "entry ",
    ] {
        assert!(run.out.contains(words), "{words:?} is not in {run:?}");
    }
}

#[test]
fn a_proof_needs_a_pin_and_a_file_that_was_not_there() {
    let team = lied();
    let (ledger, stranger) = proved(&team);
    let unpinned = stranger.no(7, "UNPINNED", &["check-proof", "dave.proof"]);
    assert_eq!(
        (&unpinned["data"]["pinned"], &unpinned["data"]["ledger"]),
        (&json!(false), &json!(ledger))
    );
    assert!(
        stranger
            .run(&["check-proof", "dave.proof"])
            .out
            .contains("UNPINNED")
    );
    let other = "7".repeat(64);
    assert!(
        stranger.no(
            7,
            "OTHER_LEDGER",
            &["check-proof", "dave.proof", "--ledger", &other]
        )["data"]
            .is_null()
    );
    // A few digits are no pin.
    stranger.no(
        2,
        "BAD_ID",
        &["check-proof", "dave.proof", "--ledger", &ledger[..16]],
    );
    stranger.no(3, "NOT_FOUND", &["check-proof", "nothing.proof"]);
    stranger.no(1, "IO", &["check-proof", "."]);

    let bob = &team.seats[1];
    let found = bob.no(7, "FAULTS", &["faults"]);
    let id = found["data"]["faults"]["shown"][0]["id"].as_str().unwrap();
    let file = stranger.dir.join("dave.proof");
    let before = std::fs::read(&file).unwrap();
    bob.no(
        4,
        "FILE_EXISTS",
        &["faults", "--prove", id, "-o", file.to_str().unwrap()],
    );
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let again = stranger.dir.join("again.proof");
    bob.git(&["gc", "-q", "--aggressive", "--prune=now"]);
    bob.ok(&["faults", "--prove", id, "-o", again.to_str().unwrap()]);
    assert!(
        std::fs::read(&again).unwrap() == before,
        "the same bytes whenever it is made"
    );
    bob.no(3, "NOT_FOUND", &["faults", "--prove", "0000", "-o", "x"]);
    bob.no(2, "BAD_ID", &["faults", "--prove", "dave", "-o", "x"]);
    bob.no(1, "IO", &["faults", "--prove", id, "-o", "no/such/folder"]);
    assert_eq!(bob.run(&["faults", "--prove", id]).code, 2);
    assert_eq!(bob.run(&["faults", "-o", "x"]).code, 2);
    assert!(!bob.dir.join("x").exists());

    // Files that are none: the program says so, and does not panic.
    let cut = &before[..before.len() / 2];
    let endless = PathBuf::from("/dev/zero");
    for (name, bytes) in [("cut", cut), ("empty", b""), ("text", b"dave did it\n")] {
        std::fs::write(stranger.dir.join(name), bytes).unwrap();
        stranger.no(7, "BAD_PROOF", &["check-proof", name, "--ledger", &ledger]);
    }
    if endless.exists() {
        stranger.no(
            7,
            "BAD_PROOF",
            &[
                "check-proof",
                endless.to_str().unwrap(),
                "--ledger",
                &ledger,
            ],
        );
    }
}

#[test]
fn what_a_remote_shows_otherwise_than_before_names_the_remote() {
    let team = Team::with_seats(&FOUR, 3);
    let (world, server) = (&team.world, &team.server);
    let proposal: EntryId = team.seats[0].propose("first").parse().unwrap();
    let genesis = world.load(server).tally.dag().ledger();
    let (one, first) = world.forge(
        server,
        "dave",
        &[genesis, proposal],
        vec![approve(proposal)],
    );
    team.place("dave", first);
    let (_, second) = world.forge(server, "dave", &[one], vec![prevote(proposal, 0)]);
    let (_, aside) = world.forge(
        server,
        "dave",
        &[one],
        vec![review(proposal, Verdict::Reject)],
    );
    team.place("dave", second);
    let bob = &team.seats[1];
    let clean = bob.ok(&["faults", "--remote", "origin"]);
    assert_eq!(
        (&clean["observed"]["shown"], &clean["asked"]),
        (&json!([]), &json!("origin"))
    );
    assert!(bob.run(&["faults"]).out.contains("no remote was asked"));

    let seen = |args: &[&str]| {
        let found = bob.no(7, "FAULTS", args)["data"].clone();
        assert_eq!(
            (&found["faults"]["shown"], &found["convicted"]),
            (&json!([]), &json!([])),
            "it accuses no member"
        );
        let sight = &found["observed"]["shown"][0];
        assert_eq!(
            (&sight["remote"], &sight["member"]),
            (&json!("origin"), &json!("dave")),
            "{found}"
        );
        let what = |sight: &Value| sight["what"].as_str().unwrap().to_owned();
        found["observed"]["shown"]
            .as_array()
            .unwrap()
            .iter()
            .map(what)
            .collect::<Vec<_>>()
    };
    let ask = ["faults", "--remote", "origin"];
    team.place("dave", first);
    assert_eq!(seen(&ask), ["lane-went-back"]);
    // It is still known without asking, until the remote shows what it had shown.
    assert_eq!(seen(&["faults"]), ["lane-went-back"]);
    assert_eq!(
        bob.ok(&["faults", "--member", "carol"])["observed"]["shown"],
        json!([])
    );
    team.place("dave", second);
    bob.ok(&ask);
    bob.ok(&["faults"]);
    world.git(server, &["update-ref", "-d", &team.ledger_ref("lane/dave")]);
    assert_eq!(seen(&ask), ["lane-vanished"]);
    team.place("dave", aside);
    assert_eq!(seen(&ask), ["lane-went-sideways"]);
    // Both ends are kept: a fork, which is no fault.
    let forked = bob.ok(&["faults"]);
    assert_eq!(forked["forks"][0]["member"], "dave");
    assert_eq!(forked["forks"][0]["ends"].as_array().unwrap().len(), 2);
    assert!(bob.run(&["faults"]).out.contains("which is no fault"));
    team.place("dave", world.git(server, &["rev-parse", "main"]));
    assert_eq!(seen(&ask), ["bad-lane", "lane-vanished"]);
    assert_eq!(
        bob.no(4, "UNREACHABLE", &["faults", "--remote", "nowhere"])["data"],
        Value::Null
    );
}

/// What a cut history lacks is not held against anybody, nor against the remote.
#[test]
fn a_shallow_clone_accuses_nobody() {
    let team = Team::with_seats(&FOUR, 2);
    let bob = &team.seats[1];
    let head = bob.git(&["rev-parse", "HEAD"]);
    std::fs::write(bob.dir.join(".git/shallow"), format!("{head}\n")).unwrap();
    let refused = bob.no(7, "INCOMPLETE_CLONE", &["faults"]);
    assert!(refused["data"].is_null());
}

/// Carol and dave lie, one more than four members bear: the slot is broken, first of all, and both are named.
#[test]
fn a_broken_slot_is_told_first_with_those_who_broke_it() {
    let team = Team::with_seats(&FOUR, 2);
    let proposals = two_proposals(&team, |_, _| ());
    let ids: Vec<EntryId> = proposals.iter().map(|p| p.parse().unwrap()).collect();
    let (world, server) = (&team.world, &team.server);
    let ledger = world.load(server).tally.dag().ledger();
    let tip = |member: &str| {
        let loaded = world.load(server);
        let dag = loaded.tally.dag();
        dag.entry(dag.tips(&crate::lab::name(member))[0]).id
    };
    for (honest, own, p) in [("alice", tip("alice"), ids[0]), ("bob", tip("bob"), ids[1])] {
        // One world for each of the honest: all three approve and prevote in turn, each above the others.
        let mut last = p;
        let mut lanes =
            std::collections::BTreeMap::from([(honest, own), ("carol", ledger), ("dave", ledger)]);
        for step in 0..2 {
            for member in [honest, "carol", "dave"] {
                let said = match step {
                    0 => vec![approve(p), prevote(p, 0)],
                    _ => vec![precommit(&team, member, ledger, p)],
                };
                let mut parents = vec![lanes[member]];
                parents.extend(Some(last).filter(|last| *last != lanes[member]));
                let (id, oid) = world.forge(server, member, &parents, said);
                // The next entry must find it.
                world.git(
                    server,
                    &[
                        "update-ref",
                        &team.ledger_ref(&format!("fork/{member}/{id}")),
                        &oid.to_string(),
                    ],
                );
                lanes.insert(member, id);
                last = id;
            }
        }
    }
    let bob = &team.seats[1];
    bob.git(&[
        "fetch",
        "-q",
        "origin",
        &format!("{0}:{0}", team.ledger_ref("fork/*")),
    ]);
    let found = bob.no(7, "FAULTS", &["faults"]);
    let broken = &found["data"]["broken"]["shown"][0];
    assert_eq!(
        (&broken["n"], &broken["quorum"], &broken["least"]),
        (&json!(4), &json!(3), &json!(2)),
        "{found}"
    );
    assert_eq!(broken["convicted"], json!(["carol", "dave"]));
    assert_eq!(broken["decisions"].as_array().unwrap().len(), 2);
    let text = bob.run(&["faults"]).out;
    let first = text.lines().next().unwrap();
    assert!(
        first.contains("agreement is broken")
            && first.contains("at least 2")
            && first.contains("carol, dave"),
        "{text}"
    );
    let verified = bob.no(7, "VERIFICATION_FAILED", &["verify"]);
    assert!(
        verified["message"].as_str().unwrap().contains(first),
        "{verified}"
    );
}

fn precommit(
    team: &Team,
    member: &str,
    charter: EntryId,
    proposal: EntryId,
) -> git_quorum::ledger::Statement {
    use ed25519_dalek::Signer as _;
    use git_quorum::consensus::{agreement_statement, pre_authentication_encoding};
    let loaded = team.world.load(&team.server);
    let body = agreement_statement(&loaded.tally, charter, proposal, 0).unwrap();
    let signature = crate::lab::signing_key(member)
        .sign(&pre_authentication_encoding(&body))
        .to_bytes();
    git_quorum::ledger::Statement::Precommit(git_quorum::ledger::Precommit {
        proposal,
        round: 0,
        signature,
    })
}

/// The shell block of `docs/faults.md` below the marker.
fn by_hand() -> String {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md"))
            .unwrap();
    let (_, after) = page
        .split_once("<!-- by hand")
        .expect("the page marks its block");
    let (_, block) = after.split_once("```sh\n").expect("a shell block follows");
    block
        .split_once("```")
        .expect("the block ends")
        .0
        .to_owned()
}

/// Runs the block in a shell, and returns whether it proves something.
fn run_by_hand(stranger: &Seat, ledger: &str) -> (bool, Run) {
    let _ = std::fs::remove_dir_all(stranger.dir.join("proof.git"));
    let mut command = stranger.world.command("sh", &stranger.dir);
    let output = command
        .env("LEDGER", ledger)
        .args(["-c", &by_hand()])
        .output()
        .unwrap();
    let run = Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    assert_eq!(
        run.code == 0,
        run.out
            .lines()
            .last()
            .is_some_and(|line| line.starts_with("PROVED: ")),
        "{run:?}"
    );
    (run.code == 0, run)
}

/// Puts these objects of the server into the stranger's file instead.
fn replace_proof(team: &Team, stranger: &Seat, refs: &[(&str, &str)]) {
    let file = stranger.dir.join("dave.proof");
    std::fs::remove_file(&file).unwrap();
    let mut args = vec!["bundle", "create", "-q", file.to_str().unwrap()];
    for (name, oid) in refs {
        team.world.git(&team.server, &["update-ref", name, oid]);
        args.push(name);
    }
    team.world.git(&team.server, &args);
    for (name, _) in refs {
        team.world.git(&team.server, &["update-ref", "-d", name]);
    }
}

const PLACES: [&str; 3] = [
    "refs/quorum-proof/genesis",
    "refs/quorum-proof/1",
    "refs/quorum-proof/2",
];

#[test]
fn the_page_checks_a_proof_by_hand_with_stock_tools() {
    let team = lied();
    let (ledger, stranger) = proved(&team);
    let (is_proved, run) = run_by_hand(&stranger, &ledger);
    assert!(
        is_proved
            && run.out.contains("PROVED: dave prevoted ")
            && run.out.contains(" for refs/heads/main"),
        "{run:?}"
    );
    // Another ledger id, and the votes of two members.
    assert!(!run_by_hand(&stranger, &"7".repeat(64)).0);
    let of = |name: &str| {
        team.world
            .git(&team.server, &["rev-parse", &team.ledger_ref(name)])
    };
    let (dave, bob, genesis) = (of("lane/dave"), of("lane/bob"), of("genesis"));
    replace_proof(
        &team,
        &stranger,
        &[(PLACES[0], &genesis), (PLACES[1], &dave), (PLACES[2], &bob)],
    );
    assert!(!run_by_hand(&stranger, &ledger).0, "it convicts nobody");
    stranger.no(
        7,
        "BAD_PROOF",
        &["check-proof", "dave.proof", "--ledger", &ledger],
    );
}

/// A commit of these bytes without their signature, signed by this member's key.
fn signed_by(world: &World, server: &Path, content: &str, member: &str) -> String {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut keygen = world.command("ssh-keygen", server);
    keygen
        .args(["-q", "-Y", "sign", "-n", "git", "-f"])
        .arg(world.key(member));
    let mut child = keygen
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(content.as_bytes())
        .unwrap();
    let signature = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let (headers, body) = content.split_once("\n\n").unwrap();
    let raw = format!(
        "{headers}\ngpgsig {}\n\n{body}",
        signature.trim_end().replace('\n', "\n ")
    );
    world.store(server, "commit", raw.as_bytes())
}

/// What its signature covers.
fn content_of(world: &World, server: &Path, commit: &str) -> String {
    let raw = world.git(server, &["cat-file", "commit", commit]) + "\n";
    let (before, rest) = raw.split_once("gpgsig ").unwrap();
    before.to_owned() + rest.split_once(" -----END SSH SIGNATURE-----\n").unwrap().1
}

/// Files of strangers by which the page would convict alice, who has signed nothing of it or nothing wrong.
#[test]
fn the_page_convicts_nobody_by_what_others_made() {
    let team = Team::with_seats(&FOUR, 3);
    let (world, server) = (&team.world, &team.server);
    let proposals = two_proposals(&team, |_, _| {}).map(|p| p.parse::<EntryId>().unwrap());
    let stranger = team.seats[1].at(nowhere(world));
    std::fs::write(stranger.dir.join("dave.proof"), "").unwrap();
    let (ledger, charter) = {
        let loaded = world.load(server);
        (
            loaded.tally.dag().ledger(),
            loaded
                .tally
                .dag()
                .charter(loaded.tally.dag().ledger())
                .unwrap()
                .charter
                .clone(),
        )
    };
    let genesis = world.git(server, &["rev-parse", &team.ledger_ref("genesis")]);
    let says = |said: [Vec<Statement>; 2], known: &[EntryId]| {
        said.map(|said| {
            world
                .forge(server, "alice", &[&[ledger], known].concat(), said)
                .1
                .to_string()
        })
    };
    let is_proved = |genesis: &str, votes: &[String; 2]| {
        replace_proof(
            &team,
            &stranger,
            &[
                (PLACES[0], genesis),
                (PLACES[1], &votes[0]),
                (PLACES[2], &votes[1]),
            ],
        );
        run_by_hand(&stranger, &ledger.to_string()).0
    };
    let votes = says(
        proposals.map(|p| vec![approve(p), prevote(p, 0)]),
        &proposals,
    );
    assert!(
        is_proved(&genesis, &votes),
        "alice's own key does convict her"
    );

    for author in ["carol", "alice"] {
        let copies = votes.clone().map(|vote| {
            let content = content_of(world, server, &vote)
                .replace("alice <alice@", &format!("{author} <{author}@"));
            signed_by(world, server, &content, "carol")
        });
        assert!(
            !is_proved(&genesis, &copies),
            "carol's key signs for alice, as {author}"
        );
    }

    // A genesis with the same id for who takes all behind `gpgsig` for the signature, and another key in its last line. What
    // builds on it is signed by that key.
    let content = content_of(world, server, &genesis);
    let key = |member: &str| {
        let line = std::fs::read_to_string(world.key(member).with_extension("pub")).unwrap();
        line.split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let last = content
        .lines()
        .last()
        .unwrap()
        .replace(&key("alice"), &key("mallory"));
    assert!(last.contains(&key("mallory")));
    let false_genesis = signed_by(
        world,
        server,
        &format!("{content}gpgsig \n{last}\n"),
        "mallory",
    );
    let mut moved = vec![(genesis.clone(), false_genesis.clone())];
    let mut again = |(id, commit): (EntryId, Oid)| {
        let content = content_of(world, server, &commit.to_string());
        let content = moved
            .iter()
            .fold(content, |text, (old, new)| text.replace(old, new));
        let copy = signed_by(world, server, &content, "mallory");
        moved.push((id.to_string(), Digest::of(content.as_bytes()).to_string()));
        moved.push((commit.to_string(), copy.clone()));
        copy
    };
    let rivals = [7, 8].map(|n| {
        let (id, oid) = world.forge(server, "alice", &[ledger], vec![propose(ledger, n)]);
        world.git(
            server,
            &[
                "update-ref",
                &team.ledger_ref(&format!("fork/alice/{id}")),
                &oid.to_string(),
            ],
        );
        again((id, oid));
        id
    });
    let known = [&[ledger], &rivals[..]].concat();
    let votes_there =
        rivals.map(|id| again(world.forge(server, "alice", &known, vec![prevote(id, 0)])));
    assert!(!is_proved(&false_genesis, &votes_there), "another genesis");

    let other = |n: u8| EntryId::new([n; 32]);
    let several = says(
        [0, 1].map(|n| vec![prevote(proposals[n], 0), prevote(other(n as u8), 0)]),
        &proposals,
    );
    let unknown = says([1, 2].map(|n| vec![prevote(other(n), 0)]), &proposals);
    assert!(
        !is_proved(&genesis, &unknown),
        "votes for what is not there"
    );
    assert!(
        !is_proved(&genesis, &several),
        "which of two votes in an entry meets which, the page does not tell"
    );

    let (change, oid) = world.forge(
        server,
        "carol",
        &[ledger],
        vec![propose_charter(ledger, charter)],
    );
    team.place("carol", oid.to_string());
    let slots = says(
        [proposals[0], change].map(|p| vec![prevote(p, 0)]),
        &[proposals[0], change],
    );
    assert!(!is_proved(&genesis, &slots), "two slots");
}
