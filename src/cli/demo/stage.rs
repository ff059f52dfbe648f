//! The stage of the demonstration: a temporary folder with a server, clones and keys. Its
//! environment hides the user's settings, keys and agents. Does not know the story.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cue::{Cue, Tool};
use super::failure::failed;
use crate::cli::{Failure, clean};

/// The name of the server's repository in the folder.
pub const SERVER: &str = "server.git";

/// Variables of the caller's environment that programs need to run at all. No other variable is
/// passed on.
const KEPT: &[&str] = &[
    "PATH",
    "PATHEXT",
    "SYSTEMROOT",
    "WINDIR",
    "COMSPEC",
    "TMPDIR",
    "TEMP",
    "TMP",
    "LD_LIBRARY_PATH",
];

/// Settings of every Git command on the stage.
const SETTINGS: &str = "[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n[gc]\n\tauto = 0\n\
                        [maintenance]\n\tauto = false\n";

/// The folder, and the program that runs in it.
pub struct Stage {
    folder: PathBuf,
    program: PathBuf,
}

/// The result of a command.
pub struct Ran {
    /// The exit status, or -1 when a signal ended the command.
    pub exit: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, without control characters.
    pub stderr: String,
}

impl Ran {
    /// Both outputs, without control characters.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}",
            clean(&String::from_utf8_lossy(&self.stdout)),
            self.stderr
        )
    }
}

impl Stage {
    /// An empty stage in this folder.
    pub fn set(folder: PathBuf) -> Result<Stage, Failure> {
        let program = std::env::current_exe().and_then(|path| path.canonicalize());
        let program =
            program.map_err(|e| failed(format!("where this program lies is unknown: {e}")))?;
        let written = std::fs::write(folder.join("gitconfig"), SETTINGS)
            .and_then(|()| std::fs::create_dir(folder.join("home")))
            .and_then(|()| std::fs::create_dir(folder.join("state")));
        written.map_err(|e| failed(format!("cannot write in {}: {e}", folder.display())))?;
        Ok(Stage { folder, program })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// This program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The folder of an agent's sign state.
    pub fn state(&self, agent: &str) -> PathBuf {
        self.folder.join("state").join(agent)
    }

    /// Runs a command as an agent would, in its clone.
    pub fn run(&self, cue: &Cue) -> Result<Ran, Failure> {
        let mut command = match cue.tool {
            Tool::Git => Command::new("git"),
            Tool::Quorum => Command::new(&self.program),
        };
        command
            .args(&cue.args)
            .current_dir(self.folder.join(place(cue.who)));
        self.isolate(&mut command, cue.who);
        let cannot = |e: std::io::Error| failed(format!("`{}` could not be run: {e}", cue.line()));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(cannot)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(&cue.input).map_err(cannot)?;
        }
        let output = child.wait_with_output().map_err(cannot)?;
        let stderr = clean(&String::from_utf8_lossy(&output.stderr));
        Ok(Ran {
            exit: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr,
        })
    }

    fn isolate(&self, command: &mut Command, who: &str) {
        command.env_clear();
        command.envs(
            KEPT.iter()
                .filter_map(|name| std::env::var_os(name).map(|value| (name, value))),
        );
        command
            .env("HOME", self.folder.join("home"))
            .env("XDG_CONFIG_HOME", self.folder.join("home"))
            .env("GIT_CONFIG_GLOBAL", self.folder.join("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_QUORUM_STATE", self.state(who))
            .env("LC_ALL", "C");
    }

    /// Output as it is shown: paths relative to the folder, and ids by their first 12 digits.
    pub fn tidy(&self, text: &str) -> String {
        let folder = format!("{}{}", self.folder.display(), std::path::MAIN_SEPARATOR);
        let text = text.replace(&folder, "");
        let mut tidy = String::with_capacity(text.len());
        let mut digits = String::new();
        for c in text.chars().chain(std::iter::once('\n')) {
            if c.is_ascii_hexdigit() {
                digits.push(c);
                continue;
            }
            if digits.len() >= 40 {
                digits.truncate(12);
            }
            tidy.push_str(&digits);
            digits.clear();
            tidy.push(c);
        }
        tidy.trim().to_owned()
    }
}

/// The folder in which somebody works.
fn place(who: &str) -> &str {
    match who {
        "server" => SERVER,
        "" => ".",
        agent => agent,
    }
}
