//! The rules that whole ledgers show, kept and broken: each with the words of `ledger-spec/deciding.md` that state it.

/// A rule, by the name that vectors give it.
pub struct Rule {
    /// The rule's number, or else the section, and a word for the part of it.
    pub name: &'static str,
    /// Words of `deciding.md` that state it; line breaks aside.
    pub words: &'static str,
    /// Whether a member can break it. What only binds verifiers, none can.
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
        "names another proposal must know it, and it must be valid (UNKNOWN_PROPOSAL)",
    ),
    rule(
        "section 2, protected ref",
        "A `propose` is valid if the charter protects the ref (NOT_PROTECTED)",
    ),
    rule(
        "section 2, base",
        "proposal of the same ref and root (WRONG_BASE) that is decided by votes known to it (BASE_NOT_DECIDED)",
    ),
    rule(
        "section 2, successor",
        "A `propose-charter` is valid if the charter may follow its base (NOT_A_SUCCESSOR)",
    ),
    rule(
        "section 2, version",
        "once it is decided, a verifier of this version stops with UPGRADE_NEEDED and gives no verdict",
    ),
    rule(
        "section 2, approval by a voter",
        "if the member votes under it (NOT_A_VOTER)",
    ),
    rule(
        "section 2, own approval",
        "where `own_approval_counts` is false, is not the proposer (OWN_APPROVAL)",
    ),
    rule(
        "section 2, charter of an approval",
        "It counts, under its charter only",
    ),
    rule(
        "section 2, reviews",
        "Reviews exclude nothing: a member may approve two rivals. `reject`, `abstain` and `withdraw` are views",
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
        "for a ref, its root under C is the root of P's chain (NOT_PROTECTED)",
    ),
    rule(
        "section 3, slot of a charter",
        "for the charter, S's base is C (WRONG_BASE)",
    ),
    rule("section 3, voter", "The member votes under C (NOT_A_VOTER)"),
    rule(
        "1, round 0",
        "In round 0: the member's own approval of P (one that counts), or q approvals of P, are known.",
    ),
    rule(
        "1, later round",
        "In a later round: q approvals of P, or valid prevotes",
    ),
    rule(
        "1, earlier quorum",
        "or valid prevotes for P by q members under C, all of one round below r, are known.",
    ),
    rule(
        "1, lock or handed down",
        "In any round it is enough that P is the member's lock or was handed down (rule 6). (NOT_APPROVED)",
    ),
    rule(
        "2, prevote quorum",
        "Valid prevotes for P by q members, all of round r, are known (NO_PREVOTE_QUORUM)",
    ),
    rule(
        "2, signature",
        "the signature of section 6 verifies (BAD_AGREEMENT_SIGNATURE)",
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
        "none is of a round above r (ROUND_WENT_BACK)",
    ),
    rule(
        "4, one proposal",
        "none of round r and the same phase is for another proposal (SECOND_VOTE); the same vote twice is no fault",
    ),
    rule(
        "4, lock",
        "needs valid prevotes for P by q members, all of one round above the lock's and below r (LOCKED)",
    ),
    rule(
        "4, several locks",
        "who precommitted several there, on separate branches, is bound by each",
    ),
    rule(
        "4, separate branches",
        "Votes of one member on separate branches, neither known to the other, each count for their own proposal.",
    ),
    rule(
        "5a, entering",
        "The round has been entered (rule 5a: ROUND_NOT_ENTERED)",
    ),
    rule(
        "6, freeze",
        "is known, whether or not it counts, the member's votes under C in other slots do not count (FROZEN)",
    ),
    rule(
        "6, decision stands",
        "that stands: a vote for anything else does not count (SLOT_DECIDED), and one for it needs no new approval",
    ),
    rule("6, handed down", "Its proposal is **handed down**"),
    rule(
        "6, release",
        "a prevote for another one needs valid prevotes for that one by q members, under C, all of one round below r (HANDED_DOWN)",
    ),
    rule("6, latest charter", "the one of the latest charter"),
    rule("6, highest round", "and, within it, of the highest round"),
    rule(
        "6, latest decision",
        "Going back through the lineage, the first charter with any decision of S is taken",
    ),
    rule(
        "6, lowest round",
        "of its decisions the one of the lowest round",
    ),
    rule("6, lowest id", "of several in one round the lowest id"),
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
        "(iii) *freeze violation*: a precommit in (charter, C) and a vote under C in another slot that is not known to it",
    ),
    rule(
        "7, any vote",
        "Votes of members that do not vote are votes here too. Those whose charter is not decided by votes known to them are not",
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
        "Of several (charter, round) that decide it, the earliest charter and its lowest round are named:",
    ),
    rule(
        "section 4, broken slot",
        "A slot with two decisions is a failure wherever it stands, also when its ref is no longer protected.",
    ),
    rule(
        "section 6, entry",
        "A bare signature without its entry is no vote.",
    ),
    of_verifiers(
        "section 7, monotonicity",
        "*Monotonicity.* Verdicts on statements never change",
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
