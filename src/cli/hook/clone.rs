//! The hooks of a clone: lines from Git in, a verdict out.

use std::path::{Path, PathBuf};

use crate::cli::{Answer, Exit, Failure, Outcome};
use crate::gate::clone::{NewValue, Update, judge_merge, judge_push, judge_transaction};
use crate::gate::{PushedRef, Refusal};
use crate::id::Oid;
use crate::repo::Repo;

pub fn reference_transaction() -> Answer {
    let updates = lines()?.iter().map(|line| update(line)).collect::<Result<Vec<_>, _>>()?;
    verdict(judge_transaction(&repo()?, &updates))
}

pub fn pre_merge_commit() -> Answer {
    verdict(judge_merge(&repo()?))
}

pub fn pre_push(args: &[std::ffi::OsString]) -> Answer {
    let arg = |place: usize| args.get(place).map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
    let pushed = lines()?.iter().map(|line| pushed(line)).collect::<Result<Vec<_>, _>>()?;
    verdict(judge_push(&repo()?, (&arg(0), &arg(1)), &pushed))
}

/// The repository that Git runs the hook for. It names it unless it can be found from where the hook runs.
fn repo() -> Result<Repo, Failure> {
    Ok(match std::env::var_os("GIT_DIR") {
        Some(git_dir) => Repo::open(&PathBuf::from(git_dir))?,
        None => Repo::discover(Path::new("."))?,
    })
}

fn lines() -> Result<Vec<String>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes);
    read.map_err(|error| Failure::new("IO", format!("cannot read what Git says: {error}")))?;
    // A name that is no text is no name of a ref that is known here, and so is refused where it is protected.
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

/// `old new ref`.
fn update(line: &str) -> Result<Update, Failure> {
    let parts: Vec<_> = line.splitn(3, ' ').collect();
    let [old, new, name] = parts.as_slice() else { return Err(strange(line)) };
    let new = match new.strip_prefix("ref:") {
        Some(_) => NewValue::Symbolic,
        None => value(new, line)?.map_or(NewValue::Nothing, NewValue::Object),
    };
    let old = if old.starts_with("ref:") { None } else { value(old, line)? };
    Ok(Update { name: (*name).to_owned(), old, new })
}

/// `local-ref local-value remote-ref remote-value`; what stands first may hold blanks.
fn pushed(line: &str) -> Result<PushedRef, Failure> {
    let parts: Vec<_> = line.rsplitn(4, ' ').collect();
    let [old, name, new, _] = parts.as_slice() else { return Err(strange(line)) };
    Ok(PushedRef { name: (*name).to_owned(), old: value(old, line)?, new: value(new, line)? })
}

/// An object, or zeros for none.
fn value(text: &str, line: &str) -> Result<Option<Oid>, Failure> {
    if !text.is_empty() && text.bytes().all(|b| b == b'0') {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| strange(line))
}

fn strange(line: &str) -> Failure {
    let line: String = line.chars().take(200).collect();
    Failure::new("UNKNOWN_FORM", format!("Git says {line:?}, which this program does not know"))
        .hint("install a newer git-quorum; git quorum uninstall takes the hooks away")
}

fn verdict(judged: Result<(), Refusal>) -> Answer {
    match judged {
        Ok(()) => Outcome::new((), ""),
        Err(Refusal { code, reason, help, next }) => {
            let lines: Vec<_> = [help, next].into_iter().filter(|text| !text.is_empty()).collect();
            Err(Failure::new(code.code(), reason).exit(Exit::No).hint(lines.join("\n")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "0000000000000000000000000000000000000000";

    fn oid(n: u8) -> Oid {
        Oid::new([n; 20])
    }

    #[test]
    fn every_form_of_an_update_is_read() {
        let name = "refs/heads/main".to_owned();
        let read = |old: &str, new: &str| update(&format!("{old} {new} {name}")).unwrap();
        let expected = |old, new| Update { name: name.clone(), old, new };
        let (one, two) = (oid(1), oid(2));
        assert_eq!(read(&one.to_string(), &two.to_string()), expected(Some(one), NewValue::Object(two)));
        assert_eq!(read(ZEROS, ZEROS), expected(None, NewValue::Nothing));
        assert_eq!(read(ZEROS, "ref:refs/heads/x"), expected(None, NewValue::Symbolic));
        assert_eq!(read("ref:refs/heads/x", &two.to_string()), expected(None, NewValue::Object(two)));
        for strange in
            ["", "x", "a b c", &format!("{one} {two}"), &format!("{one} x {name}"), &format!(" {two} {name}")]
        {
            assert!(update(strange).is_err(), "{strange:?}");
        }
    }

    #[test]
    fn what_is_pushed_may_be_called_anything() {
        let (old, new) = (oid(1), oid(2));
        let expected = PushedRef { name: "refs/heads/main".to_owned(), old: Some(old), new: Some(new) };
        for local in ["refs/heads/topic", "HEAD@{1 day ago}", ":/fix refs/heads/x"] {
            assert_eq!(pushed(&format!("{local} {new} refs/heads/main {old}")).unwrap(), expected, "{local}");
        }
        let deletion = pushed(&format!("(delete) {ZEROS} refs/heads/main {old}")).unwrap();
        assert_eq!(deletion, PushedRef { new: None, ..expected });
        assert!(pushed("a b c").is_err() && pushed("a b c d").is_err());
    }
}
