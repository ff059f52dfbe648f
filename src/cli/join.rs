//! `git quorum join`: takes part in a ledger from this clone, or follows it as an observer.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::identity::{Identity, WriteArgs};
use super::session::{Session, absolute, choose_remote, open_repo, pinned_ledger};
use super::{Answer, Exit, Failure, Reply};
use crate::charter::MemberName;
use crate::id::EntryId;
use crate::repo::Repo;
use crate::store::{fetch_genesis, find_ledgers};

/// Take part in a ledger, or follow it.
///
/// Pins its id, and remembers the member and the key of this clone. Without --as the clone follows the ledger as an observer, which is enough to verify.
#[derive(Debug, clap::Args)]
pub struct JoinArgs {
    /// The ledger id, as its founder gave it to you. Without it the ledger found first is pinned.
    #[arg(long, value_name = "ID")]
    genesis: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

pub fn run(args: JoinArgs) -> Answer {
    let repo = open_repo()?;
    let remote = if args.write.local {
        None
    } else {
        choose_remote(&repo, args.write.remote.as_deref())?
    };
    let (ledger, how) = choose_ledger(&repo, args.genesis.as_deref(), remote.as_deref())?;
    let before = pinned_ledger(&repo)?;
    remember(&repo, ledger, None)?;
    match finish(&repo, &args, (ledger, how), remote.as_deref()) {
        Err(failure) if before.is_none() => {
            // Nothing half-done stays: a pin that was just made goes again.
            repo.unset_config("quorum.ledger")?;
            Err(failure)
        }
        answer => answer,
    }
}

fn finish(
    repo: &Repo,
    args: &JoinArgs,
    (ledger, how): (EntryId, &str),
    remote: Option<&str>,
) -> Answer {
    let mut session = Session::open(repo.clone())?;
    if let Some(remote) = remote {
        session.fetch(remote)?;
    }
    let member = match args.write.member {
        Some(_) => Some(check_member(&session, &args.write)?),
        None => None,
    };
    let t = session.charter()?.1.threshold();
    let who = member
        .as_ref()
        .map_or("as an observer".to_owned(), |m| format!("as {m}"));
    let text = format!(
        "joined ledger {ledger} {who}\n{} voting members, {} may be faulty, {} make a quorum",
        t.n, t.f, t.q
    );
    let mut notes = session.notes.clone();
    if how == "first-use" || how == "shortened" {
        let why = if how == "shortened" {
            "was given shortened"
        } else {
            "was pinned on first use"
        };
        notes.push(format!(
            "the ledger id {why}: compare {ledger} with what its founder says"
        ));
    }
    let data =
        json!({"ledger": ledger, "pinned": how, "member": member, "n": t.n, "f": t.f, "q": t.q});
    Ok(Reply::new(data, text)?.with_notes(notes))
}

/// The ledger to pin, fetched if it is not here, and how it was chosen.
fn choose_ledger(
    repo: &Repo,
    asked: Option<&str>,
    remote: Option<&str>,
) -> Result<(EntryId, &'static str), Failure> {
    let mut here = find_ledgers(repo)?;
    if let Some(remote) = remote {
        here = fetch_genesis(repo, remote)?;
    }
    let pin = pinned_ledger(repo)?;
    let (typed, how) = match (asked, pin) {
        (Some(typed), _) => (typed.to_owned(), "given"),
        (None, Some(pin)) => (pin.to_string(), "already"),
        (None, None) => match here.as_slice() {
            [one] => return Ok((*one, "first-use")),
            [] => return Err(crate::store::LoadError::NoLedger.into()),
            _ => return Err(crate::store::LoadError::Several(here).into()),
        },
    };
    let ledger =
        Session::find(&typed, "ledger", here.into_iter()).map_err(|failure| {
            match failure.code {
                "NOT_FOUND" => failure.hint(
                    "ask the ledger's founder for its id, and whether this is the right remote",
                ),
                _ => failure,
            }
        })?;
    match pin {
        Some(pin) if pin != ledger => Err(Failure::new(
            "OTHER_LEDGER",
            format!("this clone is pinned to ledger {pin}"),
        )
        .exit(Exit::Conflict)
        .hint("git config --unset quorum.ledger, if that is really meant")),
        // Digits that are left out are digits that somebody else may choose.
        _ if how == "given" && typed != ledger.to_string() => Ok((ledger, "shortened")),
        _ => Ok((ledger, how)),
    }
}

fn check_member(session: &Session, args: &WriteArgs) -> Result<MemberName, Failure> {
    let identity = Identity::resolve(&session.repo, args)?;
    identity.signer(session)?;
    let ledger = session.loaded.tally.dag().ledger();
    let key = args.key.clone().unwrap_or_default();
    remember(
        &session.repo,
        ledger,
        Some((&identity.member, &key, args.agent)),
    )?;
    Ok(identity.member)
}

/// Writes the pin, and the member with its key, into the clone's own configuration.
pub fn remember(
    repo: &Repo,
    ledger: EntryId,
    member: Option<(&MemberName, &PathBuf, bool)>,
) -> Result<(), Failure> {
    repo.set_config("quorum.ledger", &ledger.to_string())?;
    let Some((name, key, agent)) = member else {
        return Ok(());
    };
    repo.set_config("quorum.member", name.as_str())?;
    if !key.as_os_str().is_empty() {
        repo.set_config("quorum.key", &path_text(&absolute(key)?)?)?;
    }
    repo.set_config("quorum.agent", if agent { "true" } else { "false" })?;
    Ok(())
}

fn path_text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        Failure::new("BAD_PATH", format!("{} is not UTF-8", path.display())).exit(Exit::Usage)
    })
}
