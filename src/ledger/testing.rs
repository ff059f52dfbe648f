//! Signed entries for unit tests of several rooms.

use ed25519_dalek::{Signer as _, SigningKey};

use super::{GenesisPayload, Payload, Unsigned, encode, encode_genesis, signed_data};
use crate::charter::{Charter, CharterRules, FORMAT_VERSION, Member, MemberName, PublicKey};
use crate::id::{EntryId, Oid};

/// A ledger of one member whose lane is a line of entries.
pub(crate) struct SignedLine {
    pub(crate) ledger: EntryId,
    pub(crate) member: MemberName,
    pub(crate) genesis: Oid,
    /// The commit of the last entry.
    pub(crate) tip: Oid,
}

/// Signs a ledger of one member with a line of `entries` entries, and passes each commit to `store`,
/// which returns its id. The signature of the entry with the sequence number `forged` is false.
pub(crate) fn signed_line(
    entries: u64,
    forged: Option<u64>,
    mut store: impl FnMut(&[u8]) -> Oid,
) -> SignedLine {
    let secret = SigningKey::from_bytes(&[7; 32]);
    let key = PublicKey::admit(secret.verifying_key().to_bytes()).unwrap();
    let mut sign_and_store = |unsigned: &Unsigned, is_good: bool| {
        let mut signature = secret.sign(&signed_data(&unsigned.signed_bytes)).to_bytes();
        signature[40] ^= u8::from(!is_good);
        store(&unsigned.with_signature(&key, &signature).unwrap())
    };
    let member: MemberName = "a".parse().unwrap();
    let genesis_payload = GenesisPayload {
        charter: charter_of_one(&member, key),
        member: member.clone(),
        v: FORMAT_VERSION,
    };
    let genesis_entry = encode_genesis(&genesis_payload, 1).unwrap();
    let ledger = genesis_entry.id;
    let genesis = sign_and_store(&genesis_entry, true);
    let (mut parent, mut tip) = (ledger, genesis);
    for seq in 1..=entries {
        let payload = Payload {
            charter: ledger,
            ledger,
            member: member.clone(),
            parents: vec![parent],
            seq,
            statements: vec![],
            v: FORMAT_VERSION,
        };
        let entry = encode(&payload, &[tip], 1).unwrap();
        parent = entry.id;
        tip = sign_and_store(&entry, forged != Some(seq));
    }
    SignedLine {
        ledger,
        member,
        genesis,
        tip,
    }
}

fn charter_of_one(member: &MemberName, key: PublicKey) -> Charter {
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
    let protect = vec!["refs/heads/main".parse().unwrap()];
    Charter::new(members, protect, vec![], rules).unwrap()
}
