//! The hooks of a server.

use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use crate::cli::{Answer, Failure, Outcome, clean};
use crate::gate::proc_receive::{Answer as RefAnswer, Push, Ruling, converse};
use crate::gate::push::rule;
use crate::repo::Repo;

/// Standard output is the conversation with receive-pack; people read standard error.
pub fn proc_receive() -> Answer {
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
