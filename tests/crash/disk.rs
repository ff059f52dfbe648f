//! Full disks, read-only folders and limits on file sizes. The answer names what could not be
//! written, and nothing is lost, half done, or signed twice. A small file system needs the
//! permission to mount one.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::aftermath::install;
use crate::harness::{FOUR, assert_published, assert_sound, signed};
use crate::needs::skip;
use crate::world::{Seat, Team};

fn run(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A folder with a file system of its own.
struct Mount(PathBuf);

impl Mount {
    /// Mounts a small file system in memory on the folder, with the former content of the folder.
    /// `None` if mounting is not allowed.
    fn small(folder: &Path, kilobytes: usize) -> Option<Mount> {
        let aside = folder.with_extension("aside");
        if folder.exists() {
            std::fs::rename(folder, &aside).unwrap();
        }
        std::fs::create_dir_all(folder).unwrap();
        let size = format!("size={kilobytes}k,mode=700");
        let mounted = run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                &size,
                "tmpfs",
                folder.to_str().unwrap(),
            ],
        );
        if !mounted {
            return None;
        }
        if aside.exists() {
            let from = format!("{}/.", aside.display());
            assert!(
                run("cp", &["-a", &from, folder.to_str().unwrap()]),
                "it must have room for what was there"
            );
            std::fs::remove_dir_all(aside).unwrap();
        }
        Some(Mount(folder.to_owned()))
    }

    /// Mounts the folder as read-only. `None` if mounting is not allowed.
    fn read_only(folder: &Path) -> Option<Mount> {
        let path = folder.to_str().unwrap();
        let mount = run("mount", &["--bind", path, path]).then(|| Mount(folder.to_owned()))?;
        run("mount", &["-o", "remount,ro,bind", path]).then_some(mount)
    }

    /// Fills the file system, except for this number of pages of four kilobytes.
    fn fill_but(&self, pages: usize) {
        self.empty();
        let filler = self.0.join("filler");
        let of = format!("of={}", filler.display());
        let _ = run("dd", &["if=/dev/zero", &of, "bs=4k"]);
        let full = std::fs::metadata(&filler).unwrap().len();
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(&filler)
            .unwrap();
        file.set_len(full.saturating_sub(4096 * pages as u64))
            .unwrap();
    }

    fn empty(&self) {
        let _ = std::fs::remove_file(self.0.join("filler"));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

/// Runs a command. Returns its answer, or the code, message and hint of its failure.
fn answer(seat: &Seat, args: &[&str]) -> Result<Value, String> {
    let run = seat.run(&[args, &["--json"]].concat());
    let envelope: Value = serde_json::from_str(&run.out).unwrap();
    match run.code {
        0 => Ok(envelope),
        _ => {
            let long = |field: &str| envelope[field].as_str().is_some_and(|text| text.len() > 8);
            assert!(long("message") && long("hint"), "{envelope}");
            Err(format!(
                "{} {} {}",
                envelope["code"], envelope["message"], envelope["hint"]
            ))
        }
    }
}

/// Runs bob's command with more and more room, until there is enough. Each failure must say that
/// there was no room, and once there is room the next command goes on.
fn starve(team: &Team, disk: &Mount, most: usize, says: &[&str]) {
    let bob = &team.seats[1];
    let proposal = team.seats[0].propose("starve");
    bob.sync();
    let mut failures = 0;
    for pages in 0..most {
        let before = signed(bob);
        disk.fill_but(pages);
        let text = format!("with {pages} pages {}", "x".repeat(2000));
        let answer = answer(bob, &["review", &proposal, "--abstain", "-m", &text]);
        disk.empty();
        if let Err(why) = &answer {
            failures += 1;
            assert!(
                says.iter().any(|words| why.contains(words)),
                "{pages}: {why}"
            );
        }
        let at_failure = signed(bob);
        assert!(at_failure.starts_with(&before));
        assert_sound(team);
        bob.ok(&["review", &proposal, "--abstain", "-m", &text]);
        assert_eq!(
            signed(bob).len(),
            before.len() + 1,
            "{pages}: it was said once"
        );
        assert!(signed(bob).starts_with(&at_failure));
        assert_published(team, bob, "bob");
        assert_sound(team);
        if answer.is_ok() {
            break;
        }
    }
    assert!(failures > 0, "the disk was full at least once");
}

#[test]
#[cfg_attr(not(has_mount), ignore = "mounting is not allowed")]
fn a_full_disk_under_the_sign_state() {
    let team = Team::with_seats(&FOUR, 2);
    team.seats[1].sync();
    let Some(disk) = Mount::small(&team.seats[1].state, 256) else {
        return skip("mount", "no file system can be mounted here");
    };
    starve(&team, &disk, 8, &["No space left on device"]);
}

#[test]
#[cfg_attr(not(has_mount), ignore = "mounting is not allowed")]
fn a_full_disk_under_a_clone() {
    let team = Team::with_seats(&FOUR, 2);
    let Some(disk) = Mount::small(&team.seats[1].dir, 4096) else {
        return skip("mount", "no file system can be mounted here");
    };
    starve(
        &team,
        &disk,
        40,
        &["No space left on device", "couldn't write"],
    );
}

#[test]
#[cfg_attr(not(has_mount), ignore = "mounting is not allowed")]
fn a_full_disk_under_the_server() {
    let team = Team::with_seats(&FOUR, 2);
    install(&team, &[]);
    let Some(disk) = Mount::small(&team.server, 4096) else {
        return skip("mount", "no file system can be mounted here");
    };
    starve(
        &team,
        &disk,
        40,
        &["No space left on device", "couldn't write"],
    );
}

/// A fetch without room reports that, and what was known before stays.
#[test]
#[cfg_attr(not(has_mount), ignore = "mounting is not allowed")]
fn a_full_disk_while_fetching() {
    let team = Team::with_seats(&FOUR, 2);
    let [alice, bob] = team.seats.as_slice() else {
        panic!()
    };
    let Some(disk) = Mount::small(&bob.dir, 4096) else {
        return skip("mount", "no file system can be mounted here");
    };
    let noise: String = (0..40_000)
        .map(|n: u64| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let proposal = alice.propose(&noise[..50]);
    alice.commit("noise", &noise);
    let large = crate::world::id(&alice.ok(&["propose", "-m", "large"]));
    disk.fill_but(20);
    let run = bob.run(&["sync", "--json"]);
    assert!(
        format!("{run:?}").contains("No space left on device"),
        "{run:?}"
    );
    assert_sound(&team);
    disk.empty();
    bob.sync();
    for id in [proposal, large] {
        bob.approve(&id);
    }
    assert_sound(&team);
}

#[test]
#[cfg_attr(not(has_mount), ignore = "mounting is not allowed")]
fn folders_that_cannot_be_written() {
    let team = Team::with_seats(&FOUR, 2);
    let [alice, bob] = team.seats.as_slice() else {
        panic!()
    };
    let proposal = alice.propose("one");
    bob.ok(&["review", &proposal, "--abstain"]);
    let review = ["review", &proposal, "--approve"];
    let cases = [
        (bob.state.clone(), "SIGN_STATE"),
        (bob.dir.join(".git"), "CANNOT_WRITE"),
        (
            team.server.clone(),
            "unable to create temporary object directory",
        ),
    ];
    for (folder, says) in cases {
        let before = signed(bob);
        let Some(mount) = Mount::read_only(&folder) else {
            return skip("mount", "no file system can be mounted here");
        };
        let why = answer(bob, &review).unwrap_err();
        assert!(why.contains(says), "{why}");
        drop(mount);
        assert!(signed(bob).starts_with(&before));
        assert_sound(&team);
    }
    bob.ok(&review);
    assert_eq!(signed(bob).len(), 2, "it was said once");
    assert_published(&team, bob, "bob");
}

/// A limit on the size of files, like a quota: no bytes at all, less than the sign state needs, and
/// so on.
#[test]
fn a_limit_on_the_size_of_files() {
    let team = Team::with_seats(&FOUR, 2);
    let [alice, bob] = team.seats.as_slice() else {
        panic!()
    };
    let proposal = alice.propose("one");
    bob.sync();
    let mut failures = 0;
    for blocks in [0, 1, 2, 4, 8] {
        let before = signed(bob);
        let text = format!("{blocks} {}", "x".repeat(1500));
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = bob.world.command("sh", &bob.dir);
        command.env("GIT_QUORUM_STATE", &bob.state).args([
            "-c",
            &script,
            "sh",
            env!("CARGO_BIN_EXE_git-quorum"),
        ]);
        let output = command
            .args(["review", &proposal, "--abstain", "-m", &text])
            .output()
            .unwrap();
        let said = crate::harness::text(&output);
        if !output.status.success() {
            failures += 1;
            let told = ["File too large", "couldn't write", "unable to write"]
                .iter()
                .any(|words| said.contains(words));
            assert!(
                output.status.code() == Some(1) && told,
                "{blocks}: {output:?}"
            );
        }
        assert_sound(&team);
        let at_failure = signed(bob);
        bob.ok(&["review", &proposal, "--abstain", "-m", &text]);
        assert!(at_failure.starts_with(&before) && signed(bob).starts_with(&at_failure));
        assert_eq!(
            signed(bob).len(),
            before.len() + 1,
            "{blocks}: it was said once"
        );
        assert_published(&team, bob, "bob");
    }
    assert!(failures > 1);
}
