//! Simulates a member's machine, and the command that its tool repeats. The command is the
//! production [`Writer`]. This file provides what the writer needs: a [`Workspace`] in memory that
//! can crash between two writes, a [`Remote`] for a simulated server, and a [`Clock`] over virtual
//! time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use git_quorum::charter::{Charter, MemberName, ProposedCharter, RefName, Removal, Threshold};
use git_quorum::client::{Clock, Code, Error, NewEntry, Note, Remote, Timers, Workspace, Writer};
use git_quorum::consensus::{
    Admission, Content, Draft, Proposal, ShownLanes, Slot, State, Subject, Tally, lanes_to_relay,
    own_tips,
};
use git_quorum::id::{EntryId, Oid};
use git_quorum::ledger::{
    CharterProposal, RefProposal, Review, Statement, Verdict, Withdraw, limits,
};
use git_quorum::store::{PushOutcome, RefUpdate};

use crate::archive::{Archive, No, Replica};
use crate::checks;
use crate::lab;
use crate::plan::{Fault, Intent, Task};
use crate::server::Lanes;
use crate::timeline::{Violation, World, ref_name};

/// The start of a run by a correct clock, in milliseconds since 1970.
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
    /// The error of its clock, in milliseconds.
    skew: i64,
    /// The actions that remain for the member.
    pub intents: Vec<Intent>,
    /// Whether it may not sign, because its clones lack what it has signed.
    pub behind: bool,
    /// What a liar with several lives knows in each of them.
    pub faces: BTreeMap<(usize, usize), Replica>,
}

/// The point at which a command crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The fetched entries are not added yet.
    Fetched,
    /// The started timers are not saved.
    Timers,
    /// An entry is signed, but not recorded.
    Signed,
    /// The entry is only in the sign state.
    Remembered,
    /// The object is written, but no ref leads to it.
    Written,
    /// The lane has moved here, but is not pushed.
    Moved,
    /// The server has the entry, but the answer was lost, and nothing of others was pushed.
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

/// Why a workspace ended a command before it was done.
#[derive(Debug)]
enum End {
    /// The command crashed.
    Crash,
    /// The clone lacks what the key has signed, so nothing may be signed.
    Behind,
    /// Two charters were decided, so the entry fits under neither.
    TwoCharters,
    /// A promise was broken.
    Broken(Violation),
}

/// The clock of a machine during one command, for which virtual time stands still.
#[derive(Debug, Clone, Copy)]
pub struct SeatClock {
    now: i64,
}

impl Clock for SeatClock {
    fn now(&self) -> i64 {
        self.now
    }

    fn sleep(&self, _: Duration) {
        panic!("no command of the simulator waits");
    }
}

/// One clone of a seat while a command runs.
pub struct Desk<'a> {
    world: &'a mut World,
    seat: usize,
    clone: usize,
    /// The point at which the command crashes, if it gets there.
    crash: Option<Point>,
    end: Option<End>,
}

/// A server, and the lanes that it showed when the command fetched.
pub struct Shown<'a> {
    server: usize,
    lanes: &'a Lanes,
}

/// The production writer over a simulated clone and server.
type SeatWriter<'a> = Writer<Desk<'a>, Shown<'a>>;

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

    /// Sets the error of its clock, in milliseconds.
    pub fn set_clock(&mut self, skew: i64) {
        self.skew = skew;
        self.clones
            .iter_mut()
            .for_each(|clone| clone.quiet = (0, 0));
    }

    /// Returns its clock at this virtual time.
    pub fn clock(&self, now: u64) -> SeatClock {
        let now = EPOCH + self.skew + now as i64;
        SeatClock { now }
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

    /// The production writer of a member, over one of its clones.
    fn writer<'a>(
        &'a mut self,
        (seat, clone): (usize, usize),
        remote: Option<Shown<'a>>,
        crash: Option<Point>,
    ) -> SeatWriter<'a> {
        let clock = Arc::new(self.seats[seat].clock(self.now));
        let started = self.seats[seat].clones[clone].timers.clone();
        let timers = Timers::new(self.plan.unit, started);
        let desk = Desk {
            world: self,
            seat,
            clone,
            crash,
            end: None,
        };
        Writer::new(desk, remote, clock, timers)
    }

    /// One command of a member's tool, with what the server showed it, or alone.
    pub fn command(
        &mut self,
        seat: usize,
        remote: Option<(usize, &Lanes)>,
    ) -> Result<(), Violation> {
        let crash = self.draw_crash();
        let clone = self.rng.below(self.seats[seat].clones.len());
        let remote = remote.map(|(server, lanes)| Shown { server, lanes });
        let mut writer = self.writer((seat, clone), remote, crash);
        let done = run(&mut writer);
        let (desk, _) = writer.into_parts();
        let end = desk.end;
        match (done, end) {
            (Ok(()), None) | (Err(_), Some(End::Crash | End::Behind | End::TwoCharters)) => Ok(()),
            (Err(_), Some(End::Broken(violation))) => Err(violation),
            // Who is no member any more has handed over what it said before.
            (Err(error), None) if error.code == Code::NotAMember => Ok(()),
            (Err(error), None) => Err(Violation::new(
                "honest votes count",
                format!("{}: {error}", self.seats[seat].name),
            )),
            (Ok(()), Some(end)) => Err(Violation::new(
                "simulator",
                format!("{}: {end:?}, and the writer went on", self.seats[seat].name),
            )),
        }
    }

    /// Appends an entry with these statements and what they make due, as a member's tool does.
    /// Pushes nothing. None if that is not possible, or if there is nothing to append.
    pub fn append_locally(&mut self, seat: usize, statements: Vec<Statement>) -> Option<No> {
        let mut writer = self.writer((seat, 0), None, None);
        let id = writer.append(statements, None).ok()??;
        Some(self.archive.number(id))
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

    /// Whether a clone had nothing to say when it was last looked at, and nothing has changed since.
    fn is_quiet(&self, seat: usize, clone: usize) -> bool {
        let Seat {
            clones, intents, ..
        } = &self.seats[seat];
        let (known, until) = clones[clone].quiet;
        let is_asked = intents.iter().any(|intent| intent.at <= self.now);
        !is_asked && known == clones[clone].size() && self.now < until
    }

    /// Removes the next thing that the member is asked to do by now from what it is asked.
    fn next_task(&mut self, seat: usize) -> Option<Task> {
        let now = self.now;
        let intents = &mut self.seats[seat].intents;
        let place = intents.iter().position(|intent| intent.at <= now)?;
        Some(intents.remove(place).task)
    }

    /// Notes that nothing is due in a clone until something new arrives or so much time passes.
    fn keep_quiet(&mut self, seat: usize, clone: usize, left: Duration) {
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        // From then on the member likes more.
        let mild = if self.now < self.plan.mild {
            self.plan.mild
        } else {
            u64::MAX
        };
        let until = self.now.saturating_add(left).min(mild);
        let replica = &mut self.seats[seat].clones[clone];
        replica.quiet = (replica.size(), until);
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

    /// Returns the charter with a change.
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

    /// Describes an entry as text.
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

/// A command of a member's tool: it fetches, catches up, says what is wanted and what is due, and
/// pushes. The writer does each of these.
fn run(writer: &mut SeatWriter<'_>) -> Result<(), Error> {
    writer.refresh()?;
    let Desk { seat, clone, .. } = *writer.workspace();
    if writer.workspace().world.is_quiet(seat, clone) {
        // `finish` without the search for due votes, which takes most of a run's time.
        writer.push(&[])?;
        writer.pass_on();
        return Ok(());
    }
    while let Some(task) = writer.workspace_mut().world.next_task(seat) {
        let statement = writer.workspace().world.statement_for(seat, clone, task);
        if let Some(statement) = statement {
            writer.append(vec![statement], None)?;
        }
    }
    let likes = writer.workspace().world.likes(seat, clone);
    let approvals: Vec<_> = likes
        .into_iter()
        .take(limits::STATEMENTS / 2)
        .map(lab::approve)
        .collect();
    if !approvals.is_empty() {
        writer.append(approvals, None)?;
    }
    writer.finish(&[])?;
    let left = writer.waiting().iter().map(|waiting| waiting.left).min();
    let left = left.unwrap_or(Duration::MAX);
    let world = &mut writer.workspace_mut().world;
    world.keep_quiet(seat, clone, left);
    Ok(())
}

impl Desk<'_> {
    fn me(&self) -> &Seat {
        &self.world.seats[self.seat]
    }

    fn replica(&mut self) -> &mut Replica {
        &mut self.world.seats[self.seat].clones[self.clone]
    }

    /// Ends the command. The error only leads out of the writer; the world looks at the end.
    fn stop(&mut self, end: End) -> Error {
        let error = Error::internal(format!("The simulator ended the command: {end:?}."));
        self.end = Some(end);
        error
    }

    /// Ends the command if it must crash at this point.
    fn crash_at(&mut self, point: Point) -> Result<(), Error> {
        if self.crash == Some(point) {
            return Err(self.crashed(point));
        }
        Ok(())
    }

    fn crashed(&mut self, point: Point) -> Error {
        let seat = self.seat;
        self.world
            .note(|w| format!("{}: {}", w.seats[seat].name, point.name()));
        self.world.saw(point.name());
        for clone in &mut self.world.seats[seat].clones {
            clone.quiet = (0, 0);
        }
        self.stop(End::Crash)
    }

    /// The entry at the end of the own lane, if it has one end and the server shows another one.
    fn own_news(&self, shown: &Lanes) -> Option<No> {
        let tally = self.tally();
        let [tip] = own_tips(tally, self.member())[..] else {
            return None;
        };
        let entry = tally.dag().entry(tip);
        let no = self.world.archive.number(entry.id);
        let is_news = entry.seq > 0 && shown.get(&self.me().member) != Some(&no);
        is_news.then_some(no)
    }

    /// The ends of lanes of others that the server lacks.
    fn news_of_others(&self, shown: &Lanes) -> Vec<(usize, No)> {
        let (tally, archive) = (self.tally(), &self.world.archive);
        let dag = tally.dag();
        let find = |no: &No| dag.find(archive.minted[*no].id);
        let mut lanes: ShownLanes = shown
            .iter()
            .map(|(lane, no)| (self.world.names[*lane].clone(), find(no)))
            .collect();
        // What was just pushed is there too.
        if let [own] = own_tips(tally, self.member())[..] {
            lanes.insert(self.member().clone(), Some(own));
        }
        lanes_to_relay(tally, self.member(), &lanes)
            .into_iter()
            .map(|tip| dag.entry(tip))
            .map(|entry| (self.world.member(&entry.member), archive.number(entry.id)))
            .collect()
    }
}

impl Workspace for Desk<'_> {
    fn member(&self) -> &MemberName {
        &self.me().name
    }

    fn tally(&self) -> &Tally {
        &self.me().clones[self.clone].tally
    }

    fn catch_up(&mut self) -> Result<bool, Error> {
        let (seat, world) = (self.seat, &mut *self.world);
        let done = world.seats[seat].catch_up(&world.archive, self.clone);
        world.seats[seat].behind = done.is_none();
        match done {
            Some(true) => {
                world.note(|w| format!("{}: what was signed is restored", w.seats[seat].name));
                world.saw("restored from the sign state");
                Ok(true)
            }
            Some(false) => Ok(false),
            None => {
                world.note(|w| format!("{}: has signed what is not here", w.seats[seat].name));
                world.saw("behind its sign state");
                Err(self.stop(End::Behind))
            }
        }
    }

    fn repair_refs(&mut self, _: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        // A replica has no refs: a lane is what its entries say.
        Ok(())
    }

    fn precommit(
        &self,
        draft: &Draft,
        charter: EntryId,
        proposal: EntryId,
        round: u32,
    ) -> Result<Statement, Error> {
        let vote = (proposal, round);
        let archive = &self.world.archive;
        Ok(archive.precommit(draft.tally(), self.member(), charter, vote))
    }

    /// Signs, remembers, writes, moves the lane: the order of `store/append.rs`.
    fn append(&mut self, entry: NewEntry<'_>) -> Result<EntryId, Error> {
        let (dag, archive) = (self.tally().dag(), &self.world.archive);
        let parents: Vec<_> = entry
            .parents
            .iter()
            .map(|parent| archive.number(dag.entry(*parent).id))
            .collect();
        let minted = archive.mint(
            self.member(),
            entry.charter,
            &parents,
            entry.statements,
            entry.time,
        );
        let is_remembered = self.world.plan.remember;
        let is_forgotten =
            !is_remembered && matches!(self.crash, Some(Point::Remembered | Point::Written));
        if is_forgotten {
            return Err(self.crashed(Point::Signed));
        }
        self.crash_at(Point::Signed)?;
        let no = match self.world.publish(minted) {
            Ok(no) => no,
            Err(_) if self.world.plan.hopeless() => {
                self.world.saw("nothing to say between two charters");
                return Err(self.stop(End::TwoCharters));
            }
            Err(why) => {
                let what = format!("{}: {} {}", self.member(), why.reason, why.detail);
                let violation = Violation::new("honest entries are entries", what);
                return Err(self.stop(End::Broken(violation)));
            }
        };
        let seat = self.seat;
        self.world
            .note(|w| format!("{} says {}", w.seats[seat].name, w.tell_entry(no)));
        if is_remembered {
            self.world.seats[seat].log.push(no);
        }
        self.crash_at(Point::Remembered)?;
        self.crash_at(Point::Written)?;
        let World { seats, archive, .. } = &mut *self.world;
        seats[seat].clones[self.clone].take(archive, no);
        self.crash_at(Point::Moved)?;
        Ok(self.world.archive.minted[no].id)
    }

    fn save_timers(&mut self, timers: &Timers) -> Result<(), Error> {
        if *timers.started() != self.replica().timers {
            self.crash_at(Point::Timers)?;
            self.replica().timers.clone_from(timers.started());
        }
        Ok(())
    }

    fn note(&mut self, _: Note) {}
}

impl<'a> Remote<Desk<'a>> for Shown<'_> {
    fn name(&self) -> &str {
        "server"
    }

    fn fetch(&mut self, desk: &mut Desk<'a>) -> Result<(), Error> {
        desk.crash_at(Point::Fetched)?;
        let (seat, clone) = (desk.seat, desk.clone);
        let World { seats, archive, .. } = &mut *desk.world;
        for no in self.lanes.values() {
            seats[seat].clones[clone].take(archive, *no);
        }
        Ok(())
    }

    /// Only lanes are simulated, and what they lead to is known without their refs.
    fn value(&self, _: &str) -> Option<Oid> {
        None
    }

    /// Sends the own lane. Nobody hears whether it arrives.
    fn push(&mut self, desk: &mut Desk<'a>, _: &[RefUpdate]) -> Result<PushOutcome, Error> {
        if let Some(no) = desk.own_news(self.lanes) {
            let lane = desk.me().member;
            desk.world.send(desk.seat, self.server, vec![(lane, no)]);
            desk.crash_at(Point::Pushed)?;
        }
        Ok(PushOutcome::Done)
    }

    fn pass_on(&mut self, desk: &mut Desk<'a>) {
        let lanes = desk.news_of_others(self.lanes);
        if !lanes.is_empty() {
            desk.world.send(desk.seat, self.server, lanes);
        }
    }
}
