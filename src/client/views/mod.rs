//! What is known, as plain data. Views read a [`Session`](super::Session); they do no network and
//! change nothing.

pub mod proposal;
