//! What is said between this program and `pickle_flows.py`, once: an order, and lines of answers.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Child,
    sync::mpsc::Sender,
};
use tokio_util::sync::CancellationToken;

use crate::inputs::Listing;

use super::{PickleRequest, PythonError, PythonFacts};

const ANSWER: &str = "flowhold-answer ";
/// Processes that a user's file leaves behind may hold the pipes open for ever, or write into them: what Python itself had
/// to say is there when it ends. So long is waited for more, and so many bytes are read of it, as many as a pipe can hold.
const AFTER_EXIT: Duration = Duration::from_secs(1);
const MOST_AFTER_EXIT: usize = 1 << 20;
const LONGEST_LINE: usize = 1 << 20;

/// The JSON that `pickle_flows.py` reads.
pub(super) fn order(requests: &[PickleRequest], wanted: &[usize], directory: &Path) -> Result<Vec<u8>, PythonError> {
    #[derive(Serialize)]
    struct Order<'a> {
        directory: &'a str,
        requests: Vec<Wanted<'a>>,
    }
    #[derive(Serialize)]
    struct Wanted<'a> {
        index: usize,
        file: &'a str,
        object: &'a str,
    }
    fn text(path: &Path, request: Option<usize>) -> Result<&str, PythonError> {
        path.to_str().ok_or_else(|| PythonError::NotUnicode { request, file: path.to_owned() })
    }
    let wanted = wanted.iter().filter_map(|index| Some((*index, requests.get(*index)?)));
    let wanted =
        wanted.map(|(index, asked)| Ok(Wanted { index, file: text(&asked.file, Some(index))?, object: &asked.object }));
    let order = Order { directory: text(directory, None)?, requests: wanted.collect::<Result<_, PythonError>>()? };
    Ok(serde_json::to_vec(&order).unwrap_or_default())
}

/// What a run of `pickle_flows.py` left.
pub(super) struct Session {
    pub(super) answers: Vec<Answer>,
    /// The last that it printed to stderr.
    pub(super) last_line: Option<String>,
    pub(super) status: ExitStatus,
}

/// A line of `pickle_flows.py`.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Answer {
    Facts(PythonFacts),
    Begin {
        request: usize,
    },
    Pickled {
        request: usize,
        name: Option<String>,
    },
    /// What is not in the trace that follows, because there is so much of it.
    TracePart {
        #[serde(default)]
        reads: Vec<PathBuf>,
        #[serde(default)]
        listings: Vec<(PathBuf, bool)>,
    },
    Trace(Traced),
    Done,
    #[serde(untagged)]
    Refused(Refusal),
}

#[derive(Deserialize)]
pub(super) struct Refusal {
    pub(super) message: String,
    #[serde(flatten)]
    pub(super) reason: Reason,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Reason {
    NoCloudpickle,
    Unreadable,
    Import { line: Option<u32> },
    NoObject { near: Vec<String> },
    NotRunnable { near: Vec<String> },
    NotPicklable { part: String },
    Unwritten { errno: i32 },
}

/// What the pickles of a file were made from.
#[derive(Deserialize)]
pub(super) struct Traced {
    /// Digest of the file itself, as it was executed.
    pub(super) source: String,
    /// Whether that is all.
    pub(super) complete: bool,
    /// Files that were read, whether they were there or not.
    pub(super) reads: Vec<PathBuf>,
    /// Directories that were listed; the flag tells those in which only modules were looked for.
    pub(super) listings: Vec<(PathBuf, bool)>,
}

impl Traced {
    pub(super) fn listings(&self) -> impl Iterator<Item = (&Path, Listing)> {
        let kind = |imports: bool| if imports { Listing::Modules } else { Listing::Names };
        self.listings.iter().map(move |(path, imports)| (path.as_path(), kind(*imports)))
    }
}

impl Session {
    /// Gives the order to a Python that was started for it, and listens until it has ended. Each line that the user's
    /// code prints goes to `printed`.
    ///
    /// # Errors
    /// It can't be waited for.
    pub(super) async fn hold(mut child: Child, order: &[u8], printed: Option<&Sender<String>>) -> io::Result<Self> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut answers, mut last_line, ended) = (Vec::new(), None, CancellationToken::new());
        let status = {
            let talk = async {
                tokio::join!(
                    async {
                        if let Some(mut stdin) = stdin {
                            // Whoever doesn't read this is no Python of ours, and says so by other means.
                            let _ = ended.run_until_cancelled(stdin.write_all(order)).await;
                        }
                    },
                    async {
                        let mut lines = Lines::of(stdout, &ended);
                        while let Some(line) = lines.next().await {
                            let answer = line.strip_prefix(ANSWER).and_then(|json| serde_json::from_str(json).ok());
                            answers.extend(answer);
                        }
                    },
                    async {
                        let mut lines = Lines::of(stderr, &ended);
                        while let Some(line) = lines.next().await {
                            if !line.trim().is_empty() {
                                last_line = Some(line.trim().to_owned());
                            }
                            if let Some(printed) = printed {
                                // Nobody listens any more: no reason to fail.
                                let _ = printed.send(line).await;
                            }
                        }
                    },
                )
            };
            tokio::pin!(talk);
            tokio::select! {
                _ = &mut talk => child.wait().await,
                status = child.wait() => {
                    ended.cancel();
                    talk.await;
                    status
                }
            }
        };
        Ok(Self { answers, last_line, status: status? })
    }
}

/// What is said line by line, however the bytes arrive; a line that never ends comes in pieces. Once Python has `ended`, so
/// do they, if late.
struct Lines<'e, S> {
    source: Option<S>,
    ended: &'e CancellationToken,
    read: Vec<u8>,
    /// How much of that is in lines that were given.
    given: usize,
    patience: Duration,
    room: usize,
}

impl<'e, S: AsyncRead + Unpin> Lines<'e, S> {
    fn of(source: Option<S>, ended: &'e CancellationToken) -> Self {
        Self { source, ended, read: Vec::new(), given: 0, patience: AFTER_EXIT, room: MOST_AFTER_EXIT }
    }

    async fn next(&mut self) -> Option<String> {
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

    /// None at the end.
    async fn read_more(&mut self) -> Option<()> {
        let source = self.source.as_mut()?;
        let began = Instant::now();
        let before = self.read.len();
        self.read.reserve(8192);
        let read = tokio::select! {
            biased;
            // A pipe that breaks is one that ends.
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
