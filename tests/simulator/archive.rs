//! Everything that anyone in a run has signed, made once and shared by all replicas; and replicas of parts of
//! it. Knows nothing of time, servers or who may see what.

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

/// An entry that was signed.
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
    /// Whether signatures are real. They are not where only speed counts: then entries are taken in as ones that were
    /// checked before, and trials do without the rule that precommits are signed.
    real: bool,
    _unsigned: Option<ActiveMutation>,
}

/// A ledger with nothing but its genesis, which is signed for real.
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
    /// Founded ledgers by their voters and time: thousands of runs begin alike.
    static FOUNDED: RefCell<BTreeMap<(usize, usize, u64), Founded>> = const { RefCell::new(BTreeMap::new()) };
}

impl Archive {
    /// A ledger of `n` members whose charter this is.
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

    /// The number of an entry.
    pub fn number(&self, id: EntryId) -> No {
        self.numbers[&id]
    }

    /// Signs an entry. Nobody has it yet; one that is not published has never left its machine.
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
            // Any name that no other entry has will do.
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

    /// Takes what was signed into the union, if it is an entry in its place.
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

    /// The vote with the member's signature on what was agreed.
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

    /// Whether an entry is another one or builds on it.
    pub fn reaches(&self, earlier: No, later: No) -> bool {
        let dag = self.union.dag();
        let index = |no: No| dag.find(self.minted[no].id).unwrap();
        dag.reaches(index(earlier), index(later))
    }

    /// A tally of all entries, taken in in another order.
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

/// What one clone has: entries with all that they build on, and its timers.
#[derive(Clone)]
pub struct Replica {
    pub tally: Tally,
    has: Vec<bool>,
    /// When each timer was started, by the clock of the machine.
    pub timers: BTreeMap<Timer, i64>,
    /// With so many entries there was nothing to say, nor will be before that time.
    pub quiet: (usize, u64),
}

impl Replica {
    /// A clone that has the genesis only.
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

    /// How many entries it has.
    pub fn size(&self) -> usize {
        self.tally.dag().entries().len()
    }

    /// Takes in an entry with all that it builds on, as a fetch does.
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
            // The union has taken it, so it is well formed in its place.
            self.tally
                .insert_checked(minted.parsed.clone(), minted.oid)
                .unwrap();
            self.has.resize(self.has.len().max(next + 1), false);
            self.has[next] = true;
        }
    }
}
