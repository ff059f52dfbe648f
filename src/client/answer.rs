//! What an action answers: a view, whether the answer is yes or no, notes, and the next step.

use super::code::{Code, Exit};
use super::next::NextStep;
use super::note::Note;

/// What an action found or did.
#[derive(Debug, Clone)]
pub struct Answer<V> {
    /// The result, as plain data.
    pub view: V,
    /// Whether the answer is yes.
    pub outcome: Outcome,
    /// What is left to do. `None` if nothing is.
    pub next: Option<NextStep>,
    /// What the caller should know beside the answer.
    pub notes: Vec<Note>,
}

/// Whether an action did what was asked, or answers no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did.
    Yes,
    /// The answer is no, for this reason. The view says what was found.
    No(Code),
}

impl Outcome {
    /// The exit status of a command with this outcome.
    pub fn exit(self) -> Exit {
        match self {
            Outcome::Yes => Exit::Done,
            Outcome::No(code) => code.exit(),
        }
    }
}

impl<V> Answer<V> {
    /// A positive answer that leaves nothing to do.
    pub fn yes(view: V) -> Self {
        Self {
            view,
            outcome: Outcome::Yes,
            next: None,
            notes: Vec::new(),
        }
    }

    /// A negative answer.
    pub fn no(code: Code, view: V) -> Self {
        Self {
            outcome: Outcome::No(code),
            ..Self::yes(view)
        }
    }

    /// The same answer with a next step.
    pub fn next(self, next: impl Into<Option<NextStep>>) -> Self {
        Self {
            next: next.into(),
            ..self
        }
    }

    /// The same answer with more notes.
    pub fn notes(mut self, notes: impl IntoIterator<Item = Note>) -> Self {
        self.notes.extend(notes);
        self
    }
}
