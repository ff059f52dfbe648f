//! Every input that a fuzzer has kept, the seeds that it starts from, and every input that once failed, held to what must be
//! true of any: `fuzz/README.md` tells how more are found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../fuzz/checks/mod.rs"]
mod checks;

use std::fs;
use std::path::Path;

/// The files of a folder, by name; none if there is no such folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let found = fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path());
    let mut files: Vec<_> = found.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn what_holds_of_any_input_holds_of_the_kept_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (target, check) in checks::TARGETS {
        let seeds = checks::seeds::of(target, &root.join("ledger-spec"));
        let seeds = seeds.into_iter().enumerate().map(|(n, seed)| (format!("{target}: seed {n}"), seed));
        let kept = files(&root.join("fuzz/corpus").join(target));
        let failed = files(&root.join("fuzz/regressions").join(target));
        for (name, input) in seeds.chain(kept).chain(failed) {
            let outcome = std::panic::catch_unwind(|| check(&input));
            assert!(outcome.is_ok(), "{name}");
        }
    }
}
