//! Runs the `git` program with a controlled environment. Knows nothing of what the commands are
//! for.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use super::text::clean_text;
use super::watch::{Sieve, Watcher};
use crate::id::Oid;

/// The caller's variables that `git` needs to authenticate and to write traces.
const KEPT: &[&str] = &[
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    // With this variable git itself refuses to update refs inside a hook's quarantine.
    "GIT_QUARANTINE_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_TERMINAL_PROMPT",
];

/// The prefixes of more such variables.
const KEPT_PREFIXES: &[&str] = &[
    "GIT_HTTP_",
    "GIT_PROTOCOL",
    "GIT_PROXY_",
    "GIT_SSL_",
    "GIT_TRACE",
];

/// Why a git command did not succeed.
///
/// `Display` says what happened and why. [`GitError::remedy`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program is missing or could not be started.
    #[error("could not start `git {command}`: {source}")]
    Start {
        /// The subcommand.
        command: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The command failed.
    #[error("`git {command}` failed ({status}): {message}")]
    Failed {
        /// The subcommand.
        command: &'static str,
        /// Its exit status.
        status: ExitStatus,
        /// Its standard error, without unprintable characters.
        message: String,
    },
    /// The command found a lock file of another process.
    #[error(
        "the lock file {file} exists: another git process is working in this repository, or a \
         killed process left the file behind"
    )]
    Locked {
        /// The file.
        file: String,
    },
    /// The command succeeded, but its output has an unknown form.
    #[error("`git {command}` printed output that this program does not understand: {answer:?}")]
    Answer {
        /// The subcommand.
        command: &'static str,
        /// The start of the output, without unprintable characters.
        answer: String,
    },
}

impl GitError {
    /// Returns what the user can do next. `None` if the error itself says all there is to say.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Start { .. } => Some("check that git is installed and on PATH".to_owned()),
            Self::Failed { .. } => None,
            Self::Locked { file } => Some(format!(
                "wait for the other git process; if there is none, remove {file}"
            )),
            Self::Answer { .. } => {
                Some("check that git is version 2.38 or newer: git --version".to_owned())
            }
        }
    }

    /// Whether the system refused to write: the disk is full, or permissions forbid it.
    pub(super) fn cannot_write(&self) -> bool {
        match self {
            Self::Start { source, .. } => is_failed_write(source),
            Self::Failed { message, .. } => reports_failed_write(message),
            Self::Locked { .. } | Self::Answer { .. } => false,
        }
    }
}

/// Whether an error of the system means that a file cannot be written.
pub(super) fn is_failed_write(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::PermissionDenied
    )
}

/// Whether a message of Git or libgit2 means that a file cannot be written. Git reports the cause
/// in words only.
pub(super) fn reports_failed_write(message: &str) -> bool {
    let phrases = [
        "No space left on device",
        "Disk quota exceeded",
        "File too large",
        "Read-only file system",
        "Permission denied",
        "couldn't write",
        "unable to write",
    ];
    phrases.iter().any(|phrase| message.contains(phrase))
}

/// The environment variables that commands run with: those of the caller, without those that could
/// redirect `git` to other objects, refs, history or settings.
#[derive(Debug, Clone)]
pub struct Environment {
    vars: Vec<(OsString, OsString)>,
    /// The variables of the caller that were left out.
    dropped: Vec<(OsString, OsString)>,
}

impl Environment {
    /// Returns the scrubbed environment of this process. Git may prompt at the terminal only if
    /// standard input is one.
    ///
    /// This is the only place below the command line that reads the environment and the terminal
    /// of the process. A caller that has other inputs uses [`Environment::scrubbed`].
    pub fn of_process() -> Self {
        let mut env = Self::scrubbed(std::env::vars_os());
        if !io::stdin().is_terminal() {
            env.set("GIT_TERMINAL_PROMPT", "0");
        }
        env
    }

    /// Returns the given variables without those that could redirect `git`, and with those that
    /// make its answers predictable.
    pub fn scrubbed(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let (vars, dropped) = vars.into_iter().partition(|(name, _)| is_kept(name));
        let mut env = Self { vars, dropped };
        env.set("LC_ALL", "C");
        env.set("GIT_NO_REPLACE_OBJECTS", "1");
        env.set("GIT_NO_LAZY_FETCH", "1");
        env
    }

    /// Returns the value that commands get for a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        value_in(&self.vars, name)
    }

    /// Returns the caller's value of a variable that commands do not get, such as
    /// `GIT_NAMESPACE`. `None` if the caller did not set it, or if commands do get it.
    pub fn dropped(&self, name: &str) -> Option<&OsStr> {
        value_in(&self.dropped, name)
    }

    /// Returns the variables with which the caller adds to Git's configuration files.
    ///
    /// They do not apply to commands of this program. They do apply to commands that the caller
    /// runs, and so decide which hooks run then.
    pub(super) fn dropped_settings(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        let named = self
            .dropped
            .iter()
            .filter_map(|(name, value)| Some((name.to_str()?, value.as_os_str())));
        named.filter(|(name, _)| is_setting(name))
    }

    /// Returns the directory for temporary files.
    pub(super) fn temp_dir(&self) -> PathBuf {
        match self.get("TMPDIR") {
            Some(dir) if cfg!(unix) && !dir.is_empty() => dir.into(),
            _ => std::env::temp_dir(),
        }
    }

    /// Returns the full path of a program on `PATH`, or its bare name if it is not there: starting
    /// it then fails with the right error.
    ///
    /// The full path makes starting it cheap: without one the system copies this process first,
    /// which takes longer the more memory it holds.
    fn find(&self, program: &str) -> OsString {
        let path = self.get("PATH").unwrap_or_default();
        let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
        let mut places = folders.map(|folder| folder.join(program));
        let found = places.find(|path| cfg!(unix) && is_executable(path));
        found.map_or_else(|| program.into(), OsString::from)
    }

    /// Sets a variable for all commands.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.vars.retain(|(n, _)| n != name);
        self.vars.push((name.into(), value.into()));
    }
}

/// Whether the system would run this file. Git ignores a hook that is not executable.
///
/// Every regular file counts on systems without executable bits.
#[cfg(unix)]
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub fn is_executable(path: &Path) -> bool {
    path.is_file()
}

fn value_in<'a>(vars: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    let found = vars.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value.as_os_str())
}

/// Whether a variable adds to Git's configuration files.
fn is_setting(name: &str) -> bool {
    ["GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"].contains(&name)
        || name.starts_with("GIT_CONFIG_KEY_")
        || name.starts_with("GIT_CONFIG_VALUE_")
}

/// Whether a variable is passed on to `git`.
fn is_kept(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    if !name.starts_with("GIT_") {
        return true;
    }
    KEPT.contains(&name.as_str()) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The result of a command that ended.
#[derive(Debug)]
pub struct Output {
    /// The exit status.
    pub status: ExitStatus,
    /// The standard output.
    pub stdout: Vec<u8>,
    /// The standard error, without progress reports.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Returns standard error as text, without unprintable characters.
    pub fn message(&self) -> String {
        clean_text(String::from_utf8_lossy(&self.stderr).trim())
    }
}

/// Builds and runs one `git` command.
#[derive(Debug)]
pub struct GitCommand {
    name: &'static str,
    env: Environment,
    dir: PathBuf,
    git_dir: Option<PathBuf>,
    config: Vec<String>,
    args: Vec<OsString>,
    input: Option<Vec<u8>>,
    watcher: Watcher,
}

impl GitCommand {
    /// Returns `git -C dir name`, which looks for the repository from `dir` upwards.
    pub fn new(env: &Environment, dir: &Path, name: &'static str) -> Self {
        Self {
            name,
            env: env.clone(),
            dir: dir.to_owned(),
            git_dir: None,
            config: Vec::new(),
            args: Vec::new(),
            input: None,
            watcher: Watcher::default(),
        }
    }

    /// Makes the command use this repository, without looking for one.
    pub fn git_dir(mut self, git_dir: &Path) -> Self {
        // A path below a file cannot exist, so git never finds a graft file.
        self.env
            .set("GIT_GRAFT_FILE", git_dir.join("config").join("no-grafts"));
        self.git_dir = Some(git_dir.to_owned());
        self
    }

    /// Makes the command use no repository.
    pub fn without_repository(mut self) -> Self {
        self.git_dir = None;
        self
    }

    /// Makes the command run in the git directory, so that no file of a working tree affects it.
    pub fn without_work_tree(mut self) -> Self {
        if let Some(git_dir) = &self.git_dir {
            self.dir.clone_from(git_dir);
        }
        self.env("GIT_IMPLICIT_WORK_TREE", "0")
    }

    /// Adds `-c key=value`.
    pub fn config(mut self, key: &str, value: &str) -> Self {
        self.config.push(format!("{key}={value}"));
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable for this command.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.set(name, value);
        self
    }

    /// Sets the bytes of standard input, which is empty by default.
    pub fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }

    /// Reports the progress of the command to `watcher`, if somebody watches.
    pub fn watched(self, watcher: &Watcher) -> Self {
        let flag = if watcher.is_some() {
            "--progress"
        } else {
            "--no-progress"
        };
        Self {
            watcher: watcher.clone(),
            ..self.arg(flag)
        }
    }

    /// Runs the command and returns its output, even if the command failed.
    pub fn output(self) -> Result<Output, GitError> {
        let command = self.name;
        self.finish()
            .map_err(|source| GitError::Start { command, source })
    }

    /// Runs the command. Every exit status but 0 is an error.
    pub fn run(self) -> Result<Output, GitError> {
        let command = self.name;
        let output = self.output()?;
        if output.status.success() {
            Ok(output)
        } else {
            Err(failed(command, &output))
        }
    }

    /// Starts the command with pipes for standard input, output and error.
    pub fn start(self) -> Result<Child, GitError> {
        self.command(true)
            .spawn()
            .map_err(|source| GitError::Start {
                command: self.name,
                source,
            })
    }

    fn finish(mut self) -> io::Result<Output> {
        let input = self.input.take();
        let mut child = self.command(input.is_some()).spawn()?;
        let writer = feed(&mut child, input);
        let listener = if self.watcher.is_some() {
            listen(&mut child, self.watcher.clone())
        } else {
            None
        };
        let mut output = child.wait_with_output()?;
        if let Some(listener) = listener {
            output.stderr = listener.join().unwrap_or_default();
        }
        if let Some(writer) = writer {
            // A child that exits without reading all of its input is no error: its exit status
            // decides.
            let _ = writer.join();
        }
        Ok(Output {
            status: output.status,
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }

    fn command(&self, with_input: bool) -> Command {
        let mut command = Command::new(self.env.find("git"));
        command
            .env_clear()
            .envs(self.env.vars.iter().map(|(name, value)| (name, value)));
        command.arg("-C").arg(&self.dir);
        if let Some(git_dir) = &self.git_dir {
            let mut arg = OsString::from("--git-dir=");
            arg.push(git_dir);
            command.arg(arg);
        }
        for setting in &self.config {
            command.arg("-c").arg(setting);
        }
        command.arg(self.name).args(&self.args);
        command.stdin(if with_input {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Writes the input in a separate thread. Otherwise the child could wait for its output to be read
/// while this process waits for its input to be read.
fn feed(child: &mut Child, input: Option<Vec<u8>>) -> Option<std::thread::JoinHandle<()>> {
    let (mut stdin, input) = (child.stdin.take()?, input?);
    Some(std::thread::spawn(move || match stdin.write_all(&input) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => drop(error),
        _ => {}
    }))
}

/// Reads standard error in a separate thread. Reports progress lines to the watcher and returns
/// the rest.
fn listen(child: &mut Child, watcher: Watcher) -> Option<std::thread::JoinHandle<Vec<u8>>> {
    let mut stderr: ChildStderr = child.stderr.take()?;
    Some(std::thread::spawn(move || {
        let (mut sieve, mut buffer) = (Sieve::default(), [0; 4096]);
        loop {
            match stderr.read(&mut buffer) {
                Ok(0) => return sieve.finish(),
                Ok(count) => sieve.take(buffer.get(..count).unwrap_or_default(), &watcher),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A failed read only loses text for a message: the exit status decides.
                Err(_) => return sieve.finish(),
            }
        }
    }))
}

/// Returns the error for a command that failed.
pub(super) fn failed(command: &'static str, output: &Output) -> GitError {
    let message = output.message();
    match lock_file(&message) {
        Some(file) => GitError::Locked { file },
        None => GitError::Failed {
            command,
            status: output.status,
            message,
        },
    }
}

/// Returns the lock file that git's message names as the obstacle. `None` if it names none.
pub(super) fn lock_file(message: &str) -> Option<String> {
    let (before, _) = message.split_once(": File exists")?;
    if let Some((_, rest)) = before.rsplit_once("Unable to create '")
        && let Some(path) = rest.strip_suffix('\'')
        && path.ends_with(".lock")
    {
        return Some(path.to_owned());
    }
    let (_, config_file) = before.rsplit_once("could not lock config file ")?;
    Some(format!("{config_file}.lock"))
}

/// Returns the error for output that cannot be parsed.
pub(super) fn unreadable(command: &'static str, answer: &[u8]) -> GitError {
    let text: String = String::from_utf8_lossy(answer).chars().take(200).collect();
    GitError::Answer {
        command,
        answer: clean_text(&text),
    }
}

/// Parses an object id in the output of a git command.
pub(super) fn parse_oid(command: &'static str, text: &[u8]) -> Result<Oid, GitError> {
    let parsed = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
    parsed.ok_or_else(|| unreadable(command, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::Sandbox;

    fn os(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect()
    }

    #[test]
    fn only_what_git_needs_to_authenticate_and_be_traced_is_passed_on() {
        let kept = [
            "PATH",
            "GIT_SSH_COMMAND",
            "GIT_ASKPASS",
            "GIT_SSL_NO_VERIFY",
            "GIT_TRACE2_EVENT",
            "GIT_PROTOCOL",
        ];
        let dropped = [
            "GIT_DIR",
            "GIT_COMMON_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_NAMESPACE",
            "GIT_REPLACE_REF_BASE",
            "GIT_GRAFT_FILE",
            "GIT_SHALLOW_FILE",
            "GIT_OBJECT_DIRECTORY",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_CONFIG",
            "GIT_CONFIG_COUNT",
            "GIT_CONFIG_KEY_0",
            "GIT_CONFIG_VALUE_0",
            "GIT_CONFIG_PARAMETERS",
            "GIT_TEMPLATE_DIR",
            "git_dir",
        ];
        let env = Environment::scrubbed(os(&kept
            .iter()
            .chain(&dropped)
            .map(|n| (*n, "x"))
            .collect::<Vec<_>>()));
        for name in kept {
            assert!(env.get(name).is_some(), "{name} is kept");
        }
        for name in dropped {
            assert!(env.get(name).is_none(), "{name} is dropped");
            assert_eq!(env.dropped(name), Some(OsStr::new("x")), "{name}");
        }
        let settings: Vec<_> = env.dropped_settings().map(|(name, _)| name).collect();
        let expected = [
            "GIT_CONFIG_COUNT",
            "GIT_CONFIG_KEY_0",
            "GIT_CONFIG_VALUE_0",
            "GIT_CONFIG_PARAMETERS",
        ];
        assert_eq!(settings, expected);
        assert_eq!(env.get("GIT_NO_REPLACE_OBJECTS"), Some(OsStr::new("1")));
    }

    #[test]
    fn much_input_and_much_output_do_not_wait_for_each_other() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let input = b"4b825dc642cb6eb9a060e54bf8d69288fbee4905\n".repeat(50_000);
        let command =
            GitCommand::new(&sandbox.env(), repo.git_dir(), "cat-file").git_dir(repo.git_dir());
        let output = command.arg("--batch-check").input(input).run().unwrap();
        assert_eq!(
            output.stdout.iter().filter(|b| **b == b'\n').count(),
            50_000
        );
    }

    #[test]
    fn a_failure_names_the_command_and_quotes_git() {
        let sandbox = Sandbox::new();
        let repo = sandbox.bare("r");
        let command =
            GitCommand::new(&sandbox.env(), repo.git_dir(), "cat-file").git_dir(repo.git_dir());
        let error = command
            .args(["-t", "nothing"])
            .run()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("git cat-file") && error.contains("Not a valid object name nothing"),
            "{error}"
        );
    }
}
