//! Founding a ledger with its first charter.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::charter::{Charter, FORMAT_VERSION, MemberName, PublicKey, RefPattern};
use crate::client::answer::Answer;
use crate::client::charter_warnings::charter_warnings;
use crate::client::error::{Error, Result};
use crate::client::identity::agent_signer;
use crate::client::note::Note;
use crate::client::remote::PushReply;
use crate::client::session::choose_remote;
use crate::client::setup::{RememberedMember, pin, remember_member};
use crate::client::{Code, Context, NextStep};
use crate::id::EntryId;
use crate::ledger::{GenesisPayload, LedgerRefs, Reject, encode_genesis, parse};
use crate::repo::{Expect, RefEdit, Repo};
use crate::signer::Signer;
use crate::store::{PushOutcome, Trust, find_ledgers, load, push};

/// How to found a ledger.
#[derive(Debug, Clone)]
pub struct Init {
    /// The first charter.
    pub charter: Charter,
    /// The member that founds the ledger.
    pub founder: MemberName,
    /// The founder's private key file, or its public key file if the agent signs. Absolute.
    pub key: PathBuf,
    /// Whether the ssh-agent signs.
    pub agent: bool,
    /// The remote to push the genesis to. `None` means the usual one.
    pub remote: Option<String>,
    /// Whether to do without any network.
    pub local: bool,
}

/// A ledger that was founded.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Founded {
    /// The id of the ledger, which is the id of its genesis.
    pub ledger: EntryId,
    /// Whether an earlier run had founded it.
    pub existing: bool,
    /// How many members vote.
    pub n: usize,
    /// How many of them may be faulty.
    pub f: usize,
    /// How many make a quorum.
    pub q: usize,
    /// The protected refs and patterns.
    pub protect: Vec<RefPattern>,
    /// The founder's key.
    pub key: PublicKey,
    /// The remote that has the genesis. `None` if it was not pushed.
    pub pushed_to: Option<String>,
}

/// Founds a ledger, pins it, and pushes its genesis. A run that was cut off is continued.
pub fn init(repo: &Repo, context: &Context, request: &Init) -> Result<Answer<Founded>> {
    let key = founder_key(request)?;
    let signer = founder_signer(request, key, context)?;
    let here = find_ledgers(repo)?;
    let ledger = match here.as_slice() {
        [] => found(repo, context, request, key, &signer)?,
        // An earlier run that was cut off has signed the genesis already.
        [one] if is_founded_so(repo, *one, request)? => *one,
        [ledger, ..] => {
            let message = format!("There is a ledger in this repository already: {ledger}.");
            return Err(Error::new(Code::LedgerExists, message).next(NextStep::Join));
        }
    };
    pin(repo, ledger)?;
    let member = RememberedMember {
        name: &request.founder,
        key: Some(&request.key),
        agent: request.agent,
    };
    remember_member(repo, &member)?;
    let pushed_to = publish(repo, ledger, request).map_err(|mut error| {
        error.message = format!(
            "Ledger {ledger} is founded here but was not pushed: {}",
            error.message
        );
        error
    })?;
    let threshold = request.charter.threshold();
    let view = Founded {
        ledger,
        existing: !here.is_empty(),
        n: threshold.n,
        f: threshold.f,
        q: threshold.q,
        protect: request.charter.protected().to_vec(),
        key,
        pushed_to,
    };
    let warnings = charter_warnings(&request.charter);
    Ok(Answer::yes(view)
        .next(NextStep::TellMembers(ledger))
        .notes(warnings.into_iter().map(Note::Charter)))
}

/// The founder's key in the charter.
fn founder_key(request: &Init) -> Result<PublicKey> {
    let founder = &request.founder;
    let member = request.charter.member(founder).ok_or_else(|| {
        let message = format!("{founder} founds the ledger, but the charter does not list it.");
        Error::new(Code::BadCharter, message).next(NextStep::Do(
            "add it to the members of the charter".to_owned(),
        ))
    })?;
    Ok(member.key)
}

fn founder_signer(request: &Init, key: PublicKey, context: &Context) -> Result<Signer> {
    let signer = if request.agent {
        agent_signer(key, context)?
    } else {
        Signer::from_file(&request.key, &context.passphrase)?
    };
    if signer.public() != *key.bytes() {
        let message = format!(
            "{} is not the key that the charter lists for {}.",
            request.key.display(),
            request.founder
        );
        return Err(Error::new(Code::WrongKey, message));
    }
    Ok(signer)
}

/// Whether the ledger here is the one that this request founds.
fn is_founded_so(repo: &Repo, ledger: EntryId, request: &Init) -> Result<bool> {
    let loaded = load(repo, ledger, Trust::Cache)?;
    let dag = loaded.tally.dag();
    let genesis = dag.find(ledger).map(|index| dag.entry(index));
    let charter = dag.charter(ledger).map(|node| &node.charter);
    Ok(
        genesis.is_some_and(|genesis| genesis.member == request.founder)
            && charter.is_some_and(|charter| *charter == request.charter),
    )
}

/// Signs the genesis and writes its ref.
fn found(
    repo: &Repo,
    context: &Context,
    request: &Init,
    key: PublicKey,
    signer: &Signer,
) -> Result<EntryId> {
    let payload = GenesisPayload {
        charter: request.charter.clone(),
        member: request.founder.clone(),
        v: FORMAT_VERSION,
    };
    let refused = |e: Reject| Error::new(Code::BadCharter, format!("The charter is refused: {e}."));
    let unsigned = encode_genesis(&payload, context.clock.entry_time()).map_err(refused)?;
    let signature = signer.sign_entry(&unsigned.signed_bytes)?;
    let raw = unsigned.with_signature(&key, &signature).map_err(refused)?;
    // What is written must be readable: a charter over the limits of an entry is found here.
    parse(&raw).map_err(refused)?;
    let genesis = repo.objects()?.write_commit(&raw)?;
    repo.transaction(&[RefEdit {
        name: LedgerRefs::of(unsigned.id).genesis(),
        old: Expect::Absent,
        new: Some(genesis),
    }])?;
    Ok(unsigned.id)
}

/// Pushes the genesis. Returns the remote, or `None` if there is none to push to.
fn publish(repo: &Repo, ledger: EntryId, request: &Init) -> Result<Option<String>> {
    if request.local {
        return Ok(None);
    }
    let Some(remote) = choose_remote(repo, request.remote.as_deref())? else {
        return Ok(None);
    };
    let mut loaded = load(repo, ledger, Trust::Cache)?;
    let mut remote_refs = repo.ls_remote(&remote, &["refs/quorum/*"])?;
    let ours = LedgerRefs::of(ledger).genesis();
    let is_other = |name: &&String| name.ends_with("/genesis") && **name != ours;
    if let Some(other) = remote_refs.keys().find(is_other) {
        let message = format!("{remote} has a ledger already ({other}).");
        return Err(Error::new(Code::LedgerExists, message)
            .next(NextStep::GiveUpOwnLedger { genesis: ours }));
    }
    match push(repo, &mut loaded, &remote, &mut remote_refs, (None, &[]))? {
        PushOutcome::Done => Ok(Some(remote)),
        PushOutcome::Behind { reasons, lines } => Err(PushReply::new(reasons, lines).busy(&remote)),
        PushOutcome::Refused { reasons, lines } => {
            Err(PushReply::new(reasons, lines).refused(&remote))
        }
    }
}
