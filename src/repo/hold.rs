//! Prepares ref transactions that are never committed. Such a transaction locks its refs and runs
//! the `reference-transaction` hook, and changes nothing.
//!
//! Knows nothing of what the transactions are for.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin};

use super::Repo;
use super::git::Output;
use super::refs::{RefEdit, RefError, preparation};

/// The locks of a prepared transaction. Dropping the value aborts the transaction.
#[derive(Debug)]
pub struct Held {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Repo {
    /// Prepares a transaction of these edits, and never moves a ref.
    ///
    /// No other process can move these refs until the result is dropped.
    pub fn hold(&self, edits: &[RefEdit]) -> Result<Held, RefError> {
        let input = preparation(edits)?;
        let mut child = self
            .git("update-ref")
            .args(["--no-deref", "--stdin", "-z"])
            .start()?;
        let mut stdin = child.stdin.take();
        if let Some(stdin) = &mut stdin {
            // If git has given up already, its messages below say why.
            let _ = stdin.write_all(&input).and_then(|()| stdin.flush());
        }
        let mut answers = child.stdout.take().map(BufReader::new);
        let mut stdout = Vec::new();
        while let Some(answers) = &mut answers {
            match answers.read_until(b'\n', &mut stdout) {
                Ok(read) if read > 0 && stdout.ends_with(b"prepare: ok\n") => {
                    return Ok(Held { child, stdin });
                }
                Ok(read) if read > 0 => {}
                _ => break,
            }
        }
        drop(stdin);
        let mut stderr = Vec::new();
        if let Some(mut pipe) = child.stderr.take() {
            // A failed read only shortens the message of an error.
            let _ = pipe.read_to_end(&mut stderr);
        }
        let status = child.wait().map_err(|source| super::git::GitError::Start {
            command: "update-ref",
            source,
        })?;
        let output = Output {
            status,
            stdout,
            stderr,
        };
        Err(self.why_refused(edits, &output)?)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            let _ = stdin.write_all(b"abort\0");
        }
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use crate::repo::testing::Sandbox;
    use crate::repo::{Expect, RefEdit, RefError};

    #[test]
    fn nobody_can_move_a_held_ref_until_it_is_released() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let one = sandbox.commit_text(&repo, &[], &[("f", "1")]);
        let edit = |new| {
            [RefEdit {
                name: "refs/heads/main".into(),
                old: Expect::Any,
                new,
            }]
        };
        repo.transaction(&edit(Some(one))).unwrap();
        for new in [Some(sandbox.commit_text(&repo, &[], &[("f", "2")])), None] {
            let held = repo.hold(&edit(new)).unwrap();
            assert!(matches!(
                repo.transaction(&edit(new)),
                Err(RefError::Locked { .. })
            ));
            drop(held);
            assert_eq!(repo.read("refs/heads/main").unwrap(), Some(one));
        }
        repo.transaction(&edit(None)).unwrap();
    }

    #[test]
    fn a_transaction_that_cannot_be_prepared_reports_why() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let one = sandbox.commit_text(&repo, &[], &[("f", "1")]);
        let edits = |name: &str, old| {
            [RefEdit {
                name: name.into(),
                old,
                new: Some(one),
            }]
        };
        assert!(matches!(
            repo.hold(&edits("refs/heads/a", Expect::Is(one))),
            Err(RefError::Conflict { .. })
        ));
        assert!(repo.hold(&edits("refs/heads/a b", Expect::Any)).is_err());
        sandbox.hook(
            &repo,
            "reference-transaction",
            "#!/bin/sh\ntest \"$1\" != prepared || { echo >&2 no; exit 1; }",
        );
        let refused = repo.hold(&edits("refs/heads/a", Expect::Any)).unwrap_err();
        assert!(
            matches!(&refused, RefError::Refused { message } if message.contains("no")),
            "{refused}"
        );
    }
}
