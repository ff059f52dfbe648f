//! A schedule: everything that a seed decides before a run begins. The rest is drawn on the way, from the same seed.

use std::collections::{BTreeMap, BTreeSet};

use git_quorum::charter::Threshold;

use crate::rng::Rng;

/// The unit of patience, in milliseconds of virtual time.
pub const UNIT: u64 = 100;
/// How long a message takes at most, once all is calm.
pub const CALM_DELAY: u64 = 40;

/// How a member fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It runs twice with one key: two honest tools that do not know of each other.
    Twin,
    /// It does what it likes.
    Liar(Manner),
}

/// What a liar is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It says nothing.
    Silent,
    /// It leads another life on each server, and each side of a forked one.
    BothWays,
    /// It knows all, and votes for everything wherever that counts, on separate branches.
    Everything,
    /// It does what is due, and shows it to few.
    Selective,
    /// It says much, and nothing of use.
    Flooding,
    /// It builds on whatever it likes, old ends and new ones.
    OddParents,
    /// It sends old things again, and sets its lane back.
    Resending,
    /// It proposes charters, and votes beside its votes for them.
    CharterChanger,
    /// All of it.
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

/// What a server does with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has the gate: lanes only go forward.
    Gated,
    /// A bare repository: who forces a push sets its lane to anything.
    Plain,
    /// It hides lanes, rolls them back, and shows one thing to some and another to others.
    Lying,
}

/// A time in which some reach a server and others do not.
#[derive(Debug, Clone)]
pub struct Cut {
    pub from: u64,
    pub to: u64,
    pub server: usize,
    pub seats: BTreeSet<usize>,
}

/// What a member is asked to do at its first command after a time.
#[derive(Debug, Clone, Copy)]
pub struct Intent {
    pub at: u64,
    pub seat: usize,
    pub task: Task,
}

/// Something that a member does of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Proposes to move a ref; the second number tells one change from another.
    Propose(usize, u8),
    /// Proposes that the next seat joins.
    Welcome(usize),
    /// Proposes that a member leaves.
    Remove(usize),
    /// Proposes that another ref is protected.
    Protect,
    /// Withdraws what it has proposed.
    Withdraw,
    /// Rejects what is proposed.
    Reject,
}

/// A schedule.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// Voting members.
    pub n: usize,
    /// More who sit at the table, and may become members.
    pub extra: usize,
    /// Who fails, by number.
    pub faulty: BTreeMap<usize, Fault>,
    pub servers: Vec<Kind>,
    /// When messages begin to arrive and servers to tell the truth.
    pub calm: u64,
    /// From when on a member approves everything, not only what it saw first.
    pub mild: u64,
    /// How long a message takes at most before.
    pub delay: u64,
    /// So many in a hundred are lost, and come twice, before.
    pub loss: usize,
    pub repeat: usize,
    pub cuts: Vec<Cut>,
    /// So many in a hundred commands crash at a write, before.
    pub crashes: usize,
    /// So many in a hundred wakings find that the clone was restored from a backup, or its timers gone, before.
    pub restores: usize,
    /// Whether clocks are wrong by years and jump.
    pub clocks: bool,
    /// Clones of each honest member on its machine.
    pub clones: usize,
    /// So many refs are protected.
    pub refs: usize,
    pub intents: Vec<Intent>,
    /// Whether the first server shows a fork from the start on.
    pub split: bool,
    /// The unit of patience.
    pub unit: u64,
    /// Whether all but the first server go on lying when all is calm.
    pub stubborn: bool,
    /// Whether sign states are kept. Only to see what happens if not.
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

    /// What a seed says.
    pub fn draw(seed: u64) -> Plan {
        let mut rng = Rng::new(seed ^ 0x5c3d_0001);
        let n = size(seed, &mut rng);
        // Three in four are short: then more of them can be run.
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
            // What a fork is for takes its time.
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

    /// Lets each side of a fork have something of its own to decide, and the time to do so.
    fn tempt(&mut self, rng: &mut Rng) {
        self.cuts.clear();
        (self.crashes, self.restores) = (0, 0);
        self.mild = rng.below(100) as u64;
        if self.split {
            // Another server would tell each side of the other; and each takes its time to decide.
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

    /// Seats: one for each member, one more for each twin.
    pub fn seats(&self) -> usize {
        self.n
            + self.extra
            + self
                .faulty
                .values()
                .filter(|fault| **fault == Fault::Twin)
                .count()
    }

    /// Whether a seat reaches a server.
    pub fn reaches(&self, seat: usize, server: usize, now: u64) -> bool {
        !self
            .cuts
            .iter()
            .any(|c| c.server == server && (c.from..c.to).contains(&now) && c.seats.contains(&seat))
    }
}

/// Small ones mostly; one in five hundred is large, one in five thousand has a hundred members.
fn size(seed: u64, rng: &mut Rng) -> usize {
    match (seed % 5000, seed % 500) {
        (4999, _) => 100,
        (_, 499) => 20 + rng.below(21),
        _ if !seed.is_multiple_of(4) => [4, 4, 4, 4, 4, 4, 5, 7][rng.below(8)],
        _ => [4, 4, 4, 5, 6, 7, 8, 10][rng.below(8)],
    }
}

/// Where too many fail, they do so in the ways that break agreement most often.
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
    // Rivals early, and what follows later.
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
