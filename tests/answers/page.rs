//! `docs/json.md` lists every code with its exit status, and nothing else.

use git_quorum::client::{Code, Exit};

const PAGE: &str = include_str!("../../docs/json.md");

/// Rows of the page whose first cell is in backticks and in UPPER_SNAKE case.
fn rows() -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let is_code = |row: &Vec<String>| {
        let name = row[0].trim_matches('`');
        let upper = |b: u8| b.is_ascii_uppercase() || b == b'_';
        row[0].starts_with('`') && name.bytes().all(upper)
    };
    PAGE.lines()
        .filter(|line| line.starts_with('|'))
        .map(cells)
        .filter(is_code)
        .collect()
}

#[test]
fn the_page_lists_every_code_with_its_status_and_meaning() {
    let listed = rows();
    let expected: Vec<Vec<String>> = Code::ALL
        .iter()
        .map(|code| {
            vec![
                format!("`{code}`"),
                code.exit().number().to_string(),
                code.retry().as_str().to_owned(),
                code.meaning().to_owned(),
            ]
        })
        .collect();
    let mut sorted = expected.clone();
    sorted.sort();
    let mut found = listed.clone();
    found.sort();
    assert_eq!(found, sorted, "write the table of docs/json.md anew");
}

#[test]
fn the_page_lists_every_exit_status() {
    for exit in Exit::ALL {
        let row = format!("| {} | {} |", exit.number(), exit.meaning());
        assert!(PAGE.contains(&row), "{row}");
    }
}
