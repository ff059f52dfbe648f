//! Gathers the examples that stand beside each command.

use super::help::{Examples, Row};
use super::{
    charter, charter_propose, check_proof, completions, demo, doctor, faults, init, install, join,
    keygen, land, log, man, propose, review, schema, show, status, sync, uninstall, verify,
};

/// Examples of the program as a whole.
const PROGRAM: Examples = &[(
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
)];

/// The examples of every command.
const ALL: &[Examples] = &[
    PROGRAM,
    charter::EXAMPLES,
    charter_propose::EXAMPLES,
    check_proof::EXAMPLES,
    completions::EXAMPLES,
    demo::EXAMPLES,
    doctor::EXAMPLES,
    faults::EXAMPLES,
    init::EXAMPLES,
    install::EXAMPLES,
    join::EXAMPLES,
    keygen::EXAMPLES,
    land::EXAMPLES,
    log::EXAMPLES,
    man::EXAMPLES,
    propose::EXAMPLES,
    review::EXAMPLES,
    schema::EXAMPLES,
    show::EXAMPLES,
    status::EXAMPLES,
    sync::EXAMPLES,
    uninstall::EXAMPLES,
    verify::EXAMPLES,
];

/// The examples of a command, by its path such as `charter show`. Empty for an unknown path.
pub fn find(path: &str) -> &'static [Row] {
    let mut all = ALL.iter().flat_map(|examples| examples.iter());
    let found = all.find(|(of, _)| *of == path);
    found.map(|(_, rows)| *rows).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Command;

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
        let lacking: Vec<_> = paths.iter().filter(|path| find(path).is_empty()).collect();
        assert_eq!(
            lacking,
            Vec::<&String>::new(),
            "these commands have no example"
        );
        let stray: Vec<_> = ALL
            .iter()
            .flat_map(|examples| examples.iter())
            .filter(|(path, _)| !paths.iter().any(|p| p == path))
            .collect();
        assert!(stray.is_empty(), "{stray:?}");
    }

    #[test]
    fn examples_are_lines_that_the_program_understands() {
        for (line, _) in ALL
            .iter()
            .flat_map(|examples| examples.iter())
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
}
