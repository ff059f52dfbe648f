//! The hooks of a clone, by the real program and real Git: what is refused, what passes, what it costs. Each test runs with
//! the Git on the path, and with the newer one that `GIT_QUORUM_NEWER_GIT` names.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "../common/lab.rs"]
mod lab;
#[path = "../common/needs.rs"]
mod needs;
#[path = "../common/world.rs"]
mod world;

/// Makes tests of these functions, one for each Git.
macro_rules! with_each_git {
    ($($name:ident),* $(,)?) => {
        mod stock_git {
            $(#[test] fn $name() { super::$name(&crate::desk::Git::stock()) })*
        }
        mod newer_git {
            $(#[test]
            #[cfg_attr(not(has_newer_git), ignore = "GIT_QUORUM_NEWER_GIT names no newer git")]
            fn $name() { if let Some(git) = crate::desk::Git::newer() { super::$name(&git) } })*
        }
    };
}

mod allowed;
mod chained;
mod closed;
mod desk;
mod doctor;
mod list;
mod pushes;
mod refused;
