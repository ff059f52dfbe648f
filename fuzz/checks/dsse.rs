//! The bytes that precommits sign: the in-toto statement and its DSSE encoding, for any proposal
//! and any round.
//!
//! The input is a proposal and a precommit, each as the JSON of a statement on a line. The program
//! only writes and compares agreement statements, and never parses them.

use std::cell::OnceCell;

use ed25519_dalek::{Signature, VerifyingKey};
use git_quorum::charter::{FORMAT_VERSION, MemberName};
use git_quorum::consensus::{
    DiscountReason, Draft, PAYLOAD_TYPE, Tally, agreement_statement, pre_authentication_encoding,
};
use git_quorum::id::{Digest, EntryId, Oid};
use git_quorum::ledger::{
    CharterProposal, Payload, Precommit, Prevote, RefProposal, Review, Statement, Verdict, encode,
    to_canonical,
};
use serde_json::{Value, json};

use super::known;

/// The id of a proposal whose entry is not complete yet.
pub const DRAFT: EntryId = EntryId::new([0; 32]);

/// The rounds to try a precommit in. Each round costs a prevote.
const ROUNDS: u32 = 4;

/// The statement contains what was proposed and nothing else, in canonical form, and its encoding
/// can be decoded to it. A precommit counts if and only if it has a valid signature of that
/// encoding.
pub fn check(input: &[u8]) {
    let mut lines = input.split(|b| *b == b'\n').map(read);
    let Some(proposal) = lines.next().flatten().filter(Statement::proposes) else {
        return;
    };
    let Some(mut draft) = propose(&proposal) else {
        return;
    };
    let vote = match lines.next().flatten() {
        Some(Statement::Precommit(vote)) => vote,
        _ => return drop(check_statement(draft.tally(), &proposal, 0)),
    };
    let body = check_statement(draft.tally(), &proposal, vote.round);
    if vote.round < ROUNDS {
        let counts = precommit(&mut draft, &vote);
        assert_eq!(
            counts,
            verifies(&pre_authentication_encoding(&body), &vote.signature)
        );
    }
}

/// A statement in an entry has passed the parser of entries, which accepts no other numbers.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_u64(),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(fields) => fields.values().all(is_plain),
        _ => true,
    }
}

fn read(line: &[u8]) -> Option<Statement> {
    let value: Value = serde_json::from_slice(line).ok().filter(is_plain)?;
    let statement: Statement = serde_json::from_value(value).ok()?;
    let canonical = to_canonical(&statement).expect("a statement can be written");
    assert_eq!(
        serde_json::from_str::<Statement>(&canonical).expect("what was written is read"),
        statement
    );
    Some(statement)
}

/// Returns a ledger of one member that makes this proposal. `None` if the proposal is not allowed.
fn propose(proposal: &Statement) -> Option<Draft> {
    thread_local! {
        static LEDGER: OnceCell<(Tally, MemberName)> = const { OnceCell::new() };
    }
    LEDGER.with(|known| {
        let (tally, member) =
            known.get_or_init(|| (known::one_member(), "alice".parse().expect("a name")));
        let ledger = tally.dag().ledger();
        let payload = Payload {
            charter: ledger,
            ledger,
            member: member.clone(),
            parents: vec![ledger],
            seq: 1,
            statements: vec![proposal.clone()],
            v: FORMAT_VERSION,
        };
        encode(&payload, &[Oid::new([0; 20])], 0).ok()?;
        let genesis = tally.dag().find(ledger).expect("a ledger has its genesis");
        let mut draft = Draft::new(tally, member, ledger, &[genesis]);
        draft.add(proposal.clone()).ok()?;
        Some(draft)
    })
}

/// Checks the statement of a round against section 6 of the specification. Returns the statement.
fn check_statement(tally: &Tally, proposal: &Statement, round: u32) -> String {
    let ledger = tally.dag().ledger();
    let body = agreement_statement(tally, ledger, DRAFT, round).expect("a valid proposal has one");
    let value: Value = serde_json::from_str(&body).expect("it is JSON");
    assert_eq!(
        to_canonical(&value).expect("JSON can be written"),
        body,
        "it is in canonical form"
    );
    let charter = &tally
        .dag()
        .charter(ledger)
        .expect("the first charter")
        .digest;
    let slot = tally.proposal(DRAFT).expect("a valid proposal").slot.id();
    let mut expected = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": {
            "charter": ledger, "charterDigest": charter, "ledger": ledger, "proposal": DRAFT, "round": round, "slot": slot
        },
        "predicateType": "urn:git-quorum:agreement:v1",
        "subject": [{"digest": {"sha256": DRAFT}, "name": format!("proposal/{DRAFT}")}],
    });
    describe(proposal, &mut expected);
    assert_eq!(value, expected);
    assert_eq!(
        decoded(&pre_authentication_encoding(&body)),
        Some(body.as_bytes()),
        "the encoding leads back"
    );
    body
}

fn describe(proposal: &Statement, expected: &mut Value) {
    let predicate = &mut expected["predicate"];
    match proposal {
        Statement::Propose(RefProposal {
            base,
            change,
            from,
            name,
            state,
            to,
            ..
        }) => {
            for (key, value) in [
                ("base", json!(base)),
                ("change", json!(change)),
                ("from", json!(from)),
            ] {
                predicate[key] = value;
            }
            for (key, value) in [
                ("ref", json!(name)),
                ("state", json!(state)),
                ("to", json!(to)),
            ] {
                predicate[key] = value;
            }
            if let (Some(to), Some(subjects)) = (to, expected["subject"].as_array_mut()) {
                subjects.push(json!({"digest": {"gitCommit": to}, "name": name}));
            }
        }
        Statement::ProposeCharter(CharterProposal { base, charter, .. }) => {
            let charter = to_canonical(charter).expect("a charter can be written");
            predicate["base"] = json!(base);
            predicate["nextCharterDigest"] = json!(Digest::of(charter.as_bytes()));
        }
        _ => unreachable!("only proposals are agreed on"),
    }
}

/// Parses a pre-authentication encoding strictly by the DSSE specification.
fn decoded(encoding: &[u8]) -> Option<&[u8]> {
    let rest = encoding.strip_prefix(b"DSSEv1 ")?;
    let (kind, rest) = field(rest)?;
    let (body, rest) = field(rest.strip_prefix(b" ")?)?;
    (kind == PAYLOAD_TYPE.as_bytes() && rest.is_empty()).then_some(body)
}

fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let length: usize = std::str::from_utf8(text.get(..digits)?)
        .ok()?
        .parse()
        .ok()?;
    text.get(digits..)?
        .strip_prefix(b" ")?
        .split_at_checked(length)
}

/// The member makes all statements that a precommit of its own proposal needs, and then the
/// precommit.
fn precommit(draft: &mut Draft, vote: &Precommit) -> bool {
    let (proposal, round) = (DRAFT, vote.round);
    let approval = Review {
        evidence: vec![],
        proposal,
        text: String::new(),
        verdict: Verdict::Approve,
    };
    draft
        .add(Statement::Review(approval))
        .expect("the only member may approve");
    for round in 0..=round {
        draft
            .add(Statement::Prevote(Prevote { proposal, round }))
            .expect("and prevote");
    }
    let said = draft.add(Statement::Precommit(Precommit {
        proposal,
        round,
        signature: vote.signature,
    }));
    if let Err(discount) = &said {
        assert_eq!(discount.reason, DiscountReason::BadAgreementSignature);
    }
    assert_eq!(draft.tally().is_decided(DRAFT), said.is_ok());
    said.is_ok()
}

fn verifies(message: &[u8], signature: &[u8; 64]) -> bool {
    thread_local! {
        static KEY: VerifyingKey = known::signing_key("alice").verifying_key();
    }
    KEY.with(|key| {
        key.verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    })
}
