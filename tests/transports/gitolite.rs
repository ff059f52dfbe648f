//! gitolite 3 as the host, with its rules and the gate in one repository. The tests show which of
//! the two decides what.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::service::programs;
use crate::ssh::{Sshd, login_key, use_ssh};
use crate::story::{self, MEMBERS};
use crate::world::{Team, World};

/// The configuration before the gate is installed: members may do anything.
const OPEN: &str = "repo gitolite-admin\n RW+ = admin\nrepo project\n RW+ = @members\n R = reader\n@members = alice bob carol dave\n";
/// The configuration with the gate: gitolite's rules leave members their own branches, and forbid
/// everything else.
const CLOSED: &str = "repo gitolite-admin\n RW+ = admin\n@members = alice bob carol dave\nrepo project\n - refs/heads/main$ = @members\n \
                      - refs/quorum/ = @members\n RW+ refs/heads/USER/ = @members\n R = reader\n";

struct Gitolite {
    world: Arc<World>,
    home: PathBuf,
    program: PathBuf,
    _sshd: Sshd,
}

impl Gitolite {
    fn new() -> Option<Gitolite> {
        let [program, sshd] = programs(["gitolite", "sshd"])?;
        let world = World::new();
        let home = world.path("gitolite");
        std::fs::create_dir(&home).unwrap();
        let settings = format!("AcceptEnv GIT_PROTOCOL\nSetEnv HOME={}", home.display());
        let everybody: Vec<_> = MEMBERS.iter().copied().chain(["admin", "reader"]).collect();
        everybody
            .iter()
            .for_each(|name| drop(login_key(&world, name)));
        let sshd = Sshd::new(
            &world,
            &sshd,
            &everybody,
            &home.join(".ssh/authorized_keys"),
            &settings,
        );
        use_ssh(&world);
        let host = Gitolite {
            world,
            home,
            program,
            _sshd: sshd,
        };
        let admin = login_key(&host.world, "admin").with_extension("pub");
        host.run(&["setup", "-pk", admin.to_str().unwrap()]);
        Some(host)
    }

    /// Runs gitolite itself, as the administrator of the machine.
    fn run(&self, args: &[&str]) {
        let mut command: Command = self.world.command(&self.program, &self.home);
        command
            .env("HOME", &self.home)
            .env_remove("GIT_CONFIG_GLOBAL")
            .env_remove("GIT_TEMPLATE_DIR");
        let output = command.args(args).output().unwrap();
        assert!(
            output.status.success(),
            "gitolite {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Publishes a configuration with a push to gitolite's own repository.
    fn configure(&self, text: &str) {
        let desk = self.world.path("admin-desk");
        if !desk.exists() {
            self.world.git(
                &self.world.path(""),
                &["clone", "-q", "ssh://admin/gitolite-admin", "admin-desk"],
            );
        }
        for name in MEMBERS.iter().chain(&["reader"]) {
            let key = login_key(&self.world, name).with_extension("pub");
            std::fs::copy(key, desk.join("keydir").join(format!("{name}.pub"))).unwrap();
        }
        std::fs::write(desk.join("conf/gitolite.conf"), text).unwrap();
        self.world.git(&desk, &["add", "."]);
        self.world.git(&desk, &["commit", "-q", "-m", "Configure"]);
        self.world.git(&desk, &["push", "-q", "origin", "HEAD"]);
    }

    fn repository(&self) -> PathBuf {
        self.home.join("repositories/project.git")
    }
}

/// Returns the files of a folder, the targets of links, and the contents.
fn listing(folder: &Path) -> Vec<(PathBuf, Option<PathBuf>, Vec<u8>)> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .filter(|path| path.is_file())
        .map(|path| {
            (
                path.clone(),
                std::fs::read_link(&path).ok(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    found.sort();
    found
}

#[test]
#[cfg_attr(
    not(all(has_gitolite, has_sshd)),
    ignore = "gitolite or sshd is not installed"
)]
fn the_whole_story_with_gitolite_whose_rules_govern_what_falls_through() {
    let Some(host) = Gitolite::new() else { return };
    host.configure(OPEN);
    let team = story::found(host.world.clone(), host.repository(), 4, |member| {
        format!("ssh://{member}/project")
    });
    host.configure(CLOSED);
    let hooks = listing(&host.repository().join("hooks"));
    assert!(
        hooks
            .iter()
            .any(|(path, link, _)| path.ends_with("update") && link.is_some()),
        "gitolite's own hook: {hooks:?}"
    );
    host.run(&["setup"]);
    assert_eq!(
        listing(&host.repository().join("hooks")),
        hooks,
        "gitolite leaves our hook where it is"
    );

    // gitolite's rules forbid main and the lanes to everybody. The gate does not ask these rules,
    // and moves both.
    story::tell(&team, "ssh://reader/project");
    its_rules_govern_other_refs(&team);
    its_rules_govern_who_gets_in(&team);
}

fn its_rules_govern_other_refs(team: &Team) {
    let [alice, bob, ..] = team.seats.as_slice() else {
        panic!()
    };
    let denied = ["remote: FATAL: ", "refs/heads/bob/x", "DENIED by fallthru"];
    story::refused(team, alice, &["origin", "HEAD:refs/heads/bob/x"], &denied);
    story::refused(
        team,
        alice,
        &["origin", "HEAD:refs/tags/v1"],
        &["DENIED by fallthru"],
    );
    assert!(
        story::push(alice, &["origin", "HEAD:refs/heads/alice/x"])
            .status
            .success()
    );

    // In an atomic push, the gate moves the other refs too, and asks gitolite's hook about them.
    let lane = team.ledger_ref("lane/bob");
    let proposal = bob.propose("more");
    bob.ok(&["review", &proposal, "--reject", "--local"]);
    let (foreign, own) = ("HEAD:refs/heads/alice/y", "HEAD:refs/heads/bob/y");
    let says = [
        "refs/heads/alice/y",
        "DENIED by fallthru",
        "[SERVER_SETTING]",
    ];
    story::refused(team, bob, &["--atomic", "origin", &lane, foreign], &says);
    let pushed = story::push(bob, &["--atomic", "origin", &lane, own]);
    assert!(
        pushed.status.success(),
        "{}",
        String::from_utf8_lossy(&pushed.stderr)
    );
    let here = bob.git(&["rev-parse", &lane]);
    assert_eq!(
        team.world
            .git(&team.server, &["rev-parse", &lane, "refs/heads/bob/y"]),
        format!("{here}\n{}", bob.git(&["rev-parse", "HEAD"]))
    );
}

fn its_rules_govern_who_gets_in(team: &Team) {
    let reader = team.world.seat("reader", "ssh://reader/project");
    reader.commit("x", "x");
    story::refused(
        team,
        &reader,
        &["origin", "HEAD:refs/heads/reader/x"],
        &["DENIED by fallthru"],
    );
    story::refused(
        team,
        &reader,
        &["ssh://alice/gitolite-admin", "HEAD:refs/heads/x"],
        &["DENIED by fallthru"],
    );
}
