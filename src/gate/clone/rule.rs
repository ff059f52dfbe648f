//! Which moves of a protected ref a clone allows (spec, "Clones", section 1). Pure: only values count.

use crate::consensus::landing::{RefMove, landed_count};
use crate::id::Oid;

/// Whether a protected ref of a clone may move from `current` to `new`.
///
/// `chain` is the ref's decisions, and `seen` are the values that the remote was seen to hold.
pub fn allows(chain: &[RefMove], seen: &[Oid], current: Option<Oid>, new: Option<Oid>) -> bool {
    if new == current {
        return true;
    }
    // Nothing is decided yet. A gated server cannot have moved the ref since the ledger began.
    let Some(first) = chain.first() else {
        return new.is_some_and(|new| seen.contains(&new));
    };
    let behind = landed_count(chain, current);
    let goes_forward = chain.iter().skip(behind).any(|step| step.to == new);
    let goes_to_start = behind == 0 && new == first.from;
    goes_forward || goes_to_start
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a value. 0 stands for an absent ref.
    fn value(n: u8) -> Option<Oid> {
        (n > 0).then(|| Oid::new([n; 20]))
    }

    /// The rule in the words of the spec, with decisions counted from 1.
    fn worded(chain: &[RefMove], seen: &[Oid], current: Option<Oid>, new: Option<Oid>) -> bool {
        let k = chain.len();
        let to = |i: usize| chain[i - 1].to;
        let nothing_moves = current == new;
        let decided = (1..=k).any(|j| to(j) == new && (j..=k).all(|later| to(later) != current));
        let begins = k > 0 && new == chain[0].from && (1..=k).all(|i| to(i) != current);
        let as_seen = k == 0 && new.is_some_and(|new| seen.contains(&new));
        nothing_moves || decided || begins || as_seen
    }

    fn check(chain: &[RefMove]) {
        for (current, new) in (0..4).flat_map(|a| (0..4).map(move |b| (value(a), value(b)))) {
            for seen in [
                vec![],
                vec![Oid::new([2; 20])],
                vec![Oid::new([1; 20]), Oid::new([3; 20])],
            ] {
                let expected = worded(chain, &seen, current, new);
                assert_eq!(
                    allows(chain, &seen, current, new),
                    expected,
                    "{chain:?} {seen:?} {current:?} {new:?}"
                );
            }
        }
    }

    fn grow(chain: &mut Vec<RefMove>) {
        check(chain);
        if chain.len() == 3 {
            return;
        }
        for (from, to) in (0..4).flat_map(|from| (0..4).map(move |to| (from, to))) {
            chain.push(RefMove {
                from: value(from),
                to: value(to),
            });
            grow(chain);
            chain.pop();
        }
    }

    #[test]
    fn the_rule_agrees_with_the_words_of_the_spec_on_every_short_chain() {
        grow(&mut Vec::new());
    }

    #[test]
    fn a_ref_moves_forward_from_anywhere_and_never_back() {
        let step = |from, to| RefMove {
            from: value(from),
            to: value(to),
        };
        let chain = [step(1, 2), step(2, 3)];
        let allowed =
            |current, new| allows(&chain, &[Oid::new([4; 20])], value(current), value(new));
        assert!(
            allowed(1, 2) && allowed(1, 3) && allowed(2, 3),
            "forward, several at once"
        );
        assert!(
            allowed(0, 1) && allowed(0, 2) && allowed(0, 3),
            "created, also stale"
        );
        assert!(allowed(9, 3) && allowed(9, 1), "repaired");
        assert!(
            !allowed(3, 2) && !allowed(2, 1) && !allowed(3, 1),
            "never back"
        );
        assert!(
            !allowed(1, 4) && !allowed(3, 4) && !allowed(3, 9),
            "what is seen counts only before the first decision"
        );
        assert!(
            !allowed(1, 0) && !allowed(3, 0) && !allowed(9, 0),
            "never deleted"
        );
    }
}
