//! Lays out the entries of a ledger as a graph of ASCII characters. Does not know what the entries
//! say.
//!
//! Every lane has columns of its own, and they never move. So the column of a star shows whose
//! entry it is, and a lane is one straight line. `git log --graph` packs its columns instead. In a
//! ledger, each entry cites the tips of most lanes, so packed lines would cross all the time.
//!
//! A lane has one column for its line. It has more columns only where it is forked, or while an
//! entry of another lane cites an entry of this one that is still to come.
//!
//! A line in a column leads down to one entry that is still to come. The characters mean:
//!
//! | character | means |
//! | --- | --- |
//! | `*` | the entry; it has the line that comes to it from above in its column |
//! | `-` | joins what stands in its row to the entry; lines that it passes (`-|-`) have no part in it |
//! | `.` | from here a line leads down to an entry that this one cites |
//! | `+` | the same, but the line comes from above already: newer entries cite it too |
//! | `'` | the line from above ends here, at this entry |
//!
//! Edges to entries that are not shown are not drawn.

use std::collections::BTreeSet;

/// An entry to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The number of its lane.
    pub lane: usize,
    /// The entries that it cites, by their index in the list. All of them come later in the list.
    pub parents: Vec<usize>,
}

/// The characters of an entry's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The first line.
    pub first: String,
    /// Further lines, down to the next row.
    pub more: String,
}

/// A column: a lane and the number of its column in the lane.
type Column = (usize, usize);

/// Draws entries, newest first.
pub fn draw(nodes: &[Node]) -> Vec<Row> {
    let lanes = nodes
        .iter()
        .map(|node| node.lane.saturating_add(1))
        .max()
        .unwrap_or(0);
    let mut layout = Layout::new(nodes, lanes);
    let marked: Vec<_> = (0..nodes.len()).map(|row| layout.place(row)).collect();
    let starts = layout.starts();
    marked.iter().map(|marks| marks.draw(&starts)).collect()
}

/// The contents of one row.
#[derive(Debug, Default)]
struct Marks {
    star: Column,
    /// Ends, joints and beginnings of lines that belong to the entry.
    own: Vec<(Column, char)>,
    /// Lines from above that continue.
    passing: BTreeSet<Column>,
    /// Lines that start here and lead down.
    below: BTreeSet<Column>,
}

/// The state of the columns at a row.
struct Layout<'a> {
    nodes: &'a [Node],
    /// For each lane, the entry that each of its columns leads to.
    columns: Vec<Vec<Option<usize>>>,
    /// The entries on the line of each lane: the newest one, the one before that, and so on.
    main: Vec<bool>,
    /// For each lane, the entries on its line that are still to come. The next one is last.
    to_come: Vec<Vec<usize>>,
    /// The column that the previous row left empty.
    left: Option<Column>,
}

impl<'a> Layout<'a> {
    fn new(nodes: &'a [Node], lanes: usize) -> Self {
        let mut layout = Layout {
            nodes,
            columns: vec![vec![None]; lanes],
            main: vec![false; nodes.len()],
            to_come: vec![Vec::new(); lanes],
            left: None,
        };
        for lane in 0..lanes {
            let mut next = nodes.iter().position(|node| node.lane == lane);
            let mut line = Vec::new();
            while let Some(row) = next {
                line.push(row);
                next = layout
                    .parents(row)
                    .find(|parent| layout.lane(*parent) == Some(lane));
            }
            for row in &line {
                if let Some(main) = layout.main.get_mut(*row) {
                    *main = true;
                }
            }
            line.reverse();
            if let Some(to_come) = layout.to_come.get_mut(lane) {
                *to_come = line;
            }
        }
        layout
    }

    fn lane(&self, row: usize) -> Option<usize> {
        self.nodes.get(row).map(|node| node.lane)
    }

    /// The shown entries that this one cites, without duplicates.
    fn parents(&self, row: usize) -> impl Iterator<Item = usize> + use<> {
        let cited = self
            .nodes
            .get(row)
            .map(|node| node.parents.clone())
            .unwrap_or_default();
        let (count, mut seen) = (self.nodes.len(), BTreeSet::new());
        cited
            .into_iter()
            .filter(move |parent| *parent > row && *parent < count && seen.insert(*parent))
    }

    fn is_main(&self, row: usize) -> bool {
        self.main.get(row).copied().unwrap_or(false)
    }

    /// The columns of a lane that lead to this entry.
    fn leading_to(&self, row: usize) -> Vec<Column> {
        let Some(lane) = self.lane(row) else {
            return Vec::new();
        };
        let columns = self.columns.get(lane).into_iter().flatten().enumerate();
        columns
            .filter(|(_, target)| **target == Some(row))
            .map(|(number, _)| (lane, number))
            .collect()
    }

    fn set(&mut self, (lane, number): Column, target: Option<usize>) {
        let Some(columns) = self.columns.get_mut(lane) else {
            return;
        };
        if columns.len() <= number {
            columns.resize(number.saturating_add(1), None);
        }
        if let Some(column) = columns.get_mut(number) {
            *column = target;
        }
    }

    /// A free column beside the line of a lane, other than the given ones.
    fn beside(&self, lane: usize, taken: &[Column]) -> Column {
        let columns = self
            .columns
            .get(lane)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let free = |number: &usize| {
            columns.get(*number).copied().flatten().is_none() && !taken.contains(&(lane, *number))
        };
        (lane, (1..).find(free).unwrap_or(columns.len()))
    }

    /// Places an entry. Ends the lines that lead to it, and begins or joins the lines to the
    /// entries that it cites.
    fn place(&mut self, row: usize) -> Marks {
        let Some(lane) = self.lane(row) else {
            return Marks::default();
        };
        let ending = self.leading_to(row);
        let star = match self.is_main(row) {
            true => (lane, 0),
            // A star right below another one would look like its parent.
            false => ending
                .first()
                .copied()
                .unwrap_or_else(|| self.beside(lane, self.left.as_slice())),
        };
        let mut own: Vec<_> = ending
            .iter()
            .filter(|column| **column != star)
            .map(|column| (*column, '\''))
            .collect();
        ending
            .iter()
            .chain([&star])
            .for_each(|column| self.set(*column, None));
        if self.is_main(row) {
            self.to_come.get_mut(lane).and_then(Vec::pop);
        }
        let taken: Vec<_> = std::iter::once(star).chain(ending).collect();
        let passing = self.leading();
        for parent in self.parents(row) {
            own.extend(self.lead_to(parent, (row, &taken)));
        }
        let below = self.leading();
        self.left = (!below.contains(&star)).then_some(star);
        Marks {
            star,
            own,
            passing,
            below,
        }
    }

    /// Makes sure that a line leads to this entry, and returns the character where that line meets
    /// the row. Returns `None` in the star's own column, which is the first of the taken ones.
    fn lead_to(
        &mut self,
        parent: usize,
        (row, taken): (usize, &[Column]),
    ) -> Option<(Column, char)> {
        let (lane, star) = (self.lane(parent)?, *taken.first()?);
        let is_next = self.to_come.get(lane).and_then(|to_come| to_come.last()) == Some(&parent);
        let line_is_free = self
            .columns
            .get(lane)
            .and_then(|columns| columns.first())
            .copied()
            .flatten()
            .is_none();
        let known = self.leading_to(parent);
        if lane == star.0 {
            let star_is_free = self.leading().iter().all(|column| *column != star);
            let goes_on = star_is_free && (known.is_empty() || (self.is_main(row) && is_next));
            if goes_on {
                self.set(star, Some(parent));
                return None;
            }
        }
        if let Some(column) = known.first() {
            return Some((*column, '+'));
        }
        let may_take_line = is_next && line_is_free && star != (lane, 0);
        let column = if may_take_line {
            (lane, 0)
        } else {
            self.beside(lane, taken)
        };
        self.set(column, Some(parent));
        Some((column, '.'))
    }

    /// The columns that are in use.
    fn leading(&self) -> BTreeSet<Column> {
        let columns = self.columns.iter().enumerate().flat_map(|(lane, columns)| {
            let leading = columns
                .iter()
                .enumerate()
                .filter(|(_, target)| target.is_some());
            leading.map(move |(number, _)| (lane, number))
        });
        columns.collect()
    }

    /// The first column of each lane, and the end of the last lane.
    fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0_usize];
        for columns in &self.columns {
            starts.push(
                starts
                    .last()
                    .copied()
                    .unwrap_or(0)
                    .saturating_add(columns.len()),
            );
        }
        starts
    }
}

impl Marks {
    fn draw(&self, starts: &[usize]) -> Row {
        let place = |(lane, number): &Column| {
            starts
                .get(*lane)
                .copied()
                .unwrap_or(0)
                .saturating_add(*number)
        };
        let width = starts.last().copied().unwrap_or(0);
        let mut first = vec![' '; width];
        let mut put = |column: &Column, c: char| {
            if let Some(cell) = first.get_mut(place(column)) {
                *cell = c;
            }
        };
        self.passing.iter().for_each(|column| put(column, '|'));
        self.own.iter().for_each(|(column, c)| put(column, *c));
        put(&self.star, '*');
        let ends = || {
            self.own
                .iter()
                .map(|(column, _)| place(column))
                .chain([place(&self.star)])
        };
        let (from, to) = (ends().min().unwrap_or(0), ends().max().unwrap_or(0));
        let mut text = String::new();
        for (at, cell) in first.into_iter().enumerate() {
            let inside = from < at && at < to;
            text.push(if cell == ' ' && inside { '-' } else { cell });
            text.push(if from <= at && at < to { '-' } else { ' ' });
        }
        let below: BTreeSet<_> = self.below.iter().map(place).collect();
        let more = (0..width)
            .flat_map(|at| [if below.contains(&at) { '|' } else { ' ' }, ' '])
            .collect();
        Row { first: text, more }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node(lane: usize, parents: &[usize]) -> Node {
        Node {
            lane,
            parents: parents.to_vec(),
        }
    }

    fn picture(nodes: &[Node]) -> Vec<String> {
        draw(nodes)
            .into_iter()
            .map(|row| row.first.trim_end().to_owned())
            .collect()
    }

    /// Reads a picture by the rules above, and returns who cites whom.
    fn read(picture: &[String]) -> BTreeSet<(usize, usize)> {
        let cell = |row: usize, at: usize| {
            picture
                .get(row)
                .and_then(|line| line.chars().nth(at))
                .unwrap_or(' ')
        };
        let star = |row: usize| picture[row].find('*').unwrap();
        // The entry that a line from here leads to.
        let arrives = |row: usize, at: usize| {
            (row + 1..picture.len())
                .find(|below| !matches!(cell(*below, at), '|' | '+'))
                .filter(|below| matches!(cell(*below, at), '*' | '\''))
        };
        let mut edges = BTreeSet::new();
        for row in 0..picture.len() {
            let in_row = |from: usize, step: isize| {
                let mut at = from;
                let mut found = Vec::new();
                while let Some(dash) = at
                    .checked_add_signed(step)
                    .filter(|dash| cell(row, *dash) == '-')
                {
                    at = dash.checked_add_signed(step).unwrap();
                    found.push(at);
                }
                found
            };
            let here = star(row);
            let ends: Vec<_> = in_row(here, 1)
                .into_iter()
                .chain(in_row(here, -1))
                .collect();
            for at in ends
                .into_iter()
                .filter(|at| matches!(cell(row, *at), '.' | '+'))
            {
                edges.insert((
                    row,
                    arrives(row, at).unwrap_or_else(|| {
                        panic!(
                            "a line from row {row} ends nowhere:\n{}",
                            picture.join("\n")
                        )
                    }),
                ));
            }
            edges.extend(arrives(row, here).map(|to| (row, to)));
        }
        edges
    }

    fn edges(nodes: &[Node]) -> BTreeSet<(usize, usize)> {
        nodes
            .iter()
            .enumerate()
            .flat_map(|(row, node)| node.parents.iter().map(move |parent| (row, *parent)))
            .filter(|(_, to)| *to < nodes.len())
            .collect()
    }

    #[test]
    fn lanes_are_columns_and_citations_are_joined_to_them() {
        // Newest first: bob cites alice, alice cites bob, carol cites both, alice founds.
        let nodes = [
            node(1, &[2, 1]),
            node(0, &[3, 2]),
            node(1, &[3]),
            node(0, &[]),
        ];
        assert_eq!(
            picture(&nodes),
            [".-*", "*-+", "+-*", "*"].map(str::to_owned),
            "{:#?}",
            picture(&nodes)
        );
    }

    #[test]
    fn a_line_that_is_passed_is_not_joined() {
        let nodes = [
            node(1, &[3]),
            node(2, &[4]),
            node(0, &[4]),
            node(1, &[4]),
            node(0, &[]),
        ];
        let expected = ["    *", "  . |   *", "*", "*"];
        let drawn = picture(&nodes);
        assert_eq!(
            read(&drawn),
            edges(&nodes),
            "{}\n{expected:?}",
            drawn.join("\n")
        );
        assert!(
            drawn.iter().any(|line| line.contains("-|-")),
            "{}",
            drawn.join("\n")
        );
    }

    #[test]
    fn an_older_entry_that_is_cited_has_a_line_beside_that_of_its_lane() {
        // Bob knows only alice's entry 2, not 1.
        let nodes = [node(1, &[2]), node(0, &[2]), node(0, &[])];
        assert_eq!(picture(&nodes), ["  .-*", "* |", "*-'"].map(str::to_owned));
    }

    #[test]
    fn a_fork_stands_beside_its_lane_until_it_is_joined() {
        let nodes = [node(0, &[1, 2]), node(0, &[3]), node(0, &[3]), node(0, &[])];
        assert_eq!(
            picture(&nodes),
            ["*-.", "* |", "+-*", "*"].map(str::to_owned)
        );
        let open = [node(0, &[2]), node(0, &[2]), node(0, &[])];
        assert_eq!(picture(&open), ["*", "+-*", "*"].map(str::to_owned));
    }

    #[test]
    fn nothing_is_drawn_to_what_is_not_shown() {
        assert_eq!(
            picture(&[node(0, &[7]), node(0, &[9, 1])]),
            ["*", "  *"].map(str::to_owned)
        );
        assert!(picture(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn the_picture_says_who_cites_whom_and_nothing_else(
            rows in proptest::collection::vec((0_usize..5, proptest::collection::vec(1_usize..9, 0..5)), 0..30)
        ) {
            let count = rows.len();
            let nodes: Vec<_> = rows.iter().enumerate().map(|(row, (lane, steps))| {
                let parents: BTreeSet<_> = steps.iter().map(|step| row + step).filter(|parent| *parent < count).collect();
                Node { lane: *lane, parents: parents.into_iter().collect() }
            }).collect();
            let drawn = draw(&nodes);
            let lines: Vec<_> = drawn.iter().map(|row| row.first.trim_end().to_owned()).collect();
            prop_assert_eq!(read(&lines), edges(&nodes), "{}", lines.join("\n"));
            // Further lines change nothing.
            let long: Vec<_> = drawn.iter().map(|row| row.more.trim_end().to_owned()).collect();
            for (row, more) in long.iter().enumerate() {
                for (at, c) in more.chars().enumerate() {
                    let above = lines[row].chars().nth(at).unwrap_or(' ');
                    prop_assert!(c == ' ' || matches!(above, '|' | '+' | '.' | '*'), "{}\n{more}", lines[row]);
                }
            }
            // A lane has columns of its own.
            let stars: BTreeSet<_> = lines.iter().zip(&nodes).map(|(line, node)| (line.find('*').unwrap(), node.lane)).collect();
            let columns: BTreeSet<_> = stars.iter().map(|(at, _)| at).collect();
            prop_assert_eq!(columns.len(), stars.len());
        }
    }
}
