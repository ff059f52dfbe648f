//! Tests clones in which Git shows other objects than the stored ones, and clones that lack
//! objects.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::lab::{Lab, propose};
use crate::world::{Seat, Team};

/// A ledger with one landed decision, and a complete clone.
struct Site {
    team: Team,
    sound: Value,
}

impl Site {
    fn new() -> Site {
        let team = Team::with_seats(&["alice", "bob", "carol", "dave"], 3);
        team.decide("one");
        team.sync(1);
        let alice = &team.seats[0];
        alice.git(&["fetch", "-q"]);
        let sound = alice.verify();
        assert_eq!(sound["decisions"]["shown"].as_array().unwrap().len(), 1);
        Site { team, sound }
    }

    /// Copies the clone. A test then disguises the copy.
    fn copy(&self, name: &str) -> Seat {
        let (from, to) = (&self.team.seats[0].dir, self.team.world.path(name));
        self.team.world.git(
            &self.team.world.path(""),
            &["clone", "-q", "--no-local", "--mirror", "server.git", name],
        );
        std::fs::remove_dir_all(&to).unwrap();
        copy_dir(from, &to);
        self.team.seats[0].at(to)
    }

    /// Returns the commits of all entries except the genesis, and the decided commit.
    fn entries(&self) -> Vec<String> {
        let loaded = self.team.world.load(&self.team.server);
        loaded
            .tally
            .dag()
            .entries()
            .skip(1)
            .map(|(_, entry)| entry.oid.to_string())
            .collect()
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for found in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(found.file_name());
        if found.file_type().unwrap().is_dir() {
            copy_dir(&found.path(), &target);
        } else {
            std::fs::copy(found.path(), &target).unwrap();
        }
    }
}

/// Returns the path of an object's file. Unpacks the object if needed.
fn loose(seat: &Seat, oid: &str) -> PathBuf {
    let path = seat
        .dir
        .join(".git/objects")
        .join(&oid[..2])
        .join(&oid[2..]);
    if !path.exists() {
        let packs = seat.dir.join(".git/objects/pack");
        let aside = seat.dir.join("aside");
        std::fs::rename(&packs, &aside).unwrap();
        std::fs::create_dir(&packs).unwrap();
        for pack in std::fs::read_dir(&aside)
            .unwrap()
            .map(|found| found.unwrap().path())
        {
            if pack.extension().is_some_and(|e| e == "pack") {
                seat.world.git_with(
                    &seat.dir,
                    &["unpack-objects", "-q"],
                    &std::fs::read(pack).unwrap(),
                );
            }
        }
    }
    assert!(path.exists());
    path
}

/// Replaces the content of an object's file, or removes the file.
fn put(path: &Path, content: Option<Vec<u8>>) {
    std::fs::remove_file(path).unwrap();
    if let Some(content) = content {
        std::fs::write(path, content).unwrap();
    }
}

/// Git shows replacements of an entry and of the decided commit. The program ignores them.
#[test]
fn replacements_show_no_other_ledger() {
    let site = Site::new();
    let seat = site.copy("replaced");
    let entries = site.entries();
    seat.git(&["replace", &entries[0], &entries[entries.len() - 1]]);
    let main = seat.git(&["rev-parse", "origin/main"]);
    seat.git(&["replace", &main, &format!("{main}^")]);
    assert_ne!(
        seat.git(&["cat-file", "commit", "origin/main"]),
        site.team.seats[0].git(&["cat-file", "commit", &main])
    );
    assert_eq!(seat.verify(), site.sound);
}

/// A graft that takes every parent away, and a commit-graph that does.
#[test]
fn grafts_and_commit_graphs_show_no_other_history() {
    let site = Site::new();
    let count = |seat: &Seat| seat.git(&["rev-list", "--count", "origin/main"]);
    assert_eq!(count(&site.team.seats[0]), "2");

    let seat = site.copy("grafted");
    let main = seat.git(&["rev-parse", "origin/main"]);
    let grafts: String = site
        .entries()
        .iter()
        .chain([&main])
        .map(|oid| format!("{oid}\n"))
        .collect();
    std::fs::create_dir_all(seat.dir.join(".git/info")).unwrap();
    std::fs::write(seat.dir.join(".git/info/grafts"), grafts).unwrap();
    assert_eq!(count(&seat), "1", "Git believes it");
    assert_eq!(seat.verify(), site.sound);

    let seat = site.copy("graphed");
    seat.git(&["commit-graph", "write", "--reachable"]);
    let path = seat.dir.join(".git/objects/info/commit-graph");
    assert!(path.exists(), "{}", seat.git(&["config", "--list"]));
    let mut graph = std::fs::read(&path).unwrap();
    forget_parents(&mut graph);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, graph).unwrap();
    assert_eq!(count(&seat), "1", "Git believes it");
    assert_eq!(seat.verify(), site.sound);
}

/// In Git's commit-graph format each record of the chunk CDAT has the tree's id, then two parents in four bytes each;
/// 0x70000000 stands for none.
fn forget_parents(graph: &mut [u8]) {
    let chunks = usize::from(graph[6]);
    let row = |graph: &[u8], n: usize| {
        let row = &graph[8 + 12 * n..][..12];
        (
            row[..4].to_vec(),
            u64::from_be_bytes(row[4..].try_into().unwrap()) as usize,
        )
    };
    let found = (0..chunks).find(|n| row(graph, *n).0 == b"CDAT").unwrap();
    let (start, end) = (row(graph, found).1, row(graph, found + 1).1);
    for record in graph[start..end].chunks_exact_mut(36) {
        record[20..24].copy_from_slice(&0x7000_0000u32.to_be_bytes());
        record[24..28].copy_from_slice(&0x7000_0000u32.to_be_bytes());
    }
}

/// Variables that lead Git to other objects, replacements, grafts or settings.
#[test]
fn no_variable_shows_another_ledger() {
    let site = Site::new();
    let seat = site.copy("varied");
    let empty = seat.world.path("empty.git");
    seat.world
        .git(&seat.world.path(""), &["init", "-q", "--bare", "empty.git"]);
    let main = seat.git(&["rev-parse", "origin/main"]);
    let list = seat.world.path("list");
    std::fs::write(&list, format!("{main}\n")).unwrap();
    seat.git(&[
        "update-ref",
        &format!("refs/other/{main}"),
        &format!("{main}^"),
    ]);
    let list = list.to_str().unwrap();
    let (git_dir, objects) = (empty.to_str().unwrap(), empty.join("objects"));
    for (name, value) in [
        ("GIT_DIR", git_dir),
        ("GIT_COMMON_DIR", git_dir),
        ("GIT_OBJECT_DIRECTORY", objects.to_str().unwrap()),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "/nonexistent"),
        ("GIT_GRAFT_FILE", list),
        ("GIT_SHALLOW_FILE", list),
        ("GIT_REPLACE_REF_BASE", "refs/other/"),
        ("GIT_NAMESPACE", "elsewhere"),
    ] {
        assert_eq!(seat.with(name, value).verify(), site.sound, "{name}");
    }
    let seat = seat
        .with("GIT_CONFIG_COUNT", "1")
        .with("GIT_CONFIG_KEY_0", "quorum.ledger");
    assert_eq!(
        seat.with("GIT_CONFIG_VALUE_0", &"0".repeat(64)).verify(),
        site.sound
    );
}

/// An entry's file that holds another entry, nothing, or is gone.
#[test]
fn an_entry_that_is_not_what_its_name_says_is_not_read() {
    let site = Site::new();
    let entries = site.entries();
    let (victim, other) = (&entries[entries.len() - 1], &entries[0]);
    let contents = |seat: &Seat| {
        [
            ("another", Some(std::fs::read(loose(seat, other)).unwrap())),
            ("empty", Some(vec![])),
            ("gone", None),
        ]
    };
    for (what, content) in contents(&site.copy("sound")) {
        let seat = site.copy(what);
        put(&loose(&seat, victim), content);
        let run = seat.run(&["verify", "--json"]);
        assert_ne!(run.code, 0, "{what}: {run:?}");
        let envelope: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(
            envelope["data"]["decisions"],
            Value::Null,
            "{what}: nothing is certified: {envelope}"
        );
    }
}

/// The file that was decided about holds something else, or is gone: the value is the decided one by its name only.
#[test]
fn decided_content_that_is_not_what_its_name_says_is_not_certified() {
    let site = Site::new();
    let blob = site.team.seats[0].git(&["rev-parse", "origin/main:one"]);
    let other = site.team.seats[0].git(&["rev-parse", "origin/main:readme"]);
    for (what, other) in [("changed", Some(other)), ("lost", None)] {
        let seat = site.copy(what);
        let path = loose(&seat, &blob);
        let content = other.map(|other| std::fs::read(loose(&seat, &other)).unwrap());
        put(&path, content);
        let found = seat.no(7, "VERIFICATION_FAILED", &["verify"]);
        assert!(
            found["message"]
                .as_str()
                .unwrap()
                .contains("its commits cannot be read"),
            "{what}: {found}"
        );
    }
}

/// Objects in an alternate count as present. Without the alternate, nothing is certified.
#[test]
fn objects_in_an_alternate_count_until_it_is_gone() {
    let site = Site::new();
    let seat = site.copy("borrowing");
    let (own, lender) = (seat.dir.join(".git/objects"), seat.world.path("lender"));
    copy_dir(&own, &lender);
    std::fs::remove_dir_all(&own).unwrap();
    std::fs::create_dir_all(own.join("info")).unwrap();
    std::fs::create_dir_all(own.join("pack")).unwrap();
    std::fs::write(
        own.join("info/alternates"),
        format!("{}\n", lender.display()),
    )
    .unwrap();
    assert_eq!(seat.verify(), site.sound);
    std::fs::remove_dir_all(&lender).unwrap();
    assert_ne!(seat.run(&["verify", "--json"]).code, 0);
}

/// A shallow clone, and one that leaves objects with its remote.
#[test]
fn a_clone_without_its_past_certifies_nothing() {
    let site = Site::new();
    let url = format!("file://{}", site.team.server.display());
    site.team.world.git(
        &site.team.server,
        &["config", "uploadpack.allowFilter", "true"],
    );
    for (name, flag) in [("shallow", "--depth=1"), ("partial", "--filter=blob:none")] {
        site.team.world.git(
            &site.team.world.path(""),
            &["clone", "-q", flag, &url, name],
        );
        let seat = site.team.seats[1].at(site.team.world.path(name));
        seat.ok(&["join"]);
        seat.no(7, "INCOMPLETE_CLONE", &["verify"]);
    }
}

/// A second ledger beside the first, of the same members' names: whoever is not told which one asks.
#[test]
fn a_second_ledger_is_never_taken_for_the_first() {
    let site = Site::new();
    let (world, server) = (&site.team.world, &site.team.server);
    let mut other = Lab::new(&["bob"]);
    let genesis = other.ledger;
    let own = other.say("bob", vec![propose(genesis, 7)]);
    for made in &other.made {
        let oid = world.store(server, "commit", &made.raw);
        let rest = if made.id == own {
            "lane/bob"
        } else {
            "genesis"
        };
        let name = format!("refs/quorum/{}/{rest}", &genesis.to_string()[..16]);
        world.git(server, &["update-ref", &name, &oid]);
    }
    let alice = &site.team.seats[0];
    alice.sync();
    assert_eq!(
        alice.verify(),
        site.sound,
        "who is pinned stays with its ledger"
    );

    let stranger = world.seat("stranger", server.to_str().unwrap());
    let asked = stranger.no(7, "SEVERAL_LEDGERS", &["join"]);
    let text = asked.to_string();
    assert!(text.contains(&genesis.to_string()[..16]), "{text}");
    stranger.git(&["fetch", "-q", "origin", "refs/quorum/*:refs/quorum/*"]);
    stranger.no(7, "SEVERAL_LEDGERS", &["verify"]);
    let first = site.sound["ledger"].as_str().unwrap();
    assert_eq!(
        stranger.ok(&["verify", "--genesis", first])["decisions"],
        site.sound["decisions"]
    );
}
