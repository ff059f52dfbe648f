//! Simulated machines for end-to-end tests: servers, clones and members, isolated from the user's
//! own settings. Runs the real program, and checks what every run promises.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{Payload, Statement, encode};
use git_quorum::repo::{Environment, Repo};
use git_quorum::store::{Loaded, Trust, find_ledgers, load};
use serde_json::Value;
use tempfile::TempDir;

use crate::lab;

/// A folder for machines and servers, with settings that isolate them from the user's.
pub struct World {
    dir: TempDir,
    path: String,
}

/// The result of a run of the program.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A clone on a machine: a working tree, and the sign state of the machine.
#[derive(Clone)]
pub struct Seat {
    pub world: Arc<World>,
    pub dir: PathBuf,
    pub state: PathBuf,
    pub env: Vec<(String, String)>,
}

/// A ledger on a server, and a seat for each member.
pub struct Team {
    pub world: Arc<World>,
    pub server: PathBuf,
    pub seats: Vec<Seat>,
}

impl World {
    pub fn new() -> Arc<World> {
        World::with_path(std::env::var("PATH").unwrap())
    }

    /// Creates a world that looks for programs in these folders.
    pub fn with_path(path: String) -> Arc<World> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let world = World {
            dir: TempDir::with_prefix_in("git-quorum-e2e-", parent).unwrap(),
            path,
        };
        for folder in ["home", "keys", "template/hooks"] {
            std::fs::create_dir_all(world.path(folder)).unwrap();
        }
        let config = "[user]\nname = Test\nemail = test@example.org\n[init]\ndefaultBranch = main\n[advice]\ndetachedHead = false\n";
        std::fs::write(world.path("gitconfig"), format!("{config}[gc]\nauto = 0\n")).unwrap();
        // Every clone counts the pushes that it tries, and every server counts the pushes that it
        // accepts.
        world.script(
            "template/hooks/pre-push",
            "cat >/dev/null; echo try >> .git/tried",
        );
        world.script(
            "template/hooks/post-receive",
            "cat >/dev/null; echo push >> accepted",
        );
        Arc::new(world)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes an executable shell script.
    pub fn script(&self, path: impl AsRef<Path>, body: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.dir.path().join(path);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns the environment of all machines. It has nothing of the user's but the places of
    /// programs.
    pub fn env(&self) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let pairs = [
            ("PATH", self.path.clone()),
            ("HOME", text(self.path("home"))),
            ("GIT_CONFIG_GLOBAL", text(self.path("gitconfig"))),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GIT_TEMPLATE_DIR", text(self.path("template"))),
            ("LC_ALL", "C".to_owned()),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Returns a command in this world, without a terminal.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.env())
            .current_dir(dir)
            .stdin(Stdio::null());
        command
    }

    /// Runs plain git, which must succeed, and returns its output.
    pub fn git(&self, dir: &Path, args: &[&str]) -> String {
        let output = self.command("git", dir).args(args).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "git {args:?} in {}: {err}",
            dir.display()
        );
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// Runs plain git with bytes as standard input.
    pub fn git_with(&self, dir: &Path, args: &[&str], input: &[u8]) -> String {
        use std::io::Write as _;
        let mut command = self.command("git", dir);
        let piped = command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {args:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// Creates a bare repository that counts the pushes it accepts.
    pub fn server(&self, name: &str) -> PathBuf {
        self.git(self.dir.path(), &["init", "-q", "--bare", name]);
        self.path(name)
    }

    /// Writes the key files of a member, whose key is the same as in the lab. Returns the path of
    /// the private key.
    pub fn key(&self, member: &str) -> PathBuf {
        let path = self.path("keys").join(member);
        if !path.exists() {
            write_key(&path, lab::signing_key(member).as_bytes());
        }
        path
    }

    /// Creates a clone on a machine of its own.
    pub fn seat(self: &Arc<World>, name: &str, url: &str) -> Seat {
        self.git(self.dir.path(), &["clone", "-q", url, name]);
        Seat {
            world: self.clone(),
            dir: self.path(name),
            state: self.path(&format!("state-{name}")),
            env: vec![],
        }
    }

    /// Returns how many pushes a server has accepted.
    pub fn accepted(&self, server: &Path) -> usize {
        lines(&server.join("accepted"))
    }

    /// Loads the lanes of the server.
    pub fn load(&self, git_dir: &Path) -> Loaded {
        let env = self
            .env()
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        let repo = Repo::open_with(git_dir, Environment::scrubbed(env)).unwrap();
        let ledger = find_ledgers(&repo).unwrap()[0];
        load(&repo, ledger, Trust::Nothing).unwrap()
    }

    /// Stores an entry of a member in a server, whatever the member's own program knows. Without
    /// parents, the entry builds on the tip of the member's lane. Moves no ref.
    pub fn forge(
        &self,
        server: &Path,
        member: &str,
        parents: &[EntryId],
        said: Vec<Statement>,
    ) -> (EntryId, Oid) {
        let charter = self.load(server).tally.charter_in_force();
        self.forge_under(server, member, charter, parents, said)
    }

    /// Does the same as the function above, under another charter.
    pub fn forge_under(
        &self,
        server: &Path,
        member: &str,
        charter: EntryId,
        parents: &[EntryId],
        said: Vec<Statement>,
    ) -> (EntryId, Oid) {
        let loaded = self.load(server);
        let dag = loaded.tally.dag();
        let tip = dag
            .tips(&lab::name(member))
            .first()
            .map_or(dag.ledger(), |tip| dag.entry(*tip).id);
        let parents = if parents.is_empty() {
            vec![tip]
        } else {
            parents.to_vec()
        };
        let entries: Vec<_> = parents
            .iter()
            .map(|p| dag.entry(dag.find(*p).unwrap()))
            .collect();
        let own = entries
            .iter()
            .filter(|e| e.member.as_str() == member)
            .map(|e| e.seq)
            .max();
        let payload = Payload {
            charter,
            ledger: dag.ledger(),
            member: lab::name(member),
            parents,
            seq: own.unwrap_or(0) + 1,
            statements: said,
            v: 1,
        };
        let oids: Vec<_> = entries.iter().map(|e| e.oid).collect();
        let unsigned = encode(&payload, &oids, 1_700_000_000).unwrap();
        let oid = self.store(server, "commit", &lab::sign(&unsigned, member));
        (unsigned.id, oid.parse().unwrap())
    }

    /// Stores an object in a repository, even if it is malformed.
    pub fn store(&self, git_dir: &Path, kind: &str, raw: &[u8]) -> String {
        self.git_with(
            git_dir,
            &["hash-object", "--literally", "-t", kind, "-w", "--stdin"],
            raw,
        )
    }
}

/// Writes an OpenSSH key pair.
pub fn write_key(path: &Path, seed: &[u8; 32]) {
    use std::os::unix::fs::PermissionsExt as _;
    let key = ssh_key::PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(seed));
    std::fs::write(
        path,
        key.to_openssh(ssh_key::LineEnding::LF).unwrap().as_bytes(),
    )
    .unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(
        path.with_extension("pub"),
        key.public_key().to_openssh().unwrap(),
    )
    .unwrap();
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

impl Seat {
    /// Returns a seat in another clone: on the same machine, or with the same key on another
    /// machine.
    pub fn elsewhere(&self, name: &str, url: &Path, same_machine: bool) -> Seat {
        let seat = self.world.seat(name, url.to_str().unwrap());
        if same_machine {
            Seat {
                state: self.state.clone(),
                ..seat
            }
        } else {
            seat
        }
    }

    /// Returns the same seat with an environment variable.
    pub fn with(&self, name: &str, value: &str) -> Seat {
        let mut seat = self.clone();
        seat.env.push((name.to_owned(), value.to_owned()));
        seat
    }

    /// Returns the same seat in another folder.
    pub fn at(&self, dir: PathBuf) -> Seat {
        Seat {
            dir,
            ..self.clone()
        }
    }

    /// Runs the program, and checks what every run promises.
    pub fn run(&self, args: &[&str]) -> Run {
        let mut command = self
            .world
            .command(env!("CARGO_BIN_EXE_git-quorum"), &self.dir);
        command
            .env("GIT_QUORUM_STATE", &self.state)
            .envs(self.env.iter().cloned());
        let output = command.args(args).output().unwrap();
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(
            run.code >= 0 && run.code != 101 && !run.err.contains("panicked"),
            "{args:?}: {run:?}"
        );
        assert_clean(&run.out);
        assert_clean(&run.err);
        run
    }

    fn envelope(&self, args: &[&str]) -> (Run, Value) {
        let mut all = args.to_vec();
        all.push("--json");
        let run = self.run(&all);
        assert_eq!(
            run.out.lines().count(),
            1,
            "{args:?}: one envelope on one line: {run:?}"
        );
        let envelope: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(envelope["ok"], run.code == 0, "{args:?}: {run:?}");
        (run, envelope)
    }

    /// Runs a command that must succeed. Returns its data.
    pub fn ok(&self, args: &[&str]) -> Value {
        let (run, mut envelope) = self.envelope(args);
        assert_eq!(
            run.code,
            0,
            "{args:?} in {}: {envelope}",
            self.dir.display()
        );
        assert!(envelope["command"].is_string());
        envelope["data"].take()
    }

    /// Runs a command that must succeed. Returns its data and its notes.
    pub fn noted(&self, args: &[&str]) -> (Value, String) {
        let (run, mut envelope) = self.envelope(args);
        assert_eq!(run.code, 0, "{args:?}: {envelope}");
        (envelope["data"].take(), run.err)
    }

    /// Runs a command that must fail with this status and code, and must say what to do next.
    /// Returns the envelope.
    pub fn no(&self, exit: i32, code: &str, args: &[&str]) -> Value {
        let (run, envelope) = self.envelope(args);
        assert_eq!(
            (run.code, envelope["code"].as_str().unwrap()),
            (exit, code),
            "{args:?}: {envelope}"
        );
        let long = |field: &str| envelope[field].as_str().is_some_and(|text| text.len() > 8);
        assert!(
            long("message") && long("hint"),
            "{args:?}: what, why, and what next: {envelope}"
        );
        envelope
    }

    pub fn git(&self, args: &[&str]) -> String {
        self.world.git(&self.dir, args)
    }

    /// Writes a file and commits it. Returns the commit.
    pub fn commit(&self, file: &str, text: &str) -> String {
        std::fs::write(self.dir.join(file), text).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", file]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Joins the ledger as this member.
    pub fn join(&self, member: &str) -> Value {
        self.ok(&[
            "join",
            "--as",
            member,
            "--key",
            self.world.key(member).to_str().unwrap(),
        ])
    }

    /// Commits a change on top of main and proposes it. Returns the id of the proposal.
    pub fn propose(&self, title: &str) -> String {
        self.git(&["fetch", "-q", "origin"]);
        self.git(&["checkout", "-q", "--detach", "origin/main"]);
        self.commit(title, title);
        id(&self.ok(&["propose", "-m", title]))
    }

    pub fn approve(&self, proposal: &str) -> Value {
        self.ok(&["review", proposal, "--approve"])
    }

    /// Approves one of several rivals, unless another one has been decided.
    pub fn approve_rival(&self, proposal: &str) {
        let (run, envelope) = self.envelope(&["review", proposal, "--approve"]);
        assert!(
            run.code == 0 || envelope["code"] == "SUPERSEDED",
            "{envelope}"
        );
    }

    pub fn sync(&self) -> Value {
        self.ok(&["sync"])
    }

    /// Returns the state of a proposal as this clone knows it.
    pub fn state(&self, proposal: &str) -> String {
        self.ok(&["status", proposal])["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Returns how many pushes this clone has tried.
    pub fn tried(&self) -> usize {
        lines(&self.dir.join(".git/tried"))
    }

    /// Checks that `verify` finds no problem. Returns its data.
    pub fn verify(&self) -> Value {
        self.ok(&["verify"])
    }
}

/// Returns the id in the answer of a command.
pub fn id(data: &Value) -> String {
    data["id"].as_str().unwrap().to_owned()
}

/// Checks that a text contains nothing that a terminal acts on, or that hides or reorders text.
pub fn assert_clean(text: &str) {
    let bad = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    assert!(!text.contains(bad), "{text:?}");
}

impl Team {
    /// Creates a ledger of these members that protects main, founded by the first one, with a seat
    /// for each.
    pub fn new(members: &[&str]) -> Team {
        let world = World::new();
        let server = world.server("server.git");
        Team::at(
            world,
            server.clone(),
            server.to_str().unwrap(),
            "main",
            members,
            members,
        )
    }

    /// Does the same in an existing world.
    pub fn within(world: Arc<World>, members: &[&str], seats: usize) -> Team {
        let server = world.server("server.git");
        Team::at(
            world,
            server.clone(),
            server.to_str().unwrap(),
            "main",
            members,
            &members[..seats],
        )
    }

    /// Does the same for other protected refs.
    pub fn protecting(members: &[&str], pattern: &str) -> Team {
        let world = World::new();
        let server = world.server("server.git");
        Team::at(
            world,
            server.clone(),
            server.to_str().unwrap(),
            pattern,
            members,
            members,
        )
    }

    /// Does the same with seats for the first `seats` members only.
    pub fn with_seats(members: &[&str], seats: usize) -> Team {
        Team::within(World::new(), members, seats)
    }

    fn at(
        world: Arc<World>,
        server: PathBuf,
        url: &str,
        pattern: &str,
        members: &[&str],
        seated: &[&str],
    ) -> Team {
        let founder = world.seat(members[0], url);
        founder.commit("readme", "readme");
        founder.git(&["push", "-q", "origin", "HEAD:main"]);
        let flags: Vec<_> = members
            .iter()
            .map(|m| format!("{m}={}.pub", world.key(m).display()))
            .collect();
        let key = world.key(members[0]);
        let mut args = vec![
            "init",
            "--protect",
            pattern,
            "--as",
            members[0],
            "--key",
            key.to_str().unwrap(),
        ];
        args.extend(flags.iter().flat_map(|flag| ["--member", flag]));
        founder.ok(&args);
        let mut seats = vec![founder];
        for member in &seated[1..] {
            let seat = world.seat(member, url);
            seat.join(member);
            seats.push(seat);
        }
        Team {
            world,
            server,
            seats,
        }
    }

    /// Returns the name of a ref of the ledger.
    pub fn ledger_ref(&self, rest: &str) -> String {
        let ledger = self.seats[0].git(&["config", "quorum.ledger"]);
        format!("refs/quorum/{}/{rest}", &ledger[..16])
    }

    /// Points a lane on the server to an object.
    pub fn place(&self, member: &str, oid: impl ToString) {
        let name = self.ledger_ref(&format!("lane/{member}"));
        self.world
            .git(&self.server, &["update-ref", &name, &oid.to_string()]);
    }

    /// Sets the unit of patience of all members.
    pub fn patience(&self, unit: &str) {
        self.seats
            .iter()
            .for_each(|seat| drop(seat.git(&["config", "quorum.patience", unit])));
    }

    /// All members sync until all know that the proposal is decided.
    pub fn settle(&self, proposal: &str) {
        assert!(
            self.settle_rival(proposal),
            "{}",
            self.seats[0].ok(&["show", proposal])
        );
    }

    /// All members sync until all know the decision in the proposal's slot. Returns whether it is
    /// this proposal.
    pub fn settle_rival(&self, proposal: &str) -> bool {
        for _ in 0..30 {
            self.sync(1);
            let states: Vec<_> = self.seats.iter().map(|seat| seat.state(proposal)).collect();
            if states
                .iter()
                .all(|state| ["decided", "landed", "superseded"].contains(&state.as_str()))
            {
                let lost = states.iter().filter(|state| *state == "superseded").count();
                assert!(
                    [0, states.len()].contains(&lost),
                    "all know the same: {states:?}"
                );
                return lost == 0;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{}", self.seats[0].ok(&["show", proposal]));
    }

    /// All members sync this many times.
    pub fn sync(&self, times: usize) {
        for _ in 0..times {
            self.seats.iter().for_each(|seat| drop(seat.sync()));
        }
    }

    /// Lets a proposal of the first seat be decided and landed.
    pub fn decide(&self, title: &str) -> String {
        let proposal = self.seats[0].propose(title);
        self.seats[1..]
            .iter()
            .for_each(|seat| drop(seat.approve(&proposal)));
        self.settle(&proposal);
        self.seats[0].ok(&["land", &proposal]);
        proposal
    }

    /// Checks that no member has contradicted its own votes.
    pub fn assert_honest(&self) {
        for seat in &self.seats {
            let status = seat.ok(&["status"]);
            assert_eq!(status["evidence"]["shown"], serde_json::json!([]));
            assert!(
                !status["discounted"].to_string().contains("SECOND_VOTE"),
                "{status}"
            );
        }
    }
}

/// A `git daemon` on the loopback interface that serves a world. It ends when the value is dropped.
pub struct Daemon {
    child: Child,
    pub url: String,
}

impl Daemon {
    pub fn new(world: &World) -> Daemon {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let program = Path::new(&world.git(&world.path(""), &["--exec-path"])).join("git-daemon");
        let mut command = world.command(program, &world.path(""));
        command.args([
            "--reuseaddr",
            "--export-all",
            "--enable=receive-pack",
            "--listen=127.0.0.1",
        ]);
        command
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", world.path("").display()));
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        for _ in 0..200 {
            if up() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        Daemon {
            child,
            url: format!("git://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Team {
    /// Creates a ledger behind a daemon.
    pub fn behind(world: Arc<World>, daemon: &Daemon, members: &[&str]) -> Team {
        let server = world.server("server.git");
        Team::at(
            world,
            server,
            &format!("{}/server.git", daemon.url),
            "main",
            members,
            members,
        )
    }
}
