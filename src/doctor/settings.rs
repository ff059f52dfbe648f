//! What is read rather than tried: settings, and the state of the repository.

use std::path::Path;

use super::findings::{Findings, Weight, Wording};
use crate::repo::{Repo, RepoError};

/// What both ends need.
pub(super) fn examine_repository(
    repo: &Repo,
    complete: Weight,
    findings: &mut Findings,
) -> Result<(), RepoError> {
    let partial = repo.is_partial()?;
    let whole = !repo.is_shallow() && !partial;
    // Once a filter was used, packs and settings say that objects may be missing, whatever is fetched.
    let mend = if partial {
        "clone it again without --filter"
    } else {
        "git fetch --unshallow"
    };
    let wording = Wording {
        holds: "the history is whole",
        missing: "it is shallow or partial: what it lacks cannot be checked",
    };
    findings.judge("complete", complete, whole, wording, mend);

    let replaced = repo.list(&["refs/replace/"])?;
    let wording = Wording {
        holds: "no replace refs",
        missing: "there are replace refs: Git shows other objects than those that were decided",
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
        holds: "no grafts",
        missing: "info/grafts is there: Git shows another history than the one that was decided",
    };
    findings.judge(
        "no-grafts",
        Weight::Advised,
        !grafts.exists(),
        wording,
        "git replace --convert-graft-file, or remove it",
    );

    let alternates = repo
        .git_dir()
        .join("objects")
        .join("info")
        .join("alternates");
    let borrowed = std::fs::read(alternates).is_ok_and(|bytes| !bytes.trim_ascii().is_empty());
    let wording = Wording {
        holds: "all objects are its own",
        missing: "objects are borrowed from another repository, which may lose them",
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

/// What a server that strangers push to should have set.
pub(super) fn examine_receiving(repo: &Repo, findings: &mut Findings) -> Result<(), RepoError> {
    let narrow = "receive.fsckObjects";
    let fsck = repo.is_on(if repo.config(narrow)?.is_some() {
        narrow
    } else {
        "transfer.fsckObjects"
    })?;
    let wording = Wording {
        holds: "pushed objects are checked",
        missing: "pushed objects are not checked for malformed content",
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
        holds: "pushes leave the history whole",
        missing: "receive.shallowUpdate is on: the gate refuses everything",
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
        holds: "a push has a greatest size",
        missing: "a push can be of any size and fill the disk",
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
        holds: "clients see the ledger",
        missing: "refs/quorum/ is hidden: clients cannot fetch what was decided",
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

/// Whether a value of `hideRefs` names what the ledger lies in or below.
fn hides_ledger(value: &str) -> bool {
    let name = value.trim_start_matches('^');
    !value.starts_with('!')
        && (name == "refs" || name == "refs/" || name.starts_with("refs/quorum"))
}

/// Whether others than the owner could change what the gate rests on.
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
        holds: "only owner and group can write the gate's files",
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
    let found = "who can write the gate's files cannot be told on this system".to_owned();
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
    fn hidden_is_what_hides_the_ledger() {
        for value in ["refs", "refs/quorum", "refs/quorum/ab", "^refs/quorum"] {
            assert!(hides_ledger(value), "{value}");
        }
        for value in ["!refs/quorum", "refs/heads", "refs/quo"] {
            assert!(!hides_ledger(value), "{value}");
        }
    }
}
