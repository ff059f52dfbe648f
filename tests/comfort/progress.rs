//! Progress: on a terminal, after a while, gone at the end; nowhere else.

use crate::world::{Seat, Team};
use crate::{PROGRAM, finished, have};

/// Standard error of a command as a terminal shows it; Git's variable says how soon progress is told.
fn at_terminal(seat: &Seat, delay: &str, args: &str) -> String {
    let mut command = seat.world.command("script", &seat.dir);
    command
        .env("GIT_QUORUM_STATE", &seat.state)
        .env("GIT_PROGRESS_DELAY", delay)
        .env("TERM", "xterm");
    finished(command.args([
        "-qec",
        &format!("{PROGRAM} {args} 2>&1 >/dev/null"),
        "/dev/null",
    ]))
}

/// What is left on the last line of a terminal.
fn left(shown: &str) -> String {
    let mut line: Vec<char> = Vec::new();
    let mut at = 0;
    for c in shown.rsplit('\n').next().unwrap().chars() {
        if c == '\r' {
            at = 0;
            continue;
        }
        line.resize(line.len().max(at + 1), ' ');
        line[at] = c;
        at += 1;
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

#[test]
#[cfg_attr(not(has_script), ignore = "script is not installed")]
fn it_shows_on_a_terminal_and_goes_away() {
    if !have(&["script"]) {
        return;
    }
    let team = Team::new(&["alice", "bob"]);
    team.decide("one");
    let fresh = team.seats[0].elsewhere("fresh", &team.server, false);
    let shown = at_terminal(&fresh, "0", "join");
    assert!(shown.contains("Reading entries"), "{shown:?}");
    assert_eq!(left(&shown), "", "{shown:?}");
    for args in ["verify", "verify --json"] {
        let shown = at_terminal(&team.seats[0], "0", args);
        assert!(
            shown.contains("\rReading entries: 1") && left(&shown).is_empty(),
            "{args}: {shown:?}"
        );
        assert!(!shown.contains('\u{1b}'), "{args}: {shown:?}");
    }
    assert_eq!(
        at_terminal(&team.seats[0], "3600", "verify"),
        "",
        "not before its time"
    );
}

#[test]
#[cfg_attr(not(has_script), ignore = "script is not installed")]
fn a_transfer_shows_what_git_says_of_it() {
    if !have(&["script"]) {
        return;
    }
    let team = Team::new(&["alice", "bob"]);
    team.decide("one");
    // A clone by path has all objects of the server already.
    let fresh = team
        .world
        .seat("fresh", &format!("file://{}", team.server.display()));
    let shown = at_terminal(&fresh, "0", "join");
    assert!(shown.contains("objects"), "{shown:?}");
    assert_eq!(left(&shown), "", "{shown:?}");
}

#[test]
fn it_never_shows_in_a_pipe_or_a_hook() {
    let team = Team::new(&["alice", "bob"]);
    team.decide("one");
    let seat = team.seats[0].with("GIT_PROGRESS_DELAY", "0");
    for args in [
        &["verify"][..],
        &["status"],
        &["sync"],
        &["verify", "--json"],
    ] {
        assert_eq!(
            seat.run(args).err.replace("note: with 2 voting", ""),
            seat.with("GIT_PROGRESS_DELAY", "3600")
                .run(args)
                .err
                .replace("note: with 2 voting", "")
        );
        assert!(!seat.run(args).err.contains("entries"), "{args:?}");
    }
    if have(&["script"]) {
        let hook = at_terminal_failing(&team.seats[0], "hook no-such-hook");
        assert!(
            hook.contains("UNKNOWN_HOOK") && !hook.contains("\r\r") && !hook.contains("entries"),
            "{hook:?}"
        );
    }
}

/// The same for a command that fails.
fn at_terminal_failing(seat: &Seat, args: &str) -> String {
    at_terminal(seat, "0", &format!("{args} || true; true"))
}

#[test]
#[cfg_attr(not(has_script), ignore = "script is not installed")]
fn waiting_says_for_whom() {
    if !have(&["script"]) {
        return;
    }
    let team = Team::new(&["alice", "bob"]);
    let id = team.seats[0].propose("a change");
    let shown = at_terminal_failing(&team.seats[0], &format!("wait {id} --timeout 1 2>&1"));
    assert!(
        shown.contains(&format!("Waiting for {}: approvals from bob", &id[..12])),
        "{shown:?}"
    );
    assert!(shown.contains("TIMEOUT"), "{shown:?}");
}
