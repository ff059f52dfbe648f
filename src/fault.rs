//! Fault points: places between two writes where a test lets the process die, fail or wait. They are in
//! debug builds only; a release build has nothing of them. Knows nothing of what is written there.
//!
//! `GIT_QUORUM_FAULT` says what is to happen, in one of these forms:
//!
//! | form | what happens |
//! | --- | --- |
//! | `name` | the process is killed there, at once: no destructor runs, no buffer is written |
//! | `name:3` | the same when it comes there for the third time |
//! | `name=error` | what stands there fails as on a full disk |
//! | `name@file` | the process makes `file.here`, with its id in it, and waits until `file` is there |
//! | `trace@file` | nothing, but each point that is come to is added to `file`, a name a line |
//!
//! Git commands that the program starts do not get the variable, so a remote's hooks do not act on it.

use std::io;

/// A place where nothing can fail but the process itself.
#[inline(always)]
pub fn point(name: &'static str) {
    #[cfg(debug_assertions)]
    if let Err(error) = armed::reach(name) {
        eprintln!("fault point {name}: {error}, but nothing can fail here");
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// A place where the system may refuse to write.
///
/// # Errors
/// When a test asks for one.
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

    /// No test waits longer.
    const LONGEST: Duration = Duration::from_secs(300);

    enum Plan {
        Trace(PathBuf),
        Kill { name: String, at: usize },
        Fail(String),
        Wait { name: String, file: PathBuf },
    }

    pub(super) fn reach(name: &str) -> io::Result<()> {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        static TIMES: AtomicUsize = AtomicUsize::new(0);
        let plan = PLAN.get_or_init(|| {
            std::env::var("GIT_QUORUM_FAULT")
                .ok()
                .map(|text| parse(&text))
        });
        match plan {
            Some(Plan::Trace(file)) => writeln!(
                OpenOptions::new().append(true).create(true).open(file)?,
                "{name}"
            ),
            Some(Plan::Kill { name: asked, at }) if asked == name => {
                match TIMES.fetch_add(1, Ordering::Relaxed) + 1 {
                    times if times == *at => die(),
                    _ => Ok(()),
                }
            }
            Some(Plan::Fail(asked)) if asked == name => Err(io::ErrorKind::StorageFull.into()),
            Some(Plan::Wait { name: asked, file }) if asked == name => wait(file),
            _ => Ok(()),
        }
    }

    fn parse(text: &str) -> Plan {
        if let Some((name, file)) = text.split_once('@') {
            let file = file.into();
            return if name == "trace" {
                Plan::Trace(file)
            } else {
                Plan::Wait {
                    name: name.to_owned(),
                    file,
                }
            };
        }
        if let Some(name) = text.strip_suffix("=error") {
            return Plan::Fail(name.to_owned());
        }
        let (name, at) = text.split_once(':').unwrap_or((text, "1"));
        Plan::Kill {
            name: name.to_owned(),
            at: at.parse().unwrap_or(1),
        }
    }

    /// A real `SIGKILL`, which no handler sees, told apart from an abort by its signal.
    fn die() -> ! {
        if cfg!(unix) {
            let mut kill = Command::new("/bin/sh");
            let kill = kill
                .args(["-c", "kill -9 $PPID"])
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            let _ = kill
                .stderr(Stdio::null())
                .spawn()
                .and_then(|mut child| child.wait());
        }
        std::process::abort();
    }

    fn wait(file: &Path) -> io::Result<()> {
        let here = file.with_extension("here");
        let tmp = file.with_extension("coming");
        fs::write(&tmp, std::process::id().to_string())?;
        fs::rename(tmp, here)?;
        let end = Instant::now() + LONGEST;
        // A test that failed takes the folder with it.
        let goes_on = || Instant::now() < end && file.parent().is_some_and(Path::exists);
        while !file.exists() && goes_on() {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}
