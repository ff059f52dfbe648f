//! `git quorum install` and `uninstall` beside whatever is there, with the real program, real Git and the real hook managers.

#[path = "../common/lab.rs"]
mod lab;
#[path = "../common/world.rs"]
mod world;

mod bench;
mod fetch;
mod managers;
mod paths;
mod plain;
mod server;
