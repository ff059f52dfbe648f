//! Reads a ledger. The walk goes from the tips of the lanes down to known entries, then adds each
//! entry after its parents. A bad entry excludes only the entries that build on it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::cache::{Trust, VerifiedCache};
use super::snapshot::{self, Snapshot};
use crate::charter::MemberName;
use crate::consensus::Tally;
use crate::id::{Digest, EntryId, Oid};
use crate::ledger::{
    Dag, EntryIndex, LedgerRefs, ParsedEntry, Reject, RejectReason, limits, parse, parse_again,
};
use crate::repo::{ObjectKind, Objects, Repo, RepoError, Watcher};

/// Why a ledger cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The repository could not be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The repository has no ledger.
    #[error("no ledger here")]
    NoLedger,
    /// The repository has several ledgers, and none is pinned.
    #[error("several ledgers here: {}; name one", list(.0))]
    Several(Vec<EntryId>),
    /// The genesis ref does not hold the expected ledger.
    #[error("the genesis entry of ledger {ledger} is not what it should be: {why}")]
    Genesis {
        /// The id of the expected ledger.
        ledger: String,
        /// What is wrong.
        why: String,
    },
    /// The ledger decided to use a format version that this program does not know.
    #[error(
        "the ledger has moved on to format version {0}: this git-quorum knows version 1 and gives no verdict"
    )]
    UpgradeNeeded(u64),
}

fn list(ids: &[EntryId]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A lane ref that does not lead to a well-formed entry of its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneProblem {
    /// The ref.
    pub name: String,
    /// What it leads to.
    pub oid: Oid,
    /// Why the first bad entry is not well formed.
    pub reject: Reject,
    /// The commit of the bad entry: the tip or one of its ancestors.
    pub culprit: Oid,
    /// The last well-formed entry below the tip, along first parents.
    pub last_good: Option<EntryId>,
}

/// A ledger that was read and judged.
pub struct Loaded {
    /// All well-formed entries and their verdicts.
    pub tally: Tally,
    /// Its refs.
    pub refs: LedgerRefs,
    /// The values of the ledger's refs, by ref name.
    pub tips: BTreeMap<String, Oid>,
    /// Lanes that do not lead to well-formed entries of their owners.
    pub problems: Vec<LaneProblem>,
    rejected: HashMap<Oid, (Reject, Oid)>,
    /// How many more bytes of entries may be read.
    room: Room,
    objects: Objects,
    cache: VerifiedCache,
    watcher: Watcher,
}

/// The result of a refresh.
#[derive(Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// All entries of the refs are in the ledger.
    All,
    /// The new entries exceed the budget.
    TooMuch,
    /// The refs no longer lead to every entry that they led to before.
    WentBack,
    /// A lane does not lead to a well-formed entry of its owner.
    Damaged(LaneProblem),
}

/// Returns the ids of the ledgers whose genesis is in this repository.
pub fn find_ledgers(repo: &Repo) -> Result<Vec<EntryId>, RepoError> {
    let objects = repo.objects()?;
    let mut found = Vec::new();
    for (name, oid) in repo.list(&["refs/quorum/"])? {
        if name.ends_with("/genesis") {
            let raw = read_entry(&objects, oid)?;
            let genesis = raw
                .and_then(|raw| parse(&raw))
                .ok()
                .filter(ParsedEntry::is_genesis);
            found.extend(
                genesis
                    .map(|g| g.id)
                    .filter(|id| LedgerRefs::of(*id).genesis() == name),
            );
        }
    }
    Ok(found)
}

/// Reads the ledger with this id.
pub fn load(repo: &Repo, ledger: EntryId, trust: Trust) -> Result<Loaded, LoadError> {
    let tips = repo.list(&[LedgerRefs::of(ledger).prefix()])?;
    let genesis = *tips
        .get(&LedgerRefs::of(ledger).genesis())
        .ok_or(LoadError::NoLedger)?;
    load_above(repo, ledger, (genesis, tips), trust)
}

/// Reads the ledger with this id from its genesis commit, which no ref holds yet.
pub fn load_from_genesis(
    repo: &Repo,
    ledger: EntryId,
    genesis: Oid,
    trust: Trust,
) -> Result<Loaded, LoadError> {
    let tips = repo.list(&[LedgerRefs::of(ledger).prefix()])?;
    load_above(repo, ledger, (genesis, tips), trust)
}

fn load_above(
    repo: &Repo,
    ledger: EntryId,
    (genesis, tips): (Oid, BTreeMap<String, Oid>),
    trust: Trust,
) -> Result<Loaded, LoadError> {
    let known = match trust
        .reads()
        .then(|| Snapshot::read(repo.git_dir(), ledger))
        .flatten()
    {
        Some(snapshot) => extend(repo, snapshot, (genesis, &tips), trust)?,
        None => None,
    };
    let (mut loaded, new) = match known {
        Some(extended) => extended,
        None => read_whole(repo, ledger, (genesis, tips), trust)?,
    };
    if let Some(version) = loaded.tally.upgrade_needed() {
        return Err(LoadError::UpgradeNeeded(version));
    }
    let is_plain = loaded.problems.is_empty() && !loaded.tally.dag().has_doubles();
    let is_due = new >= WORTH_A_SNAPSHOT && trust.writes() && is_plain;
    if is_due && snapshot::save(repo.git_dir(), loaded.covered(), &loaded.tally) {
        loaded.cache.clear();
    }
    Ok(loaded)
}

/// Reads and judges all entries. Also returns their number.
fn read_whole(
    repo: &Repo,
    ledger: EntryId,
    (genesis, tips): (Oid, BTreeMap<String, Oid>),
    trust: Trust,
) -> Result<(Loaded, usize), LoadError> {
    let objects = repo.objects()?;
    let wrong = |why: String| LoadError::Genesis {
        ledger: ledger.to_string(),
        why,
    };
    let parsed = read_entry(&objects, genesis)?
        .and_then(|raw| parse(&raw))
        .map_err(|e| wrong(e.to_string()))?;
    if parsed.id != ledger {
        return Err(wrong(format!("it is {}", parsed.id)));
    }
    let tally = Tally::found(parsed, genesis).map_err(|e| wrong(e.to_string()))?;
    let mut loaded = Loaded::new(repo, (tally, tips), objects, trust);
    loaded.load_all_lanes()?;
    let entries = loaded.tally.dag().entries().len();
    Ok((loaded, entries))
}

/// Adds the entries that are newer than the snapshot, and counts them. Returns `None` if the refs
/// no longer lead to some entry of the snapshot, because the snapshot would then show more than the
/// refs do.
fn extend(
    repo: &Repo,
    snapshot: Snapshot,
    (genesis, tips): (Oid, &BTreeMap<String, Oid>),
    trust: Trust,
) -> Result<Option<(Loaded, usize)>, LoadError> {
    let Snapshot {
        tips: covered,
        tally,
    } = snapshot;
    let before = tally.dag().entries().len();
    let mut loaded = Loaded::new(repo, (tally, tips.clone()), repo.objects()?, trust);
    if covered.get(&loaded.refs.genesis()) != Some(&genesis) {
        return Ok(None);
    }
    loaded.load_all_lanes()?;
    let new = loaded.tally.dag().entries().len().saturating_sub(before);
    Ok(loaded.holds(&covered)?.then_some((loaded, new)))
}

/// An entry that is not in the ledger yet.
struct Unknown {
    oid: Oid,
    entry: ParsedEntry,
    /// The size of the entry in bytes.
    size: usize,
    /// The digest of the entry's bytes.
    digest: Digest,
}

/// A step that remains on the way down a ledger and up again.
enum Pending {
    /// Open this commit.
    Named(Oid),
    /// Add this entry after its parents.
    Parsed(Box<Unknown>),
    /// Add the entry of this commit after its parents. Its bytes must be read again.
    Again(Oid),
}

/// The largest number of entry bytes held in memory while ancestors are read. Anybody can offer a
/// long line of large entries, and signatures can only be checked from its far end. Entries beyond
/// this limit are read twice.
const HELD_BYTES: usize = if cfg!(test) { 1 << 12 } else { 1 << 26 };

/// The number of new entries that justify a new snapshot. About here, reading them on each run
/// costs as much as writing a snapshot once.
const WORTH_A_SNAPSHOT: usize = 64;

/// The number of entry bytes whose signatures are checked together, on several threads.
const BATCH_BYTES: usize = 1 << 23;

/// The budget for new entries, in bytes. No limit applies if `left` is `None`. A budget that
/// reaches zero counts as exceeded.
#[derive(Debug, Clone, Copy, Default)]
struct Room {
    left: Option<usize>,
    measure: Measure,
}

/// What an entry costs, if that is more than its bytes.
#[derive(Debug, Clone, Copy, Default)]
enum Measure {
    /// The memory for the set of entries that it builds on.
    #[default]
    Memory,
    /// The time to compute that set.
    Time,
}

impl Room {
    fn of(bytes: usize, measure: Measure) -> Self {
        Self {
            left: Some(bytes),
            measure,
        }
    }

    fn take(&mut self, bytes: usize) {
        self.left = self.left.map(|left| left.saturating_sub(bytes));
    }

    fn is_used_up(self) -> bool {
        self.left == Some(0)
    }

    /// The total cost of entries so far, apart from their bytes.
    fn cost(self, dag: &Dag) -> usize {
        match self.measure {
            Measure::Memory => dag.knowing_cost(),
            Measure::Time => dag.looking_cost(),
        }
    }
}

/// The remaining work for one tip.
struct Descent {
    pending: Vec<Pending>,
    opened: HashSet<Oid>,
    /// The bytes of the entries in `pending`.
    held: usize,
    /// The entries to add next, parents first.
    batch: Vec<Unknown>,
    /// The bytes of the batch.
    batched: usize,
    /// The number of entries added so far.
    judged: usize,
}

/// Checks the signatures of these entries on all processors.
fn check_ahead(mut entries: Vec<&mut ParsedEntry>) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // A smaller share takes less time than starting a thread.
    let share = entries.len().div_ceil(threads).max(16);
    std::thread::scope(|scope| {
        for part in entries.chunks_mut(share) {
            scope.spawn(|| part.iter_mut().for_each(|entry| entry.check_ahead()));
        }
    });
}

/// Reads the raw bytes of a possible entry.
fn read_entry(objects: &Objects, oid: Oid) -> Result<Result<Vec<u8>, Reject>, RepoError> {
    match objects.read_header(oid)? {
        Some((ObjectKind::Commit, size)) if size <= limits::ENTRY_BYTES as u64 => {}
        Some((ObjectKind::Commit, size)) => {
            return Ok(Err(Reject::new(
                RejectReason::TooLarge,
                format!("{size} bytes"),
            )));
        }
        Some(_) => {
            return Ok(Err(Reject::new(
                RejectReason::NotACommit,
                format!("object {oid}"),
            )));
        }
        None => {
            return Ok(Err(Reject::new(
                RejectReason::NotACommit,
                format!("object {oid} is missing"),
            )));
        }
    }
    let object = objects.read(oid)?;
    Ok(object
        .map(|o| o.data)
        .ok_or_else(|| Reject::new(RejectReason::NotACommit, format!("object {oid} is missing"))))
}

impl Descent {
    fn batch(&mut self, unknown: Option<Unknown>) {
        self.batched += unknown.as_ref().map_or(0, |u| u.size);
        self.batch.extend(unknown);
    }
}

impl Loaded {
    fn new(
        repo: &Repo,
        (tally, tips): (Tally, BTreeMap<String, Oid>),
        objects: Objects,
        trust: Trust,
    ) -> Self {
        let refs = LedgerRefs::of(tally.dag().ledger());
        let cache = VerifiedCache::open(repo.git_dir(), trust);
        let (problems, rejected, watcher) = (Vec::new(), HashMap::new(), repo.watcher().clone());
        Self {
            tally,
            refs,
            tips,
            problems,
            rejected,
            room: Room::default(),
            objects,
            cache,
            watcher,
        }
    }

    /// Returns the refs that hold the added entries.
    pub(super) fn covered(&self) -> BTreeMap<String, Oid> {
        let covers =
            |name: &String| *name == self.refs.genesis() || self.refs.owner(name).is_some();
        self.tips
            .iter()
            .filter(|(name, _)| covers(name))
            .map(|(name, oid)| (name.clone(), *oid))
            .collect()
    }

    /// Returns whether the refs still lead to every entry of these earlier values. A ref that moved
    /// forward, or another ref that covers the entry, also counts.
    fn holds(&self, covered: &BTreeMap<String, Oid>) -> Result<bool, RepoError> {
        let dag = self.tally.dag();
        // If two commits hold one entry, the refs may now hold the other commit.
        if dag.has_doubles() {
            return Ok(false);
        }
        let now: Vec<_> = self
            .covered()
            .values()
            .filter_map(|oid| dag.find_oid(*oid))
            .collect();
        for (name, oid) in covered {
            let Some(tip) = dag.find_oid(*oid) else {
                return Ok(false);
            };
            let same = self.tips.get(name).and_then(|oid| dag.find_oid(*oid));
            let is_held = same.iter().chain(&now).any(|now| dag.reaches(tip, *now));
            if !is_held || !self.objects.contains(*oid)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn load_all_lanes(&mut self) -> Result<(), LoadError> {
        for (name, oid) in self.tips.clone() {
            let Some(owner) = self.refs.owner(&name) else {
                continue;
            };
            if let Err(problem) = self.load_lane(&name, oid, &owner)? {
                self.problems.push(problem);
            }
        }
        self.cache.save();
        Ok(())
    }

    /// Adds the entries that the ledger's refs lead to now. They go into this ledger and into
    /// `of_refs`, a tally that holds only what the refs led to before. Each tally may get at most
    /// this many bytes. An entry costs its bytes or the time to process it, whichever is more.
    pub fn refresh(
        &mut self,
        tips: BTreeMap<String, Oid>,
        of_refs: &mut Tally,
        bytes: usize,
    ) -> Result<Refreshed, RepoError> {
        let before = std::mem::replace(&mut self.tips, tips);
        std::mem::swap(&mut self.tally, of_refs);
        let followed = self
            .refresh_from_refs(bytes)
            .map(|followed| match followed {
                Refreshed::All if !self.builds_on(&before) => Refreshed::WentBack,
                followed => followed,
            });
        std::mem::swap(&mut self.tally, of_refs);
        match followed? {
            Refreshed::All => self.refresh_from_refs(bytes),
            other => Ok(other),
        }
    }

    fn refresh_from_refs(&mut self, bytes: usize) -> Result<Refreshed, RepoError> {
        self.room = Room::of(bytes, Measure::Time);
        for (name, oid) in self.tips.clone() {
            let Some(owner) = self.refs.owner(&name) else {
                continue;
            };
            let taken = self.load_lane(&name, oid, &owner)?;
            if self.is_over_budget() {
                return Ok(Refreshed::TooMuch);
            }
            if let Err(problem) = taken {
                return Ok(Refreshed::Damaged(problem));
            }
        }
        Ok(Refreshed::All)
    }

    /// Returns whether the refs lead to every entry of these earlier values.
    fn builds_on(&self, before: &BTreeMap<String, Oid>) -> bool {
        let dag = self.tally.dag();
        let led_to = |tips: &BTreeMap<String, Oid>| {
            let of_ledger = tips
                .iter()
                .filter(|(name, _)| self.refs.owner(name).is_some());
            of_ledger
                .map(|(_, oid)| dag.find_oid(*oid))
                .collect::<Vec<_>>()
        };
        let (now, before) = (led_to(&self.tips), led_to(before));
        let is_held = |tip| now.iter().flatten().any(|now| dag.reaches(tip, *now));
        before.into_iter().all(|tip| tip.is_some_and(is_held))
    }

    /// Writes a snapshot of the ledger after lanes have moved to these values.
    pub fn save_snapshot_after(&mut self, moved: impl IntoIterator<Item = (String, Oid)>) {
        self.tips.extend(moved);
        if self.problems.is_empty() && !self.tally.dag().has_doubles() {
            snapshot::save(self.objects.repo().git_dir(), self.covered(), &self.tally);
        }
    }

    /// Sets the budget for new entries, in bytes. Entries beyond the budget are not added. An entry
    /// costs its bytes or the memory for what it builds on, whichever is more.
    pub fn set_budget(&mut self, bytes: usize) {
        self.room = Room::of(bytes, Measure::Memory);
    }

    /// Returns whether the entries exceeded the budget.
    pub fn is_over_budget(&self) -> bool {
        self.room.is_used_up()
    }

    /// Adds the entries that a lane's tip leads to, and checks that the tip belongs to the lane's
    /// owner.
    pub fn load_lane(
        &mut self,
        name: &str,
        oid: Oid,
        owner: &MemberName,
    ) -> Result<Result<EntryIndex, LaneProblem>, RepoError> {
        let (reject, culprit) = match self.load_entry(oid)? {
            Ok(index) => match &self.tally.dag().entry(index).member {
                member if *member == *owner => return Ok(Ok(index)),
                member => (
                    Reject::new(RejectReason::BadLane, format!("the entry is {member}'s")),
                    oid,
                ),
            },
            Err(refused) => refused,
        };
        let last_good = self.last_good(oid)?;
        Ok(Err(LaneProblem {
            name: name.to_owned(),
            oid,
            reject,
            culprit,
            last_good,
        }))
    }

    /// Adds the entry of this commit after its parents. If the commit or an ancestor is not an
    /// entry, the inner error holds the reason and the bad commit.
    pub fn load_entry(&mut self, tip: Oid) -> Result<Result<EntryIndex, (Reject, Oid)>, RepoError> {
        let mut descent = Descent {
            pending: vec![Pending::Named(tip)],
            opened: HashSet::new(),
            held: 0,
            batch: Vec::new(),
            batched: 0,
            judged: 0,
        };
        while let Some(next) = descent.pending.pop() {
            if self.room.is_used_up() {
                return Ok(Err((
                    Reject::new(RejectReason::TooLarge, "more entries than may come at once"),
                    tip,
                )));
            }
            match next {
                Pending::Named(oid) => self.open(oid, &mut descent)?,
                Pending::Again(oid) => {
                    let read = self.parse(oid)?;
                    descent.batch(read);
                }
                Pending::Parsed(unknown) => {
                    descent.held = descent.held.saturating_sub(unknown.size);
                    descent.batch(Some(*unknown));
                }
            }
            if descent.batched >= BATCH_BYTES {
                self.insert_batch(&mut descent);
            }
        }
        self.insert_batch(&mut descent);
        if let Some(found) = self.rejected.get(&tip) {
            return Ok(Err(found.clone()));
        }
        let missing = || (Reject::from(RejectReason::BadParent), tip);
        Ok(self.tally.dag().find_oid(tip).ok_or_else(missing))
    }

    /// Parses an entry and pushes it back onto the stack below its parents.
    fn open(&mut self, oid: Oid, descent: &mut Descent) -> Result<(), RepoError> {
        // A commit cannot be its own ancestor, so an opened commit needs no second look.
        let known = self.tally.dag().find_oid(oid).is_some() || self.rejected.contains_key(&oid);
        if known || !descent.opened.insert(oid) {
            return Ok(());
        }
        self.watcher
            .at("Reading entries", descent.opened.len(), None);
        let Some(unknown) = self.parse(oid)? else {
            return Ok(());
        };
        self.room.take(unknown.size);
        let parents = unknown.entry.parents.clone();
        let held = descent.held.saturating_add(unknown.size);
        descent.pending.push(if held <= HELD_BYTES {
            descent.held = held;
            Pending::Parsed(Box::new(unknown))
        } else {
            Pending::Again(oid)
        });
        descent
            .pending
            .extend(parents.into_iter().map(Pending::Named));
        Ok(())
    }

    /// Parses the entry at this commit. Returns `None` and records the reason if the commit is not
    /// an entry.
    fn parse(&mut self, oid: Oid) -> Result<Option<Unknown>, RepoError> {
        let read = read_entry(&self.objects, oid)?;
        let parsed = read.and_then(|raw| {
            let digest = Digest::of(&raw);
            let entry = if self.cache.contains(&digest) {
                parse_again(&raw)?
            } else {
                parse(&raw)?
            };
            Ok(Unknown {
                oid,
                entry,
                size: raw.len(),
                digest,
            })
        });
        match parsed {
            Ok(unknown) => Ok(Some(unknown)),
            Err(reject) => {
                self.reject(oid, reject);
                Ok(None)
            }
        }
    }

    fn insert_batch(&mut self, descent: &mut Descent) {
        let unchecked = descent
            .batch
            .iter_mut()
            .filter(|u| !self.cache.contains(&u.digest));
        check_ahead(unchecked.map(|u| &mut u.entry).collect());
        descent.batched = 0;
        for Unknown {
            oid,
            entry,
            size,
            digest,
        } in std::mem::take(&mut descent.batch)
        {
            if self.room.is_used_up() {
                return;
            }
            let before = self.room.cost(self.tally.dag());
            self.insert(oid, entry, digest);
            // The entry's own bytes are already subtracted.
            let cost = self.room.cost(self.tally.dag()).saturating_sub(before);
            self.room.take(cost.saturating_sub(size));
            descent.judged += 1;
            self.watcher.at(
                "Judging entries",
                descent.judged,
                Some(descent.opened.len()),
            );
        }
    }

    fn insert(&mut self, oid: Oid, entry: ParsedEntry, raw: Digest) {
        if let Some((reject, culprit)) = entry.parents.iter().find_map(|p| self.rejected.get(p)) {
            // Report the first bad entry, not that another entry builds on it.
            let found = (reject.clone(), *culprit);
            self.rejected.insert(oid, found);
            return;
        }
        let taken = match self.cache.contains(&raw) {
            true => self.tally.insert_checked(entry, oid),
            false => self.tally.insert(entry, oid),
        };
        match taken {
            Ok(index) if self.tally.has_bad_agreement_signature(index) => {}
            Ok(_) => self.cache.add(raw),
            Err(reject) => self.reject(oid, reject),
        }
    }

    fn reject(&mut self, oid: Oid, reject: Reject) {
        self.rejected.insert(oid, (reject, oid));
    }

    /// Returns the nearest well-formed entry along first parents. Skips commits that are not
    /// entries.
    fn last_good(&self, tip: Oid) -> Result<Option<EntryId>, RepoError> {
        let mut at = tip;
        for _ in 0..10_000 {
            if let Some(index) = self.tally.dag().find_oid(at) {
                return Ok(Some(self.tally.dag().entry(index).id));
            }
            if !matches!(self.objects.read_header(at)?, Some((ObjectKind::Commit, size)) if size < 1 << 20)
            {
                return Ok(None);
            }
            match self.objects.parents(at) {
                Ok(parents) if !parents.is_empty() => at = parents.into_iter().next().unwrap_or(at),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns the object database that the ledger was read from.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Writes newly verified digests to the cache on disk.
    pub fn save_cache(&self) {
        self.cache.save();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::line;

    #[test]
    fn a_line_of_entries_longer_than_what_is_held_is_read_whole() {
        const { assert!(HELD_BYTES < 20 * 300, "this test has to reach the limit") };
        let read = |forged| {
            let (_sandbox, repo, ledger) = line(20, forged);
            let loaded = load(&repo, ledger, Trust::Nothing).unwrap();
            (loaded.tally.dag().entries().len(), loaded.problems)
        };
        assert_eq!(read(None), (21, vec![]));
        let (entries, problems) = read(Some(15));
        assert_eq!((entries, problems.len()), (15, 1));
        assert_eq!(problems[0].reject.reason, RejectReason::BadSignature);
    }
}
