//! The real managers of hooks, before us and after us: husky, lefthook, pre-commit, prek. They are found in the folder that
//! GIT_QUORUM_MANAGERS names, where `.ci/managers` puts them.

use std::path::PathBuf;

use crate::bench::{Bench, Tree, assert_same};
use crate::needs::skip;

/// A manager of hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Husky,
    Lefthook,
    PreCommit,
    Prek,
}

use Manager::{Husky, Lefthook, PreCommit, Prek};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("GIT_QUORUM_MANAGERS").map(PathBuf::from);
    if folder.is_none() {
        skip(
            "managers",
            "GIT_QUORUM_MANAGERS names no folder with hook managers",
        );
    }
    folder
}

/// A test with a manager, with each kind of Git that there is.
fn with(manager: Manager, test: fn(&Bench, Set)) {
    let Some(folder) = folder() else { return };
    for bench in Bench::all() {
        let set = Set {
            manager,
            folder: folder.clone(),
        };
        set.configure(&bench);
        test(&bench, set);
    }
}

/// A manager and where it lies.
struct Set {
    manager: Manager,
    folder: PathBuf,
}

impl Set {
    /// What its hooks say when they run.
    fn name(&self) -> &'static str {
        match self.manager {
            Husky => "husky",
            Lefthook => "lefthook",
            PreCommit => "pre-commit",
            Prek => "prek",
        }
    }

    /// Writes and commits its own settings: that it says its name on a commit and on a push.
    fn configure(&self, bench: &Bench) {
        let say = |when: &str| format!("echo {} {when} >> \"$RAN\"", self.name());
        match self.manager {
            Husky => ["pre-commit", "pre-push"].iter().for_each(|when| {
                bench.put(format!(".husky/{when}"), &format!("{}\n", say(when)), 0o644)
            }),
            Lefthook => {
                let job = |when: &str| {
                    format!(
                        "{when}:\n  jobs:\n    - name: say\n      run: {}\n",
                        say(when)
                    )
                };
                bench.put(
                    "lefthook.yml",
                    &(job("pre-commit") + &job("pre-push")),
                    0o644,
                );
            }
            PreCommit | Prek => {
                let hook = |when: &str| {
                    format!(
                        "  - id: {when}\n    name: {when}\n    language: system\n    entry: sh -c '{}'\n    stages: [{when}]\n    always_run: true\n    pass_filenames: false\n",
                        say(when)
                    )
                };
                let text = format!(
                    "repos:\n- repo: local\n  hooks:\n{}{}",
                    hook("pre-commit"),
                    hook("pre-push")
                );
                bench.put(".pre-commit-config.yaml", &text, 0o644);
            }
        }
        bench.git(&["add", "."]);
        bench.git(&["commit", "-q", "-m", "hooks"]);
    }

    /// Lets it install its hooks.
    fn install(&self, bench: &Bench) {
        let both = [
            "install",
            "--hook-type",
            "pre-commit",
            "--hook-type",
            "pre-push",
        ];
        let (program, args) = match self.manager {
            Husky => ("node_modules/.bin/husky", &[][..]),
            Lefthook => ("node_modules/.bin/lefthook", &["install"][..]),
            PreCommit => ("venv/bin/pre-commit", &both[..]),
            Prek => ("venv/bin/prek", &both[..]),
        };
        let run = bench.run(self.folder.join(program), args);
        assert_eq!(
            (run.code, self.manager == Husky && !run.out.is_empty()),
            (0, false),
            "{run:?}"
        );
    }

    fn runs(&self) -> Vec<String> {
        vec![
            format!("{} pre-commit", self.name()),
            format!("{} pre-push", self.name()),
        ]
    }

    fn assert_runs(&self, bench: &Bench) {
        assert_eq!(bench.work(), self.runs());
    }

    /// Its hooks and ours run, and a second installation changes nothing.
    fn assert_both(&self, bench: &Bench) {
        self.assert_runs(bench);
        bench.assert_gated();
        let installed = tree(bench);
        assert_eq!(bench.install()["changes"], serde_json::json!([]));
        assert_same(&installed, &tree(bench));
    }
}

/// Without the file in which lefthook notes the time.
fn tree(bench: &Bench) -> Tree {
    let mut tree = bench.tree();
    tree.remove("info/lefthook.checksum");
    tree
}

/// The manager first, then ours; the manager once more, as set-up scripts do; ours once more.
fn before(bench: &Bench, set: Set) {
    set.install(bench);
    set.assert_runs(bench);
    let alone = tree(bench);
    bench.install();
    set.assert_both(bench);
    bench.uninstall();
    assert_same(&alone, &tree(bench));
    set.assert_runs(bench);
    bench.assert_free();

    bench.install();
    set.install(bench);
    set.assert_runs(bench);
    bench.install();
    set.assert_both(bench);
    bench.uninstall();
    assert_same(&alone, &tree(bench));
    set.assert_runs(bench);
    bench.assert_free();
}

/// Ours first, then the manager; and once more both.
fn after(bench: &Bench, set: Set) {
    let nothing = tree(bench);
    set.install(bench);
    let alone = tree(bench);
    bench.restore(&nothing);

    bench.install();
    set.install(bench);
    set.assert_runs(bench);
    match set.manager {
        Husky | Lefthook if !bench.has_config_hooks => {
            assert!(bench.note().is_some(), "ours do not run, and it is said")
        }
        _ => bench.assert_gated(),
    }
    for _ in 0..2 {
        bench.install();
        set.assert_both(bench);
        set.install(bench);
        set.assert_runs(bench);
    }
    bench.uninstall();
    assert_same(&alone, &tree(bench));
    set.assert_runs(bench);
    bench.assert_free();
}

/// A plain hook first, then ours, then the manager: what the manager does with a plain hook is up to it.
fn between(bench: &Bench, set: Set) {
    bench.hook(".git/hooks/pre-push", "plain");
    let nothing = tree(bench);
    set.install(bench);
    let alone = tree(bench);
    let runs = bench.work();
    bench.restore(&nothing);

    bench.install();
    set.install(bench);
    bench.install();
    assert_eq!(bench.work(), runs);
    bench.assert_gated();
    bench.uninstall();
    assert_same(&alone, &tree(bench));
    assert_eq!(bench.work(), runs);
    bench.assert_free();
}

/// On an older Git a link under one of our names has a folder of ours come before the repository's own, and the manager writes there.
fn into_ours(bench: &Bench, set: Set) {
    if bench.has_config_hooks {
        return;
    }
    bench.put("scripts/hook", "#!/bin/sh\n", 0o755);
    bench.link("../../scripts/hook", ".git/hooks/reference-transaction");
    let nothing = tree(bench);
    set.install(bench);
    let alone = tree(bench);
    bench.restore(&nothing);
    for again in [true, false] {
        assert_eq!(bench.install()["manner"], "folder");
        set.install(bench);
        set.assert_runs(bench);
        if again {
            bench.install();
            set.assert_both(bench);
        }
        bench.uninstall();
        assert_same(&alone, &tree(bench));
        set.assert_runs(bench);
        bench.assert_free();
        bench.restore(&nothing);
    }
}

macro_rules! tests {
    ($($name:ident: $manager:ident, $test:ident;)*) => {
        $(#[test]
        #[cfg_attr(not(has_managers), ignore = "GIT_QUORUM_MANAGERS names no folder")]
        fn $name() { with($manager, $test); })*
    };
}

tests! {
    husky_before_us: Husky, before;
    husky_after_us: Husky, after;
    husky_after_us_and_a_plain_hook: Husky, between;
    lefthook_before_us: Lefthook, before;
    lefthook_after_us: Lefthook, after;
    lefthook_after_us_and_a_plain_hook: Lefthook, between;
    lefthook_into_our_folder: Lefthook, into_ours;
    pre_commit_before_us: PreCommit, before;
    pre_commit_after_us: PreCommit, after;
    pre_commit_after_us_and_a_plain_hook: PreCommit, between;
    prek_before_us: Prek, before;
    prek_after_us: Prek, after;
    prek_after_us_and_a_plain_hook: Prek, between;
    prek_into_our_folder: Prek, into_ours;
}
