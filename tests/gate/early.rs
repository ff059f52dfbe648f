//! The early judgement in quarantine: it leaves nothing behind, and nothing depends on it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use git_quorum::id::Oid;

use crate::lab::*;
use crate::server::*;

/// Every file of the server, with its bytes.
fn whole(site: &Site) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(&site.server())
        .into_iter()
        .filter(|path| path.is_file());
    files
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

fn counted(site: &Site) -> String {
    site.git(&site.server(), &["count-objects", "-v"], b"")
}

/// A commit with so much in it that the server would keep it as a pack.
fn large(site: &Site, parent: Oid) -> Oid {
    (0..120).fold(parent, |at, n| site.commit(&[at], &format!("large {n}")))
}

#[test]
fn a_refused_push_leaves_the_server_as_it_was_to_the_last_byte() {
    let (mut site, first) = Site::new();
    let genesis = site.lab.ledger;
    let second = site.commit(&[first], "second");
    let p = site.propose(genesis, first, second);
    let all = [
        site.lane("a"),
        site.proposal_ref(p),
        format!("{second}:{MAIN}"),
    ];
    let said = site.lab.payload("b", genesis, &[genesis], vec![]);
    let unsigned = git_quorum::ledger::encode(&said, &[site.oid(genesis)], 1_700_000_099).unwrap();
    let forged = site.store(&sign(&unsigned, "c"));
    let large = large(&site, first);
    let (before, count) = (whole(&site), counted(&site));
    assert!(!count.contains("garbage: 1"), "{count}");
    for (specs, code) in [
        (vec![format!("{second}:{MAIN}")], "NO_PROPOSAL"),
        (vec![format!("{large}:{MAIN}")], "NO_PROPOSAL"),
        (all.to_vec(), "NOT_DECIDED"),
        (
            vec![format!("{forged}:{}", site.refs.lane(&name("b")))],
            "BAD_SIGNATURE",
        ),
        (vec![format!("{second}:refs/quorum/x/y")], "STRAY_NAME"),
        (
            vec![
                format!("{second}:refs/heads/main/x"),
                format!("{second}:refs/heads/Main"),
            ],
            "FOLDED_NAME",
        ),
    ] {
        for atomic in ["--no-atomic", "--atomic"] {
            let pushed = site.refused_with(
                &["--force", atomic],
                &parts(&specs),
                &[code, "pre-receive hook declined"],
            );
            assert_eq!(pushed.text.matches(code).count(), 1, "{}", pushed.text);
            assert!(
                whole(&site) == before && counted(&site) == count,
                "{specs:?} left something behind"
            );
        }
    }
}

#[test]
fn without_pre_receive_the_gate_refuses_the_same_pushes() {
    let (mut site, first) = Site::new();
    site.git(
        &site.server(),
        &["symbolic-ref", "refs/heads/alias", MAIN],
        b"",
    );
    let second = site.commit(&[first], "second");
    for off in [true, false] {
        let hook = site.server().join("hooks/pre-receive");
        if off {
            run_bit(&hook, false)
        } else {
            std::fs::remove_file(&hook).unwrap()
        }
        for (name, code) in [
            (MAIN, "NO_PROPOSAL"),
            ("refs/heads/alias", "SYMBOLIC_REF"),
            ("refs/heads/MAIN", "FOLDED_NAME"),
            ("refs/heads/main/x", "BLOCKS_PROTECTED"),
            ("refs/quorum/x/y", "STRAY_NAME"),
            ("refs/namespaces/n/refs/heads/main", "NAMESPACE"),
            (&format!("refs/replace/{first}"), "REPLACE_REF"),
        ] {
            for options in [&["--force"][..], &["--force", "--atomic"]] {
                site.refused_late(options, &[&format!("{second}:{name}")], &[code]);
                let ordinary = format!("{second}:refs/heads/x");
                if options.len() > 1 {
                    site.refused_late(
                        options,
                        &[&format!("{second}:{name}"), &ordinary],
                        &[code, "OTHER_REF_REFUSED"],
                    );
                }
            }
        }
    }
    site.accepted(&[&format!("{second}:refs/heads/x")]);
}

#[test]
fn pre_receive_waits_for_no_other_push() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let lock = std::fs::File::create(site.server().join("quorum/gate.lock")).unwrap();
    lock.lock().unwrap();
    let start = Instant::now();
    site.refused(&[&format!("{second}:{MAIN}")], &["NO_PROPOSAL"]);
    assert!(start.elapsed() < Duration::from_secs(25));
    lock.unlock().unwrap();
}

/// What the early judgement found may be old when the push comes to be moved.
#[test]
fn a_change_after_pre_receive_is_judged_again_under_the_lock() {
    let (mut site, first) = Site::new();
    let (second, other) = (
        site.commit(&[first], "second"),
        site.commit(&[first], "other"),
    );
    site.accepted(&[&format!("{other}:refs/heads/other")]);
    let p = site.propose(site.lab.ledger, first, second);
    site.decide(p);
    let hook = site.server().join("hooks/pre-receive");
    let ours = std::fs::read_to_string(&hook).unwrap();
    std::fs::write(site.server().join("hooks/ours"), ours).unwrap();
    run_bit(&site.server().join("hooks/ours"), true);
    let raced = format!("env -u GIT_QUARANTINE_PATH git update-ref {MAIN} {other}");
    site.hook(
        "pre-receive",
        &format!("#!/bin/sh\nhooks/ours || exit 1\n{raced}\n"),
    );
    let mut all = site.lanes();
    all.extend([site.proposal_ref(p), format!("{second}:{MAIN}")]);
    let pushed = site.push_with(&["--force"], &parts(&all), &[]);
    assert!(
        !pushed.ok && pushed.text.contains("WRONG_FROM"),
        "{}",
        pushed.text
    );
    assert_eq!(
        (site.at(MAIN), site.at(&site.refs.lane(&name("a")))),
        (Some(other), None)
    );
}

#[test]
fn a_chained_hook_gets_the_same_push() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let (hook, theirs) = (
        site.server().join("hooks/pre-receive"),
        site.server().join("hooks/theirs"),
    );
    let script = std::fs::read_to_string(&hook).unwrap();
    let chained = script.replace("chained=''", &format!("chained='{}'", theirs.display()));
    assert_ne!(chained, script);
    site.hook("pre-receive", &chained);
    site.hook("theirs", "#!/bin/sh\ncat >> asked\n! grep -q refs/heads/no asked || { echo 'not here' >&2; exit 3; }\n");
    site.accepted(&[
        &format!("{second}:refs/heads/x"),
        &format!("{second}:refs/heads/y"),
    ]);
    let asked = std::fs::read_to_string(site.server().join("asked")).unwrap();
    let zero = "0".repeat(40);
    assert_eq!(
        asked,
        format!("{zero} {second} refs/heads/x\n{zero} {second} refs/heads/y\n")
    );
    // Ours comes first, and what it refuses nobody else is bothered with.
    site.refused(&[&format!("{second}:{MAIN}")], &["NO_PROPOSAL"]);
    assert_eq!(
        std::fs::read_to_string(site.server().join("asked")).unwrap(),
        asked
    );
    site.refused(&[&format!("{second}:refs/heads/no")], &["not here"]);
}

#[test]
fn pre_receive_refuses_what_it_cannot_read() {
    let (mut site, first) = Site::new();
    let ask = |site: &Site, input: &str| {
        let script = format!("printf '{input}' | GIT_DIR=. hooks/pre-receive");
        site.hook("ask", &format!("#!/bin/sh\n{script}\n"));
        let mut command = std::process::Command::new(site.server().join("hooks/ask"));
        command.current_dir(site.server()).output().unwrap()
    };
    let line = format!("{first} {first} refs/heads/x");
    for bad in [
        "x\\n",
        &format!("{line}\\n\\n"),
        &line,
        &format!("{line}\\nrubbish\\n"),
    ] {
        let output = ask(&site, bad);
        assert!(
            !output.status.success() && text(&output).contains("GATE_UNAVAILABLE"),
            "{bad}: {}",
            text(&output)
        );
    }
    assert!(ask(&site, &format!("{line}\\n")).status.success());
    let config = site.server().join("config");
    let settings = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, settings.replace("ledger =", "nothing =")).unwrap();
    site.refused(&[&format!("{first}:refs/heads/x")], &["GATE_UNAVAILABLE"]);
}
