//! What entries know of chains, as tables that share what they have in common: each maps a chain's number to how many of
//! its entries are known. A table is a tree of sixteen branches a node, and a node is kept once, whatever tables it
//! belongs to. So to look a chain up takes a step for each hexadecimal digit of the number of chains, to join tables
//! takes no longer than they differ, and to join the same again takes no room. Knows nothing of entries.
//!
//! AncestryStore that come from many different ones can differ from them all: then each costs up to a node for every sixteen chains.
//! What joins have cost is counted, so that whoever takes them in can set a bound.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use serde::{Deserialize, Serialize};

use super::marks::Mark;
use crate::lazy_table::{LazyList, TableReader, TableWriter};

/// Branches of a node; four bits of a chain's number choose among them.
const BRANCHES: usize = 16;
const BITS: u32 = 4;

/// The places of nodes one level lower or, at the lowest level, counts; zero for nothing.
type Node = [u32; BRANCHES];

/// A table: its topmost node, and how many levels lie below that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Ancestry {
    /// Its place and one more; zero for the table of nothing.
    node: u32,
    level: u8,
}

/// So many entries of this chain, from its first.
pub(super) type ChainCount = (u32, u32);

/// All tables.
#[derive(Debug, Clone, Default)]
pub(super) struct AncestryStore {
    nodes: LazyList<Node>,
    /// Where nodes stand, by a keyed hash of what they hold. Not those that were read from bytes: to look for them
    /// would decode them all.
    places: HashMap<u64, u32>,
    hashing: RandomState,
    made: usize,
    looked_at: usize,
}

/// Bytes of memory for a new node: itself, its place in the list, and what finds it again.
const MADE: usize = size_of::<Node>() + 48;
/// What it costs to look at a node of a table that is joined, in bytes as well: about as long as a hash takes for them.
const LOOKED_AT: usize = 8;

/// The branch that leads to a chain at a level.
fn branch(chain: u32, level: u8) -> usize {
    (chain.unbounded_shr(u32::from(level) * BITS) as usize) % BRANCHES
}

/// The level of the lowest table that has room for this chain.
fn level_for(chain: u32) -> u8 {
    (chain.checked_ilog2().unwrap_or(0) / BITS) as u8
}

/// A chain of which more is known than a table says.
#[derive(Debug, Clone, Copy)]
struct Own {
    chain: u32,
    count: u32,
    table: Ancestry,
}

/// Each table once, with how many there are.
fn counted(tables: impl Iterator<Item = (Ancestry, usize)>) -> Vec<(Ancestry, usize)> {
    let mut tables: Vec<_> = tables.collect();
    tables.sort_unstable();
    tables.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        kept.1 += if is_same { next.1 } else { 0 };
        is_same
    });
    tables
}

impl Ancestry {
    fn at(node: u32, level: u8) -> Self {
        Self { node, level }
    }

    fn is_nothing(self) -> bool {
        self.node == 0
    }
}

impl AncestryStore {
    fn node(&self, place: u32) -> Option<&Node> {
        lookups::count(1);
        self.nodes.get(place.checked_sub(1)? as usize)
    }

    /// How many entries of the chain are known.
    pub(super) fn count(&self, known: Ancestry, chain: u32) -> u32 {
        lookups::count(1);
        if known.is_nothing() || level_for(chain) > known.level {
            return 0;
        }
        let step = |place: u32, level| {
            self.node(place)
                .and_then(|node| node.get(branch(chain, level)))
                .copied()
        };
        (0..=known.level)
            .rev()
            .try_fold(known.node, |place, level| {
                step(place, level).filter(|next| *next > 0)
            })
            .unwrap_or(0)
    }

    /// Whether one of these marks, in order, is known and wanted. Goes down only where both the table and the marks have
    /// something.
    pub(super) fn meets<T>(
        &self,
        known: Ancestry,
        marks: &[Mark<T>],
        wanted: &impl Fn(&T) -> bool,
    ) -> bool {
        match marks {
            [only] => self.count(known, only.chain) > only.position && wanted(&only.what),
            _ => {
                let within = marks.partition_point(|mark| level_for(mark.chain) <= known.level);
                self.meets_at(
                    known.node,
                    known.level,
                    marks.get(..within).unwrap_or_default(),
                    wanted,
                )
            }
        }
    }

    fn meets_at<T>(
        &self,
        place: u32,
        level: u8,
        marks: &[Mark<T>],
        wanted: &impl Fn(&T) -> bool,
    ) -> bool {
        let Some(node) = self.node(place).filter(|_| !marks.is_empty()) else {
            return false;
        };
        let Some(lower) = level.checked_sub(1) else {
            lookups::count(marks.len() as u64);
            let count = |mark: &Mark<T>| node.get(branch(mark.chain, 0)).copied().unwrap_or(0);
            return marks
                .iter()
                .any(|mark| count(mark) > mark.position && wanted(&mark.what));
        };
        let mut rest = marks;
        while let Some(first) = rest.first() {
            let number = branch(first.chain, level);
            let (here, others) =
                rest.split_at(rest.partition_point(|mark| branch(mark.chain, level) <= number));
            let next = node.get(number).copied().unwrap_or(0);
            if next > 0 && self.meets_at(next, lower, here, wanted) {
                return true;
            }
            rest = others;
        }
        false
    }

    /// What is known to all of these, by chain. Each comes with how much it knows of a chain of its own, whatever its table
    /// says of that; no two have the same one. Takes no longer than there are nodes in the tables, each counted once.
    pub(super) fn least(&self, all: &[(Ancestry, ChainCount)]) -> BTreeMap<u32, u32> {
        let mut own: Vec<_> = all
            .iter()
            .map(|(table, (chain, count))| Own {
                chain: *chain,
                count: *count,
                table: *table,
            })
            .collect();
        own.sort_unstable_by_key(|own| own.chain);
        let needed = own.last().map_or(0, |own| level_for(own.chain));
        let level = all
            .iter()
            .map(|(table, _)| table.level)
            .max()
            .unwrap_or(0)
            .max(needed);
        let mut least = BTreeMap::new();
        self.least_at(
            level,
            0,
            &counted(all.iter().map(|(table, _)| (*table, 1))),
            &own,
            &mut least,
        );
        least
    }

    /// The same below one place, whose first chain is told; of tables there, each with how many have it.
    fn least_at(
        &self,
        level: u8,
        first: u32,
        all: &[(Ancestry, usize)],
        own: &[Own],
        least: &mut BTreeMap<u32, u32>,
    ) {
        lookups::count(all.len() as u64);
        // Where one knows nothing, its own chain is the only one that all can know.
        let alone = match all.iter().find(|(table, _)| table.is_nothing()) {
            None => None,
            Some((_, 1)) => match own.iter().find(|own| own.table.is_nothing()) {
                Some(own) => Some(own),
                None => return,
            },
            Some(_) => return,
        };
        let numbers = match alone {
            Some(own) => branch(own.chain, level)..=branch(own.chain, level),
            None => 0..=BRANCHES - 1,
        };
        for number in numbers {
            let within = own.iter().filter(|own| branch(own.chain, level) == number);
            let within = within.filter(|own| alone.is_none_or(|alone| alone.chain == own.chain));
            let chains = first | (number as u32).unbounded_shl(u32::from(level) * BITS);
            match level.checked_sub(1) {
                None => {
                    let count = self.least_of(all, number, within.copied().next());
                    least.extend(Some((chains, count)).filter(|_| count > 0));
                }
                Some(lower) => {
                    let below = counted(
                        all.iter()
                            .map(|(table, count)| (self.step(*table, level, number), *count)),
                    );
                    let within = within.map(|own| Own {
                        table: self.step(own.table, level, number),
                        ..*own
                    });
                    self.least_at(lower, chains, &below, &within.collect::<Vec<_>>(), least);
                }
            }
        }
    }

    /// The least count of a branch at the lowest level, where the chain may be the own one of one of these.
    fn least_of(&self, all: &[(Ancestry, usize)], number: usize, own: Option<Own>) -> u32 {
        let others = all
            .iter()
            .filter(|(table, count)| own.is_none_or(|own| own.table != *table || *count > 1));
        let counts = others.map(|(table, _)| {
            self.node(table.node)
                .and_then(|node| node.get(number))
                .copied()
                .unwrap_or(0)
        });
        counts.chain(own.map(|own| own.count)).min().unwrap_or(0)
    }

    /// What stands in one branch of a table. One that is lower stands in the first branch as a whole.
    fn step(&self, table: Ancestry, level: u8, number: usize) -> Ancestry {
        if table.level < level {
            return if number == 0 {
                table
            } else {
                Ancestry::default()
            };
        }
        let next = self
            .node(table.node)
            .and_then(|node| node.get(number))
            .copied()
            .unwrap_or(0);
        if next == 0 {
            Ancestry::default()
        } else {
            Ancestry::at(next, level.saturating_sub(1))
        }
    }

    /// What is known to any of these or named here; in order of chains, each once.
    pub(super) fn join(&mut self, mut all: Vec<Ancestry>, named: &[ChainCount]) -> Ancestry {
        all.retain(|known| !known.is_nothing());
        all.sort_unstable();
        all.dedup();
        let needed = named.last().map(|(chain, _)| level_for(*chain));
        let Some(level) = all.iter().map(|known| known.level).chain(needed).max() else {
            return Ancestry::default();
        };
        Ancestry::at(self.join_at(level, &all, named), level)
    }

    /// The place of the node at a level that holds all of these; none of which is higher, or nothing.
    fn join_at(&mut self, level: u8, all: &[Ancestry], named: &[ChainCount]) -> u32 {
        match (all, named) {
            ([], []) => return 0,
            ([only], []) if only.level == level => return only.node,
            _ => {}
        }
        self.looked_at = self
            .looked_at
            .saturating_add(LOOKED_AT * (all.len() + named.len()));
        let joined = match level.checked_sub(1) {
            None => self.greatest(all, named),
            Some(lower) => std::array::from_fn(|number| {
                let first = named.partition_point(|(chain, _)| branch(*chain, level) < number);
                let last = named.partition_point(|(chain, _)| branch(*chain, level) <= number);
                self.join_at(
                    lower,
                    &self.below(level, all, number),
                    named.get(first..last).unwrap_or_default(),
                )
            }),
        };
        let same = all
            .iter()
            .find(|known| known.level == level && self.node(known.node) == Some(&joined));
        same.map_or_else(|| self.add(joined), |known| known.node)
    }

    /// The greatest count of each branch, at the lowest level.
    fn greatest(&self, all: &[Ancestry], named: &[ChainCount]) -> Node {
        let mut greatest = Node::default();
        let of_nodes = all
            .iter()
            .filter_map(|known| self.node(known.node))
            .flat_map(|node| node.iter().enumerate());
        let of_names = named
            .iter()
            .map(|(chain, count)| (branch(*chain, 0), count));
        for (number, count) in of_nodes.chain(of_names) {
            greatest
                .get_mut(number)
                .into_iter()
                .for_each(|known| *known = (*known).max(*count));
        }
        greatest
    }

    /// What stands in one branch of these, each once.
    fn below(&self, level: u8, all: &[Ancestry], number: usize) -> Vec<Ancestry> {
        let below = all.iter().map(|known| self.step(*known, level, number));
        let mut below: Vec<_> = below.filter(|known| !known.is_nothing()).collect();
        below.sort_unstable();
        below.dedup();
        below
    }

    /// The place of a node that holds this.
    fn add(&mut self, node: Node) -> u32 {
        let hash = self.hashing.hash_one(node);
        let same = self
            .places
            .get(&hash)
            .copied()
            .filter(|place| self.node(*place) == Some(&node));
        same.unwrap_or_else(|| {
            self.nodes.push(node);
            self.made = self.made.saturating_add(MADE);
            let place = self.nodes.len() as u32;
            self.places.insert(hash, place);
            place
        })
    }

    /// What joins have cost since these tables were made or read, in bytes: those that they keep, and some for the
    /// time that they took.
    pub(super) fn cost(&self) -> usize {
        self.made.saturating_add(self.looked_at)
    }

    /// The share of it that stands for time alone.
    pub(super) fn looking_cost(&self) -> usize {
        self.looked_at
    }

    pub(super) fn write_to(&self, writer: &mut TableWriter) {
        writer.list(&self.nodes);
    }

    pub(super) fn read_from(reader: &mut TableReader) -> Option<Self> {
        Some(Self {
            nodes: reader.list()?,
            ..Self::default()
        })
    }
}

/// Steps in tables, counted in debug builds, on each thread: for tests that say how work may grow.
#[cfg(debug_assertions)]
pub mod lookups {
    use std::cell::Cell;

    thread_local! {
        static MADE_SO_FAR: Cell<u64> = const { Cell::new(0) };
    }

    /// How many this thread has taken.
    pub fn made() -> u64 {
        MADE_SO_FAR.get()
    }

    pub(super) fn count(lookups: u64) {
        MADE_SO_FAR.set(MADE_SO_FAR.get().wrapping_add(lookups));
    }
}

/// This build counts nothing.
#[cfg(not(debug_assertions))]
mod lookups {
    pub(super) fn count(_: u64) {}
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// From which earlier tables one comes, and what is named besides.
    type JoinCase = (Vec<prop::sample::Index>, Vec<ChainCount>);

    fn joins() -> impl Strategy<Value = Vec<JoinCase>> {
        let chain = prop_oneof![4 => 0..40_u32, 2 => 200..300_u32, 1 => 4_000..70_000_u32, 1 => any::<u32>()];
        let named = prop::collection::vec((chain, 1..9_u32), 0..5);
        prop::collection::vec(
            (
                prop::collection::vec(any::<prop::sample::Index>(), 0..5),
                named,
            ),
            1..40,
        )
    }

    /// Named chains in order, each once.
    fn in_order(named: &[ChainCount]) -> BTreeMap<u32, u32> {
        let mut greatest = BTreeMap::new();
        for (chain, count) in named {
            greatest
                .entry(*chain)
                .and_modify(|known: &mut u32| *known = (*known).max(*count))
                .or_insert(*count);
        }
        greatest
    }

    proptest! {
        #[test]
        fn a_table_holds_the_greatest_counts_of_those_that_it_comes_from(joins in joins()) {
            let (mut tables, mut made) = (AncestryStore::default(), vec![(Ancestry::default(), BTreeMap::new())]);
            for (from, named) in joins {
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

    proptest! {
        #[test]
        fn what_all_know_is_the_least_that_one_knows(
            joins in joins(),
            picked in prop::collection::vec((any::<prop::sample::Index>(), 0..40_u32, 1..9_u32), 1..9),
        ) {
            let (mut tables, mut made) = (AncestryStore::default(), vec![Ancestry::default()]);
            for (from, named) in joins {
                let named: Vec<_> = in_order(&named).into_iter().collect();
                let from = from.iter().map(|index| *index.get(&made)).collect();
                made.push(tables.join(from, &named));
            }
            let own: BTreeMap<u32, _> = picked.iter().map(|(index, chain, more)| (*chain, (*index.get(&made), *more))).collect();
            let all: Vec<_> = own
                .iter()
                .map(|(chain, (table, more))| (*table, (*chain, tables.count(*table, *chain) + more)))
                .collect();
            let least = tables.least(&all);
            let knows = |(table, (own, count)): &(Ancestry, ChainCount), chain| {
                if chain == *own { *count } else { tables.count(*table, chain) }
            };
            prop_assert!(least.values().all(|count| *count > 0));
            for chain in (0..300).chain(least.keys().copied()) {
                let expected = all.iter().map(|one| knows(one, chain)).min().unwrap();
                prop_assert_eq!(least.get(&chain).copied().unwrap_or(0), expected, "chain {}", chain);
            }
        }
    }

    /// A lane that is cut into forks, each on the one before: what is kept grows with the forks, and not with their square.
    #[test]
    fn forks_upon_forks_share_what_they_know() {
        let (mut tables, mut known) = (AncestryStore::default(), Ancestry::default());
        const FORKS: u32 = 5_000;
        for chain in 0..FORKS {
            known = tables.join(vec![known], &[(chain, 1)]);
        }
        assert!(
            (0..FORKS).all(|chain| tables.count(known, chain) == 1)
                && tables.count(known, FORKS) == 0
        );
        assert!(
            tables.nodes.len() <= 4 * FORKS as usize + 4,
            "{} nodes",
            tables.nodes.len()
        );
        let (before, mut some) = (tables.nodes.len(), vec![known; 200]);
        some.push(Ancestry::default());
        assert_eq!(tables.join(some, &[(17, 1)]), known);
        assert_eq!(tables.nodes.len(), before);
    }

    /// AncestryStore that each know every so-manieth chain, as those who cite forks by turns do.
    fn by_turns(tables: &mut AncestryStore, chains: u32, turns: u32) -> Vec<Ancestry> {
        let every = |turn: u32| {
            (turn..chains)
                .step_by(turns as usize)
                .map(|chain| (chain, 1))
                .collect::<Vec<_>>()
        };
        (0..turns)
            .map(|turn| tables.join(vec![], &every(turn)))
            .collect()
    }

    /// Whoever joins all forks again, or all but a few, says little new and keeps little new.
    #[test]
    fn the_same_joined_again_takes_no_room() {
        const CHAINS: u32 = 4_096;
        let mut tables = AncestryStore::default();
        let parts = by_turns(&mut tables, CHAINS, 64);
        let all = tables.join(parts.clone(), &[]);
        let (nodes, cost) = (tables.nodes.len(), tables.cost());
        assert!(nodes < 2_000, "{nodes} nodes");
        for _ in 0..100 {
            assert_eq!(tables.join(parts.clone(), &[]), all);
        }
        assert_eq!(tables.nodes.len(), nodes);
        assert!(tables.cost() > cost, "it takes time all the same");
        for without in 0..64 {
            let most: Vec<_> = parts
                .iter()
                .enumerate()
                .filter(|(part, _)| *part != without)
                .map(|(_, p)| *p)
                .collect();
            let known = tables.join(most, &[]);
            assert!(
                (0..CHAINS).all(|c| (tables.count(known, c) == 1) == (c % 64 != without as u32))
            );
        }
        let more = tables.nodes.len() - nodes;
        assert!(more < 64 * 24, "{more} nodes for 64 tables of 4,096 chains");
    }

    /// What no sharing helps against is counted: two of many that know different things, joined.
    #[test]
    fn what_differs_from_all_others_is_paid_for() {
        const CHAINS: u32 = 4_096;
        let mut tables = AncestryStore::default();
        let mut dice = 1_u64;
        let mut some = || {
            let mut roll = || {
                dice = dice
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (dice >> 33) as u32
            };
            (0..CHAINS)
                .map(|chain| (chain, roll() % 3))
                .filter(|(_, count)| *count > 0)
                .collect::<Vec<_>>()
        };
        let parts: Vec<_> = (0..16).map(|_| some()).collect();
        let parts: Vec<_> = parts
            .iter()
            .map(|named| tables.join(vec![], named))
            .collect();
        let (nodes, cost) = (tables.nodes.len(), tables.cost());
        for (place, one) in parts.iter().enumerate() {
            for other in parts.iter().take(place) {
                tables.join(vec![*one, *other], &[]);
            }
        }
        let (nodes, cost) = (tables.nodes.len() - nodes, tables.cost() - cost);
        assert!(
            nodes > 120 * 200,
            "{nodes} nodes: sharing helps, and the module's word of it is wrong"
        );
        assert!(
            cost >= nodes * size_of::<Node>(),
            "{cost} for {nodes} nodes"
        );
    }
}
