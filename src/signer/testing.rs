//! Runs stock OpenSSH tools for the tests of this module, isolated from the user's own home, keys
//! and agent.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A temporary home for stock OpenSSH tools.
pub(super) struct Stock {
    home: tempfile::TempDir,
}

impl Stock {
    /// `None` (and a line that says so) where OpenSSH is not installed.
    pub(super) fn new() -> Option<Self> {
        let stock = Self {
            home: tempfile::tempdir().unwrap(),
        };
        let found = ["ssh-keygen", "ssh-agent", "ssh-add"]
            .iter()
            .all(|tool| stock.command(tool).arg("-?").output().is_ok());
        if !found {
            eprintln!("skipped: no OpenSSH tools here");
        }
        found.then_some(stock)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(super) fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `ssh-keygen` and returns what it prints; it must succeed.
    pub(super) fn keygen(&self, args: &[&str]) -> String {
        let out = self.command("ssh-keygen").args(args).output().unwrap();
        assert!(
            out.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    }

    /// Creates a key of the given type with `ssh-keygen`.
    pub(super) fn new_key(&self, name: &str, kind: &str, passphrase: &str) -> PathBuf {
        self.keygen(&[
            "-q",
            "-t",
            kind,
            "-N",
            passphrase,
            "-C",
            "a comment",
            "-f",
            name,
        ]);
        self.path(name)
    }

    /// Starts an agent with these keys.
    pub(super) fn agent(&self, keys: &[&Path]) -> Agent {
        let socket = self.path("agent.sock");
        let mut command = self.command("ssh-agent");
        command
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null());
        let agent = Agent {
            child: command.spawn().unwrap(),
            socket,
        };
        wait_for(&agent.socket);
        for key in keys {
            self.add(&agent, &[key.to_str().unwrap()]);
        }
        agent
    }

    /// Runs `ssh-add` against `agent`.
    pub(super) fn add(&self, agent: &Agent, args: &[&str]) {
        let mut command = self.command("ssh-add");
        let out = command
            .env("SSH_AUTH_SOCK", &agent.socket)
            .args(args)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

/// A running ssh-agent. It ends when the value is dropped.
pub(super) struct Agent {
    child: Child,
    pub(super) socket: PathBuf,
}

impl Agent {
    pub(super) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop();
    }
}

fn wait_for(socket: &Path) {
    let start = Instant::now();
    while !socket.exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "no agent");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The permission bits of `path`.
pub(super) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// Returns the number of files in `dir`.
pub(super) fn files_in(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}
