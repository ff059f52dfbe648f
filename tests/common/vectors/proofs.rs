//! Files that prove a fault and files that prove nothing, each with the answer of `check-proof`
//! (`faults.md`, section 6).
//!
//! They are written here byte by byte, without Git. The expected convictions are written by hand,
//! and the program must find the same ones.

use git_quorum::audit::proof::{ProofError, check};
use git_quorum::charter::{Charter, Member, ProposedCharter};
use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{CharterProposal, Payload, Precommit, Statement};
use serde_json::{Value, json};

use super::bundle::{Object, Packed, bundle};
use crate::lab::*;
use crate::ledger_form;

/// A file, and what it shows.
pub struct Proof {
    pub name: &'static str,
    pub about: &'static str,
    pub bytes: Vec<u8>,
    /// The answers, by the ledger id that the checker already knows, if it knows one.
    answers: Vec<(Option<EntryId>, Result<Value, &'static str>)>,
}

impl Proof {
    /// Returns the description of the file.
    pub fn describe(&self) -> Value {
        let answer = |(ledger, found): &(Option<EntryId>, Result<Value, &'static str>)| match found
        {
            // Without a pin, the answer lists the faults, and confirms only that the file is
            // consistent.
            Ok(faults) => {
                json!({"code": ledger.is_none().then_some("UNPINNED"), "faults": faults, "ledger": ledger})
            }
            Err(code) => json!({"code": code, "faults": null, "ledger": ledger}),
        };
        json!({"about": self.about, "answers": self.answers.iter().map(answer).collect::<Vec<_>>()})
    }
}

/// Returns the code of an answer that rejects a file.
fn code_of(error: &ProofError) -> &'static str {
    match error {
        ProofError::Nothing => "NOTHING_PROVED",
        ProofError::UpgradeNeeded(_) => "UPGRADE_NEEDED",
        _ => "BAD_PROOF",
    }
}

/// Returns all files.
pub fn all() -> Vec<Proof> {
    [
        good(),
        of_other_ledgers(),
        of_other_votes(),
        of_other_form(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

// ---------------------------------------------------------------- the content of a file

/// A ledger, and the entries of it that should convict.
struct Case {
    lab: Lab,
    named: Vec<EntryId>,
}

impl Case {
    fn oid(&self, id: EntryId) -> Oid {
        self.lab.made.iter().find(|made| made.id == id).unwrap().oid
    }

    /// Returns the genesis and the entries that convict, under the names in a proof.
    fn refs(&self) -> Vec<(String, Oid)> {
        let numbered = self
            .named
            .iter()
            .enumerate()
            .map(|(n, id)| (format!("{}", n + 1), self.oid(*id)));
        numbered
            .chain([("genesis".to_owned(), self.oid(self.lab.ledger))])
            .collect()
    }

    /// Returns these entries with everything that they build on, and the empty tree.
    fn objects(&self) -> Vec<Object> {
        let dag = self.lab.tally.dag();
        let tips: Vec<_> = self.named.iter().map(|id| dag.find(*id).unwrap()).collect();
        let needed = |id: EntryId| {
            tips.iter()
                .any(|tip| dag.reaches(dag.find(id).unwrap(), *tip))
        };
        let commits = self.lab.made.iter().filter(|made| needed(made.id));
        commits
            .map(|made| Object::commit(&made.raw))
            .chain([Object::empty_tree()])
            .collect()
    }

    fn bytes(&self) -> Vec<u8> {
        bundle(&self.refs(), &self.objects())
    }
}

/// Returns a file for a checker that knows its ledger. Written by hand: the members and faults that
/// it proves, or the code and words of the rejection.
fn proof(
    name: &'static str,
    about: &'static str,
    ledger: EntryId,
    bytes: Vec<u8>,
    by_hand: Result<&[(&str, &str)], (&'static str, &str)>,
) -> Proof {
    let found = check(&bytes);
    if let (Err(error), Err((_, words))) = (&found, by_hand) {
        assert!(
            error.to_string().contains(words),
            "{name}: {words:?} is not in {error}"
        );
    }
    let faults = found.map(|proof| {
        proof
            .faults
            .iter()
            .map(ledger_form::fault)
            .collect::<Vec<_>>()
    });
    let convicted = faults.as_ref().map_err(code_of).map(|faults| {
        let shape =
            |f: &Value| ["member", "kind"].map(|field| f[field].as_str().unwrap().to_owned());
        faults
            .iter()
            .map(shape)
            .map(|[member, kind]| (member, kind))
            .collect::<Vec<_>>()
    });
    let said = by_hand.map_err(|(code, _)| code).map(|all| {
        all.iter()
            .map(|(m, k)| ((*m).to_owned(), (*k).to_owned()))
            .collect::<Vec<_>>()
    });
    assert_eq!(convicted, said, "{name}: {:?}", faults.as_ref().err());
    let mut faults = faults.map_err(|error| code_of(&error));
    if let Ok(faults) = &mut faults {
        faults.sort_by_key(|fault| fault["id"].to_string());
    }
    Proof {
        name,
        about,
        bytes,
        answers: vec![(Some(ledger), faults.map(Value::Array))],
    }
}

impl Case {
    fn proves(&self, name: &'static str, about: &'static str, by_hand: &[(&str, &str)]) -> Proof {
        proof(name, about, self.lab.ledger, self.bytes(), Ok(by_hand))
    }

    fn proves_nothing(
        &self,
        name: &'static str,
        about: &'static str,
        why: (&'static str, &str),
    ) -> Proof {
        proof(name, about, self.lab.ledger, self.bytes(), Err(why))
    }
}

const FOUR: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Two proposals for one slot, by alice and bob.
fn rivals() -> (Lab, EntryId, EntryId) {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("alice", vec![propose(lab.ledger, 1)]);
    let q = lab.entry(
        "bob",
        lab.ledger,
        &[lab.ledger],
        vec![propose(lab.ledger, 2)],
    );
    (lab, p, q)
}

/// Dave approves and prevotes two rivals on separate branches.
fn equivocation() -> Case {
    let (mut lab, p, q) = rivals();
    let votes = [p, q].map(|v| {
        lab.entry(
            "dave",
            lab.ledger,
            &[lab.ledger, v],
            vec![approve(v), prevote(v, 0)],
        )
    });
    Case {
        lab,
        named: votes.to_vec(),
    }
}

/// Dave prevotes a proposal that nobody has approved. This is the smallest proof.
fn uncited() -> Case {
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("alice", vec![propose(lab.ledger, 1)]);
    let vote = lab.say("dave", vec![prevote(p, 0)]);
    Case {
        lab,
        named: vec![vote],
    }
}

/// Alice is the only member. She makes two proposals, approves both, and prevotes the first.
fn alone() -> (Lab, EntryId, EntryId, EntryId) {
    let mut lab = Lab::new(&["alice"]);
    let p = lab.say("alice", vec![propose(lab.ledger, 1)]);
    let q = lab.say("alice", vec![propose(lab.ledger, 2)]);
    let voted = lab.say("alice", vec![approve(p), approve(q), prevote(p, 0)]);
    (lab, p, q, voted)
}

fn lock_violation() -> Case {
    let (mut lab, p, q, voted) = alone();
    let vote = lab.precommit("alice", lab.ledger, p, 0);
    let lock = lab.entry("alice", lab.ledger, &[voted], vec![vote]);
    let beside = lab.entry("alice", lab.ledger, &[voted], vec![prevote(q, 1)]);
    Case {
        lab,
        named: vec![lock, beside],
    }
}

/// Alice is the only member. She votes for a charter change, and for a move: in another entry
/// beside it, or in the same entry after it.
fn freeze_violation(beside: bool) -> Case {
    let mut lab = Lab::new(&["alice"]);
    let p = lab.say("alice", vec![propose(lab.ledger, 1)]);
    let x = lab.say(
        "alice",
        vec![change(
            lab.ledger,
            ProposedCharter::Known(Box::new(charter(&FOUR))),
        )],
    );
    let mut said = vec![
        approve(x),
        prevote(x, 0),
        lab.precommit("alice", lab.ledger, x, 0),
    ];
    let vote = vec![approve(p), prevote(p, 0)];
    if !beside {
        said.extend(vote);
        let both = lab.say("alice", said);
        return Case {
            lab,
            named: vec![both],
        };
    }
    let freeze = lab.entry("alice", lab.ledger, &[x], said);
    let vote = lab.entry("alice", lab.ledger, &[x], vote);
    Case {
        lab,
        named: vec![freeze, vote],
    }
}

fn change(base: EntryId, charter: ProposedCharter) -> Statement {
    Statement::ProposeCharter(CharterProposal {
        base,
        charter,
        text: String::new(),
        title: "The next".to_owned(),
    })
}

/// Dave prevotes a proposal, and then its rival.
fn second_vote() -> Case {
    let (mut lab, p, q) = rivals();
    let first = lab.entry(
        "dave",
        lab.ledger,
        &[lab.ledger, p],
        vec![approve(p), prevote(p, 0)],
    );
    let second = lab.entry(
        "dave",
        lab.ledger,
        &[first, q],
        vec![approve(q), prevote(q, 0)],
    );
    Case {
        lab,
        named: vec![first, second],
    }
}

fn bad_agreement_signature() -> Case {
    let (mut lab, p, _, voted) = alone();
    let Statement::Precommit(other) = lab.precommit("alice", lab.ledger, p, 1) else {
        panic!("a precommit")
    };
    let vote = Statement::Precommit(Precommit { round: 0, ..other });
    let vote = lab.entry("alice", lab.ledger, &[voted], vec![vote]);
    Case {
        lab,
        named: vec![vote],
    }
}

// ---------------------------------------------------------------- files that prove something

fn good() -> Vec<Proof> {
    let mut proofs = vec![pinned_or_not()];
    proofs.push(lock_violation().proves(
        "lock-violation",
        "alice precommits one proposal, and beside that prevotes its rival in the next round",
        &[("alice", "lock-violation")],
    ));
    proofs.push(freeze_violation(true).proves(
        "freeze-violation",
        "alice precommits a change of the charter, and beside that votes under the old one",
        &[("alice", "freeze-violation")],
    ));
    proofs.push(freeze_violation(false).proves(
        "one-entry",
        "the same in one entry, in which the second vote knows the first: two faults, and there is no `2`",
        &[("alice", "freeze-violation"), ("alice", "impossible-order")],
    ));
    proofs.push(uncited().proves(
        "uncited-vote",
        "dave prevotes what neither it nor q members have approved",
        &[("dave", "uncited-vote")],
    ));
    let mut lab = Lab::new(&FOUR);
    let p = lab.say("alice", vec![propose(lab.ledger, 1)]);
    let vote = lab.entry("dave", lab.ledger, &[lab.ledger], vec![prevote(p, 0)]);
    let about = "dave prevotes a proposal that it does not know: the slot is `none` in the fault's id, and the proposal not in the file";
    proofs.push(
        Case {
            lab,
            named: vec![vote],
        }
        .proves("no-slot", about, &[("dave", "uncited-vote")]),
    );
    let Case { lab, named } = second_vote();
    let second = Case {
        lab,
        named: named[1..].to_vec(),
    };
    let about = "dave prevotes a proposal and then its rival; the second vote convicts by itself, and the first is not named";
    proofs.push(second.proves("impossible-order", about, &[("dave", "impossible-order")]));
    let about = "the same two votes, both named: they convict as a pair, too";
    let both = [("dave", "equivocation"), ("dave", "impossible-order")];
    proofs.push(second_vote().proves("pair-and-single", about, &both));
    proofs.push(bad_agreement_signature().proves(
        "bad-agreement-signature",
        "alice's precommit carries the signature of another round's agreement statement",
        &[("alice", "bad-agreement-signature")],
    ));
    proofs
}

/// One file, and three checkers: one knows its ledger, one knows another ledger, and one knows
/// none.
fn pinned_or_not() -> Proof {
    let about = "dave prevotes two rivals in one round on separate branches";
    let case = equivocation();
    let mut proof = case.proves("equivocation", about, &[("dave", "equivocation")]);
    let (_, found) = proof.answers[0].clone();
    proof.answers.push((None, found));
    proof
        .answers
        .push((Some(lock_violation().lab.ledger), Err("OTHER_LEDGER")));
    proof
}

// ---------------------------------------------------------------- files that do not prove a fault

/// A ledger that mallory founds, with a key of mallory under the name of dave.
fn of_mallory() -> Case {
    let key = public_key("mallory");
    let honest = charter(&["alice", "bob", "carol"]);
    let mut members: Vec<Member> = honest.members().to_vec();
    members.push(Member {
        key,
        ..voter("dave")
    });
    let rules = charter(&FOUR).rules().clone();
    let mut lab = Lab::found(
        "alice",
        Charter::new(members, honest.protected().to_vec(), vec![], rules).unwrap(),
    );
    let p = lab.say("alice", vec![propose(lab.ledger, 1)]);
    let payload = lab.payload("dave", lab.ledger, &[lab.ledger, p], vec![prevote(p, 0)]);
    let made = lab.make_by(&payload, "mallory");
    let vote = lab.take(made).unwrap();
    Case {
        lab,
        named: vec![vote],
    }
}

fn of_other_ledgers() -> Vec<Proof> {
    let (real, false_one) = (uncited(), of_mallory());
    let about = "a ledger in which mallory's key goes by dave's name: it convicts that dave, and is another ledger";
    let mut other = false_one.proves("other-ledger", about, &[("dave", "uncited-vote")]);
    let (_, found) = other.answers.remove(0);
    other
        .answers
        .extend([(None, found), (Some(real.lab.ledger), Err("OTHER_LEDGER"))]);

    let mut refs = false_one.refs();
    refs.last_mut().unwrap().1 = real.oid(real.lab.ledger);
    let mut objects = false_one.objects();
    objects.push(Object::commit(&real.lab.made[0].raw));
    let about =
        "the same under the genesis of the true ledger, of which these commits are no entries";
    let mixed = proof(
        "other-genesis",
        about,
        real.lab.ledger,
        bundle(&refs, &objects),
        Err(("BAD_PROOF", "no entry of the ledger")),
    );

    let (mut lab, _, _, voted) = alone();
    let newer = ProposedCharter::Newer {
        version: 2,
        value: json!({"v": 2}),
    };
    let x = lab.entry(
        "alice",
        lab.ledger,
        &[voted],
        vec![change(lab.ledger, newer)],
    );
    let said = vec![
        approve(x),
        prevote(x, 0),
        lab.precommit("alice", lab.ledger, x, 0),
    ];
    let decided = lab.entry("alice", lab.ledger, &[x], said);
    let about = "a charter of a newer format version is decided in it: no verdict is given";
    vec![
        other,
        mixed,
        Case {
            lab,
            named: vec![decided],
        }
        .proves_nothing("upgrade", about, ("UPGRADE_NEEDED", "version 2")),
    ]
}

/// The file of the uncited vote, with another commit in the place of dave's.
fn with_vote(raw: &[u8]) -> Vec<u8> {
    let case = uncited();
    let (mut refs, mut objects) = (case.refs(), case.objects());
    refs[0].1 = oid_of(raw);
    let place = objects.len() - 2;
    objects[place] = Object::commit(raw);
    bundle(&refs, &objects)
}

fn of_other_votes() -> Vec<Proof> {
    let case = uncited();
    let ledger = case.lab.ledger;
    let bad = |name, about, raw: &[u8]| {
        proof(
            name,
            about,
            ledger,
            with_vote(raw),
            Err(("BAD_PROOF", "signature")),
        )
    };
    let vote = case.lab.made.last().unwrap().raw.clone();
    assert!(
        with_vote(&vote) == case.bytes(),
        "what is changed below is good as it is"
    );
    let text = String::from_utf8(vote.clone()).unwrap();
    let altered = text
        .replace("\"round\":0", "\"round\":1")
        .replace(" round 0", " round 1");
    assert_ne!(altered, text);

    let Case { mut lab, named } = uncited();
    let dag = lab.tally.dag();
    let index = dag.find(named[0]).unwrap();
    let statements = dag.entry(index).statements.clone();
    let parents: Vec<_> = dag
        .entry(index)
        .parents
        .iter()
        .map(|parent| dag.entry(*parent).id)
        .collect();
    let payload = Payload {
        seq: 1,
        ..lab.payload("dave", lab.ledger, &parents, statements)
    };
    let by_bob = lab.make_by(&payload, "bob").raw;

    let Case {
        lab: mut both,
        named,
    } = equivocation();
    let one = Case {
        lab: both.clone(),
        named: named[..1].to_vec(),
    };
    let other = both.entry(
        "carol",
        both.ledger,
        &[both.ledger, both.made[1].id],
        vec![approve(both.made[1].id)],
    );
    let two_members = Case {
        lab: both.clone(),
        named: vec![named[0], other],
    };
    let reader = both.entry("carol", both.ledger, &[other, named[0], named[1]], vec![]);
    let nothing = ("NOTHING_PROVED", "convict nobody");
    vec![
        bad(
            "altered-vote",
            "the round of the vote was changed after it was signed",
            altered.as_bytes(),
        ),
        bad(
            "other-member",
            "carol's name stands where dave's did",
            text.replace("dave", "carol").as_bytes(),
        ),
        bad(
            "other-key",
            "an entry in dave's name that bob's key signed",
            &by_bob,
        ),
        one.proves_nothing(
            "one-of-two",
            "one vote of the pair alone, which is honest by itself",
            nothing,
        ),
        two_members.proves_nothing(
            "two-members",
            "one vote of the pair, and an entry of carol's",
            nothing,
        ),
        Case {
            lab: both,
            named: vec![reader],
        }
        .proves_nothing(
            "reader",
            "carol's entry that builds on both of dave's votes",
            nothing,
        ),
    ]
}

// ---------------------------------------------------------------- the form of the file

/// The file of the uncited vote, packed in other ways.
fn of_other_form() -> Vec<Proof> {
    let case = uncited();
    let ledger = case.lab.ledger;
    let (refs, objects, whole) = (case.refs(), case.objects(), case.bytes());
    let guilty: &[(&str, &str)] = &[("dave", "uncited-vote")];
    let good = |name, about, bytes| proof(name, about, ledger, bytes, Ok(guilty));
    let bad =
        |name, words, about, bytes| proof(name, about, ledger, bytes, Err(("BAD_PROOF", words)));
    let repacked = |place: usize, packed: Packed| {
        let mut objects = objects.clone();
        objects[place].packed = packed;
        bundle(&refs, &objects)
    };
    let with_refs = |names: &[(&str, usize)]| {
        let named: Vec<_> = names
            .iter()
            .map(|(name, place)| ((*name).to_owned(), refs[*place].1))
            .collect();
        bundle(&named, &objects)
    };
    let with_objects = |objects: &[&[Object]]| bundle(&refs, &objects.concat());
    let mut checksum = whole.clone();
    *checksum.last_mut().unwrap() ^= 1;
    let replaced = |from: &[u8], to: &[u8]| {
        let at = whole
            .windows(from.len())
            .position(|bytes| bytes == from)
            .unwrap();
        [&whole[..at], to, &whole[at + from.len()..]].concat()
    };
    let needed = format!("# v2 git bundle\n-{} \n", "1".repeat(40));
    let stranger = case
        .lab
        .clone()
        .make(&case.lab.payload("bob", ledger, &[ledger], vec![]))
        .raw;
    let tree = [b"100644 a\0".as_slice(), &[7; 20]].concat();
    vec![
        good(
            "checksum",
            "the last byte of the pack's checksum is another, which says nothing",
            checksum,
        ),
        good(
            "blocks",
            "the first commit is stored in several blocks",
            repacked(0, Packed::InBlocksOf(500)),
        ),
        bad(
            "compressed",
            "compressed object",
            "the empty tree is compressed, as Git would do",
            repacked(objects.len() - 1, Packed::Empty),
        ),
        bad(
            "delta",
            "objects other than commits, or deltas",
            "dave's vote is kept as a delta to the commit before it",
            repacked(2, Packed::Delta),
        ),
        bad(
            "damaged",
            "damaged object",
            "the checksum of the first commit's stream is another",
            repacked(0, Packed::Damaged),
        ),
        bad(
            "trailing",
            "bytes after its pack",
            "a byte follows the pack",
            [&whole[..], b"\n"].concat(),
        ),
        bad(
            "cut",
            "cut off",
            "the last byte of the pack's checksum is missing",
            whole[..whole.len() - 1].to_vec(),
        ),
        bad(
            "version-3",
            "not a Git bundle of version 2",
            "a bundle of version 3",
            replaced(
                b"# v2 git bundle\n",
                b"# v3 git bundle\n@object-format=sha1\n",
            ),
        ),
        bad(
            "pack-version-3",
            "pack does not have version 2",
            "its pack is of version 3",
            replaced(b"PACK\0\0\0\x02", b"PACK\0\0\0\x03"),
        ),
        bad(
            "prerequisite",
            "objects that it does not contain",
            "it needs a commit that is elsewhere",
            replaced(b"# v2 git bundle\n", needed.as_bytes()),
        ),
        bad(
            "missing",
            "does not hold commit",
            "alice's proposal, which dave's vote builds on, is not in it",
            with_objects(&[&objects[..1], &objects[2..]]),
        ),
        bad(
            "extra",
            "nothing that its entries build on",
            "an entry that nothing in it builds on",
            with_objects(&[&objects, &[Object::commit(&stranger)]]),
        ),
        bad(
            "tree",
            "objects other than commits",
            "a tree that is not empty",
            with_objects(&[&objects, &[Object::tree(&tree)]]),
        ),
        bad(
            "blob",
            "objects other than commits",
            "a blob",
            with_objects(&[&objects, &[Object::blob(b"dave did it\n")]]),
        ),
        bad(
            "no-genesis",
            "its refs are not",
            "no ref leads to the genesis",
            with_refs(&[("1", 0)]),
        ),
        bad(
            "no-first",
            "its refs are not",
            "the entry is `2`, and there is no `1`",
            with_refs(&[("2", 0), ("genesis", 1)]),
        ),
        bad(
            "third",
            "its refs are not",
            "there is a `3`",
            with_refs(&[("1", 0), ("2", 0), ("3", 0), ("genesis", 1)]),
        ),
        bad("empty", "not a Git bundle", "a file without a byte", vec![]),
    ]
}
