//! `git quorum check-proof`: what a file proves, anywhere and offline. Believes nothing but what it computes from the
//! entries in the file.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::faults::{describe_said, fault_json, proof_failure};
use super::output::print_line;
use super::style::{Role, Text};
use super::view::{describe_fault, names};
use super::{Answer, Exit, Failure, Reply};
use crate::audit::proof::{KNOWING_BYTES, PROOF_BYTES, Proof, check_within};
use crate::charter::PublicKey;
use crate::consensus::Fault;
use crate::id::EntryId;

/// Check a proof that a member broke the rules.
///
/// Needs no repository and no network: the file holds the entries that convict, and all that they build on, to the
/// genesis. Everything is checked and computed anew. Without --ledger the answer is UNPINNED: anybody can found a
/// ledger in which a key of their own goes by somebody's name. Exit status 0: the member is convicted. 7: nothing is
/// proved, it is another ledger, or UNPINNED.
#[derive(Debug, clap::Args)]
pub struct CheckProofArgs {
    /// The file, as `git quorum faults --prove ID -o FILE` writes it.
    file: PathBuf,
    /// The ledger's id, whole, as you know it from elsewhere.
    #[arg(long, value_name = "ID")]
    ledger: Option<String>,
    /// How many bytes of memory it may take to keep what the entries in the file know of each other.
    #[arg(long, value_name = "BYTES", default_value_t = KNOWING_BYTES)]
    memory: usize,
}

pub fn run(args: CheckProofArgs, json: bool) -> Answer {
    let asked = args.ledger.as_deref().map(parse_ledger).transpose()?;
    let proof = check_within(&read(&args.file)?, args.memory).map_err(proof_failure)?;
    let ledger = proof.tally.dag().ledger();
    if let Some(asked) = asked.filter(|asked| *asked != ledger) {
        return Err(Failure::new(
            "OTHER_LEDGER",
            format!("the proof is about ledger {ledger}, not {asked}"),
        )
        .exit(Exit::Unverified)
        .hint("it says nothing about members of your ledger, whatever their names are"));
    }
    let data = to_json(&proof, asked.is_some());
    let text = Text::lines(lines(&proof, asked.is_some()));
    if asked.is_some() {
        return Reply::new(data, text);
    }
    if !json {
        print_line(text).map_err(|e| Failure::new("IO", e.to_string()))?;
    }
    let message =
        format!("it fits ledger {ledger}, but nothing says that this is the right ledger");
    Err(Failure::new("UNPINNED", message)
        .exit(Exit::Unverified)
        .hint("ask a founder or a clone for the id, then: git quorum check-proof FILE --ledger ID")
        .data(data))
}

fn parse_ledger(text: &str) -> Result<EntryId, Failure> {
    text.parse().map_err(|error: crate::id::IdError| {
        Failure::new("BAD_ID", error.to_string())
            .exit(Exit::Usage)
            .hint("give the whole ledger id")
    })
}

/// The bytes of a file, no more than are looked at.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound {
            Exit::NotFound
        } else {
            Exit::Failed
        };
        Failure::new("IO", format!("{}: {error}", path.display())).exit(exit)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(PROOF_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

/// The key that the votes of a fault are signed with, as the charter has it.
fn key(proof: &Proof, fault: &Fault) -> Option<PublicKey> {
    let electorate = &proof.tally.dag().charter(fault.charter)?.charter;
    electorate.member(&fault.member).map(|member| member.key)
}

fn to_json(proof: &Proof, pinned: bool) -> Value {
    let dag = proof.tally.dag();
    let fault = |fault: &Fault| {
        let mut value = fault_json(fault);
        if let (Value::Object(fields), Some(key)) = (&mut value, key(proof, fault)) {
            fields.insert("key".to_owned(), key.to_string().into());
        }
        value
    };
    json!({
        "ledger": dag.ledger(), "pinned": pinned, "entries": dag.entries().len(),
        "faults": proof.faults.iter().map(fault).collect::<Vec<_>>(),
    })
}

fn lines(proof: &Proof, pinned: bool) -> Vec<Text> {
    let dag = proof.tally.dag();
    let pin = if pinned { "as asked for" } else { "UNPINNED" };
    let convicted: BTreeSet<_> = proof
        .faults
        .iter()
        .map(|fault| fault.member.clone())
        .collect();
    let mut lines = vec![
        Text::from(format!(
            "ledger {} ({pin}): {} entries, every signature checked",
            dag.ledger(),
            dag.entries().len()
        )),
        Text::of(Role::Bad, format!("convicted: {}", names(&convicted))),
    ];
    for fault in &proof.faults {
        lines.push(describe_fault(fault));
        lines.extend(key(proof, fault).map(|key| Text::from(format!("    key {key}"))));
        lines.push(Text::from(format!("    charter {}", fault.charter)));
        lines.extend(
            fault
                .votes
                .iter()
                .map(|said| Text::from(describe_said(said))),
        );
    }
    lines
}
