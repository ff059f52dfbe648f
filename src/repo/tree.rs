//! Parses raw trees, commits and tags strictly. Knows nothing of where they are stored.

use std::collections::BTreeSet;

use crate::id::Oid;

/// The mode of a folder.
pub(super) const TREE: u32 = 0o040_000;
/// The mode of a submodule's commit.
pub(super) const GITLINK: u32 = 0o160_000;

/// The modes that Git writes into trees, and one that old versions wrote (0o100664).
const MODES: [(&[u8], u32); 6] = [
    (b"100644", 0o100_644),
    (b"100755", 0o100_755),
    (b"100664", 0o100_664),
    (b"120000", 0o120_000),
    (b"160000", GITLINK),
    (b"40000", TREE),
];

/// One entry of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub name: &'a [u8],
    pub mode: u32,
    pub oid: Oid,
}

impl Entry<'_> {
    pub fn is_tree(&self) -> bool {
        self.mode == TREE
    }

    /// Returns the bytes that Git sorts entries by: a folder's name counts as if a slash followed.
    pub fn key(&self) -> impl Iterator<Item = u8> + '_ {
        self.name
            .iter()
            .copied()
            .chain(self.is_tree().then_some(b'/'))
    }
}

/// Parses the entries of a tree.
///
/// # Errors
/// If a mode is unknown, a file cannot have the name, or names are repeated or not in order.
pub(super) fn parse_tree(mut raw: &[u8]) -> Result<Vec<Entry<'_>>, &'static str> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut names = BTreeSet::new();
    while !raw.is_empty() {
        let (entry, rest) = parse_entry(raw)?;
        let in_order = match entries.last() {
            Some(last) => last.key().lt(entry.key()),
            None => true,
        };
        if !in_order {
            return Err("its entries are not in order");
        }
        if !names.insert(entry.name) {
            return Err("a name occurs twice in it");
        }
        entries.push(entry);
        raw = rest;
    }
    Ok(entries)
}

fn parse_entry(raw: &[u8]) -> Result<(Entry<'_>, &[u8]), &'static str> {
    let cut = "it ends within an entry";
    let (mode, rest) = split(raw, b' ').ok_or(cut)?;
    let (name, rest) = split(rest, 0).ok_or(cut)?;
    let (oid, rest) = rest.split_first_chunk::<20>().ok_or(cut)?;
    let (_, mode) = *MODES
        .iter()
        .find(|(text, _)| *text == mode)
        .ok_or("an entry has an unknown mode")?;
    if matches!(name, b"" | b"." | b".." | b".git") || name.contains(&b'/') {
        return Err("an entry has a name that no file can have");
    }
    Ok((
        Entry {
            name,
            mode,
            oid: Oid::new(*oid),
        },
        rest,
    ))
}

/// Returns the bytes before and after the first `separator`. `None` if there is no separator.
fn split(raw: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = raw.iter().position(|b| *b == separator)?;
    Some((raw.get(..at)?, raw.get(at + 1..)?))
}

/// The objects that a commit names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Links {
    pub tree: Oid,
    pub parents: Vec<Oid>,
}

/// Parses the first lines of a commit, up to the author: its tree and its parents.
pub(super) fn parse_commit(raw: &[u8]) -> Result<Links, &'static str> {
    let (tree, mut rest) = id_line(raw, b"tree ").ok_or("it does not begin with its tree")?;
    let mut parents = Vec::new();
    while let Some((parent, after)) = id_line(rest, b"parent ") {
        parents.push(parent);
        rest = after;
    }
    if rest.starts_with(b"author ") {
        Ok(Links { tree, parents })
    } else {
        Err("its author does not follow its parents")
    }
}

/// Parses the first lines of an annotated tag: the commit or tag that it names.
pub(super) fn parse_tag(raw: &[u8]) -> Result<Oid, &'static str> {
    let (target, rest) =
        id_line(raw, b"object ").ok_or("it does not begin with the tagged object")?;
    if rest.starts_with(b"type commit\n") || rest.starts_with(b"type tag\n") {
        Ok(target)
    } else {
        Err("it does not tag a commit")
    }
}

/// Parses a line of `word` and an object id. Returns the id and the bytes after the line.
fn id_line<'a>(raw: &'a [u8], word: &[u8]) -> Option<(Oid, &'a [u8])> {
    let (hex, rest) = raw.strip_prefix(word)?.split_first_chunk::<40>()?;
    let oid = std::str::from_utf8(hex).ok()?.parse().ok()?;
    Some((oid, rest.strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let line =
            |(mode, name): &(&str, &[u8])| [mode.as_bytes(), b" ", name, b"\0", &[1; 20]].concat();
        entries.iter().flat_map(line).collect()
    }

    #[test]
    fn a_tree_in_gits_order_is_accepted() {
        let tree = raw(&[
            ("100644", b"a"),
            ("100755", b"a-b"),
            ("40000", b"b"),
            ("120000", b"b0"),
            ("160000", b"\xff"),
        ]);
        assert_eq!(parse_tree(&tree).unwrap().len(), 5);
        assert_eq!(parse_tree(b"").unwrap(), []);
    }

    #[test]
    fn a_tree_with_wrong_order_modes_or_names_is_refused() {
        let bad: [&[(&str, &[u8])]; 15] = [
            &[("100644", b"b"), ("100644", b"a")],
            &[("100644", b"a"), ("100644", b"a")],
            &[("100644", b"a"), ("100644", b"a-b"), ("40000", b"a")],
            &[("40000", b"a"), ("100644", b"a-b")],
            &[("40000", b"a"), ("100644", b"a")],
            &[("100644", b"")],
            &[("100644", b".")],
            &[("40000", b"..")],
            &[("40000", b".git")],
            &[("100644", b"a/b")],
            &[("040000", b"a")],
            &[("0100644", b"a")],
            &[("100600", b"a")],
            &[("", b"a")],
            &[("10064x", b"a")],
        ];
        for entries in bad {
            assert!(parse_tree(&raw(entries)).is_err(), "{entries:?}");
        }
        let good = raw(&[("100644", b"a")]);
        for cut in 1..good.len() {
            assert!(parse_tree(&good[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn the_tree_and_parents_are_read_from_the_first_lines_of_a_commit() {
        let (t, p, q) = ("11".repeat(20), "22".repeat(20), "33".repeat(20));
        let good = format!("tree {t}\nparent {p}\nparent {q}\nauthor a\n\nparent {t}\n");
        let links = parse_commit(good.as_bytes()).unwrap();
        assert_eq!(
            (links.tree, links.parents),
            (
                Oid::new([0x11; 20]),
                vec![Oid::new([0x22; 20]), Oid::new([0x33; 20])]
            )
        );
        for bad in [
            String::new(),
            format!("parent {p}\ntree {t}\nauthor a"),
            format!("tree {t}\ntree {t}\nauthor a"),
            format!("tree {t}\nparent {p} \nauthor a"),
            format!("tree {t}\nparent {}\nauthor a", p.replace('2', "A")),
            format!("tree {t}\ngpgsig x\nparent {p}\nauthor a"),
        ] {
            assert!(parse_commit(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
