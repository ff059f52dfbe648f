//! Deciding: pure functions over the verified entries of a ledger. A verdict depends only on the
//! statement and its ancestors, so it is the same for everyone, for ever. Knows no Git, files,
//! clocks, keys or output. The rules are those of `ledger-spec/deciding.md`, by number.

mod admission;
mod agreement;
mod casts;
mod discount;
mod evidence;
mod faults;
mod judge;
pub mod landing;
mod next;
mod parents;
mod relay;
mod report;
mod slot;
mod tally;

pub use admission::Admission;
pub use agreement::{PAYLOAD_TYPE, agreement_statement, pre_authentication_encoding};
pub use discount::{Discount, DiscountReason};
pub use evidence::{Evidence, EvidenceRule};
pub use faults::{BrokenSlot, Fault, FaultKind, VoteRef};
pub use next::{Draft, Due, DueVote, Patience, Timer, TimerEvent, Waiting};
pub use parents::{own_tips, parents_for};
pub use relay::{ShownLanes, lanes_to_relay, leads_to};
pub use report::{Need, Opinion, ProposalReport, RoundReport, State};
pub use slot::{Slot, Subject};
pub use tally::{Chain, Content, Decision, Discounted, Phase, Proposal, Tally, Vote};
