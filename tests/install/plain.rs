//! Clones without any manager of hooks: plain hook files of every kind.

use crate::bench::{Bench, Tree, assert_same};

#[test]
fn a_plain_clone_is_gated_and_an_uninstallation_restores_it_to_the_byte() {
    for bench in Bench::all() {
        let before = bench.tree();
        let data = bench.install();
        assert_eq!(
            data["manner"],
            if bench.has_config_hooks {
                "config"
            } else {
                "files"
            }
        );
        assert_eq!(
            (&data["protected"][0], &data["fetches"]),
            (&"refs/heads/main".into(), &"origin".into())
        );
        bench.assert_gated();
        bench.work();

        let installed = bench.tree();
        assert_eq!(bench.install()["changes"], serde_json::json!([]));
        assert_same(&installed, &bench.tree());

        assert!(!bench.uninstall()["changes"].as_array().unwrap().is_empty());
        assert_same(&before, &bench.tree());
        bench.assert_free();
        assert_eq!(bench.uninstall()["changes"], serde_json::json!([]));
        assert_same(&before, &bench.tree());
    }
}

const EVENTS: [&str; 3] = ["reference-transaction", "pre-merge-commit", "pre-push"];

/// That a clone which is prepared like this is gated, that all of its own hooks go on to run, and that nothing is left.
fn check(bench: &Bench, runs: &[&str]) -> Vec<String> {
    let before = bench.tree();
    assert_eq!(bench.work(), runs, "without ours");
    let data = bench.install();
    assert_eq!(bench.work(), runs, "with ours: {data}");
    bench.assert_gated();
    let installed = bench.tree();
    assert_eq!(bench.install()["changes"], serde_json::json!([]));
    assert_same(&installed, &bench.tree());
    bench.uninstall();
    assert_same(&before, &bench.tree());
    assert_eq!(bench.work(), runs);
    bench.assert_free();
    data["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn hooks_of_others_run_under_their_own_names_with_their_arguments_and_input() {
    for bench in Bench::all() {
        let sees_itself = |shell: &str| {
            format!(
                "{shell}\ncase $0 in */pre-push) ;; *) exit 9 ;; esac\n. \"$(dirname \"$0\")/lib\"\nread -r line\n\
                 say \"$(basename \"$0\") $1 ${{line%% *}}\"\n"
            )
        };
        bench.put(
            ".git/hooks/lib",
            "say() { echo \"$1\" >> \"$RAN\"; }\n",
            0o644,
        );
        for shell in ["#!/bin/sh", "#!/bin/bash -eu", "#!/usr/bin/env bash", ""] {
            bench.put(".git/hooks/pre-push", &sees_itself(shell), 0o755);
            check(&bench, &["pre-push origin HEAD"]);
        }
    }
}

#[test]
fn links_programs_and_scripts_in_other_languages_run_where_they_are() {
    for bench in Bench::all() {
        bench.put(
            "scripts/hook",
            "#!/bin/sh\necho \"$(basename \"$0\")\" >> \"$RAN\"\n",
            0o755,
        );
        bench.link("../../scripts/hook", ".git/hooks/pre-push");
        bench.link("../../scripts/hook", ".git/hooks/post-commit");
        bench.link("nowhere", ".git/hooks/pre-merge-commit");
        check(&bench, &["post-commit", "pre-push"]);

        std::fs::remove_file(bench.git_dir().join("hooks/pre-push")).unwrap();
        std::fs::copy("/bin/true", bench.git_dir().join("hooks/pre-push")).unwrap();
        check(&bench, &["post-commit"]);

        std::fs::remove_file(bench.git_dir().join("hooks/pre-push")).unwrap();
        bench.put(
            ".git/hooks/pre-push",
            "#!/usr/bin/perl\nopen my $f, '>>', $ENV{RAN}; print $f 'perl ' . (split '/', $0)[-1];\n",
            0o755,
        );
        check(&bench, &["perl pre-push", "post-commit"]);
    }
}

#[test]
fn files_that_git_ignores_are_kept_and_not_run() {
    for bench in Bench::all() {
        for event in EVENTS {
            bench.put(
                format!(".git/hooks/{event}.sample"),
                "#!/bin/sh\nexit 1\n",
                0o755,
            );
            bench.put(format!(".git/hooks/{event}"), "#!/bin/sh\nexit 1\n", 0o644);
        }
        check(&bench, &[]);
    }
}

#[test]
fn a_hook_of_others_that_refuses_still_does() {
    for bench in Bench::all() {
        bench.put(
            ".git/hooks/reference-transaction",
            "#!/bin/sh\ngrep -q refs/heads/odd && test $1 = prepared && exit 3\nexit 0\n",
            0o755,
        );
        bench.put(
            ".git/hooks/pre-push",
            "#!/bin/bash\ngrep -q refs/heads/odd && exit 1 || exit 0\n",
            0o755,
        );
        check(&bench, &[]);
        bench.install();
        assert_ne!(bench.try_git(&["branch", "odd"]).code, 0);
        assert_ne!(
            bench
                .try_git(&["push", "-q", "origin", "HEAD:refs/heads/odd"])
                .code,
            0
        );
        bench.assert_gated();
    }
}

#[test]
fn paths_with_spaces_and_quotes_work() {
    for mut bench in Bench::all() {
        let odd = bench.path("it's $a \"clone\" 100%");
        std::fs::rename(&bench.dir, &odd).unwrap();
        bench.at(odd);
        bench.hook(".git/hooks/pre-push", "plain");
        check(&bench, &["plain"]);
        bench.link("nowhere", ".git/hooks/pre-merge-commit");
        check(&bench, &["plain"]);
    }
}

#[test]
fn an_interrupted_installation_can_be_completed_or_removed() {
    for bench in Bench::all() {
        bench.hook(".git/hooks/pre-push", "plain");
        let before = bench.tree();
        let data = bench.install();
        let installed = bench.tree();
        let steps = data["changes"].as_array().unwrap().len();
        assert!(steps > 4);
        for done in 0..=steps {
            for finish in [true, false] {
                bench.restore(&before);
                apply(&bench, &before, &installed, done);
                if finish {
                    bench.install();
                    assert_same(&installed, &bench.tree());
                    assert_eq!(bench.work(), ["plain"]);
                    bench.assert_gated();
                } else {
                    bench.uninstall();
                    assert_same(&before, &bench.tree());
                }
            }
        }
    }
}

/// Writes the first so many of the files that an installation writes, in its order.
fn apply(bench: &Bench, before: &Tree, installed: &Tree, count: usize) {
    let rank = |name: &str| match name {
        "config" => 3,
        "quorum/hooks.config" => 2,
        name if name.starts_with("hooks/") && !name.ends_with("before-git-quorum") => 1,
        _ => 0,
    };
    let mut changed: Vec<_> = installed
        .iter()
        .filter(|(name, what)| what.0 > 1 && before.get(*name) != Some(what))
        .collect();
    changed.sort_by_key(|(name, _)| rank(name));
    for (name, (mode, text)) in changed.into_iter().take(count) {
        bench.put(
            format!(".git/{name}"),
            std::str::from_utf8(text).unwrap(),
            mode & 0o777,
        );
    }
}

#[test]
fn an_installation_that_fails_in_the_middle_leaves_nothing() {
    for bench in Bench::all() {
        bench.hook(".git/hooks/pre-push", "plain");
        let before = bench.tree();
        bench.put(".git/config.lock", "", 0o644);
        bench.no(4, "LOCKED", &["install"]);
        std::fs::remove_file(bench.git_dir().join("config.lock")).unwrap();
        assert_same(&before, &bench.tree());
    }
}

#[test]
fn settings_that_keep_git_from_running_our_hooks_are_reported_and_nothing_is_installed() {
    for bench in Bench::all() {
        let before = bench.tree();
        let (key, value) = if bench.has_config_hooks {
            ("hook.pre-push.enabled", "false")
        } else {
            ("core.hooksPath", "/nowhere")
        };
        let vars = [
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", key),
            ("GIT_CONFIG_VALUE_0", value),
        ];
        let run = bench.run_with(env!("CARGO_BIN_EXE_git-quorum"), &["install"], &vars);
        assert!(
            run.code == 4 && run.err.contains("HOOKS_NOT_RUN") && run.err.contains("hint: "),
            "{run:?}"
        );
        assert_same(&before, &bench.tree());
        bench.git(&["config", "extensions.worktreeConfig", "true"]);
        bench.git(&["config", "--worktree", key, value]);
        let before = bench.tree();
        bench.no(4, "HOOKS_NOT_RUN", &["install"]);
        assert_same(&before, &bench.tree());
    }
}

#[test]
fn missing_hooks_are_noticed_and_installed_again() {
    for bench in Bench::all() {
        assert_eq!(bench.note(), None);
        let installed = bench.install();
        for hook in installed["hooks"].as_array().unwrap() {
            let hook = hook.as_str().unwrap();
            std::fs::remove_file(hook).unwrap();
            assert!(bench.note().unwrap().contains(hook));
            bench.install();
            bench.put(hook, "#!/bin/sh\n", 0o755);
            assert!(bench.note().unwrap().contains(hook));
            std::fs::remove_file(hook).unwrap();
            bench.install();
            bench.assert_gated();
        }
        std::fs::remove_dir_all(bench.git_dir().join("quorum")).unwrap();
        assert!(bench.note().unwrap().contains("git quorum install"));
        bench.install();
        bench.assert_gated();
        if bench.has_config_hooks {
            bench.git(&["config", "hook.git-quorum-pre-push.enabled", "false"]);
            assert!(bench.note().unwrap().contains("disabled"));
            bench.no(4, "HOOKS_NOT_RUN", &["install"]);
        }
    }
}

#[test]
fn an_installation_without_a_ledger_or_a_working_tree_is_refused() {
    let mut bench = Bench::new();
    bench.git(&["config", "--unset", "quorum.ledger"]);
    bench.install();
    bench.uninstall();
    let server = bench.team.server.clone();
    bench.at(server);
    bench.no(2, "NO_WORK_TREE", &["install"]);
    let empty = bench.path("empty");
    bench.git(&["init", "-q", empty.to_str().unwrap()]);
    bench.at(empty);
    bench.no(3, "NO_LEDGER", &["install"]);
    assert_eq!(bench.uninstall()["changes"], serde_json::json!([]));
}

#[test]
#[cfg_attr(
    not(all(has_older_git, has_newer_git)),
    ignore = "it needs an older git on PATH and a newer one in GIT_QUORUM_NEWER_GIT"
)]
fn an_installation_under_another_git_replaces_the_earlier_one() {
    let (Some(bench), Ok(newer)) = (Bench::older(), std::env::var("GIT_QUORUM_NEWER_GIT")) else {
        return;
    };
    bench.hook(".git/hooks/pre-push", "plain");
    let before = bench.tree();
    let path = format!("{newer}:{}", std::env::var("PATH").unwrap());
    let seat = bench.team.seats[0].with("PATH", &path);
    bench.install();
    for (manner, seat) in [
        ("config", &seat),
        ("files", &bench.team.seats[0]),
        ("config", &seat),
    ] {
        assert_eq!(seat.ok(&["install"])["manner"], manner);
        assert_eq!(seat.ok(&["install"])["changes"], serde_json::json!([]));
    }
    assert_eq!(
        std::fs::read_to_string(bench.git_dir().join("hooks/pre-push")).unwrap(),
        "#!/bin/sh\ncat > /dev/null\necho plain >> \"$RAN\"\n"
    );
    bench.uninstall();
    assert_same(&before, &bench.tree());
}

#[test]
#[cfg_attr(
    not(has_older_git),
    ignore = "the git on PATH takes hooks from its settings"
)]
fn two_hooks_for_one_place_are_both_kept() {
    let Some(bench) = Bench::older() else { return };
    bench.hook(".git/hooks/pre-push", "first");
    bench.install();
    bench.hook(".git/hooks/pre-push", "second");
    assert!(bench.note().unwrap().contains("hooks/pre-push"));
    let before = bench.tree();
    let envelope = bench.no(4, "TWO_HOOKS", &["install"]);
    assert_same(&before, &bench.tree());
    let hint = envelope["hint"].as_str().unwrap();
    let command = hint
        .split("rm ")
        .nth(1)
        .and_then(|rest| rest.split(" or ").next())
        .unwrap();
    bench.run("sh", &["-c", &format!("rm {command}")]);
    bench.install();
    assert_eq!(bench.work(), ["second"]);
    bench.assert_gated();

    // The very same again is no second one.
    bench.hook(".git/hooks/pre-push", "second");
    bench.install();
    assert_eq!(bench.work(), ["second"]);
    bench.uninstall();
    assert_eq!(bench.work(), ["second"]);
    bench.assert_free();

    // What was left because of it is told, and stays.
    bench.install();
    bench.hook(".git/hooks/pre-push", "third");
    assert!(bench.uninstall()["changes"].to_string().contains("left "));
    assert!(
        bench
            .git_dir()
            .join("hooks/pre-push.before-git-quorum")
            .exists()
    );
    assert_eq!(bench.work(), ["third"]);
}
