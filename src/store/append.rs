//! Appends entries to a member's own lane. An append signs an entry, records it durably in the sign
//! state, and then publishes it. The order matters: a recorded entry can be published again, but a
//! published entry cannot be recorded after a crash.

use super::load::Loaded;
use crate::charter::{FORMAT_VERSION, MemberName, PublicKey};
use crate::consensus::own_tips;
use crate::fault;
use crate::id::EntryId;
use crate::ledger::{EntryIndex, Payload, Reject, Statement, encode, parse};
use crate::repo::{Expect, RefEdit, RefError, Repo, RepoError, commit_id};
use crate::signer::state::{SignState, SignedRecord, StateError};
use crate::signer::{Signer, SignerError};

/// A member that can append: its key and the sign state of this machine.
pub struct Author {
    /// Its name.
    pub member: MemberName,
    /// Its public key.
    pub key: PublicKey,
    /// The signer that holds the private key.
    pub signer: Signer,
    /// The sign state. It holds the lock of the key on this machine.
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
    /// The key has signed an entry that this clone lacks and that the sign state cannot restore.
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

/// Moves refs of this repository in one transaction: all or none.
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
    /// Adds every entry that this key has signed on this machine to the loaded ledger. Entries that
    /// a restored or second clone lacks are written from the sign state.
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
        // A signed, unpublished entry goes on the lane. An entry on a fork gets a ref of its own
        // until a later entry joins the fork.
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

    /// Moves the own lane to the member's only tip, if another clone or the sign state knew more
    /// than this clone. A forked lane stays as it is: the next entry joins the fork.
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

    /// Restores the refs of the member's own proposals. A proposal gets its ref if it can still be
    /// decided, its commit is here, and the remote does not show it (`is_shown`). Without this ref,
    /// a gate refuses the lane. The ref can be missing after a crash or in a restored clone.
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

    /// Appends an entry under `charter` with these parents. `edits` gets the entry's id and returns
    /// other ref edits for the same transaction. The caller must first bring the ledger up to the
    /// sign state.
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
        // An entry that is not well formed is neither recorded nor published.
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

    /// Returns edits for the refs of own tips that the new entry joins. The lane holds these tips
    /// from now on.
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
