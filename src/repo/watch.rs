//! Reports the progress of long operations to a watcher. Knows nothing of how it is shown.

use std::sync::Arc;

use super::text::clean_text;

/// The most bytes of an operation's name in a remote's progress line.
const MAX_NAME: usize = 40;

/// The progress of a long operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The operation, as in "Writing objects".
    pub what: String,
    /// How many steps are done.
    pub done: u64,
    /// How many steps there are. `None` if that is unknown.
    pub of: Option<u64>,
}

/// Receives progress reports. Reports are frequent, so the receiver should return soon.
pub trait Watch: Send + Sync {
    /// Receives a progress report.
    fn at(&self, progress: &Progress);
}

/// The receiver of progress reports, or nobody.
#[derive(Clone, Default)]
pub struct Watcher(Option<Arc<dyn Watch>>);

impl Watcher {
    /// Returns a watcher that passes reports on to `watch`.
    pub fn new(watch: Arc<dyn Watch>) -> Self {
        Self(Some(watch))
    }

    /// Whether anybody watches.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Reports that `done` steps of an operation are done, out of `of` if that is known.
    pub fn at(&self, what: &str, done: usize, of: Option<usize>) {
        if self.is_some() {
            let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            self.report(&Progress {
                what: what.to_owned(),
                done: count(done),
                of: of.map(count),
            });
        }
    }

    pub(super) fn report(&self, progress: &Progress) {
        if let Some(watch) = &self.0 {
            watch.at(progress);
        }
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watcher").field(&self.is_some()).finish()
    }
}

/// Separates the progress lines in a git command's standard error from the rest.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    line: Vec<u8>,
    /// Whether the last byte was a carriage return.
    returned: bool,
    /// The lines that are not progress.
    kept: Vec<u8>,
}

impl Sieve {
    /// Processes the next bytes. Reports progress lines to `watcher` and keeps the other lines.
    pub fn take(&mut self, bytes: &[u8], watcher: &Watcher) {
        for byte in bytes {
            match (self.returned, byte) {
                (_, b'\n') => self.end_line(false, watcher),
                (true, _) => self.end_line(true, watcher),
                (false, _) => {}
            }
            self.returned = *byte == b'\r';
            if !matches!(byte, b'\r' | b'\n') {
                self.line.push(*byte);
            }
        }
    }

    /// Returns the bytes that are not progress.
    pub fn finish(mut self) -> Vec<u8> {
        self.kept.append(&mut self.line);
        self.kept
    }

    /// Ends the current line, which is overwritten if a carriage return ended it.
    ///
    /// An overwritten line is never kept. Other lines are kept, except for the last progress line
    /// of an operation.
    fn end_line(&mut self, overwritten: bool, watcher: &Watcher) {
        let is_last = self.line.trim_ascii_end().ends_with(b", done.");
        let progress = if overwritten || is_last {
            parse(&self.line)
        } else {
            None
        };
        if let Some(progress) = progress {
            watcher.report(&progress);
        } else if !overwritten {
            self.kept.extend(&self.line);
            self.kept.push(b'\n');
        }
        self.line.clear();
    }
}

/// Parses a progress line: `Writing objects:  42% (42/100), 1.2 MiB` or
/// `Enumerating objects: 42, done.`. `None` for other lines.
///
/// The name is checked, because a remote can print anything.
fn parse(line: &[u8]) -> Option<Progress> {
    let text = std::str::from_utf8(line).ok()?;
    let text = text.strip_prefix("remote: ").unwrap_or(text);
    let (what, rest) = text.split_once(": ")?;
    let is_word = |c: char| c.is_ascii_alphabetic() || c == ' ';
    if what.len() > MAX_NAME || !what.chars().all(is_word) {
        return None;
    }
    let (done, of) = match rest.split_once("% (") {
        Some((_, rest)) => {
            let (counts, _) = rest.split_once(')')?;
            let (done, of) = counts.split_once('/')?;
            (done, Some(of.parse().ok()?))
        }
        None => (rest.split(',').next()?.trim(), None),
    };
    Some(Progress {
        what: clean_text(what),
        done: done.parse().ok()?,
        of,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<Progress>>);

    impl Watch for Seen {
        fn at(&self, progress: &Progress) {
            self.0.lock().unwrap().push(progress.clone());
        }
    }

    fn sift(printed: &[&str]) -> (Vec<(String, u64, Option<u64>)>, String) {
        let seen = Arc::new(Seen::default());
        let (watcher, mut sieve) = (Watcher::new(seen.clone()), Sieve::default());
        printed
            .iter()
            .for_each(|part| sieve.take(part.as_bytes(), &watcher));
        let told = seen
            .0
            .lock()
            .unwrap()
            .iter()
            .map(|p| (p.what.clone(), p.done, p.of))
            .collect();
        (told, String::from_utf8(sieve.finish()).unwrap())
    }

    #[test]
    fn progress_is_reported_and_everything_else_is_kept() {
        let (told, kept) = sift(&[
            "remote: Enumerating objects: 5, done.        \n",
            "Writing obj",
            "ects:  40% (2/5)\rWriting objects: 100% (5/5), 1.2 KiB | 1 MiB/s, done.\n",
            "remote: Votes: 3\nremote: refs/heads/main: no\nfatal: it broke",
        ]);
        let expected = [
            ("Enumerating objects", 5, None),
            ("Writing objects", 2, Some(5)),
            ("Writing objects", 5, Some(5)),
        ];
        assert_eq!(
            told,
            expected.map(|(what, done, of)| (what.to_owned(), done, of))
        );
        assert_eq!(
            kept,
            "remote: Votes: 3\nremote: refs/heads/main: no\nfatal: it broke"
        );
        assert_eq!(
            sift(&["a\r", "\nb\r\n", "over\rc\n"]),
            (vec![], "a\nb\nc\n".to_owned())
        );
    }

    #[test]
    fn a_line_that_a_remote_makes_up_is_not_progress() {
        for line in [
            "\u{1b}[2J: 1, done.",
            "a: b: 3, done.",
            &format!("{}: 3, done.", "a".repeat(41)),
            "x: 1% (1/)",
            "x: y",
        ] {
            let (told, kept) = sift(&[line, "\n"]);
            assert_eq!((told.len(), kept), (0, format!("{line}\n")), "{line:?}");
        }
    }
}
