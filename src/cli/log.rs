//! `git quorum log`: the entries of the ledger here, as lines or as a graph. Reads; does no network.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;

use super::graph::{self, Node};
use super::session::Session;
use super::status::{entry_json, proposal_of, rfc3339, statement_text};
use super::style::{Role, Text};
use super::{Answer, Exit, Failure, Reply};
use crate::charter::MemberName;
use crate::id::EntryId;
use crate::ledger::{Dag, Entry, EntryIndex};

/// Columns that lines of the graph keep to.
const WIDTH: usize = 80;

/// The least columns for what an entry says beside the graph, however wide that is.
const LEAST: usize = 30;

/// Lines for what one entry says beside the graph.
const LINES: usize = 4;

/// List entries, newest first; with --graph, who cites whom.
///
/// An entry stands above all that it builds on; entries that do not build on each other are ordered by the times
/// that their authors claim. The graph has a column for each lane: `*` is an entry, a line down from `.` or `+` in
/// its row leads to an entry of that lane that it cites, `'` ends a line, and `-|-` passes one without joining it.
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// How many entries at most.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    count: usize,
    /// Only entries of this member.
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
    /// Only entries that say something about this proposal; the first digits of its id are enough.
    #[arg(long, value_name = "ID")]
    proposal: Option<String>,
    /// Draw the graph of the entries, each with its lane's number of it.
    #[arg(long, conflicts_with_all = ["member", "proposal"])]
    graph: bool,
}

/// An entry, and its place in the ledger.
type Item<'a> = (EntryIndex, &'a Entry);

pub fn run(args: LogArgs) -> Answer {
    let session = Session::read()?;
    let dag = session.loaded.tally.dag();
    let mut entries = newest_first(dag);
    if let Some(typed) = &args.member {
        let name = known_author(dag, typed)?;
        entries.retain(|(_, entry)| entry.member == name);
    }
    if let Some(typed) = &args.proposal {
        let id = session.proposal(typed)?;
        entries.retain(|(_, entry)| {
            entry
                .statements
                .iter()
                .any(|said| proposal_of(said, entry.id) == id)
        });
    }
    let more = entries.len().saturating_sub(args.count);
    entries.truncate(args.count);
    let mut lines = if args.graph {
        with_graph(dag, &entries)
    } else {
        entries.iter().map(|(_, entry)| line(dag, entry)).collect()
    };
    if more > 0 {
        let older = format!(
            "… and {more} older: git quorum log -n {}",
            args.count.saturating_mul(2).max(1)
        );
        lines.push(Text::of(Role::Faint, older));
    }
    let data: Vec<_> = entries
        .iter()
        .map(|(index, entry)| entry_json(&session, *index, entry))
        .collect();
    Ok(
        Reply::new(json!({"entries": data, "more": more}), Text::lines(lines))?
            .with_notes(session.notes.clone()),
    )
}

/// Somebody who has entries here, or could have: a name that is misspelled is told from one that has said nothing.
pub fn known_author(dag: &Dag, typed: &str) -> Result<MemberName, Failure> {
    let name = crate::client::parse_name(typed)?;
    let is_member = |id: EntryId| {
        dag.charter(id)
            .is_some_and(|node| node.charter.member(&name).is_some())
    };
    let known = dag
        .entries()
        .any(|(_, entry)| entry.member == name || is_member(entry.charter));
    if known {
        Ok(name)
    } else {
        Err(
            Failure::new("NO_SUCH_MEMBER", format!("no member {name} is known here"))
                .exit(Exit::NotFound)
                .hint("git quorum charter show"),
        )
    }
}

fn newest_first(dag: &Dag) -> Vec<Item<'_>> {
    dag.history()
        .into_iter()
        .rev()
        .map(|index| (index, dag.entry(index)))
        .collect()
}

fn line(dag: &Dag, entry: &Entry) -> Text {
    let rest = format!(
        "  {}  {:<12} {}",
        rfc3339(entry.time),
        entry.member,
        said(dag, entry)
    );
    Text::of(Role::Id, entry.id.short()).with(Role::Plain, rest)
}

/// What an entry says, in a line.
fn said(dag: &Dag, entry: &Entry) -> String {
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let said: Vec<_> = entry
        .statements
        .iter()
        .map(|s| first_line(statement_text(s)))
        .collect();
    let tips = entry
        .parents
        .iter()
        .filter(|parent| dag.entry(**parent).member == entry.member)
        .count();
    match (said.is_empty(), entry.seq) {
        (true, 0) => "founds the ledger".to_owned(),
        (true, _) if tips > 1 => "joins a fork".to_owned(),
        (true, _) => "tells what it knows".to_owned(),
        _ => said.join("; "),
    }
}

/// The entries beside their graph, what each says in a few lines.
fn with_graph(dag: &Dag, entries: &[Item<'_>]) -> Vec<Text> {
    let rows = graph::draw(&nodes(entries));
    let mut lines = Vec::new();
    for ((_, entry), row) in entries.iter().zip(rows) {
        let head = format!("{} {}", entry.member, entry.seq);
        let room = WIDTH.saturating_sub(
            row.first
                .chars()
                .count()
                .saturating_add(entry.id.short().len())
                .saturating_add(3),
        );
        for (number, said) in wrap(&format!("{head}: {}", said(dag, entry)), room.max(LEAST))
            .into_iter()
            .enumerate()
        {
            let (graph, id) = if number == 0 {
                (&row.first, entry.id.short())
            } else {
                (&row.more, " ".repeat(entry.id.short().len()))
            };
            lines.push(
                Text::of(Role::Faint, format!("{graph} "))
                    .with(Role::Id, id)
                    .with(Role::Plain, format!("  {said}")),
            );
        }
    }
    lines
}

/// The entries for the graph, lanes in the order of their names.
fn nodes(entries: &[Item<'_>]) -> Vec<Node> {
    let members: BTreeSet<_> = entries.iter().map(|(_, entry)| &entry.member).collect();
    let lanes: BTreeMap<_, _> = members
        .into_iter()
        .enumerate()
        .map(|(lane, member)| (member, lane))
        .collect();
    let rows: HashMap<_, _> = entries
        .iter()
        .enumerate()
        .map(|(row, (index, _))| (*index, row))
        .collect();
    let node = |entry: &Entry| Node {
        lane: lanes.get(&entry.member).copied().unwrap_or_default(),
        parents: entry
            .parents
            .iter()
            .filter_map(|parent| rows.get(parent).copied())
            .collect(),
    };
    entries.iter().map(|(_, entry)| node(entry)).collect()
}

/// Cuts a text into lines at spaces, and into no more than a few.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(last) = lines.last_mut() else {
            continue;
        };
        let columns = last.chars().count();
        if columns > 0
            && columns
                .saturating_add(1)
                .saturating_add(word.chars().count())
                > width
        {
            lines.push(word.to_owned());
            continue;
        }
        if columns > 0 {
            last.push(' ');
        }
        last.push_str(word);
    }
    for line in &mut lines {
        if line.chars().count() > width {
            *line = line
                .chars()
                .take(width.saturating_sub(1))
                .chain(['…'])
                .collect();
        }
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines
            .last_mut()
            .into_iter()
            .for_each(|last| last.push_str(" …"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_into_a_few_lines() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("abcdef g", 4), ["abc…", "g"]);
        assert_eq!(
            wrap(&"word ".repeat(9), 5),
            ["word", "word", "word", "word …"]
        );
    }
}
