//! Colours: where they are wanted, nowhere else, and never from what others wrote.

use crate::world::{Seat, Team, assert_clean};
use crate::{PROGRAM, finished, have};

const ESCAPE: char = '\u{1b}';

/// Both outputs of a run, with these variables.
fn run(seat: &Seat, env: &[(&str, &str)], args: &[&str]) -> String {
    let mut command = seat.world.command(PROGRAM, &seat.dir);
    command
        .env("GIT_QUORUM_STATE", &seat.state)
        .envs(env.iter().copied())
        .args(args);
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// The same at a terminal.
fn at_terminal(seat: &Seat, env: &[(&str, &str)], args: &str) -> String {
    let mut command = seat.world.command("script", &seat.dir);
    command
        .env("GIT_QUORUM_STATE", &seat.state)
        .env("TERM", "xterm")
        .envs(env.iter().copied());
    finished(command.args(["-qec", &format!("{PROGRAM} {args}"), "/dev/null"]))
}

#[test]
fn the_option_goes_before_the_environment_and_that_before_settings() {
    let team = Team::new(&["alice"]);
    let seat = &team.seats[0];
    team.seats[0].propose("a change");
    let coloured = |env: &[(&str, &str)], args: &[&str]| run(seat, env, args).contains(ESCAPE);
    assert!(!coloured(&[], &["log"]), "not in a pipe");
    assert!(
        coloured(&[], &["log", "--color=always"]) && coloured(&[("CLICOLOR_FORCE", "1")], &["log"])
    );
    assert!(!coloured(
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
        &["log"]
    ));
    assert!(coloured(
        &[("NO_COLOR", "1")],
        &["log", "--color", "always"]
    ));
    assert!(!coloured(
        &[("CLICOLOR_FORCE", "1")],
        &["log", "--color", "never"]
    ));
    assert!(
        coloured(&[], &["propose", "--color=always", "--help"]),
        "help too"
    );
    assert!(!coloured(&[], &["propose", "--help"]));
    assert!(
        coloured(&[], &["show", "beef", "--color=always"]),
        "errors too"
    );

    seat.git(&["config", "color.ui", "always"]);
    assert!(coloured(&[], &["log"]));
    assert!(!coloured(&[("NO_COLOR", "1")], &["log"]) && !coloured(&[("CLICOLOR", "0")], &["log"]));
    assert!(!coloured(&[], &["log", "--color=never"]));
    seat.git(&["config", "color.quorum", "never"]);
    assert!(!coloured(&[], &["log"]), "the nearer setting");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &["log"]));
}

#[test]
fn json_has_no_colours() {
    let team = Team::new(&["alice"]);
    let seat = &team.seats[0];
    seat.git(&["config", "color.ui", "always"]);
    for args in [
        &["status", "--json", "--color=always"][..],
        &["show", "beef", "--json"],
        &["log", "--json", "-x"],
    ] {
        assert_clean(&run(seat, &[("CLICOLOR_FORCE", "1")], args));
    }
}

#[test]
fn hooks_have_no_colours() {
    let team = Team::new(&["alice"]);
    let hook = run(
        &team.seats[0],
        &[("CLICOLOR_FORCE", "1")],
        &["--color=always", "hook", "no-such-hook"],
    );
    assert!(hook.contains("error:"));
    assert_clean(&hook);
}

#[test]
fn what_others_wrote_brings_no_escapes() {
    let team = Team::new(&["alice", "bob"]);
    let seat = &team.seats[0];
    // An entry holds no control characters, but it may turn text around; and remotes and arguments hold anything.
    let hostile = "\u{202e}[31mred\u{200b}";
    seat.git(&["checkout", "-q", "--detach", "origin/main"]);
    seat.commit("f", "f");
    let id = crate::world::id(&seat.ok(&["propose", "-m", hostile, "--description", hostile]));
    seat.ok(&[
        "review",
        &id,
        "--approve",
        "-m",
        hostile,
        "--evidence",
        hostile,
    ]);
    let said = "printf '\\033[31mred\\033]0;title\\007\\2332J\\r\\n' >&2; exit 1";
    team.world
        .script(team.server.join("hooks/pre-receive"), said);
    let argument = "\u{1b}[2Jcafe";
    for args in [
        &["show", &id][..],
        &["log"],
        &["log", "--graph"],
        &["status"],
        &["status", &id],
        &["withdraw", &id],
        &["show", argument],
    ] {
        let shown = run(seat, &[("CLICOLOR_FORCE", "1")], args);
        assert!(shown.contains(ESCAPE), "{args:?}: {shown:?}");
        let ours = |text: &str| {
            text.find('m')
                .is_some_and(|end| text[1..end].chars().all(|c| c.is_ascii_digit() || c == ';'))
        };
        assert!(
            shown
                .split(ESCAPE)
                .skip(1)
                .all(|rest| rest.starts_with('[') && ours(rest)),
            "{args:?}: {shown:?}"
        );
        // Without our own, nothing is left that a terminal would act on.
        let without: String = shown
            .split(ESCAPE)
            .enumerate()
            .map(|(n, part)| {
                if n == 0 {
                    part
                } else {
                    part.split_once('m').unwrap().1
                }
            })
            .collect();
        assert_clean(&without);
    }
    assert!(run(seat, &[("CLICOLOR_FORCE", "1")], &["show", &id]).contains("\\u{202e}[31mred"));
}

#[test]
#[cfg_attr(not(has_script), ignore = "script is not installed")]
fn a_terminal_has_colours_unless_it_is_dumb() {
    if !have(&["script"]) {
        return;
    }
    let team = Team::new(&["alice"]);
    let seat = &team.seats[0];
    assert!(at_terminal(seat, &[], "log").contains(ESCAPE));
    for env in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CLICOLOR", "0")] {
        let shown = at_terminal(seat, &[env], "log");
        assert!(
            shown.contains("founds the ledger") && !shown.contains(ESCAPE),
            "{env:?}: {shown:?}"
        );
    }
    seat.git(&["config", "color.ui", "false"]);
    assert!(!at_terminal(seat, &[], "log").contains(ESCAPE));
}
