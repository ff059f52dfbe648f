//! Honest members decide: with all rules always, and not without the guide, its two patiences, telling, or entering.

use git_quorum::charter::Threshold;
use git_quorum::mutation::Mutation;

use crate::long;
use crate::progress::{Game, Played, play, variants};
use crate::reduced::{Setup, Vote, Way, each_state};
use crate::table::Phase;

/// The votes of every ledger that a search reaches, at the ends of rounds.
fn starts(n: usize, rounds: usize, way: Way) -> Vec<Vec<Vote>> {
    starts_of(&game(n), rounds, way)
}

fn starts_of(game: &Game, rounds: usize, way: Way) -> Vec<Vec<Vote>> {
    let mut starts = vec![];
    let setup = Setup {
        way,
        ..Setup::new(game.n, game.liars, game.rivals, rounds)
    };
    let found = each_state(&setup, |search, _| {
        starts.push(search.path.clone());
        true
    });
    assert!(found.violation.is_none());
    starts
}

/// Prevotes in one round, by member: for which rival.
fn split(round: usize, rivals: &[usize]) -> Vec<Vote> {
    let cast = |(member, rival): (usize, &usize)| Vote {
        member,
        phase: Phase::Prevote,
        rival: *rival,
        round,
    };
    rivals.iter().enumerate().map(cast).collect()
}

/// Decided in the first round that an honest member guides (deciding.md, section 8).
fn game(n: usize) -> Game {
    Game {
        n,
        liars: Threshold::of(n).f,
        rivals: 2,
        guided: 1,
        shows: 1,
        behind: 1,
        most: 200_000,
    }
}

/// Plays with rivals and members in their order.
fn played(game: &Game, votes: &[Vote], offset: usize) -> Option<Played> {
    let rivals: Vec<_> = (0..game.rivals).collect();
    play(game, votes, offset, &rivals, &[0, 1, 2])
}

/// With which guide first the game is lost without the rule, and after how many positions.
fn lost_without(mutation: Mutation, game: &Game, votes: &[Vote]) -> (usize, usize) {
    let active = mutation.activate();
    let games = (0..game.n).map(|offset| {
        (
            offset,
            played(game, votes, offset).expect("all of the start counts"),
        )
    });
    let lost = games
        .inspect(|(_, p)| println!("without {mutation:?}: {p}"))
        .find(|(_, p)| p.lost.is_some());
    drop(active);
    let (offset, lost) =
        lost.unwrap_or_else(|| panic!("without {mutation:?} they decide all the same"));
    (offset, lost.positions)
}

/// Without the rule the game is lost, and with it the same game is not: in the short form not in twice as many positions.
fn stalls(mutation: Mutation, game: &Game, votes: &[Vote]) {
    let (offset, positions) = lost_without(mutation, game, votes);
    let most = if long() { game.most } else { 2 * positions };
    let with = played(
        &Game {
            most,
            ..game.clone()
        },
        votes,
        offset,
    )
    .expect("all of the start counts");
    println!("with {mutation:?}: {with}");
    assert!(
        with.lost.is_none() && with.decided > 0,
        "with {mutation:?} it is lost too: {with}"
    );
    assert!(with.whole || !long(), "with {mutation:?}: {with}");
}

/// A stall: no decision in the first rounds that honest members guide, so many. With all rules it takes one.
fn far() -> usize {
    if long() { 5 } else { 3 }
}

#[test]
fn without_the_guide() {
    stalls(
        Mutation::Guide,
        &Game {
            guided: far(),
            ..game(4)
        },
        &split(0, &[0, 1, 1]),
    );
}

#[test]
fn with_one_patience_for_all() {
    stalls(
        Mutation::TwoPatiences,
        &Game {
            guided: far(),
            ..game(4)
        },
        &split(0, &[0, 1, 1]),
    );
}

#[test]
fn without_telling() {
    let precommit = |member| Vote {
        member,
        phase: Phase::Precommit,
        rival: 0,
        round: 0,
    };
    let votes: Vec<_> = split(0, &[0, 0, 0])
        .into_iter()
        .chain([precommit(0)])
        .collect();
    stalls(Mutation::Telling, &game(4), &votes);
}

/// Votes that no quorum can come of any more, but only with the liar's own, which it shows to two of three: they go on, and
/// the third, who guides the round that they go to, is left behind.
#[test]
fn without_telling_of_votes() {
    stalls(
        Mutation::TellingOfVotes,
        &Game {
            rivals: 3,
            ..game(4)
        },
        &split(0, &[0, 1]),
    );
}

/// `a` jumps to round 1; the others cannot go there without it, nor it go back to them, and the liar is silent. With the
/// rule that vote does not count, and without it they decide.
#[test]
fn without_entering() {
    let votes = [Vote {
        member: 0,
        phase: Phase::Prevote,
        rival: 0,
        round: 1,
    }];
    let silent = Game {
        shows: 0,
        ..game(4)
    };
    let (offset, _) = lost_without(Mutation::Entering, &silent, &votes);
    assert!(
        played(&silent, &votes, offset).is_none(),
        "the vote counts with the rule too"
    );
    let with = played(&silent, &[], offset).unwrap();
    assert!(
        with.lost.is_none() && with.whole && with.decided > 0,
        "{with}"
    );
}

/// From every ledger that honest members can reach in one round, by whatever counts.
#[test]
fn they_decide() {
    let step = if long() { 1 } else { 3 };
    from_all(&game(4), &starts(4, 1, Way::Eager), step, 1);
}

/// The same, each with several orders of guides, rivals and members.
#[test]
fn they_decide_whoever_guides() {
    if long() {
        from_all(&game(4), &starts(4, 1, Way::Eager), 1, VARIANTS);
    }
}

#[test]
fn they_decide_after_two_rounds() {
    if long() {
        from_all(&game(4), &starts(4, 2, Way::Eager), 1, 1);
    }
}

#[test]
fn they_decide_after_withheld_prevotes() {
    if long() {
        from_all(&game(4), &starts(4, 1, Way::Turns), 1, 1);
    }
}

#[test]
fn they_decide_whatever_is_shown_twice_a_round() {
    if long() {
        from_all(
            &Game {
                shows: 2,
                most: 2_000_000,
                ..game(4)
            },
            &starts(4, 1, Way::Eager),
            60,
            1,
        );
    }
}

#[test]
fn they_decide_whatever_old_votes_are_shown() {
    if long() {
        from_all(
            &Game {
                behind: 4,
                ..game(4)
            },
            &starts(4, 2, Way::Eager),
            1,
            1,
        );
    }
}

#[test]
fn they_decide_between_three() {
    if long() {
        let game = Game {
            rivals: 3,
            most: 2_000_000,
            ..game(4)
        };
        from_all(&game, &starts_of(&game, 1, Way::Eager), 1, 1);
    }
}

#[test]
fn more_members_decide() {
    if long() {
        from_all(&game(5), &starts(5, 1, Way::Eager), 1, 1);
        from_all(&game(6), &starts(6, 1, Way::Eager), 7, 1);
        from_all(&game(7), &starts(7, 1, Way::Eager), 60, 1);
    }
}

/// So many of the orders are played from each start, spread over all.
const VARIANTS: usize = 12;

/// Plays from every `step`th start, with so many orders of guides, rivals and members, from another one on each time.
fn from_all(game: &Game, starts: &[Vec<Vote>], step: usize, orders: usize) {
    let variants = variants(game);
    let mut all = Played {
        whole: true,
        ..Played::default()
    };
    let mut games = 0;
    for (number, votes) in starts.iter().enumerate().step_by(step) {
        for turn in 0..orders {
            let place = number * 7 + turn * variants.len() / orders;
            let (offset, rivals, members) = &variants[place % variants.len()];
            let played =
                play(game, votes, *offset, rivals, members).expect("all of the start counts");
            assert!(
                played.lost.is_none() && played.whole,
                "{votes:?} {offset} {rivals:?} {members:?}: {played}"
            );
            games += 1;
            all.positions += played.positions;
            all.decided += played.decided;
            all.rounds = all.rounds.max(played.rounds);
            all.time += played.time;
        }
    }
    let Game {
        n,
        shows,
        rivals,
        behind,
        ..
    } = game;
    let starts = starts.len();
    println!(
        "n = {n}, {rivals} rivals, {shows} shows from {behind} behind, {starts} starts, every {step}th, {games} games: {all}"
    );
}
