//! What people read in the terminal that they pushed from: a few lines for each refusal, none of them twice, and an end to many.

use super::commands::Push;
use super::refusal::{Refusal, RefusalCode};
use super::rules::Verdict;

/// What is left of 80 columns after `remote: `.
const WIDTH: usize = 72;
/// How many refusals are explained.
const EXPLAINED: usize = 5;
/// The most characters of a ref's name that are shown.
const NAME: usize = 160;

/// The refusals of a push, those that say the same in one.
pub(super) fn refusals(push: &Push, verdicts: &[Verdict]) -> Vec<String> {
    let mut told: Vec<(&Refusal, Vec<&str>)> = Vec::new();
    for (pushed, verdict) in push.refs.iter().zip(verdicts) {
        match verdict {
            // It has its reason in the refusal of the other one.
            Verdict::Refuse(refusal) if refusal.code == RefusalCode::OtherRefRefused => {}
            Verdict::Refuse(refusal) => match told
                .iter_mut()
                .take(EXPLAINED)
                .find(|(known, _)| *known == refusal)
            {
                Some((_, names)) => names.push(&pushed.name),
                None => told.push((refusal, vec![&pushed.name])),
            },
            Verdict::Allow | Verdict::FallThrough => {}
        }
    }
    let explained = told
        .iter()
        .take(EXPLAINED)
        .map(|(refusal, names)| explain(&subject(names), refusal));
    let rest: Vec<_> = told
        .iter()
        .skip(EXPLAINED)
        .map(|(refusal, _)| refusal.code)
        .collect();
    explained
        .chain((!rest.is_empty()).then(|| left_out(&rest)))
        .collect()
}

/// The refusal of a whole push.
pub(super) fn whole(refusal: &Refusal) -> String {
    explain("the push", refusal)
}

/// A refusal: of what, the code, the reason, what helps, and the next command.
fn explain(subject: &str, refusal: &Refusal) -> String {
    let mut lines = vec![format!("{subject}: refused [{}]", refusal.code)];
    let texts = std::iter::once(refusal.reason.as_str()).chain(refusal.help.lines());
    lines.extend(texts.flat_map(|text| wrapped(text, "  ")));
    if !refusal.next.is_empty() {
        // A command stays one line, to be copied.
        lines.push(format!("  next: {}", refusal.next));
    }
    lines.join("\n")
}

fn subject(names: &[&str]) -> String {
    let first: String = names
        .first()
        .into_iter()
        .flat_map(|name| name.chars())
        .take(NAME)
        .collect();
    match names.len() {
        0 | 1 => first,
        more => format!("{first} and {} more", more - 1),
    }
}

fn left_out(codes: &[RefusalCode]) -> String {
    let mut kinds: Vec<_> = codes.iter().map(|code| code.code()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    fitted(&format!(
        "{} more refs: refused [{}]",
        codes.len(),
        kinds.join(", ")
    ))
}

/// A text in lines that fit.
pub(super) fn fitted(text: &str) -> String {
    wrapped(text, "").join("\n")
}

/// Lines of a width that fits beside what Git puts before them, broken between words only.
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
    use crate::gate::rules::PushedRef;

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

    fn refusal(code: RefusalCode, reason: &str) -> Verdict {
        Verdict::Refuse(Refusal::new(code, reason, "one\ntwo").then("git quorum status 123"))
    }

    #[test]
    fn a_refusal_is_a_few_lines_that_fit() {
        let long = "word ".repeat(30);
        let said = refusals(
            &push(["refs/heads/main".to_owned()]),
            &[refusal(RefusalCode::NotDecided, &long)],
        );
        let lines: Vec<_> = said.iter().flat_map(|text| text.lines()).collect();
        assert_eq!(lines[0], "refs/heads/main: refused [NOT_DECIDED]");
        assert_eq!(
            lines[lines.len() - 3..],
            ["  one", "  two", "  next: git quorum status 123"]
        );
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:?}");
    }

    #[test]
    fn the_same_is_said_once_and_of_many_only_some() {
        let names: Vec<_> = (0..1000).map(|n| format!("refs/heads/{n}")).collect();
        let same = vec![refusal(RefusalCode::Contradicts, "same"); 1000];
        let said = refusals(&push(names.clone()), &same);
        assert_eq!(
            said,
            [
                "refs/heads/0 and 999 more: refused [CONTRADICTS]\n  same\n  one\n  two\n  next: git quorum status 123"
            ]
        );

        let all: Vec<_> = (0..1000)
            .map(|n| refusal(RefusalCode::NoProposal, &n.to_string()))
            .collect();
        let said = refusals(&push(names.clone()), &all);
        assert_eq!(
            (said.len(), said[5].as_str()),
            (6, "995 more refs: refused [NO_PROPOSAL]")
        );

        let with_others = [
            refusal(RefusalCode::OtherRefRefused, "x"),
            Verdict::Allow,
            Verdict::FallThrough,
        ];
        assert_eq!(refusals(&push(names), &with_others), Vec::<String>::new());
    }
}
