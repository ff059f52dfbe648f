//! Checks the promises that hold in every run. Reads tallies only through their public interface.

use std::collections::{BTreeMap, BTreeSet};

use git_quorum::charter::{MemberName, Threshold};
use git_quorum::consensus::{DiscountReason, Evidence, Slot, Subject, Tally};
use git_quorum::id::EntryId;
use git_quorum::ledger::Statement;

use crate::archive::Replica;
use crate::member::Seat;
use crate::timeline::{Violation, World};

/// Checks that each slot has at most one decision if no more than f members are faulty.
pub fn agreement(world: &World) -> Result<(), Violation> {
    match world.archive.union.broken_slots().next() {
        Some(slot) if !world.plan.hopeless() => {
            let decided: Vec<_> = world
                .archive
                .union
                .decided_in(slot)
                .iter()
                .map(|id| world.archive.number(*id))
                .collect();
            Err(Violation::new(
                "agreement",
                format!("{} is decided as e{decided:?}", slot.subject),
            ))
        }
        _ => Ok(()),
    }
}

/// Runs all checks at the end of a run.
pub fn at_end(world: &mut World) -> Result<(), Violation> {
    honest_votes_count(world)?;
    let evidence = world.archive.union.evidence();
    nobody_honest_is_convicted(world, &evidence)?;
    every_decision_is_approved(world)?;
    for seat in &world.seats {
        for replica in seat.clones.iter().chain(seat.faces.values()) {
            agrees(world, replica)?;
        }
    }
    if world.plan.seed.is_multiple_of(8) || world.plan.signed {
        order_does_not_matter(world, &evidence)?;
    }
    if world.plan.hopeless() {
        broken_slots_name_their_breakers(world, &evidence)?;
    }
    note_what_happened(world, &evidence);
    Ok(())
}

fn honest_votes_count(world: &World) -> Result<(), Violation> {
    let (dag, honest) = (world.archive.union.dag(), world.honest());
    let mut bad = world
        .archive
        .union
        .discounted()
        .iter()
        .filter(|d| honest.contains(&dag.entry(d.place.entry).member));
    match bad.next() {
        Some(d) => {
            let entry = world.archive.number(dag.entry(d.place.entry).id);
            Err(Violation::new(
                "honest votes count",
                format!("e{entry} {}: {}", d.place.statement, d.discount.reason),
            ))
        }
        None => Ok(()),
    }
}

fn nobody_honest_is_convicted(world: &World, evidence: &[Evidence]) -> Result<(), Violation> {
    let honest = world.honest();
    match evidence.iter().find(|e| honest.contains(&e.member)) {
        Some(e) => {
            let entries = e.entries.map(|id| world.archive.number(id));
            Err(Violation::new(
                "no honest conviction",
                format!(
                    "{}: {} by e{entries:?}",
                    e.member,
                    git_quorum::wording::fault_kind(e.rule.into())
                ),
            ))
        }
        None => Ok(()),
    }
}

/// Checks that every decision has q approvals under the charter at which its chain of hand-overs
/// started.
fn every_decision_is_approved(world: &World) -> Result<(), Violation> {
    let union = &world.archive.union;
    for proposal in union.proposals() {
        let Some(decision) = union.decision(proposal.id) else {
            continue;
        };
        let mut lineage = union.dag().lineage(decision.charter);
        let enough = lineage
            .any(|(id, node)| union.approvers(id, proposal.id).len() >= node.charter.threshold().q);
        if !enough {
            let no = world.archive.number(proposal.id);
            return Err(Violation::new(
                "validity",
                format!("e{no} is decided without q approvals"),
            ));
        }
    }
    Ok(())
}

type Verdicts = BTreeSet<(EntryId, usize, DiscountReason, String)>;

fn verdicts(tally: &Tally, among: &Tally) -> Verdicts {
    let found = tally
        .discounted()
        .iter()
        .map(|d| (tally.dag().entry(d.place.entry).id, d));
    let known = found.filter(|(id, _)| among.dag().find(*id).is_some());
    known
        .map(|(id, d)| {
            (
                id,
                d.place.statement,
                d.discount.reason,
                d.discount.detail.clone(),
            )
        })
        .collect()
}

/// Checks that all replicas give the same verdicts, and that no decision is lost when all entries
/// are known.
pub fn agrees(world: &World, replica: &Replica) -> Result<(), Violation> {
    let (union, tally) = (&world.archive.union, &replica.tally);
    let (here, there) = (verdicts(tally, tally), verdicts(union, tally));
    if let Some((id, statement, reason, _)) = here.symmetric_difference(&there).next() {
        let no = world.archive.number(*id);
        return Err(Violation::new(
            "one verdict",
            format!("e{no} {statement}: {reason} for some only"),
        ));
    }
    match tally
        .proposals()
        .find(|p| tally.is_decided(p.id) && !union.is_decided(p.id))
    {
        Some(p) => Err(Violation::new(
            "monotonicity",
            format!("e{} was decided", world.archive.number(p.id)),
        )),
        None => Ok(()),
    }
}

/// Checks that the same entries, added in another order, give the same tally.
fn order_does_not_matter(world: &mut World, evidence: &[Evidence]) -> Result<(), Violation> {
    let World { archive, rng, .. } = world;
    let (union, other) = (&archive.union, archive.again(|n| rng.below(n)));
    let decisions = |tally: &Tally| {
        tally
            .proposals()
            .filter_map(|p| tally.decision(p.id))
            .collect::<Vec<_>>()
    };
    let same = verdicts(union, union) == verdicts(&other, &other)
        && decisions(union) == decisions(&other)
        && union.broken_slots().eq(other.broken_slots())
        && union.charter_in_force() == other.charter_in_force()
        && evidence == other.evidence();
    if same {
        Ok(())
    } else {
        Err(Violation::new(
            "one verdict",
            "another order of arrival gives another tally",
        ))
    }
}

/// Checks that at least 2q - n members are convicted for a slot with two decisions.
fn broken_slots_name_their_breakers(
    world: &mut World,
    evidence: &[Evidence],
) -> Result<(), Violation> {
    let union = &world.archive.union;
    let broken: Vec<_> = union.broken_slots().cloned().collect();
    for slot in &broken {
        let charters: Vec<_> = union
            .decided_in(slot)
            .iter()
            .filter_map(|id| Some(union.decision(*id)?.charter))
            .collect();
        let in_line = |a: EntryId, b: EntryId| union.dag().lineage(a).any(|(id, _)| id == b);
        let apart = charters.iter().any(|a| {
            charters
                .iter()
                .any(|b| !in_line(*a, *b) && !in_line(*b, *a))
        });
        // Under charters that both follow one, it is the slot of the charter that was broken.
        if apart && broken.iter().any(|slot| slot.subject == Subject::Charter) {
            continue;
        }
        let least = charters
            .iter()
            .filter_map(|id| Some(union.dag().charter(*id)?.charter.threshold().culprits()))
            .min();
        let named: BTreeSet<&MemberName> = evidence
            .iter()
            .filter(|e| e.slot == slot.id())
            .map(|e| &e.member)
            .collect();
        if named.len() < least.unwrap_or(0) {
            let what = format!(
                "{}: {} of {} named",
                slot.subject,
                named.len(),
                least.unwrap_or(0)
            );
            return Err(Violation::new("accountability", what));
        }
    }
    if !broken.is_empty() {
        world.saw("agreement broken by more than f");
    }
    Ok(())
}

/// Chains of decisions, as a tally has them. Subjects without one do not count: of those a liar can show each member others.
fn chains(tally: &Tally) -> BTreeMap<Subject, Vec<EntryId>> {
    let chain = |subject: &Subject| Some((subject.clone(), tally.chain(subject)?.decided));
    tally
        .subjects()
        .filter_map(chain)
        .filter(|(_, decided)| !decided.is_empty())
        .collect()
}

/// A voter whose tool may sign.
fn votes(seat: &Seat) -> bool {
    let tally = &seat.clones[0].tally;
    let charter = tally.dag().charter(tally.charter_in_force());
    seat.fault.is_none()
        && !seat.behind
        && charter.is_some_and(|node| node.charter.votes(&seat.name))
}

/// Why a seat has not come to rest, if it has not.
fn unrest(world: &World, seat: &Seat) -> Option<String> {
    if let Some(intent) = seat.intents.first() {
        return Some(format!("is yet to do {:?}", intent.task));
    }
    let mut open = seat.clones.iter().flat_map(|c| {
        let wanted = c.tally.proposals().filter(|p| world.is_wanted(&c.tally, p));
        wanted.map(|p| {
            format!(
                "e{} of {} is open",
                world.archive.number(p.id),
                p.slot.subject
            )
        })
    });
    open.next()
}

/// Returns whether every proposal of honest members is decided, and all of them know it.
pub fn settled(world: &World) -> bool {
    let voters: Vec<_> = world.seats.iter().filter(|seat| votes(seat)).collect();
    let restless = voters.iter().any(|seat| unrest(world, seat).is_some());
    let mut known = voters
        .iter()
        .flat_map(|seat| &seat.clones)
        .map(|clone| chains(&clone.tally));
    let first = known.next();
    !restless && known.all(|other| Some(other) == first)
}

/// What to say of a run that did not come to rest in time.
pub fn stuck(world: &mut World) -> Result<(), Violation> {
    let Some(charter) = world
        .archive
        .union
        .dag()
        .charter(world.archive.union.charter_in_force())
    else {
        return Ok(());
    };
    let q = charter.charter.threshold().q;
    if world.seats.iter().any(|seat| seat.behind)
        && world.seats.iter().filter(|seat| votes(seat)).count() < q
    {
        // A machine whose clone was lost, with what only a liar's entry led to, may not sign: it counts as a faulty one.
        world.saw("too many machines behind their sign states");
        return Ok(());
    }
    let why = world.seats.iter().filter(|seat| votes(seat)).map(|seat| {
        format!(
            "{}: {}",
            seat.name,
            unrest(world, seat).unwrap_or_else(|| format!("{:?}", chains(&seat.clones[0].tally)))
        )
    });
    Err(Violation::new(
        "progress",
        why.collect::<Vec<_>>().join("; "),
    ))
}

/// Counts what the schedule was for.
fn note_what_happened(world: &mut World, evidence: &[Evidence]) {
    use crate::plan::Fault;
    let is_twin =
        |e: &Evidence| world.plan.faulty.get(&world.member(&e.member)) == Some(&Fault::Twin);
    let (twins, liars) = (
        evidence.iter().any(is_twin),
        evidence.iter().any(|e| !is_twin(e)),
    );
    let union = &world.archive.union;
    let longest = chains(union).values().map(Vec::len).max().unwrap_or(0);
    let (charters, round) = (union.charter_chain().decided.len(), last_round(union));
    let facts = [
        (twins, "twin convicted"),
        (liars, "liar convicted"),
        (charters > 0, "charter changed"),
        (charters > 1, "charter changed twice"),
        (
            charters > 0 && is_handed_over(union),
            "decision after a hand-over",
        ),
        (round > 0, "rounds above 0"),
        (round > 2, "rounds above 2"),
        (round > 4, "rounds above 4"),
        (longest > 1, "chain of decisions"),
        (
            !union.discounted().is_empty(),
            "statement that does not count",
        ),
        (world.plan.n >= 20, "twenty members or more"),
        (world.plan.signed, "signed for real"),
        (world.plan.hopeless(), "more than f faulty"),
    ];
    facts
        .into_iter()
        .filter(|(happened, _)| *happened)
        .for_each(|(_, what)| world.saw(what));
}

/// The highest round in which a vote counts.
pub fn last_round(union: &Tally) -> u32 {
    let rounds = union
        .proposals()
        .filter_map(|p| union.report(p.id))
        .flat_map(|report| report.rounds);
    rounds.map(|round| round.round).max().unwrap_or(0)
}

/// Whether a slot was decided under one charter after a prevote quorum under an earlier one.
fn is_handed_over(union: &Tally) -> bool {
    let mut prevotes: BTreeMap<(EntryId, EntryId, u32), BTreeSet<&MemberName>> = BTreeMap::new();
    for (_, entry) in union.dag().entries() {
        for statement in &entry.statements {
            if let Statement::Prevote(vote) = statement {
                prevotes
                    .entry((entry.charter, vote.proposal, vote.round))
                    .or_default()
                    .insert(&entry.member);
            }
        }
    }
    let quorum = |charter: EntryId| {
        union
            .dag()
            .charter(charter)
            .map_or(Threshold::of(1), |n| n.charter.threshold())
            .q
    };
    let slot_of = |id: EntryId| union.proposal(id).map(|p| p.slot.clone());
    prevotes
        .iter()
        .filter(|((charter, ..), who)| who.len() >= quorum(*charter))
        .any(|((charter, proposal, _), _)| {
            let Some(slot) =
                slot_of(*proposal).filter(|slot: &Slot| slot.subject != Subject::Charter)
            else {
                return false;
            };
            let later = |id: &EntryId| union.decision(*id).is_some_and(|d| d.charter != *charter);
            union.decided_in(&slot).iter().any(later)
        })
}
