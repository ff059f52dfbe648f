//! The liar holds a member's key, and signs what the member's tool would not sign. It uses only the
//! public functions for entries, and pushes with plain Git. It shares nothing with the member's own
//! agent, so no sign state stops it.

use serde_json::Value;

use super::cue::Cue;
use super::play::Play;
use super::story::LIAR;
use crate::charter::{FORMAT_VERSION, MemberName, PublicKey};
use crate::cli::Failure;
use crate::cli::shell;
use crate::client::parse_name;
use crate::id::{EntryId, Oid};
use crate::ledger::{LedgerRefs, Payload, Prevote, Review, Statement, Verdict, encode, parse};
use crate::signer::{PassphraseSource, Signer};

/// The holder of the key.
pub struct Liar {
    signer: Signer,
    key: PublicKey,
    ledger: EntryId,
    /// The names of the ledger's refs.
    pub refs: LedgerRefs,
}

/// An entry that the liar read or made.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its id.
    pub id: EntryId,
    /// The commit that holds it.
    pub oid: Oid,
    /// Its bytes.
    pub raw: Vec<u8>,
    seq: u64,
}

impl Liar {
    /// A liar with the key in this file.
    pub fn with_key(play: &Play, file: &str, ledger: EntryId) -> Result<Liar, Failure> {
        let signer = Signer::from_file(&play.stage.folder().join(file), &PassphraseSource::none())?;
        let key = PublicKey::admit(signer.public()).map_err(|e| play.wrong(&e.to_string()))?;
        Ok(Liar {
            signer,
            key,
            ledger,
            refs: LedgerRefs::of(ledger),
        })
    }

    /// The last entry of a lane on the server. For an empty lane, the genesis.
    pub fn look(&self, play: &Play, name: &str) -> Result<Seen, Failure> {
        play.run(&Cue::git(
            LIAR,
            &["fetch", "--quiet", "origin", &format!("+{name}:refs/seen")],
        ))?;
        let ran = play.run(&Cue::git(LIAR, &["cat-file", "commit", "refs/seen"]))?;
        self.store(play, ran.stdout)
    }

    /// The last entry of a member.
    pub fn look_at_lane(&self, play: &Play, member: &str) -> Result<Seen, Failure> {
        let name = self.refs.lane(&parse_name(member)?);
        self.look(play, &name)
    }

    /// Signs an entry with these statements in the member's name. It follows the first parent if
    /// that is the member's own.
    pub fn sign(
        &self,
        play: &Play,
        member: &str,
        parents: &[&Seen],
        statements: Vec<Statement>,
    ) -> Result<Seen, Failure> {
        let member: MemberName = parse_name(member)?;
        let bad =
            |e: crate::ledger::Reject| play.wrong(&format!("the lie cannot be written down: {e}"));
        let payload = Payload {
            charter: self.ledger,
            ledger: self.ledger,
            parents: parents.iter().map(|p| p.id).collect(),
            seq: 1 + parents.first().map_or(0, |own| own.seq),
            member,
            statements,
            v: FORMAT_VERSION,
        };
        let oids: Vec<_> = parents.iter().map(|p| p.oid).collect();
        let unsigned = encode(&payload, &oids, shell::context().clock.entry_time()).map_err(bad)?;
        let signature = self.signer.sign_entry(&unsigned.signed_bytes)?;
        self.store(
            play,
            unsigned
                .with_signature(&self.key, &signature)
                .map_err(bad)?,
        )
    }

    /// The same signed entry with another first parent. The signature does not change.
    pub fn transplant(&self, play: &Play, entry: &Seen, parent: Oid) -> Result<Seen, Failure> {
        let text = String::from_utf8_lossy(&entry.raw).into_owned();
        let old = text
            .lines()
            .find(|line| line.starts_with("parent "))
            .unwrap_or_default()
            .to_owned();
        self.store(
            play,
            text.replacen(&old, &format!("parent {parent}"), 1)
                .into_bytes(),
        )
    }

    fn store(&self, play: &Play, raw: Vec<u8>) -> Result<Seen, Failure> {
        let cue =
            Cue::git(LIAR, &["hash-object", "-t", "commit", "-w", "--stdin"]).input(raw.clone());
        let printed = String::from_utf8_lossy(&play.run(&cue)?.stdout)
            .trim()
            .to_owned();
        let oid: Oid = printed
            .parse()
            .map_err(|e: crate::id::IdError| play.wrong(&e.to_string()))?;
        let id = parse(&raw).map_err(|e| play.wrong(&e.to_string()))?.id;
        Ok(Seen {
            id,
            oid,
            seq: sequence(&raw),
            raw,
        })
    }
}

/// The sequence number in the payload, which is the last line. `None` for a genesis.
fn sequence(raw: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(raw);
    let payload: Option<Value> = text
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok());
    payload
        .and_then(|p| p.get("seq").and_then(Value::as_u64))
        .unwrap_or(0)
}

/// An approval.
pub fn approval(proposal: EntryId) -> Statement {
    Statement::Review(Review {
        evidence: Vec::new(),
        proposal,
        text: String::new(),
        verdict: Verdict::Approve,
    })
}

/// A prevote in round 0.
pub fn prevote(proposal: EntryId) -> Statement {
    Statement::Prevote(Prevote { proposal, round: 0 })
}
