//! What Git itself would refuse for refs that the gate has no say in.
//!
//! Needed when an atomic push has such refs beside refs of the gate's concern: one transaction must
//! move them all, so Git cannot check them.

use std::process::{Command, Stdio};

use super::commands::PushedRef;
use super::refusal::{Refusal, RefusalCode};
use crate::id::Oid;
use crate::repo::{Objects, Repo, RepoError, is_executable, valid_ref_name};

/// The argument that stands for "no object" when Git runs a hook.
const NO_OBJECT: &str = "0000000000000000000000000000000000000000";

/// Refuses a ref update that receive-pack would refuse. Runs the repository's `update` hook.
pub(super) fn check(repo: &Repo, objects: &Objects, pushed: &PushedRef) -> Result<(), Refusal> {
    // Git demands at least two parts below refs/.
    if !valid_ref_name(&pushed.name) || pushed.name.split('/').count() < 3 {
        return Err(refuse("Git does not accept a ref of this name"));
    }
    if let Some(new) = pushed.new
        && !objects.contains(new).unwrap_or(false)
    {
        return Err(refuse(format!("object {new} is missing here")));
    }
    if pushed.name.starts_with("refs/heads/") {
        let problem = branch_problem(repo, objects, pushed);
        if let Some(problem) = problem.map_err(|error| refuse(error.to_string()))? {
            return Err(refuse(problem));
        }
    }
    run_update_hook(repo, pushed)
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::ServerSetting, reason, "")
}

/// Returns why the server's settings forbid this update of a branch, in Git's own words. `None` if
/// they allow it.
fn branch_problem(
    repo: &Repo,
    objects: &Objects,
    pushed: &PushedRef,
) -> Result<Option<&'static str>, RepoError> {
    match (pushed.old, pushed.new) {
        (Some(_), None) => {
            if repo.is_on("receive.denyDeletes")? {
                return Ok(Some("deletion prohibited"));
            }
            let is_head = repo.head()?.as_deref() == Some(&pushed.name);
            if is_head && !may_delete_head(repo)? {
                return Ok(Some("deletion of the current branch prohibited"));
            }
        }
        (Some(old), Some(new)) => {
            let only_forward = repo.is_on("receive.denyNonFastForwards")?;
            if only_forward && !objects.is_ancestor(old, new)? {
                return Ok(Some("non-fast-forward"));
            }
        }
        (None, _) => {}
    }
    Ok(None)
}

fn may_delete_head(repo: &Repo) -> Result<bool, RepoError> {
    let value = repo.config("receive.denyDeleteCurrent")?;
    let value = value.unwrap_or_default().to_ascii_lowercase();
    let allowing = ["ignore", "warn", "false", "no", "off", "0"];
    Ok(allowing.contains(&value.as_str()))
}

/// Runs the repository's own `update` hook, as Git does for each ref.
fn run_update_hook(repo: &Repo, pushed: &PushedRef) -> Result<(), Refusal> {
    let path = repo.git_dir().join("hooks").join("update");
    if !is_executable(&path) {
        return Ok(());
    }
    let value = |oid: Option<Oid>| oid.map_or_else(|| NO_OBJECT.to_owned(), |oid| oid.to_string());
    let mut command = Command::new(&path);
    command.current_dir(repo.git_dir());
    command.args([&pushed.name, &value(pushed.old), &value(pushed.new)]);
    command.stdin(Stdio::null());
    // Our own standard output is the conversation with Git.
    command.stdout(Stdio::from(std::io::stderr()));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(refuse("hook declined")),
        Err(error) => Err(refuse(format!("the update hook could not be run: {error}"))),
    }
}
