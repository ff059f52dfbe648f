//! Symbolic refs on the server.

use git_quorum::charter::Charter;
use git_quorum::id::Oid;

use crate::lab::*;
use crate::server::*;

fn link(site: &Site, name: &str, target: &str) {
    site.git(&site.server(), &["symbolic-ref", name, target], b"");
}

fn write(site: &Site, name: &str, text: &str) {
    let path = site.server().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Refused alone and beside others, atomic or not, created, moved and deleted; what may come along does.
fn refused_everywhere(site: &mut Site, name: &str, to: Oid, code: &str) {
    for spec in [format!("{to}:{name}"), format!(":{name}")] {
        site.refused(&[&spec], &[code]);
        site.refused_with(&["--force", "--atomic"], &[&spec], &[code]);
        site.refused_late(
            &["--force", "--atomic"],
            &[&spec, &format!("{to}:refs/heads/beside")],
            &[code],
        );
        let pushed = site.push_with(
            &["--force"],
            &[&spec, &format!("{to}:refs/heads/beside")],
            &[],
        );
        assert!(!pushed.ok && pushed.text.contains(code), "{}", pushed.text);
        assert_eq!(site.at("refs/heads/beside"), Some(to));
        site.accepted(&[":refs/heads/beside"]);
    }
}

#[test]
fn a_push_to_a_symbolic_ref_that_leads_to_a_guarded_ref_is_refused() {
    let charter = protecting(&[MAIN, "refs/heads/release/*"]);
    let (mut site, first) = Site::with(charter, &[]);
    let second = site.commit(&[first], "second");
    let lane = site.refs.lane(&name("a"));
    let quorum = site.refs.prefix().to_owned();
    for (name, target) in [
        ("refs/heads/alias", MAIN),
        ("refs/heads/two-steps", "refs/heads/alias"),
        ("refs/heads/to-pattern", "refs/heads/release/9"),
        ("refs/heads/to-lane", &*lane),
        ("refs/heads/to-stray", "refs/quorum/x/y"),
        ("refs/heads/to-new-lane", &format!("{quorum}lane/z")),
        ("refs/heads/to-folded", "refs/heads/Main"),
        ("refs/heads/to-replace", &format!("refs/replace/{first}")),
        (
            "refs/heads/to-namespace",
            "refs/namespaces/n/refs/heads/main",
        ),
        ("refs/bisect/alias", MAIN),
        ("refs/worktree/alias", MAIN),
        ("refs/stash", MAIN),
    ] {
        link(&site, name, target);
        if name != "refs/stash" {
            refused_everywhere(&mut site, name, second, "SYMBOLIC_REF");
        }
    }
    let odd = [
        ("refs/heads/head", "ref: HEAD\n"),
        ("refs/heads/dots", "ref: refs/heads/../heads/main\n"),
        ("refs/heads/tight", "ref:refs/heads/main"),
        ("refs/heads/loop", "ref: refs/heads/pool\n"),
        ("refs/heads/pool", "ref: refs/heads/loop\n"),
        ("refs/heads/self", "ref: refs/heads/self\n"),
        ("refs/heads/outside", "ref: main\n"),
    ];
    odd.iter().for_each(|(name, text)| write(&site, name, text));
    for (name, _) in odd {
        site.refused(&[&format!("{second}:{name}")], &["SYMBOLIC_REF"]);
        site.refused_with(
            &["--force", "--atomic"],
            &[&format!("{second}:{name}")],
            &["SYMBOLIC_REF"],
        );
    }
    assert_eq!(site.at(MAIN), Some(first));
    // Beside a lane, which does not suffer from it.
    site.lab.say("a", vec![]);
    let with_lane = [site.lane("a"), format!("{second}:refs/heads/alias")];
    let pushed = site.push_with(&[], &parts(&with_lane), &[]);
    assert!(
        !pushed.ok && site.at(&lane).is_some() && site.at(MAIN) == Some(first),
        "{}",
        pushed.text
    );
}

#[test]
#[cfg(unix)]
fn a_link_of_the_file_system_does_not_get_past_the_gate() {
    use std::os::unix::fs::symlink;
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let refs = site.server().join("refs");
    symlink("refs/heads/main", refs.join("heads/old-style")).unwrap();
    symlink("heads", refs.join("same")).unwrap();
    symlink("../heads", refs.join("tags/up")).unwrap();
    for name in [
        "refs/heads/old-style",
        "refs/same/main",
        "refs/same/x",
        "refs/tags/up/main",
    ] {
        site.refused(&[&format!("{second}:{name}")], &["SYMBOLIC_REF"]);
    }
    assert_eq!(site.at(MAIN), Some(first));
    // The folder of a protected ref is a link: what moves it cannot be told.
    std::fs::rename(refs.join("heads"), refs.join("tops")).unwrap();
    symlink("tops", refs.join("heads")).unwrap();
    for name in ["refs/tops/main", "refs/tops/x", "refs/heads/x"] {
        site.refused(
            &[&format!("{second}:{name}")],
            &["GATE_UNAVAILABLE", "behind a link"],
        );
    }
}

#[test]
fn the_gate_leaves_ordinary_symbolic_refs_alone() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    site.accepted(&[&format!("{first}:refs/heads/topic")]);
    link(&site, "refs/heads/alias", "refs/heads/topic");
    link(&site, "refs/heads/dangling", "refs/heads/none");
    site.accepted(&[
        &format!("{second}:refs/heads/alias"),
        &format!("{second}:refs/heads/dangling"),
    ]);
    assert_eq!(
        (site.at("refs/heads/topic"), site.at("refs/heads/none")),
        (Some(second), Some(second))
    );
    // Not in one transaction with lanes: Git alone follows it.
    site.lab.say("a", vec![]);
    let lane = site.lane("a");
    let alias = format!("{first}:refs/heads/alias");
    site.refused_late(
        &["--force", "--atomic"],
        &[&lane, &alias],
        &["SERVER_SETTING", "by itself"],
    );
    site.accepted(&[&lane, &alias]);
    assert_eq!(site.at("refs/heads/topic"), Some(first));
}

/// A site whose charter protects this and where main is a symbolic ref to a branch.
fn shown_through(charter: Charter, options: &[&str]) -> (Site, Oid) {
    let (mut site, first) = Site::with(charter, options);
    site.accepted(&[&format!("{first}:refs/heads/trunk")]);
    site.git(
        &site.server(),
        &["update-ref", "--no-deref", "-d", MAIN],
        b"",
    );
    link(&site, MAIN, "refs/heads/trunk");
    (site, first)
}

#[test]
fn neither_a_symbolic_ref_at_a_protected_name_nor_its_target_moves() {
    let (mut site, first) = shown_through(protecting(&[MAIN, "refs/heads/release/*"]), &[]);
    let second = site.commit(&[first], "second");
    refused_everywhere(&mut site, "refs/heads/trunk", second, "SYMBOLIC_REF");
    site.refused(
        &[&format!("{second}:refs/heads/trunk")],
        &[MAIN, "git symbolic-ref --delete"],
    );
    let p = site.propose(site.lab.ledger, first, second);
    site.decide(p);
    let mut all = site.lanes();
    all.extend([site.proposal_ref(p), format!("{second}:{MAIN}")]);
    site.refused(
        &parts(&all),
        &["SYMBOLIC_REF", "git symbolic-ref --delete refs/heads/main"],
    );
    // Also one that is not there yet, below a pattern.
    link(&site, "refs/heads/release/1", "refs/heads/later");
    site.refused(
        &[&format!("{second}:refs/heads/later")],
        &["SYMBOLIC_REF", "refs/heads/release/1"],
    );
    // Once it is a ref of its own, the decision lands.
    site.git(&site.server(), &["symbolic-ref", "--delete", MAIN], b"");
    site.git(
        &site.server(),
        &["update-ref", MAIN, &first.to_string()],
        b"",
    );
    site.accepted(&parts(&all));
    assert_eq!(
        (site.at(MAIN), site.at("refs/heads/trunk")),
        (Some(second), Some(first))
    );
}

#[test]
fn nothing_lands_by_itself_at_a_symbolic_ref() {
    let (mut site, first) = shown_through(charter(&FOUR), &["--auto-land"]);
    let second = site.commit(&[first], "second");
    let p = site.propose(site.lab.ledger, first, second);
    site.decide(p);
    let mut all = site.lanes();
    all.push(site.proposal_ref(p));
    let pushed = site.accepted(&parts(&all));
    assert!(pushed.text.contains("symbolic ref"), "{}", pushed.text);
    assert_eq!(
        (site.at(MAIN), site.at("refs/heads/trunk")),
        (Some(first), Some(first))
    );
}

#[test]
fn a_symbolic_ref_among_the_lanes_stops_the_gate() {
    let (mut site, first) = Site::new();
    let (lane, genesis) = (site.refs.lane(&name("a")), site.refs.genesis());
    let proposal = site.refs.proposal(site.lab.ledger);
    for name in [lane, proposal] {
        for target in ["refs/heads/x", MAIN, &genesis] {
            link(&site, &name, target);
            site.refused(
                &[&format!("{first}:refs/heads/x")],
                &["GATE_UNAVAILABLE", &name],
            );
            site.git(&site.server(), &["symbolic-ref", "--delete", &name], b"");
        }
    }
    site.accepted(&[&format!("{first}:refs/heads/x")]);
}
