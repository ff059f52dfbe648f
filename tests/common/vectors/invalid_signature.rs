//! BAD_SIGNATURE. Everything is in its place, but the signature is not the member's signature of
//! these bytes by the one check that counts.

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::traits::Identity as _;
use ed25519_dalek::Signer as _;
use git_quorum::ledger::signed_data;

use super::craft::{Craft, add_order, sign_with_nonce};
use super::invalid::Cases;
use super::invalid::Stock::{Accepts, Refuses};
use crate::lab::signing_key;

/// BAD_SIGNATURE.
pub fn add(cases: &mut Cases<'_>) {
    add_crafted(cases);
    add_moved(cases);
    add_others(cases);
}

/// Signatures that some checks accept.
fn add_crafted(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let good = base.signature();
    let data = signed_data(&base.signed_bytes());
    let mut add = |name: &str, stock, why: &str, signature: [u8; 64]| {
        cases.add(
            &format!("BAD_SIGNATURE-{name}"),
            stock,
            why,
            base.clone().with_signature("dave", &signature),
        );
    };
    let flipped = |at: usize, bit: u8| {
        let mut signature = good;
        signature[at] ^= bit;
        signature
    };
    add(
        "flipped-r",
        Refuses,
        "the lowest bit of R flipped",
        flipped(0, 1),
    );
    add(
        "flipped-r-sign",
        Refuses,
        "the sign of R flipped",
        flipped(31, 0x80),
    );
    add(
        "flipped-s",
        Refuses,
        "the lowest bit of S flipped",
        flipped(32, 1),
    );
    add(
        "flipped-s-top",
        Refuses,
        "the highest bit of S flipped",
        flipped(63, 0x80),
    );
    add(
        "s-plus-l",
        Accepts,
        "the group order added to S: the equation holds as before",
        add_order(good),
    );
    let small = sign_with_nonce("dave", &data, 0, EdwardsPoint::identity());
    add(
        "small-order-r",
        Accepts,
        "R is the identity: the equation holds, and the member alone can make it hold",
        small,
    );
    let mixed = sign_with_nonce("dave", &data, 7, EIGHT_TORSION[1]);
    add(
        "mixed-order-r",
        Refuses,
        "R has a part of order 8: the equation holds only when multiplied by the cofactor",
        mixed,
    );
    add("zeros", Refuses, "64 zero bytes", [0; 64]);
    let bare = signing_key("dave").sign(&base.signed_bytes()).to_bytes();
    add(
        "not-an-ssh-signature",
        Refuses,
        "made over the signed bytes themselves, without OpenSSH's frame",
        bare,
    );
}

/// Valid signatures of other bytes.
fn add_moved(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let mut add = |name: &str, why: &str, craft: Craft| {
        cases.add(&format!("BAD_SIGNATURE-{name}"), Refuses, why, craft.raw());
    };
    let mut later = base.clone();
    later
        .headers
        .iter_mut()
        .skip(3)
        .for_each(|line| *line = line.replace(" 17", " 18"));
    add("re-dated", "another time, without the key", later);
    let verdict = base
        .clone()
        .say("\"abstain\"", "\"approve\"")
        .say("abstain", "approve");
    add(
        "other-verdict",
        "another verdict and subject line, without the key",
        verdict,
    );
    let mut moved = base.clone();
    let (id, oid) = (
        cases.valid.id("propose-delete").to_string(),
        cases.valid.get("propose-delete").oid,
    );
    moved.headers[2] = format!("parent {oid}");
    let propose = cases.valid.id("propose").to_string();
    let moved = moved.say(
        &format!("{propose}\"],\"seq\""),
        &format!("{id}\"],\"seq\""),
    );
    cases.add_after(
        &["propose-delete"],
        "BAD_SIGNATURE-re-parented",
        Refuses,
        "on top of another parent, payload and commit alike, without the key",
        moved.raw(),
    );
    let genesis = cases
        .valid
        .craft("genesis")
        .say("\"quorum\":3", "\"quorum\":4");
    cases.add_genesis(
        "BAD_SIGNATURE-genesis",
        Refuses,
        "a genesis whose charter was changed after it was signed",
        genesis.raw(),
    );
    let genesis = cases
        .valid
        .craft("genesis")
        .with_signature("alice", &[1; 64]);
    cases.add_after(
        &["genesis"],
        "BAD_SIGNATURE-second-genesis",
        Refuses,
        "the genesis again under no true signature",
        genesis,
    );
    let again = base.with_signature("dave", &[1; 64]);
    cases.add_after(
        &["abstain"],
        "BAD_SIGNATURE-known-entry",
        Refuses,
        "an entry that is in already, again under no true signature: another commit, which nothing may build on",
        again,
    );
}

/// Signatures by other keys.
fn add_others(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let by_bob = base.clone().sign("bob");
    cases.add(
        "BAD_SIGNATURE-by-another-member",
        Accepts,
        "truly signed, but by another member's key",
        by_bob,
    );
    let by_mallory = base.clone().sign("mallory");
    cases.add(
        "BAD_SIGNATURE-by-nobody",
        Accepts,
        "truly signed by a key that no member has",
        by_mallory,
    );
    let signature = Craft::of(&base.clone().sign("bob")).signature();
    let claimed = base.clone().with_signature("dave", &signature);
    cases.add(
        "BAD_SIGNATURE-key-put-in",
        Refuses,
        "bob's signature beside dave's key",
        claimed,
    );
    let elsewhere = cases.valid.craft("fork-left").signature();
    let replayed = cases
        .valid
        .craft("fork-right")
        .with_signature("erin", &elsewhere);
    cases.add_after(
        &["before-fork"],
        "BAD_SIGNATURE-of-another-entry",
        Refuses,
        "the member's true signature over another of its entries",
        replayed,
    );
}
