//! Makes and checks proofs of faults (`ledger-spec/faults.md`). A proof is a Git bundle with the
//! entries that convict a member, all their ancestors, and nothing else. The checker computes the
//! fault from these entries and believes nothing else in the file. Does not know where a proof is
//! stored or how it is printed.

use std::collections::{BTreeMap, BTreeSet};

use crate::consensus::{Fault, Tally};
use crate::id::{EntryId, Oid};
use crate::ledger::{ParsedEntry, Reject, parse};
use crate::repo::{Bundle, BundleError, Objects, RepoError, commit_id};

/// The ref of the genesis in a proof. The entries that convict have refs named `1` and `2` beside
/// it.
const GENESIS: &str = "refs/quorum-proof/genesis";
/// The prefix of all refs in a proof.
const PREFIX: &str = "refs/quorum-proof/";

/// The largest size of a proof, in bytes. The checker refuses larger files.
pub const PROOF_BYTES: usize = 1 << 27;
/// The largest memory for what the entries of a proof know of each other, in bytes. The entries of
/// an honest member need less than their own size. Small entries that join many forks can need a
/// thousand times as much. Making a proof has no such bound, because its entries were judged
/// before.
pub const KNOWING_BYTES: usize = 1 << 29;

/// Why a file proves nothing, or why no proof was made.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The file is not a bundle in the form of a proof.
    #[error("this is no proof: {0}")]
    Bundle(#[from] BundleError),
    /// The proof exceeds the size limit.
    #[error("a proof has at most {PROOF_BYTES} bytes")]
    TooLarge,
    /// Checking the proof would exceed the memory limit.
    #[error(
        "this is not looked at: its entries join so many forks that it would take more than {0} bytes to keep what they know"
    )]
    TooDear(usize),
    /// The bundle does not have exactly the refs of a proof.
    #[error("this is no proof: its refs are not {GENESIS} and {PREFIX}1, or these and {PREFIX}2")]
    Refs,
    /// A ref leads to an object that the bundle does not hold.
    #[error("this is no proof: it does not hold {0}")]
    Missing(String),
    /// The bundle holds a commit that is not an entry of its ledger.
    #[error("this is no proof: commit {oid} is no entry of the ledger: {reject}")]
    NoEntry {
        /// The commit.
        oid: Oid,
        /// Why the commit is not an entry.
        reject: Reject,
    },
    /// The bundle holds a commit that is neither an entry that convicts nor an ancestor.
    #[error("this is no proof: commit {0} is nothing that its entries build on")]
    Extra(Oid),
    /// The ledger decided to use a format version that this program does not know.
    #[error(
        "the ledger has moved on to format version {0}: this git-quorum knows version 1 and gives no verdict"
    )]
    UpgradeNeeded(u64),
    /// The entries convict nobody.
    #[error("nothing is proved: its entries are well formed, and convict nobody")]
    Nothing,
    /// The repository could not be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
}

/// The content of a checked proof.
#[derive(Debug)]
pub struct Proof {
    /// The entries of the proof and their verdicts.
    pub tally: Tally,
    /// The faults of which the votes convict their author. Holds at least one.
    pub faults: Vec<Fault>,
}

/// Makes a proof of this fault, and returns its bytes. Checks the proof as a stranger does, but
/// without the memory limit.
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

/// Returns these commits and all their ancestors.
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

/// Checks a proof and returns what it shows. The error says why the file proves nothing.
pub fn check(bytes: &[u8]) -> Result<Proof, ProofError> {
    check_within(bytes, KNOWING_BYTES)
}

/// Checks a proof with another memory limit than [`KNOWING_BYTES`].
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

/// Parses these commits as entries, and returns them by commit id.
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

/// Returns the tally of these entries. Adds each one after its parents, with every check.
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
