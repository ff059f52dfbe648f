//! `git quorum hook NAME`: what the scripts in `hooks/` call.

use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use super::{Answer, Failure, Outcome, clean};
use crate::gate::proc_receive::{Answer as RefAnswer, Push, Ruling, converse};
use crate::gate::push::rule;
use crate::repo::Repo;

/// Called by Git's hooks; not for people.
#[derive(Debug, clap::Args)]
pub struct HookArgs {
    /// The hook that Git is running.
    #[arg(value_name = "NAME")]
    name: String,
}

pub fn run(args: HookArgs) -> Answer {
    match args.name.as_str() {
        "proc-receive" => proc_receive(),
        name => Err(Failure::new("UNKNOWN_HOOK", format!("{name} is no hook of git-quorum"))),
    }
}

/// Standard output is the conversation with receive-pack; people read standard error.
fn proc_receive() -> Answer {
    // Git starts the hook in the repository and names it relative to there.
    let git_dir = std::env::var_os("GIT_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = BufWriter::new(std::io::stdout().lock());
    let says = converse(&mut input, &mut output, |push| rule_in(&git_dir, push));
    let says = says.map_err(|e| Failure::new("GATE_UNAVAILABLE", e.to_string()))?;
    for text in says {
        eprintln!("{}", clean(&text));
    }
    Outcome::new((), "")
}

fn rule_in(git_dir: &Path, push: &Push) -> Ruling {
    match Repo::open(git_dir) {
        Ok(repo) => rule(&repo, push),
        Err(error) => {
            let reason = format!("{error} [GATE_UNAVAILABLE]");
            let answers = push.refs.iter().map(|_| RefAnswer::Refused(reason.clone())).collect();
            Ruling { answers, says: vec![reason] }
        }
    }
}
