//! A ledger that a test builds step by step, with the findings that the author expects. The
//! expectation is written by hand, and the tally must find the same.

use std::collections::BTreeMap;

use git_quorum::charter::{Charter, ProposedCharter, Removal};
use git_quorum::id::{Digest, EntryId};
use git_quorum::ledger::{CharterProposal, RefProposal, Statement};
use serde_json::{Value, json};

use super::rules;
use crate::lab::{Lab, approve, charter, name, prevote, public_key};
use crate::ledger_form::{LedgerVector, expected};
use crate::vectors::valid::moves;

/// The members, in the order in which stories use them.
pub const ALONE: [&str; 1] = ["alice"];
pub const TWO: [&str; 2] = ["alice", "bob"];
pub const THREE: [&str; 3] = ["alice", "bob", "carol"];
pub const FOUR: [&str; 4] = ["alice", "bob", "carol", "dave"];
pub const FIVE: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
pub const SIX: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];
pub const SEVEN: [&str; 7] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace"];

pub const MAIN: &str = "refs/heads/main";

pub const KEPT: bool = true;
pub const BROKEN: bool = false;

/// The number of a statement in its entry, and the code with which it should not count.
pub type Refused<'a> = &'a [(usize, &'static str)];

/// A vector, and the name of its file.
pub struct Named {
    pub name: String,
    pub vector: LedgerVector,
}

/// A ledger so far, and the expected findings.
#[derive(Clone)]
pub struct Story {
    lab: Lab,
    /// The charter of the next entries.
    charter: EntryId,
    /// The charter of each entry.
    charters: BTreeMap<EntryId, EntryId>,
    /// Entries that nobody knows until they are shown.
    hidden: Vec<EntryId>,
    /// A number that makes each proposal different.
    proposals: u8,
    /// The subject of each proposal: the name of a ref or `charter`, and its base.
    slots: BTreeMap<EntryId, (String, EntryId)>,
    // The expected findings, written by hand.
    in_force: EntryId,
    decided: BTreeMap<EntryId, (EntryId, u32)>,
    broken: Vec<EntryId>,
    discounted: Vec<(EntryId, usize, &'static str)>,
    evidence: Vec<Value>,
    upgrade: Option<EntryId>,
}

impl Story {
    /// Creates a ledger of these voting members, founded by the first one, that protects
    /// `refs/heads/main`.
    pub fn new(members: &[&str]) -> Story {
        Story::under(charter(members))
    }

    /// Creates a ledger of one member, who alone is a quorum and can break every promise.
    pub fn solo() -> Story {
        Story::new(&ALONE)
    }

    /// Creates a ledger where alice has proposed P.
    pub fn with_proposal(members: &[&str]) -> (Story, EntryId) {
        let mut story = Story::new(members);
        let p = story.propose("alice", story.genesis());
        (story, p)
    }

    /// Creates a ledger where these two members have proposed P and its rival Q. There are no
    /// reviews and no votes.
    pub fn with_rivals(members: &[&str], [first, second]: [&str; 2]) -> (Story, EntryId, EntryId) {
        let mut story = Story::new(members);
        let genesis = story.genesis();
        let p = story.propose(first, genesis);
        let q = story.propose(second, genesis);
        (story, p, q)
    }

    /// Creates a ledger under this charter, founded by its first member.
    pub fn under(charter: Charter) -> Story {
        let founder = charter.members()[0].name.to_string();
        let lab = Lab::found(&founder, charter);
        Story {
            charter: lab.ledger,
            in_force: lab.ledger,
            lab,
            charters: BTreeMap::new(),
            hidden: vec![],
            proposals: 0,
            slots: BTreeMap::new(),
            decided: BTreeMap::new(),
            broken: vec![],
            discounted: vec![],
            evidence: vec![],
            upgrade: None,
        }
    }

    /// Returns the genesis, which is the first charter.
    pub fn genesis(&self) -> EntryId {
        self.lab.ledger
    }

    /// Returns the member's last entry.
    pub fn tip(&self, member: &str) -> EntryId {
        self.lab.tip(member)
    }

    /// Returns the parents of an entry that builds on its own lane and on these entries.
    pub fn above(&self, member: &str, others: &[EntryId]) -> Vec<EntryId> {
        self.lab.above(member, others)
    }

    /// Returns the parents of an entry that builds on everything that is not hidden.
    pub fn above_all(&self, member: &str) -> Vec<EntryId> {
        self.lab
            .above_all(member)
            .into_iter()
            .filter(|parent| !self.hidden.contains(parent))
            .collect()
    }

    /// Hides this entry and later ones of its author: nobody builds on them until they are shown.
    pub fn hide(&mut self, entry: EntryId) {
        self.hidden.push(entry);
    }

    /// Shows all hidden entries.
    pub fn show_hidden(&mut self) {
        self.hidden.clear();
    }

    // ------------------------------------------------------------ what is said

    /// Adds an entry with exactly these parents. Its statements in `refused` must not count, and
    /// all others must.
    pub fn entry(
        &mut self,
        member: &str,
        parents: &[EntryId],
        said: Vec<Statement>,
        refused: Refused<'_>,
    ) -> EntryId {
        let id = self.lab.entry(member, self.charter, parents, said);
        self.charters.insert(id, self.charter);
        self.discounted
            .extend(refused.iter().map(|(n, code)| (id, *n, *code)));
        id
    }

    /// Adds an entry that builds on everything there is. All its statements must count.
    pub fn say(&mut self, member: &str, said: Vec<Statement>) -> EntryId {
        self.say_in_vain(member, said, &[])
    }

    /// Does the same, but the statements in `refused` must not count.
    pub fn say_in_vain(
        &mut self,
        member: &str,
        said: Vec<Statement>,
        refused: Refused<'_>,
    ) -> EntryId {
        let parents = self.above_all(member);
        self.entry(member, &parents, said, refused)
    }

    /// Returns the statement that `ref_name` should move on from `base`.
    pub fn move_of(&mut self, ref_name: &str, base: EntryId) -> Statement {
        self.proposals += 1;
        let (text, title) = (String::new(), format!("change {}", self.proposals));
        let change = moves(base, ref_name, Some(0xaa), Some(self.proposals), false);
        Statement::Propose(RefProposal {
            text,
            title,
            ..change
        })
    }

    /// Adds a valid proposal to move main from `base`.
    pub fn propose(&mut self, member: &str, base: EntryId) -> EntryId {
        self.propose_for(member, MAIN, base)
    }

    /// Adds a valid proposal to move a ref from `base`.
    pub fn propose_for(&mut self, member: &str, ref_name: &str, base: EntryId) -> EntryId {
        let said = self.move_of(ref_name, base);
        self.propose_as(member, ref_name, base, said)
    }

    /// Adds this proposal, which must be valid.
    pub fn propose_as(
        &mut self,
        member: &str,
        ref_name: &str,
        base: EntryId,
        said: Statement,
    ) -> EntryId {
        let id = self.say(member, vec![said]);
        self.slots.insert(id, (ref_name.to_owned(), base));
        id
    }

    /// Adds a valid proposal to move a ref, in an entry with exactly these parents.
    pub fn entry_proposing(
        &mut self,
        member: &str,
        parents: &[EntryId],
        ref_name: &str,
        base: EntryId,
    ) -> EntryId {
        let said = self.move_of(ref_name, base);
        let id = self.entry(member, parents, vec![said], &[]);
        self.slots.insert(id, (ref_name.to_owned(), base));
        id
    }

    /// Returns the statement that this charter should follow the charter of the next entries.
    pub fn change_to(&self, charter: ProposedCharter) -> Statement {
        let (base, text, title) = (self.charter, String::new(), "The next charter".to_owned());
        Statement::ProposeCharter(CharterProposal {
            base,
            charter,
            text,
            title,
        })
    }

    /// Adds a valid proposal of the charter that follows the charter of the next entries.
    pub fn propose_charter(&mut self, member: &str, charter: ProposedCharter) -> EntryId {
        let parents = self.above_all(member);
        self.entry_proposing_charter(member, &parents, charter)
    }

    /// Does the same in an entry with exactly these parents.
    pub fn entry_proposing_charter(
        &mut self,
        member: &str,
        parents: &[EntryId],
        charter: ProposedCharter,
    ) -> EntryId {
        let said = self.change_to(charter);
        let id = self.entry(member, parents, vec![said], &[]);
        self.slots.insert(id, ("charter".to_owned(), self.charter));
        id
    }

    /// Returns a validly signed precommit under the charter of the next entries.
    pub fn precommit(&self, member: &str, proposal: EntryId, round: u32) -> Statement {
        self.lab.precommit(member, self.charter, proposal, round)
    }

    /// Each member approves all of these.
    pub fn approvals(&mut self, members: &[&str], proposals: &[EntryId]) {
        for member in members {
            self.say(member, proposals.iter().map(|p| approve(*p)).collect());
        }
    }

    /// Each member prevotes.
    pub fn prevotes(&mut self, members: &[&str], proposal: EntryId, round: u32) {
        for member in members {
            self.say(member, vec![prevote(proposal, round)]);
        }
    }

    /// Each member precommits.
    pub fn precommits(&mut self, members: &[&str], proposal: EntryId, round: u32) {
        for member in members {
            let vote = self.precommit(member, proposal, round);
            self.say(member, vec![vote]);
        }
    }

    /// Each member approves and prevotes in round 0.
    pub fn support(&mut self, members: &[&str], proposal: EntryId) {
        for member in members {
            self.say(member, vec![approve(proposal), prevote(proposal, 0)]);
        }
    }

    /// A quorum approves, prevotes and precommits in round 0, which decides.
    pub fn decide(&mut self, quorum: &[&str], proposal: EntryId) {
        let (last, others) = quorum.split_last().unwrap();
        self.support(others, proposal);
        let vote = self.precommit(last, proposal, 0);
        self.say(last, vec![approve(proposal), prevote(proposal, 0), vote]);
        self.precommits(others, proposal, 0);
        self.expect_decided(proposal, 0);
    }

    /// Alice alone is a quorum, and decides in one entry with exactly these parents.
    pub fn decide_alone(&mut self, parents: &[EntryId], proposal: EntryId) -> EntryId {
        let said = vec![
            approve(proposal),
            prevote(proposal, 0),
            self.precommit("alice", proposal, 0),
        ];
        self.expect_decided(proposal, 0);
        self.entry("alice", parents, said, &[])
    }

    /// A quorum decides the next charter, which comes into force and is the charter of the next
    /// entries.
    pub fn change_charter(&mut self, quorum: &[&str], charter: Charter) -> EntryId {
        let change = self.propose_charter(quorum[0], known(charter));
        self.decide(quorum, change);
        self.speak_under(change);
        self.in_force = change;
        change
    }

    /// The next entries are made under this charter.
    pub fn speak_under(&mut self, charter: EntryId) {
        self.charter = charter;
    }

    // ------------------------------------------------------------ what is expected

    /// Expects that the proposal is decided, first under the charter of the next entries and first
    /// in this round there.
    pub fn expect_decided(&mut self, proposal: EntryId, round: u32) {
        self.decided.insert(proposal, (self.charter, round));
    }

    /// Expects that this charter is in force at the end.
    pub fn expect_in_force(&mut self, charter: EntryId) {
        self.in_force = charter;
    }

    /// Expects two decisions in the slot of the proposal.
    pub fn expect_broken(&mut self, proposal: EntryId) {
        self.broken.push(proposal);
    }

    /// Expects that these two entries convict the member, in the slot of a proposal and under their
    /// charter.
    pub fn expect_convicted(
        &mut self,
        member: &str,
        rule: &str,
        of: EntryId,
        entries: [EntryId; 2],
    ) {
        let (charter, slot) = (self.charters[&entries[1]], self.slot(of));
        self.evidence.push(json!({
            "charter": charter,
            "entries": entries,
            "member": member,
            "rule": rule,
            "slot": slot,
        }));
    }

    /// Expects a decided charter of a newer version, so that there is no verdict.
    pub fn expect_upgrade(&mut self, charter: EntryId) {
        self.upgrade = Some(charter);
    }

    /// Returns the id of a proposal's slot.
    fn slot(&self, proposal: EntryId) -> String {
        let (subject, base) = &self.slots[&proposal];
        Digest::of(format!("git-quorum slot v1\n{subject}\n{base}\n").as_bytes()).to_string()
    }

    fn expected(&self) -> Value {
        if let Some(charter) = self.upgrade {
            return json!({"upgrade": charter});
        }
        let decision = |(proposal, (charter, round)): (&EntryId, &(EntryId, u32))| {
            json!({
                "charter": charter,
                "proposal": proposal,
                "round": round,
                "slot": self.slot(*proposal),
                "subject": self.slots[proposal].0,
            })
        };
        let mut broken: Vec<_> = self.broken.iter().map(|p| self.slot(*p)).collect();
        broken.sort();
        let mut discounted = self.discounted.clone();
        discounted.sort();
        let in_form = |(entry, statement, reason): (EntryId, usize, &str)| json!({"entry": entry, "reason": reason, "statement": statement});
        let mut evidence = self.evidence.clone();
        evidence.sort_by_key(|e| {
            ["member", "rule", "charter", "slot", "entries"].map(|field| e[field].to_string())
        });
        json!({
            "broken": broken,
            "charter": self.in_force,
            "decisions": self.decided.iter().map(decision).collect::<Vec<_>>(),
            "discounted": discounted.into_iter().map(in_form).collect::<Vec<_>>(),
            "evidence": evidence,
        })
    }

    /// Returns the vector of a rule. Panics if the tally does not find exactly what is expected.
    pub fn shows(self, rule: &'static str, kept: bool, variant: &str, about: &str) -> Named {
        let name = rules::file_name(rule, variant, kept);
        let (by_hand, found) = (self.expected(), expected(&self.lab.tally));
        let agree = pair_order_aside(&by_hand) == pair_order_aside(&found);
        assert!(
            agree,
            "{name}: expected by hand {by_hand:#}, found {found:#}"
        );
        let entries = self.lab.made.into_iter().map(|made| made.raw).collect();
        let (about, rule) = (about.to_owned(), rule.to_owned());
        Named {
            name,
            vector: LedgerVector {
                about,
                rule,
                kept,
                entries,
                expected: found,
            },
        }
    }
}

/// The order of the two votes of an equivocation depends on the hashes of the proposals, which
/// nobody can foresee.
fn pair_order_aside(expected: &Value) -> Value {
    let mut expected = expected.clone();
    for evidence in expected["evidence"].as_array_mut().into_iter().flatten() {
        if evidence["rule"] == "equivocation" {
            evidence["entries"]
                .as_array_mut()
                .unwrap()
                .sort_by_key(Value::to_string);
        }
    }
    expected
}

/// Returns a charter of this version, as a proposal contains it.
pub fn known(charter: Charter) -> ProposedCharter {
    ProposedCharter::Known(Box::new(charter))
}

/// Returns a charter of these voting members that protects these refs, with the smallest quorum.
pub fn protecting(members: &[&str], refs: &[&str]) -> Charter {
    let plain = charter(members);
    let refs = refs
        .iter()
        .map(|pattern| pattern.parse().unwrap())
        .collect();
    Charter::new(
        plain.members().to_vec(),
        refs,
        vec![],
        plain.rules().clone(),
    )
    .unwrap()
}

/// Returns the same charter without some of the members, who are listed as removed.
pub fn without(members: &[&str], gone: &[&str]) -> Charter {
    let staying: Vec<_> = members
        .iter()
        .copied()
        .filter(|m| !gone.contains(m))
        .collect();
    let plain = charter(&staying);
    let removed = gone
        .iter()
        .map(|m| Removal {
            key: public_key(m),
            last: None,
            name: name(m),
        })
        .collect();
    Charter::new(
        plain.members().to_vec(),
        plain.protected().to_vec(),
        removed,
        plain.rules().clone(),
    )
    .unwrap()
}
