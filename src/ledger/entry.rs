//! The exact bytes of an entry: a commit whose every byte the payload, the parents, the time and the
//! signature determine. Parsing takes the parts out, builds the bytes again, and compares.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical::{is_plain, to_canonical};
use super::reject::{Reject, RejectReason};
use super::sshsig::{armour, signed_data, unarmour};
use super::statement::Statement;
use super::{CharterProposal, limits};
use crate::charter::{Charter, FORMAT_VERSION, MemberName, PublicKey};
use crate::id::{EntryId, Oid};

/// What an entry says, in JSON an object whose `type` is `entry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// The charter that its statements are made under.
    pub charter: EntryId,
    /// The ledger.
    pub ledger: EntryId,
    /// Whose entry it is.
    pub member: MemberName,
    /// The ids of the parents, in the order of the commit's parents.
    pub parents: Vec<EntryId>,
    /// 1 + the highest among the member's own entries that are parents.
    pub seq: u64,
    /// What the member says; none in an entry that only joins a fork.
    pub statements: Vec<Statement>,
    /// The format version.
    pub v: u64,
}

/// What a genesis entry says, in JSON an object whose `type` is `genesis`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisPayload {
    /// The first charter.
    pub charter: Charter,
    /// The member that signs it.
    pub member: MemberName,
    /// The format version.
    pub v: u64,
}

/// What either kind of entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Body {
    /// The first entry of a ledger.
    Genesis(GenesisPayload),
    /// Any other.
    Entry(Payload),
}

/// The bytes to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// The entry's id.
    pub id: EntryId,
    /// The commit without its signature header.
    pub signed_bytes: Vec<u8>,
    header_len: usize,
}

/// Bytes that have the form of an entry. Neither its place nor its signature has been checked.
#[derive(Debug, Clone)]
pub struct ParsedEntry {
    /// Its id.
    pub id: EntryId,
    /// Git's ids of the parents.
    pub parents: Vec<Oid>,
    /// Seconds since 1970, as its author claims; nothing depends on it.
    pub time: u64,
    pub(super) body: Body,
    pub(super) key: PublicKey,
    pub(super) signature: [u8; 64],
    pub(super) signed_bytes: Vec<u8>,
    verified: bool,
}

impl ParsedEntry {
    /// Checks the signature now, so that the ledger need not when it takes the entry in. What does not
    /// verify stays unchecked: the ledger then says so, when it is its turn.
    pub fn check_ahead(&mut self) {
        self.verified = self.has_good_signature();
    }

    /// Whether the signature is that of the key that the entry shows.
    pub(super) fn has_good_signature(&self) -> bool {
        self.verified
            || self
                .key
                .verifies(&signed_data(&self.signed_bytes), &self.signature)
    }

    /// Whether it is a genesis entry.
    pub fn is_genesis(&self) -> bool {
        matches!(self.body, Body::Genesis(_))
    }

    /// Whose entry it claims to be.
    pub fn member(&self) -> &MemberName {
        match &self.body {
            Body::Genesis(genesis) => &genesis.member,
            Body::Entry(payload) => &payload.member,
        }
    }
}

/// The bytes to sign for an entry with these parents, in the payload's order.
pub fn encode(payload: &Payload, parents: &[Oid], time: u64) -> Result<Unsigned, Reject> {
    build(&Body::Entry(payload.clone()), parents, time)
}

/// The bytes to sign for a genesis entry.
pub fn encode_genesis(payload: &GenesisPayload, time: u64) -> Result<Unsigned, Reject> {
    build(&Body::Genesis(payload.clone()), &[], time)
}

impl Unsigned {
    /// The whole commit.
    pub fn with_signature(&self, key: &PublicKey, signature: &[u8; 64]) -> Result<Vec<u8>, Reject> {
        let armour = armour(key, signature)
            .map_err(|e| Reject::new(RejectReason::BadArmour, e.to_string()))?;
        Ok(self.with_armour(&armour))
    }

    fn with_armour(&self, armour: &str) -> Vec<u8> {
        let (header, message) = self.signed_bytes.split_at(self.header_len);
        let signature = format!("gpgsig {}\n", armour.trim_end().replace('\n', "\n "));
        [header, signature.as_bytes(), message].concat()
    }
}

fn build(body: &Body, parents: &[Oid], time: u64) -> Result<Unsigned, Reject> {
    check_body(body, parents.len(), time)?;
    let json = to_canonical(body).map_err(|e| Reject::new(RejectReason::BadJson, e.to_string()))?;
    Ok(assemble(body, (&subject_line(body), &json), parents, time))
}

/// The signed bytes, from a body that was checked, its subject line and its canonical JSON.
fn assemble(body: &Body, (subject, json): (&str, &str), parents: &[Oid], time: u64) -> Unsigned {
    let member = match body {
        Body::Genesis(genesis) => &genesis.member,
        Body::Entry(payload) => &payload.member,
    };
    let mut text = format!("tree {}\n", Oid::EMPTY_TREE);
    for parent in parents {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "parent {parent}");
    }
    for role in ["author", "committer"] {
        let _ = writeln!(
            text,
            "{role} {member} <{member}@git-quorum.invalid> {time} +0000"
        );
    }
    let header_len = text.len();
    let _ = write!(text, "\n{subject}\n\n{json}\n");
    let signed_bytes = text.into_bytes();
    Unsigned {
        id: EntryId::of(&signed_bytes),
        signed_bytes,
        header_len,
    }
}

fn subject_line(body: &Body) -> String {
    match body {
        Body::Genesis(genesis) => format!("quorum genesis by {}", genesis.member),
        Body::Entry(payload) => {
            let said: Vec<_> = payload.statements.iter().map(Statement::subject).collect();
            let said = if said.is_empty() {
                "join".to_owned()
            } else {
                said.join(", ")
            };
            format!("quorum {} {}: {said}", payload.member, payload.seq)
        }
    }
}

fn check_body(body: &Body, parents: usize, time: u64) -> Result<(), Reject> {
    let over = |why: &str| Err(Reject::new(RejectReason::LimitExceeded, why));
    if time > limits::TIME {
        return over("the time lies after the year 9998");
    }
    let payload = match body {
        Body::Genesis(genesis) => return check_genesis(genesis, parents),
        Body::Entry(payload) => payload,
    };
    if parents == 0 || parents > limits::PARENTS || payload.parents.len() != parents {
        return over("the number of parents");
    }
    if payload.statements.len() > limits::STATEMENTS {
        return over("the number of statements");
    }
    if payload.seq == 0 || payload.seq > limits::INTEGER {
        return over("the sequence number");
    }
    payload.statements.iter().try_for_each(Statement::check)?;
    check_arrangement(payload)
}

/// A proposal's id is its entry's id, so an entry makes at most one, first of all.
fn check_arrangement(payload: &Payload) -> Result<(), Reject> {
    let bad = |why: &str| Err(Reject::new(RejectReason::BadStatement, why));
    if payload.statements.iter().skip(1).any(Statement::proposes) {
        return bad("a proposal is the first statement of its entry, and the only proposal in it");
    }
    match payload.statements.first() {
        Some(Statement::ProposeCharter(CharterProposal { base, .. }))
            if *base != payload.charter =>
        {
            bad("a charter is proposed under the charter that it follows")
        }
        _ => Ok(()),
    }
}

fn check_genesis(genesis: &GenesisPayload, parents: usize) -> Result<(), Reject> {
    let bad = |why: String| Err(Reject::new(RejectReason::BadGenesis, why));
    if parents != 0 {
        return bad("a genesis entry has no parents".to_owned());
    }
    if let Err(error) = genesis.charter.check_first() {
        return bad(error.to_string());
    }
    match genesis.charter.member(&genesis.member) {
        Some(_) => Ok(()),
        None => bad(format!(
            "its author {} is no member of its charter",
            genesis.member
        )),
    }
}

/// Takes the raw bytes of a commit for an entry, if they have the exact form of one (spec, "Entry").
pub fn parse(raw: &[u8]) -> Result<ParsedEntry, Reject> {
    let Parts {
        header,
        subject,
        json,
    } = split(raw)?;
    let (key, signature) = unarmour(&header.armour)?;
    let body = parse_body(json)?;
    check_body(&body, header.parents.len(), header.time)?;
    let expected = subject_line(&body);
    if expected != subject {
        return Err(Reject::new(
            RejectReason::BadSubjectLine,
            format!("expected {expected:?}"),
        ));
    }
    // The JSON is its own canonical form and the armour its own exact form: both were compared above.
    let unsigned = assemble(&body, (subject, json), &header.parents, header.time);
    if unsigned.with_armour(&header.armour) != raw {
        return Err(Reject::new(
            RejectReason::BadTemplate,
            "the bytes are not the ones that the payload determines",
        ));
    }
    let Unsigned {
        id, signed_bytes, ..
    } = unsigned;
    Ok(ParsedEntry {
        id,
        parents: header.parents,
        time: header.time,
        body,
        key,
        signature,
        signed_bytes,
        verified: false,
    })
}

/// The same for bytes that [`parse`] has taken before, to the last one: they are only taken apart. What
/// comes out goes by no check of its signature, for the signed bytes are left out.
pub fn parse_again(raw: &[u8]) -> Result<ParsedEntry, Reject> {
    let Parts { header, json, .. } = split(raw)?;
    let (key, signature) = unarmour(&header.armour)?;
    let body = serde_json::from_str(json)
        .map_err(|e| Reject::new(RejectReason::BadJson, e.to_string()))?;
    let id = id_of(raw).ok_or(RejectReason::NoSignature)?;
    Ok(ParsedEntry {
        id,
        parents: header.parents,
        time: header.time,
        body,
        key,
        signature,
        signed_bytes: Vec::new(),
        verified: false,
    })
}

/// The id: the digest of the bytes without the signature header.
fn id_of(raw: &[u8]) -> Option<EntryId> {
    let find = |from: usize, what: &[u8]| {
        let rest = raw.get(from..)?;
        rest.windows(what.len())
            .position(|window| window == what)
            .map(|at| from + at)
    };
    let start = find(0, b"\ngpgsig ")? + 1;
    let end = find(start, SIGNATURE_END)? + SIGNATURE_END.len();
    Some(EntryId::of(&[raw.get(..start)?, raw.get(end..)?].concat()))
}

/// The last line of the signature header.
const SIGNATURE_END: &[u8] = b"\n -----END SSH SIGNATURE-----\n";

/// The parts of an entry's bytes, not yet compared with what they should be.
struct Parts<'a> {
    header: Header,
    subject: &'a str,
    json: &'a str,
}

fn split(raw: &[u8]) -> Result<Parts<'_>, Reject> {
    if raw.len() > limits::ENTRY_BYTES {
        return Err(Reject::new(
            RejectReason::TooLarge,
            format!("{} bytes", raw.len()),
        ));
    }
    let template = |why: &str| Reject::new(RejectReason::BadTemplate, why);
    let text = std::str::from_utf8(raw).map_err(|_| template("not UTF-8"))?;
    let (header, message) = text
        .split_once("\n\n")
        .ok_or_else(|| template("no message"))?;
    let header = split_header(header)?;
    let (subject, json) = message
        .split_once("\n\n")
        .ok_or_else(|| template("the message has no payload"))?;
    let json = json
        .strip_suffix('\n')
        .ok_or_else(|| template("the message does not end in a line feed"))?;
    Ok(Parts {
        header,
        subject,
        json,
    })
}

struct Header {
    parents: Vec<Oid>,
    time: u64,
    armour: String,
}

/// Takes the parts out of the header; whether nothing else stands there, comparing will show.
fn split_header(header: &str) -> Result<Header, Reject> {
    let template = |why: &str| Reject::new(RejectReason::BadTemplate, why);
    let mut parents = Vec::new();
    let (mut time, mut armour) = (None, None::<String>);
    for line in header.split('\n') {
        if let Some(continuation) = line.strip_prefix(' ') {
            let armour = armour
                .as_mut()
                .ok_or_else(|| template("a continued header that is no signature"))?;
            armour.push_str(continuation);
            armour.push('\n');
        } else if let Some(parent) = line.strip_prefix("parent ") {
            parents.push(
                parent
                    .parse()
                    .map_err(|_| template("a parent is no object id"))?,
            );
        } else if line.starts_with("author ") {
            time = line
                .strip_suffix(" +0000")
                .and_then(|l| l.rsplit(' ').next())
                .and_then(|t| t.parse().ok());
        } else if let Some(first) = line.strip_prefix("gpgsig ") {
            if armour.is_some() {
                return Err(template("more than one signature"));
            }
            armour = Some(format!("{first}\n"));
        }
        if parents.len() > limits::PARENTS {
            return Err(Reject::new(
                RejectReason::LimitExceeded,
                "the number of parents",
            ));
        }
    }
    let time = time.ok_or_else(|| template("no author with a time in UTC"))?;
    Ok(Header {
        parents,
        time,
        armour: armour.ok_or(RejectReason::NoSignature)?,
    })
}

/// Reads a payload. First that it is JSON, of this version, and in its canonical form; then its shape.
fn parse_body(json: &str) -> Result<Body, Reject> {
    let bad = |e: serde_json::Error| Reject::new(RejectReason::BadJson, e.to_string());
    let value: Value = serde_json::from_str(json).map_err(bad)?;
    match value.get("v").and_then(Value::as_u64) {
        Some(FORMAT_VERSION) => {}
        Some(other) => {
            return Err(Reject::new(
                RejectReason::UnknownVersion,
                format!("version {other}"),
            ));
        }
        None => return Err(Reject::new(RejectReason::BadJson, "no format version v")),
    }
    if !is_plain(&value) {
        return Err(RejectReason::NotCanonical.into());
    }
    match serde_json::from_value::<Body>(value) {
        Ok(body) if to_canonical(&body).map_err(bad)? == json => Ok(body),
        read => Err(why_not_canonical(json, read.err())),
    }
}

/// Which of the two it is: JSON that is not in its canonical form, or not of the known shape. serde takes an
/// array for an object and an absent field for a null one; the text tells.
fn why_not_canonical(json: &str, error: Option<serde_json::Error>) -> Reject {
    let value: Result<Value, _> = serde_json::from_str(json);
    if value
        .and_then(|value| to_canonical(&value))
        .is_ok_and(|canonical| canonical == json)
    {
        let why = error.map_or(
            "fields or types that this version does not have".to_owned(),
            |e| e.to_string(),
        );
        return Reject::new(RejectReason::BadJson, why);
    }
    RejectReason::NotCanonical.into()
}
