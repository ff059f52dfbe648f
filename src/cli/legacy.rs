//! Pieces that commands use which do not use the client yet. This file goes when they do.

use super::session::Session;
use super::style::{Role, Text};
use super::view::ProposalView;
use super::{Exit, Failure};
use crate::charter::{RefName, RefPattern};
use crate::consensus::{Content, State};
use crate::id::EntryId;

/// How many open proposals are listed, unless all are asked for.
pub const SHOWN: usize = 50;

/// The first so many of them, and how many more there are.
pub fn first<T>(all: &[T], count: usize) -> (&[T], usize) {
    let (shown, more) = all.split_at(count.min(all.len()));
    (shown, more.len())
}

/// Open proposals, as many as are shown.
pub struct Open {
    pub shown: Vec<ProposalView>,
    /// How many there are besides.
    pub more: usize,
}

impl Open {
    /// As text, with a line that says how to see the others: anybody may make a thousand.
    pub fn texts(&self) -> Vec<Text> {
        let more = self.more;
        let rest = (more > 0).then(|| {
            Text::of(
                Role::Faint,
                format!("… and {more} more: git quorum status --all"),
            )
        });
        self.shown
            .iter()
            .map(ProposalView::text)
            .chain(rest)
            .collect()
    }
}

/// Proposals that are not settled, or that have not landed; the first so many of them.
pub fn open_proposals(session: &Session, count: usize) -> Result<Open, Failure> {
    // Most proposals of a long ledger have landed: they are told apart before each is looked at.
    let (tally, landed) = (&session.loaded.tally, session.landed()?);
    let state = |id| {
        tally
            .state(id)
            .filter(|s| matches!(s, State::Open | State::Approved | State::Decided))
    };
    let candidates = tally
        .proposals()
        .map(|p| p.id)
        .filter(|id| !landed.contains(id));
    let candidates: Vec<_> = candidates.filter_map(|id| Some((id, state(id)?))).collect();
    let standing = session.standing(candidates.iter().map(|(id, _)| *id))?;
    let can_land = |id| matches!(tally.proposal(id).map(|p| tally.content(p)), Some(Content::Ref(change)) if change.to.is_some());
    let is_open = |(id, state): &(EntryId, State)| match session.state(*id, *state, &standing) {
        "open" | "approved" => true,
        "decided" => can_land(*id),
        _ => false,
    };
    let open: Vec<_> = candidates
        .iter()
        .filter(|candidate| is_open(candidate))
        .collect();
    let (shown, more) = first(&open, count);
    let shown = shown
        .iter()
        .map(|(id, _)| session.view_by(*id, &standing))
        .collect::<Result<_, _>>()?;
    Ok(Open { shown, more })
}

/// The protected ref that was named, in full or as a branch, or the only protected branch.
pub fn choose_ref(session: &Session, asked: Option<&str>) -> Result<RefName, Failure> {
    let (_, charter) = session.charter()?;
    let Some(asked) = asked else {
        let branches: Vec<_> = charter
            .protected()
            .iter()
            .filter_map(RefPattern::exact)
            .collect();
        return match branches.as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(Failure::new(
                "WHICH_REF",
                "the charter protects several refs, or only patterns",
            )
            .exit(Exit::Usage)
            .hint("name one: --onto refs/heads/main")),
        };
    };
    let candidates = [
        asked.to_owned(),
        format!("refs/heads/{asked}"),
        format!("refs/tags/{asked}"),
    ];
    let names = candidates
        .iter()
        .filter_map(|text| text.parse::<RefName>().ok());
    names
        .into_iter()
        .find(|name| charter.protects(name))
        .ok_or_else(|| {
            Failure::new(
                "NOT_PROTECTED",
                format!("{asked} is not protected: it needs no decision, push it as usual"),
            )
            .exit(Exit::NotFound)
            .hint("git quorum charter show")
        })
}
