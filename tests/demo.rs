//! The demonstration tells the truth: its story, that it leaves nothing, and that what it keeps can be explored.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The demonstration in an environment full of traps: settings, variables and keys of a user that it must not see.
fn demo(place: &Path, args: &[&str]) -> Command {
    let home = place.join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::create_dir_all(place.join("tmp")).unwrap();
    let traps = "[commit]\n\tgpgsign = true\n[core]\n\thooksPath = /nowhere\n[url \"file:///nowhere/\"]\n\tinsteadOf = /\n\
                 [quorum]\n\tmember = mallory\n";
    std::fs::write(home.join(".gitconfig"), traps).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_git-quorum"));
    command
        .arg("demo")
        .args(args)
        .current_dir(place)
        .env("HOME", &home)
        .env("TMPDIR", place.join("tmp"));
    command
        .env("GIT_DIR", "/nowhere")
        .env("GIT_QUORUM_STATE", "not absolute")
        .env("GIT_QUORUM_MEMBER", "mallory");
    command
        .env("GIT_CONFIG_GLOBAL", home.join(".gitconfig"))
        .env("SSH_AUTH_SOCK", "/nowhere");
    command
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

fn told(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&envelope["ok"], &envelope["command"]),
        (&json!(true), &json!("demo"))
    );
    envelope["data"].clone()
}

fn step<'a>(story: &'a Value, name: &str) -> &'a Value {
    let steps = story["steps"].as_array().unwrap();
    steps
        .iter()
        .find(|step| step["name"] == name)
        .unwrap_or_else(|| panic!("no step {name}"))
}

/// A step all of whose commands were refused with this code and left the server as it was.
fn refused(story: &Value, name: &str, codes: &[&str]) {
    let step = step(story, name);
    let runs = step["runs"].as_array().unwrap();
    assert_eq!(runs.len(), codes.len(), "{name}");
    for (run, code) in runs.iter().zip(codes) {
        assert!(
            run["command"].as_str().unwrap().starts_with("git push "),
            "{run}"
        );
        assert_eq!(run["exit"], 1, "{run}");
        assert!(run["output"].to_string().contains(code), "{run}");
    }
    assert_eq!(step["facts"]["server_unchanged"], true, "{name}");
}

#[test]
fn its_story_is_true_and_it_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let output = demo(place.path(), &["--json"]).output().unwrap();
    let story = told(&output);
    let facts = |name| &step(&story, name)["facts"];
    let (decided, rival) = (
        story["decided"].as_str().unwrap(),
        story["rival"].as_str().unwrap(),
    );

    assert_eq!(story["members"], json!(["alice", "bob", "carol", "dave"]));
    assert_eq!(story["faulty"], json!(["dave"]));
    assert_eq!(facts("gate")["n_f_q"], json!([4, 1, 3]));
    refused(&story, "direct-push", &["[NO_PROPOSAL]"]);

    assert_eq!(facts("rivals")["rivals"], json!([decided]));
    assert_ne!(decided, rival);
    assert_eq!(
        facts("split")["prevotes"],
        json!({decided: ["bob", "carol"], rival: ["alice"]})
    );
    assert_eq!(facts("split")["precommits"], json!({}));
    assert!(
        facts("silence")["missing"]
            .as_array()
            .unwrap()
            .contains(&json!("dave"))
    );

    refused(&story, "forgery", &["BAD_SIGNATURE"]);
    refused(&story, "replay", &["BAD_LANE", "PARENT_MISMATCH"]);
    assert_eq!(
        facts("both-ways")["prevotes"],
        json!({decided: ["bob", "carol", "dave"], rival: ["alice", "dave"]})
    );

    assert!(story["round"].as_u64().unwrap() >= 1);
    assert_eq!(facts("decision")["round"], story["round"]);
    assert_eq!(
        facts("decision")["precommits"],
        json!(["alice", "bob", "carol"])
    );
    assert_eq!(facts("decision")["rival"], "superseded");
    assert_eq!(facts("evidence")["convicted"], json!(["dave"]));
    assert_eq!(facts("evidence")["rules"], json!(["equivocation"]));
    assert_eq!(
        facts("evidence")["ledgers_in_which_daves_own_agent_signed"],
        0
    );

    assert_eq!(facts("landing")["main"].as_str().unwrap().len(), 40);
    refused(&story, "rival-refused", &["[SUPERSEDED]"]);
    assert_eq!(
        *facts("verify"),
        json!({"backed": true, "convicted": ["dave"], "pinned": true, "violations": []})
    );

    for step in story["steps"].as_array().unwrap() {
        for run in step["runs"].as_array().unwrap() {
            assert_eq!(run["exit"], run["expected_exit"], "{run}");
            assert_ne!(
                run["who"], "dave",
                "dave's own agent is silent throughout: {run}"
            );
        }
    }
    assert_eq!(story["folder"], Value::Null);
    assert_eq!(entries(&place.path().join("tmp")), 0);
    assert_eq!(entries(&place.path().join("home")), 1);
    assert_eq!(entries(place.path()), 2);
}

#[test]
fn what_it_keeps_can_be_explored_as_it_says() {
    let place = tempfile::tempdir().unwrap();
    let output = demo(place.path(), &["--keep", "--json"]).output().unwrap();
    let story = told(&output);
    let folder = Path::new(story["folder"].as_str().unwrap());
    assert!(folder.join("server.git").is_dir());
    assert_eq!(entries(&place.path().join("tmp")), 1);
    let commands = story["explore"].as_array().unwrap();
    assert!(commands.len() >= 3);
    for words in commands {
        let words: Vec<_> = words
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        // Anywhere, and with whatever settings the reader has.
        let output = Command::new(words[0])
            .args(&words[1..])
            .current_dir(place.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("dave"),
            "{words:?}: {text}"
        );
    }
}

#[test]
fn people_read_it_in_a_terminal_and_nothing_stays_when_it_is_killed() {
    let place = tempfile::tempdir().unwrap();
    let mut child = demo(place.path(), &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let first_refusal = lines.by_ref().map_while(Result::ok).inspect(|line| {
        assert!(
            line.chars().count() <= 100 && !line.contains('\u{1b}'),
            "{line:?}"
        );
    });
    assert!(
        first_refusal
            .into_iter()
            .any(|line| line.contains("[NO_PROPOSAL]"))
    );
    assert_eq!(entries(&place.path().join("tmp")), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while entries(&place.path().join("tmp")) > 0 {
        assert!(Instant::now() < end, "the folder is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_janitor_removes_nothing_but_a_demonstration() {
    let place = tempfile::tempdir().unwrap();
    for name in ["precious", "git-quorum-demo-precious"] {
        let folder = place.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("file"), "").unwrap();
        let status = demo(place.path(), &["--sweep", folder.to_str().unwrap()])
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success() && folder.join("file").exists(), "{name}");
    }
}
