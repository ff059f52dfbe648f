//! Proofs of faults: a Git bundle with the entries that convict a member, and all that they build on, and nothing
//! else (`ledger-spec/faults.md`). What a proof shows is computed from its entries; nothing in it is believed. Does
//! not know where it is kept or how it is printed.

use std::collections::{BTreeMap, BTreeSet};

use crate::consensus::{Fault, Tally};
use crate::id::{EntryId, Oid};
use crate::ledger::{ParsedEntry, Reject, parse};
use crate::repo::{Bundle, BundleError, Objects, RepoError, commit_id};

/// Where the genesis stands in a proof; the entries that convict stand beside it, as `1` and `2`.
const GENESIS: &str = "refs/quorum-proof/genesis";
/// What the names of its refs begin with.
const PREFIX: &str = "refs/quorum-proof/";

/// Bytes of a proof that is looked at.
pub const PROOF_BYTES: usize = 1 << 27;
/// Bytes that it may take to keep what its entries know of each other. The entries of an honest member take less than
/// their own bytes; small ones that join many forks can take a thousand times as much. Whoever makes a proof has judged
/// these entries before, and sets no bound.
pub const KNOWING_BYTES: usize = 1 << 29;

/// Why a file proves nothing, or no proof was made.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It is no bundle that a proof can be.
    #[error("this is no proof: {0}")]
    Bundle(#[from] BundleError),
    /// It is too long to be looked at, or would be.
    #[error("a proof has at most {PROOF_BYTES} bytes")]
    TooLarge,
    /// To check it would take more memory than a file from a stranger gets.
    #[error(
        "this is not looked at: its entries join so many forks that it would take more than {0} bytes to keep what they know"
    )]
    TooDear(usize),
    /// Its refs are others.
    #[error("this is no proof: its refs are not {GENESIS} and {PREFIX}1, or these and {PREFIX}2")]
    Refs,
    /// A ref leads to something that it does not hold.
    #[error("this is no proof: it does not hold {0}")]
    Missing(String),
    /// It holds a commit that is no entry of its ledger.
    #[error("this is no proof: commit {oid} is no entry of the ledger: {reject}")]
    NoEntry {
        /// The commit.
        oid: Oid,
        /// What is wrong with it.
        reject: Reject,
    },
    /// It holds more than the entries and what they build on.
    #[error("this is no proof: commit {0} is nothing that its entries build on")]
    Extra(Oid),
    /// Its charters ask for rules that are not known here.
    #[error(
        "the ledger has moved on to format version {0}: this git-quorum knows version 1 and gives no verdict"
    )]
    UpgradeNeeded(u64),
    /// Its entries convict nobody.
    #[error("nothing is proved: its entries are well formed, and convict nobody")]
    Nothing,
    /// The repository could not be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
}

/// What a proof shows.
#[derive(Debug)]
pub struct Proof {
    /// The entries in it, judged.
    pub tally: Tally,
    /// Of what their votes convict their author: at least one fault.
    pub faults: Vec<Fault>,
}

/// The bytes of a proof of this fault, checked as a stranger will, but for the bound of memory.
pub fn prove(tally: &Tally, objects: &Objects, fault: &Fault) -> Result<Vec<u8>, ProofError> {
    let dag = tally.dag();
    let genesis = dag.find(dag.ledger()).map(|index| dag.entry(index).oid);
    let genesis = genesis.ok_or_else(|| ProofError::Missing("the genesis".to_owned()))?;
    let mut refs = Vec::new();
    for said in &fault.votes {
        if refs.iter().all(|(_, commit)| *commit != said.commit) {
            refs.push((format!("{PREFIX}{}", refs.len() + 1), said.commit));
        }
    }
    refs.push((GENESIS.to_owned(), genesis));
    let commits = closure(refs.iter().map(|(_, commit)| *commit).collect(), |oid| {
        Ok(objects.parents(oid)?)
    })?;
    let bytes = objects
        .repo()
        .bundle(&refs, commits.into_iter().chain([Oid::EMPTY_TREE]))?;
    let convicts = check_within(&bytes, usize::MAX)?
        .faults
        .iter()
        .any(|found| found.id == fault.id);
    if convicts {
        Ok(bytes)
    } else {
        Err(ProofError::Nothing)
    }
}

/// These commits, and all that they build on.
fn closure(
    mut pending: Vec<Oid>,
    parents: impl Fn(Oid) -> Result<Vec<Oid>, ProofError>,
) -> Result<BTreeSet<Oid>, ProofError> {
    let mut found = BTreeSet::new();
    while let Some(oid) = pending.pop() {
        if found.insert(oid) {
            pending.extend(parents(oid)?);
        }
    }
    Ok(found)
}

/// What the bytes of a file prove. A failure says why they prove nothing.
pub fn check(bytes: &[u8]) -> Result<Proof, ProofError> {
    check_within(bytes, KNOWING_BYTES)
}

/// The same, with another bound than [`KNOWING_BYTES`].
pub fn check_within(bytes: &[u8], knowing: usize) -> Result<Proof, ProofError> {
    if bytes.len() > PROOF_BYTES {
        return Err(ProofError::TooLarge);
    }
    let Bundle { mut refs, commits } = Bundle::read(bytes)?;
    let genesis = refs.remove(GENESIS).ok_or(ProofError::Refs)?;
    let names: Vec<_> = refs
        .keys()
        .map(|name| name.strip_prefix(PREFIX).unwrap_or_default())
        .collect();
    if names != ["1"] && names != ["1", "2"] {
        return Err(ProofError::Refs);
    }
    let entries = parse_all(commits)?;
    let parents = |oid: Oid| {
        let entry = entries
            .get(&oid)
            .ok_or_else(|| ProofError::Missing(format!("commit {oid}")))?;
        Ok(entry.parents.clone())
    };
    let needed = closure(refs.values().copied().chain([genesis]).collect(), parents)?;
    if let Some(extra) = entries.keys().find(|oid| !needed.contains(oid)) {
        return Err(ProofError::Extra(*extra));
    }
    let tally = judge(genesis, entries, knowing)?;
    if let Some(version) = tally.upgrade_needed() {
        return Err(ProofError::UpgradeNeeded(version));
    }
    let named: BTreeSet<EntryId> = refs
        .values()
        .filter_map(|oid| Some(tally.dag().entry(tally.dag().find_oid(*oid)?).id))
        .collect();
    let faults = tally.faults_in(&named);
    if faults.is_empty() {
        Err(ProofError::Nothing)
    } else {
        Ok(Proof { tally, faults })
    }
}

/// The commits by their ids, each of which has the form of an entry.
fn parse_all(commits: Vec<Vec<u8>>) -> Result<BTreeMap<Oid, ParsedEntry>, ProofError> {
    let mut entries = BTreeMap::new();
    for raw in commits {
        let oid = commit_id(&raw)?;
        entries.insert(
            oid,
            parse(&raw).map_err(|reject| ProofError::NoEntry { oid, reject })?,
        );
    }
    Ok(entries)
}

/// The tally of these entries, each taken in after its parents with every check.
fn judge(
    genesis: Oid,
    mut entries: BTreeMap<Oid, ParsedEntry>,
    knowing: usize,
) -> Result<Tally, ProofError> {
    let first = entries
        .remove(&genesis)
        .ok_or_else(|| ProofError::Missing("the genesis".to_owned()))?;
    let refused = |oid| move |reject| ProofError::NoEntry { oid, reject };
    let mut tally = Tally::found(first, genesis).map_err(refused(genesis))?;
    let mut children: BTreeMap<Oid, Vec<Oid>> = BTreeMap::new();
    let mut missing: BTreeMap<Oid, usize> = BTreeMap::new();
    for (oid, entry) in &entries {
        let parents: BTreeSet<_> = entry
            .parents
            .iter()
            .filter(|parent| **parent != genesis)
            .collect();
        missing.insert(*oid, parents.len());
        parents
            .into_iter()
            .for_each(|parent| children.entry(*parent).or_default().push(*oid));
    }
    let mut ready: Vec<_> = missing
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(oid, _)| *oid)
        .collect();
    while let Some(oid) = ready.pop() {
        let Some(entry) = entries.remove(&oid) else {
            continue;
        };
        tally.insert(entry, oid).map_err(refused(oid))?;
        if tally.dag().knowing_cost() > knowing {
            return Err(ProofError::TooDear(knowing));
        }
        for child in children.remove(&oid).into_iter().flatten() {
            let Some(count) = missing.get_mut(&child) else {
                continue;
            };
            *count = count.saturating_sub(1);
            if *count == 0 {
                ready.push(child);
            }
        }
    }
    Ok(tally)
}
