//! The README and the tutorial are promises: their sessions run as written, and answer as shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// The line of the tutorial up to which the README's session needs it.
const README_STARTS_HERE: &str = "<!-- The README's session starts here.";

/// Commands, and the lines of the answer that the page shows.
struct Step {
    script: String,
    answer: Vec<String>,
}

/// What a script printed, on both channels in order, and whether it succeeded.
struct Outcome {
    output: String,
    succeeded: bool,
}

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Creates an empty folder, in memory if the system has a place for it.
fn empty_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.unwrap()
}

/// Runs a script as a reader would: in the folder, with the program on the `PATH`.
fn run(folder: &Path, script: &str) -> Outcome {
    let config = folder.join("gitconfig");
    fs::write(&config, "[user]\nname = Test\nemail = test@example.org\n").unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_git-quorum"));
    let programs = binary.parent().unwrap().display();
    let output = Command::new("sh")
        .args(["-euc", &format!("exec 2>&1\n{script}")])
        .current_dir(folder)
        .env_clear()
        .env(
            "PATH",
            format!("{programs}:{}", std::env::var("PATH").unwrap()),
        )
        .env("HOME", folder)
        .env("GIT_CONFIG_GLOBAL", &config)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    Outcome {
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        succeeded: output.status.success(),
    }
}

/// Reads the steps of a page: each `sh` block, and the lines of the `text` blocks that follow it.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = page.lines();
    while let Some(fence) = lines.next() {
        if !fence.starts_with("```") {
            continue;
        }
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        match fence {
            "```sh" => steps.push(Step {
                script: block.join("\n"),
                answer: Vec::new(),
            }),
            "```text" => {
                let step = steps.last_mut().expect("an answer follows its commands");
                step.answer.extend(block.into_iter().map(str::to_owned));
            }
            _ => panic!("{fence}: the page has sh and text blocks only"),
        }
    }
    steps
}

/// Runs all steps in one shell, as a reader copies them, and compares each answer.
fn run_steps(folder: &Path, steps: &[Step]) {
    let separator = "=== the next block";
    let script: String = steps
        .iter()
        .map(|step| format!("echo '{separator}'\n{}\n", step.script))
        .collect();
    let outcome = run(folder, &script);
    assert!(outcome.succeeded, "{}", outcome.output);
    let outputs = outcome.output.split(separator).skip(1);
    for (step, output) in steps.iter().zip(outputs) {
        compare(&step.answer, output, &step.script);
    }
}

/// Checks that the output has the shown lines, in this order. A line `…` stands for any lines.
fn compare(answer: &[String], output: &str, script: &str) {
    let mut printed = output.lines();
    for shown in answer.iter().filter(|line| *line != "…") {
        let found = printed.any(|line| is_shown_by(line, shown));
        assert!(
            found,
            "{shown:?} is missing after\n{script}\nwhich prints\n{output}"
        );
    }
}

/// Returns whether a line of the page shows this printed line. Ids differ in each run, and `…`
/// stands for parts that the page leaves out.
fn is_shown_by(printed: &str, shown: &str) -> bool {
    let (printed, shown) = (without_ids(printed), without_ids(shown));
    let mut parts = shown.split('…');
    let mut rest = match printed.strip_prefix(parts.next().unwrap_or_default()) {
        Some(rest) => rest,
        None => return false,
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Replaces every id, long or short, by the same sign.
fn without_ids(line: &str) -> String {
    let mut words = String::new();
    let mut digits = String::new();
    for letter in line.trim_end().chars().chain(['\n']) {
        if matches!(letter, '0'..='9' | 'a'..='f') {
            digits.push(letter);
            continue;
        }
        words.push_str(if digits.len() < 7 { &digits } else { "#" });
        digits.clear();
        words.push(letter);
    }
    words.trim_end().to_owned()
}

#[test]
fn the_tutorial_runs_as_written_and_answers_as_shown() {
    let folder = empty_folder();
    run_steps(folder.path(), &steps(&page("docs/tutorial.md")));
}

/// Reads the README's session. A line `NAME$ COMMAND` is run in that member's clone, and the lines
/// below it are the answer.
fn readme_session(readme: &str) -> Vec<Step> {
    let (_, after) = readme
        .split_once("<!-- session")
        .expect("the README marks its session");
    let (_, block) = after
        .split_once("```console\n")
        .expect("a console block follows");
    let (block, _) = block.split_once("```").expect("the block ends");
    let mut session: Vec<Step> = Vec::new();
    for line in block.lines() {
        if let Some((member, command)) = line.split_once("$ ") {
            session.push(Step {
                script: format!("cd {member} && {command}"),
                answer: Vec::new(),
            });
        } else {
            let step = session.last_mut().expect("a command comes first");
            step.answer.push(line.to_owned());
        }
    }
    session
}

/// Returns the id with which a line begins, if it does.
fn leading_id(line: &str) -> Option<&str> {
    let word = line.split_whitespace().next()?;
    (without_ids(word) == "#").then_some(word)
}

#[test]
fn the_readmes_session_runs_as_written_and_answers_as_shown() {
    let folder = empty_folder();
    let tutorial = page("docs/tutorial.md");
    let (before, _) = tutorial
        .split_once(README_STARTS_HERE)
        .expect("the tutorial marks where the README's session starts");
    run_steps(folder.path(), &steps(before));

    // The ids on the page, and those of this run.
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for step in readme_session(&page("README.md")) {
        let mut script = step.script;
        for (shown, actual) in &ids {
            script = script.replace(shown, actual);
        }
        let outcome = run(folder.path(), &script);
        let is_refused = step.answer.iter().any(|line| line.contains("refused"));
        assert_eq!(
            outcome.succeeded, !is_refused,
            "{script}\n{}",
            outcome.output
        );
        compare(&step.answer, &outcome.output, &script);
        let shown = step.answer.iter().find_map(|line| leading_id(line));
        let actual = outcome.output.lines().find_map(leading_id);
        if let (Some(shown), Some(actual)) = (shown, actual) {
            ids.insert(shown.to_owned(), actual.to_owned());
        }
    }
}
