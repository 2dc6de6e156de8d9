//! What pulls and pushes have in common: an answer in lines of JSON.
//!
//! The requests are our own, because bollard 0.21.1 drops a line's `error`, which is all that proxies and old daemons
//! send of an error, and the layer's id from lines of a push.

use super::{
    Daemon,
    connection::{Answering, broken},
    request_error::RequestError,
    retry::LastProgress,
    transfer_line::Line,
};

impl Daemon {
    /// Waits until a request to pull or push an image is sent, and gives `take` each line of the answer except errors.
    pub(super) async fn transfer(
        &self,
        sent: impl Future<Output = Result<Answering, RequestError>>,
        mut take: impl FnMut(&Line),
    ) -> Result<(), RequestError> {
        let take = |line: &[u8]| {
            let mut line: Line = serde_json::from_slice(line).map_err(|error| broken(&error))?;
            line.check()?;
            take(&line);
            Ok(())
        };
        self.unless_interrupted(async { self.each_line(sent.await?, take).await }).await?
    }

    /// Passes on a line of a pull or a push.
    pub(super) fn tell_transfer(&self, line: &Line, last_progress: &LastProgress) {
        last_progress.hear(line.status.as_deref());
        line.tell(&*self.settings.progress);
    }
}
