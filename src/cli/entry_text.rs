//! Entries and their statements for people.

use crate::client::views::entry::EntryView;
use crate::ledger::{Statement, Verdict};

/// An entry: a head, and a line for each statement.
pub fn lines(entry: &EntryView) -> String {
    let mut text = format!(
        "entry {}\ncommit {}\n{} number {}, {}",
        entry.id, entry.commit, entry.member, entry.seq, entry.time
    );
    for (number, statement) in entry.statements.iter().enumerate() {
        let mut discounts = entry.discounted.iter();
        let discount = discounts.find(|discount| discount.statement == number);
        let verdict = discount.map_or(String::new(), |discount| {
            format!("  (does not count: {})", discount.reason)
        });
        text.push_str(&format!("\n  {}{verdict}", statement_text(statement)));
    }
    text
}

/// What an entry says, in one line.
pub fn summary(entry: &EntryView) -> String {
    let first_line = |statement| {
        let text = statement_text(statement);
        text.lines().next().unwrap_or_default().to_owned()
    };
    let said: Vec<_> = entry.statements.iter().map(first_line).collect();
    if !said.is_empty() {
        said.join("; ")
    } else if entry.seq == 0 {
        "founds the ledger".to_owned()
    } else if entry.own_parents > 1 {
        "joins a fork".to_owned()
    } else {
        "tells what it knows".to_owned()
    }
}

/// A statement. The first line says what it does; more lines hold its text.
fn statement_text(statement: &Statement) -> String {
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

/// A text of a member, with a bar before each line, so that nobody takes it for the words of this
/// program.
pub fn indented(text: &str) -> String {
    text.lines().map(|line| format!("\n    | {line}")).collect()
}
