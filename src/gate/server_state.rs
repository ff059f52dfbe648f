//! What a push is judged against on a server: the ledger with the push's entries, the values of refs,
//! and where symbolic refs lead.
//!
//! Refuses whatever cannot be read or checked. Knows nothing of the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::checked_proposals::CheckedProposals;
use super::commands::{Push, PushedRef};
use super::links::Links;
use super::names::{MAKE_OWN, counterparts, delete_link};
use super::refusal::{Refusal, RefusalCode};
use super::scene::{Scene, broken_slots, ref_proposal};
use super::settings::{FOUNDED_KEY, LEDGER_KEY, MAX_PUSH_KEY};
use crate::charter::{Charter, RefPattern};
use crate::consensus::{Admission, Slot, Tally};
use crate::fault;
use crate::id::{EntryId, Oid};
use crate::ledger::{EntryIndex, LaneRef, LedgerRefs, RefProposal};
use crate::repo::{ObjectKind, Objects, Repo, RepoError, Target};
use crate::store::{
    LaneProblem, LoadError, Loaded, Refreshed, Trust, check_binding, load, load_from_genesis,
};

/// The most bytes of new entries in one push if no setting says otherwise: more than a hundred
/// thousand ordinary entries.
const MAX_PUSH: usize = 1 << 27;

/// A push that brings more entries than this is worth a snapshot. A member's tool makes fewer in
/// one go.
const MANY_ENTRIES: usize = 1000;

/// What a server holds, and what a push brings.
pub(super) struct ServerState<'a> {
    push: &'a Push,
    entries: Entries,
    before: BeforePush,
    values: BTreeMap<String, Oid>,
    links: Links,
    named_twice: BTreeSet<usize>,
}

/// The entries of the server and of a push.
struct Entries {
    /// The ledger without what the push brings. The two share what both have.
    server: Tally,
    /// The ledger with what the push brings.
    loaded: Loaded,
    /// How many entries the push brings.
    brought: usize,
    lane_tips: LaneTips,
}

/// What held before the push.
struct BeforePush {
    /// The charter in force. `None` before the genesis.
    charter: Option<Charter>,
    /// Slots with several decisions.
    broken: BTreeSet<Slot>,
}

/// For each pushed lane the entry at its tip, or what is wrong with the lane.
type LaneTips = BTreeMap<String, Result<EntryIndex, LaneProblem>>;

impl<'a> ServerState<'a> {
    /// Reads the ledger and the push's entries. Returns `None` if the ledger has no genesis here.
    ///
    /// `links` are the symbolic refs among the pushed refs.
    pub(super) fn read(
        repo: &Repo,
        ledger: EntryId,
        push: &'a Push,
        links: &Links,
        trust: Trust,
    ) -> Result<Option<Self>, Refusal> {
        let Some(mut loaded) = load_whole_ledger(repo, ledger, &push.refs, trust)? else {
            return Ok(None);
        };
        let server = loaded.tally.clone();
        let known = loaded.tally.dag().entries().len();
        let max_push = max_push(repo)?;
        loaded.set_budget(max_push);
        let lane_tips = take_lanes(&mut loaded, &push.refs).map_err(unreadable)?;
        if loaded.is_over_budget() {
            return Err(too_much(max_push, &push.refs, &loaded.refs));
        }
        let brought = loaded.tally.dag().entries().len() - known;
        let entries = Entries {
            server,
            loaded,
            brought,
            lane_tips,
        };
        Self::above(repo, push, links, entries).map(Some)
    }

    /// Reads the refs as they are now, and takes in the entries that other pushes have brought
    /// since this state was read.
    ///
    /// So the push's own entries are taken in once, before the lock, and other pushes do not wait
    /// for that. Returns `None` if other pushes brought more than `max_bytes` of entries, or if the
    /// ledger's refs went back. Then all must be read again, without the lock.
    pub(super) fn catch_up(
        mut self,
        repo: &Repo,
        links: &Links,
        max_bytes: usize,
    ) -> Result<Option<Self>, Refusal> {
        let Entries { server, loaded, .. } = &mut self.entries;
        self.values = read_values(repo, loaded, &self.push.refs).map_err(unreadable)?;
        let prefix = loaded.refs.prefix();
        let of_ledger = self
            .values
            .iter()
            .filter(|(name, _)| name.starts_with(prefix));
        if of_ledger.eq(&loaded.tips) {
            return Ok(Some(self));
        }
        let tips = repo.list(&[prefix]).map_err(unreadable)?;
        let genesis = loaded.refs.genesis();
        let is_founded_alike =
            tips.contains_key(&genesis) && tips.get(&genesis) == loaded.tips.get(&genesis);
        if !is_founded_alike {
            return Ok(None);
        }
        let refreshed = loaded
            .refresh(tips, server, max_bytes)
            .map_err(unreadable)?;
        match refreshed {
            Refreshed::All => Self::above(repo, self.push, links, self.entries).map(Some),
            Refreshed::TooMuch | Refreshed::WentBack => Ok(None),
            Refreshed::Damaged(problem) => Err(damaged(&problem)),
        }
    }

    /// Reads everything but the entries.
    fn above(
        repo: &Repo,
        push: &'a Push,
        links: &Links,
        entries: Entries,
    ) -> Result<Self, Refusal> {
        let Entries { server, loaded, .. } = &entries;
        if let Some(version) = loaded.tally.upgrade_needed() {
            return Err(upgrade_needed(&LoadError::UpgradeNeeded(version)));
        }
        let is_founded = loaded.tips.contains_key(&loaded.refs.genesis());
        let charter = in_force(server).filter(|_| is_founded).cloned();
        let before = BeforePush {
            charter,
            broken: broken_slots(server),
        };
        let values = read_values(repo, loaded, &push.refs).map_err(unreadable)?;
        let charters = [before.charter.as_ref(), in_force(&loaded.tally)];
        let guarded = guarded_links(repo, &loaded.refs, charters.into_iter().flatten())?;
        let mut links = links.clone();
        links.add(repo, guarded).map_err(unreadable)?;
        Ok(Self {
            push,
            entries,
            before,
            values,
            links,
            named_twice: push.named_twice(),
        })
    }

    /// Returns the scene for the rules, with these findings about objects.
    pub(super) fn scene<'s>(&'s self, checked: &'s CheckedProposals) -> Scene<'s> {
        let Entries {
            loaded, lane_tips, ..
        } = &self.entries;
        Scene {
            charter_before: self.before.charter.as_ref(),
            broken_before: &self.before.broken,
            tally: &loaded.tally,
            admission: Admission::of(&loaded.tally),
            refs: &loaded.refs,
            values: &self.values,
            pushed: &self.push.refs,
            links: &self.links,
            named_twice: &self.named_twice,
            lane_tips,
            checked,
        }
    }

    /// Looks at the objects of a proposal. Returns what differs if they do not match.
    ///
    /// Takes as long as the proposal's author wants it to, so no caller may hold the lock.
    pub(super) fn look_at_objects(&self, id: EntryId) -> Result<(), String> {
        let loaded = &self.entries.loaded;
        match ref_proposal(&loaded.tally, id) {
            Some(proposal) => look_at_objects(loaded, proposal),
            None => Err("it is no valid proposal about a ref".to_owned()),
        }
    }

    /// Saves on disk which signatures were verified, so that later commands need not verify them.
    pub(super) fn save_cache(&self) {
        self.entries.loaded.save_cache();
    }

    /// Saves a snapshot of what was judged, if the push brought so many entries that judging them
    /// again would be felt. To be called once the push has moved.
    pub(super) fn save_snapshot_if_large(&mut self) {
        let Entries {
            loaded, brought, ..
        } = &mut self.entries;
        if *brought <= MANY_ENTRIES {
            return;
        }
        let mut moved = Vec::new();
        for pushed in &self.push.refs {
            let lane_ref = loaded.refs.read(&pushed.name);
            let is_read = matches!(lane_ref, Some(LaneRef::Genesis | LaneRef::Lane(_)));
            if let Some(new) = pushed.new.filter(|_| is_read) {
                moved.push((pushed.name.clone(), new));
            }
        }
        loaded.save_snapshot_after(moved);
    }

    /// The object database.
    pub(super) fn objects(&self) -> &Objects {
        self.entries.loaded.objects()
    }

    /// Whether some pushed lane leads to a malformed entry.
    pub(super) fn has_bad_entries(&self) -> bool {
        self.entries.lane_tips.values().any(Result::is_err)
    }
}

fn unreadable(error: RepoError) -> Refusal {
    Refusal::unreadable(&error)
}

/// Returns the pinned ledger. Refuses if nothing can be judged in this repository.
///
/// `namespace` is the value of `GIT_NAMESPACE` that the hook was started with.
pub(super) fn check_repository(repo: &Repo, namespace: Option<&str>) -> Result<EntryId, Refusal> {
    if namespace.is_some_and(|name| !name.is_empty()) {
        return Err(Refusal::unavailable(
            "GIT_NAMESPACE is set, so refs have other names than those that the gate guards",
            "push without a namespace",
        ));
    }
    if repo.is_shallow() {
        return Err(Refusal::unavailable(
            "this server's repository is shallow",
            "the server's operator must fetch the whole history",
        ));
    }
    // A decided commit could come without its parents.
    if repo.is_on("receive.shallowUpdate").map_err(unreadable)? {
        let reason = "receive.shallowUpdate is on, so a push could make this repository shallow";
        let refusal = Refusal::unavailable(reason, "the server's operator must turn it off");
        return Err(refusal.then("git config receive.shallowUpdate false (on the server)"));
    }
    if repo.is_partial().map_err(unreadable)? {
        return Err(Refusal::unavailable(
            "this server's repository is a partial clone",
            "the server's operator must clone it again without a filter",
        ));
    }
    pinned_ledger(repo)
}

fn pinned_ledger(repo: &Repo) -> Result<EntryId, Refusal> {
    let text = repo.config(LEDGER_KEY).map_err(unreadable)?;
    let pinned = text.and_then(|text| text.parse().ok());
    pinned.ok_or_else(|| {
        let reason = format!("no ledger is pinned here ({LEDGER_KEY})");
        Refusal::unavailable(reason, "the server's operator must install the gate")
            .then("git quorum install --server --genesis ID (on the server)")
    })
}

/// Whether this server holds a ledger or ever held one, even if its founding was interrupted.
pub(super) fn was_founded(repo: &Repo, refs: &LedgerRefs) -> Result<bool, Refusal> {
    let recorded = repo.config(FOUNDED_KEY).map_err(unreadable)?.is_some();
    if recorded {
        return Ok(true);
    }
    let of_ledger = repo.list(&[refs.prefix()]).map_err(unreadable)?;
    Ok(!of_ledger.is_empty())
}

/// Loads the ledger and refuses a damaged one. Returns `None` before the genesis.
fn load_whole_ledger(
    repo: &Repo,
    ledger: EntryId,
    pushed: &[PushedRef],
    trust: Trust,
) -> Result<Option<Loaded>, Refusal> {
    let Some(loaded) = load_ledger(repo, ledger, pushed, trust)? else {
        return Ok(None);
    };
    match loaded.problems.first() {
        Some(problem) => Err(damaged(problem)),
        None => Ok(Some(loaded)),
    }
}

/// Loads the ledger. If it has no genesis here, loads it from the genesis that the push brings.
fn load_ledger(
    repo: &Repo,
    ledger: EntryId,
    pushed: &[PushedRef],
    trust: Trust,
) -> Result<Option<Loaded>, Refusal> {
    match load(repo, ledger, trust) {
        Ok(loaded) => return Ok(Some(loaded)),
        Err(LoadError::NoLedger) => {}
        Err(error @ LoadError::UpgradeNeeded(_)) => return Err(upgrade_needed(&error)),
        Err(error) => {
            let help = "the server's operator must look into it";
            return Err(Refusal::unavailable(error.to_string(), help));
        }
    }
    let refs = LedgerRefs::of(ledger);
    let genesis = pushed.iter().find(|pushed| pushed.name == refs.genesis());
    let genesis = genesis.and_then(|pushed| pushed.new);
    if let Some(oid) = genesis
        && let Ok(loaded) = load_from_genesis(repo, ledger, oid, trust)
    {
        return Ok(Some(loaded));
    }
    // A wrong genesis changes nothing: either nothing is protected yet, or what was protected
    // cannot be told any more.
    if !was_founded(repo, &refs)? {
        return Ok(None);
    }
    let reason = format!(
        "the genesis of ledger {} is gone, though this server held it",
        ledger.short()
    );
    let help = format!(
        "the server's operator must restore {}, or a member must push it again",
        refs.genesis()
    );
    Err(Refusal::unavailable(reason, help))
}

fn damaged(problem: &LaneProblem) -> Refusal {
    let reason = format!(
        "{} on the server is damaged: {}",
        problem.name, problem.reject
    );
    Refusal::unavailable(reason, "the server's operator must repair it")
        .then("git quorum verify (on the server)")
}

fn upgrade_needed(error: &LoadError) -> Refusal {
    let help = "the server's operator must install a newer git-quorum";
    Refusal::new(RefusalCode::UpgradeNeeded, error.to_string(), help)
}

fn max_push(repo: &Repo) -> Result<usize, Refusal> {
    let Some(text) = repo.config(MAX_PUSH_KEY).map_err(unreadable)? else {
        return Ok(MAX_PUSH);
    };
    let bytes = text.parse().ok().filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| {
        let reason = format!("{MAX_PUSH_KEY} is {text:?}, which is not a number of bytes");
        Refusal::unavailable(reason, "the server's operator must correct the setting")
    })
}

/// Refuses a push of more entries than are judged in one go.
fn too_much(max_push: usize, pushed: &[PushedRef], refs: &LedgerRefs) -> Refusal {
    let reason = format!(
        "the push brings new entries that count as {max_push} bytes or more, too many to judge at once"
    );
    let help = format!(
        "push an older entry of the lane first, or ask the server's operator to raise {MAX_PUSH_KEY}"
    );
    let lane = pushed
        .iter()
        .find(|pushed| matches!(refs.read(&pushed.name), Some(LaneRef::Lane(_))));
    let command = match lane {
        Some(PushedRef { name, .. }) => format!("git push REMOTE {name}~10000:{name}"),
        None => String::new(),
    };
    Refusal::new(RefusalCode::TooMuch, reason, help).then(command)
}

fn in_force(tally: &Tally) -> Option<&Charter> {
    let dag = tally.dag();
    dag.charter(tally.charter_in_force())
        .map(|node| &node.charter)
}

/// Takes in the entries that the pushed lanes lead to.
fn take_lanes(loaded: &mut Loaded, pushed: &[PushedRef]) -> Result<LaneTips, RepoError> {
    let mut tips = BTreeMap::new();
    for PushedRef { name, new, .. } in pushed {
        if let (Some(LaneRef::Lane(owner)), Some(tip)) = (loaded.refs.read(name), new) {
            tips.insert(name.clone(), loaded.load_lane(name, *tip, &owner)?);
        }
    }
    Ok(tips)
}

/// Returns the symbolic refs at protected names. Refuses if a ref of the ledger is symbolic: a lane
/// would show what another ref holds.
fn guarded_links<'a>(
    repo: &Repo,
    refs: &LedgerRefs,
    charters: impl Iterator<Item = &'a Charter>,
) -> Result<BTreeMap<String, Target>, Refusal> {
    let genesis = refs.genesis();
    let mut of_ledger = repo.symbolic_below(refs.prefix()).map_err(unreadable)?;
    let at_genesis = repo.symbolic_among([genesis.as_bytes()]);
    of_ledger.extend(at_genesis.map_err(unreadable)?);
    if let Some(name) = of_ledger.keys().next() {
        return Err(not_a_ref_of_its_own(name));
    }
    let mut found = BTreeMap::new();
    for pattern in charters.flat_map(Charter::protected) {
        found.extend(links_at(repo, pattern).map_err(unreadable)?);
    }
    // A protected name behind a link of the file system: nobody can tell what it shows.
    match found.iter().find(|(_, target)| target.is_none()) {
        Some((name, _)) => Err(not_a_ref_of_its_own(name)),
        None => Ok(found),
    }
}

fn not_a_ref_of_its_own(name: &str) -> Refusal {
    let reason = format!("{name} on the server is a symbolic ref, or lies behind a link");
    Refusal::unavailable(reason, MAKE_OWN).then(delete_link(name))
}

/// Returns the symbolic refs that a pattern covers.
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

/// Returns the values of the ledger's refs, of the pushed refs, of the branches that pushed tags
/// could shadow, and of the refs that proposals are about.
fn read_values(
    repo: &Repo,
    loaded: &Loaded,
    pushed: &[PushedRef],
) -> Result<BTreeMap<String, Oid>, RepoError> {
    let proposed = loaded.tally.subjects().map(ToString::to_string);
    let shadowed = pushed.iter().flat_map(|pushed| counterparts(&pushed.name));
    let named = pushed.iter().map(|pushed| pushed.name.clone());
    let names: BTreeSet<String> = proposed.chain(named).chain(shadowed).collect();
    let of_ledger = loaded.refs.prefix().trim_end_matches('/');
    repo.list_at_least(names.iter().map(String::as_str).chain([of_ledger]))
}

/// Compares a proposal with its objects, and checks that a branch gets a commit. Git holds nothing
/// else in a branch.
fn look_at_objects(loaded: &Loaded, proposal: &RefProposal) -> Result<(), String> {
    fault::point("gate.objects");
    let objects = loaded.objects();
    check_binding(&loaded.tally, objects, proposal).map_err(|error| error.to_string())?;
    let is_branch = proposal.name.as_str().starts_with("refs/heads/");
    let Some(to) = proposal.to.filter(|_| is_branch) else {
        return Ok(());
    };
    match objects.read_header(to).map_err(|error| error.to_string())? {
        Some((ObjectKind::Commit, _)) => Ok(()),
        _ => Err(format!(
            "{} is a branch, and {to} is not a commit",
            proposal.name
        )),
    }
}
