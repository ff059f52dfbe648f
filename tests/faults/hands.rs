//! Makes and checks a proof of every fault of every scene, from repositories that store objects in
//! different ways.

use std::path::Path;
use std::process::Command;

use git_quorum::audit::proof::{Proof, ProofError, check, prove};
use git_quorum::id::{EntryId, Oid};
use git_quorum::repo::{Environment, Objects, Repo};
use tempfile::TempDir;

use crate::kinds::broken_scenes;
use crate::lab::*;

/// A bare repository that holds the entries of a ledger.
pub struct Shelf {
    _dir: TempDir,
    pub repo: Repo,
    pub objects: Objects,
}

impl Shelf {
    pub fn of(labs: &[&Lab]) -> Shelf {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let dir = TempDir::with_prefix_in("git-quorum-proof-", parent).unwrap();
        let mut env = Environment::scrubbed(std::env::vars_os());
        std::fs::write(dir.path().join("gitconfig"), "").unwrap();
        env.set("GIT_CONFIG_GLOBAL", dir.path().join("gitconfig"));
        env.set("GIT_CONFIG_NOSYSTEM", "1");
        env.set("HOME", dir.path());
        let bare = dir.path().join("r");
        let init = Command::new("git")
            .env_remove("GIT_DIR")
            .args(["init", "-q", "--bare"])
            .arg(&bare)
            .status();
        assert!(init.unwrap().success());
        let repo = Repo::open_with(&bare, env).unwrap();
        let objects = repo.objects().unwrap();
        for made in labs.iter().flat_map(|lab| &lab.made) {
            assert_eq!(objects.write_commit(&made.raw).unwrap(), made.oid);
        }
        Shelf {
            _dir: dir,
            repo,
            objects,
        }
    }

    /// Makes a bundle of these refs and commits, with the empty tree.
    pub fn bundle(&self, refs: &[(&str, Oid)], commits: &[Oid]) -> Vec<u8> {
        let refs: Vec<_> = refs
            .iter()
            .map(|(name, oid)| (format!("refs/quorum-proof/{name}"), *oid))
            .collect();
        self.repo
            .bundle(&refs, commits.iter().copied().chain([Oid::EMPTY_TREE]))
            .unwrap()
    }
}

pub fn oid(lab: &Lab, id: EntryId) -> Oid {
    lab.made.iter().find(|made| made.id == id).unwrap().oid
}

/// Returns the convicted member and the fault, or why the file proves nothing.
pub fn verdict(bytes: &[u8]) -> Result<Vec<String>, ProofError> {
    let Proof { faults, .. } = check(bytes)?;
    assert!(!faults.is_empty());
    Ok(faults
        .iter()
        .map(|fault| format!("{} {}", fault.member, fault.id))
        .collect())
}

#[test]
fn every_fault_of_every_scene_is_proved_to_a_stranger() {
    for lab in broken_scenes() {
        let shelf = Shelf::of(&[&lab]);
        for fault in lab.tally.faults() {
            let proof = prove(&lab.tally, &shelf.objects, &fault).unwrap();
            assert!(
                verdict(&proof)
                    .unwrap()
                    .contains(&format!("{} {}", fault.member, fault.id))
            );
            let again = prove(&lab.tally, &shelf.objects, &fault).unwrap();
            assert!(again == proof, "the same bytes whenever it is made");
            let Proof { tally, .. } = check(&proof).unwrap();
            assert_eq!(tally.dag().ledger(), lab.ledger);
            assert!(tally.dag().entries().len() <= lab.made.len());
        }
    }
}

/// A long line of entries needs no deep stack, and no more than its time.
#[test]
fn a_fault_above_a_long_history_is_proved_too() {
    let mut lab = Lab::new(&["a", "b", "c", "d"]);
    let p = lab.say("a", vec![propose(lab.ledger, 1)]);
    for _ in 0..1500 {
        lab.say("b", vec![]);
    }
    lab.say("d", vec![prevote(p, 0)]);
    let shelf = Shelf::of(&[&lab]);
    let fault = lab.tally.faults().remove(0);
    let proof = prove(&lab.tally, &shelf.objects, &fault).unwrap();
    assert_eq!(check(&proof).unwrap().tally.dag().entries().len(), 1503);
}
