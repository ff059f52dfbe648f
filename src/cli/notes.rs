//! Notes of the client as sentences.

use crate::client::{CharterWarning, Note};
use crate::signer::state::Repair;
use crate::store::LaneEvent;

/// A note in one or two sentences.
pub fn describe(note: &Note) -> String {
    match note {
        Note::BadLane { name, reject } => format!("{name}: {reject}"),
        Note::HooksGone { why } => format!(
            "The hooks of git-quorum are no longer in place ({why}). Install them again: git quorum install"
        ),
        Note::NoRemote => {
            "No remote is known, so nothing was exchanged. Name one: git config quorum.remote NAME"
                .to_owned()
        }
        Note::KeyWithoutMember => {
            "A key was given, but no member, so nothing is signed. Name the member with --as NAME."
                .to_owned()
        }
        Note::Remote { remote, event } => describe_event(event, remote),
        Note::Repaired(repair) => describe_repair(*repair),
        Note::Restored => {
            "Entries of this member that this clone lacked were restored from the sign state."
                .to_owned()
        }
        Note::OthersRefused { remote, reasons } => {
            let why: Vec<_> = reasons
                .iter()
                .map(|(name, why)| format!("{name}: {why}"))
                .collect();
            format!(
                "{remote} lacks entries of other members and refused them: {}",
                why.join("; ")
            )
        }
        Note::NotPassedOn { remote, why } => {
            format!("Entries of other members could not be passed on to {remote}: {why}")
        }
        Note::PinnedOnFirstUse(ledger) => format!(
            "The ledger id was pinned on first use. Compare {ledger} with what its founder says."
        ),
        Note::PinnedByPrefix(ledger) => format!(
            "The ledger id was given in short form. Compare {ledger} with what its founder says."
        ),
        Note::Charter(warning) => describe_warning(warning),
        Note::Install(text) => text.clone(),
    }
}

/// What a remote showed, in a sentence.
pub fn describe_event(event: &LaneEvent, remote: &str) -> String {
    match event {
        LaneEvent::Bad(problem) => {
            let last = problem.last_good.map_or("none".to_owned(), |id| id.short());
            format!(
                "{remote}: {} was not accepted: {}. Its last well-formed entry is {last}.",
                problem.name, problem.reject
            )
        }
        LaneEvent::WentBack { member, seen, now } => {
            let now = now.map_or("no entry".to_owned(), |id| format!("entry {}", id.short()));
            format!(
                "{remote} shows {now} at the end of the lane of {member}, but it had shown entry {} \
                 before. This clone keeps that entry.",
                seen.short()
            )
        }
        LaneEvent::WentSideways { member, seen, now } => format!(
            "The lane of {member} is forked: {remote} shows entry {}, and had shown {} before. \
             This clone keeps both.",
            now.short(),
            seen.short()
        ),
        LaneEvent::NotFetched { name, message } => {
            format!("{name} could not be fetched from {remote}: {message}")
        }
        LaneEvent::AfterRemoval { member } => format!(
            "{remote}: the lane of former member {member} goes on after the last entry that counts. \
             The rest was not accepted."
        ),
    }
}

fn describe_repair(repair: Repair) -> String {
    match repair {
        Repair::Cut(bytes) => format!(
            "The sign state ended in a half-written record of {bytes} bytes, which was cut off. \
             Its signature never left this machine."
        ),
        Repair::Kept => {
            "The last record of the sign state lacked its line end. It was kept.".to_owned()
        }
    }
}

/// A warning about a charter, in a sentence.
pub fn describe_warning(warning: &CharterWarning) -> String {
    match warning {
        CharterWarning::ToleratesNone { n } => {
            let members = if *n == 1 { "member" } else { "members" };
            format!(
                "With {n} voting {members}, not one lying or failing member is tolerated. Four is \
                 the smallest number that tolerates one."
            )
        }
        CharterWarning::QuorumNeedsFaulty { n, f, q } => format!(
            "A quorum of {q} needs {} of the {f} members that may be faulty. They can stop every \
             decision.",
            q + f - n
        ),
        CharterWarning::ConcentratedDomain {
            domain,
            votes,
            n,
            f,
        } => format!(
            "Fault domain {domain} holds {votes} of {n} votes, more than the {} that may fail \
             together. One failure there can break every guarantee.",
            f.max(&1)
        ),
    }
}
