//! Starts server programs for the duration of a test, and finds out which ones are installed.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a service may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server program. It ends when the value is dropped, and also when the test process ends in any
/// way.
pub struct Service {
    guard: Child,
}

impl Service {
    /// Starts a program with the environment of the command, and writes its output to a file.
    pub fn start(program: &Command, log: &Path) -> Service {
        // The shell ends the whole group when its standard input ends. This process holds the other
        // end.
        let script = "\"$@\" </dev/null & trap : TERM; read -r _; kill -TERM 0; wait; wait";
        let mut guard = Command::new("sh");
        guard.args(["-c", script, "guard"]);
        guard
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear();
        guard.envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        guard
            .current_dir(program.get_current_dir().unwrap_or(Path::new("/")))
            .process_group(0);
        let log = std::fs::File::create(log).unwrap();
        let guard = guard
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Service { guard }
    }

    /// Starts a program, and waits until it answers.
    pub fn reached(program: &Command, log: &Path, is_up: impl Fn() -> bool) -> Service {
        let (service, started) = (Service::start(program, log), Instant::now());
        while !is_up() {
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(
                started.elapsed() < PATIENCE,
                "{:?} does not answer: {}",
                program.get_program(),
                said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Returns a port of the loopback interface that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Returns the paths of these programs. `None`, with a printed line, if one of them is missing and
/// not required.
pub fn programs<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = names.map(find);
    let missing: Vec<_> = names
        .iter()
        .zip(&found)
        .filter(|(_, path)| path.is_none())
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Some(found.map(Option::unwrap));
    }
    crate::needs::skip(
        "transports",
        &format!("{} is not installed", missing.join(", ")),
    );
    None
}

/// Looks in more folders than `PATH`, because servers are often elsewhere.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default()
        + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/share/gitolite3";
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
