//! `git quorum doctor` in a clone.

use std::path::Path;

use serde_json::Value;

use crate::desk::{Git, executable};
use crate::world::{Seat, Team};

with_each_git! {
    the_doctor_finds_missing_hooks_and_names_the_command_that_installs_them,
    a_hook_without_its_run_bit_is_noticed,
}

/// What is missing that is needed, and how the command ended. Nothing moves meanwhile.
fn missing(seat: &Seat) -> (i32, Vec<String>) {
    let before = seat.git(&["for-each-ref"]);
    let run = seat.run(&["--json", "doctor"]);
    assert_eq!(
        seat.git(&["for-each-ref"]),
        before,
        "the doctor moves nothing"
    );
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    let findings = answer["data"]["findings"].as_array().unwrap();
    let hole = |f: &&Value| f["standing"] == "missing" && f["weight"] == "needed";
    let mut checks: Vec<_> = findings
        .iter()
        .filter(hole)
        .map(|f| f["check"].as_str().unwrap().to_owned())
        .collect();
    checks.dedup();
    (run.code, checks)
}

fn clone(team: &Team) -> &Seat {
    team.seats.first().unwrap()
}

fn the_doctor_finds_missing_hooks_and_names_the_command_that_installs_them(git: &Git) {
    let team = git.team_of_four();
    let seat = clone(&team);
    let (code, checks) = missing(seat);
    assert_eq!(code, 7);
    assert_eq!(
        checks,
        [
            "installed",
            "reference-transaction",
            "pre-merge-commit",
            "pre-push"
        ]
    );
    seat.ok(&["install"]);
    assert_eq!(missing(seat), (0, vec![]));
    let proven = seat.ok(&["doctor"]);
    let standings = proven["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["standing"].as_str().unwrap());
    assert!(
        standings.clone().all(|standing| standing == "proven"),
        "{proven}"
    );
    assert!(standings.count() > 8);
    seat.git(&["switch", "-q", "-c", "topic"]);
    let elsewhere = seat.ok(&["doctor"]);
    let merge = elsewhere["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["check"] == "pre-merge-commit")
        .unwrap();
    assert_eq!(
        (&merge["standing"], &merge["mend"]),
        (&"not-testable".into(), &"".into()),
        "nothing to mend"
    );
    seat.ok(&["uninstall"]);
    assert_eq!(missing(seat).0, 7);
}

fn a_hook_without_its_run_bit_is_noticed(git: &Git) {
    let team = git.team_of_four();
    let seat = clone(&team);
    seat.ok(&["install"]);
    let places = [".git/quorum/hooks", ".git/hooks"]
        .map(|folder| seat.dir.join(folder).join("reference-transaction"));
    let hook = places.iter().find(|path| path.exists()).unwrap();
    executable(hook, false);
    let (code, checks) = missing(seat);
    assert_eq!(code, 7);
    assert!(checks.contains(&"installed".to_owned()), "{checks:?}");
    seat.ok(&["install"]);
    assert!(Path::new(hook).exists());
    assert_eq!(missing(seat), (0, vec![]));
}
