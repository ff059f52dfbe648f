//! Repositories with ledgers of a wanted size, the same ones every time: each proposal moves main by
//! one real commit, and is proposed, approved, prevoted, precommitted and so decided before the next.
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

/// The program that is measured.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_git-quorum");

/// How the objects of a ledger lie in the repository.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In one pack, as after `git gc`.
    Packed,
    /// Each in a file of its own, as they were written.
    Loose,
}

/// A bare repository with a ledger, a key and a sign state for the member that writes.
pub struct World {
    dir: tempfile::TempDir,
    /// The ledger.
    pub ledger: EntryId,
    /// The proposal that is still open.
    pub open: EntryId,
    /// Who writes.
    pub author: String,
    /// The commits of all entries.
    pub entries: Vec<Oid>,
    /// The ledger in memory, which can go on.
    pub lab: Lab,
    members: Vec<String>,
    /// Commits on top of main that no proposal is about yet, and the one that main is at.
    spare: Vec<Oid>,
    /// The last decision.
    base: EntryId,
    /// What entries are written to.
    objects: std::cell::OnceCell<git_quorum::repo::Objects>,
}

/// A decision that lacks one precommit.
pub struct Undecided {
    /// Who is to say it.
    pub voter: String,
    /// What is proposed.
    pub proposal: EntryId,
    /// The commit that main goes to.
    pub to: Oid,
    /// What the voter has seen.
    seen: Vec<EntryId>,
}

/// Where worlds are made: in memory where there is such a folder, or where one says.
fn root() -> PathBuf {
    let asked = std::env::var_os("GIT_QUORUM_BENCH_DIR").map(PathBuf::from);
    let memory = Some(PathBuf::from("/dev/shm")).filter(|dir| dir.is_dir());
    asked.or(memory).unwrap_or_else(std::env::temp_dir)
}

impl World {
    /// A ledger of exactly `entries` entries by this many members, all of which vote.
    pub fn new(members: usize, entries: usize, storage: Storage) -> World {
        World::with_spare(members, entries, storage, 0)
    }

    /// The same with commits for so many more decisions.
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
        // The writer must not have approved yet: the others fill up what is missing.
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

    /// Goes on with a rival of the open proposal, up to the last precommit that it needs; the entries are in the
    /// repository, on no ref.
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

    /// The last precommit.
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

    /// One more entry of a member, that says little; on no ref.
    pub fn say(&mut self, member: &str) {
        self.lab
            .say(member, vec![review(self.open, Verdict::Abstain)]);
        self.write_new();
    }

    /// An entry of a member above these; on no ref.
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

    /// One lane of so many entries, above a small ledger of four.
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

    /// A rival of the open proposal; with the commit that it is about.
    pub fn rival(&mut self, member: &str) -> (EntryId, Oid) {
        let objects = self.repo().objects().unwrap();
        let number = self.lab.made.len();
        let to = self.spare.pop().unwrap();
        let change = change(&self.lab, &objects, self.base, (self.spare[0], to), number);
        let parents = self.lab.above_all(member);
        (self.say_above(member, &parents, vec![change]), to)
    }

    /// The commit that the open proposal is about.
    pub fn open_commit(&self) -> Oid {
        self.spare[1]
    }

    /// A push that has begun.
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

    /// All members.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// What a push must say for a member's lane to reach its last entry.
    pub fn lane_refspec(&self, member: &str) -> String {
        let tip = self.lab.tally.dag().find(self.lab.tip(member)).unwrap();
        format!(
            "{}:{}",
            self.lab.tally.dag().entry(tip).oid,
            LedgerRefs::of(self.ledger).lane(&name(member))
        )
    }

    /// A line of commits, each of which changes one of fifty files.
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

    /// The writer's key, configuration and sign state, and what stock Git needs to sign and check.
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

    /// A file or folder beside the repository.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The writer's private key file.
    pub fn key(&self) -> PathBuf {
        self.path("key")
    }

    /// The git directory.
    pub fn git_dir(&self) -> PathBuf {
        self.path("repo")
    }

    /// The repository.
    pub fn repo(&self) -> Repo {
        Repo::open_with(&self.git_dir(), Environment::scrubbed(self.environment())).unwrap()
    }

    /// The writer's sign state.
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

    /// Throws away what earlier runs remembered.
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

    /// A command in the world's environment.
    pub fn command(&self, program: &str, dir: &Path, args: &[&str]) -> Command {
        // With whole paths a process is started the fast way, however much memory this one holds.
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

    /// The same with something on standard input.
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

    /// Runs the program, and says how many git processes it started.
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

/// What an output says on standard output, without the line's end.
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

/// A proposal that binds what its objects say.
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

/// One decision but for its last entry: a proposal, then an entry of each of a quorum for each phase. They act at the
/// same time, so nobody builds on another's entry of the same phase. The last one is still to be said, by who is
/// named, above what is named.
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
