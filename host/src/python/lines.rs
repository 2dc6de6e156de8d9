//! The output of a Python process, line by line.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

/// Processes that a user's file leaves behind may hold the pipes open for ever, or write into them. Python's own output
/// is there when it ends: after that, this much time is waited and this much is read, as much as a pipe holds.
const AFTER_EXIT: Duration = Duration::from_secs(1);
const MOST_AFTER_EXIT: usize = 1 << 20;
const LONGEST_LINE: usize = 1 << 20;

/// Output as lines, however the bytes arrive; a line that never ends comes in pieces. Once Python has `ended`, the
/// lines end too, if late.
pub(super) struct Lines<'e, S> {
    source: Option<S>,
    ended: &'e CancellationToken,
    read: Vec<u8>,
    /// How many bytes of `read` are in lines that were given.
    given: usize,
    patience: Duration,
    room: usize,
}

impl<'e, S: AsyncRead + Unpin> Lines<'e, S> {
    pub(super) fn of(source: Option<S>, ended: &'e CancellationToken) -> Self {
        Self { source, ended, read: Vec::new(), given: 0, patience: AFTER_EXIT, room: MOST_AFTER_EXIT }
    }

    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            let rest = &self.read[self.given..];
            let is_cut = rest.len() > LONGEST_LINE || (self.source.is_none() && !rest.is_empty());
            let end = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1).or(is_cut.then_some(rest.len()));
            if let Some(end) = end {
                let line = String::from_utf8_lossy(&rest[..end]).trim_end_matches(['\r', '\n']).to_owned();
                self.given += end;
                return Some(line);
            }
            self.read.drain(..self.given);
            self.given = 0;
            self.read_more().await?;
        }
    }

    /// Reads more; none at the end.
    async fn read_more(&mut self) -> Option<()> {
        let source = self.source.as_mut()?;
        let began = Instant::now();
        let before = self.read.len();
        self.read.reserve(8192);
        let read = tokio::select! {
            biased;
            // A pipe that breaks has ended.
            read = source.read_buf(&mut self.read) => read.unwrap_or(0),
            () = after(self.ended, self.patience) => 0,
        };
        if self.ended.is_cancelled() {
            self.patience = self.patience.saturating_sub(began.elapsed());
            self.room = self.room.saturating_sub(self.read.len() - before);
        }
        if read == 0 || self.room == 0 {
            self.source = None;
        }
        Some(())
    }
}

async fn after(ended: &CancellationToken, patience: Duration) {
    ended.cancelled().await;
    tokio::time::sleep(patience).await;
}
