//! Parents: the entries that a member's next entry builds on. Pure functions over a tally. Knows
//! neither refs nor remotes.

use std::collections::{BTreeMap, BTreeSet};

use super::admission::Admission;
use super::tally::Tally;
use crate::charter::MemberName;
use crate::ledger::{EntryIndex, limits};

/// Returns the parents of the member's next entry, at most [`limits::PARENTS`].
///
/// First come all of the member's own tips, the highest sequence number first. Then come the tips
/// of all other members, one of each member in turn. So a member with many forks displaces no
/// other.
pub fn parents_for(tally: &Tally, member: &MemberName) -> Vec<EntryIndex> {
    let dag = tally.dag();
    let mut parents = own_tips(tally, member);
    parents.sort_by_key(|tip| std::cmp::Reverse((dag.entry(*tip).seq, dag.entry(*tip).id)));
    let root = dag.find(dag.ledger());
    if parents.is_empty() {
        parents.extend(root);
    }
    let mut others: BTreeMap<&MemberName, Vec<EntryIndex>> = BTreeMap::new();
    for end in ends(tally).into_iter().filter(|end| Some(*end) != root) {
        let owner = &dag.entry(end).member;
        if owner != member {
            others.entry(owner).or_default().push(end);
        }
    }
    for tips in others.values_mut() {
        tips.sort_by_key(|tip| std::cmp::Reverse((dag.entry(*tip).seq, dag.entry(*tip).id)));
    }
    let most = others.values().map(Vec::len).max().unwrap_or(0);
    let in_turn = (0..most).flat_map(|turn| {
        others
            .values()
            .filter_map(move |tips| tips.get(turn).copied())
    });
    parents.extend(in_turn);
    parents.truncate(limits::PARENTS);
    parents
}

/// Returns the tips of a member's lane that its key in the charter in force signed.
pub fn own_tips(tally: &Tally, member: &MemberName) -> Vec<EntryIndex> {
    tally.own_tips_under(tally.charter_in_force(), member)
}

/// Returns the admitted entries that no other admitted entry builds on.
///
/// A lane can go on after its member was removed. Its refused part may build on entries that no
/// admitted entry builds on. So these entries count as ends too.
fn ends(tally: &Tally) -> Vec<EntryIndex> {
    let (dag, admission) = (tally.dag(), Admission::of(tally));
    let (ends, mut refused): (Vec<_>, Vec<_>) =
        dag.childless().partition(|tip| admission.admits(*tip));
    let mut visited: BTreeSet<EntryIndex> = refused.iter().copied().collect();
    let mut below = BTreeSet::new();
    while let Some(index) = refused.pop() {
        for parent in &dag.entry(index).parents {
            if !visited.insert(*parent) {
                continue;
            }
            if admission.admits(*parent) {
                below.insert(*parent);
            } else {
                refused.push(*parent);
            }
        }
    }
    let is_known = |index: &EntryIndex| {
        ends.iter()
            .chain(&below)
            .any(|end| end != index && dag.reaches(*index, *end))
    };
    let new: Vec<_> = below
        .iter()
        .copied()
        .filter(|index| !is_known(index))
        .collect();
    [ends, new].concat()
}
