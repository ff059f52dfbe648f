//! Folds names that a file system may treat as one name.
//!
//! The file systems of macOS and Windows ignore case, Unicode form or invisible characters. The
//! folding here is coarser than any of them: two names that one of them confuses fold to the same.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

/// Removes from a name everything that such a file system ignores.
pub(super) fn fold(name: &str) -> String {
    let mut folded = fold_once(name);
    // A second round is rare: the expansion of a compatibility form can have a case itself.
    for _ in 0..4 {
        let again = fold_once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

/// Folds the start of a name. Every name with this start folds to a name with the folded start.
pub(super) fn fold_prefix(prefix: &str) -> String {
    // A combining mark at the end can change places with a mark that follows.
    let folded = fold(prefix);
    folded
        .trim_end_matches(|c| canonical_combining_class(c) != 0)
        .to_owned()
}

fn fold_once(name: &str) -> String {
    if name.is_ascii() {
        return without_dots(&name.to_ascii_lowercase());
    }
    let visible = name.nfkd().filter(|c| !is_ignored(*c));
    // To lower case, to upper case, and back: some letters are equal in one of the cases only (ſ
    // and s, ß and ẞ).
    let lower = visible.flat_map(char::to_lowercase);
    let folded = lower
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase);
    without_dots(
        &folded
            .nfkd()
            .filter(|c| !is_ignored(*c))
            .collect::<String>(),
    )
}

/// Removes dots at the end of each part, as Windows does for files and folders.
fn without_dots(name: &str) -> String {
    let parts: Vec<_> = name
        .split('/')
        .map(|part| part.trim_end_matches('.'))
        .collect();
    parts.join("/")
}

/// Whether a character is one that Unicode lets programs ignore (`Default_Ignorable_Code_Point`),
/// or the replacement character, which stands for bytes that are not UTF-8.
fn is_ignored(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{fffd}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_file_system_confuses_fold_to_one_name() {
        let main = fold("refs/heads/main");
        for alias in [
            "refs/heads/MAIN",
            "Refs/Heads/main",
            "refs/heads/ｍａｉｎ",
            "refs/heads/𝐦ain",
            "refs/heads/ma\u{200c}in",
            "refs/heads/main\u{feff}",
            "refs/heads/ma\u{fe0f}in",
            "refs/heads/ma\u{ad}in",
            "refs/heads/ma\u{fffd}in",
            "refs/heads/maın",
            "refs/heads./main",
        ] {
            assert_eq!(fold(alias), main, "{alias:?}");
        }
        for (one, other) in [
            ("Straße", "STRASSE"),
            ("ẞ", "ss"),
            ("é", "e\u{301}"),
            ("\u{1e69}", "s\u{307}\u{323}"),
            ("ΌΣΟΣ", "όσος"),
            ("ſ", "S"),
            ("K", "k"),
            ("ﬁ", "FI"),
            ("가", "\u{1100}\u{1161}"),
            ("Ⓐ", "a"),
            ("㎐", "hz"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        for other in [
            "refs/heads/mains",
            "refs/heads/män",
            "refs/heads/mаin",
            "refs/heads/m-ain",
            "refs/heads/ma.in",
        ] {
            assert_ne!(fold(other), main, "{other}");
        }
    }

    #[test]
    fn a_folded_start_is_the_start_of_every_name_that_folds_alike() {
        for (prefix, name) in [
            ("refs/heads/re", "refs/heads/RElease"),
            ("a\u{301}", "a\u{323}\u{301}"),
            ("a\u{301}", "á"),
        ] {
            assert!(
                fold(name).starts_with(&fold_prefix(prefix)),
                "{prefix} {name}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn case_and_unicode_form_make_no_difference(name: String) {
            let folded = fold(&name);
            proptest::prop_assert_eq!(fold(&folded), folded.clone());
            let forms: [String; 4] = [name.nfc().collect(), name.nfd().collect(), name.nfkc().collect(), name.nfkd().collect()];
            for form in forms {
                proptest::prop_assert_eq!(fold(&form), folded.clone());
            }
            // Of decomposed text: one Greek mark becomes a letter in capitals, and would keep marks from changing places.
            let plain: String = name.nfkd().collect();
            proptest::prop_assert_eq!(fold(&plain.to_lowercase()), folded.clone());
            proptest::prop_assert_eq!(fold(&plain.to_uppercase()), folded);
        }
    }
}
