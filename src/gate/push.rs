//! Judges a push in a repository, and moves what may move. Everything that cannot be read or checked is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use super::ordinary;
use super::plan::{Plan, plan};
use super::proc_receive::{Answer, Push, Ruling};
use super::refusal::{Refusal, RefusalCode};
use super::rules::{PushedRef, Scene, Verdict, broken_slots, is_ledger_name, stray, together_with};
use crate::charter::Charter;
use crate::consensus::Slot;
use crate::fault;
use crate::id::{EntryId, Oid};
use crate::ledger::{EntryIndex, RefProposal};
use crate::repo::{ObjectKind, Objects, RefEdit, RefError, Repo, RepoError};
use crate::store::{LaneProblem, LaneRef, LedgerRefs, LoadError, Loaded, Trust, check_binding, load, load_unfounded};

/// The setting that pins the ledger.
pub const LEDGER_KEY: &str = "quorum.ledger";
/// The setting that lets decided refs move by themselves.
pub const AUTO_LAND_KEY: &str = "quorum.autoLand";
/// The setting that says that the genesis has been here.
pub const FOUNDED_KEY: &str = "quorum.founded";

/// The setting that says how many seconds a push waits for the one before it.
pub const PATIENCE_KEY: &str = "quorum.gatePatience";

/// How long it waits when nothing is set.
const PATIENCE: Duration = Duration::from_secs(30);
/// More refs than this are listed all together rather than by name.
const BY_NAME: usize = 100;

/// What the refs of a push are judged by, read from the repository.
struct Ground {
    loaded: Loaded,
    before: Option<Charter>,
    broken_before: BTreeSet<Slot>,
    values: BTreeMap<String, Oid>,
    taken: BTreeMap<String, Result<EntryIndex, LaneProblem>>,
}

/// Judges the push, moves what the gate moves, and says what became of each ref.
pub fn rule(repo: &Repo, push: &Push) -> Ruling {
    match try_rule(repo, push) {
        Ok(ruling) => ruling,
        Err(refusal) => refuse_all(push, &refusal),
    }
}

fn refuse_all(push: &Push, refusal: &Refusal) -> Ruling {
    let answers = push.refs.iter().map(|_| Answer::Refused(refusal.to_string())).collect();
    Ruling { answers, says: vec![explain(None, refusal)] }
}

/// A refusal for people.
fn explain(name: Option<&str>, refusal: &Refusal) -> String {
    let subject = name.map(|name| format!("{name}: ")).unwrap_or_default();
    let help = if refusal.help.is_empty() { String::new() } else { format!("\n{}", refusal.help) };
    format!("{subject}{refusal}{}", help.replace('\n', "\n  "))
}

fn try_rule(repo: &Repo, push: &Push) -> Result<Ruling, Refusal> {
    check_repository(repo)?;
    let ledger = pinned(repo)?;
    let refs = LedgerRefs::of(ledger);
    let is_lane = |pushed: &PushedRef| matches!(refs.read(&pushed.name), Some(LaneRef::Lane(_)));
    if push.refs.iter().any(is_lane) {
        // An entry that is none stays none whatever others push, so nobody need wait while it is found out:
        // else anyone could hold the lock with a long line of forged ones. What is good is remembered.
        let ground = read_ground(repo, ledger, &push.refs)?;
        if let Some(ground) = ground.filter(|ground| ground.taken.values().any(Result::is_err)) {
            return judge(repo, push, &ground);
        }
    }
    fault::point("gate.unlocked");
    let _lock = lock(repo)?;
    fault::point("gate.locked");
    match read_ground(repo, ledger, &push.refs)? {
        Some(ground) => judge(repo, push, &ground),
        None => Ok(before_genesis(push, ledger)),
    }
}

fn judge(repo: &Repo, push: &Push, ground: &Ground) -> Result<Ruling, Refusal> {
    let check = |proposal: &RefProposal| check_objects(&ground.loaded, proposal);
    let scene = Scene {
        before: ground.before.as_ref(),
        broken_before: &ground.broken_before,
        tally: &ground.loaded.tally,
        refs: &ground.loaded.refs,
        values: &ground.values,
        pushed: &push.refs,
        taken: &ground.taken,
        check: &check,
    };
    let verdicts = scene.judge();
    fault::point("gate.judged");
    settle(repo, push, &scene, verdicts, ground.loaded.objects())
}

fn unavailable(what: impl Into<String>, help: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::Unavailable, what, help)
}

fn unreadable(error: &RepoError) -> Refusal {
    unavailable(error.to_string(), "nothing is taken that cannot be checked; whoever runs the server must look into it")
}

fn check_repository(repo: &Repo) -> Result<(), Refusal> {
    if std::env::var_os("GIT_NAMESPACE").is_some_and(|name| !name.is_empty()) {
        return Err(unavailable("GIT_NAMESPACE is set: refs would not be what they seem", "push without a namespace"));
    }
    if repo.is_shallow() {
        return Err(unavailable("this server's repository is shallow", "whoever runs it must unshallow it"));
    }
    if repo.is_partial().map_err(|e| unreadable(&e))? {
        return Err(unavailable("this server's repository is a partial clone", "whoever runs it must complete it"));
    }
    Ok(())
}

fn pinned(repo: &Repo) -> Result<EntryId, Refusal> {
    let text = repo.config(LEDGER_KEY).map_err(|e| unreadable(&e))?;
    let pinned = text.and_then(|text| text.parse().ok());
    let help = "whoever runs the server must install the gate: git quorum install --server --genesis ID";
    pinned.ok_or_else(|| unavailable(format!("no ledger is pinned here ({LEDGER_KEY})"), help))
}

/// One push at a time: so that the second of two that together decide sees the first.
fn lock(repo: &Repo) -> Result<File, Refusal> {
    let failed = |error: std::io::Error| unavailable(format!("the gate's lock cannot be had: {error}"), "push again");
    let folder = repo.git_dir().join("quorum");
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let options = || File::options().write(true).create(true).truncate(false).open(folder.join("gate.lock"));
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
                let reason = format!("other pushes are being judged, and this one waited {} s", patience.as_secs());
                return Err(Refusal::new(RefusalCode::Busy, reason, "push again"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn patience(repo: &Repo) -> Result<Duration, Refusal> {
    let Some(text) = repo.config(PATIENCE_KEY).map_err(|e| unreadable(&e))? else { return Ok(PATIENCE) };
    let bad = |_| {
        unavailable(
            format!("{PATIENCE_KEY} is {text:?}, which is no number of seconds"),
            "whoever runs the server must correct it",
        )
    };
    text.parse().map(Duration::from_secs).map_err(bad)
}

/// Reads the ledger, and takes in the push's entries. None before the genesis.
fn read_ground(repo: &Repo, ledger: EntryId, pushed: &[PushedRef]) -> Result<Option<Ground>, Refusal> {
    let Some((mut loaded, founded)) = read_ledger(repo, ledger, pushed)? else { return Ok(None) };
    if let Some(problem) = loaded.problems.first() {
        let what = format!("{} on the server is damaged: {}", problem.name, problem.reject);
        return Err(unavailable(what, "whoever runs the server must repair it: git quorum verify"));
    }
    let in_force = loaded.tally.dag().charter(loaded.tally.charter_in_force());
    let before = in_force.filter(|_| founded).map(|node| node.charter.clone());
    let broken_before = broken_slots(&loaded.tally);
    let taken = take_in(&mut loaded, pushed).map_err(|e| unreadable(&e))?;
    loaded.save_cache();
    if let Some(version) = loaded.tally.upgrade_needed() {
        return Err(upgrade(&LoadError::UpgradeNeeded(version)));
    }
    let mut ground = Ground { loaded, before, broken_before, values: BTreeMap::new(), taken };
    ground.values = read_values(repo, &ground, pushed).map_err(|e| unreadable(&e))?;
    Ok(Some(ground))
}

/// The ledger, and whether it was founded before this push.
fn read_ledger(repo: &Repo, ledger: EntryId, pushed: &[PushedRef]) -> Result<Option<(Loaded, bool)>, Refusal> {
    match load(repo, ledger, Trust::Cache) {
        Ok(loaded) => return Ok(Some((loaded, true))),
        Err(LoadError::NoLedger) => {}
        Err(error @ LoadError::UpgradeNeeded(_)) => return Err(upgrade(&error)),
        Err(error) => return Err(unavailable(error.to_string(), "whoever runs the server must look into it")),
    }
    let refs = LedgerRefs::of(ledger);
    let genesis = pushed.iter().find(|p| p.name == refs.genesis()).and_then(|p| p.new);
    match genesis.map(|oid| load_unfounded(repo, ledger, oid)) {
        Some(Ok(loaded)) => Ok(Some((loaded, false))),
        // Nothing is protected yet, or it was and cannot be told: a wrong genesis changes neither.
        _ if was_founded(repo, &refs)? => {
            let what = format!("the genesis of ledger {} was here and is gone", ledger.short());
            let help = format!("whoever runs the server must restore {}, or push it again", refs.genesis());
            Err(unavailable(what, help))
        }
        _ => Ok(None),
    }
}

fn was_founded(repo: &Repo, refs: &LedgerRefs) -> Result<bool, Refusal> {
    let there = || Ok(repo.config(FOUNDED_KEY)?.is_some() || !repo.list(&[refs.prefix()])?.is_empty());
    there().map_err(|e: RepoError| unreadable(&e))
}

fn upgrade(error: &LoadError) -> Refusal {
    let help = "whoever runs the server must install a newer git-quorum";
    Refusal::new(RefusalCode::UpgradeNeeded, error.to_string(), help)
}

type Taken = BTreeMap<String, Result<EntryIndex, LaneProblem>>;

/// Takes in what the pushed lanes lead to.
fn take_in(loaded: &mut Loaded, pushed: &[PushedRef]) -> Result<Taken, RepoError> {
    let mut taken = BTreeMap::new();
    for PushedRef { name, new, .. } in pushed {
        if let (Some(LaneRef::Lane(owner)), Some(tip)) = (loaded.refs.read(name), new) {
            taken.insert(name.clone(), loaded.take_lane(name, *tip, &owner)?);
        }
    }
    Ok(taken)
}

/// The values of the ledger's refs, of the pushed ones, and of those that decisions are about.
fn read_values(repo: &Repo, ground: &Ground, pushed: &[PushedRef]) -> Result<BTreeMap<String, Oid>, RepoError> {
    let proposed = ground.loaded.tally.proposals().map(|p| p.slot.subject.to_string());
    let names: BTreeSet<String> = proposed.chain(pushed.iter().map(|p| p.name.clone())).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|n| crate::repo::valid_ref_name(n)).collect();
    let listed = match names.len() {
        0 => BTreeMap::new(),
        1..=BY_NAME => repo.list(&names)?,
        _ => repo.list(&[])?,
    };
    Ok(ground.loaded.tips.clone().into_iter().chain(listed).collect())
}

/// Checks a proposal against its objects, and that a branch gets a commit: Git holds nothing else there.
fn check_objects(loaded: &Loaded, proposal: &RefProposal) -> Result<(), String> {
    let objects = loaded.objects();
    check_binding(&loaded.tally, objects, proposal).map_err(|error| error.to_string())?;
    let Some(to) = proposal.to.filter(|_| proposal.name.as_str().starts_with("refs/heads/")) else { return Ok(()) };
    match objects.read_header(to).map_err(|error| error.to_string())? {
        Some((ObjectKind::Commit, _)) => Ok(()),
        _ => Err(format!("{} is a branch, and {to} is no commit", proposal.name)),
    }
}

/// Before the genesis is here nothing is protected, and nothing of the ledger is taken.
fn before_genesis(push: &Push, ledger: EntryId) -> Ruling {
    let refs = LedgerRefs::of(ledger);
    let mut ruling = Ruling::default();
    for pushed in &push.refs {
        let refusal = is_ledger_name(&pushed.name).then(|| no_genesis(&refs, ledger, &pushed.name));
        ruling.answers.push(match &refusal {
            Some(refusal) => Answer::Refused(refusal.to_string()),
            None => Answer::FallThrough,
        });
        ruling.says.extend(refusal.iter().map(|refusal| explain(Some(&pushed.name), refusal)));
    }
    let refused = push.refs.iter().find(|p| is_ledger_name(&p.name)).filter(|_| push.atomic);
    if let Some(name) = refused.map(|p| &p.name) {
        let others = ruling.answers.iter_mut().filter(|answer| **answer == Answer::FallThrough);
        others.for_each(|answer| *answer = Answer::Refused(together_with(name).to_string()));
    }
    ruling
}

fn no_genesis(refs: &LedgerRefs, ledger: EntryId, name: &str) -> Refusal {
    match refs.read(name) {
        Some(LaneRef::Genesis) => {
            let reason = format!("it is not the genesis of ledger {}, which this server has pinned", ledger.short());
            Refusal::new(RefusalCode::BadGenesis, reason, format!("push the genesis whose id is {ledger}"))
        }
        Some(LaneRef::Lane(_) | LaneRef::Proposal(_)) => {
            let help = format!("push {} first, or with it", refs.genesis());
            Refusal::new(RefusalCode::NoGenesis, "the ledger has no genesis here yet", help)
        }
        _ => stray(refs, name),
    }
}

/// Moves what may move, and puts the answers together.
fn settle(
    repo: &Repo,
    push: &Push,
    scene: &Scene<'_>,
    mut verdicts: Vec<Verdict>,
    objects: &Objects,
) -> Result<Ruling, Refusal> {
    let mixed = push.atomic && verdicts.iter().any(|verdict| *verdict != Verdict::FallThrough);
    if mixed {
        take_others(repo, objects, push, scene, &mut verdicts);
        all_or_none(&push.refs, &mut verdicts);
    }
    let mut says = Vec::new();
    if verdicts.contains(&Verdict::Allow) {
        match carry_out(repo, scene, &verdicts) {
            Ok(told) => says.extend(told),
            Err(refusal) => refuse_allowed(&mut verdicts, &refusal),
        }
    }
    Ok(put_together(push, &verdicts, says))
}

/// In an atomic push the gate moves the others as well, if Git would.
fn take_others(repo: &Repo, objects: &Objects, push: &Push, scene: &Scene<'_>, verdicts: &mut [Verdict]) {
    if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Refuse(_))) {
        return;
    }
    for (place, (pushed, verdict)) in push.refs.iter().zip(verdicts).enumerate() {
        if *verdict == Verdict::FallThrough {
            let checked = match push.is_text(place) {
                true => scene.is_current(pushed).and_then(|()| ordinary::check(repo, objects, pushed)),
                false => Err(Refusal::new(RefusalCode::ServerSetting, "the name is no text", "push it by itself")),
            };
            *verdict = checked.map_or_else(Verdict::Refuse, |()| Verdict::Allow);
        }
    }
}

fn all_or_none(pushed: &[PushedRef], verdicts: &mut [Verdict]) {
    let refused = pushed.iter().zip(verdicts.iter()).find(|(_, verdict)| matches!(verdict, Verdict::Refuse(_)));
    let Some(name) = refused.map(|(pushed, _)| &pushed.name) else { return };
    for verdict in verdicts.iter_mut().filter(|verdict| !matches!(verdict, Verdict::Refuse(_))) {
        *verdict = Verdict::Refuse(together_with(name));
    }
}

fn refuse_allowed(verdicts: &mut [Verdict], refusal: &Refusal) {
    for verdict in verdicts.iter_mut().filter(|verdict| **verdict == Verdict::Allow) {
        *verdict = Verdict::Refuse(refusal.clone());
    }
}

/// Moves everything in one transaction, and says what moved by itself.
fn carry_out(repo: &Repo, scene: &Scene<'_>, verdicts: &[Verdict]) -> Result<Vec<String>, Refusal> {
    let auto_land = repo.config(AUTO_LAND_KEY).map_err(|e| unreadable(&e))?.is_some_and(|value| value == "true");
    mark_founded(repo)?;
    fault::point("gate.marked");
    let full = plan(scene, verdicts, auto_land);
    match transact(repo, &full.edits) {
        Ok(()) => Ok(told(&full)),
        Err(refusal) if full.landings.is_empty() => Err(refusal),
        Err(first) => {
            // A landing that fails must not hold up the entries that decided it.
            transact(repo, &plan(scene, verdicts, false).edits)?;
            let names: Vec<_> = full.landings.iter().map(|landing| landing.name.as_str()).collect();
            Ok(vec![format!("decided, but could not move {}: {}", names.join(", "), first.reason)])
        }
    }
}

/// Remembers that there is a ledger, before there is: so that a genesis that is lost is missed.
fn mark_founded(repo: &Repo) -> Result<(), Refusal> {
    match repo.config(FOUNDED_KEY) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => repo.set_config(FOUNDED_KEY, "true").map_err(|e| unreadable(&e)),
        Err(error) => Err(unreadable(&error)),
    }
}

fn transact(repo: &Repo, edits: &[RefEdit]) -> Result<(), Refusal> {
    repo.transaction(edits).map_err(|error| match error {
        RefError::Conflict { .. } => Refusal::new(RefusalCode::Stale, error.to_string(), "fetch, and push again"),
        RefError::Locked { .. } => Refusal::new(RefusalCode::Conflict, error.to_string(), "push again"),
        RefError::Refused { .. } => Refusal::new(RefusalCode::Conflict, error.to_string(), ""),
        RefError::Other(error) => unreadable(&error),
    })
}

fn told(plan: &Plan) -> Vec<String> {
    let landed = plan.landings.iter().map(|landing| {
        let to = super::rules::show(landing.to);
        format!("landed {} at {to}, by decision {}", landing.name, landing.decision.short())
    });
    landed.chain(plan.held_up.iter().map(|what| format!("decided, but {what}"))).collect()
}

fn put_together(push: &Push, verdicts: &[Verdict], mut says: Vec<String>) -> Ruling {
    let answers = verdicts.iter().map(|verdict| match verdict {
        Verdict::Allow => Answer::Moved,
        Verdict::FallThrough => Answer::FallThrough,
        Verdict::Refuse(refusal) => Answer::Refused(refusal.to_string()),
    });
    for (pushed, verdict) in push.refs.iter().zip(verdicts) {
        if let Verdict::Refuse(refusal) = verdict
            && refusal.code != RefusalCode::OtherRefRefused
        {
            says.push(explain(Some(&pushed.name), refusal));
        }
    }
    Ruling { answers: answers.collect(), says }
}
