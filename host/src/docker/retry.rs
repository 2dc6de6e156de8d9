//! Trying again what a registry was too busy for, or was restarted in the middle of.

use std::time::{Duration, Instant};

use super::error::Kind;
use super::{Daemon, DockerError, Fault};
use crate::progress::Event;

/// How long is waited before each further attempt. The daemon keeps what a registry asks for (`Retry-After`) to itself.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// After so long there is no further attempt: of some errors the daemon tells only when it has tried again itself.
const PATIENCE: Duration = Duration::from_secs(30);

impl Daemon {
    /// Does something that asks a registry, again if that was busy or cut the connection, and then also if nobody
    /// listens: it may be starting. Everything else fails at once: a wrong password doesn't become right.
    pub(super) async fn patiently<T, F>(&self, mut work: impl FnMut() -> F) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        let began = Instant::now();
        for (attempt, pause) in PAUSES.into_iter().enumerate() {
            let error = match work().await {
                Err(error @ DockerError::Registry { .. })
                    if (error.kind() == Kind::Retry || attempt > 0 && is_unreachable(&error))
                        && began.elapsed() < PATIENCE =>
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
