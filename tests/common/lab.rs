//! Ledgers in memory that consist of real signed entries with fixed keys and times. No Git, no
//! files.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signer as _, SigningKey};
use git_quorum::charter::{
    Charter, CharterRules, FORMAT_VERSION, Member, MemberName, PublicKey, Threshold,
};
use git_quorum::consensus::{Tally, agreement_statement, pre_authentication_encoding};
use git_quorum::id::{Digest, EntryId, Oid};
use git_quorum::ledger::{
    GenesisPayload, Payload, Precommit, Prevote, RefProposal, Reject, Review, Statement, Unsigned,
    Verdict, encode, encode_genesis, parse, signed_data,
};
use sha2::{Digest as _, Sha512};

/// Parses a name.
pub fn name(text: &str) -> MemberName {
    text.parse().unwrap()
}

/// Returns the signing key of a test member, which is derived from its name and cached.
pub fn signing_key(member: &str) -> SigningKey {
    static KNOWN: Mutex<BTreeMap<String, SigningKey>> = Mutex::new(BTreeMap::new());
    let make = || SigningKey::from_bytes(Digest::of(member.as_bytes()).bytes());
    KNOWN
        .lock()
        .unwrap()
        .entry(member.to_owned())
        .or_insert_with(make)
        .clone()
}

/// Returns the public key of a test member. Admitting a key is slow, so the result is cached.
pub fn public_key(member: &str) -> PublicKey {
    static KNOWN: Mutex<BTreeMap<String, PublicKey>> = Mutex::new(BTreeMap::new());
    let admit = || PublicKey::admit(signing_key(member).verifying_key().to_bytes()).unwrap();
    *KNOWN
        .lock()
        .unwrap()
        .entry(member.to_owned())
        .or_insert_with(admit)
}

/// Returns a voting member with its own fault domain.
pub fn voter(member: &str) -> Member {
    Member {
        domain: name(member),
        key: public_key(member),
        name: name(member),
        roles: vec![],
        vote: true,
    }
}

/// Returns a charter of these voting members that protects `refs/heads/main`, with the smallest
/// quorum.
pub fn charter(members: &[&str]) -> Charter {
    let rules = CharterRules {
        allow_concentrated_domains: true,
        own_approval_counts: true,
        quorum: Threshold::of(members.len()).q,
    };
    let mut members: Vec<_> = members.iter().map(|m| voter(m)).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Charter::new(
        members,
        vec!["refs/heads/main".parse().unwrap()],
        vec![],
        rules,
    )
    .unwrap()
}

/// Returns the whole commit: the bytes with the member's signature.
pub fn sign(unsigned: &Unsigned, member: &str) -> Vec<u8> {
    let signature = signing_key(member)
        .sign(&signed_data(&unsigned.signed_bytes))
        .to_bytes();
    unsigned
        .with_signature(&public_key(member), &signature)
        .unwrap()
}

/// Returns a member's signature with R = [nonce]B + `stray`. Without a stray point the signature is
/// valid, but differs from the one with the nonce of RFC 8032.
pub fn sign_with_nonce(member: &str, message: &[u8], nonce: u64, stray: EdwardsPoint) -> [u8; 64] {
    let secret = signing_key(member).to_scalar();
    let r = Scalar::from(nonce);
    let point = (EdwardsPoint::mul_base(&r) + stray).compress();
    let hash = Sha512::new()
        .chain_update(point.as_bytes())
        .chain_update(public_key(member).bytes());
    let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(message).finalize().into());
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(point.as_bytes());
    signature[32..].copy_from_slice((r + k * secret).as_bytes());
    signature
}

/// Returns the id of a commit with these bytes.
pub fn oid_of(raw: &[u8]) -> Oid {
    let oid = git2::Oid::hash_object(git2::ObjectType::Commit, raw).unwrap();
    Oid::new(oid.as_bytes().try_into().unwrap())
}

/// An entry with its id and bytes.
#[derive(Debug, Clone)]
pub struct Made {
    pub id: EntryId,
    pub oid: Oid,
    pub raw: Vec<u8>,
}

/// A ledger that a test builds, and its tally.
#[derive(Clone)]
pub struct Lab {
    pub tally: Tally,
    pub ledger: EntryId,
    /// All entries, the genesis first.
    pub made: Vec<Made>,
    oids: BTreeMap<EntryId, Oid>,
    time: u64,
}

impl Lab {
    /// Creates a ledger of these voting members, founded by the first one.
    pub fn new(members: &[&str]) -> Lab {
        Lab::found(members[0], charter(members))
    }

    /// Creates a ledger with this charter.
    pub fn found(founder: &str, charter: Charter) -> Lab {
        let payload = GenesisPayload {
            charter,
            member: name(founder),
            v: FORMAT_VERSION,
        };
        let unsigned = encode_genesis(&payload, 1_700_000_000).unwrap();
        let raw = sign(&unsigned, founder);
        let (id, oid) = (unsigned.id, oid_of(&raw));
        let tally = Tally::found(parse(&raw).unwrap(), oid).unwrap();
        let made = vec![Made { id, oid, raw }];
        Lab {
            tally,
            ledger: id,
            made,
            oids: BTreeMap::from([(id, oid)]),
            time: 1_700_000_000,
        }
    }

    /// Returns the payload of an entry, with the sequence number that follows from the parents.
    pub fn payload(
        &self,
        member: &str,
        charter: EntryId,
        parents: &[EntryId],
        statements: Vec<Statement>,
    ) -> Payload {
        let dag = self.tally.dag();
        let own = parents
            .iter()
            .filter_map(|p| dag.find(*p))
            .map(|p| dag.entry(p));
        let seq = 1 + own
            .filter(|e| e.member == name(member))
            .map(|e| e.seq)
            .max()
            .unwrap_or(0);
        let (parents, member) = (parents.to_vec(), name(member));
        Payload {
            charter,
            ledger: self.ledger,
            member,
            parents,
            seq,
            statements,
            v: FORMAT_VERSION,
        }
    }

    /// Signs an entry without adding it to the tally.
    pub fn make(&mut self, payload: &Payload) -> Made {
        self.make_by(payload, payload.member.as_str())
    }

    /// Signs an entry with the key of another member.
    pub fn make_by(&mut self, payload: &Payload, signer: &str) -> Made {
        self.time += 1;
        let parents: Vec<_> = payload.parents.iter().map(|p| self.oids[p]).collect();
        let unsigned = encode(payload, &parents, self.time).unwrap();
        let raw = sign(&unsigned, signer);
        Made {
            id: unsigned.id,
            oid: oid_of(&raw),
            raw,
        }
    }

    /// Sets the time before the next entry.
    pub fn time(&mut self, time: u64) {
        self.time = time;
    }

    /// Adds an entry to the tally.
    pub fn take(&mut self, made: Made) -> Result<EntryId, Reject> {
        self.tally.insert(parse(&made.raw)?, made.oid)?;
        self.oids.insert(made.id, made.oid);
        let id = made.id;
        self.made.push(made);
        Ok(id)
    }

    /// Adds an entry under `charter` with exactly these parents.
    pub fn entry(
        &mut self,
        member: &str,
        charter: EntryId,
        parents: &[EntryId],
        statements: Vec<Statement>,
    ) -> EntryId {
        let payload = self.payload(member, charter, parents, statements);
        let made = self.make(&payload);
        self.take(made).unwrap()
    }

    /// Returns the last entry of the member, or the genesis.
    pub fn tip(&self, member: &str) -> EntryId {
        let dag = self.tally.dag();
        dag.tips(&name(member))
            .last()
            .map_or(self.ledger, |t| dag.entry(*t).id)
    }

    /// Returns the parents of an entry that builds on its own lane and on these entries.
    pub fn above(&self, member: &str, others: &[EntryId]) -> Vec<EntryId> {
        let own = self.tip(member);
        let mut parents = vec![own];
        parents.extend(others.iter().copied().filter(|o| *o != own));
        parents
    }

    /// Returns the parents of an entry that builds on everything there is.
    pub fn above_all(&self, member: &str) -> Vec<EntryId> {
        let dag = self.tally.dag();
        let all: Vec<_> = dag
            .childless()
            .map(|t| dag.entry(t).id)
            .filter(|id| *id != self.ledger)
            .collect();
        self.above(member, &all)
    }

    /// Adds an entry of the member under the charter in force that builds on everything there is.
    pub fn say(&mut self, member: &str, statements: Vec<Statement>) -> EntryId {
        let (charter, parents) = (self.tally.charter_in_force(), self.above_all(member));
        self.entry(member, charter, &parents, statements)
    }

    /// Returns for each statement of an entry why it does not count. `None` for a statement that
    /// counts.
    pub fn verdicts(&self, entry: EntryId) -> Vec<Option<&'static str>> {
        let index = self.tally.dag().find(entry).unwrap();
        let why = |n: usize| {
            let found = self
                .tally
                .discounted()
                .iter()
                .find(|d| d.place.entry == index && d.place.statement == n);
            found.map(|d| d.discount.reason.code())
        };
        (0..self.tally.dag().entry(index).statements.len())
            .map(why)
            .collect()
    }

    /// Returns a precommit with its agreement signature.
    pub fn precommit(
        &self,
        member: &str,
        charter: EntryId,
        proposal: EntryId,
        round: u32,
    ) -> Statement {
        let signature = agree(&self.tally, member, charter, (proposal, round));
        Statement::Precommit(Precommit {
            proposal,
            round,
            signature,
        })
    }
}

/// Returns a member's signature of the agreement of a precommit.
pub fn agree(
    tally: &Tally,
    member: &str,
    charter: EntryId,
    (proposal, round): (EntryId, u32),
) -> [u8; 64] {
    let body = agreement_statement(tally, charter, proposal, round).unwrap_or_default();
    signing_key(member)
        .sign(&pre_authentication_encoding(&body))
        .to_bytes()
}

/// Returns a proposal to move main. `n` makes it different from others. Nothing here looks at the
/// objects.
pub fn propose(base: EntryId, n: u8) -> Statement {
    Statement::Propose(RefProposal {
        base,
        change: Digest::new([n; 32]),
        from: Some(Oid::new([0xaa; 20])),
        name: "refs/heads/main".parse().unwrap(),
        rewrite: false,
        state: Digest::new([n; 32]),
        text: String::new(),
        title: format!("change {n}"),
        to: Some(Oid::new([n; 20])),
    })
}

/// Returns a review.
pub fn review(proposal: EntryId, verdict: Verdict) -> Statement {
    Statement::Review(Review {
        evidence: vec![],
        proposal,
        text: String::new(),
        verdict,
    })
}

/// Returns an approval.
pub fn approve(proposal: EntryId) -> Statement {
    review(proposal, Verdict::Approve)
}

/// Returns a prevote.
pub fn prevote(proposal: EntryId, round: u32) -> Statement {
    Statement::Prevote(Prevote { proposal, round })
}
