//! Proofs that members broke the rules: files for people who have no copy of the ledger.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::fault::{FaultView, convicted};
use crate::audit::proof::{PROOF_BYTES, Proof, ProofError, check_within, prove};
use crate::charter::MemberName;
use crate::client::answer::Answer;
use crate::client::error::{Error, Result};
use crate::client::list::Bounded;
use crate::client::session::{Session, check_whole, find_id};
use crate::client::{Code, Context, NextStep};
use crate::consensus::Fault;
use crate::id::EntryId;
use crate::repo::Repo;

/// A proof to write.
#[derive(Debug, Clone)]
pub struct Prove {
    /// The first digits of the id of the fault.
    pub fault: String,
    /// The file. It must not exist.
    pub file: PathBuf,
}

/// A proof that was written.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Proved {
    /// The file.
    pub file: PathBuf,
    /// The size of the file, in bytes.
    pub bytes: usize,
    /// The ledger.
    pub ledger: EntryId,
    /// The fault.
    pub fault: FaultView,
}

/// A proof to check.
#[derive(Debug, Clone)]
pub struct CheckProof {
    /// The file.
    pub file: PathBuf,
    /// The whole id of the ledger, as the caller knows it from elsewhere.
    pub ledger: Option<String>,
    /// How many bytes of memory may hold what the entries of the file know of each other.
    pub memory: usize,
    /// How many faults the view has.
    pub limit: usize,
}

/// What a proof proves.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckedProof {
    /// The ledger that it is about.
    pub ledger: EntryId,
    /// Whether the caller named this ledger.
    pub pinned: bool,
    /// How many entries it holds. Every signature was checked.
    pub entries: usize,
    /// The members that it convicts.
    pub convicted: BTreeSet<MemberName>,
    /// What the members did.
    pub faults: Bounded<FaultView>,
}

/// Writes a proof of a fault to a new file.
pub fn write_proof(repo: Repo, context: &Context, request: &Prove) -> Result<Answer<Proved>> {
    check_whole(&repo)?;
    let session = Session::open_afresh(repo, context, None)?;
    let tally = &session.loaded.tally;
    let faults = tally.faults();
    let ids = faults.iter().map(|fault| fault.id);
    let id =
        find_id(&request.fault, "fault", ids).map_err(|error| error.next(NextStep::ListFaults))?;
    let fault = faults
        .iter()
        .find(|fault| fault.id == id)
        .ok_or_else(|| Error::internal(format!("Fault {id} is not known.")))?;
    let file = &request.file;
    let proof = prove(tally, session.loaded.objects(), fault);
    let proof = proof.map_err(|error| proof_error(error, file))?;
    write_new(file, &proof)?;
    let view = Proved {
        file: file.clone(),
        bytes: proof.len(),
        ledger: session.ledger(),
        fault: FaultView::new(fault),
    };
    let next = NextStep::CheckProof {
        file: file.clone(),
        ledger: Some(view.ledger),
    };
    Ok(Answer::yes(view).next(next).notes(session.notes))
}

/// Checks a proof. Needs no repository. Answers no if the caller does not name the ledger.
pub fn check_proof(request: &CheckProof) -> Result<Answer<CheckedProof>> {
    let asked = match &request.ledger {
        Some(text) => Some(parse_ledger(text)?),
        None => None,
    };
    let file = &request.file;
    let bytes = read_bounded(file)?;
    let proof = check_within(&bytes, request.memory).map_err(|error| proof_error(error, file))?;
    let dag = proof.tally.dag();
    let ledger = dag.ledger();
    if let Some(asked) = asked
        && asked != ledger
    {
        let message = format!("The proof is about ledger {ledger}, not {asked}.");
        return Err(Error::new(Code::OtherLedger, message).next(NextStep::DistrustLedger));
    }
    let faults = proof
        .faults
        .iter()
        .map(|fault| view_with_key(&proof, fault));
    let view = CheckedProof {
        ledger,
        pinned: asked.is_some(),
        entries: dag.entries().len(),
        convicted: convicted(&proof.faults),
        faults: Bounded::first(faults.collect(), request.limit),
    };
    if view.pinned {
        return Ok(Answer::yes(view));
    }
    let next = NextStep::CheckProof {
        file: file.clone(),
        ledger: None,
    };
    Ok(Answer::no(Code::Unpinned, view).next(next))
}

fn parse_ledger(text: &str) -> Result<EntryId> {
    text.parse().map_err(|error: crate::id::IdError| {
        let next = NextStep::Do("give the whole ledger id".to_owned());
        Error::new(Code::BadId, error.to_string()).next(next)
    })
}

/// The fault with the key that signed its votes.
fn view_with_key(proof: &Proof, fault: &Fault) -> FaultView {
    let node = proof.tally.dag().charter(fault.charter);
    let member = node.and_then(|node| node.charter.member(&fault.member));
    FaultView {
        key: member.map(|member| member.key),
        ..FaultView::new(fault)
    }
}

/// Reads a file, but not more of it than one byte beyond the largest proof.
fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            let message = format!("There is no file {}.", path.display());
            return Error::new(Code::NotFound, message);
        }
        Error::file(path, error)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(PROOF_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

/// Writes a new file, whole or not at all.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            let message = format!("{} exists already, and is not overwritten.", path.display());
            let next = NextStep::Do("name another file, or move that one away".to_owned());
            return Error::new(Code::FileExists, message).next(next);
        }
        Error::file(path, error)
    };
    let parent = path.parent();
    let folder = parent.filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    make_readable(&mut builder);
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    let persisted = file.persist_noclobber(path);
    persisted.map(drop).map_err(|error| failed(error.error))
}

/// Makes the file as readable as any other new file, because a proof is for other people.
#[cfg(unix)]
fn make_readable(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn make_readable(_: &mut tempfile::Builder<'_, '_>) {}

fn proof_error(error: ProofError, file: &Path) -> Error {
    let message = error.to_string();
    match error {
        ProofError::Repo(error) => error.into(),
        ProofError::UpgradeNeeded(_) => Error::new(Code::UpgradeNeeded, message),
        ProofError::Nothing => {
            Error::new(Code::NothingProved, message).next(NextStep::DistrustFile)
        }
        ProofError::TooDear(_) => {
            let file = file.to_owned();
            Error::new(Code::BadProof, message).next(NextStep::AllowMoreMemory { file })
        }
        _ => Error::new(Code::BadProof, message).next(NextStep::AskForProof),
    }
}
