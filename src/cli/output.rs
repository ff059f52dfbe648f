//! What a command answers, and the two renderers: for people, with colours where they are wanted, and JSON.
//! Everything that leaves on a terminal goes through here and is cleaned of control and bidirectional characters.

use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Value, json};

use super::progress;
use super::style::{Role, Text};
use crate::repo::is_unprintable;

/// Exit statuses, in one place (README, "For agents").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It failed.
    Failed = 1,
    /// The command was called wrongly.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// Something else changed at the same time: try again.
    Conflict = 4,
    /// The answer is no: refused, or no quorum.
    No = 6,
    /// Verification failed, or the ledger is not pinned.
    Unverified = 7,
}

/// Every exit status and what it means, as the README, `--help` and the man pages have it.
pub const STATUSES: &[(u8, &str)] = &[
    (0, "done"),
    (Exit::Failed as u8, "it failed"),
    (Exit::Usage as u8, "called wrongly"),
    (Exit::NotFound as u8, "not found"),
    (
        Exit::Conflict as u8,
        "conflict: something else changed, try again",
    ),
    (Exit::No as u8, "the answer is no: refused, or no quorum"),
    (
        Exit::Unverified as u8,
        "verification failed, faults were found, or what is there is UNPINNED",
    ),
];

/// What a command did or found.
#[derive(Debug)]
pub struct Outcome {
    data: Value,
    text: Text,
    notes: Vec<String>,
}

impl Outcome {
    /// Data for programs and the same as text for people.
    pub fn new(data: impl Serialize, text: impl Into<Text>) -> Result<Self, Failure> {
        let data =
            serde_json::to_value(data).map_err(|e| Failure::new("INTERNAL", e.to_string()))?;
        Ok(Self {
            data,
            text: text.into(),
            notes: Vec::new(),
        })
    }

    /// Adds what people should know beside the answer; printed to standard error.
    pub fn with_notes(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

/// Why a command did not do what it was asked to: a stable code, what is wrong and why, and what to do next.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// Stable, in UPPER_SNAKE.
    pub code: &'static str,
    /// What is wrong, and why.
    pub message: String,
    /// The next command, or what to do.
    pub hint: String,
    /// What was found, where that is more than a message.
    pub data: Option<Value>,
}

impl Failure {
    /// A failure with exit status 1 and the hint that is usual for its code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            code,
            message: message.into(),
            hint: usual_hint(code).to_owned(),
            data: None,
        }
    }

    /// The answer is no, and people have been told why: a program sees the exit status.
    pub fn told() -> Self {
        Self {
            exit: Exit::No,
            hint: String::new(),
            ..Self::new("REFUSED", "")
        }
    }

    /// The same with another exit status.
    pub fn exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// The same with a hint.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    /// The same with what was found.
    pub fn data(self, data: impl Serialize) -> Self {
        Self {
            data: serde_json::to_value(data).ok(),
            ..self
        }
    }
}

/// What to do next where the place that fails knows nothing better.
fn usual_hint(code: &str) -> &'static str {
    match code {
        "BAD_CHARTER" => {
            "`git quorum charter show --toml` shows the form; `git quorum init --help` tells the rules"
        }
        "BAD_INPUT" => "`git quorum propose --help` and `git quorum review --help` tell the limits",
        "BAD_NAME" => {
            "a name is such as alice or ci-bot-2; `git quorum charter show` lists the members"
        }
        "BAD_PATH" => "use a path in UTF-8",
        "BAD_REF" => {
            "name a branch, as main, or a full ref, as refs/heads/main or refs/heads/release/*"
        }
        "GIT" => {
            "see what git says, and run the command again; `git fsck` tells whether the repository is whole"
        }
        "INTERNAL" => {
            "this is a fault of git-quorum: please report it with the command that was run"
        }
        "IO" => {
            "see whether the file can be read and its folder be written, then run the command again"
        }
        "KEY" => {
            "--key FILE names another key, --agent signs with an ssh-agent; `git quorum keygen NAME` makes a key"
        }
        "NOTHING_TO_LAND" => "`git quorum charter show` shows it",
        "NOTHING_TO_PROPOSE" => {
            "commit a change first, or name another commit; `git quorum status` shows what is decided"
        }
        "NO_FOLDER" => "see whether the path after -C is right",
        "NOT_FOUND" => "see whether the name is spelled right, or `git fetch` first",
        "NOT_PROTECTED" => "`git quorum charter show` lists what is protected",
        "OTHER_LEDGER" => {
            "ask its founder which id is right; `git quorum status` shows the one here"
        }
        "REF_MOVED" => "run the command again",
        "REF_REFUSED" => {
            "a hook in this clone refused it: do what it asks for, then run the command again"
        }
        "SIGN_STATE" => "nothing was signed; GIT_QUORUM_STATE names the folder of the sign state",
        "STALE" => {
            "`git quorum verify` lists the decisions on the chain; propose again if it is still wanted"
        }
        "TRANSPORT" => {
            "do what git or the hook asks for; what was signed is kept here, and `git quorum sync` pushes it"
        }
        "UNKNOWN_HOOK" => "this command is for hooks only",
        "WOULD_NOT_COUNT" => "`git quorum show ID` tells who proposed it and how far it is",
        "WRONG_KEY" => "give the right one with --key FILE",
        _ => "`git quorum help` lists the commands, `git quorum status` tells what is known here",
    }
}

/// What a command answers.
pub type Answer = Result<Outcome, Failure>;

/// Prints an answer and gives the exit status.
pub fn render(command: &str, answer: Answer, as_json: bool) -> ExitCode {
    let code = match &answer {
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.exit as u8),
    };
    progress::clear();
    let written = match (answer, as_json) {
        (Ok(outcome), true) => {
            let envelope = json!({"ok": true, "command": command, "data": outcome.data, "notes": outcome.notes});
            print_json(&outcome.notes, &envelope)
        }
        (Err(failure), true) => print_json(&[], &failure_envelope(&failure)),
        (Ok(outcome), false) => print_text(&outcome),
        (Err(failure), false) => print_failure(&failure),
    };
    // A reader that went away (`| head`) is no failure of the command.
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            ExitCode::from(Exit::Failed as u8)
        }
        _ => code,
    }
}

/// Prints a line of a command that tells of what it does while it does it. Not for `--json`.
pub fn tell(text: impl Into<Text>) -> std::io::Result<()> {
    match writeln!(anstream::stdout().lock(), "{}", text.into().coloured()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn failure_envelope(failure: &Failure) -> Value {
    let mut envelope = json!({"ok": false, "code": failure.code, "message": failure.message, "hint": failure.hint});
    if let (Some(data), Value::Object(envelope)) = (&failure.data, &mut envelope) {
        envelope.insert("data".to_owned(), data.clone());
    }
    envelope
}

fn print_json(notes: &[String], envelope: &Value) -> std::io::Result<()> {
    print_notes(notes)?;
    writeln!(
        std::io::stdout().lock(),
        "{}",
        clean_json(&envelope.to_string())
    )
}

fn print_text(outcome: &Outcome) -> std::io::Result<()> {
    print_notes(&outcome.notes)?;
    let text = outcome.text.clone().trimmed();
    if text.is_empty() {
        Ok(())
    } else {
        writeln!(anstream::stdout().lock(), "{}", text.coloured())
    }
}

fn print_notes(notes: &[String]) -> std::io::Result<()> {
    let mut stderr = anstream::stderr().lock();
    let mut print = |note: &String| {
        writeln!(
            stderr,
            "{}",
            Text::of(Role::Hint, "note:")
                .with(Role::Plain, format!(" {note}"))
                .coloured()
        )
    };
    notes.iter().try_for_each(&mut print)
}

fn print_failure(failure: &Failure) -> std::io::Result<()> {
    if failure.message.is_empty() {
        return Ok(());
    }
    let mut stderr = anstream::stderr().lock();
    let error = Text::of(Role::Error, "error:").with(
        Role::Plain,
        format!(" {} [{}]", failure.message, failure.code),
    );
    writeln!(stderr, "{}", error.coloured())?;
    // As Git does, each line for itself: hooks speak among Git's own words.
    failure.hint.lines().try_for_each(|line| {
        let hint = Text::of(Role::Hint, "hint:").with(Role::Plain, format!(" {line}"));
        writeln!(stderr, "{}", hint.coloured())
    })
}

/// Text that is safe on a terminal: line feeds and tabs stay, other control characters and those
/// that reorder or hide text are shown as escapes.
pub fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => safe.push(c),
            c if is_unprintable(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
}

/// JSON text that is safe on a terminal and says the same: such characters stand in strings only, where
/// they can be escaped.
fn clean_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match is_unprintable(c) {
            true => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| safe.push_str(&format!("\\u{unit:04x}"))),
            false => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_or_turns_text_around_is_printed() {
        let hostile = "a\u{1b}[31mb\r\u{9b}2J\u{202e}c\u{2066}d\u{7f}\u{0}e\u{200b}";
        let safe = clean(hostile);
        assert!(safe.chars().all(|c| c.is_ascii_graphic()), "{safe:?}");
        assert_eq!(clean("plain\n\tשלום é"), "plain\n\tשלום é");

        let json = serde_json::to_string(&format!("{hostile}\u{2028}\u{e0041}é\"\\")).unwrap();
        let safe = clean_json(&json);
        assert!(
            safe.chars().all(|c| c.is_ascii_graphic() || c == 'é'),
            "{safe:?}"
        );
        assert_eq!(
            serde_json::from_str::<String>(&safe).unwrap(),
            format!("{hostile}\u{2028}\u{e0041}é\"\\")
        );
    }
}
