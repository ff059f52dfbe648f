//! Tests hostile files that are not proofs. None convicts an innocent member, and each is refused
//! for the right reason.

use git_quorum::audit::proof::{PROOF_BYTES, ProofError, check, check_within, prove};
use git_quorum::charter::{Charter, Member};
use git_quorum::consensus::Fault;
use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{GenesisPayload, Payload, Statement, encode, encode_genesis};

use crate::hands::{Shelf, oid, verdict};
use crate::lab::*;
use crate::scenes::*;

/// `d` prevotes two rivals on separate branches; the ledger goes on honestly.
fn guilty() -> (Lab, Fault) {
    let (mut lab, p, q) = rivals();
    let parents = lab.above_all("d");
    lab.entry("d", lab.ledger, &parents, vec![prevote(p, 0)]);
    lab.entry("d", lab.ledger, &parents, vec![prevote(q, 0)]);
    let fault = lab.tally.faults().remove(0);
    prevotes(&mut lab, &["a", "b"], p, 0);
    (lab, fault)
}

/// The file, and what it is made of: the entries that convict, and all commits that it needs.
fn proof(lab: &Lab, shelf: &Shelf, fault: &Fault) -> (Vec<u8>, [Oid; 2], Vec<Oid>) {
    let bytes = prove(&lab.tally, &shelf.objects, fault).unwrap();
    let needed = check(&bytes)
        .unwrap()
        .tally
        .dag()
        .entries()
        .map(|(_, entry)| entry.oid)
        .collect();
    (
        bytes,
        [fault.votes[0].commit, fault.votes[1].commit],
        needed,
    )
}

fn refused(bytes: &[u8], words: &str) {
    let error = verdict(bytes).unwrap_err().to_string();
    assert!(error.contains(words), "{words:?} is not in {error:?}");
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_convicts_of_nothing_else() {
    let (lab, fault) = guilty();
    let shelf = Shelf::of(&[&lab]);
    let (bytes, ..) = proof(&lab, &shelf, &fault);
    let whole = verdict(&bytes).unwrap();
    assert_eq!(whole, [format!("d {}", fault.id)]);
    for end in (0..bytes.len())
        .step_by(61)
        .chain(bytes.len() - 30..bytes.len())
    {
        assert!(verdict(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut accepted = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        if let Ok(found) = verdict(&changed) {
            assert_eq!(found, whole, "byte {at}");
            accepted += 1;
        }
    }
    assert_eq!(accepted, 20, "only the checksum of the pack says nothing");
    refused(&[bytes, b"\n".to_vec()].concat(), "bytes after its pack");
}

#[test]
fn what_is_no_proof_is_refused_by_what_is_wrong_with_it() {
    let (lab, fault) = guilty();
    let shelf = Shelf::of(&[&lab]);
    let (_, [one, two], all) = proof(&lab, &shelf, &fault);
    let genesis = oid(&lab, lab.ledger);
    let refs = [("1", one), ("2", two), ("genesis", genesis)];
    assert!(
        verdict(&shelf.bundle(&refs, &all)).is_ok(),
        "what is changed below is good as it is"
    );

    refused(b"", "not a Git bundle");
    refused(b"git quorum", "not a Git bundle");
    refused(&vec![b'#'; PROOF_BYTES + 1], "at most");
    refused(&shelf.bundle(&refs[..2], &all), "refs are not");
    refused(&shelf.bundle(&refs[2..], &all), "refs are not");
    refused(&shelf.bundle(&[("2", two), refs[2]], &all), "refs are not");
    refused(
        &shelf.bundle(&[refs[0], ("10", two), refs[2]], &all),
        "refs are not",
    );
    refused(
        &shelf.bundle(&[refs[0], refs[1], ("3", two), refs[2]], &all),
        "refs are not",
    );
    let thousands: Vec<_> = (0..3000).map(|n| format!("{n}")).collect();
    let thousands: Vec<_> = thousands
        .iter()
        .map(|n| (n.as_str(), one))
        .chain([refs[2]])
        .collect();
    refused(&shelf.bundle(&thousands, &all), "header");
    refused(&shelf.bundle(&refs, &all[..all.len() - 1]), "does not hold");
    refused(&shelf.bundle(&refs, &all[1..]), "does not hold");
    let without_middle: Vec<_> = all.iter().copied().filter(|o| *o != all[3]).collect();
    refused(&shelf.bundle(&refs, &without_middle), "does not hold");
    let stranger = oid(&lab, lab.tip("b"));
    refused(
        &shelf.bundle(&refs, &[&all[..], &[stranger]].concat()),
        "nothing that its entries build on",
    );
    // Another genesis than the entries have; an entry in its place; a ref to nothing that is there.
    refused(
        &shelf.bundle(&[refs[0], refs[1], ("genesis", one)], &all),
        "no entry of the ledger",
    );
    refused(
        &shelf.bundle(&[refs[0], ("2", Oid::new([7; 20])), refs[2]], &all),
        "does not hold",
    );
    // A commit of a project.
    let who = "a <a@b> 1 +0000";
    let commit = format!(
        "tree {}\nauthor {who}\ncommitter {who}\n\nx\n",
        Oid::EMPTY_TREE
    );
    let commit = shelf.objects.write_commit(commit.as_bytes()).unwrap();
    refused(
        &shelf.bundle(&refs, &[&all[..], &[commit]].concat()),
        "no entry",
    );
}

#[test]
fn an_entry_that_nothing_needs_is_not_carried_along() {
    let (lab, fault) = guilty();
    let shelf = Shelf::of(&[&lab]);
    let (_, [one, two], all) = proof(&lab, &shelf, &fault);
    let genesis = oid(&lab, lab.ledger);
    // `a` votes above all of the fault's entries.
    let extra = lab
        .made
        .iter()
        .map(|made| made.oid)
        .find(|o| !all.contains(o))
        .unwrap();
    let error = verdict(&shelf.bundle(
        &[("1", one), ("2", two), ("genesis", genesis)],
        &[&all[..], &[extra]].concat(),
    ));
    assert!(
        matches!(error, Err(ProofError::Extra(oid)) if oid == extra),
        "{error:?}"
    );
}

/// The author of a small file controls how much memory the check would need.
#[test]
fn a_proof_that_takes_too_much_memory_is_not_looked_at() {
    let (lab, fault) = guilty();
    let shelf = Shelf::of(&[&lab]);
    let (bytes, ..) = proof(&lab, &shelf, &fault);
    let cost = check(&bytes).unwrap().tally.dag().knowing_cost();
    assert!(check_within(&bytes, cost).is_ok());
    let error = check_within(&bytes, cost - 1);
    assert!(
        matches!(error, Err(ProofError::TooDear(bound)) if bound == cost - 1),
        "{error:?}"
    );
}

#[test]
fn entries_that_are_honest_prove_nothing() {
    let (lab, fault) = guilty();
    let shelf = Shelf::of(&[&lab]);
    let (_, [one, two], all) = proof(&lab, &shelf, &fault);
    let genesis = oid(&lab, lab.ledger);
    let below = |oid: Oid| -> Vec<Oid> {
        let dag = lab.tally.dag();
        let tip = dag.find_oid(oid).unwrap();
        dag.entries()
            .filter(|(index, _)| dag.reaches(*index, tip))
            .map(|(_, entry)| entry.oid)
            .collect()
    };
    // One of the two votes alone; with another member's entry; with the member's own innocent one; the genesis.
    let others = oid(&lab, lab.tip("c"));
    let nothing = |bytes: &[u8]| assert!(matches!(verdict(bytes), Err(ProofError::Nothing)));
    nothing(&shelf.bundle(&[("1", one), ("genesis", genesis)], &below(one)));
    nothing(&shelf.bundle(
        &[("1", two), ("2", others), ("genesis", genesis)],
        &below(two),
    ));
    nothing(&shelf.bundle(&[("1", one), ("2", one), ("genesis", genesis)], &below(one)));
    nothing(&shelf.bundle(&[("1", genesis), ("genesis", genesis)], &[genesis]));
    // Above both votes, by another member, who is not accused for having read them.
    let reader = oid(&lab, lab.tip("b"));
    nothing(&shelf.bundle(&[("1", reader), ("genesis", genesis)], &below(reader)));
    // In either order they convict the same one of the same.
    let turned = shelf.bundle(&[("1", two), ("2", one), ("genesis", genesis)], &all);
    assert_eq!(verdict(&turned).unwrap(), [format!("d {}", fault.id)]);
}

/// A ledger in which keys of mallory's go by the names of others: its genesis, a proposal of `a`'s, and a vote of `d`'s for it
/// that nothing carries.
fn of_mallory() -> (EntryId, Vec<Vec<u8>>) {
    let honest = charter(&FOUR);
    let members = honest.members().iter().map(|m| Member {
        key: public_key(&format!("m-{}", m.name)),
        ..m.clone()
    });
    let rules = honest.rules().clone();
    let false_one = Charter::new(
        members.collect(),
        honest.protected().to_vec(),
        vec![],
        rules,
    )
    .unwrap();
    let genesis = GenesisPayload {
        charter: false_one,
        member: name("a"),
        v: 1,
    };
    let genesis = encode_genesis(&genesis, 1_700_000_000).unwrap();
    let mut commits = vec![sign(&genesis, "m-a")];
    let mut say = |member: &str, parents: &[(EntryId, usize)], said: Vec<Statement>| {
        let oids: Vec<_> = parents.iter().map(|(_, n)| oid_of(&commits[*n])).collect();
        let payload = Payload {
            charter: genesis.id,
            ledger: genesis.id,
            member: name(member),
            parents: parents.iter().map(|(id, _)| *id).collect(),
            seq: 1,
            statements: said,
            v: 1,
        };
        let entry = encode(&payload, &oids, 1_700_000_001).unwrap();
        commits.push(sign(&entry, &format!("m-{member}")));
        entry.id
    };
    let p = say("a", &[(genesis.id, 0)], vec![propose(genesis.id, 1)]);
    say("d", &[(genesis.id, 0), (p, 1)], vec![prevote(p, 0)]);
    (genesis.id, commits)
}

/// What is proved there is proved of that ledger: it has another id, which a pin tells.
#[test]
fn a_genesis_with_false_keys_is_another_ledger() {
    let (lab, _) = guilty();
    let shelf = Shelf::of(&[&lab]);
    let (ledger, commits) = of_mallory();
    let oids: Vec<_> = commits
        .iter()
        .map(|raw| shelf.objects.write_commit(raw).unwrap())
        .collect();
    let found = check(&shelf.bundle(&[("1", oids[2]), ("genesis", oids[0])], &oids)).unwrap();
    assert_eq!(
        (found.faults[0].member.as_str(), found.tally.dag().ledger()),
        ("d", ledger)
    );
    assert_ne!(ledger, lab.ledger);
    // Under the other ledger's genesis nothing of it is an entry.
    let genesis = oid(&lab, lab.ledger);
    let mixed = shelf.bundle(
        &[("1", oids[2]), ("genesis", genesis)],
        &[&oids[..], &[genesis]].concat(),
    );
    assert!(matches!(check(&mixed), Err(ProofError::NoEntry { .. })));
}

/// Votes that were signed by another key, or whose bytes were changed, are no entries.
#[test]
fn a_vote_that_the_member_did_not_sign_is_no_entry() {
    let (mut lab, p, q) = rivals();
    let parents = lab.above_all("d");
    lab.entry("d", lab.ledger, &parents, vec![prevote(p, 0)]);
    let honest = lab.made.last().unwrap().clone();
    let payload = lab.payload("d", lab.ledger, &parents, vec![prevote(q, 0)]);
    let lie = lab.make(&payload);
    let oids: Vec<_> = parents.iter().map(|p| oid(&lab, *p)).collect();
    let by_another = sign(&encode(&payload, &oids, 1_800_000_000).unwrap(), "b");
    let changed = String::from_utf8(honest.raw.clone()).unwrap();
    let changed = changed
        .replace(&p.to_string(), &q.to_string())
        .replace(&p.short(), &q.short());
    let shelf = Shelf::of(&[&lab]);
    let genesis = oid(&lab, lab.ledger);
    let below: Vec<_> = lab.made.iter().map(|made| made.oid).collect();
    let with = |raw: &[u8]| {
        let second = shelf.objects.write_commit(raw).unwrap();
        let refs = [("1", honest.oid), ("2", second), ("genesis", genesis)];
        (
            second,
            verdict(&shelf.bundle(&refs, &[&below[..], &[second]].concat())),
        )
    };
    for raw in [by_another, changed.into_bytes()] {
        let (second, found) = with(&raw);
        let error = found.unwrap_err();
        assert!(
            matches!(&error, ProofError::NoEntry { oid, .. } if *oid == second),
            "{error}"
        );
    }
    assert_eq!(
        with(&lie.raw).1.unwrap().len(),
        1,
        "signed by d it convicts d"
    );
}
