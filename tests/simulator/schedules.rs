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
            coverage.add(seed, &world.seen, world.archive.minted.len(), took, world.top_round);
            Ok(())
        }
        Err(Violation { promise, what }) => Err(format!(
            "{promise}: {what}\n  SIMULATOR_SEED={seed} SIMULATOR_TRACE=1 cargo test --test simulator schedules -- --nocapture"
        )),
    }
}

/// So many failures are told before the rest is left.
const MOST_TOLD: usize = 10;

#[test]
fn schedules() {
    let mut coverage = Coverage::default();
    let start = asked().unwrap_or_else(|| cases("SIMULATOR_START", 0));
    let count = if asked().is_some() { 1 } else { cases("SIMULATOR_SCHEDULES", 1000) };
    let broken = (start..start + count).filter_map(|seed| run(Plan::draw(seed), &mut coverage).err());
    let broken: Vec<_> = broken.take(MOST_TOLD).collect();
    println!("{coverage}");
    assert!(broken.is_empty(), "broken promises:\n{}", broken.join("\n"));
}
