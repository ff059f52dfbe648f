//! What entries know of chains, as tables that share what they have in common: each maps a chain's number to how many of
//! its entries are known. A table is a tree of sixteen branches a node, and one that comes from others holds
//! new nodes only where it differs from each of them. So to look a chain up takes a step for each hexadecimal digit of the
//! number of chains, and to join tables takes no longer than they differ. Knows nothing of entries.

use serde::{Deserialize, Serialize};

use crate::frozen::{Freezer, List, Thawer};

/// Branches of a node; four bits of a chain's number choose among them.
const BRANCHES: usize = 16;
const BITS: u32 = 4;

/// The places of nodes one level lower or, at the lowest level, counts; zero for nothing.
type Node = [u32; BRANCHES];

/// A table: its topmost node, and how many levels lie below that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Known {
    /// Its place and one more; zero for the table of nothing.
    node: u32,
    level: u8,
}

/// So many entries of this chain, from its first.
pub(super) type Upto = (u32, u32);

/// All tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    nodes: List<Node>,
}

/// The branch that leads to a chain at a level.
fn branch(chain: u32, level: u8) -> usize {
    (chain.unbounded_shr(u32::from(level) * BITS) as usize) % BRANCHES
}

/// The level of the lowest table that has room for this chain.
fn level_for(chain: u32) -> u8 {
    (chain.checked_ilog2().unwrap_or(0) / BITS) as u8
}

impl Known {
    fn at(node: u32, level: u8) -> Self {
        Self { node, level }
    }

    fn is_nothing(self) -> bool {
        self.node == 0
    }
}

impl Tables {
    fn node(&self, place: u32) -> Option<&Node> {
        self.nodes.get(place.checked_sub(1)? as usize)
    }

    /// How many entries of the chain are known.
    pub(super) fn count(&self, known: Known, chain: u32) -> u32 {
        if known.is_nothing() || level_for(chain) > known.level {
            return 0;
        }
        let step = |place: u32, level| self.node(place).and_then(|node| node.get(branch(chain, level))).copied();
        (0..=known.level)
            .rev()
            .try_fold(known.node, |place, level| step(place, level).filter(|next| *next > 0))
            .unwrap_or(0)
    }

    /// What is known to any of these or named here; in order of chains, each once.
    pub(super) fn join(&mut self, mut all: Vec<Known>, named: &[Upto]) -> Known {
        all.retain(|known| !known.is_nothing());
        all.sort_unstable();
        all.dedup();
        let needed = named.last().map(|(chain, _)| level_for(*chain));
        let Some(level) = all.iter().map(|known| known.level).chain(needed).max() else { return Known::default() };
        Known::at(self.join_at(level, &all, named), level)
    }

    /// The place of the node at a level that holds all of these; none of which is higher, or nothing.
    fn join_at(&mut self, level: u8, all: &[Known], named: &[Upto]) -> u32 {
        match (all, named) {
            ([], []) => return 0,
            ([only], []) if only.level == level => return only.node,
            _ => {}
        }
        let joined = match level.checked_sub(1) {
            None => self.greatest(all, named),
            Some(lower) => std::array::from_fn(|number| {
                let first = named.partition_point(|(chain, _)| branch(*chain, level) < number);
                let last = named.partition_point(|(chain, _)| branch(*chain, level) <= number);
                self.join_at(lower, &self.below(level, all, number), named.get(first..last).unwrap_or_default())
            }),
        };
        let same = all.iter().find(|known| known.level == level && self.node(known.node) == Some(&joined));
        same.map_or_else(|| self.add(joined), |known| known.node)
    }

    /// The greatest count of each branch, at the lowest level.
    fn greatest(&self, all: &[Known], named: &[Upto]) -> Node {
        let mut greatest = Node::default();
        let of_nodes = all.iter().filter_map(|known| self.node(known.node)).flat_map(|node| node.iter().enumerate());
        let of_names = named.iter().map(|(chain, count)| (branch(*chain, 0), count));
        for (number, count) in of_nodes.chain(of_names) {
            greatest.get_mut(number).into_iter().for_each(|known| *known = (*known).max(*count));
        }
        greatest
    }

    /// What stands in one branch of these, each once. One that is lower stands in the first branch as a whole.
    fn below(&self, level: u8, all: &[Known], number: usize) -> Vec<Known> {
        let step = |known: &Known| match known.level < level {
            true => (number == 0).then_some(*known),
            false => {
                let next = self.node(known.node).and_then(|node| node.get(number)).copied().filter(|next| *next > 0);
                next.map(|next| Known::at(next, level.saturating_sub(1)))
            }
        };
        let mut below: Vec<_> = all.iter().filter_map(step).collect();
        below.sort_unstable();
        below.dedup();
        below
    }

    fn add(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        self.nodes.len() as u32
    }

    pub(super) fn freeze(&self, freezer: &mut Freezer) {
        freezer.list(&self.nodes);
    }

    pub(super) fn thaw(thawer: &mut Thawer) -> Option<Self> {
        Some(Self { nodes: thawer.list()? })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// From which earlier tables one comes, and what is named besides.
    type Deed = (Vec<prop::sample::Index>, Vec<Upto>);

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let chain = prop_oneof![4 => 0..40_u32, 2 => 200..300_u32, 1 => 4_000..70_000_u32, 1 => any::<u32>()];
        let named = prop::collection::vec((chain, 1..9_u32), 0..5);
        prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..5), named), 1..40)
    }

    /// Named chains in order, each once.
    fn in_order(named: &[Upto]) -> BTreeMap<u32, u32> {
        let mut greatest = BTreeMap::new();
        for (chain, count) in named {
            greatest.entry(*chain).and_modify(|known: &mut u32| *known = (*known).max(*count)).or_insert(*count);
        }
        greatest
    }

    proptest! {
        #[test]
        fn a_table_holds_the_greatest_counts_of_those_that_it_comes_from(deeds in deeds()) {
            let (mut tables, mut made) = (Tables::default(), vec![(Known::default(), BTreeMap::new())]);
            for (from, named) in deeds {
                let named = in_order(&named);
                let from: Vec<_> = from.iter().map(|index| index.get(&made).clone()).collect();
                let mut expected = named.clone();
                for (chain, count) in from.iter().flat_map(|(_, counts)| counts) {
                    expected.entry(*chain).and_modify(|known: &mut u32| *known = (*known).max(*count)).or_insert(*count);
                }
                let named: Vec<_> = named.into_iter().collect();
                let all: Vec<_> = from.iter().map(|(known, _)| *known).collect();
                let before = tables.nodes.len();
                let known = tables.join(all.clone(), &named);
                let added = tables.nodes.len() - before;
                for chain in expected.keys().flat_map(|chain| [chain.wrapping_sub(1), *chain, chain.wrapping_add(1)]) {
                    prop_assert_eq!(tables.count(known, chain), expected.get(&chain).copied().unwrap_or(0));
                }
                prop_assert!(added <= expected.len() * 8, "a way down for each chain at most");
                let is_one = all.iter().all(|other| Some(other) == all.first());
                let is_known = from.first().is_some_and(|(_, counts)| *counts == expected);
                prop_assert!(!(is_one && is_known) || added == 0, "what is known already is not made anew");
                made.push((known, expected));
            }
        }
    }

    /// A lane that is cut into forks, each on the one before: what is kept grows with the forks, and not with their square.
    #[test]
    fn forks_upon_forks_share_what_they_know() {
        let (mut tables, mut known) = (Tables::default(), Known::default());
        const FORKS: u32 = 5_000;
        for chain in 0..FORKS {
            known = tables.join(vec![known], &[(chain, 1)]);
        }
        assert!((0..FORKS).all(|chain| tables.count(known, chain) == 1) && tables.count(known, FORKS) == 0);
        assert!(tables.nodes.len() <= 4 * FORKS as usize + 4, "{} nodes", tables.nodes.len());
        let (before, mut some) = (tables.nodes.len(), vec![known; 200]);
        some.push(Known::default());
        assert_eq!(tables.join(some, &[(17, 1)]), known);
        assert_eq!(tables.nodes.len(), before);
    }
}
