//! Lanes that come with `git fetch`, and what else remotes go through.

use crate::bench::{Bench, assert_same};

impl Bench {
    /// The ledger's refs here below this.
    fn refs(&self, below: &str) -> Vec<String> {
        let prefix = self.team.ledger_ref(below);
        self.git(&["for-each-ref", "--format=%(refname)", &prefix])
            .lines()
            .map(|name| name.replace(&prefix, ""))
            .collect()
    }

    /// Another member proposes something.
    fn proposed(&self) -> String {
        let server = self.team.server.to_str().unwrap().to_owned();
        let other = self.team.world.seat("other", &server);
        other.join("b");
        other.propose("other")
    }
}

#[test]
fn a_fetch_brings_lanes_and_proposals_and_a_sync_reads_them() {
    let bench = Bench::new();
    bench.install();
    let proposal = bench.proposed();
    assert!(bench.refs("incoming").is_empty());
    bench.git(&["fetch", "-q"]);
    let incoming = bench.refs("incoming");
    assert!(
        incoming.contains(&"/origin/lane/b".to_owned()),
        "{incoming:?}"
    );
    assert!(
        incoming.contains(&format!("/origin/proposal/{proposal}")),
        "{incoming:?}"
    );
    assert_eq!(
        bench.refs("remote"),
        Vec::<String>::new(),
        "nothing is believed before it is checked"
    );
    bench.ok(&["sync"]);
    assert!(bench.refs("remote").contains(&"/origin/b".to_owned()));
    assert_eq!(bench.ok(&["status", &proposal])["state"], "open");

    // A lane that the remote has no longer, or a forged one, is seen in a fetch and changes nothing that is known.
    let lane = bench.team.ledger_ref("lane/b");
    bench.team.world.git(
        &bench.team.server,
        &["update-ref", &lane, "refs/heads/main"],
    );
    bench.git(&["fetch", "-q", "--prune"]);
    bench.ok(&["sync"]);
    bench
        .team
        .world
        .git(&bench.team.server, &["update-ref", "-d", &lane]);
    bench.git(&["fetch", "-q", "--prune"]);
    assert!(
        !bench
            .refs("incoming")
            .contains(&"/origin/lane/b".to_owned())
    );
    bench.ok(&["sync"]);
    assert_eq!(bench.ok(&["status", &proposal])["state"], "open");
    assert!(bench.refs("remote").contains(&"/origin/b".to_owned()));
}

#[test]
fn a_fetch_from_a_remote_without_a_ledger_and_a_pull_work_as_before() {
    let bench = Bench::new();
    bench.install();
    let plain = bench.path("plain.git");
    bench.git(&["init", "-q", "--bare", plain.to_str().unwrap()]);
    bench.git(&[
        "push",
        "-q",
        plain.to_str().unwrap(),
        "HEAD:refs/heads/topic",
    ]);
    bench.git(&["remote", "set-url", "origin", plain.to_str().unwrap()]);
    bench.git(&["fetch", "-q", "--prune"]);
    bench.git(&["branch", "-q", "--set-upstream-to=origin/topic"]);
    bench.git(&["pull", "-q"]);
}

#[test]
fn a_remote_can_be_renamed_and_removed() {
    for bench in Bench::all() {
        let before = bench.tree();
        bench.install();
        bench.proposed();
        bench.git(&["fetch", "-q"]);
        bench.git(&["remote", "rename", "origin", "up"]);
        assert_eq!(bench.git(&["remote"]), "up");
        bench.git(&["fetch", "-q", "--prune"]);
        bench.ok(&["sync"]);
        assert_eq!(bench.install()["fetches"], "up");
        bench.git(&["fetch", "-q", "--prune"]);
        assert!(bench.refs("incoming").contains(&"/up/lane/b".to_owned()));
        bench.ok(&["sync"]);
        bench.git(&["remote", "rename", "up", "origin"]);
        bench.uninstall();
        let after = bench.tree();
        let lines = |tree: &crate::bench::Tree| {
            let text = String::from_utf8(tree["config"].1.clone()).unwrap();
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(
            lines(&before),
            lines(&after),
            "git has written the remote anew"
        );

        bench.install();
        bench.git(&["fetch", "-q"]);
        bench.git(&["remote", "remove", "origin"]);
        assert_eq!(bench.git(&["remote"]), "");
        let config = String::from_utf8(bench.config()).unwrap();
        assert!(!config.contains("origin"), "{config}");
        bench.ok(&["status"]);
        assert!(bench.install()["fetches"].is_null());
        bench.assert_gated_locally();
    }
}

impl Bench {
    fn assert_gated_locally(&self) {
        assert!(self.refuses_commit());
        assert_eq!(self.note(), None);
    }
}

#[test]
fn no_refspec_is_added_where_it_would_change_other_fetches() {
    let bench = Bench::new();
    bench.git(&["config", "--unset-all", "remote.origin.fetch"]);
    let before = bench.tree();
    let (data, noted) = bench.noted(&["install"]);
    assert!(
        data["fetches"].is_null() && noted.contains("has no refspec"),
        "{noted}"
    );
    bench.assert_gated();
    bench.uninstall();
    assert_same(&before, &bench.tree());

    bench.git(&["config", "remote.origin.fetch", "+refs/*:refs/*"]);
    let (data, noted) = bench.noted(&["install"]);
    assert!(
        data["fetches"].is_null() && noted.contains("mirror"),
        "{noted}"
    );
    bench.no(3, "NO_REMOTE", &["install", "--remote", "nowhere"]);
}

#[test]
fn settings_that_others_change_after_the_installation_are_kept() {
    for bench in Bench::all() {
        let config = bench.git_dir().join("config");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.trim_end()).unwrap();
        let before = bench.config();
        bench.install();
        bench.uninstall();
        assert_eq!(bench.config(), before, "a last line without end");

        bench.install();
        bench.git(&["remote", "set-branches", "--add", "origin", "x"]);
        bench.git(&["config", "user.name", "Other"]);
        bench.git(&["branch", "--set-upstream-to=origin/main"]);
        assert_eq!(bench.install()["changes"], serde_json::json!([]));
        bench.uninstall();
        let left = String::from_utf8(bench.config()).unwrap();
        assert!(
            !left.contains("include") && !left.contains("refs/quorum"),
            "{left}"
        );
        assert_eq!(
            bench
                .git(&["config", "--get-all", "remote.origin.fetch"])
                .lines()
                .count(),
            2
        );
        assert_eq!(bench.git(&["config", "user.name"]), "Other");
    }
}
