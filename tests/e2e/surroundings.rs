//! Tests several kinds of repositories and keys, and refs that were moved without a decision.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::story::Look;
use crate::world::{Seat, Team, World, id};

#[test]
fn a_repository_without_this_or_that_says_what_is_missing() {
    let world = World::new();
    let nowhere = Seat {
        world: world.clone(),
        dir: world.path("home"),
        state: world.path("s"),
        env: vec![],
    };
    nowhere.no(3, "NO_REPOSITORY", &["status"]);
    nowhere.no(3, "NO_FOLDER", &["-C", "missing", "status"]);
    nowhere.no(2, "USAGE", &["frobnicate"]);
    nowhere.no(2, "BAD_NAME", &["keygen", "Not a name"]);
    let made = nowhere.ok(&["keygen", "alice", "--dir", "keys"]);
    assert!(made["key"].as_str().unwrap().starts_with("ssh-ed25519 "));
    nowhere.no(4, "KEY_EXISTS", &["keygen", "alice", "--dir", "keys"]);

    world.git(
        &world.path(""),
        &["init", "-q", "--object-format=sha256", "sha256"],
    );
    nowhere
        .at(world.path("sha256"))
        .no(1, "OBJECT_FORMAT", &["status"]);

    world.git(&world.path(""), &["init", "-q", "alone"]);
    let alone = nowhere.at(world.path("alone"));
    for args in [
        &["status"][..],
        &["log"],
        &["verify"],
        &["sync"],
        &["join"],
        &["charter", "show"],
        &["land"],
    ] {
        alone.no(3, "NO_LEDGER", args);
    }
    let key = world.path("home/keys/alice");
    let member = format!("alice={}.pub", key.display());
    let args = [
        "init",
        "--as",
        "alice",
        "--key",
        key.to_str().unwrap(),
        "--member",
        &member,
        "--protect",
        "main",
    ];
    alone.no(2, "BAD_CHARTER", &[&args[..], &["--quorum", "2"]].concat());
    alone.no(
        2,
        "BAD_REF",
        &[&args[..7], &["--protect", "refs/quorum/x"]].concat(),
    );
    alone.no(
        2,
        "BAD_MEMBER",
        &[
            "init",
            "--as",
            "a",
            "--key",
            "k",
            "--member",
            "alice",
            "--protect",
            "main",
        ],
    );
    let founded = alone.ok(&args);
    assert_eq!(
        (&founded["pushed_to"], &founded["existing"]),
        (&json!(null), &json!(false))
    );
    // The same again is no error, and signs no second genesis; another charter is.
    let again = alone.ok(&args);
    assert_eq!(
        (&again["ledger"], &again["existing"]),
        (&founded["ledger"], &json!(true))
    );
    alone.no(
        4,
        "LEDGER_EXISTS",
        &[&args[..], &["--protect", "refs/heads/other"]].concat(),
    );

    // Alone, without remote and without any commit yet; then with one, on a detached HEAD.
    alone.no(3, "NOT_FOUND", &["propose", "-m", "nothing there"]);
    alone.commit("f", "one");
    alone.git(&["checkout", "-q", "--detach"]);
    alone.git(&["branch", "-D", "-q", "main"]);
    let first = alone.ok(&["propose", "-m", "first"]);
    assert_eq!(first["proposal"]["state"], "decided", "one of one");
    alone.ok(&["land"]);
    assert_eq!(
        alone.git(&["rev-parse", "main"]),
        alone.git(&["rev-parse", "HEAD"])
    );
    assert_eq!(alone.verify()["refs"]["shown"][0]["backing"], "backed");
    alone.git(&["checkout", "-q", "main"]);
    alone.commit("f", "two");
    alone.git(&["checkout", "-q", "--detach"]);
    alone.git(&["branch", "-q", "-f", "main", "HEAD^"]);
    alone.ok(&["propose", "-m", "second"]);
    alone.git(&["checkout", "-q", "main"]);
    let checked_out = alone.no(6, "CHECKED_OUT", &["land"]);
    assert!(
        checked_out["hint"]
            .as_str()
            .unwrap()
            .contains("git merge --ff-only")
    );

    // From a subfolder, with -C, from a linked worktree, from the git directory.
    std::fs::create_dir_all(alone.dir.join("sub/folder")).unwrap();
    alone.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    for dir in ["alone/sub/folder", "linked", "alone/.git"] {
        assert_eq!(
            nowhere.at(world.path(dir)).ok(&["status"])["entries"],
            alone.ok(&["status"])["entries"],
            "{dir}"
        );
    }
    assert_eq!(nowhere.ok(&["-C", "../alone", "status"])["n"], 1);
    let linked = nowhere.at(world.path("linked"));
    linked.commit("g", "from the linked one");
    let look = Look::at(&alone);
    linked.no(4, "NOT_DESCENDANT", &["propose", "-m", "beside"]);
    linked.ok(&["propose", "-m", "beside", "--merge"]);
    look.assert_same(&alone);
}

#[test]
fn a_ledger_founded_while_the_remote_is_away_is_pushed_later() {
    let world = World::new();
    let server = world.server("server.git");
    let [one, two] = ["one", "two"].map(|name| world.seat(name, server.to_str().unwrap()));
    let key = world.key("alice");
    let member = format!("alice={}.pub", key.display());
    let args = [
        "init",
        "--as",
        "alice",
        "--key",
        key.to_str().unwrap(),
        "--member",
        &member,
        "--protect",
        "main",
    ];
    one.git(&["remote", "set-url", "origin", "/nowhere"]);
    let away = one.no(4, "UNREACHABLE", &args);
    let ledger = one.git(&["config", "quorum.ledger"]);
    assert!(
        away["message"].as_str().unwrap().contains(&ledger),
        "{away}"
    );
    one.git(&["remote", "set-url", "origin", server.to_str().unwrap()]);
    one.sync();
    assert_eq!(
        two.ok(&["join", "--genesis", &ledger])["ledger"],
        json!(ledger)
    );

    // Somebody else founds one at the same time: no ledger is taken for another.
    let three = world.seat("three", server.to_str().unwrap());
    let exists = three.no(
        4,
        "LEDGER_EXISTS",
        &[&args[..], &["--protect", "other"]].concat(),
    );
    assert!(
        exists["hint"].as_str().unwrap().contains("join"),
        "{exists}"
    );
    // What is no genesis entry at all is in nobody's way.
    let blob = world.store(&server, "blob", b"\x1b[31m");
    world.git(
        &server,
        &["update-ref", "refs/quorum/0123456789abcdef/genesis", &blob],
    );
    let four = world.seat("four", server.to_str().unwrap());
    assert_eq!(four.ok(&["join"])["ledger"], json!(ledger));
    four.no(3, "NOT_FOUND", &["join", "--genesis", "ffff"]);
    two.no(3, "NOT_FOUND", &["join", "--genesis", &"0".repeat(64)]);
}

#[test]
fn a_remote_that_cannot_be_reached_is_told_and_waits() {
    let team = Team::with_seats(&["alice", "bob"], 2);
    let bob = &team.seats[1];
    let proposal = team.seats[0].propose("one");
    bob.sync();
    bob.git(&["remote", "set-url", "origin", "/nowhere/at/all"]);
    let gone = bob.no(4, "UNREACHABLE", &["review", &proposal, "--approve"]);
    assert!(gone["hint"].as_str().unwrap().contains("--local"));
    bob.no(4, "UNREACHABLE", &["sync"]);
    bob.ok(&["status"]);
    bob.verify();
    bob.ok(&["review", &proposal, "--approve", "--local"]);
    bob.git(&["remote", "set-url", "origin", team.server.to_str().unwrap()]);
    assert_eq!(
        bob.ok(&["sync"])["entries"],
        json!([]),
        "what was signed offline is pushed"
    );
    team.seats[0].sync();
    assert_eq!(
        team.seats[0].ok(&["show", &proposal])["proposal"]["approvals"],
        json!(["alice", "bob"])
    );
    bob.git(&["config", "quorum.remote", "elsewhere"]);
    bob.no(3, "NO_REMOTE", &["sync"]);
    bob.git(&["config", "quorum.remote", "origin"]);
    bob.no(4, "UNREACHABLE", &["sync", "--remote", "unheard-of"]);
    bob.git(&["config", "quorum.patience", "soon"]);
    bob.no(1, "BAD_CONFIG", &["sync"]);
    bob.git(&["config", "quorum.ledger", "what"]);
    bob.no(1, "BAD_CONFIG", &["status"]);
}

/// Returns the finding about the value of a ref at a place.
fn at<'a>(found: &'a Value, place: &str) -> &'a Value {
    found["refs"]["shown"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["place"] == place)
        .unwrap()
}

#[test]
fn verify_names_a_ref_that_no_decision_backs() {
    let team = Team::with_seats(&["alice", "bob", "carol", "dave"], 3);
    let [alice, bob, _] = team.seats.as_slice() else {
        panic!()
    };
    assert_eq!(
        alice.verify()["refs"]["shown"][0]["backing"],
        "nothing-decided"
    );
    let proposal = team.decide("one");
    let found = alice.verify();
    assert_eq!(at(&found, "origin")["backing"], "backed");
    assert_eq!(
        at(&found, "here")["backing"],
        "nothing-landed",
        "the branch here has not followed"
    );
    assert_eq!(found["decisions"]["shown"][0]["proposal"], json!(proposal));
    let good = alice.git(&["rev-parse", "HEAD"]);

    // Past every decision, by force, on the server.
    bob.commit("evil", "evil");
    bob.git(&["push", "-q", "-f", "origin", "HEAD:main"]);
    alice.sync();
    let broken = alice.no(7, "VERIFICATION_FAILED", &["verify"]);
    let origin = at(&broken["data"], "origin");
    assert_eq!(
        (&origin["ref"], &origin["backing"]),
        (&json!("refs/heads/main"), &json!("not-backed"))
    );
    assert!(
        broken["message"]
            .as_str()
            .unwrap()
            .contains("refs/heads/main"),
        "{broken}"
    );
    alice.no(7, "VERIFICATION_FAILED", &["verify", "main"]);
    alice.no(3, "NOT_PROTECTED", &["verify", "other"]);
    alice.no(2, "USAGE", &["verify", "--at", &good]);
    alice.no(3, "NOT_FOUND", &["verify", "main", "--at", "nothing"]);
    alice.ok(&["verify", "main", "--at", &good]);
    alice.no(6, "CANNOT_LAND", &["land", &proposal]);

    // Fetched by Git itself, after the ledger was: that is no work of this clone's.
    team.world
        .git(&team.server, &["update-ref", "refs/heads/main", &good]);
    alice.sync();
    let tree = format!("{good}^{{tree}}");
    let past = team.world.git(
        &team.server,
        &["commit-tree", "-p", &good, "-m", "past the gate", &tree],
    );
    team.world
        .git(&team.server, &["update-ref", "refs/heads/main", &past]);
    alice.git(&["fetch", "-q"]);
    let pulled = alice.no(7, "VERIFICATION_FAILED", &["verify"]);
    assert!(
        pulled["message"].as_str().unwrap().contains(&past),
        "{pulled}"
    );
    assert!(
        pulled["hint"].as_str().unwrap().contains("git quorum sync"),
        "{pulled}"
    );
    alice.no(7, "VERIFICATION_FAILED", &["verify", "main"]);

    // Deleted past every decision.
    team.world
        .git(&team.server, &["update-ref", "refs/heads/main", &good]);
    alice.sync();
    alice.git(&["fetch", "-q"]);
    alice.verify();
    team.world
        .git(&team.server, &["update-ref", "-d", "refs/heads/main"]);
    alice.sync();
    let gone = alice.no(7, "VERIFICATION_FAILED", &["verify"]);
    assert!(
        gone["message"]
            .as_str()
            .unwrap()
            .contains("(origin) is absent"),
        "the branch here does not stand for it"
    );
    alice.git(&["branch", "-q", "-D", "main"]);
    let gone = alice.no(7, "VERIFICATION_FAILED", &["verify"]);
    assert!(
        gone["message"].as_str().unwrap().contains("absent"),
        "{gone}"
    );

    // A clone without its past certifies nothing.
    team.world
        .git(&team.server, &["update-ref", "refs/heads/main", &good]);
    let url = format!("file://{}", team.server.display());
    team.world.git(
        &team.world.path(""),
        &["clone", "-q", "--depth=1", &url, "shallow"],
    );
    let shallow = bob.at(team.world.path("shallow"));
    shallow.ok(&["join"]);
    let refused = shallow.no(7, "INCOMPLETE_CLONE", &["verify"]);
    assert!(refused["hint"].as_str().unwrap().contains("--unshallow"));
    let key = team.world.key("bob");
    let key = key.to_str().unwrap();
    shallow.no(
        7,
        "INCOMPLETE_CLONE",
        &["sync", "--as", "bob", "--key", key],
    );
}

#[test]
fn appending_touches_neither_files_nor_index_nor_settings() {
    let team = Team::with_seats(&["alice", "bob"], 2);
    let bob = &team.seats[1];
    bob.git(&["config", "user.signingkey", "mine"]);
    std::fs::write(bob.dir.join("readme"), "changed").unwrap();
    std::fs::write(bob.dir.join("staged"), "s").unwrap();
    bob.git(&["add", "staged"]);
    std::fs::write(bob.dir.join("untracked"), "u").unwrap();
    let look = Look::at(bob);
    let proposal = team.seats[0].propose("one");
    bob.join("bob");
    bob.approve(&proposal);
    bob.ok(&["propose", "--delete", "-m", "two"]);
    team.sync(1);
    bob.ok(&["land"]);
    for args in [&["status"][..], &["log"], &["verify"], &["charter", "show"]] {
        bob.ok(args);
    }
    look.assert_same(bob);
    assert_eq!(bob.git(&["config", "user.signingkey"]), "mine");
}

/// A stock ssh-agent on a socket of its own.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stock(world: &World, tool: &str) -> Command {
    world.command(tool, &world.path(""))
}

#[test]
fn keys_with_a_passphrase_and_keys_in_an_agent() {
    let team = Team::with_seats(&["alice", "bob"], 2);
    let (world, bob) = (&team.world, &team.seats[1]);
    let proposal = team.seats[0].propose("one");
    let key = world.key("bob");
    let key = key.to_str().unwrap();
    let locked = stock(world, "ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "a b c", "-f", key])
        .output();
    assert!(locked.unwrap().status.success());
    let mut texts = 0..;
    let mut say = |seat: &Seat| {
        let text = texts.next().unwrap().to_string();
        assert_eq!(
            seat.ok(&["review", &proposal, "--abstain", "-m", &text])["entries"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    };
    let asked = bob.no(1, "KEY", &["review", &proposal, "--approve"]);
    for way in [
        "GIT_QUORUM_PASSPHRASE",
        "GIT_QUORUM_PASSPHRASE_FILE",
        "ssh-add",
    ] {
        assert!(asked["hint"].as_str().unwrap().contains(way), "{asked}");
    }
    say(&bob.with("GIT_QUORUM_PASSPHRASE", "a b c"));
    let file = world.path("passphrase");
    std::fs::write(&file, "a b c\n").unwrap();
    say(&bob.with("GIT_QUORUM_PASSPHRASE_FILE", file.to_str().unwrap()));
    bob.with("GIT_QUORUM_PASSPHRASE", "wrong")
        .no(1, "KEY", &["review", &proposal, "--approve"]);

    // In an agent: only it holds the private key any more.
    let locked = stock(world, "ssh-keygen")
        .args(["-q", "-p", "-P", "a b c", "-N", "", "-f", key])
        .output();
    assert!(locked.unwrap().status.success());
    let socket = world.path("agent");
    let socket = socket.to_str().unwrap();
    bob.no(1, "KEY", &["review", &proposal, "--approve", "--agent"]);
    let daemon = stock(world, "ssh-agent")
        .args(["-D", "-a", socket])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _agent = Agent(daemon);
    let with_agent = bob.with("SSH_AUTH_SOCK", socket);
    for _ in 0..200 {
        if std::path::Path::new(socket).exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    with_agent.no(1, "KEY", &["review", &proposal, "--approve", "--agent"]);
    let added = stock(world, "ssh-add")
        .env("SSH_AUTH_SOCK", socket)
        .args(["-q", key])
        .output()
        .unwrap();
    assert!(added.status.success(), "{added:?}");
    std::fs::remove_file(key).unwrap();
    with_agent.ok(&[
        "join",
        "--as",
        "bob",
        "--key",
        &format!("{key}.pub"),
        "--agent",
    ]);
    say(&with_agent);
    bob.no(1, "KEY", &["review", &proposal, "--approve"]);
    assert_eq!(id(&with_agent.approve(&proposal)), proposal);
    let exposed = world.key("bob");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&exposed, mode).unwrap();
    let readable = bob.no(1, "KEY", &["join", "--as", "bob", "--key", key]);
    assert!(
        readable["hint"].as_str().unwrap().contains("chmod 600"),
        "{readable}"
    );
}

#[test]
fn without_a_remote_it_is_said_that_nothing_is_exchanged() {
    let team = Team::new(&["alice"]);
    let alice = &team.seats[0];
    let says = "No remote is known, so nothing was exchanged";
    assert!(!alice.noted(&["sync"]).1.contains(says));
    alice.git(&["remote", "remove", "origin"]);
    assert!(alice.noted(&["sync"]).1.contains(says));
    assert!(!alice.noted(&["sync", "--local"]).1.contains(says));
}
