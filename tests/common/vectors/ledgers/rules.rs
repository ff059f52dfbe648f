//! The rules that whole ledgers show, kept and broken: each with the words of `ledger-spec/deciding.md` that state it.

/// A rule, by the name that vectors give it.
pub struct Rule {
    /// The section or rule and, where that says more than one thing, a word for the one.
    pub name: &'static str,
    /// Words of `deciding.md` that state it; line breaks aside.
    pub words: &'static str,
}

const fn rule(name: &'static str, words: &'static str) -> Rule {
    Rule { name, words }
}

/// All of them, in the order of the page.
pub const RULES: [Rule; 3] = [
    rule(
        "4, lock",
        "A prevote for another proposal than the lock's needs valid prevotes for P by q members, all of one round above the lock's and below r (LOCKED).",
    ),
    rule("6, freeze", "its votes under C in other slots do not count (FROZEN)"),
    rule("7, equivocation", "(i) *equivocation*: the same round and phase, different proposals"),
];

/// The name of a vector's file, without its ending.
pub fn file_name(rule: &str, variant: &str, kept: bool) -> String {
    assert!(RULES.iter().any(|r| r.name == rule), "{rule} is no rule of the list");
    let prefix = if rule.starts_with("section") { "" } else { "rule " };
    let variant = if variant.is_empty() { String::new() } else { format!(" {variant}") };
    let kept = if kept { "kept" } else { "broken" };
    format!("{prefix}{rule}{variant} {kept}").replace(", ", "-").replace(' ', "-").to_lowercase()
}
