//! Fetches from remotes and pushes to them through `git`, with the user's own credentials and
//! settings. Moves only the refs that the caller names.
//!
//! Knows nothing of what the refs are for.

use std::collections::BTreeMap;

use super::git::{self, GitCommand, Output, parse_oid};
use super::text::clean_text;
use super::{GitError, Repo, RepoError};
use crate::fault;
use crate::id::Oid;

/// Phrases in git's messages which mean that a remote cannot be reached or refuses the connection.
const UNREACHABLE: &[&str] = &[
    "Could not read from remote repository",
    "does not appear to be a git repository",
    "unable to access",
    "unable to connect",
    "unable to look up",
    "Could not resolve",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "hung up unexpectedly",
    "unexpected disconnect",
    "early EOF",
    "' not found",
    "not available on this host",
];

/// Why a fetch or a push failed, or failed in part.
///
/// `Display` says what happened and why. [`TransportError::remedy`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The remote cannot be reached, or the connection broke. What the remote did is unknown.
    #[error("could not reach {remote}: {message}")]
    Unreachable {
        /// The remote.
        remote: String,
        /// Git's message.
        message: String,
    },
    /// The fetch succeeded for some refs only.
    #[error("some refs could not be fetched from {remote}: {message}")]
    Rejected {
        /// The remote.
        remote: String,
        /// Git's message.
        message: String,
    },
    /// A hook of this repository or git itself stopped a push before anything was sent.
    #[error("the push to {remote} was stopped in this repository: {message}")]
    Stopped {
        /// The remote.
        remote: String,
        /// The message of git or the hook.
        message: String,
    },
    /// Something else went wrong.
    #[error(transparent)]
    Other(#[from] RepoError),
}

impl TransportError {
    /// Returns what the user can do next. `None` if the error itself says all there is to say.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => {
                Some("check the address and the network, then retry".to_owned())
            }
            Self::Rejected { .. } | Self::Stopped { .. } => None,
            Self::Other(error) => error.remedy(),
        }
    }
}

impl From<GitError> for TransportError {
    fn from(error: GitError) -> Self {
        TransportError::Other(error.into())
    }
}

/// The result of pushing one ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushStatus {
    /// The remote moved the ref.
    Ok,
    /// The ref already had this value.
    UpToDate,
    /// Git did not send the ref: the update is not a fast-forward, or another ref of an atomic
    /// push failed. With git's reason.
    Rejected(String),
    /// The remote refused the ref. With the remote's reason.
    RemoteRejected(String),
    /// The remote did not report a result for the ref. With git's reason.
    Unreported(String),
}

/// The result of a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushReport {
    /// The result for each ref, by its name on the remote.
    pub refs: BTreeMap<String, PushStatus>,
    /// The lines that the remote's hooks printed, without unprintable characters.
    pub remote_lines: Vec<String>,
}

impl PushReport {
    /// Whether every ref now has the pushed value on the remote.
    pub fn is_ok(&self) -> bool {
        self.refs
            .values()
            .all(|status| matches!(status, PushStatus::Ok | PushStatus::UpToDate))
    }
}

impl Repo {
    /// Lists the refs of a remote that match one of the patterns, or all refs if there is no
    /// pattern. Leaves out peeled tags.
    pub fn ls_remote(
        &self,
        remote: &str,
        patterns: &[&str],
    ) -> Result<BTreeMap<String, Oid>, TransportError> {
        let command = self
            .git("ls-remote")
            .args(["--quiet", "--", checked(remote)?])
            .args(patterns.iter().copied());
        let output = command.output()?;
        if !output.status.success() {
            return Err(failure("ls-remote", remote, &output));
        }
        let lines = output.stdout.split(|b| *b == b'\n');
        let text = lines.filter_map(|line| std::str::from_utf8(line).ok());
        let refs = text.filter(|line| !line.is_empty() && !line.ends_with("^{}"));
        refs.map(parse_remote_ref).collect()
    }

    /// Fetches the given refspecs, and moves no other ref.
    ///
    /// A ref that cannot be moved does not stop the others.
    pub fn fetch(&self, remote: &str, refspecs: &[String]) -> Result<(), TransportError> {
        if refspecs.is_empty() {
            return Ok(());
        }
        for refspec in refspecs {
            checked_refspec(refspec)?;
        }
        let command = fetch_options(self.git("fetch")).watched(&self.watcher);
        let command = command.args(["--stdin", "--", checked(remote)?]);
        fault::point("transport.fetch");
        let output = command
            .input(format!("{}\n", refspecs.join("\n")).into_bytes())
            .output()?;
        fault::point("transport.fetched");
        match output.status.code() {
            Some(0) => Ok(()),
            Some(1) => Err(TransportError::Rejected {
                remote: remote.to_owned(),
                message: output.message(),
            }),
            _ => Err(failure("fetch", remote, &output)),
        }
    }

    /// Pushes the given refspecs and nothing else. With `atomic`, pushes all of them or none.
    ///
    /// The `pre-push` hooks of this repository run. A ref that the remote refuses is not an error
    /// but part of the report.
    pub fn push(
        &self,
        remote: &str,
        refspecs: &[String],
        atomic: bool,
    ) -> Result<PushReport, TransportError> {
        if refspecs.is_empty() {
            return Ok(PushReport::default());
        }
        let mut command = self.push_command(checked(remote)?)?;
        if atomic {
            command = command.arg("--atomic");
        }
        command = command.args(["--", remote]);
        for refspec in refspecs {
            command = command.arg(checked_refspec(refspec)?);
        }
        fault::point("transport.push");
        let output = command.output()?;
        fault::point("transport.pushed");
        push_report(remote, &output)
    }

    /// Pushes to a repository on this machine, whose side runs the command `receive_pack`. Skips
    /// the `pre-push` hooks.
    pub fn push_to(
        &self,
        path: &str,
        receive_pack: &str,
        refspecs: &[String],
    ) -> Result<PushReport, TransportError> {
        let mut command = self.push_command(checked(path)?)?.arg("--no-verify");
        command = command
            .arg(format!("--receive-pack={receive_pack}"))
            .args(["--", path]);
        for refspec in refspecs {
            command = command.arg(checked_refspec(refspec)?);
        }
        push_report(path, &command.output()?)
    }

    /// Simulates a push of one ref: the `pre-push` hooks run, and nothing is sent.
    ///
    /// The remote need not be reachable, because an empty temporary repository takes its place.
    pub fn dry_push(&self, remote: &str, refspec: &str) -> Result<PushReport, TransportError> {
        let parent = self.env.temp_dir();
        let folder = tempfile::tempdir_in(&parent).map_err(|source| RepoError::Io {
            path: parent,
            source,
        })?;
        let path = folder.path().to_string_lossy().into_owned();
        self.git("init")
            .args(["--quiet", "--bare", "--template=", &path])
            .without_repository()
            .run()?;
        let mut command = self.push_command(checked(remote)?)?;
        for key in ["url", "pushurl"] {
            command = command.config(&format!("remote.{remote}.{key}"), &path);
        }
        let command = command.args(["--dry-run", "--", remote, checked_refspec(refspec)?]);
        push_report(remote, &command.output()?)
    }

    fn push_command(&self, remote: &str) -> Result<GitCommand, RepoError> {
        let mut command = plain(self.git("push"));
        // A mirror setting would make git push every ref.
        let mirror = format!("remote.{remote}.mirror");
        if self.remote_exists(remote)? && self.config(&mirror)?.is_some() {
            command = command.config(&mirror, "false");
        }
        let command = command.args(["--porcelain", "--no-follow-tags", "--recurse-submodules=no"]);
        Ok(command.watched(&self.watcher))
    }
}

fn fetch_options(command: GitCommand) -> GitCommand {
    plain(command)
        .config("fetch.prune", "false")
        .config("fetch.writeCommitGraph", "false")
        .args([
            "--quiet",
            "--no-tags",
            "--no-prune",
            "--no-prune-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--refmap=",
        ])
}

/// Turns colours off, because settings can force them on.
fn plain(command: GitCommand) -> GitCommand {
    let keys = ["color.ui", "color.push", "color.transport", "color.remote"];
    keys.iter()
        .fold(command, |command, key| command.config(key, "false"))
}

/// Refuses the name or address of a remote that git could take for an option.
fn checked(remote: &str) -> Result<&str, RepoError> {
    if remote.is_empty() || remote.starts_with('-') || remote.contains(char::is_control) {
        return Err(RepoError::Name {
            what: "the remote",
            name: clean_text(remote),
        });
    }
    Ok(remote)
}

fn checked_refspec(refspec: &str) -> Result<&str, RepoError> {
    if refspec.is_empty() || refspec.starts_with('-') || refspec.contains(char::is_control) {
        return Err(RepoError::Name {
            what: "the refspec",
            name: clean_text(refspec),
        });
    }
    Ok(refspec)
}

fn failure(command: &'static str, remote: &str, output: &Output) -> TransportError {
    let message = output.message();
    // Lines of the remote do not count: a remote that prints a message was reached.
    let mut own = message.lines().filter(|line| !line.starts_with("remote: "));
    if own.any(|line| UNREACHABLE.iter().any(|words| line.contains(words))) {
        return TransportError::Unreachable {
            remote: remote.to_owned(),
            message,
        };
    }
    git::failed(command, output).into()
}

fn parse_remote_ref(line: &str) -> Result<(String, Oid), TransportError> {
    let (oid, name) = line
        .split_once('\t')
        .ok_or_else(|| git::unreadable("ls-remote", line.as_bytes()))?;
    Ok((name.to_owned(), parse_oid("ls-remote", oid.as_bytes())?))
}

/// Parses the output of `git push --porcelain`.
///
/// If the output has no line for any ref, nothing was sent or the connection broke.
fn push_report(remote: &str, output: &Output) -> Result<PushReport, TransportError> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let refs: BTreeMap<String, PushStatus> = stdout.lines().filter_map(parse_status).collect();
    if refs.is_empty() && !output.status.success() {
        return Err(match failure("push", remote, output) {
            TransportError::Other(_) if output.status.code() == Some(1) => {
                TransportError::Stopped {
                    remote: remote.to_owned(),
                    message: output.message(),
                }
            }
            error => error,
        });
    }
    let report = PushReport {
        refs,
        remote_lines: remote_lines(&output.stderr),
    };
    // Git failed although every ref is reported as pushed: the report cannot be trusted.
    if report.is_ok() && !output.status.success() {
        return Err(failure("push", remote, output));
    }
    Ok(report)
}

/// Parses a line of the form `flag TAB from:to TAB summary (reason)`. `None` for other lines.
fn parse_status(line: &str) -> Option<(String, PushStatus)> {
    let mut fields = line.splitn(3, '\t');
    let (flag, refs, summary) = (fields.next()?, fields.next()?, fields.next()?);
    let (_, name) = refs.rsplit_once(':')?;
    let reason = || {
        let inside = summary
            .split_once(" (")
            .and_then(|(_, rest)| rest.strip_suffix(')'));
        clean_text(inside.unwrap_or(summary))
    };
    let status = match flag {
        " " | "+" | "-" | "*" => PushStatus::Ok,
        "=" => PushStatus::UpToDate,
        "!" if summary.starts_with("[remote rejected]") => PushStatus::RemoteRejected(reason()),
        "!" if summary.starts_with("[remote failure]") => PushStatus::Unreported(reason()),
        "!" => PushStatus::Rejected(reason()),
        _ => return None,
    };
    Some((name.to_owned(), status))
}

/// Returns the lines of the remote in what `git push` printed on standard error.
fn remote_lines(stderr: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines().filter_map(remote_line).collect()
}

fn remote_line(line: &str) -> Option<String> {
    let text = match line.strip_prefix("remote: ") {
        Some(text) => text,
        // If receive-pack fails before any hook runs, git reports that as an error of its own.
        None => line
            .strip_prefix("error: ")
            .filter(|text| text.starts_with("remote unpack failed: "))?,
    };
    let text = clean_text(text.trim_end_matches("\u{1b}[K"));
    Some(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::Sandbox;

    struct Pair {
        sandbox: Sandbox,
        here: Repo,
        there: Repo,
        one: Oid,
        two: Oid,
    }

    fn pair() -> Pair {
        let sandbox = Sandbox::new();
        let (here, there) = (sandbox.with_worktree("here"), sandbox.bare("there"));
        here.set_config("remote.origin.url", "../there").unwrap();
        here.set_config("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
            .unwrap();
        let one = sandbox.commit_text(&here, &[], &[("f", "1")]);
        let two = sandbox.commit_text(&here, &[one], &[("f", "2")]);
        Pair {
            sandbox,
            here,
            there,
            one,
            two,
        }
    }

    fn spec(oid: Oid, name: &str) -> String {
        format!("{oid}:{name}")
    }

    fn refs(pairs: &[(&str, Oid)]) -> BTreeMap<String, Oid> {
        pairs
            .iter()
            .map(|(name, oid)| ((*name).to_owned(), *oid))
            .collect()
    }

    #[test]
    fn a_push_reports_the_result_of_each_ref() {
        let Pair {
            sandbox: _sandbox,
            here,
            there,
            one,
            two,
            ..
        } = pair();
        let report = here
            .push(
                "origin",
                &[spec(two, "refs/heads/main"), spec(one, "refs/heads/b")],
                true,
            )
            .unwrap();
        assert!(report.is_ok() && report.refs.len() == 2);
        let all = [
            spec(one, "refs/heads/main"),
            spec(one, "refs/heads/b"),
            spec(two, "refs/heads/c"),
        ];
        let report = here.push("origin", &all, false).unwrap();
        assert!(!report.is_ok());
        assert_eq!(
            report.refs["refs/heads/main"],
            PushStatus::Rejected("non-fast-forward".into())
        );
        assert_eq!(report.refs["refs/heads/b"], PushStatus::UpToDate);
        assert_eq!(report.refs["refs/heads/c"], PushStatus::Ok);
        let expected = refs(&[
            ("refs/heads/b", one),
            ("refs/heads/c", two),
            ("refs/heads/main", two),
        ]);
        assert_eq!(there.list(&[]).unwrap(), expected);

        let report = here
            .push(
                "origin",
                &[spec(one, "refs/heads/main"), spec(two, "refs/heads/d")],
                true,
            )
            .unwrap();
        assert!(
            matches!(&report.refs["refs/heads/d"], PushStatus::Rejected(why) if why.contains("atomic")),
            "{report:?}"
        );
        let report = here
            .push("origin", &[":refs/heads/c".into()], true)
            .unwrap();
        assert_eq!(report.refs["refs/heads/c"], PushStatus::Ok);
        assert_eq!(
            there.list(&[]).unwrap(),
            refs(&[("refs/heads/b", one), ("refs/heads/main", two)])
        );
    }

    #[test]
    fn a_push_reports_what_a_hook_of_the_remote_prints() {
        let Pair {
            sandbox,
            here,
            there,
            one,
            ..
        } = pair();
        sandbox.hook(
            &there,
            "pre-receive",
            "#!/bin/sh\necho 'needs two approvals' >&2\nprintf 'then \\033[31mretry\\n' >&2\nexit 1\n",
        );
        here.set_config("color.ui", "always").unwrap();
        let report = here
            .push("origin", &[spec(one, "refs/heads/main")], true)
            .unwrap();
        assert_eq!(
            report.refs["refs/heads/main"],
            PushStatus::RemoteRejected("pre-receive hook declined".into())
        );
        assert_eq!(
            report.remote_lines,
            ["needs two approvals", "then [31mretry"]
        );
        assert!(there.list(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_hook_here_stops_a_push_before_it_starts() {
        let Pair {
            sandbox,
            here,
            there,
            one,
            ..
        } = pair();
        sandbox.hook(&here, "pre-push", "#!/bin/sh\necho mine >&2\nexit 1\n");
        let stopped = here.push("origin", &[spec(one, "refs/heads/main")], true);
        assert!(
            matches!(&stopped, Err(TransportError::Stopped { message, .. }) if message.contains("mine")),
            "{stopped:?}"
        );
        assert!(there.list(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_remote_that_does_not_exist_is_unreachable() {
        let Pair {
            sandbox: _sandbox,
            here,
            one,
            ..
        } = pair();
        here.set_config("remote.gone.url", "/nowhere/at/all")
            .unwrap();
        here.set_config("remote.off.url", "http://127.0.0.1:9/x")
            .unwrap();
        for remote in ["gone", "off", "file:///nowhere", "unknown"] {
            let unreachable =
                |error: TransportError| matches!(error, TransportError::Unreachable { .. });
            assert!(
                here.push(remote, &[spec(one, "refs/heads/main")], true)
                    .is_err_and(unreachable),
                "push {remote}"
            );
            assert!(
                here.fetch(remote, &["refs/heads/a:refs/x/a".into()])
                    .is_err_and(unreachable),
                "fetch {remote}"
            );
            assert!(
                here.ls_remote(remote, &[]).is_err_and(unreachable),
                "ls-remote {remote}"
            );
        }
    }

    #[test]
    fn a_name_that_git_could_take_for_an_option_is_refused() {
        let Pair {
            sandbox: _sandbox,
            here,
            ..
        } = pair();
        for bad in ["--upload-pack=touch x", "-x", "", "a\nb"] {
            assert!(here.ls_remote(bad, &[]).is_err(), "{bad:?}");
            assert!(
                here.fetch(bad, &["refs/heads/a:refs/x/a".into()]).is_err(),
                "{bad:?}"
            );
            assert!(
                here.push(bad, &["refs/heads/a".into()], false).is_err(),
                "{bad:?}"
            );
            assert!(
                here.push("origin", &[bad.into()], false).is_err(),
                "{bad:?}"
            );
            assert!(here.fetch("origin", &[bad.into()]).is_err(), "{bad:?}");
        }
        assert!(here.remote_exists("origin").unwrap() && !here.remote_exists("other").unwrap());
    }

    #[test]
    fn a_fetch_moves_only_the_named_refs() {
        let Pair {
            sandbox,
            here,
            there,
            one,
            two,
        } = pair();
        let all = ["refs/heads/main", "refs/heads/b", "refs/tags/t"].map(|name| spec(one, name));
        here.push("origin", &all, true).unwrap();
        here.set_config("remote.origin.prune", "true").unwrap();
        here.set_config("remote.origin.tagOpt", "--tags").unwrap();
        sandbox.git(
            here.git_dir(),
            &["update-ref", "refs/remotes/origin/old", &one.to_string()],
        );
        sandbox.git(
            here.git_dir(),
            &["update-ref", "refs/remotes/origin/main", &two.to_string()],
        );
        let before = here.list(&[]).unwrap();
        here.fetch("origin", &["refs/heads/*:refs/x/*".into()])
            .unwrap();
        let mut after = before;
        after.extend(refs(&[("refs/x/main", one), ("refs/x/b", one)]));
        assert_eq!(here.list(&[]).unwrap(), after);
        assert!(!here.git_dir().join("FETCH_HEAD").exists());
        assert_eq!(
            here.ls_remote("origin", &["refs/heads/*"]).unwrap(),
            there.list(&["refs/heads"]).unwrap()
        );
    }

    #[test]
    fn a_ref_that_cannot_fast_forward_does_not_stop_the_others() {
        let Pair {
            sandbox,
            here,
            there,
            one,
            two,
        } = pair();
        here.push(
            "origin",
            &[spec(two, "refs/heads/a"), spec(one, "refs/heads/b")],
            true,
        )
        .unwrap();
        here.fetch("origin", &["refs/heads/*:refs/x/*".into()])
            .unwrap();
        sandbox.git(
            there.git_dir(),
            &["update-ref", "refs/heads/a", &one.to_string()],
        );
        sandbox.git(
            there.git_dir(),
            &["update-ref", "refs/heads/b", &two.to_string()],
        );
        let fetched = here.fetch("origin", &["refs/heads/*:refs/x/*".into()]);
        assert!(
            matches!(fetched, Err(TransportError::Rejected { .. })),
            "{fetched:?}"
        );
        assert_eq!(
            here.list(&["refs/x"]).unwrap(),
            refs(&[("refs/x/a", two), ("refs/x/b", two)])
        );
        let missing = here.fetch("origin", &["refs/heads/zzz:refs/x/zzz".into()]);
        assert!(
            matches!(missing, Err(TransportError::Other(_))),
            "{missing:?}"
        );
    }

    #[test]
    fn a_mirror_setting_does_not_widen_a_push() {
        let Pair {
            sandbox: _sandbox,
            here,
            there,
            one,
            ..
        } = pair();
        here.set_config("remote.origin.mirror", "true").unwrap();
        assert!(
            here.push("origin", &[spec(one, "refs/heads/only")], true)
                .unwrap()
                .is_ok()
        );
        assert_eq!(there.list(&[]).unwrap(), refs(&[("refs/heads/only", one)]));
    }
}
