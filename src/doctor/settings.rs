//! Examines what is read and not attempted: settings, and the state of the repository.

use std::path::Path;

use super::findings::{Findings, Weight, Wording};
use crate::repo::{Repo, RepoError};

/// Examines what a server and a clone both need. `complete` is how much a whole history matters.
pub(super) fn examine_repository(
    repo: &Repo,
    complete: Weight,
    findings: &mut Findings,
) -> Result<(), RepoError> {
    let partial = repo.is_partial()?;
    let whole = !repo.is_shallow() && !partial;
    // After a clone with a filter, packs and settings say that objects may be missing, whatever is
    // fetched later.
    let mend = if partial {
        "clone it again without --filter"
    } else {
        "git fetch --unshallow"
    };
    let wording = Wording {
        holds: "the history is complete",
        missing: "the repository is shallow or partial, so what it lacks cannot be checked",
    };
    findings.judge("complete", complete, whole, wording, mend);

    let replaced = repo.list(&["refs/replace/"])?;
    let wording = Wording {
        holds: "there are no replace refs",
        missing: "there are replace refs, so Git shows objects that nobody decided on",
    };
    findings.judge(
        "no-replace-refs",
        Weight::Advised,
        replaced.is_empty(),
        wording,
        &remove_all(&replaced),
    );

    let grafts = repo.git_dir().join("info").join("grafts");
    let wording = Wording {
        holds: "there are no grafts",
        missing: "info/grafts exists, so Git shows a history that nobody decided on",
    };
    findings.judge(
        "no-grafts",
        Weight::Advised,
        !grafts.exists(),
        wording,
        "git replace --convert-graft-file, or remove the file",
    );

    let alternates = repo
        .git_dir()
        .join("objects")
        .join("info")
        .join("alternates");
    let borrowed = std::fs::read(alternates).is_ok_and(|bytes| !bytes.trim_ascii().is_empty());
    let wording = Wording {
        holds: "the repository has all its objects itself",
        missing: "the repository borrows objects from another repository, which may lose them",
    };
    findings.judge(
        "no-alternates",
        Weight::Advised,
        !borrowed,
        wording,
        "git repack -a -d && rm objects/info/alternates",
    );
    Ok(())
}

fn remove_all<V>(replaced: &std::collections::BTreeMap<String, V>) -> String {
    let names: Vec<_> = replaced
        .keys()
        .take(3)
        .filter_map(|name| name.strip_prefix("refs/replace/"))
        .collect();
    format!(
        "git replace -d {}{}",
        names.join(" "),
        if replaced.len() > 3 { " ..." } else { "" }
    )
}

/// Examines the settings of a server that receives pushes.
pub(super) fn examine_receiving(repo: &Repo, findings: &mut Findings) -> Result<(), RepoError> {
    let narrow = "receive.fsckObjects";
    let fsck = repo.is_on(if repo.config(narrow)?.is_some() {
        narrow
    } else {
        "transfer.fsckObjects"
    })?;
    let wording = Wording {
        holds: "Git checks pushed objects",
        missing: "Git does not check pushed objects for malformed content",
    };
    findings.judge(
        "receive.fsckObjects",
        Weight::Advised,
        fsck,
        wording,
        "git config receive.fsckObjects true",
    );

    let shallow = repo.is_on("receive.shallowUpdate")?;
    let wording = Wording {
        holds: "pushes keep the history complete",
        missing: "receive.shallowUpdate is on, so the gate refuses everything",
    };
    findings.judge(
        "receive.shallowUpdate",
        Weight::Needed,
        !shallow,
        wording,
        "git config receive.shallowUpdate false",
    );

    let limit = repo
        .config("receive.maxInputSize")?
        .is_some_and(|value| !value.trim_matches('0').is_empty());
    let wording = Wording {
        holds: "the size of a push is limited",
        missing: "the size of a push is not limited, so a push can fill the disk",
    };
    findings.judge(
        "receive.maxInputSize",
        Weight::Advised,
        limit,
        wording,
        "git config receive.maxInputSize 500m",
    );

    let keys = [
        "transfer.hideRefs",
        "uploadpack.hideRefs",
        "receive.hideRefs",
    ];
    let hiding = keys.iter().map(|key| {
        Ok((
            *key,
            repo.config_all(key)?
                .iter()
                .any(|value| hides_ledger(value)),
        ))
    });
    let hiding: Vec<_> = hiding.collect::<Result<_, RepoError>>()?;
    let hidden = hiding.iter().find(|(_, hides)| *hides).map(|(key, _)| *key);
    let mend = format!("git config --unset-all {}", hidden.unwrap_or_default());
    let wording = Wording {
        holds: "clients can see the ledger",
        missing: "refs/quorum/ is hidden, so clients cannot fetch the ledger",
    };
    findings.judge(
        "ledger-is-shown",
        Weight::Needed,
        hidden.is_none(),
        wording,
        &mend,
    );
    Ok(())
}

/// Whether a value of `hideRefs` hides refs of a ledger.
fn hides_ledger(value: &str) -> bool {
    let name = value.trim_start_matches('^');
    !value.starts_with('!')
        && (name == "refs" || name == "refs/" || name.starts_with("refs/quorum"))
}

/// Examines whether everybody on this machine could change the files that the gate needs.
#[cfg(unix)]
pub(super) fn examine_permissions(paths: &[&Path], findings: &mut Findings) {
    use std::os::unix::fs::PermissionsExt as _;
    let open = |path: &&&Path| {
        path.metadata()
            .is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0)
    };
    let found: Vec<_> = paths
        .iter()
        .filter(open)
        .map(|path| path.display().to_string())
        .collect();
    let no = format!("everybody on this machine can write {}", found.join(", "));
    let wording = Wording {
        holds: "only the owner and the group can write the gate's files",
        missing: no.as_str(),
    };
    findings.judge(
        "file-permissions",
        Weight::Needed,
        found.is_empty(),
        wording,
        &format!("chmod o-w {}", found.join(" ")),
    );
}

#[cfg(not(unix))]
pub(super) fn examine_permissions(_: &[&Path], findings: &mut Findings) {
    let found = "this system does not show who can write the gate's files".to_owned();
    findings.add(
        "file-permissions",
        Weight::Needed,
        Status::NotTestable,
        found,
        "",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_hides_the_ledger_if_it_names_its_refs_or_a_folder_above() {
        for value in ["refs", "refs/quorum", "refs/quorum/ab", "^refs/quorum"] {
            assert!(hides_ledger(value), "{value}");
        }
        for value in ["!refs/quorum", "refs/heads", "refs/quo"] {
            assert!(!hides_ledger(value), "{value}");
        }
    }
}
