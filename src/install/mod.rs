//! Installs the hooks in a repository, beside the hooks that are there, and removes them again.
//!
//! Knows what Git needs to run a hook, and nothing of what the hooks decide. Everything comes in as
//! values and goes out as plain data: this room prints nothing and reads no environment variable.
//! `docs/hooks.md` says what goes where, and why.

mod active;
mod block;
mod clone;
mod error;
mod hook_file;
mod hook_kind;
mod layout;
mod manner;
mod relay;
mod script;
mod server;
mod uninstall;

pub use active::{is_installed, why_not_run};
pub use clone::{CloneOptions, InstalledClone, install_clone};
pub use error::InstallError;
pub use manner::Manner;
pub use server::{InstalledServer, ServerOptions, install_server, uninstall_server};
pub use uninstall::{Uninstalled, uninstall_clone};
