//! The early judgement, while the pushed objects are still in quarantine.
//!
//! A push of which nothing can move leaves no object behind. This hook refuses nothing that
//! `proc-receive` would allow, and the gate holds without it.

use super::commands::Push;
use super::messages;
use super::push::{ServerRepository, foresee};
use super::ruling::Ruling;

/// Judges a push before its objects leave quarantine. Returns messages for the pusher if no ref of
/// the push could move. Writes nothing.
pub fn judge_early(server: &ServerRepository, push: &Push) -> Result<(), Vec<String>> {
    if push.refs.is_empty() {
        return Ok(());
    }
    let rulings = foresee(server, push).map_err(|refusal| vec![messages::whole_push(&refusal)])?;
    // Git does not say here whether the push is atomic. So one ref that could move lets all
    // others come along.
    if rulings.iter().all(Ruling::is_refusal) {
        return Err(messages::refusals(push, &rulings));
    }
    Ok(())
}
