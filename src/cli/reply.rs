//! Turns answers of the client into what the process prints: text and JSON from the same view.

use serde::Serialize;

use super::style::Text;
use super::{Failure, Reply, hints, notes};
use crate::client::{Answer, Error, Outcome};
use crate::repo::RepoError;
use crate::signer::SignerError;

/// Prints an answer of the client. `text` is the view for people. `refusal` is one sentence that
/// says why the answer is no.
pub fn reply<V: Serialize>(
    answer: Answer<V>,
    text: impl FnOnce(&V) -> Text,
    refusal: impl FnOnce(&V) -> String,
) -> super::Answer {
    let next = answer.next.as_ref().map(hints::step);
    let notes = answer.notes.iter().map(notes::describe);
    let text = text(&answer.view);
    match answer.outcome {
        Outcome::Yes => Ok(Reply::new(&answer.view, text)?
            .with_notes(notes)
            .with_next(next)),
        Outcome::No(code) => {
            let failure = Failure::of_code(code, refusal(&answer.view)).data(&answer.view);
            Err(failure.with_text(text).with_notes(notes).with_next(next))
        }
    }
}

/// The refusal of an answer that is never no.
pub fn never<V>(_: &V) -> String {
    String::new()
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = hints::after(&error);
        let failure = Failure::of_code(error.code, error.message).with_next(Some(hint));
        match error.details {
            Some(details) => failure.data(details),
            None => failure,
        }
    }
}

impl From<RepoError> for Failure {
    fn from(error: RepoError) -> Self {
        Error::from(error).into()
    }
}

impl From<SignerError> for Failure {
    fn from(error: SignerError) -> Self {
        Error::from(error).into()
    }
}
