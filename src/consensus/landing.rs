//! Landing: how a protected ref follows the chain of its decisions (`ledger-spec/gate.md`, section
//! 3). Computes which moves the chain permits, and how many of its decisions have landed. Compares
//! values only. Knows neither refs nor objects.

use std::ops::Range;

use super::tally::Tally;
use crate::id::{EntryId, Oid};
use crate::ledger::RefProposal;

/// The values that one decision moves its ref from and to. `None` stands for an absent ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefMove {
    /// The value before the decision.
    pub from: Option<Oid>,
    /// The value after the decision.
    pub to: Option<Oid>,
}

/// Returns the move of each decided proposal, in the given order. Leaves out proposals of a
/// charter.
pub fn ref_moves(tally: &Tally, decided: &[EntryId]) -> Vec<RefMove> {
    let changes = decided.iter().filter_map(|id| tally.ref_change(*id));
    let ref_move = |change: &RefProposal| RefMove {
        from: change.from,
        to: change.to,
    };
    changes.map(ref_move).collect()
}

/// Returns how many decisions of the chain have landed if the ref has this value. All decisions up
/// to the last one that leads to the value have landed.
pub fn landed_count(chain: &[RefMove], current: Option<Oid>) -> usize {
    chain
        .iter()
        .rposition(|decision| decision.to == current)
        .map_or(0, |last| last + 1)
}

/// Returns the run of decisions that leads from `current` to `new` without a gap. Returns `None` if
/// there is none.
///
/// The run starts after the decisions that have landed. Of several runs, the one that ends latest
/// is taken, and of those the shortest.
pub fn path(chain: &[RefMove], current: Option<Oid>, new: Option<Oid>) -> Option<Range<usize>> {
    let first = landed_count(chain, current);
    runs(chain, current, first).find(|run| {
        chain
            .get(run.end.saturating_sub(1))
            .is_some_and(|decision| decision.to == new)
    })
}

/// Returns the run of decisions that moves a ref with this value as far as possible. Returns `None`
/// if no decision moves the ref.
pub fn furthest(chain: &[RefMove], current: Option<Oid>) -> Option<Range<usize>> {
    runs(chain, current, landed_count(chain, current)).next()
}

/// Returns the gapless runs that start at `current`, after the first `first` decisions of the
/// chain. The run with the latest end comes first.
fn runs(
    chain: &[RefMove],
    current: Option<Oid>,
    first: usize,
) -> impl Iterator<Item = Range<usize>> + '_ {
    let ends = (first..chain.len()).rev();
    ends.filter_map(move |last| {
        start(chain, current, first..last.saturating_add(1)).map(|start| start..last + 1)
    })
}

/// Returns the start of the shortest gapless run that begins at `current` and ends with the last
/// decision of `within`. Returns `None` if there is no such run.
fn start(chain: &[RefMove], current: Option<Oid>, within: Range<usize>) -> Option<usize> {
    let mut next: Option<&RefMove> = None;
    for place in within.rev() {
        let decision = chain.get(place)?;
        if next.is_some_and(|next| next.from != decision.to) {
            return None;
        }
        if decision.from == current {
            return Some(place);
        }
        next = Some(decision);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a value of the ref. 0 stands for an absent ref.
    fn value(n: u8) -> Option<Oid> {
        (n > 0).then(|| Oid::new([n; 20]))
    }

    /// The rule as the spec states it, with i and j from 1.
    fn allowed(chain: &[RefMove], current: Option<Oid>, new: Option<Oid>) -> bool {
        let (k, d) = (chain.len(), |i: usize| chain[i - 1]);
        let m = (1..=k).filter(|i| d(*i).to == current).max().unwrap_or(0);
        (m + 1..=k).any(|i| {
            (i..=k).any(|j| {
                d(i).from == current && d(j).to == new && (i..j).all(|x| d(x + 1).from == d(x).to)
            })
        })
    }

    fn check(chain: &[RefMove]) {
        for current in (0..4).map(value) {
            let reachable: Vec<_> = (0..4)
                .map(value)
                .filter(|new| allowed(chain, current, *new))
                .collect();
            for new in (0..4).map(value) {
                let found = path(chain, current, new);
                assert_eq!(
                    found.is_some(),
                    reachable.contains(&new),
                    "{chain:?} {current:?} {new:?}"
                );
                if let Some(run) = found {
                    let steps = &chain[run.clone()];
                    assert!(run.start >= landed_count(chain, current) && steps[0].from == current);
                    assert!(
                        steps[steps.len() - 1].to == new
                            && steps.windows(2).all(|w| w[0].to == w[1].from)
                    );
                }
            }
            let furthest = furthest(chain, current);
            assert_eq!(furthest.is_some(), !reachable.is_empty());
            if let Some(run) = furthest {
                assert!(
                    reachable
                        .iter()
                        .all(|new| path(chain, current, *new).unwrap().end <= run.end)
                );
            }
        }
    }

    #[test]
    fn every_short_chain_agrees_with_the_words_of_the_rule() {
        let all = (0..4)
            .flat_map(|from| (0..4).map(move |to| (from, to)))
            .filter(|(from, to)| from != to);
        let steps: Vec<_> = all
            .map(|(from, to)| RefMove {
                from: value(from),
                to: value(to),
            })
            .collect();
        let mut chains: Vec<Vec<RefMove>> = vec![vec![]];
        for _ in 0..4 {
            chains.iter().for_each(|chain| check(chain));
            let longer =
                |chain: &Vec<RefMove>, step: &RefMove| [chain.as_slice(), &[*step]].concat();
            chains = chains
                .iter()
                .flat_map(|chain| steps.iter().map(move |step| longer(chain, step)))
                .collect();
        }
        assert_eq!(chains.len(), 12_usize.pow(4));
        chains.iter().for_each(|chain| check(chain));
    }

    #[test]
    fn forward_only_no_replay_no_wedge_no_gap() {
        let step = |from: u8, to: u8| RefMove {
            from: value(from),
            to: value(to),
        };
        let revert = [step(1, 2), step(2, 1), step(1, 3)];
        assert_eq!(
            path(&revert, value(1), value(2)),
            None,
            "the first decision does not count again"
        );
        assert_eq!(path(&revert, value(1), value(3)), Some(2..3));
        let wedged = [step(9, 2), step(1, 3)];
        assert_eq!(path(&wedged, value(1), value(3)), Some(1..2));
        let skipping = [step(1, 2), step(2, 3), step(3, 4)];
        assert_eq!(path(&skipping, value(1), value(4)), Some(0..3));
        assert_eq!(path(&skipping, value(3), value(2)), None);
        let gap = [step(1, 2), step(5, 3)];
        assert_eq!(path(&gap, value(1), value(3)), None);
        assert_eq!(
            path(&[step(0, 1), step(1, 0)], None, value(1)),
            None,
            "deleted by decision"
        );
        assert_eq!(path(&[step(0, 1)], None, value(1)), Some(0..1));
    }
}
