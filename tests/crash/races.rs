//! Concurrent pushes. Each one waits at a fault point while the other one runs, so that the order
//! is exact.

use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use git_quorum::id::EntryId;
use serde_json::{Value, json};

use crate::aftermath::install;
use crate::client::nearly_decided;
use crate::gate::{Hook, arm, wait_until};
use crate::harness::{
    FOUR, assert_no_evidence, assert_published, assert_sound, one_line, refs_of, signed, text,
};
use crate::lab::{approve, name, prevote};
use crate::server::{MAIN, Site, parts};
use crate::world::{Seat, Team};

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-quorum");

/// A command that runs beside others, and answers in JSON.
fn start(seat: &Seat, args: &[&str]) -> Child {
    let mut command = seat.world.command(PROGRAM, &seat.dir);
    command
        .env("GIT_QUORUM_STATE", &seat.state)
        .envs(seat.env.iter().cloned())
        .args(args)
        .arg("--json");
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Returns the answer of the command, which must have succeeded.
fn done(child: Child) -> Value {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A push that waits at a fault point of the gate.
struct Held {
    go: PathBuf,
    push: Child,
}

/// Starts a member's command and stops its push at a fault point of the gate. Later pushes do not
/// stop there.
fn hold(team: &Team, seat: &Seat, args: &[&str], point: &str) -> Held {
    let go = team.world.path("go");
    let hook = Hook::of(team, "proc-receive");
    arm(team, &format!("{point}@{}", go.display()));
    let push = start(seat, args);
    wait_until(|| go.with_extension("here").exists());
    hook.put_back();
    Held { go, push }
}

impl Held {
    fn release(self) -> Child {
        std::fs::write(&self.go, "").unwrap();
        self.push
    }
}

/// Checks that a push still waits after a while.
fn assert_waits(push: &mut Child) {
    std::thread::sleep(Duration::from_millis(700));
    assert!(
        push.try_wait().unwrap().is_none(),
        "it waits for the gate's lock"
    );
}

fn assert_landed(team: &Team, proposal: &str) {
    team.sync(1);
    for seat in &team.seats {
        assert_eq!(seat.state(proposal), "landed");
        assert_no_evidence(seat);
    }
    assert_sound(team);
    team.seats[0].verify();
}

#[test]
fn two_pushes_of_one_decision_both_go_through_and_it_lands_once() {
    let (team, proposal) = nearly_decided();
    install(&team, &["--auto-land"]);
    let dave = team.world.seat("dave", team.server.to_str().unwrap());
    dave.join("dave");
    let held = hold(&team, &team.seats[1], &["sync"], "gate.judged");
    let mut second = start(&dave, &["review", &proposal, "--approve"]);
    assert_waits(&mut second);
    done(held.release());
    done(second);
    assert_landed(&team, &proposal);
    assert_published(&team, &team.seats[1], "bob");
    assert_published(&team, &dave, "dave");
}

/// Each of two pushes has half of the votes that decide. The gate must see both halves together.
#[test]
fn the_halves_of_a_quorum_that_come_at_once_are_seen_together() {
    let team = Team::with_seats(&FOUR, 3);
    let proposal = team.seats[0].propose("one");
    team.seats[1].approve(&proposal);
    team.seats[2].approve(&proposal);
    install(&team, &["--auto-land"]);
    // All three precommits are made at the same time. Nobody has seen the other ones.
    for seat in &team.seats {
        seat.git(&["fetch", "-q", "origin"]);
    }
    let held = hold(&team, &team.seats[0], &["sync"], "gate.locked");
    let second = start(&team.seats[1], &["sync"]);
    let third = start(&team.seats[2], &["sync"]);
    std::thread::sleep(Duration::from_millis(500));
    done(held.release());
    done(second);
    done(third);
    let main = team.world.git(&team.server, &["rev-parse", MAIN]);
    assert_eq!(
        main,
        team.seats[0].git(&["rev-parse", "HEAD"]),
        "the last of them landed it"
    );
    assert_landed(&team, &proposal);
}

#[test]
fn two_landings_at_once_are_one() {
    let (team, proposal) = nearly_decided();
    install(&team, &[]);
    team.seats[1].sync();
    let held = hold(&team, &team.seats[0], &["land"], "gate.judged");
    // This push contains a lane as well.
    let mut second = start(&team.seats[2], &["land"]);
    assert_waits(&mut second);
    done(held.release());
    done(second);
    assert_landed(&team, &proposal);
}

/// One push contains a lane and the main that it decides, while others push main. A push of the
/// same value finds main up to date, and a push of another value is refused.
#[test]
fn a_lane_with_its_main_meets_other_pushes_of_main() {
    let (team, proposal) = nearly_decided();
    install(&team, &[]);
    let [alice, bob, carol] = team.seats.as_slice() else {
        panic!()
    };
    // Bob's vote is signed, and its push is refused.
    team.world.script(
        team.server.join("hooks/pre-receive"),
        "cat >/dev/null; exit 1",
    );
    bob.no(6, "REFUSED", &["sync"]);
    std::fs::remove_file(team.server.join("hooks/pre-receive")).unwrap();
    let decided = alice.git(&["rev-parse", "HEAD"]);
    let other = carol.commit("other", "other");
    let go = team.world.path("go");
    let push = |seat: &Seat, fault: &str, specs: &[&str]| {
        let mut command = team.world.command("git", &seat.dir);
        command
            .env("GIT_QUORUM_FAULT", fault)
            .args(["push", "--atomic", "origin"])
            .args(specs);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let lane = team.ledger_ref("lane/bob");
    let specs = [format!("{lane}:{lane}"), format!("{decided}:{MAIN}")];
    let first = push(
        bob,
        &format!("gate.judged@{}", go.display()),
        &parts(&specs),
    );
    wait_until(|| go.with_extension("here").exists());
    let mut same = push(alice, "", &[&format!("{decided}:{MAIN}")]);
    let mut rival = push(carol, "", &[&format!("+{other}:{MAIN}")]);
    assert_waits(&mut same);
    assert_waits(&mut rival);
    std::fs::write(&go, "").unwrap();
    let [first, same, rival] = [first, same, rival].map(|child| child.wait_with_output().unwrap());
    assert!(
        first.status.success() && same.status.success(),
        "{}{}",
        text(&first),
        text(&same)
    );
    assert!(
        !rival.status.success() && text(&rival).contains("NO_PROPOSAL"),
        "{}",
        text(&rival)
    );
    assert_landed(&team, &proposal);
    assert_published(&team, bob, "bob");
}

/// Two contradicting decisions (a and b vote twice), pushed at the same time. The gate accepts the
/// first one, and the second one meets the contradiction, whatever the order.
#[test]
fn of_two_rival_decisions_the_first_is_taken() {
    for p_first in [true, false] {
        let (mut site, first) = Site::new();
        let genesis = site.lab.ledger;
        let (one, two) = (site.commit(&[first], "one"), site.commit(&[first], "two"));
        let p = site.propose(genesis, first, one);
        let statement = site.proposal(genesis, MAIN, Some(first), Some(two));
        let q = site.lab.entry("d", genesis, &[genesis], vec![statement]);
        let honest = decide(&mut site, p, ["a", "b", "c"], "a");
        let liars = decide(&mut site, q, ["a", "b", "d"], "d");
        assert!(site.lab.tally.is_decided(p) && site.lab.tally.is_decided(q));
        site.write_entries();
        let of_p: Vec<_> = honest.iter().map(|(m, e)| site.lane_at(m, *e)).collect();
        let of_p = [of_p, vec![site.proposal_ref(p), format!("{one}:{MAIN}")]].concat();
        let of_q = vec![site.lane_at("d", liars[2].1), site.proposal_ref(q)];
        let (winner, loser) = if p_first { (of_p, of_q) } else { (of_q, of_p) };
        let go = site.path("go");
        let fault = format!("gate.judged@{}", go.display());
        let push = |specs: &[String], fault: &str| -> Output {
            let server = site.server();
            let args = [
                &["push", "--porcelain", server.to_str().unwrap()],
                &parts(specs)[..],
            ]
            .concat();
            site.try_git(&site.desk(), &args, b"", &[("GIT_QUORUM_FAULT", fault)])
        };
        std::thread::scope(|scope| {
            let winning = scope.spawn(|| push(&winner, &fault));
            wait_until(|| go.with_extension("here").exists());
            let losing = scope.spawn(|| push(&loser, ""));
            std::thread::sleep(Duration::from_millis(700));
            assert!(!losing.is_finished());
            std::fs::write(&go, "").unwrap();
            let (winning, losing) = (winning.join().unwrap(), losing.join().unwrap());
            assert!(winning.status.success(), "{}", text(&winning));
            assert!(
                !losing.status.success() && text(&losing).contains("CONTRADICTS"),
                "{}",
                text(&losing)
            );
        });
        assert_eq!(site.at(MAIN), Some(if p_first { one } else { first }));
        site.git(&site.server(), &["fsck", "--strict"], b"");
    }
}

/// Three members decide a proposal on branches of their own. Returns the last entry of each.
fn decide(
    site: &mut Site,
    wanted: EntryId,
    members: [&'static str; 3],
    proposer: &str,
) -> Vec<(&'static str, EntryId)> {
    let genesis = site.lab.ledger;
    let mut last =
        members.map(|member| (member, if member == proposer { wanted } else { genesis }));
    // A liar's branch begins at the start of its lane, or at its own proposal.
    let mut known = wanted;
    for phase in 0..2 {
        for (member, own) in &mut last {
            let mut parents = vec![*own];
            parents.extend([known].into_iter().filter(|k| *k != *own));
            parents.extend(
                [wanted]
                    .into_iter()
                    .filter(|w| phase == 0 && *w != *own && *w != known),
            );
            let vote = match phase {
                0 => vec![approve(wanted), prevote(wanted, 0)],
                _ => vec![site.lab.precommit(member, genesis, wanted, 0)],
            };
            known = site.lab.entry(member, genesis, &parents, vote);
            *own = known;
        }
    }
    last.to_vec()
}

/// The same member on two machines, with a sign state each. The lane forks and is joined.
#[test]
fn two_entries_for_one_place_of_a_lane_fork_it_and_both_are_kept() {
    let team = Team::with_seats(&FOUR, 2);
    install(&team, &[]);
    let proposal = team.seats[0].propose("one");
    let bob = &team.seats[1];
    let other = bob.elsewhere("other", &team.server, false);
    other.join("bob");
    bob.sync();
    let held = hold(
        &team,
        bob,
        &["review", &proposal, "--approve", "-m", "here"],
        "gate.locked",
    );
    let mut second = start(&other, &["review", &proposal, "--approve", "-m", "there"]);
    assert_waits(&mut second);
    done(held.release());
    done(second);
    bob.sync();
    let loaded = team.world.load(&team.server);
    assert_eq!(
        loaded.tally.dag().tips(&name("bob")).len(),
        1,
        "the fork is joined"
    );
    let known: Vec<_> = loaded
        .tally
        .dag()
        .entries()
        .map(|(_, e)| json!(e.id))
        .collect();
    for record in signed(bob).into_iter().chain(signed(&other)) {
        assert!(known.contains(&record["id"]), "nothing is lost");
    }
    assert_sound(&team);
    assert_no_evidence(bob);
}

/// The same member in two clones on one machine. One waits for the other, and nothing forks.
#[test]
fn two_clones_with_one_sign_state_take_turns() {
    let team = Team::with_seats(&FOUR, 2);
    install(&team, &[]);
    let proposal = team.seats[0].propose("one");
    let bob = &team.seats[1];
    let other = bob.elsewhere("other", &team.server, true);
    other.join("bob");
    let commands = [bob, &other, bob, &other]
        .map(|seat| start(seat, &["review", &proposal, "--approve", "-m", "yes"]));
    commands.into_iter().for_each(|child| drop(done(child)));
    assert_eq!(signed(bob).len(), 1, "it was approved once");
    assert_published(&team, bob, "bob");
    assert_sound(&team);
}

/// Plain git pushes the same entry twice.
#[test]
fn the_same_entry_twice_at_once_is_no_error() {
    let (team, _) = nearly_decided();
    install(&team, &["--auto-land"]);
    let bob = &team.seats[1];
    bob.ok(&["propose", "--delete", "-m", "later", "--local"]);
    let lane = team.ledger_ref("lane/bob");
    let go = team.world.path("go");
    let push = |fault: &str| {
        let mut command = team.world.command("git", &bob.dir);
        command
            .env("GIT_QUORUM_FAULT", fault)
            .args(["push", "origin", &format!("{lane}:{lane}")]);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let first = push(&format!("gate.judged@{}", go.display()));
    wait_until(|| go.with_extension("here").exists());
    let mut second = push("");
    assert_waits(&mut second);
    std::fs::write(&go, "").unwrap();
    for child in [first, second] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    assert_published(&team, bob, "bob");
    assert_sound(&team);
}

/// A proposal's ref arrives while the gate judges the push that decides it.
#[test]
fn a_proposal_ref_that_comes_with_its_decision_lands_or_is_let_go() {
    let (team, proposal) = nearly_decided();
    install(&team, &["--auto-land"]);
    let kept = team.ledger_ref(&format!("proposal/{proposal}"));
    let commit = team.seats[0].git(&["rev-parse", "HEAD"]);
    // The ref is missing on the server: the gate cannot land a commit that nobody could fetch.
    team.world.git(&team.server, &["update-ref", "-d", &kept]);
    let held = hold(&team, &team.seats[1], &["sync"], "gate.judged");
    let mut command = team.world.command("git", &team.seats[0].dir);
    let late = command
        .args(["push", "origin", &format!("{commit}:{kept}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut late = late.spawn().unwrap();
    assert_waits(&mut late);
    done(held.release());
    let output = late.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(
        refs_of(&team).get(&kept),
        Some(&commit),
        "decided and not landed: it is kept"
    );
    team.seats[2].ok(&["land"]);
    assert_eq!(refs_of(&team).get(&kept), None);
    assert_landed(&team, &proposal);
}

#[test]
fn a_push_waits_for_the_ones_before_it_as_long_as_the_server_says() {
    let (team, proposal) = nearly_decided();
    install(&team, &["--auto-land"]);
    let bob = &team.seats[1];
    team.world
        .git(&team.server, &["config", "quorum.gatePatience", "1"]);
    let held = hold(&team, bob, &["sync"], "gate.locked");
    // Plain git gets an error, and the program retries until the gate is free. A push that does not
    // concern the gate does not wait.
    let alice = &team.seats[0];
    alice.ok(&["propose", "--delete", "-m", "sooner", "--local"]);
    let lane = team.ledger_ref("lane/alice");
    let push = |spec: String| {
        team.world
            .command("git", &alice.dir)
            .args(["push", "origin", &spec])
            .output()
            .unwrap()
    };
    let told = text(&push(format!("{lane}:{lane}")));
    assert!(
        told.contains("GATE_BUSY") && told.contains("push again"),
        "{told}"
    );
    assert!(push("HEAD:refs/heads/x".to_owned()).status.success());
    let others = [&team.seats[0], &team.seats[2]]
        .map(|seat| start(seat, &["propose", "--delete", "-m", "later"]));
    std::thread::sleep(Duration::from_millis(2500));
    done(held.release());
    others.into_iter().for_each(|child| drop(done(child)));
    team.sync(1);
    assert_eq!(bob.state(&proposal), "landed");
    assert_sound(&team);
    team.world
        .git(&team.server, &["config", "quorum.gatePatience", "soon"]);
    let refused = bob.no(6, "REFUSED", &["propose", "--delete", "-m", "x"]);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("quorum.gatePatience"),
        "{refused}"
    );
}

/// Another git process locks a ref of the push, for a while or forever.
#[test]
fn a_locked_ref_is_waited_for_and_then_named() {
    let (team, proposal) = nearly_decided();
    install(&team, &["--auto-land"]);
    let [alice, bob, carol] = team.seats.as_slice() else {
        panic!()
    };
    // The lane is locked for a while.
    let lock = team.server.join(team.ledger_ref("lane/bob") + ".lock");
    std::fs::write(&lock, "").unwrap();
    let push = start(bob, &["sync"]);
    std::thread::sleep(Duration::from_millis(1500));
    std::fs::remove_file(&lock).unwrap();
    // Main is locked forever. The entries that decide must not wait for it.
    let main = team.server.join("refs/heads/main.lock");
    std::fs::write(&main, "").unwrap();
    done(push);
    assert_published(&team, bob, "bob");
    let begin = Instant::now();
    if carol.state(&proposal) != "landed" {
        let busy = carol.no(4, "BUSY", &["land"]);
        let message = one_line(busy["message"].as_str().unwrap());
        assert!(
            message.contains(main.to_str().unwrap())
                && message.contains("if there is none, remove"),
            "{busy}"
        );
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "it does not wait for ever"
        );
    }
    std::fs::remove_file(&main).unwrap();
    alice.ok(&["land"]);
    assert_landed(&team, &proposal);
}

#[test]
fn locked_packed_refs_are_waited_for_and_then_named() {
    let (team, proposal) = nearly_decided();
    install(&team, &[]);
    let bob = &team.seats[1];
    bob.sync();
    // The landing deletes a packed ref.
    team.world.git(&team.server, &["pack-refs", "--all"]);
    let lock = team.server.join("packed-refs.lock");
    std::fs::write(&lock, "").unwrap();
    let busy = bob.no(4, "BUSY", &["land"]);
    let message = one_line(busy["message"].as_str().unwrap());
    assert!(
        message.contains("packed-refs.lock") && message.contains("if there is none, remove"),
        "{busy}"
    );
    std::fs::remove_file(&lock).unwrap();
    bob.ok(&["land"]);
    assert_landed(&team, &proposal);
}

/// The lock of the settings, as a killed `git config` leaves it: on the server before the first
/// entry, and in a clone.
#[test]
fn a_locked_configuration_is_named() {
    let (team, _) = nearly_decided();
    install(&team, &[]);
    team.world
        .git(&team.server, &["config", "--unset", "quorum.founded"]);
    let bob = &team.seats[1];
    let lock = team.server.join("config.lock");
    std::fs::write(&lock, "").unwrap();
    let refused = bob.no(6, "REFUSED", &["sync"]);
    let message = one_line(refused["message"].as_str().unwrap());
    assert!(
        message.contains("config.lock") && message.contains("if there is none, remove"),
        "{refused}"
    );
    std::fs::remove_file(&lock).unwrap();
    bob.sync();
    assert_published(&team, bob, "bob");

    let dave = team.world.seat("dave", team.server.to_str().unwrap());
    let lock = dave.dir.join(".git/config.lock");
    std::fs::write(&lock, "").unwrap();
    let args = [
        "join",
        "--as",
        "dave",
        "--key",
        team.world.key("dave").to_str().unwrap(),
    ]
    .map(str::to_owned);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let locked = dave.no(4, "LOCKED", &args);
    assert!(
        locked["message"]
            .as_str()
            .unwrap()
            .contains(lock.to_str().unwrap()),
        "{locked}"
    );
    std::fs::remove_file(&lock).unwrap();
    dave.ok(&args);
}

/// The ref locks that a killed git left in a clone.
#[test]
fn a_lock_left_in_a_clone_is_named_and_what_was_signed_is_published_afterwards() {
    let (team, _) = nearly_decided();
    let bob = &team.seats[1];
    let hook = bob.dir.join(".git/hooks/reference-transaction");
    team.world.script(
        &hook,
        "[ \"$1\" != prepared ] || ! grep -q /lane/bob || kill -9 $PPID",
    );
    assert_ne!(bob.run(&["sync"]).code, 0);
    std::fs::remove_file(&hook).unwrap();
    let signed_then = signed(bob);
    assert_eq!(signed_then.len(), 2, "it was signed and remembered");
    let locked = bob.no(4, "LOCKED", &["sync"]);
    let locks = crate::harness::locks_in(&bob.dir);
    let named = |lock: &&PathBuf| {
        locked["message"]
            .as_str()
            .unwrap()
            .contains(lock.to_str().unwrap())
    };
    assert!(locks.iter().any(|lock| named(&lock)), "{locks:?}: {locked}");
    locks
        .iter()
        .for_each(|lock| std::fs::remove_file(lock).unwrap());
    bob.sync();
    assert_eq!(signed(bob), signed_then, "nothing was signed anew");
    assert_published(&team, bob, "bob");
    assert_sound(&team);
}

/// Git stores the objects of a push before a ref leads to them. Somebody who prunes at once, and
/// not after two weeks as Git does, deletes the objects in between. The gate then moves nothing.
#[test]
fn objects_that_are_pruned_under_a_push_stop_it_and_harm_nothing() {
    for point in ["gate.unlocked", "gate.locked", "gate.judged", "gate.marked"] {
        let (team, proposal) = nearly_decided();
        install(&team, &["--auto-land"]);
        let bob = &team.seats[1];
        bob.ok(&["propose", "--delete", "-m", "later", "--local"]);
        let before = refs_of(&team);
        let lane = team.ledger_ref("lane/bob");
        let go = team.world.path("go");
        let mut git = team.world.command("git", &bob.dir);
        git.env("GIT_QUORUM_FAULT", format!("{point}@{}", go.display()))
            .args(["push", "origin", &format!("{lane}:{lane}")]);
        let push = git
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until(|| go.with_extension("here").exists());
        team.world.git(&team.server, &["gc", "-q", "--prune=now"]);
        std::fs::write(&go, "").unwrap();
        let output = push.wait_with_output().unwrap();
        assert!(!output.status.success(), "{point}: {}", text(&output));
        assert_eq!(refs_of(&team), before, "{point}: {}", text(&output));
        assert_sound(&team);
        bob.sync();
        assert_published(&team, bob, "bob");
        assert_landed(&team, &proposal);
    }
}

/// Ends when the value is dropped.
struct Sweeper(Child);

impl Drop for Sweeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Housekeeping as Git does it by itself, while all members work.
#[test]
fn housekeeping_during_pushes_loses_nothing() {
    let team = Team::with_seats(&FOUR, 3);
    team.patience("100ms");
    install(&team, &["--auto-land"]);
    let stop = team.world.path("stop");
    let script = format!(
        "until test -e '{}'; do git gc -q; git repack -q -a -d; git pack-refs --all; done",
        stop.display()
    );
    let mut sweeper = team.world.command("sh", &team.server);
    let mut sweeper = Sweeper(
        sweeper
            .args(["-c", &script])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    for title in ["one", "two", "three"] {
        let proposal = team.seats[0].propose(title);
        let reviews = [1, 2].map(|n| start(&team.seats[n], &["review", &proposal, "--approve"]));
        // A member may not know the proposal yet.
        reviews
            .into_iter()
            .for_each(|child| drop(child.wait_with_output().unwrap()));
        for seat in &team.seats[1..] {
            seat.approve(&proposal);
        }
        team.settle(&proposal);
        assert_landed_without_locks(&team, &proposal);
    }
    std::fs::write(stop, "").unwrap();
    sweeper.0.wait().unwrap();
    for (seat, member) in team.seats.iter().zip(FOUR) {
        assert_published(&team, seat, member);
    }
    assert_sound(&team);
    team.seats[0].verify();
}

fn assert_landed_without_locks(team: &Team, proposal: &str) {
    team.sync(1);
    team.seats[0].ok(&["land"]);
    assert_eq!(team.seats[0].state(proposal), "landed");
}

/// All members work at the same time, and nobody waits for anybody.
#[test]
fn many_members_at_once_lose_nothing() {
    const SIX: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];
    let team = Team::new(&SIX);
    install(&team, &["--auto-land"]);
    let proposal = team.seats[0].propose("one");
    team.sync(1);
    let run_all = |args: &[&str]| {
        let children: Vec<_> = team.seats[1..]
            .iter()
            .map(|seat| start(seat, args))
            .collect();
        children.into_iter().for_each(|child| drop(done(child)));
    };
    run_all(&["review", &proposal, "--approve", "-m", "yes"]);
    run_all(&["sync"]);
    run_all(&["sync"]);
    team.sync(2);
    assert_landed(&team, &proposal);
    for (seat, member) in team.seats.iter().zip(SIX) {
        assert_published(&team, seat, member);
    }
}

/// The time in an entry is only displayed. A clock that is years behind or ahead changes nothing.
#[test]
fn entries_of_any_time_count_alike() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let p = site.propose(site.lab.ledger, first, second);
    for (n, time) in [("a", 1u64), ("b", 4_000_000_000), ("c", 0)] {
        site.lab.time(time);
        site.lab.say(n, vec![approve(p), prevote(p, 0)]);
    }
    let charter = site.lab.tally.charter_in_force();
    for (n, time) in [("a", 3_000_000_000u64), ("b", 2), ("c", 1)] {
        site.lab.time(time);
        let vote = site.lab.precommit(n, charter, p, 0);
        site.lab.say(n, vec![vote]);
    }
    assert!(site.lab.tally.is_decided(p));
    let lanes = [
        site.lanes(),
        vec![site.proposal_ref(p), format!("{second}:{MAIN}")],
    ]
    .concat();
    site.accepted(&parts(&lanes));
    assert_eq!(site.at(MAIN), Some(second));
    site.git(&site.server(), &["fsck", "--strict"], b"");
}

/// A timer that started with a clock years ahead. The clock has been corrected since.
#[test]
fn a_clock_that_was_set_back_costs_patience_once() {
    let team = Team::with_seats(&FOUR, 3);
    let [alice, bob, carol] = team.seats.as_slice() else {
        panic!()
    };
    team.patience("60");
    let one = alice.propose("one");
    bob.git(&["checkout", "-q", "--detach", "origin/main"]);
    bob.commit("two", "two");
    bob.ok(&["propose", "-m", "two", "--local"]);
    bob.sync();
    carol.approve(&one);
    bob.approve(&one);
    // Two prevotes for one rival and one for the other. Without a prevote of dave, the members go
    // on to another round, but not at once.
    team.sync(2);
    assert_ne!(alice.state(&one), "decided");
    team.patience("100ms");
    let mut changed = 0;
    for seat in &team.seats {
        let file = seat.dir.join(".git/quorum/timers.json");
        let Ok(text) = std::fs::read(&file) else {
            continue;
        };
        let mut timers: Value = serde_json::from_slice(&text).unwrap();
        for timer in timers.as_array_mut().unwrap() {
            timer["started"] = json!(timer["started"].as_u64().unwrap() + 315_360_000_000);
            changed += 1;
        }
        std::fs::write(file, timers.to_string()).unwrap();
    }
    assert!(changed > 0, "somebody was waiting");
    team.settle(&one);
    assert_sound(&team);
}
