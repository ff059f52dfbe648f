//! Completions in the real shells: for `git-quorum` and for `git quorum`.

use std::path::Path;

use crate::world::World;
use crate::{PROGRAM, finished, have, install, with_path};

/// Words that begin command lines, and one that each must be completed to.
const LINES: &[(&str, &str)] = &[
    ("git-quorum propo", "propose"),
    ("git-quorum propose --mer", "--merge"),
    ("git-quorum charter sho", "show"),
    ("git quorum propo", "propose"),
    ("git quorum propose --mer", "--merge"),
    ("git quorum charter sho", "show"),
];

/// Git's own completion, where Debian has it.
const GIT_FOR_BASH: &str = "/usr/share/bash-completion/completions/git";

#[test]
#[cfg_attr(
    not(all(has_bash_completion, has_make)),
    ignore = "bash-completion or make is not installed"
)]
fn bash_completes() {
    if !have(&["bash", "make", GIT_FOR_BASH]) {
        return;
    }
    let world = World::new();
    let prefix = install(&world);
    let script = r#"
        . "$1"; . "$2"; shift 2
        for line; do
            COMP_WORDS=($line); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE=$line; COMP_POINT=${#line}; COMPREPLY=()
            name=$(complete -p ${COMP_WORDS[0]} | sed 's/.*-F \([^ ]*\) .*/\1/')
            $name "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            echo ${COMPREPLY[@]}
        done"#;
    let mut bash = world.command("bash", &world.path(""));
    with_path(&mut bash, &prefix);
    bash.args(["--norc", "--noprofile", "-c", script, "bash", GIT_FOR_BASH]);
    bash.arg(prefix.join("share/bash-completion/completions/git-quorum"));
    let more = [("git -C . quorum propo", "propose"), ("git quo", "quorum")];
    let lines: Vec<_> = LINES.iter().chain(&more).collect();
    let out = finished(bash.args(lines.iter().map(|(line, _)| *line)));
    let found: Vec<_> = out.lines().map(str::trim).collect();
    assert_eq!(
        found,
        lines.iter().map(|(_, word)| *word).collect::<Vec<_>>()
    );
}

#[test]
#[cfg_attr(not(all(has_zsh, has_make)), ignore = "zsh or make is not installed")]
fn zsh_completes() {
    if !have(&["zsh", "make"]) {
        return;
    }
    let world = World::new();
    let prefix = install(&world);
    // A shell of its own at a terminal of its own: types a line and a tab, and has the line written to a file.
    let script = r#"
        zmodload zsh/zpty
        zpty z 'TERM=dumb zsh -f -i'
        zpty -w z "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; bindkey '^I' complete-word; print -r RE''ADY"
        zpty -r z out '*READY*'
        for line in "${@:2}"; do
            zpty -n -w z "$line"$'\t\001print -r "\005" >> lines; print DO\'\'NE\n'
            zpty -r z out '*DONE*'
        done
        zpty -d z
        cat lines"#;
    let mut zsh = world.command("zsh", &world.path(""));
    with_path(&mut zsh, &prefix);
    zsh.args(["-f", "-c", script, "zsh"])
        .arg(prefix.join("share/zsh/site-functions"));
    let out = finished(zsh.args(LINES.iter().map(|(line, _)| *line)));
    let expected = LINES.iter().map(|(line, word)| whole(line, word));
    assert_eq!(
        out.lines().map(str::trim_end).collect::<Vec<_>>(),
        expected.collect::<Vec<_>>()
    );
}

#[test]
fn what_is_not_for_people_is_not_completed() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let mut program = world.command(PROGRAM, &world.path(""));
        let script = finished(program.args(["completions", shell]));
        assert!(
            !script.contains(" hook ") && !script.contains("Called by Git"),
            "{shell}"
        );
    }
}

/// The line with its last word completed.
fn whole(line: &str, word: &str) -> String {
    format!("{} {word}", line.rsplit_once(' ').unwrap().0)
}

#[test]
#[cfg_attr(not(all(has_fish, has_make)), ignore = "fish or make is not installed")]
fn fish_completes() {
    if !have(&["fish", "make"]) {
        return;
    }
    let world = World::new();
    let prefix = install(&world);
    let installed = Path::new("share/fish/vendor_completions.d/git-quorum.fish");
    for (line, word) in LINES {
        let mut fish = world.command("fish", &world.path(""));
        with_path(&mut fish, &prefix);
        let script = format!(
            "source {}; complete -C '{line}'",
            prefix.join(installed).display()
        );
        let out = finished(fish.args(["--no-config", "-c", &script]));
        let found: Vec<_> = out
            .lines()
            .filter_map(|line| line.split('\t').next())
            .collect();
        assert!(found.contains(word), "{line}: {out}");
    }
}
