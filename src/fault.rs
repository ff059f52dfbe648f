//! Fault points: places between two writes where a test can make the process die, fail or wait.
//!
//! Only debug builds contain fault points. Knows nothing of what is written there.
//!
//! The variable `GIT_QUORUM_FAULT` selects what happens, in one of these forms:
//!
//! | form | what happens |
//! | --- | --- |
//! | `name` | the process is killed at this point: no destructor runs, no buffer is written |
//! | `name:3` | the same, when the process reaches the point for the third time |
//! | `name=error` | the operation at this point fails as on a full disk |
//! | `name@file` | the process writes its id to `file.here` and waits until `file` exists |
//! | `trace@file` | the name of each point that is reached is appended to `file`, one a line |
//!
//! Git commands that the program starts do not get the variable, so it does not affect the hooks of
//! a remote.

use std::io;

/// Marks a place where only the process itself can fail.
#[inline(always)]
pub fn point(name: &'static str) {
    #[cfg(debug_assertions)]
    if let Err(error) = armed::reach(name) {
        eprintln!("fault point {name} cannot fail with an error, but was asked to: {error}");
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Marks a place where the system may refuse to write.
///
/// # Errors
/// If a test asks for an error at this point.
#[inline(always)]
pub fn check(name: &'static str) -> io::Result<()> {
    #[cfg(debug_assertions)]
    armed::reach(name)?;
    #[cfg(not(debug_assertions))]
    let _ = name;
    Ok(())
}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::{self, OpenOptions};
    use std::io::{self, Write as _};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    /// The longest that a process waits for a test.
    const MAX_WAIT: Duration = Duration::from_secs(300);

    /// What a test asked for.
    enum Fault {
        Trace(PathBuf),
        Kill { name: String, at: usize },
        Fail(String),
        Wait { name: String, file: PathBuf },
    }

    pub(super) fn reach(name: &str) -> io::Result<()> {
        // Process-wide on purpose: the test that sets the variable starts a process of its own.
        static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
        static TIMES: AtomicUsize = AtomicUsize::new(0);
        let fault = FAULT.get_or_init(|| {
            let text = std::env::var("GIT_QUORUM_FAULT").ok()?;
            Some(parse(&text))
        });
        match fault {
            Some(Fault::Trace(file)) => {
                let mut file = OpenOptions::new().append(true).create(true).open(file)?;
                writeln!(file, "{name}")
            }
            Some(Fault::Kill { name: asked, at }) if asked == name => {
                let times = TIMES.fetch_add(1, Ordering::Relaxed) + 1;
                if times == *at {
                    die();
                }
                Ok(())
            }
            Some(Fault::Fail(asked)) if asked == name => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Wait { name: asked, file }) if asked == name => wait(file),
            _ => Ok(()),
        }
    }

    fn parse(text: &str) -> Fault {
        if let Some((name, file)) = text.split_once('@') {
            let file = file.into();
            return if name == "trace" {
                Fault::Trace(file)
            } else {
                Fault::Wait {
                    name: name.to_owned(),
                    file,
                }
            };
        }
        if let Some(name) = text.strip_suffix("=error") {
            return Fault::Fail(name.to_owned());
        }
        let (name, at) = text.split_once(':').unwrap_or((text, "1"));
        Fault::Kill {
            name: name.to_owned(),
            at: at.parse().unwrap_or(1),
        }
    }

    /// Kills this process with `SIGKILL`, which no handler sees. A test can distinguish that from
    /// an abort.
    fn die() -> ! {
        if cfg!(unix) {
            let mut kill = Command::new("/bin/sh");
            kill.args(["-c", "kill -9 $PPID"]);
            kill.stdin(Stdio::null());
            kill.stdout(Stdio::null()).stderr(Stdio::null());
            let _ = kill.status();
        }
        std::process::abort();
    }

    fn wait(file: &Path) -> io::Result<()> {
        let here = file.with_extension("here");
        let tmp = file.with_extension("coming");
        fs::write(&tmp, std::process::id().to_string())?;
        fs::rename(tmp, here)?;
        let end = Instant::now() + MAX_WAIT;
        // A failed test removes the folder, and nobody waits for the process then.
        let goes_on = || Instant::now() < end && file.parent().is_some_and(Path::exists);
        while !file.exists() && goes_on() {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}
