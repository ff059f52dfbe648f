//! Builds ledgers in repositories for the tests of `store`.

use crate::id::EntryId;
use crate::ledger::LedgerRefs;
use crate::ledger::testing::signed_line;
use crate::repo::testing::Sandbox;
use crate::repo::{Expect, RefEdit, Repo};

/// Stores a ledger of one member with a lane of `entries` entries. The entry with the sequence
/// number `forged` has a false signature.
pub(super) fn line(entries: u64, forged: Option<u64>) -> (Sandbox, Repo, EntryId) {
    let sandbox = Sandbox::new();
    let repo = sandbox.bare("r");
    let objects = repo.objects().unwrap();
    let line = signed_line(entries, forged, |raw| objects.write_commit(raw).unwrap());
    let refs = LedgerRefs::of(line.ledger);
    let created = |name, oid| RefEdit {
        name,
        old: Expect::Absent,
        new: Some(oid),
    };
    let edits = [
        created(refs.genesis(), line.genesis),
        created(refs.lane(&line.member), line.tip),
    ];
    repo.transaction(&edits).unwrap();
    (sandbox, repo, line.ledger)
}
