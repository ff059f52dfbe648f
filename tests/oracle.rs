//! The core against a second reading of `ledger-spec/deciding.md`: naive, with explicit ancestor sets,
//! recomputing everything for each statement. Random ledgers with forks, liars and charter changes; any
//! order of arrival; any part of a ledger.
//!
//! `ORACLE_CASES=5000 cargo test --release --test oracle` runs more; `ORACLE_SEED=n` starts elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "common/lab.rs"]
mod lab;
#[path = "common/random_ledgers.rs"]
mod random_ledgers;
#[path = "common/rng.rs"]
mod rng;

use std::collections::{BTreeMap, BTreeSet};

use git_quorum::charter::{Charter, MemberName, ProposedCharter, RefName};
use git_quorum::consensus::{Decision, DiscountReason, Evidence, EvidenceRule, Tally};
use git_quorum::id::{Digest, EntryId};
use git_quorum::ledger::{
    CharterProposal, Dag, EntryIndex, RefProposal, Statement, Verdict, parse,
};
use lab::*;
use random_ledgers::ledger;
use rng::{Rng, cases};
use serde_json::json;

// ---------------------------------------------------------------- the oracle

type Place = (EntryId, usize);
type Code = &'static str;

/// A rule taken away, to see that the comparison notices.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mutant {
    None,
    LowerQuorum,
    NoLock,
    NoFreeze,
    NoHandOver,
}

struct Said {
    member: MemberName,
    charter: EntryId,
    statements: Vec<Statement>,
}

#[derive(Clone, PartialEq)]
struct Vote {
    member: MemberName,
    charter: EntryId,
    proposal: EntryId,
    round: u32,
    precommit: bool,
    place: Place,
}

struct Oracle {
    mutant: Mutant,
    ledger: EntryId,
    first: Charter,
    said: BTreeMap<EntryId, Said>,
    ancestors: BTreeMap<EntryId, BTreeSet<EntryId>>,
    verdicts: BTreeMap<Place, Result<(), Code>>,
}

/// The subject (a ref, or none for the charter) and the base.
type SlotOf = (Option<RefName>, EntryId);

impl Oracle {
    fn of(tally: &Tally, mutant: Mutant) -> Oracle {
        let dag = tally.dag();
        let mut oracle = Oracle {
            mutant,
            ledger: dag.ledger(),
            first: dag.charter(dag.ledger()).unwrap().charter.clone(),
            said: BTreeMap::new(),
            ancestors: BTreeMap::new(),
            verdicts: BTreeMap::new(),
        };
        for (_, entry) in dag.entries() {
            let mut ancestors = BTreeSet::new();
            for parent in entry.parents.iter().map(|p| dag.entry(*p).id) {
                ancestors.extend(oracle.ancestors[&parent].iter().copied());
                ancestors.insert(parent);
            }
            let (member, charter, statements) = (
                entry.member.clone(),
                entry.charter,
                entry.statements.clone(),
            );
            oracle.ancestors.insert(entry.id, ancestors);
            oracle.said.insert(
                entry.id,
                Said {
                    member,
                    charter,
                    statements,
                },
            );
            for n in 0..entry.statements.len() {
                let verdict = oracle.judge((entry.id, n));
                oracle.verdicts.insert((entry.id, n), verdict);
            }
        }
        oracle
    }

    fn statement(&self, at: Place) -> &Statement {
        &self.said[&at.0].statements[at.1]
    }

    fn known(&self, at: Place) -> BTreeSet<Place> {
        let of = |id: &EntryId| {
            (0..self.said[id].statements.len())
                .map(|n| (*id, n))
                .collect::<Vec<_>>()
        };
        let mut known: BTreeSet<_> = self.ancestors[&at.0].iter().flat_map(of).collect();
        known.extend((0..at.1).map(|n| (at.0, n)));
        known
    }

    fn vote(&self, place: Place) -> Option<Vote> {
        let (proposal, round, precommit) = match self.statement(place) {
            Statement::Prevote(v) => (v.proposal, v.round, false),
            Statement::Precommit(v) => (v.proposal, v.round, true),
            _ => return None,
        };
        let Said {
            member, charter, ..
        } = &self.said[&place.0];
        Some(Vote {
            member: member.clone(),
            charter: *charter,
            proposal,
            round,
            precommit,
            place,
        })
    }

    /// Votes for proposals that are valid and known to them, whether or not they count.
    fn cast(&self, known: &BTreeSet<Place>) -> Vec<Vote> {
        let votes = known.iter().filter_map(|p| self.vote(*p));
        votes
            .filter(|v| self.knows(v.place, (v.proposal, 0)) && self.is_valid(v.proposal, known))
            .collect()
    }

    fn knows(&self, at: Place, earlier: Place) -> bool {
        self.ancestors[&at.0].contains(&earlier.0) || (at.0 == earlier.0 && earlier.1 < at.1)
    }

    fn valid_votes(&self, known: &BTreeSet<Place>) -> Vec<Vote> {
        let counts = |place: &&Place| self.verdicts[place].is_ok();
        known
            .iter()
            .filter(counts)
            .filter_map(|p| self.vote(*p))
            .collect()
    }

    fn is_valid(&self, proposal: EntryId, known: &BTreeSet<Place>) -> bool {
        let place = (proposal, 0);
        known.contains(&place) && self.verdicts[&place].is_ok() && self.statement(place).proposes()
    }

    fn charter(&self, id: EntryId) -> &Charter {
        if id == self.ledger {
            return &self.first;
        }
        match self.statement((id, 0)) {
            Statement::ProposeCharter(CharterProposal {
                charter: ProposedCharter::Known(charter),
                ..
            }) => charter,
            _ => panic!("{id} is no charter"),
        }
    }

    fn quorum(&self, charter: EntryId) -> usize {
        self.charter(charter).rules().quorum - usize::from(self.mutant == Mutant::LowerQuorum)
    }

    /// The charter, its base, the base of that, up to the first.
    fn lineage(&self, charter: EntryId) -> Vec<EntryId> {
        let mut lineage = vec![charter];
        while let Some(Statement::ProposeCharter(p)) =
            self.said[lineage.last().unwrap()].statements.first()
        {
            lineage.push(p.base);
        }
        lineage
    }

    fn root(&self, charter: EntryId, name: &RefName) -> Option<EntryId> {
        self.lineage(charter)
            .into_iter()
            .take_while(|c| self.charter(*c).protects(name))
            .last()
    }

    fn slot(&self, proposal: EntryId) -> SlotOf {
        match self.statement((proposal, 0)) {
            Statement::Propose(p) => (Some(p.name.clone()), p.base),
            Statement::ProposeCharter(p) => (None, p.base),
            _ => panic!("{proposal} is no proposal"),
        }
    }

    /// Which proposals have a quorum of one phase, under which charter and in which round.
    fn quorums(&self, votes: &[Vote], precommit: bool) -> BTreeSet<(EntryId, u32, EntryId)> {
        let mut voices: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for v in votes.iter().filter(|v| v.precommit == precommit) {
            voices
                .entry((v.charter, v.round, v.proposal))
                .or_default()
                .insert(&v.member);
        }
        voices
            .into_iter()
            .filter(|(key, members)| members.len() >= self.quorum(key.0))
            .map(|(key, _)| key)
            .collect()
    }

    fn is_decided(&self, proposal: EntryId, votes: &[Vote]) -> bool {
        self.quorums(votes, true)
            .iter()
            .any(|(_, _, p)| *p == proposal)
    }

    fn judge(&self, at: Place) -> Result<(), Code> {
        let Said {
            member, charter, ..
        } = &self.said[&at.0];
        let known = self.known(at);
        let votes = self.valid_votes(&known);
        if *charter != self.ledger && !self.is_decided(*charter, &votes) {
            return Err("CHARTER_NOT_DECIDED");
        }
        let need_known = |p| {
            if self.is_valid(p, &known) {
                Ok(())
            } else {
                Err("UNKNOWN_PROPOSAL")
            }
        };
        match self.statement(at) {
            Statement::Propose(p) => self.judge_proposal(*charter, p, &known, &votes),
            Statement::ProposeCharter(p) => match &p.charter {
                ProposedCharter::Known(next) if !may_follow(next, self.charter(*charter)) => {
                    Err("NOT_A_SUCCESSOR")
                }
                _ => Ok(()),
            },
            Statement::Review(review) => {
                need_known(review.proposal)?;
                match review.verdict {
                    Verdict::Approve => self.judge_approval(member, *charter, review.proposal),
                    _ => Ok(()),
                }
            }
            Statement::Withdraw(withdraw) => {
                need_known(withdraw.proposal)?;
                let own = self.said[&withdraw.proposal].member == *member;
                if own { Ok(()) } else { Err("NOT_THE_PROPOSER") }
            }
            Statement::Prevote(_) | Statement::Precommit(_) => {
                let vote = self.vote(at).unwrap();
                need_known(vote.proposal)?;
                self.judge_vote(&vote, &known, &votes)
            }
        }
    }

    fn judge_proposal(
        &self,
        charter: EntryId,
        p: &RefProposal,
        known: &BTreeSet<Place>,
        votes: &[Vote],
    ) -> Result<(), Code> {
        let root = self.root(charter, &p.name).ok_or("NOT_PROTECTED")?;
        if p.base == root {
            return Ok(());
        }
        let fits = self.is_valid(p.base, known)
            && self.slot(p.base).0 == Some(p.name.clone())
            && self.root(self.said[&p.base].charter, &p.name) == Some(root);
        if !fits {
            return Err("WRONG_BASE");
        }
        if self.is_decided(p.base, votes) {
            Ok(())
        } else {
            Err("BASE_NOT_DECIDED")
        }
    }

    fn judge_approval(
        &self,
        member: &MemberName,
        charter: EntryId,
        proposal: EntryId,
    ) -> Result<(), Code> {
        if !self.charter(charter).votes(member) {
            return Err("NOT_A_VOTER");
        }
        let own = self.said[&proposal].member == *member;
        if own && !self.charter(charter).rules().own_approval_counts {
            Err("OWN_APPROVAL")
        } else {
            Ok(())
        }
    }

    fn judge_vote(&self, vote: &Vote, known: &BTreeSet<Place>, votes: &[Vote]) -> Result<(), Code> {
        let (c, p, r) = (vote.charter, vote.proposal, vote.round);
        let slot = self.slot(p);
        match &slot {
            (None, base) if *base != c => return Err("WRONG_BASE"),
            (None, _) => {}
            (Some(name), base) => {
                let root = self.root(self.said[&p].charter, name);
                if self.root(c, name) != root {
                    return Err("NOT_PROTECTED");
                }
                if Some(*base) != root && !self.is_decided(*base, votes) {
                    return Err("BASE_NOT_DECIDED");
                }
            }
        }
        if !self.charter(c).votes(&vote.member) {
            return Err("NOT_A_VOTER");
        }
        let freezes = |v: &Vote| {
            v.precommit
                && v.member == vote.member
                && v.charter == c
                && self.slot(v.proposal) == (None, c)
        };
        if self.mutant != Mutant::NoFreeze
            && slot != (None, c)
            && self.cast(known).iter().any(freezes)
        {
            return Err("FROZEN");
        }
        let in_slot: Vec<_> = votes
            .iter()
            .filter(|v| self.slot(v.proposal) == slot)
            .cloned()
            .collect();
        let (stands, handed_down) = self.hand_over(c, &in_slot);
        if stands.is_some_and(|s| s != p) {
            return Err("SLOT_DECIDED");
        }
        let here: Vec<_> = in_slot.into_iter().filter(|v| v.charter == c).collect();
        self.judge_order(vote, &here)?;
        let before: BTreeSet<_> = here
            .iter()
            .filter(|v| Some(v.round) == r.checked_sub(1))
            .map(|v| &v.member)
            .collect();
        if r > 0 && before.len() < self.quorum(c) {
            return Err("ROUND_NOT_ENTERED");
        }
        let rounds: BTreeSet<u32> = self
            .quorums(&here, false)
            .into_iter()
            .filter(|q| q.2 == p)
            .map(|q| q.1)
            .collect();
        if vote.precommit {
            if !rounds.contains(&r) {
                return Err("NO_PREVOTE_QUORUM");
            }
            return if self.is_well_signed(vote) {
                Ok(())
            } else {
                Err("BAD_AGREEMENT_SIGNATURE")
            };
        }
        self.judge_choice(vote, known, (stands, handed_down), &here, &rounds)
    }

    /// Rule 6: the decision that stands, or else the value handed down. Ties need more liars than the
    /// rules bear; the lowest id wins them.
    fn hand_over(&self, charter: EntryId, in_slot: &[Vote]) -> (Option<EntryId>, Option<EntryId>) {
        for precommit in [true, false] {
            let quorums = self.quorums(in_slot, precommit);
            for earlier in self.lineage(charter).into_iter().skip(1) {
                let of_charter = quorums.iter().filter(|q| q.0 == earlier);
                let best =
                    of_charter.min_by_key(|q| (if precommit { q.1 } else { u32::MAX - q.1 }, q.2));
                if let Some((_, _, p)) = best {
                    return if precommit {
                        (Some(*p), None)
                    } else {
                        (None, Some(*p))
                    };
                }
            }
        }
        (None, None)
    }

    /// Rule 4, the first two conditions.
    fn judge_order(&self, vote: &Vote, here: &[Vote]) -> Result<(), Code> {
        let mut own = here.iter().filter(|v| v.member == vote.member);
        if own.clone().any(|v| v.round > vote.round) {
            return Err("ROUND_WENT_BACK");
        }
        let second = |v: &Vote| {
            v.round == vote.round && v.precommit == vote.precommit && v.proposal != vote.proposal
        };
        if own.any(second) {
            Err("SECOND_VOTE")
        } else {
            Ok(())
        }
    }

    /// Rules 1, 4 (the lock) and 6 for a prevote; `rounds` are those with a prevote quorum for its proposal.
    fn judge_choice(
        &self,
        vote: &Vote,
        known: &BTreeSet<Place>,
        (stands, handed_down): (Option<EntryId>, Option<EntryId>),
        here: &[Vote],
        rounds: &BTreeSet<u32>,
    ) -> Result<(), Code> {
        let (p, r) = (vote.proposal, vote.round);
        let locks = || {
            here.iter()
                .filter(|v| v.precommit && v.member == vote.member)
        };
        let locked_in = locks().map(|v| v.round).max();
        let lock: BTreeSet<_> = locks()
            .filter(|v| Some(v.round) == locked_in)
            .map(|v| v.proposal)
            .collect();
        let approvers = self.approvers(vote.charter, p, known);
        let approved = approvers.len() >= self.quorum(vote.charter)
            || (r == 0 && approvers.contains(&vote.member))
            || lock.contains(&p)
            || stands == Some(p)
            || handed_down == Some(p)
            || rounds.iter().any(|s| *s < r);
        if !approved {
            return Err("NOT_APPROVED");
        }
        let others = lock.iter().any(|l| *l != p);
        let released = rounds.iter().any(|s| Some(*s) > locked_in && *s < r);
        if others && !released && self.mutant != Mutant::NoLock {
            return Err("LOCKED");
        }
        let bound = handed_down.is_some_and(|h| h != p) && self.mutant != Mutant::NoHandOver;
        if bound && !rounds.iter().any(|s| *s < r) {
            Err("HANDED_DOWN")
        } else {
            Ok(())
        }
    }

    fn approvers(
        &self,
        charter: EntryId,
        proposal: EntryId,
        known: &BTreeSet<Place>,
    ) -> BTreeSet<MemberName> {
        let approves = |place: &&Place| {
            let about = matches!(self.statement(**place), Statement::Review(r)
                if r.proposal == proposal && r.verdict == Verdict::Approve);
            about && self.said[&place.0].charter == charter && self.verdicts[place].is_ok()
        };
        known
            .iter()
            .filter(approves)
            .map(|place| self.said[&place.0].member.clone())
            .collect()
    }

    /// Section 5: the statement, built by hand.
    fn is_well_signed(&self, vote: &Vote) -> bool {
        let Statement::Precommit(signed) = self.statement(vote.place) else {
            return false;
        };
        let digest =
            |value: serde_json::Value| Digest::of(value.to_string().as_bytes()).to_string();
        let (subject, base) = self.slot(vote.proposal);
        let subject = subject.map_or("charter".to_owned(), |name| name.to_string());
        let mut predicate = json!({
            "base": base,
            "charter": vote.charter,
            "charterDigest": digest(json!(self.charter(vote.charter))),
            "ledger": self.ledger,
            "proposal": vote.proposal,
            "round": vote.round,
            "slot": Digest::of(format!("git-quorum slot v1\n{subject}\n{base}\n").as_bytes()),
        });
        let id = vote.proposal.to_string();
        let mut subjects =
            vec![json!({"digest": {"sha256": id}, "name": format!("proposal/{id}")})];
        match self.statement((vote.proposal, 0)) {
            Statement::Propose(p) => {
                subjects.push(json!({"digest": {"gitCommit": p.to}, "name": p.name}));
                for (field, value) in [
                    ("change", json!(p.change)),
                    ("from", json!(p.from)),
                    ("ref", json!(p.name)),
                ] {
                    predicate[field] = value;
                }
                (predicate["state"], predicate["to"]) = (json!(p.state), json!(p.to));
            }
            Statement::ProposeCharter(p) => {
                predicate["nextCharterDigest"] = json!(digest(json!(p.charter)))
            }
            _ => return false,
        }
        let body = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": predicate,
            "predicateType": "urn:git-quorum:agreement:v1",
            "subject": subjects,
        })
        .to_string();
        let bytes = format!(
            "DSSEv1 28 application/vnd.in-toto+json {} {body}",
            body.len()
        );
        let key = self.charter(vote.charter).member(&vote.member).unwrap().key;
        key.verifies(bytes.as_bytes(), &signed.signature)
    }

    /// Rule 7: every pair that convicts.
    fn pairs(&self) -> BTreeSet<Evidence> {
        let all: BTreeSet<Place> = self.verdicts.keys().copied().collect();
        let mut cast = self.cast(&all);
        cast.retain(|vote| self.verdicts[&vote.place] != Err("CHARTER_NOT_DECIDED"));
        let mut pairs = BTreeSet::new();
        for a in &cast {
            for b in cast
                .iter()
                .filter(|b| b.member == a.member && b.charter == a.charter)
            {
                let same_slot = self.slot(a.proposal) == self.slot(b.proposal);
                let differ = same_slot && a.proposal != b.proposal;
                if differ && a.round == b.round && a.precommit == b.precommit {
                    pairs.insert(self.evidence(EvidenceRule::Equivocation, a, b));
                }
                if differ && a.precommit && !b.precommit && a.round < b.round {
                    let quorums = self.quorums(&self.valid_votes(&self.known(b.place)), false);
                    let between = |s: u32| a.round < s && s < b.round;
                    if !quorums
                        .iter()
                        .any(|q| q.0 == b.charter && between(q.1) && q.2 == b.proposal)
                    {
                        pairs.insert(self.evidence(EvidenceRule::LockViolation, a, b));
                    }
                }
                let change = a.precommit && self.slot(a.proposal) == (None, a.charter);
                if change && !same_slot && !self.knows(a.place, b.place) {
                    pairs.insert(self.evidence(EvidenceRule::FreezeViolation, a, b));
                }
            }
        }
        pairs
    }

    fn evidence(&self, rule: EvidenceRule, a: &Vote, b: &Vote) -> Evidence {
        let (subject, base) = self.slot(b.proposal);
        let subject = subject.map_or("charter".to_owned(), |name| name.to_string());
        let slot = Digest::of(format!("git-quorum slot v1\n{subject}\n{base}\n").as_bytes());
        Evidence {
            member: a.member.clone(),
            rule,
            charter: a.charter,
            slot,
            entries: [a.place.0, b.place.0],
        }
    }

    fn decided(&self) -> BTreeMap<EntryId, BTreeSet<(EntryId, u32)>> {
        let votes = self.valid_votes(&self.verdicts.keys().copied().collect());
        let mut decided: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (charter, round, proposal) in self.quorums(&votes, true) {
            decided
                .entry(proposal)
                .or_default()
                .insert((charter, round));
        }
        decided
    }
}

/// charter.md, section 4.
fn may_follow(next: &Charter, before: &Charter) -> bool {
    let members = |c: &Charter| -> BTreeSet<_> {
        c.members()
            .iter()
            .map(|m| (m.name.clone(), m.key.to_string()))
            .collect()
    };
    let removed = |c: &Charter| -> BTreeSet<_> {
        c.removed()
            .iter()
            .map(|r| (r.name.clone(), r.key.to_string()))
            .collect()
    };
    let newly: BTreeSet<_> = &members(before) - &members(next);
    let unchanged = before.removed().iter().all(|r| next.removed().contains(r));
    unchanged && removed(next) == &removed(before) | &newly
}

// ---------------------------------------------------------------- comparing

fn verdicts(tally: &Tally) -> BTreeMap<Place, Result<(), Code>> {
    let id = |index| tally.dag().entry(index).id;
    let mut verdicts = BTreeMap::new();
    for (_, entry) in tally.dag().entries() {
        verdicts.extend((0..entry.statements.len()).map(|n| ((entry.id, n), Ok(()))));
    }
    for d in tally.discounted() {
        verdicts.insert(
            (id(d.place.entry), d.place.statement),
            Err(d.discount.reason.code()),
        );
    }
    verdicts
}

fn decisions(tally: &Tally) -> BTreeMap<EntryId, Decision> {
    tally
        .proposals()
        .filter_map(|p| Some((p.id, tally.decision(p.id)?)))
        .collect()
}

type Conviction = (MemberName, EvidenceRule, EntryId, Digest);

fn convictions<'a>(evidence: impl IntoIterator<Item = &'a Evidence>) -> BTreeSet<Conviction> {
    evidence
        .into_iter()
        .map(|e| (e.member.clone(), e.rule, e.charter, e.slot))
        .collect()
}

/// Where the oracle and the tally differ.
fn disagreement(tally: &Tally, oracle: &Oracle) -> Option<String> {
    for (place, verdict) in verdicts(tally) {
        if verdict != oracle.verdicts[&place] {
            let statement = oracle.statement(place);
            return Some(format!(
                "{place:?} {statement:?}: {verdict:?}, oracle {:?}",
                oracle.verdicts[&place]
            ));
        }
    }
    let decided = oracle.decided();
    let found = decisions(tally);
    let is_one = |d: &Decision| {
        decided
            .get(&d.proposal)
            .is_some_and(|by| by.contains(&(d.charter, d.round)))
    };
    if found.len() != decided.len() || !found.values().all(is_one) {
        return Some(format!("decisions {found:?}, oracle {decided:?}"));
    }
    let (evidence, pairs) = (tally.evidence(), oracle.pairs());
    let turned = |e: &Evidence| Evidence {
        entries: [e.entries[1], e.entries[0]],
        ..e.clone()
    };
    let is_pair = |e: &Evidence| {
        pairs.contains(e) || (e.rule == EvidenceRule::Equivocation && pairs.contains(&turned(e)))
    };
    if !evidence.iter().all(is_pair) || convictions(&evidence) != convictions(&pairs) {
        return Some(format!("evidence {evidence:?}, oracle {pairs:?}"));
    }
    None
}

/// A tally of some entries, taken in in another order, some of them twice.
fn rebuild(lab: &Lab, wanted: impl Fn(&EntryId) -> bool, rng: &mut Rng) -> Tally {
    let tally = Tally::found(parse(&lab.made[0].raw).unwrap(), lab.made[0].oid).unwrap();
    extend(tally, lab, wanted, rng)
}

fn extend(mut tally: Tally, lab: &Lab, wanted: impl Fn(&EntryId) -> bool, rng: &mut Rng) -> Tally {
    let mut waiting: Vec<_> = lab.made[1..].iter().filter(|m| wanted(&m.id)).collect();
    rng.shuffle(&mut waiting);
    let mut parsed: Vec<_> = waiting
        .into_iter()
        .map(|m| (parse(&m.raw).unwrap(), m.oid))
        .collect();
    while !parsed.is_empty() {
        parsed.retain(|(entry, oid)| {
            if entry
                .parents
                .iter()
                .any(|p| tally.dag().find_oid(*p).is_none())
            {
                return true;
            }
            for _ in 0..=usize::from(rng.chance(20)) {
                tally.insert(entry.clone(), *oid).unwrap();
            }
            false
        });
        if rng.chance(50) {
            rng.shuffle(&mut parsed);
        }
    }
    tally
}

/// Any order of arrival, twice or once: everything that is told is the same.
fn check_order(lab: &Lab, seed: u64, rng: &mut Rng) {
    check_same(&lab.tally, &rebuild(lab, |_| true, rng), seed);
}

fn check_same(one: &Tally, other: &Tally, seed: u64) {
    assert_eq!(
        verdicts(one),
        verdicts(other),
        "seed {seed}: verdicts by order"
    );
    assert_eq!(
        decisions(one),
        decisions(other),
        "seed {seed}: decisions by order"
    );
    assert_eq!(
        one.evidence(),
        other.evidence(),
        "seed {seed}: evidence by order"
    );
    assert_eq!(
        one.charter_chain(),
        other.charter_chain(),
        "seed {seed}: charters by order"
    );
    assert_eq!(
        one.upgrade_needed(),
        other.upgrade_needed(),
        "seed {seed}: upgrade by order"
    );
    for p in one.proposals() {
        assert_eq!(
            one.report(p.id),
            other.report(p.id),
            "seed {seed}: reports by order"
        );
        assert_eq!(
            one.chain(&p.slot.subject),
            other.chain(&p.slot.subject),
            "seed {seed}: chains by order"
        );
        assert_eq!(
            one.opinions(p.id),
            other.opinions(p.id),
            "seed {seed}: opinions by order"
        );
    }
    let slots = |tally: &Tally| tally.broken_slots().cloned().collect::<Vec<_>>();
    assert_eq!(
        slots(one),
        slots(other),
        "seed {seed}: broken slots by order"
    );
    let subjects: BTreeSet<_> = other.proposals().map(|p| p.slot.subject.clone()).collect();
    assert!(
        one.subjects().eq(&subjects),
        "seed {seed}: subjects by order"
    );
    check_same_dag(one.dag(), other.dag(), seed);
}

fn check_same_dag(one: &Dag, other: &Dag, seed: u64) {
    let ids = |dag: &Dag, indices: Vec<EntryIndex>| {
        indices
            .into_iter()
            .map(|i| dag.entry(i).id)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(one, one.history()),
        ids(other, other.history()),
        "seed {seed}: history by order"
    );
    let ends = |dag: &Dag, indices: Vec<EntryIndex>| {
        ids(dag, indices).into_iter().collect::<BTreeSet<_>>()
    };
    let childless = |dag: &Dag| ends(dag, dag.childless().collect());
    assert_eq!(
        childless(one),
        childless(other),
        "seed {seed}: childless entries by order"
    );
    for member in one.authors() {
        assert_eq!(
            ends(one, one.tips(member)),
            ends(other, other.tips(member)),
            "seed {seed}: tips by order"
        );
    }
    for (below, entry) in one.entries() {
        let there = other.find(entry.id).unwrap();
        assert_eq!(one.entry(below).statements, other.entry(there).statements);
        for (above, entry) in one.entries() {
            let reaches = other.reaches(there, other.find(entry.id).unwrap());
            assert_eq!(
                one.reaches(below, above),
                reaches,
                "seed {seed}: ancestors by order"
            );
        }
    }
}

/// A random part of a ledger, with its ancestors.
fn part(lab: &Lab, oracle: &Oracle, rng: &mut Rng) -> BTreeSet<EntryId> {
    let mut part = BTreeSet::new();
    for _ in 0..1 + rng.below(3) {
        let tip = rng.pick(&lab.made).id;
        part.extend(oracle.ancestors[&tip].iter().copied());
        part.insert(tip);
    }
    part
}

/// Part of a ledger, written down as bytes and read again, then the rest: the same as if nothing had been written.
fn check_bytes(lab: &Lab, oracle: &Oracle, seed: u64, rng: &mut Rng) {
    let part = part(lab, oracle, rng);
    let before = rebuild(lab, |id| part.contains(id), rng);
    let bytes = before.to_bytes();
    let read = Tally::from_bytes(bytes.clone()).unwrap();
    assert_eq!(read.to_bytes(), bytes, "seed {seed}: bytes");
    check_same(&before, &read, seed);
    check_same(&lab.tally, &extend(read, lab, |_| true, rng), seed);
}

/// Part of a ledger: the same verdicts, and nothing decided or convicted that the whole does not say.
fn check_part(lab: &Lab, oracle: &Oracle, seed: u64, rng: &mut Rng) {
    let part = part(lab, oracle, rng);
    let (less, whole) = (rebuild(lab, |id| part.contains(id), rng), &lab.tally);
    let all = verdicts(whole);
    assert!(
        verdicts(&less).iter().all(|(place, v)| all[place] == *v),
        "seed {seed}: verdicts of a part"
    );
    assert!(
        decisions(&less).keys().all(|p| whole.is_decided(*p)),
        "seed {seed}: decisions of a part"
    );
    let (less, whole) = (
        convictions(&less.evidence()),
        convictions(&whole.evidence()),
    );
    assert!(less.is_subset(&whole), "seed {seed}: evidence of a part");
}

#[test]
fn the_tally_agrees_with_the_oracle_in_any_order_and_in_part() {
    let first = cases("ORACLE_SEED", 0);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for seed in first..first + cases("ORACLE_CASES", 120) {
        let lab = ledger(seed);

        let oracle = Oracle::of(&lab.tally, Mutant::None);

        if let Some(difference) = disagreement(&lab.tally, &oracle) {
            panic!("seed {seed}: {difference}");
        }
        let mut rng = Rng::new(!seed);

        check_order(&lab, seed, &mut rng);
        check_part(&lab, &oracle, seed, &mut rng);
        check_bytes(&lab, &oracle, seed, &mut rng);

        count(&lab, &mut seen);
    }
    println!("{seen:#?}");
    let reasons = DiscountReason::ALL.iter().map(|r| r.code());
    let missed: Vec<_> = reasons.filter(|code| !seen.contains_key(*code)).collect();
    assert!(
        missed.is_empty(),
        "the ledgers are too tame: nothing gave {missed:?}; seen {seen:#?}"
    );
}

/// What the ledgers were like, to see that the comparison is about something.
fn count(lab: &Lab, seen: &mut BTreeMap<String, usize>) {
    let mut note = |what: String| *seen.entry(what).or_default() += 1;
    for d in lab.tally.discounted() {
        note(d.discount.reason.code().to_owned());
    }
    for e in lab.tally.evidence() {
        note(format!("{:?}", e.rule));
    }
    for d in decisions(&lab.tally).values() {
        note(format!("decided in round {}", d.round));
    }
    note(format!(
        "charters decided: {}",
        lab.tally.charter_chain().decided.len()
    ));
}

/// Most of the bytes are read when they are asked for, which is too late to find that they have changed.
#[test]
fn bytes_that_are_not_as_they_were_written_are_no_tally() {
    let mut rng = Rng::new(1);
    for seed in 0..cases("ORACLE_BYTES", 6) {
        let written = ledger(seed).tally.to_bytes();
        for _ in 0..400 {
            let mut bytes = written.clone();
            for _ in 0..1 + rng.below(3) {
                let at = rng.below(bytes.len());
                bytes[at] = if rng.chance(50) {
                    bytes[at] ^ (1 << rng.below(8))
                } else {
                    rng.below(256) as u8
                };
            }
            bytes.truncate(if rng.chance(10) {
                rng.below(bytes.len())
            } else {
                bytes.len()
            });
            assert_eq!(
                Tally::from_bytes(bytes.clone()).is_some(),
                bytes == written,
                "seed {seed}"
            );
        }
        assert!(Tally::from_bytes([written.as_slice(), b"x"].concat()).is_none());
    }
    assert!(Tally::from_bytes(vec![]).is_none() && Tally::from_bytes(vec![0xff; 40]).is_none());
}

/// A rule taken out of the oracle is noticed soon: the comparison sees what it should.
#[test]
fn a_missing_rule_is_noticed() {
    for (mutant, within) in [
        (Mutant::LowerQuorum, 10),
        (Mutant::NoLock, 100),
        (Mutant::NoFreeze, 100),
        (Mutant::NoHandOver, 200),
    ] {
        let differs = |seed: &u64| {
            let lab = ledger(*seed);
            disagreement(&lab.tally, &Oracle::of(&lab.tally, mutant)).is_some()
        };
        let found = (0..within).find(differs);
        assert!(
            found.is_some(),
            "nothing noticed {mutant:?} in {within} cases"
        );
    }
}
