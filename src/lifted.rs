//! Rules taken away, so that tests can show what each is for: in debug builds only. In a release build every rule holds
//! by a constant, and there is no way to say otherwise. Knows nothing of how the rules are checked.
//!
//! A rule is lifted for the thread that asks, until the guard goes. Verdicts are kept where they were given, so a
//! ledger that was judged without a rule stays so: lift first, found the ledger after.

/// A rule of `ledger-spec/deciding.md` that a test may take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The least safe quorum; one less is enough without it.
    Quorum,
    /// The quorum grows with n; without it 2f + 1 is always enough.
    QuorumOfAll,
    /// Rule 1: a prevote needs approvals.
    Approvals,
    /// Rule 2: a precommit needs q prevotes.
    PrevoteQuorum,
    /// Rule 3: precommits count together only if they are of one round.
    PrecommitsOfOneRound,
    /// Rule 4: no vote below a round voted in.
    MonotoneRounds,
    /// Rule 4: one proposal a round and phase.
    OneVoteARound,
    /// Rule 4: a precommit locks its author.
    Lock,
    /// Rule 4: only prevotes of a round above the lock's release it.
    UnlockByLater,
    /// Rule 4: q prevotes release a lock; q - 1 do without it.
    UnlockByQuorum,
    /// Rule 4: prevotes that release a lock are all of one round; without it they are gathered from the lock's round on.
    UnlockByOneRound,
    /// Rule 5a: a round is entered above q votes of the round before.
    Entering,
    /// Rule 6: a precommit of a charter's change ends its author's other votes under the charter.
    Freeze,
    /// Rule 6: what was agreed under earlier charters binds later ones.
    HandOver,
    /// Rule 5c: a round's guide is waited for and followed.
    Guide,
    /// Rule 5c: the guide is waited for twice as long as it waits itself.
    TwoPatiences,
    /// Rule 5e: a decision that others miss is told.
    Telling,
    /// Rule 5e: votes that let a member go on, and that others may miss, are told.
    TellingOfVotes,
    /// Section 6: the agreement statement names its round.
    RoundInStatement,
    /// Rule 2: a precommit carries its author's signature. Taken away where only speed counts.
    AgreementSignature,
}

impl Rule {
    /// Whether a test has taken the rule away.
    #[cfg(debug_assertions)]
    pub(crate) fn is_lifted(self) -> bool {
        switch::LIFTED.get() & self.bit() != 0
    }

    /// Whether a test has taken the rule away. This build has no tests.
    #[cfg(not(debug_assertions))]
    pub(crate) const fn is_lifted(self) -> bool {
        false
    }
}

/// A quorum, as `n` and `f` ask for it, or a smaller one that a test does.
#[inline(always)]
pub(crate) fn quorum(least: usize, f: usize) -> usize {
    match () {
        () if Rule::QuorumOfAll.is_lifted() => 2 * f + 1,
        () if Rule::Quorum.is_lifted() => least.saturating_sub(1),
        () => least,
    }
}

#[cfg(debug_assertions)]
pub use switch::Lifted;

#[cfg(debug_assertions)]
mod switch {
    use std::cell::Cell;
    use std::marker::PhantomData;

    use super::Rule;

    thread_local! {
        pub(super) static LIFTED: Cell<u32> = const { Cell::new(0) };
    }

    /// While it lives, its thread does without some rules.
    #[must_use = "the rule holds again as soon as this is dropped"]
    #[derive(Debug)]
    pub struct Lifted {
        before: u32,
        of_this_thread: PhantomData<*const ()>,
    }

    impl Rule {
        pub(super) fn bit(self) -> u32 {
            1 << self as u32
        }

        /// Takes the rule away, for this thread.
        pub fn lift(self) -> Lifted {
            let before = LIFTED.get();
            LIFTED.set(before | self.bit());
            Lifted {
                before,
                of_this_thread: PhantomData,
            }
        }
    }

    impl Drop for Lifted {
        fn drop(&mut self) {
            LIFTED.set(self.before);
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::Rule;
    use crate::charter::Threshold;

    #[test]
    fn a_rule_is_lifted_until_its_guard_goes_and_for_one_thread() {
        let lock = Rule::Lock.lift();
        {
            let _entering = Rule::Entering.lift();
            assert!(
                Rule::Lock.is_lifted() && Rule::Entering.is_lifted() && !Rule::Guide.is_lifted()
            );
            assert!(
                !std::thread::spawn(|| Rule::Lock.is_lifted())
                    .join()
                    .unwrap()
            );
        }
        assert!(Rule::Lock.is_lifted() && !Rule::Entering.is_lifted());
        drop(lock);
        assert!(!Rule::Lock.is_lifted());
    }

    #[test]
    fn smaller_quorums() {
        let q = |n| Threshold::of(n).q;
        let lower = Rule::Quorum.lift();
        assert_eq!([4, 5, 7].map(q), [2, 3, 4]);
        drop(lower);
        let _of_all = Rule::QuorumOfAll.lift();
        assert_eq!([4, 5, 6, 7, 8].map(q), [3, 3, 3, 5, 5]);
    }
}
