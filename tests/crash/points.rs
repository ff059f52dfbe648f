//! Every fault point is used by a test, and a release build contains none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Mode;
use crate::{client, gate, install};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Returns the names of all fault points in the source.
fn declared() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for path in sources(&root) {
        let source = std::fs::read_to_string(&path).unwrap();
        for call in ["fault::point(\"", "fault::check(\""] {
            let names = source
                .split(call)
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().to_owned());
            found.extend(names);
        }
    }
    found
}

#[test]
fn a_test_crashes_at_every_fault_point() {
    let declared = declared();
    assert!(declared.len() > 20, "{declared:?}");
    let scenes = client::COMMANDS
        .iter()
        .chain(&gate::SCENES)
        .chain(&install::SCENES);
    let reached: BTreeSet<String> = scenes.flat_map(|scene| scene(Mode::Trace)).collect();
    assert_eq!(declared, reached);
}

/// Compiles the module alone, as in a release build. The program contains neither the name of the
/// variable nor the name of a fault point.
#[test]
fn a_release_build_contains_no_fault_points() {
    let folder = tempfile::tempdir().unwrap();
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fault.rs");
    let main = format!(
        "#[path = {:?}] mod fault;\nfn main() {{ fault::point(\"a.point.of.it\"); fault::check(\"a.point.of.it\").unwrap(); }}",
        module.display().to_string()
    );
    std::fs::write(folder.path().join("main.rs"), main).unwrap();
    let holds = |assertions: &str| {
        let program = folder.path().join("program");
        let mut rustc = Command::new(option_env!("RUSTC").unwrap_or("rustc"));
        rustc.args([
            "--edition=2024",
            "-O",
            "-C",
            "strip=debuginfo",
            "-C",
            assertions,
            "main.rs",
            "-o",
            "program",
        ]);
        let output = rustc.current_dir(&folder).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let bytes = std::fs::read(&program).unwrap();
        ["GIT_QUORUM_FAULT", "a.point.of.it"]
            .map(|text| bytes.windows(text.len()).any(|w| w == text.as_bytes()))
    };
    assert_eq!(holds("debug-assertions=off"), [false, false]);
    assert_eq!(holds("debug-assertions=on"), [true, true]);
}
