//! Stores every entry that anyone in a run signed. An entry is made once and shared by all
//! replicas. Replicas hold parts of the archive. Knows nothing of time, servers or visibility.

use std::cell::RefCell;
use std::collections::BTreeMap;

use git_quorum::charter::{Charter, FORMAT_VERSION, MemberName};
use git_quorum::consensus::{Tally, Timer};
use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{
    GenesisPayload, ParsedEntry, Payload, Precommit, Reject, Statement, encode, encode_genesis,
    parse, parse_again,
};

use git_quorum::mutation::{ActiveMutation, Mutation};

use crate::lab;

/// The number of an entry in its archive; the genesis is 0.
pub type No = usize;

/// A signed entry.
pub struct Minted {
    pub id: EntryId,
    pub oid: Oid,
    pub raw: Vec<u8>,
    parsed: ParsedEntry,
    pub parents: Vec<No>,
    pub member: MemberName,
}

/// All entries of a run, and their tally.
pub struct Archive {
    pub union: Tally,
    founded: Tally,
    pub ledger: EntryId,
    pub minted: Vec<Minted>,
    numbers: BTreeMap<EntryId, No>,
    /// Whether signatures are real. Fast runs use no real signatures: their entries count as
    /// checked before, and drafts skip the rule that precommits are signed.
    real: bool,
    _unsigned: Option<ActiveMutation>,
}

/// A ledger that holds only its genesis, with a real signature.
#[derive(Clone)]
struct Founded {
    tally: Tally,
    parsed: ParsedEntry,
    oid: Oid,
    raw: Vec<u8>,
}

fn found(founder: &MemberName, charter: &Charter, time: u64) -> Founded {
    let payload = GenesisPayload {
        charter: charter.clone(),
        member: founder.clone(),
        v: FORMAT_VERSION,
    };
    let raw = lab::sign(&encode_genesis(&payload, time).unwrap(), founder.as_str());
    let (parsed, oid) = (parse(&raw).unwrap(), lab::oid_of(&raw));
    Founded {
        tally: Tally::found(parsed.clone(), oid).unwrap(),
        parsed,
        oid,
        raw,
    }
}

thread_local! {
    /// Caches new ledgers by number of voters and time, because thousands of runs begin alike.
    static FOUNDED: RefCell<BTreeMap<(usize, usize, u64), Founded>> = const { RefCell::new(BTreeMap::new()) };
}

impl Archive {
    /// Creates a ledger with this charter.
    pub fn new(founder: &MemberName, charter: &Charter, time: u64, real: bool) -> Archive {
        let key = (charter.members().len(), charter.threshold().q, time);
        let fresh = || found(founder, charter, time);
        let founded =
            FOUNDED.with_borrow_mut(|known| known.entry(key).or_insert_with(fresh).clone());
        let Founded {
            tally,
            parsed,
            oid,
            raw,
        } = founded;
        let ledger = tally.dag().ledger();
        let genesis = Minted {
            id: ledger,
            oid,
            raw,
            parsed,
            parents: vec![],
            member: founder.clone(),
        };
        let _unsigned = (!real).then(|| Mutation::AgreementSignature.activate());
        Archive {
            _unsigned,
            union: tally.clone(),
            founded: tally,
            ledger,
            minted: vec![genesis],
            numbers: BTreeMap::from([(ledger, 0)]),
            real,
        }
    }

    /// Returns the number of an entry.
    pub fn number(&self, id: EntryId) -> No {
        self.numbers[&id]
    }

    /// Signs an entry. Nobody has the entry until it is published.
    pub fn mint(
        &self,
        member: &MemberName,
        charter: EntryId,
        parents: &[No],
        statements: Vec<Statement>,
        time: u64,
    ) -> Minted {
        let dag = self.union.dag();
        let own = parents
            .iter()
            .map(|p| &self.minted[*p])
            .filter(|m| m.member == *member && m.id != self.ledger);
        let seq = 1 + own
            .map(|m| dag.entry(dag.find(m.id).unwrap()).seq)
            .max()
            .unwrap_or(0);
        let ids = parents.iter().map(|p| self.minted[*p].id).collect();
        let payload = Payload {
            charter,
            ledger: self.ledger,
            member: member.clone(),
            parents: ids,
            seq,
            statements,
            v: FORMAT_VERSION,
        };
        let oids: Vec<_> = parents.iter().map(|p| self.minted[*p].oid).collect();
        let unsigned = encode(&payload, &oids, time).unwrap();
        let id = unsigned.id;
        let (raw, parsed, oid) = if self.real {
            let raw = lab::sign(&unsigned, member.as_str());
            let (parsed, oid) = (parse(&raw).unwrap(), lab::oid_of(&raw));
            (raw, parsed, oid)
        } else {
            let raw = unsigned
                .with_signature(&lab::public_key(member.as_str()), &[0; 64])
                .unwrap();
            let parsed = parse_again(&raw).unwrap();
            // Any object id that no other entry has is enough.
            (raw, parsed, Oid::new(*id.bytes().first_chunk().unwrap()))
        };
        Minted {
            id,
            oid,
            raw,
            parsed,
            parents: parents.to_vec(),
            member: member.clone(),
        }
    }

    /// Adds a signed entry to the union, if the entry is well formed.
    pub fn publish(&mut self, minted: Minted) -> Result<No, Reject> {
        if let Some(known) = self.numbers.get(&minted.id) {
            return Ok(*known);
        }
        self.take(&minted)?;
        let no = self.minted.len();
        self.numbers.insert(minted.id, no);
        self.minted.push(minted);
        Ok(no)
    }

    fn take(&mut self, minted: &Minted) -> Result<(), Reject> {
        let parsed = minted.parsed.clone();
        let taken = if self.real {
            self.union.insert(parsed, minted.oid)
        } else {
            self.union.insert_checked(parsed, minted.oid)
        };
        taken.map(|_| ())
    }

    /// Returns the precommit with the member's signature on the agreement statement.
    pub fn precommit(
        &self,
        tally: &Tally,
        member: &MemberName,
        charter: EntryId,
        vote: (EntryId, u32),
    ) -> Statement {
        let (proposal, round) = vote;
        let signature = if self.real {
            lab::agree(tally, member.as_str(), charter, vote)
        } else {
            [0; 64]
        };
        Statement::Precommit(Precommit {
            proposal,
            round,
            signature,
        })
    }

    /// Returns whether `later` is `earlier` or builds on it.
    pub fn reaches(&self, earlier: No, later: No) -> bool {
        let dag = self.union.dag();
        let index = |no: No| dag.find(self.minted[no].id).unwrap();
        dag.reaches(index(earlier), index(later))
    }

    /// Returns a tally of all entries, added in another order.
    pub fn again(&self, mut pick: impl FnMut(usize) -> usize) -> Tally {
        let mut fresh = Replica::new(self);
        let mut order: Vec<No> = (1..self.minted.len()).collect();
        for place in (1..order.len()).rev() {
            order.swap(place, pick(place + 1));
        }
        order.into_iter().for_each(|no| fresh.take(self, no));
        fresh.tally
    }
}

/// The content of one clone: entries with all their ancestors, and timers.
#[derive(Clone)]
pub struct Replica {
    pub tally: Tally,
    has: Vec<bool>,
    /// The start of each timer, by the machine's clock.
    pub timers: BTreeMap<Timer, i64>,
    /// With this number of entries nothing was due, and nothing becomes due before this time.
    pub quiet: (usize, u64),
}

impl Replica {
    /// Creates a clone that holds only the genesis.
    pub fn new(archive: &Archive) -> Replica {
        Replica {
            tally: archive.founded.clone(),
            has: vec![true],
            timers: BTreeMap::new(),
            quiet: (0, 0),
        }
    }

    pub fn knows(&self, no: No) -> bool {
        self.has.get(no).is_some_and(|has| *has)
    }

    /// Returns the number of entries.
    pub fn size(&self) -> usize {
        self.tally.dag().entries().len()
    }

    /// Adds an entry with all its ancestors, as a fetch does.
    pub fn take(&mut self, archive: &Archive, no: No) {
        let mut pending = vec![no];
        while let Some(&next) = pending.last() {
            if self.knows(next) {
                pending.pop();
                continue;
            }
            let minted = &archive.minted[next];
            let before = pending.len();
            pending.extend(minted.parents.iter().copied().filter(|p| !self.knows(*p)));
            if pending.len() > before {
                continue;
            }
            pending.pop();
            // The union accepted the entry, so it is well formed.
            self.tally
                .insert_checked(minted.parsed.clone(), minted.oid)
                .unwrap();
            self.has.resize(self.has.len().max(next + 1), false);
            self.has[next] = true;
        }
    }
}
