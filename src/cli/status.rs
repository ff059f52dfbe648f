//! `git quorum status` and `show`: what the ledger here says. They read; they do no network.

use serde_json::{Value, json};

use super::legacy::{SHOWN, first, open_proposals};
use super::session::{Session, pinned_ledger};
use super::style::{Role, Text};
use super::view::{ProposalView, evidence_of, fault_lines, names};
use super::{Answer, Failure, Reply};
use crate::consensus::landing::{landed_count, ref_moves};
use crate::consensus::{Content, ProposalReport, Subject, own_tips};
use crate::id::EntryId;
use crate::ledger::{Entry, EntryIndex, Statement, Verdict};

/// Show protected refs and open proposals, or how far one proposal is.
///
/// Reads what is here: `git quorum sync` brings what others did. States of a proposal: open (it needs approvals), approved
/// (votes are under way), decided, landed (the ref holds it), rejected, withdrawn, stale (its ref has moved on) and superseded
/// (a rival was decided).
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// A proposal's id; the first digits are enough.
    id: Option<String>,
    /// List all open proposals, refs, and statements that do not count, not the first fifty of each.
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

/// Show a proposal or an entry with all that is known of it.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The id of a proposal or entry; the first digits are enough.
    id: String,
}

pub fn status(args: StatusArgs) -> Answer {
    let session = Session::read()?;
    match args.id {
        Some(typed) => status_of(&session, session.proposal(&typed)?),
        None => overview(&session, if args.all { usize::MAX } else { SHOWN }),
    }
}

fn status_of(session: &Session, id: EntryId) -> Answer {
    let view = session.view(id)?;
    let report = session.report(id)?;
    let mut text = view.text();
    text.push_str(&votes_text(&report));
    let data = json!({
        "id": id, "state": view.state, "proposal": view, "charter": report.charter,
        "rounds": report.rounds, "opinions": report.opinions, "discounted": discounted(session, Some(id)),
    });
    Ok(Reply::new(data, text)?.with_notes(session.notes.clone()))
}

fn votes_text(report: &ProposalReport) -> String {
    let mut text = String::new();
    for round in &report.rounds {
        for (phase, votes) in [
            ("prevotes", &round.prevotes),
            ("precommits", &round.precommits),
        ] {
            for (proposal, members) in votes {
                let own = if *proposal == report.id {
                    String::new()
                } else {
                    format!(" for rival {}", proposal.short())
                };
                text.push_str(&format!(
                    "\n    round {}: {phase}{own} by {}",
                    round.round,
                    names(members)
                ));
            }
        }
    }
    text
}

/// The proposal that a statement of this entry is about.
pub fn proposal_of(statement: &Statement, entry: EntryId) -> EntryId {
    match statement {
        Statement::Propose(_) | Statement::ProposeCharter(_) => entry,
        Statement::Review(s) => s.proposal,
        Statement::Withdraw(s) => s.proposal,
        Statement::Prevote(s) => s.proposal,
        Statement::Precommit(s) => s.proposal,
    }
}

/// Statements that do not count, with their reasons; about one proposal, or all.
fn discounted(session: &Session, about: Option<EntryId>) -> Vec<Value> {
    let tally = &session.loaded.tally;
    let mut all: Vec<_> = tally.discounted().iter().collect();
    // The order of arrival must not show.
    all.sort_by_cached_key(|d| {
        let entry = tally.dag().entry(d.place.entry);
        (entry.time, entry.id, d.place.statement)
    });
    let listed = all.into_iter().filter_map(|d| {
        let entry = tally.dag().entry(d.place.entry);
        let statement = entry.statements.get(d.place.statement)?;
        let wanted = about.is_none_or(|id| proposal_of(statement, entry.id) == id);
        wanted.then(|| {
            json!({
                "entry": entry.id, "statement": d.place.statement, "member": entry.member,
                "code": d.discount.reason.code(), "reason": crate::wording::discount_reason(d.discount.reason), "detail": d.discount.detail,
            })
        })
    });
    listed.collect()
}

fn overview(session: &Session, count: usize) -> Answer {
    let tally = &session.loaded.tally;
    let (charter, electorate) = session.charter()?;
    let t = electorate.threshold();
    let subjects = subjects(session)?;
    let open = open_proposals(session, count)?;
    let faults = tally.faults();
    let evidence = evidence_of(&faults);
    let ledger = tally.dag().ledger();
    let pinned = if session.pinned { "" } else { "  UNPINNED" };
    let mut lines = vec![
        Text::from(format!("ledger {ledger}")).with(Role::Bad, pinned),
        Text::from(format!(
            "charter {}: {} voting members, {} may be faulty, {} make a quorum",
            charter.short(),
            t.n,
            t.f,
            t.q
        )),
        Text::from(format!("{} entries", tally.dag().entries().len())),
    ];
    let (subjects, more_refs) = first(&subjects, count);
    lines.extend(
        subjects
            .iter()
            .filter_map(|s| s["text"].as_str().map(Text::from)),
    );
    if more_refs > 0 {
        lines.push(Text::of(
            Role::Faint,
            format!("… and {more_refs} more refs: git quorum status --all"),
        ));
    }
    if open.shown.is_empty() {
        lines.push(Text::from("no open proposal"));
    }
    lines.extend(open.texts());
    lines.extend(fault_lines(&faults, count));
    let forks = forks(session);
    let fork =
        |(member, tips): &(String, usize)| format!("the lane of {member} is forked: {tips} tips");
    lines.extend(forks.iter().map(|f| Text::of(Role::Bad, fork(f))));
    let discounted = discounted(session, None);
    // The latest ones tell most.
    let skipped = discounted.len().saturating_sub(count);
    let data = json!({
        "ledger": ledger, "pinned": pinned_ledger(&session.repo)?.is_some(), "charter": charter,
        "n": t.n, "f": t.f, "q": t.q, "entries": tally.dag().entries().len(), "subjects": subjects, "proposals": open.shown,
        "evidence": evidence, "forks": forks.iter().map(|(m, tips)| json!({"member": m, "tips": tips})).collect::<Vec<_>>(),
        "warnings": super::charter::warnings(electorate), "member": session.repo.config("quorum.member")?,
        "domains": electorate.domains().iter().map(|d| json!({"domain": d.domain, "votes": d.votes})).collect::<Vec<_>>(),
        "discounted": discounted.iter().skip(skipped).collect::<Vec<_>>(),
        "more": {"proposals": open.more, "subjects": more_refs, "discounted": skipped},
    });
    let notes = session
        .notes
        .iter()
        .cloned()
        .chain(super::charter::warnings(electorate));
    Ok(Reply::new(data, Text::lines(lines))?.with_notes(notes))
}

fn forks(session: &Session) -> Vec<(String, usize)> {
    let dag = session.loaded.tally.dag();
    let tips = dag
        .authors()
        .map(|m| (m.to_string(), own_tips(&session.loaded.tally, m).len()));
    tips.filter(|(_, tips)| *tips > 1).collect()
}

/// Each protected ref that exists or has decisions, with its value and what is decided.
fn subjects(session: &Session) -> Result<Vec<Value>, Failure> {
    let tally = &session.loaded.tally;
    let mut subjects: std::collections::BTreeSet<_> = tally.subjects().cloned().collect();
    let exact = session
        .charter()?
        .1
        .protected()
        .iter()
        .filter_map(|p| p.exact());
    subjects.extend(exact.map(Subject::Ref));
    let names = subjects.iter().filter_map(|s| {
        if let Subject::Ref(name) = s {
            Some(name.as_str())
        } else {
            None
        }
    });
    let values = session.ref_values(names)?;
    let mut rows = Vec::new();
    for subject in &subjects {
        let Subject::Ref(name) = subject else {
            continue;
        };
        let Some(chain) = tally.chain(subject) else {
            continue;
        };
        let value = values.get(name.as_str()).copied();
        let done = landed_count(&ref_moves(tally, &chain.decided), value);
        let shown = value.map_or("absent".to_owned(), |oid| oid.short());
        let mut text = format!(
            "{name} is {shown}: {done} of {} decisions landed",
            chain.decided.len()
        );
        if !chain.rivals.is_empty() {
            text.push_str("; AGREEMENT IS BROKEN: two decisions for one slot");
        }
        rows.push(json!({
            "ref": name, "value": value, "decided": chain.decided, "landed": done, "rivals": chain.rivals, "text": text,
        }));
    }
    Ok(rows)
}

pub fn show(args: ShowArgs) -> Answer {
    let session = Session::read()?;
    let dag = session.loaded.tally.dag();
    let id = Session::find(&args.id, "entry", dag.entries().map(|(_, e)| e.id))?;
    let index = dag
        .find(id)
        .ok_or_else(|| Failure::new("INTERNAL", format!("entry {id} is not known")))?;
    let entry = dag.entry(index);
    let mut data = entry_json(&session, index, entry);
    let mut text = Text::from(entry_text(&session, index, entry));
    if session.loaded.tally.proposal(id).is_some() {
        let (view, report) = (session.view(id)?, session.report(id)?);
        text.push_str("\n\n");
        text.append(proposal_text(&session, id, &view));
        text.push_str(&votes_text(&report));
        let about = json!({
            "proposal": view, "rounds": report.rounds, "opinions": report.opinions, "decision": decision_json(&session, id),
        });
        if let (Value::Object(data), Value::Object(about)) = (&mut data, about) {
            data.extend(about);
        }
    }
    Ok(Reply::new(data, text)?.with_notes(session.notes.clone()))
}

fn decision_json(session: &Session, id: EntryId) -> Value {
    session.loaded.tally.decision(id).map_or(
        Value::Null,
        |decision| json!({"charter": decision.charter, "round": decision.round, "precommits": decision.precommits}),
    )
}

fn proposal_text(session: &Session, id: EntryId, view: &ProposalView) -> Text {
    let mut text = view.text();
    let tally = &session.loaded.tally;
    match tally.proposal(id).map(|p| tally.content(p)) {
        Some(Content::Ref(change)) => {
            let value =
                |oid: Option<crate::id::Oid>| oid.map_or("absent".to_owned(), |o| o.to_string());
            let rewrite = if change.rewrite {
                " (REWRITES HISTORY)"
            } else {
                ""
            };
            text.push_str(&format!(
                "\n    from {}\n    to   {}{rewrite}",
                value(change.from),
                value(change.to)
            ));
            if let (Some(from), Some(to)) = (change.from, change.to) {
                text.push_str(&format!(
                    "\n    look at it: git diff {} {}",
                    from.short(),
                    to.short()
                ));
            }
            text.push_str(&indented(&change.text));
        }
        Some(Content::Charter(change)) => text.push_str(&indented(&change.text)),
        None => {}
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("\n    | {line}")).collect()
}

pub fn entry_json(session: &Session, index: EntryIndex, entry: &Entry) -> Value {
    json!({
        "id": entry.id, "commit": entry.oid, "member": entry.member, "seq": entry.seq, "charter": entry.charter,
        "time": rfc3339(entry.time), "statements": entry.statements,
        "parents": entry.parents.iter().map(|p| session.loaded.tally.dag().entry(*p).id).collect::<Vec<_>>(),
        "discounted": session.loaded.tally.discounted().iter().filter(|d| d.place.entry == index)
            .map(|d| json!({"statement": d.place.statement, "code": d.discount.reason.code(), "detail": d.discount.detail}))
            .collect::<Vec<_>>(),
    })
}

fn entry_text(session: &Session, index: EntryIndex, entry: &Entry) -> String {
    let mut text = format!(
        "entry {}\ncommit {}\n{} number {}, {}",
        entry.id,
        entry.oid,
        entry.member,
        entry.seq,
        rfc3339(entry.time)
    );
    for (number, statement) in entry.statements.iter().enumerate() {
        let discount = session
            .loaded
            .tally
            .discounted()
            .iter()
            .find(|d| d.place.entry == index && d.place.statement == number);
        let verdict = discount.map_or(String::new(), |d| {
            format!(
                "  (does not count: {})",
                crate::wording::discount_reason(d.discount.reason)
            )
        });
        text.push_str(&format!("\n  {}{verdict}", statement_text(statement)));
    }
    text
}

pub fn statement_text(statement: &Statement) -> String {
    match statement {
        Statement::Propose(s) => format!("proposes {}: {}", s.name, s.title),
        Statement::ProposeCharter(s) => format!("proposes a charter: {}", s.title),
        Statement::Review(s) => {
            let verdict = match s.verdict {
                Verdict::Approve => "approves",
                Verdict::Reject => "rejects",
                Verdict::Abstain => "abstains on",
            };
            let evidence: String = s
                .evidence
                .iter()
                .map(|e| format!("\n    evidence: {e}"))
                .collect();
            format!(
                "{verdict} {}{}{evidence}",
                s.proposal.short(),
                indented(&s.text)
            )
        }
        Statement::Withdraw(s) => format!("withdraws {}", s.proposal.short()),
        Statement::Prevote(s) => format!("prevotes {} in round {}", s.proposal.short(), s.round),
        Statement::Precommit(s) => {
            format!("precommits {} in round {}", s.proposal.short(), s.round)
        }
    }
}

/// A time in UTC as RFC 3339 writes it (days from the civil calendar by Hinnant's algorithm).
pub fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let known = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ];
        for (seconds, text) in known {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
