//! The hooks of a clone: reads what Git sends, and answers with a ruling.

use std::path::{Path, PathBuf};

use crate::cli::{Answer, Failure, Reply};
use crate::client::Code;
use crate::gate::Refusal;
use crate::gate::clone::{
    PushTarget, StrangeLine, judge_merge, judge_push, judge_transaction, pushes, updates,
};
use crate::repo::Repo;

pub fn reference_transaction() -> Answer {
    let updates = updates(&input()?).map_err(strange)?;
    let reflog_action = std::env::var("GIT_REFLOG_ACTION").ok();
    answer(judge_transaction(
        &repo()?,
        &updates,
        reflog_action.as_deref(),
    ))
}

pub fn pre_merge_commit() -> Answer {
    answer(judge_merge(&repo()?))
}

pub fn pre_push(args: &[std::ffi::OsString]) -> Answer {
    let arg = |place: usize| {
        let arg = args
            .get(place)
            .map(|arg| arg.to_string_lossy().into_owned());
        arg.unwrap_or_default()
    };
    let target = PushTarget {
        remote: arg(0),
        url: arg(1),
    };
    let pushed = pushes(&input()?).map_err(strange)?;
    answer(judge_push(&repo()?, &target, &pushed))
}

/// Opens the repository that Git runs the hook for. Git names it, unless it can be found from the
/// folder in which the hook runs.
fn repo() -> Result<Repo, Failure> {
    Ok(match std::env::var_os("GIT_DIR") {
        Some(git_dir) => Repo::open(&PathBuf::from(git_dir))?,
        None => Repo::discover(Path::new("."))?,
    })
}

/// Reads what Git sends on standard input.
fn input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes);
    read.map_err(|error| {
        Failure::of_code(Code::Io, format!("cannot read what Git says: {error}"))
    })?;
    Ok(bytes)
}

fn strange(line: StrangeLine) -> Failure {
    Failure::of_code(Code::UnknownForm, line.to_string())
        .hint("install a newer git-quorum; git quorum uninstall takes the hooks away")
}

fn answer(judged: Result<(), Refusal>) -> Answer {
    let Err(refusal) = judged else {
        return Reply::new((), "");
    };
    let hints = [refusal.help, refusal.next];
    let hints: Vec<_> = hints.into_iter().filter(|text| !text.is_empty()).collect();
    Err(Failure::refusal(
        refusal.code.code(),
        refusal.reason,
        hints.join("\n"),
    ))
}
