//! An orchestrator built on the library: it founds a ledger for three members, lets one propose a
//! change and another approve it, and moves `main` to the decision.
//!
//! ```sh
//! cargo run --example orchestrator            # in a temporary folder
//! cargo run --example orchestrator -- DIR     # in an empty folder that stays
//! ```
//!
//! Each member has a clone, a key and a sign state of its own, as it would on a machine of its own.
//! Plain `git` only creates the repositories and commits. Everything else is
//! [`git_quorum::client`]. Every answer is printed as one line of JSON.
//!
//! Three members tolerate no faulty one: f is 0, and two of three make a quorum. Use four or more
//! members when one may lie.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use git_quorum::charter::{Member, MemberName, RefPattern};
use git_quorum::client::actions::init::{Founded, Init, init};
use git_quorum::client::actions::join::{Join, join};
use git_quorum::client::actions::keygen::keygen;
use git_quorum::client::actions::land::land;
use git_quorum::client::actions::propose::{Propose, Target, propose};
use git_quorum::client::actions::review::review;
use git_quorum::client::actions::sync::sync;
use git_quorum::client::charter_file::{RulesInput, assemble, parse_pattern};
use git_quorum::client::{
    Answer, Context, Participant, Session, WriteOptions, Writer, parse_name, public_key,
};
use git_quorum::id::EntryId;
use git_quorum::ledger::{Review, Verdict};
use git_quorum::repo::{Environment, Repo};
use serde::Serialize;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the example reached, for its caller.
#[derive(Debug)]
pub struct Finished {
    /// The server.
    pub server: PathBuf,
    /// The proposal that was decided and landed.
    pub decided: EntryId,
    /// The commit that `main` of the server has now.
    pub commit: String,
}

/// A member with its clone.
struct Seat {
    name: MemberName,
    clone: PathBuf,
    key: PathBuf,
    context: Context,
}

/// The folder of the example, and an environment that hides the user's settings.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn environment(&self) -> Vec<(OsString, OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        vec![
            ("PATH".into(), path),
            ("HOME".into(), self.folder.clone().into()),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
        ]
    }

    /// Runs plain git, and returns what it printed.
    fn git(&self, dir: &Path, args: &[&str]) -> Result<String> {
        let mut command = Command::new("git");
        command.env_clear().envs(self.environment());
        let identity = [
            "-c",
            "user.name=Example",
            "-c",
            "user.email=example@example.org",
        ];
        let output = command
            .current_dir(dir)
            .args(identity)
            .args(args)
            .output()?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("git {args:?}: {message}").into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// A bare server whose `main` has one commit.
    fn server(&self) -> Result<PathBuf> {
        let init = [
            "init",
            "-q",
            "--bare",
            "--initial-branch",
            "main",
            "server.git",
        ];
        self.git(&self.folder, &init)?;
        self.git(&self.folder, &["clone", "-q", "server.git", "first"])?;
        let first = self.folder.join("first");
        std::fs::write(first.join("readme"), "An empty program.\n")?;
        self.git(&first, &["add", "."])?;
        self.git(&first, &["commit", "-q", "-m", "Begin"])?;
        self.git(&first, &["push", "-q", "origin", "HEAD:main"])?;
        Ok(self.folder.join("server.git"))
    }

    /// A clone, a key and a sign state for a member.
    fn seat(&self, name: &str) -> Result<Seat> {
        self.git(&self.folder, &["clone", "-q", "server.git", name])?;
        let name = parse_name(name)?;
        let home = self.folder.join(format!("{name}-home"));
        std::fs::create_dir(&home)?;
        let pair = print(keygen(&home, &name)?)?;
        Ok(Seat {
            clone: self.folder.join(name.as_str()),
            key: pair.private,
            context: Context::new(home.join("sign-state")),
            name,
        })
    }

    fn repo(&self, seat: &Seat) -> Result<Repo> {
        let environment = Environment::scrubbed(self.environment());
        Ok(Repo::discover_with(&seat.clone, environment)?)
    }

    fn writer(&self, seat: &Seat) -> Result<Writer> {
        let session = Session::open(self.repo(seat)?, &seat.context)?;
        Ok(Writer::open(
            session,
            &seat.context,
            &WriteOptions::default(),
        )?)
    }

    fn participant(&self, seat: &Seat) -> Result<Participant> {
        let session = Session::open(self.repo(seat)?, &seat.context)?;
        let options = WriteOptions::default();
        Ok(Participant::open(session, &seat.context, &options)?)
    }

    /// The first member founds a ledger in which all of them vote, and `main` is protected.
    fn found(&self, seats: &[Seat]) -> Result<Founded> {
        let members: Result<Vec<_>> = seats.iter().map(voter).collect();
        let protect: Vec<RefPattern> = vec![parse_pattern("main")?];
        let rules = RulesInput {
            own_approval_counts: true,
            ..RulesInput::default()
        };
        let founder = seats.first().ok_or("there is no member")?;
        let request = Init {
            charter: assemble(members?, protect, Vec::new(), rules)?,
            founder: founder.name.clone(),
            key: founder.key.clone(),
            agent: false,
            remote: None,
            local: false,
        };
        print(init(&self.repo(founder)?, &founder.context, &request)?)
    }

    /// A member takes part in the ledger.
    fn join(&self, seat: &Seat, ledger: EntryId) -> Result<()> {
        let request = Join {
            genesis: Some(ledger.to_string()),
            options: WriteOptions {
                member: Some(seat.name.to_string()),
                key: Some(seat.key.clone()),
                ..WriteOptions::default()
            },
        };
        print(join(&self.repo(seat)?, &seat.context, &request)?)?;
        Ok(())
    }
}

/// A member that votes and is a fault domain of its own.
fn voter(seat: &Seat) -> Result<Member> {
    Ok(Member {
        domain: seat.name.clone(),
        key: public_key(&seat.key.with_extension("pub"))?,
        name: seat.name.clone(),
        roles: Vec::new(),
        vote: true,
    })
}

/// Prints the view of an answer as a line of JSON, and returns the view.
fn print<V: Serialize>(answer: Answer<V>) -> Result<V> {
    println!("{}", serde_json::to_string(&answer.view)?);
    Ok(answer.view)
}

/// Plays the whole story in an empty folder.
pub fn run(folder: &Path) -> Result<Finished> {
    let folder = folder.canonicalize()?;
    let stage = Stage { folder };
    let server = stage.server()?;
    let seats: Result<Vec<_>> = ["alice", "bob", "carol"]
        .map(|name| stage.seat(name))
        .into_iter()
        .collect();
    let seats = seats?;
    let founded = stage.found(&seats)?;
    let [alice, bob, carol] = &seats[..] else {
        return Err("there are three members".into());
    };
    for seat in [bob, carol] {
        stage.join(seat, founded.ledger)?;
    }

    // Alice changes the program and proposes the change.
    std::fs::write(alice.clone.join("readme"), "A program that greets.\n")?;
    stage.git(&alice.clone, &["commit", "-q", "-a", "-m", "Greet"])?;
    let commit = stage.git(&alice.clone, &["rev-parse", "HEAD"])?;
    let request = Propose {
        onto: None,
        target: Target::Commit("HEAD".to_owned()),
        title: "Greet".to_owned(),
        text: String::new(),
        approve: true,
    };
    let proposed = {
        let mut writer = stage.writer(alice)?;
        print(propose(&mut writer, &alice.context, &request)?)?
    };

    // Bob fetches the proposal and approves it. His approval completes a quorum of two.
    {
        let mut writer = stage.writer(bob)?;
        let approval = Review {
            evidence: vec!["read the change".to_owned()],
            proposal: proposed.id,
            text: "It greets.".to_owned(),
            verdict: Verdict::Approve,
        };
        print(review(&mut writer, approval)?)?;
    }

    // The tools of both members cast the votes that are due.
    for seat in [alice, bob, alice] {
        print(sync(&mut stage.participant(seat)?)?)?;
    }
    // Whoever comes first moves main to the decision. No signature is needed for that.
    print(land(&mut stage.participant(carol)?, None)?)?;
    Ok(Finished {
        server,
        decided: proposed.id,
        commit,
    })
}

#[allow(dead_code, reason = "the test runs `run`")]
fn main() -> Result<()> {
    match std::env::args_os().nth(1) {
        Some(folder) => run(Path::new(&folder)).map(drop),
        None => run(tempfile::tempdir()?.path()).map(drop),
    }
}
