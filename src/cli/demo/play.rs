//! Plays the steps: runs their commands, compares the results with the expected ones, and reports
//! them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cue::{Cue, Run, Step};
use super::failed;
use super::stage::{Ran, SERVER, Stage};
use crate::cli::output::Printer;
use crate::cli::{Failure, progress};

/// Width of the printed text, in columns.
const WIDTH: usize = 100;

/// How long to wait for other members.
const DEADLINE: Duration = Duration::from_secs(60);

/// The stage, and the steps so far.
pub struct Play {
    /// The stage.
    pub stage: Stage,
    /// The steps so far.
    pub steps: Vec<Step>,
    printer: Printer,
}

impl Play {
    /// A play that prints its steps with this printer.
    pub fn new(stage: Stage, printer: Printer) -> Play {
        Play {
            stage,
            steps: Vec::new(),
            printer,
        }
    }

    /// Prints a text. Lines are wrapped, and all lines but the first are indented.
    pub fn tell(&self, first: &str, rest: &str, text: &str) -> Result<(), Failure> {
        let printed = self.printer.line(wrap(first, rest, text));
        printed.map_err(|e| failed(format!("cannot print: {e}")))
    }

    /// Begins a step.
    pub fn step(&mut self, name: &'static str, title: &'static str) -> Result<(), Failure> {
        self.steps.push(Step {
            name,
            title,
            runs: Vec::new(),
            facts: BTreeMap::new(),
        });
        if self.printer == Printer::Silent {
            progress::say(&format!("Step {}: {title}", self.steps.len()));
        }
        let number = format!("{:>2}. ", self.steps.len());
        self.tell(&number, "    ", title)
    }

    /// Runs a command and shows it.
    pub fn show(&mut self, cue: &Cue) -> Result<Ran, Failure> {
        let ran = self.run(cue)?;
        let text = ran.text();
        let shown = text
            .lines()
            .filter(|line| cue.wants(line))
            .map(|line| self.stage.tidy(unprefixed(line)));
        let (output, command): (Vec<_>, _) = (shown.collect(), self.stage.tidy(&cue.line()));
        self.tell(&format!("    {}$ ", cue.who), "        ", &command)?;
        for line in &output {
            self.tell("        ", "          ", line)?;
        }
        let run = Run {
            who: cue.who,
            command,
            expected_exit: cue.exit,
            exit: ran.exit,
            output,
        };
        if let Some(step) = self.steps.last_mut() {
            step.runs.push(run);
        }
        Ok(ran)
    }

    /// Runs a command without showing it.
    pub fn run(&self, cue: &Cue) -> Result<Ran, Failure> {
        let ran = self.stage.run(cue)?;
        let command = format!("{}$ {}", cue.who, cue.line());
        if ran.exit != cue.exit {
            let what = format!(
                "`{command}` ended with {}, and {} was expected:\n{}",
                ran.exit,
                cue.exit,
                ran.text().trim()
            );
            return Err(self.wrong(&what));
        }
        match cue.missing(&ran.text()) {
            Some(line) => Err(self.wrong(&format!(
                "`{command}` did not print {line:?}:\n{}",
                ran.text().trim()
            ))),
            None => Ok(ran),
        }
    }

    /// Runs a git-quorum command with `--json`, and returns the value at this JSON pointer in its
    /// data.
    pub fn ask(&self, who: &'static str, args: &[&str], pointer: &str) -> Result<Value, Failure> {
        let cue = Cue::quorum(who, &[args, &["--json"]].concat());
        let envelope: Value = serde_json::from_slice(&self.run(&cue)?.stdout)
            .map_err(|e| self.wrong(&format!("`{}` printed no JSON: {e}", cue.line())))?;
        let found = envelope
            .pointer("/data")
            .and_then(|data| data.pointer(pointer));
        found
            .cloned()
            .ok_or_else(|| self.wrong(&format!("`{}` says nothing at {pointer:?}", cue.line())))
    }

    /// Runs and shows a command that must not change any ref of the server.
    pub fn show_refused(&mut self, cue: &Cue) -> Result<(), Failure> {
        let before = self.server_refs()?;
        self.show(cue)?;
        let same = self.server_refs()? == before;
        self.fact("server_unchanged", same.into(), same)
    }

    /// The refs of the server and their values.
    pub fn server_refs(&self) -> Result<BTreeMap<String, String>, Failure> {
        let ran = self.run(&Cue::git(
            "server",
            &["for-each-ref", "--format=%(refname) %(objectname)"],
        ))?;
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        let pair = |line: &str| {
            line.split_once(' ')
                .map(|(name, oid)| (name.to_owned(), oid.to_owned()))
        };
        Ok(text.lines().filter_map(pair).collect())
    }

    /// Records a finding. Fails unless it is as expected.
    pub fn fact(&mut self, name: &'static str, value: Value, holds: bool) -> Result<(), Failure> {
        let wrong = (!holds).then(|| self.wrong(&format!("{name} is {value}")));
        if let Some(step) = self.steps.last_mut() {
            step.facts.insert(name, value);
        }
        wrong.map_or(Ok(()), Err)
    }

    /// Tries again until the condition holds, or too much time has passed.
    pub fn until(
        &self,
        what: &str,
        mut so: impl FnMut(&Play) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let end = Instant::now() + DEADLINE;
        while !so(self)? {
            if Instant::now() > end {
                return Err(self.wrong(&format!("not in {} s: {what}", DEADLINE.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// A failure that names the step.
    pub fn wrong(&self, what: &str) -> Failure {
        let at = self
            .steps
            .last()
            .map_or("before the first step", |step| step.name);
        failed(format!("{at}: {what}"))
    }

    /// The address of the server, as a clone in the folder uses it.
    pub fn server_path(&self) -> String {
        self.stage.folder().join(SERVER).display().to_string()
    }
}

/// The text that a remote printed, without Git's prefix and without the ref that the command names
/// anyway.
fn unprefixed(line: &str) -> &str {
    let Some(said) = line.strip_prefix("remote: ") else {
        return line;
    };
    said.split_once(": ")
        .filter(|(name, _)| name.starts_with("refs/"))
        .map_or(said, |(_, said)| said)
}

fn wrap(first: &str, rest: &str, text: &str) -> String {
    let mut lines = vec![first.to_owned()];
    let mut empty = true;
    for word in text.split(' ') {
        let Some(last) = lines.last_mut() else {
            continue;
        };
        if !empty && last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{rest}{word}"));
        } else {
            last.push_str(if empty { "" } else { " " });
            last.push_str(word);
        }
        empty = false;
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_remote_says_loses_its_prefixes() {
        assert_eq!(unprefixed("remote: refs/heads/main: no [X]"), "no [X]");
        assert_eq!(
            (unprefixed("remote: a: b"), unprefixed("a: b")),
            ("a: b", "a: b")
        );
    }

    #[test]
    fn long_texts_are_wrapped_and_indented() {
        let text = wrap("1. ", "   ", &"word ".repeat(40));
        assert!(
            text.lines().all(|line| line.len() <= WIDTH) && text.lines().count() == 3,
            "{text}"
        );
        assert!(text.starts_with("1. word word") && text.contains("\n   word"));
    }
}
