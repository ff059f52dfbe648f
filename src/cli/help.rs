//! What `--help` and the man pages tell beside the options: examples of every command, exit statuses, the
//! environment, settings and files. Each stands here once.

use clap::Command;

use crate::client::Exit;

/// A thing and what it is for.
pub type Row = (&'static str, &'static str);

/// For each command, by its path: commands and what they do.
const EXAMPLES: &[(&str, &[Row])] = &[
    (
        "",
        &[
            (
                "git quorum demo",
                "See the whole story on real repositories in a temporary folder.",
            ),
            (
                "git quorum join --as bob --key ../keys/bob",
                "Take part in the ledger of the remote `origin`.",
            ),
            (
                "git quorum propose -m 'Say hello'",
                "Propose HEAD as the next value of the protected branch.",
            ),
            (
                "git quorum review 1f3a --approve -m 'It says hello.'",
                "Approve a proposal; votes follow by themselves.",
            ),
            (
                "git quorum sync",
                "Fetch, cast the votes that are due, push. Run it first and last.",
            ),
            (
                "git quorum land",
                "Move protected refs to what was decided.",
            ),
            (
                "git quorum verify",
                "Check, offline, that the refs hold what was decided.",
            ),
        ],
    ),
    (
        "demo",
        &[
            ("git quorum demo", "Play it, in some seconds."),
            (
                "git quorum demo --keep",
                "Leave the folder there, and say how to look around in it.",
            ),
        ],
    ),
    (
        "schema",
        &[
            (
                "git quorum schema",
                "The envelope that every command prints with --json.",
            ),
            (
                "git quorum schema status",
                "The same with the data of `git quorum status`.",
            ),
        ],
    ),
    (
        "keygen",
        &[(
            "git quorum keygen alice --dir keys",
            "Make keys/alice and keys/alice.pub.",
        )],
    ),
    (
        "init",
        &[
            (
                "git quorum init --as alice --key alice --protect main \\\n    --member alice=alice.pub --member bob=bob.pub \\\n    --member carol=carol.pub --member dave=dave.pub",
                "Four members, of which one may be faulty, protect main.",
            ),
            (
                "git quorum init --as alice --key alice --charter first.toml",
                "The same from a file; `git quorum charter show --toml` shows the form.",
            ),
            (
                "git quorum init ... --member ci=ci.pub,vote=no --member eve=eve.pub,role=security,domain=team-b",
                "A member that does not vote, and one with a role and a fault domain.",
            ),
        ],
    ),
    (
        "join",
        &[
            (
                "git quorum join --as bob --key ../keys/bob --genesis ID",
                "Take part as bob, in the ledger whose id the founder gave.",
            ),
            (
                "git quorum join --as bob --key bob.pub --agent",
                "The same with a key in the ssh-agent.",
            ),
            (
                "git quorum join --genesis ID",
                "Follow a ledger without a key, to verify it.",
            ),
        ],
    ),
    (
        "charter",
        &[
            (
                "git quorum charter show",
                "Who decides, and what is protected.",
            ),
            (
                "git quorum charter show --toml > next.toml",
                "The charter as a file to edit.",
            ),
            (
                "git quorum charter propose --file next.toml -m 'Add frank'",
                "Propose the edited one.",
            ),
        ],
    ),
    (
        "charter show",
        &[(
            "git quorum charter show --toml",
            "In the form that `charter propose` reads.",
        )],
    ),
    (
        "charter propose",
        &[
            (
                "git quorum charter show --toml > next.toml",
                "Start from the charter in force, and edit it.",
            ),
            (
                "git quorum charter propose --file next.toml -m 'Add frank'",
                "Propose it; reviews and votes decide it like a ref.",
            ),
        ],
    ),
    (
        "propose",
        &[
            (
                "git quorum propose -m 'Say hello'",
                "Propose HEAD for the only protected branch.",
            ),
            (
                "git quorum propose topic --onto main --merge -m 'Take in topic'",
                "Propose topic, merged with what main is.",
            ),
            (
                "git quorum propose v1.0 --onto refs/tags/v1.0 -m 'Release 1.0' -F notes.md",
                "Propose a protected tag, described in a file.",
            ),
            (
                "git quorum propose --delete --onto old -m 'Drop old'",
                "Propose that a protected branch be deleted.",
            ),
        ],
    ),
    (
        "review",
        &[
            (
                "git quorum review 1f3a --approve -m 'It says hello.' --evidence 'cargo test: 12 passed'",
                "Approve what you have checked, and say how.",
            ),
            (
                "git quorum review 1f3a --reject -m 'It panics without arguments.'",
                "Reject it, and say why.",
            ),
        ],
    ),
    (
        "approve",
        &[(
            "git quorum approve 1f3a -m 'It says hello.'",
            "Approve what you have checked, and say why.",
        )],
    ),
    (
        "reject",
        &[(
            "git quorum reject 1f3a -m 'It panics without arguments.'",
            "Reject it, and say why.",
        )],
    ),
    (
        "withdraw",
        &[(
            "git quorum withdraw 1f3a",
            "Take back a proposal of your own.",
        )],
    ),
    (
        "sync",
        &[
            (
                "git quorum sync",
                "Fetch, vote, push, with the remote `origin`.",
            ),
            (
                "git quorum sync --remote backup",
                "The same with another remote that holds part of the ledger.",
            ),
        ],
    ),
    (
        "wait",
        &[(
            "git quorum wait 1f3a --timeout 600",
            "Wait ten minutes at most, and vote meanwhile.",
        )],
    ),
    (
        "status",
        &[
            (
                "git quorum status",
                "The ledger, its protected refs, and what is open.",
            ),
            (
                "git quorum status 1f3a",
                "How far one proposal is, and whom it waits for.",
            ),
            ("git quorum status --json", "The same for a program."),
        ],
    ),
    (
        "show",
        &[(
            "git quorum show 1f3a",
            "A proposal with its description, reviews and votes.",
        )],
    ),
    (
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
    ),
    (
        "land",
        &[
            (
                "git quorum land",
                "Move every protected ref as far as decisions say.",
            ),
            (
                "git quorum land 1f3a",
                "Land this decision, and those before it.",
            ),
            (
                "git quorum land --local",
                "Move the refs of this repository, as on the server itself.",
            ),
        ],
    ),
    (
        "verify",
        &[
            ("git quorum verify", "Everything that this clone knows."),
            (
                "git quorum verify --backed main --at HEAD --genesis ID",
                "As a required check: HEAD must be what a decision says main is.",
            ),
        ],
    ),
    (
        "faults",
        &[
            (
                "git quorum faults",
                "Who broke the rules, as far as this clone knows, and by which entries.",
            ),
            (
                "git quorum faults --remote origin",
                "The same with what the remote has now, and what it shows otherwise than before.",
            ),
            (
                "git quorum faults --prove 1f3a -o dave.proof",
                "Write one of them down for others.",
            ),
        ],
    ),
    (
        "check-proof",
        &[(
            "git quorum check-proof dave.proof --ledger ID",
            "What the file proves about a member of that ledger; anywhere, offline.",
        )],
    ),
    (
        "allowed-signers",
        &[
            ("git quorum allowed-signers > signers", "Write the file."),
            (
                "git -c gpg.ssh.allowedSignersFile=signers verify-commit refs/quorum/LEDGER/lane/alice",
                "Verify an entry with stock Git alone.",
            ),
        ],
    ),
    (
        "install",
        &[
            (
                "git quorum install",
                "Put the hooks into this clone, and have `git fetch` bring the lanes.",
            ),
            (
                "git quorum install --server --auto-land",
                "Put the gate into this bare repository.",
            ),
        ],
    ),
    (
        "uninstall",
        &[(
            "git quorum uninstall",
            "Take the hooks out of this clone; those before come back.",
        )],
    ),
    (
        "doctor",
        &[
            (
                "git quorum doctor",
                "In a clone or on a server: what holds, what does not, and the command that mends it.",
            ),
            (
                "git quorum doctor --json",
                "The same for a program; the exit status is 7 if something is missing.",
            ),
        ],
    ),
    (
        "man",
        &[
            (
                "git quorum man --install",
                "So that `git quorum --help` works.",
            ),
            (
                "git quorum man propose | man -l -",
                "Read one page that is not installed.",
            ),
        ],
    ),
    (
        "completions",
        &[
            (
                "git quorum completions bash > ~/.local/share/bash-completion/completions/git-quorum",
                "For bash, where bash-completion finds it.",
            ),
            (
                "git quorum completions zsh > ~/.zfunc/_git-quorum",
                "For zsh, in a folder of $fpath (in ~/.zshrc, before compinit: fpath+=~/.zfunc).",
            ),
            (
                "git quorum completions fish > ~/.config/fish/completions/git-quorum.fish",
                "For fish.",
            ),
            (
                "git quorum completions fish | source",
                "The same in ~/.config/fish/config.fish, for fish 3.6.0.",
            ),
        ],
    ),
];

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

/// The examples of a command, named by its path.
pub fn examples(path: &str) -> &'static [Row] {
    EXAMPLES
        .iter()
        .find(|(of, _)| *of == path)
        .map(|(_, rows)| *rows)
        .unwrap_or_default()
}

/// Adds to every command what stands below its options.
pub fn complete(root: Command) -> Command {
    let more = format!(
        "{}\n\n{}\n\n{}\n\nMore: git quorum help COMMAND; git quorum man --install, then man git-quorum",
        example_lines(""),
        section(
            "Exit status",
            &statuses()
                .iter()
                .map(|(s, m)| (s.as_str(), *m))
                .collect::<Vec<_>>()
        ),
        section("Environment", ENVIRONMENT),
    );
    with_examples(root, "").after_long_help(more)
}

fn with_examples(command: Command, path: &str) -> Command {
    let names: Vec<_> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}").trim_start().to_owned();
        command.mut_subcommand(name, |sub| {
            let sub = with_examples(sub, &path);
            if examples(&path).is_empty() {
                sub
            } else {
                sub.after_long_help(example_lines(&path))
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

fn example_lines(path: &str) -> String {
    let lines = examples(path)
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

    fn visible(command: &Command, path: &str, into: &mut Vec<String>) {
        into.push(path.to_owned());
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            visible(sub, format!("{path} {}", sub.get_name()).trim_start(), into);
        }
    }

    #[test]
    fn every_command_has_examples_and_every_example_a_command() {
        let mut paths = Vec::new();
        visible(&crate::cli::command(), "", &mut paths);
        let lacking: Vec<_> = paths
            .iter()
            .filter(|path| examples(path).is_empty())
            .collect();
        assert_eq!(
            lacking,
            Vec::<&String>::new(),
            "src/cli/help.rs has no example of these"
        );
        let stray: Vec<_> = EXAMPLES
            .iter()
            .filter(|(path, _)| !paths.iter().any(|p| p == path))
            .collect();
        assert!(stray.is_empty(), "{stray:?}");
    }

    #[test]
    fn examples_are_lines_that_the_program_understands() {
        for (line, _) in EXAMPLES
            .iter()
            .flat_map(|(_, rows)| *rows)
            .filter(|(line, _)| line.starts_with("git quorum"))
        {
            let line = line
                .replace("\\\n", " ")
                .replace("...", "--as a --key k --protect main");
            let line = line
                .split(" > ")
                .next()
                .unwrap()
                .split(" | ")
                .next()
                .unwrap();
            let words = line
                .split_whitespace()
                .skip(2)
                .map(std::ffi::OsString::from);
            // Words in quotes: what is between them is no matter here.
            let mut quoted = false;
            let words = words.filter(|word| {
                let quotes = word.to_string_lossy().matches('\'').count();
                let keep = !quoted;
                quoted ^= quotes == 1;
                keep
            });
            let args: Vec<_> = std::iter::once("git-quorum".into()).chain(words).collect();
            assert!(
                crate::cli::parse(&args).is_ok(),
                "{line}: {:?}",
                crate::cli::parse(&args).err()
            );
        }
    }

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
