//! A line of JSON in the daemon's answer to a pull, a push or a classic build.

use bollard::models::{ErrorDetail, ProgressDetail};
use serde::Deserialize;

use super::request_error::{RequestError, line_error, words};
use crate::progress::{Event, Progress};

/// The fields of such a line; most lines have only some of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    id: Option<String>,
    pub(super) status: Option<String>,
    progress_detail: Option<ProgressDetail>,
    error: Option<String>,
    error_detail: Option<ErrorDetail>,
}

impl Line {
    /// Fails if the line tells of an error.
    pub(super) fn check(&mut self) -> Result<(), RequestError> {
        let error = line_error(self.error.take(), self.error_detail.take());
        error.map_or(Ok(()), |error| Err(RequestError::Stream(words(&error))))
    }

    /// Reports how far an image has come, if the line tells of that.
    pub(super) fn tell(&self, progress: &dyn Progress) {
        let Some(status) = self.status.as_deref().filter(|status| !status.is_empty()) else { return };
        let amount = self.progress_detail.as_ref();
        let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        progress.event(match self.id.as_deref() {
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
}
