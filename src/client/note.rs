//! What a caller should know beside the answer, as data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::charter::MemberName;
use crate::id::EntryId;
use crate::ledger::Reject;
use crate::signer::state::Repair;
use crate::store::LaneEvent;

/// Something to know beside the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A ref of the ledger in this clone does not lead to an entry of its owner.
    BadLane {
        /// The ref.
        name: String,
        /// What is wrong.
        reject: Reject,
    },
    /// Hooks that were installed here are not those that git runs.
    HooksGone {
        /// Why.
        why: String,
    },
    /// No remote is known, so nothing was exchanged.
    NoRemote,
    /// A key was given without a member, so nothing is signed.
    KeyWithoutMember,
    /// A remote showed something that its operator or a member should explain.
    Remote {
        /// The remote.
        remote: String,
        /// What it showed.
        event: LaneEvent,
    },
    /// The end of the sign state was repaired.
    Repaired(Repair),
    /// Entries that this clone lacked were restored from the sign state.
    Restored,
    /// The remote refused entries of other members.
    OthersRefused {
        /// The remote.
        remote: String,
        /// Why, for each ref.
        reasons: BTreeMap<String, String>,
    },
    /// Entries of other members could not be passed on to the remote.
    NotPassedOn {
        /// The remote.
        remote: String,
        /// Why.
        why: String,
    },
    /// The ledger id was taken from the remote, and nobody vouched for it.
    PinnedOnFirstUse(EntryId),
    /// The ledger id was given by its first digits only.
    PinnedByPrefix(EntryId),
    /// Something that everyone should know about the members and rules of a charter.
    Charter(CharterWarning),
    /// The server has no genesis yet, so its gate protects nothing.
    NothingProtectedYet,
    /// What the installer reports.
    Install(String),
}

/// Something that everyone should know about the members and rules of a charter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum CharterWarning {
    /// The voting members are too few to tolerate a faulty one.
    ToleratesNone {
        /// How many vote.
        n: usize,
    },
    /// The quorum is so large that members which may be faulty can stop every decision.
    QuorumNeedsFaulty {
        /// How many vote.
        n: usize,
        /// How many may be faulty.
        f: usize,
        /// The quorum.
        q: usize,
    },
    /// One fault domain holds more votes than may fail together.
    ConcentratedDomain {
        /// The domain.
        domain: MemberName,
        /// Its votes.
        votes: usize,
        /// How many vote.
        n: usize,
        /// How many may be faulty.
        f: usize,
    },
}

/// What a remote showed, in a sentence.
pub fn describe_lane_event(event: &LaneEvent, remote: &str) -> String {
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
