//! What else somebody could try: features of push, settings of the server, and its worktrees.

use crate::lab::*;
use crate::server::*;

#[test]
fn features_of_push_make_no_difference() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let main = format!("{second}:{MAIN}");
    site.set("receive.advertisePushOptions", "true");
    site.set("receive.certNonceSeed", "seed");
    let lease = format!("--force-with-lease={MAIN}:{first}");
    for options in [
        vec!["--push-option=skip", "--force"],
        vec![&*lease],
        vec!["--force", "--thin"],
        vec!["--force", "--no-verify"],
        vec!["--no-thin", "--quiet"],
    ] {
        site.refused_with(&options, &[&main], &["NO_PROPOSAL"]);
    }
    site.refused_with(&["--mirror"], &[], &["refused ["]);
    assert_eq!(site.at(MAIN), Some(first));
    // A signed push says the same commands, under a signature.
    let key = site.path("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    let desk = site.desk();
    site.git(&desk, &["config", "gpg.format", "ssh"], b"");
    site.git(
        &desk,
        &["config", "user.signingKey", key.to_str().unwrap()],
        b"",
    );
    // (Git itself keeps the signature, before it asks any hook.)
    site.refused_late(&["--signed=true", "--force"], &[&main], &["NO_PROPOSAL"]);
    site.accepted_with(&["--signed=true"], &[&format!("{second}:refs/heads/x")]);
}

#[test]
fn hidden_refs_stay_hidden_and_guarded() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let lane = site.refs.lane(&name("a"));
    site.lab.say("a", vec![]);
    let good = site.lane("a");
    for hidden in ["refs/quorum", "refs/heads", "refs"] {
        site.set("transfer.hideRefs", hidden);
        site.refused_late(
            &["--force"],
            &[&format!("{second}:{MAIN}"), &format!("{second}:{lane}")],
            &[],
        );
        site.refused_late(
            &["--force", "--atomic"],
            &[&format!("{second}:{MAIN}"), &good],
            &[],
        );
    }
    site.git(
        &site.server(),
        &["config", "--unset", "transfer.hideRefs"],
        b"",
    );
    site.accepted(&[&good]);
}

#[test]
fn a_push_that_makes_room_for_itself_or_has_many_refs_gets_nothing_past_the_gate() {
    let (mut site, first) = Site::with(protecting(&[MAIN, "refs/heads/release/*"]), &[]);
    let second = site.commit(&[first], "second");
    let below = format!("{second}:refs/heads/main/x");
    // A push that makes room for itself.
    for options in [&["--force"][..], &["--force", "--atomic"]] {
        let pushed = site.refused_with(options, &[&format!(":{MAIN}"), &below], &["NO_PROPOSAL"]);
        assert!(!pushed.text.contains("[deleted]"), "{}", pushed.text);
    }
    // More refs than are asked for by name.
    let mut many: Vec<_> = (0..150)
        .map(|n| format!("{second}:refs/heads/b{n}"))
        .collect();
    site.git(
        &site.server(),
        &["symbolic-ref", "refs/heads/b77", "refs/heads/release/1"],
        b"",
    );
    many.push(format!("{second}:{MAIN}"));
    site.refused_late(
        &["--force", "--atomic"],
        &parts(&many),
        &["NO_PROPOSAL", "SYMBOLIC_REF"],
    );
    let pushed = site.push_with(&["--force"], &parts(&many), &[]);
    assert!(
        !pushed.ok && pushed.text.contains("NO_PROPOSAL") && pushed.text.contains("SYMBOLIC_REF"),
        "{}",
        pushed.text
    );
    assert_eq!(
        (site.at(MAIN), site.at("refs/heads/b149")),
        (Some(first), Some(second))
    );
}

#[test]
fn a_setting_that_takes_the_hooks_away_closes_the_server() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let empty = site.path("empty");
    std::fs::create_dir(&empty).unwrap();
    for path in [empty.to_str().unwrap(), "/dev/null"] {
        site.set("core.hooksPath", path);
        for name in [MAIN, "refs/heads/x", "refs/quorum/x/y"] {
            site.refused_late(&["--force"], &[&format!("{second}:{name}")], &[]);
        }
    }
    site.git(
        &site.server(),
        &["config", "--unset", "core.hooksPath"],
        b"",
    );
    // Shallow pushes would leave commits without their parents under refs that were decided.
    site.set("receive.shallowUpdate", "true");
    site.refused(
        &[&format!("{second}:refs/heads/x")],
        &["GATE_UNAVAILABLE", "receive.shallowUpdate"],
    );
    site.set("receive.shallowUpdate", "false");
    site.accepted(&[&format!("{second}:refs/heads/x")]);
}

#[test]
fn a_shallow_clone_pushes_what_the_server_can_complete() {
    let (mut site, first) = Site::new();
    let (second, server) = (site.commit(&[first], "second"), site.server());
    site.accepted(&[&format!("{second}:refs/heads/x")]);
    let shallow = site.path("shallow");
    let url = format!("file://{}", server.display());
    site.git(
        &site.path(""),
        &[
            "clone",
            "--quiet",
            "--depth=1",
            "--branch=x",
            &url,
            "shallow",
        ],
        b"",
    );
    site.git(
        &shallow,
        &[
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@x",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "y",
        ],
        b"",
    );
    let refused = site.try_git(
        &shallow,
        &["push", "--force", "origin", "HEAD:main"],
        b"",
        &[],
    );
    assert!(text(&refused).contains("NO_PROPOSAL"), "{}", text(&refused));
    site.git(&shallow, &["push", "--quiet", "origin", "HEAD:y"], b"");
    assert!(!server.join("shallow").exists() && site.at("refs/heads/y").is_some());
}

#[test]
fn worktrees_of_the_server_do_not_get_past_the_gate() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let tree = site.path("tree");
    let p = site.propose(site.lab.ledger, first, second);
    site.git(
        &site.server(),
        &["worktree", "add", "--quiet", tree.to_str().unwrap(), "main"],
        b"",
    );
    site.git(&tree, &["symbolic-ref", "refs/worktree/alias", MAIN], b"");
    for deny in ["refuse", "ignore", "updateInstead"] {
        site.set("receive.denyCurrentBranch", deny);
        site.refused(&[&format!("{second}:{MAIN}")], &["NO_PROPOSAL"]);
        // Pushed into the worktree itself, whose own refs Git finds there.
        site.write_entries();
        for (name, code) in [
            (MAIN, "NO_PROPOSAL"),
            ("refs/worktree/alias", "SYMBOLIC_REF"),
            ("refs/heads/Main", "FOLDED_NAME"),
        ] {
            let spec = format!("{second}:{name}");
            let args = ["push", "--force", tree.to_str().unwrap(), &spec];
            let pushed = site.try_git(&site.desk(), &args, b"", &[]);
            assert!(
                !pushed.status.success() && text(&pushed).contains(code),
                "{}",
                text(&pushed)
            );
        }
    }
    assert_eq!(
        (site.at(MAIN), site.git(&tree, &["rev-parse", "HEAD"], b"")),
        (Some(first), first.to_string())
    );
    // A decision moves the ref; the files of the worktree are its owner's.
    site.decide(p);
    let mut all = site.lanes();
    all.extend([site.proposal_ref(p), format!("{second}:{MAIN}")]);
    site.accepted(&parts(&all));
    assert_eq!(std::fs::read_to_string(tree.join("file")).unwrap(), "first");
}

#[test]
fn objects_of_an_alternate_count_as_here() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let alternates = site.server().join("objects/info/alternates");
    std::fs::write(
        alternates,
        format!("{}\n", site.desk().join("objects").display()),
    )
    .unwrap();
    site.refused(&[&format!("{second}:{MAIN}")], &["NO_PROPOSAL"]);
    let p = site.propose(site.lab.ledger, first, second);
    site.decide(p);
    let mut all = site.lanes();
    all.extend([site.proposal_ref(p), format!("{second}:{MAIN}")]);
    site.accepted(&parts(&all));
    assert_eq!(site.at(MAIN), Some(second));
}

/// Symbolic refs where refs are no files.
#[test]
#[cfg_attr(not(has_newer_git), ignore = "GIT_QUORUM_NEWER_GIT names no newer git")]
fn the_gate_holds_on_a_server_with_reftable() {
    let charter = protecting(&[MAIN, "refs/heads/release/*"]);
    let Some((mut site, first)) = Site::newer(charter, &["--ref-format=reftable"]) else {
        return;
    };
    let second = site.commit(&[first], "second");
    let server = site.server();
    let link = |site: &Site, name: &str, target: &str| {
        drop(site.git(&server, &["symbolic-ref", name, target], b""))
    };
    link(&site, "refs/heads/alias", MAIN);
    link(&site, "refs/heads/far", "refs/heads/alias");
    link(&site, "refs/heads/dangling", "refs/heads/release/9");
    link(&site, "refs/heads/head", "HEAD");
    for name in [
        "refs/heads/alias",
        "refs/heads/far",
        "refs/heads/dangling",
        "refs/heads/head",
    ] {
        site.refused(&[&format!("{second}:{name}")], &["SYMBOLIC_REF"]);
        site.refused_late(
            &["--force", "--atomic"],
            &[
                &format!("{second}:{name}"),
                &format!("{second}:refs/heads/x"),
            ],
            &["SYMBOLIC_REF"],
        );
    }
    site.refused(&[&format!("{second}:{MAIN}")], &["NO_PROPOSAL"]);
    let p = site.propose(site.lab.ledger, first, second);
    site.decide(p);
    let mut all = site.lanes();
    all.extend([site.proposal_ref(p), format!("{second}:{MAIN}")]);
    site.accepted(&parts(&all));
    assert_eq!(site.at(MAIN), Some(second));
    let lane = site.refs.lane(&name("d"));
    link(&site, &lane, MAIN);
    site.refused(
        &[&format!("{first}:refs/heads/x")],
        &["GATE_UNAVAILABLE", &lane],
    );
    site.git(&server, &["symbolic-ref", "--delete", &lane], b"");
    link(&site, "refs/heads/release/1", "refs/heads/trunk");
    site.accepted(&[&format!("{first}:refs/heads/other")]);
    site.git(
        &server,
        &["update-ref", "refs/heads/trunk", &first.to_string()],
        b"",
    );
    site.refused(
        &[&format!("{second}:refs/heads/trunk")],
        &["SYMBOLIC_REF", "refs/heads/release/1"],
    );
}
