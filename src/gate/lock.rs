//! The gate's lock: one push at a time is judged and moved. Knows nothing of rules.

use std::fs::{File, TryLockError};
use std::io;
use std::time::{Duration, Instant};

use super::refusal::{Refusal, RefusalCode};
use super::settings::PATIENCE_KEY;
use crate::repo::Repo;

/// How long a push waits for the lock if no setting says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a push waits between two attempts to take the lock.
const PAUSE: Duration = Duration::from_millis(20);

/// The lock, held. Dropping it, or the end of the process, releases it.
pub(super) struct GateLock {
    _file: File,
}

impl GateLock {
    /// Waits for the lock and takes it.
    ///
    /// Two pushes that bring half a quorum each would otherwise both miss the decision.
    pub(super) fn take(repo: &Repo) -> Result<Self, Refusal> {
        let folder = repo.git_dir().join("quorum");
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        let file = options.open(folder.join("gate.lock")).map_err(failed)?;
        let patience = patience(repo)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if start.elapsed() < patience => {
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(busy(patience)),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}

fn failed(error: io::Error) -> Refusal {
    let reason = format!("the gate could not take its lock, quorum/gate.lock: {error}");
    let help = "the server's operator must let the server's user write the whole repository";
    Refusal::unavailable(reason, help)
}

fn busy(patience: Duration) -> Refusal {
    let reason = format!(
        "this push waited {} s while other pushes were judged",
        patience.as_secs()
    );
    Refusal::new(RefusalCode::Busy, reason, "push again")
}

fn patience(repo: &Repo) -> Result<Duration, Refusal> {
    let configured = repo
        .config(PATIENCE_KEY)
        .map_err(|error| Refusal::unreadable(&error))?;
    let Some(text) = configured else {
        return Ok(PATIENCE);
    };
    let seconds = text.parse().map_err(|_| {
        let reason = format!("{PATIENCE_KEY} is {text:?}, which is not a number of seconds");
        Refusal::unavailable(reason, "the server's operator must correct the setting")
    })?;
    Ok(Duration::from_secs(seconds))
}
