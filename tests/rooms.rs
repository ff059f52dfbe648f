//! What the rooms of the program may know of each other, and that files import each other in no circle.
//!
//! The rules are the table "What each room may know" in `ARCHITECTURE.md`. This test reads the paths in
//! every file under `src/` and compares them with that table. Test code is left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The heading of the table in `ARCHITECTURE.md`.
const HEADING: &str = "## What each room may know";

/// Circles that are known and must go: each is the set of files, in order, that reach each other.
///
/// This list may only shrink. The test fails when an entry is no longer true, so that it is removed.
const KNOWN_CIRCLES: &[&[&str]] = &[];

/// Where a source file stands in the module tree, such as `["consensus", "tally"]`.
type ModulePath = Vec<String>;

/// A source file, with what this test needs to know of it.
struct SourceFile {
    module: ModulePath,
    /// The code without comments, strings and test modules.
    code: String,
    /// Modules that the file declares in files of their own.
    children: BTreeSet<String>,
    /// Names that the file re-exports, with the path that leads to each.
    exports: BTreeMap<String, Vec<String>>,
    /// Paths that the code uses, resolved to absolute ones.
    paths: BTreeSet<Vec<String>>,
}

/// One row of the table.
struct Rule {
    allowed: BTreeSet<String>,
    /// Words that must not occur in the code.
    forbidden: Vec<String>,
}

// --- Reading code -------------------------------------------------------------------------------

/// Replaces comments, strings and character literals by blanks, and drops `super` from visibilities.
fn blank_out(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    let starts = |at: usize, what: &str| {
        what.chars()
            .enumerate()
            .all(|(i, c)| bytes.get(at + i) == Some(&c))
    };
    while at < bytes.len() {
        if starts(at, "//") {
            while at < bytes.len() && bytes[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            while at < bytes.len() && !starts(at, "*/") {
                at += 1;
            }
            at += 2;
        } else if bytes[at] == 'r' && (starts(at, "r\"") || starts(at, "r#\"")) {
            let end = if starts(at, "r\"") { "\"" } else { "\"#" };
            at += 1 + end.len();
            while at < bytes.len() && !starts(at, end) {
                at += 1;
            }
            at += end.len();
            code.push(' ');
        } else if bytes[at] == '"' {
            at += 1;
            while at < bytes.len() && bytes[at] != '"' {
                at += if bytes[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
            code.push(' ');
        } else if bytes[at] == '\'' && bytes.get(at + 1) == Some(&'\\') {
            at += 3;
            while at < bytes.len() && bytes[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if bytes[at] == '\'' && bytes.get(at + 2) == Some(&'\'') {
            at += 3;
        } else {
            code.push(bytes[at]);
            at += 1;
        }
    }
    // A visibility names a module, but imports nothing from it.
    code.replace("pub(super)", "pub")
}

/// Returns the position after the brace that closes the one at `open`.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at + 1;
        }
    }
    code.len()
}

/// Whether an attribute says that what follows is for tests only.
fn is_test_attribute(line: &str) -> bool {
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test")
}

/// Removes items that exist in tests only, and returns the modules among them that are files.
fn without_tests(code: &str) -> (String, BTreeSet<String>) {
    let mut kept = String::new();
    let mut test_files = BTreeSet::new();
    let mut rest = code;
    while let Some(start) = rest
        .find("#[cfg(test)]")
        .into_iter()
        .chain(rest.find("#[cfg(all(test"))
        .min()
    {
        assert!(is_test_attribute(&rest[start..]));
        kept.push_str(&rest[..start]);
        let item = &rest[start..];
        let attribute_end = item.find(")]").map_or(item.len(), |end| end + 2);
        let body = &item[attribute_end..];
        let semicolon = body.find(';').unwrap_or(body.len());
        let brace = body.find('{').unwrap_or(body.len());
        let end = if semicolon < brace {
            semicolon + 1
        } else {
            closing(body, brace)
        };
        if let Some(name) = body[..end]
            .trim()
            .trim_end_matches(';')
            .rsplit("mod ")
            .next()
            .filter(|_| semicolon < brace)
        {
            test_files.insert(name.trim().to_owned());
        }
        rest = &body[end..];
    }
    kept.push_str(rest);
    (kept, test_files)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Reads the path at the start of `code`, with its groups unfolded: `a::{b, c::d}` is two paths.
fn read_paths(code: &str) -> (Vec<Vec<String>>, usize) {
    let mut path = Vec::new();
    let mut at = 0;
    loop {
        let word: String = code[at..].chars().take_while(|c| is_word(*c)).collect();
        if word.is_empty() {
            break;
        }
        at += word.len();
        path.push(word);
        if !code[at..].starts_with("::") {
            break;
        }
        at += 2;
        if code[at..].starts_with('{') {
            let end = closing(code, at);
            let inner = &code[at + 1..end.saturating_sub(1).max(at + 1)];
            let paths = split_group(inner)
                .into_iter()
                .flat_map(|part| read_paths(part.trim()).0);
            let whole = paths.map(|rest| [path.clone(), rest].concat()).collect();
            return (whole, end);
        }
    }
    (vec![path], at)
}

/// Splits the parts of a group at the commas outside inner groups.
fn split_group(inner: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[from..]);
    parts
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .collect()
}

/// The spans of modules that are written out in the file.
fn inline_modules(code: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    for (at, _) in code.match_indices("mod ") {
        let is_start = !code[..at].ends_with(is_word);
        let name = code[at + 4..].trim_start_matches(is_word);
        if is_start && name.trim_start().starts_with('{') {
            let open = code.len() - name.trim_start().len();
            spans.push((open, closing(code, open)));
        }
    }
    spans
}

impl SourceFile {
    fn read(module: ModulePath, text: &str) -> (SourceFile, BTreeSet<String>) {
        let (code, test_files) = without_tests(&blank_out(text));
        let children = code
            .split(';')
            .filter_map(|item| item.trim().rsplit_once("mod "))
            .filter(|(before, name)| !before.ends_with(is_word) && name.chars().all(is_word))
            .map(|(_, name)| name.to_owned())
            .collect();
        let mut file = SourceFile {
            module,
            code,
            children,
            exports: BTreeMap::new(),
            paths: BTreeSet::new(),
        };
        file.read_all_paths();
        (file, test_files)
    }

    fn read_all_paths(&mut self) {
        let code = self.code.clone();
        let spans = inline_modules(&code);
        let mut at = 0;
        while at < code.len() {
            let before = code[..at].chars().next_back();
            let starts_word = code[at..].starts_with(is_word) && !before.is_some_and(is_word);
            let is_continued = code[..at].ends_with("::");
            if !starts_word || is_continued {
                at += code[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            let (paths, length) = read_paths(&code[at..]);
            let depth = spans
                .iter()
                .filter(|(open, end)| (*open..*end).contains(&at))
                .count();
            let is_export = is_public_use(&code[..at]);
            for path in paths {
                let Some(absolute) = self.absolute(&path, depth) else {
                    continue;
                };
                if is_export {
                    let name = absolute.last().cloned().unwrap_or_default();
                    self.exports.insert(name, absolute);
                } else {
                    self.paths.insert(absolute);
                }
            }
            at += length.max(1);
        }
    }

    /// Returns the path from the root of the crate, or `None` if the path leads elsewhere.
    fn absolute(&self, path: &[String], depth: usize) -> Option<Vec<String>> {
        let first = path.first()?.as_str();
        match first {
            "crate" => Some(path[1..].to_vec()),
            "self" => (depth == 0 && path.len() > 1).then(|| [&self.module, &path[1..]].concat()),
            "super" => {
                let supers = path.iter().take_while(|part| *part == "super").count();
                let up = supers.checked_sub(depth).filter(|up| *up > 0)?;
                let parent = self.module.len().checked_sub(up)?;
                Some([&self.module[..parent], &path[supers..]].concat())
            }
            child if path.len() > 1 && self.children.contains(child) => {
                Some([self.module.as_slice(), path].concat())
            }
            _ => None,
        }
    }
}

/// Whether the code ends with the beginning of a re-export, such as `pub use ` or `pub(crate) use `.
fn is_public_use(before: &str) -> bool {
    let Some(before) = before.trim_end().strip_suffix("use") else {
        return false;
    };
    let item = before.rsplit([';', '}', ']']).next().unwrap_or(before);
    item.trim().starts_with("pub")
}

// --- The crate ----------------------------------------------------------------------------------

struct Crate {
    files: BTreeMap<ModulePath, SourceFile>,
}

impl Crate {
    fn read() -> Crate {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        list(&root, &mut found);
        let texts = found.into_iter().map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let name = file.strip_prefix(&root).unwrap().with_extension("");
            let parts = name.iter().map(|part| part.to_str().unwrap().to_owned());
            (parts.filter(|part| part != "mod").collect(), text)
        });
        Crate::of(texts)
    }

    /// Builds the crate from the texts of its files; files of tests only are dropped.
    fn of(texts: impl Iterator<Item = (ModulePath, String)>) -> Crate {
        let mut files = BTreeMap::new();
        let mut dropped = BTreeSet::new();
        for (module, text) in texts {
            let (file, test_files) = SourceFile::read(module.clone(), &text);
            let test_modules = test_files
                .into_iter()
                .map(|name| [module.clone(), vec![name]].concat());
            dropped.extend(test_modules);
            files.insert(module, file);
        }
        files.retain(|module, _| !dropped.iter().any(|test| module.starts_with(test)));
        Crate { files }
    }

    /// Returns the file that a path leads to, through any number of re-exports.
    fn file_of(&self, path: &[String]) -> Option<&ModulePath> {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let length = (1..=path.len())
                .rev()
                .find(|length| self.files.contains_key(&path[..*length]))?;
            let (module, file) = self.files.get_key_value(&path[..length])?;
            match path.get(length).and_then(|name| file.exports.get(name)) {
                Some(target) => path = [target.as_slice(), &path[length + 1..]].concat(),
                None => return Some(module),
            }
        }
        None
    }

    /// Returns, for each room, the other rooms that its files use, with the first file that does.
    fn room_uses(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let rooms: BTreeSet<_> = self
            .files
            .keys()
            .filter_map(|module| module.first())
            .collect();
        let mut uses: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (module, file) in &self.files {
            let Some(room) = module.first() else { continue };
            let of_room = uses.entry(room.clone()).or_default();
            let exports = file.exports.values();
            for used in file
                .paths
                .iter()
                .chain(exports)
                .filter_map(|path| path.first())
            {
                if used != room && rooms.contains(used) {
                    of_room
                        .entry(used.clone())
                        .or_insert_with(|| module.join("/"));
                }
            }
        }
        uses
    }

    /// Returns the circles of files inside rooms: sets of files that reach each other.
    fn circles(&self) -> BTreeSet<Vec<String>> {
        let mut reached: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = BTreeMap::new();
        for (module, file) in &self.files {
            let targets = file.paths.iter().filter_map(|path| self.file_of(path));
            let in_room =
                targets.filter(|target| *target != module && target.first() == module.first());
            reached.insert(module, in_room.collect());
        }
        loop {
            let before: usize = reached.values().map(BTreeSet::len).sum();
            for module in self.files.keys() {
                let further: Vec<_> = reached[module]
                    .iter()
                    .flat_map(|next| reached[next].clone())
                    .collect();
                reached.get_mut(module).unwrap().extend(further);
            }
            if before == reached.values().map(BTreeSet::len).sum() {
                break;
            }
        }
        let on_circle = self
            .files
            .keys()
            .filter(|module| reached[module].contains(module));
        on_circle
            .map(|module| {
                let together = reached[module]
                    .iter()
                    .filter(|other| reached[*other].contains(module));
                together.map(|other| other.join("/")).collect()
            })
            .collect()
    }
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

// --- The rules ----------------------------------------------------------------------------------

/// Reads the rows of the table: the room, the rooms that it may know, and the words that it must not use.
fn rules() -> BTreeMap<String, Rule> {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md"))
            .unwrap();
    let section = page.split(HEADING).nth(1).expect("the table of rooms");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let words = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let rule = |row: &str| {
        let cells: Vec<_> = row.split('|').collect();
        let allowed = words(cells[2]).into_iter().collect();
        let forbidden = words(cells[3]);
        words(cells[1])
            .into_iter()
            .map(|room| {
                (
                    room,
                    Rule {
                        allowed: BTreeSet::clone(&allowed),
                        forbidden: forbidden.clone(),
                    },
                )
            })
            .collect::<Vec<_>>()
    };
    rows.flat_map(rule).collect()
}

/// Returns what breaks the rules, a line each.
fn broken_rules(program: &Crate, rules: &BTreeMap<String, Rule>) -> Vec<String> {
    let mut broken = Vec::new();
    for (room, uses) in program.room_uses() {
        if ["lib", "main"].contains(&room.as_str()) {
            continue;
        }
        let Some(rule) = rules.get(&room) else {
            broken.push(format!("{room} has no row in the table of ARCHITECTURE.md"));
            continue;
        };
        let unknown = uses
            .iter()
            .filter(|(used, _)| !rule.allowed.contains(*used));
        broken.extend(
            unknown
                .map(|(used, file)| format!("{room} must not know {used}, but {file}.rs uses it")),
        );
    }
    for (module, file) in &program.files {
        let Some(rule) = module.first().and_then(|room| rules.get(room)) else {
            continue;
        };
        let used = rule
            .forbidden
            .iter()
            .filter(|word| uses_word(&file.code, word));
        broken.extend(used.map(|word| format!("{}.rs must not use {word}", module.join("/"))));
    }
    broken
}

/// Whether a path or name occurs in the code as a whole word.
fn uses_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word)
    })
}

/// Whether a room may know itself by way of others.
fn room_circles(rules: &BTreeMap<String, Rule>) -> Vec<String> {
    let reaches = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut pending = vec![from.to_owned()];
        while let Some(room) = pending.pop() {
            let next = rules.get(&room).into_iter().flat_map(|rule| &rule.allowed);
            pending.extend(next.filter(|next| seen.insert((*next).clone())).cloned());
        }
        seen.contains(from)
    };
    rules.keys().filter(|room| reaches(room)).cloned().collect()
}

fn known_circles() -> BTreeSet<Vec<String>> {
    let owned = |circle: &&[&str]| circle.iter().map(|file| (*file).to_owned()).collect();
    KNOWN_CIRCLES.iter().map(owned).collect()
}

// --- The tests ----------------------------------------------------------------------------------

#[test]
fn no_room_knows_what_the_architecture_forbids() {
    let broken = broken_rules(&Crate::read(), &rules());
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn every_room_in_the_table_exists_and_none_knows_itself_through_others() {
    let rules = rules();
    let program = Crate::read();
    let rooms: BTreeSet<_> = program
        .files
        .keys()
        .filter_map(|module| module.first().cloned())
        .collect();
    let named = rules
        .keys()
        .chain(rules.values().flat_map(|rule| &rule.allowed));
    let missing: BTreeSet<_> = named.filter(|room| !rooms.contains(*room)).collect();
    assert!(missing.is_empty(), "not in src/: {missing:?}");
    assert_eq!(room_circles(&rules), Vec::<String>::new());
}

/// Fails too when a known circle is gone: then it must leave the list.
#[test]
fn files_of_a_room_import_each_other_in_no_circle() {
    let (found, known) = (Crate::read().circles(), known_circles());
    let new: Vec<_> = found.difference(&known).collect();
    assert!(
        new.is_empty(),
        "these files import each other in a circle: {new:?}"
    );
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(
        gone.is_empty(),
        "remove from KNOWN_CIRCLES, they are gone: {gone:?}"
    );
}

#[cfg(test)]
mod proofs_that_the_test_can_fail {
    use super::*;

    fn program(files: &[(&str, &str)]) -> Crate {
        let split = |name: &str| name.split('/').map(str::to_owned).collect();
        Crate::of(
            files
                .iter()
                .map(|(name, text)| (split(name), (*text).to_owned())),
        )
    }

    fn rules(rows: &[(&str, &[&str], &[&str])]) -> BTreeMap<String, Rule> {
        let owned = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        let rule = |(room, allowed, forbidden): &(&str, &[&str], &[&str])| {
            let rule = Rule {
                allowed: owned(allowed).into_iter().collect(),
                forbidden: owned(forbidden),
            };
            ((*room).to_owned(), rule)
        };
        rows.iter().map(rule).collect()
    }

    #[test]
    fn a_forbidden_room_is_found_however_it_is_named() {
        let rules = rules(&[("a", &[], &["clap"]), ("b", &[], &[])]);
        for text in [
            "use crate::b::X;",
            "use crate::{b::X};",
            "use super::b;",
            "fn f() { crate::b::g() }",
            "pub use crate::b::X;",
            "fn f(x: clap::Args) {}",
            "mod inner { use super::super::b; }",
        ] {
            let found = broken_rules(&program(&[("a", text), ("b", "")]), &rules);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
        }
        for text in [
            "// use crate::b::X;",
            "const X: &str = \"crate::b\";",
            "#[cfg(test)] mod tests { use crate::b::X; }",
            "fn clapper() {}",
            "mod inner { use super::b; }",
        ] {
            let found = broken_rules(&program(&[("a", text), ("b", "")]), &rules);
            assert!(found.is_empty(), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_room_without_a_row_is_found() {
        let found = broken_rules(&program(&[("a", "")]), &rules(&[]));
        assert_eq!(found, ["a has no row in the table of ARCHITECTURE.md"]);
    }

    #[test]
    fn a_circle_is_found_through_re_exports_and_ends_without_one_of_its_imports() {
        let parent = ("a", "mod x; mod y; mod z; pub use x::X; pub use y::Y;");
        let circle = program(&[
            parent,
            ("a/x", "use super::Y;"),
            ("a/y", "use crate::a::z::{Z};"),
            ("a/z", "use super::x::X;"),
        ]);
        let expected: Vec<_> = ["a/x", "a/y", "a/z"].map(str::to_owned).to_vec();
        assert_eq!(circle.circles(), BTreeSet::from([expected]));
        let line = program(&[
            parent,
            ("a/x", "use super::Y;"),
            ("a/y", "use super::z::Z;"),
            ("a/z", "#[cfg(test)] mod tests { use super::super::X; }"),
        ]);
        assert!(line.circles().is_empty());
    }

    #[test]
    fn a_parent_that_uses_a_child_which_uses_it_is_a_circle() {
        let both = program(&[("a", "mod x; fn f() { x::g() }"), ("a/x", "use super::f;")]);
        assert_eq!(both.circles().len(), 1);
    }

    #[test]
    fn rooms_that_allow_each_other_are_found() {
        let circle = rules(&[("a", &["b"], &[]), ("b", &["a"], &[])]);
        assert_eq!(room_circles(&circle), ["a", "b"]);
    }
}
