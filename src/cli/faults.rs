//! `git quorum faults`: what members did that no honest tool does, what remotes showed that they should not have, and
//! files that prove the former to strangers.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::legacy::{SHOWN, first};
use super::log::known_author;
use super::output::print_line;
use super::session::{Session, check_whole, describe_event, open_repo};
use super::style::{Role, Text};
use super::view::{describe_fault, names};
use super::{Answer, Exit, Failure, Reply};
use crate::audit::proof::{ProofError, prove};
use crate::charter::MemberName;
use crate::consensus::{BrokenSlot, Fault, VoteRef, own_tips};
use crate::id::EntryId;
use crate::ledger::LedgerRefs;
use crate::store::{LaneEvent, lane_regressions};
use crate::wording::{broken_slot, fault_sentence};

/// List what members did that no honest tool does, and prove it to others.
///
/// Reads what is here, checks every signature, and names broken slots first, then members, each fault with the entries that convict
/// and the rule that they broke. An honest member is never named, whatever the others do. Lanes that moved or vanished on a
/// remote are told too: these name the remote, not the member. Exit status 7: something was found.
#[derive(Debug, clap::Args)]
pub struct FaultsArgs {
    /// Only faults of this member.
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
    /// Exchange with this remote first, and tell what it shows otherwise than before.
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    /// Write a proof of the fault with this id, for `git quorum check-proof`; its first digits are enough.
    #[arg(long, value_name = "ID", requires = "output", conflicts_with_all = ["member", "remote"])]
    prove: Option<String>,
    /// The file to write the proof to; it must not be there.
    #[arg(short = 'o', long, value_name = "FILE", requires = "prove")]
    output: Option<PathBuf>,
}

/// What a clone saw from a remote that is not as it should be.
struct Sight {
    /// The remote; none for refs of this clone.
    remote: Option<String>,
    what: &'static str,
    member: Option<MemberName>,
    /// Entries that are kept, and that are shown now.
    seen: Option<EntryId>,
    now: Option<EntryId>,
    text: String,
    /// Whether somebody has to explain it.
    counts: bool,
}

/// Everything that was found.
struct Found {
    broken: Vec<BrokenSlot>,
    faults: Vec<Fault>,
    sights: Vec<Sight>,
    forks: Vec<(MemberName, Vec<EntryId>)>,
}

pub fn run(args: FaultsArgs, json: bool) -> Answer {
    let repo = open_repo()?;
    check_whole(&repo).map_err(|failure| failure.exit(Exit::Unverified))?;
    let mut session = Session::open_afresh(repo, None)?;
    if let (Some(typed), Some(file)) = (&args.prove, &args.output) {
        return write_proof(&session, typed, file);
    }
    let mut sights = match &args.remote {
        Some(remote) => events_of(&mut session, remote)?,
        None => Vec::new(),
    };
    sights.extend(seen_before(&session, args.remote.as_deref()));
    let problems = session.loaded.problems.iter().cloned();
    sights
        .extend(problems.map(|problem| sight(&session.loaded.refs, None, LaneEvent::Bad(problem))));
    let tally = &session.loaded.tally;
    let faults = tally.faults();
    let broken = tally.broken(&faults);
    let mut found = Found {
        broken,
        faults,
        sights,
        forks: forks(&session),
    };
    if let Some(typed) = &args.member {
        found.keep(&known_author(tally.dag(), typed)?);
    }
    report(&session, &found, (args.remote.as_deref(), json))
}

impl Found {
    /// Keeps what is about one member.
    fn keep(&mut self, member: &MemberName) {
        self.broken.retain(|slot| slot.convicted.contains(member));
        self.faults.retain(|fault| fault.member == *member);
        self.sights
            .retain(|sight| sight.member.as_ref() == Some(member));
        self.forks.retain(|(owner, _)| owner == member);
    }

    fn convicted(&self) -> BTreeSet<MemberName> {
        self.faults
            .iter()
            .map(|fault| fault.member.clone())
            .collect()
    }

    fn is_clean(&self) -> bool {
        self.broken.is_empty()
            && self.faults.is_empty()
            && !self.sights.iter().any(|sight| sight.counts)
    }
}

/// Exchanges with a remote, and gives what it showed otherwise than before.
fn events_of(session: &mut Session, remote: &str) -> Result<Vec<Sight>, Failure> {
    let exchanged = session.exchange_with(remote)?;
    let refs = &session.loaded.refs;
    Ok(exchanged
        .events
        .into_iter()
        .map(|event| sight(refs, Some(remote), event))
        .collect())
}

/// What the other remotes showed when they were asked last.
fn seen_before(session: &Session, asked: Option<&str>) -> Vec<Sight> {
    let refs = &session.loaded.refs;
    let is_asked = |remote: &str| {
        asked.is_some_and(|asked| refs.incoming_prefix(asked) == refs.incoming_prefix(remote))
    };
    let events = lane_regressions(&session.loaded)
        .into_iter()
        .filter(|(remote, _)| !is_asked(remote));
    events
        .map(|(remote, event)| sight(refs, Some(&remote), event))
        .collect()
}

fn sight(refs: &LedgerRefs, remote: Option<&str>, event: LaneEvent) -> Sight {
    let text = match (&event, remote) {
        (LaneEvent::Bad(problem), None) => format!("{}: {}", problem.name, problem.reject),
        (event, remote) => describe_event(event, remote.unwrap_or("this clone")),
    };
    let counts = !matches!(
        event,
        LaneEvent::NotFetched { .. } | LaneEvent::AfterRemoval { .. }
    );
    let (what, member, seen, now) = match event {
        LaneEvent::Bad(problem) => (
            "bad-lane",
            refs.owner(&problem.name),
            problem.last_good,
            None,
        ),
        LaneEvent::WentBack {
            member,
            seen,
            now: None,
        } => ("lane-vanished", Some(member), Some(seen), None),
        LaneEvent::WentBack { member, seen, now } => {
            ("lane-went-back", Some(member), Some(seen), now)
        }
        LaneEvent::WentSideways { member, seen, now } => {
            ("lane-went-sideways", Some(member), Some(seen), Some(now))
        }
        LaneEvent::NotFetched { .. } => ("not-fetched", None, None, None),
        LaneEvent::AfterRemoval { member } => ("after-removal", Some(member), None, None),
    };
    Sight {
        remote: remote.map(str::to_owned),
        what,
        member,
        seen,
        now,
        text,
        counts,
    }
}

/// Lanes with several ends: no fault, and told because it may become one.
fn forks(session: &Session) -> Vec<(MemberName, Vec<EntryId>)> {
    let dag = session.loaded.tally.dag();
    let ends = |member: &MemberName| {
        let mut ends: Vec<_> = own_tips(&session.loaded.tally, member)
            .into_iter()
            .map(|tip| dag.entry(tip).id)
            .collect();
        ends.sort();
        (member.clone(), ends)
    };
    dag.authors()
        .map(ends)
        .filter(|(_, ends)| ends.len() > 1)
        .collect()
}

fn report(session: &Session, found: &Found, (asked, json): (Option<&str>, bool)) -> Answer {
    let data = to_json(session, found, asked);
    let text = Text::lines(lines(found, asked));
    if found.is_clean() {
        return Ok(Reply::new(data, text)?.with_notes(session.notes.clone()));
    }
    if !json {
        print_line(text).map_err(|e| Failure::new("IO", e.to_string()))?;
    }
    let convicted = found.convicted();
    let message = match convicted.is_empty() {
        true => "no member is convicted, but a remote or a lane is not as it should be".to_owned(),
        false => format!("convicted by their own votes: {}", names(&convicted)),
    };
    let hint = match found.faults.first() {
        Some(fault) => format!(
            "git quorum faults --prove {} -o FILE makes a proof for others",
            fault.id.short()
        ),
        None => "ask whoever runs the remote; what this clone saw before, it keeps".to_owned(),
    };
    Err(Failure::new("FAULTS", message)
        .exit(Exit::Unverified)
        .hint(hint)
        .data(data))
}

fn to_json(session: &Session, found: &Found, asked: Option<&str>) -> Value {
    let sight = |s: &Sight| {
        json!({
            "remote": s.remote, "what": s.what, "member": s.member, "seen": s.seen, "now": s.now, "text": s.text,
        })
    };
    json!({
        "ledger": session.loaded.tally.dag().ledger(), "pinned": session.pinned,
        "entries": session.loaded.tally.dag().entries().len(),
        "broken": found.broken, "faults": found.faults.iter().map(fault_json).collect::<Vec<_>>(),
        "convicted": found.convicted(), "observed": found.sights.iter().map(sight).collect::<Vec<_>>(),
        "forks": found.forks.iter().map(|(m, ends)| json!({"member": m, "ends": ends})).collect::<Vec<_>>(),
        "asked": asked,
    })
}

/// A fault, with its sentence.
pub fn fault_json(fault: &Fault) -> Value {
    let mut value = json!(fault);
    if let Value::Object(fields) = &mut value {
        fields.insert("text".to_owned(), fault_sentence(fault).into());
    }
    value
}

fn lines(found: &Found, asked: Option<&str>) -> Vec<Text> {
    let mut lines: Vec<Text> = found
        .broken
        .iter()
        .map(broken_slot)
        .map(|l| Text::of(Role::Bad, l))
        .collect();
    let (shown, more) = first(&found.faults, SHOWN);
    for fault in shown {
        lines.push(describe_fault(fault));
        lines.extend(
            fault
                .votes
                .iter()
                .map(|said| Text::from(describe_said(said))),
        );
    }
    lines.extend((more > 0).then(|| {
        Text::of(
            Role::Faint,
            format!("… and {more} more faults; --json lists them"),
        )
    }));
    lines.extend(
        found
            .sights
            .iter()
            .map(|sight| Text::of(Role::Bad, "seen  ").with(Role::Plain, &*sight.text)),
    );
    for (member, ends) in &found.forks {
        let ends: Vec<_> = ends.iter().map(EntryId::short).collect();
        lines.push(Text::from(format!(
            "the lane of {member} is forked, which is no fault: it ends in {}",
            ends.join(", ")
        )));
    }
    if found.faults.is_empty() {
        lines.push(Text::from("no member is convicted of anything"));
    }
    let unasked = "no remote was asked what it shows now: git quorum faults --remote NAME";
    lines.extend(asked.is_none().then(|| Text::of(Role::Faint, unasked)));
    lines
}

/// A vote that convicts, and where it stands.
pub fn describe_said(said: &VoteRef) -> String {
    format!(
        "    entry {}, statement {}, commit {}",
        said.entry, said.statement, said.commit
    )
}

fn write_proof(session: &Session, typed: &str, file: &Path) -> Answer {
    let tally = &session.loaded.tally;
    let faults = tally.faults();
    let here = |failure: Failure| failure.hint("git quorum faults lists them");
    let id = Session::find(typed, "fault", faults.iter().map(|fault| fault.id)).map_err(here)?;
    let fault = faults.iter().find(|fault| fault.id == id);
    let fault =
        fault.ok_or_else(|| Failure::new("INTERNAL", format!("fault {id} is not known")))?;
    let proof = prove(tally, session.loaded.objects(), fault).map_err(proof_failure)?;
    put(file, &proof)?;
    let ledger = tally.dag().ledger();
    let next = format!(
        "git quorum check-proof {} --ledger {ledger}",
        file.display()
    );
    let text = describe_fault(fault).with(
        Role::Plain,
        format!(
            "\nproof written to {}; to check it:\n    {next}",
            file.display()
        ),
    );
    let data =
        json!({"file": file, "bytes": proof.len(), "ledger": ledger, "fault": fault_json(fault)});
    Ok(Reply::new(data, text)?.with_notes(session.notes.clone()))
}

/// Puts a new file there, whole or not at all.
fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::new(
            "FILE_EXISTS",
            format!(
                "{} is there already, and is not overwritten",
                path.display()
            ),
        )
        .exit(Exit::Conflict)
        .hint("name another file, or move that one away"),
        _ => Failure::new("IO", format!("{}: {error}", path.display())),
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    readable(&mut builder);
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    file.persist_noclobber(path)
        .map(drop)
        .map_err(|error| failed(error.error))
}

/// A proof is for others: its file is as readable as any that is written here.
#[cfg(unix)]
fn readable(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable(_: &mut tempfile::Builder<'_, '_>) {}

/// Why a file proves nothing, as a failure.
pub fn proof_failure(error: ProofError) -> Failure {
    let message = error.to_string();
    let failure = match error {
        ProofError::Repo(error) => return error.into(),
        ProofError::UpgradeNeeded(_) => Failure::new("UPGRADE_NEEDED", message).hint("install a newer git-quorum"),
        ProofError::Nothing => {
            Failure::new("NOTHING_PROVED", message).hint("believe nothing that was said about this file")
        }
        ProofError::TooDear(_) => Failure::new("BAD_PROOF", message).hint(
            "few ledgers have forks like that; to look at it all the same: git quorum check-proof FILE --memory BYTES",
        ),
        _ => Failure::new("BAD_PROOF", message)
            .hint("ask for the file again, as `git quorum faults --prove ID -o FILE` writes it"),
    };
    failure.exit(Exit::Unverified)
}
