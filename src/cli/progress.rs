//! Shows the progress of long work on the last line of the terminal at standard error. The line
//! appears only on a terminal, only after half a second, and never in a hook. It is removed before
//! anything else is printed. It works with `--json` too, because the answer goes to standard
//! output.
//!
//! A process has one terminal, so there is one such line. It is drawn without escape sequences, so
//! that any terminal can show it.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clean::clean;
use crate::repo::{Progress, Watch, Watcher};

/// How long work may take before it is shown, unless Git's `GIT_PROGRESS_DELAY` gives a number of
/// seconds.
const DELAY: Duration = Duration::from_millis(500);

/// The shortest time between two drawings.
const PAUSE: Duration = Duration::from_millis(80);

/// Width of the bar, in characters.
const BAR: u64 = 20;

/// Width of a terminal whose width is not known, in columns.
const WIDTH: usize = 80;

static LINE: Mutex<Line> = Mutex::new(Line::new(None));

/// The line on the terminal.
#[derive(Debug)]
struct Line {
    /// How long to wait before the first drawing. `None` if nothing is ever drawn.
    delay: Option<Duration>,
    /// When the first work was reported.
    began: Option<Instant>,
    /// When the line was last drawn.
    drawn: Option<Instant>,
    /// What it showed then.
    what: String,
    /// How many columns it takes up.
    columns: usize,
}

/// Enables the progress line if standard error is a terminal.
pub fn allow() {
    if std::io::stderr().is_terminal() {
        let seconds = std::env::var("GIT_PROGRESS_DELAY")
            .ok()
            .and_then(|text| text.parse().ok());
        with_line(|line| line.delay = Some(seconds.map_or(DELAY, Duration::from_secs)));
    }
}

/// The listener for the rooms below. It does nothing while the progress line is disabled.
pub fn watcher() -> Watcher {
    if with_line(|line| line.delay.is_some()) {
        Watcher::new(Arc::new(Terminal))
    } else {
        Watcher::default()
    }
}

/// Shows what the command waits for or does.
pub fn say(text: &str) {
    with_line(|line| {
        let now = Instant::now();
        if line.is_due(text, now) {
            line.show(text, &clean(text).replace(['\n', '\t'], " "), now);
        }
    });
}

/// Removes the line, before something else is printed or asked.
pub fn clear() {
    with_line(Line::clear);
}

fn with_line<T>(act: impl FnOnce(&mut Line) -> T) -> T {
    act(&mut LINE.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Terminal;

impl Watch for Terminal {
    fn at(&self, progress: &Progress) {
        with_line(|line| {
            let now = Instant::now();
            if line.is_due(&progress.what, now) {
                line.show(&progress.what, &describe(progress), now);
            }
        });
    }
}

impl Line {
    const fn new(delay: Option<Duration>) -> Line {
        Line {
            delay,
            began: None,
            drawn: None,
            what: String::new(),
            columns: 0,
        }
    }

    fn is_due(&mut self, what: &str, now: Instant) -> bool {
        let began = *self.began.get_or_insert(now);
        let waited = self
            .delay
            .is_some_and(|delay| now.duration_since(began) >= delay);
        let is_stale = |drawn: Instant| self.what != what || now.duration_since(drawn) >= PAUSE;
        waited && self.drawn.is_none_or(is_stale)
    }

    fn show(&mut self, what: &str, text: &str, now: Instant) {
        what.clone_into(&mut self.what);
        self.drawn = Some(now);
        self.draw(text);
    }

    fn draw(&mut self, text: &str) {
        let width = terminal_size::terminal_size_of(std::io::stderr())
            .map_or(WIDTH, |(width, _)| usize::from(width.0));
        let (drawn, columns) = over(text, self.columns, width);
        self.columns = columns;
        // A failed drawing changes nothing for the command.
        let _ = std::io::stderr().lock().write_all(drawn.as_bytes());
    }

    fn clear(&mut self) {
        if self.columns > 0 {
            self.draw("");
            let _ = std::io::stderr().lock().write_all(b"\r");
        }
        self.drawn = None;
    }
}

/// The characters that replace a line of `before` columns, and the number of columns they take up.
fn over(text: &str, before: usize, width: usize) -> (String, usize) {
    // The last column stays free: a character there makes some terminals start a new line.
    let text: String = text.chars().take(width.saturating_sub(1)).collect();
    let columns = text.chars().count();
    (
        format!("\r{text}{}", " ".repeat(before.saturating_sub(columns))),
        columns,
    )
}

fn describe(Progress { what, done, of }: &Progress) -> String {
    let Some(of) = of.filter(|of| *of > 0) else {
        return format!("{what}: {done}");
    };
    let done = *done.min(&of);
    let part = |whole: u64| {
        u64::try_from(u128::from(whole) * u128::from(done) / u128::from(of)).unwrap_or(whole)
    };
    let filled: String = (0..BAR)
        .map(|place| if place < part(BAR) { '=' } else { ' ' })
        .collect();
    format!("{what} [{filled}] {:>3}% ({done}/{of})", part(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(done: u64, of: Option<u64>) -> Progress {
        Progress {
            what: "Reading entries".to_owned(),
            done,
            of,
        }
    }

    #[test]
    fn work_is_told_with_a_bar_where_its_end_is_known() {
        assert_eq!(describe(&progress(7, None)), "Reading entries: 7");
        assert_eq!(describe(&progress(7, Some(0))), "Reading entries: 7");
        assert_eq!(
            describe(&progress(1, Some(4))),
            "Reading entries [=====               ]  25% (1/4)"
        );
        assert_eq!(
            describe(&progress(9, Some(4))),
            "Reading entries [====================] 100% (4/4)"
        );
        assert!(describe(&progress(u64::MAX, Some(u64::MAX))).contains("100%"));
    }

    #[test]
    fn a_line_covers_the_one_before_and_never_the_last_column() {
        assert_eq!(over("abc", 0, 80), ("\rabc".to_owned(), 3));
        assert_eq!(over("a", 3, 80), ("\ra  ".to_owned(), 1));
        assert_eq!(over("abcdef", 0, 4), ("\rabc".to_owned(), 3));
        assert_eq!(over("", 3, 0), ("\r   ".to_owned(), 0));
    }

    #[test]
    fn nothing_is_shown_early_or_too_often_or_where_there_is_no_terminal() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut line = Line::new(Some(DELAY));
        assert!(
            !line.is_due("a", after(0))
                && !line.is_due("a", after(499))
                && line.is_due("a", after(500))
        );
        (line.drawn, line.what) = (Some(after(500)), "a".to_owned());
        assert!(
            !line.is_due("a", after(579))
                && line.is_due("a", after(580))
                && line.is_due("b", after(501))
        );
        let mut nowhere = Line::new(None);
        assert!(!nowhere.is_due("a", after(0)) && !nowhere.is_due("a", after(100_000)));
    }
}
