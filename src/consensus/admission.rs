//! Admission: which entries are still admitted under the charter in force. The necessary data is
//! computed once for any number of entries. Knows neither refs nor remotes.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::tally::Tally;
use crate::charter::{Charter, MemberName};
use crate::id::EntryId;
use crate::ledger::{Dag, EntryIndex};

/// Checks whether entries are still admitted.
pub struct Admission<'a> {
    tally: &'a Tally,
    /// The last admitted entries of each former member. Computed on first use.
    lasts: OnceCell<BTreeMap<&'a MemberName, Vec<EntryIndex>>>,
}

impl<'a> Admission<'a> {
    /// Returns the admission under the charter in force of this tally.
    pub fn of(tally: &'a Tally) -> Self {
        Self {
            tally,
            lasts: OnceCell::new(),
        }
    }

    /// Returns whether an entry is still admitted.
    ///
    /// Every entry of a member is admitted. An entry of a former member is admitted if the last
    /// entry that the removal names is this entry or builds on it. The same holds for a vote of the
    /// former member that a decision needs.
    pub fn admits(&self, index: EntryIndex) -> bool {
        let dag = self.tally.dag();
        let author = &dag.entry(index).member;
        let in_force = dag.charter(self.tally.charter_in_force());
        if in_force.is_none_or(|node| {
            node.charter
                .removed()
                .iter()
                .all(|removal| removal.name != *author)
        }) {
            return true;
        }
        let lasts = self.lasts.get_or_init(|| lasts(self.tally)).get(author);
        lasts
            .into_iter()
            .flatten()
            .any(|last| dag.reaches(index, *last))
    }
}

fn lasts(tally: &Tally) -> BTreeMap<&MemberName, Vec<EntryIndex>> {
    let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let Some(node) = tally.dag().charter(tally.charter_in_force()) else {
        return BTreeMap::new();
    };
    for removal in node.charter.removed() {
        named
            .entry(&removal.name)
            .or_insert_with(|| removal.last.into_iter().collect());
    }
    add_needed_votes(tally, &node.charter, &mut named);
    let dag = tally.dag();
    let found =
        |ids: Vec<EntryId>| latest(dag, ids.into_iter().filter_map(|id| dag.find(id)).collect());
    named
        .into_iter()
        .map(|(member, ids)| (member, found(ids)))
        .collect()
}

/// Adds the precommits of former members that decisions need, because too few of the remaining
/// members precommitted. Without these precommits a clone would not know the decision. Then nothing
/// that builds on the decision would count in that clone.
fn add_needed_votes(
    tally: &Tally,
    charter: &Charter,
    named: &mut BTreeMap<&MemberName, Vec<EntryId>>,
) {
    for decision in tally
        .proposals()
        .filter_map(|proposal| tally.decision(proposal.id))
    {
        let Some(under) = tally.dag().charter(decision.charter) else {
            continue;
        };
        let staying = decision
            .precommits
            .keys()
            .filter(|member| charter.member(member).is_some())
            .count();
        if staying < under.charter.threshold().q {
            for (member, entry) in &decision.precommits {
                named
                    .get_mut(member)
                    .into_iter()
                    .for_each(|ids| ids.push(*entry));
            }
        }
    }
}

/// Returns the entries that no other one of them builds on. For a lane without forks, this is the
/// last one.
fn latest(dag: &Dag, mut entries: Vec<EntryIndex>) -> Vec<EntryIndex> {
    // An entry builds on no entry that comes before it in this order.
    entries.sort_unstable_by(|a, b| b.cmp(a));
    let mut latest: Vec<EntryIndex> = Vec::new();
    for entry in entries {
        if !latest.iter().any(|later| dag.reaches(entry, *later)) {
            latest.push(entry);
        }
    }
    latest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Oid;
    use crate::ledger::parse;
    use crate::ledger::testing::signed_line;

    #[test]
    fn of_a_lane_only_the_last_entry_is_kept() {
        let mut commits = Vec::new();
        signed_line(50, None, |raw| {
            let oid = Oid::new([commits.len() as u8; 20]);
            commits.push((parse(raw).unwrap(), oid));
            oid
        });
        let mut commits = commits.into_iter();
        let (genesis, oid) = commits.next().unwrap();
        let mut tally = Tally::found(genesis, oid).unwrap();
        let all: Vec<_> = commits
            .map(|(entry, oid)| tally.insert(entry, oid).unwrap())
            .collect();
        let last = *all.last().unwrap();
        assert_eq!(latest(tally.dag(), all), [last]);
    }
}
