//! Entries that are valid by themselves and are in the wrong place.

use git_quorum::id::EntryId;
use git_quorum::ledger::{Payload, Verdict, encode};

use super::invalid::Cases;
use super::invalid::Stock::Accepts;
use crate::lab::{review, sign};

/// WRONG_LEDGER to NOT_A_MEMBER.
pub fn add(cases: &mut Cases<'_>) {
    add_ledgers(cases);
    add_parents(cases);
    add_lanes(cases);
    add_charters(cases);
}

/// Returns a small entry of a member.
fn view(cases: &Cases<'_>, member: &str, charter: &str, parents: &[&str]) -> Payload {
    let statement = review(cases.valid.id("propose"), Verdict::Abstain);
    cases
        .valid
        .payload(member, charter, parents, vec![statement])
}

fn add_ledgers(cases: &mut Cases<'_>) {
    let replayed = cases.valid.get("other-propose").raw.clone();
    cases.add_after(
        &["genesis"],
        "WRONG_LEDGER",
        Accepts,
        "an entry of another ledger that has a member of the same name and key",
        replayed,
    );
    let mut payload = view(cases, "alice", "genesis", &["propose"]);
    payload.ledger = cases.valid.id("other-genesis");
    cases.add_payload(
        &["propose"],
        "WRONG_LEDGER-named",
        "an entry that names another ledger than its parents'",
        &payload,
    );
    let genesis = cases.valid.get("other-genesis").raw.clone();
    cases.add_after(
        &["genesis"],
        "WRONG_LEDGER-genesis",
        Accepts,
        "another ledger's genesis",
        genesis,
    );
}

fn add_parents(cases: &mut Cases<'_>) {
    let parents = ["genesis", "propose"];
    let payload = view(cases, "dave", "genesis", &parents);
    let missing = [
        cases.valid.oids(&["genesis"]),
        vec!["00000000000000000000000000000000000000ff".parse().unwrap()],
    ];
    let raw = sign(
        &encode(&payload, &missing.concat(), 1_700_100_000).unwrap(),
        "dave",
    );
    cases.add_after(
        &parents,
        "BAD_PARENT",
        Accepts,
        "a parent commit that nobody has",
        raw,
    );
    let other = cases.valid.oids(&["genesis", "other-genesis"]);
    let raw = sign(&encode(&payload, &other, 1_700_100_000).unwrap(), "dave");
    cases.add_after(
        &parents,
        "BAD_PARENT-other-ledger",
        Accepts,
        "a parent commit that belongs to another ledger",
        raw,
    );
    let twice = ["genesis", "propose", "propose"];
    let payload = view(cases, "dave", "genesis", &twice);
    cases.add_payload(&twice, "BAD_PARENT-twice", "a parent twice", &payload);
    let twice = ["abstain", "second-signature"];
    let payload = view(cases, "dave", "genesis", &twice);
    cases.add_payload(
        &twice,
        "BAD_PARENT-twice-in-two-commits",
        "one entry as two parents, by its two commits",
        &payload,
    );

    let mut payload = view(cases, "dave", "genesis", &parents);
    payload.parents[1] = cases.valid.id("reject");
    cases.add_payload(
        &parents,
        "PARENT_MISMATCH",
        "the payload names another entry than the commit does",
        &payload,
    );
    let mut payload = view(cases, "dave", "genesis", &parents);
    payload.parents.swap(0, 1);
    cases.add_payload(
        &parents,
        "PARENT_MISMATCH-order",
        "the payload names the parents in another order",
        &payload,
    );
}

fn add_lanes(cases: &mut Cases<'_>) {
    let mut add = |name: &str, why: &str, member: &str, parents: &[&str], seq: Option<u64>| {
        let mut payload = view(&*cases, member, "genesis", parents);
        payload.seq = seq.unwrap_or(payload.seq);
        cases.add_payload(parents, name, why, &payload);
    };
    add(
        "BAD_LANE",
        "the first parent is another member's entry, and there is no own one",
        "dave",
        &["propose"],
        None,
    );
    add(
        "BAD_LANE-own-second",
        "the own entry is a parent, but not the first",
        "dave",
        &["propose", "abstain"],
        None,
    );
    add(
        "BAD_LANE-genesis-and-own",
        "the genesis first, and an own entry behind it",
        "dave",
        &["genesis", "abstain"],
        None,
    );
    let why =
        "the genesis first, which is no entry of its founder's lane, and an own entry behind it";
    add(
        "BAD_LANE-genesis-and-own-founder",
        why,
        "alice",
        &["genesis", "propose"],
        None,
    );
    add(
        "BAD_LANE-genesis-second",
        "another member's entry before the genesis",
        "dave",
        &["propose", "genesis"],
        None,
    );
    add(
        "BAD_SEQUENCE",
        "a number left out",
        "dave",
        &["abstain"],
        Some(3),
    );
    add(
        "BAD_SEQUENCE-again",
        "the number of the entry before",
        "dave",
        &["abstain"],
        Some(1),
    );
    add(
        "BAD_SEQUENCE-first",
        "a lane that starts at 2",
        "dave",
        &["genesis", "propose"],
        Some(2),
    );
    add(
        "BAD_SEQUENCE-largest",
        "the largest number there is",
        "dave",
        &["abstain"],
        Some((1 << 53) - 1),
    );
    let join = ["fork-right", "fork-left-2"];
    add(
        "BAD_SEQUENCE-join",
        "a join counts on from its highest own parent, not from its first one",
        "erin",
        &join,
        Some(3),
    );
}

fn add_charters(cases: &mut Cases<'_>) {
    let mut unknown = view(cases, "dave", "genesis", &["abstain"]);
    unknown.charter = EntryId::new([7; 32]);
    cases.add_payload(
        &["abstain"],
        "UNKNOWN_CHARTER",
        "no entry has this id",
        &unknown,
    );
    let ref_proposal = view(cases, "dave", "propose", &["abstain"]);
    cases.add_payload(
        &["abstain"],
        "UNKNOWN_CHARTER-ref-proposal",
        "a proposal of a ref is no charter",
        &ref_proposal,
    );
    let newer = view(
        cases,
        "dave",
        "propose-charter-newer",
        &["propose-charter-newer"],
    );
    let why = "a proposed charter of a later format version is none that this version knows";
    cases.add_payload(
        &["propose-charter-newer"],
        "UNKNOWN_CHARTER-newer",
        why,
        &newer,
    );
    let odd = view(
        cases,
        "carol",
        "propose-charter-no-successor",
        &["propose-charter-no-successor"],
    );
    let why = "a proposed charter that could not follow its base";
    cases.add_payload(
        &["propose-charter-no-successor"],
        "UNKNOWN_CHARTER-no-successor",
        why,
        &odd,
    );
    let unseen = view(cases, "alice", "propose-charter", &["withdraw"]);
    let raw = sign(&cases.valid.unsigned(&unseen, &["withdraw"]), "alice");
    let why = "a proposed charter that is in the ledger, but not among the entry's ancestors";
    cases.add_after(
        &["withdraw", "propose-charter"],
        "UNKNOWN_CHARTER-not-an-ancestor",
        Accepts,
        why,
        raw,
    );

    let back = view(cases, "bob", "genesis", &["under-proposed-charter"]);
    let why = "back to the first charter after an entry under its successor";
    cases.add_payload(&["under-proposed-charter"], "CHARTER_WENT_BACK", why, &back);
    let sideways = view(
        cases,
        "bob",
        "rival-charter",
        &["under-proposed-charter", "rival-charter"],
    );
    let why = "over to a rival of the charter that an earlier entry was made under";
    cases.add_payload(
        &["under-proposed-charter", "rival-charter"],
        "CHARTER_WENT_BACK-rival",
        why,
        &sideways,
    );

    let stranger = view(cases, "mallory", "genesis", &["genesis", "propose"]);
    cases.add_payload(
        &["genesis", "propose"],
        "NOT_A_MEMBER",
        "a name that no charter has",
        &stranger,
    );
    let parents = ["join", "propose-charter"];
    let removed = view(cases, "erin", "propose-charter", &parents);
    cases.add_payload(
        &parents,
        "NOT_A_MEMBER-removed",
        "a former member, under the charter that removed it",
        &removed,
    );
}
