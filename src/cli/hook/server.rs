//! The hooks of a server.

use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use crate::cli::{Answer, Failure, Outcome, clean};
use crate::gate::commands::Push;
use crate::gate::pre_receive::judge_early;
use crate::gate::proc_receive::{Answer as RefAnswer, Ruling, converse};
use crate::gate::push::rule;
use crate::repo::Repo;

/// Git starts a hook in the repository and names it relative to there.
fn git_dir() -> PathBuf {
    std::env::var_os("GIT_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// The exit status is the answer; people read standard error.
pub fn pre_receive() -> Answer {
    let unavailable = |error: String| Failure::new("GATE_UNAVAILABLE", error);
    let push = Push::read(std::io::stdin().lock()).map_err(|e| unavailable(e.to_string()))?;
    let repo = Repo::open(&git_dir()).map_err(|e| unavailable(e.to_string()))?;
    match judge_early(&repo, &push) {
        Ok(()) => Outcome::new((), ""),
        Err(says) => {
            tell(&says);
            Err(Failure::told())
        }
    }
}

/// Standard output is the conversation with receive-pack; people read standard error.
pub fn proc_receive() -> Answer {
    let git_dir = git_dir();
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = BufWriter::new(std::io::stdout().lock());
    let says = converse(&mut input, &mut output, |push| rule_in(&git_dir, push));
    let says = says.map_err(|e| Failure::new("GATE_UNAVAILABLE", e.to_string()))?;
    tell(&says);
    Outcome::new((), "")
}

fn tell(says: &[String]) {
    says.iter().for_each(|text| eprintln!("{}", clean(text)));
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
