//! `git quorum sync`: fetches, casts every vote that is due, and pushes. And `git quorum wait`, which
//! does so until a proposal is settled.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::identity::WriteArgs;
use super::party::Party;
use super::session::Session;
use super::style::{Role, Text};
use super::view::ProposalView;
use super::{Answer, Exit, Failure, Outcome, progress};
use crate::consensus::{Content, State, Waiting};
use crate::id::EntryId;

/// How many open proposals are listed, unless all are asked for.
pub const SHOWN: usize = 50;

/// How long `wait` sleeps between two looks, when nothing is due earlier.
const POLL: Duration = Duration::from_secs(2);

/// Fetch lanes, cast every vote that is due, and push.
///
/// Cheap and safe at any time: run it at the start and at the end of your work. An observer's sync
/// only fetches.
#[derive(Debug, clap::Args)]
pub struct SyncArgs {
    #[command(flatten)]
    write: WriteArgs,
}

/// Wait until a proposal is settled.
///
/// Casts the votes that are due meanwhile; a clone without a member only watches. Settled is decided, rejected,
/// withdrawn, stale or superseded. Exit status 0: decided. 6: it will not be, or not in time.
#[derive(Debug, clap::Args)]
pub struct WaitArgs {
    /// The proposal's id; the first digits are enough.
    id: String,
    /// Give up after so many seconds.
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
    #[command(flatten)]
    write: WriteArgs,
}

pub fn run(args: SyncArgs) -> Answer {
    let mut party = Party::open(&args.write)?;
    party.finish(&[])?;
    report(party.session(), party.appended(), party.waiting())
}

fn report(session: &Session, appended: &[EntryId], waiting: &[Waiting]) -> Answer {
    let open = open_proposals(session, SHOWN)?;
    let known = session.loaded.tally.dag().entries().len();
    let mut lines = vec![Text::from(format!(
        "{known} entries known, {} appended",
        appended.len()
    ))];
    lines.extend(open.texts());
    lines.extend(waiting.iter().map(describe_waiting).map(Text::from));
    let waiting: Vec<_> = waiting.iter().map(waiting_json).collect();
    let data = json!({"entries": appended, "waiting": waiting, "proposals": open.shown, "more": open.more});
    Ok(Outcome::new(data, Text::lines(lines))?.with_notes(session.notes.clone()))
}

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

/// For people: what a vote waits for.
pub fn describe_waiting(waiting: &Waiting) -> String {
    let seconds = waiting.left.div_ceil(1000);
    let what = match &waiting.guide {
        Some(guide) => format!("the prevote of {guide}, who guides round {}", waiting.round),
        None => format!("others in round {}", waiting.round),
    };
    format!(
        "{}: waits for {what}, {seconds} s more; then `git quorum sync` goes on",
        waiting.slot.subject
    )
}

fn waiting_json(waiting: &Waiting) -> Value {
    json!({"subject": waiting.slot.subject, "round": waiting.round, "guide": waiting.guide, "left_ms": waiting.left})
}

pub fn wait(args: WaitArgs) -> Answer {
    // A time too far away to be told is none.
    let deadline = args
        .timeout
        .and_then(|s| Instant::now().checked_add(Duration::from_secs(s)));
    let mut party = Party::open(&args.write)?;
    let id = party.session().proposal(&args.id)?;
    loop {
        party.finish(&[])?;
        let view = party.session().view(id)?;
        if matches!(view.state, "decided" | "landed") {
            let text = view.text();
            return Ok(Outcome::new(json!({"id": id, "proposal": view}), text)?
                .with_notes(party.session().notes.clone()));
        }
        if !matches!(view.state, "open" | "approved") {
            let message = format!("proposal {} is {}", id.short(), view.state);
            return Err(Failure::new("NOT_DECIDED", message)
                .exit(Exit::No)
                .hint(format!("git quorum show {}", id.short()))
                .data(view));
        }
        let due = party
            .waiting()
            .iter()
            .map(|w| Duration::from_millis(w.left))
            .min()
            .unwrap_or(POLL);
        let left = deadline.map_or(POLL, |end| end.saturating_duration_since(Instant::now()));
        let pause = due.clamp(Duration::from_millis(20), POLL).min(left);
        if left.is_zero() {
            let message = format!(
                "proposal {} is still {}: it needs {} from {}",
                id.short(),
                view.state,
                view.needs,
                super::view::names(&view.missing)
            );
            let waiting: String = party
                .waiting()
                .iter()
                .map(|w| format!("\n{}", describe_waiting(w)))
                .collect();
            let message = message + &waiting;
            return Err(Failure::new("TIMEOUT", message)
                .exit(Exit::No)
                .hint("their members run `git quorum sync`")
                .data(view));
        }
        progress::say(&format!(
            "Waiting for {}: {} from {}",
            id.short(),
            view.needs,
            super::view::names(&view.missing)
        ));
        // The lock on the sign state must not be held while nothing is done.
        drop(party);
        std::thread::sleep(pause);
        progress::clear();
        party = Party::open(&args.write)?;
    }
}
