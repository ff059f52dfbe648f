//! The imperative shell that commands share: the repository, the ledger in it, who writes, and the
//! exchange with a remote. A command that writes fetches first, then appends what it was asked to and
//! every vote that is due, and pushes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::identity::{Identity, WriteArgs};
use super::patience::Timers;
use super::{Exit, Failure};
use super::{environment, progress, style};
use crate::charter::{Charter, MemberName};
use crate::consensus::{
    Admission, Draft, DueVote, Timer, Waiting, agreement_statement, own_tips, parents_for,
    pre_authentication_encoding,
};
use crate::id::{EntryId, Oid};
use crate::ledger::{EntryIndex, Precommit, Prevote, Statement, limits};
use crate::repo::{RefEdit, Repo};
use crate::signer::state::{Repair, SignState};
use crate::store::{
    Author, Exchange, LaneEvent, LoadError, Loaded, PushOutcome, RefUpdate, Trust, exchange,
    find_ledgers, load, push, push_others,
};

/// How long to wait for another process that signs with the same key.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// How often a push is tried again because something moved on the remote.
pub const PUSH_TRIES: usize = 8;

/// A repository with a ledger.
pub struct Session {
    /// The repository.
    pub repo: Repo,
    /// The ledger.
    pub loaded: Loaded,
    /// Whether the ledger id is pinned.
    pub pinned: bool,
    /// What people should know beside the answer.
    pub notes: Vec<String>,
}

/// A session that can write.
pub struct Writer {
    /// What is read.
    pub session: Session,
    /// The remote to exchange with; none with `--local` or without remotes.
    pub remote: Option<String>,
    /// Its refs, as it showed them last.
    pub remote_refs: BTreeMap<String, Oid>,
    author: Author,
    timers: Timers,
    /// What votes wait for, after the last steps.
    pub waiting: Vec<Waiting>,
    /// Entries appended by this command.
    pub appended: Vec<EntryId>,
}

/// The repository that a command works in: that of the current folder, which `-C` has changed already.
pub fn open_repo() -> Result<Repo, Failure> {
    let repo = Repo::discover(Path::new("."))?.watched(progress::watcher());
    style::heed_settings(&repo)?;
    Ok(repo)
}

/// The pinned ledger, if there is one.
pub fn pinned_ledger(repo: &Repo) -> Result<Option<EntryId>, Failure> {
    let Some(text) = repo.config("quorum.ledger")? else {
        return Ok(None);
    };
    let bad = |_| {
        Failure::new(
            "BAD_CONFIG",
            format!("quorum.ledger is {text:?}, which is no ledger id"),
        )
    };
    text.parse()
        .map(Some)
        .map_err(|e: crate::id::IdError| bad(e).hint("git quorum join --genesis ID"))
}

/// The remote that commands exchange with: the one asked for, the configured one, or `origin`.
pub fn choose_remote(repo: &Repo, asked: Option<&str>) -> Result<Option<String>, Failure> {
    if let Some(name) = asked {
        return Ok(Some(name.to_owned()));
    }
    let Some(name) = repo.config("quorum.remote")? else {
        return Ok(repo.default_remote()?);
    };
    match repo.remote_exists(&name)? {
        true => Ok(Some(name)),
        false => Err(Failure::new(
            "NO_REMOTE",
            format!("no remote {name:?}, which quorum.remote names"),
        )
        .exit(Exit::NotFound)
        .hint("git remote add, or git config quorum.remote NAME")),
    }
}

/// That hooks which were installed here are no longer those that Git runs.
fn hooks_note(repo: &Repo) -> Option<String> {
    let why = crate::install::why_not_run(repo).unwrap_or_else(|error| Some(error.to_string()))?;
    Some(format!(
        "hooks of git-quorum are not in place any more ({why}): git quorum install"
    ))
}

impl Session {
    /// Reads the ledger that is here, without any network.
    pub fn read() -> Result<Session, Failure> {
        Session::open(open_repo()?)
    }

    /// Reads the ledger in this repository.
    pub fn open(repo: Repo) -> Result<Session, Failure> {
        Session::open_with(repo, None, Trust::Cache)
    }

    /// The same, checking every signature, whatever was checked before. Where several ledgers are and none is pinned, the
    /// one that was asked for is read.
    pub fn open_afresh(repo: Repo, asked: Option<&str>) -> Result<Session, Failure> {
        Session::open_with(repo, asked, Trust::Nothing)
    }

    fn open_with(repo: Repo, asked: Option<&str>, trust: Trust) -> Result<Session, Failure> {
        let pin = pinned_ledger(&repo)?;
        let ledger = match pin {
            Some(id) => id,
            None => match (find_ledgers(&repo)?.as_slice(), asked) {
                ([], _) => return Err(LoadError::NoLedger.into()),
                ([one], _) => *one,
                (several, Some(asked)) => Session::find(asked, "ledger", several.iter().copied())?,
                (several, None) => return Err(LoadError::Several(several.to_vec()).into()),
            },
        };
        let loaded = load(&repo, ledger, trust)?;
        let problems = loaded
            .problems
            .iter()
            .map(|p| format!("{}: {}", p.name, p.reject));
        let notes = problems.chain(hooks_note(&repo)).collect();
        Ok(Session {
            repo,
            loaded,
            pinned: pin.is_some(),
            notes,
        })
    }

    /// Reads the ledger again if its refs here have moved since it was read.
    fn reload_if_moved(&mut self) -> Result<(), Failure> {
        if self.repo.list(&[self.loaded.refs.prefix()])? != self.loaded.tips {
            self.loaded = load(&self.repo, self.loaded.tally.dag().ledger(), Trust::Cache)?;
        }
        Ok(())
    }

    /// The charter in force.
    pub fn charter(&self) -> Result<(EntryId, &Charter), Failure> {
        let id = self.loaded.tally.charter_in_force();
        let node = self.loaded.tally.dag().charter(id);
        node.map(|n| (id, &n.charter))
            .ok_or_else(|| Failure::new("INTERNAL", "the charter in force is not known"))
    }

    /// The remote's value of a ref as it was last seen, or the value here where there is no remote.
    pub fn ref_value(&self, name: &str) -> Result<Option<Oid>, Failure> {
        Ok(self.ref_values([name])?.remove(name))
    }

    /// The same for several refs, in one look; those that are absent are left out.
    pub fn ref_values<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<&'a str, Oid>, Failure> {
        let names: Vec<_> = names.into_iter().collect();
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        if let Some(remote) = choose_remote(&self.repo, None)? {
            let refs = &self.loaded.refs;
            let seen = self.repo.list(&[&refs.incoming_prefix(&remote)])?;
            // A clone that has not exchanged with the remote yet knows only its own refs.
            if !seen.is_empty() {
                let value =
                    |name: &&'a str| Some((*name, *seen.get(&refs.incoming(&remote, name))?));
                return Ok(names.iter().filter_map(value).collect());
            }
        }
        let here = self.repo.list(&names)?;
        Ok(names
            .iter()
            .filter_map(|name| Some((*name, *here.get(*name)?)))
            .collect())
    }

    /// The id of the one thing among `ids` that begins with what was typed.
    pub fn find<T: Copy + PartialEq + std::fmt::Display>(
        typed: &str,
        what: &str,
        ids: impl Iterator<Item = T>,
    ) -> Result<T, Failure> {
        let hex =
            typed.len() >= 4 && typed.len() <= 64 && typed.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex {
            return Err(Failure::new(
                "BAD_ID",
                format!("{typed:?} is no id: give at least 4 hexadecimal digits"),
            )
            .exit(Exit::Usage)
            .hint("git quorum status"));
        }
        let typed = typed.to_ascii_lowercase();
        let mut found: Vec<_> = ids
            .filter(|id| id.to_string().starts_with(&typed))
            .collect();
        found.dedup();
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(
                Failure::new("NOT_FOUND", format!("no {what} {typed} is known here"))
                    .exit(Exit::NotFound)
                    .hint("git quorum sync, then git quorum status"),
            ),
            several => Err(Failure::new(
                "AMBIGUOUS",
                format!("{} {what}s begin with {typed}", several.len()),
            )
            .exit(Exit::Usage)
            .hint("give more digits")),
        }
    }

    /// The proposal whose id begins with what was typed.
    pub fn proposal(&self, typed: &str) -> Result<EntryId, Failure> {
        Session::find(
            typed,
            "proposal",
            self.loaded.tally.proposals().map(|p| p.id),
        )
    }

    /// The remote to exchange with; a lack of one that was not asked for is noted.
    pub fn exchange_remote(&mut self, args: &WriteArgs) -> Result<Option<String>, Failure> {
        if args.local {
            return Ok(None);
        }
        let remote = choose_remote(&self.repo, args.remote.as_deref())?;
        if remote.is_none() {
            self.notes.push(
                "no remote is known, so nothing is exchanged: git config quorum.remote NAME"
                    .to_owned(),
            );
        }
        Ok(remote)
    }

    /// Exchanges with a remote and notes what should be looked at.
    pub fn fetch(&mut self, remote: &str) -> Result<BTreeMap<String, Oid>, Failure> {
        let found = self.exchange_with(remote)?;
        self.notes.extend(
            found
                .events
                .iter()
                .map(|event| describe_event(event, remote)),
        );
        Ok(found.remote_refs)
    }

    /// Exchanges with a remote.
    pub fn exchange_with(&mut self, remote: &str) -> Result<Exchange, Failure> {
        let found = exchange(&self.repo, &mut self.loaded, remote)?;
        match self.loaded.tally.upgrade_needed() {
            Some(version) => Err(LoadError::UpgradeNeeded(version).into()),
            None => Ok(found),
        }
    }
}

/// What should be looked at on a remote, in a sentence.
pub fn describe_event(event: &LaneEvent, remote: &str) -> String {
    match event {
        LaneEvent::Bad(problem) => {
            let last = problem.last_good.map_or("none".to_owned(), |id| id.short());
            format!(
                "{remote}: {} is not taken in: {}; last well-formed entry: {last}",
                problem.name, problem.reject
            )
        }
        LaneEvent::WentBack { member, seen, now } => {
            let now = now.map_or("nothing".to_owned(), |id| id.short());
            format!(
                "{remote} shows the lane of {member} at {now}, but had shown {}: kept",
                seen.short()
            )
        }
        LaneEvent::WentSideways { member, seen, now } => {
            format!(
                "the lane of {member} is forked: {remote} shows {}, and had shown {}; both are kept",
                now.short(),
                seen.short()
            )
        }
        LaneEvent::NotFetched { name, message } => {
            format!("{name} could not be fetched from {remote}: {message}")
        }
        LaneEvent::AfterRemoval { member } => {
            format!(
                "{remote}: the lane of former member {member} goes on after the last entry that counts: not taken in"
            )
        }
    }
}

impl Writer {
    /// Opens the ledger for a member: locks its sign state, fetches, and makes sure that everything
    /// that its key has signed is here.
    pub fn open(args: &WriteArgs) -> Result<Writer, Failure> {
        Writer::of(Session::read()?, args)
    }

    /// The same for a session that is open already.
    pub fn of(mut session: Session, args: &WriteArgs) -> Result<Writer, Failure> {
        check_whole(&session.repo)?;
        let identity = Identity::resolve(&session.repo, args)?;
        let (key, signer) = identity.signer(&session)?;
        let ledger = session.loaded.tally.dag().ledger();
        let state = SignState::open(&environment::state_root()?, ledger, *key.bytes(), LOCK_WAIT)?;
        // Another process of this clone may have written while this one waited for the lock.
        session.reload_if_moved()?;
        if let Some(repair) = state.repair() {
            session.notes.push(describe_repair(repair));
        }
        let author = Author {
            member: identity.member.clone(),
            key,
            signer,
            state,
        };
        let timers = Timers::open(&session.repo, ledger, &identity.member)?;
        let remote = session.exchange_remote(args)?;
        let mut writer = Writer {
            session,
            remote,
            remote_refs: BTreeMap::new(),
            author,
            timers,
            waiting: Vec::new(),
            appended: Vec::new(),
        };
        writer.refresh()?;
        Ok(writer)
    }

    /// A ref's value: the remote's, or the one here when there is no remote to ask.
    pub fn current(&self, name: &str) -> Result<Option<Oid>, Failure> {
        match self.remote {
            Some(_) => Ok(self.remote_refs.get(name).copied()),
            None => Ok(self.session.repo.read(name)?),
        }
    }

    /// The value that a new proposal can expect of a ref: the remote's, as it showed it last when there
    /// is no network.
    pub fn expected(&self, name: &str) -> Result<Option<Oid>, Failure> {
        match self.remote {
            Some(_) => Ok(self.remote_refs.get(name).copied()),
            None => self.session.ref_value(name),
        }
    }

    /// Who writes.
    pub fn member(&self) -> &MemberName {
        &self.author.member
    }

    /// Fetches, and brings the own lane up to what was signed.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        if let Some(remote) = &self.remote {
            self.remote_refs = self.session.fetch(remote)?;
        }
        // What was fetched may have brought another charter into force.
        if self.session.charter()?.1.member(self.member()).is_none() {
            self.hand_over()?;
            return Err(not_a_member(self.member()));
        }
        if self
            .author
            .catch_up(&self.session.repo, &mut self.session.loaded)?
        {
            self.session.notes.push(
                "entries of this member that this clone lacked were restored from the sign state"
                    .to_owned(),
            );
        }
        self.author
            .fast_forward_lane(&self.session.repo, &mut self.session.loaded)?;
        Ok(self.author.restore_proposal_refs(
            &self.session.repo,
            &mut self.session.loaded,
            &|name| self.remote_refs.contains_key(name),
        )?)
    }

    /// Gives the remote what the member signed while it was one, as far as that is still taken in. The charter that
    /// removes it may stand on a vote of its own that nobody else has yet.
    fn hand_over(&mut self) -> Result<(), Failure> {
        let member = self.author.member.clone();
        self.author
            .catch_up(&self.session.repo, &mut self.session.loaded)?;
        let tally = &self.session.loaded.tally;
        let (admission, tips) = (Admission::of(tally), own_tips(tally, &member));
        let is_admitted = tips.iter().all(|tip| admission.admits(*tip));
        let Some(remote) = self.remote.clone().filter(|_| is_admitted) else {
            return Ok(());
        };
        let Session { repo, loaded, .. } = &mut self.session;
        match push(
            repo,
            loaded,
            &remote,
            &mut self.remote_refs,
            (Some(&member), &[]),
        )? {
            PushOutcome::Done => Ok(()),
            PushOutcome::Behind { reasons, lines } => Err(busy(&remote, &reasons, &lines)),
            PushOutcome::Refused { reasons, lines } => Err(refused(&remote, &reasons, &lines)),
        }
    }

    /// Appends these statements, in one entry with the votes that they make due, and pushes. Without
    /// statements, only what is due. `edits` names refs to move in the same transaction.
    pub fn say(
        &mut self,
        statements: Vec<Statement>,
        edits: impl FnOnce(EntryId) -> Vec<RefEdit>,
    ) -> Result<Option<EntryId>, Failure> {
        let charter = self.session.charter()?.0;
        let parents = parents_for(&self.session.loaded.tally, self.member());
        let mut draft = Draft::new(&self.session.loaded.tally, self.member(), charter, &parents);
        let proposes = statements.iter().any(Statement::proposes);
        for statement in statements {
            draft.add(statement).map_err(|why| {
                let detail = if why.detail.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", why.detail)
                };
                Failure::new(
                    "WOULD_NOT_COUNT",
                    format!(
                        "this would not count: {}{detail}",
                        crate::wording::discount_reason(why.reason)
                    ),
                )
                .exit(Exit::No)
            })?;
        }
        let mut tell = false;
        // A proposal has no id before its entry is signed, so votes on it come in the next one.
        if !proposes {
            tell = self.add_due_votes(&mut draft)?;
        }
        let joins = own_tips(&self.session.loaded.tally, self.member()).len() > 1;
        if draft.statements().is_empty() && !joins && !tell {
            return Ok(None);
        }
        let statements = draft.statements().to_vec();
        Ok(Some(self.append(charter, &parents, statements, edits)?))
    }

    fn append(
        &mut self,
        charter: EntryId,
        parents: &[EntryIndex],
        statements: Vec<Statement>,
        edits: impl FnOnce(EntryId) -> Vec<RefEdit>,
    ) -> Result<EntryId, Failure> {
        let Session { repo, loaded, .. } = &mut self.session;
        let index = self.author.append(
            repo,
            loaded,
            (charter, parents),
            statements,
            crate::store::now(),
            edits,
        )?;
        let id = loaded.tally.dag().entry(index).id;
        self.appended.push(id);
        Ok(id)
    }

    /// Adds every vote that is due to the draft, one after the other; and says whether the entry is due
    /// even without one.
    fn add_due_votes(&mut self, draft: &mut Draft) -> Result<bool, Failure> {
        let tell = loop {
            let due = draft.due(&self.timers.patience());
            if !due.start.is_empty() {
                self.timers.start(&due.start);
                continue;
            }
            // What has no room in this entry goes into the next one.
            let Some(vote) = due
                .vote
                .filter(|_| draft.statements().len() < limits::STATEMENTS)
            else {
                self.waiting = due.waiting;
                break due.tell;
            };
            let vote = self.vote(draft, vote)?;
            draft.add(vote).map_err(|why| {
                Failure::new(
                    "INTERNAL",
                    format!(
                        "a vote that is due would not count: {}; nothing was signed",
                        why.reason
                    ),
                )
            })?;
        };
        let charter = self.session.charter()?.0;
        let tally = draft.tally();
        let is_open = |t: &Timer| {
            t.charter == charter
                && tally
                    .chain(&t.slot.subject)
                    .is_some_and(|chain| chain.next == t.slot)
        };
        self.timers.save(is_open)?;
        Ok(tell)
    }

    fn vote(&self, draft: &Draft, vote: DueVote) -> Result<Statement, Failure> {
        match vote {
            DueVote::Prevote(proposal, round) => {
                Ok(Statement::Prevote(Prevote { proposal, round }))
            }
            DueVote::Precommit(proposal, round) => {
                let charter = self.session.charter()?.0;
                let body = agreement_statement(draft.tally(), charter, proposal, round)
                    .ok_or_else(|| {
                        Failure::new("INTERNAL", "no agreement statement for a vote that is due")
                    })?;
                let signature = self
                    .author
                    .signer
                    .sign_agreement(&pre_authentication_encoding(&body))?;
                Ok(Statement::Precommit(Precommit {
                    proposal,
                    round,
                    signature,
                }))
            }
        }
    }

    /// Gives the remote what it lacks of what others have said. That it does not take it is no failure of this
    /// member's: what moved there meanwhile is passed on the next time.
    fn push_others(&mut self, remote: &str) {
        let Session {
            repo,
            loaded,
            notes,
            ..
        } = &mut self.session;
        match push_others(
            repo,
            loaded,
            remote,
            &mut self.remote_refs,
            &self.author.member,
        ) {
            Ok(PushOutcome::Done | PushOutcome::Behind { .. }) => {}
            Ok(PushOutcome::Refused { reasons, .. }) => {
                let why: Vec<_> = reasons
                    .iter()
                    .map(|(name, why)| format!("{name}: {why}"))
                    .collect();
                notes.push(format!(
                    "{remote} lacks entries of others and refused them: {}",
                    why.join("; ")
                ));
            }
            Err(error) => notes.push(format!(
                "entries of others could not be passed on to {remote}: {error}"
            )),
        }
    }

    /// Appends whatever is due, as long as something is, and pushes, with these refs. Tries again
    /// when something moved on the remote.
    pub fn finish(&mut self, moves: &[RefUpdate]) -> Result<(), Failure> {
        let mut last = (BTreeMap::new(), Vec::new());
        for _ in 0..PUSH_TRIES {
            while self.say(Vec::new(), |_| Vec::new())?.is_some() {}
            let Some(remote) = self.remote.clone() else {
                return Ok(());
            };
            let Session { repo, loaded, .. } = &mut self.session;
            let member = self.author.member.clone();
            match push(
                repo,
                loaded,
                &remote,
                &mut self.remote_refs,
                (Some(&member), moves),
            )? {
                PushOutcome::Done => {
                    self.push_others(&remote);
                    return Ok(());
                }
                PushOutcome::Behind { reasons, lines } => {
                    last = (reasons, lines);
                    self.refresh()?;
                }
                PushOutcome::Refused { reasons, lines } => {
                    return Err(refused(&remote, &reasons, &lines));
                }
            }
        }
        Err(busy(
            self.remote.as_deref().unwrap_or_default(),
            &last.0,
            &last.1,
        ))
    }
}

/// Refuses a clone whose history is cut off or has holes.
pub fn check_whole(repo: &Repo) -> Result<(), Failure> {
    if repo.is_shallow() || repo.is_partial()? {
        let message = "this clone is shallow or partial, so what it holds cannot be checked whole";
        return Err(Failure::new("INCOMPLETE_CLONE", message)
            .hint("git fetch --unshallow, or clone again without --depth and --filter"));
    }
    Ok(())
}

/// The member has no say under the charter in force.
pub fn not_a_member(member: &MemberName) -> Failure {
    Failure::new(
        "NOT_A_MEMBER",
        format!("the charter in force has no member {member}"),
    )
    .exit(Exit::No)
    .hint("git quorum charter show")
}

fn describe_repair(repair: Repair) -> String {
    match repair {
        Repair::Cut(bytes) => format!(
            "the sign state ended in a half-written record ({bytes} bytes), which was cut off; it had not left this machine"
        ),
        Repair::Kept => "the sign state's last record lacked its line end; it was kept".to_owned(),
    }
}

/// The remote could not take a push now, several times.
pub fn busy(remote: &str, reasons: &BTreeMap<String, String>, lines: &[String]) -> Failure {
    let message = format!(
        "{remote} could not take the push now{}",
        told(reasons, lines)
    );
    Failure::new("BUSY", message)
        .exit(Exit::Conflict)
        .hint("what was signed is kept here; `git quorum sync` pushes it again")
        .data(serde_json::json!({"refs": reasons, "remote": lines}))
}

/// The remote will not take a push.
pub fn refused(remote: &str, reasons: &BTreeMap<String, String>, lines: &[String]) -> Failure {
    let message = format!("{remote} refused the push{}", told(reasons, lines));
    Failure::new("REFUSED", message)
        .exit(Exit::No)
        .hint("what was signed is kept here; `git quorum sync` pushes it again")
        .data(serde_json::json!({"refs": reasons, "remote": lines}))
}

/// Why, as the remote says it. What it says at length is not said again for each ref.
fn told(reasons: &BTreeMap<String, String>, lines: &[String]) -> String {
    let is_told = |why: &str| {
        !lines.is_empty() && (why.starts_with("gate: ") || why == "pre-receive hook declined")
    };
    let why: Vec<_> = reasons
        .iter()
        .filter(|(_, why)| !is_told(why))
        .map(|(name, why)| format!("{name}: {why}"))
        .collect();
    let mut told = if why.is_empty() {
        String::new()
    } else {
        format!(": {}", why.join("; "))
    };
    for line in lines {
        told.push_str("\n  ");
        told.push_str(line);
    }
    told
}

/// A path as it can be stored in a configuration: absolute.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|e| Failure::new("IO", format!("{}: {e}", path.display())))
}
