//! What Git itself would refuse for refs that the gate has no say in: needed when an atomic push has such
//! refs beside others, and one transaction must move them all.

use std::process::{Command, Stdio};

use super::refusal::{Refusal, RefusalCode};
use super::rules::PushedRef;
use crate::id::Oid;
use crate::repo::{Objects, Repo, RepoError, is_executable, valid_ref_name};

/// What stands for "no object" in the arguments of a hook.
const NO_OBJECT: &str = "0000000000000000000000000000000000000000";

/// Refuses what receive-pack would.
pub(super) fn check(repo: &Repo, objects: &Objects, pushed: &PushedRef) -> Result<(), Refusal> {
    // As Git: at least two parts below refs/.
    if !valid_ref_name(&pushed.name) || pushed.name.split('/').count() < 3 {
        return Err(refuse("Git takes no ref of this name"));
    }
    if let Some(new) = pushed
        .new
        .filter(|new| !objects.contains(*new).unwrap_or(false))
    {
        return Err(refuse(format!("object {new} is missing here")));
    }
    if pushed.name.starts_with("refs/heads/") {
        check_branch(repo, objects, pushed).map_err(|error| refuse(error.to_string()))??;
    }
    update_hook(repo, pushed)
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::ServerSetting, reason, "")
}

fn check_branch(
    repo: &Repo,
    objects: &Objects,
    pushed: &PushedRef,
) -> Result<Result<(), Refusal>, RepoError> {
    match (pushed.old, pushed.new) {
        (Some(_), None) if repo.is_on("receive.denyDeletes")? => {
            Ok(Err(refuse("deletion prohibited")))
        }
        (Some(_), None)
            if repo.head()?.as_deref() == Some(&pushed.name) && !may_delete_head(repo)? =>
        {
            Ok(Err(refuse("deletion of the current branch prohibited")))
        }
        (Some(old), Some(new))
            if repo.is_on("receive.denyNonFastForwards")? && !objects.is_ancestor(old, new)? =>
        {
            Ok(Err(refuse("non-fast-forward")))
        }
        _ => Ok(Ok(())),
    }
}

fn may_delete_head(repo: &Repo) -> Result<bool, RepoError> {
    let value = repo
        .config("receive.denyDeleteCurrent")?
        .map(|value| value.to_ascii_lowercase());
    Ok(value.is_some_and(|value| {
        matches!(
            value.as_str(),
            "ignore" | "warn" | "false" | "no" | "off" | "0"
        )
    }))
}

/// Runs the repository's own `update` hook, as Git does for each ref.
fn update_hook(repo: &Repo, pushed: &PushedRef) -> Result<(), Refusal> {
    let path = repo.git_dir().join("hooks").join("update");
    if !is_executable(&path) {
        return Ok(());
    }
    let value = |oid: Option<Oid>| oid.map_or_else(|| NO_OBJECT.to_owned(), |oid| oid.to_string());
    let mut command = Command::new(&path);
    command.current_dir(repo.git_dir()).args([
        &pushed.name,
        &value(pushed.old),
        &value(pushed.new),
    ]);
    // Our standard output is the conversation with Git.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr()));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(refuse("hook declined")),
        Err(error) => Err(refuse(format!("the update hook could not be run: {error}"))),
    }
}
