//! The first ledger of `ledger-spec/vectors/`, whose keys and entries are public.

use ed25519_dalek::SigningKey;
use git_quorum::consensus::Tally;
use git_quorum::id::{Digest, Oid};
use git_quorum::ledger::parse;

macro_rules! vectors {
    ($($name:literal),* $(,)?) => {
        [$(include_bytes!(concat!("../../ledger-spec/vectors/valid/", $name, ".entry")).as_slice()),*]
    };
}

/// The entries, parents first.
pub const ENTRIES: [&[u8]; 36] = vectors![
    "genesis",
    "genesis-second-signature",
    "propose",
    "abstain",
    "approve",
    "approve-and-prevote",
    "before-fork",
    "reject",
    "second-signature",
    "second-start",
    "fork-left",
    "fork-right",
    "prevote",
    "starts-at-second-genesis",
    "fork-left-2",
    "cites-other-lanes",
    "join",
    "precommit",
    "precommit-2",
    "precommit-3",
    "unicode",
    "prevote-later-round",
    "propose-create",
    "propose-rewrite",
    "cites-second-signature",
    "propose-charter",
    "propose-delete",
    "propose-unprotected",
    "propose-charter-newer",
    "propose-charter-no-successor",
    "propose-next",
    "time-zero",
    "time-last",
    "withdraw",
    "rival-charter",
    "under-proposed-charter",
];

/// Returns the id of a commit with these bytes.
pub fn oid_of(raw: &[u8]) -> Oid {
    let oid = git2::Oid::hash_object(git2::ObjectType::Commit, raw).expect("any bytes have a hash");
    Oid::new(oid.as_bytes().try_into().expect("SHA-1 has 20 bytes"))
}

/// Returns the ledger with this number of its first entries.
pub fn ledger(entries: usize) -> Tally {
    let (genesis, others) = ENTRIES.split_first().expect("there are some");
    let mut tally =
        Tally::found(parse(genesis).expect("a vector"), oid_of(genesis)).expect("a genesis");
    for raw in others.iter().take(entries - 1) {
        tally
            .insert(parse(raw).expect("a vector"), oid_of(raw))
            .expect("an entry in its place");
    }
    tally
}

/// Returns another ledger of the vectors, with alice as the only member.
pub fn one_member() -> Tally {
    let [genesis] = vectors!["other-genesis"];
    Tally::found(parse(genesis).expect("a vector"), oid_of(genesis)).expect("a genesis")
}

/// Returns a member's signing key, which the vectors derive from its name.
pub fn signing_key(member: &str) -> SigningKey {
    SigningKey::from_bytes(Digest::of(member.as_bytes()).bytes())
}
