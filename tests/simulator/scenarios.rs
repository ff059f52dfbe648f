//! Runs schedules with a story: a split vote, one member that lies in one way, or a charter change
//! in between. Also holds small ledgers for what the simulator found.

use std::collections::BTreeMap;

use git_quorum::charter::{Charter, ProposedCharter, Removal};
use git_quorum::consensus::{Admission, Draft, Patience, Slot, Subject, parents_for};
use git_quorum::ledger::{CharterProposal, Statement};

use crate::checks::last_round;
use crate::lab::{Lab, approve, charter, name, prevote, propose, public_key};
use crate::plan::{Fault, Intent, Kind, Manner, Plan, Task};
use crate::rng::cases;
use crate::server::Lanes;
use crate::timeline::{Violation, World, ref_name};

const MANNERS: [Manner; 3] = [Manner::Silent, Manner::Selective, Manner::BothWays];

/// Two members propose at the same time, and messages are slow: each half votes for what it saw first. The last member
/// may lie, on a server that shows each half what it likes.
fn split(n: usize, manner: Option<Manner>, seed: u64) -> Plan {
    let mut plan = Plan::calm(n, seed);
    (plan.calm, plan.mild, plan.delay) = (1500, 1000, 1500);
    plan.faulty = manner
        .map(|manner| (n - 1, Fault::Liar(manner)))
        .into_iter()
        .collect();
    plan.intents = (0..2 + n / 7)
        .map(|seat| Intent {
            at: 0,
            seat,
            task: Task::Propose(0, seat as u8 + 1),
        })
        .collect();
    if manner == Some(Manner::BothWays) {
        (plan.servers, plan.split) = (vec![Kind::Lying], true);
    }
    plan
}

fn run(plan: Plan) -> World {
    let seed = plan.seed;
    let mut world = World::new(plan);
    if let Err(Violation { promise, what }) = world.run() {
        panic!("{promise}: {what}: {:#?}, seed {seed}", world.plan);
    }
    assert!(
        last_round(&world.archive.union) <= 5,
        "seed {seed}: {} rounds",
        last_round(&world.archive.union)
    );
    world
}

/// `SIMULATOR_SCENES` sets how often each is played.
fn seeds() -> std::ops::Range<u64> {
    0..cases("SIMULATOR_SCENES", 2)
}

#[test]
fn a_split_vote_is_decided_in_a_later_round() {
    // Whether a vote is split is chance, so there are more tries than of other scenes.
    let tries = 0..cases("SIMULATOR_SCENES", 12);
    for n in [4, 5, 7] {
        let is_split = |seed| last_round(&run(split(n, None, seed)).archive.union) > 0;
        assert!(tries.clone().any(is_split), "n = {n}: no vote was split");
    }
}

#[test]
fn one_that_is_silent_or_shows_its_votes_to_some_costs_time_only() {
    for n in [4, 5, 7] {
        for manner in [Manner::Silent, Manner::Selective] {
            seeds().for_each(|seed| drop(run(split(n, Some(manner), seed))));
        }
    }
}

#[test]
fn one_that_votes_both_ways_is_convicted_and_stops_nobody() {
    let (mut guided, mut convicted) = (0, 0);
    for n in [4, 5, 7] {
        for seed in seeds() {
            let world = run(split(n, Some(Manner::BothWays), seed));
            let union = &world.archive.union;
            let slot = Slot {
                subject: Subject::Ref(ref_name(0).parse().unwrap()),
                base: world.archive.ledger,
            };
            let number = u64::from_be_bytes(slot.id().bytes()[..8].try_into().unwrap());
            let guide =
                |round: u32| ((u128::from(number) + u128::from(round)) % n as u128) as usize;
            guided += usize::from((1..=last_round(union)).any(|round| guide(round) == n - 1));
            convicted += usize::from(!union.evidence().is_empty());
        }
    }
    assert!(
        convicted > 0 && guided > 0,
        "convicted in {convicted} runs, the liar was a guide in {guided}"
    );
}

#[test]
fn a_charter_change_while_a_slot_is_open_lets_both_finish() {
    let manners = MANNERS.map(Some).into_iter().chain([None]);
    for (place, manner) in manners.enumerate() {
        for seed in seeds() {
            let mut plan = split([4, 5, 7, 4][place], manner, seed);
            plan.extra = 1;
            let at = seed * 700 % 2500;
            plan.intents.push(Intent {
                at,
                seat: 2,
                task: Task::Welcome(plan.n),
            });
            let world = run(plan);
            let union = &world.archive.union;
            assert_eq!(
                union.charter_chain().decided.len(),
                1,
                "seed {seed}: the charter is changed"
            );
            let chain = union
                .chain(&Subject::Ref(ref_name(0).parse().unwrap()))
                .unwrap();
            assert_eq!(chain.decided.len(), 1, "seed {seed}: the ref is decided");
        }
    }
}

/// Rule 5e: d shows its precommit to `a` alone, which then knows the decision and has nothing left to vote.
/// The others go on without it; `a` tells them, once.
#[test]
fn who_knows_a_decision_that_others_miss_tells_them() {
    let mut lab = Lab::new(&["a", "b", "c", "d"]);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let q = lab.say("b", vec![propose(lab.ledger, 2)]);
    for (member, choice) in [("a", q), ("b", p), ("c", p), ("d", p)] {
        lab.say(member, vec![approve(p), approve(q), prevote(choice, 0)]);
    }
    let tells = |lab: &Lab| {
        let draft = Draft::new(
            &lab.tally,
            &name("a"),
            lab.ledger,
            &parents_for(&lab.tally, &name("a")),
        );
        draft.due(&Patience::default()).tell
    };
    for member in ["b", "c", "d"] {
        assert!(!tells(&lab));
        let vote = lab.precommit(member, lab.ledger, p, 0);
        lab.say(member, vec![vote]);
    }
    assert!(
        lab.tally.is_decided(p) && !tells(&lab),
        "nobody misses it yet"
    );
    let without_d = lab.above("b", &[lab.tip("c")]);
    lab.entry("b", lab.ledger, &without_d, vec![prevote(p, 1)]);
    assert!(tells(&lab));
    lab.say("a", vec![]);
    assert!(!tells(&lab), "it is told");
}

/// Without rivals and delays: the first proposes, approves and prevotes; the second the same; the third too, and
/// precommits in the same entry; the first precommits; the second precommits.
#[test]
fn five_pushes_decide() {
    let mut plan = Plan::calm(4, 0);
    plan.intents = vec![Intent {
        at: 0,
        seat: 0,
        task: Task::Propose(0, 1),
    }];
    let mut world = World::new(plan);
    let mut lanes = Lanes::new();
    let mut push = |world: &mut World, seat: usize| {
        let before = world.archive.minted.len();
        world.command(seat, Some((0, &lanes))).unwrap();
        let last = world.archive.minted.len() - 1;
        lanes.insert(seat, last);
        let dag = world.archive.union.dag();
        (last >= before).then(|| {
            dag.entry(dag.find(world.archive.minted[last].id).unwrap())
                .statements
                .len()
        })
    };
    assert_eq!(
        [0, 1, 2, 0].map(|seat| push(&mut world, seat)),
        [Some(2), Some(2), Some(3), Some(1)]
    );
    let decided = |world: &World| {
        world
            .archive
            .union
            .proposals()
            .any(|p| world.archive.union.is_decided(p.id))
    };
    assert!(!decided(&world));
    assert_eq!(push(&mut world, 1), Some(1));
    assert!(decided(&world));
}

/// Of a, b, c and d, d leaves; the charter names no entry of d's.
fn d_leaves(lab: &Lab) -> Statement {
    let rest = charter(&["a", "b", "c"]);
    let removal = Removal {
        key: public_key("d"),
        last: None,
        name: name("d"),
    };
    let rest = Charter::new(
        rest.members().to_vec(),
        rest.protected().to_vec(),
        vec![removal],
        rest.rules().clone(),
    );
    let charter = ProposedCharter::Known(Box::new(rest.unwrap()));
    let (base, title) = (lab.ledger, "d leaves".to_owned());
    Statement::ProposeCharter(CharterProposal {
        base,
        charter,
        text: String::new(),
        title,
    })
}

/// Members a, b and d, of a, b, c and d, decide that d leaves. The charter names no entry of d's that is still taken in,
/// and c has not voted.
fn removed_by_its_own_vote() -> Lab {
    let mut lab = Lab::new(&["a", "b", "c", "d"]);
    let base = lab.ledger;
    let change = lab.say("a", vec![d_leaves(&lab)]);
    for member in ["a", "b", "d"] {
        lab.say(member, vec![approve(change), prevote(change, 0)]);
    }
    let known = lab.above_all("a");
    for member in ["a", "b", "d"] {
        let vote = lab.precommit(member, base, change, 0);
        let parents: Vec<_> = known
            .iter()
            .copied()
            .filter(|p| *p != lab.tip(member))
            .collect();
        let parents = lab.above(member, &parents);
        lab.entry(member, base, &parents, vec![vote]);
    }
    assert_eq!(lab.tally.charter_in_force(), change);
    lab
}

/// Else nobody could say anything that counts under the new charter, for nobody would know it decided.
#[test]
fn the_vote_by_which_a_member_removed_itself_is_taken_in() {
    let mut lab = removed_by_its_own_vote();
    let says = |lab: &Lab, member: &str| {
        let parents = parents_for(&lab.tally, &name(member));
        let charter = lab.tally.charter_in_force();
        let mut draft = Draft::new(&lab.tally, &name(member), charter, &parents);
        draft.add(propose(lab.ledger, 1))
    };
    for member in ["a", "b", "c"] {
        assert_eq!(says(&lab, member), Ok(()), "{member}");
    }
    let vote = lab.tip("d");
    let after = lab.entry("d", lab.ledger, &[vote], vec![]);
    let index = |lab: &Lab, id| lab.tally.dag().find(id).unwrap();
    let admission = Admission::of(&lab.tally);
    assert!(admission.admits(index(&lab, vote)) && !admission.admits(index(&lab, after)));
    // What d's last entry hides is still cited.
    assert_eq!(says(&lab, "a"), Ok(()));
    let late = lab.precommit("c", lab.ledger, lab.tally.charter_in_force(), 0);
    let parents = lab.above("c", &[lab.tip("a"), lab.tip("b")]);
    lab.entry("c", lab.ledger, &parents, vec![late]);
    assert!(
        !Admission::of(&lab.tally).admits(index(&lab, vote)),
        "those who stay decide it without d"
    );
}

/// Of a, b, c and d, the first two and d decide p; the first three decide that d leaves, without its vote on p. Else nobody
/// could follow p: who knows it decided could not say so.
#[test]
fn a_former_members_vote_that_a_decision_stands_on_is_taken_in() {
    let mut lab = Lab::new(&["a", "b", "c", "d"]);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    let change = lab.say("b", vec![d_leaves(&lab)]);
    for member in ["a", "b", "c", "d"] {
        lab.say(
            member,
            vec![
                approve(p),
                approve(change),
                prevote(p, 0),
                prevote(change, 0),
            ],
        );
    }
    let known = lab.above_all("a");
    let mut vote = |member: &str, proposal| {
        let vote = lab.precommit(member, lab.ledger, proposal, 0);
        let others: Vec<_> = known
            .iter()
            .copied()
            .filter(|id| *id != lab.tip(member))
            .collect();
        let own = lab.tip(member);
        let is_above = |id| {
            lab.tally.dag().reaches(
                lab.tally.dag().find(id).unwrap(),
                lab.tally.dag().find(own).unwrap(),
            )
        };
        let others: Vec<_> = others.into_iter().filter(|id| !is_above(*id)).collect();
        let parents = lab.above(member, &others);
        lab.entry(member, lab.ledger, &parents, vec![vote]);
    };
    for member in ["a", "b", "d"] {
        vote(member, p);
    }
    for member in ["a", "b", "c"] {
        vote(member, change);
    }
    assert!(lab.tally.is_decided(p) && lab.tally.charter_in_force() == change);
    let parents = parents_for(&lab.tally, &name("a"));
    assert_eq!(
        Draft::new(&lab.tally, &name("a"), change, &parents).add(propose(p, 2)),
        Ok(())
    );
}

/// The same seed gives the same run, to the byte.
#[test]
fn a_seed_is_a_run() {
    let history = |seed| {
        let mut world = World::new(Plan::draw(seed));
        world.trace = Some(vec![]);
        let end = world.run().map_err(|violation| violation.what);
        (
            end,
            world.trace.unwrap().join("\n"),
            world
                .archive
                .minted
                .iter()
                .map(|m| m.id)
                .collect::<Vec<_>>(),
        )
    };
    let mut all = BTreeMap::new();
    for seed in 0..12 {
        let here = history(seed);
        let there = std::thread::spawn(move || history(seed)).join().unwrap();
        assert_eq!(here, there, "seed {seed}");
        all.insert(git_quorum::id::Digest::of(here.1.as_bytes()), seed);
    }
    assert_eq!(all.len(), 12, "other seeds are other runs");
}
