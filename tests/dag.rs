//! "Is an ancestor of" against its definition, on random ledgers with forks, in any order of arrival.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "common/lab.rs"]
mod lab;
#[path = "common/rng.rs"]
mod rng;

use std::collections::{BTreeMap, BTreeSet};

use git_quorum::charter::FORMAT_VERSION;
use git_quorum::consensus::Tally;
use git_quorum::id::EntryId;
use git_quorum::ledger::{Dag, GenesisPayload, Place, encode_genesis, parse};
use lab::*;
use rng::{Rng, cases};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

type Ancestors = BTreeMap<EntryId, BTreeSet<EntryId>>;

/// Entries without statements: mostly above the lane's tip, sometimes a fork, sometimes a join.
fn random(rng: &mut Rng) -> (Lab, Ancestors) {
    let mut lab = Lab::new(&NAMES);
    let mut ancestors = Ancestors::from([(lab.ledger, BTreeSet::new())]);
    let (forks, size) = (rng.pick(&[0, 10, 50]), 10 + rng.below(30));
    for _ in 0..size {
        let member = rng.pick(&NAMES);
        let parents = parents(&lab, rng, member, forks);
        let entry = lab.entry(member, lab.ledger, &parents, vec![]);
        let mut above: BTreeSet<_> = parents
            .iter()
            .flat_map(|p| ancestors[p].iter().copied())
            .collect();
        above.extend(parents);
        ancestors.insert(entry, above);
    }
    (lab, ancestors)
}

fn parents(lab: &Lab, rng: &mut Rng, member: &str, forks: usize) -> Vec<EntryId> {
    let dag = lab.tally.dag();
    let author = |id: &EntryId| dag.entry(dag.find(*id).unwrap()).member == name(member);
    let all: Vec<_> = lab.made.iter().map(|m| m.id).collect();
    let own: Vec<_> = all
        .iter()
        .copied()
        .filter(|id| *id != lab.ledger && author(id))
        .collect();
    let first = match rng.chance(forks) {
        true if !own.is_empty() && rng.chance(80) => rng.pick(&own),
        true => lab.ledger,
        false => lab.tip(member),
    };
    let mut parents = vec![first];
    for _ in 0..rng.below(4) {
        let other = rng.pick(&all);
        let fits = first != lab.ledger || !own.contains(&other);
        if fits && !parents.contains(&other) {
            parents.push(other);
        }
    }
    parents
}

fn check(dag: &Dag, ancestors: &Ancestors, seed: u64) {
    let entries: Vec<_> = dag.entries().map(|(index, e)| (index, e.id)).collect();
    for (above, above_id) in &entries {
        for (below, below_id) in &entries {
            let expected = above_id == below_id || ancestors[above_id].contains(below_id);
            assert_eq!(
                dag.reaches(*below, *above),
                expected,
                "seed {seed}: {below_id:?} below {above_id:?}"
            );
            let is_new = |index: &_| dag.reaches(*index, *above) && !dag.reaches(*index, *below);
            let added = entries
                .iter()
                .map(|(index, _)| *index)
                .filter(is_new)
                .collect();
            assert_eq!(
                dag.added(*above, Some(*below)),
                added,
                "seed {seed}: {above_id:?} without {below_id:?}"
            );
        }
        assert!(
            dag.added(*above, None).iter().eq(entries
                .iter()
                .map(|(i, _)| i)
                .filter(|i| dag.reaches(**i, *above)))
        );
    }
    let parents: BTreeSet<_> = dag.entries().flat_map(|(_, e)| e.parents.clone()).collect();
    let childless: BTreeSet<_> = dag.childless().collect();
    assert!(
        dag.entries()
            .all(|(i, _)| childless.contains(&i) != parents.contains(&i)),
        "seed {seed}: childless"
    );
    for member in NAMES.map(name) {
        let own = |i: &_| dag.entry(*i).seq > 0 && dag.entry(*i).member == member;
        let has_own_child: BTreeSet<_> = dag
            .entries()
            .filter(|(i, _)| own(i))
            .flat_map(|(_, e)| e.parents.clone())
            .collect();
        let tips: BTreeSet<_> = dag
            .entries()
            .map(|(i, _)| i)
            .filter(|i| own(i) && !has_own_child.contains(i))
            .collect();
        assert_eq!(
            dag.tips(&member).into_iter().collect::<BTreeSet<_>>(),
            tips,
            "seed {seed}: tips of {member}"
        );
    }
}

/// What several statements all know is what each of them knows.
fn check_common(dag: &Dag, rng: &mut Rng, seed: u64) {
    let entries: Vec<_> = dag.entries().map(|(index, _)| index).skip(1).collect();
    let place = |entry, statement| Place { entry, statement };
    for _ in 0..10 {
        let some: Vec<_> = (0..1 + rng.below(4))
            .map(|_| place(rng.pick(&entries), rng.below(3)))
            .collect();
        let common = dag.common(some.iter().copied());
        for below in entries
            .iter()
            .flat_map(|entry| (0..3).map(|number| place(*entry, number)))
        {
            let expected = some.iter().all(|above| dag.precedes(below, *above));
            assert_eq!(
                dag.is_common(below, &common),
                expected,
                "seed {seed}: {below:?} below {some:?}"
            );
        }
    }
}

/// `DAG_CASES=1000 cargo test --test dag` runs more.
#[test]
fn reaches_is_the_closure_of_the_parents_in_any_order_of_arrival() {
    for seed in 0..cases("DAG_CASES", 60) {
        let mut rng = Rng::new(seed);
        let (lab, ancestors) = random(&mut rng);
        check(lab.tally.dag(), &ancestors, seed);
        let mut other = Tally::found(parse(&lab.made[0].raw).unwrap(), lab.made[0].oid).unwrap();
        let mut waiting: Vec<_> = lab.made[1..]
            .iter()
            .map(|m| (parse(&m.raw).unwrap(), m.oid))
            .collect();
        while !waiting.is_empty() {
            rng.shuffle(&mut waiting);
            waiting.retain(|(entry, oid)| other.insert_checked(entry.clone(), *oid).is_err());
        }
        check(other.dag(), &ancestors, seed);
        check_common(other.dag(), &mut rng, seed);
    }
}

#[test]
fn the_genesis_entry_taken_in_again_changes_nothing() {
    let mut lab = Lab::new(&NAMES);
    let genesis = lab.made[0].clone();
    let index = lab
        .tally
        .insert(parse(&genesis.raw).unwrap(), genesis.oid)
        .unwrap();
    assert_eq!(lab.tally.dag().entry(index).id, lab.ledger);
    assert_eq!(lab.tally.dag().entries().len(), 1);
    // The same signed bytes with a good signature by another member's key are no genesis.
    let payload = GenesisPayload {
        charter: charter(&NAMES),
        member: name("a"),
        v: FORMAT_VERSION,
    };
    let unsigned = encode_genesis(&payload, 1_700_000_000).unwrap();
    assert_eq!(unsigned.id, lab.ledger);
    let forged = sign(&unsigned, "b");
    let refused = lab
        .tally
        .insert(parse(&forged).unwrap(), oid_of(&forged))
        .unwrap_err();
    assert_eq!(refused.reason.code(), "BAD_GENESIS");
}
