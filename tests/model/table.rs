//! A ledger that a search can copy, extend and drop again: real entries, real bytes, the production tally. Only the
//! signatures are empty: they are checked elsewhere, and here an entry is what `Tally::insert_checked` was made for, one
//! whose signatures were checked before. Knows nothing of what is searched for.

use git_quorum::charter::FORMAT_VERSION;
use git_quorum::consensus::{Slot, Subject, Tally};
use git_quorum::id::EntryId;
use git_quorum::ledger::{
    EntryIndex, GenesisPayload, Payload, Precommit, Prevote, Statement, encode, encode_genesis,
    parse, parse_again,
};

use crate::lab::{self, name};

/// Members by number, in the order of their names.
pub const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

const TIME: u64 = 1_700_000_000;

/// An entry as it was made, and what it builds on.
#[derive(Debug, Clone)]
pub struct Made {
    pub raw: Vec<u8>,
    pub parents: Vec<EntryId>,
}

/// A ledger and its tally.
#[derive(Clone)]
pub struct Table {
    pub tally: Tally,
}

impl Table {
    /// A ledger of `n` members that vote, founded by the first.
    pub fn found(n: usize) -> Table {
        Table::found_at(n, 0)
    }

    /// The same, so many seconds later: another ledger.
    pub fn found_at(n: usize, seconds: u64) -> Table {
        let payload = GenesisPayload {
            charter: lab::charter(&NAMES[..n]),
            member: name(NAMES[0]),
            v: FORMAT_VERSION,
        };
        let raw = lab::sign(&encode_genesis(&payload, TIME + seconds).unwrap(), NAMES[0]);
        Table {
            tally: Tally::found(parse(&raw).unwrap(), lab::oid_of(&raw)).unwrap(),
        }
    }

    pub fn genesis(&self) -> EntryIndex {
        self.tally.dag().find(self.tally.dag().ledger()).unwrap()
    }

    /// Takes in an entry of the member. The parents are its own last entry, or the genesis, and then others.
    pub fn say(
        &mut self,
        member: usize,
        charter: EntryId,
        parents: &[EntryIndex],
        statements: Vec<Statement>,
    ) -> EntryIndex {
        self.make(member, charter, parents, statements).0
    }

    /// The same, with the bytes for others.
    pub fn make(
        &mut self,
        member: usize,
        charter: EntryId,
        parents: &[EntryIndex],
        statements: Vec<Statement>,
    ) -> (EntryIndex, Made) {
        let dag = self.tally.dag();
        let member_name = name(NAMES[member]);
        let entries: Vec<_> = parents.iter().map(|p| dag.entry(*p)).collect();
        let own = entries
            .iter()
            .filter(|e| e.member == member_name)
            .map(|e| e.seq);
        let payload = Payload {
            charter,
            ledger: dag.ledger(),
            seq: 1 + own.max().unwrap_or(0),
            member: member_name,
            parents: entries.iter().map(|e| e.id).collect(),
            statements,
            v: FORMAT_VERSION,
        };
        let parents = payload.parents.clone();
        let oids: Vec<_> = entries.iter().map(|e| e.oid).collect();
        let unsigned = encode(&payload, &oids, TIME).unwrap();
        let raw = unsigned
            .with_signature(&lab::public_key(NAMES[member]), &[0; 64])
            .unwrap();
        let made = Made { raw, parents };
        (self.take(&made), made)
    }

    /// Takes in an entry whose parents are in.
    pub fn take(&mut self, made: &Made) -> EntryIndex {
        self.tally
            .insert_checked(parse_again(&made.raw).unwrap(), lab::oid_of(&made.raw))
            .unwrap()
    }

    /// Whether everything that the entry says counts.
    pub fn counts(&self, entry: EntryIndex) -> bool {
        self.tally
            .discounted()
            .iter()
            .rev()
            .all(|d| d.place.entry != entry)
    }

    pub fn id(&self, entry: EntryIndex) -> EntryId {
        self.tally.dag().entry(entry).id
    }
}

/// The first slot of `refs/heads/main`.
pub fn main_slot(base: EntryId) -> Slot {
    Slot {
        subject: Subject::Ref("refs/heads/main".parse().unwrap()),
        base,
    }
}

/// The phases, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    Prevote,
    Precommit,
}

/// A vote as a statement; its signature is taken as checked.
pub fn vote(phase: Phase, proposal: EntryId, round: u32) -> Statement {
    match phase {
        Phase::Prevote => Statement::Prevote(Prevote { proposal, round }),
        Phase::Precommit => Statement::Precommit(Precommit {
            proposal,
            round,
            signature: [0; 64],
        }),
    }
}

/// Each once, in the order in which they come first.
pub fn distinct(entries: impl IntoIterator<Item = EntryIndex>) -> Vec<EntryIndex> {
    let mut all = vec![];
    for entry in entries {
        if !all.contains(&entry) {
            all.push(entry);
        }
    }
    all
}
