//! The lines that an installation adds to the repository's settings file. Pure: text in, text out.
//!
//! The lines form a block at the end of the file. So no other line is rewritten, and removing the
//! block restores the file to the byte.

use crate::ledger::LedgerRefs;

/// The file that the settings file includes, relative to itself.
pub(super) const INCLUDED: &str = "quorum/hooks.config";

/// A section of a settings file: its header, and the lines below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    header: String,
    lines: Vec<String>,
}

/// The sections that an installation adds: the include, and what is fetched from a remote.
pub(super) fn sections(fetch: Option<(&str, &[String])>) -> Vec<Section> {
    let include = Section {
        header: "[include]".to_owned(),
        lines: vec![format!("path = {INCLUDED}")],
    };
    let fetch = fetch
        .filter(|(_, refspecs)| !refspecs.is_empty())
        .map(|(remote, refspecs)| Section {
            header: format!("[remote {}]", quoted(remote)),
            lines: refspecs
                .iter()
                .map(|refspec| format!("fetch = {refspec}"))
                .collect(),
        });
    std::iter::once(include).chain(fetch).collect()
}

/// Returns the refspecs with which `git fetch` brings lanes and proposals, to where an exchange puts
/// them.
///
/// They are patterns, because Git fails if it is told to fetch a single name that does not exist.
pub(super) fn refspecs(refs: &LedgerRefs, remote: &str) -> Vec<String> {
    let pattern = |kind: &str| {
        let name = format!("{}{kind}/*", refs.prefix());
        format!("+{name}:{}", refs.incoming(remote, &name))
    };
    vec![pattern("lane"), pattern("proposal")]
}

/// Whether [`refspecs`] makes this refspec for some ledger and remote.
pub(super) fn is_our_refspec(refspec: &str) -> bool {
    let parts = || {
        let (from, to) = refspec
            .strip_prefix("+refs/quorum/")?
            .split_once(":refs/quorum/")?;
        let (ledger, kind) = from.split_once('/')?;
        let (_, beside) = to
            .strip_prefix(ledger)?
            .strip_prefix("/incoming/")?
            .split_once('/')?;
        Some(kind == beside && ["lane/*", "proposal/*"].contains(&kind))
    };
    parts().unwrap_or(false)
}

/// Returns the text with these sections instead of those of an earlier installation.
pub(super) fn with(text: &[u8], sections: &[Section]) -> Vec<u8> {
    let wanted: Vec<_> = sections
        .iter()
        .flat_map(|section| &section.lines)
        .map(String::as_str)
        .collect();
    let present: Vec<_> = lines(text).filter_map(our_line).collect();
    if present == wanted {
        text.to_vec()
    } else {
        appended(&without(text), sections)
    }
}

fn appended(text: &[u8], sections: &[Section]) -> Vec<u8> {
    let block = |section: &Section| {
        let lines: String = section
            .lines
            .iter()
            .map(|line| format!("\t{line}\n"))
            .collect();
        format!("{}\n{lines}", section.header)
    };
    let block: String = sections.iter().map(block).collect();
    if text.is_empty() || text.ends_with(b"\n") {
        return [text, block.as_bytes()].concat();
    }
    // The last line gets no line feed either, so that removing the block can restore the text.
    [text, b"\n", block.trim_end_matches('\n').as_bytes()].concat()
}

/// A section of the text that is kept: where it starts, and whether lines of ours were in it.
#[derive(Default)]
struct KeptSection {
    start: usize,
    had_ours: bool,
}

/// Returns the text without our lines.
pub(super) fn without(text: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::new();
    let mut section = KeptSection::default();
    for line in lines(text) {
        if line.trim_ascii_start().starts_with(b"[") {
            drop_emptied(&mut kept, &section);
            section = KeptSection {
                start: kept.len(),
                had_ours: false,
            };
        }
        match our_line(line) {
            Some(_) => section.had_ours = true,
            None => kept.extend_from_slice(line),
        }
    }
    drop_emptied(&mut kept, &section);
    if !text.ends_with(b"\n") && kept.ends_with(b"\n") {
        kept.pop();
    }
    kept
}

/// Removes a section's header if our lines were all that the section had.
fn drop_emptied(kept: &mut Vec<u8>, section: &KeptSection) {
    let is_empty = lines(kept.get(section.start..).unwrap_or_default()).count() == 1;
    if section.had_ours && is_empty {
        kept.truncate(section.start);
    }
}

/// Returns a line without the white space around it if it is ours.
fn our_line(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?.trim();
    let ours = line.strip_prefix("path = ") == Some(INCLUDED)
        || line.strip_prefix("fetch = ").is_some_and(is_our_refspec);
    ours.then_some(line)
}

/// Iterates over the lines, each with its line feed.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|b| *b == b'\n')
}

/// Quotes a text for a settings file.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Section> {
        let refs = LedgerRefs::of(crate::id::EntryId::new([7; 32]));
        sections(Some(("origin", &refspecs(&refs, "origin"))))
    }

    #[test]
    fn removing_the_block_restores_the_file_to_the_byte() {
        let texts: [&[u8]; 8] = [
            b"",
            b"[core]\n\tbare = false\n",
            b"[core]\n\tbare = false",
            b"[core]\r\n\tbare = false\r\n",
            b"[include]\n[remote \"origin\"]\n",
            b"[include]\n\tpath = x\n# end\n\n",
            b"[x] y = z\n\n",
            b"\xff\xfe\n",
        ];
        for text in texts {
            let added = with(text, &some());
            assert!(added.starts_with(text) && added.len() > text.len());
            assert_eq!(without(&added), text, "{}", String::from_utf8_lossy(&added));
            assert_eq!(with(&added, &some()), added);
            assert_eq!(without(text), text);
        }
    }

    #[test]
    fn lines_that_others_write_around_the_block_are_kept() {
        let added = with(b"[core]\n\tbare = false\n", &some());
        let more = [
            &added[..],
            b"\tfetch = +refs/heads/x:refs/remotes/origin/x\n[branch \"x\"]\n\tremote = origin\n",
        ]
        .concat();
        assert_eq!(with(&more, &some()), more);
        let left = "[core]\n\tbare = false\n[remote \"origin\"]\n\tfetch = +refs/heads/x:refs/remotes/origin/x\n[branch \"x\"]\n\tremote = origin\n";
        assert_eq!(String::from_utf8(without(&more)).unwrap(), left);
    }

    #[test]
    fn a_block_for_another_remote_is_replaced() {
        let added = with(b"[core]\n", &some());
        let refs = LedgerRefs::of(crate::id::EntryId::new([7; 32]));
        let other = with(
            &added,
            &sections(Some(("a \"b\"", &refspecs(&refs, "a \"b\"")))),
        );
        let text = String::from_utf8(other).unwrap();
        assert!(
            text.contains("[remote \"a \\\"b\\\"\"]\n") && !text.contains("origin"),
            "{text}"
        );
        assert_eq!(without(text.as_bytes()), b"[core]\n");
    }

    #[test]
    fn a_refspec_of_somebody_else_does_not_count_as_ours() {
        let ours = "+refs/quorum/0707070707070707/lane/*:refs/quorum/0707070707070707/incoming/origin/lane/*";
        assert!(is_our_refspec(ours));
        for other in [
            "+refs/heads/*:refs/remotes/origin/*",
            "+refs/quorum/*:refs/quorum/*",
            "+refs/quorum/07/lane/*:refs/quorum/08/incoming/o/lane/*",
            "+refs/quorum/07/lane/*:refs/quorum/07/incoming/o/proposal/*",
            "+refs/quorum/07/lane/a:refs/quorum/07/incoming/o/lane/a",
        ] {
            assert!(!is_our_refspec(other), "{other}");
        }
    }
}
