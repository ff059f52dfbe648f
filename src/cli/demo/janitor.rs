//! Removes the folder of the demonstration, even when the demonstration is interrupted or killed. A
//! second process of this program waits until the first one has ended, and removes the folder if it
//! still exists.

use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The prefix of the folder's name.
pub const PREFIX: &str = "git-quorum-demo-";

/// A file that marks the folder as one of a demonstration.
const MARK: &str = "gitconfig";

/// The second process.
pub struct Janitor(Child);

impl Janitor {
    /// Starts the process for this folder.
    pub fn start(program: &Path, folder: &Path) -> io::Result<Janitor> {
        let mut command = Command::new(program);
        command
            .args(["demo", "--sweep"])
            .arg(folder)
            .current_dir(std::env::temp_dir());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // The terminal sends an interrupt to the whole process group.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().map(Janitor)
    }

    /// Lets the process do its work, and waits for it.
    pub fn finish(mut self) -> io::Result<()> {
        drop(self.0.stdin.take());
        self.0.wait().map(drop)
    }
}

/// Removes the folder when standard input ends. That happens when the demonstration ends, however
/// it ends.
pub fn sweep(folder: &Path) -> io::Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?;
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if !name.starts_with(PREFIX) || !folder.join(MARK).is_file() {
        return Ok(());
    }
    for _ in 0..20 {
        // An interrupted command may still be writing.
        if std::fs::remove_dir_all(folder).is_ok() || !folder.exists() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::fs::remove_dir_all(folder)
}
