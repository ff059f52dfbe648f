//! Simulates liars. A liar has its key and may know every signed entry, no matter who saw it. A
//! liar's entries are well formed, because all others are refused everywhere.

use std::collections::BTreeSet;

use git_quorum::charter::ProposedCharter;
use git_quorum::client::Clock;
use git_quorum::consensus::{Draft, Slot, Tally, parents_for};
use git_quorum::id::EntryId;
use git_quorum::ledger::{
    CharterProposal, EntryIndex, Prevote, Review, Statement, Verdict, Withdraw, limits,
};

use crate::archive::{No, Replica};
use crate::lab;
use crate::member::propose;
use crate::plan::{Fault, Manner, Task};
use crate::timeline::World;

/// A liar signs no more than so many entries, and proposes no more than so often: runs must end.
const MOST_ENTRIES: usize = 60;
const MOST_PROPOSALS: usize = 3;

/// One thing that a liar does.
pub fn act(world: &mut World, seat: usize) {
    let Some(Fault::Liar(manner)) = world.seats[seat].fault else {
        return;
    };
    if own_entries(world, seat).len() >= MOST_ENTRIES {
        return;
    }
    let manner = match manner {
        Manner::Anything => world.rng.pick(&Manner::ALL[1..8]),
        other => other,
    };
    match manner {
        Manner::Silent | Manner::Anything => {}
        Manner::BothWays => lead_two_lives(world, seat),
        Manner::Everything => vote_for_everything(world, seat),
        Manner::Selective => be_selective(world, seat),
        Manner::Flooding => flood(world, seat),
        Manner::OddParents => build_on_anything(world, seat),
        Manner::Resending => resend(world, seat),
        Manner::CharterChanger => change_charters(world, seat),
    }
}

fn own_entries(world: &World, seat: usize) -> Vec<No> {
    let name = &world.seats[seat].name;
    let entries = world.archive.minted.iter().enumerate().skip(1);
    entries
        .filter(|(_, minted)| minted.member == *name)
        .map(|(no, _)| no)
        .collect()
}

/// Signs an entry above these parents.
fn sign(
    world: &mut World,
    seat: usize,
    charter: EntryId,
    parents: &[No],
    statements: Vec<Statement>,
) -> Option<No> {
    let me = &world.seats[seat];
    let mut statements = statements;
    statements.truncate(limits::STATEMENTS);
    let minted = world.archive.mint(
        &me.name,
        charter,
        parents,
        statements,
        me.clock(world.now).entry_time(),
    );
    let no = world.publish(minted).ok()?;
    world.note(|w| format!("{} (liar) signs {}", w.seats[seat].name, w.tell_entry(no)));
    Some(no)
}

fn numbers(world: &World, tally: &Tally, parents: &[EntryIndex]) -> Vec<No> {
    parents
        .iter()
        .map(|p| world.archive.number(tally.dag().entry(*p).id))
        .collect()
}

/// A server, and one of its sides.
fn somewhere(world: &mut World) -> (usize, usize) {
    let server = world.rng.below(world.servers.len());
    let side = world.rng.below(world.servers[server].sides.len());
    (server, side)
}

fn everywhere(world: &World) -> Vec<(usize, usize)> {
    let sides = world.servers.iter().enumerate();
    sides
        .flat_map(|(server, s)| (0..s.sides.len()).map(move |side| (server, side)))
        .collect()
}

fn show(world: &mut World, seat: usize, (server, side): (usize, usize), no: No) {
    let member = world.seats[seat].member;
    world.force(server, side, vec![(member, no)]);
}

/// Approvals of everything that it has not approved.
fn approvals(
    tally: &Tally,
    name: &git_quorum::charter::MemberName,
    charter: EntryId,
) -> Vec<Statement> {
    let votes = tally
        .dag()
        .charter(charter)
        .is_some_and(|node| node.charter.votes(name));
    let new = |id: &EntryId| votes && !tally.approvers(charter, *id).contains(name);
    tally
        .proposals()
        .map(|p| p.id)
        .filter(new)
        .take(8)
        .map(lab::approve)
        .collect()
}

/// A random vote that counts after these statements; none if a few tries find none.
fn counting_vote(
    world: &mut World,
    seat: usize,
    tally: &Tally,
    charter: EntryId,
    parents: &[EntryIndex],
    said: &[Statement],
) -> Option<Statement> {
    let name = world.seats[seat].name.clone();
    let slots: BTreeSet<&Slot> = tally.proposals().map(|p| &p.slot).collect();
    let slots: Vec<_> = slots.into_iter().collect();
    if slots.is_empty() {
        return None;
    }
    for _ in 0..3 {
        let slot = world.rng.pick(&slots);
        let rivals: Vec<_> = tally.rivals(slot).map(|p| p.id).collect();
        let (proposal, round) = (
            world.rng.pick(&rivals),
            world.rng.below(world.top_round as usize + 2) as u32,
        );
        let vote = vote(world, tally, &name, charter, (proposal, round));
        let mut draft = Draft::new(tally, &name, charter, parents);
        let counts = said
            .iter()
            .cloned()
            .chain([vote.clone()])
            .all(|statement| draft.add(statement).is_ok());
        if counts {
            return Some(vote);
        }
    }
    None
}

fn vote(
    world: &mut World,
    tally: &Tally,
    name: &git_quorum::charter::MemberName,
    charter: EntryId,
    (proposal, round): (EntryId, u32),
) -> Statement {
    if world.rng.chance(50) {
        return Statement::Prevote(Prevote { proposal, round });
    }
    world
        .archive
        .precommit(tally, name, charter, (proposal, round))
}

/// On each server, and each side of one, it is another member, who has seen nothing of the other lives; there it votes
/// for whatever it can.
fn lead_two_lives(world: &mut World, seat: usize) {
    for (server, side) in everywhere(world) {
        let shown: Vec<_> = world.servers[server].sides[side]
            .values()
            .copied()
            .collect();
        let mut face = world.seats[seat]
            .faces
            .remove(&(server, side))
            .unwrap_or_else(|| Replica::new(&world.archive));
        shown
            .into_iter()
            .for_each(|no| face.take(&world.archive, no));
        if let Some(no) = vote_in(world, seat, &face.tally) {
            face.take(&world.archive, no);
            show(world, seat, (server, side), no);
        }
        world.seats[seat].faces.insert((server, side), face);
    }
}

/// Approves and votes, as far as that counts, above all that is known here.
fn vote_in(world: &mut World, seat: usize, tally: &Tally) -> Option<No> {
    let name = world.seats[seat].name.clone();
    let (charter, parents) = (tally.charter_in_force(), parents_for(tally, &name));
    let mut said = approvals(tally, &name, charter);
    for _ in 0..2 {
        said.extend(counting_vote(world, seat, tally, charter, &parents, &said));
    }
    if said.is_empty() {
        return None;
    }
    let parents = numbers(world, tally, &parents);
    sign(world, seat, charter, &parents, said)
}

/// Knows everything at once, and votes for each rival of a slot on a branch of its own, each for others to see.
fn vote_for_everything(world: &mut World, seat: usize) {
    let (tally, name) = (world.archive.union.clone(), world.seats[seat].name.clone());
    let charter = tally.charter_in_force();
    let parents = parents_for(&tally, &name);
    let slots: BTreeSet<&Slot> = tally.proposals().map(|p| &p.slot).collect();
    let slots: Vec<_> = slots
        .into_iter()
        .filter(|s| tally.chain(&s.subject).is_some_and(|c| c.next == **s))
        .collect();
    if slots.is_empty() {
        return;
    }
    let slot = world.rng.pick(&slots);
    let said = approvals(&tally, &name, charter);
    let round = world.rng.below(world.top_round as usize + 2) as u32;
    let precommits = world.rng.chance(50);
    let rivals: Vec<_> = tally.rivals(slot).map(|p| p.id).collect();
    let places = everywhere(world);
    let nos = numbers(world, &tally, &parents);
    for (branch, proposal) in rivals.into_iter().enumerate() {
        let vote = match precommits {
            true => world
                .archive
                .precommit(&tally, &name, charter, (proposal, round)),
            false => lab::prevote(proposal, round),
        };
        let said: Vec<_> = said.iter().cloned().chain([vote]).collect();
        let mut draft = Draft::new(&tally, &name, charter, &parents);
        if said
            .iter()
            .cloned()
            .all(|statement| draft.add(statement).is_ok())
            && let Some(no) = sign(world, seat, charter, &nos, said)
        {
            show(world, seat, places[branch % places.len()], no);
        }
    }
}

/// Does what is due, and pushes it to one place only.
fn be_selective(world: &mut World, seat: usize) {
    let (server, side) = somewhere(world);
    let shown: Vec<_> = world.servers[server].sides[side]
        .values()
        .copied()
        .collect();
    for no in shown {
        world.seats[seat].clones[0].take(&world.archive, no);
    }
    if !world.is_member(seat, 0) {
        return;
    }
    let likes = world
        .likes(seat, 0)
        .into_iter()
        .take(16)
        .map(lab::approve)
        .collect();
    // It may have said elsewhere what this does not go with.
    if let Some(no) = world.append_locally(seat, likes) {
        show(world, seat, (server, side), no);
    }
}

/// Reviews, withdrawals and votes for nothing, many of them.
fn flood(world: &mut World, seat: usize) {
    let (tally, name) = (world.archive.union.clone(), world.seats[seat].name.clone());
    let charter = tally.charter_in_force();
    let mut parents = numbers(world, &tally, &parents_for(&tally, &name));
    let proposals: Vec<_> = tally.proposals().map(|p| p.id).collect();
    if proposals.is_empty() {
        return;
    }
    for _ in 0..4 {
        let said: Vec<_> = (0..1 + world.rng.below(6))
            .map(|_| noise(world, &tally, &name, charter, &proposals))
            .collect();
        let Some(no) = sign(world, seat, charter, &parents, said) else {
            return;
        };
        parents = vec![no];
    }
    let place = somewhere(world);
    show(world, seat, place, parents[0]);
}

fn noise(
    world: &mut World,
    tally: &Tally,
    name: &git_quorum::charter::MemberName,
    charter: EntryId,
    proposals: &[EntryId],
) -> Statement {
    let proposal = world.rng.pick(proposals);
    match world.rng.below(4) {
        0 => {
            let verdict = world
                .rng
                .pick(&[Verdict::Approve, Verdict::Reject, Verdict::Abstain]);
            Statement::Review(Review {
                evidence: vec![],
                proposal,
                text: String::new(),
                verdict,
            })
        }
        1 => Statement::Withdraw(Withdraw { proposal }),
        _ => {
            let round = [0, 1, 2, 7, u32::MAX][world.rng.below(5)];
            vote(world, tally, name, charter, (proposal, round))
        }
    }
}

/// An entry above an end of its own, old or new, and whatever others have said at any time.
fn build_on_anything(world: &mut World, seat: usize) {
    let (tally, name) = (world.archive.union.clone(), world.seats[seat].name.clone());
    let own = own_entries(world, seat);
    let first = if own.is_empty() || world.rng.chance(10) {
        0
    } else {
        world.rng.pick(&own)
    };
    let mut parents = vec![first];
    for _ in 0..world.rng.below(5) {
        let no = world.rng.below(world.archive.minted.len());
        let is_own = world.archive.minted[no].member == name || no == 0;
        if !parents.contains(&no) && !is_own {
            parents.push(no);
        }
    }
    let charters: Vec<_> = tally
        .dag()
        .lineage(tally.charter_in_force())
        .map(|(id, _)| id)
        .collect();
    let charter = world.rng.pick(&charters);
    let indices: Vec<_> = parents
        .iter()
        .filter_map(|no| tally.dag().find(world.archive.minted[*no].id))
        .collect();
    let mut said = vec![];
    said.extend(counting_vote(world, seat, &tally, charter, &indices, &[]));
    if said.is_empty() {
        said = approvals(&tally, &name, charter);
    }
    if let Some(no) = sign(world, seat, charter, &parents, said) {
        let place = somewhere(world);
        show(world, seat, place, no);
    }
}

/// Sets its lane to an old end of it, or shows one that was kept back; and sends what others said long ago.
fn resend(world: &mut World, seat: usize) {
    let own = own_entries(world, seat);
    if own.len() < 2 || world.rng.chance(50) {
        let tally = world.archive.union.clone();
        if let Some(no) = vote_in(world, seat, &tally) {
            let place = somewhere(world);
            show(world, seat, place, no);
        }
        return;
    }
    let (place, no) = (somewhere(world), world.rng.pick(&own));
    show(world, seat, place, no);
    world.saw("old entries sent again");
    let other = 1 + world.rng.below(world.archive.minted.len() - 1);
    let lane = world.member(&world.archive.minted[other].member);
    world.send(seat, place.0, vec![(lane, other)]);
}

/// Proposes to change the charter, votes for that, and votes for other things beside that vote.
fn change_charters(world: &mut World, seat: usize) {
    let (tally, name) = (world.archive.union.clone(), world.seats[seat].name.clone());
    let charter = tally.charter_in_force();
    let parents = parents_for(&tally, &name);
    let nos = numbers(world, &tally, &parents);
    let mine = tally.proposals().filter(|p| p.proposer == name).count();
    if mine < MOST_PROPOSALS && world.rng.chance(40) {
        let Some(statement) = something_new(world, &tally, charter) else {
            return;
        };
        if let Some(no) = sign(world, seat, charter, &nos, vec![statement]) {
            let place = somewhere(world);
            show(world, seat, place, no);
        }
        return;
    }
    let said = approvals(&tally, &name, charter);
    for _ in 0..2 {
        let vote = counting_vote(world, seat, &tally, charter, &parents, &said);
        let said: Vec<_> = said.iter().cloned().chain(vote).collect();
        if said.is_empty() {
            return;
        }
        if let Some(no) = sign(world, seat, charter, &nos, said) {
            let place = somewhere(world);
            show(world, seat, place, no);
        }
    }
}

fn something_new(world: &mut World, tally: &Tally, charter: EntryId) -> Option<Statement> {
    if world.rng.chance(40) {
        let number = 100 + world.rng.below(60) as u8;
        return propose(tally, world.rng.below(world.plan.refs), number);
    }
    let member = world.rng.below(world.names.len());
    let task = world
        .rng
        .pick(&[Task::Welcome(member), Task::Remove(member), Task::Protect]);
    let next = world.changed(tally, &tally.dag().charter(charter)?.charter, task)?;
    let charter_proposal = CharterProposal {
        base: charter,
        charter: ProposedCharter::Known(Box::new(next)),
        text: String::new(),
        title: format!("a liar's {task:?}"),
    };
    Some(Statement::ProposeCharter(charter_proposal))
}
