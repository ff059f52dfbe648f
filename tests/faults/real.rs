//! With the real program, real Git and real clones: a member whose key signs in two places is found, proved and checked.

use std::path::{Path, PathBuf};

use git_quorum::id::EntryId;
use git_quorum::ledger::Verdict;
use serde_json::{Value, json};

use crate::lab::{approve, prevote, review};
use crate::world::{Run, Seat, Team, World};

const FOUR: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Two proposals for one slot, of alice and of bob, who have not seen each other's; the server shows the first only to who looks
/// `between`, and both in the end.
fn two_proposals(team: &Team, mut between: impl FnMut(usize, &str)) -> [String; 2] {
    let (world, server) = (&team.world, &team.server);
    let first = team.seats[0].propose("change 0");
    between(0, &first);
    let hidden = [team.ledger_ref("lane/alice"), team.ledger_ref(&format!("proposal/{first}"))];
    let values = hidden.clone().map(|name| world.git(server, &["rev-parse", &name]));
    hidden.iter().for_each(|name| drop(world.git(server, &["update-ref", "-d", name])));
    let second = team.seats[1].propose("change 1");
    between(1, &second);
    hidden.iter().zip(&values).for_each(|(name, value)| drop(world.git(server, &["update-ref", name, value])));
    team.sync(1);
    [first, second]
}

/// Dave's key signs on two machines, with a sign state each: a clone on either votes for what it sees. Both branches come to
/// the server.
fn lied() -> Team {
    let team = Team::with_seats(&FOUR, 3);
    assert_eq!(team.seats[1].ok(&["faults"])["faults"], json!([]));
    let lane = team.ledger_ref("lane/dave");
    let mut branches: Vec<(Seat, String)> = vec![];
    two_proposals(&team, |number, proposal| {
        let seat = team.world.seat(&format!("dave-{number}"), team.server.to_str().unwrap());
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

/// A clone of somebody who has no key.
fn observer(team: &Team) -> Seat {
    let ledger = team.seats[0].git(&["config", "quorum.ledger"]);
    let seat = team.world.seat("observer", team.server.to_str().unwrap());
    seat.ok(&["join", "--genesis", &ledger]);
    seat
}

fn kinds(data: &Value) -> Vec<(String, String)> {
    let text = |fault: &Value, field: &str| fault[field].as_str().unwrap().to_owned();
    data["faults"].as_array().unwrap().iter().map(|f| (text(f, "member"), text(f, "kind"))).collect()
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
    let id = found["data"]["faults"][0]["id"].as_str().unwrap();
    let file = folder.join("dave.proof");
    bob.ok(&["faults", "--prove", &id[..8], "-o", file.to_str().unwrap()]);
    (found["data"]["ledger"].as_str().unwrap().to_owned(), bob.at(folder))
}

#[test]
fn a_key_that_signs_on_two_machines_is_found_and_proved_to_a_stranger() {
    let team = lied();
    let bob = &team.seats[1];
    let found = bob.no(7, "FAULTS", &["faults"]);
    assert_eq!(kinds(&found["data"]), [("dave".to_owned(), "equivocation".to_owned())], "{found}");
    assert_eq!(found["data"]["convicted"], json!(["dave"]));
    assert_eq!((&found["data"]["faults"][0]["rule"], &found["data"]["asked"]), (&json!("7 (i)"), &Value::Null));
    assert!(found["message"].as_str().unwrap().contains("dave"));
    // An observer sees the same, and so do `verify` and `status`.
    let observer = observer(&team);
    observer.sync();
    let seen = observer.no(7, "FAULTS", &["faults"]);
    assert_eq!(seen["data"]["faults"], found["data"]["faults"]);
    assert_eq!(bob.verify()["faults"], found["data"]["faults"]);
    assert_eq!(kinds(&bob.no(7, "FAULTS", &["faults", "--member", "dave"])["data"]).len(), 1);
    assert_eq!(bob.ok(&["faults", "--member", "carol"])["faults"], json!([]));
    for args in [&["verify"][..], &["status"], &["faults"]] {
        let run = bob.run(args);
        assert!(
            run.out.contains("equivocation (rule 7 (i))") && run.out.contains("dave prevoted"),
            "{args:?}: {run:?}"
        );
    }

    let (ledger, stranger) = proved(&team);
    let checked = stranger.ok(&["check-proof", "dave.proof", "--ledger", &ledger]);
    assert_eq!(kinds(&checked), [("dave".to_owned(), "equivocation".to_owned())]);
    let without_key = |mut fault: Value| {
        fault.as_object_mut().unwrap().remove("key");
        fault
    };
    assert_eq!(without_key(checked["faults"][0].clone()), found["data"]["faults"][0]);
    let key = std::fs::read_to_string(team.world.key("dave").with_extension("pub")).unwrap();
    assert!(key.starts_with(checked["faults"][0]["key"].as_str().unwrap()));
    let run = stranger.run(&["check-proof", "dave.proof", "--ledger", &ledger]);
    for words in ["convicted: dave", "equivocation", &ledger, "as asked for", "key ssh-ed25519 ", "charter ", "entry "]
    {
        assert!(run.out.contains(words), "{words:?} is not in {run:?}");
    }
}

#[test]
fn a_proof_needs_a_pin_and_a_file_that_was_not_there() {
    let team = lied();
    let (ledger, stranger) = proved(&team);
    let unpinned = stranger.no(7, "UNPINNED", &["check-proof", "dave.proof"]);
    assert_eq!((&unpinned["data"]["pinned"], &unpinned["data"]["ledger"]), (&json!(false), &json!(ledger)));
    assert!(stranger.run(&["check-proof", "dave.proof"]).out.contains("UNPINNED"));
    let other = "7".repeat(64);
    assert!(stranger.no(7, "OTHER_LEDGER", &["check-proof", "dave.proof", "--ledger", &other])["data"].is_null());
    // A few digits are no pin.
    stranger.no(2, "BAD_ID", &["check-proof", "dave.proof", "--ledger", &ledger[..16]]);
    stranger.no(3, "IO", &["check-proof", "nothing.proof"]);
    stranger.no(1, "IO", &["check-proof", "."]);

    let bob = &team.seats[1];
    let found = bob.no(7, "FAULTS", &["faults"]);
    let id = found["data"]["faults"][0]["id"].as_str().unwrap();
    let file = stranger.dir.join("dave.proof");
    let before = std::fs::read(&file).unwrap();
    bob.no(4, "FILE_EXISTS", &["faults", "--prove", id, "-o", file.to_str().unwrap()]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let again = stranger.dir.join("again.proof");
    bob.git(&["gc", "-q", "--aggressive", "--prune=now"]);
    bob.ok(&["faults", "--prove", id, "-o", again.to_str().unwrap()]);
    assert!(std::fs::read(&again).unwrap() == before, "the same bytes whenever it is made");
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
        stranger.no(7, "BAD_PROOF", &["check-proof", endless.to_str().unwrap(), "--ledger", &ledger]);
    }
}

#[test]
fn what_a_remote_shows_otherwise_than_before_names_the_remote() {
    let team = Team::with_seats(&FOUR, 3);
    let (world, server) = (&team.world, &team.server);
    let proposal: EntryId = team.seats[0].propose("first").parse().unwrap();
    let genesis = world.load(server).tally.dag().ledger();
    let (one, first) = world.forge(server, "dave", &[genesis, proposal], vec![approve(proposal)]);
    team.place("dave", first);
    let (_, second) = world.forge(server, "dave", &[one], vec![prevote(proposal, 0)]);
    let (_, aside) = world.forge(server, "dave", &[one], vec![review(proposal, Verdict::Reject)]);
    team.place("dave", second);
    let bob = &team.seats[1];
    let clean = bob.ok(&["faults", "--remote", "origin"]);
    assert_eq!((&clean["observed"], &clean["asked"]), (&json!([]), &json!("origin")));
    assert!(bob.run(&["faults"]).out.contains("no remote was asked"));

    let seen = |args: &[&str]| {
        let found = bob.no(7, "FAULTS", args)["data"].clone();
        assert_eq!((&found["faults"], &found["convicted"]), (&json!([]), &json!([])), "it accuses no member");
        let sight = &found["observed"][0];
        assert_eq!((&sight["remote"], &sight["member"]), (&json!("origin"), &json!("dave")), "{found}");
        let what = |sight: &Value| sight["what"].as_str().unwrap().to_owned();
        found["observed"].as_array().unwrap().iter().map(what).collect::<Vec<_>>()
    };
    let ask = ["faults", "--remote", "origin"];
    team.place("dave", first);
    assert_eq!(seen(&ask), ["lane-went-back"]);
    // It is still known without asking, until the remote shows what it had shown.
    assert_eq!(seen(&["faults"]), ["lane-went-back"]);
    assert_eq!(bob.ok(&["faults", "--member", "carol"])["observed"], json!([]));
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
    assert_eq!(bob.no(4, "UNREACHABLE", &["faults", "--remote", "nowhere"])["data"], Value::Null);
}

/// What a cut history lacks is not held against anybody, nor against the remote.
#[test]
fn a_shallow_clone_accuses_nobody() {
    let team = Team::with_seats(&FOUR, 2);
    let bob = &team.seats[1];
    let head = bob.git(&["rev-parse", "HEAD"]);
    std::fs::write(bob.dir.join(".git/shallow"), format!("{head}\n")).unwrap();
    let refused = bob.no(1, "INCOMPLETE_CLONE", &["faults"]);
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
        let mut lanes = std::collections::BTreeMap::from([(honest, own), ("carol", ledger), ("dave", ledger)]);
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
                world.git(server, &["update-ref", &team.ledger_ref(&format!("fork/{member}/{id}")), &oid.to_string()]);
                lanes.insert(member, id);
                last = id;
            }
        }
    }
    let bob = &team.seats[1];
    bob.git(&["fetch", "-q", "origin", &format!("{0}:{0}", team.ledger_ref("fork/*"))]);
    let found = bob.no(7, "FAULTS", &["faults"]);
    let broken = &found["data"]["broken"][0];
    assert_eq!((&broken["n"], &broken["quorum"], &broken["least"]), (&json!(4), &json!(3), &json!(2)), "{found}");
    assert_eq!(broken["convicted"], json!(["carol", "dave"]));
    assert_eq!(broken["decisions"].as_array().unwrap().len(), 2);
    let text = bob.run(&["faults"]).out;
    let first = text.lines().next().unwrap();
    assert!(
        first.contains("agreement is broken") && first.contains("at least 2") && first.contains("carol, dave"),
        "{text}"
    );
    let verified = bob.no(7, "VERIFICATION_FAILED", &["verify"]);
    assert!(verified["message"].as_str().unwrap().contains(first), "{verified}");
}

fn precommit(team: &Team, member: &str, charter: EntryId, proposal: EntryId) -> git_quorum::ledger::Statement {
    use ed25519_dalek::Signer as _;
    use git_quorum::consensus::{agreement_statement, pre_authentication_encoding};
    let loaded = team.world.load(&team.server);
    let body = agreement_statement(&loaded.tally, charter, proposal, 0).unwrap();
    let signature = crate::lab::signing_key(member).sign(&pre_authentication_encoding(&body)).to_bytes();
    git_quorum::ledger::Statement::Precommit(git_quorum::ledger::Precommit { proposal, round: 0, signature })
}

/// The shell block of `docs/faults.md` below the marker.
fn by_hand() -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md")).unwrap();
    let (_, after) = page.split_once("<!-- by hand").expect("the page marks its block");
    let (_, block) = after.split_once("```sh\n").expect("a shell block follows");
    block.split_once("```").expect("the block ends").0.to_owned()
}

fn run_by_hand(stranger: &Seat, ledger: &str) -> Run {
    let _ = std::fs::remove_dir_all(stranger.dir.join("proof.git"));
    let mut command = stranger.world.command("sh", &stranger.dir);
    let output = command.env("LEDGER", ledger).args(["-euc", &by_hand()]).output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn the_page_checks_a_proof_by_hand_with_stock_tools() {
    let team = lied();
    let (ledger, stranger) = proved(&team);
    let run = run_by_hand(&stranger, &ledger);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("\"member\":\"dave\" prevoted "), "{run:?}");
    // Another ledger id, and the votes of somebody else.
    assert_ne!(run_by_hand(&stranger, &"7".repeat(64)).code, 0);
    let lane = |member: &str| team.world.git(&team.server, &["rev-parse", &team.ledger_ref(&format!("lane/{member}"))]);
    let (dave, bob) = (lane("dave"), lane("bob"));
    let genesis = team.world.git(&team.server, &["rev-parse", &team.ledger_ref("genesis")]);
    for (name, oid) in [("1", &dave), ("2", &bob), ("genesis", &genesis)] {
        team.world.git(&team.server, &["update-ref", &format!("refs/quorum-proof/{name}"), oid]);
    }
    let file = stranger.dir.join("dave.proof");
    std::fs::remove_file(&file).unwrap();
    let refs = ["genesis", "1", "2"].map(|name| format!("refs/quorum-proof/{name}"));
    let args = ["bundle", "create", "-q", file.to_str().unwrap(), &refs[0], &refs[1], &refs[2]];
    team.world.git(&team.server, &args);
    assert_ne!(run_by_hand(&stranger, &ledger).code, 0, "it convicts nobody");
    stranger.no(7, "BAD_PROOF", &["check-proof", "dave.proof", "--ledger", &ledger]);
}
