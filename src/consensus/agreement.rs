//! The agreement statement: the bytes that all precommits of one round sign. The statement with the
//! signatures of q members is a certificate that anyone can check without the ledger. It is an
//! in-toto Statement (v1) in RFC 8785 form. The signed bytes are its DSSE v1 pre-authentication
//! encoding.

use serde_json::{Value, json};

use super::tally::{Content, Proposal, Tally};
use crate::id::EntryId;
use crate::ledger::to_canonical;
use crate::mutation::Mutation;

/// The DSSE payload type.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Returns the agreement statement of a proposal, for `round` under `charter`. Returns `None` if
/// the proposal or the charter is not known.
pub fn agreement_statement(
    tally: &Tally,
    charter: EntryId,
    proposal: EntryId,
    round: u32,
) -> Option<String> {
    let proposed = tally.proposal(proposal)?;
    let electorate = tally.dag().charter(charter)?;
    let mut predicate = json!({
        "base": proposed.slot.base,
        "charter": charter,
        "charterDigest": electorate.digest,
        "ledger": tally.dag().ledger(),
        "proposal": proposal,
        "round": if Mutation::RoundInStatement.is_active() { 0 } else { round },
        "slot": proposed.slot.id(),
    });
    let mut subjects =
        vec![json!({"digest": {"sha256": proposal}, "name": format!("proposal/{proposal}")})];
    describe(tally, proposed, &mut predicate, &mut subjects)?;
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": predicate,
        "predicateType": "urn:git-quorum:agreement:v1",
        "subject": subjects,
    });
    // The keys of a JSON value are sorted already.
    serde_json::to_string(&statement).ok()
}

/// Adds what was agreed: the move of a ref, or the digest of the next charter.
fn describe(
    tally: &Tally,
    proposed: &Proposal,
    predicate: &mut Value,
    subjects: &mut Vec<Value>,
) -> Option<()> {
    let added = match tally.content(proposed) {
        Content::Ref(change) => {
            if let Some(to) = change.to {
                subjects.push(json!({"digest": {"gitCommit": to}, "name": change.name}));
            }
            json!({
                "change": change.change,
                "from": change.from,
                "ref": change.name,
                "state": change.state,
                "to": change.to,
            })
        }
        Content::Charter(next) => {
            json!({"nextCharterDigest": crate::id::Digest::of(to_canonical(&next.charter).ok()?.as_bytes())})
        }
    };
    let (Value::Object(predicate), Value::Object(added)) = (predicate, added) else {
        return None;
    };
    predicate.extend(added);
    Some(())
}

/// Returns the DSSE v1 encoding of a body: `DSSEv1 <length> <type> <length> <body>`. The lengths
/// are decimal numbers of bytes.
pub fn pre_authentication_encoding(body: &str) -> Vec<u8> {
    format!(
        "DSSEv1 {} {PAYLOAD_TYPE} {} {body}",
        PAYLOAD_TYPE.len(),
        body.len()
    )
    .into_bytes()
}
