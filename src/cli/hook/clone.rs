//! The hooks of a clone: lines from Git in, a verdict out.

use std::path::{Path, PathBuf};

use crate::cli::{Answer, Exit, Failure, Reply};
use crate::gate::Refusal;
use crate::gate::clone::{
    StrangeLine, judge_merge, judge_push, judge_transaction, pushes, updates,
};
use crate::repo::Repo;

pub fn reference_transaction() -> Answer {
    let updates = updates(&input()?).map_err(strange)?;
    verdict(judge_transaction(&repo()?, &updates))
}

pub fn pre_merge_commit() -> Answer {
    verdict(judge_merge(&repo()?))
}

pub fn pre_push(args: &[std::ffi::OsString]) -> Answer {
    let arg = |place: usize| {
        args.get(place)
            .map(|arg| arg.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let pushed = pushes(&input()?).map_err(strange)?;
    verdict(judge_push(&repo()?, (&arg(0), &arg(1)), &pushed))
}

/// The repository that Git runs the hook for. It names it unless it can be found from where the hook runs.
fn repo() -> Result<Repo, Failure> {
    Ok(match std::env::var_os("GIT_DIR") {
        Some(git_dir) => Repo::open(&PathBuf::from(git_dir))?,
        None => Repo::discover(Path::new("."))?,
    })
}

/// What Git says on standard input.
fn input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes);
    read.map_err(|error| Failure::new("IO", format!("cannot read what Git says: {error}")))?;
    Ok(bytes)
}

fn strange(line: StrangeLine) -> Failure {
    Failure::new("UNKNOWN_FORM", line.to_string())
        .hint("install a newer git-quorum; git quorum uninstall takes the hooks away")
}

fn verdict(judged: Result<(), Refusal>) -> Answer {
    match judged {
        Ok(()) => Reply::new((), ""),
        Err(Refusal {
            code,
            reason,
            help,
            next,
        }) => {
            let lines: Vec<_> = [help, next]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect();
            Err(Failure::new(code.code(), reason)
                .exit(Exit::No)
                .hint(lines.join("\n")))
        }
    }
}
