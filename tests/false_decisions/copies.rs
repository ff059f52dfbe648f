//! Tests disguised entries: copies, second signatures, colliding parents, and a genesis by somebody
//! else.

use git_quorum::charter::FORMAT_VERSION;
use git_quorum::consensus::Tally;
use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{
    GenesisPayload, Payload, RejectReason, encode, encode_genesis, parse, signed_data,
};

use crate::FOUR;
use crate::lab::*;

/// Reads all entries so far, as another reader does.
fn read(lab: &Lab) -> Tally {
    let mut tally = Tally::found(parse(&lab.made[0].raw).unwrap(), lab.made[0].oid).unwrap();
    for made in &lab.made[1..] {
        tally.insert(parse(&made.raw).unwrap(), made.oid).unwrap();
    }
    tally
}

fn payload_of(lab: &Lab, id: EntryId) -> (Payload, Vec<Oid>, u64) {
    let dag = lab.tally.dag();
    let entry = dag.entry(dag.find(id).unwrap());
    let parents: Vec<_> = entry.parents.iter().map(|p| dag.entry(*p)).collect();
    let payload = Payload {
        charter: entry.charter,
        ledger: lab.ledger,
        member: entry.member.clone(),
        parents: parents.iter().map(|p| p.id).collect(),
        seq: entry.seq,
        statements: entry.statements.clone(),
        v: FORMAT_VERSION,
    };
    (payload, parents.iter().map(|p| p.oid).collect(), entry.time)
}

/// One vote in ten commits, each with another valid signature of its author, is one entry and one
/// vote.
#[test]
fn an_entry_that_its_author_signed_again_and_again_is_one_entry() {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    lab.say("a", vec![approve(p), prevote(p, 0)]);
    let vote = lab.say("d", vec![approve(p), prevote(p, 0)]);
    let (payload, parents, time) = payload_of(&lab, vote);
    let unsigned = encode(&payload, &parents, time).unwrap();
    for nonce in 1..=10 {
        let data = signed_data(&unsigned.signed_bytes);
        let signature = sign_with_nonce(
            "d",
            &data,
            nonce,
            curve25519_dalek::traits::Identity::identity(),
        );
        let raw = unsigned
            .with_signature(&public_key("d"), &signature)
            .unwrap();
        lab.tally
            .insert(parse(&raw).unwrap(), oid_of(&raw))
            .unwrap();
    }
    assert_eq!(
        lab.tally.dag().entries().len(),
        4,
        "the genesis, a's two, d's one"
    );
    assert!(lab.tally.dag().has_doubles(), "the commits are there");
    let votes = lab.tally.report(p).unwrap().rounds;
    assert_eq!(votes[0].prevotes[&p].len(), 2);
    let precommit = lab.precommit("a", lab.ledger, p, 0);
    let early = lab.say("a", vec![precommit]);
    assert_eq!(lab.verdicts(early), [Some("NO_PREVOTE_QUORUM")]);
    assert!(lab.tally.evidence().is_empty());
}

/// The same payload under another header: another time, other parents, another member's name on the commit.
#[test]
fn an_entry_under_another_header_is_none() {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let vote = lab.say("d", vec![approve(p), prevote(p, 0)]);
    let raw = String::from_utf8(lab.made.last().unwrap().raw.clone()).unwrap();
    let (_, parents, time) = payload_of(&lab, vote);
    let genesis = lab.made[0].oid.to_string();
    let changed = [
        (
            "another time",
            raw.replace(&format!(" {time} +0000"), &format!(" {} +0000", time + 1)),
        ),
        (
            "another parent",
            raw.replace(&parents[1].to_string(), &genesis),
        ),
        (
            "one parent less",
            raw.replacen(&format!("parent {}\n", parents[1]), "", 1),
        ),
        (
            "another name",
            raw.replace("author d ", "author a ")
                .replace("committer d ", "committer a "),
        ),
    ];
    for (what, copy) in changed {
        assert_ne!(copy, raw, "{what}");
        let mut tally = lab.tally.clone();
        let taken =
            parse(copy.as_bytes()).and_then(|parsed| tally.insert(parsed, oid_of(copy.as_bytes())));
        assert!(taken.is_err(), "{what}");
        assert_eq!(
            tally.dag().entries().len(),
            lab.tally.dag().entries().len(),
            "{what}"
        );
    }
}

/// SHA-1 is not trusted: where one commit id stands for two entries, an entry above it is taken in only by who has
/// the parent that its author signed, which it names by SHA-256.
#[test]
fn parents_that_collide_change_no_history() {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let before = lab.clone();
    let shown = lab.say("d", vec![approve(p)]);
    let (collision, shown_raw) = (
        lab.made.last().unwrap().oid,
        lab.made.last().unwrap().raw.clone(),
    );
    let above = lab.say("b", vec![approve(p), prevote(p, 0)]);
    let above_raw = lab.made.last().unwrap().raw.clone();

    let mut liar = before.clone();
    let hidden = liar.say("d", vec![review(p, git_quorum::ledger::Verdict::Reject)]);
    let hidden_raw = liar.made.last().unwrap().raw.clone();
    assert_ne!(shown, hidden);
    // A reader to whom the other entry is given under the same commit id.
    let mut reader = read(&before);
    reader
        .insert(parse(&hidden_raw).unwrap(), collision)
        .unwrap();
    let refused = reader
        .insert(parse(&above_raw).unwrap(), oid_of(&above_raw))
        .unwrap_err();
    assert_eq!(refused.reason, RejectReason::ParentMismatch);
    // With the true one it gets in.
    let mut reader = read(&before);
    reader
        .insert(parse(&shown_raw).unwrap(), collision)
        .unwrap();
    let index = reader
        .insert(parse(&above_raw).unwrap(), oid_of(&above_raw))
        .unwrap();
    assert_eq!(reader.dag().entry(index).id, above);
}

/// Whoever founds a ledger with the same members and names has founded another one; of a charter that names
/// somebody else's key, only that key's owner is the founder.
#[test]
fn a_second_genesis_is_another_ledger() {
    let lab = Lab::new(&FOUR);
    let payload = GenesisPayload {
        charter: charter(&FOUR),
        member: name("a"),
        v: FORMAT_VERSION,
    };
    let again = encode_genesis(&payload, 1_700_000_001).unwrap();
    let raw = sign(&again, "a");
    let second = parse(&raw).unwrap();
    let mut tally = lab.tally.clone();
    assert_ne!(again.id, lab.ledger);
    assert_eq!(
        tally.insert(second, oid_of(&raw)).unwrap_err().reason,
        RejectReason::WrongLedger
    );
    let forged = sign(&again, "d");
    assert_eq!(
        Tally::found(parse(&forged).unwrap(), oid_of(&forged))
            .unwrap_err()
            .reason,
        RejectReason::BadGenesis
    );
    let mut other = Lab::found("d", charter(&FOUR));
    let said = other.say("d", vec![propose(other.ledger, 1)]);
    let made = other.made.iter().find(|m| m.id == said).unwrap();
    let refused = tally
        .insert(parse(&made.raw).unwrap(), made.oid)
        .unwrap_err();
    assert_eq!(refused.reason, RejectReason::WrongLedger);
}
