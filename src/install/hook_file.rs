//! One hook in a hooks folder: installs our script there, and later restores what was there.
//!
//! A hook that was there before is kept beside ours and runs after it. A hook manager that is
//! installed later may move our script. So the script is looked for where such managers put it.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::InstallError;
use super::hook_kind::{HookKind, look};
use super::layout::{InstallLayout, ORIGINAL_SUFFIX};
use super::{relay, script};
use crate::repo::is_executable;

/// A word in the scripts of managers that run the hook that they moved to `.legacy` (pre-commit,
/// prek).
const RUNS_LEGACY: &[u8] = b"hook-impl";

/// One hook, by its event and its folder.
#[derive(Debug, Clone)]
pub(super) struct HookFile {
    event: &'static str,
    hooks: PathBuf,
    chained: PathBuf,
}

impl HookFile {
    /// The hook in the repository's own hooks folder.
    pub fn new(layout: &InstallLayout, event: &'static str) -> Self {
        Self {
            event,
            hooks: layout.own_hooks(),
            chained: layout.chained_hook(event),
        }
    }

    /// The hook in our own folder.
    pub fn in_ours(layout: &InstallLayout, event: &'static str) -> Self {
        Self {
            hooks: layout.hooks(),
            ..Self::new(layout, event)
        }
    }

    /// Where Git looks for the hook.
    pub fn hook(&self) -> PathBuf {
        self.hooks.join(self.event)
    }

    /// Where the hook that was there before is kept.
    fn original(&self) -> PathBuf {
        self.beside(ORIGINAL_SUFFIX)
    }

    /// Where managers move a hook that they still run.
    pub fn legacy(&self) -> PathBuf {
        self.beside("legacy")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.hooks.join(format!("{}.{suffix}", self.event))
    }

    /// Where managers move our script when they take its place: pre-commit and prek, which still run
    /// it, and lefthook, which does not.
    fn displaced(&self) -> [PathBuf; 2] {
        [self.legacy(), self.beside("old")]
    }

    /// Whether somebody else's hook is in the place.
    pub fn is_foreign(&self) -> bool {
        !matches!(look(&self.hook()), HookKind::Nothing | HookKind::Ours)
    }

    /// Whether the hook in the place can run after ours and still see its own name.
    pub fn can_be_chained(&self) -> bool {
        !matches!(look(&self.hook()), HookKind::Other)
    }

    /// Returns where our script is. `None` if Git does not run it.
    pub fn active_script(&self) -> Option<PathBuf> {
        let runs = |path: &Path| script::is_ours(path) && is_executable(path);
        let hook = self.hook();
        if runs(&hook) {
            return Some(hook);
        }
        self.manager_runs_ours()
            .then(|| self.legacy())
            .filter(|path| runs(path))
    }

    /// Whether a manager has taken our place, and runs our script from where it moved it.
    pub fn manager_runs_ours(&self) -> bool {
        let hook = self.hook();
        let start = script::start_of(&hook);
        is_executable(&hook) && contains(&start, RUNS_LEGACY) && script::is_ours(&self.legacy())
    }

    /// Installs our script. `fill` makes its text, with the path of the hook that runs after it.
    pub fn put(
        &self,
        fill: impl Fn(Option<&Path>) -> Result<String, InstallError>,
        changes: &mut Vec<String>,
    ) -> Result<(), InstallError> {
        let place = if self.manager_runs_ours() {
            self.drop_copy_of_original()?;
            self.legacy()
        } else {
            self.make_room(changes)?;
            self.hook()
        };
        let original = self.original();
        if script::exists(&original) {
            let relay = relay::to_original(&self.hook(), &original, &look(&original))?;
            script::write_file(&self.chained, &relay, 0o755)?;
            return script::write(&place, &fill(Some(&self.chained))?, changes);
        }
        script::write(&place, &fill(None)?, changes)?;
        script::remove(&self.chained).map(drop)
    }

    /// Keeps somebody else's hook beside the place, if there is one.
    fn make_room(&self, changes: &mut Vec<String>) -> Result<(), InstallError> {
        let (hook, original) = (self.hook(), self.original());
        let foreign = self.is_foreign();
        self.drop_copy_of_original()?;
        for displaced in self.displaced().iter().filter(|path| script::is_ours(path)) {
            // The manager that took our place would have moved the original there without us.
            if foreign && script::exists(&original) {
                script::rename(&original, displaced)?;
            } else {
                script::remove(displaced)?;
            }
            changes.push(format!("removed our script from {}", displaced.display()));
        }
        match (foreign, script::exists(&original)) {
            (false, _) => Ok(()),
            (true, true) => Err(InstallError::TwoHooks { hook, original }),
            (true, false) => self.keep(changes),
        }
    }

    /// Keeps the hook under another name. The hook also stays in its place until ours replaces it, so
    /// that the place is never empty.
    fn keep(&self, changes: &mut Vec<String>) -> Result<(), InstallError> {
        let (hook, original) = (self.hook(), self.original());
        if fs::hard_link(&hook, &original).is_err() {
            script::rename(&hook, &original)?;
        }
        changes.push(format!(
            "moved {} to {}",
            hook.display(),
            original.display()
        ));
        Ok(())
    }

    /// Removes the original if its manager has put the same hook in the place again. Returns whether
    /// it did.
    fn drop_copy_of_original(&self) -> Result<bool, InstallError> {
        let (hook, original) = (self.hook(), self.original());
        let same = fs::read(&hook)
            .ok()
            .zip(fs::read(&original).ok())
            .is_some_and(|(a, b)| a == b);
        Ok(same && script::remove(&original)?)
    }

    /// Removes our script, restores the original, and removes the script that runs the original.
    pub fn restore(&self, changes: &mut Vec<String>) -> Result<(), InstallError> {
        self.take_away(changes)?;
        if script::is_ours(&self.chained) && script::remove(&self.chained)? {
            changes.push(format!("removed {}", self.chained.display()));
        }
        Ok(())
    }

    /// Removes our script, wherever it is, and restores the original in its place.
    pub fn take_away(&self, changes: &mut Vec<String>) -> Result<(), InstallError> {
        let original = self.original();
        self.drop_copy_of_original()?;
        let places = std::iter::once(self.hook()).chain(self.displaced());
        for place in places.filter(|path| script::is_ours(path)) {
            match script::exists(&original) {
                true => {
                    script::rename(&original, &place)?;
                    changes.push(format!(
                        "moved {} back to {}",
                        original.display(),
                        place.display()
                    ));
                }
                false => {
                    script::remove(&place)?;
                    changes.push(format!("removed {}", place.display()));
                }
            }
        }
        self.restore_lost_original(changes)
    }

    /// Restores an original whose script of ours is gone: somebody removed the script, or an
    /// installation stopped in the middle.
    fn restore_lost_original(&self, changes: &mut Vec<String>) -> Result<(), InstallError> {
        let (hook, original) = (self.hook(), self.original());
        if !script::exists(&original) {
            return Ok(());
        }
        if script::exists(&hook) {
            changes.push(format!(
                "left {}, because {} has taken its place",
                original.display(),
                hook.display()
            ));
            return Ok(());
        }
        script::rename(&original, &hook)?;
        changes.push(format!(
            "moved {} back to {}",
            original.display(),
            hook.display()
        ));
        Ok(())
    }
}

fn contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;
    use crate::repo::testing::Sandbox;

    const EVENT: &str = "pre-receive";

    /// A server's hook in fixture over one that is there.
    struct Fixture {
        sandbox: Sandbox,
        layout: InstallLayout,
        file: HookFile,
    }

    impl Fixture {
        fn new() -> Self {
            let sandbox = Sandbox::new();
            let layout = InstallLayout::of(&sandbox.bare("server"));
            let file = HookFile::new(&layout, EVENT);
            Self {
                sandbox,
                layout,
                file,
            }
        }

        fn write(&self, path: &Path, text: &str, mode: u32) {
            script::write_file(path, text, mode).unwrap();
        }

        fn put(&self) -> Vec<String> {
            let mut changes = Vec::new();
            let text = |chained: Option<&Path>| {
                script::filled(
                    &format!(
                        "#!/bin/sh\n{}\nchained=@CHAINED@\necho ours\ntest -z \"$chained\" || exec \"$chained\" \"$@\"\n",
                        script::MARK
                    ),
                    Path::new("/x"),
                    chained,
                )
            };
            self.file.put(text, &mut changes).unwrap();
            changes
        }

        fn run(&self, path: &Path) -> (String, i32) {
            let output = Command::new(path)
                .args(["a b", "c"])
                .env("PATH", "/usr/bin:/bin")
                .output()
                .unwrap();
            (
                String::from_utf8_lossy(&output.stdout)
                    .replace('\n', " ")
                    .trim_end()
                    .to_owned(),
                output.status.code().unwrap(),
            )
        }
    }

    #[test]
    fn what_was_there_runs_after_ours_with_its_arguments_and_its_status_counts() {
        let fixture = Fixture::new();
        let hook = fixture.file.hook();
        assert_eq!(
            fixture.run({
                fixture.put();
                &hook
            }),
            ("ours".to_owned(), 0)
        );
        fixture.file.restore(&mut Vec::new()).unwrap();
        assert!(!hook.exists() && !fixture.layout.chained_hook(EVENT).exists());

        let shell = "#!/bin/sh -e\nbasename \"$0\"\necho \"$#:$1\"\nfalse\necho unreached\n";
        fixture.write(&hook, shell, 0o755);
        fixture.put();
        assert!(fixture.put().is_empty());
        assert_eq!(fixture.run(&hook), ("ours pre-receive 2:a b".to_owned(), 1));
        fixture.file.restore(&mut Vec::new()).unwrap();
        assert_eq!(fs::read_to_string(&hook).unwrap(), shell);
    }

    #[test]
    fn a_link_runs_after_ours_on_a_server_and_stays_a_link() {
        let fixture = Fixture::new();
        let hook = fixture.file.hook();
        let target = fixture.sandbox.path().join("host-hook");
        fixture.write(&target, "#!/bin/sh\necho host $#\nexit 3\n", 0o755);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::remove_file(&hook).ok();
        symlink(&target, &hook).unwrap();
        assert!(!fixture.file.can_be_chained());
        fixture.put();
        assert_eq!(fixture.run(&hook), ("ours host 2".to_owned(), 3));
        fixture.file.restore(&mut Vec::new()).unwrap();
        assert_eq!(fs::read_link(&hook).unwrap(), target);
    }

    #[test]
    fn a_manager_that_took_our_place_finds_what_it_would_have_found_without_us() {
        let fixture = Fixture::new();
        let hook = fixture.file.hook();
        let old = hook.with_extension("old");
        fixture.write(&hook, "#!/bin/sh\necho first\n", 0o755);
        fixture.put();
        fs::rename(&hook, &old).unwrap();
        fixture.write(&hook, "#!/bin/sh\necho second\n", 0o755);
        assert_eq!(fixture.file.active_script(), None);
        fixture.put();
        assert_eq!(fixture.run(&hook), ("ours second".to_owned(), 0));
        assert_eq!(fixture.run(&old), ("first".to_owned(), 0));
        fixture.file.restore(&mut Vec::new()).unwrap();
        assert_eq!(
            (fixture.run(&hook).0, fixture.run(&old).0),
            ("second".to_owned(), "first".to_owned())
        );
    }

    #[test]
    fn a_manager_that_runs_what_it_found_keeps_its_place() {
        let fixture = Fixture::new();
        let hook = fixture.file.hook();
        fixture.put();
        fs::rename(&hook, fixture.file.legacy()).unwrap();
        let manager = "#!/bin/sh\n# hook-impl\nexec \"$0.legacy\"\n";
        fixture.write(&hook, manager, 0o755);
        assert_eq!(fixture.file.active_script(), Some(fixture.file.legacy()));
        assert!(fixture.put().is_empty());
        assert_eq!(fixture.run(&hook), ("ours".to_owned(), 0));
        fixture.file.restore(&mut Vec::new()).unwrap();
        assert!(!fixture.file.legacy().exists());
        assert_eq!(fs::read_to_string(&hook).unwrap(), manager);
    }
}
