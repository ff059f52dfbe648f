//! The server's gate, put in place beside what is there and taken away again.

use crate::bench::{Bench, assert_same};

/// A bench at the server.
fn server() -> Bench {
    let mut bench = Bench::new();
    let server = bench.team.server.clone();
    std::fs::remove_dir_all(server.join("hooks")).unwrap();
    std::fs::create_dir(server.join("hooks")).unwrap();
    bench.at(server);
    bench
}

/// Whether the server refuses an undecided push.
fn refuses(bench: &Bench) -> bool {
    let clone = &bench.team.seats[0];
    let commit = clone.git(&[
        "commit-tree",
        "-m",
        &bench.new_message(),
        "HEAD^{tree}",
        "-p",
        "HEAD",
    ]);
    let mut push = bench.team.world.command("git", &clone.dir);
    let output = push
        .args([
            "push",
            "-q",
            "--force",
            "origin",
            &format!("{commit}:refs/heads/main"),
        ])
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() || err.contains("NO_PROPOSAL"),
        "{err}"
    );
    !output.status.success()
}

#[test]
fn removing_the_gate_needs_a_confirmation_and_restores_the_server_to_the_byte() {
    let bench = server();
    bench.git(&["config", "receive.procReceiveRefs", "refs/for"]);
    let before = bench.tree();
    assert!(!refuses(&bench));
    bench.ok(&["install", "--server", "--auto-land"]);
    assert!(refuses(&bench));
    let installed = bench.tree();
    assert_eq!(
        bench.ok(&["install", "--server", "--auto-land"])["changes"],
        serde_json::json!([])
    );
    assert_same(&installed, &bench.tree());

    bench.no(2, "NOT_CONFIRMED", &["uninstall", "--server"]);
    bench.no(2, "NO_WORK_TREE", &["uninstall"]);
    bench.no(2, "USAGE", &["uninstall", "--yes"]);
    assert_same(&installed, &bench.tree());
    bench.ok(&["uninstall", "--server", "--yes"]);
    assert_same(&before, &bench.tree());
    assert!(!refuses(&bench));
    assert_eq!(
        bench.ok(&["uninstall", "--server", "--yes"])["changes"],
        serde_json::json!([])
    );
    bench.ok(&["install", "--server"]);
    assert!(refuses(&bench));
}

#[test]
fn an_installation_that_fails_in_the_middle_leaves_nothing() {
    let bench = server();
    let before = bench.tree();
    bench.put("config.lock", "", 0o644);
    bench.no(4, "LOCKED", &["install", "--server"]);
    std::fs::remove_file(bench.dir.join("config.lock")).unwrap();
    assert_same(&before, &bench.tree());
    assert!(!refuses(&bench));
}

#[test]
fn uninstalling_keeps_the_pin_and_the_settings_of_others() {
    let bench = server();
    let ledger = bench.team.seats[0].git(&["config", "quorum.ledger"]);
    bench.git(&["config", "quorum.ledger", &ledger]);
    bench.git(&["config", "receive.procReceiveRefs", "refs"]);
    let before = bench.tree();
    bench.ok(&["install", "--server"]);
    bench.ok(&["uninstall", "--server", "--yes"]);
    assert_same(&before, &bench.tree());
}

#[test]
fn a_foreign_proc_receive_hook_is_never_replaced() {
    let bench = server();
    bench.hook("hooks/proc-receive", "theirs");
    let before = bench.tree();
    bench.no(4, "FOREIGN_HOOK", &["install", "--server"]);
    bench.ok(&["uninstall", "--server", "--yes"]);
    assert_same(&before, &bench.tree());
}

#[test]
fn links_that_a_host_keeps_in_the_hooks_folder_are_kept() {
    let bench = server();
    bench.hook("../common/update", "host");
    bench.link("../../common/update", "hooks/update");
    bench.ok(&["install", "--server"]);
    assert!(refuses(&bench));
    let clone = &bench.team.seats[0].dir;
    assert_eq!(
        bench
            .run(
                "git",
                &[
                    "-C",
                    clone.to_str().unwrap(),
                    "push",
                    "-q",
                    "origin",
                    "HEAD:refs/heads/other"
                ]
            )
            .code,
        0
    );
    assert_eq!(bench.ran(), ["host"]);
    assert!(bench.dir.join("hooks/update").is_symlink());
    bench.ok(&["uninstall", "--server", "--yes"]);
    assert!(bench.dir.join("hooks/update").is_symlink());

    std::fs::remove_dir_all(bench.dir.join("hooks")).unwrap();
    bench.link("../common", "hooks");
    bench.no(4, "LINKED_HOOKS", &["install", "--server"]);
}

#[test]
fn a_global_hooks_path_is_overridden_only_if_no_other_hook_stops_or_starts() {
    let bench = server();
    let before = bench.tree();
    bench.git(&["config", "--global", "core.hooksPath", "~/host-hooks"]);
    bench.ok(&["install", "--server"]);
    assert!(refuses(&bench));
    bench.ok(&["uninstall", "--server", "--yes"]);
    assert_same(&before, &bench.tree());

    bench.hook("hooks/post-receive", "asleep");
    bench.no(4, "HOOKS_PATH", &["install", "--server"]);
    std::fs::remove_file(bench.dir.join("hooks/post-receive")).unwrap();
    bench.hook("../home/host-hooks/update", "host");
    bench.no(4, "HOOKS_PATH", &["install", "--server"]);
    std::fs::remove_file(bench.path("home/host-hooks/update")).unwrap();
    bench.git(&["config", "core.hooksPath", "elsewhere"]);
    bench.no(4, "HOOKS_PATH", &["install", "--server"]);
    bench.git(&["config", "core.hooksPath", "hooks"]);
    bench.ok(&["install", "--server"]);
    assert!(refuses(&bench));
}
