//! Man pages: where `git quorum --help` finds them, without a fault; and what `make` puts where and takes away.

use std::collections::BTreeSet;
use std::path::Path;

use crate::world::{Seat, World};
use crate::{PROGRAM, finished, have, install, with_path};

fn seat(world: &std::sync::Arc<World>) -> Seat {
    world.git(&world.path(""), &["init", "-q", "seat"]);
    Seat {
        world: world.clone(),
        dir: world.path("seat"),
        state: world.path("state"),
        env: vec![],
    }
}

fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for file in std::fs::read_dir(next).unwrap() {
            let path = file.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.extend(
                    path.strip_prefix(folder)
                        .unwrap()
                        .to_str()
                        .map(str::to_owned),
                ),
            }
        }
    }
    found
}

#[test]
#[cfg_attr(not(has_make), ignore = "make is not installed")]
fn make_installs_into_a_package_and_takes_all_of_it_away() {
    if !have(&["make"]) {
        return;
    }
    let world = World::new();
    let make = |target: &str| {
        let mut make = world.command("make", Path::new(env!("CARGO_MANIFEST_DIR")));
        make.args(["-s", target, "CARGO=:", "PREFIX=/usr"])
            .arg(format!("BINARY={PROGRAM}"));
        finished(make.arg(format!("DESTDIR={}", world.path("root").display())));
    };
    make("install");
    let there = files(&world.path("root"));
    for file in [
        "usr/bin/git-quorum",
        "usr/share/man/man1/git-quorum.1",
        "usr/share/man/man1/git-quorum-charter-propose.1",
        "usr/share/bash-completion/completions/git-quorum",
        "usr/share/zsh/site-functions/_git-quorum",
        "usr/share/fish/vendor_completions.d/git-quorum.fish",
    ] {
        assert!(there.contains(file), "{file}: {there:?}");
    }
    std::fs::write(
        world.path("root/usr/share/man/man1/git.1"),
        "somebody else's",
    )
    .unwrap();
    make("install");
    make("uninstall");
    assert_eq!(
        files(&world.path("root")),
        BTreeSet::from(["usr/share/man/man1/git.1".to_owned()])
    );
}

#[test]
#[cfg_attr(not(all(has_make, has_man)), ignore = "make or man is not installed")]
fn git_quorum_help_opens_the_page_after_make_install() {
    if !have(&["make", "man"]) {
        return;
    }
    let world = World::new();
    let prefix = install(&world);
    assert_help(&world, &prefix);
}

/// That Git's way to help leads to our pages, found from the PATH alone.
fn assert_help(world: &World, prefix: &Path) {
    for (args, title) in [
        (["quorum", "--help"], "GIT-QUORUM(1)"),
        (["help", "git-quorum-propose"], "GIT-QUORUM-PROPOSE(1)"),
    ] {
        let mut git = world.command("git", &world.path(""));
        with_path(&mut git, prefix);
        let page = finished(git.args(args).env("MANPAGER", "cat").env("MANWIDTH", "100"));
        assert!(
            page.contains(title) && page.contains("EXIT STATUS"),
            "{args:?}: {page}"
        );
    }
}

#[test]
#[cfg_attr(not(has_man), ignore = "man is not installed")]
fn git_quorum_help_opens_the_page_after_man_install() {
    if !have(&["man"]) {
        return;
    }
    // As `cargo install` leaves it: the program alone, in a folder of the PATH.
    let world = World::new();
    let (prefix, here) = (world.path("cargo"), world.path(""));
    std::fs::create_dir_all(prefix.join("bin")).unwrap();
    std::fs::copy(PROGRAM, prefix.join("bin/git-quorum")).unwrap();
    let run = |with_it: bool| {
        let mut program = world.command(prefix.join("bin/git-quorum"), &here);
        if with_it {
            with_path(&mut program, &prefix);
        }
        let text = finished(program.args(["man", "--install", "--json"]));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let there = run(true);
    assert_eq!(
        (&there["data"]["found"], &there["notes"]),
        (&true.into(), &serde_json::json!([])),
        "{there}"
    );
    assert_eq!(
        there["data"]["dir"],
        prefix.join("share/man/man1").to_str().unwrap()
    );
    assert_help(&world, &prefix);
    let elsewhere = run(false);
    assert_eq!(elsewhere["data"]["found"], false);
    assert!(
        elsewhere["notes"][0]
            .as_str()
            .unwrap()
            .contains("export MANPATH="),
        "{elsewhere}"
    );
}

#[test]
fn pages_are_printed_and_misnamed_ones_are_told() {
    let world = World::new();
    let seat = seat(&world);
    let page = |args: &[&str]| seat.ok(args)["page"].as_str().unwrap().to_owned();
    assert_eq!(page(&["man"]), "git-quorum");
    for args in [
        &["man", "charter", "show"][..],
        &["man", "charter-show"],
        &["man", "git-quorum-charter-show"],
    ] {
        assert_eq!(page(args), "git-quorum-charter-show");
    }
    assert!(
        seat.run(&["man", "propose"])
            .out
            .starts_with(".TH \"GIT-QUORUM-PROPOSE\" \"1\"")
    );
    seat.no(3, "NOT_FOUND", &["man", "no-such-command"]);
    seat.no(3, "NOT_FOUND", &["man", "hook"]);
    std::fs::write(seat.dir.join("file"), "").unwrap();
    seat.no(
        1,
        "WRITE_FAILED",
        &["man", "--install", "--dir", "file/man1"],
    );
}

#[test]
#[cfg_attr(
    not(all(has_man, has_mandoc)),
    ignore = "man or mandoc is not installed"
)]
fn no_page_has_a_fault() {
    if !have(&["man", "mandoc"]) {
        return;
    }
    let world = World::new();
    let seat = seat(&world);
    let pages = seat.ok(&["man", "--install", "--dir", "man1"]);
    for page in pages["pages"].as_array().unwrap() {
        let file = Path::new("man1").join(page.as_str().unwrap());
        let mut man = world.command("man", &seat.dir);
        let output = man
            .args(["--warnings", "-l", "-Tutf8"])
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{page}");
        let mut mandoc = world.command("mandoc", &seat.dir);
        let lint = mandoc
            .args(["-T", "lint", "-W", "warning"])
            .arg(&file)
            .output()
            .unwrap();
        let faults =
            String::from_utf8(lint.stdout).unwrap() + &String::from_utf8(lint.stderr).unwrap();
        // A date would make the same program have other pages every day; the text is not broken into short lines.
        let meant = |line: &&str| {
            line.contains("missing date") || line.contains("STYLE: input text line longer")
        };
        let faults: Vec<_> = faults.lines().filter(|line| !meant(line)).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }
}
