//! Mutations: rules that a test switches off, to show why each rule is needed. They exist in debug
//! builds only. In a release build every rule holds, and nothing can switch one off. Knows nothing
//! of how rules are checked.
//!
//! A mutation is active on the thread that activates it, until its guard is dropped. Verdicts are
//! stored when they are computed. So activate the mutation first, and build the ledger afterwards.

/// A rule of `ledger-spec/deciding.md` that a test can switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// The least safe quorum. Without this rule, a quorum is one member smaller.
    Quorum,
    /// The quorum grows with n. Without this rule, 2f + 1 members are a quorum for every n.
    QuorumOfAll,
    /// Rule 1: a prevote needs approvals.
    Approvals,
    /// Rule 2: a precommit needs q prevotes.
    PrevoteQuorum,
    /// Rule 3: precommits count together only if they are of one round.
    PrecommitsOfOneRound,
    /// Rule 4: a member does not vote in a round below one that it has voted in.
    MonotoneRounds,
    /// Rule 4: a member votes for one proposal only in each round and phase.
    OneVoteARound,
    /// Rule 4: a precommit locks its author.
    Lock,
    /// Rule 4: only prevotes of a round above the lock's round release the lock.
    UnlockByLater,
    /// Rule 4: q prevotes release a lock. Without this rule, q - 1 are enough.
    UnlockByQuorum,
    /// Rule 4: the prevotes that release a lock are of one round. Without this rule, they may be of
    /// any rounds from the lock's round on.
    UnlockByOneRound,
    /// Rule 5a: a member enters a round only after q votes of the round before.
    Entering,
    /// Rule 6: a precommit of a charter change ends its author's other votes under that charter.
    Freeze,
    /// Rule 6: decisions and prevote quorums under earlier charters bind votes under later ones.
    HandOver,
    /// Rule 5c: members wait for the guide of a round and follow it.
    Guide,
    /// Rule 5c: members wait for the guide twice as long as the guide itself waits.
    TwoPatiences,
    /// Rule 5e: a member relays a decision that others lack.
    Telling,
    /// Rule 5e: a member relays votes that let it go on and that others may lack.
    TellingOfVotes,
    /// Section 6: the agreement statement names its round.
    RoundInStatement,
    /// Rule 2: a precommit carries its author's agreement signature. Tests that need only speed
    /// switch this rule off.
    AgreementSignature,
}

impl Mutation {
    /// Returns whether a test has switched the rule off on this thread.
    #[cfg(debug_assertions)]
    pub(crate) fn is_active(self) -> bool {
        switch::ACTIVE.get() & self.bit() != 0
    }

    /// Returns `false`: a release build has no mutations.
    #[cfg(not(debug_assertions))]
    pub(crate) const fn is_active(self) -> bool {
        false
    }
}

/// Returns the quorum to use if the least safe one is `least`. The result differs from `least` only
/// while a test switches a rule off.
#[inline(always)]
pub(crate) fn quorum(least: usize, f: usize) -> usize {
    if Mutation::QuorumOfAll.is_active() {
        2 * f + 1
    } else if Mutation::Quorum.is_active() {
        least.saturating_sub(1)
    } else {
        least
    }
}

#[cfg(debug_assertions)]
pub use switch::ActiveMutation;

#[cfg(debug_assertions)]
mod switch {
    use std::cell::Cell;
    use std::marker::PhantomData;

    use super::Mutation;

    thread_local! {
        /// One bit for each active mutation.
        pub(super) static ACTIVE: Cell<u32> = const { Cell::new(0) };
    }

    /// Keeps a mutation active on its thread until it is dropped.
    #[must_use = "the rule holds again as soon as this is dropped"]
    #[derive(Debug)]
    pub struct ActiveMutation {
        before: u32,
        of_this_thread: PhantomData<*const ()>,
    }

    impl Mutation {
        pub(super) fn bit(self) -> u32 {
            1 << self as u32
        }

        /// Switches the rule off on this thread, until the guard is dropped.
        pub fn activate(self) -> ActiveMutation {
            let before = ACTIVE.get();
            ACTIVE.set(before | self.bit());
            ActiveMutation {
                before,
                of_this_thread: PhantomData,
            }
        }
    }

    impl Drop for ActiveMutation {
        fn drop(&mut self) {
            ACTIVE.set(self.before);
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::Mutation;
    use crate::charter::Threshold;

    #[test]
    fn a_mutation_is_active_on_one_thread_until_its_guard_is_dropped() {
        let lock = Mutation::Lock.activate();
        {
            let _entering = Mutation::Entering.activate();
            assert!(Mutation::Lock.is_active() && Mutation::Entering.is_active());
            assert!(!Mutation::Guide.is_active());
            let elsewhere = std::thread::spawn(|| Mutation::Lock.is_active());
            assert!(!elsewhere.join().unwrap());
        }
        assert!(Mutation::Lock.is_active() && !Mutation::Entering.is_active());
        drop(lock);
        assert!(!Mutation::Lock.is_active());
    }

    #[test]
    fn quorum_mutations_make_quorums_smaller() {
        let q = |n| Threshold::of(n).q;
        let lower = Mutation::Quorum.activate();
        assert_eq!([4, 5, 7].map(q), [2, 3, 4]);
        drop(lower);
        let _of_all = Mutation::QuorumOfAll.activate();
        assert_eq!([4, 5, 6, 7, 8].map(q), [3, 3, 3, 5, 5]);
    }
}
