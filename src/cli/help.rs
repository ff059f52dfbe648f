//! What `--help` and the man pages show beside the options: exit statuses, the environment, settings
//! and files. The examples of a command stand beside the command.

use clap::Command;

use crate::client::Exit;

/// A thing and what it is for.
pub type Row = (&'static str, &'static str);

/// Examples of commands: the command by its path, then command lines and what they do.
pub type Examples = &'static [(&'static str, &'static [Row])];

/// Finds the examples of a command by its path.
pub type FindExamples = fn(&str) -> &'static [Row];

/// Variables that are read.
pub const ENVIRONMENT: &[Row] = &[
    (
        "GIT_QUORUM_MEMBER",
        "The member to write as; --as goes before it.",
    ),
    (
        "GIT_QUORUM_KEY",
        "The member's key file; --key goes before it.",
    ),
    (
        "GIT_QUORUM_PASSPHRASE",
        "The passphrase of an encrypted key.",
    ),
    (
        "GIT_QUORUM_PASSPHRASE_FILE",
        "A file that holds the passphrase.",
    ),
    (
        "GIT_QUORUM_STATE",
        "The folder of the sign state, in place of $XDG_STATE_HOME/git-quorum.",
    ),
    ("SSH_AUTH_SOCK", "The ssh-agent that signs with --agent."),
    ("NO_COLOR", "Not empty: no colours. --color goes before it."),
    (
        "CLICOLOR_FORCE",
        "Other than 0: colours even where there is no terminal.",
    ),
    ("CLICOLOR", "0: no colours."),
    (
        "GIT_PROGRESS_DELAY",
        "Seconds before progress is shown on a terminal, in place of half a second.",
    ),
];

/// Settings of Git that are read.
pub const SETTINGS: &[Row] = &[
    ("quorum.ledger", "The pinned ledger."),
    ("quorum.member", "The member of this clone."),
    ("quorum.key", "Its key file."),
    ("quorum.agent", "Whether the ssh-agent signs."),
    (
        "quorum.remote",
        "The remote to exchange lanes with, in place of origin or the only one.",
    ),
    (
        "quorum.patience",
        "How long a member waits for others before it goes on to another round, in seconds, or as 500ms; 60 by default. Best the same for all members.",
    ),
    (
        "color.quorum, color.ui",
        "Colours, as Git reads them: auto, always, never.",
    ),
];

/// Where things are kept.
pub const FILES: &[Row] = &[
    (
        "refs/quorum/",
        "The ledger: a genesis, a lane for each member, the proposed commits, and what remotes showed.",
    ),
    (
        "<git dir>/quorum/",
        "Caches and timers, which may be deleted at any time.",
    ),
    (
        "$XDG_STATE_HOME/git-quorum/",
        "The sign state (~/.local/state by default): what the member's key has signed. Keep it, it is what keeps the member from voting twice.",
    ),
];

/// Adds the text below the options to the help of every command.
pub fn complete(root: Command, examples: FindExamples) -> Command {
    let more = format!(
        "{}\n\n{}\n\n{}\n\nMore: git quorum help COMMAND; git quorum man --install, then man git-quorum",
        example_lines(examples("")),
        section(
            "Exit status",
            &statuses()
                .iter()
                .map(|(s, m)| (s.as_str(), *m))
                .collect::<Vec<_>>()
        ),
        section("Environment", ENVIRONMENT),
    );
    with_examples(root, "", examples).after_long_help(more)
}

fn with_examples(command: Command, path: &str, examples: FindExamples) -> Command {
    let names: Vec<_> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}").trim_start().to_owned();
        command.mut_subcommand(name, |sub| {
            let sub = with_examples(sub, &path, examples);
            if examples(&path).is_empty() {
                sub
            } else {
                sub.after_long_help(example_lines(examples(&path)))
            }
        })
    })
}

/// Every exit status as text, and its meaning.
pub fn statuses() -> Vec<(String, &'static str)> {
    Exit::ALL
        .iter()
        .map(|exit| (exit.number().to_string(), exit.meaning()))
        .collect()
}

fn example_lines(rows: &[Row]) -> String {
    let lines = rows
        .iter()
        .map(|(line, what)| format!("\n  {}\n      {what}", line.replace('\n', "\n  ")));
    format!("Examples:{}", lines.collect::<String>())
}

fn section(title: &str, rows: &[(&str, &str)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows
        .iter()
        .map(|(name, meaning)| format!("\n  {name:<width$}  {meaning}"));
    format!("{title}:{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_daily_work_has_the_same_exit_statuses() {
        let page = std::fs::read_to_string(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/daily.md"),
        )
        .unwrap();
        let rows = page
            .lines()
            .skip_while(|line| !line.starts_with("| exit status"))
            .skip(2);
        let rows: Vec<_> = rows
            .take_while(|line| line.starts_with('|'))
            .map(str::to_owned)
            .collect();
        let expected: Vec<_> = statuses()
            .iter()
            .map(|(status, meaning)| format!("| {status} | {meaning} |"))
            .collect();
        assert_eq!(rows, expected);
    }
}
