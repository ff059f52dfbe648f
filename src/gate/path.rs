//! Which moves of a ref its chain of decisions backs. Arithmetic on values alone (spec, "The gate", section 3).

use std::ops::Range;

use crate::id::Oid;

/// What a decision moves its ref from and to; an absent ref is a value like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The value before.
    pub from: Option<Oid>,
    /// The value after.
    pub to: Option<Oid>,
}

/// How many decisions of the chain lie behind a ref with this value: up to the last one that leads to it.
pub fn landed(chain: &[Step], current: Option<Oid>) -> usize {
    chain
        .iter()
        .rposition(|step| step.to == current)
        .map_or(0, |last| last + 1)
}

/// The decisions that lead from `current` to `new` without a gap, all of them after those that landed: the
/// latest such run, and of those that end there the shortest.
pub fn path(chain: &[Step], current: Option<Oid>, new: Option<Oid>) -> Option<Range<usize>> {
    let first = landed(chain, current);
    runs(chain, current, first).find(|run| {
        chain
            .get(run.end.saturating_sub(1))
            .is_some_and(|step| step.to == new)
    })
}

/// The decisions that lead as far along the chain as a ref with this value can go.
pub fn furthest(chain: &[Step], current: Option<Oid>) -> Option<Range<usize>> {
    runs(chain, current, landed(chain, current)).next()
}

/// The gapless runs after the first `first` decisions that start at `current`, the latest end first.
fn runs(
    chain: &[Step],
    current: Option<Oid>,
    first: usize,
) -> impl Iterator<Item = Range<usize>> + '_ {
    let ends = (first..chain.len()).rev();
    ends.filter_map(move |last| {
        start(chain, current, first..last.saturating_add(1)).map(|start| start..last + 1)
    })
}

/// Where the shortest gapless run starts that begins at `current` and ends with the last decision of `within`.
fn start(chain: &[Step], current: Option<Oid>, within: Range<usize>) -> Option<usize> {
    let mut next: Option<&Step> = None;
    for place in within.rev() {
        let step = chain.get(place)?;
        if next.is_some_and(|next| next.from != step.to) {
            return None;
        }
        if step.from == current {
            return Some(place);
        }
        next = Some(step);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value: 0 is an absent ref.
    fn value(n: u8) -> Option<Oid> {
        (n > 0).then(|| Oid::new([n; 20]))
    }

    /// The rule as the spec words it, with i and j from 1.
    fn allowed(chain: &[Step], current: Option<Oid>, new: Option<Oid>) -> bool {
        let (k, d) = (chain.len(), |i: usize| chain[i - 1]);
        let m = (1..=k).filter(|i| d(*i).to == current).max().unwrap_or(0);
        (m + 1..=k).any(|i| {
            (i..=k).any(|j| {
                d(i).from == current && d(j).to == new && (i..j).all(|x| d(x + 1).from == d(x).to)
            })
        })
    }

    fn check(chain: &[Step]) {
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
                    assert!(run.start >= landed(chain, current) && steps[0].from == current);
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
            .map(|(from, to)| Step {
                from: value(from),
                to: value(to),
            })
            .collect();
        let mut chains: Vec<Vec<Step>> = vec![vec![]];
        for _ in 0..4 {
            chains.iter().for_each(|chain| check(chain));
            let longer = |chain: &Vec<Step>, step: &Step| [chain.as_slice(), &[*step]].concat();
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
        let step = |from: u8, to: u8| Step {
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
