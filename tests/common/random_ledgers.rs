//! Random ledgers. Members mostly follow the rules, with liars, forks and charter changes among
//! them. A seed determines the bytes of a ledger.
#![allow(dead_code, reason = "each program uses a part of it")]

use std::collections::BTreeSet;

use git_quorum::charter::{Charter, ProposedCharter, Removal};
use git_quorum::consensus::{Draft, DueVote, Patience};
use git_quorum::id::EntryId;
use git_quorum::ledger::{CharterProposal, Prevote, Statement, Verdict, Withdraw};

use crate::lab::*;
use crate::rng::Rng;

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

struct Gen {
    rng: Rng,
    lab: Lab,
    members: usize,
    proposals: Vec<EntryId>,
    /// How often a member builds on less than it could, or on an older entry of its own.
    disorder: usize,
}

/// Returns the random ledger of a seed.
pub fn ledger(seed: u64) -> Lab {
    let mut rng = Rng::new(seed);
    let members = 3 + rng.below(5);
    let lab = Lab::found("a", random_charter(&mut rng, &NAMES[..members], &[]));
    let disorder = rng.pick(&[0, 10, 30, 60]);
    let mut made = Gen {
        rng,
        lab,
        members,
        proposals: vec![],
        disorder,
    };
    let length = 20 + made.rng.below(40);
    made.proposal();
    made.proposal();
    let both = made.proposals.clone();
    for member in &NAMES[..members] {
        let said = both
            .iter()
            .filter(|_| made.rng.chance(85))
            .map(|p| approve(*p))
            .collect();
        made.entry(member, said);
    }
    match made.rng.below(3) {
        0 => made.hand_over(&both),
        1 => made.rivalry(&both),
        _ => {}
    }
    while made.lab.made.len() < length {
        made.step();
    }
    made.lab
}

fn random_charter(rng: &mut Rng, members: &[&str], removed: &[Removal]) -> Charter {
    let plain = charter(members);
    let mut list = plain.members().to_vec();
    let observer = list.len() > 3 && rng.chance(15);
    let last = list.len() - 1;
    list[last].vote = !observer;
    let voters = list.iter().filter(|m| m.vote).count();
    let mut rules = plain.rules().clone();
    rules.quorum = git_quorum::charter::Threshold::of(voters).q;
    if rng.chance(15) {
        rules.quorum = voters.min(rules.quorum + 1);
    }
    rules.own_approval_counts = rng.chance(80);
    let refs: &[&str] = rng.pick(&[
        &["refs/heads/main"][..],
        &["refs/heads/main", "refs/heads/x"],
        &["refs/heads/x"],
    ]);
    let refs = if removed.is_empty() && rng.chance(70) {
        &["refs/heads/main"][..]
    } else {
        refs
    };
    let protect = refs.iter().map(|p| p.parse().unwrap()).collect();
    Charter::new(list, protect, removed.to_vec(), rules).unwrap()
}

impl Gen {
    fn step(&mut self) {
        let member = NAMES[self.rng.below(self.members)];
        match self.rng.below(100) {
            0..4 => self.proposal(),
            4..7 => self.charter_proposal(),
            7..32 => {
                for member in NAMES {
                    self.honest(member);
                }
            }
            32..60 => self.honest(member),
            _ => {
                let said = (0..=self.rng.below(3))
                    .map(|_| self.statement(member))
                    .collect();
                self.entry(member, said);
            }
        }
    }

    fn some_charter(&mut self) -> EntryId {
        let known = |id: &EntryId| self.lab.tally.dag().charter(*id).is_some();
        let mut charters: Vec<_> = self.proposals.iter().copied().filter(known).collect();
        charters.push(self.lab.ledger);
        let in_force = self.lab.tally.charter_in_force();
        if self.rng.chance(85) && known(&in_force) {
            in_force
        } else {
            self.rng.pick(&charters)
        }
    }

    /// Returns parents: mostly everything there is, sometimes less, and sometimes an older entry of
    /// the member itself.
    fn parents(&mut self, member: &str) -> Vec<EntryId> {
        let dag = self.lab.tally.dag();
        let own = |id: &EntryId| {
            *id != self.lab.ledger && dag.entry(dag.find(*id).unwrap()).member == name(member)
        };
        let all: Vec<_> = self.lab.made.iter().map(|m| m.id).collect();
        if !self.rng.chance(self.disorder) {
            return self.lab.above_all(member);
        }
        let mut lane: Vec<_> = all.iter().copied().filter(own).collect();
        lane.push(self.lab.ledger);
        let first = if self.rng.chance(50) {
            self.lab.tip(member)
        } else {
            self.rng.pick(&lane)
        };
        let count = self.rng.below(4);
        let mut parents = vec![first];
        for _ in 0..count {
            let other = self.rng.pick(&all);
            if !parents.contains(&other) && (own(&first) || !own(&other)) {
                parents.push(other);
            }
        }
        parents
    }

    fn entry(&mut self, member: &str, said: Vec<Statement>) {
        let (charter, parents) = (self.some_charter(), self.parents(member));
        self.add(member, charter, &parents, said);
    }

    /// Adds an entry if it is valid in its place.
    fn add(&mut self, member: &str, charter: EntryId, parents: &[EntryId], said: Vec<Statement>) {
        let proposes = said.first().is_some_and(Statement::proposes);
        let payload = self.lab.payload(member, charter, parents, said);
        let made = self.lab.make(&payload);
        let id = made.id;
        if self.lab.take(made).is_ok() && proposes {
            self.proposals.push(id);
        }
    }

    fn proposal(&mut self) {
        let mut bases = self.proposals.clone();
        bases.extend([self.lab.ledger; 2]);
        let decided = self
            .proposals
            .iter()
            .copied()
            .filter(|p| self.lab.tally.is_decided(*p));
        bases.extend(decided.flat_map(|p| [p; 3]).collect::<Vec<_>>());
        let Statement::Propose(mut p) =
            propose(self.rng.pick(&bases), self.proposals.len() as u8 + 1)
        else {
            return;
        };
        if self.rng.chance(15) {
            p.name = "refs/heads/x".parse().unwrap();
        }
        let member = NAMES[self.rng.below(self.members)];
        self.entry(member, vec![Statement::Propose(p)]);
    }

    fn charter_proposal(&mut self) {
        let (base, member) = (self.some_charter(), NAMES[self.rng.below(self.members)]);
        let before = self.lab.tally.dag().charter(base).unwrap().charter.clone();
        let mut members: BTreeSet<&str> =
            before.members().iter().map(|m| m.name.as_str()).collect();
        let mut removed = before.removed().to_vec();
        let gone: BTreeSet<_> = removed.iter().map(|r| r.name.to_string()).collect();
        let joining = NAMES[self.rng.below(8)];
        if !gone.contains(joining) {
            members.insert(joining);
        }
        let leaving = NAMES[self.rng.below(8)];
        if members.len() > 3 && self.rng.chance(50) && members.remove(leaving) {
            let forgotten = self.rng.chance(20);
            let known = before.member(&name(leaving)).is_some();
            let removal = Removal {
                key: public_key(leaving),
                last: None,
                name: name(leaving),
            };
            removed.extend((known && !forgotten).then_some(removal));
            removed.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let members: Vec<_> = members.into_iter().collect();
        let next = random_charter(&mut self.rng, &members, &removed);
        let charter = match self.rng.chance(3) {
            true => ProposedCharter::Newer {
                version: 2,
                value: serde_json::json!({"v": 2}),
            },
            false => ProposedCharter::Known(Box::new(next)),
        };
        let said = CharterProposal {
            base,
            charter,
            text: String::new(),
            title: "charter".into(),
        };
        let parents = self.parents(member);
        self.add(
            member,
            base,
            &parents,
            vec![Statement::ProposeCharter(said)],
        );
        let Some(proposal) = self
            .proposals
            .last()
            .copied()
            .filter(|_| self.rng.chance(70))
        else {
            return;
        };
        for member in &NAMES[..self.members] {
            let parents = self.lab.above_all(member);
            self.add(member, base, &parents, vec![approve(proposal)]);
        }
    }

    /// Adds some rounds where all members prevote one of two rivals and some members precommit,
    /// with incomplete knowledge.
    fn rivalry(&mut self, both: &[EntryId]) {
        let charter = self.lab.ledger;
        for round in 0..2 + self.rng.below(2) as u32 {
            let favourite = self.rng.pick(both);
            for member in &NAMES[..self.members] {
                let choice = if self.rng.chance(70) {
                    favourite
                } else {
                    self.rng.pick(both)
                };
                self.entry(member, vec![prevote(choice, round)]);
            }
            for member in &NAMES[..self.rng.below(self.members)] {
                let vote = self.lab.precommit(member, charter, favourite, round);
                self.entry(member, vec![vote]);
            }
        }
    }

    /// Adds prevotes, sometimes a decision, then a charter change, then approvals of the same
    /// proposals under the new charter.
    fn hand_over(&mut self, both: &[EntryId]) {
        let (old, everyone) = (self.lab.ledger, &NAMES[..self.members]);
        let favourite = self.rng.pick(both);
        for member in everyone {
            let choice = if self.rng.chance(85) {
                favourite
            } else {
                self.rng.pick(both)
            };
            let parents = self.lab.above_all(member);
            self.add(member, old, &parents, vec![prevote(choice, 0)]);
        }
        for member in &everyone[..self.rng.below(3) * everyone.len() / 2] {
            let (vote, parents) = (
                self.lab.precommit(member, old, favourite, 0),
                self.lab.above_all(member),
            );
            self.add(member, old, &parents, vec![vote]);
        }
        self.charter_proposal();
        let change = *self.proposals.last().unwrap();
        for step in 0..3 {
            for member in everyone {
                let said = match step {
                    0 => approve(change),
                    1 => prevote(change, 0),
                    _ => self.lab.precommit(member, old, change, 0),
                };
                let parents = self.lab.above_all(member);
                self.add(member, old, &parents, vec![said]);
            }
        }
        let new = self.lab.tally.charter_in_force();
        for member in NAMES {
            let parents = self.lab.above_all(member);
            let said = [
                approve(both[0]),
                approve(both[1]),
                prevote(self.rng.pick(both), 0),
            ]
            .to_vec();
            self.add(member, new, &parents, said);
        }
    }

    /// Adds what the member's program would add without any patience. It approves something now and
    /// then.
    fn honest(&mut self, member: &str) {
        let (charter, parents) = (self.some_charter(), self.parents(member));
        let dag = self.lab.tally.dag();
        let indices: Vec<_> = parents.iter().map(|p| dag.find(*p).unwrap()).collect();
        let mut draft = Draft::new(&self.lab.tally, &name(member), charter, &indices);
        if self.rng.chance(40) {
            let proposal = self.recent_proposal();
            if draft.add(approve(proposal)).is_err() {
                return;
            }
        }
        for _ in 0..1 + self.rng.below(3) {
            let statement = match draft.due(&Patience::default()).vote {
                Some(DueVote::Prevote(proposal, round)) => {
                    Statement::Prevote(Prevote { proposal, round })
                }
                Some(DueVote::Precommit(proposal, round)) => {
                    self.lab.precommit(member, charter, proposal, round)
                }
                None => break,
            };
            draft
                .add(statement)
                .unwrap_or_else(|d| panic!("a vote that is due counts: {d:?}"));
        }
        let said = draft.statements().to_vec();
        if !said.is_empty() {
            self.add(member, charter, &parents, said);
        }
    }

    /// Returns mostly one of the last two valid proposals.
    fn recent_proposal(&mut self) -> EntryId {
        let valid = |id: &EntryId| self.lab.tally.proposal(*id).is_some();
        let mut among: Vec<_> = self.proposals.iter().copied().filter(valid).collect();
        if among.is_empty() || self.rng.chance(7) {
            among = self.proposals.clone();
        }
        let last = among.len().min(if self.rng.chance(75) { 2 } else { 6 });
        self.rng.pick(&among[among.len() - last..])
    }

    fn statement(&mut self, member: &str) -> Statement {
        let proposal = self.recent_proposal();
        let round = self.rng.pick(&[0, 0, 0, 1, 1, 1, 2, 2, 3, u32::MAX]);
        match self.rng.below(100) {
            0..20 => approve(proposal),
            20..24 => review(
                proposal,
                self.rng.pick(&[Verdict::Reject, Verdict::Abstain]),
            ),
            24..27 => Statement::Withdraw(Withdraw { proposal }),
            27..70 => prevote(proposal, round),
            _ => {
                let charter = self.lab.tally.charter_in_force();
                let vote = self.lab.precommit(member, charter, proposal, round);
                match vote {
                    Statement::Precommit(mut v) if self.rng.chance(10) => {
                        v.signature = [0; 64];
                        Statement::Precommit(v)
                    }
                    vote => vote,
                }
            }
        }
    }
}
