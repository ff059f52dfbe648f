//! Runs thousands of schedules.

use coverage::Coverage;

use crate::checks::last_round;
use crate::coverage;
use crate::plan::Plan;
use crate::rng::cases;
use crate::timeline::{Violation, World};

/// The first seed, if one is asked for.
fn asked() -> Option<u64> {
    std::env::var("SIMULATOR_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
}

fn tells() -> bool {
    std::env::var("SIMULATOR_TRACE").is_ok()
}

/// Runs a plan; if a promise is broken, what to say and how to see it again.
fn run(plan: Plan, coverage: &mut Coverage) -> Result<(), String> {
    let seed = plan.seed;
    let mut world = World::new(plan);
    world.trace = tells().then(Vec::new);
    let end = world.run();
    if let Some(trace) = &world.trace {
        println!("{:#?}\n{}", world.plan, trace.join("\n"));
    }
    match end {
        Ok(took) => {
            let round = last_round(&world.archive.union);
            coverage.add(seed, &world.seen, world.archive.minted.len(), took, round);
            Ok(())
        }
        Err(Violation { promise, what }) => Err(format!(
            "{promise}: {what}\n  SIMULATOR_SEED={seed} SIMULATOR_TRACE=1 cargo test --test simulator schedules -- --nocapture"
        )),
    }
}

/// So many failures are told before the rest is left.
const MOST_TOLD: usize = 10;

/// What must have happened in a thousand schedules: an adversary that never does anything is a defect.
const EXPECTED: [&str; 31] = [
    "agreement broken by more than f",
    "behind its sign state",
    "chain of decisions",
    "charter changed",
    "charter changed twice",
    "clock wrong by years",
    "clone restored",
    "crash after fetching",
    "crash after signing",
    "crash after the lane moved",
    "crash after the object",
    "crash after the push",
    "crash after the sign state",
    "crash before timers are saved",
    "decision after a hand-over",
    "liar convicted",
    "lost message",
    "message that came twice",
    "more than f faulty",
    "old entries sent again",
    "partition",
    "restored from the sign state",
    "rounds above 0",
    "rounds above 2",
    "server rolled back",
    "server that hides a lane",
    "server that shows a fork",
    "signed for real",
    "statement that does not count",
    "twenty members or more",
    "twin convicted",
];

#[test]
fn schedules() {
    let mut coverage = Coverage::default();
    let start = asked().unwrap_or_else(|| cases("SIMULATOR_START", 0));
    let count = if asked().is_some() {
        1
    } else {
        cases("SIMULATOR_SCHEDULES", 1000)
    };
    let broken =
        (start..start + count).filter_map(|seed| run(Plan::draw(seed), &mut coverage).err());
    let broken: Vec<_> = broken.take(MOST_TOLD).collect();
    println!("seeds {start} to {}\n{coverage}", start + count - 1);
    assert!(broken.is_empty(), "broken promises:\n{}", broken.join("\n"));
    let missed: Vec<_> = EXPECTED
        .into_iter()
        .filter(|what| count >= 1000 && coverage.of(what) == 0)
        .collect();
    assert!(missed.is_empty(), "never happened: {missed:?}");
}

/// Seeds of long searches in which nobody went on: a crash between timers and vote (twice), and a deciding vote that was not
/// handed over by whom it let go.
#[test]
fn schedules_that_stood_still_once() {
    let mut coverage = Coverage::default();
    for seed in [733_704, 843_016, 815_196] {
        run(Plan::draw(seed), &mut coverage).unwrap();
    }
}
