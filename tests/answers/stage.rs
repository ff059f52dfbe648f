//! A repository with fixed keys, times and commits, and a way to run commands and show what they
//! answer. Ids are numbered in the order in which they appear, so that a snapshot stays readable.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::world::{Run, Seat, World};

/// When everything happens.
const TIME: &str = "1700000000";

/// The time of every Git commit.
const DATE: &str = "1700000000 +0000";

/// Members of the ledger.
pub const MEMBERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Runs commands, and collects what they answer.
pub struct Stage {
    pub world: Arc<World>,
    pub server: PathBuf,
    /// Numbers of ids, by their first twelve digits.
    numbers: BTreeMap<String, usize>,
}

impl Stage {
    /// A server with one commit on main.
    pub fn new() -> Stage {
        let world = World::new();
        let server = world.server("server.git");
        let stage = Stage {
            world,
            server,
            numbers: BTreeMap::new(),
        };
        let first = stage.seat("first");
        stage.commit(&first, "main.rs", "fn main() {}\n");
        first.git(&["push", "-q", "origin", "HEAD:main"]);
        stage
    }

    /// A clone of the server on a machine of its own, with fixed times.
    pub fn seat(&self, name: &str) -> Seat {
        let seat = self.world.seat(name, self.server.to_str().unwrap());
        seat.with("GIT_QUORUM_TIME", TIME)
            .with("GIT_AUTHOR_DATE", DATE)
            .with("GIT_COMMITTER_DATE", DATE)
    }

    /// Writes a file and commits it.
    pub fn commit(&self, seat: &Seat, file: &str, text: &str) -> String {
        std::fs::write(seat.dir.join(file), text).unwrap();
        seat.git(&["add", "."]);
        let mut commit = self.world.command("git", &seat.dir);
        commit
            .env("GIT_AUTHOR_DATE", DATE)
            .env("GIT_COMMITTER_DATE", DATE);
        let done = commit.args(["commit", "-q", "-m", file]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        seat.git(&["rev-parse", "HEAD"])
    }

    /// The arguments of `init` for all members.
    pub fn init_args(&self) -> Vec<String> {
        let mut args: Vec<String> = ["init", "--as", "alice", "--protect", "main", "--key"]
            .map(str::to_owned)
            .to_vec();
        args.push(self.key("alice"));
        for member in MEMBERS {
            let key = self.key(member);
            args.extend(["--member".to_owned(), format!("{member}={key}.pub")]);
        }
        args
    }

    /// The path of a member's private key.
    pub fn key(&self, member: &str) -> String {
        self.world.key(member).to_str().unwrap().to_owned()
    }

    /// Runs a command for people and then for programs, checks the JSON against its schema, and
    /// returns both answers as a snapshot.
    pub fn show(&mut self, seat: &Seat, args: &[&str]) -> String {
        let text = seat.run(args);
        let (json, envelope) = self.answer(seat, args);
        assert_eq!(text.code, json.code, "{args:?}: {text:?} {json:?}");
        let pretty = serde_json::to_string_pretty(&envelope).unwrap();
        let shown = format!(
            "$ git quorum {}\nexit {}\n{}{}\n$ git quorum {} --json\n{pretty}\n",
            quoted(args),
            text.code,
            section("stdout", &text.out),
            section("stderr", &text.err),
            quoted(args),
        );
        self.readable(&shown)
    }

    /// Runs a command for programs, and checks what it prints against its schema.
    pub fn answer(&self, seat: &Seat, args: &[&str]) -> (Run, Value) {
        let run = seat.run(&[args, &["--json"]].concat());
        assert_eq!(run.out.lines().count(), 1, "{args:?}: {run:?}");
        let envelope: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(envelope["ok"], run.code == 0, "{args:?}: {run:?}");
        let command = envelope["command"].as_str().unwrap().to_owned();
        self.check_schema(seat, &command, args, &envelope);
        (run, envelope)
    }

    fn check_schema(&self, seat: &Seat, command: &str, args: &[&str], envelope: &Value) {
        // `charter show` and `charter propose` are two commands with data of their own.
        let named: Vec<_> = if command == "charter" {
            args.iter().copied().take(2).collect()
        } else {
            command.split(' ').filter(|word| !word.is_empty()).collect()
        };
        let schema = seat.run(&[&["schema"], &named[..]].concat());
        assert_eq!(schema.code, 0, "{named:?}: {schema:?}");
        let schema: Value = serde_json::from_str(&schema.out).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(envelope)
            .map(|e| format!("{e} at {}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{args:?}: {errors:#?}\n{envelope:#}");
    }

    /// The same text with numbered ids, and without the path of the temporary folder.
    pub fn readable(&mut self, text: &str) -> String {
        let folder = self.world.path("");
        let text = text.replace(folder.to_str().unwrap(), "/world/");
        let mut readable = String::new();
        let mut digits = String::new();
        for c in text.chars().chain(['\0']) {
            if c.is_ascii_digit() || ('a'..='f').contains(&c) {
                digits.push(c);
                continue;
            }
            readable.push_str(&self.number(&std::mem::take(&mut digits)));
            readable.push(c);
        }
        readable.truncate(readable.len() - 1);
        readable
    }

    fn number(&mut self, digits: &str) -> String {
        let kind = match digits.len() {
            128 => return "<signature>".to_owned(),
            64 => "id ",
            40 => "commit ",
            16 => "prefix ",
            12 => "",
            _ => return digits.to_owned(),
        };
        let next = self.numbers.len() + 1;
        let number = *self.numbers.entry(digits[..12].to_owned()).or_insert(next);
        format!("<{kind}{number}>")
    }
}

fn section(name: &str, text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("--- {name}\n{text}")
    }
}

/// A command line as one would type it.
fn quoted(args: &[&str]) -> String {
    let word = |arg: &&str| {
        if arg.contains(' ') {
            format!("'{arg}'")
        } else {
            (*arg).to_owned()
        }
    };
    args.iter().map(word).collect::<Vec<_>>().join(" ")
}
