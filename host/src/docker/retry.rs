//! Repeats operations that failed because a registry was busy, or was restarted in the middle.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Daemon, DockerError, Fault};
use crate::{failure::FailureKind, progress::Event};

/// The pauses before further attempts. The daemon doesn't pass on what a registry asks for (`Retry-After`).
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// After this long without progress there is no further attempt: the daemon reports some errors only after attempts of
/// its own. A transfer that makes progress may take any time.
const PATIENCE: Duration = Duration::from_secs(30);

/// When a transfer last made progress.
pub(super) struct LastProgress(Mutex<Instant>);

impl LastProgress {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Takes note of what the daemon says. The status that it sends each second while it waits before another attempt
    /// is no progress.
    pub(super) fn hear(&self, status: Option<&str>) {
        if !status.is_some_and(|status| status.starts_with("Retrying in ")) {
            self.restart();
        }
    }

    fn restart(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn silence(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

impl Daemon {
    /// Does work that asks a registry, and repeats it if the registry was busy or cut the connection; after the first
    /// attempt also if the registry can't be reached, as it may be starting. Everything else fails at once: a wrong
    /// password stays wrong.
    pub(super) async fn patiently<T, F>(
        &self,
        last_progress: &LastProgress,
        mut work: impl FnMut() -> F,
    ) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        let mut silence = Duration::ZERO;
        for (attempt, pause) in PAUSES.into_iter().enumerate() {
            last_progress.restart();
            let result = work().await;
            silence += last_progress.silence();
            let error = match result {
                Err(error @ DockerError::Registry { .. })
                    if (error.kind() == FailureKind::Retry || attempt > 0 && is_unreachable(&error))
                        && silence < PATIENCE =>
                {
                    error
                }
                result => return result,
            };
            let (attempt, attempts, seconds) = (attempt + 2, PAUSES.len() + 1, pause.as_secs());
            let text = format!("{error}: trying again in {seconds} s (attempt {attempt} of {attempts})");
            self.tell(Event::Message { text: &text });
            self.unless_interrupted(tokio::time::sleep(pause)).await?;
        }
        work().await
    }
}

fn is_unreachable(error: &DockerError) -> bool {
    matches!(error, DockerError::Registry { fault: Fault::Unreachable, .. })
}
