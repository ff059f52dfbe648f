//! Honest members decide: with all rules always, and not without the guide, its two patiences, telling, or entering.

use git_quorum::charter::Threshold;
use git_quorum::lifted::Rule;

use crate::long;
use crate::progress::{Game, Played, play, variants};
use crate::reduced::{Setup, Vote, Way, each_state};
use crate::table::Phase;

/// The votes of every ledger that a search reaches, at the ends of rounds.
fn starts(n: usize, rounds: usize, way: Way) -> Vec<Vec<Vote>> {
    let mut starts = vec![];
    let found = each_state(&Setup { way, ..Setup::new(n, Threshold::of(n).f, 2, rounds) }, |search, _| {
        starts.push(search.path.clone());
        true
    });
    assert!(found.violation.is_none());
    starts
}

/// Prevotes in one round, by member: for which rival.
fn split(round: usize, rivals: &[usize]) -> Vec<Vote> {
    let cast = |(member, rival): (usize, &usize)| Vote { member, phase: Phase::Prevote, rival: *rival, round };
    rivals.iter().enumerate().map(cast).collect()
}

fn game(n: usize, shows: usize, rounds: usize) -> Game {
    Game { n, liars: Threshold::of(n).f, rivals: 2, rounds, shows, most: 200_000 }
}

/// Plays with each guide first, and tells what was lost.
fn lost_with_some_guide(rule: Rule, game: &Game, votes: &[Vote]) -> Option<Played> {
    let lifted = rule.lift();
    let games = (0..game.n).map(|offset| play(game, votes, offset, &[0, 1], &[0, 1, 2]));
    let lost = games.into_iter().inspect(|p| println!("without {rule:?}: {p}")).find(|p| p.lost.is_some());
    drop(lifted);
    lost
}

fn stalls(rule: Rule, game: &Game, votes: &[Vote]) {
    assert!(lost_with_some_guide(rule, game, votes).is_some(), "without {rule:?} they decide all the same");
}

/// So many rounds without a decision are a stall: two more than with all rules in the same place.
fn far() -> usize {
    if long() { 5 } else { 3 }
}

#[test]
fn without_the_guide() {
    stalls(Rule::Guide, &game(4, 1, far()), &split(0, &[0, 1, 1]));
}

#[test]
fn with_one_patience_for_all() {
    stalls(Rule::TwoPatiences, &game(4, 1, far()), &split(0, &[0, 1, 1]));
}

#[test]
fn without_telling() {
    let precommit = |member| Vote { member, phase: Phase::Precommit, rival: 0, round: 0 };
    let votes: Vec<_> = split(0, &[0, 0, 0]).into_iter().chain([precommit(0)]).collect();
    stalls(Rule::Telling, &game(4, 1, 3), &votes);
}

/// `a` jumps to round 1; the others cannot go there without it, nor it go back to them, and the liar is silent.
#[test]
fn without_entering() {
    let votes = [Vote { member: 0, phase: Phase::Prevote, rival: 0, round: 1 }];
    stalls(Rule::Entering, &game(4, 0, 3), &votes);
}

/// From every ledger that honest members can reach in one round, by whatever counts.
#[test]
fn they_decide() {
    if long() {
        from_all(&game(4, 1, 4), &starts(4, 1, Way::Eager), 1);
        from_all(&game(4, 1, 4), &starts(4, 2, Way::Eager), 29);
        from_all(&game(4, 1, 4), &starts(4, 1, Way::Turns), 5);
        from_all(&game(5, 1, 4), &starts(5, 1, Way::Eager), 29);
        from_all(&game(6, 1, 4), &starts(6, 1, Way::Eager), 60);
        from_all(&game(7, 1, 4), &starts(7, 1, Way::Eager), 300);
    } else {
        from_all(&game(4, 1, 4), &starts(4, 1, Way::Eager), 9);
    }
}

/// Plays from every `step`th start, each with another order of guides, rivals and members.
fn from_all(game: &Game, starts: &[Vec<Vote>], step: usize) {
    let variants = variants(game);
    let mut all = Played { whole: true, ..Played::default() };
    for (number, votes) in starts.iter().enumerate().step_by(step) {
        let (offset, rivals, members) = &variants[number * 7 % variants.len()];
        let played = play(game, votes, *offset, rivals, members);
        assert!(played.lost.is_none() && played.whole, "{votes:?} {offset} {rivals:?} {members:?}: {played}");
        all.positions += played.positions;
        all.decided += played.decided;
        all.rounds = all.rounds.max(played.rounds);
        all.time += played.time;
    }
    println!("n = {}, {} starts, every {step}th: {all}", game.n, starts.len());
}
