//! What is known, as plain data. Views read a [`Session`](super::Session); they do no network and
//! change nothing.

pub mod charter;
pub mod entry;
pub mod fault;
pub mod faults;
pub mod log;
pub mod proof;
pub mod proposal;
pub mod show;
pub mod status;
pub mod verify;
