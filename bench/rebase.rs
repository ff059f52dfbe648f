//! Measures what the hooks of a clone cost on an ordinary branch: a rebase of a hundred commits,
//! compared with the same rebase with an empty compiled hook. See README.md.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod timing;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use timing::{Form, Task, compare, describe_machine, ratio};

const HOOK: &str = "reference-transaction";
const SCRIPT: &str = include_str!("../hooks/reference-transaction");
/// The two branches. The commits move from one to the other.
const BASES: [&str; 2] = ["refs/tags/one", "refs/tags/other"];

/// A compiler, the name of a file for it, and the content of that file.
type Language = (&'static str, &'static str, &'static str);
const C: Language = ("cc", "empty.c", "int main(void) { return 0; }\n");
const RUST: Language = ("rustc", "empty.rs", "fn main() {}\n");

fn main() {
    // `cargo bench -- NAME` asks all benchmarks for one part.
    if std::env::args()
        .skip(1)
        .any(|arg| arg != "--bench" && arg != "rebase")
    {
        return;
    }
    let form = Form::of_process();
    describe_machine(form);
    let commits = form.pick(5, 100);
    println!("\ngit rebase of {commits} commits on a branch that is not protected");
    let bench = Bench::new(commits);
    let tasks = vec![
        bench.rebase("an empty hook compiled from C", |hook| {
            bench.compile(hook, C)
        }),
        bench.rebase("an empty hook compiled from Rust", |hook| {
            bench.compile(hook, RUST)
        }),
        bench.rebase("an empty shell script", |hook| {
            script(hook, "#!/bin/sh\nexit 0\n")
        }),
        bench.rebase("the hook of git-quorum", |hook| script(hook, &filled())),
        bench.rebase("no hook", |_| {}),
    ];
    let medians = compare(form.pick(1, 21), tasks);
    ratio(
        "the hook of git-quorum over an empty one from C",
        medians[3],
        medians[0],
    );
    ratio(
        "the hook of git-quorum over an empty one from Rust",
        medians[3],
        medians[1],
    );
    ratio(
        "an empty shell script over an empty hook from C",
        medians[2],
        medians[0],
    );
    ratio("no hook over an empty one from C", medians[4], medians[0]);
}

/// Returns the script that `install` writes.
fn filled() -> String {
    SCRIPT
        .replace(
            "@GIT_QUORUM@",
            &format!("'{}'", env!("CARGO_BIN_EXE_git-quorum")),
        )
        .replace("@CHAINED@", "''")
}

fn script(hook: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(hook, text).unwrap();
    std::fs::set_permissions(hook, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder of repositories that differ only in their hook.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    /// Creates the repository that the others are copies of.
    fn new(commits: usize) -> Bench {
        let memory = Some(PathBuf::from("/dev/shm")).filter(|dir| dir.is_dir());
        let asked = std::env::var_os("GIT_QUORUM_BENCH_DIR").map(PathBuf::from);
        let root = asked.or(memory).unwrap_or_else(std::env::temp_dir);
        let bench = Bench {
            dir: tempfile::tempdir_in(root).unwrap(),
        };
        let config = "[user]\nname = B\nemail = b@example.org\n[gc]\nauto = 0\n[init]\ndefaultBranch = main\n";
        std::fs::write(bench.dir.path().join("gitconfig"), config).unwrap();
        let repo = bench.dir.path().join("model");
        std::fs::create_dir(&repo).unwrap();
        bench.git(&repo, &["init", "-q"]);
        bench.commit(&repo, "base");
        for base in BASES {
            bench.git(&repo, &["checkout", "-q", "--detach", "main"]);
            bench.commit(&repo, &base.replace('/', "-"));
            bench.git(&repo, &["update-ref", base, "HEAD"]);
        }
        bench.git(&repo, &["checkout", "-q", "-b", "topic", BASES[0]]);
        (0..commits).for_each(|n| bench.commit(&repo, &format!("file-{n}")));
        bench
    }

    fn git(&self, dir: &Path, args: &[&str]) {
        let mut command = Command::new("git");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_"))
        {
            command.env_remove(name);
        }
        command
            .env("GIT_CONFIG_GLOBAL", self.dir.path().join("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1");
        command
            .current_dir(dir)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn commit(&self, repo: &Path, file: &str) {
        std::fs::write(repo.join(file), file).unwrap();
        self.git(repo, &["add", "."]);
        self.git(repo, &["commit", "-q", "-m", file]);
    }

    /// Measures the rebase in a copy with this hook. It goes back and forth, so that each rebase
    /// moves all commits.
    fn rebase(&self, what: &str, install: impl Fn(&Path)) -> Task<'_> {
        let repo = self.dir.path().join(what.replace(' ', "-"));
        let copied = Command::new("cp")
            .arg("-R")
            .arg(self.dir.path().join("model"))
            .arg(&repo)
            .status()
            .unwrap();
        assert!(copied.success());
        let hooks = repo.join(".git/hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        install(&hooks.join(HOOK));
        std::fs::create_dir_all(repo.join(".git/quorum")).unwrap();
        std::fs::write(repo.join(".git/quorum/protected"), "refs/heads/main\n").unwrap();
        Task::new(what, move |n| {
            let (from, to) = (BASES[n % 2], BASES[(n + 1) % 2]);
            self.git(&repo, &["rebase", "-q", "--onto", to, from]);
        })
    }

    /// Compiles a program that does nothing, with the default options of the compiler.
    fn compile(&self, hook: &Path, (compiler, file, text): Language) {
        let source = self.dir.path().join(file);
        std::fs::write(&source, text).unwrap();
        let compiled = Command::new(compiler)
            .args(["-O", "-o"])
            .arg(hook)
            .arg(&source)
            .status()
            .unwrap();
        assert!(compiled.success());
    }
}
