//! Founding a ledger with its first charter.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::remember::{Membership, remember};
use crate::charter::{Charter, FORMAT_VERSION, MemberName, PublicKey, RefPattern};
use crate::client::answer::Answer;
use crate::client::charter_warnings::charter_warnings;
use crate::client::error::{Error, Result};
use crate::client::identity::agent_signer;
use crate::client::remote::PushReply;
use crate::client::session::choose_remote;
use crate::client::{CharterWarning, Code, Context, NextStep, Note};
use crate::id::EntryId;
use crate::ledger::{GenesisPayload, LedgerRefs, Reject, encode_genesis, parse};
use crate::repo::{Expect, RefEdit, Repo};
use crate::signer::Signer;
use crate::store::{Trust, find_ledgers, load, push};

/// What to found.
#[derive(Debug, Clone)]
pub struct Init {
    /// The first charter.
    pub charter: Charter,
    /// The member that founds the ledger.
    pub founder: MemberName,
    /// The founder's key file: the private key, or the public key if an ssh-agent signs. Absolute.
    pub key: PathBuf,
    /// Whether the ssh-agent signs.
    pub agent: bool,
    /// The remote to push the genesis entry to. `None` means the usual remote.
    pub remote: Option<String>,
    /// Whether to push nothing.
    pub local: bool,
}

/// What was founded.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Founded {
    /// The id of the ledger.
    pub ledger: EntryId,
    /// Whether an earlier run had founded the ledger.
    pub existing: bool,
    /// How many members vote.
    pub n: usize,
    /// How many of them may be faulty.
    pub f: usize,
    /// How many make a quorum.
    pub q: usize,
    /// What is protected.
    pub protect: Vec<RefPattern>,
    /// The founder's public key.
    pub key: PublicKey,
    /// The remote that has the genesis entry. `None` if nothing was pushed.
    pub pushed_to: Option<String>,
    /// What everyone should know about the members and rules.
    pub warnings: Vec<CharterWarning>,
}

/// Founds a ledger, pins it, remembers the founder and its key, and pushes. Continues a run that
/// was interrupted: it signs no second genesis.
pub fn init(repo: &Repo, context: &Context, request: &Init) -> Result<Answer<Founded>> {
    let founder = Founder::open(context, request)?;
    let here = find_ledgers(repo)?;
    let ledger = match here.as_slice() {
        [] => founder.found(repo, context, &request.charter)?,
        [one] if is_founded_so(repo, *one, request)? => *one,
        [ledger, ..] => {
            let message = format!("This repository has a ledger already: {ledger}.");
            return Err(Error::new(Code::LedgerExists, message).next(NextStep::Join));
        }
    };
    let membership = Membership {
        member: &request.founder,
        key: Some(&request.key),
        agent: request.agent,
    };
    remember(repo, ledger, Some(membership))?;
    let pushed_to = publish(repo, ledger, request).map_err(|mut error| {
        error.message = format!(
            "Ledger {ledger} is founded here but was not pushed. {}",
            error.message
        );
        error
    })?;
    let threshold = request.charter.threshold();
    let warnings = charter_warnings(&request.charter);
    let notes: Vec<_> = warnings.iter().cloned().map(Note::Charter).collect();
    let view = Founded {
        ledger,
        existing: !here.is_empty(),
        n: threshold.n,
        f: threshold.f,
        q: threshold.q,
        protect: request.charter.protected().to_vec(),
        key: founder.key,
        pushed_to,
        warnings,
    };
    Ok(Answer::yes(view)
        .next(NextStep::TellMembers(ledger))
        .notes(notes))
}

/// The member that founds a ledger, with what signs for it.
struct Founder<'a> {
    name: &'a MemberName,
    key: PublicKey,
    signer: Signer,
}

impl<'a> Founder<'a> {
    fn open(context: &Context, request: &'a Init) -> Result<Self> {
        let name = &request.founder;
        let Some(member) = request.charter.member(name) else {
            let message =
                format!("{name} founds the ledger, but its charter does not list {name}.");
            return Err(Error::new(Code::NotAMember, message).next(NextStep::AddMember));
        };
        let signer = if request.agent {
            agent_signer(member.key, context)?
        } else {
            Signer::from_file(&request.key, &context.passphrase)?
        };
        if signer.public() != *member.key.bytes() {
            let message = format!(
                "{} is not the key that the charter lists for {name}.",
                request.key.display()
            );
            return Err(Error::new(Code::WrongKey, message));
        }
        Ok(Self {
            name,
            key: member.key,
            signer,
        })
    }

    /// Signs the genesis entry and writes it to its ref.
    fn found(&self, repo: &Repo, context: &Context, charter: &Charter) -> Result<EntryId> {
        let payload = GenesisPayload {
            charter: charter.clone(),
            member: self.name.clone(),
            v: FORMAT_VERSION,
        };
        let broken = |reject: Reject| Error::new(Code::BadCharter, reject.to_string());
        let time = context.clock.entry_time();
        let unsigned = encode_genesis(&payload, time).map_err(broken)?;
        let signature = self.signer.sign_entry(&unsigned.signed_bytes)?;
        let raw = unsigned
            .with_signature(&self.key, &signature)
            .map_err(broken)?;
        // Everything that is written must be readable. A charter over the limits of an entry fails
        // here.
        parse(&raw).map_err(broken)?;
        let genesis = repo.objects()?.write_commit(&raw)?;
        repo.transaction(&[RefEdit {
            name: LedgerRefs::of(unsigned.id).genesis(),
            old: Expect::Absent,
            new: Some(genesis),
        }])?;
        Ok(unsigned.id)
    }
}

/// Whether the ledger here has the founder and the charter of this request.
fn is_founded_so(repo: &Repo, ledger: EntryId, request: &Init) -> Result<bool> {
    let loaded = load(repo, ledger, Trust::Cache)?;
    let dag = loaded.tally.dag();
    let genesis = dag.find(ledger);
    let same_founder = genesis.is_some_and(|index| dag.entry(index).member == request.founder);
    let charter = dag.charter(ledger);
    Ok(same_founder && charter.is_some_and(|node| node.charter == request.charter))
}

/// Pushes the genesis entry. Returns the name of the remote, or `None` if there is none to push to.
fn publish(repo: &Repo, ledger: EntryId, request: &Init) -> Result<Option<String>> {
    if request.local {
        return Ok(None);
    }
    let Some(remote) = choose_remote(repo, request.remote.as_deref())? else {
        return Ok(None);
    };
    let mut loaded = load(repo, ledger, Trust::Cache)?;
    let mut remote_refs = repo.ls_remote(&remote, &["refs/quorum/*"])?;
    let genesis = LedgerRefs::of(ledger).genesis();
    let is_other = |name: &&String| name.ends_with("/genesis") && **name != genesis;
    if let Some(other) = remote_refs.keys().find(is_other) {
        let message = format!("{remote} has a ledger already ({other}).");
        return Err(
            Error::new(Code::LedgerExists, message).next(NextStep::GiveUpOwnLedger { genesis })
        );
    }
    let outcome = push(repo, &mut loaded, &remote, &mut remote_refs, (None, &[]))?;
    PushReply::require_done(outcome, &remote)?;
    Ok(Some(remote))
}
