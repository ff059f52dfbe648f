//! Notes of the client as sentences.

use crate::client::{CharterWarning, Note, describe_lane_event};
use crate::signer::state::Repair;

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
        Note::Remote { remote, event } => describe_lane_event(event, remote),
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
        Note::NothingProtectedYet => {
            "The genesis is not here yet, so nothing is protected until somebody pushes it."
                .to_owned()
        }
        Note::Install(text) => text.clone(),
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
