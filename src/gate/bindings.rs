//! Whether proposals say what their objects say, found out once in a push. It takes as long as whoever proposes wants it to:
//! so it is done while nobody waits, and under the gate's lock only remembered. Knows nothing of how it is done.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::id::EntryId;

/// What was found of each proposal. It hangs on the objects and on what the proposal builds on, which do not change.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    found: RefCell<BTreeMap<EntryId, Result<(), String>>>,
    is_closed: Cell<bool>,
    is_short: Cell<bool>,
}

impl Bindings {
    /// What is found by looking, unless it is known. While it is closed nothing is looked at: what is not known then is
    /// taken for good until [`Bindings::suffice`] is asked.
    pub(super) fn check(
        &self,
        id: EntryId,
        look: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        if let Some(found) = self.found.borrow().get(&id) {
            return found.clone();
        }
        if self.is_closed.get() {
            self.is_short.set(true);
            return Ok(());
        }
        let found = look();
        self.found.borrow_mut().insert(id, found.clone());
        found
    }

    /// From now on nothing is looked at.
    pub(super) fn close(&self) {
        self.is_closed.set(true);
    }

    /// From now on it is, again.
    pub(super) fn open(&self) {
        self.is_closed.set(false);
        self.is_short.set(false);
    }

    /// Whether everything that was asked for while it was closed was known.
    pub(super) fn suffice(&self) -> bool {
        !self.is_short.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_looked_at_once_and_none_while_it_is_closed() {
        let (bindings, looks) = (Bindings::default(), Cell::new(0));
        let id = |n: u8| EntryId::new([n; 32]);
        let ask = |n: u8, found: Result<(), String>| {
            bindings.check(id(n), || {
                looks.set(looks.get() + 1);
                found
            })
        };
        assert_eq!(
            (ask(1, Ok(())), ask(2, Err("no".into()))),
            (Ok(()), Err("no".into()))
        );
        bindings.close();
        assert_eq!(
            (ask(1, Err("again".into())), ask(2, Ok(()))),
            (Ok(()), Err("no".into()))
        );
        assert!(bindings.suffice());
        assert_eq!((ask(3, Err("unknown".into())), looks.get()), (Ok(()), 2));
        assert!(!bindings.suffice());
        bindings.open();
        assert!(bindings.suffice());
        assert_eq!(
            (ask(3, Err("found".into())), looks.get()),
            (Err("found".into()), 3)
        );
    }
}
