//! Turns answers of the client into what the process prints: text and JSON from the same view.

use serde::Serialize;

use super::style::Text;
use super::{Failure, Reply, hints, notes};
use crate::client::{Answer, Error, Outcome};
use crate::repo::{RefError, RepoError};
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

/// Errors of the rooms below reach the process as the client describes them.
macro_rules! described_by_the_client {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Error::from(error).into()
            }
        }
    )*};
}

described_by_the_client!(RepoError, RefError, SignerError);

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
