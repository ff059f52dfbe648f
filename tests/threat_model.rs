//! The tables of `docs/threat-model.md`: no row without a test that is there, and no outcome but the four.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};

/// Whether this test is run: `src/repo/refs.rs::name`, from the project's root.
fn is_there(root: &Path, test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else {
        return false;
    };
    is_run(
        &std::fs::read_to_string(root.join(file)).unwrap_or_default(),
        name,
    )
}

/// Whether a file's text has a test of this name that is not ignored: marked as one, or named to a macro that makes tests.
fn is_run(text: &str, name: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let Some(line) = lines.iter().position(|line| {
        line.trim_start_matches("pub ")
            .starts_with(&format!("fn {name}("))
    }) else {
        return false;
    };
    let above: Vec<_> = lines
        .iter()
        .take(line)
        .rev()
        // An attribute can have several lines, so only an empty line or another item ends them.
        .take_while(|line| !line.is_empty() && **line != "}" && !line.contains("fn "))
        .collect();
    let made = lines
        .iter()
        .any(|line| line.trim_end_matches(',') == name || line.ends_with(&format!(", {name};")))
        || lines
            .iter()
            .any(|line| line.contains("each_git!(") && line.contains(name));
    (above.contains(&&"#[test]") || made) && !above.iter().any(|line| line.starts_with("#[ignore"))
}

/// What is wrong with a row of a table.
fn fault(root: &Path, row: &str) -> Option<String> {
    let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
    let [way, outcome, tests] = cells.as_slice() else {
        return Some("not three cells".to_owned());
    };
    let known = ["refused", "detected", "out of scope", "passes"]
        .iter()
        .any(|word| outcome.starts_with(word));
    if way.is_empty() || !known {
        return Some(format!(
            "the outcome {outcome:?} is none of refused, detected, passes, out of scope"
        ));
    }
    if outcome.contains("should") {
        return Some("an outcome that only should be".to_owned());
    }
    let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
    match named.iter().find(|test| !is_there(root, test)) {
        Some(test) => Some(format!("there is no test {test}")),
        None if named.is_empty() => Some("no test is named".to_owned()),
        None => None,
    }
}

fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| {
        line.starts_with('|') && !line.starts_with("| ---") && !line.starts_with("| way")
    })
}

#[test]
fn every_row_names_a_test_that_is_there() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let faults: Vec<_> = rows(&text)
        .filter_map(|row| Some(format!("{}\n  {row}", fault(&root, row)?)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(rows(&text).count() >= 140, "the table has lost rows");
}

#[test]
fn what_is_not_run_is_no_test() {
    assert!(
        is_run("/// Says why.\n#[test]\nfn x() {\n", "x")
            && is_run("with_each_git!(x, y);\nfn y(git: &Git) {\n", "y")
    );
    for text in [
        "fn x() {",
        "#[test]\n#[ignore]\nfn x() {",
        "#[test]\nfn xy() {",
        "#[test]\nfn y() {}\nfn x() {",
    ] {
        assert!(!is_run(text, "x"), "{text}");
    }
}

#[test]
fn a_bad_row_is_noticed() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let good = "`tests/threat_model.rs::a_bad_row_is_noticed`";
    assert_eq!(fault(&root, &format!("| x | refused | {good} |")), None);
    for row in [
        format!("| x | refused, it should be | {good} |"),
        format!("| x | ignored | {good} |"),
        "| x | refused | |".to_owned(),
        "| x | refused | `tests/threat_model.rs::no_such_test` |".to_owned(),
        "| x | refused | `tests/none.rs::x` |".to_owned(),
        "| x | refused |".to_owned(),
    ] {
        assert!(fault(&root, &row).is_some(), "{row}");
    }
}
