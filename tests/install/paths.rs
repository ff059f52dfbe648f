//! Hooks that lie elsewhere: `core.hooksPath` of a repository and of a user, linked worktrees, submodules, bare repositories with
//! worktrees.

use crate::bench::{Bench, assert_same};

/// Installs where hooks of others run, and takes ours away again.
fn check(bench: &Bench, runs: &[&str]) {
    let before = bench.tree();
    assert_eq!(bench.work(), runs, "without ours");
    bench.install();
    assert_eq!(bench.work(), runs, "with ours");
    bench.assert_gated();
    let installed = bench.tree();
    assert_eq!(bench.install()["changes"], serde_json::json!([]));
    assert_same(&installed, &bench.tree());
    bench.uninstall();
    assert_same(&before, &bench.tree());
    assert_eq!(bench.work(), runs);
    bench.assert_free();
}

#[test]
fn a_tracked_folder_of_hooks_is_left_alone_and_goes_on_to_run() {
    for bench in Bench::all() {
        for event in ["pre-commit", "pre-push", "post-commit"] {
            bench.hook(&format!(".githooks/{event}"), event);
        }
        bench.put(
            ".githooks/commit-msg",
            "#!/bin/sh\necho never >> \"$RAN\"\n",
            0o644,
        );
        bench.hook(".git/hooks/pre-push", "inert");
        for path in [
            ".githooks".to_owned(),
            bench.dir.join(".githooks").display().to_string(),
        ] {
            bench.git(&["config", "core.hooksPath", &path]);
            check(&bench, &["post-commit", "pre-commit", "pre-push"]);
        }
        assert_eq!(bench.git(&["status", "--porcelain"]), "?? .githooks/");
    }
}

#[test]
fn a_users_own_folder_of_hooks_goes_on_to_run() {
    for bench in Bench::all() {
        bench.hook("../home/my hooks/pre-push", "mine");
        bench.hook("../home/my hooks/pre-commit", "mine too");
        bench.git(&["config", "--global", "core.hooksPath", "~/my hooks"]);
        check(&bench, &["mine", "mine too"]);
        let theirs = std::fs::read_dir(bench.path("home/my hooks"))
            .unwrap()
            .count();
        assert_eq!(theirs, 2);
    }
}

#[test]
fn a_path_that_is_set_or_changed_later_is_followed() {
    for bench in Bench::all() {
        bench.hook(".one/pre-push", "one");
        bench.hook(".two/pre-push", "two");
        bench.hook(".two/reference-transaction", "two too");
        bench.hook(".git/hooks/pre-push", "plain");
        bench.git(&["config", "core.hooksPath", ".one"]);
        bench.install();
        assert_eq!(bench.work(), ["one"]);
        bench.git(&["config", "core.hooksPath", ".two"]);
        assert_eq!(bench.work(), ["two", "two too"]);
        bench.assert_gated();
        bench.git(&["config", "--unset", "core.hooksPath"]);
        assert_eq!(bench.work(), ["plain"]);
        bench.assert_gated();
        assert_eq!(
            bench.install()["manner"],
            if bench.has_config_hooks {
                "config"
            } else {
                "files"
            }
        );
        assert_eq!(bench.work(), ["plain"]);
        bench.assert_gated();

        // From here on there is no folder of ours: an older Git does not find ours any more, and it is said.
        bench.git(&["config", "core.hooksPath", ".one"]);
        match bench.has_config_hooks {
            true => assert_eq!(bench.note(), None),
            false => {
                assert!(
                    bench
                        .note()
                        .unwrap()
                        .contains("core.hooksPath leads to .one")
                );
                assert!(!bench.refuses_commit());
                bench.install();
            }
        }
        assert_eq!(bench.work(), ["one"]);
        bench.assert_gated();
        bench.uninstall();
        assert_eq!(bench.work(), ["one"]);
        bench.assert_free();
        bench.git(&["config", "--unset", "core.hooksPath"]);
        assert_eq!(bench.work(), ["plain"]);
        bench.assert_free();
    }
}

#[test]
#[cfg_attr(
    not(has_older_git),
    ignore = "the git on PATH takes hooks from its settings"
)]
fn a_path_that_leads_to_the_repositorys_own_folder_changes_nothing() {
    let Some(bench) = Bench::older() else { return };
    bench.hook(".git/hooks/pre-push", "plain");
    let own = bench.git_dir().join("hooks");
    bench.git(&["config", "core.hooksPath", own.to_str().unwrap()]);
    assert_eq!(bench.install()["manner"], "files");
    bench.uninstall();
    check(&bench, &["plain"]);
}

#[test]
#[cfg_attr(
    not(has_older_git),
    ignore = "the git on PATH takes hooks from its settings"
)]
fn a_hook_whose_presence_changes_what_git_does_is_passed_on_only_where_there_is_one() {
    let Some(bench) = Bench::older() else { return };
    bench.hook(".one/pre-push", "one");
    bench.git(&["config", "core.hooksPath", ".one"]);
    bench.install();
    for event in ["push-to-checkout", "proc-receive"] {
        assert!(!bench.git_dir().join("quorum/hooks").join(event).exists());
    }
    let one = bench.dir.join(".one");
    bench.git(&["config", "core.hooksPath", one.to_str().unwrap()]);
    bench.hook(".one/push-to-checkout", "checkout");
    bench.install();
    assert!(
        bench
            .git_dir()
            .join("quorum/hooks/push-to-checkout")
            .exists()
    );
}

#[test]
fn linked_worktrees_are_gated_too() {
    for mut bench in Bench::all() {
        let (main, linked) = (bench.dir.clone(), bench.path("linked"));
        bench.git(&[
            "worktree",
            "add",
            "-q",
            "-b",
            "side",
            linked.to_str().unwrap(),
        ]);
        bench.hook(".git/hooks/pre-push", "plain");
        for path in [None, Some(".githooks")] {
            if let Some(path) = path {
                bench.git(&["config", "core.hooksPath", path]);
                bench.hook(".githooks/pre-push", "of main");
                bench.hook("../linked/.githooks/pre-push", "of side");
            }
            // Installed from either, both are gated.
            for (from, other) in [(&main, &linked), (&linked, &main)] {
                let before = bench.tree();
                bench.at(from.clone()).install();
                for dir in [from, other] {
                    let runs = if path.is_none() {
                        "plain"
                    } else if *dir == main {
                        "of main"
                    } else {
                        "of side"
                    };
                    bench.at(dir.clone());
                    assert_eq!(bench.work(), [runs]);
                    bench.assert_gated();
                    assert_eq!(bench.install()["changes"], serde_json::json!([]));
                }
                bench.uninstall();
                bench.assert_free();
                assert_same(&before, &bench.at(main.clone()).tree());
            }
        }
    }
}

#[test]
fn a_submodule_and_its_superproject_have_hooks_of_their_own() {
    for mut bench in Bench::all() {
        let server = bench.team.server.display().to_string();
        let ledger = bench.git(&["config", "quorum.ledger"]);
        let top = bench.path("top");
        bench.git(&["init", "-q", top.to_str().unwrap()]);
        bench.at(top.clone());
        bench.hook(".git/hooks/pre-push", "of top");
        bench.git(&[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            &server,
            "sub",
        ]);
        bench.git(&["commit", "-q", "-m", "sub"]);
        bench.at(top.join("sub"));
        bench.ok(&["join", "--genesis", &ledger]);
        bench.git(&["checkout", "-q", "-b", "topic"]);
        bench.hook("../.git/modules/sub/hooks/pre-push", "of sub");
        bench.hook(".githooks/pre-push", "elsewhere");
        for (path, runs) in [(None, "of sub"), (Some(".githooks"), "elsewhere")] {
            if let Some(path) = path {
                bench.git(&["config", "core.hooksPath", path]);
            }
            let config = || std::fs::read(top.join(".git/modules/sub/config")).unwrap();
            let before = config();
            bench.install();
            assert_eq!(bench.work(), [runs]);
            bench.assert_gated();
            bench.at(top.clone());
            bench.git(&[
                "commit",
                "-q",
                "--allow-empty",
                "-m",
                "main of the superproject is not protected",
            ]);
            bench.at(top.join("sub"));
            bench.uninstall();
            assert_eq!(bench.work(), [runs]);
            bench.assert_free();
            assert_eq!(config(), before);
        }
    }
}

#[test]
fn a_bare_repository_with_worktrees_is_gated_from_any_of_them() {
    for mut bench in Bench::all() {
        let ledger = bench.git(&["config", "quorum.ledger"]);
        let (bare, tree) = (bench.path("bare.git"), bench.path("tree"));
        bench.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
        let server = bench.team.server.display().to_string();
        bench.at(bare.clone());
        bench.git(&["remote", "add", "origin", &server]);
        bench.git(&["fetch", "-q", "origin"]);
        bench.git(&[
            "worktree",
            "add",
            "-q",
            "-b",
            "topic",
            tree.to_str().unwrap(),
            "origin/main",
        ]);
        bench.hook("hooks/pre-push", "of bare");
        bench.at(tree);
        bench.ok(&["join", "--genesis", &ledger]);
        let before = std::fs::read(bare.join("config")).unwrap();
        bench.install();
        assert_eq!(bench.work(), ["of bare"]);
        bench.assert_gated();
        bench.uninstall();
        assert_eq!(bench.work(), ["of bare"]);
        bench.assert_free();
        assert_eq!(std::fs::read(bare.join("config")).unwrap(), before);
    }
}

#[test]
fn a_clone_that_was_moved_reports_it_and_a_new_installation_mends_it() {
    for mut bench in Bench::all() {
        bench.install();
        let moved = bench.path("moved");
        std::fs::rename(&bench.dir, &moved).unwrap();
        bench.at(moved);
        if bench.has_config_hooks {
            assert!(bench.note().unwrap().contains("has moved"));
            assert!(
                bench.try_git(&["branch", "x"]).code != 0,
                "what cannot be asked refuses"
            );
        }
        bench.install();
        bench.work();
        bench.assert_gated();
    }
}

#[test]
fn a_hooks_folder_that_is_a_link_is_not_written_into() {
    for bench in Bench::all() {
        bench.hook("tracked/pre-push", "tracked");
        std::fs::remove_dir_all(bench.git_dir().join("hooks")).unwrap();
        bench.link("../tracked", ".git/hooks");
        check(&bench, &["tracked"]);
        bench.install();
        assert_eq!(
            std::fs::read_dir(bench.dir.join("tracked"))
                .unwrap()
                .count(),
            1
        );
    }
}
