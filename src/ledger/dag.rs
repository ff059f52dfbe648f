//! The entries of one ledger that are well formed in their place, and which is an ancestor of which.
//!
//! Each lane is cut into *chains*: runs of entries each of which has the one before as its first
//! parent; without forks a lane is one chain. Each entry has a table of how many entries of every other
//! chain it knows, which shares with those of all others what they have in common (`ancestry.rs`). So "is an
//! ancestor of" takes a step for each digit of the number of chains, however the forks stand on each other,
//! and memory grows with what entries newly cite: never with entries times members, nor with forks times forks.
//! Only entries that join forks which no other entry joins alike need more, up to four bytes for each fork; that is counted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use serde::{Deserialize, Serialize};

use super::ancestry::{Ancestry, AncestryStore, ChainCount};
use super::canonical::to_canonical;
use super::entry::{Body, GenesisPayload, ParsedEntry, Payload};
use super::marks::{Mark, Marks};
use super::reject::{Reject, RejectReason};
use super::statement::{CharterProposal, Statement};
use crate::charter::{Charter, MemberName, ProposedCharter};
use crate::id::{Digest, EntryId, Oid};
use crate::lazy_table::{LazyList, LazyMap, TableReader, TableWriter};

/// The place of an entry in the order in which entries were taken in. Means nothing outside one [`Dag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryIndex(u32);

/// A statement's place: an entry and the statement's number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The entry.
    pub entry: EntryIndex,
    /// The statement's number, from 0.
    pub statement: usize,
}

/// An entry that is well formed in its place, its signature checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// A commit that holds it.
    pub oid: Oid,
    /// Whose entry it is.
    pub member: MemberName,
    /// Its place in its lane.
    pub seq: u64,
    /// The charter that its statements are made under.
    pub charter: EntryId,
    /// The time that its author claims, in seconds since 1970.
    pub time: u64,
    /// Its parents.
    pub parents: Vec<EntryIndex>,
    /// What it says.
    pub statements: Vec<Statement>,
    chain: u32,
    position: u32,
    /// What it knows of other chains.
    ancestry: Ancestry,
}

/// A charter in the tree of all proposed ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CharterNode {
    /// The charter.
    pub charter: Charter,
    /// The SHA-256 of its RFC 8785 form.
    pub digest: Digest,
    /// The one it follows; none for the first.
    pub base: Option<EntryId>,
    /// How many stand before it.
    pub depth: usize,
}

/// What several places in a ledger all know.
#[derive(Debug, Clone)]
pub struct Common {
    /// So many entries of each chain.
    counts: BTreeMap<u32, u32>,
    /// The last ones of these that hold one of the places themselves, and the statement before which that is.
    ends: BTreeMap<EntryIndex, usize>,
}

/// The well-formed entries of a ledger. Entries go in after their parents.
#[derive(Debug, Clone)]
pub struct Dag {
    entries: LazyList<Entry>,
    by_id: LazyMap<EntryId, EntryIndex>,
    by_oid: LazyMap<Oid, EntryIndex>,
    charters: BTreeMap<EntryId, CharterNode>,
    /// How many entries each chain has.
    chains: Vec<u32>,
    ancestries: AncestryStore,
    childless: BTreeSet<EntryIndex>,
    tips: BTreeMap<MemberName, BTreeSet<EntryIndex>>,
}

impl Dag {
    /// A ledger with nothing but its genesis entry, whose signature is checked here.
    pub fn found(genesis: ParsedEntry, oid: Oid) -> Result<Self, Reject> {
        let Body::Genesis(payload) = &genesis.body else {
            return Err(Reject::new(
                RejectReason::BadGenesis,
                "an ordinary entry founds no ledger",
            ));
        };
        check_founder(payload, &genesis)?;
        check_signature(&genesis)?;
        let payload = payload.clone();
        let root = EntryIndex(0);
        let entry = Entry {
            id: genesis.id,
            oid,
            member: payload.member,
            seq: 0,
            charter: genesis.id,
            time: genesis.time,
            parents: Vec::new(),
            statements: Vec::new(),
            chain: 0,
            position: 0,
            ancestry: Ancestry::default(),
        };
        let first = CharterNode {
            digest: digest_of(&payload.charter)?,
            charter: payload.charter,
            base: None,
            depth: 0,
        };
        let mut dag = Self {
            entries: LazyList::default(),
            by_id: LazyMap::default(),
            by_oid: LazyMap::default(),
            charters: BTreeMap::from([(entry.id, first)]),
            chains: vec![1],
            ancestries: AncestryStore::default(),
            childless: BTreeSet::from([root]),
            tips: BTreeMap::new(),
        };
        dag.by_id.insert(entry.id, root);
        dag.by_oid.insert(oid, root);
        dag.entries.push(entry);
        Ok(dag)
    }

    /// Takes in an entry whose parents are in (spec, "Well-formed in its place"). An entry that is in
    /// already, under this or another object id, changes nothing.
    pub fn insert(&mut self, parsed: ParsedEntry, oid: Oid) -> Result<EntryIndex, Reject> {
        self.check_place(&parsed)?;
        check_signature(&parsed)?;
        self.take(parsed, oid)
    }

    /// The same for bytes whose signature was checked before (a cache remembers so).
    pub fn insert_checked(&mut self, parsed: ParsedEntry, oid: Oid) -> Result<EntryIndex, Reject> {
        self.check_place(&parsed)?;
        self.take(parsed, oid)
    }

    /// Takes in statements that are about to be made, as an entry above `parents`, so that they can be
    /// judged before they are signed. For use on a copy that is thrown away.
    pub fn draft(&mut self, payload: Payload, parents: &[EntryIndex]) -> EntryIndex {
        // No real entry has an id of zeros: it would be a preimage under SHA-256.
        self.push(
            payload,
            EntryId::new([0; 32]),
            Oid::new([0; 20]),
            parents.to_vec(),
            0,
        )
    }

    /// Adds a statement to the last entry, which must be a draft.
    pub fn draft_statement(&mut self, statement: Statement) {
        if let Some(entry) = self.entries.last_mut() {
            entry.statements.push(statement);
        }
    }

    fn take(&mut self, parsed: ParsedEntry, oid: Oid) -> Result<EntryIndex, Reject> {
        let ParsedEntry {
            id,
            parents,
            time,
            body,
            ..
        } = parsed;
        if let Some(&known) = self.by_id.get(&id) {
            self.by_oid.insert(oid, known);
            return Ok(known);
        }
        let Body::Entry(payload) = body else {
            return Err(Reject::new(
                RejectReason::WrongLedger,
                "another ledger's genesis",
            ));
        };
        let parents = parents
            .iter()
            .filter_map(|p| self.by_oid.get(p).copied())
            .collect();
        Ok(self.push(payload, id, oid, parents, time))
    }

    fn push(
        &mut self,
        payload: Payload,
        id: EntryId,
        oid: Oid,
        parents: Vec<EntryIndex>,
        time: u64,
    ) -> EntryIndex {
        let index = EntryIndex(self.entries.len() as u32);
        let (chain, position) = self.chain_for(&payload.member, &parents);
        let ancestry = self.join_ancestries(chain, &parents);
        let Payload {
            charter,
            member,
            seq,
            statements,
            ..
        } = payload;
        let own = self.tips.entry(member.clone()).or_default();
        for parent in &parents {
            self.childless.remove(parent);
            own.remove(parent);
        }
        own.insert(index);
        self.childless.insert(index);
        self.by_id.insert(id, index);
        self.by_oid.insert(oid, index);
        self.entries.push(Entry {
            id,
            oid,
            member,
            seq,
            charter,
            time,
            parents,
            statements,
            chain,
            position,
            ancestry,
        });
        self.note_charter(index);
        index
    }

    /// Checks everything about an entry's place; cheapest first, the signature afterwards.
    fn check_place(&self, parsed: &ParsedEntry) -> Result<(), Reject> {
        let payload = match &parsed.body {
            Body::Genesis(genesis) => return self.check_same_genesis(parsed, genesis),
            Body::Entry(payload) => payload,
        };
        if payload.ledger != self.ledger() {
            return Err(Reject::new(
                RejectReason::WrongLedger,
                payload.ledger.to_string(),
            ));
        }
        let parents = self.check_parents(parsed, payload)?;
        self.check_lane(payload, &parents)?;
        self.check_charter(parsed, payload, &parents)
    }

    /// The genesis may come again under another signature of its author: entries may have either
    /// commit as a parent.
    fn check_same_genesis(
        &self,
        parsed: &ParsedEntry,
        genesis: &GenesisPayload,
    ) -> Result<(), Reject> {
        if parsed.id != self.ledger() {
            return Err(Reject::new(
                RejectReason::WrongLedger,
                "another ledger's genesis",
            ));
        }
        check_founder(genesis, parsed)
    }

    fn check_parents(
        &self,
        parsed: &ParsedEntry,
        payload: &Payload,
    ) -> Result<Vec<EntryIndex>, Reject> {
        let mut parents = Vec::with_capacity(parsed.parents.len());
        for (oid, id) in parsed.parents.iter().zip(&payload.parents) {
            let Some(&parent) = self.by_oid.get(oid) else {
                return Err(Reject::new(
                    RejectReason::BadParent,
                    format!("commit {oid}"),
                ));
            };
            if self.entry(parent).id != *id {
                return Err(Reject::new(
                    RejectReason::ParentMismatch,
                    format!("commit {oid} is not entry {id}"),
                ));
            }
            if parents.contains(&parent) {
                return Err(Reject::new(
                    RejectReason::BadParent,
                    format!("entry {id} twice"),
                ));
            }
            parents.push(parent);
        }
        Ok(parents)
    }

    fn check_lane(&self, payload: &Payload, parents: &[EntryIndex]) -> Result<(), Reject> {
        let is_own = |p: &&EntryIndex| p.0 != 0 && self.entry(**p).member == payload.member;
        let own = || parents.iter().filter(is_own);
        let starts_well = match parents.first() {
            Some(EntryIndex(0)) => own().next().is_none(),
            first => first.as_ref().is_some_and(is_own),
        };
        if !starts_well {
            return Err(RejectReason::BadLane.into());
        }
        let expected = 1 + own().map(|p| self.entry(*p).seq).max().unwrap_or(0);
        if payload.seq != expected {
            return Err(Reject::new(
                RejectReason::BadSequence,
                format!("{}, expected {expected}", payload.seq),
            ));
        }
        Ok(())
    }

    fn check_charter(
        &self,
        parsed: &ParsedEntry,
        payload: &Payload,
        parents: &[EntryIndex],
    ) -> Result<(), Reject> {
        let named = payload.charter;
        let at_hand = self
            .by_id
            .get(&named)
            .is_some_and(|&c| parents.iter().any(|&p| self.reaches(c, p)));
        let Some(node) = self.charters.get(&named).filter(|_| at_hand) else {
            return Err(Reject::new(RejectReason::UnknownCharter, named.to_string()));
        };
        let own = parents
            .iter()
            .map(|p| self.entry(*p))
            .filter(|e| e.seq > 0 && e.member == payload.member);
        for entry in own {
            if !self.follows(named, entry.charter) {
                return Err(Reject::new(
                    RejectReason::CharterWentBack,
                    format!("entry {}", entry.id),
                ));
            }
        }
        match node.charter.member(&payload.member) {
            None => Err(Reject::new(
                RejectReason::NotAMember,
                payload.member.to_string(),
            )),
            Some(member) if member.key != parsed.key => Err(Reject::new(
                RejectReason::BadSignature,
                format!("not signed by the key of {}", member.name),
            )),
            Some(_) => Ok(()),
        }
    }

    /// Whether a charter is another one, or has it in its lineage. Goes no deeper than that one lies.
    fn follows(&self, charter: EntryId, earlier: EntryId) -> bool {
        let Some(depth) = self.charters.get(&earlier).map(|node| node.depth) else {
            return false;
        };
        let above = self
            .lineage(charter)
            .take_while(|(_, node)| node.depth >= depth);
        above.last().is_some_and(|(id, _)| id == earlier)
    }

    /// Remembers a charter that could follow the one it names.
    fn note_charter(&mut self, index: EntryIndex) {
        let entry = self.entry(index);
        let Some(Statement::ProposeCharter(CharterProposal { base, charter, .. })) =
            entry.statements.first()
        else {
            return;
        };
        let (ProposedCharter::Known(charter), Some(before)) = (charter, self.charters.get(base))
        else {
            return;
        };
        if charter.check_follows(&before.charter).is_ok()
            && let Ok(digest) = digest_of(charter)
        {
            let (charter, depth) = ((**charter).clone(), before.depth + 1);
            self.charters.insert(
                entry.id,
                CharterNode {
                    charter,
                    digest,
                    base: Some(*base),
                    depth,
                },
            );
        }
    }

    /// The chain and position of a new entry: it goes on where its first parent is the last one of its member's chain.
    fn chain_for(&mut self, member: &MemberName, parents: &[EntryIndex]) -> (u32, u32) {
        let before = parents
            .first()
            .filter(|p| self.is_by(**p, member))
            .map(|p| self.with_itself(*p));
        let new = self.chains.len() as u32;
        let last = |(chain, count): &ChainCount| self.chains.get(*chain as usize) == Some(count);
        let (chain, position) = before.filter(last).unwrap_or((new, 0));
        match self.chains.get_mut(chain as usize) {
            Some(length) => *length += 1,
            None => self.chains.push(1),
        }
        (chain, position)
    }

    fn is_by(&self, index: EntryIndex, member: &MemberName) -> bool {
        let entry = self.entry(index);
        entry.seq > 0 && entry.member == *member
    }

    /// Its own chain as far as an entry knows it: up to and with itself.
    fn with_itself(&self, index: EntryIndex) -> ChainCount {
        let entry = self.entry(index);
        (entry.chain, entry.position + 1)
    }

    /// What an entry of this chain knows of others: the parents, and what they know.
    fn join_ancestries(&mut self, chain: u32, parents: &[EntryIndex]) -> Ancestry {
        let cited = parents.iter().filter(|p| p.0 != 0);
        let tables = cited.clone().map(|p| self.entry(*p).ancestry).collect();
        let cited: BTreeSet<_> = cited
            .map(|p| self.with_itself(*p))
            .filter(|(other, _)| *other != chain)
            .collect();
        let named: BTreeMap<_, _> = cited.into_iter().collect();
        self.ancestries
            .join(tables, &named.into_iter().collect::<Vec<_>>())
    }

    /// The ledger id.
    pub fn ledger(&self) -> EntryId {
        self.entry(EntryIndex(0)).id
    }

    /// The entry at an index of this ledger.
    #[allow(
        clippy::expect_used,
        reason = "an index is only made together with its entry, and none is removed"
    )]
    pub fn entry(&self, index: EntryIndex) -> &Entry {
        self.entries
            .get(index.0 as usize)
            .expect("the bytes that a dag is read from are as they were written")
    }

    /// What it has cost to keep what entries know of each other, in bytes, since the ledger was founded or read from
    /// bytes. For most entries it is less than their own bytes.
    pub fn knowing_cost(&self) -> usize {
        self.ancestries.cost()
    }

    /// The share of it that stands for the time that it took, and not for memory.
    pub fn looking_cost(&self) -> usize {
        self.ancestries.looking_cost()
    }

    /// All entries, parents first, the genesis among them.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (EntryIndex, &Entry)> {
        let indices = (0..self.entries.len()).map(|i| EntryIndex(i as u32));
        indices.map(|index| (index, self.entry(index)))
    }

    /// The entry of this id.
    pub fn find(&self, id: EntryId) -> Option<EntryIndex> {
        self.by_id.get(&id).copied()
    }

    /// The entry that this commit holds.
    pub fn find_oid(&self, oid: Oid) -> Option<EntryIndex> {
        self.by_oid.get(&oid).copied()
    }

    /// Whether `ancestor` is `index` or among its ancestors.
    pub fn reaches(&self, ancestor: EntryIndex, index: EntryIndex) -> bool {
        let (below, above) = (self.entry(ancestor), self.entry(index));
        let known = || match below.chain == above.chain {
            true => above.position + 1,
            false => self.ancestries.count(above.ancestry, below.chain),
        };
        ancestor.0 == 0 || (index.0 != 0 && known() > below.position)
    }

    /// What an entry adds to another one: it and its ancestors, without those of the other. Takes as long as that
    /// is much, however much there is below.
    pub fn added(&self, tip: EntryIndex, to: Option<EntryIndex>) -> BTreeSet<EntryIndex> {
        let is_new = |index: &EntryIndex| to.is_none_or(|other| !self.reaches(*index, other));
        let mut pending: Vec<_> = Some(tip).filter(is_new).into_iter().collect();
        let mut added = BTreeSet::new();
        while let Some(index) = pending.pop() {
            if added.insert(index) {
                pending.extend(self.entry(index).parents.iter().copied().filter(is_new));
            }
        }
        added
    }

    /// Whether the statement at `earlier` is among those that the one at `later` builds on: in an
    /// ancestor, or before it in the same entry.
    pub fn precedes(&self, earlier: Place, later: Place) -> bool {
        if earlier.entry == later.entry {
            return earlier.statement < later.statement;
        }
        self.reaches(earlier.entry, later.entry)
    }

    /// What all of these places know.
    pub fn common(&self, places: impl Iterator<Item = Place>) -> Common {
        // Of those on one chain the first one knows the least.
        let mut first: BTreeMap<u32, (u32, Place)> = BTreeMap::new();
        for place in places {
            let Entry {
                chain, position, ..
            } = *self.entry(place.entry);
            let known = first.entry(chain).or_insert((position, place));
            *known = (*known).min((position, place));
        }
        let own = |(chain, (position, place)): (&u32, &(u32, Place))| {
            (self.entry(place.entry).ancestry, (*chain, position + 1))
        };
        let counts = self
            .ancestries
            .least(&first.iter().map(own).collect::<Vec<_>>());
        Common {
            counts,
            ends: first
                .into_values()
                .map(|(_, place)| (place.entry, place.statement))
                .collect(),
        }
    }

    /// Whether a statement is among those that all of some places build on.
    pub fn is_common(&self, place: Place, common: &Common) -> bool {
        let Entry {
            chain, position, ..
        } = *self.entry(place.entry);
        let end = common.ends.get(&place.entry);
        common
            .counts
            .get(&chain)
            .is_some_and(|count| *count > position)
            && end.is_none_or(|end| place.statement < *end)
    }

    /// Adds a statement's place to others.
    pub fn mark<T>(&self, marks: &mut Marks<T>, place: Place, what: T) {
        let Entry {
            chain, position, ..
        } = *self.entry(place.entry);
        marks.add(Mark {
            chain,
            position,
            statement: place.statement,
            what,
        });
    }

    /// Whether a marked statement that is wanted precedes the one at `later`. Takes no longer than there are marks on
    /// chains of which the later one's entry knows something, and on the few that lie beside them, however many others
    /// there are.
    pub fn knows<T>(&self, later: Place, marks: &Marks<T>, wanted: impl Fn(&T) -> bool) -> bool {
        let above = self.entry(later.entry);
        let here = (above.position, later.statement);
        let is_before =
            |mark: &Mark<T>| (mark.position, mark.statement) < here && wanted(&mark.what);
        marks.on(above.chain).iter().any(is_before)
            || self
                .ancestries
                .meets(above.ancestry, marks.in_order(), &wanted)
    }

    /// The charter of this id, if it is one that follows from the first.
    pub fn charter(&self, id: EntryId) -> Option<&CharterNode> {
        self.charters.get(&id)
    }

    /// A charter and those before it, up to the first one.
    pub fn lineage(&self, charter: EntryId) -> impl Iterator<Item = (EntryId, &CharterNode)> {
        let node = |id: EntryId| self.charters.get(&id).map(|node| (id, node));
        std::iter::successors(node(charter), move |(_, at)| at.base.and_then(node))
    }

    /// Entries that no entry has as a parent.
    pub fn childless(&self) -> impl Iterator<Item = EntryIndex> {
        self.childless.iter().copied()
    }

    /// The last entries of a member's lane: one, or several when it is forked.
    pub fn tips(&self, member: &MemberName) -> Vec<EntryIndex> {
        self.tips
            .get(member)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    /// Whether an entry is in under more than one object id: signed twice, with different signatures.
    pub fn has_doubles(&self) -> bool {
        self.by_oid.len() != self.entries.len()
    }

    /// All entries, parents before their children; what stands beside each other goes by the times that it claims, then
    /// by id. The same for everyone, in whatever order the entries came.
    pub fn history(&self) -> Vec<EntryIndex> {
        let rank = |index: EntryIndex| {
            let entry = self.entry(index);
            Reverse((entry.time, entry.id, index))
        };
        let mut children: Vec<Vec<EntryIndex>> = vec![Vec::new(); self.entries.len()];
        let mut missing: Vec<usize> = Vec::with_capacity(self.entries.len());
        for (index, entry) in self.entries() {
            missing.push(entry.parents.len());
            for parent in &entry.parents {
                children
                    .get_mut(parent.0 as usize)
                    .into_iter()
                    .for_each(|children| children.push(index));
            }
        }
        let mut ready = BinaryHeap::from([rank(EntryIndex(0))]);
        let mut history = Vec::with_capacity(self.entries.len());
        while let Some(Reverse((_, _, index))) = ready.pop() {
            history.push(index);
            for child in children.get(index.0 as usize).into_iter().flatten() {
                let Some(missing) = missing.get_mut(child.0 as usize) else {
                    continue;
                };
                *missing = missing.saturating_sub(1);
                if *missing == 0 {
                    ready.push(rank(*child));
                }
            }
        }
        history
    }

    /// Writes all of it.
    pub(crate) fn write_to(&self, writer: &mut TableWriter) {
        writer.list(&self.entries);
        writer.map(&self.by_id);
        writer.map(&self.by_oid);
        writer.value(&self.charters);
        writer.value(&self.chains);
        self.ancestries.write_to(writer);
        writer.value(&self.childless);
        writer.value(&self.tips);
    }

    /// Reads what was written.
    pub(crate) fn read_from(reader: &mut TableReader) -> Option<Self> {
        Some(Self {
            entries: reader.list()?,
            by_id: reader.map()?,
            by_oid: reader.map()?,
            charters: reader.value()?,
            chains: reader.value()?,
            ancestries: AncestryStore::read_from(reader)?,
            childless: reader.value()?,
            tips: reader.value()?,
        })
    }

    /// Members with entries.
    pub fn authors(&self) -> impl Iterator<Item = &MemberName> {
        self.tips.keys()
    }
}

/// Whether the key of a genesis is its author's in the charter that it brings.
fn check_founder(genesis: &GenesisPayload, parsed: &ParsedEntry) -> Result<(), Reject> {
    match genesis.charter.member(&genesis.member) {
        Some(member) if member.key == parsed.key => Ok(()),
        _ => Err(Reject::new(
            RejectReason::BadGenesis,
            "signed by another key than its author's",
        )),
    }
}

fn digest_of(charter: &Charter) -> Result<Digest, Reject> {
    let json =
        to_canonical(charter).map_err(|e| Reject::new(RejectReason::BadJson, e.to_string()))?;
    Ok(Digest::of(json.as_bytes()))
}

fn check_signature(parsed: &ParsedEntry) -> Result<(), Reject> {
    if parsed.has_good_signature() {
        Ok(())
    } else {
        Err(RejectReason::BadSignature.into())
    }
}
