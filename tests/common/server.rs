//! A bare repository with the gate installed by the real program, and a second repository to push
//! from.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use git_quorum::charter::Charter;
use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{LedgerRefs, RefProposal, Statement};
use git_quorum::repo::{Environment, Repo};
use git_quorum::store::compute_binding;
use tempfile::TempDir;

use crate::needs;

use super::lab::{Lab, Made, approve, charter, name, prevote};

pub const MAIN: &str = "refs/heads/main";
pub const FOUR: [&str; 4] = ["a", "b", "c", "d"];

/// Returns a charter of four members that protects these refs.
pub fn protecting(patterns: &[&str]) -> Charter {
    let four = charter(&FOUR);
    let patterns = patterns.iter().map(|p| p.parse().unwrap()).collect();
    Charter::new(
        four.members().to_vec(),
        patterns,
        vec![],
        four.rules().clone(),
    )
    .unwrap()
}

/// The result of a push.
#[derive(Debug)]
pub struct Pushed {
    pub ok: bool,
    pub text: String,
}

/// A server, a repository to push from (the desk), and a ledger in memory.
pub struct Site {
    dir: TempDir,
    pub lab: Lab,
    pub refs: LedgerRefs,
    written: BTreeSet<Oid>,
    /// The folders to look for programs in. `None` for the folders of the caller.
    search: Option<String>,
}

impl Site {
    /// Creates a site of four voting members. Main is protected and has a first commit, and the
    /// server has the genesis.
    pub fn new() -> (Site, Oid) {
        Site::with(charter(&FOUR), &[])
    }

    /// Creates a site with this charter and these options of `install`.
    pub fn with(charter: Charter, options: &[&str]) -> (Site, Oid) {
        Site::bare(charter, options).founded()
    }

    fn founded(mut self) -> (Site, Oid) {
        let first = self.commit(&[], "first");
        self.accepted(&[&format!("{first}:{MAIN}")]);
        self.accepted(&[&self.genesis()]);
        (self, first)
    }

    /// Creates a site whose server is empty.
    pub fn bare(charter: Charter, options: &[&str]) -> Site {
        Site::without_gate(charter).gated(options)
    }

    fn gated(self, options: &[&str]) -> Site {
        let genesis = self.lab.ledger.to_string();
        let args = [&["install", "--server", "--genesis", &genesis], options].concat();
        let output = self.quorum(&self.server(), &args);
        assert!(output.status.success(), "{}", text(&output));
        self
    }

    /// Creates a site without the gate.
    pub fn without_gate(charter: Charter) -> Site {
        Site::made(charter, None, &[])
    }

    /// Creates a site that uses the newer Git. Its server is created with these options, and has
    /// the gate, the genesis and a first commit.
    ///
    /// `None` if there is no newer Git and the tests do not require one.
    pub fn newer(charter: Charter, init: &[&str]) -> Option<(Site, Oid)> {
        let search = format!("{}:{}", needs::newer_git()?, std::env::var("PATH").unwrap());
        let site = Site::made(charter, Some(search), init);
        Some(site.gated(&[]).founded())
    }

    fn made(charter: Charter, search: Option<String>, init: &[&str]) -> Site {
        let founder = charter.members()[0].name.to_string();
        let lab = Lab::found(&founder, charter);
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let dir = TempDir::with_prefix_in("git-quorum-gate-", parent).unwrap();
        // Git's own housekeeping would change the object database during the test.
        std::fs::write(
            dir.path().join("gitconfig"),
            "[receive]\nautogc = false\n[maintenance]\nauto = false\n",
        )
        .unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        let refs = LedgerRefs::of(lab.ledger);
        let mut site = Site {
            dir,
            lab,
            refs,
            written: BTreeSet::new(),
            search,
        };
        for (place, init) in [("server", init), ("desk", &[])] {
            let args = [
                &["init", "--quiet", "--bare", "--initial-branch=main"],
                init,
                &[place],
            ]
            .concat();
            site.git(site.dir.path(), &args, b"");
        }
        site.write_entries();
        site
    }

    pub fn path(&self, place: &str) -> PathBuf {
        self.dir.path().join(place)
    }

    pub fn server(&self) -> PathBuf {
        self.path("server")
    }

    pub fn desk(&self) -> PathBuf {
        self.path("desk")
    }

    fn command(&self, program: &str, dir: &Path) -> Command {
        // The full path is needed: the system looks for a bare name in the PATH of the caller.
        let search = self.search.as_deref().filter(|_| program == "git");
        let found = search.and_then(|s| {
            std::env::split_paths(s)
                .map(|f| f.join(program))
                .find(|path| path.is_file())
        });
        let mut command = Command::new(found.unwrap_or_else(|| program.into()));
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_"))
        {
            command.env_remove(name);
        }
        command
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("home"));
        command
            .env("GIT_CONFIG_GLOBAL", self.path("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "Test")
                .env(format!("GIT_{role}_EMAIL"), "test@example.org");
            command.env(format!("GIT_{role}_DATE"), "@1700000000 +0000");
        }
        if let Some(search) = &self.search {
            command.env("PATH", search);
        }
        command.env("LC_ALL", "C").current_dir(dir);
        command
    }

    /// Returns a git command in the environment of the site.
    pub fn git_command(&self, dir: &Path) -> Command {
        self.command("git", dir)
    }

    /// Returns a git-quorum command in the environment of the site.
    pub fn quorum_command(&self, dir: &Path) -> Command {
        self.command(env!("CARGO_BIN_EXE_git-quorum"), dir)
    }

    /// Runs git, and returns its output even if it fails.
    pub fn try_git(
        &self,
        dir: &Path,
        args: &[&str],
        input: &[u8],
        vars: &[(&str, &str)],
    ) -> Output {
        let mut command = self.command("git", dir);
        command.args(args).envs(vars.iter().copied());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join().unwrap();
        output
    }

    /// Runs git, which must succeed, and returns its output.
    pub fn git(&self, dir: &Path, args: &[&str], input: &[u8]) -> String {
        let output = self.try_git(dir, args, input, &[]);
        assert!(output.status.success(), "git {args:?}: {}", text(&output));
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// Runs git-quorum.
    pub fn quorum(&self, dir: &Path, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_git-quorum"), dir)
            .args(args)
            .output()
            .unwrap()
    }

    /// Runs a shell command, which must succeed, with git-quorum on the path.
    pub fn shell(&self, dir: &Path, line: &str) {
        let program = Path::new(env!("CARGO_BIN_EXE_git-quorum"))
            .parent()
            .unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let output = self
            .command("sh", dir)
            .args(["-c", line])
            .env("PATH", path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", text(&output));
    }

    /// Changes a setting of the server.
    pub fn set(&self, key: &str, value: &str) {
        self.git(&self.server(), &["config", key, value], b"");
    }

    /// Writes an executable hook on the server.
    pub fn hook(&self, hook: &str, script: &str) {
        let path = self.server().join("hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, script).unwrap();
        run_bit(&path, true);
    }

    /// Stores a commit with one file at the desk.
    pub fn commit(&self, parents: &[Oid], content: &str) -> Oid {
        let blob = self.git(
            &self.desk(),
            &["hash-object", "-w", "--stdin"],
            content.as_bytes(),
        );
        let tree = self.git(
            &self.desk(),
            &["mktree"],
            format!("100644 blob {blob}\tfile\n").as_bytes(),
        );
        let mut args = vec![
            "commit-tree".to_owned(),
            "-m".to_owned(),
            content.to_owned(),
            tree,
        ];
        args.extend(
            parents
                .iter()
                .flat_map(|parent| ["-p".to_owned(), parent.to_string()]),
        );
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        self.git(&self.desk(), &args, b"").parse().unwrap()
    }

    /// Stores bytes as a commit at the desk.
    pub fn store(&self, raw: &[u8]) -> Oid {
        let args = [
            "hash-object",
            "-t",
            "commit",
            "--literally",
            "-w",
            "--stdin",
        ];
        self.git(&self.desk(), &args, raw).parse().unwrap()
    }

    /// Stores the entries at the desk that are not stored yet.
    pub fn write_entries(&mut self) {
        self.git(
            &self.desk(),
            &["hash-object", "-t", "tree", "-w", "--stdin"],
            b"",
        );
        let new: Vec<_> = self
            .lab
            .made
            .iter()
            .filter(|made| !self.written.contains(&made.oid))
            .cloned()
            .collect();
        // One process stores all entries.
        let file = |made: &Made| self.path(&format!("entry-{}", made.oid));
        new.iter()
            .for_each(|made| std::fs::write(file(made), &made.raw).unwrap());
        let paths: String = new
            .iter()
            .map(|made| format!("{}\n", file(made).display()))
            .collect();
        let args = [
            "hash-object",
            "-t",
            "commit",
            "--literally",
            "--no-filters",
            "-w",
            "--stdin-paths",
        ];
        let stored = self.git(&self.desk(), &args, paths.as_bytes());
        assert!(
            stored
                .lines()
                .eq(new.iter().map(|made| made.oid.to_string())),
            "{stored}"
        );
        new.iter()
            .for_each(|made| std::fs::remove_file(file(made)).unwrap());
        self.written.extend(new.iter().map(|made| made.oid));
    }

    /// Returns the repository of the desk.
    pub fn desk_repo(&self) -> Repo {
        let mut env = Environment::scrubbed(std::env::vars_os());
        env.set("GIT_CONFIG_GLOBAL", self.path("gitconfig"));
        env.set("GIT_CONFIG_NOSYSTEM", "1");
        Repo::open_with(&self.desk(), env).unwrap()
    }

    /// Returns a proposal whose digests match the objects.
    pub fn proposal(
        &self,
        base: EntryId,
        ref_name: &str,
        from: Option<Oid>,
        to: Option<Oid>,
    ) -> Statement {
        let objects = self.desk_repo().objects().unwrap();
        let name = ref_name.parse().unwrap();
        let bound = compute_binding(&self.lab.tally, &objects, base, &name, (from, to)).unwrap();
        Statement::Propose(RefProposal {
            base,
            change: bound.change,
            from,
            name,
            rewrite: bound.rewrite,
            state: bound.state,
            text: String::new(),
            title: format!("move {ref_name}"),
            to,
        })
    }

    /// `a` proposes to move main.
    pub fn propose(&mut self, base: EntryId, from: Oid, to: Oid) -> EntryId {
        let statement = self.proposal(base, MAIN, Some(from), Some(to));
        self.lab.say("a", vec![statement])
    }

    /// The first three members decide a proposal.
    pub fn decide(&mut self, proposal: EntryId) {
        let charter = self.lab.tally.charter_in_force();
        for member in &FOUR[..3] {
            self.lab
                .say(member, vec![approve(proposal), prevote(proposal, 0)]);
        }
        for member in &FOUR[..3] {
            let vote = self.lab.precommit(member, charter, proposal, 0);
            self.lab.say(member, vec![vote]);
        }
        assert!(self.lab.tally.is_decided(proposal));
    }

    /// Returns the commit of an entry.
    pub fn oid(&self, id: EntryId) -> Oid {
        self.lab.made.iter().find(|made| made.id == id).unwrap().oid
    }

    pub fn genesis(&self) -> String {
        format!("{}:{}", self.oid(self.lab.ledger), self.refs.genesis())
    }

    /// Returns the refspec that pushes the whole lane of a member.
    pub fn lane(&self, member: &str) -> String {
        self.lane_at(member, self.lab.tip(member))
    }

    pub fn lane_at(&self, member: &str, entry: EntryId) -> String {
        format!("{}:{}", self.oid(entry), self.refs.lane(&name(member)))
    }

    /// Returns the refspec that pushes the ref of a proposal.
    pub fn proposal_ref(&self, id: EntryId) -> String {
        let proposal = self.lab.tally.proposal(id).unwrap();
        let git_quorum::consensus::Content::Ref(content) = self.lab.tally.content(proposal) else {
            unreachable!()
        };
        format!("{}:{}", content.to.unwrap(), self.refs.proposal(id))
    }

    /// Returns the refspecs of all lanes that have entries.
    pub fn lanes(&self) -> Vec<String> {
        let authors: Vec<_> = self
            .lab
            .tally
            .dag()
            .authors()
            .map(ToString::to_string)
            .collect();
        authors.iter().map(|member| self.lane(member)).collect()
    }

    /// Pushes with these options and refspecs.
    pub fn push_with(&mut self, options: &[&str], specs: &[&str], vars: &[(&str, &str)]) -> Pushed {
        self.write_entries();
        let server = self.server();
        let args = [
            &["push", "--porcelain"],
            options,
            &[server.to_str().unwrap()],
            specs,
        ]
        .concat();
        let output = self.try_git(&self.desk(), &args, b"", vars);
        Pushed {
            ok: output.status.success(),
            text: text(&output),
        }
    }

    /// Pushes, which must succeed. Uses `--force`, so that git itself refuses nothing on this side.
    pub fn accepted(&mut self, specs: &[&str]) -> Pushed {
        self.accepted_with(&["--force"], specs)
    }

    pub fn accepted_with(&mut self, options: &[&str], specs: &[&str]) -> Pushed {
        let pushed = self.push_with(options, specs, &[]);
        assert!(pushed.ok, "{specs:?}: {}", pushed.text);
        pushed
    }

    /// Pushes, which must be refused and must print these words. Every ref and the object database
    /// must stay unchanged.
    pub fn refused(&mut self, specs: &[&str], says: &[&str]) -> Pushed {
        self.refused_with(&["--force"], specs, says)
    }

    pub fn refused_with(&mut self, options: &[&str], specs: &[&str], says: &[&str]) -> Pushed {
        let objects = self.objects();
        let pushed = self.refused_late(options, specs, says);
        let left: Vec<_> = self
            .objects()
            .symmetric_difference(&objects)
            .cloned()
            .collect();
        assert!(left.is_empty(), "{left:?} left behind by {specs:?}");
        pushed
    }

    /// Does the same, but new objects may stay: an ordinary ref could have been pushed along.
    pub fn refused_late(&mut self, options: &[&str], specs: &[&str], says: &[&str]) -> Pushed {
        let before = self.server_refs();
        let pushed = self.push_with(options, specs, &[]);
        assert!(!pushed.ok, "{specs:?} went through: {}", pushed.text);
        assert_eq!(self.server_refs(), before, "{}", pushed.text);
        for words in says {
            assert!(
                pushed.text.contains(words),
                "{words:?} is not in: {}",
                pushed.text
            );
        }
        pushed
    }

    /// Sends commands of the protocol that no `git push` would send. Returns the output of
    /// receive-pack and its hooks.
    pub fn raw_push(
        &mut self,
        commands: &[(Option<Oid>, Option<Oid>, &[u8])],
        features: &str,
    ) -> String {
        self.write_entries();
        let value = |oid: &Option<Oid>| oid.map_or_else(|| "0".repeat(40), |oid| oid.to_string());
        let mut input = Vec::new();
        for (place, (old, new, name)) in commands.iter().enumerate() {
            let features = if place == 0 {
                format!("\0 report-status {features}")
            } else {
                String::new()
            };
            let line = [
                format!("{} {} ", value(old), value(new)).as_bytes(),
                name,
                features.as_bytes(),
            ]
            .concat();
            input.extend(format!("{:04x}", line.len() + 4).into_bytes());
            input.extend(line);
        }
        input.extend(b"0000");
        let wanted: Vec<String> = commands
            .iter()
            .filter_map(|(_, new, _)| new.map(|new| new.to_string()))
            .collect();
        if !wanted.is_empty() {
            let revs = format!("{}\n", wanted.join("\n"));
            let pack = self.try_git(
                &self.desk(),
                &["pack-objects", "--revs", "--stdout", "-q"],
                revs.as_bytes(),
                &[],
            );
            input.extend(pack.stdout);
        }
        let server = self.server();
        text(&self.try_git(
            &self.desk(),
            &["receive-pack", server.to_str().unwrap()],
            &input,
            &[],
        ))
    }

    /// Returns all files and folders of the object database.
    pub fn objects(&self) -> BTreeSet<PathBuf> {
        files_below(&self.server().join("objects"))
    }

    /// Returns the refs of the server.
    pub fn server_refs(&self) -> BTreeMap<String, Oid> {
        let listed = self.git(
            &self.server(),
            &["for-each-ref", "--format=%(refname) %(objectname)"],
            b"",
        );
        let pair = |line: &str| {
            line.split_once(' ')
                .map(|(name, oid)| (name.to_owned(), oid.parse().unwrap()))
        };
        listed.lines().filter_map(pair).collect()
    }

    pub fn at(&self, name: &str) -> Option<Oid> {
        self.server_refs().get(name).copied()
    }
}

/// Returns all files and folders below a folder.
pub fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            open.extend(Some(path.clone()).filter(|path| path.is_dir() && !path.is_symlink()));
            found.insert(path);
        }
    }
    found
}

/// Returns everything that a command printed.
pub fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[cfg(unix)]
pub fn run_bit(path: &Path, on: bool) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(if on { 0o755 } else { 0o644 }),
    )
    .unwrap();
}

/// Returns strings as the arguments of a command.
pub fn parts(strings: &[String]) -> Vec<&str> {
    strings.iter().map(String::as_str).collect()
}
