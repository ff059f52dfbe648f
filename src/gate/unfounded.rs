//! The rulings on a server that has no genesis yet: nothing is protected, and nothing of the ledger
//! is taken without its genesis. Pure.

use super::commands::{Push, PushedRef};
use super::links::Links;
use super::names::{GuardedNames, is_ledger_name};
use super::refusal::{Refusal, RefusalCode};
use super::ruling::Ruling;
use crate::id::EntryId;
use crate::ledger::{LaneRef, LedgerRefs};

/// Judges a push to a server that has pinned this ledger and does not hold its genesis.
pub(super) fn judge_unfounded(push: &Push, ledger: EntryId, links: &Links) -> Vec<Ruling> {
    let names = GuardedNames::new([], links);
    let twice = push.named_twice();
    let judge = |(place, pushed): (usize, &PushedRef)| {
        if twice.contains(&place) {
            return Ruling::Refuse(Refusal::named_twice());
        }
        let judged = judge_ref(&names, ledger, pushed);
        judged.map_or_else(Ruling::Refuse, |()| Ruling::FallThrough)
    };
    push.refs.iter().enumerate().map(judge).collect()
}

fn judge_ref(names: &GuardedNames<'_>, ledger: EntryId, pushed: &PushedRef) -> Result<(), Refusal> {
    if is_ledger_name(&pushed.name) {
        return Err(no_genesis(ledger, &pushed.name));
    }
    names.judge_link(&pushed.name)?;
    names.judge_other(&pushed.name, pushed.old.is_none(), pushed.new.is_none())
}

fn no_genesis(ledger: EntryId, name: &str) -> Refusal {
    let refs = LedgerRefs::of(ledger);
    match refs.read(name) {
        Some(LaneRef::Genesis) => {
            let reason = format!(
                "this is not the genesis of ledger {}, which this server has pinned",
                ledger.short()
            );
            let help = format!("push the genesis whose id is {ledger}");
            Refusal::new(RefusalCode::BadGenesis, reason, help)
        }
        Some(LaneRef::Lane(_) | LaneRef::Proposal(_)) => {
            let reason = "this server does not hold the ledger's genesis yet";
            let help = format!("push {} first, or together with this ref", refs.genesis());
            Refusal::new(RefusalCode::NoGenesis, reason, help)
        }
        _ => Refusal::stray_name(&refs, name),
    }
}
