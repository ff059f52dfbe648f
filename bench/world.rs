//! Repositories with ledgers of a given size, the same ones every time. Each proposal moves main by
//! one real commit. It is proposed, approved, prevoted and precommitted, and so decided, before the
//! next one.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use git_quorum::id::{Digest, EntryId, Oid};
use git_quorum::ledger::{LedgerRefs, RefProposal, Statement, Verdict};
use git_quorum::repo::{Environment, Repo};
use git_quorum::signer::state::{SignState, SignedRecord};
use git_quorum::store::compute_binding;

use super::lab::{Lab, Made, approve, name, prevote, review, signing_key};

/// The program to measure.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_git-quorum");

/// How the repository stores the objects of a ledger.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In one pack, as after `git gc`.
    Packed,
    /// Each in a file of its own, as git first writes them.
    Loose,
}

/// A bare repository with a ledger, and a key and a sign state for the member that writes.
pub struct World {
    dir: tempfile::TempDir,
    /// The id of the ledger.
    pub ledger: EntryId,
    /// The open proposal.
    pub open: EntryId,
    /// The member that writes.
    pub author: String,
    /// The commits of all entries.
    pub entries: Vec<Oid>,
    /// The ledger in memory, to which entries can be added.
    pub lab: Lab,
    members: Vec<String>,
    /// The commits on top of main that no proposal is about yet, and the value of main.
    spare: Vec<Oid>,
    /// The last decision.
    base: EntryId,
    /// The object database that entries are written to.
    objects: std::cell::OnceCell<git_quorum::repo::Objects>,
}

/// A decision that lacks one precommit.
pub struct Undecided {
    /// The member whose precommit is missing.
    pub voter: String,
    /// The proposal.
    pub proposal: EntryId,
    /// The commit that main moves to.
    pub to: Oid,
    /// The entries that the voter knows.
    seen: Vec<EntryId>,
}

/// Returns the folder for worlds: the one that the environment names, or one in memory if the
/// system has such a place.
fn root() -> PathBuf {
    let asked = std::env::var_os("GIT_QUORUM_BENCH_DIR").map(PathBuf::from);
    let memory = Some(PathBuf::from("/dev/shm")).filter(|dir| dir.is_dir());
    asked.or(memory).unwrap_or_else(std::env::temp_dir)
}

impl World {
    /// Creates a ledger of exactly `entries` entries by this many members, all of which vote.
    pub fn new(members: usize, entries: usize, storage: Storage) -> World {
        World::with_spare(members, entries, storage, 0)
    }

    /// Does the same, with commits for this many more decisions.
    pub fn with_spare(members: usize, entries: usize, storage: Storage, spare: usize) -> World {
        let dir = tempfile::tempdir_in(root()).unwrap();
        let members: Vec<_> = (0..members).map(|n| format!("m{n:03}")).collect();
        let names: Vec<_> = members.iter().map(String::as_str).collect();
        let lab = Lab::new(&names);
        let mut world = World {
            dir,
            ledger: lab.ledger,
            open: lab.ledger,
            author: members[0].clone(),
            entries: Vec::new(),
            base: lab.ledger,
            lab,
            members: members.clone(),
            spare: Vec::new(),
            objects: std::cell::OnceCell::new(),
        };
        std::fs::write(world.path("gitconfig"), "").unwrap();
        world.git_in(&["init", "--quiet", "--bare", "repo"]);
        world.say_all(&names, entries, spare);
        world.store(&names, storage);
        world.settle();
        world
    }

    fn say_all(&mut self, members: &[&str], entries: usize, spare: usize) {
        let quorum = git_quorum::charter::Threshold::of(members.len()).q;
        let cycle = 2 * quorum + 1;
        let decisions = entries.saturating_sub(2) / cycle;
        let commits = self.commits(decisions + 2 + spare);
        let objects = self.repo().objects().unwrap();
        let (lab, mut base) = (&mut self.lab, self.base);
        for n in 0..decisions {
            let change = change(lab, &objects, base, (commits[n], commits[n + 1]), n);
            let (last, seen);
            (base, last, seen) = vote(lab, members, quorum, n, change);
            precommit_above(lab, &last, &seen, base);
            assert!(lab.tally.is_decided(base), "decision {n}");
        }
        let change = change(
            lab,
            &objects,
            base,
            (commits[decisions], commits[decisions + 1]),
            decisions,
        );
        self.open = lab.say(members[decisions % members.len()], vec![change]);
        // The writer must not have approved yet. The other members supply the missing entries.
        for n in 0.. {
            if lab.made.len() >= entries {
                break;
            }
            lab.say(
                members[1 + n % (members.len() - 1)],
                vec![review(self.open, Verdict::Abstain)],
            );
        }
        let main = format!("create refs/heads/main {}\n", commits[decisions]);
        self.git_with(&["update-ref", "--stdin"], main.as_bytes());
        (self.base, self.spare) = (base, commits[decisions..].to_vec());
    }

    /// Adds a rival of the open proposal and all votes except for the last precommit that it needs.
    /// The entries are in the repository, but on no ref.
    pub fn almost_decide(&mut self) -> Undecided {
        let objects = self.repo().objects().unwrap();
        let names: Vec<_> = self.members.iter().map(String::as_str).collect();
        let (from, to) = (self.spare.remove(0), self.spare[0]);
        let change = change(
            &self.lab,
            &objects,
            self.base,
            (from, to),
            self.lab.made.len(),
        );
        let quorum = git_quorum::charter::Threshold::of(names.len()).q;
        let (proposal, voter, seen) = vote(&mut self.lab, &names, quorum, 0, change);
        self.base = proposal;
        self.write_new();
        Undecided {
            voter,
            proposal,
            to,
            seen,
        }
    }

    /// Adds the missing precommit.
    pub fn decide(
        &mut self,
        Undecided {
            voter,
            proposal,
            seen,
            ..
        }: &Undecided,
    ) {
        precommit_above(&mut self.lab, voter, seen, *proposal);
        self.write_new();
    }

    /// Adds a small entry of a member, on no ref.
    pub fn say(&mut self, member: &str) {
        self.lab
            .say(member, vec![review(self.open, Verdict::Abstain)]);
        self.write_new();
    }

    /// Adds an entry of a member above these entries, on no ref.
    pub fn say_above(
        &mut self,
        member: &str,
        parents: &[EntryId],
        said: Vec<Statement>,
    ) -> EntryId {
        let charter = self.lab.tally.charter_in_force();
        let id = self.lab.entry(member, charter, parents, said);
        self.write_new();
        id
    }

    /// Adds a lane of this many entries to a small ledger of four members.
    pub fn with_lane(entries: usize) -> World {
        let mut world = World::new(4, 100, Storage::Packed);
        let (member, open) = (world.members[3].clone(), world.open);
        for _ in world.lab.made.len()..entries {
            let tip = world.lab.tip(&member);
            world.say_above(&member, &[tip], vec![review(open, Verdict::Abstain)]);
        }
        let lane = world.lane_refspec(&member);
        let (tip, name) = lane.split_once(':').unwrap();
        world.git(&["update-ref", name, tip]);
        world.git(&["repack", "-adq"]);
        world
    }

    /// Joins branches of a member's lane, as many at a time as an entry may cite.
    pub fn join(&mut self, member: &str, mut tips: Vec<EntryId>) {
        while tips.len() > 1 {
            tips = tips
                .chunks(256)
                .map(|some| self.say_above(member, some, vec![]))
                .collect();
        }
    }

    /// Returns a rival of the open proposal, and its commit.
    pub fn rival(&mut self, member: &str) -> (EntryId, Oid) {
        let objects = self.repo().objects().unwrap();
        let number = self.lab.made.len();
        let to = self.spare.pop().unwrap();
        let change = change(&self.lab, &objects, self.base, (self.spare[0], to), number);
        let parents = self.lab.above_all(member);
        (self.say_above(member, &parents, vec![change]), to)
    }

    /// Returns the commit of the open proposal.
    pub fn open_commit(&self) -> Oid {
        self.spare[1]
    }

    /// Returns a push that has begun.
    pub fn pushing(&self, server: &Path, refspec: &str) -> std::process::Child {
        let mut command = self.command(
            "git",
            &self.git_dir(),
            &["push", "--quiet", &server.display().to_string(), refspec],
        );
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn write_new(&mut self) {
        let objects = self.objects.get_or_init(|| self.repo().objects().unwrap());
        for made in &self.lab.made[self.entries.len()..] {
            self.entries.push(objects.write_commit(&made.raw).unwrap());
        }
    }

    /// Returns all members.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// Returns the refspec that pushes a member's lane up to its last entry.
    pub fn lane_refspec(&self, member: &str) -> String {
        let tip = self.lab.tally.dag().find(self.lab.tip(member)).unwrap();
        format!(
            "{}:{}",
            self.lab.tally.dag().entry(tip).oid,
            LedgerRefs::of(self.ledger).lane(&name(member))
        )
    }

    /// Creates a line of commits, each of which changes one of fifty files.
    fn commits(&self, count: usize) -> Vec<Oid> {
        let mut stream = String::new();
        for n in 0..count {
            let content = format!("line {n}\n");
            let message = format!("change {n}");
            stream.push_str(&format!(
                "commit refs/heads/work\nmark :{}\ncommitter a <a@example.org> {} +0000\ndata {}\n{message}\n",
                n + 1,
                1_600_000_000 + n,
                message.len()
            ));
            stream.push_str(&format!(
                "M 644 inline src/f{}.rs\ndata {}\n{content}\n",
                n % 50,
                content.len()
            ));
        }
        self.git_with(&["fast-import", "--quiet"], stream.as_bytes());
        let listed = self.git(&["rev-list", "--reverse", "refs/heads/work"]);
        text(&listed)
            .lines()
            .map(|line| line.parse().unwrap())
            .collect()
    }

    fn store(&mut self, members: &[&str], storage: Storage) {
        self.write_new();
        let lab = &self.lab;
        let refs = LedgerRefs::of(lab.ledger);
        let oid = |id: EntryId| lab.made.iter().find(|made| made.id == id).unwrap().oid;
        let mut edits = format!("create {} {}\n", refs.genesis(), lab.made[0].oid);
        for member in members.iter().filter(|m| lab.tip(m) != lab.ledger) {
            edits.push_str(&format!(
                "create {} {}\n",
                refs.lane(&name(member)),
                oid(lab.tip(member))
            ));
        }
        self.git_with(&["update-ref", "--stdin"], edits.as_bytes());
        if storage == Storage::Packed {
            self.git(&["repack", "-adq"]);
        }
    }

    /// Writes the writer's key, configuration and sign state, and the files that stock Git needs to
    /// sign and check.
    fn settle(&self) {
        let lab = &self.lab;
        let pair =
            ssh_key::private::Ed25519Keypair::from_seed(signing_key(&self.author).as_bytes());
        let key = ssh_key::PrivateKey::from(pair);
        key.write_openssh_file(&self.key(), ssh_key::LineEnding::LF)
            .unwrap();
        key.public_key()
            .write_openssh_file(&self.path("key.pub"))
            .unwrap();
        let (ledger, key) = (self.ledger.to_string(), self.key().display().to_string());
        let signers = self.path("signers").display().to_string();
        let settings = [
            ("quorum.ledger", ledger.as_str()),
            ("quorum.member", &self.author),
            ("quorum.key", &key),
            ("user.name", "t"),
            ("user.email", "t@example.org"),
            ("gpg.format", "ssh"),
            ("user.signingkey", &key),
            ("gpg.ssh.allowedSignersFile", &signers),
        ];
        for (name, value) in settings {
            self.git(&["config", name, value]);
        }
        let mut state = self.state();
        let dag = lab.tally.dag();
        let own = |made: &&Made| {
            let entry = dag.entry(dag.find(made.id).unwrap());
            entry.seq > 0 && entry.member.as_str() == self.author
        };
        for Made { id, oid, raw } in lab.made.iter().filter(own).cloned() {
            let seq = dag.entry(dag.find(id).unwrap()).seq;
            state.record(&SignedRecord { seq, id, oid, raw }).unwrap();
        }
        drop(state);
        let signers = self.quorum(&["allowed-signers"]);
        std::fs::write(self.path("signers"), signers.stdout).unwrap();
        self.forget();
    }

    /// Returns the path of a file or folder beside the repository.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns the path of the writer's private key.
    pub fn key(&self) -> PathBuf {
        self.path("key")
    }

    /// Returns the git directory.
    pub fn git_dir(&self) -> PathBuf {
        self.path("repo")
    }

    /// Returns the repository.
    pub fn repo(&self) -> Repo {
        Repo::open_with(&self.git_dir(), Environment::scrubbed(self.environment())).unwrap()
    }

    /// Opens the writer's sign state.
    pub fn state(&self) -> SignState {
        let public = signing_key(&self.author).verifying_key().to_bytes();
        SignState::open(
            &self.path("state"),
            self.ledger,
            public,
            Duration::from_secs(1),
        )
        .unwrap()
    }

    /// Deletes the caches of earlier runs.
    pub fn forget(&self) {
        let _ = std::fs::remove_dir_all(self.git_dir().join("quorum"));
    }

    fn environment(&self) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = [
            ("PATH", path),
            ("HOME", self.dir.path().into()),
            ("GIT_CONFIG_GLOBAL", self.path("gitconfig").into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_QUORUM_STATE", self.path("state").into()),
        ];
        own.into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect()
    }

    /// Returns a command in the environment of the world.
    pub fn command(&self, program: &str, dir: &Path, args: &[&str]) -> Command {
        // With a full path, starting a process stays cheap, however much memory this process has.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let whole = std::env::split_paths(&path)
            .map(|dir| dir.join(program))
            .find(|path| path.is_file());
        let mut command = Command::new(whole.unwrap_or_else(|| program.into()));
        command
            .env_clear()
            .envs(self.environment())
            .current_dir(dir)
            .args(args);
        command
    }

    /// Runs git in the repository.
    pub fn git(&self, args: &[&str]) -> Output {
        finished(self.command("git", &self.git_dir(), args), b"")
    }

    /// Runs git in the repository, with this standard input.
    pub fn git_with(&self, args: &[&str], input: &[u8]) -> Output {
        finished(self.command("git", &self.git_dir(), args), input)
    }

    fn git_in(&self, args: &[&str]) {
        finished(self.command("git", self.dir.path(), args), b"");
    }

    /// Runs a program beside the repository.
    pub fn run(&self, program: &str, dir: &Path, args: &[&str]) -> Output {
        finished(self.command(program, dir, args), b"")
    }

    /// Runs the program in the repository.
    pub fn quorum(&self, args: &[&str]) -> Output {
        finished(self.command(PROGRAM, &self.git_dir(), args), b"")
    }

    /// Runs the program, and returns how many git processes it started.
    pub fn git_processes(&self, args: &[&str]) -> usize {
        let trace = self.path("trace");
        let mut command = self.command(PROGRAM, &self.git_dir(), args);
        command.env("GIT_TRACE2_EVENT", &trace);
        finished(command, b"");
        let events = std::fs::read_to_string(&trace).unwrap_or_default();
        let _ = std::fs::remove_file(&trace);
        events
            .lines()
            .filter(|line| line.contains("\"event\":\"start\""))
            .count()
    }
}

/// Returns standard output without the last line end.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

fn finished(mut command: Command, input: &[u8]) -> Output {
    use std::io::Write as _;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Returns a proposal whose digests match its objects.
fn change(
    lab: &Lab,
    objects: &git_quorum::repo::Objects,
    base: EntryId,
    (from, to): (Oid, Oid),
    n: usize,
) -> Statement {
    let name = "refs/heads/main".parse().unwrap();
    let bound = compute_binding(&lab.tally, objects, base, &name, (Some(from), Some(to))).unwrap();
    Statement::Propose(RefProposal {
        base,
        change: bound.change,
        from: Some(from),
        name,
        rewrite: bound.rewrite,
        state: bound.state,
        text: format!(
            "Why change {n} is wanted: {}.",
            Digest::of(&n.to_be_bytes())
        ),
        title: format!("Change number {n}"),
        to: Some(to),
    })
}

/// Makes one decision except for its last entry: a proposal, then an entry of each member of a
/// quorum for each phase. The members act at the same time, so nobody builds on an entry of the
/// same phase. Returns the member that makes the last entry, and the entries that it knows.
fn vote(
    lab: &mut Lab,
    members: &[&str],
    quorum: usize,
    n: usize,
    change: Statement,
) -> (EntryId, String, Vec<EntryId>) {
    let voters: Vec<_> = (0..quorum)
        .map(|v| members[(n + v) % members.len()])
        .collect();
    let proposal = lab.say(voters[0], vec![change]);
    let seen = lab.above_all(voters[0]);
    for voter in &voters {
        let parents = lab.above(voter, &seen);
        lab.entry(
            voter,
            lab.ledger,
            &parents,
            vec![approve(proposal), prevote(proposal, 0)],
        );
    }
    let seen = lab.above_all(voters[0]);
    let (last, others) = voters.split_last().unwrap();
    for voter in others {
        precommit_above(lab, voter, &seen, proposal);
    }
    (proposal, (*last).to_owned(), seen)
}

fn precommit_above(lab: &mut Lab, voter: &str, seen: &[EntryId], proposal: EntryId) {
    let parents = lab.above(voter, seen);
    let vote = lab.precommit(voter, lab.ledger, proposal, 0);
    lab.entry(voter, lab.ledger, &parents, vec![vote]);
}
