//! `git quorum log`: the entries of the ledger here, as lines or as a graph. Reads; does no network.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::graph::{self, Node};
use super::help::Examples;
use super::reply::{never, reply};
use super::style::{Role, Text};
use super::{Answer, entry_text, shell};
use crate::client::views::entry::EntryView;
use crate::client::views::log::{Log, LogView, log};

/// The width of the graph and its texts, in columns.
const WIDTH: usize = 80;

/// The smallest width of a text beside the graph, in columns.
const LEAST: usize = 30;

/// The number of lines for one entry beside the graph.
const LINES: usize = 4;

/// List entries, newest first. With --graph, draw which entries cite which.
///
/// An entry comes before everything that it builds on. Entries that do not build on each other are
/// ordered by the times that their authors claim. The graph has a column for each lane: `*` is an
/// entry, a line down from `.` or `+` in its row leads to an entry of that lane that it cites, `'`
/// ends a line, and `-|-` crosses a line without joining it.
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// The largest number of entries to list.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    count: usize,
    /// Only entries of this member.
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
    /// Only entries about this proposal; the first digits of its id are enough.
    #[arg(long, value_name = "ID")]
    proposal: Option<String>,
    /// Draw the graph of the entries, each with its number in its lane.
    #[arg(long, conflicts_with_all = ["member", "proposal"])]
    graph: bool,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "log",
    &[
        ("git quorum log", "The latest entries."),
        (
            "git quorum log --graph -n 30",
            "The same as a graph with a column for each member.",
        ),
        (
            "git quorum log --proposal 1f3a",
            "What was said about one proposal.",
        ),
    ],
)];

pub fn run(args: LogArgs) -> Answer {
    let LogArgs {
        count,
        member,
        proposal,
        graph,
    } = args;
    let context = shell::context();
    let session = shell::open_session(&context)?;
    let request = Log {
        count,
        member,
        proposal,
    };
    let text = |view: &LogView| {
        let mut lines = if graph {
            with_graph(&view.entries)
        } else {
            view.entries.iter().map(line).collect()
        };
        if view.more > 0 {
            let twice = count.saturating_mul(2).max(1);
            let older = format!("… and {} older: git quorum log -n {twice}", view.more);
            lines.push(Text::of(Role::Faint, older));
        }
        Text::lines(lines)
    };
    reply(log(&session, &request)?, text, never)
}

fn line(entry: &EntryView) -> Text {
    let said = entry_text::summary(entry);
    let rest = format!("  {}  {:<12} {said}", entry.time, entry.member);
    Text::of(Role::Id, entry.id.short()).with(Role::Plain, rest)
}

/// The entries beside their graph. The text of each takes a few lines.
fn with_graph(entries: &[EntryView]) -> Vec<Text> {
    let rows = graph::draw(&nodes(entries));
    let mut lines = Vec::new();
    for (entry, row) in entries.iter().zip(rows) {
        let id = entry.id.short();
        let taken = row.first.chars().count() + id.len() + 3;
        let room = WIDTH.saturating_sub(taken).max(LEAST);
        let said = entry_text::summary(entry);
        let text = format!("{} {}: {said}", entry.member, entry.seq);
        for (number, said) in wrap(&text, room).into_iter().enumerate() {
            let (graph, id) = if number == 0 {
                (&row.first, id.clone())
            } else {
                (&row.more, " ".repeat(id.len()))
            };
            let line = Text::of(Role::Faint, format!("{graph} "))
                .with(Role::Id, id)
                .with(Role::Plain, format!("  {said}"));
            lines.push(line);
        }
    }
    lines
}

/// The entries as nodes of the graph. Lanes are in the order of their names.
fn nodes(entries: &[EntryView]) -> Vec<Node> {
    let members: BTreeSet<_> = entries.iter().map(|entry| &entry.member).collect();
    let numbered = members.into_iter().enumerate();
    let lanes: BTreeMap<_, _> = numbered.map(|(lane, member)| (member, lane)).collect();
    let numbered = entries.iter().enumerate();
    let rows: HashMap<_, _> = numbered.map(|(row, entry)| (entry.id, row)).collect();
    let node = |entry: &EntryView| {
        let parents = entry.parents.iter();
        Node {
            lane: lanes.get(&entry.member).copied().unwrap_or_default(),
            parents: parents.filter_map(|id| rows.get(id).copied()).collect(),
        }
    };
    entries.iter().map(node).collect()
}

/// Splits a text into a few lines at spaces.
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
