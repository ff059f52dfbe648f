//! Runs schedules by the thousand.

use coverage::Coverage;

use crate::coverage;
use crate::plan::Plan;
use crate::rng::cases;
use crate::world::{Violation, World};

/// The first seed, if one is asked for.
fn asked() -> Option<u64> {
    std::env::var("SIMULATOR_SEED").ok().and_then(|text| text.parse().ok())
}

fn tells() -> bool {
    std::env::var("SIMULATOR_TRACE").is_ok()
}

/// Runs a plan, and says how to have a violation again.
fn run(plan: Plan, coverage: &mut Coverage) {
    let seed = plan.seed;
    let mut world = World::new(plan);
    world.trace = tells().then(Vec::new);
    let end = world.run();
    if let Some(trace) = &world.trace {
        println!("{:#?}\n{}", world.plan, trace.join("\n"));
    }
    match end {
        Ok(took) => coverage.add(seed, &world.seen, world.archive.minted.len(), took, world.top_round),
        Err(Violation { promise, what }) => panic!(
            "{promise} is broken: {what}\nto see it again: SIMULATOR_SEED={seed} SIMULATOR_TRACE=1 \
             cargo test --test simulator schedules -- --nocapture"
        ),
    }
}

#[test]
fn schedules() {
    let mut coverage = Coverage::default();
    if let Some(seed) = asked() {
        run(Plan::draw(seed), &mut coverage);
        return println!("{coverage}");
    }
    let start = cases("SIMULATOR_START", 0);
    for seed in start..start + cases("SIMULATOR_SCHEDULES", 1000) {
        run(Plan::draw(seed), &mut coverage);
    }
    println!("{coverage}");
}
