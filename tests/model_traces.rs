//! The model of one slot beside the code: behaviours of `ledger-spec/model/Slot.tla`, as TLC wrote them, are replayed
//! with real entries. Where the model goes, the code follows, with entries that know no more than the vote needs; and
//! on every vote that an honest member could cast next, building on all there is, both say the same: that it counts,
//! or the code of the first rule that it breaks. At the end the same is decided, and no honest member is convicted.
//!
//! So the correspondence is checked both ways for honest votes, and one way for the liars': every vote of theirs that
//! the model takes to exist is made here, on a branch of its own, and counts.
//!
//! `MODEL_TRACES=all cargo test --test model_traces` asks in every state, not in some. `ledger-spec/model/check --traces`
//! writes the traces anew.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "common/lab.rs"]
mod lab;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use git_quorum::consensus::{Draft, Phase};
use git_quorum::id::EntryId;
use git_quorum::ledger::Statement;
use lab::*;
use serde::Deserialize;

/// Traces of one choice of members.
#[derive(Deserialize)]
struct Traces {
    honest: Vec<String>,
    liars: Vec<String>,
    values: Vec<String>,
    rounds: u32,
    letters: BTreeMap<char, String>,
    traces: Vec<Trace>,
}

/// A behaviour: who approves what, the votes in turn, in each state a letter for each vote that could come next, and
/// what has a prevote quorum and what is decided at the end.
#[derive(Deserialize)]
struct Trace {
    approved: BTreeMap<String, Vec<String>>,
    steps: Vec<String>,
    verdicts: Vec<String>,
    prevoted: Vec<String>,
    decided: Vec<String>,
}

/// A vote in the model's words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Vote {
    member: String,
    phase: Phase,
    value: String,
    round: u32,
}

fn phase(word: &str) -> Phase {
    if word == "prevote" {
        Phase::Prevote
    } else {
        Phase::Precommit
    }
}

impl Vote {
    fn read(step: &str) -> Vote {
        let words: Vec<_> = step.split(' ').collect();
        let [member, kind, value, round] = words[..] else {
            panic!("no vote: {step}")
        };
        Vote {
            member: member.into(),
            phase: phase(kind),
            value: value.into(),
            round: round.parse().unwrap(),
        }
    }
}

impl Traces {
    fn read(file: &str) -> Traces {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("ledger-spec/model/traces")
            .join(file);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// The votes that the letters of a state are about, in their order.
    fn votes(&self) -> Vec<Vote> {
        let mut votes = vec![];
        for member in &self.honest {
            for phase in [Phase::Prevote, Phase::Precommit] {
                for value in &self.values {
                    let vote = |round| Vote {
                        member: member.clone(),
                        phase,
                        value: value.clone(),
                        round,
                    };
                    votes.extend((0..self.rounds).map(vote));
                }
            }
        }
        votes
    }

    /// The code that a letter stands for; none if the vote counts.
    fn code(&self, letter: char) -> Option<&str> {
        Some(self.letters[&letter].as_str()).filter(|code| *code != "COUNTS")
    }
}

/// A ledger that follows a trace.
struct Replay<'a> {
    lab: Lab,
    traces: &'a Traces,
    quorum: usize,
    proposals: BTreeMap<String, EntryId>,
    /// Entries with approvals, by member. A liar's branches start there.
    approvals: BTreeMap<String, EntryId>,
    approved: BTreeMap<String, BTreeSet<String>>,
    /// Entries with votes.
    cast: BTreeMap<Vote, EntryId>,
}

impl<'a> Replay<'a> {
    fn new(traces: &'a Traces, trace: &Trace) -> Replay<'a> {
        let members: Vec<_> = traces
            .honest
            .iter()
            .chain(&traces.liars)
            .map(String::as_str)
            .collect();
        let mut lab = Lab::new(&members);
        let base = lab.ledger;
        let proposals: BTreeMap<_, _> = (1..)
            .zip(&traces.values)
            .map(|(n, v)| (v.clone(), lab.say(members[0], vec![propose(base, n)])))
            .collect();
        let all: Vec<_> = proposals.values().copied().collect();
        let mut approvals = BTreeMap::new();
        let mut approved: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for member in &members {
            let values = trace.approved.get(*member).unwrap_or(&traces.values);
            approved.insert((*member).into(), values.iter().cloned().collect());
            let parents = lab.above(member, &all);
            let said = values.iter().map(|v| approve(proposals[v])).collect();
            approvals.insert((*member).into(), lab.entry(member, base, &parents, said));
        }
        let quorum = lab.tally.dag().charter(base).unwrap().charter.threshold().q;
        Replay {
            lab,
            traces,
            quorum,
            proposals,
            approvals,
            approved,
            cast: BTreeMap::new(),
        }
    }

    fn statement(&self, vote: &Vote) -> Statement {
        let proposal = self.proposals[&vote.value];
        match vote.phase {
            Phase::Prevote => prevote(proposal, vote.round),
            Phase::Precommit => {
                self.lab
                    .precommit(&vote.member, self.lab.ledger, proposal, vote.round)
            }
        }
    }

    fn is_liar(&self, member: &String) -> bool {
        self.traces.liars.contains(member)
    }

    fn honest_votes(&self, wanted: impl Fn(&Vote) -> bool) -> Vec<(Vote, EntryId)> {
        let votes = self
            .cast
            .iter()
            .filter(|(vote, _)| !self.is_liar(&vote.member) && wanted(vote));
        votes.map(|(vote, entry)| (vote.clone(), *entry)).collect()
    }

    /// Honest prevotes for the value in the round and, if they are too few for a quorum but enough with the liars', theirs.
    fn prevotes(&mut self, value: &str, round: u32) -> Option<Vec<EntryId>> {
        let honest = self
            .honest_votes(|v| v.phase == Phase::Prevote && v.round == round && v.value == value);
        self.with_liars(honest, value, round)
    }

    /// Votes by a quorum in the round, whatever they are for.
    fn voters(&mut self, round: u32) -> Option<Vec<EntryId>> {
        let honest = self.honest_votes(|v| v.round == round);
        let value = honest.first()?.0.value.clone();
        self.with_liars(honest, &value, round)
    }

    fn with_liars(
        &mut self,
        honest: Vec<(Vote, EntryId)>,
        value: &str,
        round: u32,
    ) -> Option<Vec<EntryId>> {
        let mut entries: Vec<_> = honest.iter().map(|(_, entry)| *entry).collect();
        let missing = self.quorum.saturating_sub(
            honest
                .iter()
                .map(|(v, _)| &v.member)
                .collect::<BTreeSet<_>>()
                .len(),
        );
        let liars = self.traces.liars.clone();
        for liar in liars.get(..missing)? {
            entries.push(self.lie(liar, Phase::Prevote, value, round));
        }
        Some(entries)
    }

    /// The approvals of a value, if a quorum has approved it.
    fn vouchers(&self, value: &str) -> Option<Vec<EntryId>> {
        let who: Vec<_> = self
            .approved
            .iter()
            .filter(|(_, values)| values.contains(value))
            .map(|(m, _)| m)
            .collect();
        (who.len() >= self.quorum).then(|| who.into_iter().map(|m| self.approvals[m]).collect())
    }

    /// All that a vote has to know. Prevotes know the votes of the round before.
    fn needs(&mut self, vote: &Vote) -> Vec<EntryId> {
        if vote.phase == Phase::Precommit {
            return self.prevotes(&vote.value, vote.round).unwrap_or_default();
        }
        let before = vote
            .round
            .checked_sub(1)
            .and_then(|before| self.voters(before));
        let mut needed = before.unwrap_or_default();
        needed.extend(self.vouchers(&vote.value).unwrap_or_default());
        if !self.is_liar(&vote.member) {
            let releases: Vec<_> = (0..vote.round)
                .filter_map(|round| self.prevotes(&vote.value, round))
                .collect();
            needed.extend(releases.into_iter().flatten());
        }
        needed
    }

    /// A liar's vote, made when somebody needs it, on a branch of its own: above one of its votes if it needs that.
    fn lie(&mut self, liar: &str, phase: Phase, value: &str, round: u32) -> EntryId {
        let vote = Vote {
            member: liar.into(),
            phase,
            value: value.into(),
            round,
        };
        if let Some(entry) = self.cast.get(&vote) {
            return *entry;
        }
        let needed = self.needs(&vote);
        let own = self
            .cast
            .iter()
            .find(|(vote, entry)| vote.member == liar && needed.contains(entry));
        let from = own.map_or(self.approvals[liar], |(_, entry)| *entry);
        self.say(vote, from, needed)
    }

    /// The vote, on its author's lane or branch, in an entry that builds on what it needs; it must count.
    fn say(&mut self, vote: Vote, from: EntryId, needed: Vec<EntryId>) -> EntryId {
        let needed: BTreeSet<_> = needed.into_iter().filter(|e| *e != from).collect();
        let parents: Vec<_> = [from].into_iter().chain(needed).collect();
        let said = vec![self.statement(&vote)];
        let entry = self
            .lab
            .entry(&vote.member, self.lab.ledger, &parents, said);
        assert_eq!(self.lab.verdicts(entry), [None], "the model casts {vote:?}");
        self.cast.insert(vote, entry);
        entry
    }

    fn step(&mut self, vote: Vote) {
        let (from, needed) = (self.lab.tip(&vote.member), self.needs(&vote));
        self.say(vote, from, needed);
    }

    /// Makes every prevote of a liar that completes a quorum, of prevotes or of voters.
    fn let_liars_prevote(&mut self) {
        for round in 0..self.traces.rounds {
            self.voters(round);
            for value in &self.traces.values {
                self.prevotes(value, round);
            }
        }
    }

    /// Makes every precommit of a liar that a prevote quorum allows.
    fn let_liars_precommit(&mut self) {
        self.let_liars_prevote();
        for (round, value) in
            (0..self.traces.rounds).flat_map(|r| self.traces.values.iter().map(move |v| (r, v)))
        {
            if self.prevotes(value, round).is_some() {
                for liar in &self.traces.liars {
                    self.lie(liar, Phase::Precommit, value, round);
                }
            }
        }
    }

    /// What the code says of a vote that builds on everything there is.
    fn verdict(&self, vote: &Vote) -> Option<&'static str> {
        let (dag, member) = (self.lab.tally.dag(), name(&vote.member));
        let parents: Vec<_> = self
            .lab
            .above_all(&vote.member)
            .iter()
            .map(|id| dag.find(*id).unwrap())
            .collect();
        let mut draft = Draft::new(&self.lab.tally, &member, self.lab.ledger, &parents);
        draft
            .add(self.statement(vote))
            .err()
            .map(|discount| discount.reason.code())
    }

    /// The votes on which model and code differ.
    fn differences(&self, votes: &[Vote], letters: &str) -> Vec<String> {
        assert_eq!(votes.len(), letters.len());
        let both = votes
            .iter()
            .zip(letters.chars())
            .map(|(v, letter)| (v, self.traces.code(letter), self.verdict(v)));
        let differ = both.filter(|(_, model, code)| model != code);
        differ
            .map(|(vote, model, code)| format!("{vote:?}: model {model:?}, code {code:?}"))
            .collect()
    }

    /// What the code finds prevoted, or decided, by a quorum in a round; in the model's words.
    fn quorums(&self, phase: Phase) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (value, proposal) in &self.proposals {
            for round in self.lab.tally.report(*proposal).unwrap().rounds {
                let votes = if phase == Phase::Prevote {
                    round.prevotes
                } else {
                    round.precommits
                };
                if votes
                    .get(proposal)
                    .is_some_and(|members| members.len() >= self.quorum)
                {
                    found.insert(format!("{value} {}", round.round));
                }
            }
        }
        found
    }

    /// How what came of it differs from what the model says.
    fn outcome_differs(&self, trace: &Trace) -> Option<String> {
        let model = [&trace.prevoted, &trace.decided]
            .map(|said| said.iter().cloned().collect::<BTreeSet<_>>());
        let found = [Phase::Prevote, Phase::Precommit].map(|phase| self.quorums(phase));
        if found != model {
            return Some(format!("quorums: model {model:?}, code {found:?}"));
        }
        let mut first: BTreeMap<&str, u32> = BTreeMap::new();
        for (value, round) in trace
            .decided
            .iter()
            .filter_map(|decided| decided.split_once(' '))
        {
            let round: u32 = round.parse().unwrap();
            first
                .entry(value)
                .and_modify(|known| *known = round.min(*known))
                .or_insert(round);
        }
        for (value, proposal) in &self.proposals {
            let decided = self.lab.tally.decision(*proposal).map(|d| d.round);
            if decided != first.get(value.as_str()).copied() {
                return Some(format!(
                    "{value} is decided in {decided:?}, the model says {first:?}"
                ));
            }
        }
        let evidence = self.lab.tally.evidence();
        let convicted: Vec<_> = evidence
            .into_iter()
            .filter(|e| !self.is_liar(&e.member.to_string()))
            .collect();
        let votes = |id: &EntryId| {
            self.cast
                .iter()
                .find(|(_, entry)| *entry == id)
                .map(|(vote, _)| vote)
        };
        let pairs: Vec<_> = convicted
            .iter()
            .map(|e| (e.rule, e.entries.each_ref().map(votes)))
            .collect();
        (!pairs.is_empty()).then(|| format!("honest, and convicted: {pairs:?}"))
    }
}

/// How often each code was given in a replay.
type Seen = BTreeMap<String, usize>;

/// Replays a trace; the first difference, if there is one.
fn replay_one(traces: &Traces, number: usize, all: bool, seen: &mut Seen) -> Result<(), String> {
    let (trace, votes) = (&traces.traces[number], traces.votes());
    let mut replay = Replay::new(traces, trace);
    for (step, letters) in trace.verdicts.iter().enumerate() {
        if let Some(before) = step.checked_sub(1) {
            replay.step(Vote::read(&trace.steps[before]));
        }
        if all || step % 4 == number % 4 || step == trace.steps.len() {
            replay.let_liars_prevote();
            let differences = replay.differences(&votes, letters);
            if !differences.is_empty() {
                return Err(format!(
                    "trace {number}, after {:?}: {differences:#?}",
                    &trace.steps[..step]
                ));
            }
            letters
                .chars()
                .for_each(|letter| *seen.entry(traces.letters[&letter].clone()).or_default() += 1);
        }
    }
    replay.let_liars_precommit();
    *seen.entry("decided".into()).or_default() += trace.decided.len();
    replay
        .outcome_differs(trace)
        .map_or(Ok(()), |why| Err(format!("trace {number}: {why}")))
}

fn replay(file: &str, all: bool) -> Result<Seen, String> {
    let (traces, mut seen) = (Traces::read(file), Seen::new());
    for number in 0..traces.traces.len() {
        replay_one(&traces, number, all, &mut seen).map_err(|why| format!("{file}, {why}"))?;
    }
    let all_seen =
        traces.letters.values().all(|code| seen.contains_key(code)) && seen["decided"] > 0;
    if all_seen {
        Ok(seen)
    } else {
        Err(format!("{file} is too tame: {seen:?}"))
    }
}

fn agree(file: &str) {
    let all = std::env::var_os("MODEL_TRACES").is_some();
    println!(
        "{:?}",
        replay(file, all).unwrap_or_else(|why| panic!("{why}"))
    );
}

#[test]
fn the_code_follows_the_model_with_one_liar_of_four() {
    agree("slot-n4.json");
}

#[test]
fn the_code_follows_the_model_with_one_liar_of_five() {
    agree("slot-n5.json");
}

#[test]
fn the_code_follows_the_model_with_two_liars_of_seven() {
    agree("slot-n7.json");
}

/// With a rule taken away, code and model part. Not asked of the rule that prevotes which release a lock are of one
/// round: random behaviours do not get to where it matters (TLC's searches do).
#[test]
#[cfg(debug_assertions)]
fn a_rule_taken_away_is_noticed() {
    use git_quorum::mutation::Mutation;
    let rules = [
        Mutation::Quorum,
        Mutation::Approvals,
        Mutation::PrevoteQuorum,
        Mutation::PrecommitsOfOneRound,
        Mutation::MonotoneRounds,
        Mutation::OneVoteARound,
        Mutation::Lock,
        Mutation::UnlockByLater,
        Mutation::UnlockByQuorum,
        Mutation::Entering,
    ];
    let is_missed = |mutation: &Mutation| {
        let _active = mutation.activate();
        ["slot-n4.json", "slot-n5.json", "slot-n7.json"]
            .iter()
            .all(|file| replay(file, false).is_ok())
    };
    let missed: Vec<_> = rules.into_iter().filter(is_missed).collect();
    assert!(missed.is_empty(), "nothing noticed {missed:?}");
}
