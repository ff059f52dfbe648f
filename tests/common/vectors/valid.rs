//! Valid entries of each kind, and one at each limit.

use std::collections::BTreeMap;

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::traits::Identity as _;
use ed25519_dalek::Signer as _;
use git_quorum::charter::{
    Charter, CharterRules, FORMAT_VERSION, Member, ProposedCharter, Removal, Threshold, limits,
};
use git_quorum::consensus::{Tally, agreement_statement, pre_authentication_encoding};
use git_quorum::id::{Digest, EntryId, Oid};
use git_quorum::ledger::{
    CharterProposal, GenesisPayload, Payload, Precommit, RefProposal, Review, Statement, Unsigned,
    Verdict, Withdraw, encode, encode_genesis, limits as entry_limits, parse, signed_data,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::craft::{Craft, sign_with_nonce};
use crate::lab::{approve, name, oid_of, prevote, public_key, sign, signing_key, voter};

/// The largest payload, in bytes, to repeat in the JSON file. A payload that many parsers find
/// nested too deeply is not repeated either.
const PAYLOAD_SHOWN: usize = 32_768;

/// A valid entry, and the names of the entries that it needs.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub about: String,
    pub context: Vec<String>,
    pub id: EntryId,
    pub oid: Oid,
    pub raw: Vec<u8>,
    payload: Value,
}

/// All valid entries, of several ledgers.
#[derive(Default)]
pub struct Valid {
    entries: Vec<Entry>,
    /// The tally of each ledger, by the name of its genesis.
    tallies: BTreeMap<String, Tally>,
    time: u64,
}

/// Creates all entries.
pub fn all() -> Valid {
    let mut valid = Valid {
        time: 1_700_000_000,
        ..Valid::default()
    };
    add_decision(&mut valid);
    add_proposals(&mut valid);
    add_charters(&mut valid);
    add_forks(&mut valid);
    add_odd_ones(&mut valid);
    add_limits(&mut valid);
    add_other_ledger(&mut valid);
    valid
}

impl Valid {
    /// Returns all entries, parents first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the entry with this name.
    pub fn get(&self, name: &str) -> &Entry {
        self.entries
            .iter()
            .find(|e| e.name == name)
            .unwrap_or_else(|| panic!("no valid entry {name}"))
    }

    /// Returns the id of an entry.
    pub fn id(&self, name: &str) -> EntryId {
        self.get(name).id
    }

    /// Returns the parts of an entry.
    pub fn craft(&self, name: &str) -> Craft {
        Craft::of(&self.get(name).raw)
    }

    /// Returns everything that an entry with these parents needs.
    pub fn context(&self, parents: &[&str]) -> Vec<String> {
        let needed = |e: &&Entry| {
            parents
                .iter()
                .any(|p| e.name == *p || self.get(p).context.contains(&e.name))
        };
        self.entries
            .iter()
            .filter(needed)
            .map(|e| e.name.clone())
            .collect()
    }

    /// Returns the payload of an entry with these parents, with the sequence number that follows
    /// from them.
    pub fn payload(
        &self,
        member: &str,
        charter: &str,
        parents: &[&str],
        statements: Vec<Statement>,
    ) -> Payload {
        let context = self.context(parents);
        let dag = self.tallies[&context[0]].dag();
        let own = parents
            .iter()
            .map(|p| dag.entry(dag.find(self.id(p)).unwrap()));
        let seq = 1 + own
            .filter(|e| e.member == name(member))
            .map(|e| e.seq)
            .max()
            .unwrap_or(0);
        Payload {
            charter: self.id(charter),
            ledger: self.id(&context[0]),
            member: name(member),
            parents: parents.iter().map(|p| self.id(p)).collect(),
            seq,
            statements,
            v: FORMAT_VERSION,
        }
    }

    /// Returns the commits of these entries.
    pub fn oids(&self, parents: &[&str]) -> Vec<Oid> {
        parents.iter().map(|p| self.get(p).oid).collect()
    }

    /// Returns the bytes to sign for a payload that is well formed, but may be invalid in its
    /// place.
    pub fn unsigned(&self, payload: &Payload, parents: &[&str]) -> Unsigned {
        encode(payload, &self.oids(parents), self.time).unwrap()
    }

    fn add(
        &mut self,
        (name, about): (&str, &str),
        (member, charter): (&str, &str),
        parents: &[&str],
        statements: Vec<Statement>,
    ) {
        self.time += 60;
        let payload = self.payload(member, charter, parents, statements);
        let raw = sign(&self.unsigned(&payload, parents), member);
        self.file((name, about), self.context(parents), raw);
    }

    /// Adds an entry with a time that is not the next one.
    fn add_at(
        &mut self,
        about: (&str, &str),
        member: &str,
        parents: &[&str],
        statement: Statement,
        time: u64,
    ) {
        let payload = self.payload(member, "genesis", parents, vec![statement]);
        let unsigned = encode(&payload, &self.oids(parents), time).unwrap();
        self.file(about, self.context(parents), sign(&unsigned, member));
    }

    /// Adds an entry again with another valid signature, which only its author can make.
    fn add_again(&mut self, about: (&str, &str), of: &str, member: &str, context: Vec<String>) {
        let craft = self.craft(of);
        let data = signed_data(&craft.signed_bytes());
        let signature = sign_with_nonce(member, &data, 7, EdwardsPoint::identity());
        self.file(about, context, craft.with_signature(member, &signature));
    }

    fn found(&mut self, about: (&str, &str), member: &str, charter: Charter) {
        let payload = GenesisPayload {
            charter,
            member: name(member),
            v: FORMAT_VERSION,
        };
        let raw = sign(&encode_genesis(&payload, self.time).unwrap(), member);
        self.file(about, vec![], raw);
    }

    fn file(&mut self, (name, about): (&str, &str), context: Vec<String>, raw: Vec<u8>) {
        let (parsed, oid) = (parse(&raw).unwrap(), oid_of(&raw));
        let id = parsed.id;
        match context.first() {
            None => drop(
                self.tallies
                    .insert(name.to_owned(), Tally::found(parsed, oid).unwrap()),
            ),
            Some(genesis) => drop(
                self.tallies
                    .get_mut(genesis)
                    .unwrap()
                    .insert(parsed, oid)
                    .unwrap(),
            ),
        }
        let payload = serde_json::from_str(&Craft::of(&raw).json()).unwrap();
        let (name, about) = (name.to_owned(), about.to_owned());
        self.entries.push(Entry {
            name,
            about,
            context,
            id,
            oid,
            raw,
            payload,
        });
    }

    fn precommit(&self, member: &str, proposal: &str, round: u32) -> Statement {
        let (genesis, proposal) = (self.id("genesis"), self.id(proposal));
        let body = agreement_statement(&self.tallies["genesis"], genesis, proposal, round).unwrap();
        let signature = signing_key(member)
            .sign(&pre_authentication_encoding(&body))
            .to_bytes();
        Statement::Precommit(Precommit {
            proposal,
            round,
            signature,
        })
    }

    /// Returns the description of an entry.
    pub fn describe(&self, entry: &Entry) -> Value {
        let craft = Craft::of(&entry.raw);
        let signed = craft.signed_bytes();
        let genesis = entry.context.first().unwrap_or(&entry.name);
        let dag = self.tallies[genesis].dag();
        let judged = dag.entry(dag.find(entry.id).unwrap());
        let key = dag
            .charter(judged.charter)
            .unwrap()
            .charter
            .member(&judged.member)
            .unwrap()
            .key;
        let mut value = json!({
            "about": entry.about,
            "context": entry.context,
            "id": entry.id,
            "key": key,
            "member": judged.member,
            "oid": entry.oid,
            "seq": judged.seq,
            "signature": hex::encode(craft.signature()),
            "signed_bytes": {"length": signed.len(), "sha256": Digest::of(&signed), "sha512": hex::encode(Sha512::digest(&signed))},
            "signed_data": hex::encode(signed_data(&signed)),
            "size": entry.raw.len(),
            "time": judged.time,
            "verdicts": self.verdicts(genesis, entry.id),
        });
        if craft.json().len() <= PAYLOAD_SHOWN && entry.name != "limit-nesting" {
            value["payload"] = entry.payload.clone();
        }
        let agreed: Vec<_> = judged
            .statements
            .iter()
            .filter_map(|s| self.agreement(genesis, judged.charter, s))
            .collect();
        if !agreed.is_empty() {
            value["agreements"] = json!(agreed);
        }
        value
    }

    /// Returns what a precommit signs: the statement, and its pre-authentication encoding.
    fn agreement(&self, genesis: &str, charter: EntryId, statement: &Statement) -> Option<Value> {
        let Statement::Precommit(vote) = statement else {
            return None;
        };
        let body = agreement_statement(&self.tallies[genesis], charter, vote.proposal, vote.round)?;
        let pae = hex::encode(pre_authentication_encoding(&body));
        Some(json!({"statement": body, "pre_authentication_encoding": pae}))
    }

    /// Returns for each statement null, or the code that says why it does not count.
    fn verdicts(&self, genesis: &str, id: EntryId) -> Vec<Option<&'static str>> {
        let tally = &self.tallies[genesis];
        let index = tally.dag().find(id).unwrap();
        let why = |n: usize| {
            let found = tally
                .discounted()
                .iter()
                .find(|d| d.place.entry == index && d.place.statement == n);
            found.map(|d| d.discount.reason.code())
        };
        (0..tally.dag().entry(index).statements.len())
            .map(why)
            .collect()
    }
}

/// Returns a charter of four voters and a member that does not vote.
pub fn five() -> Charter {
    let mut members: Vec<_> = ["alice", "bob", "carol", "dave", "erin"].map(voter).into();
    members[0].roles = vec![name("lead"), name("security")];
    members[4].roles = vec![name("ci")];
    members[4].vote = false;
    charter_of(
        members,
        &["refs/heads/main", "refs/heads/release/*"],
        vec![],
    )
}

/// Returns a charter with the smallest quorum that ignores fault domains.
pub fn charter_of(members: Vec<Member>, protect: &[&str], removed: Vec<Removal>) -> Charter {
    let n = members.iter().filter(|m| m.vote).count();
    let rules = CharterRules {
        allow_concentrated_domains: false,
        own_approval_counts: true,
        quorum: Threshold::of(n).q,
    };
    Charter::new(
        members,
        protect.iter().map(|p| p.parse().unwrap()).collect(),
        removed,
        rules,
    )
    .unwrap()
}

/// Returns a proposal to move a ref.
pub fn moves(
    base: EntryId,
    ref_name: &str,
    from: Option<u8>,
    to: Option<u8>,
    rewrite: bool,
) -> RefProposal {
    let n = to.unwrap_or(0);
    RefProposal {
        base,
        change: Digest::new([n; 32]),
        from: from.map(|n| Oid::new([n; 20])),
        name: ref_name.parse().unwrap(),
        rewrite,
        state: Digest::new([n.wrapping_add(0x80); 32]),
        text: "What changes, and why.\n\nIn more than one line.".to_owned(),
        title: format!("Move {}", &ref_name[..ref_name.len().min(80)]),
        to: to.map(|n| Oid::new([n; 20])),
    }
}

/// Returns a proposal of a charter.
pub fn proposes_charter(base: EntryId, charter: ProposedCharter) -> Statement {
    let (text, title) = (String::new(), "The next charter".to_owned());
    Statement::ProposeCharter(CharterProposal {
        base,
        charter,
        text,
        title,
    })
}

fn judge(proposal: EntryId, verdict: Verdict, text: &str, evidence: &[&str]) -> Statement {
    let evidence = evidence.iter().map(|e| (*e).to_owned()).collect();
    Statement::Review(Review {
        evidence,
        proposal,
        text: text.to_owned(),
        verdict,
    })
}

/// From the genesis to a decision.
fn add_decision(valid: &mut Valid) {
    valid.found(
        (
            "genesis",
            "founds the ledger of four voters and a member that does not vote",
        ),
        "alice",
        five(),
    );
    let g = valid.id("genesis");
    let first = Statement::Propose(moves(g, "refs/heads/main", Some(0xaa), Some(1), false));
    let alice = ("alice", "genesis");
    valid.add(
        (
            "propose",
            "a proposal for a protected ref; its id is the entry's",
        ),
        alice,
        &["genesis"],
        vec![first],
    );
    let p = valid.id("propose");
    let evidence = [
        "cargo test: 214 passed",
        "sha256:9f86d081884c7d659a2feaa0c55ad015",
    ];
    let yes = judge(p, Verdict::Approve, "Read it all.", &evidence);
    valid.add(
        ("approve", "a review with a text and evidence"),
        ("bob", "genesis"),
        &["genesis", "propose"],
        vec![yes],
    );
    let no = judge(p, Verdict::Reject, "The third file lacks a test.", &[]);
    valid.add(
        ("reject", "an objection"),
        ("carol", "genesis"),
        &["genesis", "propose"],
        vec![no],
    );
    let none = judge(p, Verdict::Abstain, "", &[]);
    valid.add(
        ("abstain", "no judgement; the worked example"),
        ("dave", "genesis"),
        &["genesis", "propose"],
        vec![none],
    );
    let both = vec![approve(p), prevote(p, 0)];
    valid.add(
        ("approve-and-prevote", "two statements in one entry"),
        alice,
        &["propose"],
        both.clone(),
    );
    valid.add(
        (
            "prevote",
            "a vote on the strength of the member's own approval",
        ),
        ("bob", "genesis"),
        &["approve"],
        vec![prevote(p, 0)],
    );
    let seen = ["reject", "approve-and-prevote", "prevote"];
    valid.add(
        ("cites-other-lanes", "an entry that builds on three lanes"),
        ("carol", "genesis"),
        &seen,
        both,
    );
    for (name, member, own, about) in [
        (
            "precommit",
            "alice",
            "approve-and-prevote",
            "a vote of the second phase, with its agreement signature",
        ),
        ("precommit-2", "bob", "prevote", "a second one"),
        (
            "precommit-3",
            "carol",
            "cites-other-lanes",
            "a third one, with which the proposal is decided",
        ),
    ] {
        let vote = valid.precommit(member, "propose", 0);
        let mut parents = vec![own];
        parents.extend((own != "cites-other-lanes").then_some("cites-other-lanes"));
        valid.add((name, about), (member, "genesis"), &parents, vec![vote]);
    }
    valid.add(
        ("prevote-later-round", "a vote of round 1"),
        ("dave", "genesis"),
        &["abstain", "cites-other-lanes"],
        vec![prevote(p, 1)],
    );
}

/// Proposals of every shape.
fn add_proposals(valid: &mut Valid) {
    let (g, p) = (valid.id("genesis"), valid.id("propose"));
    let create = Statement::Propose(moves(g, "refs/heads/release/1.0", None, Some(2), false));
    valid.add(
        ("propose-create", "`from` is null"),
        ("bob", "genesis"),
        &["precommit-2"],
        vec![create],
    );
    let delete = Statement::Propose(moves(g, "refs/heads/release/0.9", Some(3), None, false));
    valid.add(
        ("propose-delete", "`to` is null"),
        ("bob", "genesis"),
        &["propose-create"],
        vec![delete],
    );
    let rewrite = Statement::Propose(moves(g, "refs/heads/main", Some(0xaa), Some(4), true));
    valid.add(
        ("propose-rewrite", "`rewrite` is true"),
        ("carol", "genesis"),
        &["precommit-3"],
        vec![rewrite],
    );
    let next = Statement::Propose(moves(p, "refs/heads/main", Some(1), Some(5), false));
    let parents = ["precommit", "precommit-2", "precommit-3"];
    valid.add(
        ("propose-next", "a proposal on the base of a decision"),
        ("alice", "genesis"),
        &parents,
        vec![next],
    );
    let withdraw = vec![Statement::Withdraw(Withdraw {
        proposal: valid.id("propose-next"),
    })];
    valid.add(
        ("withdraw", "a withdrawal"),
        ("alice", "genesis"),
        &["propose-next"],
        withdraw,
    );
    let elsewhere = Statement::Propose(moves(g, "refs/heads/feature", None, Some(6), false));
    valid.add(
        (
            "propose-unprotected",
            "a good entry whose statement does not count",
        ),
        ("carol", "genesis"),
        &["propose-rewrite"],
        vec![elsewhere],
    );
}

/// Charter proposals, and an entry under a proposed charter.
fn add_charters(valid: &mut Valid) {
    let g = valid.id("genesis");
    let removed = vec![Removal {
        key: public_key("erin"),
        last: None,
        name: name("erin"),
    }];
    let four = ["alice", "bob", "carol", "dave"].map(voter).into();
    let next = ProposedCharter::Known(Box::new(charter_of(
        four,
        &["refs/heads/main", "refs/tags/v*"],
        removed,
    )));
    let statement = proposes_charter(g, next);
    valid.add(
        ("propose-charter", "a charter that may follow: erin leaves"),
        ("dave", "genesis"),
        &["prevote-later-round"],
        vec![statement],
    );
    let value = json!({"anything": [null, true, {"at": "all"}, entry_limits::INTEGER], "v": 2});
    let newer = proposes_charter(g, ProposedCharter::Newer { version: 2, value });
    valid.add(
        (
            "propose-charter-newer",
            "a charter of a later format version, which version 1 does not look into",
        ),
        ("dave", "genesis"),
        &["propose-charter"],
        vec![newer],
    );
    let removed = vec![Removal {
        key: public_key("mallory"),
        last: Some(g),
        name: name("mallory"),
    }];
    let odd = ProposedCharter::Known(Box::new(charter_of(
        five().members().to_vec(),
        &["refs/heads/main"],
        removed,
    )));
    let statement = proposes_charter(g, odd);
    valid.add(
        (
            "propose-charter-no-successor",
            "a good entry, but the charter removes somebody who was no member",
        ),
        ("carol", "genesis"),
        &["propose-unprotected"],
        vec![statement],
    );
    let mut members = five().members().to_vec();
    members.push(voter("frank"));
    let rival = ProposedCharter::Known(Box::new(charter_of(members, &["refs/heads/main"], vec![])));
    let statement = proposes_charter(g, rival);
    valid.add(
        (
            "rival-charter",
            "another charter that may follow: frank joins",
        ),
        ("alice", "genesis"),
        &["withdraw"],
        vec![statement],
    );
    let view = judge(valid.id("propose"), Verdict::Abstain, "", &[]);
    valid.add(
        (
            "under-proposed-charter",
            "an entry under a charter that is proposed and not decided",
        ),
        ("bob", "propose-charter"),
        &["propose-delete", "propose-charter"],
        vec![view],
    );
}

/// A forked lane that its owner joins.
fn add_forks(valid: &mut Valid) {
    let p = valid.id("propose");
    let erin = ("erin", "genesis");
    let say = |text: &str| vec![judge(p, Verdict::Abstain, text, &[])];
    valid.add(
        ("before-fork", "the first entry of a lane"),
        erin,
        &["genesis", "propose"],
        say("one"),
    );
    valid.add(
        ("fork-left", "one branch of a forked lane"),
        erin,
        &["before-fork"],
        say("left"),
    );
    valid.add(
        ("fork-left-2", "the same branch, longer"),
        erin,
        &["fork-left"],
        say("left again"),
    );
    valid.add(
        ("fork-right", "the other branch"),
        erin,
        &["before-fork"],
        say("right"),
    );
    valid.add(
        (
            "join",
            "joins a fork: no statements, and 1 + the highest `seq`",
        ),
        erin,
        &["fork-right", "fork-left-2"],
        vec![],
    );
    valid.add(
        (
            "second-start",
            "a lane that starts anew at the genesis: another fork",
        ),
        erin,
        &["genesis", "propose"],
        say("from a restored backup"),
    );
}

/// Texts, times and signatures at the edges.
fn add_odd_ones(valid: &mut Valid) {
    let p = valid.id("propose");
    let text = "Grüße, 世界, שלום, مرحبا, नमस्ते 👩‍👩‍👧\n\t\"quoted\" back\\slash </slash>\n\
        composed \u{e9} decomposed e\u{301} | U+2028 \u{2028} U+202E \u{202e} U+00AD \u{ad} U+FEFF \u{feff} \
        U+FFFF \u{ffff} U+10FFFF \u{10ffff}";
    let odd = judge(
        p,
        Verdict::Abstain,
        text,
        &["Ω ≠ \u{2126}", "C:\\Temp \"x\""],
    );
    valid.add(
        (
            "unicode",
            "characters that only look alike, or reorder text, stay as they are",
        ),
        ("erin", "genesis"),
        &["join"],
        vec![odd],
    );
    let context = valid.get("abstain").context.clone();
    let about =
        "the entry `abstain` again under another true signature: another commit, the same entry";
    valid.add_again(("second-signature", about), "abstain", "dave", context);
    let about = "the genesis again under another true signature; it founds the same ledger";
    valid.add_again(
        ("genesis-second-signature", about),
        "genesis",
        "alice",
        vec!["genesis".to_owned()],
    );
    let view = |text: &str| judge(p, Verdict::Abstain, text, &[]);
    valid.add(
        (
            "cites-second-signature",
            "its parent commit is the second one of its parent entry",
        ),
        ("erin", "genesis"),
        &["unicode", "second-signature"],
        vec![view("cites")],
    );
    valid.add(
        (
            "starts-at-second-genesis",
            "its first parent is the second commit of the genesis",
        ),
        ("erin", "genesis"),
        &["genesis-second-signature", "propose"],
        vec![view("starts")],
    );
    valid.add_at(
        ("time-zero", "the earliest time"),
        "erin",
        &["cites-second-signature"],
        view("early"),
        0,
    );
    let last = entry_limits::TIME;
    valid.add_at(
        ("time-last", "the latest time: 9998-12-31T23:59:59Z"),
        "erin",
        &["time-zero"],
        view("late"),
        last,
    );
}

/// A separate ledger that reaches every limit.
fn add_limits(valid: &mut Valid) {
    let long = |n: usize| format!("refs/heads/{n:0>244}");
    let protect: Vec<_> = (0..limits::PROTECT).map(long).collect();
    let protect: Vec<_> = protect.iter().map(String::as_str).collect();
    let members = crowd("m", limits::MEMBERS - 1);
    valid.found(
        (
            "limit-genesis",
            "128 members, 16 roles, 64 refs of 255 bytes",
        ),
        "alice",
        charter_of(members.clone(), &protect, vec![]),
    );
    let g = valid.id("limit-genesis");
    let alice = ("alice", "limit-genesis");

    let mut most = moves(g, protect[0], Some(1), Some(2), false);
    most.title = "T".repeat(entry_limits::TITLE_BYTES);
    most.text = "é".repeat(entry_limits::TEXT_BYTES / 2);
    let mut statements = vec![Statement::Propose(most)];
    statements.extend((1..entry_limits::STATEMENTS).map(|_| prevote(g, u32::MAX)));
    valid.add(
        (
            "limit-statements",
            "64 statements, a title of 200 bytes, a text of 16384, round 2^32 - 1",
        ),
        alice,
        &["limit-genesis"],
        statements,
    );

    let line = "e".repeat(entry_limits::EVIDENCE_BYTES);
    let evidence = vec![line.as_str(); entry_limits::EVIDENCE];
    let review = judge(
        g,
        Verdict::Abstain,
        &"x\n".repeat(entry_limits::TEXT_BYTES / 2),
        &evidence,
    );
    valid.add(
        ("limit-evidence", "16 items of evidence of 1024 bytes each"),
        alice,
        &["limit-statements"],
        vec![review],
    );

    let removed = crowd("r", limits::REMOVED);
    let gone = |m: Member| Removal {
        key: m.key,
        last: Some(g),
        name: m.name,
    };
    let removed = removed
        .into_iter()
        .filter(|m| m.name != name("alice"))
        .map(gone)
        .collect();
    let crowded = ProposedCharter::Known(Box::new(charter_of(members, &protect, removed)));
    let statement = proposes_charter(g, crowded);
    valid.add(
        ("limit-charter", "512 removed members"),
        alice,
        &["limit-evidence"],
        vec![statement],
    );
    valid.add(
        ("limit-nesting", "127 levels of arrays and objects"),
        alice,
        &["limit-charter"],
        vec![nested(g, 127)],
    );

    let sized = full_size(valid, &["limit-nesting"]);
    valid.add(
        ("limit-bytes", "262144 bytes"),
        alice,
        &["limit-nesting"],
        sized,
    );
}

/// Returns alice and `count` others, with names of 32 bytes.
fn crowd(letter: &str, count: usize) -> Vec<Member> {
    let mut members = vec![voter("alice")];
    members.extend((0..count).map(|n| voter(&format!("{letter}{n:0>31}"))));
    members[0].roles = (0..limits::ROLES)
        .map(|n| name(&format!("r{n:0>31}")))
        .collect();
    members
}

/// Returns a charter proposal whose payload has this nesting depth. The payload, its statements and
/// the statement are three levels, and the charter is the fourth.
pub fn nested(base: EntryId, levels: usize) -> Statement {
    let inner = (0..levels - 4).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    proposes_charter(
        base,
        ProposedCharter::Newer {
            version: 2,
            value: json!({"deep": inner, "v": 2}),
        },
    )
}

/// Returns reviews that fill an entry of alice to the last byte.
fn full_size(valid: &Valid, parents: &[&str]) -> Vec<Statement> {
    let g = valid.id("limit-genesis");
    let fill = |last: usize| -> Vec<_> {
        let mut sizes = vec![entry_limits::TEXT_BYTES; 15];
        sizes.push(last);
        sizes
            .iter()
            .map(|n| judge(g, Verdict::Abstain, &"b".repeat(*n), &[]))
            .collect()
    };
    let payload = valid.payload("alice", "limit-genesis", parents, fill(0));
    let size = sign(&valid.unsigned(&payload, parents), "alice").len();
    fill(entry_limits::ENTRY_BYTES - size)
}

/// A second ledger, whose entries are invalid in the first one.
fn add_other_ledger(valid: &mut Valid) {
    let members = vec![voter("alice")];
    valid.found(
        ("other-genesis", "founds another ledger, of one member"),
        "alice",
        charter_of(members, &["refs/heads/main"], vec![]),
    );
    let g = valid.id("other-genesis");
    let first = Statement::Propose(moves(g, "refs/heads/main", None, Some(1), false));
    valid.add(
        ("other-propose", "a proposal there"),
        ("alice", "other-genesis"),
        &["other-genesis"],
        vec![first],
    );
}
