//! Ledgers in repositories for the tests of this room.

use ed25519_dalek::{Signer as _, SigningKey};

use super::LedgerRefs;
use crate::charter::{Charter, CharterRules, FORMAT_VERSION, Member, MemberName, PublicKey};
use crate::id::EntryId;
use crate::ledger::{GenesisPayload, Payload, Unsigned, encode, encode_genesis, signed_data};
use crate::repo::testing::Sandbox;
use crate::repo::{Expect, RefEdit, Repo};

/// A ledger of one member with a line of so many entries, one of which may be under a false signature.
pub(super) fn line(entries: u64, forged: Option<u64>) -> (Sandbox, Repo, EntryId) {
    let sandbox = Sandbox::new();
    let repo = sandbox.bare("r");
    let objects = repo.objects().unwrap();
    let secret = SigningKey::from_bytes(&[7; 32]);
    let key = PublicKey::admit(secret.verifying_key().to_bytes()).unwrap();
    let store = |unsigned: &Unsigned, good: bool| {
        let mut signature = secret.sign(&signed_data(&unsigned.signed_bytes)).to_bytes();
        signature[40] ^= u8::from(!good);
        objects
            .write_commit(&unsigned.with_signature(&key, &signature).unwrap())
            .unwrap()
    };
    let member: MemberName = "a".parse().unwrap();
    let members = vec![Member {
        domain: member.clone(),
        key,
        name: member.clone(),
        roles: vec![],
        vote: true,
    }];
    let rules = CharterRules {
        allow_concentrated_domains: true,
        own_approval_counts: true,
        quorum: 1,
    };
    let charter = Charter::new(
        members,
        vec!["refs/heads/main".parse().unwrap()],
        vec![],
        rules,
    )
    .unwrap();
    let founding = GenesisPayload {
        charter,
        member: member.clone(),
        v: FORMAT_VERSION,
    };
    let genesis = encode_genesis(&founding, 1).unwrap();
    let ledger = genesis.id;
    let refs = LedgerRefs::of(ledger);
    let mut edits = vec![RefEdit {
        name: refs.genesis(),
        old: Expect::Absent,
        new: Some(store(&genesis, true)),
    }];
    let mut last = (ledger, edits[0].new.unwrap());
    for seq in 1..=entries {
        let payload = Payload {
            charter: ledger,
            ledger,
            member: member.clone(),
            parents: vec![last.0],
            seq,
            statements: vec![],
            v: FORMAT_VERSION,
        };
        let entry = encode(&payload, &[last.1], 1).unwrap();
        last = (entry.id, store(&entry, forged != Some(seq)));
    }
    edits.push(RefEdit {
        name: refs.lane(&member),
        old: Expect::Absent,
        new: Some(last.1),
    });
    repo.transaction(&edits).unwrap();
    (sandbox, repo, ledger)
}
