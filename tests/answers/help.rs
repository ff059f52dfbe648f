//! The help of every command, as a snapshot.

use std::process::Command;

use insta::assert_snapshot;

fn help(path: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_git-quorum"))
        .args(path)
        .arg("--help")
        .env("COLUMNS", "100")
        .env_remove("GIT_QUORUM_MEMBER")
        .env_remove("GIT_QUORUM_KEY")
        .output()
        .unwrap();
    assert!(output.status.success(), "{path:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names in the list of commands of a help text.
fn commands(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_explains_itself() {
    let top = help(&[]);
    assert_snapshot!("help", top);
    let mut count = 0;
    for name in commands(&top) {
        let page = help(&[&name]);
        for sub in commands(&page) {
            assert_snapshot!(format!("help_{name}_{sub}"), help(&[&name, &sub]));
            count += 1;
        }
        assert_snapshot!(format!("help_{name}"), page);
        count += 1;
    }
    assert!(count > 20, "{count}");
}
