//! Simulates the world of a run: seats, servers, their messages, and virtual time. One seed decides
//! everything; there are no threads and no real clock. Knows when events happen, but not what
//! members state.

use std::collections::{BTreeMap, BTreeSet};

use git_quorum::charter::MemberName;
use git_quorum::ledger::{Reject, Statement};

use crate::adversary;
use crate::archive::{Archive, Minted, No};
use crate::checks;
use crate::coverage::Seen;
use crate::lab;
use crate::member::Seat;
use crate::plan::{CALM_DELAY, Fault, Kind, Plan, UNIT};
use crate::rng::Rng;
use crate::server::{Lanes, Mischief, Server};

/// The longest time from the calm until everything open is decided.
pub const BOUND: u64 = 100 * UNIT;
/// The length of a run in which too many members are faulty.
const HOPELESS: u64 = 6 * UNIT;

/// A broken promise.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The name of the promise.
    pub promise: &'static str,
    /// How.
    pub what: String,
}

impl Violation {
    pub fn new(promise: &'static str, what: impl Into<String>) -> Violation {
        Violation {
            promise,
            what: what.into(),
        }
    }
}

/// A future event.
enum Event {
    Wake(usize),
    /// A seat gets what a server showed it.
    Fetched {
        seat: usize,
        server: usize,
        shown: Lanes,
    },
    Push(Push),
    Mischief(usize),
    Jump(usize),
    Calm,
}

/// Lanes on their way to a server, or to one side of a forked one.
pub struct Push {
    pub server: usize,
    pub side: usize,
    pub lanes: Vec<(usize, No)>,
    pub forced: bool,
}

/// A run.
pub struct World {
    pub plan: Plan,
    pub rng: Rng,
    pub now: u64,
    pub archive: Archive,
    /// The names of members, by number, in order.
    pub names: Vec<MemberName>,
    pub seats: Vec<Seat>,
    pub servers: Vec<Server>,
    pub seen: Seen,
    /// The highest round that anyone has voted in.
    pub top_round: u32,
    /// When anyone last proposed something.
    last_proposal: u64,
    queue: BTreeMap<(u64, u64), Event>,
    sent: u64,
    /// What happened, line by line, if anyone wants to know.
    pub trace: Option<Vec<String>>,
}

/// Returns the name of a member.
pub fn name_of(member: usize) -> MemberName {
    lab::name(&format!("m{member:02}"))
}

/// The charter of so many members that protects so many refs.
pub fn first_charter(n: usize, refs: usize) -> git_quorum::charter::Charter {
    let names: Vec<_> = (0..n).map(|member| name_of(member).to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let charter = lab::charter(&names);
    let protect = (0..refs).map(|r| ref_name(r).parse().unwrap()).collect();
    git_quorum::charter::Charter::new(
        charter.members().to_vec(),
        protect,
        vec![],
        charter.rules().clone(),
    )
    .unwrap()
}

/// The refs that are protected or may be.
pub fn ref_name(number: usize) -> String {
    format!("refs/heads/r{number}")
}

impl World {
    pub fn new(plan: Plan) -> World {
        // Ledgers of different times have different guides.
        let founded = 1_700_000_000 + plan.seed % 16 * 16 + plan.refs as u64;
        let archive = Archive::new(
            &name_of(0),
            &first_charter(plan.n, plan.refs),
            founded,
            plan.signed,
        );
        let mut world = World {
            rng: Rng::new(plan.seed),
            now: 0,
            names: (0..plan.n + plan.extra).map(name_of).collect(),
            seats: vec![],
            servers: plan
                .servers
                .iter()
                .map(|kind| Server::new(*kind, plan.seats()))
                .collect(),
            seen: Seen::new(),
            top_round: 0,
            last_proposal: 0,
            queue: BTreeMap::new(),
            sent: 0,
            trace: None,
            archive,
            plan,
        };
        world.take_seats();
        world.begin();
        world
    }

    fn take_seats(&mut self) {
        let members = 0..self.plan.n + self.plan.extra;
        let twins = self
            .plan
            .faulty
            .iter()
            .filter(|(_, fault)| **fault == Fault::Twin)
            .map(|(member, _)| *member);
        let members: Vec<_> = members.chain(twins).collect();
        for (seat, member) in members.into_iter().enumerate() {
            let intents = self
                .plan
                .intents
                .iter()
                .filter(|intent| intent.seat == seat)
                .copied()
                .collect();
            let fault = self.plan.faulty.get(&member).copied();
            self.seats.push(Seat::new(
                &self.archive,
                (member, fault),
                self.plan.clones,
                intents,
            ));
        }
    }

    fn begin(&mut self) {
        for seat in 0..self.seats.len() {
            let at = self.rng.below(50) as u64;
            self.later(at, Event::Wake(seat));
            if self.plan.clocks {
                self.later(0, Event::Jump(seat));
            }
        }
        for server in 0..self.servers.len() {
            if self.servers[server].kind != Kind::Gated {
                let at = self.rng.below(200) as u64;
                self.later(at, Event::Mischief(server));
            }
        }
        if self.plan.split {
            let side = self.draw_sides();
            self.servers[0].fork(side);
            self.saw("server that shows a fork");
        }
        self.later(self.plan.calm, Event::Calm);
    }

    fn later(&mut self, after: u64, event: Event) {
        self.sent += 1;
        self.queue.insert((self.now + after, self.sent), event);
    }

    /// Notes what happens.
    pub fn note(&mut self, what: impl FnOnce(&World) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>6}  {}", self.now, what(self));
            self.trace
                .iter_mut()
                .for_each(|trace| trace.push(line.clone()));
        }
    }

    /// Notes that something happened that a schedule is for.
    pub fn saw(&mut self, what: &'static str) {
        self.seen.insert(what);
    }

    pub fn is_calm(&self) -> bool {
        self.now >= self.plan.calm
    }

    /// When all that the plan asks for has been asked, and nobody has proposed anything since: a liar's proposal opens a
    /// slot like any other, and may come late.
    pub fn last_wish(&self) -> u64 {
        let last = self
            .plan
            .intents
            .iter()
            .map(|intent| intent.at)
            .max()
            .unwrap_or(0);
        last.max(self.plan.calm)
            .max(self.plan.mild)
            .max(self.last_proposal)
    }

    /// Runs to the end. Returns the time from the last wish until everything was decided.
    pub fn run(&mut self) -> Result<u64, Violation> {
        let mut look = self.last_wish();
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = at;
            if at >= look {
                look = at + UNIT;
                if self.is_over()? {
                    checks::at_end(self)?;
                    return Ok(at - self.last_wish());
                }
            }
            self.happen(event)?;
            checks::agreement(self)?;
        }
        Err(Violation::new("simulator", "nothing more happens"))
    }

    fn is_over(&mut self) -> Result<bool, Violation> {
        if self.plan.hopeless() {
            return Ok(self.now >= self.last_wish() + HOPELESS);
        }
        if checks::settled(self) {
            return Ok(true);
        }
        if self.now >= self.last_wish() + BOUND {
            return checks::stuck(self).map(|()| true);
        }
        Ok(false)
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Wake(seat) => self.wake(seat),
            Event::Fetched {
                seat,
                server,
                shown,
            } => self.command(seat, Some((server, &shown))),
            Event::Push(push) => {
                let Push {
                    server,
                    side,
                    lanes,
                    forced,
                } = push;
                self.note(|w| format!("s{server}.{side} gets {}", w.describe(&lanes)));
                self.servers[server].receive(&self.archive, side, &lanes, forced);
                Ok(())
            }
            Event::Mischief(server) => {
                self.mischief(server);
                Ok(())
            }
            Event::Jump(seat) => {
                self.jump(seat);
                Ok(())
            }
            Event::Calm => {
                self.note(|_| "all is calm".to_owned());
                self.repent();
                Ok(())
            }
        }
    }

    fn wake(&mut self, seat: usize) -> Result<(), Violation> {
        let liar = matches!(self.seats[seat].fault, Some(Fault::Liar(_)));
        let pause = if liar {
            60 + self.rng.below(120)
        } else {
            20 + self.rng.below(60)
        };
        // Many members look less often, each.
        let pause = pause.max(self.seats.len() * 2);
        self.later(pause as u64, Event::Wake(seat));
        if liar {
            adversary::act(self, seat);
            return Ok(());
        }
        if !self.is_calm() {
            self.misfortune(seat)?;
        }
        let server = self.choose_server(seat);
        if !self.plan.reaches(seat, server, self.now) {
            self.saw("partition");
            // Who is alone can work on.
            return if self.rng.chance(20) {
                self.command(seat, None)
            } else {
                Ok(())
            };
        }
        if self.is_lost() {
            return Ok(());
        }
        let shown = self.servers[server].shown(seat);
        let after = self.delay();
        self.later(
            after,
            Event::Fetched {
                seat,
                server,
                shown,
            },
        );
        Ok(())
    }

    fn choose_server(&mut self, seat: usize) -> usize {
        let count = self.servers.len();
        // The halves of a twin have different homes.
        let home = (seat + usize::from(seat >= self.plan.n)) % count;
        if self.is_calm() || self.rng.chance(30) {
            self.rng.below(count)
        } else {
            home
        }
    }

    fn is_lost(&mut self) -> bool {
        let lost = !self.is_calm() && self.rng.chance(self.plan.loss);
        if lost {
            self.saw("lost message");
        }
        lost
    }

    /// Returns the delay of a message that is sent now.
    fn delay(&mut self) -> u64 {
        let soon = self.rng.below(CALM_DELAY as usize) as u64;
        if self.is_calm() {
            return soon;
        }
        let late = self.rng.below(self.plan.delay as usize) as u64;
        late.min(self.plan.calm - self.now + soon)
    }

    /// Sends lanes to a server: they may be late, lost, or come twice.
    pub fn send(&mut self, seat: usize, server: usize, lanes: Vec<(usize, No)>) {
        let side = self.servers[server].side_of(seat);
        if !self.is_lost() {
            let after = self.delay();
            self.later(
                after,
                Event::Push(Push {
                    server,
                    side,
                    lanes: lanes.clone(),
                    forced: false,
                }),
            );
        }
        if !self.is_calm() && self.rng.chance(self.plan.repeat) {
            self.saw("message that came twice");
            let after = self.delay() * 2;
            self.later(
                after,
                Event::Push(Push {
                    server,
                    side,
                    lanes,
                    forced: false,
                }),
            );
        }
    }

    /// A liar's push is where it wants it at once.
    pub fn force(&mut self, server: usize, side: usize, lanes: Vec<(usize, No)>) {
        self.later(
            0,
            Event::Push(Push {
                server,
                side,
                lanes,
                forced: true,
            }),
        );
    }

    fn mischief(&mut self, server: usize) {
        let lies = self.servers[server].kind == Kind::Lying;
        if self.is_calm() && !(self.plan.stubborn && lies && server > 0) {
            return;
        }
        let pause = 60 + self.rng.below(150) as u64;
        self.later(pause, Event::Mischief(server));
        if self.rng.chance(40) {
            return self.servers[server].remember();
        }
        // A plain server may be restored from a copy, at times.
        let members = self.names.len();
        if !lies && !self.rng.chance(10) {
            return;
        }
        let side = self.draw_sides();
        let done = self.servers[server].misbehave(&mut self.rng, (members, side), lies);
        let Some(done) = done else { return };
        self.note(|_| format!("s{server}: {done:?}"));
        self.saw(match done {
            Mischief::Forked => "server that shows a fork",
            Mischief::RolledBack => "server rolled back",
            Mischief::Hid => "server that hides a lane",
        });
    }

    /// Who sees which side of a fork: half of the honest ones each, and the halves of a twin never the same.
    fn draw_sides(&mut self) -> Vec<usize> {
        let mut seats: Vec<_> = (0..self.seats.len()).collect();
        self.rng.shuffle(&mut seats);
        seats.sort_by_key(|seat| self.seats[*seat].fault.is_some());
        let mut sides = vec![0; seats.len()];
        seats
            .into_iter()
            .enumerate()
            .for_each(|(place, seat)| sides[seat] = place % 2);
        for half in self.plan.n + self.plan.extra..sides.len() {
            sides[half] = 1 - sides[self.seats[half].member];
        }
        sides
    }

    fn repent(&mut self) {
        for number in 0..self.servers.len() {
            let lies_on =
                self.plan.stubborn && number > 0 && self.servers[number].kind == Kind::Lying;
            if !lies_on {
                self.servers[number].repent(&self.archive);
            }
        }
    }

    /// A clock is set wrong by up to sixty years, or right.
    fn jump(&mut self, seat: usize) {
        const YEAR: i64 = 365 * 86_400_000;
        if self.is_calm() {
            return;
        }
        let years = self.rng.below(121) as i64 - 60;
        let skew = if self.rng.chance(25) {
            0
        } else {
            years * YEAR + self.rng.below(1000) as i64
        };
        self.note(|w| format!("{}: the clock is off by {years} years", w.seats[seat].name));
        self.seats[seat].set_clock(skew);
        self.saw("clock wrong by years");
        let pause = 50 + self.rng.below(500) as u64;
        self.later(pause, Event::Jump(seat));
    }

    /// Takes in what somebody signed, if it is an entry.
    pub fn publish(&mut self, minted: Minted) -> Result<No, Reject> {
        let no = self.archive.publish(minted)?;
        let dag = self.archive.union.dag();
        let entry = dag.entry(dag.find(self.archive.minted[no].id).unwrap());
        let rounds = entry
            .statements
            .iter()
            .filter_map(|statement| match statement {
                Statement::Prevote(vote) => Some(vote.round),
                Statement::Precommit(vote) => Some(vote.round),
                _ => None,
            });
        // A liar may name any round; only one that can be entered counts.
        let top = rounds
            .filter(|round| *round <= self.top_round + 1)
            .max()
            .unwrap_or(0);
        self.top_round = self.top_round.max(top);
        if entry.statements.iter().any(Statement::proposes) {
            self.last_proposal = self.now;
        }
        Ok(no)
    }

    /// Returns the number of a member.
    pub fn member(&self, name: &MemberName) -> usize {
        self.names.binary_search(name).unwrap()
    }

    /// Returns the names of honest members.
    pub fn honest(&self) -> BTreeSet<MemberName> {
        let honest = (0..self.names.len()).filter(|member| !self.plan.faulty.contains_key(member));
        honest.map(|member| self.names[member].clone()).collect()
    }

    /// Describes lanes as text.
    pub fn describe(&self, lanes: &[(usize, No)]) -> String {
        lanes
            .iter()
            .map(|(lane, no)| format!("{}@e{no} ", self.names[*lane]))
            .collect()
    }
}
