//! Entries that were verified before are only taken apart: that must give what the whole check gives.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "common/lab.rs"]
mod lab;

use git_quorum::consensus::Tally;
use git_quorum::ledger::{RejectReason, Statement, parse, parse_again};
use lab::*;

/// A decision, and a precommit with a signature for another round.
fn ledger() -> Lab {
    let mut lab = Lab::new(&["a", "b", "c", "d"]);
    let genesis = lab.ledger;
    let p = lab.say("a", vec![propose(genesis, 1)]);
    for member in ["a", "b", "c"] {
        lab.say(member, vec![approve(p), prevote(p, 0)]);
    }
    let Statement::Precommit(mut bad) = lab.precommit("a", genesis, p, 1) else {
        unreachable!()
    };
    bad.round = 0;
    lab.say("a", vec![Statement::Precommit(bad)]);
    for member in ["a", "b", "c"] {
        let vote = lab.precommit(member, genesis, p, 0);
        lab.say(member, vec![vote]);
    }
    lab
}

#[test]
fn what_is_taken_apart_again_is_what_was_parsed() {
    for made in ledger().made {
        let (whole, again) = (parse(&made.raw).unwrap(), parse_again(&made.raw).unwrap());
        assert_eq!(
            (again.id, &again.parents, again.time),
            (whole.id, &whole.parents, whole.time)
        );
        assert_eq!(
            (again.member(), again.is_genesis()),
            (whole.member(), whole.is_genesis())
        );
    }
}

#[test]
fn it_gets_in_only_where_its_bytes_are_known_to_be_verified() {
    let lab = ledger();
    let mut tally = Tally::found(parse(&lab.made[0].raw).unwrap(), lab.made[0].oid).unwrap();
    for made in &lab.made[1..] {
        let refused = tally
            .insert(parse_again(&made.raw).unwrap(), made.oid)
            .unwrap_err();
        assert_eq!(refused.reason, RejectReason::BadSignature);
        // What a cache may list: everything but the entry whose precommit has a bad signature.
        let bad = lab
            .tally
            .has_bad_agreement_signature(lab.tally.dag().find(made.id).unwrap());
        let taken = match bad {
            true => tally.insert(parse(&made.raw).unwrap(), made.oid),
            false => tally.insert_checked(parse_again(&made.raw).unwrap(), made.oid),
        };
        assert_eq!(tally.has_bad_agreement_signature(taken.unwrap()), bad);
    }
    assert_eq!(tally.discounted(), lab.tally.discounted());
    assert_eq!(tally.discounted().len(), 1);
    let decided = |tally: &Tally| {
        tally
            .proposals()
            .map(|p| tally.decision(p.id))
            .collect::<Vec<_>>()
    };
    assert_eq!(decided(&tally), decided(&lab.tally));
}

#[test]
fn a_signature_that_is_checked_ahead_is_refused_or_taken_as_ever() {
    let lab = ledger();
    let genesis = || Tally::found(parse(&lab.made[0].raw).unwrap(), lab.made[0].oid).unwrap();
    let (mut tally, first) = (genesis(), &lab.made[1]);
    let mut entry = parse(&first.raw).unwrap();
    entry.check_ahead();
    assert!(tally.insert(entry, first.oid).is_ok());
    // Another entry's signature, by the same key.
    let other = &lab.made[2].raw;
    let header = |raw: &[u8]| {
        let text = String::from_utf8(raw.to_vec()).unwrap();
        let start = text.find("gpgsig ").unwrap();
        let end = text.find(" -----END SSH SIGNATURE-----").unwrap();
        text[start..end].to_owned()
    };
    let mixed = String::from_utf8(first.raw.clone())
        .unwrap()
        .replace(&header(&first.raw), &header(other));
    let mut entry = parse(mixed.as_bytes()).unwrap();
    entry.check_ahead();
    assert_eq!(
        genesis().insert(entry, first.oid).unwrap_err().reason,
        RejectReason::BadSignature
    );
}
