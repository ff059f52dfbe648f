//! Charters in JSON, as geneses and proposals contain them. An input has up to four charters, one
//! on each line, and each is meant to follow the one before. Also checks the texts in charters:
//! names, refs, patterns and keys.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use git_quorum::charter::{
    Charter, FORMAT_VERSION, MemberName, ProposedCharter, PublicKey, RefName, RefPattern, Threshold,
};
use git_quorum::consensus::Subject;
use git_quorum::ledger::to_canonical;

/// A charter that is accepted has one canonical form and safe numbers. In a sequence of charters,
/// names and keys keep their meaning.
pub fn check(input: &[u8]) {
    let mut line: Vec<Charter> = Vec::new();
    for text in input.split(|b| *b == b'\n').take(4) {
        let Some(charter) = read(text) else {
            return texts(text);
        };
        check_alone(&charter);
        match line.last() {
            Some(before) if charter.check_follows(before).is_ok() => line.push(charter),
            Some(_) => return,
            None => line.push(charter),
        }
    }
    check_line(&line);
}

fn read(text: &[u8]) -> Option<Charter> {
    match serde_json::from_slice::<ProposedCharter>(text).ok()? {
        ProposedCharter::Known(charter) => {
            let canonical = to_canonical(&*charter).expect("a charter can be written");
            let again: Charter =
                serde_json::from_str(&canonical).expect("what was written is read");
            assert_eq!(again, *charter);
            assert_eq!(
                to_canonical(&again).expect("a charter can be written"),
                canonical
            );
            Some(*charter)
        }
        ProposedCharter::Newer { version, value } => {
            assert!(version > FORMAT_VERSION);
            let whole: serde_json::Value =
                serde_json::from_slice(text).expect("it was read before");
            assert_eq!(value, whole, "what is not understood is kept as it is");
            None
        }
    }
}

fn check_alone(charter: &Charter) {
    let Threshold { n, f, q } = charter.threshold();
    assert_eq!(n, charter.voters().count());
    assert!(n > 3 * f && 2 * q > n + f && q <= n, "n {n}, f {f}, q {q}");
    assert!(charter.members().is_sorted_by(|a, b| a.name < b.name));
    assert!(
        charter.check_follows(charter).is_ok(),
        "a charter may follow itself"
    );
    let removed = charter.removed().iter().map(|r| (*r.key.bytes(), &r.name));
    let owners: BTreeMap<_, _> = charter
        .members()
        .iter()
        .map(|m| (*m.key.bytes(), &m.name))
        .chain(removed)
        .collect();
    assert_eq!(
        owners.len(),
        charter.members().len() + charter.removed().len(),
        "a key belongs to one member"
    );
    for member in charter.members() {
        assert_eq!(charter.member(&member.name), Some(member));
        assert_eq!(charter.votes(&member.name), member.vote);
    }
    for name in charter.protected().iter().filter_map(RefPattern::exact) {
        assert!(charter.protects(&name), "{name}");
    }
}

/// Checks what must hold from the first charter of a sequence to the last, however far apart they
/// are.
fn check_line(line: &[Charter]) {
    let (Some(first), Some(last)) = (line.first(), line.last()) else {
        return;
    };
    for old in first.members() {
        let stays = last.member(&old.name).is_some_and(|new| new.key == old.key);
        let left = last
            .removed()
            .iter()
            .any(|r| r.name == old.name && r.key == old.key);
        assert!(
            stays != left,
            "{} is a member with its key, or removed",
            old.name
        );
    }
    assert!(
        first.removed().iter().all(|r| last.removed().contains(r)),
        "who is removed stays so"
    );
}

/// Reads any text as each kind of thing that a charter names.
fn texts(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    one_form::<MemberName>(text);
    one_form::<PublicKey>(text);
    one_form::<RefPattern>(text);
    one_form::<Subject>(text);
    if let Some(name) = one_form::<RefName>(text) {
        let pattern: RefPattern = text.parse().expect("a name is a pattern");
        assert!(pattern.matches(text) && pattern.exact() == Some(name));
    }
}

fn one_form<T: FromStr + Display + Debug>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    assert_eq!(value.to_string(), text, "it has one form");
    Some(value)
}
