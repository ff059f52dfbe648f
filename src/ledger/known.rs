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

    /// How many nodes all tables have together.
    #[cfg(test)]
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn freeze(&self, freezer: &mut Freezer) {
        freezer.list(&self.nodes);
    }

    pub(super) fn thaw(thawer: &mut Thawer) -> Option<Self> {
        Some(Self { nodes: thawer.list()? })
    }
}
