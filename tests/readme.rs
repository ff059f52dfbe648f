//! The README is a promise: its session runs as written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::Command;

/// The shell block below the marker.
fn session(readme: &str) -> &str {
    let (_, after) = readme
        .split_once("<!-- session")
        .expect("the README marks its session");
    let (_, block) = after.split_once("```sh\n").expect("a shell block follows");
    block.split_once("```").expect("the block ends").0
}

#[test]
fn the_session_runs_as_written() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let home = tempfile::tempdir_in(parent).unwrap();
    let config = home.path().join("gitconfig");
    std::fs::write(&config, "[user]\nname = Test\nemail = test@example.org\n").unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_git-quorum"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-euc", session(&readme)])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", home.path())
        .env("GIT_CONFIG_GLOBAL", &config)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let promised = [
        "refused, as it should be",
        "refused by the server, too",
        "landed     refs/heads/main  Say hello",
        " Say hello\n",
        "backed by decision",
    ];
    for said in promised {
        assert!(
            stdout.contains(said),
            "{said:?} is missing in\n{stdout}\n{stderr}"
        );
    }
}
