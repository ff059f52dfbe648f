//! A clone of a repository with a ledger that protects `main`, on a server without a gate, and a Git of one version or another.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::needs::{newer_git, skip};
use crate::world::{Run, Seat, Team};

/// A clone, the Git that runs in it, and a file in which hooks say that they ran.
pub struct Bench {
    pub team: Team,
    pub dir: PathBuf,
    path: String,
    pub has_config_hooks: bool,
}

/// Files with their modes and contents, links with their targets.
pub type Tree = BTreeMap<String, (u32, Vec<u8>)>;

impl Bench {
    /// With the `git` of the caller's `PATH`.
    pub fn new() -> Bench {
        Bench::on(&std::env::var("PATH").unwrap())
    }

    /// With one that does not take hooks from its settings.
    pub fn older() -> Option<Bench> {
        let bench = Bench::new();
        if bench.has_config_hooks {
            skip(
                "older-git",
                "the git on PATH takes hooks from its settings already",
            );
            return None;
        }
        Some(bench)
    }

    /// With one that takes hooks from its settings.
    pub fn newer() -> Option<Bench> {
        let bench = Bench::new();
        if bench.has_config_hooks {
            return Some(bench);
        }
        let folder = newer_git()?;
        let bench = Bench::on(&format!("{folder}:{}", std::env::var("PATH").unwrap()));
        assert!(bench.has_config_hooks, "{folder}");
        Some(bench)
    }

    /// One of each kind that there is here.
    pub fn all() -> Vec<Bench> {
        let newer = Bench::newer();
        let here = Bench::new();
        let other = (newer.is_none() || !here.has_config_hooks).then_some(here);
        newer.into_iter().chain(other).collect()
    }

    fn on(path: &str) -> Bench {
        let team = Team::with_seats(&["a", "b", "c", "d"], 1);
        let dir = team.seats[0].dir.clone();
        // The world's own hook counts pushes; here each test begins without any.
        std::fs::remove_file(dir.join(".git/hooks/pre-push")).unwrap();
        let mut bench = Bench {
            team,
            dir,
            path: path.to_owned(),
            has_config_hooks: false,
        };
        bench.has_config_hooks = bench
            .try_git(&[
                "-c",
                "hook.x.event=pre-push",
                "-c",
                "hook.x.command=true",
                "hook",
                "list",
                "pre-push",
            ])
            .code
            == 0;
        bench.git(&["checkout", "-q", "-b", "topic"]);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.team.world.path(name)
    }

    pub fn git_dir(&self) -> PathBuf {
        let inside = self.dir.join(".git");
        if inside.is_dir() {
            inside
        } else {
            self.dir.clone()
        }
    }

    pub fn config(&self) -> Vec<u8> {
        std::fs::read(self.git_dir().join("config")).unwrap()
    }

    /// The same in another folder.
    pub fn at(&mut self, dir: PathBuf) -> &mut Bench {
        self.dir = dir;
        self
    }

    /// Runs a program with these variables.
    pub fn run_with(
        &self,
        program: impl AsRef<std::ffi::OsStr>,
        args: &[&str],
        vars: &[(&str, &str)],
    ) -> Run {
        let mut command = self.team.world.command(program, &self.dir);
        command
            .env("PATH", &self.path)
            .env("RAN", self.path("ran"))
            .envs(vars.iter().copied());
        let output = command.args(args).stdin(Stdio::null()).output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn run(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Run {
        self.run_with(program, args, &[])
    }

    pub fn try_git(&self, args: &[&str]) -> Run {
        self.run("git", args)
    }

    pub fn git(&self, args: &[&str]) -> String {
        let run = self.try_git(args);
        assert_eq!(run.code, 0, "git {args:?}: {run:?}");
        run.out.trim_end().to_owned()
    }

    fn seat(&self) -> Seat {
        self.team.seats[0]
            .at(self.dir.clone())
            .with("PATH", &self.path)
            .with("RAN", self.path("ran").to_str().unwrap())
    }

    /// A command of the program that must succeed; its data.
    pub fn ok(&self, args: &[&str]) -> Value {
        self.seat().ok(args)
    }

    /// The same, and what was noted.
    pub fn noted(&self, args: &[&str]) -> (Value, String) {
        self.seat().noted(args)
    }

    /// A command that must fail like this.
    pub fn no(&self, exit: i32, code: &str, args: &[&str]) -> Value {
        self.seat().no(exit, code, args)
    }

    pub fn install(&self) -> Value {
        self.ok(&["install"])
    }

    pub fn uninstall(&self) -> Value {
        self.ok(&["uninstall"])
    }

    /// What a status says of hooks that are not in place.
    pub fn note(&self) -> Option<String> {
        let (_, noted) = self.noted(&["status"]);
        noted
            .lines()
            .find(|line| line.contains("no longer in place"))
            .map(str::to_owned)
    }

    /// Puts a file into the git directory or beside it.
    pub fn put(&self, path: impl AsRef<Path>, text: &str, mode: u32) {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Puts a hook there that says that it ran under this name. It reads its input: prek takes it ill of a hook if it does not.
    pub fn hook(&self, path: &str, name: &str) {
        self.put(
            path,
            &format!("#!/bin/sh\ncat > /dev/null\necho {name} >> \"$RAN\"\n"),
            0o755,
        );
    }

    /// Puts a link there.
    pub fn link(&self, target: &str, path: &str) {
        symlink(target, self.dir.join(path)).unwrap();
    }

    /// What ran since the last time, each once.
    pub fn ran(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("ran")).unwrap_or_default();
        let _ = std::fs::remove_file(self.path("ran"));
        let mut names: Vec<_> = text.lines().map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Ordinary work goes through: a commit and a push of another branch. What ran meanwhile.
    pub fn work(&self) -> Vec<String> {
        self.ran();
        self.put("work", &self.new_message(), 0o644);
        self.git(&["add", "work"]);
        self.git(&["commit", "-q", "-m", "work"]);
        self.git(&["push", "-q", "origin", "HEAD:refs/heads/work", "--force"]);
        self.ran()
    }

    /// A text that was never used before.
    pub fn new_message(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        COUNT.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// A commit that was never there before.
    fn new_commit(&self) -> String {
        self.git(&[
            "commit-tree",
            "-m",
            &self.new_message(),
            "HEAD^{tree}",
            "-p",
            "HEAD",
        ])
    }

    /// Whether an undecided commit is kept from moving `main` here.
    pub fn refuses_commit(&self) -> bool {
        let commit = self.new_commit();
        let run = self.try_git(&["update-ref", "refs/heads/main", &commit]);
        assert!(run.code == 0 || run.err.contains("quorum"), "{run:?}");
        run.code != 0
    }

    /// Whether an undecided commit is kept from being pushed to `main`.
    pub fn refuses_push(&self) -> bool {
        let commit = self.new_commit();
        let run = self.try_git(&[
            "push",
            "-q",
            "--force",
            "origin",
            &format!("{commit}:refs/heads/main"),
        ]);
        assert!(run.code == 0 || run.err.contains("quorum"), "{run:?}");
        run.code != 0
    }

    /// That our hooks run, in all of what they are for.
    pub fn assert_gated(&self) {
        assert!(self.refuses_commit(), "reference-transaction does not run");
        assert!(self.refuses_push(), "pre-push does not run");
        assert_eq!(self.note(), None);
    }

    pub fn assert_free(&self) {
        assert!(
            !self.refuses_commit() && !self.refuses_push(),
            "hooks still run"
        );
        assert_eq!(self.note(), None);
    }

    /// The git directory as far as an installation may be concerned with it.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        walk(&self.git_dir(), Path::new(""), &mut tree);
        let other = [
            "objects",
            "refs",
            "logs",
            "worktrees",
            "index",
            "packed-refs",
            "COMMIT_EDITMSG",
            "FETCH_HEAD",
            "ORIG_HEAD",
            "HEAD",
        ];
        tree.remove("quorum");
        let caches = ["quorum/verified", "quorum/timers.json", "quorum/gate.lock"];
        tree.retain(|path, _| {
            !other
                .iter()
                .chain(&caches)
                .any(|name| Path::new(path).starts_with(name))
        });
        tree
    }

    /// Makes the git directory what it was, as far as [`Bench::tree`] sees it.
    pub fn restore(&self, tree: &Tree) {
        let now = self.tree();
        for (name, _) in now
            .iter()
            .filter(|(name, what)| what.0 > 0 && !tree.contains_key(*name))
        {
            std::fs::remove_file(self.git_dir().join(name)).unwrap();
        }
        for (name, (mode, text)) in tree
            .iter()
            .filter(|(name, what)| what.0 > 0 && now.get(*name) != Some(what))
        {
            assert_ne!(*mode, 1, "{name}: a link has changed");
            self.put(
                format!(".git/{name}"),
                std::str::from_utf8(text).unwrap(),
                mode & 0o777,
            );
        }
        for (name, _) in now
            .iter()
            .rev()
            .filter(|(name, what)| what.0 == 0 && !tree.contains_key(*name))
        {
            std::fs::remove_dir(self.git_dir().join(name)).unwrap();
        }
    }
}

/// Files, links and folders below a folder.
pub fn walk(top: &Path, below: &Path, tree: &mut Tree) {
    for entry in std::fs::read_dir(top.join(below))
        .unwrap()
        .map(Result::unwrap)
    {
        let path = below.join(entry.file_name());
        let meta = entry.path().symlink_metadata().unwrap();
        let name = path.to_str().unwrap().to_owned();
        if meta.is_dir() {
            tree.insert(name, (0, Vec::new()));
            walk(top, &path, tree);
        } else if meta.is_symlink() {
            let target = std::fs::read_link(entry.path()).unwrap();
            tree.insert(name, (1, target.to_str().unwrap().as_bytes().to_vec()));
        } else {
            tree.insert(
                name,
                (
                    meta.permissions().mode(),
                    std::fs::read(entry.path()).unwrap(),
                ),
            );
        }
    }
}

/// Where two trees differ.
#[track_caller]
pub fn assert_same(before: &Tree, after: &Tree) {
    let text = |tree: &Tree, name: &String| {
        tree.get(name)
            .map(|(mode, b)| format!("{mode:o} {}", String::from_utf8_lossy(b)))
    };
    for name in before.keys().chain(after.keys()) {
        assert_eq!(text(before, name), text(after, name), "{name}");
    }
}
