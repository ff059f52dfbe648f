//! Honest members decide: with all rules always, and not without the guide, two patiences, or telling.

use git_quorum::lifted::Rule;

use crate::progress::{Game, play, variants};
use crate::reduced::{Setup, Vote, Way, each_state};

/// The votes of every ledger that a search reaches, at the ends of rounds.
fn starts(n: usize, rounds: usize, way: Way) -> Vec<Vec<Vote>> {
    let mut starts = vec![];
    let found = each_state(&Setup { way, ..Setup::new(n, 1, 2, rounds) }, |search, _| {
        starts.push(search.path.clone());
        true
    });
    assert!(found.violation.is_none());
    starts
}

#[test]
fn probe_progress() {
    let game = Game { n: 4, liars: 1, rivals: 2, rounds: 5, shows: 2, most: 20_000 };
    let number = |name: &str, d: usize| std::env::var(name).ok().and_then(|t| t.parse().ok()).unwrap_or(d);
    let starts = starts(4, number("START", 1), Way::Turns);
    println!("{} starts", starts.len());
    let _lifted = [None, Some(Rule::Guide), Some(Rule::TwoPatiences), Some(Rule::Telling), Some(Rule::Entering)]
        [number("RULE", 0)]
    .map(|r| r.lift());
    let game = Game { shows: number("SHOWS", 1), rounds: number("ROUNDS", 5), ..game };
    for start in starts.iter().step_by(number("STEP", 7)) {
        for (offset, rivals, members) in variants(&game).into_iter().step_by(number("EVERY", 20)) {
            let start_text: Vec<_> = start.iter().map(|v| v.to_string()).collect();
            let played = play(&game, start, offset, &rivals, &members);
            println!("{offset} {rivals:?} {members:?}: {played} FROM {}", start_text.join(","));
            if played.lost.is_some() {
                return;
            }
        }
    }
}
