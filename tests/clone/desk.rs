//! A clone with the hooks in place, and what a test does in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use crate::needs;
use crate::world::{Seat, Team, World};

pub const MAIN: &str = "refs/heads/main";

/// A Git to test with.
pub struct Git {
    path: String,
}

impl Git {
    /// The one on the path.
    pub fn stock() -> Git {
        Git {
            path: std::env::var("PATH").unwrap(),
        }
    }

    /// A newer one, if there is one here.
    pub fn newer() -> Option<Git> {
        needs::newer_git().map(|folder| Git {
            path: format!("{folder}:{}", Git::stock().path),
        })
    }

    pub fn world(&self) -> Arc<World> {
        World::with_path(self.path.clone())
    }

    /// A team of one, who decides alone.
    pub fn team(&self) -> Team {
        Team::within(self.world(), &["alice"], 1)
    }

    /// A team in which nothing is decided without others.
    pub fn team_of_four(&self) -> Team {
        Team::within(self.world(), &["alice", "bob", "carol", "dave"], 1)
    }
}

/// Whether this Git tells hooks of symbolic refs (2.46 and newer).
pub fn shows_symbolic(team: &Team) -> bool {
    let version = team.world.git(&team.server, &["version"]);
    let mut numbers = version
        .trim_start_matches("git version ")
        .split('.')
        .map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(2), Some(46))
}

/// Puts the hooks into a clone that has joined, with what chained hooks there are.
pub fn install(seat: &Seat, chained: &BTreeMap<&str, PathBuf>) {
    install_program(seat, Path::new(env!("CARGO_BIN_EXE_git-quorum")), chained);
}

/// The same with another program.
pub fn install_program(seat: &Seat, program: &Path, chained: &BTreeMap<&str, PathBuf>) {
    let common =
        PathBuf::from(seat.git(&["rev-parse", "--path-format=absolute", "--git-common-dir"]));
    for (name, script) in [
        (
            "reference-transaction",
            include_str!("../../hooks/reference-transaction"),
        ),
        (
            "pre-merge-commit",
            include_str!("../../hooks/pre-merge-commit"),
        ),
        ("pre-push", include_str!("../../hooks/pre-push")),
    ] {
        let next = chained
            .get(name)
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        let text = script.replace("@GIT_QUORUM@", &format!("'{}'", program.display()));
        let hook = common.join("hooks").join(name);
        std::fs::write(&hook, text.replace("@CHAINED@", &format!("'{next}'"))).unwrap();
        executable(&hook, true);
    }
    let ledger = seat.git(&["config", "quorum.ledger"]);
    let lanes = format!("refs/quorum/{}", &ledger[..16]);
    let refspec = format!("+{lanes}/lane/*:{lanes}/incoming/origin/lane/*");
    seat.git(&["config", "--add", "remote.origin.fetch", &refspec]);
    std::fs::create_dir_all(common.join("quorum")).unwrap();
    std::fs::write(common.join("quorum/protected"), format!("{MAIN}\n")).unwrap();
}

pub fn executable(path: &Path, on: bool) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(if on { 0o755 } else { 0o644 }),
    )
    .unwrap();
}

/// A clone that only looks on, with the hooks in place.
pub fn observer(team: &Team, name: &str) -> Seat {
    let seat = team.world.seat(name, team.server.to_str().unwrap());
    seat.ok(&["join"]);
    install(&seat, &BTreeMap::new());
    seat
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    pub ok: bool,
    pub text: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = [output.stdout, output.stderr].concat();
        Ran {
            ok: output.status.success(),
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }
}

impl Seat {
    /// Runs git, whatever comes of it.
    pub fn try_git(&self, args: &[&str]) -> Ran {
        let mut command = self.world.command("git", &self.dir);
        command
            .env("GIT_EDITOR", "true")
            .envs(self.env.iter().cloned());
        command.args(args).output().unwrap().into()
    }

    /// What the program says when the script of `reference-transaction` asks it about these lines.
    pub fn asked(&self, lines: &str) -> Ran {
        let file = self.world.path("lines");
        std::fs::write(&file, lines).unwrap();
        let mut command = self
            .world
            .command(env!("CARGO_BIN_EXE_git-quorum"), &self.dir);
        command
            .args(["hook", "reference-transaction", "prepared"])
            .stdin(std::fs::File::open(&file).unwrap());
        command.output().unwrap().into()
    }

    /// All refs, and where HEAD is.
    pub fn refs(&self) -> String {
        let head = self
            .try_git(&["rev-parse", "--symbolic-full-name", "HEAD"])
            .text;
        let listed = self.git(&[
            "for-each-ref",
            "--format=%(refname) %(objectname) %(symref)",
        ]);
        // Lanes come and go with what was refused beside them.
        listed
            .lines()
            .filter(|line| !line.starts_with("refs/quorum/"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
            + &head
    }

    /// Runs git, which must be refused for this, and leave all refs as they were and the repository whole. `mend` is how
    /// Git says to get rid of what it left.
    pub fn refused(&self, args: &[&str], says: &[&str], mend: &[&str]) -> String {
        let before = self.refs();
        let ran = self.try_git(args);
        for words in says {
            assert!(
                ran.text.contains(words),
                "{args:?}: {words:?} is not in: {}",
                ran.text
            );
        }
        assert!(!ran.ok, "{args:?} went through: {}", ran.text);
        if !mend.is_empty() {
            self.git(mend);
        }
        assert_eq!(self.refs(), before, "{args:?}: {}", ran.text);
        assert_eq!(
            self.git(&["status", "--porcelain", "--untracked-files=no"]),
            "",
            "{args:?}"
        );
        self.git(&["fsck", "--no-progress", "--no-dangling"]);
        ran.text
    }

    /// The same machine in another folder of the world.
    pub fn at_dir(&self, name: &str) -> Seat {
        self.at(self.world.path(name))
    }

    /// The value of a ref.
    pub fn value(&self, name: &str) -> String {
        self.git(&["rev-parse", "--verify", name])
    }
}
