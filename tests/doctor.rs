//! `git quorum doctor`: on what is sound it proves each protection, and on what is not it names the hole and what mends it.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "common/lab.rs"]
mod lab;
#[path = "common/needs.rs"]
mod needs;
#[path = "common/server.rs"]
mod server;

use std::collections::BTreeMap;

use serde_json::Value;
use server::*;

/// A server with a gate and a ledger in which one change was decided and landed.
fn sound() -> Site {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let proposal = site.propose(site.lab.ledger, first, second);
    site.decide(proposal);
    let mut specs = site.lanes();
    specs.extend([site.proposal_ref(proposal), format!("{second}:{MAIN}")]);
    site.accepted(&parts(&specs));
    for (key, value) in [
        ("receive.fsckObjects", "true"),
        ("receive.maxInputSize", "100m"),
    ] {
        site.set(key, value);
    }
    site
}

/// What the doctor finds, by check: the worst standing of each, and what mends it.
struct Found {
    code: i32,
    checks: BTreeMap<String, (String, String)>,
}

fn examine(site: &Site) -> Found {
    let before = site.server_refs();
    let output = site.quorum(&site.server(), &["--json", "doctor"]);
    assert_eq!(site.server_refs(), before, "the doctor moves nothing");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let answer: Value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", server::text(&output)));
    let mut checks = BTreeMap::new();
    for finding in answer["data"]["findings"].as_array().unwrap() {
        let word = |key: &str| finding[key].as_str().unwrap().to_owned();
        let known = checks
            .entry(word("check"))
            .or_insert_with(|| (word("standing"), word("mend")));
        if word("standing") != "proven" {
            *known = (word("standing"), word("mend"));
        }
    }
    assert_eq!(answer["ok"], output.status.success());
    Found {
        code: output.status.code().unwrap(),
        checks,
    }
}

impl Found {
    fn standing(&self, check: &str) -> &str {
        &self
            .checks
            .get(check)
            .unwrap_or_else(|| panic!("{check} is not examined"))
            .0
    }

    fn missing(&self) -> Vec<&str> {
        self.checks
            .iter()
            .filter(|(_, (standing, _))| standing == "missing")
            .map(|(check, _)| check.as_str())
            .collect()
    }
}

#[test]
fn a_sound_server_is_proven_check_by_check() {
    let site = sound();
    let found = examine(&site);
    assert_eq!(found.missing(), Vec::<&str>::new());
    assert!(
        found
            .checks
            .values()
            .all(|(standing, mend)| standing == "proven" && mend.is_empty()),
        "{:?}",
        found.checks
    );
    assert_eq!(found.code, 0);
}

type Break = fn(&Site);

/// What breaks a server, and the checks that must notice.
const HOLES: [(&str, Break, &[&str]); 9] = [
    (
        "no run bit",
        |site| run_bit(&site.server().join("hooks/proc-receive"), false),
        &["proc-receive"],
    ),
    (
        "no setting",
        |site| unset(site, "receive.procReceiveRefs"),
        &["receive.procReceiveRefs", "proc-receive-alone"],
    ),
    (
        "other hooks",
        |site| site.set("core.hooksPath", "/nonexistent"),
        &["core.hooksPath"],
    ),
    (
        "branches only",
        |site| site.set("receive.procReceiveRefs", "refs/heads"),
        &["receive.procReceiveRefs"],
    ),
    (
        "hidden",
        |site| site.set("transfer.hideRefs", "refs/quorum"),
        &["ledger-is-shown"],
    ),
    (
        "hidden again",
        |site| site.set("uploadpack.hideRefs", "refs"),
        &["ledger-is-shown"],
    ),
    ("no pin", |site| unset(site, "quorum.ledger"), &["pinned"]),
    (
        "no limit",
        |site| unset(site, "receive.maxInputSize"),
        &["receive.maxInputSize"],
    ),
    (
        "no check",
        |site| site.set("receive.fsckObjects", "false"),
        &["receive.fsckObjects"],
    ),
];

fn unset(site: &Site, key: &str) {
    site.git(&site.server(), &["config", "--unset-all", key], b"");
}

#[test]
fn the_doctor_finds_each_hole_and_its_advice_mends_it() {
    for (what, breaks, noticed) in HOLES {
        let site = sound();
        breaks(&site);
        let found = examine(&site);
        for check in noticed {
            assert_eq!(
                found.standing(check),
                "missing",
                "{what}: {check}: {:?}",
                found.checks
            );
        }
        let advice = noticed
            .iter()
            .all(|check| check.starts_with("receive.max") || check.starts_with("receive.fsck"));
        assert_eq!(found.code, if advice { 0 } else { 7 }, "{what}");
        let mends: Vec<_> = found
            .checks
            .values()
            .filter(|(s, _)| s == "missing")
            .map(|(_, mend)| mend)
            .collect();
        for mend in mends {
            site.shell(&site.server(), mend);
        }
        assert_eq!(
            examine(&site).missing(),
            Vec::<&str>::new(),
            "{what}: mended"
        );
    }
}

#[test]
fn the_doctor_reports_a_value_that_no_decision_backs() {
    let mut site = sound();
    let stray = site.commit(&[], "nobody decided this");
    site.accepted(&[&format!("{stray}:refs/heads/x")]);
    site.git(
        &site.server(),
        &["update-ref", MAIN, &stray.to_string()],
        b"",
    );
    let found = examine(&site);
    assert_eq!((found.standing("values"), found.code), ("missing", 7));
}

#[test]
fn the_doctor_reports_settings_that_make_git_show_other_objects() {
    let site = sound();
    let (old, new) = (
        site.git(&site.server(), &["rev-parse", "main"], b""),
        site.oid(site.lab.ledger).to_string(),
    );
    site.git(&site.server(), &["replace", &old, &new], b"");
    std::fs::create_dir_all(site.server().join("info")).unwrap();
    std::fs::write(site.server().join("info/grafts"), format!("{old}\n")).unwrap();
    std::fs::write(
        site.server().join("objects/info/alternates"),
        "/nonexistent\n",
    )
    .unwrap();
    let found = examine(&site);
    assert_eq!(
        found.missing(),
        ["no-alternates", "no-grafts", "no-replace-refs"]
    );
    assert_eq!(found.code, 0, "advice");
    std::fs::write(site.server().join("shallow"), format!("{old}\n")).unwrap();
    let found = examine(&site);
    assert_eq!((found.standing("complete"), found.code), ("missing", 7));
    assert_eq!(
        found.standing("protected-move"),
        "not-testable",
        "the gate refuses everything"
    );
}
