//! Reading a ledger: from the tips of its lanes down to what is known, then up again, taking in each
//! entry after its parents. A bad entry keeps out what builds on it, and nothing else.

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

/// What keeps a ledger from being read at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The repository could not be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// There is no ledger.
    #[error("no ledger here")]
    NoLedger,
    /// There are several, and none is pinned.
    #[error("several ledgers here: {}; name one", list(.0))]
    Several(Vec<EntryId>),
    /// The genesis ref does not hold the ledger that it should.
    #[error("the genesis entry of ledger {ledger} is not what it should be: {why}")]
    Genesis {
        /// The ledger that was looked for.
        ledger: String,
        /// What is wrong.
        why: String,
    },
    /// The ledger has decided to use a format that this program does not know.
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
    /// What is wrong, with the first entry that is.
    pub reject: Reject,
    /// The commit that is wrong: the tip, or what it builds on.
    pub culprit: Oid,
    /// The last well-formed entry below it, along first parents.
    pub last_good: Option<EntryId>,
}

/// A ledger, read.
pub struct Loaded {
    /// Everything well formed, judged.
    pub tally: Tally,
    /// Its refs.
    pub refs: LedgerRefs,
    /// What the refs of the ledger lead to.
    pub tips: BTreeMap<String, Oid>,
    /// Lanes with something wrong.
    pub problems: Vec<LaneProblem>,
    rejected: HashMap<Oid, (Reject, Oid)>,
    /// How many more bytes of entries may be read.
    room: Room,
    objects: Objects,
    cache: VerifiedCache,
    watcher: Watcher,
}

/// What came of taking in what refs lead to now.
#[derive(Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// All is in.
    All,
    /// There was more than could be taken in.
    TooMuch,
    /// The refs do not lead to all that they led to before.
    WentBack,
    /// A lane with something wrong.
    Damaged(LaneProblem),
}

/// The ids of the ledgers whose genesis entry is here.
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

/// Reads the ledger with this id whose genesis entry is this commit, which no ref holds yet.
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

/// Reads and judges everything; with how many entries that were.
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

/// Takes in what has come since the snapshot, and counts it. None if there is something in the snapshot that the refs
/// do not hold any more: then it would tell more than they do.
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

/// An entry that is not in yet.
struct Unknown {
    oid: Oid,
    entry: ParsedEntry,
    /// How many bytes it has.
    size: usize,
    /// The digest of these bytes.
    digest: Digest,
}

/// What is still to be done on the way down a ledger and up again.
enum Pending {
    /// A commit to open.
    Named(Oid),
    /// An entry whose parents come first.
    Parsed(Box<Unknown>),
    /// The same, but it has to be read again.
    Again(Oid),
}

/// The most bytes of entries that are held while what they build on is read: anybody can offer a long line of
/// large ones, whose signatures can only be checked from its other end. The others are read twice.
const HELD_BYTES: usize = if cfg!(test) { 1 << 12 } else { 1 << 26 };

/// So many entries that are not in the snapshot are worth one more: what they cost each run is then about what
/// writing it costs once.
const WORTH_A_SNAPSHOT: usize = 64;

/// Bytes of entries whose signatures are checked together.
const BATCH_BYTES: usize = 1 << 23;

/// How much may still be taken in; any number of bytes where none is said. Zero is none: who uses up the last one is over.
#[derive(Debug, Clone, Copy, Default)]
struct Room {
    left: Option<usize>,
    measure: Measure,
}

/// What an entry counts with, if it is more than its bytes.
#[derive(Debug, Clone, Copy, Default)]
enum Measure {
    /// What it costs to keep what it knows.
    #[default]
    Memory,
    /// The time that it takes to find that.
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

    /// What entries have cost so far, beside their bytes.
    fn cost(self, dag: &Dag) -> usize {
        match self.measure {
            Measure::Memory => dag.knowing_cost(),
            Measure::Time => dag.looking_cost(),
        }
    }
}

/// The work of taking in a tip.
struct Descent {
    pending: Vec<Pending>,
    opened: HashSet<Oid>,
    /// Bytes of the entries that are held in it.
    held: usize,
    /// What is to be taken in next, parents first.
    batch: Vec<Unknown>,
    /// Its bytes.
    batched: usize,
    /// How many have been taken in.
    judged: usize,
}

/// Checks the signatures of these entries on all processors.
fn check_ahead(mut entries: Vec<&mut ParsedEntry>) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Fewer are checked sooner than a thread is started.
    let share = entries.len().div_ceil(threads).max(16);
    std::thread::scope(|scope| {
        for part in entries.chunks_mut(share) {
            scope.spawn(|| part.iter_mut().for_each(|entry| entry.check_ahead()));
        }
    });
}

/// The raw bytes of what may be an entry.
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

    /// The refs that hold what was taken in.
    pub(super) fn covered(&self) -> BTreeMap<String, Oid> {
        let covers =
            |name: &String| *name == self.refs.genesis() || self.refs.owner(name).is_some();
        self.tips
            .iter()
            .filter(|(name, _)| covers(name))
            .map(|(name, oid)| (name.clone(), *oid))
            .collect()
    }

    /// Whether the refs lead to everything that they led to when they were these: then what was judged then is
    /// what they hold now, as far as it goes. A ref that moved on, or that another one makes up for, is as good.
    fn holds(&self, covered: &BTreeMap<String, Oid>) -> Result<bool, RepoError> {
        let dag = self.tally.dag();
        // Of an entry in two commits the refs may hold another one than before.
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

    /// Takes in what the ledger's refs lead to now, here and in the tally of nothing but what they led to before. Of neither
    /// more than so many bytes; an entry counts with its bytes or, if it is more, with the time that it takes.
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

    /// Whether the refs lead to every entry that these led to.
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

    /// Keeps what was judged, once lanes have moved to these.
    pub fn save_snapshot_after(&mut self, moved: impl IntoIterator<Item = (String, Oid)>) {
        self.tips.extend(moved);
        if self.problems.is_empty() && !self.tally.dag().has_doubles() {
            snapshot::save(self.objects.repo().git_dir(), self.covered(), &self.tally);
        }
    }

    /// Lets so many bytes of entries be taken in from now on. What would bring more is not. An entry counts with its bytes
    /// or, if it is more, with what it costs to keep what it knows.
    pub fn set_budget(&mut self, bytes: usize) {
        self.room = Room::of(bytes, Measure::Memory);
    }

    /// Whether there were more.
    pub fn is_over_budget(&self) -> bool {
        self.room.is_used_up()
    }

    /// Takes in what a lane's tip leads to, and checks that the tip is its owner's.
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

    /// Takes in the entry that this commit holds, after its parents; or says which commit, it or one
    /// that it builds on, is no entry and why.
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

    /// Parses an entry and puts it on the stack again, under its parents.
    fn open(&mut self, oid: Oid, descent: &mut Descent) -> Result<(), RepoError> {
        // A commit cannot be its own ancestor, so what is open already needs no second look.
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

    /// What has the form of an entry at this commit; none, and a note why, if nothing has.
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
            // Its own bytes have been taken.
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
            // What is told is the first thing wrong, not that something builds on it.
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

    /// The nearest well-formed entry along first parents, however the commits on the way look.
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

    /// The object database that the ledger was read from.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Remembers on disk what was verified since.
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
