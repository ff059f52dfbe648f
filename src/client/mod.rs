//! Everything that a member, an observer or an auditor can do, as a library.
//!
//! A program opens a [`Session`] to read a ledger, a [`Writer`] to sign as a member, or a
//! [`Participant`] for either. It calls *actions* ([`actions`]) and reads *views* ([`views`]).
//! Each returns an [`Answer`] with plain data, or an [`Error`] with a stable [`Code`].
//!
//! Inputs are values. This room knows no command line, no environment variable, no working
//! directory and no terminal, and it holds no process-wide state: the caller passes a [`Context`].
//! `examples/orchestrator.rs` is a complete program.

pub mod actions;
mod answer;
pub mod charter_file;
mod charter_warnings;
mod clock;
mod code;
mod context;
mod error;
mod identity;
mod list;
mod next;
mod note;
mod participant;
mod remote;
mod schema;
mod session;
mod time;
mod timer_file;
mod timers;
pub mod views;
mod workspace;
mod writer;

pub use answer::{Answer, Outcome};
pub use charter_warnings::charter_warnings;
pub use clock::{Clock, SystemClock};
pub use code::{Code, Exit, Retry};
pub use context::{Context, WriteOptions};
pub use error::{Error, Result};
pub use identity::{Identity, parse_name, public_key};
pub use list::{Bounded, SHOWN};
pub use next::NextStep;
pub use note::{CharterWarning, Note, describe_lane_event};
pub use participant::{Observer, Participant};
pub use remote::{GitRemote, Remote};
pub use session::{Session, check_whole, choose_remote, find_id, pinned_ledger};
pub use time::rfc3339;
pub use timers::Timers;
pub use workspace::{MemberClone, NewEntry, Workspace};
pub use writer::Writer;
