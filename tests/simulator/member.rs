//! A member's machine, and the command that its tool runs again and again: fetch, catch up with what was signed, say
//! what is wanted and what is due, remember it, put it into the clone, push. The order of writes, and what a crash
//! between two of them leaves, are those of the program (`store/append.rs`, `signer/state/`). What is due, which parents
//! an entry has and whether it counts is for the program's own functions to say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use git_quorum::charter::{Charter, MemberName, ProposedCharter, RefName, Removal, Threshold};
use git_quorum::consensus::{
    Admission, Content, Draft, Due, DueVote, Patience, Proposal, Slot, State, Subject, Tally,
    Timer, parents_for,
};
use git_quorum::id::EntryId;
use git_quorum::ledger::{
    CharterProposal, EntryIndex, Prevote, RefProposal, Reject, Review, Statement, Verdict,
    Withdraw, limits,
};

use crate::archive::{Archive, No, Replica};
use crate::checks;
use crate::lab;
use crate::plan::{Fault, Intent, Task};
use crate::server::Lanes;
use crate::timeline::{Violation, World, ref_name};

/// The milliseconds since 1970 when a run begins, by a clock that is right.
const EPOCH: i64 = 1_700_000_000_000;

/// A machine with a member's key.
pub struct Seat {
    pub member: usize,
    pub name: MemberName,
    pub fault: Option<Fault>,
    pub clones: Vec<Replica>,
    backup: Option<Replica>,
    /// The sign state: what the key has signed here, in order.
    log: Vec<No>,
    /// By how much its clock is wrong, in milliseconds.
    skew: i64,
    /// What it is still asked to do.
    pub intents: Vec<Intent>,
    /// Whether it may not sign, because its clones lack what it has signed.
    pub behind: bool,
    /// For a liar that leads several lives: what it knows in each.
    pub faces: BTreeMap<(usize, usize), Replica>,
}

/// Where a command dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Nothing of what was fetched has been taken in.
    Fetched,
    /// Timers that were started are not saved.
    Timers,
    /// An entry is signed, and not remembered.
    Signed,
    /// It is in the sign state, and nowhere else.
    Remembered,
    /// Its object is there, and no ref leads to it.
    Written,
    /// The lane has moved here, and was not pushed.
    Moved,
    /// The server has it; the answer was not heard, and nothing of others was passed on.
    Pushed,
}

impl Point {
    const ALL: [Point; 7] = [
        Point::Fetched,
        Point::Timers,
        Point::Signed,
        Point::Remembered,
        Point::Written,
        Point::Moved,
        Point::Pushed,
    ];

    fn name(self) -> &'static str {
        match self {
            Point::Fetched => "crash after fetching",
            Point::Timers => "crash before timers are saved",
            Point::Signed => "crash after signing",
            Point::Remembered => "crash after the sign state",
            Point::Written => "crash after the object",
            Point::Moved => "crash after the lane moved",
            Point::Pushed => "crash after the push",
        }
    }
}

/// What came of saying something.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Nothing,
    Entry(No),
    Crashed,
}

impl Seat {
    pub fn new(
        archive: &Archive,
        (member, fault): (usize, Option<Fault>),
        clones: usize,
        intents: Vec<Intent>,
    ) -> Seat {
        Seat {
            member,
            name: crate::timeline::name_of(member),
            fault,
            clones: vec![Replica::new(archive); clones],
            backup: None,
            log: vec![],
            skew: 0,
            intents,
            behind: false,
            faces: BTreeMap::new(),
        }
    }

    /// Sets its clock wrong by so much.
    pub fn set_clock(&mut self, skew: i64) {
        self.skew = skew;
        self.clones
            .iter_mut()
            .for_each(|clone| clone.quiet = (0, 0));
    }

    /// What its clock shows, in milliseconds.
    fn clock(&self, now: u64) -> i64 {
        EPOCH + self.skew + now as i64
    }

    /// The time that its entries claim.
    pub fn time(&self, now: u64) -> u64 {
        u64::try_from(self.clock(now) / 1000)
            .unwrap_or(0)
            .min(limits::TIME)
    }

    /// Brings everything that the key has signed here into a clone that lacks it, as it was signed. False if that
    /// cannot be, because it builds on what is nowhere here.
    fn catch_up(&mut self, archive: &Archive, clone: usize) -> Option<bool> {
        let (replica, Some(&last)) = (&mut self.clones[clone], self.log.last()) else {
            return Some(false);
        };
        if replica.knows(last) {
            return Some(false);
        }
        let mut pending = vec![last];
        let mut visited = BTreeSet::new();
        while let Some(no) = pending.pop() {
            if replica.knows(no) || !visited.insert(no) {
                continue;
            }
            if !self.log.contains(&no) {
                return None;
            }
            pending.extend(&archive.minted[no].parents);
        }
        replica.take(archive, last);
        Some(true)
    }
}

impl World {
    /// What may befall a clone between two commands: it is restored from a backup, or its timers are gone.
    pub fn misfortune(&mut self, seat: usize) -> Result<(), Violation> {
        if !self.rng.chance(self.plan.restores) {
            return Ok(());
        }
        let clone = self.rng.below(self.seats[seat].clones.len());
        match self.rng.below(3) {
            0 => self.seats[seat].clones[clone].timers.clear(),
            1 => self.seats[seat].backup = Some(self.seats[seat].clones[clone].clone()),
            _ => {
                // Without a backup it is cloned anew.
                let fresh = || Replica::new(&self.archive);
                let backup = self.seats[seat].backup.clone().unwrap_or_else(fresh);
                checks::agrees(self, &self.seats[seat].clones[clone])?;
                self.note(|w| {
                    format!(
                        "{}: clone {clone} is restored from a backup",
                        w.seats[seat].name
                    )
                });
                self.seats[seat].clones[clone] = backup;
                self.saw("clone restored");
            }
        }
        self.seats[seat].clones[clone].quiet = (0, 0);
        Ok(())
    }

    fn draw_crash(&mut self) -> Option<Point> {
        let crashes = !self.is_calm() && self.rng.chance(self.plan.crashes);
        crashes.then(|| self.rng.pick(&Point::ALL))
    }

    /// One command of a member's tool, with what the server showed it, or alone.
    pub fn command(
        &mut self,
        seat: usize,
        remote: Option<(usize, &Lanes)>,
    ) -> Result<(), Violation> {
        let crash = self.draw_crash();
        let clone = self.rng.below(self.seats[seat].clones.len());
        if let Some((_, shown)) = remote {
            if crash == Some(Point::Fetched) {
                self.saw(Point::Fetched.name());
                return Ok(());
            }
            for no in shown.values() {
                self.seats[seat].clones[clone].take(&self.archive, *no);
            }
        }
        if !self.caught_up(seat, clone) {
            return Ok(());
        }
        // Who is no member any more says nothing, and hands over what it said before.
        if self.is_member(seat, clone) && self.work(seat, clone, crash)? == Said::Crashed {
            return Ok(());
        }
        if let Some((server, shown)) = remote {
            self.push(seat, clone, (server, shown), crash);
        }
        Ok(())
    }

    /// Whether the charter in force, as a clone knows it, has the member.
    pub fn is_member(&self, seat: usize, clone: usize) -> bool {
        let (name, tally) = (
            &self.seats[seat].name,
            &self.seats[seat].clones[clone].tally,
        );
        tally
            .dag()
            .charter(tally.charter_in_force())
            .is_some_and(|node| node.charter.member(name).is_some())
    }

    fn caught_up(&mut self, seat: usize, clone: usize) -> bool {
        let done = self.seats[seat].catch_up(&self.archive, clone);
        self.seats[seat].behind = done.is_none();
        match done {
            Some(true) => {
                self.note(|w| format!("{}: what was signed is restored", w.seats[seat].name));
                self.saw("restored from the sign state");
            }
            Some(false) => {}
            None => {
                self.note(|w| format!("{}: has signed what is not here", w.seats[seat].name));
                self.saw("behind its sign state");
            }
        }
        done.is_some()
    }

    /// Says what is wanted and what is due, as long as something is.
    fn work(&mut self, seat: usize, clone: usize, crash: Option<Point>) -> Result<Said, Violation> {
        let wanted = self.seats[seat]
            .intents
            .iter()
            .any(|intent| intent.at <= self.now);
        let replica = &self.seats[seat].clones[clone];
        let (known, until) = replica.quiet;
        if !wanted && known == replica.size() && self.now < until {
            return Ok(Said::Nothing);
        }
        while let Some(place) = self.seats[seat]
            .intents
            .iter()
            .position(|intent| intent.at <= self.now)
        {
            let task = self.seats[seat].intents.remove(place).task;
            if let Some(statement) = self.statement_for(seat, clone, task)
                && self.say(seat, clone, vec![statement], crash)? == Said::Crashed
            {
                return Ok(Said::Crashed);
            }
        }
        let likes = self
            .likes(seat, clone)
            .into_iter()
            .take(limits::STATEMENTS / 2)
            .map(lab::approve)
            .collect();
        self.say(seat, clone, likes, crash)
    }

    /// Says something and all that is due with it, in one entry.
    pub fn say(
        &mut self,
        seat: usize,
        clone: usize,
        said: Vec<Statement>,
        crash: Option<Point>,
    ) -> Result<Said, Violation> {
        let Seat { name, clones, .. } = &self.seats[seat];
        let tally = &clones[clone].tally;
        let (charter, parents) = (tally.charter_in_force(), parents_for(tally, name));
        let mut draft = Draft::new(tally, name, charter, &parents);
        let proposes = said.iter().any(Statement::proposes);
        for statement in said {
            let what = format!("{statement:?}");
            draft
                .add(statement)
                .map_err(|why| self.does_not_count(seat, &what, &why))?;
        }
        let mut tell = false;
        if !proposes {
            let (told, left, timers) = self.add_due_votes(seat, clone, &mut draft)?;
            if crash == Some(Point::Timers) && timers != self.seats[seat].clones[clone].timers {
                return Ok(self.crashed(seat, Point::Timers));
            }
            let mild = if self.now < self.plan.mild {
                self.plan.mild
            } else {
                u64::MAX
            };
            let replica = &mut self.seats[seat].clones[clone];
            replica.quiet = (replica.size(), self.now.saturating_add(left).min(mild));
            (tell, replica.timers) = (told, timers);
        }
        let Seat { name, clones, .. } = &self.seats[seat];
        let joins = clones[clone].tally.dag().tips(name).len() > 1;
        let statements = draft.statements().to_vec();
        if statements.is_empty() && !joins && !tell {
            return Ok(Said::Nothing);
        }
        self.append((seat, clone), charter, &parents, statements, crash)
    }

    fn crashed(&mut self, seat: usize, point: Point) -> Said {
        self.note(|w| format!("{}: {}", w.seats[seat].name, point.name()));
        self.saw(point.name());
        self.seats[seat]
            .clones
            .iter_mut()
            .for_each(|clone| clone.quiet = (0, 0));
        Said::Crashed
    }

    /// Signs, remembers, writes: in this order.
    fn append(
        &mut self,
        (seat, clone): (usize, usize),
        charter: EntryId,
        parents: &[EntryIndex],
        statements: Vec<Statement>,
        crash: Option<Point>,
    ) -> Result<Said, Violation> {
        let Seat { name, clones, .. } = &self.seats[seat];
        let dag = clones[clone].tally.dag();
        let parents: Vec<_> = parents
            .iter()
            .map(|p| self.archive.number(dag.entry(*p).id))
            .collect();
        let minted = self.archive.mint(
            name,
            charter,
            &parents,
            statements,
            self.seats[seat].time(self.now),
        );
        let forgets =
            !self.plan.remember && matches!(crash, Some(Point::Remembered | Point::Written));
        if crash == Some(Point::Signed) || forgets {
            return Ok(self.crashed(seat, Point::Signed));
        }
        let published = self.publish(minted);
        if published.is_err() && self.plan.hopeless() {
            // Where two charters were decided none is in force, and who has spoken under one has no more to say.
            self.saw("nothing to say between two charters");
            return Ok(Said::Nothing);
        }
        let no = published.map_err(|why| self.is_none(seat, &why))?;
        self.note(|w| format!("{} says {}", w.seats[seat].name, w.tell_entry(no)));
        if self.plan.remember {
            self.seats[seat].log.push(no);
        }
        if let Some(point @ (Point::Remembered | Point::Written)) = crash {
            return Ok(self.crashed(seat, point));
        }
        self.seats[seat].clones[clone].take(&self.archive, no);
        if crash == Some(Point::Moved) {
            return Ok(self.crashed(seat, Point::Moved));
        }
        Ok(Said::Entry(no))
    }

    /// Adds every vote that is due to the draft; whether the entry is due even without one, how long nothing will be
    /// due if nothing new comes, and the timers that run.
    fn add_due_votes(
        &self,
        seat: usize,
        clone: usize,
        draft: &mut Draft,
    ) -> Result<(bool, u64, BTreeMap<Timer, i64>), Violation> {
        let me = &self.seats[seat];
        let (clock, charter) = (
            me.clock(self.now),
            me.clones[clone].tally.charter_in_force(),
        );
        // A clock that was set back since must not make anybody wait until it is there again.
        let mut timers = me.clones[clone].timers.clone();
        timers
            .values_mut()
            .for_each(|started| *started = clock.min(*started));
        let (tell, left) = loop {
            let elapsed = timers
                .iter()
                .map(|(timer, at)| {
                    (
                        timer.clone(),
                        Duration::from_millis(u64::try_from(clock - at).unwrap_or(0)),
                    )
                })
                .collect();
            let Due {
                vote: due,
                start,
                waiting,
                tell,
            } = draft.due(&Patience {
                unit: Duration::from_millis(self.plan.unit),
                elapsed,
            });
            if !start.is_empty() {
                timers.extend(start.into_iter().map(|timer| (timer, clock)));
                continue;
            }
            let Some(due) = due.filter(|_| draft.statements().len() < limits::STATEMENTS) else {
                break (
                    tell,
                    waiting
                        .iter()
                        .map(|w| w.left.as_millis() as u64)
                        .min()
                        .unwrap_or(u64::MAX),
                );
            };
            let vote = match due {
                DueVote::Prevote(proposal, round) => {
                    Statement::Prevote(Prevote { proposal, round })
                }
                DueVote::Precommit(proposal, round) => {
                    self.archive
                        .precommit(draft.tally(), &me.name, charter, (proposal, round))
                }
            };
            draft
                .add(vote)
                .map_err(|why| self.does_not_count(seat, &format!("{due:?}"), &why))?;
        };
        let tally = draft.tally();
        timers.retain(|t, _| {
            t.charter == charter
                && tally
                    .chain(&t.slot.subject)
                    .is_some_and(|c| c.next == t.slot)
        });
        Ok((tell, left, timers))
    }

    fn is_none(&self, seat: usize, why: &Reject) -> Violation {
        Violation::new(
            "honest entries are entries",
            format!("{}: {} {}", self.seats[seat].name, why.reason, why.detail),
        )
    }

    fn does_not_count(
        &self,
        seat: usize,
        what: &str,
        why: &git_quorum::consensus::Discount,
    ) -> Violation {
        Violation::new(
            "honest votes count",
            format!(
                "{}: {what}: {} {}",
                self.seats[seat].name, why.reason, why.detail
            ),
        )
    }

    /// Gives the server what it lacks: the own lane, and what others have said.
    fn push(
        &mut self,
        seat: usize,
        clone: usize,
        (server, shown): (usize, &Lanes),
        crash: Option<Point>,
    ) {
        let lanes = self.lacking(seat, clone, shown);
        let (own, others): (Vec<_>, Vec<_>) = lanes
            .into_iter()
            .partition(|(lane, _)| *lane == self.seats[seat].member);
        if !own.is_empty() {
            self.send(seat, server, own);
            if crash == Some(Point::Pushed) {
                self.crashed(seat, Point::Pushed);
                return;
            }
        }
        if !others.is_empty() {
            self.send(seat, server, others);
        }
    }

    /// Lanes that end in entries that the server does not show.
    fn lacking(&self, seat: usize, clone: usize, shown: &Lanes) -> Vec<(usize, No)> {
        let Seat { member, clones, .. } = &self.seats[seat];
        let tally = &clones[clone].tally;
        let (dag, admission) = (tally.dag(), Admission::of(tally));
        let index = |no: No| dag.find(self.archive.minted[no].id);
        let mut ends: Vec<_> = shown.values().filter_map(|no| index(*no)).collect();
        let mut lacking = vec![];
        for author in dag.authors() {
            let ([tip], lane) = (&dag.tips(author)[..], self.member(author)) else {
                continue;
            };
            let there = shown.get(&lane).map(|no| index(*no));
            let goes_on = there.is_none_or(|there| {
                there.is_some_and(|there| there != *tip && dag.reaches(there, *tip))
            });
            let is_new = lane == *member || !ends.iter().any(|end| dag.reaches(*tip, *end));
            if goes_on && is_new && dag.entry(*tip).seq > 0 && admission.admits(*tip) {
                lacking.push((lane, self.archive.number(dag.entry(*tip).id)));
                ends.push(*tip);
            }
        }
        lacking
    }

    /// Proposals for open slots that the member's agent has not approved under the charter in force and likes: at
    /// first only one of a slot, its own or the first that it sees; later all.
    pub fn likes(&self, seat: usize, clone: usize) -> Vec<EntryId> {
        let Seat { name, clones, .. } = &self.seats[seat];
        let tally = &clones[clone].tally;
        let charter = tally.charter_in_force();
        let votes = tally
            .dag()
            .charter(charter)
            .is_some_and(|node| node.charter.votes(name));
        if !votes {
            return vec![];
        }
        let approved = |p: &Proposal| tally.approvers(charter, p.id).contains(name);
        let mut taken: BTreeSet<&Slot> = tally
            .proposals()
            .filter(|p| approved(p))
            .map(|p| &p.slot)
            .collect();
        let mild = self.now >= self.plan.mild;
        let wanted = tally
            .proposals()
            .filter(|p| !approved(p) && self.is_wanted(tally, p));
        wanted
            .filter(|p| taken.insert(&p.slot) || mild)
            .map(|p| p.id)
            .collect()
    }

    /// Whether a proposal is one that honest members want: of a slot that is next, not withdrawn, not made after its
    /// author's removal, and no charter under which too many would be faulty.
    pub fn is_wanted(&self, tally: &Tally, proposal: &Proposal) -> bool {
        let next = tally
            .chain(&proposal.slot.subject)
            .is_some_and(|c| c.next == proposal.slot && c.rivals.is_empty());
        next && Admission::of(tally).admits(proposal.place.entry)
            && tally.state(proposal.id) != Some(State::Withdrawn)
            && match tally.content(proposal) {
                Content::Ref(_) => true,
                Content::Charter(CharterProposal {
                    charter: ProposedCharter::Known(next),
                    ..
                }) => self.is_bearable(next),
                Content::Charter(_) => false,
            }
    }

    /// Whether a charter leaves enough honest voters to be safe and to go on.
    fn is_bearable(&self, charter: &Charter) -> bool {
        let known = charter
            .voters()
            .filter_map(|m| self.names.binary_search(&m.name).ok());
        let faulty = known
            .filter(|member| self.plan.faulty.contains_key(member))
            .count();
        let Threshold { n, f, q } = charter.threshold();
        self.plan.hopeless() || (faulty <= f && n - faulty >= q)
    }

    /// What a member says to do what it is asked to; none if that makes no sense from where it is.
    pub fn statement_for(&self, seat: usize, clone: usize, task: Task) -> Option<Statement> {
        let Seat { name, clones, .. } = &self.seats[seat];
        let tally = &clones[clone].tally;
        match task {
            Task::Propose(name, number) => propose(tally, name, number),
            Task::Welcome(_) | Task::Remove(_) | Task::Protect => self.propose_charter(tally, task),
            Task::Withdraw => {
                let mine = tally
                    .proposals()
                    .find(|p| p.proposer == *name && !tally.is_decided(p.id))?;
                Some(Statement::Withdraw(Withdraw { proposal: mine.id }))
            }
            Task::Reject => {
                let open = tally.proposals().find(|p| self.is_wanted(tally, p))?;
                let review = Review {
                    evidence: vec![],
                    proposal: open.id,
                    text: String::new(),
                    verdict: Verdict::Reject,
                };
                Some(Statement::Review(review))
            }
        }
    }

    fn propose_charter(&self, tally: &Tally, task: Task) -> Option<Statement> {
        let base = tally.charter_in_force();
        let next = self.changed(tally, &tally.dag().charter(base)?.charter, task)?;
        if !self.is_bearable(&next) {
            return None;
        }
        let charter = ProposedCharter::Known(Box::new(next));
        let title = format!("{task:?}");
        Some(Statement::ProposeCharter(CharterProposal {
            base,
            charter,
            text: String::new(),
            title,
        }))
    }

    /// The charter with a change.
    pub fn changed(&self, tally: &Tally, charter: &Charter, task: Task) -> Option<Charter> {
        let mut members = charter.members().to_vec();
        let (mut protect, mut removed) = (charter.protected().to_vec(), charter.removed().to_vec());
        match task {
            Task::Welcome(seat) => {
                let newcomer = self.names.get(seat)?;
                members.push(lab::voter(newcomer.as_str()));
            }
            Task::Remove(member) => {
                let place = members.iter().position(|m| m.name == self.names[member])?;
                let gone = members.remove(place);
                let last = tally
                    .dag()
                    .tips(&gone.name)
                    .last()
                    .map(|tip| tally.dag().entry(*tip).id);
                removed.push(Removal {
                    key: gone.key,
                    last,
                    name: gone.name,
                });
            }
            _ => protect.push(ref_name(self.plan.refs).parse().ok()?),
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        removed.sort_by(|a, b| a.name.cmp(&b.name));
        protect.sort();
        let mut rules = charter.rules().clone();
        rules.quorum = Threshold::of(members.len()).q;
        Charter::new(members, protect, removed, rules).ok()
    }

    /// What an entry says, for people.
    pub fn tell_entry(&self, no: No) -> String {
        let dag = self.archive.union.dag();
        let minted = &self.archive.minted[no];
        let entry = dag.entry(dag.find(minted.id).unwrap());
        let short = |id: &EntryId| format!("e{}", self.archive.number(*id));
        let tell = |statement: &Statement| match statement {
            Statement::Propose(p) => format!("propose {} above {}", p.name, short(&p.base)),
            Statement::ProposeCharter(p) => {
                format!("propose charter {} above {}", p.title, short(&p.base))
            }
            Statement::Review(r) => format!("{:?} {}", r.verdict, short(&r.proposal)),
            Statement::Withdraw(w) => format!("withdraw {}", short(&w.proposal)),
            Statement::Prevote(v) => format!("prevote {} in {}", short(&v.proposal), v.round),
            Statement::Precommit(v) => format!("precommit {} in {}", short(&v.proposal), v.round),
        };
        let said: Vec<_> = entry.statements.iter().map(tell).collect();
        let parents: Vec<_> = minted.parents.iter().map(|p| format!("e{p}")).collect();
        format!(
            "e{no} [{}] under {} above {}",
            said.join(", "),
            short(&entry.charter),
            parents.join(" ")
        )
    }
}

/// A proposal to move a ref from where it is.
pub fn propose(tally: &Tally, name: usize, number: u8) -> Option<Statement> {
    let name: RefName = ref_name(name).parse().ok()?;
    let base = tally.chain(&Subject::Ref(name.clone()))?.next.base;
    let Statement::Propose(proposal) = lab::propose(base, number) else {
        return None;
    };
    Some(Statement::Propose(RefProposal { name, ..proposal }))
}
