//! Appending to one's own lane: sign above everything that was ever signed, remember it durably,
//! then publish. In this order: what is remembered can be published again, never the other way round.

use super::load::Loaded;
use crate::charter::{FORMAT_VERSION, MemberName, PublicKey};
use crate::consensus::own_tips;
use crate::fault;
use crate::id::EntryId;
use crate::ledger::{EntryIndex, Payload, Reject, Statement, encode, parse};
use crate::repo::{Expect, RefEdit, RefError, Repo, RepoError, commit_id};
use crate::signer::state::{SignState, SignedRecord, StateError};
use crate::signer::{Signer, SignerError};

/// A member that writes: its key, and what the key has signed on this machine.
pub struct Author {
    /// Its name.
    pub member: MemberName,
    /// Its public key.
    pub key: PublicKey,
    /// What signs.
    pub signer: Signer,
    /// What was signed; holds the lock.
    pub state: SignState,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The repository could not be read or written.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The lane could not be moved.
    #[error(transparent)]
    Ref(#[from] RefError),
    /// The key could not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The sign state could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The entry would not be well formed.
    #[error("this cannot be said: {0}")]
    Entry(#[from] Reject),
    /// This key has signed an entry that is not here, and that cannot be restored from what is here.
    #[error(
        "this machine has signed entry {id} (number {seq}) for {member}, which is not in this clone, nor is what it \
         builds on: signing now could contradict it"
    )]
    Behind {
        /// Whose lane it is.
        member: MemberName,
        /// The entry.
        id: EntryId,
        /// Its sequence number.
        seq: u64,
    },
}

/// Moves refs here, all or none.
fn move_refs(repo: &Repo, loaded: &mut Loaded, edits: Vec<RefEdit>) -> Result<(), RefError> {
    repo.transaction(&edits)?;
    for edit in edits {
        match edit.new {
            Some(oid) => loaded.tips.insert(edit.name, oid),
            None => loaded.tips.remove(&edit.name),
        };
    }
    Ok(())
}

impl Author {
    /// Makes sure that everything that this key has signed on this machine is in the loaded ledger:
    /// what a restored or second clone lacks is written back from the sign state.
    pub fn catch_up(&self, repo: &Repo, loaded: &mut Loaded) -> Result<bool, AppendError> {
        let Some(last) = self.state.last() else {
            return Ok(false);
        };
        if loaded.tally.dag().find(last.id).is_some() {
            return Ok(false);
        }
        for record in self.state.records()? {
            loaded.objects().write_commit(&record.raw)?;
        }
        let Ok(restored) = loaded.load_entry(last.oid)? else {
            return Err(AppendError::Behind {
                member: self.member.clone(),
                id: last.id,
                seq: last.seq,
            });
        };
        fault::point("append.restored");
        // An entry that was signed and never published goes on the lane; one beside the lane is kept by
        // a ref of its own until it is joined.
        let lane = loaded.refs.lane(&self.member);
        let ahead = match loaded.tips.get(&lane) {
            Some(oid) => loaded
                .tally
                .dag()
                .find_oid(*oid)
                .is_some_and(|tip| loaded.tally.dag().reaches(tip, restored)),
            None => true,
        };
        let name = if ahead {
            lane
        } else {
            loaded.refs.fork(&self.member, last.id)
        };
        let old = loaded
            .tips
            .get(&name)
            .map_or(Expect::Absent, |oid| Expect::Is(*oid));
        repo.transaction(&[RefEdit {
            name: name.clone(),
            old,
            new: Some(last.oid),
        }])?;
        loaded.tips.insert(name, last.oid);
        Ok(true)
    }

    /// Moves the own lane up to the member's only tip, if another clone or the sign state knew more than
    /// this one: what was signed is published as it is. A fork is left to the entry that joins it.
    pub fn fast_forward_lane(&self, repo: &Repo, loaded: &mut Loaded) -> Result<(), AppendError> {
        let dag = loaded.tally.dag();
        let [tip] = own_tips(&loaded.tally, &self.member)[..] else {
            return Ok(());
        };
        let name = loaded.refs.lane(&self.member);
        let now = loaded.tips.get(&name).copied();
        if now.is_some_and(|oid| dag.find_oid(oid).is_none_or(|index| index == tip)) {
            return Ok(());
        }
        let new = dag.entry(tip).oid;
        let mut edits = vec![RefEdit {
            name,
            old: now.map_or(Expect::Absent, Expect::Is),
            new: Some(new),
        }];
        edits.extend(self.joined_forks(loaded, &[tip]));
        Ok(move_refs(repo, loaded, edits)?)
    }

    /// Gives each of the member's own proposals that can still be decided, and that the remote does not show
    /// (`is_shown`), its ref, if its commit is here: without it a gate takes the lane in no further. A run that was killed
    /// before it moved the refs, and a restored clone, have the entry and not the ref.
    pub fn restore_proposal_refs(
        &self,
        repo: &Repo,
        loaded: &mut Loaded,
        is_shown: &dyn Fn(&str) -> bool,
    ) -> Result<(), AppendError> {
        let tally = &loaded.tally;
        let open = tally
            .proposals()
            .filter(|p| p.proposer == self.member && tally.decided_in(&p.slot).is_empty());
        let mut edits = Vec::new();
        for proposal in open {
            let Some(to) = tally.ref_change(proposal.id).and_then(|change| change.to) else {
                continue;
            };
            let name = loaded.refs.proposal(proposal.id);
            let kept = loaded.tips.contains_key(&name) || is_shown(&name);
            if !kept && loaded.objects().contains(to)? {
                edits.push(RefEdit {
                    name,
                    old: Expect::Absent,
                    new: Some(to),
                });
            }
        }
        Ok(move_refs(repo, loaded, edits)?)
    }

    /// Appends an entry under `charter` with these parents, and makes the other edits in the same
    /// transaction; `edits` gets the entry's id. The sign state must be caught up.
    pub fn append(
        &mut self,
        repo: &Repo,
        loaded: &mut Loaded,
        (charter, parents): (EntryId, &[EntryIndex]),
        statements: Vec<Statement>,
        time: u64,
        edits: impl FnOnce(EntryId) -> Vec<RefEdit>,
    ) -> Result<EntryIndex, AppendError> {
        let record = self.sign(loaded, (charter, parents), statements, time)?;
        // Nothing that is no entry in its place is remembered, or leaves.
        let index = loaded.tally.insert(parse(&record.raw)?, record.oid)?;
        fault::point("append.signed");
        self.state.record(&record)?;
        fault::point("append.remembered");
        loaded.objects().write_commit(&record.raw)?;
        fault::point("append.written");
        let mut all = vec![self.move_lane(loaded, &record)];
        all.extend(self.joined_forks(loaded, parents));
        all.extend(edits(record.id));
        move_refs(repo, loaded, all)?;
        fault::point("append.moved");
        Ok(index)
    }

    fn sign(
        &self,
        loaded: &Loaded,
        (charter, parents): (EntryId, &[EntryIndex]),
        statements: Vec<Statement>,
        time: u64,
    ) -> Result<SignedRecord, AppendError> {
        let dag = loaded.tally.dag();
        let cited = || parents.iter().map(|p| dag.entry(*p));
        let own = cited().filter(|e| e.member == self.member).map(|e| e.seq);
        let seq = 1 + own.max().unwrap_or(0);
        let payload = Payload {
            charter,
            ledger: dag.ledger(),
            member: self.member.clone(),
            parents: cited().map(|e| e.id).collect(),
            seq,
            statements,
            v: FORMAT_VERSION,
        };
        let oids: Vec<_> = cited().map(|e| e.oid).collect();
        let unsigned = encode(&payload, &oids, time)?;
        let signature = self.signer.sign_entry(&unsigned.signed_bytes)?;
        let raw = unsigned.with_signature(&self.key, &signature)?;
        Ok(SignedRecord {
            seq,
            id: unsigned.id,
            oid: commit_id(&raw)?,
            raw,
        })
    }

    fn move_lane(&self, loaded: &Loaded, record: &SignedRecord) -> RefEdit {
        let name = loaded.refs.lane(&self.member);
        let old = loaded
            .tips
            .get(&name)
            .map_or(Expect::Absent, |oid| Expect::Is(*oid));
        RefEdit {
            name,
            old,
            new: Some(record.oid),
        }
    }

    /// Refs of own tips that the new entry joins, and that the lane keeps from now on.
    fn joined_forks(&self, loaded: &Loaded, parents: &[EntryIndex]) -> Vec<RefEdit> {
        let dag = loaded.tally.dag();
        let tips = parents
            .iter()
            .map(|p| dag.entry(*p))
            .filter(|e| e.member == self.member);
        let names = tips.map(|e| loaded.refs.fork(&self.member, e.id));
        let kept = names.filter_map(|name| loaded.tips.get(&name).map(|oid| (name, *oid)));
        kept.map(|(name, oid)| RefEdit {
            name,
            old: Expect::Is(oid),
            new: None,
        })
        .collect()
    }
}
