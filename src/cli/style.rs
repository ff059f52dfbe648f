//! Text for people, in pieces that may have a colour. A piece is cleaned before it is coloured, so
//! text that others wrote cannot bring escapes of its own.
//!
//! Whether colours are used is one choice for the process, which `anstream` keeps. It depends on
//! the option, then the environment, then Git's settings, then whether there is a terminal.

use std::ffi::OsString;

use anstream::ColorChoice;
use anstyle::{AnsiColor, Effects, Style};
use clap::builder::Styles;

use super::clean::clean;
use crate::repo::{Repo, RepoError};

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR, CLICOLOR, TERM or Git's color.quorum or color.ui say otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a piece of text is. This determines its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// An id that users copy.
    Id,
    /// A good final state.
    Good,
    /// A state that waits for somebody.
    Pending,
    /// A bad state, or an error that was found.
    Bad,
    /// The label of an error.
    Error,
    /// The label of a hint, a note or a next step.
    Hint,
    /// Lines and frames.
    Faint,
}

/// Colours of `--help`.
pub const HELP: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

impl Role {
    /// The role of a proposal in this state.
    pub fn of_state(state: &str) -> Role {
        match state {
            "decided" | "landed" => Role::Good,
            "open" | "approved" => Role::Pending,
            _ => Role::Bad,
        }
    }

    fn style(self) -> Style {
        match self {
            Role::Plain => Style::new(),
            Role::Id | Role::Pending => AnsiColor::Yellow.on_default(),
            Role::Good => AnsiColor::Green.on_default(),
            Role::Bad => AnsiColor::Red.on_default(),
            Role::Error => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Role::Hint => AnsiColor::Cyan.on_default().effects(Effects::BOLD),
            Role::Faint => Style::new().effects(Effects::DIMMED),
        }
    }
}

/// Text in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<(Role, String)>);

impl Text {
    /// Text of one piece.
    pub fn of(role: Role, text: impl Into<String>) -> Text {
        Text(vec![(role, text.into())])
    }

    /// The same text with one more piece at its end.
    pub fn with(mut self, role: Role, text: impl Into<String>) -> Text {
        self.0.push((role, text.into()));
        self
    }

    /// Adds ordinary text.
    pub fn push_str(&mut self, text: &str) {
        self.0.push((Role::Plain, text.to_owned()));
    }

    /// Adds another text.
    pub fn append(&mut self, other: impl Into<Text>) {
        self.0.extend(other.into().0);
    }

    /// Joins texts with line ends.
    pub fn lines(lines: impl IntoIterator<Item = Text>) -> Text {
        let mut all = Text::default();
        for (number, line) in lines.into_iter().enumerate() {
            if number > 0 {
                all.push_str("\n");
            }
            all.append(line);
        }
        all
    }

    /// The same text without line ends at its end.
    pub fn trimmed(mut self) -> Text {
        while let Some((_, last)) = self.0.last_mut() {
            last.truncate(last.trim_end_matches('\n').len());
            if !last.is_empty() {
                break;
            }
            self.0.pop();
        }
        self
    }

    /// Whether it has no characters.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, text)| text.is_empty())
    }

    /// The text without colours.
    pub fn plain(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The text for a terminal: each piece is cleaned, then coloured.
    pub fn coloured(&self) -> String {
        let piece = |(role, text): &(Role, String)| {
            if text.is_empty() {
                return String::new();
            }
            let style = role.style();
            format!("{style}{}{style:#}", clean(text))
        };
        self.0.iter().map(piece).collect()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::of(Role::Plain, text)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::of(Role::Plain, text)
    }
}

/// Sets the choice for the process.
pub fn choose(when: When) {
    choice_of(when).write_global();
}

fn choice_of(when: When) -> ColorChoice {
    match when {
        When::Auto => ColorChoice::Auto,
        When::Always => ColorChoice::Always,
        When::Never => ColorChoice::Never,
    }
}

/// Reads the choice from arguments that are not parsed yet, because help and errors have colours
/// too.
pub fn asked_for(args: &[OsString]) -> When {
    let mut asked = When::Auto;
    let mut words = args
        .iter()
        .filter_map(|arg| arg.to_str())
        .take_while(|arg| *arg != "--")
        .peekable();
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--color") {
            Some("") => words.peek().copied(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        let known = value.and_then(|value| <When as clap::ValueEnum>::from_str(value, false).ok());
        asked = known.unwrap_or(asked);
    }
    asked
}

/// Applies Git's colour settings where neither an option nor the environment has decided.
pub fn heed_settings(repo: &Repo) -> Result<(), RepoError> {
    if ColorChoice::global() != ColorChoice::Auto
        || environment_decides(|name| std::env::var_os(name))
    {
        return Ok(());
    }
    let setting = match repo.config("color.quorum")? {
        Some(own) => Some(own),
        None => repo.config("color.ui")?,
    };
    choose(setting.as_deref().map_or(When::Auto, when_of_setting));
    Ok(())
}

/// Whether the environment decides about colours, regardless of the terminal.
fn environment_decides(value: impl Fn(&str) -> Option<OsString>) -> bool {
    let is = |name, test: fn(&str) -> bool| value(name).is_some_and(|v| test(&v.to_string_lossy()));
    is("NO_COLOR", |v| !v.is_empty())
        || is("CLICOLOR_FORCE", |v| v != "0")
        || is("CLICOLOR", |v| v == "0")
}

/// Reads a setting as Git does: false means never, and true means on a terminal.
fn when_of_setting(value: &str) -> When {
    match value.to_ascii_lowercase().as_str() {
        "always" => When::Always,
        "never" | "false" | "no" | "off" | "0" => When::Never,
        _ => When::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_brings_no_colours() {
        let text = Text::of(Role::Good, "a\u{1b}[31mb")
            .with(Role::Plain, "\u{9b}2Jc\n")
            .with(Role::Id, "\u{202e}");
        let shown = text.coloured();
        assert_eq!(
            shown,
            "\u{1b}[32ma\\u{1b}[31mb\u{1b}[0m\\u{9b}2Jc\n\u{1b}[33m\\u{202e}\u{1b}[0m"
        );
        assert_eq!(text.plain(), "a\u{1b}[31mb\u{9b}2Jc\n\u{202e}");
    }

    #[test]
    fn the_end_is_trimmed_through_pieces() {
        let text = Text::of(Role::Id, "a\n")
            .with(Role::Plain, "\n")
            .with(Role::Plain, "");
        assert_eq!(text.trimmed().plain(), "a");
        assert!(Text::from("\n\n").trimmed().is_empty());
        assert_eq!(
            Text::lines([Text::from("a"), Text::from("b")]).plain(),
            "a\nb"
        );
    }

    #[test]
    fn settings_are_read_as_git_reads_them() {
        for (value, when) in [
            ("always", When::Always),
            ("never", When::Never),
            ("False", When::Never),
            ("off", When::Never),
            ("0", When::Never),
            ("auto", When::Auto),
            ("true", When::Auto),
            ("", When::Auto),
        ] {
            assert_eq!(when_of_setting(value), when, "{value:?}");
        }
    }

    #[test]
    fn the_environment_decides_before_settings() {
        let with = |name: &'static str, value: &'static str| {
            environment_decides(|asked| (asked == name).then(|| OsString::from(value)))
        };
        assert!(with("NO_COLOR", "1") && with("CLICOLOR_FORCE", "1") && with("CLICOLOR", "0"));
        assert!(
            !with("NO_COLOR", "")
                && !with("CLICOLOR_FORCE", "0")
                && !with("CLICOLOR", "1")
                && !with("X", "1")
        );
    }

    #[test]
    fn the_option_is_found_before_arguments_are_parsed() {
        let asked = |args: &[&str]| asked_for(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(asked(&["x", "--color=always", "y"]), When::Always);
        assert_eq!(asked(&["x", "--color", "never"]), When::Never);
        assert_eq!(asked(&["x", "--color", "pink"]), When::Auto);
        assert_eq!(asked(&["x", "--", "--color=always"]), When::Auto);
        assert_eq!(asked(&["x", "--colors=always"]), When::Auto);
    }
}
