//! Derives a schedule from a seed: everything that is fixed before a run begins. The run draws the
//! rest from the same seed.

use std::collections::{BTreeMap, BTreeSet};

use git_quorum::charter::Threshold;

use crate::rng::Rng;

/// The unit of patience, in milliseconds of virtual time.
pub const UNIT: u64 = 100;
/// The longest delay of a message after the run is calm.
pub const CALM_DELAY: u64 = 40;

/// How a member fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The member runs twice with one key: two honest tools that do not know of each other.
    Twin,
    /// The member lies in this way.
    Liar(Manner),
}

/// How a liar lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Stays silent.
    Silent,
    /// Behaves as a separate member on each server and each side of a forked server.
    BothWays,
    /// Knows everything, and casts every vote that counts, on separate branches.
    Everything,
    /// Does what is due, but shows the result to few.
    Selective,
    /// Writes many useless entries.
    Flooding,
    /// Builds on arbitrary entries, old and new.
    OddParents,
    /// Resends old entries, and moves its lane back.
    Resending,
    /// Proposes charters, and votes in other slots beside its votes for them.
    CharterChanger,
    /// Does all of this.
    Anything,
}

impl Manner {
    pub const ALL: [Manner; 9] = [
        Manner::Silent,
        Manner::BothWays,
        Manner::Everything,
        Manner::Selective,
        Manner::Flooding,
        Manner::OddParents,
        Manner::Resending,
        Manner::CharterChanger,
        Manner::Anything,
    ];
}

/// How a server treats pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Has the gate: lanes only move forward.
    Gated,
    /// A bare repository: a forced push can set a lane to any entry.
    Plain,
    /// Hides lanes, rolls them back, and shows different values to different members.
    Lying,
}

/// A period in which some seats do not reach a server.
#[derive(Debug, Clone)]
pub struct Cut {
    pub from: u64,
    pub to: u64,
    pub server: usize,
    pub seats: BTreeSet<usize>,
}

/// What a member does at its first command after a given time.
#[derive(Debug, Clone, Copy)]
pub struct Intent {
    pub at: u64,
    pub seat: usize,
    pub task: Task,
}

/// An action that a member takes on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Proposes to move a ref. The second number distinguishes changes.
    Propose(usize, u8),
    /// Proposes that the next seat joins.
    Welcome(usize),
    /// Proposes that a member leaves.
    Remove(usize),
    /// Proposes that another ref is protected.
    Protect,
    /// Withdraws its proposal.
    Withdraw,
    /// Rejects a proposal.
    Reject,
}

/// A schedule.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// The number of voting members.
    pub n: usize,
    /// The number of other seats, which may become members.
    pub extra: usize,
    /// The faulty members, by number.
    pub faulty: BTreeMap<usize, Fault>,
    pub servers: Vec<Kind>,
    /// The time when messages arrive again and servers are honest.
    pub calm: u64,
    /// The time from which a member approves everything, not only what it saw first.
    pub mild: u64,
    /// The longest delay of a message before the calm.
    pub delay: u64,
    /// The percentage of messages that are lost, and that come twice, before the calm.
    pub loss: usize,
    pub repeat: usize,
    pub cuts: Vec<Cut>,
    /// The percentage of commands that crash at a write before the calm.
    pub crashes: usize,
    /// The percentage of wake-ups before the calm that find a clone restored from a backup or
    /// without its timers.
    pub restores: usize,
    /// Whether clocks are wrong by years and jump.
    pub clocks: bool,
    /// The number of clones of each honest member on its machine.
    pub clones: usize,
    /// The number of protected refs.
    pub refs: usize,
    pub intents: Vec<Intent>,
    /// Whether the first server shows a fork from the start.
    pub split: bool,
    /// The unit of patience.
    pub unit: u64,
    /// Whether all servers but the first still lie after the calm.
    pub stubborn: bool,
    /// Whether sign states are kept. Only controls turn this off.
    pub remember: bool,
    /// Whether signatures are real.
    pub signed: bool,
}

impl Plan {
    /// Honest members, one server, no faults.
    pub fn calm(n: usize, seed: u64) -> Plan {
        Plan {
            seed,
            n,
            extra: 0,
            faulty: BTreeMap::new(),
            servers: vec![Kind::Gated],
            calm: 0,
            mild: 0,
            delay: CALM_DELAY,
            loss: 0,
            repeat: 0,
            cuts: vec![],
            crashes: 0,
            restores: 0,
            clocks: false,
            clones: 1,
            refs: 1,
            intents: vec![],
            split: false,
            unit: UNIT,
            stubborn: false,
            remember: true,
            signed: false,
        }
    }

    /// Returns the plan of a seed.
    pub fn draw(seed: u64) -> Plan {
        let mut rng = Rng::new(seed ^ 0x5c3d_0001);
        let n = size(seed, &mut rng);
        // Three in four runs are short, so that more can run.
        let short = !seed.is_multiple_of(4);
        let f = Threshold::of(n).f;
        let mut plan = Plan::calm(n, seed);
        // With more than f faulty members only accountability is left to check.
        let hopeless = rng.chance(6) && n <= 10;
        let count = if hopeless {
            f + 1 + rng.below(2).min(n - f - 2)
        } else {
            rng.below(f + 2).min(f)
        };
        plan.faulty = faults(&mut rng, n, count, hopeless);
        plan.signed = seed % 256 == 128;
        // Names have two digits.
        plan.extra = rng.below(2) * usize::from(n < 100);
        plan.servers = servers(&mut rng);
        plan.calm = if short {
            60 + rng.below(200)
        } else {
            300 + rng.below(700)
        } as u64;
        plan.mild = rng.below(plan.calm as usize + 200) as u64;
        plan.delay = [60, 200, 800][rng.below(3)];
        plan.loss = [0, 0, 20, 50][rng.below(4)];
        plan.repeat = [0, 0, 20][rng.below(3)];
        plan.crashes = [0, 10, 40][rng.below(3)];
        plan.restores = [0, 0, 10][rng.below(3)];
        plan.clocks = rng.chance(30);
        plan.clones = 1 + usize::from(rng.chance(20));
        plan.refs = 1 + usize::from(rng.chance(20));
        plan.stubborn = rng.chance(50);
        // With little patience there are many rounds.
        plan.unit = if short {
            UNIT
        } else {
            [UNIT, UNIT / 2, UNIT / 5][rng.below(3)]
        };
        plan.split = rng.chance(if hopeless { 70 } else { 10 });
        if plan.split {
            // A fork needs time to take effect.
            plan.servers[0] = Kind::Lying;
            plan.servers.truncate(1 + rng.below(2));
            (plan.calm, plan.delay, plan.loss) = (400 + rng.below(400) as u64, 60, 0);
        }
        plan.cuts = cuts(&mut rng, &plan);
        plan.intents = intents(&mut rng, &plan, short);
        if hopeless {
            plan.tempt(&mut rng);
        }
        plan
    }

    /// Gives each side of a fork something to decide, and the time to do so.
    fn tempt(&mut self, rng: &mut Rng) {
        self.cuts.clear();
        (self.crashes, self.restores) = (0, 0);
        self.mild = rng.below(100) as u64;
        if self.split {
            // Another server would reveal the other side. Each side needs time to decide.
            self.servers.truncate(1);
            self.calm += 800;
        }
        let all = 0..self.n;
        let propose = |seat| Intent {
            at: rng.below(80) as u64,
            seat,
            task: Task::Propose(0, 50 + seat as u8),
        };
        self.intents.extend(all.map(propose));
    }

    pub fn hopeless(&self) -> bool {
        self.faulty.len() > Threshold::of(self.n).f
    }

    /// Returns the number of seats: one for each member, and one more for each twin.
    pub fn seats(&self) -> usize {
        self.n
            + self.extra
            + self
                .faulty
                .values()
                .filter(|fault| **fault == Fault::Twin)
                .count()
    }

    /// Returns whether a seat reaches a server.
    pub fn reaches(&self, seat: usize, server: usize, now: u64) -> bool {
        !self
            .cuts
            .iter()
            .any(|c| c.server == server && (c.from..c.to).contains(&now) && c.seats.contains(&seat))
    }
}

/// Returns a size: usually small. One in five hundred is large, and one in five thousand has a
/// hundred members.
fn size(seed: u64, rng: &mut Rng) -> usize {
    match (seed % 5000, seed % 500) {
        (4999, _) => 100,
        (_, 499) => 20 + rng.below(21),
        _ if !seed.is_multiple_of(4) => [4, 4, 4, 4, 4, 4, 5, 7][rng.below(8)],
        _ => [4, 4, 4, 5, 6, 7, 8, 10][rng.below(8)],
    }
}

/// Chooses faults. If too many members fail, they fail in the ways that break agreement most often.
fn faults(rng: &mut Rng, n: usize, count: usize, hopeless: bool) -> BTreeMap<usize, Fault> {
    let mut members: Vec<_> = (0..n).collect();
    rng.shuffle(&mut members);
    let mut fault = || match rng.below(10) {
        0..3 => Fault::Twin,
        3..7 if hopeless => Fault::Twin,
        7..9 if hopeless => Fault::Liar(Manner::BothWays),
        _ => Fault::Liar(rng.pick(&Manner::ALL)),
    };
    members
        .into_iter()
        .take(count)
        .map(|member| (member, fault()))
        .collect()
}

fn servers(rng: &mut Rng) -> Vec<Kind> {
    let kinds = [Kind::Gated, Kind::Plain, Kind::Lying];
    (0..1 + rng.below(3)).map(|_| rng.pick(&kinds)).collect()
}

fn cuts(rng: &mut Rng, plan: &Plan) -> Vec<Cut> {
    let cut = |rng: &mut Rng| {
        let from = rng.below(plan.calm as usize) as u64;
        let to = (from + rng.below(plan.calm as usize) as u64).min(plan.calm);
        let seats = (0..plan.seats()).filter(|_| rng.chance(50)).collect();
        Cut {
            from,
            to,
            server: rng.below(plan.servers.len()),
            seats,
        }
    };
    (0..rng.below(4)).map(|_| cut(rng)).collect()
}

fn intents(rng: &mut Rng, plan: &Plan, short: bool) -> Vec<Intent> {
    let mut intents = vec![];
    let end = plan.calm as usize + if short { 50 } else { 400 };
    let mut number = 0;
    let mut add = |rng: &mut Rng, at: usize, task: Task| {
        let seat = rng.below(plan.n);
        intents.push(Intent {
            at: at as u64,
            seat,
            task,
        });
    };
    // Rivals come early, and later proposals follow.
    for _ in 0..2 + rng.below(2) {
        number += 1;
        let at = rng.below(80);
        add(rng, at, Task::Propose(0, number));
    }
    for _ in 0..if short {
        usize::from(rng.chance(20))
    } else {
        1 + rng.below(4)
    } {
        number += 1;
        let (at, name) = (rng.below(end), rng.below(plan.refs + 1));
        add(rng, at, Task::Propose(name, number));
    }
    if rng.chance(if short { 20 } else { 50 }) {
        for _ in 0..1 + rng.below(2) {
            let tasks = [
                Task::Welcome(plan.n),
                Task::Remove(rng.below(plan.n)),
                Task::Protect,
            ];
            let (at, task) = (rng.below(end), rng.pick(&tasks));
            add(rng, at, task);
        }
    }
    for task in [Task::Withdraw, Task::Reject, Task::Reject] {
        if rng.chance(15) {
            let at = rng.below(end);
            add(rng, at, task);
        }
    }
    intents
}
