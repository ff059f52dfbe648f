//! The messages that a pusher reads in the terminal: a few lines for each refusal.
//!
//! Equal refusals are explained once, and of many refusals only the first few. Knows no rules.

use super::commands::Push;
use super::refusal::{Refusal, RefusalCode};
use super::ruling::Ruling;

/// The most characters of a line: 80 columns without Git's `remote: `.
const WIDTH: usize = 72;
/// The most refusals that are explained.
const MAX_EXPLAINED: usize = 5;
/// The most characters of a ref name that are shown.
const MAX_NAME: usize = 160;

/// Refs that are refused for the same reason.
struct RefusedRefs<'a> {
    refusal: &'a Refusal,
    names: Vec<&'a str>,
}

/// Explains the refusals of a push, one text for each different refusal.
pub(super) fn refusals(push: &Push, rulings: &[Ruling]) -> Vec<String> {
    let groups = grouped(push, rulings);
    let explained = groups.iter().take(MAX_EXPLAINED);
    let mut messages: Vec<_> = explained
        .map(|group| explain(&subject(&group.names), group.refusal))
        .collect();
    let rest = groups.iter().skip(MAX_EXPLAINED);
    let codes: Vec<_> = rest.map(|group| group.refusal.code).collect();
    if !codes.is_empty() {
        messages.push(not_explained(&codes));
    }
    messages
}

/// Groups equal refusals. Compares each refusal with the first groups only, so that many different
/// refusals cost no quadratic time.
fn grouped<'a>(push: &'a Push, rulings: &'a [Ruling]) -> Vec<RefusedRefs<'a>> {
    let mut groups: Vec<RefusedRefs<'_>> = Vec::new();
    for (pushed, ruling) in push.refs.iter().zip(rulings) {
        let Ruling::Refuse(refusal) = ruling else {
            continue;
        };
        // The refusal of the other ref already explains it.
        if refusal.code == RefusalCode::OtherRefRefused {
            continue;
        }
        let mut first = groups.iter_mut().take(MAX_EXPLAINED);
        match first.find(|group| group.refusal == refusal) {
            Some(group) => group.names.push(&pushed.name),
            None => groups.push(RefusedRefs {
                refusal,
                names: vec![&pushed.name],
            }),
        }
    }
    groups
}

/// Explains the refusal of a whole push.
pub(super) fn whole_push(refusal: &Refusal) -> String {
    explain("the push", refusal)
}

/// Formats a refusal: the subject and the code, the reason, what helps, and the next command.
fn explain(subject: &str, refusal: &Refusal) -> String {
    let mut lines = vec![format!("{subject}: refused [{}]", refusal.code)];
    let texts = std::iter::once(refusal.reason.as_str()).chain(refusal.help.lines());
    lines.extend(texts.flat_map(|text| wrapped(text, "  ")));
    if !refusal.next.is_empty() {
        // A command stays on one line, so that it can be copied.
        lines.push(format!("  next: {}", refusal.next));
    }
    lines.join("\n")
}

fn subject(names: &[&str]) -> String {
    let first = names.first().copied().unwrap_or_default();
    let first: String = first.chars().take(MAX_NAME).collect();
    match names.len() {
        0 | 1 => first,
        count => format!("{first} and {} more", count - 1),
    }
}

fn not_explained(codes: &[RefusalCode]) -> String {
    let mut different: Vec<_> = codes.iter().map(|code| code.code()).collect();
    different.sort_unstable();
    different.dedup();
    let different = different.join(", ");
    fitted(&format!("{} more refs: refused [{different}]", codes.len()))
}

/// Breaks a text into lines that fit.
pub(super) fn fitted(text: &str) -> String {
    wrapped(text, "").join("\n")
}

/// Breaks a text between words. A single word that is too long stays whole.
fn wrapped(text: &str, indent: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::commands::PushedRef;

    fn push(names: impl IntoIterator<Item = String>) -> Push {
        Push::new(
            names
                .into_iter()
                .map(|name| PushedRef {
                    name,
                    old: None,
                    new: None,
                })
                .collect(),
            false,
        )
    }

    fn refusal(code: RefusalCode, reason: &str) -> Ruling {
        Ruling::Refuse(Refusal::new(code, reason, "one\ntwo").then("git quorum status 123"))
    }

    #[test]
    fn a_refusal_is_explained_in_a_few_lines_that_fit() {
        let long = "word ".repeat(30);
        let messages = refusals(
            &push(["refs/heads/main".to_owned()]),
            &[refusal(RefusalCode::NotDecided, &long)],
        );
        let lines: Vec<_> = messages.iter().flat_map(|text| text.lines()).collect();
        assert_eq!(lines[0], "refs/heads/main: refused [NOT_DECIDED]");
        assert_eq!(
            lines[lines.len() - 3..],
            ["  one", "  two", "  next: git quorum status 123"]
        );
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:?}");
    }

    #[test]
    fn equal_refusals_are_explained_once_and_only_the_first_few_are_explained() {
        let names: Vec<_> = (0..1000).map(|n| format!("refs/heads/{n}")).collect();
        let same = vec![refusal(RefusalCode::Contradicts, "same"); 1000];
        let messages = refusals(&push(names.clone()), &same);
        assert_eq!(
            messages,
            [
                "refs/heads/0 and 999 more: refused [CONTRADICTS]\n  same\n  one\n  two\n  next: git quorum status 123"
            ]
        );

        let all: Vec<_> = (0..1000)
            .map(|n| refusal(RefusalCode::NoProposal, &n.to_string()))
            .collect();
        let messages = refusals(&push(names.clone()), &all);
        assert_eq!(
            (messages.len(), messages[5].as_str()),
            (6, "995 more refs: refused [NO_PROPOSAL]")
        );

        let with_others = [
            refusal(RefusalCode::OtherRefRefused, "x"),
            Ruling::Allow,
            Ruling::FallThrough,
        ];
        assert_eq!(refusals(&push(names), &with_others), Vec::<String>::new());
    }
}
