//! Lists with a bound: anybody may make a thousand proposals, and an answer must stay readable.

use serde::Serialize;

/// How many items of each kind an answer lists, unless the caller asks for all.
pub const SHOWN: usize = 50;

/// The first items of a list, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bounded<T> {
    /// The first items.
    pub shown: Vec<T>,
    /// How many items were left out.
    pub more: usize,
}

impl<T> Bounded<T> {
    /// Keeps the first `limit` items.
    pub fn first(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len().saturating_sub(limit);
        items.truncate(limit);
        Self { shown: items, more }
    }

    /// Keeps the last `limit` items.
    pub fn last(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len().saturating_sub(limit);
        items.drain(..more);
        Self { shown: items, more }
    }
}
