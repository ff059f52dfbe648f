//! Tells of long work while it goes on, to whoever wants to know. Knows nothing of how it is shown.

use std::sync::Arc;

use super::git::clean_text;

/// The most characters of what somebody else says is going on.
const WORDS: usize = 40;

/// How far long work is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is going on, as in "Writing objects".
    pub what: String,
    /// How much of it is done.
    pub done: u64,
    /// How much there is, if that is known.
    pub of: Option<u64>,
}

/// Wants to know how far long work is. It is told often, so it should return soon.
pub trait Watch: Send + Sync {
    /// This far.
    fn at(&self, progress: &Progress);
}

/// Somebody who watches, or nobody.
#[derive(Clone, Default)]
pub struct Watcher(Option<Arc<dyn Watch>>);

impl Watcher {
    /// This one.
    pub fn new(watch: Arc<dyn Watch>) -> Self {
        Self(Some(watch))
    }

    /// Whether anybody watches.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Tells how far the work is.
    pub fn at(&self, what: &str, done: usize, of: Option<usize>) {
        if self.is_some() {
            let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            self.tell(&Progress {
                what: what.to_owned(),
                done: count(done),
                of: of.map(count),
            });
        }
    }

    pub(super) fn tell(&self, progress: &Progress) {
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

/// Takes the progress out of what a git command prints on standard error, and keeps the rest.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    line: Vec<u8>,
    /// Whether the last byte was a carriage return.
    returned: bool,
    kept: Vec<u8>,
}

impl Sieve {
    /// Takes in what was printed next.
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

    /// What was no progress.
    pub fn finish(mut self) -> Vec<u8> {
        self.kept.append(&mut self.line);
        self.kept
    }

    /// A line that is to be written over is nothing but progress; of the others only the last of each kind.
    fn end_line(&mut self, written_over: bool, watcher: &Watcher) {
        let is_last = self.line.trim_ascii_end().ends_with(b", done.");
        let progress = if written_over || is_last {
            read(&self.line)
        } else {
            None
        };
        match progress {
            Some(progress) => watcher.tell(&progress),
            None if written_over => {}
            None => {
                self.kept.extend(&self.line);
                self.kept.push(b'\n');
            }
        }
        self.line.clear();
    }
}

/// Reads a line of the form `Writing objects:  42% (42/100), 1.2 MiB` or `Enumerating objects: 42, done.`
fn read(line: &[u8]) -> Option<Progress> {
    let text = std::str::from_utf8(line).ok()?;
    let text = text.strip_prefix("remote: ").unwrap_or(text);
    let (what, rest) = text.split_once(": ")?;
    let is_named = what.len() <= WORDS && what.chars().all(|c| c.is_ascii_alphabetic() || c == ' ');
    let counts = match rest.split_once("% (") {
        Some((_, rest)) => rest
            .split_once(')')?
            .0
            .split_once('/')
            .map(|(done, of)| (done, Some(of)))?,
        None => (rest.split(',').next()?.trim(), None),
    };
    let of = counts.1.map(str::parse).transpose().ok()?;
    is_named.then_some(Progress {
        what: clean_text(what),
        done: counts.0.parse().ok()?,
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
    fn progress_is_told_and_everything_else_is_kept() {
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
    fn nothing_that_a_remote_makes_up_is_taken_for_progress() {
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
