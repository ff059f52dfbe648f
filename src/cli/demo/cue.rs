//! Commands of the demonstration with their expected results, as data; and steps, which record what
//! happened.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Which program a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `git`.
    Git,
    /// This program, as `git quorum`.
    Quorum,
}

/// A command and its expected result.
#[derive(Debug, Clone)]
pub struct Cue {
    /// Who runs it, in the clone of that name. Empty for the folder itself.
    pub who: &'static str,
    /// The program.
    pub tool: Tool,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its standard input.
    pub input: Vec<u8>,
    /// The expected exit status.
    pub exit: i32,
    /// Lines that it must print. `…` stands for any text between two parts. These lines are shown.
    pub lines: Vec<String>,
}

impl Cue {
    /// A Git command that must succeed.
    pub fn git(who: &'static str, args: &[&str]) -> Cue {
        Cue::of(who, Tool::Git, args)
    }

    /// A git-quorum command that must succeed.
    pub fn quorum(who: &'static str, args: &[&str]) -> Cue {
        Cue::of(who, Tool::Quorum, args)
    }

    fn of(who: &'static str, tool: Tool, args: &[&str]) -> Cue {
        let args = args.iter().map(ToString::to_string).collect();
        Cue {
            who,
            tool,
            args,
            input: Vec::new(),
            exit: 0,
            lines: Vec::new(),
        }
    }

    /// The same command with another expected exit status.
    pub fn fails(self, exit: i32) -> Cue {
        Cue { exit, ..self }
    }

    /// The same command with expected lines.
    pub fn prints(self, lines: &[&str]) -> Cue {
        Cue {
            lines: lines.iter().map(ToString::to_string).collect(),
            ..self
        }
    }

    /// The same command with this standard input.
    pub fn input(self, input: Vec<u8>) -> Cue {
        Cue { input, ..self }
    }

    /// The command line as one would type it.
    pub fn line(&self) -> String {
        let program = match self.tool {
            Tool::Git => "git",
            Tool::Quorum => "git quorum",
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@^".contains(c);
        let word = |arg: &String| match arg.chars().all(plain) && !arg.is_empty() {
            true => arg.clone(),
            false => format!("{arg:?}"),
        };
        std::iter::once(program.to_owned())
            .chain(self.args.iter().map(word))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Whether a line is one of the expected ones.
    pub fn wants(&self, line: &str) -> bool {
        self.lines.iter().any(|pattern| fits(pattern, line))
    }

    /// An expected line that is missing from the output. `None` if there is none.
    pub fn missing(&self, output: &str) -> Option<&str> {
        self.lines
            .iter()
            .map(String::as_str)
            .find(|pattern| !output.lines().any(|line| fits(pattern, line)))
    }
}

fn fits(pattern: &str, line: &str) -> bool {
    let after = |rest: Option<usize>, part: &str| {
        let from = rest?;
        line.get(from..)?
            .find(part)
            .map(|at| from + at + part.len())
    };
    pattern.split('…').fold(Some(0), after).is_some()
}

/// A command that was run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Who ran it.
    pub who: &'static str,
    /// The command, as one would type it.
    pub command: String,
    /// The expected exit status.
    pub expected_exit: i32,
    /// The actual exit status.
    pub exit: i32,
    /// The part of its output that is shown.
    pub output: Vec<String>,
}

/// A step of the story: its purpose, its commands, and its findings.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// A stable name for programs.
    pub name: &'static str,
    /// A sentence that says what it shows.
    pub title: &'static str,
    /// The commands that are shown.
    pub runs: Vec<Run>,
    /// The findings. Each was as expected.
    pub facts: BTreeMap<&'static str, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_parts_of_a_line_in_order() {
        assert!(fits("a…c", "xaybcz") && fits("", "x") && fits("abc", "abc"));
        assert!(!fits("c…a", "abc") && !fits("aa…a", "aa"));
    }

    #[test]
    fn a_command_is_shown_as_typed() {
        let cue = Cue::quorum("alice", &["propose", "-m", "Two words"]);
        assert_eq!(cue.line(), "git quorum propose -m \"Two words\"");
    }
}
