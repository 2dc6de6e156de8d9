//! Trying again what a registry was too busy for, or was restarted in the middle of.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Daemon, DockerError, Fault};
use crate::failure::FailureKind;
use crate::progress::Event;

/// How long is waited before each further attempt. The daemon keeps what a registry asks for (`Retry-After`) to itself.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// After this long without progress there is no further attempt: of some errors the daemon tells only when it has tried
/// again itself. A transfer that got on may have taken any time.
const PATIENCE: Duration = Duration::from_secs(30);

/// When a transfer last got on.
pub(super) struct LastProgress(Mutex<Instant>);

impl LastProgress {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Takes note of what the daemon tells. That it waits before it tries again is no progress; it tells so each second.
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
    /// Does something that asks a registry, again if that was busy or cut the connection, and then also if nobody
    /// listens: it may be starting. Everything else fails at once: a wrong password doesn't become right.
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
            tokio::select! {
                biased;
                () = self.settings.interrupt.cancelled() => return Err(DockerError::Interrupted),
                () = tokio::time::sleep(pause) => {}
            }
        }
        work().await
    }
}

fn is_unreachable(error: &DockerError) -> bool {
    matches!(error, DockerError::Registry { fault: Fault::Unreachable, .. })
}
