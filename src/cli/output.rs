//! What a command prints: for people, with colours where they are wanted, and as JSON.
//!
//! Everything that reaches a terminal passes through here, and is cleaned of control and
//! bidirectional characters.

use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Value, json};

use super::clean::clean_json;
use super::hints::{self, Hint};
use super::progress;
use super::style::{Role, Text};
use crate::client::{Code, Error, Exit, Retry};

/// What a command did or found.
#[derive(Debug)]
pub struct Reply {
    data: Value,
    text: Text,
    notes: Vec<String>,
    next: Option<Hint>,
}

impl Reply {
    /// Data for programs, and the same as text for people.
    pub fn new(data: impl Serialize, text: impl Into<Text>) -> Result<Self, Failure> {
        let data = serde_json::to_value(data).map_err(|e| Error::internal(e.to_string()))?;
        Ok(Self {
            data,
            text: text.into(),
            notes: Vec::new(),
            next: None,
        })
    }

    /// Nothing to print.
    pub fn silent() -> Self {
        Self {
            data: Value::Null,
            text: Text::default(),
            notes: Vec::new(),
            next: None,
        }
    }

    /// The same reply with the next step.
    pub fn with_next(self, next: Option<Hint>) -> Self {
        Self { next, ..self }
    }

    /// The same reply with more notes, which are printed to standard error.
    pub fn with_notes(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

/// Why a command did not do what it was asked to do, as it is printed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    /// Stable, in UPPER_SNAKE case.
    pub code: &'static str,
    retry: Retry,
    /// What happened, and why.
    pub message: String,
    // The two are boxed to keep results small.
    hint: Box<Hint>,
    data: Option<Box<Value>>,
    /// What was found, for people. It is printed to standard output.
    text: Text,
    notes: Vec<String>,
}

impl Failure {
    /// A failure with the exit status and the next step that are usual for its code.
    pub fn of_code(code: Code, message: impl Into<String>) -> Self {
        Self {
            exit: code.exit(),
            code: code.as_str(),
            retry: code.retry(),
            message: message.into(),
            hint: Box::new(hints::usual(code)),
            data: None,
            text: Text::default(),
            notes: Vec::new(),
        }
    }

    /// A refusal by a hook, which has codes of its own.
    pub fn refusal(code: &'static str, message: impl Into<String>, hint: String) -> Self {
        let failure = Self::of_code(Code::Refused, message).hint(hint);
        Self { code, ..failure }
    }

    /// The answer is no, and people have been told why already.
    pub fn silent() -> Self {
        Self::of_code(Code::Refused, "").hint("")
    }

    /// The same failure with a hint in words.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Box::new(Hint::words(hint)),
            ..self
        }
    }

    /// The same failure with another next step. `None` keeps the usual one.
    pub fn with_next(self, next: Option<Hint>) -> Self {
        match next {
            Some(hint) => Self {
                hint: Box::new(hint),
                ..self
            },
            None => self,
        }
    }

    /// The same failure with what was found, for programs.
    pub fn data(self, data: impl Serialize) -> Self {
        Self {
            data: serde_json::to_value(data).ok().map(Box::new),
            ..self
        }
    }

    /// The same failure with what was found, for people.
    pub fn with_text(self, text: Text) -> Self {
        Self { text, ..self }
    }

    /// The same failure with more notes.
    pub fn with_notes(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

/// What a command answers.
pub type Answer = Result<Reply, Failure>;

/// Prints an answer and returns the exit status.
pub fn render(command: &str, answer: Answer, as_json: bool) -> ExitCode {
    let code = match &answer {
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.exit.number()),
    };
    progress::clear();
    let written = match (answer, as_json) {
        (Ok(reply), true) => print_json(&reply.notes, &reply_envelope(command, &reply)),
        (Err(failure), true) => print_json(&failure.notes, &failure_envelope(command, &failure)),
        (Ok(reply), false) => print_reply(&reply),
        (Err(failure), false) => print_failure(&failure),
    };
    // A reader that went away (`| head`) is no failure of the command.
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            ExitCode::from(Exit::Failed.number())
        }
        _ => code,
    }
}

/// Prints lines while a command is still running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printer {
    /// Prints each line to standard output.
    Lines,
    /// Prints nothing: standard output is for one JSON envelope.
    Silent,
}

impl Printer {
    /// Prints a line.
    pub fn line(self, text: impl Into<Text>) -> std::io::Result<()> {
        match self {
            Printer::Lines => print_line(text),
            Printer::Silent => Ok(()),
        }
    }
}

fn print_line(text: impl Into<Text>) -> std::io::Result<()> {
    match writeln!(anstream::stdout().lock(), "{}", text.into().coloured()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn reply_envelope(command: &str, reply: &Reply) -> Value {
    let mut envelope = json!({
        "ok": true, "command": command, "data": reply.data, "notes": reply.notes,
    });
    let next = reply.next.as_ref().and_then(|hint| hint.command.as_ref());
    if let (Some(next), Value::Object(fields)) = (next, &mut envelope) {
        fields.insert("next".to_owned(), json!(next));
    }
    envelope
}

fn failure_envelope(command: &str, failure: &Failure) -> Value {
    let mut envelope = json!({
        "ok": false, "command": command, "code": failure.code, "retry": failure.retry.as_str(),
        "message": failure.message, "hint": failure.hint.text, "notes": failure.notes,
    });
    if let Value::Object(fields) = &mut envelope {
        if let Some(next) = &failure.hint.command {
            fields.insert("next".to_owned(), json!(next));
        }
        if let Some(data) = &failure.data {
            fields.insert("data".to_owned(), (**data).clone());
        }
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

fn print_reply(reply: &Reply) -> std::io::Result<()> {
    print_notes(&reply.notes)?;
    let mut text = reply.text.clone().trimmed();
    if let Some(hint) = &reply.next {
        let next = hint.command.as_ref().unwrap_or(&hint.text);
        text = Text::lines([text, Text::of(Role::Hint, "next:")]);
        text.push_str(&format!(" {next}"));
    }
    if text.is_empty() {
        return Ok(());
    }
    writeln!(anstream::stdout().lock(), "{}", text.coloured())
}

fn print_notes(notes: &[String]) -> std::io::Result<()> {
    let mut stderr = anstream::stderr().lock();
    let mut print = |note: &String| {
        let text = Text::of(Role::Hint, "note:").with(Role::Plain, format!(" {note}"));
        writeln!(stderr, "{}", text.coloured())
    };
    notes.iter().try_for_each(&mut print)
}

fn print_failure(failure: &Failure) -> std::io::Result<()> {
    print_notes(&failure.notes)?;
    if !failure.text.is_empty() {
        print_line(failure.text.clone().trimmed())?;
    }
    if failure.message.is_empty() {
        return Ok(());
    }
    let mut stderr = anstream::stderr().lock();
    let mut print = |role: Role, label: &str, text: &str| {
        let line = Text::of(role, label).with(Role::Plain, format!(" {text}"));
        writeln!(stderr, "{}", line.coloured())
    };
    let message = format!("{} [{}]", failure.message, failure.code);
    print(Role::Error, "error:", &message)?;
    let Hint { text, command } = &*failure.hint;
    // As git does, each line for itself: hooks speak among git's own words.
    if command.as_ref() != Some(text) {
        for line in text.lines() {
            print(Role::Hint, "hint:", line)?;
        }
    }
    match command {
        Some(command) => print(Role::Hint, "next:", command),
        None => Ok(()),
    }
}
