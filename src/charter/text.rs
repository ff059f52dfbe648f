//! Texts that are read again and again: the entries of a ledger name the same few members and refs. Each is
//! checked, and held in memory, once.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// How many texts are remembered at most: more than a charter can name.
const MOST: usize = 1024;

/// Texts of one kind that were found good.
#[derive(Default)]
pub(super) struct InternedNames(RefCell<HashSet<Arc<str>>>);

impl InternedNames {
    /// The text, once it is found good.
    pub(super) fn get<E>(
        &self,
        text: &str,
        check: impl FnOnce() -> Result<(), E>,
    ) -> Result<Arc<str>, E> {
        if let Some(known) = self.0.borrow().get(text) {
            return Ok(known.clone());
        }
        check()?;
        let mut known = self.0.borrow_mut();
        if known.len() >= MOST {
            known.clear();
        }
        let text: Arc<str> = text.into();
        known.insert(text.clone());
        Ok(text)
    }
}

/// Reads what has a text form, without a copy of the text.
pub(crate) fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Text<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(PhantomData))
}
