//! Stock Git and OpenSSH as the judges of the vectors: they accept every valid one, and of the
//! invalid ones just those that are said to be accepted; they accept the entries of the ledgers;
//! and the README's commands work.
//!
//! Of the ledgers so many are looked at: `LEDGER_STOCK=1000 cargo test --test vectors_stock` looks at all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What the vectors' `stock_git` was noted with. Others may be stricter, never laxer.
const NOTED_WITH: [&str; 2] = ["git version 2.39.", "OpenSSH_9.2"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-spec/vectors")
}

/// A folder of its own with an empty configuration and a bare repository.
struct Stock {
    home: tempfile::TempDir,
}

impl Stock {
    fn new() -> Stock {
        let stock = Stock {
            home: tempfile::tempdir().unwrap(),
        };
        fs::write(stock.home.path().join("empty"), "").unwrap();
        assert!(
            stock
                .command("git")
                .args(["init", "-q", "--bare", "."])
                .status()
                .unwrap()
                .success()
        );
        stock
    }

    fn command(&self, program: &str) -> Command {
        let home = self.home.path();
        let mut command = Command::new(program);
        for (name, _) in
            std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("GIT_"))
        {
            command.env_remove(name);
        }
        command
            .current_dir(home)
            .env("HOME", home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("TZ", "UTC")
            .env("LC_ALL", "C");
        command
            .env("GIT_CONFIG_GLOBAL", home.join("empty"))
            .env("TMPDIR", home);
        command
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.command("git");
        let allowed = format!(
            "gpg.ssh.allowedSignersFile={}",
            root().join("allowed-signers").display()
        );
        command.args(["-c", &allowed]).args(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses early may close its input.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Writes an object, unless Git refuses to.
    fn write(&self, args: &[&str], raw: &[u8]) -> Option<String> {
        let written = self.run(&[&["hash-object", "-w", "--stdin"], args].concat(), raw);
        let oid = String::from_utf8(written.stdout).unwrap().trim().to_owned();
        written.status.success().then_some(oid)
    }

    fn verifies(&self, oids: &[&str]) -> bool {
        self.run(&[&["verify-commit"], oids].concat(), b"")
            .status
            .success()
    }

    /// Whether these are the versions that `stock_git` was noted with.
    fn is_the_noted_one(&self) -> bool {
        let git = self
            .command("git")
            .arg("--version")
            .output()
            .unwrap()
            .stdout;
        let ssh = self.command("ssh").arg("-V").output().unwrap().stderr;
        let is = |text: &[u8], noted: &str| String::from_utf8_lossy(text).starts_with(noted);
        is(&git, NOTED_WITH[0]) && is(&ssh, NOTED_WITH[1])
    }
}

/// The vectors of a folder.
fn vectors_of(folder: &str) -> Vec<(String, Vec<u8>, Value)> {
    let paths = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|found| found.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "entry"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let beside =
            serde_json::from_slice(&fs::read(path.with_extension("json")).unwrap()).unwrap();
        (name, fs::read(path).unwrap(), beside)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn stock_git_accepts_every_valid_vector() {
    let stock = Stock::new();
    let mut oids = vec![];
    for (name, raw, beside) in vectors_of("valid") {
        let oid = stock.write(&["-t", "commit"], &raw).unwrap();
        assert_eq!(oid, beside["oid"].as_str().unwrap(), "{name}");
        oids.push(oid);
    }
    stock.write(&["-t", "tree"], b"").unwrap();
    let oids: Vec<_> = oids.iter().map(String::as_str).collect();
    assert!(stock.verifies(&oids));
    let fsck = stock.run(
        &[&["fsck", "--strict", "--no-dangling"], &oids[..]].concat(),
        b"",
    );
    let said =
        String::from_utf8_lossy(&fsck.stderr).into_owned() + &String::from_utf8_lossy(&fsck.stdout);
    assert!(
        fsck.status.success() && !said.contains("error") && !said.contains("warning"),
        "{said}"
    );
}

/// The entries of some ledgers, spread over the list; as many ledgers as `LEDGER_STOCK` says.
fn entries_of_ledgers() -> Vec<String> {
    let count = std::env::var("LEDGER_STOCK")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(12);
    let paths = fs::read_dir(root().join("ledgers"))
        .unwrap()
        .map(|found| found.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    let entries = |path: &PathBuf| -> Vec<String> {
        let ledger: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        ledger["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e.as_str().unwrap().to_owned())
            .collect()
    };
    let step = paths.len().div_ceil(count).max(1);
    let unique: BTreeSet<_> = paths.iter().step_by(step).flat_map(entries).collect();
    unique.into_iter().collect()
}

#[test]
fn stock_git_accepts_the_entries_of_the_ledgers() {
    let stock = Stock::new();
    stock.write(&["-t", "tree"], b"").unwrap();
    let entries = entries_of_ledgers();
    let oids: Vec<_> = entries
        .iter()
        .map(|raw| stock.write(&["-t", "commit"], raw.as_bytes()).unwrap())
        .collect();
    assert!(oids.len() > 50, "{} entries", oids.len());
    for oids in oids.chunks(200) {
        assert!(
            stock.verifies(&oids.iter().map(String::as_str).collect::<Vec<_>>()),
            "one of {oids:?}"
        );
    }
    // Where one entry alone is not as it was signed, all of them are not verified.
    let altered = entries.last().unwrap().replace("\"v\":1}", "\"v\":2}");
    let altered = stock.write(&["-t", "commit"], altered.as_bytes()).unwrap();
    assert!(!stock.verifies(&[oids[0].as_str(), altered.as_str()]));
}

#[test]
fn stock_git_says_of_invalid_vectors_what_stands_beside_them() {
    let (noted, vectors) = (Stock::new().is_the_noted_one(), vectors_of("invalid"));
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let half = vectors.len().div_ceil(4);
        let threads: Vec<_> = vectors
            .chunks(half)
            .map(|part| scope.spawn(|| disagreements(part, noted)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The vectors of which stock Git says something else than what stands beside them.
fn disagreements(vectors: &[(String, Vec<u8>, Value)], noted: bool) -> Vec<String> {
    let stock = Stock::new();
    let write = |raw: &[u8], beside: &Value| {
        stock.write(
            &["--literally", "-t", beside["object"].as_str().unwrap()],
            raw,
        )
    };
    let (accepted, refused): (Vec<_>, Vec<_>) = vectors
        .iter()
        .partition(|(_, _, v)| v["stock_git"] == "accepts");
    let mut wrong: Vec<String> = refused
        .into_iter()
        .filter(|(_, raw, beside)| write(raw, beside).is_some_and(|oid| stock.verifies(&[&oid])))
        .map(|(name, ..)| format!("{name} is accepted"))
        .collect();
    // Together, because one `git` for all is faster.
    let oids: Vec<_> = accepted
        .iter()
        .filter_map(|(_, raw, beside)| write(raw, beside))
        .collect();
    let together = stock.verifies(&oids.iter().map(String::as_str).collect::<Vec<_>>());
    if noted && (oids.len() < accepted.len() || !together) {
        let refused = |raw: &[u8], beside: &Value| {
            write(raw, beside).is_none_or(|oid| !stock.verifies(&[&oid]))
        };
        let names = accepted
            .iter()
            .filter(|(_, raw, beside)| refused(raw, beside))
            .map(|(name, ..)| name);
        wrong.extend(names.map(|name| format!("{name} is refused")));
    }
    wrong
}

#[test]
fn the_commands_of_the_readme_work() {
    let stock = Stock::new();
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<_> = page.split("```").skip(1).step_by(2).collect();
    let script: String = blocks
        .iter()
        .filter_map(|block| block.strip_prefix("sh\n"))
        .collect();
    let said: String = blocks
        .iter()
        .filter_map(|block| block.strip_prefix("output\n"))
        .collect();
    let script = format!(
        "set -e\ncp -r '{}' vectors\ncd vectors\n{script}",
        root().display()
    );
    let run = stock
        .command("bash")
        .args(["-c", &script])
        .output()
        .unwrap();
    let output =
        String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{output}");
    for line in said.lines() {
        assert!(output.contains(line), "{line:?} is not in {output}");
    }
}
