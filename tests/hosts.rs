//! The ready-made checks of `docs/ci/`. The tests run their shell steps against real repositories,
//! as far as that is possible without the host, and simulate what the host does around them.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "common/lab.rs"]
mod lab;
#[path = "common/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use world::{Seat, Team};

const MEMBERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// A kind of host, and its file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Host {
    GitHub,
    Forgejo,
    GitLab,
}

const HOSTS: [Host; 3] = [Host::GitHub, Host::Forgejo, Host::GitLab];

/// Why the host runs the check.
#[derive(Clone, Copy)]
enum Event {
    /// A pull request or merge request with this head.
    Request,
    /// Main now has this value.
    Push,
}

impl Host {
    fn file(self) -> Value {
        let text = match self {
            Host::GitHub => include_str!("../docs/ci/github-actions.yml"),
            Host::Forgejo => include_str!("../docs/ci/forgejo-actions.yml"),
            Host::GitLab => include_str!("../docs/ci/gitlab-ci.yml"),
        };
        serde_saphyr::from_str(text).unwrap()
    }

    fn job(self) -> Value {
        let file = self.file();
        if self == Host::GitLab {
            file["decided"].clone()
        } else {
            file["jobs"]["decided"].clone()
        }
    }
}

/// One run of a check, and the machine that runs it.
struct Run<'a> {
    team: &'a Team,
    dir: PathBuf,
    vars: BTreeMap<String, String>,
    event: Event,
    commit: String,
    ledger: String,
}

/// The result of a check: the output of the first step that failed.
type Checked = Result<(), String>;

impl Run<'_> {
    /// Simulates the host: runs the steps of the file in their order.
    fn check(&mut self, host: Host) -> Checked {
        let job = host.job();
        if host == Host::GitLab {
            self.set(&job["variables"]);
            self.vars
                .insert("QUORUM_LEDGER".into(), self.ledger.clone());
            self.vars
                .insert("CI_COMMIT_SHA".into(), self.commit.clone());
            self.checkout(
                job["variables"]["GIT_DEPTH"] == "0" && job["variables"]["GIT_STRATEGY"] == "clone",
            );
            let lines: Vec<_> = job["script"]
                .as_array()
                .unwrap()
                .iter()
                .map(|l| l.as_str().unwrap())
                .collect();
            return self.shell(&self.dir, &lines.join("\n"));
        }
        self.set(&job["env"]);
        let job_vars = self.vars.clone();
        for step in job["steps"].as_array().unwrap() {
            self.vars.clone_from(&job_vars);
            self.set(&step["env"]);
            match (&step["run"], &step["uses"]) {
                (Value::String(script), Value::Null) => {
                    let place = step["working-directory"]
                        .as_str()
                        .map(|place| PathBuf::from(self.value(place)));
                    self.shell(&place.unwrap_or_else(|| self.dir.clone()), script)?;
                }
                (Value::Null, Value::String(action)) => {
                    assert!(
                        action.starts_with("actions/checkout@") && action.len() == 57,
                        "{action} by its commit"
                    );
                    assert_eq!(
                        self.value(step["with"]["ref"].as_str().unwrap()),
                        self.commit
                    );
                    self.checkout(step["with"]["fetch-depth"] == 0);
                }
                _ => panic!("{step}"),
            }
        }
        Ok(())
    }

    fn set(&mut self, vars: &Value) {
        for (name, value) in vars.as_object().into_iter().flatten() {
            let value = self.value(value.as_str().unwrap());
            self.vars.insert(name.clone(), value);
        }
    }

    /// Returns a value as the host expands it.
    fn value(&self, text: &str) -> String {
        let mut parts = text.split("${{ ");
        let mut value = parts.next().unwrap().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once(" }}").unwrap();
            value += &self.expression(expression);
            value += rest;
        }
        value
    }

    fn expression(&self, expression: &str) -> String {
        let server = self.team.server.parent().unwrap().display().to_string();
        let temporary = self.team.world.path("home").display().to_string();
        let pushed = if matches!(self.event, Event::Request) {
            "refs/pull/1/head"
        } else {
            "refs/heads/main"
        };
        let known = [
            ("vars.QUORUM_LEDGER", self.ledger.as_str()),
            (
                "github.event.pull_request.head.sha || github.sha",
                &self.commit,
            ),
            ("github.token", "token"),
            ("runner.temp", &temporary),
            ("github.server_url", &server),
            ("github.repository", "server.git"),
            (
                "github.event.pull_request.number && format('refs/pull/{0}/head', github.event.pull_request.number) || github.ref",
                pushed,
            ),
        ];
        let found = known.iter().find(|(name, _)| *name == expression);
        found
            .unwrap_or_else(|| panic!("{expression}: a test must know what it means"))
            .1
            .to_owned()
    }

    /// Checks a commit out as hosts do: with its history only if the file says so.
    fn checkout(&self, whole: bool) {
        let git = |args: &[&str]| self.team.world.git(&self.dir, args);
        git(&["init", "-q"]);
        git(&[
            "remote",
            "add",
            "origin",
            &format!("file://{}", self.team.server.display()),
        ]);
        let depth: &[&str] = if whole { &[] } else { &["--depth=1"] };
        let refs = [
            "+refs/heads/*:refs/remotes/origin/*",
            "+refs/pull/*:refs/remotes/pull/*",
        ];
        git(&[&["fetch", "-q"], depth, &["origin"], &refs[..]].concat());
        git(&["checkout", "-q", "--detach", &self.commit]);
    }

    /// Runs a script as hosts do: it ends with the first command that fails.
    fn shell(&self, place: &Path, script: &str) -> Checked {
        assert!(
            !script.contains("${{"),
            "nothing is pasted into a script: {script}"
        );
        let program = Path::new(env!("CARGO_BIN_EXE_git-quorum"))
            .parent()
            .unwrap()
            .display()
            .to_string();
        let stubs = self.team.world.path("stubs").display().to_string();
        let path = format!("{stubs}:{program}:{}", std::env::var("PATH").unwrap());
        let mut shell = self.team.world.command("bash", place);
        let output = shell
            .envs(&self.vars)
            .env("PATH", path)
            .env("WORKSPACE", &self.dir)
            .args(["-e", "-o", "pipefail", "-c", script])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(())
        } else {
            Err(text)
        }
    }
}

/// Creates a server with a decision that has landed. A fake `cargo` records how it was called.
fn site() -> (Team, String) {
    let team = Team::new(&MEMBERS);
    std::fs::create_dir(team.world.path("stubs")).unwrap();
    let install = "install --locked --git https://git.example.org/git-quorum.git --rev 0000000000000000000000000000000000000000 git-quorum";
    // The program must not run in a folder with files of the proposer, because they could tell it
    // what to do.
    team.world.script(
        "stubs/cargo",
        &format!("test \"$*\" = '{install}' && test \"$PWD\" != \"$WORKSPACE\""),
    );
    team.decide("first");
    let landed = team.world.git(&team.server, &["rev-parse", "main"]);
    (team, landed)
}

fn run<'a>(team: &'a Team, event: Event, commit: &str) -> Run<'a> {
    static RUNS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let dir = team.world.path(&format!(
        "runner-{}",
        RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    ));
    std::fs::create_dir(&dir).unwrap();
    if matches!(event, Event::Request) {
        team.world
            .git(&team.server, &["update-ref", "refs/pull/1/head", commit]);
    }
    let ledger = team.seats[0].git(&["config", "quorum.ledger"]);
    Run {
        team,
        dir,
        vars: BTreeMap::new(),
        event,
        commit: commit.to_owned(),
        ledger,
    }
}

fn passes(team: &Team, event: Event, commit: &str) {
    for host in HOSTS {
        assert_eq!(run(team, event, commit).check(host), Ok(()), "{host:?}");
    }
}

fn fails(team: &Team, event: Event, commit: &str, says: &str) {
    for host in HOSTS {
        let found = run(team, event, commit).check(host);
        assert!(
            found.as_ref().is_err_and(|text| text.contains(says)),
            "{host:?}: {says:?} is not in {found:?}"
        );
    }
}

/// Returns a commit on top of main that no member has proposed, pushed as a branch.
fn undecided(seat: &Seat) -> String {
    seat.git(&["fetch", "-q", "origin"]);
    seat.git(&["checkout", "-q", "--detach", "origin/main"]);
    let commit = seat.commit("undecided", "undecided");
    seat.git(&["push", "-q", "origin", "HEAD:refs/heads/topic"]);
    commit
}

#[test]
fn a_check_passes_for_what_is_decided_landed_or_not() {
    let (team, landed) = site();
    passes(&team, Event::Push, &landed);
    let proposal = team.seats[0].propose("second");
    let head = team.seats[0].git(&["rev-parse", "HEAD"]);
    team.seats[0].git(&["push", "-q", "origin", "HEAD:refs/heads/topic"]);
    fails(&team, Event::Request, &head, "which no decision backs");
    team.seats[1..]
        .iter()
        .for_each(|seat| drop(seat.approve(&proposal)));
    team.settle(&proposal);
    passes(&team, Event::Request, &head);
    passes(&team, Event::Push, &landed);

    // The host's merge button creates another commit, and nobody has decided that one.
    let seat = &team.seats[0];
    let merge = seat.git(&[
        "commit-tree",
        "-m",
        "Merge",
        "-p",
        "origin/main",
        "-p",
        &head,
        &format!("{head}^{{tree}}"),
    ]);
    seat.git(&[
        "push",
        "-q",
        "origin",
        &format!("{merge}:refs/heads/merged"),
    ]);
    fails(&team, Event::Request, &merge, "which no decision backs");
}

#[test]
fn a_check_fails_for_an_undecided_head_and_an_undecided_main() {
    let (team, _) = site();
    let commit = undecided(&team.seats[0]);
    fails(&team, Event::Request, &commit, "which no decision backs");
    // Somebody with all permissions moved the ref.
    team.world
        .git(&team.server, &["update-ref", "refs/heads/main", &commit]);
    fails(&team, Event::Push, &commit, "which no decision backs");
}

#[test]
fn a_check_fails_if_the_server_hides_lanes_or_the_ledger() {
    let (team, landed) = site();
    team.world.git(
        &team.server,
        &["config", "uploadpack.hideRefs", &team.ledger_ref("lane")],
    );
    fails(&team, Event::Push, &landed, "which no decision backs");
    team.world.git(
        &team.server,
        &["config", "uploadpack.hideRefs", "refs/quorum"],
    );
    fails(&team, Event::Push, &landed, "No ledger");
}

#[test]
fn a_check_fails_without_the_pin_with_another_and_in_a_shallow_clone() {
    let (team, landed) = site();
    for host in HOSTS {
        for pin in ["", "0123456789abcdef"] {
            let mut run = run(&team, Event::Push, &landed);
            run.ledger = pin.to_owned();
            assert!(run.check(host).is_err(), "{host:?} {pin:?}");
        }
    }
    let shallow = run(&team, Event::Push, &landed);
    shallow.checkout(false);
    let ledger = &shallow.ledger;
    let found = shallow.shell(
        &shallow.dir,
        &format!("git quorum join --genesis {ledger} && git quorum verify --backed main --at HEAD"),
    );
    assert!(
        found
            .as_ref()
            .is_err_and(|text| text.contains("shallow or partial")),
        "{found:?}"
    );
}

/// Checks the parts of the files that only the host can run.
#[test]
fn checks_have_no_more_rights_than_they_need_and_run_on_requests_and_on_main() {
    let file = Host::GitHub.file();
    assert_eq!(file["permissions"], serde_json::json!({"contents": "read"}));
    for host in [Host::GitHub, Host::Forgejo] {
        let on = &host.file()["on"];
        assert_eq!(
            on["pull_request"]["branches"],
            serde_json::json!(["main"]),
            "{host:?}"
        );
        assert_eq!(
            on["push"]["branches"],
            serde_json::json!(["main"]),
            "{host:?}"
        );
    }
    let rules = Host::GitLab.job()["rules"].to_string();
    assert!(
        rules.contains("merge_request_event") && rules.contains("CI_COMMIT_BRANCH == \\\"main\\\""),
        "{rules}"
    );
    for host in HOSTS {
        assert!(
            host.job()["continue-on-error"].is_null() && host.job()["allow_failure"].is_null(),
            "{host:?}"
        );
    }
}
