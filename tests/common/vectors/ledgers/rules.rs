//! The rules that whole ledgers keep and break, each with the words of `ledger-spec/deciding.md`
//! that state it.

/// A rule, by the name that vectors give it.
pub struct Rule {
    /// The number of the rule or the section, and a word for the part of it.
    pub name: &'static str,
    /// The words of `deciding.md` that state the rule. Line breaks do not matter.
    pub words: &'static str,
    /// Whether a member can break the rule. A rule for verifiers only cannot be broken.
    pub breakable: bool,
}

const fn rule(name: &'static str, words: &'static str) -> Rule {
    Rule {
        name,
        words,
        breakable: true,
    }
}

const fn of_verifiers(name: &'static str, words: &'static str) -> Rule {
    Rule {
        name,
        words,
        breakable: false,
    }
}

/// All of them, in the order of the page.
pub const RULES: &[Rule] = &[
    rule(
        "section 1, known",
        "among its ancestors, earlier statements of the same entry included",
    ),
    rule(
        "section 2, root",
        "go back through C's lineage as long as the charters protect the ref; the root is the last charter reached",
    ),
    rule(
        "section 2, charter decided",
        "Every statement must have its entry's charter decided (CHARTER_NOT_DECIDED)",
    ),
    rule(
        "section 2, known proposal",
        "must know the proposal that it names, and that proposal must be valid (UNKNOWN_PROPOSAL)",
    ),
    rule(
        "section 2, protected ref",
        "Its charter protects the ref (NOT_PROTECTED)",
    ),
    rule(
        "section 2, base",
        "proposal of the same ref and root (WRONG_BASE). - A `base` other than the root is decided by votes known to the `propose` (BASE_NOT_DECIDED)",
    ),
    rule(
        "section 2, successor",
        "A `propose-charter` is valid if its charter is decided and the proposed charter may follow its base (NOT_A_SUCCESSOR;",
    ),
    rule(
        "section 2, version",
        "Once such a charter is decided, a verifier of this version stops with UPGRADE_NEEDED and gives no verdict",
    ),
    rule(
        "section 2, approval by a voter",
        "The member votes under that charter (NOT_A_VOTER)",
    ),
    rule(
        "section 2, own approval",
        "Where `own_approval_counts` is false, the member is not the proposer (OWN_APPROVAL)",
    ),
    rule(
        "section 2, charter of an approval",
        "It counts, under its charter only",
    ),
    rule(
        "section 2, reviews",
        "Reviews exclude nothing: a member may approve two rivals. `reject`, `abstain` and `withdraw` are **opinions**",
    ),
    rule(
        "section 2, withdrawal",
        "Only the proposer may withdraw (NOT_THE_PROPOSER)",
    ),
    rule(
        "section 2, rivals",
        "Proposals for one slot are rivals. At most one is decided.",
    ),
    rule(
        "section 3, slot of a ref",
        "for a ref, its root under C is the root of P (NOT_PROTECTED)",
    ),
    rule(
        "section 3, slot of a charter",
        "for the charter, S's base is C (WRONG_BASE)",
    ),
    rule("section 3, voter", "The member votes under C (NOT_A_VOTER)"),
    rule(
        "1, round 0",
        "in round 0: the member's own approval of P is known, and it counts;",
    ),
    rule(
        "1, later round",
        "in any round: q approvals of P are known;",
    ),
    rule(
        "1, earlier quorum",
        "in a later round: a prevote quorum for P in one round below r is known;",
    ),
    rule(
        "1, lock or handed down",
        "A prevote must have at least one of these supports (NOT_APPROVED)",
    ),
    rule(
        "2, prevote quorum",
        "A prevote quorum for P in round r itself is known (NO_PREVOTE_QUORUM)",
    ),
    rule(
        "2, signature",
        "The signature of section 6 verifies (BAD_AGREEMENT_SIGNATURE)",
    ),
    rule(
        "3, quorum",
        "P is decided under C by valid precommits for P by q members",
    ),
    rule(
        "3, one round",
        "all of one round. Votes are never gathered across rounds",
    ),
    rule(
        "3, one charter",
        "Votes are never gathered across rounds or charters.",
    ),
    rule(
        "4, no round back",
        "None of them is of a round above r (ROUND_WENT_BACK)",
    ),
    rule(
        "4, one proposal",
        "None of round r and the same phase is for another proposal (SECOND_VOTE). The same vote twice is no fault",
    ),
    rule(
        "4, lock",
        "must know a prevote quorum for P in one round above the lock's and below r (LOCKED)",
    ),
    rule(
        "4, several locks",
        "on separate branches; then each of them is its lock",
    ),
    rule(
        "4, separate branches",
        "Votes of one member on separate branches, neither known to the other, each count for their own proposal.",
    ),
    rule(
        "5a, entering",
        "must know valid votes of round r - 1 by q members (ROUND_NOT_ENTERED)",
    ),
    rule(
        "6, freeze",
        "is known, whether or not it counts, the member's votes under C in other slots do not count (FROZEN)",
    ),
    rule(
        "6, decision stands",
        "A vote for another proposal does not count (SLOT_DECIDED). A prevote for the decided proposal needs no new approval",
    ),
    rule("6, handed down", "Its proposal is **handed down**"),
    rule(
        "6, release",
        "A prevote for P needs valid prevotes for P by q members, under C, all of one round below r (HANDED_DOWN)",
    ),
    rule("6, latest charter", "Take the quorum of the latest charter"),
    rule("6, highest round", "and, within it, of the highest round"),
    rule(
        "6, latest decision",
        "The first charter with any decision of S is taken",
    ),
    rule(
        "6, lowest round",
        "of its decisions the one of the lowest round",
    ),
    rule("6, lowest id", "Of several in one round the lowest id"),
    rule("6, rounds", "Rounds start at 0 under each charter."),
    rule(
        "7, equivocation",
        "(i) *equivocation*: the same round and phase, different proposals",
    ),
    rule(
        "7, lock violation",
        "(ii) *lock violation*: a precommit (v, r) and, for another w and s > r, a prevote (w, s)",
    ),
    rule(
        "7, freeze violation",
        "(iii) *freeze violation*: a precommit in (charter, C) and a vote under C in another slot. The vote is not known to the precommit",
    ),
    rule(
        "7, any vote",
        "Votes of members that are not voting members are votes here too. A vote whose charter is not decided by votes known to it is not a vote here",
    ),
    of_verifiers(
        "7, no verdict",
        "Evidence names a member and changes no verdict.",
    ),
    rule(
        "section 4, charter in force",
        "a slot decided twice puts neither in force",
    ),
    of_verifiers(
        "section 4, every decision",
        "Every decided proposal is reported, on whatever chain.",
    ),
    of_verifiers(
        "section 4, earliest",
        "Then the earliest charter and its lowest round are named.",
    ),
    rule(
        "section 4, broken slot",
        "A slot with two decisions is a failure wherever it is. It is also a failure when its ref is no longer protected.",
    ),
    rule(
        "section 6, entry",
        "A bare signature without its entry is no vote.",
    ),
    of_verifiers(
        "section 7, monotonicity",
        "**Monotonicity.** Verdicts on statements never change",
    ),
];

/// The name of a vector's file, without its ending.
pub fn file_name(rule: &str, variant: &str, kept: bool) -> String {
    assert!(
        RULES.iter().any(|r| r.name == rule),
        "{rule} is no rule of the list"
    );
    let prefix = if rule.starts_with("section") {
        ""
    } else {
        "rule "
    };
    let variant = if variant.is_empty() {
        String::new()
    } else {
        format!(" {variant}")
    };
    let kept = if kept { "kept" } else { "broken" };
    format!("{prefix}{rule}{variant} {kept}")
        .replace(',', "")
        .replace(' ', "-")
}
