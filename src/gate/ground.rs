//! What a push is judged against: the ledger with the push's entries, the values of refs, and where symbolic ones lead. Everything that
//! cannot be read or checked is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::bindings::Bindings;
use super::commands::Push;
use super::links::Links;
use super::names::{MAKE_OWN, counterparts, delete_link};
use super::refusal::{Refusal, RefusalCode};
use super::rules::{PushedRef, Scene, broken_slots};
use crate::charter::{Charter, RefPattern};
use crate::consensus::{Admission, Slot, Tally};
use crate::fault;
use crate::id::{EntryId, Oid};
use crate::ledger::{EntryIndex, LaneRef, LedgerRefs, RefProposal};
use crate::repo::{ObjectKind, Objects, Repo, RepoError, Target};
use crate::store::{
    LaneProblem, LoadError, Loaded, Refreshed, Trust, check_binding, load, load_from_genesis,
};

/// The setting that pins the ledger.
pub const LEDGER_KEY: &str = "quorum.ledger";
/// The setting that lets decided refs move by themselves.
pub const AUTO_LAND_KEY: &str = "quorum.autoLand";
/// The setting that says how many bytes of entries a push may bring.
pub const MAX_PUSH_KEY: &str = "quorum.maxPush";
/// How many when nothing is set: more than a hundred thousand ordinary entries.
const MAX_PUSH: usize = 1 << 27;
/// The setting that says that the genesis has been here.
pub const FOUNDED_KEY: &str = "quorum.founded";

/// More entries than a member's tool makes in one go.
const MUCH: usize = 1000;

/// What the refs of a push are judged by, read from the repository.
pub(super) struct Ground<'a> {
    push: &'a Push,
    bindings: &'a Bindings,
    /// The ledger without what the push brings. It shares with the other what both have.
    server: Tally,
    loaded: Loaded,
    /// How many entries the push brings.
    brought: usize,
    before: Before,
    values: BTreeMap<String, Oid>,
    links: Links,
    twice: BTreeSet<usize>,
    taken: Taken,
}

/// What held before the push.
struct Before {
    /// The charter in force; none before the genesis.
    charter: Option<Charter>,
    /// Slots with several decisions.
    broken: BTreeSet<Slot>,
}

impl Ground<'_> {
    /// Judges by the scene that the ground makes.
    pub fn with_scene<T>(&self, judge: impl FnOnce(&Scene<'_>) -> T) -> T {
        let look = |proposal: &RefProposal| check_objects(&self.loaded, proposal);
        let check = |id, proposal: &RefProposal| self.bindings.check(id, || look(proposal));
        judge(&Scene {
            before: self.before.charter.as_ref(),
            broken_before: &self.before.broken,
            tally: &self.loaded.tally,
            admission: &Admission::of(&self.loaded.tally),
            refs: &self.loaded.refs,
            values: &self.values,
            pushed: &self.push.refs,
            links: &self.links,
            twice: &self.twice,
            taken: &self.taken,
            check: &check,
        })
    }

    /// What was read before the lock was had, with the values that refs have now and with what others have moved
    /// meanwhile. So what the push brings is taken in once, and others do not wait for that. None if the others' entries
    /// have more than so many bytes, or if the refs went back: then all is to be read again, without the lock.
    pub fn renewed(
        mut self,
        repo: &Repo,
        links: &Links,
        bytes: usize,
    ) -> Result<Option<Self>, Refusal> {
        self.values =
            read_values(repo, &self.loaded, &self.push.refs).map_err(|e| unreadable(&e))?;
        let now = self
            .values
            .iter()
            .filter(|(name, _)| name.starts_with(self.loaded.refs.prefix()));
        if now.eq(&self.loaded.tips) {
            return Ok(Some(self));
        }
        let tips = repo
            .list(&[self.loaded.refs.prefix()])
            .map_err(|e| unreadable(&e))?;
        let genesis = self.loaded.refs.genesis();
        if tips
            .get(&genesis)
            .is_none_or(|oid| self.loaded.tips.get(&genesis) != Some(oid))
        {
            return Ok(None);
        }
        match self
            .loaded
            .refresh(tips, &mut self.server, bytes)
            .map_err(|e| unreadable(&e))?
        {
            Refreshed::All => {}
            Refreshed::TooMuch | Refreshed::WentBack => return Ok(None),
            Refreshed::Damaged(problem) => return Err(damaged(&problem)),
        }
        let Self {
            push,
            bindings,
            server,
            loaded,
            brought,
            taken,
            ..
        } = self;
        Self::above(
            repo,
            (push, links),
            bindings,
            server,
            (loaded, brought, taken),
        )
        .map(Some)
    }

    /// The ground that is made by these entries: the server's, and of the push.
    fn above<'a>(
        repo: &Repo,
        (push, links): (&'a Push, &Links),
        bindings: &'a Bindings,
        server: Tally,
        (loaded, brought, taken): (Loaded, usize, Taken),
    ) -> Result<Ground<'a>, Refusal> {
        if let Some(version) = loaded.tally.upgrade_needed() {
            return Err(upgrade(&LoadError::UpgradeNeeded(version)));
        }
        let founded = loaded.tips.contains_key(&loaded.refs.genesis());
        let charter = in_force(&server).filter(|_| founded).cloned();
        let before = Before {
            charter,
            broken: broken_slots(&server),
        };
        let values = read_values(repo, &loaded, &push.refs).map_err(|e| unreadable(&e))?;
        let charters = [before.charter.as_ref(), in_force(&loaded.tally)]
            .into_iter()
            .flatten();
        let guarded = guarded_links(repo, &loaded.refs, charters)?;
        let mut links = links.clone();
        links.add(repo, guarded).map_err(|e| unreadable(&e))?;
        let twice = push.named_twice();
        Ok(Ground {
            push,
            bindings,
            server,
            loaded,
            brought,
            before,
            values,
            links,
            twice,
            taken,
        })
    }

    /// Keeps what was judged, if it is so much that others would feel it to judge it again; once it is on the server.
    pub fn remember(&mut self) {
        if self.brought > MUCH {
            let is_read = |name: &str| {
                matches!(
                    self.loaded.refs.read(name),
                    Some(LaneRef::Genesis | LaneRef::Lane(_))
                )
            };
            let read: Vec<_> = self
                .push
                .refs
                .iter()
                .filter(|pushed| is_read(&pushed.name))
                .collect();
            self.loaded.save_snapshot_after(
                read.into_iter()
                    .filter_map(|pushed| Some((pushed.name.clone(), pushed.new?))),
            );
        }
    }

    /// The object database.
    pub fn objects(&self) -> &Objects {
        self.loaded.objects()
    }

    /// Whether some pushed lane leads to what is no entry.
    pub fn has_bad_entries(&self) -> bool {
        self.taken.values().any(Result::is_err)
    }

    /// What was found of proposals.
    pub fn bindings(&self) -> &Bindings {
        self.bindings
    }
}

pub(super) fn unavailable(what: impl Into<String>, help: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::Unavailable, what, help)
}

pub(super) fn unreadable(error: &RepoError) -> Refusal {
    unavailable(
        error.to_string(),
        "nothing is taken that cannot be checked; whoever runs the server must look into it",
    )
}

/// Whether anything can be judged here; then the ledger that is pinned.
pub(super) fn check_repository(repo: &Repo) -> Result<EntryId, Refusal> {
    if std::env::var_os("GIT_NAMESPACE").is_some_and(|name| !name.is_empty()) {
        return Err(unavailable(
            "GIT_NAMESPACE is set: refs would not be what they seem",
            "push without a namespace",
        ));
    }
    if repo.is_shallow() {
        return Err(unavailable(
            "this server's repository is shallow",
            "whoever runs it must unshallow it",
        ));
    }
    if repo
        .is_on("receive.shallowUpdate")
        .map_err(|e| unreadable(&e))?
    {
        let what = "receive.shallowUpdate is on: a push could leave this repository shallow";
        return Err(
            unavailable(what, "whoever runs the server must turn it off")
                .then("git config receive.shallowUpdate false (on the server)"),
        );
    }
    if repo.is_partial().map_err(|e| unreadable(&e))? {
        return Err(unavailable(
            "this server's repository is a partial clone",
            "whoever runs it must complete it",
        ));
    }
    pinned(repo)
}

fn pinned(repo: &Repo) -> Result<EntryId, Refusal> {
    let text = repo.config(LEDGER_KEY).map_err(|e| unreadable(&e))?;
    let pinned = text.and_then(|text| text.parse().ok());
    let refusal = || {
        unavailable(
            format!("no ledger is pinned here ({LEDGER_KEY})"),
            "whoever runs the server must install the gate",
        )
    };
    pinned.ok_or_else(|| refusal().then("git quorum install --server --genesis ID (on the server)"))
}

/// Reads the ledger, and takes in the push's entries. None before the genesis.
pub(super) fn read_ground<'a>(
    repo: &Repo,
    ledger: EntryId,
    (push, links): (&'a Push, &Links),
    bindings: &'a Bindings,
    trust: Trust,
) -> Result<Option<Ground<'a>>, Refusal> {
    let Some(mut loaded) = read_server(repo, ledger, &push.refs, trust)? else {
        return Ok(None);
    };
    let server = loaded.tally.clone();
    let known = loaded.tally.dag().entries().len();
    let most = max_push(repo)?;
    loaded.set_budget(most);
    let taken = take_in(&mut loaded, &push.refs).map_err(|e| unreadable(&e))?;
    if loaded.is_over_budget() {
        return Err(too_much(most, &push.refs, &loaded.refs));
    }
    loaded.save_cache();
    let brought = loaded.tally.dag().entries().len() - known;
    Ground::above(
        repo,
        (push, links),
        bindings,
        server,
        (loaded, brought, taken),
    )
    .map(Some)
}

/// The ledger as the server holds it. None before the genesis.
fn read_server(
    repo: &Repo,
    ledger: EntryId,
    pushed: &[PushedRef],
    trust: Trust,
) -> Result<Option<Loaded>, Refusal> {
    let Some(loaded) = read_ledger(repo, ledger, pushed, trust)? else {
        return Ok(None);
    };
    match loaded.problems.first() {
        Some(problem) => Err(damaged(problem)),
        None => Ok(Some(loaded)),
    }
}

fn damaged(problem: &LaneProblem) -> Refusal {
    let what = format!(
        "{} on the server is damaged: {}",
        problem.name, problem.reject
    );
    unavailable(what, "whoever runs the server must repair it")
        .then("git quorum verify (on the server)")
}

fn max_push(repo: &Repo) -> Result<usize, Refusal> {
    let Some(text) = repo.config(MAX_PUSH_KEY).map_err(|e| unreadable(&e))? else {
        return Ok(MAX_PUSH);
    };
    let bad = || {
        let what = format!("{MAX_PUSH_KEY} is {text:?}, which is no number of bytes");
        unavailable(what, "whoever runs the server must correct it")
    };
    text.parse().ok().filter(|most| *most > 0).ok_or_else(bad)
}

/// What is to be done about a push of more entries than are judged in one go.
fn too_much(most: usize, pushed: &[PushedRef], refs: &LedgerRefs) -> Refusal {
    let reason = format!(
        "the entries that it brings and that are not here count as {most} bytes or more: too many to judge in one go"
    );
    let help = format!(
        "push an older entry of the lane first; or whoever runs the server lets in more ({MAX_PUSH_KEY})"
    );
    let lane = pushed
        .iter()
        .find(|p| matches!(refs.read(&p.name), Some(LaneRef::Lane(_))))
        .map(|p| &p.name);
    let command = lane
        .map(|lane| format!("git push REMOTE {lane}~10000:{lane}"))
        .unwrap_or_default();
    Refusal::new(RefusalCode::TooMuch, reason, help).then(command)
}

fn in_force(tally: &Tally) -> Option<&Charter> {
    tally
        .dag()
        .charter(tally.charter_in_force())
        .map(|node| &node.charter)
}

/// The symbolic refs at protected names. There may be none where the ledger is: a lane would hold what another ref does.
fn guarded_links<'a>(
    repo: &Repo,
    refs: &LedgerRefs,
    charters: impl Iterator<Item = &'a Charter>,
) -> Result<BTreeMap<String, Target>, Refusal> {
    let odd = |name: &str| {
        let what = format!("{name} on the server is a symbolic ref, or lies behind a link");
        unavailable(what, MAKE_OWN).then(delete_link(name))
    };
    let genesis = refs.genesis();
    let mut of_ledger = repo
        .symbolic_below(refs.prefix())
        .map_err(|e| unreadable(&e))?;
    of_ledger.extend(
        repo.symbolic_among([genesis.as_bytes()])
            .map_err(|e| unreadable(&e))?,
    );
    if let Some(name) = of_ledger.keys().next() {
        return Err(odd(name));
    }
    let mut found = BTreeMap::new();
    for pattern in charters.flat_map(Charter::protected) {
        found.extend(links_at(repo, pattern).map_err(|e| unreadable(&e))?);
    }
    // What shows there cannot be told, so neither can what must not move.
    match found.iter().find(|(_, target)| target.is_none()) {
        Some((name, _)) => Err(odd(name)),
        None => Ok(found),
    }
}

/// The symbolic refs that a pattern covers.
fn links_at(repo: &Repo, pattern: &RefPattern) -> Result<BTreeMap<String, Target>, RepoError> {
    let Some(prefix) = pattern.as_str().strip_suffix('*') else {
        return repo.symbolic_among([pattern.as_str().as_bytes()]);
    };
    let folder = prefix.rsplit_once('/').map_or(prefix, |(folder, _)| folder);
    let mut found = repo.symbolic_below(folder)?;
    found.retain(|name, _| pattern.matches(name));
    // The folder itself may lie behind a link.
    found.extend(repo.symbolic_among([format!("{prefix}x").as_bytes()])?);
    Ok(found)
}

/// The ledger; of one that is not founded yet, the genesis that the push brings.
fn read_ledger(
    repo: &Repo,
    ledger: EntryId,
    pushed: &[PushedRef],
    trust: Trust,
) -> Result<Option<Loaded>, Refusal> {
    match load(repo, ledger, trust) {
        Ok(loaded) => return Ok(Some(loaded)),
        Err(LoadError::NoLedger) => {}
        Err(error @ LoadError::UpgradeNeeded(_)) => return Err(upgrade(&error)),
        Err(error) => {
            return Err(unavailable(
                error.to_string(),
                "whoever runs the server must look into it",
            ));
        }
    }
    let refs = LedgerRefs::of(ledger);
    let genesis = pushed
        .iter()
        .find(|p| p.name == refs.genesis())
        .and_then(|p| p.new);
    match genesis.map(|oid| load_from_genesis(repo, ledger, oid, trust)) {
        Some(Ok(loaded)) => Ok(Some(loaded)),
        // Nothing is protected yet, or it was and cannot be told: a wrong genesis changes neither.
        _ if was_founded(repo, &refs)? => {
            let what = format!(
                "the genesis of ledger {} was here and is gone",
                ledger.short()
            );
            let help = format!(
                "whoever runs the server must restore {}, or push it again",
                refs.genesis()
            );
            Err(unavailable(what, help))
        }
        _ => Ok(None),
    }
}

/// Whether there is a ledger, or was one: also where its founding was broken off.
pub(super) fn was_founded(repo: &Repo, refs: &LedgerRefs) -> Result<bool, Refusal> {
    let there =
        || Ok(repo.config(FOUNDED_KEY)?.is_some() || !repo.list(&[refs.prefix()])?.is_empty());
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
            taken.insert(name.clone(), loaded.load_lane(name, *tip, &owner)?);
        }
    }
    Ok(taken)
}

/// The values of the ledger's refs, of the pushed ones and what they could shadow, and of those that decisions are about.
fn read_values(
    repo: &Repo,
    loaded: &Loaded,
    pushed: &[PushedRef],
) -> Result<BTreeMap<String, Oid>, RepoError> {
    let proposed = loaded.tally.subjects().map(ToString::to_string);
    let shadowed = pushed.iter().flat_map(|p| counterparts(&p.name));
    let names: BTreeSet<String> = proposed
        .chain(pushed.iter().map(|p| p.name.clone()))
        .chain(shadowed)
        .collect();
    repo.list_at_least(
        names
            .iter()
            .map(String::as_str)
            .chain([loaded.refs.prefix().trim_end_matches('/')]),
    )
}

/// Checks a proposal against its objects, and that a branch gets a commit: Git holds nothing else there.
fn check_objects(loaded: &Loaded, proposal: &RefProposal) -> Result<(), String> {
    fault::point("gate.objects");
    let objects = loaded.objects();
    check_binding(&loaded.tally, objects, proposal).map_err(|error| error.to_string())?;
    let Some(to) = proposal
        .to
        .filter(|_| proposal.name.as_str().starts_with("refs/heads/"))
    else {
        return Ok(());
    };
    match objects.read_header(to).map_err(|error| error.to_string())? {
        Some((ObjectKind::Commit, _)) => Ok(()),
        _ => Err(format!(
            "{} is a branch, and {to} is no commit",
            proposal.name
        )),
    }
}
