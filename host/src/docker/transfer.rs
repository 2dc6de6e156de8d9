//! What pulls, pushes and classic builds have in common: an answer in lines of JSON.
//!
//! The requests are our own, not bollard's: 0.21.1 drops `error` from such a line, which is all that proxies and old
//! daemons say of one, and the layer's id from those of a push.

use bollard::models::{ErrorDetail, ProgressDetail};
use serde::Deserialize;

use super::{
    Daemon,
    connection::{Answering, broken},
    request_error::{RequestError, line_error, words},
    retry::LastProgress,
};
use crate::progress::{Event, Progress};

/// A line of the answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    id: Option<String>,
    pub(super) status: Option<String>,
    progress_detail: Option<ProgressDetail>,
    error: Option<String>,
    error_detail: Option<ErrorDetail>,
}

impl Daemon {
    /// Has the daemon, once it was sent a request, pull or push an image, and gives `take` each line of its answer but an
    /// error.
    pub(super) async fn transfer(
        &self,
        sent: impl Future<Output = Result<Answering, RequestError>>,
        mut take: impl FnMut(&Line),
    ) -> Result<(), RequestError> {
        let work = async {
            let take = |line: &[u8]| {
                let mut line: Line = serde_json::from_slice(line).map_err(|error| broken(&error))?;
                line.check()?;
                take(&line);
                Ok(())
            };
            self.each_line(sent.await?, take).await
        };
        // Dropping it closes the connection, which is what makes the daemon stop.
        tokio::select! {
            biased;
            () = self.settings.interrupt.cancelled() => Err(RequestError::Interrupted),
            end = work => end,
        }
    }

    /// Passes on a line of a pull or a push.
    pub(super) fn tell_transfer(&self, line: &Line, last_progress: &LastProgress) {
        last_progress.hear(line.status.as_deref());
        tell_transfer(&*self.settings.progress, line);
    }
}

impl Line {
    /// The error, if the line tells of one.
    pub(super) fn check(&mut self) -> Result<(), RequestError> {
        let error = line_error(self.error.take(), self.error_detail.take());
        error.map_or(Ok(()), |error| Err(RequestError::Stream(words(&error))))
    }
}

/// Passes on a line that tells how far an image has come; others say nothing here.
pub(super) fn tell_transfer(progress: &dyn Progress, line: &Line) {
    let Some(status) = line.status.as_deref().filter(|status| !status.is_empty()) else { return };
    let amount = line.progress_detail.as_ref();
    let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    progress.event(match line.id.as_deref() {
        // In the first line of a pull the id is a tag.
        Some(id) if !status.starts_with("Pulling from") => Event::Layer {
            id,
            status,
            current: bytes(amount.and_then(|amount| amount.current)),
            total: bytes(amount.and_then(|amount| amount.total)),
        },
        _ => Event::Message { text: status },
    });
}
