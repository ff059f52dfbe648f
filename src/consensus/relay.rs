//! Relaying between remotes: which entries of others a member copies from one remote to another.
//! Pure functions. Knows neither refs nor remotes.

use std::collections::BTreeMap;

use super::admission::Admission;
use super::parents::own_tips;
use super::tally::Tally;
use crate::charter::MemberName;
use crate::ledger::{Dag, EntryIndex};

/// The last entry of each lane that a remote has. `None` if that entry is not known here.
pub type ShownLanes = BTreeMap<MemberName, Option<EntryIndex>>;

/// Returns the last entries of the lanes of others that a remote lacks.
///
/// A lane is left out if another lane that the remote has builds on all of it. It is left out if
/// the remote's lane does not lead to it. A forked lane is left out too, because only its owner may
/// join it.
pub fn lanes_to_relay(tally: &Tally, member: &MemberName, shown: &ShownLanes) -> Vec<EntryIndex> {
    let (dag, admission) = (tally.dag(), Admission::of(tally));
    let mut ends: Vec<_> = shown.values().copied().flatten().collect();
    let mut lacking = Vec::new();
    for other in dag.authors().filter(|other| *other != member) {
        let [tip] = own_tips(tally, other)[..] else {
            continue;
        };
        let goes_on = match shown.get(other) {
            None => true,
            Some(None) => false,
            Some(Some(end)) => dag.reaches(*end, tip),
        };
        let is_genesis = dag.entry(tip).id == dag.ledger();
        if goes_on && !is_genesis && !leads_to(dag, &ends, tip) && admission.admits(tip) {
            lacking.push(tip);
            ends.push(tip);
        }
    }
    lacking
}

/// Returns whether one of these entries is the entry or builds on it.
pub fn leads_to(dag: &Dag, ends: &[EntryIndex], entry: EntryIndex) -> bool {
    ends.iter().any(|end| dag.reaches(entry, *end))
}
