//! What an entry can say. Only the shape is known here; what a statement is worth is judged by
//! `consensus`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::limits;
use super::reject::{Reject, RejectReason};
use crate::charter::{ProposedCharter, RefName};
use crate::id::{Digest, EntryId, Oid};

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// Proposes a value of a protected ref. Its id is the entry's.
    Propose(RefProposal),
    /// Proposes the next charter. Its id is the entry's.
    ProposeCharter(CharterProposal),
    /// A judgement on a proposal.
    Review(Review),
    /// The proposer's word that it no longer stands behind its proposal.
    Withdraw(Withdraw),
    /// A vote of the first phase.
    Prevote(Prevote),
    /// A vote of the second phase.
    Precommit(Precommit),
}

/// A proposed value of a protected ref.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefProposal {
    /// The decision that it builds on: the last decided proposal of the ref, or the charter that
    /// protects the ref first.
    pub base: EntryId,
    /// Digest of the change from `from` to `to`.
    pub change: Digest,
    /// The value that the ref is expected to have; none when the ref is to be created.
    pub from: Option<Oid>,
    /// The ref.
    #[serde(rename = "ref")]
    pub name: RefName,
    /// Whether `to` does not descend from `from`.
    pub rewrite: bool,
    /// Digest of the ref's whole content after the change, chained to the state before.
    pub state: Digest,
    /// A description for reviewers.
    pub text: String,
    /// A title for reviewers.
    pub title: String,
    /// The commit (or tag) that becomes the ref's value; none to delete the ref.
    pub to: Option<Oid>,
}

/// A proposed charter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CharterProposal {
    /// The charter that it follows.
    pub base: EntryId,
    /// The charter.
    pub charter: ProposedCharter,
    /// A description for reviewers.
    pub text: String,
    /// A title for reviewers.
    pub title: String,
}

/// What a review says.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The change is good.
    Approve,
    /// The change is not good.
    Reject,
    /// No judgement.
    Abstain,
}

/// A judgement with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What the judgement rests on: commands run, links, digests; free text, one line each.
    pub evidence: Vec<String>,
    /// The proposal.
    pub proposal: EntryId,
    /// The reasons.
    pub text: String,
    /// The judgement.
    pub verdict: Verdict,
}

/// A withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// The proposal.
    pub proposal: EntryId,
}

/// A first-phase vote; its charter is the entry's, its slot the proposal's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prevote {
    /// The proposal.
    pub proposal: EntryId,
    /// The round.
    pub round: u32,
}

/// A second-phase vote; its charter is the entry's, its slot the proposal's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Precommit {
    /// The proposal.
    pub proposal: EntryId,
    /// The round.
    pub round: u32,
    /// The member's ed25519 signature over the agreement statement's DSSE pre-authentication
    /// encoding, in lowercase hexadecimal.
    #[serde(with = "hex_signature")]
    pub signature: [u8; 64],
}

/// In JSON a statement is an object whose `kind` names the variant.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Statement", tag = "kind", rename_all = "kebab-case")]
enum InJson {
    Propose(RefProposal),
    ProposeCharter(CharterProposal),
    Review(Review),
    Withdraw(Withdraw),
    Prevote(Prevote),
    Precommit(Precommit),
}

/// In bytes a number stands before it, which says how to read on.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Statement")]
enum InBytes {
    Propose(RefProposal),
    ProposeCharter(CharterProposal),
    Review(Review),
    Withdraw(Withdraw),
    Prevote(Prevote),
    Precommit(Precommit),
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => InJson::serialize(self, serializer),
            false => InBytes::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Statement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => InJson::deserialize(deserializer),
            false => InBytes::deserialize(deserializer),
        }
    }
}

mod hex_signature {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_str(&hex::encode(bytes)),
            false => serializer.serialize_bytes(bytes),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
        if !deserializer.is_human_readable() {
            return <&[u8]>::deserialize(deserializer)?
                .try_into()
                .map_err(serde::de::Error::custom);
        }
        let mut bytes = [0; 64];
        hex::decode_to_slice(String::deserialize(deserializer)?, &mut bytes)
            .map_err(serde::de::Error::custom)?;
        Ok(bytes)
    }
}

impl Statement {
    /// The words of the entry's subject line for this statement; ASCII, no free text.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Propose(_) => "propose".to_owned(),
            Self::ProposeCharter(_) => "propose charter".to_owned(),
            Self::Review(review) => {
                let verdict = match review.verdict {
                    Verdict::Approve => "approve",
                    Verdict::Reject => "reject",
                    Verdict::Abstain => "abstain",
                };
                format!("{verdict} {}", review.proposal.short())
            }
            Self::Withdraw(withdraw) => format!("withdraw {}", withdraw.proposal.short()),
            Self::Prevote(vote) => {
                format!("prevote {} round {}", vote.proposal.short(), vote.round)
            }
            Self::Precommit(vote) => {
                format!("precommit {} round {}", vote.proposal.short(), vote.round)
            }
        }
    }

    /// Whether the statement makes a proposal.
    pub fn proposes(&self) -> bool {
        matches!(self, Self::Propose(_) | Self::ProposeCharter(_))
    }

    /// Checks texts and counts, and that the statement does not contradict itself.
    pub(super) fn check(&self) -> Result<(), Reject> {
        match self {
            Self::Propose(proposal) => {
                check_line("title", &proposal.title, limits::TITLE_BYTES)?;
                check_text(&proposal.text)?;
                check_move(proposal)
            }
            Self::ProposeCharter(proposal) => {
                check_line("title", &proposal.title, limits::TITLE_BYTES)?;
                check_text(&proposal.text)
            }
            Self::Review(review) => check_review(review),
            Self::Withdraw(_) | Self::Prevote(_) | Self::Precommit(_) => Ok(()),
        }
    }
}

fn check_move(proposal: &RefProposal) -> Result<(), Reject> {
    let zero = Oid::new([0; 20]);
    let bad = |why| Err(Reject::new(RejectReason::BadStatement, why));
    if proposal.from == Some(zero) || proposal.to == Some(zero) {
        return bad("an absent value is null, not zeros");
    }
    if proposal.from == proposal.to {
        return bad("from and to are the same: nothing is proposed");
    }
    if proposal.rewrite && (proposal.from.is_none() || proposal.to.is_none()) {
        return bad("a creation or deletion is no rewrite");
    }
    Ok(())
}

fn check_review(review: &Review) -> Result<(), Reject> {
    if review.evidence.len() > limits::EVIDENCE {
        return Err(Reject::new(
            RejectReason::LimitExceeded,
            "too many items of evidence",
        ));
    }
    check_text(&review.text)?;
    review
        .evidence
        .iter()
        .try_for_each(|item| check_line("evidence", item, limits::EVIDENCE_BYTES))
}

/// One line: not empty, no control characters.
fn check_line(what: &str, text: &str, most: usize) -> Result<(), Reject> {
    if text.is_empty() || text.len() > most || text.chars().any(char::is_control) {
        let detail = format!(
            "the {what} must be 1 to {most} bytes without line breaks or control characters"
        );
        return Err(Reject::new(RejectReason::BadText, detail));
    }
    Ok(())
}

/// Any number of lines, none included; no control characters but line feed and tab.
fn check_text(text: &str) -> Result<(), Reject> {
    let bad = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.len() > limits::TEXT_BYTES || text.chars().any(bad) {
        let detail = format!(
            "a text must be at most {} bytes without control characters",
            limits::TEXT_BYTES
        );
        return Err(Reject::new(RejectReason::BadText, detail));
    }
    Ok(())
}
