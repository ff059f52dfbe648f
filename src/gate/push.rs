//! Judges a push in a repository, and moves what may move. Everything that cannot be read or checked is refused.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::bindings::Bindings;
use super::commands::Push;
use super::ground::{Ground, check_repository, read_ground, unavailable, unreadable, was_founded};
use super::links::Links;
use super::names::Names;
use super::ordinary;
use super::plan::{Plan, plan};
use super::proc_receive::{Answer, Ruling};
use super::refusal::{Refusal, RefusalCode};
use super::rules::{PushedRef, Scene, Verdict, is_ledger_name, named_twice, stray, together_with};
use super::says;
use crate::fault;
use crate::id::EntryId;
use crate::ledger::{LaneRef, LedgerRefs};
use crate::repo::{Objects, RefEdit, RefError, Repo};
use crate::store::Trust;

pub use super::ground::{AUTO_LAND_KEY, FOUNDED_KEY, LEDGER_KEY};

/// The setting that says how many seconds a push waits for the one before it.
pub const PATIENCE_KEY: &str = "quorum.gatePatience";

/// How long it waits when nothing is set.
const PATIENCE: Duration = Duration::from_secs(30);

/// Judges the push in the repository there, moves what the gate moves, and says what became of each ref.
pub fn rule(git_dir: &Path, push: &Push) -> Ruling {
    let opened = Repo::open(git_dir).map_err(|e| unreadable(&e));
    match opened.and_then(|repo| try_rule(&repo, push)) {
        Ok(ruling) => ruling,
        Err(refusal) => refuse_all(push, &refusal),
    }
}

fn refuse_all(push: &Push, refusal: &Refusal) -> Ruling {
    let answers = push.refs.iter().map(|_| refused(refusal)).collect();
    Ruling {
        answers,
        says: vec![says::whole(refusal)],
    }
}

/// What stands beside the ref: the code alone, for all else is told once.
fn refused(refusal: &Refusal) -> Answer {
    Answer::Refused(format!("gate: {}", refusal.code))
}

/// How often a push is judged again because others have moved the ledger meanwhile.
const ATTEMPTS: u32 = 5;

/// So many bytes of entries that others have moved meanwhile are taken in under the lock; twice as many each time that
/// the push comes again. About a thousand entries: what members say while a push is judged, and no flood.
const UNDER_LOCK: usize = if cfg!(debug_assertions) {
    1 << 16
} else {
    1 << 20
};

fn try_rule(repo: &Repo, push: &Push) -> Result<Ruling, Refusal> {
    let ledger = check_repository(repo)?;
    let links = links_of(repo, push)?;
    let bindings = Bindings::default();
    let read = || read_ground(repo, ledger, (push, &links), &bindings, Trust::Cache);
    for attempt in 0..ATTEMPTS {
        // What takes long is done before the lock, so that nobody need wait for it: signatures, and objects of proposals.
        // Else anyone could hold the lock with a long line of entries, or with trees that nobody can walk.
        bindings.open();
        let foreseen = read()?;
        if let Some(ground) = foreseen
            .as_ref()
            .filter(|ground| !ground.with_scene(|scene| can_move(repo, ground, scene)))
        {
            return ground
                .with_scene(|scene| settle(repo, push, ground, scene))
                .map(Option::unwrap_or_default);
        }
        fault::point("gate.unlocked");
        let lock = lock(repo)?;
        fault::point("gate.locked");
        bindings.close();
        let ground = match foreseen {
            Some(ground) => ground.renewed(repo, &links, UNDER_LOCK << attempt)?,
            None if was_founded(repo, &LedgerRefs::of(ledger))? => None,
            None => return Ok(before_genesis(push, ledger, &links)),
        };
        // What came is too much to be judged while others wait: the lock goes back, and all is read again.
        let Some(mut ground) = ground else { continue };
        if let Some(ruling) = ground.with_scene(|scene| settle(repo, push, &ground, scene))? {
            drop(lock);
            if ruling.answers.contains(&Answer::Moved) {
                ground.remember();
            }
            return Ok(ruling);
        }
    }
    Err(Refusal::new(
        RefusalCode::Busy,
        "other pushes changed what this one builds on, again and again",
        "push again",
    ))
}

/// Whether there is something for the gate to move, as far as can be told before the lock is had. Looks at all objects
/// that will be asked about under it.
fn can_move(repo: &Repo, ground: &Ground<'_>, scene: &Scene<'_>) -> bool {
    let verdicts = scene.judge();
    // An entry that is none stays none whatever others push, and lanes stand or fall together.
    if ground.has_bad_entries() {
        return verdicts.contains(&Verdict::Allow);
    }
    let _ = plan(scene, &verdicts, lands_by_itself(repo).unwrap_or(true));
    verdicts
        .iter()
        .any(|verdict| *verdict != Verdict::FallThrough)
}

/// What a push would get if it were judged now, without waiting for others and without leaving a trace.
pub(super) fn foresee(git_dir: &Path, push: &Push) -> Result<Vec<Verdict>, Refusal> {
    let repo = Repo::open(git_dir).map_err(|e| unreadable(&e))?;
    let ledger = check_repository(&repo)?;
    let links = links_of(&repo, push)?;
    let bindings = Bindings::default();
    Ok(
        match read_ground(
            &repo,
            ledger,
            (push, &links),
            &bindings,
            Trust::CacheReadOnly,
        )? {
            Some(ground) => ground.with_scene(|scene| scene.judge()),
            None => judge_unfounded(push, ledger, &links),
        },
    )
}

fn links_of(repo: &Repo, push: &Push) -> Result<Links, Refusal> {
    Links::among(repo, push.raw_names()).map_err(|e| unreadable(&e))
}

/// One push at a time: so that the second of two that together decide sees the first.
fn lock(repo: &Repo) -> Result<File, Refusal> {
    let failed = |error: std::io::Error| {
        let help = "whoever runs the server must let its user write all of the repository";
        unavailable(
            format!("the gate's lock, quorum/gate.lock, cannot be had: {error}"),
            help,
        )
    };
    let folder = repo.git_dir().join("quorum");
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let options = || {
        File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("gate.lock"))
    };
    let file = options().map_err(failed)?;
    let patience = patience(repo)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if start.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                let reason = format!(
                    "other pushes are being judged, and this one waited {} s",
                    patience.as_secs()
                );
                return Err(Refusal::new(RefusalCode::Busy, reason, "push again"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn patience(repo: &Repo) -> Result<Duration, Refusal> {
    let Some(text) = repo.config(PATIENCE_KEY).map_err(|e| unreadable(&e))? else {
        return Ok(PATIENCE);
    };
    let bad = |_| {
        unavailable(
            format!("{PATIENCE_KEY} is {text:?}, which is no number of seconds"),
            "whoever runs the server must correct it",
        )
    };
    text.parse().map(Duration::from_secs).map_err(bad)
}

fn before_genesis(push: &Push, ledger: EntryId, links: &Links) -> Ruling {
    let mut verdicts = judge_unfounded(push, ledger, links);
    if push.atomic {
        all_or_none(&push.refs, &mut verdicts);
    }
    put_together(push, &verdicts, Vec::new())
}

/// Before the genesis is here nothing is protected, and nothing of the ledger is taken.
fn judge_unfounded(push: &Push, ledger: EntryId, links: &Links) -> Vec<Verdict> {
    let (refs, names, twice) = (
        LedgerRefs::of(ledger),
        Names::new([], links),
        push.named_twice(),
    );
    let judge = |(place, pushed): (usize, &PushedRef)| match twice.contains(&place) {
        true => Err(named_twice()),
        false if is_ledger_name(&pushed.name) => Err(no_genesis(&refs, ledger, &pushed.name)),
        false => names.judge_link(&pushed.name).and_then(|()| {
            names.judge_other(&pushed.name, pushed.old.is_none(), pushed.new.is_none())
        }),
    };
    push.refs
        .iter()
        .enumerate()
        .map(|it| judge(it).map_or_else(Verdict::Refuse, |()| Verdict::FallThrough))
        .collect()
}

fn no_genesis(refs: &LedgerRefs, ledger: EntryId, name: &str) -> Refusal {
    match refs.read(name) {
        Some(LaneRef::Genesis) => {
            let reason = format!(
                "it is not the genesis of ledger {}, which this server has pinned",
                ledger.short()
            );
            Refusal::new(
                RefusalCode::BadGenesis,
                reason,
                format!("push the genesis whose id is {ledger}"),
            )
        }
        Some(LaneRef::Lane(_) | LaneRef::Proposal(_)) => {
            let help = format!("push {} first, or with it", refs.genesis());
            Refusal::new(
                RefusalCode::NoGenesis,
                "the ledger has no genesis here yet",
                help,
            )
        }
        _ => stray(refs, name),
    }
}

/// Moves what may move, and puts the answers together. None if it hangs on proposals whose objects were not looked at: then
/// nothing has moved.
fn settle(
    repo: &Repo,
    push: &Push,
    ground: &Ground<'_>,
    scene: &Scene<'_>,
) -> Result<Option<Ruling>, Refusal> {
    let mut verdicts = scene.judge();
    fault::point("gate.judged");
    let mixed = push.atomic
        && verdicts
            .iter()
            .any(|verdict| *verdict != Verdict::FallThrough);
    if mixed {
        take_others(repo, ground.objects(), push, scene, &mut verdicts);
        all_or_none(&push.refs, &mut verdicts);
    }
    let mut says = Vec::new();
    if verdicts.contains(&Verdict::Allow) {
        match carry_out(repo, ground.bindings(), scene, &verdicts) {
            Ok(Some(told)) => says.extend(told),
            Ok(None) => return Ok(None),
            Err(refusal) => refuse_allowed(&mut verdicts, &refusal),
        }
    }
    Ok(Some(put_together(push, &verdicts, says)))
}

/// In an atomic push the gate moves the others as well, if Git would.
fn take_others(
    repo: &Repo,
    objects: &Objects,
    push: &Push,
    scene: &Scene<'_>,
    verdicts: &mut [Verdict],
) {
    if verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Refuse(_)))
    {
        return;
    }
    for (place, (pushed, verdict)) in push.refs.iter().zip(verdicts).enumerate() {
        if *verdict == Verdict::FallThrough {
            let checked = match push.is_text(place) {
                // Git would move what it leads to.
                true if scene.links.contains(&pushed.name) => {
                    Err(by_itself("it is a symbolic ref here"))
                }
                true => scene
                    .is_current(pushed)
                    .and_then(|()| ordinary::check(repo, objects, pushed)),
                false => Err(by_itself("the name is no text")),
            };
            *verdict = checked.map_or_else(Verdict::Refuse, |()| Verdict::Allow);
        }
    }
}

fn by_itself(reason: &str) -> Refusal {
    Refusal::new(RefusalCode::ServerSetting, reason, "push it by itself")
}

fn all_or_none(pushed: &[PushedRef], verdicts: &mut [Verdict]) {
    let refused = pushed
        .iter()
        .zip(verdicts.iter())
        .find(|(_, verdict)| matches!(verdict, Verdict::Refuse(_)));
    let Some(name) = refused.map(|(pushed, _)| &pushed.name) else {
        return;
    };
    for verdict in verdicts
        .iter_mut()
        .filter(|verdict| !matches!(verdict, Verdict::Refuse(_)))
    {
        *verdict = Verdict::Refuse(together_with(name));
    }
}

fn refuse_allowed(verdicts: &mut [Verdict], refusal: &Refusal) {
    for verdict in verdicts
        .iter_mut()
        .filter(|verdict| **verdict == Verdict::Allow)
    {
        *verdict = Verdict::Refuse(refusal.clone());
    }
}

fn lands_by_itself(repo: &Repo) -> Result<bool, Refusal> {
    Ok(repo
        .config(AUTO_LAND_KEY)
        .map_err(|e| unreadable(&e))?
        .is_some_and(|value| value == "true"))
}

/// Moves everything in one transaction, and says what moved by itself; none if objects were not looked at that count.
fn carry_out(
    repo: &Repo,
    bindings: &Bindings,
    scene: &Scene<'_>,
    verdicts: &[Verdict],
) -> Result<Option<Vec<String>>, Refusal> {
    let full = plan(scene, verdicts, lands_by_itself(repo)?);
    if !bindings.suffice() {
        return Ok(None);
    }
    mark_founded(repo)?;
    fault::point("gate.marked");
    match transact(repo, &full.edits) {
        Ok(()) => Ok(Some(told(&full))),
        Err(refusal) if full.landings.is_empty() => Err(refusal),
        Err(first) => {
            // A landing that fails must not hold up the entries that decided it.
            transact(repo, &plan(scene, verdicts, false).edits)?;
            let names: Vec<_> = full
                .landings
                .iter()
                .map(|landing| landing.name.as_str())
                .collect();
            let said = format!(
                "decided, but could not move {}: {}",
                names.join(", "),
                first.reason
            );
            Ok(Some(vec![says::fitted(&said)]))
        }
    }
}

/// Remembers that there is a ledger, before there is: so that a genesis that is lost is missed.
fn mark_founded(repo: &Repo) -> Result<(), Refusal> {
    match repo.config(FOUNDED_KEY) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => repo
            .set_config(FOUNDED_KEY, "true")
            .map_err(|e| unreadable(&e)),
        Err(error) => Err(unreadable(&error)),
    }
}

fn transact(repo: &Repo, edits: &[RefEdit]) -> Result<(), Refusal> {
    repo.transaction(edits).map_err(|error| match error {
        RefError::Conflict { .. } => Refusal::new(
            RefusalCode::Stale,
            error.to_string(),
            "fetch, and push again",
        ),
        RefError::Locked { .. } => {
            Refusal::new(RefusalCode::Conflict, error.to_string(), "push again")
        }
        RefError::Refused { .. } => Refusal::new(RefusalCode::Conflict, error.to_string(), ""),
        RefError::Other(error) => unreadable(&error),
    })
}

fn told(plan: &Plan) -> Vec<String> {
    let landed = plan.landings.iter().map(|landing| {
        let to = super::rules::show(landing.to);
        format!(
            "landed {} at {to}, by decision {}",
            landing.name,
            landing.decision.short()
        )
    });
    let held_up = plan
        .held_up
        .iter()
        .map(|what| format!("decided, but {what}"));
    landed
        .chain(held_up)
        .map(|text| says::fitted(&text))
        .collect()
}

fn put_together(push: &Push, verdicts: &[Verdict], mut says: Vec<String>) -> Ruling {
    let answers = verdicts.iter().map(|verdict| match verdict {
        Verdict::Allow => Answer::Moved,
        Verdict::FallThrough => Answer::FallThrough,
        Verdict::Refuse(refusal) => refused(refusal),
    });
    says.extend(says::refusals(push, verdicts));
    Ruling {
        answers: answers.collect(),
        says,
    }
}
