//! Tests that honest members are never accused, whatever the others do. Here an honest member
//! follows three rules. It signs only what a draft accepts. It builds on all its own entries. It
//! casts no more prevotes in a round after its precommit (deciding.md, section 5: this is no
//! condition of validity). Its wishes, and what it sees of the others, are random.

use std::collections::BTreeMap;

use git_quorum::charter::Charter;
use git_quorum::consensus::{Draft, DueVote, Patience};
use git_quorum::id::EntryId;
use git_quorum::ledger::{Precommit, Prevote, Statement, Verdict, Withdraw};

use crate::kinds::evidence_of;
use crate::lab::*;
use crate::rng::{Rng, cases};
use crate::scenes::propose_charter;

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
/// The honest one.
const HONEST: &str = "a";

/// The rule that the marked member breaks, to show that the property notices.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Care {
    /// Nothing.
    Whole,
    /// It does not ask whether its votes count.
    DoesNotAsk,
    /// It does not build on everything of its own.
    Forgets,
    /// It prevotes in rounds that it has precommitted in, since that counts.
    PrevotesLate,
}

struct Game {
    rng: Rng,
    lab: Lab,
    n: usize,
    care: Care,
    proposals: Vec<EntryId>,
    /// Votes that the honest member cast, and what it was kept from, by reason.
    votes: usize,
    kept: BTreeMap<&'static str, usize>,
}

fn game(seed: u64, care: Care) -> Game {
    let mut rng = Rng::new(seed);
    let n = 4 + rng.below(4);
    let lab = Lab::new(&NAMES[..n]);
    let mut game = Game {
        rng,
        lab,
        n,
        care,
        proposals: vec![],
        votes: 0,
        kept: BTreeMap::new(),
    };
    let ledger = game.lab.ledger;
    for number in [1, 2] {
        let entry = game.lab.say("b", vec![propose(ledger, number)]);
        game.proposals.push(entry);
    }
    for member in &NAMES[..n] {
        let wishes = game
            .proposals
            .iter()
            .filter(|_| game.rng.chance(85))
            .map(|p| approve(*p))
            .collect();
        game.turn(member, ledger, wishes);
    }
    if game.rng.chance(40) {
        game.change_of_mind();
    }
    let length = 40 + game.rng.below(40);
    // A turn may come to nothing, so turns are what is counted.
    for _ in 0..length {
        game.step();
    }
    game
}

impl Game {
    fn step(&mut self) {
        match self.rng.below(100) {
            0..6 => self.proposal(),
            6..12 => self.charter_change(),
            12..30 => self.round(),
            _ => {
                let member = if self.rng.chance(35) {
                    HONEST
                } else {
                    NAMES[self.rng.below(self.n)]
                };
                let charter = self.charter();
                let wishes = (0..=self.rng.below(3))
                    .map(|_| self.wish(member, charter))
                    .collect();
                self.turn(member, charter, wishes);
            }
        }
    }

    /// Mostly the one in force.
    fn charter(&mut self) -> EntryId {
        let known = |id: &EntryId| self.lab.tally.dag().charter(*id).is_some();
        let mut charters: Vec<_> = self.proposals.iter().copied().filter(known).collect();
        charters.push(self.lab.ledger);
        if self.rng.chance(80) {
            self.lab.tally.charter_in_force()
        } else {
            self.rng.pick(&charters)
        }
    }

    /// Most members prevote one proposal in some round, then some precommit it.
    fn round(&mut self) {
        let (charter, p, round) = (self.charter(), self.recent(), self.rng.below(3) as u32);
        for member in &NAMES[..self.n] {
            let choice = if self.rng.chance(80) {
                p
            } else {
                self.recent()
            };
            self.turn(
                member,
                charter,
                vec![approve(choice), prevote(choice, round)],
            );
        }
        for member in &NAMES[..self.rng.below(self.n + 1)] {
            let vote = match self.lab.precommit(member, charter, p, round) {
                Statement::Precommit(vote) if self.rng.chance(10) => {
                    Statement::Precommit(Precommit {
                        signature: [0; 64],
                        ..vote
                    })
                }
                vote => vote,
            };
            self.turn(member, charter, vec![vote]);
        }
    }

    /// The honest member precommits one proposal alone; the others choose the other one, which releases it.
    fn change_of_mind(&mut self) {
        let (charter, others) = (self.lab.ledger, &NAMES[1..self.n]);
        let [p, q] = [self.proposals[0], self.proposals[1]];
        let odd = self.rng.pick(others);
        for member in &NAMES[..self.n] {
            self.turn(member, charter, vec![approve(p), approve(q)]);
        }
        for member in &NAMES[..self.n] {
            self.turn(
                member,
                charter,
                vec![prevote(if *member == odd { q } else { p }, 0)],
            );
        }
        let vote = self.lab.precommit(HONEST, charter, p, 0);
        self.turn(HONEST, charter, vec![vote]);
        for round in [1, 2] {
            for member in others {
                self.turn(member, charter, vec![prevote(q, round)]);
            }
            let mut wishes = vec![prevote(q, round), prevote(q, round + 1)];
            if self.rng.chance(50) {
                wishes.insert(0, self.lab.precommit(HONEST, charter, q, round));
            }
            self.turn(HONEST, charter, wishes);
        }
    }

    /// Whether the honest member has prevoted against a precommit of its own in the slot that came before.
    fn changed_its_mind(&self) -> bool {
        let dag = self.lab.tally.dag();
        let own = dag
            .entries()
            .filter(|(_, entry)| entry.member.as_str() == HONEST);
        let mut bound = None;
        own.flat_map(|(_, entry)| &entry.statements)
            .any(|said| match said {
                Statement::Precommit(vote) if vote.round == 0 => {
                    bound = bound.or(Some(vote.proposal));
                    false
                }
                Statement::Prevote(vote) if vote.round > 1 => {
                    self.proposals[..2].contains(&vote.proposal)
                        && bound.is_some_and(|p| p != vote.proposal)
                }
                _ => false,
            })
    }

    fn proposal(&mut self) {
        let decided: Vec<_> = self
            .proposals
            .iter()
            .copied()
            .filter(|p| self.lab.tally.is_decided(*p))
            .collect();
        let base = if decided.is_empty() || self.rng.chance(50) {
            self.lab.ledger
        } else {
            self.rng.pick(&decided)
        };
        let number = self.proposals.len() as u8 + 1;
        let member = NAMES[1 + self.rng.below(self.n - 1)];
        let (charter, parents) = (
            self.lab.tally.charter_in_force(),
            self.lab.above_all(member),
        );
        let added = self.add(member, charter, &parents, vec![propose(base, number)]);
        self.proposals.extend(added);
    }

    /// A charter that protects one ref more, which most approve and vote for.
    fn charter_change(&mut self) {
        let base = self.charter();
        let now = self.lab.tally.dag().charter(base).unwrap().charter.clone();
        let mut refs = now.protected().to_vec();
        refs.push(
            format!("refs/heads/x{}", self.proposals.len())
                .parse()
                .unwrap(),
        );
        refs.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        let next = Charter::new(now.members().to_vec(), refs, vec![], now.rules().clone()).unwrap();
        let member = NAMES[1 + self.rng.below(self.n - 1)];
        let parents = self.lab.above_all(member);
        let Some(change) = self.add(member, base, &parents, vec![propose_charter(base, next)])
        else {
            return;
        };
        self.proposals.push(change);
        let last = self.rng.below(self.n + 1);
        for member in &NAMES[..self.n] {
            self.turn(member, base, vec![approve(change), prevote(change, 0)]);
        }
        for member in &NAMES[..last] {
            let vote = self.lab.precommit(member, base, change, 0);
            self.turn(member, base, vec![vote]);
        }
    }

    fn recent(&mut self) -> EntryId {
        let last = self
            .proposals
            .len()
            .min(if self.rng.chance(70) { 2 } else { 6 });
        self.rng
            .pick(&self.proposals[self.proposals.len() - last..])
    }

    fn wish(&mut self, member: &str, charter: EntryId) -> Statement {
        let proposal = if self.rng.chance(2) {
            EntryId::of(b"nothing")
        } else {
            self.recent()
        };
        let round = self.rng.pick(&[0, 0, 0, 1, 1, 2, 3, u32::MAX]);
        match self.rng.below(100) {
            0..20 => approve(proposal),
            20..25 => review(
                proposal,
                self.rng.pick(&[Verdict::Reject, Verdict::Abstain]),
            ),
            25..28 => Statement::Withdraw(Withdraw { proposal }),
            28..65 => prevote(proposal, round),
            _ => match self.lab.precommit(member, charter, proposal, round) {
                Statement::Precommit(vote) if self.rng.chance(5) => {
                    Statement::Precommit(Precommit {
                        signature: [0; 64],
                        ..vote
                    })
                }
                vote => vote,
            },
        }
    }

    /// What the member builds on: its own last entry (a liar any of its own) and anything of the others.
    fn parents(&mut self, member: &str) -> Vec<EntryId> {
        if self.rng.chance(60) && (member != HONEST || self.care != Care::Forgets) {
            return self.lab.above_all(member);
        }
        let dag = self.lab.tally.dag();
        let all: Vec<_> = self.lab.made.iter().map(|made| made.id).collect();
        let is_own = |id: &EntryId| {
            *id != self.lab.ledger && dag.entry(dag.find(*id).unwrap()).member == name(member)
        };
        let (mut own, others): (Vec<_>, Vec<_>) = all.iter().copied().partition(is_own);
        own.push(self.lab.ledger);
        let careful = member == HONEST && self.care != Care::Forgets;
        let first = if careful {
            self.lab.tip(member)
        } else {
            self.rng.pick(&own)
        };
        let mut parents = vec![first];
        for _ in 0..self.rng.below(5) {
            let other = self.rng.pick(&others);
            if !parents.contains(&other) {
                parents.push(other);
            }
        }
        parents
    }

    /// The member says what it wishes, as far as it is that kind of member.
    fn turn(&mut self, member: &str, charter: EntryId, wishes: Vec<Statement>) {
        let parents = self.parents(member);
        let said = match member == HONEST && self.care != Care::DoesNotAsk {
            true => self.accepted(member, charter, &parents, wishes),
            false => wishes,
        };
        let is_vote = |s: &&Statement| matches!(s, Statement::Prevote(_) | Statement::Precommit(_));
        let votes = if member == HONEST {
            said.iter().filter(is_vote).count()
        } else {
            0
        };
        if !said.is_empty() && self.add(member, charter, &parents, said).is_some() {
            self.votes += votes;
        }
    }

    /// What a draft accepts of the wishes, and sometimes a vote that is due.
    fn accepted(
        &mut self,
        member: &str,
        charter: EntryId,
        parents: &[EntryId],
        wishes: Vec<Statement>,
    ) -> Vec<Statement> {
        let dag = self.lab.tally.dag();
        let indices: Vec<_> = parents.iter().map(|p| dag.find(*p).unwrap()).collect();
        let fresh = |said: &[Statement]| {
            let mut draft = Draft::new(&self.lab.tally, &name(member), charter, &indices);
            said.iter().for_each(|s| draft.add(s.clone()).unwrap());
            draft
        };
        let mut said: Vec<Statement> = vec![];
        for wish in wishes {
            if self.care != Care::PrevotesLate && self.is_late(charter, &said, &wish) {
                *self.kept.entry("prevote after precommit").or_default() += 1;
                continue;
            }
            match fresh(&said).add(wish.clone()) {
                Ok(()) => said.push(wish),
                Err(why) => *self.kept.entry(why.reason.code()).or_default() += 1,
            }
        }
        if self.rng.chance(30) {
            said.extend(match fresh(&said).due(&Patience::default()).vote {
                Some(DueVote::Prevote(proposal, round)) => {
                    Some(Statement::Prevote(Prevote { proposal, round }))
                }
                Some(DueVote::Precommit(proposal, round)) => {
                    Some(self.lab.precommit(member, charter, proposal, round))
                }
                None => None,
            });
        }
        said
    }

    /// Whether it is a prevote in a round of a slot in which the honest member has precommitted, under this charter.
    fn is_late(&self, charter: EntryId, said: &[Statement], wish: &Statement) -> bool {
        let Statement::Prevote(Prevote { proposal, round }) = wish else {
            return false;
        };
        let slot = |id: EntryId| self.lab.tally.proposal(id).map(|p| p.slot.clone());
        let before = self.lab.tally.dag().entries().map(|(_, entry)| entry);
        let before =
            before.filter(|entry| entry.member.as_str() == HONEST && entry.charter == charter);
        before.flat_map(|entry| &entry.statements).chain(said).any(
            |said| matches!(said, Statement::Precommit(v) if v.round == *round && slot(v.proposal) == slot(*proposal)),
        )
    }

    /// Adds an entry if it is well formed in its place.
    fn add(
        &mut self,
        member: &str,
        charter: EntryId,
        parents: &[EntryId],
        said: Vec<Statement>,
    ) -> Option<EntryId> {
        let payload = self.lab.payload(member, charter, parents, said);
        let made = self.lab.make(&payload);
        self.lab.take(made).ok()
    }

    fn accuses_honest(&self) -> bool {
        self.lab
            .tally
            .faults()
            .iter()
            .any(|fault| fault.member.as_str() == HONEST)
    }
}

#[test]
fn an_honest_member_is_never_accused_whatever_the_others_do() {
    let first = cases("FAULTS_SEED", 0);
    let (mut votes, mut released, mut kept, mut guilty) = (0, 0, BTreeMap::new(), BTreeMap::new());
    let cases = cases("FAULTS_CASES", 40);
    for seed in first..first + cases {
        let game = game(seed, Care::Whole);
        let faults = game.lab.tally.faults();
        let against: Vec<_> = faults
            .iter()
            .filter(|fault| fault.member.as_str() == HONEST)
            .collect();
        assert!(against.is_empty(), "seed {seed}: {against:?}");
        for slot in game.lab.tally.broken(&faults) {
            assert!(slot.convicted.len() >= slot.least, "seed {seed}: {slot:?}");
        }
        assert_eq!(
            evidence_of(&faults),
            game.lab.tally.evidence(),
            "seed {seed}"
        );
        votes += game.votes;
        released += usize::from(game.changed_its_mind());
        game.kept
            .into_iter()
            .for_each(|(code, count)| *kept.entry(code).or_insert(0) += count);
        faults
            .iter()
            .for_each(|fault| *guilty.entry(fault.kind.code()).or_insert(0) += 1);
    }
    println!(
        "{cases} ledgers: {votes} honest votes, {released} with a lock that was released, kept from {kept:?}, the others' faults {guilty:?}"
    );
    assert!(
        votes as u64 > cases,
        "it votes too little to be accused: {votes}"
    );
    assert!(released > 0, "it never lets go of a lock");
    let tempting = [
        "prevote after precommit",
        "FROZEN",
        "LOCKED",
        "NOT_APPROVED",
        "NO_PREVOTE_QUORUM",
        "ROUND_NOT_ENTERED",
        "SECOND_VOTE",
    ];
    let missed: Vec<_> = tempting
        .iter()
        .filter(|code| !kept.contains_key(*code))
        .collect();
    assert!(
        missed.is_empty() && guilty.len() == 6,
        "too tame: {missed:?} never tempted; {guilty:?}"
    );
}

#[test]
fn a_member_that_leaves_one_of_its_duties_undone_is_accused_soon() {
    for care in [Care::DoesNotAsk, Care::Forgets, Care::PrevotesLate] {
        let accused = (0..40).find(|seed| game(*seed, care).accuses_honest());
        assert!(
            accused.is_some(),
            "{care:?} is not noticed in forty ledgers"
        );
    }
}

/// Locked on one proposal, a member sees the others choose another one, and precommits it. A prevote for it in the same round would
/// count, since the lock is what was just precommitted; but nothing had released the older precommit before that round.
#[test]
fn a_member_that_precommits_what_releases_its_lock_is_not_led_into_a_fault() {
    let mut offered = 0;
    for number in 1..9 {
        let mut lab = Lab::new(&["a", "b", "c", "d"]);
        let [p, q] = [number, number + 100].map(|n| lab.say("b", vec![propose(lab.ledger, n)]));
        for member in ["a", "b", "c", "d"] {
            lab.say(member, vec![approve(p), approve(q)]);
        }
        for (member, choice) in [("a", p), ("b", p), ("c", p)] {
            lab.say(member, vec![prevote(choice, 0)]);
        }
        let vote = lab.precommit("a", lab.ledger, p, 0);
        lab.say("a", vec![vote]);
        lab.say("d", vec![prevote(q, 0)]);
        for member in ["b", "c", "d"] {
            lab.say(member, vec![prevote(q, 1)]);
        }
        // What the tool says now, as long as something is due, before its patience has run out.
        let parents: Vec<_> = lab
            .above_all("a")
            .iter()
            .map(|p| lab.tally.dag().find(*p).unwrap())
            .collect();
        let mut draft = Draft::new(&lab.tally, &name("a"), lab.ledger, &parents);
        let patience = Patience {
            unit: std::time::Duration::from_secs(1),
            ..Patience::default()
        };
        let mut said = vec![];
        while let Some(due) = draft.due(&patience).vote {
            let vote = match due {
                DueVote::Prevote(proposal, round) => {
                    Statement::Prevote(Prevote { proposal, round })
                }
                DueVote::Precommit(proposal, round) => {
                    lab.precommit("a", lab.ledger, proposal, round)
                }
            };
            draft.add(vote.clone()).unwrap();
            said.push(vote);
        }
        offered += said.len();
        lab.say("a", said);
        let faults = lab.tally.faults();
        assert!(
            faults.is_empty(),
            "proposals {number}: the tool's own votes convict it: {}",
            git_quorum::wording::fault_sentence(&faults[0])
        );
    }
    assert!(offered >= 8, "it precommits in every case: {offered}");
}
