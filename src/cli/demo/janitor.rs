//! Leaves nothing, even when the demonstration is interrupted or killed: a second process of this program waits until
//! the first one has gone, and removes the folder if it is still there.

use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How the folder's name begins.
pub const PREFIX: &str = "git-quorum-demo-";

/// A file by which the folder is known for what it is.
const MARK: &str = "gitconfig";

/// The process that waits.
pub struct Janitor(Child);

impl Janitor {
    /// Starts one for this folder.
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
        // An interrupt at the terminal goes to the whole process group.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().map(Janitor)
    }

    /// Lets it do its work, and waits for it.
    pub fn finish(mut self) -> io::Result<()> {
        drop(self.0.stdin.take());
        self.0.wait().map(drop)
    }
}

/// What the janitor does: standard input ends when the demonstration does, in whatever way.
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
        // A command that was cut short may still be writing.
        if std::fs::remove_dir_all(folder).is_ok() || !folder.exists() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::fs::remove_dir_all(folder)
}
