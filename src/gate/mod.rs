//! What a ref update needs, and the hooks that ask (spec, "The gate"). The rules are pure functions over a
//! tally and the refs of a push; the rest reads the repository and speaks with Git. Knows no terminal.

mod bindings;
pub mod clone;
pub mod commands;
mod fold;
mod ground;
mod lanes;
pub mod links;
mod names;
mod ordinary;
pub mod pkt_line;
mod plan;
pub mod pre_receive;
pub mod proc_receive;
mod protected;
pub mod push;
mod refusal;
pub mod rules;
mod says;

pub use refusal::{Refusal, RefusalCode};
pub use rules::{PushedRef, Scene, Verdict};
